"""The charts of a report, each a `Figure`: its rows, and how they become bars.

What was spent, what it would have cost and what is not known have separate panels and axes, so
that amounts of two kinds are neither added nor compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from nbroute.report.colours import tier_colour
from nbroute.report.drawing import Mark, Panel, Row, in_usd
from nbroute.report.figure import Figure
from nbroute.report.metrics import LOWEST_SHARE, Spend
from nbroute.report.table import counted

if TYPE_CHECKING:
    from nbroute.report.metrics import Metrics

MOST_DAYS, MOST_NAMES, MOST_FEATURES = 31, 15, 6
#: Distinct with any colour vision, and from white and black (contrast of 3 to 1 or more).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B5658F", "#7A6A00", "#7F7F7F", "#6A5ACD", "#A0522D")

SPENT, WOULD, UNKNOWN = "spent", "would have cost", "cost unknown"
_AXES = {
    SPENT: "US dollars spent",
    WOULD: "US dollars that it would have cost (nothing was billed)",
    UNKNOWN: "calls whose cost is unknown",
}
#: The report's name of a use -> the chart's, in the order of the bar's parts.
_USES = {
    "answering": "answering, rejected answers too",
    "classifying": "classifying",
    "embedding": "embedding",
    "beside": "answers that were not used",
    "comparing": "comparing",
    "auditing": "auditing and judging",
}


def savings(report: Metrics) -> Figure:
    """The net saving: everything that was spent, against all on the baseline tier."""
    panels, leads, baseline = [], [], f"all on {report.baseline}"
    for unbilled, saving in report.savings.items():
        kind, note = (WOULD, " (nothing billed)") if unbilled else (SPENT, "")
        leads.append(f"{saving.against(report.baseline)}{note}")
        marks = []
        for (use, word), colour in zip(_USES.items(), COLOURS, strict=False):
            usd = float(report.by_use.get(use, Spend()).of(unbilled))
            row: Row = {"money": kind, "bar": "as routed", "use": word, "usd": usd}
            if usd:
                told = f"{word}: {_amount(usd, kind)}"
                marks.append(Mark("as routed", usd, told, row, colour, word))
        if saving.baseline_usd is not None:  # grey: an estimate, not money spent
            usd = float(saving.baseline_usd)
            row = {"money": kind, "bar": "baseline (estimate)", "use": baseline, "usd": usd}
            said = f"{baseline}: {in_usd(usd)} (estimate)"
            marks.append(Mark(baseline, usd, said, row, COLOURS[5], "estimate"))
        panels.append(_panel(_AXES[kind], marks))
    lead = "; ".join(leads) or _nothing(report, "nothing spent and nothing saved yet")
    return Figure("savings", f"Saving against {baseline} (estimate)", lead, panels)


def tiers(report: Metrics) -> Figure:
    """The share of the results that each tier answered."""
    marks = []
    for name, share in report.tier_share.items():
        tier, results = name or "(none)", report.answered[name]
        row: Row = {"tier": tier, "results": results, "share": share}
        told = f"{tier}: {share:.0%} ({results:,})"
        marks.append(Mark(tier, share, told, row, tier_colour(name, report.tiers)))
    lead = _nothing(report, "no answer recorded yet")
    if marks:
        lowest = report.tiers[0] if report.tiers else ""
        usual = f"over {LOWEST_SHARE:.0%} is usual for support and Q&A"
        lead = f"{lowest} answers {report.tier_share.get(lowest, 0):.0%}; {usual}"
    ends = {mark.name: mark.told.partition(": ")[2] for mark in marks}
    axis = f"share of {counted(report.results, 'result')}"
    return Figure("tiers", "Answers by tier", lead, [Panel(axis, marks, ends, "share")])


def escalation(report: Metrics) -> Figure:
    """The lowest tier's escalation rate: one figure, so a sentence."""
    rate, verdict = report.escalation_rate, report.escalation_verdict
    lowest = report.tiers[0] if report.tiers else "the lowest tier"
    if rate is None:
        lead = _nothing(report, f"no answer of {lowest} recorded yet")
        return Figure("escalation", "Escalation rate", lead)
    answered, escalated = report.lowest_answered, report.lowest_escalated
    row: Row = {"tier": lowest, "answered": answered, "escalated": escalated, "rate": rate}
    row |= {"verdict": verdict}
    mark = Mark(lowest, rate, f"{lowest}: {rate:.0%}", row, tier_colour(lowest, report.tiers))
    went = f"{escalated:,} of the {answered:,} that {lowest} answered went on"
    lead = f"{rate:.0%}: {went} to a more expensive tier; {verdict}"
    axis = "share that went on to a more expensive tier"
    panel = Panel(axis, [mark], {lowest: f"{rate:.0%}"}, "share")
    return Figure("escalation", "Escalation rate", lead, [panel])


