"""What the charts share: widths, colours, labels, and the chart of nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from nbroute.report.figure import Figure, Row, altair

WIDTH = 430
#: Room for the names on the left, the same in all charts, so that they stand in one line.
NAMES = 124
_LEFT = {"minExtent": NAMES, "maxExtent": NAMES}
MOST_DAYS = 31
#: Told apart with any colour vision, and from white and from black (contrast 3 to 1 or more).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B5658F", "#7A6A00", "#7F7F7F", "#6A5ACD", "#A0522D")
BAR, GREEN, GREY = COLOURS[0], COLOURS[2], COLOURS[5]
FADED = 0.25
NOTHING = "no calls recorded yet"


def titled(chart: Any, title: str, lead: str) -> Any:
    """The chart with its title, and below it the sentence that says what is to be seen."""
    lines = textwrap.wrap(lead, 88)
    return chart.properties(title=altair().TitleParams(title, subtitle=lines))


def nothing(name: str, title: str, why: str | int = 0) -> Figure:
    """The chart of no figures, which says so."""
    why = why or NOTHING

    def draw() -> Any:
        alt = altair()
        words = alt.Chart(alt.Data(values=[{"why": why}])).mark_text(fontStyle="italic")
        plain = words.encode(text="why:N").properties(width=WIDTH + NAMES, height=40)
        return titled(plain, title, "")

    return Figure(name, title, f"{title}: {why}.", [], draw)


def dollars(amounts: Sequence[float]) -> str:
    """A d3 format with as many decimals as the largest amount needs."""
    largest = max(amounts, default=0.0)
    places = max(2, 1 - Decimal(repr(largest)).adjusted()) if largest else 2
    return f"$,.{places}f"


def marks(rows: Sequence[Row]) -> Any:
    """A chart of these rows, to which a mark and encodings are added."""
    alt = altair()
    return alt.Chart(alt.Data(values=list(rows)))


def names_axis(field: str, names: Sequence[str]) -> Any:
    """The names down the left side, in the order given."""
    alt = altair()
    axis = alt.Axis(**_LEFT, title=None, ticks=False, domain=False, labelPadding=6, labelLimit=116)
    return alt.Y(f"{field}:N", sort=list(names), axis=axis, scale=alt.Scale(domain=list(names)))


def heights_axis(field: str, title: str, **more: Any) -> Any:
    """Stacked sizes up the left side; the title stands above, where it can be read."""
    alt = altair()
    above = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleBaseline": "bottom"}
    axis = alt.Axis(**_LEFT, title=title, **above, titleX=0, titleY=-5, **more)
    return alt.Y(f"{field}:Q", axis=axis, stack="zero")


def whole(largest: int) -> dict[str, Any]:
    """The ticks of an axis that counts: about four, none between two numbers."""
    return {"format": "d", "values": list(range(0, largest + 1, max(1, -(-largest // 4))))}


def days_axis(days: Sequence[str]) -> Any:
    """The days from left to right, each once."""
    alt = altair()
    axis = alt.Axis(title=None, labelAngle=-45 if len(days) > 5 else 0)
    return alt.X("day:O", sort=list(days), axis=axis, scale=alt.Scale(domain=list(days)))


def day_width(days: Sequence[str]) -> float:
    """Pixels of a day's bar."""
    return min(36.0, WIDTH * 0.7 / len(days))


def coloured(field: str, names: Sequence[str], colours: Sequence[str] = COLOURS) -> Any:
    """A colour a name, in the order given, and a legend with them."""
    alt = altair()
    cycle = [colours[place % len(colours)] for place in range(len(names))]
    scale = alt.Scale(domain=list(names), range=cycle)
    return alt.Color(f"{field}:N", scale=scale, legend=alt.Legend(title=None))


def fading(pick: Any) -> Any:
    """Full where picked (all are at first), faint elsewhere."""
    alt = altair()
    return alt.condition(pick, alt.value(1.0), alt.value(FADED))


def picking(name: str, field: str, *, legend: bool = False) -> Any:
    """A click on a mark, or on its name in the legend, picks it; a double click picks all."""
    more = {"bind": "legend"} if legend else {}
    return altair().selection_point(name=name, fields=[field], **more)


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)
