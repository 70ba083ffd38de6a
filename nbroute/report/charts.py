"""The charts of a report, each a `Figure`: panels of bars, described in Vega-Lite.

What was spent, what was not billed and what is not known have panels with axes of their own,
so that amounts of two kinds are neither added nor compared.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nbroute.report.figure import Figure, Row, Spec, in_usd
from nbroute.report.metrics import ESCALATION_GOOD as GOOD
from nbroute.report.metrics import ESCALATION_PROBLEM as PROBLEM
from nbroute.report.metrics import LOWEST_SHARE as USUAL
from nbroute.report.metrics import Spend
from nbroute.report.table import counted

if TYPE_CHECKING:
    from nbroute.report.metrics import Metrics, Saving

WIDTH = 430
#: Room for the names on the left, the same in all charts, so that they stand in one line.
NAMES = 124
_LEFT = {"minExtent": NAMES, "maxExtent": NAMES}
MOST_DAYS, MOST_NAMES, MOST_FEATURES = 31, 15, 6
#: Told apart with any colour vision, and from white and from black (contrast 3 to 1 or more).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B5658F", "#7A6A00", "#7F7F7F", "#6A5ACD", "#A0522D")
BAR, GREEN, GREY = COLOURS[0], COLOURS[2], COLOURS[5]

SPENT, EQUIVALENT, UNKNOWN = "spent", "equivalent, nothing billed", "cost unknown"
_AXES = {
    SPENT: "US dollars spent",
    EQUIVALENT: "US dollars, equivalent (nothing billed)",
    UNKNOWN: "calls of unknown cost",
}
_SAVING_AXES = {
    SPENT: "US dollars (baseline: estimate)",
    EQUIVALENT: "US dollars, equivalent, nothing billed (baseline: estimate)",
}
#: How a kind of money is drawn, besides the words: full, light with an edge, an edge of dashes.
_LOOKS: dict[str, Spec] = {
    SPENT: {},
    EQUIVALENT: {"fillOpacity": 0.5, "stroke": BAR},
    UNKNOWN: {"fill": GREY, "fillOpacity": 0.3, "stroke": GREY, "strokeDash": [3, 2]},
}
#: What the report calls a use -> what the chart does; in the order of the bar's parts.
_USES = {
    "answering": "answering, rejected too",
    "classifying": "classifying",
    "embedding": "embedding",
    "beside": "answers not kept",
    "comparing": "comparing",
}


def savings(report: Metrics) -> Figure:
    """The net saving: everything that was spent, against all on the baseline tier."""
    name, title = "savings", f"Saving against all on {report.baseline} (estimate)"
    both = {SPENT: report.saving, EQUIVALENT: report.equivalent_saving}
    sides = {k: s for k, s in both.items() if s.baseline_usd or s.spent_usd or s.unknown_calls}
    if not sides:
        return _nothing(name, title, report.calls and "nothing spent and nothing saved yet")
    rows = [row for kind, saving in sides.items() for row in _saving_rows(report, kind, saving)]
    lead = "; ".join(_told_saving(report, kind, saving) for kind, saving in sides.items())
    used = [f"{row['use']} {in_usd(row['usd'])} ({row['money']})" for row in rows]
    alt = f"{title}. Net: {lead}. {'; '.join(used)}."
    uses = sorted({row["use"] for row in rows}, key=_place_of_use)
    # The baseline is grey: it is an estimate, and nothing that was spent.
    colours = [(*COLOURS[: len(_USES)], GREY)[_place_of_use(use)] for use in uses]
    pick = _picking("savings_pick", "use", bind="legend")
    panels = []
    for kind in dict.fromkeys(row["money"] for row in rows):
        drawn, totals = [], dict[str, float]()
        for row in rows:
            if row["money"] == kind:
                shown = in_usd(row["usd"])
                told = {"shown": shown, "told": f"{row['use']}: {shown} ({kind})"}
                drawn.append({**row, **told, "place": uses.index(row["use"])})
                totals[row["bar"]] = totals.get(row["bar"], 0.0) + row["usd"]
        axis = {"title": _SAVING_AXES[kind], **_dollars(totals.values())}
        scale = {**_up_to(totals.values()), "nice": False}
        panel = _side_bars(
            *(drawn, "bar", _field("usd:Q", axis=axis, stack="zero", scale=scale), pick),
            tooltip=_fields("use", "money", _field("shown", title="US dollars")),
            bars={"color": _coloured("use", uses, colours), "order": _field("place:Q")},
            ends=[{"bar": bar, "usd": usd, "shown": in_usd(usd)} for bar, usd in totals.items()],
            look={"height": 16},
            step=24,
        )
        panels.append(panel)
    return _figure(name, title, f"net: {lead}", alt=alt, rows=rows, panels=panels)


def _told_saving(report: Metrics, kind: str, saving: Saving) -> str:
    """`$0.021 less than all on FRONTIER`, or why that is not known."""
    billed = "" if kind == SPENT else " (nothing billed)"
    if saving.baseline_usd is None:
        return f"unknown, {report.baseline} has no known price{billed}"
    if saving.usd is None:
        return f"unknown, {counted(saving.unknown_calls, 'call')} of unknown cost{billed}"
    return f"{saving.told} than all on {report.baseline}{billed}"


def _saving_rows(report: Metrics, kind: str, saving: Saving) -> list[Row]:
    """A row a use, and one for the baseline; of a side with unknown costs, what is known."""
    found = {
        _USES.get(use, use): spend.usd if kind == SPENT else spend.equivalent_usd
        for use, spend in report.by_use.items()
    }
    rows = [
        {"money": kind, "bar": "as routed", "use": use, "usd": float(found[use])}
        for use in sorted(found, key=_place_of_use)
        if found[use]
    ]
    if saving.baseline_usd is not None:
        use, usd = f"all on {report.baseline}", float(saving.baseline_usd)
        rows.append({"money": kind, "bar": "baseline (estimate)", "use": use, "usd": usd})
    return rows


def _place_of_use(use: str) -> int:
    """Where a use stands in the bar and in the legend; the baseline last."""
    parts = list(_USES.values())
    return parts.index(use) if use in parts else len(parts)


def tiers(report: Metrics) -> Figure:
    """The share of the results that each tier answered, and the article's line at one half."""
    name, title = "tiers", "Tier distribution"
    shares = report.tier_share
    if not shares:
        return _nothing(name, title, report.calls and "no answer recorded yet")
    rows, drawn = list[Row](), list[Row]()
    for tier, share in shares.items():
        results = report.answered[tier]
        row = {"tier": tier or "(none)", "results": results, "share": share}
        shown = f"{share:.0%} ({results:,})"
        rows.append(row)
        drawn.append({**row, "shown": shown, "told": f"{row['tier']}: {shown}"})
    lowest = report.tiers[0] if report.tiers else ""
    each = _listed([f"{row['tier']} {row['share']:.0%}" for row in rows])
    usual = f"over {USUAL:.0%} (the dashed line) is usual for support and Q&A"
    lead = f"{lowest} answers {shares.get(lowest, 0):.0%}; {usual}"
    line = [{"place": USUAL, "told": f"usual for {lowest}: over {USUAL:.0%}"}]
    dashed = {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 1.5}
    axis = {"title": "share of the results", "format": "%", "values": [0, 0.25, 0.5, 0.75, 1]}
    x = _field("share:Q", axis=axis, scale={"domain": [0, 1.2]})
    panel = _side_bars(
        *(drawn, "tier", x, _picking("tiers_pick", "tier")),
        tooltip=_fields("tier", _field("share:Q", format=".0%"), "results:Q"),
        under=[_layer(line, dashed, {"x": _field("place:Q"), "tooltip": _fields("told")})],
    )
    alt = f"{title}, by the share of {counted(report.results, 'result')}: {each}. {lead}."
    return _figure(name, title, lead, alt=alt, rows=rows, panels=[panel])


