"""Charts in a notebook: HTML that stays, and below it a button that makes them live."""

from __future__ import annotations

from collections.abc import Sequence

from nbroute.notebook.answer import safe_plain
from nbroute.report import bars
from nbroute.report.figure import Figure


class Gallery:
    """Charts for the end of a cell; `print` gives the tables. `asked` is the magic for them."""

    def __init__(self, figures: Sequence[Figure], *, live: bool, asked: str) -> None:
        self.figures = tuple(figures)
        self._live, self._asked = live, asked

    def __repr__(self) -> str:
        """Every chart as a table."""
        return safe_plain("\n\n".join(map(repr, self.figures)))

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import display

        if not hasattr(get_ipython(), "kernel"):
            print(self)  # noqa: T201 - a terminal shows no pictures
            return
        explorer = None
        if self._live and any(figure.compares for figure in self.figures):
            from nbroute.notebook.explorer import Explorer

            explorer = Explorer(self.figures, self._asked)
        shown = bars.page(self.figures, place=explorer.place if explorer else "")
        display({"text/html": safe_plain(shown), "text/plain": repr(self)}, raw=True)
        if explorer:
            display(explorer)
