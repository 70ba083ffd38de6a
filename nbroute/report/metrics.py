"""The figures of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from nbroute.pricing import format_usd
from nbroute.report.spend import Spend
from nbroute.report.thresholds import ESCALATION_GOOD, ESCALATION_PROBLEM
from nbroute.types import Price


class Latency(NamedTuple):
    """How long a tier's calls took, in milliseconds; answers out of the cache are left out."""

    calls: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Saving:
    """Spent against what the same answers would have cost on the baseline tier: an estimate.

    The baseline is each chain's final answer (a result and those that escalate it are one
    chain), its tokens at the baseline's price; an answer out of the cache counts for neither
    side, as the baseline would have had it too. `spent_usd` is everything: classifying,
    embedding, comparing, failed, rejected and unused calls too. `usd` is the difference, None
    where the price or the cost of one of `unknown_calls` is not known.
    """

    baseline_usd: Decimal | None
    spent_usd: Decimal
    unknown_calls: int

    @property
    def usd(self) -> Decimal | None:
        """US dollars saved, net; below zero where routing cost more than the baseline."""
        if self.baseline_usd is None or self.unknown_calls:
            return None
        return self.baseline_usd - self.spent_usd

    @property
    def told(self) -> str:
        """`$0.0210 less`, `$0.0004 more`; "unknown" where it is not known."""
        if self.usd is None:
            return "unknown"
        return f"{format_usd(abs(self.usd))} {'less' if self.usd >= 0 else 'more'}"


@dataclass(frozen=True, slots=True, repr=False)
class Metrics:
    """What a set of calls did.

    `results` were asked for, `answered` counts them by the tier whose answer stands. A
    feature of "" is that of calls with none; days are UTC. `beside` are answers that were paid
    for in parallel with the one that was kept: neither rejected nor escalated. `comparing` are
    answers that were compared: calls that cost money and took time, and no results. `saving`
    is of real money, `equivalent_saving` of what was not billed; they are never added. Both
    are against the `baseline` tier's `baseline_model` at `price`.
    """

    tiers: tuple[str, ...]
    baseline: str
    results: int
    spend: Spend
    by_use: Mapping[str, Spend]
    by_tier: Mapping[str, Spend]
    by_model: Mapping[str, Spend]
    by_feature: Mapping[str, Spend]
    by_feature_day: Mapping[tuple[str, str], Spend]
    by_day: Mapping[str, Spend]
    by_day_tier: Mapping[tuple[str, str], Spend]
    answered: Mapping[str, int]
    statuses: Mapping[str, int]
    latency: Mapping[str, Latency]
    overall_latency: Latency | None
    lowest_answered: int
    lowest_escalated: int
    saving: Saving
    equivalent_saving: Saving
    price: Price | None = None
    baseline_model: str = ""

    @property
    def classifying(self) -> Spend:
        """Calls that chose a tier."""
        return self.by_use.get("classifying", Spend())

    @property
    def embedding(self) -> Spend:
        """Calls that turned texts into vectors."""
        return self.by_use.get("embedding", Spend())

    @property
    def beside(self) -> Spend:
        """Answers that were paid for beside the one that was kept."""
        return self.by_use.get("beside", Spend())

    @property
    def comparing(self) -> Spend:
        """Answers that were compared with one another."""
        return self.by_use.get("comparing", Spend())

    @property
    def calls(self) -> int:
        """All attempts, those out of the cache included."""
        return self.spend.calls

    @property
    def cache_hits(self) -> int:
        """Calls that the cache answered."""
        return self.spend.cached_calls

    @property
    def failed(self) -> int:
        """Calls that ended in an error."""
        return self.statuses.get("error", 0)

    @property
    def saving_usd(self) -> Decimal | None:
        """Real money saved against all on the baseline, net; None where it is not known."""
        return self.saving.usd

    @property
    def tier_share(self) -> dict[str, float]:
        """Tier -> its share of the answered results, 0 to 1; empty where nothing was answered."""
        total = sum(self.answered.values())
        return {tier: count / total for tier, count in self.answered.items()} if total else {}

    @property
    def escalation_rate(self) -> float | None:
        """Of the chains that the lowest tier answered, how many went on to a dearer one."""
        return self.lowest_escalated / self.lowest_answered if self.lowest_answered else None

    @property
    def escalation_verdict(self) -> str | None:
        """What the articles' thresholds say of the escalation rate; None where there is none."""
        rate = self.escalation_rate
        if rate is None:
            return None
        if rate > ESCALATION_PROBLEM:
            return f"over {ESCALATION_PROBLEM:.0%}, look at the classifier"
        if rate < ESCALATION_GOOD:
            return f"good, under {ESCALATION_GOOD:.0%}"
        return f"fair, {ESCALATION_GOOD:.0%} to {ESCALATION_PROBLEM:.0%}"
