"""Charts as HTML for a page, with no picture.

They appear at once, take the page's colours, light or dark, and leave a table where styles are
stripped. Each element has its own style: many viewers drop a stylesheet, while JupyterLab keeps
inline styles even in a notebook that it does not trust.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import replace

from nbroute.report.drawing import Drawing, Mark, Panel
from nbroute.report.table import one_line

_LINE = "1px solid rgba(128,128,128,.45)"
_CELL = (
    "border:0;background:none;color:inherit;padding:2px 6px 2px 0;text-align:left;"
    "vertical-align:middle;font-weight:normal;line-height:14px;white-space:nowrap;"
    "overflow:hidden;text-overflow:ellipsis"
)
_STYLES = {
    "charts": "display:grid;gap:24px 36px;max-width:980px;margin:10px 0;font-size:13px;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));line-height:1.4",
    "chart": "margin:0;min-width:0",
    "head": "margin:0 0 6px",
    "bars": "width:100%;table-layout:fixed;border-collapse:collapse;margin:0 0 4px;"
    "font-size:12px;color:inherit",
    "axis": "caption-side:top;text-align:left;padding:0 0 2px;font-size:12px;color:inherit",
    "row": "background:none",
    "name": f"{_CELL};width:9em",
    "drawn": f"{_CELL};padding-right:0;border-left:{_LINE}",
    "end": f"{_CELL};width:7.5em;padding-left:6px",
    "key": f"{_CELL};width:1.5em",
    "words": _CELL,
    "bar": "display:inline-block;height:12px;vertical-align:middle",
    "swatch": "display:inline-block;width:10px;height:10px",
    "legend": "display:flex;flex-wrap:wrap;gap:0 14px;list-style:none;margin:0 0 8px;padding:0;"
    "font-size:12px",
    "points": "margin:14px 7em 12px 3.8em;height:150px;position:relative;font-size:12px",
    "dot": "position:absolute;width:3px;height:3px;margin:0 0 -1px -1px;border-radius:50%;"
    "background-color:rgba(128,128,128,.8)",
    "level": f"position:absolute;left:0;width:calc(100% + 7em);border-bottom:{_LINE}",
    "at": "position:absolute;right:100%;margin-right:6px;bottom:-7px;line-height:14px",
    "interval": "position:absolute;width:2px;margin-left:-1px",
    "point": "position:absolute;width:10px;height:10px;margin:0 0 -5px -5px;border-radius:50%",
    "said": "position:absolute;left:14px;line-height:10px;white-space:nowrap",
}


def page(drawings: Iterable[Drawing], *, place: str = "") -> str:
    """The charts as HTML, two in a row where there is room; `place` is their CSS class."""
    drawn = _element("div", "charts", "".join(map(_figure, drawings)))
    return f'<div class="{place}">{drawn}</div>' if place else drawn


def _figure(drawing: Drawing) -> str:
    lead = f"<br>{_text(drawing.lead)}" if drawing.lead else ""
    caption = _element("figcaption", "head", f"<strong>{_text(drawing.title)}</strong>{lead}")
    panels = "".join(map(_panel, drawing.panels)) if drawing.compares else ""
    return _element("figure", "chart", caption + panels)


def _panel(panel: Panel) -> str:
    above = _points(panel) if panel.kind == "points" else ""
    lines = "".join(_line(panel, name, end) for name, end in panel.ends.items())
    caption = _element("caption", "axis", _text(panel.axis))
    table = _element("table", "bars", f"{caption}<tbody>{lines}</tbody>")
    named = (
        f'<li style="margin:0">{_swatch(mark, alike=panel.coloured)} {_text(part)}</li>'
        for part, mark in panel.parts.items()
    )
    return above + table + (_element("ul", "legend", "".join(named)) if panel.parts else "")


def _line(panel: Panel, name: str, end: str) -> str:
    marks = [mark for mark in panel.marks if mark.name == name]
    cells = _element("th", "name", _text(name), facts=' scope="row"')
    if panel.kind == "points":
        cells += _element("td", "key", _swatch(marks[0])) + _element("td", "words", _text(end))
    else:
        drawn = "".join(_bar(mark, mark.size / panel.longest) for mark in marks if mark.size)
        cells += _element("td", "drawn", drawn) + _element("td", "end", _text(end))
    return _element("tr", "row", cells)


def _bar(mark: Mark, share: float) -> str:
    return _element("span", "bar", "", f"width:{100 * share:.1f}%;{_paint(mark)}", _told(mark))


def _swatch(mark: Mark, *, alike: bool = True) -> str:
    shown = mark if alike else replace(mark, colour="#7f7f7f")
    return _element("span", "swatch", "", _paint(shown))


def _paint(mark: Mark) -> str:
    return f"background-color:{mark.colour}{';opacity:.5' if mark.faint else ''}"


def _points(panel: Panel) -> str:
    """Points at the height of their share, each on the line of its interval.

    The table says the same, and also names the points whose names have no room here.
    """
    low, high = panel.span
    drawn = [
        _element("div", "level", _element("span", "at", f"{at:.0%}"), _up(panel, at))
        for at in (low, (low + high) / 2, high)
    ]
    for size, up in panel.curve:
        place = f"left:{100 * size / panel.longest:.1f}%;{_up(panel, up)}"
        drawn.append(_element("div", "dot", "", place))
    for mark in panel.marks:
        along = f"left:{100 * mark.size / panel.longest:.1f}%"
        tall = 100 * (panel.height(mark.high) - panel.height(mark.low))
        line = f"{along};{_up(panel, mark.low)};height:{tall:.1f}%"
        drawn.append(_element("div", "interval", "", f"{line};{_paint(mark)}"))
        place = f"{along};{_up(panel, mark.up)};{_paint(mark)}"
        said = _element("span", "said", _text(mark.name)) if mark in panel.named else ""
        drawn.append(_element("div", "point", said, place, _told(mark)))
    return _element("div", "points", "".join(drawn), facts=' aria-hidden="true"')


def _up(panel: Panel, share: float) -> str:
    return f"bottom:{100 * panel.height(share):.1f}%"


def _element(tag: str, kind: str, inside: str, style: str = "", facts: str = "") -> str:
    whole = ";".join(filter(None, [_STYLES[kind], style]))
    return f'<{tag} style="{whole}"{facts}>{inside}</{tag}>'


def _told(mark: Mark) -> str:
    return f' title="{_plain(mark.told)}"'


def _text(words: str) -> str:
    """The words as HTML that shows just them; a dollar sign does not begin a formula."""
    return _plain(words).replace("$", "<span>$</span>").replace("\\", "<span>&#92;</span>")


def _plain(words: str) -> str:
    return html.escape(one_line(words))