def escalation(report: Metrics) -> Figure:
    """The lowest tier's escalation rate against the articles' thresholds."""
    name, title = "escalation", "Escalation rate"
    rate, verdict = report.escalation_rate, report.escalation_verdict
    lowest = report.tiers[0] if report.tiers else "the lowest tier"
    if rate is None:
        return _nothing(name, title, report.calls and f"no answer of {lowest} recorded yet")
    answered, escalated = report.lowest_answered, report.lowest_escalated
    counts = {"answered": answered, "escalated": escalated}
    row: Row = {"tier": lowest, **counts, "rate": rate, "verdict": verdict}
    went = f"{escalated:,} of the {answered:,} that {lowest} answered went on"
    lead = f"{rate:.0%}: {went} to a more expensive tier; {verdict}"
    top = min(1.0, max(0.4, rate * 1.2))
    bands: list[Row] = [
        {"begin": 0, "end": GOOD, "word": "good"},
        {"begin": GOOD, "end": PROBLEM, "word": "fair"},
        {"begin": PROBLEM, "end": top, "word": "look at the classifier"},
    ]
    axis = {"title": "share that went on to a more expensive tier", "format": "%", "grid": True}
    axis |= {"values": [0, GOOD, PROBLEM, 0.5, 1]}
    scale = {"domain": [0, top], "nice": False}
    begin = _field("begin:Q", axis=axis, scale=scale)
    colour = _coloured("word", [one["word"] for one in bands], (GREEN, "#B8860B", COLOURS[1]))
    band = {"x": begin, "x2": {"field": "end"}, "color": {**colour, "legend": None}}
    above = {"type": "text", "align": "left", "dx": 4, "dy": -19, "baseline": "top"}
    panel = _side_bars(
        [{**row, "told": f"{lowest}: {rate:.0%}, {verdict}"}],
        *("tier", _field("rate:Q", axis=axis, scale=scale), _picking("escalation_pick", "tier")),
        tooltip=_fields("tier", _field("rate:Q", format=".1%"), "escalated:Q", "answered:Q"),
        under=[
            _layer(bands, {"type": "rect", "opacity": 0.18}, band),
            _layer(bands, above, {"x": begin, "text": _field("word")}),
        ],
        ends=[],
        look={"height": 12, "fill": BAR, "yOffset": 8, "stroke": BAR, "strokeWidth": 2},
        step=44,
    )
    alt = f"{title}, {lead}. Under {GOOD:.0%} is good, over {PROBLEM:.0%} a classifier problem."
    return _figure(name, title, lead, alt=alt, rows=[row], panels=[panel])


