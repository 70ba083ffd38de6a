"""Charts in a notebook: pictures that stay, and below them a button that makes them live."""

from __future__ import annotations

from collections.abc import Sequence

from nbroute.notebook.answer import escape_markdown, safe_plain
from nbroute.report.charts import together
from nbroute.report.figure import Figure


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

    from nbroute.notebook.explorer import Explorer

    display(Explorer(figure, asked))
