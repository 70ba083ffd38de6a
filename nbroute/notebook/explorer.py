"""The button below charts that makes them live, and what it opens."""

from __future__ import annotations

from functools import cache
from typing import Any

import ipywidgets as widgets

from nbroute.errors import SettingsError
from nbroute.notebook.pieces import Said, button, row
from nbroute.report.figure import Figure

EXPLORE, CLOSE = "Explore: tooltips and selections", "Close the live charts"
_HINT = (
    "Point at a bar for its figures. Click a bar, or a name in a legend, to pick it; "
    "double-click to see all again."
)
#: The menu of a chart: what would open a page on the network is left out.
_MENU = {"export": True, "source": False, "compiled": False, "editor": False}


class Explorer(widgets.VBox):
    """The button, and what it opens; Vega is sent to the page at the click, not before.

    `asked` is the magic that shows the same.
    """

    def __init__(self, figure: Figure, asked: str) -> None:
        self._figure, self._asked = figure, asked
        self.button = button(EXPLORE, _HINT)
        self.said = Said()
        super().__init__([row(self.button, self.said)], layout={"overflow": "auto"})
        self.children: tuple[Any, ...]
        self.button.on_click(lambda _: self.toggle())

    def toggle(self) -> None:
        """Open the live charts below the button, or close them."""
        first, *opened = self.children
        if opened:
            self.children = (first,)
            for chart in opened:
                chart.close()
            self._say(EXPLORE, "")
            return
        self._say(EXPLORE, "drawing ...")
        try:
            self.children = (first, self._drawn())
        except Exception as error:  # noqa: BLE001 - a click has no other place to tell
            self._say(EXPLORE, str(error) if isinstance(error, SettingsError) else repr(error))
        else:
            self._say(CLOSE, _HINT)

    def _drawn(self) -> Any:
        options = {"actions": _MENU, "renderer": "svg"}
        return _live_chart()(self._figure.chart, embed_options=options)

    def _say(self, description: str, words: str) -> None:
        self.button.description = description
        self.said.say(words)

    def __repr__(self) -> str:
        """What a front end without widgets shows: what does the same."""
        return f"<nbroute: live charts; {self._asked} draws them, .chart is altair's>"


@cache
def _live_chart() -> Any:
    """Altair's widget with Vega inside, so that it needs no network.

    A class of our own: the charts of the user's other cells are left as they are.
    """
    import altair as alt

    class LiveChart(alt.JupyterChart):
        def __repr__(self) -> str:
            """Short: a widget's own repr would write out its whole state."""
            return "<nbroute live chart>"

    LiveChart.enable_offline()
    return LiveChart
