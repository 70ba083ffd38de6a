"""Where a card is shown: live in a notebook, piece by piece in a terminal, or once."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

from nbroute.notebook import render
from nbroute.notebook.untrusted import safe_plain


class Screen(Protocol):
    """What a card draws on; `has_meter` where a live session meter stands below it."""

    has_meter: bool

    def draw(self, view: render.View) -> None:
        """The view changed; it may be shown now or soon."""

    def text(self, piece: str) -> None:
        """A piece of the answer arrived."""

    def finish(self, view: render.View) -> None:
        """The view is final; it must be shown now."""

    def rejected(self, why: str) -> None:
        """The text so far is rejected, another answer follows."""

    def give_up(self) -> None:
        """There is no answer, and an error will say why."""


class Live:
    """One display handle, redrawn at most about eight times a second.

    A long answer is redrawn less often, since each redraw sends all of it again.
    """

    has_meter = True

    def __init__(self) -> None:
        self._handle: Any = None
        self._drawn = 0.0

    def draw(self, view: render.View) -> None:
        """Redraw, unless it was done a moment ago."""
        size = len(view.running.text) if view.running else 0
        if time.monotonic() - self._drawn > 0.125 + size / 400_000:
            self.finish(view)

    def text(self, piece: str) -> None:
        """Nothing: the view holds the text."""

    def rejected(self, why: str) -> None:
        """Nothing: the view says so."""

    def give_up(self) -> None:
        """Take back what was drawn."""
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)

    def finish(self, view: render.View) -> None:
        """Redraw now."""
        from IPython.display import display

        data, metadata = render.bundle(view)
        if self._handle is None:
            self._handle = display(data, metadata=metadata, raw=True, display_id=True)
        else:
            self._handle.update(data, metadata=metadata, raw=True)
        self._drawn = time.monotonic()


class Once:
    """One plain output at the end: under nbval, nbclient or NBROUTE_STATIC=1."""

    has_meter = False

    def draw(self, view: render.View) -> None:
        """Nothing yet."""

    def text(self, piece: str) -> None:
        """Nothing yet."""

    def rejected(self, why: str) -> None:
        """Nothing: the view says so."""

    def give_up(self) -> None:
        """Nothing was drawn."""

    def finish(self, view: render.View) -> None:
        """Show it."""
        from IPython.display import display

        data, metadata = render.bundle(view)
        display(data, metadata=metadata, raw=True)


class Terminal:
    """Prints the pieces as they come, then what the answer cost."""

    has_meter = False

    def __init__(self) -> None:
        self._shown = False

    def draw(self, view: render.View) -> None:
        """Nothing: what was printed stays."""

    def rejected(self, why: str) -> None:
        """Print a line between the two answers."""
        sys.stdout.write(f"\n\n--- {safe_plain(why)} ---\n\n")

    def give_up(self) -> None:
        """Nothing was printed."""

    def text(self, piece: str) -> None:
        """Print the piece."""
        self._shown = True
        sys.stdout.write(safe_plain(piece))
        sys.stdout.flush()

    def finish(self, view: render.View) -> None:
        """Print the rest: the line of figures, why, and the answer if it did not stream."""
        text = render.figures(view) if self._shown else render.plain(view)
        sys.stdout.write(("\n\n" if self._shown else "") + text + "\n")
        sys.stdout.flush()


class Quiet:
    """Shows nothing."""

    has_meter = False

    def draw(self, view: render.View) -> None:
        """Nothing."""

    def text(self, piece: str) -> None:
        """Nothing."""

    def rejected(self, why: str) -> None:
        """Nothing."""

    def give_up(self) -> None:
        """Nothing."""

    def finish(self, view: render.View) -> None:
        """Nothing."""


def screen_for(shell: Any, *, static: bool) -> Screen:
    """The screen that suits this front end."""
    if static:
        return Once()
    if not hasattr(shell, "kernel"):
        return Terminal()
    return Live() if is_watched(shell) else Once()


def is_watched(shell: Any) -> bool:
    """Whether a person may be looking.

    A front end that cannot type an answer to `input()` (nbclient, nbval, papermill) says so
    in its request, and has nobody to watch a stream or to press a button either.
    """
    if not hasattr(shell, "kernel"):
        return False
    try:
        content = shell.kernel.get_parent("shell").get("content", {})
    except (AttributeError, LookupError):
        return True
    return bool(content.get("allow_stdin", True))
