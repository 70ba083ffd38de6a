"""The charts of a report, each a `Figure`: panels of bars, described in Vega-Lite.

What was spent, what was not billed and what is not known have panels with axes of their own,
so that amounts of two kinds are neither added nor compared. A row has the columns of the
chart's table, and `_DRAWN`, which only the picture needs.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from nbroute.report.figure import Figure, Row, Spec, in_usd
from nbroute.report.metrics import ESCALATION_GOOD, ESCALATION_PROBLEM, LOWEST_SHARE, Spend
from nbroute.report.table import counted

if TYPE_CHECKING:
    from nbroute.report.metrics import Metrics

WIDTH = 430
#: Room for the names on the left, the same in all charts, so that they stand in one line.
NAMES = 124
_LEFT: Spec = {"minExtent": NAMES, "maxExtent": NAMES, "title": None}
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
#: The bar's length, the words at its end, the mark in a sentence, its place in the bar.
_DRAWN = ("size", "shown", "told", "place")
_TYPES = {"Q": "quantitative", "O": "ordinal", "": "nominal"}


def savings(report: Metrics) -> Figure:
    """The net saving: everything that was spent, against all on the baseline tier."""
    title = f"Saving against all on {report.baseline} (estimate)"
    chart = _Chart("savings", title, "use", legend=True)
    sides = report.savings
    if not sides:
        return chart.nothing(report, "nothing spent and nothing saved yet")
    # The baseline is grey: it is an estimate, and nothing that was spent.
    colours = dict(zip([*_USES.values(), f"all on {report.baseline}"], COLOURS[:6], strict=True))
    rows: list[Row] = []
    for unbilled, saving in sides.items():
        spent = {_USES[use]: spend.of(unbilled) for use, spend in report.by_use.items()}
        parts = [("as routed", use, spent[use]) for use in colours if spent.get(use)]
        if saving.baseline_usd is not None:
            parts.append(("baseline (estimate)", f"all on {report.baseline}", saving.baseline_usd))
        kind = EQUIVALENT if unbilled else SPENT
        for bar, use, usd in parts:
            row: Row = {"money": kind, "bar": bar, "use": use, "usd": float(usd)}
            shown = in_usd(row["usd"])
            rows.append({**row, "shown": shown, "told": f"{use}: {shown} ({kind})"})
    uses = [use for use in colours if any(row["use"] == use for row in rows)]
    colour = _coloured("use", uses, [colours[use] for use in uses])
    for kind, drawn in _by_kind(rows).items():
        totals = dict.fromkeys((row["bar"] for row in drawn), 0.0)
        for row in drawn:
            row["place"] = uses.index(row["use"])
            totals[row["bar"]] += row["usd"]
        scale = {**_up_to(totals.values()), "nice": False}
        axis = _axis(_SAVING_AXES[kind], totals.values())
        chart.side_bars(
            *(drawn, "bar", {"field": "usd:Q", "axis": axis, "stack": "zero", "scale": scale}),
            bars={"color": colour, "order": "place:Q"},
            ends=[{"bar": bar, "usd": usd, "shown": in_usd(usd)} for bar, usd in totals.items()],
            look={"height": 16},
            step=24,
        )
    told = "; ".join(
        f"{saving.against(report.baseline)}{' (nothing billed)' if unbilled else ''}"
        for unbilled, saving in sides.items()
    )
    return chart.figure(f"net: {told}", rows)


def tiers(report: Metrics) -> Figure:
    """The share of the results that each tier answered, and the article's line at one half."""
    chart = _Chart("tiers", "Tier distribution", "tier")
    rows: list[Row] = []
    for name, share in report.tier_share.items():
        tier, results = name or "(none)", report.answered[name]
        row: Row = {"tier": tier, "results": results, "share": share}
        shown = f"{share:.0%} ({results:,})"
        rows.append({**row, "shown": shown, "told": f"{tier}: {shown}"})
    if not rows:
        return chart.nothing(report, "no answer recorded yet")
    lowest = report.tiers[0] if report.tiers else ""
    usual = f"over {LOWEST_SHARE:.0%} (the dashed line) is usual for support and Q&A"
    lead = f"{lowest} answers {report.tier_share.get(lowest, 0):.0%}; {usual}"
    line = [{"place": LOWEST_SHARE, "told": f"usual for {lowest}: over {LOWEST_SHARE:.0%}"}]
    dashed = {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 1.5}
    axis = {"title": "share of the results", "format": "%", "values": [0, 0.25, 0.5, 0.75, 1]}
    chart.side_bars(
        *(rows, "tier", {"field": "share:Q", "axis": axis, "scale": {"domain": [0, 1.2]}}),
        under=[_layer(line, dashed, {"x": "place:Q", "tooltip": ["told"]})],
    )
    of = f"by the share of {counted(report.results, 'result')}"
    alt = f"{chart.title}, {of}: {_told(rows)}. {lead}."
    return chart.figure(lead, rows, alt=alt)


