"""How a widget is redrawn while prompts are routed: asked for often, done rarely."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbroute.router import Router

_log = logging.getLogger("nbroute")

#: A result reaches the ledger some milliseconds after it was routed.
SETTLE_S = 0.15


class Following:
    """Calls `changed` whenever the router's session has something new, until it is closed."""

    def __init__(self, router: Router, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._history = router.history
        self.close = self._history.watch(changed)

    def follow(self, router: Router) -> None:
        """Follow that router's session from now on."""
        if router.history is not self._history:
            self.close()
            self._history = router.history
            self.close = self._history.watch(self._changed)


class Paced:
    """Does `act` on its own thread, at most once in `every_s` seconds.

    A slow act is done less often, so that it takes a tenth of the time at most. After the last
    `ask` there is always an act that begins once things have settled; between acts there is no
    thread.
    """

    def __init__(self, act: Callable[[], None], every_s: float) -> None:
        self._act, self._every_s = act, every_s
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._asked = self._free = 0.0
        self._closed = False

    def ask(self) -> None:
        """Ask for it to be done soon; returns at once."""
        with self._lock:
            self._asked = time.monotonic()
            if self._timer is None:
                self._begin()

    def close(self) -> None:
        """Do nothing from now on."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()

    def _begin(self) -> None:
        if self._closed:
            return
        wait = max(SETTLE_S, self._free - time.monotonic())
        self._timer = threading.Timer(wait, self._run)
        self._timer.daemon = True
        self._timer.start()

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self._act()
        except Exception:  # noqa: BLE001 - a thread's error has nobody to tell
            _log.exception("a widget could not be redrawn")
        ended = time.monotonic()
        with self._lock:
            self._free = ended + max(self._every_s, 10 * (ended - began))
            self._timer = None
            if self._asked > began - SETTLE_S:
                self._begin()
