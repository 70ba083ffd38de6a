"""The session's results in this process, and who is told that there is something new."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from nbroute.types import RouteResult

Changed = Callable[[], None]
#: Results that are kept; of a long run over many prompts, the last ones.
KEPT = 2_000

_log = logging.getLogger("nbroute")


class History:
    """What was routed since the kernel started, and who watches; safe to share between threads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._results: deque[RouteResult] = deque(maxlen=kept)
        self._watchers: list[Changed] = []
        self._lock = threading.Lock()

    def add(self, result: RouteResult) -> None:
        """Keep the result, the oldest giving way."""
        with self._lock:
            self._results.append(result)

    def results(self) -> tuple[RouteResult, ...]:
        """The last results, oldest first."""
        with self._lock:
            return tuple(self._results)

    def watch(self, watcher: Changed) -> Callable[[], None]:
        """Call `watcher` after each routed prompt, on its thread, until the returned is called.

        A watcher must be quick: the prompt's caller waits for it.
        """
        with self._lock:
            self._watchers.append(watcher)
        return lambda: self._forget(watcher)

    def changed(self) -> None:
        """Tell those who watch; one that breaks is logged and breaks nothing."""
        with self._lock:
            watchers = tuple(self._watchers)
        for watcher in watchers:
            try:
                watcher()
            except Exception:  # noqa: BLE001 - who watches does not steer
                _log.exception("a watcher of the session failed")

    def _forget(self, watcher: Changed) -> None:
        with self._lock:
            if watcher in self._watchers:
                self._watchers.remove(watcher)
