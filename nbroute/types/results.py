"""What was asked for, what is planned, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from nbroute.types.calls import Attempt, CacheMode, Status, Verdict, total_cost
from nbroute.types.ladder import Target, Tier
from nbroute.types.money import Cost, CostSource, Usage
from nbroute.types.seams import Check, Classifier, Decision


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller asked for beside the prompt; None means "as the settings say"."""

    tier: str | None = None
    model: str | None = None
    strategy: str = "direct"
    start: str | None = None
    tiers: tuple[str, ...] = ()
    classifier: str | Classifier | Callable[[str], Any] | None = None
    system: str | None = None
    max_tokens: int | None = None
    max_cost: Decimal | None = None
    over_budget: bool = False
    temperature: float | None = None
    json: bool = False
    schema: Any = None
    checks: tuple[str | Check, ...] = ()
    agreement: float | None = None
    feature: str | None = None
    thread: str | None = None
    comparison: str | None = None
    cache: CacheMode | None = None
    stream: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One tier to try, with its models in order."""

    tier: Tier
    targets: tuple[Target, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """The models' names, in the order in which they are tried."""
        return tuple(target.model for target in self.targets)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps that a strategy will take; `agreement` is for two that answer in parallel."""

    strategy: str
    steps: tuple[Step, ...]
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """A tier's answer on the way (an attempt's id) and what the checks said of it."""

    tier: str
    attempt: str
    verdicts: tuple[Verdict, ...] = ()

    @property
    def failed(self) -> Verdict | None:
        """The verdict that sent the answer back; None where it passed."""
        return next((verdict for verdict in self.verdicts if not verdict.passed), None)


@dataclass(frozen=True, slots=True)
class RouteResult:
    """An answer and all that led to it.

    `attempts` are all calls made for it, in order: classifying, failed, rejected, answering.
    `cost_usd` is what they cost together. `parent` is the result that this one escalates.
    `rungs` are the answers on the way with their verdicts, `chosen` the id of the attempt whose
    text is the answer, `data` the parsed answer where JSON or a schema was asked for.
    """

    id: str
    prompt: str = field(repr=False)
    text: str = field(repr=False)
    decision: Decision = field(repr=False)
    plan: Plan = field(repr=False)
    options: Options = field(repr=False)
    attempts: tuple[Attempt, ...] = field(repr=False)
    rungs: tuple[Rung, ...] = field(default=(), repr=False)
    chosen: str = field(default="", repr=False)
    data: Any = field(default=None, repr=False)
    parent: RouteResult | None = field(default=None, repr=False)
    notices: tuple[str, ...] = field(default=(), repr=False)

    @property
    def answer(self) -> Attempt:
        """The attempt whose text is the answer: the chosen one, else the last that has any."""
        for attempt in self.attempts:
            if self.chosen and attempt.id == self.chosen:
                return attempt
        asked = [a for a in self.attempts if a.purpose == "answer"] or list(self.attempts)
        return next((a for a in reversed(asked) if a.text), asked[-1])

    @property
    def chain(self) -> tuple[RouteResult, ...]:
        """This result, the one that it escalates, and so on down to the first."""
        return (self, *(self.parent.chain if self.parent else ()))

    @property
    def tier(self) -> str:
        """The tier that answered."""
        return self.answer.tier

    @property
    def model(self) -> str:
        """The model that answered."""
        return self.answer.model

    @property
    def usage(self) -> Usage:
        """The tokens of the answer (of `answer` alone; `attempts` has the rest)."""
        return self.answer.usage

    @property
    def cost(self) -> Cost:
        """What all attempts cost together."""
        return total_cost(self.attempts)

    @property
    def cost_usd(self) -> Decimal | None:
        """US dollars for all attempts together; None where a price is not known."""
        return self.cost.usd

    @property
    def cost_source(self) -> CostSource:
        """Where the cost comes from."""
        return self.cost.source

    @property
    def latency_ms(self) -> float:
        """From sending to the end: attempts in turn, and the slower of two tiers in parallel."""
        total = sum(attempt.latency_ms for attempt in self.attempts)
        if self.plan.strategy != "parallel":
            return total
        by_tier: dict[str, float] = {}
        for one in self.attempts:
            if one.purpose == "answer":
                by_tier[one.tier] = by_tier.get(one.tier, 0.0) + one.latency_ms
        return total - sum(by_tier.values()) + max(by_tier.values(), default=0.0)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What the checks said of the answer."""
        return next((r.verdicts for r in self.rungs if r.attempt == self.answer.id), ())

    @property
    def passed(self) -> bool:
        """Whether the answer passed every check; that another one differs is no check of it."""
        return all(verdict.passed for verdict in self.verdicts if verdict.check != "agreement")

    @property
    def ttft_ms(self) -> float | None:
        """From sending the answering call to its first token."""
        return self.answer.ttft_ms

    @property
    def escalated(self) -> bool:
        """Whether a tier below answered first."""
        return self.answer.escalated

    @property
    def cached(self) -> bool:
        """Whether the answer came out of the cache."""
        return self.answer.cached

    @property
    def status(self) -> Status:
        """`ok`, or how the answer ended otherwise."""
        return self.answer.status

    def __repr__(self) -> str:
        """A line that fits a log: no prompt, no answer."""
        cost = "unknown" if self.cost_usd is None else f"${self.cost_usd:.6f}"
        return f"<RouteResult {self.id} {self.tier} {self.model} {cost} ({self.cost_source})>"

    def __str__(self) -> str:
        """The answer."""
        return self.text
