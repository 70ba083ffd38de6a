"""The report as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from nbroute.pricing import format_usd
from nbroute.report.metrics import LOWEST_SHARE, Spend
from nbroute.report.table import counted, text_table

if TYPE_CHECKING:
    from nbroute.report.metrics import Latency, Metrics, Saving

#: A line, or the rows of a table.
Block = str | Sequence[tuple[str, ...]]

_SHOWN_DAYS = 14
_USES = {
    "classifying": "classifying",
    "embedding": "embedding",
    "beside": "beside the answer that was kept",
    "comparing": "comparing",
}
_STATUSES = {
    "error": "failed",
    "rejected": "rejected",
    "interrupted": "interrupted",
    "unused": "unused",
    "running": "never ended",
}


def text_of(report: Metrics) -> str:
    """What was asked, spent and saved, then the tables."""
    return "\n".join(
        line
        for block in blocks_of(report)
        for line in ([block] if isinstance(block, str) else text_table(block, "<>"))
    )


def blocks_of(report: Metrics) -> Iterator[Block]:
    """The same in parts: a line of text, or a table with its head."""
    if not report.calls:
        yield "no calls recorded yet"
        return
    yield _counts(report)
    yield f"spent: {report.spend}"
    for use, told in _USES.items():
        if use in report.by_use:
            yield f"  of which {told}: {report.by_use[use]}"
    yield from _savings(report)
    yield ""
    yield from _tier_table(report)
    yield from _judged(report)
    yield from _spend_table("model", report.by_model)
    if set(report.by_feature) != {""}:
        yield from _spend_table("feature", report.by_feature)
        days = {f"{feature or '(none)'} {day}": s for (feature, day), s in _latest_days(report)}
        yield from _spend_table("feature and day (UTC)", days)
    if len(report.by_day) > 1:
        yield from _daily_table(report)


def _counts(report: Metrics) -> str:
    parts = [f"{counted(report.results, 'result')} from {counted(report.calls, 'call')}"]
    parts += [f"{report.cache_hits} cached"] if report.cache_hits else []
    found = report.statuses
    parts += [f"{found[name]} {word}" for name, word in _STATUSES.items() if name in found]
    return ", ".join(parts)


def _savings(report: Metrics) -> Iterator[str]:
    against = f"than all on {report.baseline}"
    sides = [
        ("saving", report.saving),
        ("saving in money that was not billed", report.equivalent_saving),
    ]
    told = [(name, s) for name, s in sides if s.baseline_usd or s.spent_usd or s.unknown_calls]
    for name, saving in told or sides[:1]:
        yield f"{name}: {_saved(saving, against)}"
    if report.price is not None and (told or report.results):
        yield f"  {priced(report)}"


def priced(report: Metrics) -> str:
    """How the baseline of a saving is priced; empty where its price is not known."""
    price, model = report.price, report.baseline_model
    if price is None:
        return ""
    which = f"{report.baseline} ({model})" if model else report.baseline
    per_million = f"${price.input:f} in, ${price.output:f} out per million"
    return f"{which} is priced on the recorded tokens: {per_million}"


def _saved(saving: Saving, against: str) -> str:
    if saving.baseline_usd is None:
        return f"unknown: no price to compare with ({against.removeprefix('than ')})"
    if saving.usd is None:
        return f"unknown: {counted(saving.unknown_calls, 'call')} of unknown cost"
    return f"{saving.told} {against} (estimate, net)"


def _tier_table(report: Metrics) -> Iterator[Block]:
    rows = [("tier", "results", "share", "calls", "spend", "not billed", "p50", "p95")]
    shares = report.tier_share
    for tier, spend in report.by_tier.items():
        share = f"{shares[tier]:.0%}" if tier in shares else "-"
        results = str(report.answered.get(tier, 0))
        times = _times(report.latency.get(tier))
        rows.append((tier or "(none)", results, share, str(spend.calls), *_money(spend), *times))
    if len(report.latency) > 1:
        total, results = report.spend, str(sum(report.answered.values()))
        times = _times(report.overall_latency)
        rows.append(("together", results, "", str(total.calls), *_money(total), *times))
    yield rows


def _judged(report: Metrics) -> Iterator[str]:
    lowest = report.tiers[0] if report.tiers else ""
    if lowest in report.tier_share:
        usual = f"over {LOWEST_SHARE:.0%} is usual for support and Q&A"
        yield f"{lowest} answers {report.tier_share[lowest]:.0%} of the results ({usual})"
    if report.escalation_rate is not None:
        rate, verdict = report.escalation_rate, report.escalation_verdict
        yield f"{lowest} escalates {rate:.0%} of what it answers: {verdict}"


def _spend_table(name: str, groups: Mapping[str, Spend]) -> Iterator[Block]:
    rows = [(name, "calls", "spend", "not billed")]
    rows += [(key or "(none)", str(s.calls), *_money(s)) for key, s in groups.items()]
    yield ""
    yield rows


def _daily_table(report: Metrics) -> Iterator[Block]:
    """The third article's daily report, a line a day."""
    rows = [("day (UTC)", "calls", "cached", "spend", "not billed", *report.by_tier)]
    for day in sorted(report.by_day)[-_SHOWN_DAYS:]:
        spend = report.by_day[day]
        tiers = (report.by_day_tier.get((day, tier), Spend()) for tier in report.by_tier)
        amounts = (_either(one) for one in tiers)
        rows.append((day, str(spend.calls), str(spend.cached_calls), *_money(spend), *amounts))
    yield ""
    yield rows


def _latest_days(report: Metrics) -> list[tuple[tuple[str, str], Spend]]:
    days = sorted({day for _, day in report.by_feature_day})[-_SHOWN_DAYS:]
    return [(key, spend) for key, spend in report.by_feature_day.items() if key[1] in days]


def _either(spend: Spend) -> str:
    """Both kinds of money in one cell, told apart."""
    real, equivalent = _money(spend)
    if equivalent == "$0":
        return real
    return f"{real} and {equivalent} not billed" if real != "$0" else f"{equivalent} not billed"


def _money(spend: Spend) -> tuple[str, str]:
    """What was spent, and what was not billed."""
    unbilled = spend.unknown_unbilled
    known = (spend.usd, spend.unknown_calls - unbilled), (spend.equivalent_usd, unbilled)
    real, equivalent = (
        f"{format_usd(usd)}{f' + {unknown} unknown' if unknown else ''}" for usd, unknown in known
    )
    return real, equivalent


def _times(latency: Latency | None) -> tuple[str, str]:
    if latency is None:
        return "-", "-"
    return f"{latency.p50_ms / 1000:.2f} s", f"{latency.p95_ms / 1000:.2f} s"
