"""Where answers are shown: live in a notebook, piece by piece in a terminal, or once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Literal

Kind = Literal["live", "terminal", "once", "quiet"]
Bundle = tuple[dict[str, str], dict[str, Any]]

#: Seconds between two drawings, and one more for so many letters: each drawing sends them all.
_PAUSE_S, _LETTERS_PER_S = 0.125, 400_000


class Screen:
    """One output of a cell, for what is on its way and then for what came of it.

    "live" redraws it in place, "terminal" prints, "once" (nbval, nbclient, NBROUTE_STATIC=1)
    shows it only at the end, "quiet" never.
    """

    def __init__(self, kind: Kind = "quiet") -> None:
        self.kind = kind
        self._handle: Any = None
        self._next = 0.0
        self._stays = False

    @property
    def live(self) -> bool:
        """Whether it is redrawn while nothing arrives, and a later state can be drawn in place."""
        return self.kind == "live"

    def running(self, made: Callable[[], Bundle], *, now: bool = False) -> None:
        """Draw what has arrived, `now` or at most about eight times a second."""
        if self.live and (now or time.monotonic() >= self._next):
            self._draw(made())

    def put(self, text: str) -> None:
        """Print the text, but only in a terminal."""
        if self.kind == "terminal":
            put(text)

    def show(self, made: Bundle) -> None:
        """Show the final state, or an update of it.

        It is a new output unless updates are known to arrive; only a front end that draws updates
        has buttons that redraw it later.
        """
        if self.live:
            if not self._stays and not updates_arrive():
                self.give_up()
                self._handle = None
            self._stays = True
            self._draw(made)
        elif self.kind == "once":
            from IPython.display import display

            display(made[0], metadata=made[1], raw=True)
        self.put(made[0]["text/plain"] + "\n")

    def give_up(self) -> None:
        """Take back what was drawn: an error says why there is no more."""
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)

    def _draw(self, made: Bundle) -> None:
        from IPython.display import display

        data, metadata = made
        if self._handle is None:
            self._handle = display(data, metadata=metadata, raw=True, display_id=True)
        else:
            self._handle.update(data, metadata=metadata, raw=True)
        letters = len(data.get("text/html", ""))
        self._next = time.monotonic() + _PAUSE_S + letters / _LETTERS_PER_S


def updates_arrive() -> bool:
    """Whether this front end is known to redraw an output: it names the cell that it runs.

    A console does not, and an `Output` widget captures what is displayed but not its updates.
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
    """The request that the kernel is answering; empty if there is none."""
    try:
        return dict(shell.kernel.get_parent("shell"))
    except (AttributeError, LookupError, TypeError):
        return {}


def run_of(shell: Any) -> tuple[str, int]:
    """Which run of a cell this is; the count alone does not change if no history is kept."""
    header = message_of(shell).get("header", {})
    return str(header.get("msg_id", "")), shell.execution_count


def put(text: str) -> None:
    """Print the text; only what the screen cannot encode is lost."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        text = text.replace("→", "->").encode(encoding, "replace").decode(encoding)
        sys.stdout.write(text)
    sys.stdout.flush()


def front_end(shell: Any, *, static: bool) -> Kind:
    """How this front end shows what changes: redrawn in place, in pieces, or only at the end.

    One in which nobody can answer `input()` (nbclient, nbval, papermill) says so in its request,
    and has nobody to watch a stream or press a button either.
    """
    if static:
        return "once"
    if not hasattr(shell, "kernel"):
        return "terminal"
    return "live" if message_of(shell).get("content", {}).get("allow_stdin", True) else "once"


def is_live(shell: Any, *, static: bool) -> bool:
    """Whether somebody may be looking at a front end that can be redrawn."""
    return front_end(shell, static=static) == "live"
