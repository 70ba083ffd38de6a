"""The charts of a report, each a `Figure`: its rows, and how they become bars.

What was spent, what would have been and what is not known have panels with axes of their own,
so that amounts of two kinds are neither added nor compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

from nbroute.report.colours import tier_colour
from nbroute.report.drawing import Mark, Panel, Row, in_usd
from nbroute.report.figure import Figure
from nbroute.report.metrics import LOWEST_SHARE, Spend
from nbroute.report.table import counted

if TYPE_CHECKING:
    from nbroute.report.metrics import Metrics

MOST_DAYS, MOST_NAMES, MOST_FEATURES = 31, 15, 6
#: Told apart with any colour vision, and from white and from black (contrast 3 to 1 or more).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B5658F", "#7A6A00", "#7F7F7F", "#6A5ACD", "#A0522D")

SPENT, WOULD, UNKNOWN = "spent", "would have cost", "cost unknown"
_AXES = {
    SPENT: "US dollars spent",
    WOULD: "US dollars that it would have cost (nothing was billed)",
    UNKNOWN: "calls whose cost is unknown",
}
#: What the report calls a use -> what the chart does; in the order of the bar's parts.
_USES = {
    "answering": "answering, rejected answers too",
    "classifying": "classifying",
    "embedding": "embedding",
    "beside": "answers that were not used",
    "comparing": "comparing",
}


def savings(report: Metrics) -> Figure:
    """The net saving: everything that was spent, against all on the baseline tier."""
    panels, told, baseline = [], [], f"all on {report.baseline}"
    for unbilled, saving in report.savings.items():
        kind, note = (WOULD, " (nothing billed)") if unbilled else (SPENT, "")
        told.append(f"{saving.against(report.baseline)}{note}")
        marks = []
        for (use, word), colour in zip(_USES.items(), COLOURS, strict=False):
            usd = float(report.by_use.get(use, Spend()).of(unbilled))
            row: Row = {"money": kind, "bar": "as routed", "use": word, "usd": usd}
            if usd:
                marks.append(Mark("as routed", usd, _cost(word, usd, kind), row, colour, word))
        if saving.baseline_usd is not None:  # grey: an estimate, and nothing that was spent
            usd = float(saving.baseline_usd)
            row = {"money": kind, "bar": "baseline (estimate)", "use": baseline, "usd": usd}
            said = f"{baseline}: {in_usd(usd)} (estimate)"
            marks.append(Mark(baseline, usd, said, row, COLOURS[5], "estimate"))
        if marks:
            panels.append(_panel(_AXES[kind], marks))
    lead = "; ".join(told) or _nothing(report, "nothing spent and nothing saved yet")
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
    return Figure("tiers", "Answers by tier", lead, _if(marks, Panel(axis, marks, ends, "share")))


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
    told = f"{lowest}: {rate:.0%}"
    mark = Mark(lowest, rate, told, row, tier_colour(lowest, report.tiers))
    went = f"{escalated:,} of the {answered:,} that {lowest} answered went on"
    lead = f"{rate:.0%}: {went} to a more expensive tier; {verdict}"
    axis = "share that went on to a more expensive tier"
    panel = Panel(axis, [mark], {lowest: f"{rate:.0%}"}, "share")
    return Figure("escalation", "Escalation rate", lead, [panel])


def latency(report: Metrics) -> Figure:
    """How long each tier takes: half of the calls (p50), and all but one in twenty (p95)."""
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
            faint = key == "p95"
            marks.append(Mark(tier, size, told, row, colour, word, faint))
        ends[tier] = f"{p50:.2f} · {p95:.2f} s"
    lead = _nothing(report, "no call of a model recorded yet")
    if marks:
        lead = (
            "half of a tier's calls end within the solid part of its bar, 19 of 20 within all of it"
        )
    panels = _if(marks, Panel("seconds", marks, ends, "seconds"))
    return Figure("latency", "Latency by tier", lead, panels)


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
                told = f"{told}, {_cost('a call', each, kind)}"
                point = Mark(tier, each, told, row, tier_colour(tier, report.tiers))
                point = replace(point, up=votes.share, low=low, high=high)
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
    groups = {tier: spend for tier, spend in report.by_tier.items() if spend.calls}
    return _costs(report, "cost_by_tier", "Cost by tier", groups)


def cost_by_feature(report: Metrics) -> Figure:
    """What each feature cost; the most expensive first."""
    groups = _most_expensive(report.by_feature, MOST_NAMES)
    return _costs(report, "cost_by_feature", "Cost by feature", groups)


def _costs(report: Metrics, name: str, title: str, groups: Mapping[str, Spend]) -> Figure:
    field = name.removeprefix("cost_by_")
    found: dict[str, list[Mark]] = {}
    for one, spend in groups.items():
        colour = tier_colour(one, report.tiers) if field == "tier" else COLOURS[0]
        for mark in _money(spend, {field: one}, colour):
            found.setdefault(mark.row["money"], []).append(mark)
    return Figure(name, title, _summed(found) or _nothing(report), _by_money(found))


def cost_by_day(report: Metrics) -> Figure:
    """What each feature cost each day (UTC); the last 31 days."""
    title = "Cost per feature per day (UTC)"
    kept = list(_most_expensive(report.by_feature, MOST_FEATURES))
    days = sorted({day for _, day in report.by_feature_day})[-MOST_DAYS:]
    groups: dict[tuple[str, str], Spend] = {}
    for (feature, day), spend in report.by_feature_day.items():
        if day in days:
            key = (day, feature if feature in kept else kept[-1])
            groups[key] = groups.get(key, Spend()) + spend
    found: dict[str, list[Mark]] = {}
    for (day, feature), spend in sorted(groups.items()):
        colour = COLOURS[kept.index(feature) % len(COLOURS)]
        for mark in _money(spend, {"day": day, "feature": feature}, colour):
            found.setdefault(mark.row["money"], []).append(mark)
    lead = _nothing(report)
    if days:
        span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        lead = f"{span}: {_summed(found)}"
    return Figure("cost_by_day", title, lead, _by_money(found))


def cache(report: Metrics) -> Figure:
    """Calls a day, those that a model answered and those that the cache did."""
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
    return Figure(
        "cache", "Calls per day (UTC)", lead, _if(marks, Panel("calls", marks, ends, "calls"))
    )


CHARTS: dict[str, Callable[[Metrics], Figure]] = {
    make.__name__: make
    for make in (
        *(savings, tiers, quality, escalation, latency),
        *(cost_by_tier, cost_by_feature, cost_by_day, cache),
    )
}


def telling(report: Metrics) -> list[Figure]:
    """The charts that compare something: one bar is a sentence, which the report has."""
    names = [name for name in CHARTS if name != "cache" or report.cache_hits]
    return [figure for figure in (CHARTS[name](report) for name in names) if figure.compares]


def _most_expensive(groups: Mapping[str, Spend], most: int) -> dict[str, Spend]:
    """So many groups, and the others as one."""
    size = attrgetter("usd", "equivalent_usd", "calls")
    ordered = sorted(groups.items(), key=lambda group: size(group[1]), reverse=True)
    kept = dict(ordered[:most])
    if rest := ordered[most:]:
        kept[f"{len(rest)} others"] = sum((spend for _, spend in rest), Spend())
    return kept


def _money(spend: Spend, names: Mapping[str, str], colour: str) -> list[Mark]:
    """A mark for each kind of money that there is; of a cost that is not known, no amount."""
    named: Row = {field: name or "(none)" for field, name in names.items()}
    whose, (bar, *parts) = ", ".join(named.values()), named.values()
    part = parts[0] if parts else ""
    known = spend.calls - spend.unknown_calls
    amounts = {SPENT: float(spend.usd), WOULD: float(spend.equivalent_usd)}
    marks = [
        Mark(bar, usd, f"{_cost(whose, usd, kind)}, {counted(known, 'call')}", row, colour, part)
        for kind, usd in amounts.items()
        if usd or (kind == SPENT and not any(amounts.values()) and not spend.unknown_calls)
        for row in [{**named, "money": kind, "usd": usd, "calls": known}]
    ]
    if calls := spend.unknown_calls:
        row = {**named, "money": UNKNOWN, "usd": None, "calls": calls}
        told = f"{whose}: {counted(calls, 'call')} of unknown cost"
        marks.append(Mark(bar, calls, told, row, colour, part, faint=True))
    return marks


def _by_money(found: Mapping[str, list[Mark]]) -> list[Panel]:
    return [
        _panel(axis, found[kind], "calls" if kind == UNKNOWN else "usd")
        for kind, axis in _AXES.items()
        if kind in found
    ]


def _panel(axis: str, marks: list[Mark], unit: str = "usd") -> Panel:
    totals: dict[str, float] = {}
    for mark in marks:
        totals[mark.name] = totals.get(mark.name, 0) + mark.size
    if unit == "calls":
        return Panel(axis, marks, {k: counted(int(n), "call") for k, n in totals.items()}, "calls")
    return Panel(axis, marks, {name: in_usd(usd) for name, usd in totals.items()})


def _if(marks: Iterable[Mark], panel: Panel) -> list[Panel]:
    return [panel] if marks else []


def _cost(whose: str, usd: float, kind: str) -> str:
    return f"{whose}: {_amount(usd, kind)}"


def _amount(usd: float, kind: str) -> str:
    return f"{WOULD} {in_usd(usd)}" if kind == WOULD else f"{in_usd(usd)} {kind}"


def _summed(found: Mapping[str, list[Mark]]) -> str:
    """Each kind of money in a sum of its own."""
    sums = {kind: sum(mark.size for mark in found[kind]) for kind in _AXES if kind in found}
    return "; ".join(
        f"{counted(int(size), 'call')} of unknown cost" if kind == UNKNOWN else _amount(size, kind)
        for kind, size in sums.items()
    )


def _nothing(report: Metrics, why: str = "") -> str:
    return why if report.calls and why else "no calls recorded yet"