def latency(report: Metrics) -> Figure:
    """How long each tier takes: half of the calls (p50), and all but one in twenty (p95)."""
    name, title = "latency", "Latency by tier"
    if not report.latency:
        return _nothing(name, title, report.calls and "no call of a model recorded yet")
    rows, drawn, each = list[Row](), list[Row](), list[str]()
    for tier, times in report.latency.items():
        for percentile, ms in (("p50", times.p50_ms), ("p95", times.p95_ms)):
            row = {"tier": tier, "percentile": percentile, "seconds": ms / 1000}
            row |= {"calls": times.calls}
            shown = f"{ms / 1000:.2f} s"
            rows.append(row)
            drawn.append({**row, "shown": shown, "told": f"{tier}, {percentile}: {shown}"})
        each.append(f"{tier} {times.p50_ms / 1000:.2f} s and {times.p95_ms / 1000:.2f} s")
    axis = {"title": "seconds", "tickCount": 5}
    x = _field(
        "seconds:Q",
        axis=axis,
        scale=_up_to([times.p95_ms / 1000 for times in report.latency.values()]),
    )
    panel = _side_bars(
        *(drawn, "tier", x, _picking("latency_pick", "percentile", bind="legend")),
        tooltip=_fields("tier", "percentile", _field("shown", title="latency"), "calls:Q"),
        bars={"color": _coloured("percentile", ["p50", "p95"])},
        beside=_field("percentile", sort=["p50", "p95"]),
        look={},
        step=36,
    )
    lead = "half of a tier's calls are faster than p50, 19 of 20 faster than p95"
    alt = f"{title}, p50 and p95: {_listed(each)}."
    return _figure(name, title, lead, alt=alt, rows=rows, panels=[panel])


