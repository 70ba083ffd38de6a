"""Where a card is shown: live in a notebook, piece by piece in a terminal, or once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Literal

from nbroute.notebook import render
from nbroute.notebook.answer import safe_plain


class Screen:
    """What a card draws on; this one shows nothing, as with `--quiet`.

    One with `has_clock` is redrawn while nothing arrives, and has controls below it.
    """

    has_clock = False
    is_due = False

    def draw(self, view: render.View) -> None:
        """What is on its way, where the screen `is_due`."""

    def text(self, piece: str) -> None:
        """A piece of the answer arrived."""

    def finish(self, view: render.View) -> None:
        """The view must be shown now; it is final unless something is running in it."""

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
        self._stays = False

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

    def final(self, data: dict[str, str], metadata: dict[str, Any]) -> None:
        """Draw what stays: as an output of its own, unless updates are known to arrive.

        What a button redraws later is on a front end that draws updates.
        """
        if self._handle is not None and not self._stays and not updates_arrive():
            self.take_back()
            self._handle = None
        self._stays = True
        self.show(data, metadata)

    def take_back(self) -> None:
        """Leave an empty output, if anything was drawn."""
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)


def updates_arrive() -> bool:
    """Whether this front end is known to draw an output again: it names the cell that it runs.

    A console does not, and an `Output` widget takes in what is displayed but no update of it.
    """
    from IPython import get_ipython

    message = message_of(get_ipython())
    running = message.get("header", {}).get("msg_id")
    widgets = getattr(sys.modules.get("ipywidgets.widgets.widget"), "_instances", {})
    captured = any(
        isinstance(getattr(one, "msg_id", None), str) and one.msg_id == running
        for one in list(widgets.values())
    )
    return "cellId" in message.get("metadata", {}) and not captured


def message_of(shell: Any) -> dict[str, Any]:
    """The request that the kernel is answering; empty where there is none."""
    try:
        return dict(shell.kernel.get_parent("shell"))
    except (AttributeError, LookupError, TypeError):
        return {}


def run_of(shell: Any) -> tuple[str, int]:
    """Which run of a cell this is; where no history is kept, the count alone stands still."""
    header = message_of(shell).get("header", {})
    return str(header.get("msg_id", "")), shell.execution_count


class Live(Screen):
    """One output, redrawn at most about eight times a second, a long answer less often."""

    has_clock = True

    def __init__(self) -> None:
        self._output = Redrawn(0.125, 400_000)

    def place(self) -> None:
        """Put an empty output here, to be drawn in later."""
        self._output.final({"text/plain": ""}, {})

    @property
    def is_due(self) -> bool:  # type: ignore[override]
        """Whether a drawing is not too soon."""
        return self._output.is_due

    def draw(self, view: render.View) -> None:
        """Redraw."""
        self._output.show(*render.bundle(view), len(view.running.text) if view.running else 0)

    def waits(self, why: str) -> None:  # noqa: ARG002 - the view says why
        """Have the next view drawn at once."""
        self._output.hurry()

    def give_up(self) -> None:
        """Take back what was drawn."""
        self._output.take_back()

    def finish(self, view: render.View) -> None:
        """Redraw; what is not running any more stays."""
        if view.running:
            self.draw(view)
        else:
            self._output.final(*render.bundle(view))


class Once(Screen):
    """One plain output at the end: under nbval, nbclient or NBROUTE_STATIC=1."""

    def finish(self, view: render.View) -> None:
        """Show what is final."""
        if not view.running:
            from IPython.display import display

            data, metadata = render.bundle(view)
            display(data, metadata=metadata, raw=True)


class Terminal(Screen):
    """Prints the pieces as they come, then what the answer cost."""

    def __init__(self) -> None:
        self._shown = False

    def rejected(self, why: str) -> None:
        """Print a line between the two answers."""
        put(f"\n\n--- {safe_plain(why)} ---\n\n")

    def waits(self, why: str) -> None:
        """Print it in a line."""
        put(f"--- {safe_plain(why)} ---\n\n")

    def text(self, piece: str) -> None:
        """Print the piece."""
        self._shown = True
        put(safe_plain(piece))

    def finish(self, view: render.View) -> None:
        """Print the rest: the line of figures, why, and the answer if it did not stream."""
        text = render.figures(view) if self._shown else render.plain(view)
        put(("\n\n" if self._shown else "") + text + "\n")


def put(text: str) -> None:
    """Print the text; what the screen cannot encode is lost, and nothing else."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        text = text.replace("→", "->").encode(encoding, "replace").decode(encoding)
        sys.stdout.write(text)
    sys.stdout.flush()


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
    content = message_of(shell).get("content", {})
    return hasattr(shell, "kernel") and bool(content.get("allow_stdin", True))
