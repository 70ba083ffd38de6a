"""The rows that a report is made of, what they cost together, and the figures of a report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from nbroute.pricing import format_usd, same_model
from nbroute.report.table import counted, one_line, with_effort
from nbroute.types import Label, Price

# What the second article calls good and bad figures; shares of 1.
#: "What % of Tier 1 requests escalate? (<10% is good; >20% = classifier problem)"
ESCALATION_GOOD = 0.10
ESCALATION_PROBLEM = 0.20
#: "Should be >50% Tier 1 for most support/Q&A apps"
LOWEST_SHARE = 0.50


class ReportRow(NamedTuple):
    """The fields of an `Attempt` that a report needs; `ledger.report_rows()` gives these."""

    ts: float
    result: str
    parent: str | None
    tier: str
    model: str
    feature: str | None
    purpose: str
    status: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    cost_source: str
    latency_ms: float
    escalated: bool
    cached: bool
    comparison: str | None = None
    answered_by: str | None = None
    effort: str | None = None


@lru_cache(maxsize=1024)
def model_to_name(asked: str, answered_by: str | None, effort: str | None = None) -> str:
    """The model that was asked, or the one that answered where that is another; its effort."""
    if not answered_by or same_model(asked, answered_by):
        return with_effort(asked, effort)
    return with_effort(one_line(answered_by)[:80], effort)


@dataclass(frozen=True, slots=True)
class Spend:
    """What calls cost together, money really spent (`usd`) apart from what was not billed.

    `unknown_calls` have no known cost and are in neither sum. `calls` includes the
    `cached_calls`, which cost nothing. `by_source` splits the sums by where they come from;
    `unknown_unbilled` are those of the unknown calls that nobody bills.
    """

    usd: Decimal = Decimal(0)
    equivalent_usd: Decimal = Decimal(0)
    unknown_calls: int = 0
    calls: int = 0
    cached_calls: int = 0
    by_source: Mapping[str, Decimal] = field(default_factory=dict)
    unknown_unbilled: int = 0

    @classmethod
    def of_source(cls, source: str, usd: float, calls: int, cached: int, unknown: int) -> Spend:
        """The spend of calls whose costs come from one source; `usd` is a sum of floats."""
        # A picodollar is far below any price; anything smaller is rounding error.
        amount = Decimal(repr(round(usd, 12)))
        sources = {source: amount} if amount else {}
        if source == "equivalent":
            return cls(Decimal(0), amount, unknown, calls, cached, sources, unknown)
        return cls(amount, Decimal(0), unknown, calls, cached, sources)

    def of(self, unbilled: bool) -> Decimal:
        """The sum of one kind of money: of what was not billed, or of what was spent."""
        return self.equivalent_usd if unbilled else self.usd

    def unknown(self, unbilled: bool) -> int:
        """The calls, of the same kind of money, whose cost is not known."""
        return self.unknown_unbilled if unbilled else self.unknown_calls - self.unknown_unbilled

    def __add__(self, other: Spend) -> Spend:
        sources = dict(self.by_source)
        for source, amount in other.by_source.items():
            sources[source] = sources.get(source, Decimal(0)) + amount
        return Spend(
            self.usd + other.usd,
            self.equivalent_usd + other.equivalent_usd,
            self.unknown_calls + other.unknown_calls,
            self.calls + other.calls,
            self.cached_calls + other.cached_calls,
            sources,
            self.unknown_unbilled + other.unknown_unbilled,
        )

    @property
    def told(self) -> str:
        """`$0.0013 + $0.02 not billed + 2 of unknown cost`: each kind of money by itself."""
        parts = [format_usd(self.usd)] if self.usd or not self.equivalent_usd else []
        parts += [self._unbilled] if self.equivalent_usd else []
        parts += [f"{self.unknown_calls:,} of unknown cost"] if self.unknown_calls else []
        return " + ".join(parts)

    @property
    def _unbilled(self) -> str:
        """What was not billed; next to money that was, it is not called "would have cost"."""
        told = format_usd(self.equivalent_usd)
        return f"{told} not billed" if self.usd else f"would have cost {told}"

    def __str__(self) -> str:
        """`$0.0013, 6 calls, 1 cached`, and what is not billed or not known, if any."""
        parts = [format_usd(self.usd), counted(self.calls, "call")]
        if self.cached_calls:
            parts.append(f"{self.cached_calls} cached")
        if self.equivalent_usd:
            parts.append(self._unbilled)
        if self.unknown_calls:
            parts.append(f"{self.unknown_calls} of unknown cost")
        return ", ".join(parts)


class Latency(NamedTuple):
    """How long a tier's calls took, in milliseconds; answers out of the cache are left out."""

    calls: int
    p50_ms: float
    p95_ms: float