def cost_by_tier(report: Metrics) -> Figure:
    """What each tier cost, up the ladder."""
    groups = {tier or "(none)": spend for tier, spend in report.by_tier.items() if spend.calls}
    return _costs("cost_by_tier", "Cost by tier", "tier", groups)


def cost_by_feature(report: Metrics) -> Figure:
    """What each feature cost; the most expensive first."""
    groups = {feature or "(none)": spend for feature, spend in report.by_feature.items()}
    shown = _most_expensive(groups, MOST_NAMES)
    return _costs("cost_by_feature", "Cost by feature", "feature", shown)


def _costs(name: str, title: str, field: str, groups: Mapping[str, Spend]) -> Figure:
    rows = [row for one, spend in groups.items() for row in _money_rows(spend, {field: one})]
    if not any(spend.calls for spend in groups.values()):
        return _nothing(name, title)
    panels = []
    for place, (kind, drawn) in enumerate(_by_kind(rows, field).items()):
        sizes = [row["size"] for row in drawn]
        x = _field("size:Q", axis=_money_axis(sizes, kind), scale=_up_to(sizes))
        tooltip = _fields(field, "money", _field("shown", title="cost"), "calls:Q")
        pick, look = _picking(f"{name}_{place}", field), {"height": 14, "fill": BAR, **_LOOKS[kind]}
        panels.append(_side_bars(drawn, field, x, pick, tooltip=tooltip, look=look))
    lead, each = _summed(rows), "; ".join(_told_cost(row, field) for row in rows)
    alt = f"{title}, together {lead}. {each}."
    return _figure(name, title, lead, alt=alt, rows=rows, panels=panels)


def cost_by_day(report: Metrics) -> Figure:
    """What each feature cost each day (UTC); the last 31 days."""
    name, title = "cost_by_day", "Cost per feature per day (UTC)"
    if not report.calls:
        return _nothing(name, title)
    days = sorted({day for _, day in report.by_feature_day})[-MOST_DAYS:]
    kept = list(_most_expensive(report.by_feature, MOST_FEATURES))
    groups: dict[tuple[str, str], Spend] = {}
    for (feature, day), spend in report.by_feature_day.items():
        if day in days:
            key = (day, (feature or "(none)") if feature in kept else kept[-1])
            groups[key] = groups.get(key, Spend()) + spend
    rows = [
        row
        for (day, feature), spend in sorted(groups.items())
        for row in _money_rows(spend, {"day": day, "feature": feature})
    ]
    features = list(dict.fromkeys(row["feature"] for row in rows))
    pick = _picking("cost_by_day_pick", "feature", bind="legend")
    panels = []
    for kind, drawn in _by_kind(rows, "feature").items():
        told = [{**row, "told": f"{row['day']}, {row['told']}"} for row in drawn]
        axis = _money_axis([row["size"] for row in drawn], kind)
        look = {key: way for key, way in _LOOKS[kind].items() if key not in ("fill", "stroke")}
        panel = _day_bars(
            *(told, days, _field("size:Q", axis=axis, stack="zero"), pick),
            {
                "color": _coloured("feature", features),
                "order": _field("feature"),
                "tooltip": _fields(
                    "day:O", "feature", "money", _field("shown", title="cost"), "calls:Q"
                ),
            },
            look=look,
            height=110,
        )
        panels.append({**panel, "transform": [{"filter": {"param": pick["name"]}}]})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lead = f"{span}: {_summed(rows)}"
    return _figure(name, title, lead, alt=f"{title}. {lead}.", rows=rows, panels=panels)


