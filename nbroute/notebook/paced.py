"""How a widget is redrawn while prompts are routed: asked often, done seldom."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbroute.router import Router

_log = logging.getLogger("nbroute")

#: What has just been routed is in the ledger some milliseconds later.
SETTLE_S = 0.15


class Following:
    """Calls `changed` whenever the router's session has something new, until it is closed."""

    def __init__(self, router: Router, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._history = router.history
        self.close = self._history.watch(changed)

    def follow(self, router: Router) -> None:
        """Follow that router's session from here on."""
        if router.history is not self._history:
            self.close()
            self._history = router.history
            self.close = self._history.watch(self._changed)


class Paced:
    """Does `act` on a thread of its own, at most once in `every_s` seconds.

    An act that is slow is done less often, in a tenth of the time. The last asking is always
    followed by an act that begins after it has settled; between acts there is no thread.
    """

    def __init__(self, act: Callable[[], None], every_s: float) -> None:
        self._act, self._every_s = act, every_s
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._asked = self._free = 0.0
        self._closed = False

    def ask(self) -> None:
        """Have it done soon; returns at once."""
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
