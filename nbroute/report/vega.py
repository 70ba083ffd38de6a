"""A chart in Vega-Lite: for files, for altair, and for exploring."""

from __future__ import annotations

import textwrap
from typing import Any

from nbroute.report.drawing import Drawing, Panel, in_words

#: Vega-Lite, as JSON.
Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
WIDTH, HEIGHT, STEP = 300, 190, 22
#: Room for the names on the left, the same in all charts, so that they line up.
NAMES = 118
_OF_MARK = ("name", "size", "part", "told", "colour", "up", "low", "high")
_AXES: dict[str, Spec] = {
    "usd": {"format": "$.3~r", "tickCount": 4},
    "calls": {"format": "d"},
    "share": {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1]},
    "seconds": {"format": ".3~r", "tickCount": 4},
}


def spec(drawing: Drawing) -> Spec:
    """Its panels below one another; a click on a mark or in the legend selects, two select all."""
    name, panels = drawing.name, drawing.panels
    parts = {m.part: m.colour for panel in panels for m in panel.parts.values()}
    select = {"type": "point", "fields": ["_part" if parts else "_name"]}
    pick: Spec = {"name": f"{name}_pick", "select": select}
    pick |= {"views": [f"{name}_{place}" for place in range(len(panels))]}
    pick |= {"bind": "legend"} if any(panel.coloured for panel in panels) else {}
    drawn = [
        _panel(panel, f"{name}_{place}", pick["name"], parts) for place, panel in enumerate(panels)
    ]
    return {
        "title": {"text": drawing.title, "subtitle": textwrap.wrap(drawing.lead, 66)},
        "params": [pick] if panels else [],
        "vconcat": drawn or [_layer([{}], {"type": "text", "text": ""})],
        "spacing": 14,
    }


def styled(drawn: Spec, *, card: bool = True) -> Spec:
    """The look of every chart: on a white card, or in the colour of the text around it."""
    ink, line = "#222222" if card else "currentColor", "#7f7f7f"
    words: Spec = {"labelColor": ink, "titleColor": ink, "titleFontWeight": "normal"}
    words |= {"labelFontSize": 12, "titleFontSize": 12}
    axis = {"gridColor": line, "gridOpacity": 0.25, "domainColor": line, "tickColor": line}
    title: Spec = {"color": ink, "subtitleColor": ink, "fontSize": 14, "subtitleFontSize": 12}
    config = {
        "background": "white" if card else None,
        "padding": 12 if card else 2,
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": {**words, **axis, "labelLimit": 110},
        "legend": {**words, "orient": "bottom", "columns": 2, "labelLimit": 230},
        "title": {**title, "anchor": "start", "frame": "bounds", "subtitlePadding": 4, "offset": 8},
        "text": {"color": ink, "fontSize": 12},
        "rule": {"color": ink},
    }
    return {**drawn, "config": config}


def _panel(panel: Panel, view: str, pick: str, parts: dict[str, str]) -> Spec:
    values = [
        {
            **{column: in_words(column, value) for column, value in mark.row.items()},
            **{f"_{name}": getattr(mark, name) for name in _OF_MARK},
            "_solid": 0.5 if mark.faint else 1,
            "_place": place,
        }
        for place, mark in enumerate(panel.marks)
    ]
    fading = {"condition": {"param": pick, "value": 1}, "value": 0.25}
    channels = {
        "x": _along(panel),
        "color": _colours(panel, parts),
        "opacity": fading,
        "tooltip": [{"field": column} for column in panel.marks[0].row],
        "description": {"field": "_told"},
    }
    drawn = _points if panel.kind == "points" else _bars
    return {**drawn(panel, values, channels, view), "width": WIDTH}


def _bars(panel: Panel, values: list[Spec], channels: Spec, view: str) -> Spec:
    """A bar to the right of each name, and words at its end."""
    names = list(panel.ends)
    axis: Spec = {"minExtent": NAMES, "maxExtent": NAMES, "ticks": False, "domain": False}
    y: Spec = {"field": "_name", "title": None, "sort": names, "axis": {**axis, "labelPadding": 6}}
    y["scale"] = {"domain": names}
    solid = {"field": "_solid", "type": "quantitative", "scale": None}
    order = {"field": "_place", "type": "quantitative"}
    own = {"y": y, **channels, "fillOpacity": solid, "order": order}
    bars = {**_layer(values, {"type": "bar", "height": 14, "cursor": "pointer"}, **own)}
    ends = [
        {"_name": name, "_size": panel.length(name), "_shown": shown}
        for name, shown in panel.ends.items()
    ]
    text = {"type": "text", "align": "left", "dx": 5}
    x = {**channels["x"], "stack": None}
    words = _layer(ends, text, x=x, y=y, text={"field": "_shown"})
    return {"layer": [{**bars, "name": view}, words], "height": STEP * len(names)}


def _points(panel: Panel, values: list[Spec], channels: Spec, view: str) -> Spec:
    """A point for each name, up by its share, with its interval."""
    x = {**channels["x"], "stack": None}
    low, high = panel.span
    levels = [low + (high - low) * part / 4 for part in range(5)]
    axis = {**_AXES["share"], "values": levels, "title": None, "minExtent": NAMES}
    up = {"type": "quantitative", "scale": {"domain": [low, high]}, "axis": axis}
    interval = {"y": {**up, "field": "_low"}, "y2": {"field": "_high"}}
    place = {**channels, "x": x, "y": {**up, "field": "_up"}}
    rule = _layer(values, {"type": "rule", "strokeWidth": 2}, **{**place, **interval})
    points = _layer(values, {"type": "point", "filled": True, "size": 90}, **place)
    said = {"type": "text", "align": "left", "dx": 8}
    names = {mark.name for mark in panel.named}
    beside = [one for one in values if one["_name"] in names]
    words = _layer(beside, said, x=x, y=place["y"], text={"field": "_name"})
    layers = [rule, {**points, "name": view}, words]
    if panel.curve:
        curve = [{"_size": size, "_up": share} for size, share in panel.curve]
        line = {"type": "line", "color": "#7f7f7f", "strokeDash": [4, 4]}
        layers = [_layer(curve, line, x=x, y=place["y"]), *layers]
    return {"layer": layers, "height": HEIGHT}


def _along(panel: Panel) -> Spec:
    """The axis from left to right, with room for the words at the end of the longest bar."""
    axis = {"title": panel.axis, **_AXES[panel.unit]}
    if panel.unit == "calls":
        most = int(panel.longest)
        axis["values"] = list(range(0, most + 1, -(-most // 4)))
    scale = {"domain": [0, panel.longest * 1.25], "nice": False}
    return {"field": "_size", "type": "quantitative", "axis": axis, "scale": scale, "stack": "zero"}


def _colours(panel: Panel, parts: dict[str, str]) -> Spec:
    """The legend's colours, the same in all panels; where a part has several, each mark's own."""
    if not panel.coloured:
        return {"field": "_colour", "type": "nominal", "scale": None}
    scale = {"domain": list(parts), "range": list(parts.values())}
    return {"field": "_part", "scale": scale, "legend": {"title": None}}


def _layer(values: list[Spec], mark: Spec, **channels: Any) -> Spec:
    typed = {
        name: {"type": "nominal", **one} if "field" in one and name != "y2" else one
        for name, one in channels.items()
        if name != "tooltip"
    }
    typed |= {name: one for name, one in channels.items() if name == "tooltip"}
    return {"data": {"values": values}, "mark": mark, "encoding": typed}