def latency(report: Metrics) -> Figure:
    """How long each tier takes: half of the calls (p50) and 19 of 20 (p95)."""
    marks, ends = [], {}
    for name, times in report.latency.items():
        tier, colour = name or "(none)", tier_colour(name, report.tiers)
        p50, p95 = times.p50_ms / 1000, times.p95_ms / 1000
        for key, word, seconds, size in (
            ("p50", "half of the calls", p50, p50),
            ("p95", "19 of 20 calls", p95, p95 - p50),
        ):
            row: Row = {"tier": tier, "percentile": key, "seconds": seconds, "calls": times.calls}
            told = f"{tier}: {word} within {seconds:.2f} s"
            marks.append(Mark(tier, size, told, row, colour, word, faint=key == "p95"))
        ends[tier] = f"{p50:.2f} · {p95:.2f} s"
    lead = _nothing(report, "no call of a model recorded yet")
    if marks:
        lead = (
            "half of a tier's calls end within the solid part of its bar, 19 of 20 within all of it"
        )
    return Figure("latency", "Latency by tier", lead, [Panel("seconds", marks, ends, "seconds")])


def quality(report: Metrics) -> Figure:
    """How often a tier is good enough, by the labels, against what its calls cost."""
    title = "Good enough, by your labels, against cost"
    marks: dict[str, list[Mark]] = {}
    for tier, votes in report.votes.items():
        spend = report.by_tier.get(tier, Spend())
        for kind, usd in {SPENT: spend.usd, WOULD: spend.equivalent_usd}.items():
            if usd and votes.judged:
                each = float(usd) / (spend.calls - spend.cached_calls - spend.unknown_calls)
                row: Row = {"tier": tier, "good": votes.good, "judged": votes.judged}
                row |= {"share": votes.share, "money": kind, "usd": each}
                low, high = votes.interval
                told = f"{tier}: {votes.good} of {votes.judged} ({low:.0%} to {high:.0%})"
                told = f"{told}, a call: {_amount(each, kind)}"
                colour, heights = tier_colour(tier, report.tiers), (votes.share, low, high)
                point = Mark(tier, each, told, row, colour, "", False, *heights)
                marks.setdefault(kind, []).append(point)
    panels = [
        Panel(
            f"{_AXES[kind]}, a call",
            found,
            {m.name: f"{m.row['good']} of {m.row['judged']} · {in_usd(m.size)}" for m in found},
            kind="points",
        )
        for kind, found in marks.items()
        if len(found) == max(map(len, marks.values()))
    ]
    lead = _nothing(report, "nothing labelled yet")
    if panels:
        lead = "where a tier is good enough, those above it count too; lines are 95% intervals"
    return Figure("quality", title, lead, panels)


def cost_by_tier(report: Metrics) -> Figure:
    """What each tier cost, up the ladder."""
    groups: dict[tuple[str, ...], Spend] = {
        (tier,): spend for tier, spend in report.by_tier.items() if spend.calls
    }
    colours = {tier: tier_colour(tier, report.tiers) for tier in report.by_tier}
    return _costs(report, "cost_by_tier", "Cost by tier", groups, colours)


def cost_by_feature(report: Metrics) -> Figure:
    """What each feature cost; the most expensive first."""
    kept = _most_expensive(report.by_feature, MOST_NAMES)
    groups: dict[tuple[str, ...], Spend] = {(name,): spend for name, spend in kept.items()}
    return _costs(report, "cost_by_feature", "Cost by feature", groups)


def cost_by_day(report: Metrics) -> Figure:
    """What each feature cost each day (UTC); the last 31 days."""
    kept = list(_most_expensive(report.by_feature, MOST_FEATURES))
    days = sorted({day for _, day in report.by_feature_day})[-MOST_DAYS:]
    groups: dict[tuple[str, ...], Spend] = {}
    for (feature, day), spend in report.by_feature_day.items():
        if day in days:
            key = (day, feature if feature in kept else kept[-1])
            groups[key] = groups.get(key, Spend()) + spend
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(kept)}
    title = "Cost per feature per day (UTC)"
    return _costs(report, "cost_by_day", title, dict(sorted(groups.items())), colours)


