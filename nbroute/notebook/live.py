"""The one widget: HTML that a person can act on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from nbroute.notebook.look import CSS

_log = logging.getLogger("nbroute")

#: What was done, to what, and what was typed or chosen there.
Act = Callable[[str, str, str], None]


class Live(anywidget.AnyWidget):
    """Shows `html`, made here and safe, and calls `act(do, at, value)` for what is done in it.

    A `<button data-do="vote" data-at="SIMPLE">` that is pressed gives `act("vote", "SIMPLE", "")`;
    an `<input>`, `<select>` or `<textarea>` with `data-do` gives its value as it changes, and one
    with `data-enter` gives its own on Ctrl+Enter. Redrawing keeps the focus, what was typed, and
    what was folded out; elements with the same `data-key` are the same. `instead` is what a front
    end without widgets shows: the command that does the same.
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

    def __repr__(self) -> str:
        """Short: a widget's own repr would write out its whole state."""
        return f"<nbroute: {self._instead}>" if self._instead else "<nbroute controls>"
