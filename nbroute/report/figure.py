"""One chart: its figures in words and as rows, and its picture."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from nbroute.errors import SettingsError, did_you_mean
from nbroute.pricing import format_usd
from nbroute.report.table import text_table

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
#: Vega-Lite, as its JSON says it.
Spec = dict[str, Any]

SUFFIXES = (".svg", ".png", ".html", ".json")
#: Pixels of a PNG to a pixel on the page, so that it is sharp on any screen.
SCALE = 2
_NAMED_MARK = re.compile(r'<(path|line)\b([^>]*\baria-label="([^"]*)"[^>]*?)/>')


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Figure:
    """One chart of a report: shown as a picture, `print`ed as a table.

    `rows` are the figures that it draws, `alt` says in words what is to be seen, `spec` is in
    Vega-Lite. `save` is the one thing in this room that touches a file: the one that the user
    names, as `to_csv` does.
    """

    name: str
    title: str
    alt: str
    rows: list[Row]
    spec: Spec = field(repr=False)

    @property
    def chart(self) -> Any:
        """An `altair.Chart` with tooltips and selections, on a white card."""
        return _imported("altair").Chart.from_dict(self._drawn())

    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def svg(self, *, card: bool = True) -> str:
        """A static picture; the same figures give the same text.

        With `card=False` it has no background and takes the colour of the text around it:
        for an SVG inside a page, light or dark. A pointer over a mark shows its figures.
        """
        spec = self._drawn() if card else self._drawn("currentColor", None)
        svg = _NAMED_MARK.sub(
            r"<\1\2><title>\3</title></\1>", _imported("vl_convert").vegalite_to_svg(spec)
        )
        return svg.replace("<svg ", f'<svg role="img" aria-label={quoteattr(self.alt)} ', 1)

    def png(self) -> bytes:
        """A static picture, two pixels to each on the page."""
        return _compressed(_imported("vl_convert").vegalite_to_png(self._drawn(), scale=SCALE))

    def save(self, path: str | Path) -> Path:
        """Write the chart; .svg, .png, .html (interactive, needs no network) or .json (Vega-Lite).

        SettingsError for another suffix, and where the file cannot be written.
        """
        target = Path(path)
        match target.suffix.lower():
            case ".svg":
                data = self.svg().encode()
            case ".png":
                data = self.png()
            case ".html":
                page = _imported("vl_convert").vegalite_to_html(self._drawn(), bundle=True)
                data = page.encode()
            case ".json":
                data = json.dumps(self.chart.to_dict(), indent=1).encode()
            case suffix:
                hint = did_you_mean(suffix, SUFFIXES)
                raise SettingsError(f"a chart cannot be saved as {target.name!r}: {hint}")
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
        width = int.from_bytes(picture[16:20]) // SCALE  # as the picture's header has it
        about = {"width": width, "alt": self.alt}
        return {"image/png": picture, "text/plain": text}, {"image/png": about}

    def _drawn(self, ink: str = "#222222", ground: str | None = "white") -> Spec:
        """The specification with the look of every chart."""
        words = {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12}
        faint = {"gridColor": "#7f7f7f", "gridOpacity": 0.25, "domainColor": "#7f7f7f"}
        config = {
            "background": ground,
            "padding": 12 if ground else 2,
            "font": "sans-serif",
            "view": {"stroke": None},
            "axis": words
            | faint
            | {"tickColor": "#7f7f7f", "titleFontWeight": "normal", "labelLimit": 120},
            "legend": words
            | {"orient": "bottom", "titleFontWeight": "normal", "columns": 3, "labelLimit": 190},
            "title": {"color": ink, "subtitleColor": ink, "anchor": "start", "frame": "bounds"}
            | {"fontSize": 14, "subtitleFontSize": 12, "subtitlePadding": 4, "offset": 8},
            "text": {"color": ink, "fontSize": 12},
            "rule": {"color": ink},
        }
        return {**self.spec, "config": config}


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


def _imported(name: str) -> Any:
    """The module, loaded when a chart is drawn; SettingsError where it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        cure = "`pip install nbroute` brings it back"
        raise SettingsError(f"charts need {name}, which is missing: {cure}") from error


def _compressed(png: bytes) -> bytes:
    """The same picture in a third of the size: notebooks keep it, and vl-convert packs in haste."""
    chunks: dict[bytes, bytes] = {}
    place = 8
    while place < len(png):
        size, kind = int.from_bytes(png[place : place + 4]), png[place + 4 : place + 8]
        chunks[kind] = chunks.get(kind, b"") + png[place + 8 : place + 8 + size]
        place += 12 + size
    chunks[b"IDAT"] = zlib.compress(zlib.decompress(chunks[b"IDAT"]))
    return png[:8] + b"".join(
        len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)
        for kind, data in chunks.items()
    )
