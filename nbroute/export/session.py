"""What the page is made of: all of it plain text but the answers, which are HTML by now."""

from __future__ import annotations

from dataclasses import dataclass, field

from nbroute.report import Report


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `html` goes into the page as it is and must be safe, `size` is in characters.

    `headline` has its tier, model, cost and time, `ladder` a line for each attempt.
    """

    headline: str
    html: str = field(repr=False)
    size: int = 0
    remarks: tuple[str, ...] = ()
    ladder_title: str = ""
    ladder: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt and its answers: the newest of a chain first, or those that are compared."""

    prompt: str = field(repr=False)
    answers: tuple[Answer, ...]
    compared: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the ledger has and this process no longer remembers."""

    when: str
    what: str
    tier: str
    model: str
    status: str
    cost: str
    latency: str


@dataclass(frozen=True, slots=True)
class Session:
    """A session to be exported; `facts` are names and values for the page's head."""

    facts: tuple[tuple[str, str], ...]
    report: Report = field(repr=False)
    exchanges: tuple[Exchange, ...] = ()
    calls: tuple[Call, ...] = ()
    notes: tuple[str, ...] = ()