def escalation(report: Metrics) -> Figure:
    """The lowest tier's escalation rate against the articles' thresholds."""
    chart = _Chart("escalation", "Escalation rate", "tier")
    rate, verdict = report.escalation_rate, report.escalation_verdict
    lowest = report.tiers[0] if report.tiers else "the lowest tier"
    if rate is None:
        return chart.nothing(report, f"no answer of {lowest} recorded yet")
    answered, escalated = report.lowest_answered, report.lowest_escalated
    row: Row = {"tier": lowest, "answered": answered, "escalated": escalated, "rate": rate}
    row |= {"verdict": verdict, "told": f"{lowest}: {rate:.0%}, {verdict}"}
    top = min(1.0, max(0.4, rate * 1.2))
    bands: list[Row] = [
        {"begin": 0, "end": ESCALATION_GOOD, "word": "good"},
        {"begin": ESCALATION_GOOD, "end": ESCALATION_PROBLEM, "word": "fair"},
        {"begin": ESCALATION_PROBLEM, "end": top, "word": "look at the classifier"},
    ]
    axis = {"title": "share that went on to a more expensive tier", "format": "%", "grid": True}
    axis |= {"values": [0, ESCALATION_GOOD, ESCALATION_PROBLEM, 0.5, 1]}
    along = {"axis": axis, "scale": {"domain": [0, top], "nice": False}}
    begin = {"field": "begin:Q", **along}
    colour = _coloured("word", [one["word"] for one in bands], (GREEN, "#B8860B", COLOURS[1]))
    band = {"x": begin, "x2": {"field": "end"}, "color": {**colour, "legend": None}}
    above = {"type": "text", "align": "left", "dx": 4, "dy": -19, "baseline": "top"}
    chart.side_bars(
        *([row], "tier", {"field": "rate:Q", **along}),
        under=[
            _layer(bands, {"type": "rect", "opacity": 0.18}, band),
            _layer(bands, above, {"x": begin, "text": "word"}),
        ],
        look={"height": 12, "fill": BAR, "yOffset": 8, "stroke": BAR, "strokeWidth": 2},
        step=44,
    )
    went = f"{escalated:,} of the {answered:,} that {lowest} answered went on"
    lead = f"{rate:.0%}: {went} to a more expensive tier; {verdict}"
    means = (
        f"Under {ESCALATION_GOOD:.0%} is good, over {ESCALATION_PROBLEM:.0%} a classifier problem"
    )
    return chart.figure(lead, [row], alt=f"{chart.title}, {lead}. {means}.")


def latency(report: Metrics) -> Figure:
    """How long each tier takes: half of the calls (p50), and all but one in twenty (p95)."""
    chart = _Chart("latency", "Latency by tier", "percentile", legend=True)
    if not report.latency:
        return chart.nothing(report, "no call of a model recorded yet")
    rows: list[Row] = []
    for tier, times in report.latency.items():
        for percentile, ms in (("p50", times.p50_ms), ("p95", times.p95_ms)):
            row = {"tier": tier, "percentile": percentile, "seconds": ms / 1000}
            row |= {"calls": times.calls, "shown": f"{ms / 1000:.2f} s"}
            rows.append({**row, "told": f"{tier}, {percentile}: {row['shown']}"})
    axis, scale = {"title": "seconds", "tickCount": 5}, _up_to(row["seconds"] for row in rows)
    chart.side_bars(
        *(rows, "tier", {"field": "seconds:Q", "axis": axis, "scale": scale}),
        bars={"color": _coloured("percentile", ["p50", "p95"])},
        beside={"field": "percentile", "sort": ["p50", "p95"]},
        look={},
        step=36,
    )
    lead = "half of a tier's calls are faster than p50, 19 of 20 faster than p95"
    return chart.figure(lead, rows)