def cache(report: Metrics) -> Figure:
    """Calls a day, those that a model answered and those that the cache did."""
    name, title = "cache", "Calls per day (UTC)"
    if not report.calls:
        return _nothing(name, title)
    shown = dict(sorted(report.by_day.items())[-MOST_DAYS:])
    rows = []
    for day, spend in shown.items():
        counts = {"sent to a model": spend.calls - spend.cached_calls}
        counts |= {"from the cache": spend.cached_calls}
        rows += [{"day": day, "answered": how, "calls": n} for how, n in counts.items() if n]
    share = report.cache_hits / report.calls
    lead = f"{report.cache_hits:,} of {counted(report.calls, 'call')} from the cache ({share:.0%})"
    each = "; ".join(f"{row['day']} {row['calls']:,} {row['answered']}" for row in rows)
    drawn = [{**row, "told": f"{row['day']}: {row['calls']:,} {row['answered']}"} for row in rows]
    axis = {"title": "calls", **_whole(max(spend.calls for spend in shown.values()))}
    pick = _picking("cache_pick", "answered", bind="legend")
    panel = _day_bars(
        *(drawn, list(shown), _field("calls:Q", axis=axis, stack="zero"), pick),
        {
            "color": _coloured("answered", ["sent to a model", "from the cache"]),
            "order": _field("answered", sort="descending"),
            "opacity": _fading(pick),
            "tooltip": _fields("day", "answered", "calls:Q"),
        },
        look={"cursor": "pointer"},
        height=100,
    )
    return _figure(name, title, lead, alt=f"{title}, {lead}: {each}.", rows=rows, panels=[panel])


CHARTS: dict[str, Callable[[Metrics], Figure]] = {
    "savings": savings,
    "tiers": tiers,
    "escalation": escalation,
    "latency": latency,
    "cost_by_tier": cost_by_tier,
    "cost_by_feature": cost_by_feature,
    "cost_by_day": cost_by_day,
    "cache": cache,
}


def telling(report: Metrics) -> list[Figure]:
    """The charts that this report has something to show in; none of an empty one."""
    wanted = {
        "escalation": report.escalation_rate is not None,
        "latency": bool(report.latency),
        "cost_by_feature": set(report.by_feature) != {""},
        "cost_by_day": len(report.by_day) > 1,
        "cache": report.cache_hits > 0,
    }
    return [CHARTS[name](report) for name in CHARTS if report.calls and wanted.get(name, True)]


def together(figures: Iterable[Figure]) -> Figure:
    """Several charts as one picture, below one another."""
    parts = list(figures)
    rows = [{"chart": one.title, "to be seen": one.alt} for one in parts]
    colours = {"resolve": {"scale": {"color": "independent"}}}
    spec = {**_stacked([one.spec for one in parts], spacing=26), **colours}
    return Figure("together", "Charts", " ".join(one.alt for one in parts), rows, spec)


# Costs in rows and words


def _most_expensive(groups: Mapping[str, Spend], most: int) -> dict[str, Spend]:
    """So many groups, and the others as one."""

    def size(name: str) -> tuple[Decimal, Decimal, int]:
        return groups[name].usd, groups[name].equivalent_usd, groups[name].calls

    ordered = sorted(groups, key=size, reverse=True)
    kept = {name: groups[name] for name in ordered[:most]}
    if rest := ordered[most:]:
        kept[f"{len(rest)} others"] = sum((groups[name] for name in rest), Spend())
    return kept


def _money_rows(spend: Spend, row: Row) -> list[Row]:
    """A row for each kind of money that there is; of a cost that is not known, no amount."""
    known = spend.calls - spend.unknown_calls
    amounts = {SPENT: spend.usd, EQUIVALENT: spend.equivalent_usd}
    found: list[tuple[str, float | None, int]] = [
        (kind, float(usd), known) for kind, usd in amounts.items() if usd
    ]
    if spend.unknown_calls:
        found.append((UNKNOWN, None, spend.unknown_calls))
    found = found or [(SPENT, 0.0, known)]
    return [{**row, "money": kind, "usd": usd, "calls": calls} for kind, usd, calls in found]


