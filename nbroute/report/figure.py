"""One chart of a report: as a table, in a page, as altair's object, and in files."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from nbroute.errors import SettingsError, did_you_mean
from nbroute.report import bars, vega
from nbroute.report.drawing import Drawing, Row, in_words
from nbroute.report.table import text_table

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".svg", ".png", ".html", ".json")
#: Pixels of a PNG to a pixel on the page, so that it is sharp on any screen.
SCALE = 2
_NAMED_MARK = re.compile(r'<(path|line)\b([^>]*\baria-label="([^"]*)"[^>]*?)/>')


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Figure(Drawing):
    """One chart of a report: shown as a picture, `print`ed as a table.

    Only `save` touches a file: the one that the user names.
    """

    @property
    def spec(self) -> vega.Spec:
        """In Vega-Lite, unstyled."""
        return vega.spec(self)

    @property
    def chart(self) -> Any:
        """An `altair.Chart` with tooltips and selections, on a white card."""
        return imported("altair").Chart.from_dict(vega.styled(self.spec))

    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def svg(self, *, card: bool = True) -> str:
        """A static picture; the same figures give the same text.

        With `card=False` it has no background and takes the colour of the text around it:
        for an SVG inside a page, light or dark. A pointer over a mark shows its figures.
        """
        drawn = imported("vl_convert").vegalite_to_svg(vega.styled(self.spec, card=card))
        svg = _NAMED_MARK.sub(r"<\1\2><title>\3</title></\1>", drawn)
        return svg.replace("<svg ", f'<svg role="img" aria-label={quoteattr(self.alt)} ', 1)

    def png(self) -> bytes:
        """A static picture, two pixels to each on the page."""
        draw = imported("vl_convert").vegalite_to_png
        picture: bytes = draw(vega.styled(self.spec), scale=SCALE)
        return picture

    def save(self, path: str | Path) -> Path:
        """Write the chart as .svg, .png, .html (interactive, offline) or .json (Vega-Lite).

        SettingsError for another suffix, and where the file cannot be written.
        """
        target, styled = Path(path), vega.styled(self.spec)
        match target.suffix.lower():
            case ".svg":
                data = self.svg().encode()
            case ".png":
                data = self.png()
            case ".html":
                data = imported("vl_convert").vegalite_to_html(styled, bundle=True).encode()
            case ".json":
                data = json.dumps({"$schema": vega.SCHEMA, **styled}, indent=1).encode()
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

    def _repr_html_(self) -> str:
        return bars.page([self])


def grid(rows: Sequence[Row]) -> list[list[str]]:
    """The names of the columns, then the rows in words; empty without rows."""
    head = [list(row) for row in rows[:1]]
    return head + [[in_words(*one) for one in row.items()] for row in rows]


def imported(name: str) -> Any:
    """The module, loaded when a chart is drawn; SettingsError where it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        raise SettingsError(
            f"this needs {name}, which is not installed: pip install 'nbroute[charts]'"
        ) from error