def cost_by_tier(report: Metrics) -> Figure:
    """What each tier cost, up the ladder."""
    groups = {tier: spend for tier, spend in report.by_tier.items() if spend.calls}
    return _costs(report, _Chart("cost_by_tier", "Cost by tier", "tier"), groups)


def cost_by_feature(report: Metrics) -> Figure:
    """What each feature cost; the most expensive first."""
    chart = _Chart("cost_by_feature", "Cost by feature", "feature")
    return _costs(report, chart, _most_expensive(report.by_feature, MOST_NAMES))


def _costs(report: Metrics, chart: _Chart, groups: Mapping[str, Spend]) -> Figure:
    field = chart.picked
    rows = [row for one, spend in groups.items() for row in _money_rows(spend, {field: one})]
    if not rows:
        return chart.nothing(report)
    for kind, drawn in _by_kind(rows).items():
        sizes = [row["size"] for row in drawn]
        x = {"field": "size:Q", "axis": _axis(_AXES[kind], sizes), "scale": _up_to(sizes)}
        chart.side_bars(drawn, field, x, look={"height": 14, "fill": BAR, **_LOOKS[kind]})
    return chart.figure(_summed(rows), rows)


def cost_by_day(report: Metrics) -> Figure:
    """What each feature cost each day (UTC); the last 31 days."""
    chart = _Chart("cost_by_day", "Cost per feature per day (UTC)", "feature", legend=True)
    if not report.calls:
        return chart.nothing(report)
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
    bars = {"color": _coloured("feature", features), "order": "feature"}
    for kind, drawn in _by_kind(rows).items():
        look = {key: way for key, way in _LOOKS[kind].items() if key not in ("fill", "stroke")}
        axis = _axis(_AXES[kind], [row["size"] for row in drawn])
        chart.day_bars(drawn, days, "size:Q", axis, bars, look=look)
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lead = f"{span}: {_summed(rows)}"
    return chart.figure(lead, rows, alt=f"{chart.title}. {lead}.")


def cache(report: Metrics) -> Figure:
    """Calls a day, those that a model answered and those that the cache did."""
    chart = _Chart("cache", "Calls per day (UTC)", "answered", legend=True)
    if not report.calls:
        return chart.nothing(report)
    shown = dict(sorted(report.by_day.items())[-MOST_DAYS:])
    rows = [
        {"day": day, "answered": how, "calls": calls, "told": f"{day}: {calls:,} {how}"}
        for day, spend in shown.items()
        for how, calls in (
            ("sent to a model", spend.calls - spend.cached_calls),
            ("from the cache", spend.cached_calls),
        )
        if calls
    ]
    order = {"field": "answered", "sort": "descending"}
    bars = {"color": _coloured("answered", ["sent to a model", "from the cache"]), "order": order}
    axis = _axis("calls", [spend.calls for spend in shown.values()])
    chart.day_bars(rows, list(shown), "calls:Q", axis, bars, look={})
    share = report.cache_hits / report.calls
    lead = f"{report.cache_hits:,} of {counted(report.calls, 'call')} from the cache ({share:.0%})"
    return chart.figure(lead, rows)


