"""The report as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from nbroute.pricing import column_usd
from nbroute.report.metrics import LOWEST_SHARE, Spend
from nbroute.report.table import counted, text_table, without_nothing

if TYPE_CHECKING:
    from nbroute.report.metrics import Metrics

#: A line, or the rows of a table.
Block = str | Sequence[tuple[str, ...]]

#: The width of a terminal, in columns.
WIDTH = 80
_SHOWN_DAYS = 14
_MONEY = ("spent", "would have cost")
_USES = {
    "classifying": "classifying",
    "embedding": "embedding",
    "beside": "beside the answer that was used",
    "comparing": "comparing",
    "auditing": "auditing and judging",
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
    return plain(blocks_of(report), wrapped=False)


def plain(
    blocks: Iterable[Block], align: str = "<>", *, wrapped: bool = True, hang: int = 0
) -> str:
    """The parts below one another, tables and wrapped lines no wider than a terminal.

    Wrapped lines are indented by `hang` more than the first.
    """
    lines = list[str]()
    for block in blocks:
        if isinstance(block, str):
            indent = " " * (len(block) - len(block.lstrip()) + hang)
            wrapper = textwrap.TextWrapper(WIDTH, subsequent_indent=indent, break_on_hyphens=False)
            told = wrapper.wrap(block) or [""]
            lines += told if wrapped else [block]
        else:
            lines += text_table(block, align, most=WIDTH)
    return "\n".join(lines)


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
    yield tier_table(report)
    lowest = report.tiers[0] if report.tiers else ""
    if lowest in report.tier_share:
        usual = f"over {LOWEST_SHARE:.0%} is usual for support and Q&A"
        yield f"{lowest} answers {report.tier_share[lowest]:.0%} of the results ({usual})"
    if report.escalation_rate is not None:
        rate, verdict = report.escalation_rate, report.escalation_verdict
        yield f"{lowest} escalates {rate:.0%} of what it answers: {verdict}"
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
    known, auditing = report.savings, report.by_use.get("auditing", Spend())
    for unbilled, saving in (known or {False: report.saving}).items():
        name = "no saving" if saving.usd is not None and saving.usd < 0 else "saving"
        name += ", had it been billed" if unbilled else ""
        counts = ", auditing included" if auditing.of(unbilled) else ""
        net = "" if saving.usd is None else f" (estimate, net{counts})"
        yield f"{name}: {saving.against(report.baseline)}{net}"
    price, model = report.price, report.baseline_model
    if price is not None and (known or report.results):
        which = f"{report.baseline} ({model})" if model else report.baseline
        per_million = f"${price.input:f} in, ${price.output:f} out per million"
        yield f"  {which} is priced on the recorded tokens, with no prompt cache: {per_million}"


def tier_table(report: Metrics) -> list[tuple[str, ...]]:
    """The heading, a row per tier, cheapest first, and one for all of them together."""
    groups = {name or "(none)": spend for name, spend in report.by_tier.items()}
    shares, times = report.tier_share, dict(report.latency)
    facts = [
        (f"{report.answered.get(name, 0):,}", f"{shares[name]:.0%}" if name in shares else "-")
        for name in report.by_tier
    ]
    if len(report.latency) > 1:
        groups["together"] = report.spend
        facts.append((f"{sum(report.answered.values()):,}", ""))
    took = [*map(times.get, report.by_tier), report.overall_latency]
    rows: list[tuple[str, ...]] = [
        ("tier", "results", "share", "calls", *_MONEY, "half within", "95% within")
    ]
    for name, fact, amounts, time in zip(groups, facts, money(groups.values()), took, strict=False):
        within = [f"{ms / 1000:.2f} s" for ms in time[1:]] if time else ["-", "-"]
        rows.append((name, *fact, f"{groups[name].calls:,}", *amounts, *within))
    return without_nothing(rows, *_MONEY)


def _spends(name: str, groups: Mapping[str, Spend]) -> Iterator[Block]:
    rows = [(name, "calls", *_MONEY)]
    rows += [
        (key or "(none)", f"{groups[key].calls:,}", *amounts)
        for key, amounts in zip(groups, money(groups.values()), strict=True)
    ]
    yield ""
    yield without_nothing(rows, *_MONEY)


def _days(report: Metrics) -> Iterator[Block]:
    """A row per day; both kinds of money in a tier's cell."""
    days = sorted(report.by_day)[-_SHOWN_DAYS:]
    tiers = {
        tier: money(report.by_day_tier.get((day, tier), Spend()) for day in days)
        for tier in report.by_tier
    }
    rows = [("day (UTC)", "calls", "cached", *_MONEY, *tiers)]
    spends = [report.by_day[day] for day in days]
    for at, (day, spend, both_sums) in enumerate(zip(days, spends, money(spends), strict=True)):
        amounts = []
        for real, equivalent in (column[at] for column in tiers.values()):
            both = [real] if real != "$0" or equivalent == "$0" else []
            both += [f"{equivalent} not billed"] if equivalent != "$0" else []
            amounts.append(" and ".join(both))
        rows.append((day, f"{spend.calls:,}", f"{spend.cached_calls:,}", *both_sums, *amounts))
    yield ""
    yield without_nothing(rows, *_MONEY)


def money(spends: Iterable[Spend]) -> list[tuple[str, str]]:
    """What each spent, and what was not billed; what is not known is not $0."""
    found, columns = list(spends), []
    for unbilled in (False, True):
        amounts = column_usd(spend.of(unbilled) for spend in found)
        unknown = [f"{n:,} unknown" if (n := s.unknown(unbilled)) else "" for s in found]
        columns.append(
            [
                " + ".join(filter(None, ["" if usd == "$0" and more else usd, more]))
                for usd, more in zip(amounts, unknown, strict=True)
            ]
        )
    return list(zip(*columns, strict=True))
