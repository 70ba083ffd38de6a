"""The button below charts that replaces them with live ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from nbroute.errors import SettingsError
from nbroute.notebook.live import Live
from nbroute.notebook.look import button, heard
from nbroute.report import vega
from nbroute.report.figure import Figure, imported

EXPLORE, CLOSE = "Explore: tooltips and selections", "Close the live charts"
_HINT = (
    "Point at a bar for its figures. Click a bar, or a name in a legend, to pick it; "
    "double-click to see all again."
)


class Explorer(widgets.VBox):
    """The button, and what it opens; Vega is sent to the page only at the click.

    `place` is the class of what it replaces; `asked` is the magic that shows the same.
    """

    def __init__(self, figures: Sequence[Figure], asked: str) -> None:
        self._figures, self._asked = [one for one in figures if one.compares], asked
        self._button = Live(act=lambda *_: self.toggle(), instead=f"{asked} draws live charts")
        super().__init__([self._button], layout={"overflow": "auto"})
        self.children: tuple[Any, ...]
        self.place = f"nbr-{self.model_id}"
        self._say(EXPLORE, "")

    def toggle(self) -> None:
        """Open the live charts in place of the others, or close them."""
        *opened, below = self.children
        if opened:
            self.children = (below,)
            for chart in opened:
                chart.close()
            self._say(EXPLORE, "")
            return
        self._say(EXPLORE, "drawing ...")
        try:
            specs = [vega.styled(figure.spec, card=False) for figure in self._figures]
            self.children = (_vega()(specs=specs, place=self.place), below)
        except Exception as error:  # noqa: BLE001 - a click has no other place to tell
            self._say(EXPLORE, str(error) if isinstance(error, SettingsError) else repr(error))
        else:
            self._say(CLOSE, _HINT)

    def _say(self, words: str, beside: str) -> None:
        shown = button(words, "toggle", title=_HINT) + heard(beside)
        self._button.html = f'<div class="nbr"><div class="nbr-row">{shown}</div></div>'

    def __repr__(self) -> str:
        """What a front end without widgets shows: what does the same."""
        return f"<nbroute: live charts; {self._asked} draws them, .chart is altair's>"


@cache
def _vega() -> Any:
    """A widget with Vega built in, so that it needs neither the network nor altair."""
    source = Path(__file__).with_name("vega.js").read_text("utf-8")

    class Vega(anywidget.AnyWidget):
        _esm = imported("vl_convert").javascript_bundle(source)
        specs: traitlets.List[Any] = traitlets.List().tag(sync=True)
        place = traitlets.Unicode().tag(sync=True)

        def __repr__(self) -> str:
            """Short: a widget's own repr would write out its whole state."""
            return "<nbroute live charts>"

    return Vega