def _costs(
    report: Metrics,
    name: str,
    title: str,
    groups: Mapping[tuple[str, ...], Spend],
    colours: Mapping[str, str] = {},
) -> Figure:
    """What each group cost: a bar for its first name, in parts by the second, if it has one.

    Each kind of money has its own panel and sum; where the cost is not known, calls are drawn
    instead of an amount. `colours` are by a group's last name.
    """
    fields = ("day", "feature") if name == "cost_by_day" else (name.removeprefix("cost_by_"),)
    found: dict[str, list[Mark]] = {}
    for key, spend in groups.items():
        named: Row = {field: one or "(none)" for field, one in zip(fields, key, strict=True)}
        (bar, *parts), whose = named.values(), ", ".join(named.values())
        colour, part = colours.get(key[-1], COLOURS[0]), "".join(parts)
        known, unknown = spend.calls - spend.unknown_calls, spend.unknown_calls
        amounts = {SPENT: float(spend.usd), WOULD: float(spend.equivalent_usd)}
        for kind, usd in amounts.items():
            if usd or (kind == SPENT and not any(amounts.values()) and not unknown):
                row: Row = {**named, "money": kind, "usd": usd, "calls": known}
                told = f"{whose}: {_amount(usd, kind)}, {counted(known, 'call')}"
                found.setdefault(kind, []).append(Mark(bar, usd, told, row, colour, part))
        if unknown:
            row = {**named, "money": UNKNOWN, "usd": None, "calls": unknown}
            told = f"{whose}: {_amount(unknown, UNKNOWN)}"
            mark = Mark(bar, unknown, told, row, colour, part, faint=True)
            found.setdefault(UNKNOWN, []).append(mark)
    kinds = [kind for kind in _AXES if kind in found]
    lead = "; ".join(_amount(sum(mark.size for mark in found[kind]), kind) for kind in kinds)
    days = list(dict.fromkeys(day for day, *_ in groups)) if fields[0] == "day" else []
    when = " to ".join(dict.fromkeys([days[0], days[-1]])) + ": " if days else ""
    panels = [_panel(_AXES[k], found[k], "calls" if k == UNKNOWN else "usd") for k in kinds]
    return Figure(name, title, when + lead if lead else _nothing(report), panels)


def cache(report: Metrics) -> Figure:
    """Calls per day, those answered by a model and those from the cache."""
    marks = []
    for day, spend in sorted(report.by_day.items())[-MOST_DAYS:]:
        asked = spend.calls - spend.cached_calls
        for how, calls, colour in (
            ("sent to a model", asked, COLOURS[0]),
            ("from the cache", spend.cached_calls, COLOURS[1]),
        ):
            row: Row = {"day": day, "answered": how, "calls": calls}
            if calls:
                marks.append(Mark(day, calls, f"{day}: {calls:,} {how}", row, colour, how))
    lead = _nothing(report)
    if marks:
        share = report.cache_hits / report.calls
        of = counted(report.calls, "call")
        lead = f"{report.cache_hits:,} of {of} from the cache ({share:.0%})"
    ends = {day: f"{report.by_day[day].calls:,}" for day in dict.fromkeys(m.name for m in marks)}
    return Figure("cache", "Calls per day (UTC)", lead, [Panel("calls", marks, ends, "calls")])


CHARTS: dict[str, Callable[[Metrics], Figure]] = {
    make.__name__: make
    for make in (
        *(savings, tiers, quality, escalation, latency),
        *(cost_by_tier, cost_by_feature, cost_by_day, cache),
    )
}


def telling(report: Metrics) -> list[Figure]:
    """The charts that compare something: a single bar is a sentence, which the report has."""
    names = [name for name in CHARTS if name != "cache" or report.cache_hits]
    return [figure for figure in (CHARTS[name](report) for name in names) if figure.compares]


def _most_expensive(groups: Mapping[str, Spend], most: int) -> dict[str, Spend]:
    """The `most` expensive groups, and the others as one."""
    size = attrgetter("usd", "equivalent_usd", "calls")
    ordered = sorted(groups.items(), key=lambda group: size(group[1]), reverse=True)
    kept = dict(ordered[:most])
    if rest := ordered[most:]:
        kept[f"{len(rest)} others"] = sum((spend for _, spend in rest), Spend())
    return kept


def _panel(axis: str, marks: list[Mark], unit: Literal["usd", "calls"] = "usd") -> Panel:
    totals: dict[str, float] = {}
    for mark in marks:
        totals[mark.name] = totals.get(mark.name, 0) + mark.size
    ends = {k: counted(int(n), "call") if unit == "calls" else in_usd(n) for k, n in totals.items()}
    return Panel(axis, marks, ends, unit)


def _amount(size: float, kind: str) -> str:
    if kind == UNKNOWN:
        return f"{counted(int(size), 'call')} of unknown cost"
    return f"{WOULD} {in_usd(size)}" if kind == WOULD else f"{in_usd(size)} {kind}"


def _nothing(report: Metrics, why: str = "") -> str:
    return why if report.calls and why else "no calls recorded yet"
