"""The one widget: HTML that a person can act on, and the rooms made from it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from nbroute.notebook.look import CSS
from nbroute.notebook.screens import is_live

if TYPE_CHECKING:
    from nbroute.router import Router

_log = logging.getLogger("nbroute")

#: Called with what was done, to what, and what was typed or chosen there.
Act = Callable[[str, str, str], None]


class Live(anywidget.AnyWidget):
    """Shows `html`, made here and safe, and calls `act(do, at, value)` for what is done in it.

    Pressing a `<button data-do="vote" data-at="SIMPLE">` calls `act("vote", "SIMPLE", "")`; an
    `<input>`, `<select>` or `<textarea>` with `data-do` sends its value as it changes, and one
    with `data-enter` also on Ctrl+Enter. Redrawing keeps the focus, what was opened, and what was
    typed meanwhile: HTML that repeats what a field has sent is an echo; anything else is shown.
    Elements with the same `data-key` are the same. `instead` is what a front end without widgets
    shows: the command that does the same.
    """

    _esm = (Path(__file__).parent / "live.js").read_text("utf-8")
    _css = CSS
    html = traitlets.Unicode().tag(sync=True)

    def __init__(self, html: str = "", act: Act | None = None, instead: str = "") -> None:
        self._act, self._instead = act, instead
        super().__init__(html=html)
        self.on_msg(self._heard)

    def act(self, do: str, at: str = "", value: str = "") -> None:
        """Do as if a person had."""
        if self._act is not None:
            self._act(do, at, value)

    def _heard(self, _: Any, content: dict[str, Any], __: Any) -> None:
        try:
            self.act(*(str(content.get(name, "")) for name in ("do", "at", "value")))
        except Exception:  # noqa: BLE001 - a click's error has nobody to tell
            _log.exception("a click could not be answered")
        finally:
            self.send({"heard": True})  # the next value may come

    def bundle(self, instead: str = "") -> dict[str, Any]:
        """What displays it; `instead` is for a page made from the notebook, without widgets."""
        made: Any = self._repr_mimebundle_()
        return {**(made[0] if isinstance(made, tuple) else made), "text/plain": instead}

    def __repr__(self) -> str:
        """Short: a widget's own repr would write out its whole state."""
        return f"<nbroute: {self._instead}>" if self._instead else "<nbroute controls>"


class Room(Live):
    """A widget that follows the notebook's router, from any thread, until it is closed.

    If nothing can be redrawn, it shows itself once, in `words`.
    """

    def __init__(self, router: Router, instead: str, words: Callable[[], object]) -> None:
        self.router, self._words = router, words
        self.lock = threading.RLock()
        self.closed = False
        super().__init__(instead=instead)

    def refresh(self, router: Router) -> None:
        """Something has happened; use that router from now on."""
        self.router = router

    def announced(self, _words: str) -> bool:
        """Show what a provider says it is doing; False if that is shown elsewhere."""
        return False

    def close(self) -> None:
        """Disappear from the screen."""
        self.closed = True
        super().close()

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import display

        if is_live(get_ipython(), static=self.router.settings.static):
            display(self.bundle(repr(self._words())), raw=True)
        else:
            display(self._words())
