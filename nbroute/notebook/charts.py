"""Charts in a notebook: pictures that stay, and below them a button that makes them live."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import cache
from typing import Any

from nbroute.errors import SettingsError
from nbroute.notebook.untrusted import escape_markdown, safe_plain
from nbroute.report.charts import Figure, together

EXPLORE, CLOSE = "Explore: tooltips and selections", "Close the live charts"
_HINT = (
    "Point at a bar for its figures. Click a bar, or a name in a legend, to pick it; "
    "double-click to see all again."
)
#: The menu of a chart: what would open a page on the network is left out.
_MENU = {"export": True, "source": False, "compiled": False, "editor": False}


class Gallery:
    """Charts for the end of a cell: each a picture, then the button; `print` gives the tables."""

    def __init__(self, figures: Sequence[Figure], *, live: bool, asked: str) -> None:
        self.figures = tuple(figures)
        self._live, self._asked = live, asked

    def __repr__(self) -> str:
        """Every chart as a table."""
        return safe_plain("\n\n".join(map(repr, self.figures)))

    def _ipython_display_(self) -> None:
        from IPython import get_ipython

        if not hasattr(get_ipython(), "kernel"):
            print(self)  # noqa: T201 - a terminal shows no pictures
            return
        for figure in self.figures:
            show_picture(figure)
        show_words(self.figures)
        if self._live:
            show_controls(together(self.figures), self._asked)


def show_picture(figure: Figure) -> bool:
    """Display the static chart; where it cannot be drawn, its table and how to cure that.

    Whether there is a picture.
    """
    from IPython.display import display

    data, metadata = figure._repr_mimebundle_()
    data["text/plain"] = safe_plain(data["text/plain"])
    display(data, metadata=metadata, raw=True)
    return "image/png" in data


def show_words(figures: Sequence[Figure]) -> None:
    """Display, folded, what the pictures show: few front ends read a picture's own words."""
    from IPython.display import display

    said = [figure.alt for figure in figures]
    lines = "\n".join(f"- {escape_markdown(line)}" for line in said)
    folded = f"<details>\n<summary>The charts in words</summary>\n\n{lines}\n\n</details>"
    display({"text/plain": safe_plain("\n".join(said)), "text/markdown": folded}, raw=True)


def show_controls(figure: Figure, asked: str) -> None:
    """Display the button, an output of its own; `asked` is the magic that shows the same."""
    from IPython.display import display

    display(_explorer()(figure, asked))


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


@cache
def _explorer() -> Any:
    import ipywidgets as widgets

    class Explorer(widgets.VBox):
        """The button, and what it opens; Vega is sent to the page at the click, not before."""

        def __init__(self, figure: Figure, asked: str) -> None:
            self._figure, self._asked = figure, asked
            self.button = widgets.Button(
                description=EXPLORE, tooltip=_HINT, layout={"width": "auto"}
            )
            self.said = widgets.HTML()
            row = widgets.HBox(
                [self.button, self.said], layout={"flex_flow": "row wrap", "align_items": "center"}
            )
            super().__init__([row], layout={"overflow": "auto"})
            self.button.on_click(lambda _: self.toggle())

        def toggle(self) -> None:
            """Open the live charts below the button, or close them."""
            row, *opened = self.children
            if opened:
                self.children = (row,)
                for chart in opened:
                    chart.close()
                self._say(EXPLORE, "")
                return
            self._say(EXPLORE, "drawing ...")
            try:
                self.children = (row, self._drawn())
            except Exception as error:  # noqa: BLE001 - a click has no other place to tell
                told = str(error) if isinstance(error, SettingsError) else repr(error)
                self._say(EXPLORE, told)
            else:
                self._say(CLOSE, _HINT)

        def _drawn(self) -> Any:
            chart = self._figure.chart
            return _live_chart()(chart, embed_options={"actions": _MENU, "renderer": "svg"})

        def _say(self, button: str, text: str) -> None:
            self.button.description = button
            self.said.value = (
                '<span role="status" style="color:var(--jp-ui-font-color1, inherit)">'
                f"{html.escape(text)}</span>"
            )

        def __repr__(self) -> str:
            """What a front end without widgets shows: what does the same."""
            return f"<nbroute: live charts; {self._asked} draws them, .chart is altair's>"

    return Explorer
