"""Where a comparison is shown: live in a notebook, answer by answer in a terminal, or once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

from nbroute.compare.comparison import Comparison
from nbroute.notebook.answer import safe_plain
from nbroute.notebook.comparing import columns
from nbroute.notebook.comparing.lanes import Lanes
from nbroute.notebook.comparing.view import Pane, View
from nbroute.notebook.screens import Redrawn, front_end


class Board(Protocol):
    """What a comparison is drawn on; `live` where a later state can be drawn in place."""

    live: bool

    def draw(self, lanes: Lanes) -> None:
        """Something arrived; it may be shown now or soon."""

    def ended(self, pane: Pane) -> None:
        """An answer is complete."""

    def give_up(self) -> None:
        """There is no comparison, and an error will say why."""

    def finish(self, view: View, comparison: Comparison) -> None:
        """The view is final; it must be shown now."""

    def again(self, view: View, comparison: Comparison) -> None:
        """It changed after that: a vote, or marks."""


class Live:
    """One output, redrawn at most about six times a second, long answers less often."""

    live = True

    def __init__(self) -> None:
        self._output = Redrawn(0.16, 200_000)

    def draw(self, lanes: Lanes) -> None:
        """Redraw, unless that was done just now."""
        if self._output.is_due:
            data = {"text/plain": "", "text/html": columns.page(lanes.view)}
            self._output.show(data, {}, lanes.size)

    def ended(self, pane: Pane) -> None:  # noqa: ARG002 - as the protocol has it
        """Have the next drawing not wait."""
        self._output.hurry()

    def give_up(self) -> None:
        """Take back what was drawn."""
        self._output.take_back()

    def finish(self, view: View, comparison: Comparison) -> None:
        """Redraw now."""
        self._output.show(*columns.bundle(view, comparison))

    def again(self, view: View, comparison: Comparison) -> None:
        """Redraw in place."""
        self.finish(view, comparison)


class Once:
    """One output at the end: under nbval, nbclient or NBROUTE_STATIC=1."""

    live = False

    def draw(self, lanes: Lanes) -> None:
        """Nothing yet."""

    def ended(self, pane: Pane) -> None:
        """Nothing yet."""

    def give_up(self) -> None:
        """Nothing was drawn."""

    def finish(self, view: View, comparison: Comparison) -> None:
        """Show it."""
        show(view, comparison)

    def again(self, view: View, comparison: Comparison) -> None:
        """Show it once more, where it changed."""
        self.finish(view, comparison)


class Terminal(Once):
    """Prints each answer when it is complete, and all the rest below them."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def ended(self, pane: Pane) -> None:
        """Print the answer under its heading."""
        self._printed.add(pane.title)
        _print(columns.pane_plain(pane))

    def finish(self, view: View, comparison: Comparison) -> None:  # noqa: ARG002 - as above
        """Print the answers that were not printed yet, then the table."""
        rest = [pane for pane in view.panes if pane.title not in self._printed]
        for pane in rest:
            _print(columns.pane_plain(pane))
        table = columns.table(view)
        _print("\n".join([*view.above, *([repr(table)] if table else []), *view.below]))

    def again(self, view: View, comparison: Comparison) -> None:  # noqa: ARG002 - as above
        """Print it all."""
        _print(columns.plain(view))


class Quiet(Once):
    """Shows nothing."""

    def finish(self, view: View, comparison: Comparison) -> None:
        """Nothing."""


def show(view: View, comparison: Comparison) -> None:
    """Show the whole thing as an output of its own."""
    from IPython.display import display

    data, metadata = columns.bundle(view, comparison)
    display(data, metadata=metadata, raw=True)


_BOARDS: dict[str, Callable[[], Board]] = {"live": Live, "terminal": Terminal, "once": Once}


def board_for(shell: Any, *, static: bool) -> Board:
    """The board that suits this front end."""
    return _BOARDS[front_end(shell, static=static)]()


def _print(text: str) -> None:
    sys.stdout.write(safe_plain(text) + "\n\n")
    sys.stdout.flush()
