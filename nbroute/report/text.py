"""The report as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from nbroute.pricing import format_usd
from nbroute.report.metrics import LOWEST_SHARE, Spend
from nbroute.report.table import counted, text_table, without_nothing

if TYPE_CHECKING:
    from nbroute.report.metrics import Latency, Metrics

#: A line, or the rows of a table.
Block = str | Sequence[tuple[str, ...]]

_SHOWN_DAYS = 14
_MONEY = ("spent", "would have cost")
_USES = {
    "classifying": "classifying",
    "embedding": "embedding",
    "beside": "beside the answer that was used",
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
    parts = [f"{counted(report.results, 'result')} from {counted(report.calls, 'call')}"]
    parts += [f"{report.cache_hits} cached"] if report.cache_hits else []
    found = report.statuses
    parts += [f"{found[name]} {word}" for name, word in _STATUSES.items() if name in found]
    yield ", ".join(parts)
    yield f"spent: {report.spend}"
    for use, told in _USES.items():
        if use in report.by_use:
            yield f"  of which {told}: {report.by_use[use]}"
    yield from _savings(report)
    yield ""
    yield from _tiers(report)
    yield from _spends("model", report.by_model)
    if set(report.by_feature) != {""}:
        yield from _spends("feature", report.by_feature)
        latest = sorted({day for _, day in report.by_feature_day})[-_SHOWN_DAYS:]
        days = {
            f"{feature or '(none)'} {day}": spend
            for (feature, day), spend in report.by_feature_day.items()
            if day in latest
        }
        yield from _spends("feature and day (UTC)", days)
    if len(report.by_day) > 1:
        yield from _days(report)


def _savings(report: Metrics) -> Iterator[str]:
    """Real money and what was not billed, each with its own saving."""
    known = report.savings
    for unbilled, saving in (known or {False: report.saving}).items():
        name = "saving, had it been billed" if unbilled else "saving"
        net = "" if saving.usd is None else " (estimate, net)"
        yield f"{name}: {saving.against(report.baseline)}{net}"
    price, model = report.price, report.baseline_model
    if price is not None and (known or report.results):
        which = f"{report.baseline} ({model})" if model else report.baseline
        per_million = f"${price.input:f} in, ${price.output:f} out per million"
        yield f"  {which} is priced on the recorded tokens, with no prompt cache: {per_million}"


def _tiers(report: Metrics) -> Iterator[Block]:
    """The table, and whether the lowest tier answers and escalates as it should."""
    rows = [("tier", "results", "share", "calls", *_MONEY, "p50", "p95")]
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
    yield without_nothing(rows, *_MONEY)
    lowest = report.tiers[0] if report.tiers else ""
    if lowest in report.tier_share:
        usual = f"over {LOWEST_SHARE:.0%} is usual for support and Q&A"
        yield f"{lowest} answers {report.tier_share[lowest]:.0%} of the results ({usual})"
    if report.escalation_rate is not None:
        rate, verdict = report.escalation_rate, report.escalation_verdict
        yield f"{lowest} escalates {rate:.0%} of what it answers: {verdict}"


def _spends(name: str, groups: Mapping[str, Spend]) -> Iterator[Block]:
    rows = [(name, "calls", *_MONEY)]
    rows += [(key or "(none)", str(s.calls), *_money(s)) for key, s in groups.items()]
    yield ""
    yield without_nothing(rows, *_MONEY)


def _days(report: Metrics) -> Iterator[Block]:
    """A line a day; both kinds of money in a tier's cell."""
    rows = [("day (UTC)", "calls", "cached", *_MONEY, *report.by_tier)]
    for day in sorted(report.by_day)[-_SHOWN_DAYS:]:
        spend, amounts = report.by_day[day], []
        for tier in report.by_tier:
            real, equivalent = _money(report.by_day_tier.get((day, tier), Spend()))
            both = [real] if real != "$0" or equivalent == "$0" else []
            both += [f"{equivalent} not billed"] if equivalent != "$0" else []
            amounts.append(" and ".join(both))
        rows.append((day, str(spend.calls), str(spend.cached_calls), *_money(spend), *amounts))
    yield ""
    yield without_nothing(rows, *_MONEY)


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
