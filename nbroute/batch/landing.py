"""Where outcomes land, for the caller's thread to take in, and for the file once it has left."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from nbroute.batch.outcomes import Outcome


class Landing:
    """A queue of outcomes that any thread puts and the caller's thread takes."""

    def __init__(self) -> None:
        self.waiting: deque[Outcome] = deque()
        self._look = threading.Event()
        self._lock = threading.Lock()
        self._late: Callable[[Outcome], None] | None = None

    def put(self, outcomes: Iterable[Outcome], *, look: bool = True) -> None:
        """Land them; `look` false where the caller's thread need not wake for it."""
        with self._lock:
            if self._late is None:
                self.waiting.extend(outcomes)
                outcomes = ()
        for outcome in outcomes:
            self._late(outcome)  # type: ignore[misc]  # once set it stays
        if look:
            self._look.set()

    def wait(self, seconds: float) -> None:
        """Return when there is something to look at, or after the time."""
        self._look.wait(seconds)
        self._look.clear()

    def leave(self, late: Callable[[Outcome], None]) -> None:
        """The caller's thread looks no more: `late` is told from here on."""
        with self._lock:
            self._late = late
            left, self.waiting = tuple(self.waiting), deque()
        for outcome in left:
            late(outcome)
