"""Who carries the prompts out: the threads of this process, sharing one router."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol

from nbroute.many.outcomes import Outcome, Route, outcome_of
from nbroute.many.prompts import Job

#: Prompts for each thread that wait beside the one that it has, so that none is idle while
#: the main thread writes rows.
_WAITING = 3


class Crew(Protocol):
    """Takes jobs and brings outcomes back, in any order.

    `most` is how many jobs may be out at once and `limit` how many at this time, `step` how
    many are best handed out together, `patience_s` how long those that run are waited for once
    they were told to stop, `broken` why it takes no more.
    """

    most: int
    limit: int
    step: int
    patience_s: float
    broken: str
    landed: deque[Outcome]

    def take(self, job: Job) -> None:
        """Take the job; it may wait for others until `flush`."""

    def flush(self) -> None:
        """Send off what waits."""

    def wait(self, seconds: float) -> None:
        """Return when something has landed that is worth looking at, or after the time."""

    def cancel(self) -> None:
        """Stop what runs."""

    def close(self) -> None:
        """No more jobs come."""


class ThreadCrew:
    """Threads that take one prompt after the other from a queue.

    A job of the pool is a thread's whole working day: a future for each prompt would cost as
    much as half a call's own work here.
    """

    step = 1
    patience_s = 5.0
    broken = ""

    def __init__(
        self,
        route: Route,
        options: Mapping[str, Any],
        workers: int,
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        self.most = self.limit = workers * (1 + _WAITING)
        self.landed: deque[Outcome] = deque()
        self._route = route
        self._options = options
        self._workers = workers
        self._own = ThreadPoolExecutor(workers, "nbroute-map") if pool is None else None
        self._pool: ThreadPoolExecutor = pool or self._own  # type: ignore[assignment]  # one of the two is there
        self._days: list[Future[None]] = []
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._look = threading.Event()
        self._cancel = threading.Event()

    def take(self, job: Job) -> None:
        """Queue the job."""
        self._inbox.put(job)
        if len(self._days) < self._workers:
            self._days.append(self._pool.submit(self._work))

    def flush(self) -> None:
        """Nothing waits here."""

    def wait(self, seconds: float) -> None:
        """Return when threads may run dry, or after the time."""
        self._look.wait(seconds)
        self._look.clear()

    def cancel(self) -> None:
        """Stop the running calls and drop those that wait."""
        self._cancel.set()
        while not self._inbox.empty():
            self._inbox.get()

    def close(self) -> None:
        """Send the threads home."""
        for _ in self._days:
            self._inbox.put(None)
        if self._own is not None:
            self._own.shutdown(wait=not self._cancel.is_set())

    def _work(self) -> None:
        while (job := self._inbox.get()) is not None:
            self.landed.append(outcome_of(self._route, job, self._options, self._cancel))
            if self._inbox.qsize() <= self._workers:
                self._look.set()