def wilson(share: float, n: int) -> tuple[float, float]:
    """Where a share seen in `n` cases lies at 95%, within 0 and 1; (0, 1) where there are none.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if not n:
        return 0.0, 1.0
    z2 = 1.96**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(share * (1 - share) * z2 / n + (z2 / (2 * n)) ** 2) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def newcombe(counts: Mapping[tuple[bool, bool], int]) -> tuple[float, float]:
    """The 95% interval of a difference of two shares of the same cases, within -1 and 1.

    `counts` are the cases by what holds of each: (first, second). Newcombe 1998, "Improved
    confidence intervals for the difference between binomial proportions based on paired data",
    method 10.
    """
    both, first, second, none = (
        counts.get(key, 0) for key in ((True, True), (True, False), (False, True), (False, False))
    )
    n = both + first + second + none
    one, two = (both + first) / n, (both + second) / n
    (low1, high1), (low2, high2) = wilson(one, n), wilson(two, n)
    size = (both + first) * (second + none) * (both + second) * (first + none)
    cross = both * none - first * second
    fewer = max(cross - n / 2, 0.0) if cross > 0 else float(cross)
    phi = fewer / math.sqrt(size) if size else 0.0

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(a * a - 2 * phi * a * b + b * b, 0.0))

    low = one - two - reach(one - low1, high2 - two)
    high = one - two + reach(high1 - one, two - low2)
    return max(-1.0, low), min(1.0, high)


def enough(value: float, low: float, high: float, n: int) -> float:
    """How many cases would show that a difference seen in `n`, with that interval, is not zero.

    Twice as many as put zero on the border of the interval, so that four samples in five do.
    """
    return 2 * n * ((high - low) / 2 / value) ** 2 if value else math.inf


def rounded_up(number: float) -> int:
    """Rounded up to two figures, so that it does not look exact."""
    step: int = 10 ** max(len(str(int(number))) - 2, 0)
    return math.ceil(number / step) * step


def kappa(pairs: Sequence[tuple[bool, bool]]) -> float:
    """Cohen's kappa of two judges who each say yes or no; NaN where both always say the same.

    Cohen 1960, "A coefficient of agreement for nominal scales".
    """
    n = len(pairs)
    if not n:
        return math.nan
    one, two = (sum(side) / n for side in zip(*pairs, strict=True))
    chance = one * two + (1 - one) * (1 - two)
    seen = sum(a == b for a, b in pairs) / n
    return (seen - chance) / (1 - chance) if chance < 1 else math.nan


class Votes(NamedTuple):
    """How many of the judged prompts a tier is good enough for."""

    good: int
    judged: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.good / self.judged

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share lies at 95%, by Wilson's interval."""
        return wilson(self.share, self.judged)


def votes_of(labels: Iterable[Label], tiers: Sequence[str]) -> dict[str, Votes]:
    """Tier -> its votes, from the last label of each prompt; tiers without votes are left out.

    What is good enough on a tier is so on higher ones too; what is not, is not on lower ones.
    """
    last = {label.prompt: label for label in labels}
    found = dict.fromkeys(tiers, Votes(0, 0))
    for label in last.values():
        said = label.feedback
        named = label.picked if said == "bad" else label.needed
        if named not in tiers:
            continue
        enough = tiers.index(named) + (said == "bad")
        weak = said in ("bad", "too weak", "cheapest acceptable")
        good = said not in ("bad", "too weak", "taken back")
        for place, tier in enumerate(tiers):
            if good if place >= enough else weak:
                votes = found[tier]
                found[tier] = Votes(votes.good + (place >= enough), votes.judged + 1)
    return {tier: votes for tier, votes in found.items() if votes.judged}


