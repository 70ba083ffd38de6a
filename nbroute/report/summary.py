"""The report: its figures, as text and as a frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from nbroute.pricing import format_usd
from nbroute.report.spend import Spend, counted

if TYPE_CHECKING:
    import pandas as pd

#: "What % of Tier 1 requests escalate? (<10% is good; >20% = classifier problem)"
ESCALATION_GOOD = 0.10
ESCALATION_PROBLEM = 0.20
#: "Should be >50% Tier 1 for most support/Q&A apps"
LOWEST_SHARE = 0.50
_SHOWN_DAYS = 14


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
    embedding, failed, rejected and unused calls too. `usd` is the difference, None where the
    price or the cost of one of `unknown_calls` is not known.
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


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What a set of calls did; `print` it, or take its parts.

    `results` were asked for, `answered` counts them by the tier whose answer stands. A
    feature of "" is that of calls with none; days are UTC. `beside` are answers that were paid
    for in parallel with the one that was kept: neither rejected nor escalated. `saving` is of
    real money, `equivalent_saving` of what was not billed; they are never added.
    """

    tiers: tuple[str, ...]
    baseline: str
    results: int
    spend: Spend
    classifying: Spend
    embedding: Spend
    beside: Spend
    by_tier: Mapping[str, Spend]
    by_model: Mapping[str, Spend]
    by_feature: Mapping[str, Spend]
    by_feature_day: Mapping[tuple[str, str], Spend]
    answered: Mapping[str, int]
    statuses: Mapping[str, int]
    latency: Mapping[str, Latency]
    lowest_answered: int
    lowest_escalated: int
    saving: Saving
    equivalent_saving: Saving

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

    def __repr__(self) -> str:
        """The report as plain text."""
        return "\n".join(_text(self))

    def frame(self) -> pd.DataFrame:
        """One row a tier: results, share, calls, spend, latency."""
        import pandas as pd

        share = self.tier_share
        nothing = Latency(0, math.nan, math.nan)
        rows = [
            {
                "tier": tier,
                "results": self.answered.get(tier, 0),
                "share": share.get(tier, math.nan),
                "calls": spend.calls,
                "cached_calls": spend.cached_calls,
                "usd": float(spend.usd),
                "equivalent_usd": float(spend.equivalent_usd),
                "unknown_calls": spend.unknown_calls,
                "p50_ms": self.latency.get(tier, nothing).p50_ms,
                "p95_ms": self.latency.get(tier, nothing).p95_ms,
            }
            for tier, spend in self.by_tier.items()
        ]
        return pd.DataFrame(rows)


def _text(report: Report) -> Iterator[str]:
    if not report.calls:
        yield "no calls recorded yet"
        return
    yield _counts(report)
    yield f"spent: {report.spend}"
    uses = {
        "classifying": report.classifying,
        "embedding": report.embedding,
        "beside the answer that was kept": report.beside,
    }
    for use, spend in uses.items():
        if spend.calls:
            yield f"  of which {use}: {spend}"
    yield from _savings(report)
    yield ""
    yield from _tier_table(report)
    yield from _judged(report)
    yield from _spend_table("model", report.by_model)
    if set(report.by_feature) != {""}:
        yield from _spend_table("feature", report.by_feature)
        days = {f"{feature or '(none)'} {day}": s for (feature, day), s in _latest_days(report)}
        yield from _spend_table("feature and day (UTC)", days)


def _counts(report: Report) -> str:
    parts = [f"{counted(report.results, 'result')} from {counted(report.calls, 'call')}"]
    parts += [f"{report.cache_hits} cached"] if report.cache_hits else []
    shown = {"error": "failed", "rejected": "rejected", "interrupted": "interrupted"}
    shown |= {"unused": "unused", "running": "never ended"}
    parts += [f"{report.statuses[s]} {word}" for s, word in shown.items() if s in report.statuses]
    return ", ".join(parts)


def _savings(report: Report) -> Iterator[str]:
    against = f"than all on {report.baseline}"
    sides = [
        ("saving", report.saving),
        ("saving in money that was not billed", report.equivalent_saving),
    ]
    told = [(name, s) for name, s in sides if s.baseline_usd or s.spent_usd or s.unknown_calls]
    for name, saving in told or sides[:1]:
        yield f"{name}: {_saved(saving, against)}"


def _saved(saving: Saving, against: str) -> str:
    if saving.baseline_usd is None:
        return f"unknown: no price to compare with ({against.removeprefix('than ')})"
    if saving.usd is None:
        return f"unknown: {counted(saving.unknown_calls, 'call')} of unknown cost"
    word = "less" if saving.usd >= 0 else "more"
    return f"{format_usd(abs(saving.usd))} {word} {against} (estimate, net)"


def _tier_table(report: Report) -> Iterator[str]:
    rows = [("tier", "results", "share", "calls", "spend", "not billed", "p50", "p95")]
    shares = report.tier_share
    for tier, spend in report.by_tier.items():
        latency = report.latency.get(tier)
        times = (_seconds(latency.p50_ms), _seconds(latency.p95_ms)) if latency else ("-", "-")
        share = f"{shares[tier]:.0%}" if tier in shares else "-"
        results = str(report.answered.get(tier, 0))
        rows.append((tier or "(none)", results, share, str(spend.calls), *_money(spend), *times))
    return _aligned(rows)


def _judged(report: Report) -> Iterator[str]:
    lowest = report.tiers[0] if report.tiers else ""
    if lowest in report.tier_share:
        usual = f"over {LOWEST_SHARE:.0%} is usual for support and Q&A"
        yield f"{lowest} answers {report.tier_share[lowest]:.0%} of the results ({usual})"
    if report.escalation_rate is not None:
        rate, verdict = report.escalation_rate, report.escalation_verdict
        yield f"{lowest} escalates {rate:.0%} of what it answers: {verdict}"


def _spend_table(name: str, groups: Mapping[str, Spend]) -> Iterator[str]:
    rows = [(name, "calls", "spend", "not billed")]
    rows += [(key or "(none)", str(s.calls), *_money(s)) for key, s in groups.items()]
    yield ""
    yield from _aligned(rows)


def _latest_days(report: Report) -> list[tuple[tuple[str, str], Spend]]:
    days = sorted({day for _, day in report.by_feature_day})[-_SHOWN_DAYS:]
    return [(key, spend) for key, spend in report.by_feature_day.items() if key[1] in days]


def _money(spend: Spend) -> tuple[str, str]:
    unknown = f" + {spend.unknown_calls} unknown" if spend.unknown_calls else ""
    return f"{format_usd(spend.usd)}{unknown}", format_usd(spend.equivalent_usd)


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s"


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells])