def _by_kind(rows: Sequence[Row], field: str) -> dict[str, list[Row]]:
    """The rows by their kind of money, each with the length of its bar and its words."""
    found: dict[str, list[Row]] = {kind: [] for kind in _AXES}
    for row in rows:
        unknown = row["usd"] is None
        shown = counted(row["calls"], "call") if unknown else in_usd(row["usd"])
        size = row["calls"] if unknown else row["usd"]
        told = {"size": size, "shown": shown, "told": _told_cost(row, field)}
        found[row["money"]].append({**row, **told})
    return {kind: drawn for kind, drawn in found.items() if drawn}


def _told_cost(row: Row, field: str) -> str:
    calls = counted(row["calls"], "call")
    if row["usd"] is None:
        return f"{row[field]}: {calls} of unknown cost"
    return f"{row[field]}: {in_usd(row['usd'])} {row['money']}, {calls}"


def _summed(rows: Sequence[Row]) -> str:
    """Each kind of money in a sum of its own."""
    sums = {
        kind: sum(row["size"] for row in drawn) for kind, drawn in _by_kind(rows, "money").items()
    }
    return "; ".join(
        f"{counted(size, 'call')} of unknown cost" if kind == UNKNOWN else f"{in_usd(size)} {kind}"
        for kind, size in sums.items()
    )


def _listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


# What the charts are built of


def _figure(
    name: str, title: str, lead: str, *, alt: str, rows: list[Row], panels: Sequence[Spec]
) -> Figure:
    """The panels under one another, below the title and what is to be seen."""
    heading = {"text": title, "subtitle": textwrap.wrap(lead, 88)}
    return Figure(name, title, alt, rows, {"title": heading, **_stacked(panels, spacing=14)})


def _stacked(parts: Sequence[Spec], spacing: int) -> Spec:
    """The parts under one another; what can be picked in them is declared for the whole."""
    picks = {pick["name"]: pick for part in parts for pick in part.get("params", ())}
    bare = [{key: value for key, value in part.items() if key != "params"} for part in parts]
    return {"params": list(picks.values()), "vconcat": bare, "spacing": spacing}


def _nothing(name: str, title: str, why: str | int = 0) -> Figure:
    """The chart of no figures, which says so."""
    words = str(why or "no calls recorded yet")
    mark = {"type": "text", "fontStyle": "italic"}
    panel = _layer([{"told": words}], mark, {"text": _field("told")})
    panel |= {"width": WIDTH + NAMES, "height": 40}
    return _figure(name, title, "", alt=f"{title}: {words}.", rows=[], panels=[panel])


def _side_bars(
    rows: Sequence[Row],
    field: str,
    x: Spec,
    pick: Spec,
    *,
    tooltip: Sequence[Spec],
    under: Sequence[Spec] = (),
    bars: Spec | None = None,
    beside: Spec | None = None,
    ends: Sequence[Row] | None = None,
    look: Spec | None = None,
    step: int = 22,
) -> Spec:
    """A panel of names down the left, a bar to the right of each, what is `shown` at its end.

    `bars` are encodings of the bars alone, `beside` sets several apart for each name, `ends` are
    rows for the ends where they are not the bars'. `step` is in pixels a name.
    """
    names = list(dict.fromkeys(row[field] for row in rows))
    axis = {**_LEFT, "title": None, "ticks": False, "domain": False, "labelLimit": 116}
    axis |= {"labelPadding": 6}
    place = {"y": _field(field, sort=names, axis=axis, scale={"domain": names})}
    place |= {"yOffset": beside} if beside else {}
    encoding = {**place, "x": x, "opacity": _fading(pick), "tooltip": tooltip}
    mark = {
        "type": "bar",
        "cursor": "pointer",
        **({"height": 14, "fill": BAR} if look is None else look),
    }
    words = {"type": "text", "align": "left", "dx": 5}
    end = encoding if ends is None else {**place, "x": {**x, "stack": None}}
    layers = [
        *under,
        {**_layer(rows, mark, {**encoding, **(bars or {})}), "name": _view(pick)},
    ]
    if ends != []:
        layers.append(_layer(ends or rows, words, {**end, "text": _field("shown")}))
    return {"params": [pick], "layer": layers, "width": WIDTH, "height": step * len(names)}