@dataclass(frozen=True, slots=True)
class Saving:
    """Spent against what the same answers would have cost on the baseline tier: an estimate.

    The baseline is the tokens of each chain's final answer (a result and those that escalate it
    are one chain) at the baseline's full price, including those from an endpoint's prompt
    cache; an answer from our cache counts for neither side, since the baseline would have had it
    too. `spent_usd` is everything: also classifying, embedding, comparing, auditing, and failed,
    rejected and unused calls. `usd` is the difference; None where the price is not known, and
    where there are `unknown_calls`.
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

    def against(self, baseline: str) -> str:
        """`$0.0210 less than all on FRONTIER`, or why that is not known."""
        if self.baseline_usd is None:
            return f"unknown, {baseline} has no known price"
        if self.usd is None:
            return f"unknown, {counted(self.unknown_calls, 'call')} of unknown cost"
        return f"{self.told} than all on {baseline}"


def both_savings(
    spend: Spend, finals: Mapping[bool, tuple[int, int]], price: Price | None
) -> tuple[Saving, Saving]:
    """Of real money, and of what was not billed.

    `finals` are the tokens read and written by the final answers, of each kind.
    """

    def saving(unbilled: bool) -> Saving:
        given, taken = finals.get(unbilled, (0, 0))
        usd = (given * price.input + taken * price.output) / 1_000_000 if price else None
        return Saving(usd, spend.of(unbilled), spend.unknown(unbilled))

    return saving(False), saving(True)


class Meter(NamedTuple):
    """What the session's line shows; the fields are those of `Metrics`."""

    baseline: str
    spend: Spend
    comparing: Spend
    saving: Saving
    equivalent_saving: Saving


@dataclass(frozen=True, slots=True, repr=False)
class Metrics:
    """What a set of calls did.

    `results` were asked for; `answered` counts them by the tier of the final answer. Calls with
    no feature have the feature ""; days are UTC. In `by_use`, "beside" is for answers that were
    paid for in parallel with the one that was used: neither rejected nor escalated; "comparing"
    is for answers that were compared, and "auditing" for those that measure the router, and for
    judging them: none of these are results. `saving` is of real money, `equivalent_saving` of
    what was not billed; they are never added. Both are against the `baseline` tier's
    `baseline_model` at `price`.
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
    votes: Mapping[str, Votes] = field(default_factory=dict)

    @property
    def comparing(self) -> Spend:
        """Answers that were compared with one another."""
        return self.by_use.get("comparing", Spend())

    @property
    def calls(self) -> int:
        """All attempts, including those answered from the cache."""
        return self.spend.calls

    @property
    def cache_hits(self) -> int:
        """Calls that the cache answered."""
        return self.spend.cached_calls

    @property
    def savings(self) -> dict[bool, Saving]:
        """The savings that are not empty, by whether the money was not billed."""
        both = {False: self.saving, True: self.equivalent_saving}
        return {k: s for k, s in both.items() if s.baseline_usd or s.spent_usd or s.unknown_calls}

    @property
    def tier_share(self) -> dict[str, float]:
        """Tier -> its share of the answered results, 0 to 1; empty where nothing was answered."""
        total = sum(self.answered.values())
        return {tier: count / total for tier, count in self.answered.items()} if total else {}

    @property
    def escalation_rate(self) -> float | None:
        """The share of the chains answered by the lowest tier that went on to a higher one."""
        return self.lowest_escalated / self.lowest_answered if self.lowest_answered else None

    @property
    def escalation_verdict(self) -> str | None:
        """What the articles' thresholds say about the escalation rate; None without a rate."""
        rate = self.escalation_rate
        if rate is None:
            return None
        if rate > ESCALATION_PROBLEM:
            return f"over {ESCALATION_PROBLEM:.0%}, look at the classifier or the checks"
        if rate < ESCALATION_GOOD:
            return f"good, under {ESCALATION_GOOD:.0%}"
        return f"fair, {ESCALATION_GOOD:.0%} to {ESCALATION_PROBLEM:.0%}"
