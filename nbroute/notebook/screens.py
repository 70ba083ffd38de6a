"""Where a card is shown: live in a notebook, piece by piece in a terminal, or once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

from nbroute.notebook import render
from nbroute.notebook.answer import safe_plain


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

    def waits(self, why: str) -> None:
        """Nothing comes for a while; the view that says why must be shown now."""

    def give_up(self) -> None:
        """There is no answer, and an error will say why."""


class Redrawn:
    """One output that is drawn again in place, with a pause after each time.

    The pause is a second longer for so many `letters_per_s`, as each time sends all of them.
    """

    def __init__(self, pause_s: float, letters_per_s: int) -> None:
        self._pause_s, self._letters_per_s = pause_s, letters_per_s
        self._handle: Any = None
        self._next = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the pause is over."""
        return time.monotonic() >= self._next

    def hurry(self) -> None:
        """Have the pause be over."""
        self._next = 0.0

    def show(self, data: dict[str, str], metadata: dict[str, Any], letters: int = 0) -> None:
        """Draw this in place of what stands there."""
        from IPython.display import display

        if self._handle is None:
            self._handle = display(data, metadata=metadata, raw=True, display_id=True)
        else:
            self._handle.update(data, metadata=metadata, raw=True)
        self._next = time.monotonic() + self._pause_s + letters / self._letters_per_s

    def take_back(self) -> None:
        """Leave an empty output, if anything was drawn."""
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)


class Live:
    """One output, redrawn at most about eight times a second, a long answer less often."""

    has_meter = True

    def __init__(self) -> None:
        self._output = Redrawn(0.125, 400_000)

    def draw(self, view: render.View) -> None:
        """Redraw, unless it was done a moment ago."""
        if self._output.is_due:
            self.finish(view)

    def text(self, piece: str) -> None:
        """Nothing: the view holds the text."""

    def rejected(self, why: str) -> None:
        """Nothing: the view says so."""

    def waits(self, why: str) -> None:  # noqa: ARG002 - as the protocol has it
        """Have the next view drawn at once."""
        self._output.hurry()

    def give_up(self) -> None:
        """Take back what was drawn."""
        self._output.take_back()

    def finish(self, view: render.View) -> None:
        """Redraw now."""
        letters = len(view.running.text) if view.running else 0
        self._output.show(*render.bundle(view), letters)


class Once:
    """One plain output at the end: under nbval, nbclient or NBROUTE_STATIC=1."""

    has_meter = False

    def draw(self, view: render.View) -> None:
        """Nothing yet."""

    def text(self, piece: str) -> None:
        """Nothing yet."""

    def rejected(self, why: str) -> None:
        """Nothing: the view says so."""

    def waits(self, why: str) -> None:
        """Nothing yet."""

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

    def waits(self, why: str) -> None:
        """Print it in a line."""
        sys.stdout.write(f"--- {safe_plain(why)} ---\n\n")
        sys.stdout.flush()

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

    def waits(self, why: str) -> None:
        """Nothing."""

    def give_up(self) -> None:
        """Nothing."""

    def finish(self, view: render.View) -> None:
        """Nothing."""


_SCREENS: dict[str, Callable[[], Screen]] = {"live": Live, "terminal": Terminal, "once": Once}


def screen_for(shell: Any, *, static: bool) -> Screen:
    """The screen that suits this front end."""
    return _SCREENS[front_end(shell, static=static)]()


def front_end(shell: Any, *, static: bool) -> Literal["live", "terminal", "once"]:
    """How this front end shows what changes: again in place, in pieces, or at the end alone."""
    if static:
        return "once"
    if not hasattr(shell, "kernel"):
        return "terminal"
    return "live" if is_watched(shell) else "once"


def is_live(shell: Any, *, static: bool) -> bool:
    """Whether somebody may be looking at a front end that can be redrawn."""
    return front_end(shell, static=static) == "live"


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
