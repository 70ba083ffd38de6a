"""One chart: its figures in words and as rows, drawn by altair where that is installed."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from nbroute.errors import SettingsError, did_you_mean
from nbroute.pricing import format_usd
from nbroute.report.table import text_table

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

CURE = "`pip install 'nbroute[charts]'`"
SUFFIXES = (".svg", ".png", ".html", ".json")
#: Pixels of a PNG to a pixel on the page, so that it is sharp on any screen.
SCALE = 2

_NAMED_MARK = re.compile(r'<(path|line)\b([^>]*\baria-label="([^"]*)"[^>]*?)/>')


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Figure:
    """One chart of a report: shown as a picture, `print`ed as a table.

    `rows` are the figures that it draws, `alt` says in words what is to be seen. What draws
    needs the extra `charts`, and raises SettingsError where that is missing. `save` is the one
    thing in this room that touches a file: the one that the user names, as `to_csv` does.
    """

    name: str
    title: str
    alt: str
    rows: list[Row]
    draw: Callable[[], Any] = field(repr=False)

    @property
    def chart(self) -> Any:
        """An `altair.Chart` with tooltips and selections, on a white card."""
        return self.draw().configure(**config())

    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def svg(self, *, card: bool = True) -> str:
        """A static picture; the same figures give the same text.

        With `card=False` it has no background and takes the colour of the text around it:
        for an SVG inside a page, light or dark. A pointer over a mark shows its figures.
        """
        converter = vl_convert()
        spec = self._spec() if card else self._spec("currentColor", None)
        picture = str(converter.vegalite_to_svg(spec, vl_version=_vega_lite()))
        return _with_titles(picture, self.alt)

    def png(self) -> bytes:
        """A static picture, two pixels to each on the page."""
        converter = vl_convert()
        picture = converter.vegalite_to_png(self._spec(), vl_version=_vega_lite(), scale=SCALE)
        return _packed(bytes(picture))

    def save(self, path: str | Path) -> Path:
        """Write the chart; .svg, .png, .html (interactive, needs no network) or .json (Vega-Lite).

        SettingsError for another suffix, and where the file cannot be written.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in SUFFIXES:
            hint = did_you_mean(suffix, SUFFIXES)
            raise SettingsError(f"a chart cannot be saved as {target.name!r}: {hint}")
        data = self._as(suffix)
        try:
            target.write_bytes(data)
        except OSError as error:
            raise SettingsError(f"cannot write {str(target)!r}: {error.strerror}") from error
        return target

    def __repr__(self) -> str:
        """The title and the figures as a table."""
        return "\n".join([self.title, *text_table(grid(self.rows))]) if self.rows else self.alt

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        text = repr(self)
        try:
            picture = self.png()
        except SettingsError as error:
            return {"text/plain": f"{text}\n{error}"}, {}
        shown = {"width": _width(picture), "alt": self.alt}
        return {"image/png": picture, "text/plain": text}, {"image/png": shown}

    def _spec(self, ink: str = "#222222", ground: str | None = "white") -> dict[str, Any]:
        return {**self.draw().to_dict(), "config": config(ink, ground)}

    def _as(self, suffix: str) -> bytes:
        match suffix:
            case ".svg":
                return self.svg().encode()
            case ".png":
                return self.png()
            case ".json":
                return json.dumps(self.chart.to_dict(), indent=1).encode()
        vl_convert()
        return str(self.chart.to_html(inline=True)).encode()


def altair() -> Any:
    """The module; SettingsError where it is not installed."""
    try:
        import altair as alt
    except ImportError as error:
        raise SettingsError(f"charts need altair: {CURE}") from error
    return alt


def vl_convert() -> Any:
    """The module that draws with no browser; SettingsError where it is not installed."""
    try:
        import vl_convert as converter
    except ImportError as error:
        raise SettingsError(f"pictures of charts need vl-convert: {CURE}") from error
    return converter


def config(ink: str = "#222222", ground: str | None = "white") -> dict[str, Any]:
    """The look of every chart, as Vega-Lite's `config`."""
    faint = {"gridColor": "#7f7f7f", "gridOpacity": 0.25, "domainColor": "#7f7f7f"}
    return {
        "background": ground,
        "padding": 12 if ground else 2,
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": faint
        | {
            "tickColor": "#7f7f7f",
            "labelColor": ink,
            "titleColor": ink,
            "titleFontWeight": "normal",
        }
        | {"labelFontSize": 12, "titleFontSize": 12, "labelLimit": 120},
        "legend": {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12}
        | {"orient": "bottom", "titleFontWeight": "normal", "columns": 3, "labelLimit": 190},
        "title": {"color": ink, "subtitleColor": ink, "anchor": "start", "frame": "bounds"}
        | {"fontSize": 14, "subtitleFontSize": 12, "subtitlePadding": 4, "offset": 8},
        "text": {"color": ink, "fontSize": 12},
        "rule": {"color": ink},
    }


def in_usd(amount: float) -> str:
    """The amount in words; a sum of floats has dust below a picodollar."""
    return format_usd(Decimal(repr(round(amount, 12))))


def grid(rows: Sequence[Row]) -> list[list[str]]:
    """The names of the columns, then the rows in words; nothing of no rows."""
    return [list(row) for row in rows[:1]] + [[_cell(*one) for one in row.items()] for row in rows]


def _cell(column: str, value: Any) -> str:
    if value is None:
        return "unknown"
    match column:
        case "usd":
            return in_usd(value)
        case "share" | "rate":
            return f"{value:.0%}"
        case "seconds":
            return f"{value:.2f} s"
    return str(value)


def _vega_lite() -> str:
    """The version that altair's specifications are written in, as `v6.4`."""
    return str(altair().SCHEMA_VERSION).rpartition(".")[0]


def _width(png: bytes) -> int:
    """On the page, as the picture's header has it."""
    return int.from_bytes(png[16:20], "big") // SCALE


def _packed(png: bytes) -> bytes:
    """The same picture in a third of the size: the converter packs in haste."""
    head, body, place = png[:8], b"", 8
    while place < len(png):
        size = int.from_bytes(png[place : place + 4], "big")
        kind, end = png[place + 4 : place + 8], place + 12 + size
        if kind == b"IDAT":
            body += png[place + 8 : end - 4]
        elif kind != b"IEND":
            head += png[place:end]
        place = end
    packed = zlib.compress(zlib.decompress(body), 6)
    return head + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = zlib.crc32(kind + data).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + kind + data + checked


def _with_titles(svg: str, alt: str) -> str:
    """A `<title>` in each mark that has a name, which a browser shows as its tooltip."""
    svg = _NAMED_MARK.sub(r"<\1\2><title>\3</title></\1>", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label={quoteattr(alt)} ', 1)