def _day_bars(
    rows: Sequence[Row],
    days: Sequence[str],
    y: Spec,
    pick: Spec,
    encoding: Spec,
    *,
    look: Spec,
    height: int,
) -> Spec:
    """A panel of days from left to right, with what each has stacked above it."""
    # The title stands above the axis, where it can be read.
    above = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": 0}
    left = {**_LEFT, **above, "titleBaseline": "bottom", "titleY": -5, **y["axis"]}
    across = {"title": None, "labelAngle": -45 if len(days) > 5 else 0}
    x = _field("day:O", sort=days, axis=across, scale={"domain": days})
    mark = {"type": "bar", "size": min(36.0, WIDTH * 0.7 / len(days)), **look}
    panel = _layer(rows, mark, {"x": x, "y": {**y, "axis": left}, **encoding})
    return {"params": [pick], **panel, "name": _view(pick), "width": WIDTH, "height": height}


def _layer(rows: Sequence[Row], mark: Spec, encoding: Spec) -> Spec:
    """Marks of these rows; what is `told` of each is its description."""
    described = {"description": _field("told")} if rows and "told" in rows[0] else {}
    return {"data": {"values": list(rows)}, "mark": mark, "encoding": {**described, **encoding}}


def _fields(*names: str | Spec) -> list[Spec]:
    return [_field(name) if isinstance(name, str) else name for name in names]


def _field(name: str, **more: Any) -> Spec:
    """`calls:Q` is a quantity, `day:O` has an order, and all else is a name."""
    field, _, kind = name.partition(":")
    types = {"Q": "quantitative", "O": "ordinal", "": "nominal"}
    return {"field": field, "type": types[kind], **more}


def _picking(name: str, field: str, **more: Any) -> Spec:
    """A click on a mark, or on its name in the legend, picks it; a double click picks all."""
    select = {"type": "point", "fields": [field]}
    return {"name": name, "select": select, "views": [], **more}


def _view(pick: Spec) -> str:
    """The name of a new view in which that can be picked."""
    pick["views"].append(f"{pick['name']}_view_{len(pick['views'])}")
    return str(pick["views"][-1])


def _fading(pick: Spec) -> Spec:
    """Full where picked (all are at first), faint elsewhere."""
    return {"condition": {"param": pick["name"], "value": 1.0}, "value": 0.25}


def _coloured(field: str, names: Sequence[str], colours: Sequence[str] = COLOURS) -> Spec:
    """A colour a name, in the order given, and a legend with them."""
    cycle = [colours[place % len(colours)] for place in range(len(names))]
    return _field(field, scale={"domain": list(names), "range": cycle}, legend={"title": None})


def _up_to(sizes: Iterable[float]) -> Spec:
    """A scale with room for the words at the end of the longest bar."""
    return {"domain": [0, (max(sizes) or 1) * 1.16]}


def _money_axis(sizes: Sequence[float], kind: str) -> Spec:
    return {
        "title": _AXES[kind],
        **(_whole(int(max(sizes))) if kind == UNKNOWN else _dollars(sizes)),
    }


def _dollars(amounts: Iterable[float]) -> Spec:
    """The ticks of an axis of money, with as many decimals as the largest amount needs."""
    largest = max(amounts, default=0.0)
    places = max(2, 1 - Decimal(repr(largest)).adjusted()) if largest else 2
    return {"format": f"$,.{places}f", "tickCount": 4}


def _whole(largest: int) -> Spec:
    """The ticks of an axis that counts: about four, none between two numbers."""
    return {"format": "d", "values": list(range(0, largest + 1, max(1, -(-largest // 4))))}
