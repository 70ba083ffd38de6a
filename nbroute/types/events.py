"""What an observer is told, and what a dry run says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nbroute.types.calls import Attempt, Request, Verdict
from nbroute.types.money import Cost
from nbroute.types.results import Plan, RouteResult
from nbroute.types.seams import Decision


@dataclass(frozen=True, slots=True)
class Classified:
    """The tier is known; nothing of the answer was sent yet."""

    decision: Decision
    plan: Plan


@dataclass(frozen=True, slots=True)
class Sent:
    """A request goes out; an answer out of the cache has no such event."""

    tier: str
    model: str


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer arrived."""

    text: str


@dataclass(frozen=True, slots=True)
class Attempted:
    """A call ended, well or not; it is in the ledger."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Escalated:
    """A check rejected an answer; the next tier is asked."""

    rejected: Attempt
    verdict: Verdict
    tier: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that is no error."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The whole result."""

    result: RouteResult


@dataclass(frozen=True, slots=True)
class TierEstimate:
    """What the prompt would cost on a tier: low is a one-token answer, high a full budget."""

    tier: str
    model: str
    input_tokens: int
    max_tokens: int
    low: Cost
    high: Cost


@dataclass(frozen=True, slots=True)
class Explanation:
    """A dry run: what would be sent, where and why, and its cost range on every tier.

    `requests` are the first model's at each of the plan's steps.
    """

    decision: Decision
    requests: tuple[Request, ...]
    estimates: tuple[TierEstimate, ...]
    plan: Plan


Event = Classified | Sent | Text | Attempted | Escalated | Notice | Done
Observer = Callable[[Event], None]