CHARTS: dict[str, Callable[[Metrics], Figure]] = {
    make.__name__: make
    for make in (
        *(savings, tiers, escalation, latency),
        *(cost_by_tier, cost_by_feature, cost_by_day, cache),
    )
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
    spec = {
        "params": [pick for one in parts for pick in one.spec["params"]],
        "vconcat": [{k: v for k, v in one.spec.items() if k != "params"} for one in parts],
        "spacing": 26,
        "resolve": {"scale": {"color": "independent"}},
    }
    return Figure("together", "Charts", " ".join(one.alt for one in parts), rows, spec)


class _Chart:
    """A chart in the making: panels below one another, and what is `picked` by a click in them.

    A click on a mark, or on its name in the legend, picks it; a double click picks all.
    """

    def __init__(self, name: str, title: str, picked: str, *, legend: bool = False) -> None:
        self.name, self.title, self.picked = name, title, picked
        self._panels: list[Spec] = []
        select = {"type": "point", "fields": [picked]}
        self._pick: Spec = {"name": f"{name}_pick", "select": select, "views": []}
        self._pick |= {"bind": "legend"} if legend else {}

    def side_bars(
        self,
        rows: Sequence[Row],
        field: str,
        x: Spec,
        *,
        under: Sequence[Spec] = (),
        bars: Spec | None = None,
        beside: Spec | None = None,
        ends: Sequence[Row] | None = None,
        look: Spec | None = None,
        step: int = 22,
    ) -> None:
        """A panel of names down the left, a bar to the right of each, what is `shown` at its end.

        `bars` are encodings of the bars alone, `beside` sets several apart for each name, `ends`
        are rows for the ends where they are not the bars'. `step` is in pixels a name.
        """
        names = list(dict.fromkeys(row[field] for row in rows))
        axis = {**_LEFT, "ticks": False, "domain": False, "labelLimit": 116, "labelPadding": 6}
        place = {"y": {"field": field, "sort": names, "axis": axis, "scale": {"domain": names}}}
        place |= {"yOffset": beside} if beside else {}
        mark = {"height": 14, "fill": BAR} if look is None else look
        layers = [*under, self._bars(rows, mark, {**place, "x": x, **(bars or {})})]
        if "shown" in rows[0] or ends:
            words = {"type": "text", "align": "left", "dx": 5}
            end = {**place, "x": {**x, "stack": None}, "opacity": self._fading(), "text": "shown"}
            layers.append(_layer(ends or rows, words, end))
        self._panels.append({"layer": layers, "width": WIDTH, "height": step * len(names)})

    def day_bars(
        self,
        rows: Sequence[Row],
        days: Sequence[str],
        y: str,
        axis: Spec,
        bars: Spec,
        *,
        look: Spec,
    ) -> None:
        """A panel of days from left to right, with what each has stacked above it."""
        # The title stands above the axis, where it can be read.
        above = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": 0}
        left = {**_LEFT, **above, "titleBaseline": "bottom", "titleY": -5, **axis}
        across = {"title": None, "labelAngle": -45 if len(days) > 5 else 0}
        x = {"field": "day:O", "sort": days, "axis": across, "scale": {"domain": days}}
        mark = {"size": min(36.0, WIDTH * 0.7 / len(days)), **look}
        encoding = {"x": x, "y": {"field": y, "axis": left, "stack": "zero"}, **bars}
        picked = [{"filter": {"param": self._pick["name"]}}]
        panel = {**self._bars(rows, mark, encoding), "transform": picked}
        self._panels.append({**panel, "width": WIDTH, "height": 110})

    def _bars(self, rows: Sequence[Row], look: Spec, encoding: Spec) -> Spec:
        """The marks that can be picked, each with its row as a tooltip."""
        view = f"{self.name}_view_{len(self._panels)}"
        self._pick["views"].append(view)
        tooltip = [_in_tooltip(column) for column in rows[0] if column not in _DRAWN]
        mark = {"type": "bar", "cursor": "pointer", **look}
        channels = {"opacity": self._fading(), "tooltip": tooltip, **encoding}
        return {**_layer(rows, mark, channels), "name": view}

    def _fading(self) -> Spec:
        """Full where picked (all are at first), faint elsewhere."""
        return {"condition": {"param": self._pick["name"], "value": 1.0}, "value": 0.25}

    def figure(self, lead: str, rows: Sequence[Row], *, alt: str = "") -> Figure:
        """The panels below the title and what is to be seen; in words, each mark of them."""
        table = [{k: v for k, v in row.items() if k not in _DRAWN} for row in rows]
        spec = {
            "title": {"text": self.title, "subtitle": textwrap.wrap(lead, 88)},
            "params": [self._pick] if rows else [],
            "vconcat": self._panels,
            "spacing": 14,
        }
        said = alt or f"{self.title}: {lead}. {_told(rows)}."
        return Figure(self.name, self.title, said, table, spec)

    def nothing(self, report: Metrics, why: str = "") -> Figure:
        """The chart of no figures, which says so."""
        words = why if report.calls else "no calls recorded yet"
        mark = {"type": "text", "fontStyle": "italic"}
        panel = _layer([{"told": words}], mark, {"text": "told"})
        self._panels = [{**panel, "width": WIDTH + NAMES, "height": 40}]
        return self.figure("", [], alt=f"{self.title}: {words}.")


# Costs in rows and words


def _most_expensive(groups: Mapping[str, Spend], most: int) -> dict[str, Spend]:
    """So many groups, and the others as one."""
    size = attrgetter("usd", "equivalent_usd", "calls")
    ordered = sorted(groups.items(), key=lambda group: size(group[1]), reverse=True)
    kept = dict(ordered[:most])
    if rest := ordered[most:]:
        kept[f"{len(rest)} others"] = sum((spend for _, spend in rest), Spend())
    return kept


def _money_rows(spend: Spend, names: Mapping[str, str]) -> list[Row]:
    """A row for each kind of money that there is; of a cost that is not known, no amount."""
    known = spend.calls - spend.unknown_calls
    kinds = {SPENT: spend.usd, EQUIVALENT: spend.equivalent_usd}
    amounts = {kind: float(usd) for kind, usd in kinds.items() if usd}
    if not amounts and not spend.unknown_calls:
        amounts = {SPENT: 0.0}
    named = {field: name or "(none)" for field, name in names.items()}
    whose = ", ".join(named.values())
    rows: list[Row] = []
    for kind, usd in amounts.items():
        row = {**named, "money": kind, "usd": usd, "calls": known, "size": usd}
        told = f"{whose}: {in_usd(usd)} {kind}, {counted(known, 'call')}"
        rows.append({**row, "shown": in_usd(usd), "told": told})
    if spend.unknown_calls:
        row = {**named, "money": UNKNOWN, "usd": None, "calls": spend.unknown_calls}
        calls = counted(spend.unknown_calls, "call")
        told = f"{whose}: {calls} of unknown cost"
        rows.append({**row, "size": spend.unknown_calls, "shown": calls, "told": told})
    return rows


def _by_kind(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each kind of money that there is."""
    found = {kind: [row for row in rows if row["money"] == kind] for kind in _AXES}
    return {kind: drawn for kind, drawn in found.items() if drawn}


def _summed(rows: Sequence[Row]) -> str:
    """Each kind of money in a sum of its own."""
    sums = {kind: sum(row["size"] for row in drawn) for kind, drawn in _by_kind(rows).items()}
    return "; ".join(
        f"{counted(size, 'call')} of unknown cost" if kind == UNKNOWN else f"{in_usd(size)} {kind}"
        for kind, size in sums.items()
    )


def _told(rows: Sequence[Row]) -> str:
    return "; ".join(row["told"] for row in rows)


# What the panels are built of


def _layer(rows: Sequence[Row], mark: Spec, encoding: Mapping[str, Any]) -> Spec:
    """Marks of these rows; what is `told` of each is its description."""
    described = {"description": "told"} if "told" in rows[0] else {}
    given = {**described, **encoding}
    channels = {name: one if name == "x2" else _channel(one) for name, one in given.items()}
    return {"data": {"values": list(rows)}, "mark": mark, "encoding": channels}


def _channel(value: Any) -> Any:
    """`calls:Q` is a quantity, `day:O` has an order, and another field is a name."""
    if isinstance(value, list):
        return [_channel(one) for one in value]
    channel = {"field": value} if isinstance(value, str) else value
    if "field" not in channel:
        return channel
    field, _, kind = channel["field"].partition(":")
    return {**channel, "field": field, "type": _TYPES[kind]}


def _in_tooltip(column: str) -> str | Spec:
    """What is shown of a column: shares in percent, and amounts and times as at the bar's end."""
    if column in ("share", "rate"):
        return {"field": f"{column}:Q", "format": ".1%"}
    return {"field": "shown", "title": column} if column in ("usd", "seconds") else column


def _coloured(field: str, names: Sequence[str], colours: Sequence[str] = COLOURS) -> Spec:
    """A colour a name, in the order given, and a legend with them."""
    scale = {"domain": list(names), "range": list(colours[: len(names)])}
    return {"field": field, "scale": scale, "legend": {"title": None}}


def _up_to(sizes: Iterable[float]) -> Spec:
    """A scale with room for the words at the end of the longest bar."""
    return {"domain": [0, (max(sizes) or 1) * 1.16]}


def _axis(title: str, sizes: Iterable[float]) -> Spec:
    """About four ticks: of calls (int), or of US dollars (float) with the decimals they need."""
    largest = max(sizes)
    if isinstance(largest, int):
        ticks = list(range(0, largest + 1, max(1, -(-largest // 4))))
        return {"title": title, "format": "d", "values": ticks}
    places = max(2, 1 - Decimal(repr(largest)).adjusted()) if largest else 2
    return {"title": title, "format": f"$,.{places}f", "tickCount": 4}
