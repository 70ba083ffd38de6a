"""Who carries the prompts out: the threads of this process, sharing one router."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from nbroute.batch.landing import Landing
from nbroute.batch.outcomes import Asker, Outcome, Route, without_answer
from nbroute.batch.prompts import Job

#: Prompts for each thread that wait beside the one that it has, so that none is idle while
#: the main thread writes rows.
_WAITING = 3


class Crew(Protocol):
    """Takes jobs and lands outcomes, in any order.

    `most` is how many jobs may be out at once and `limit` how many at this time, `step` how
    many are best handed out together, `broken` why it takes no more.
    """

    most: int
    limit: int
    step: int
    broken: str
    landing: Landing

    def take(self, job: Job) -> None:
        """Take the job; it may wait for others until `flush`."""

    def flush(self) -> None:
        """Send off what waits."""

    def cancel(self) -> None:
        """Drop what was not begun, and begin nothing more; a call that runs ends by itself."""

    def close(self) -> None:
        """No more jobs come."""


class ThreadCrew:
    """Threads that take one prompt after the other from a queue.

    A thread takes prompts until there are no more: a future for each would cost as much as half
    a call's own work here. Its own threads are daemons, so that after Ctrl-C a script ends and
    does not wait for the calls that run.
    """

    step = 1
    broken = ""

    def __init__(
        self,
        route: Route,
        options: Mapping[str, Any],
        workers: int,
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        self.most = self.limit = workers * (1 + _WAITING)
        self.landing = Landing()
        self._ask = Asker(route, options)
        self._workers = workers
        self._pool = pool
        self._begun = 0
        self._own: list[threading.Thread] = []
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()

    def take(self, job: Job) -> None:
        """Queue the job."""
        self._inbox.put(job)
        if self._begun < self._workers:
            self._begin()

    def flush(self) -> None:
        """Nothing waits here."""

    def cancel(self) -> None:
        """Drop the jobs that wait."""
        self._ask.stop.set()
        told = "Interrupted: stopped before it was sent"
        for job in _emptied(self._inbox):
            row = without_answer(job, "interrupted", told, Decimal(0))
            self.landing.put([Outcome(job, row)])

    def close(self) -> None:
        """Send the threads home."""
        for _ in range(self._begun):
            self._inbox.put(None)
        if not self._ask.stop.is_set():
            for thread in self._own:
                thread.join()

    def _begin(self) -> None:
        self._begun += 1
        if self._pool is not None:
            self._pool.submit(self._work)
            return
        thread = threading.Thread(target=self._work, name=f"nbroute-map-{self._begun}", daemon=True)
        self._own.append(thread)
        thread.start()

    def _work(self) -> None:
        while (job := self._inbox.get()) is not None:
            outcome = self._ask(job)
            self.landing.put([outcome], look=self._inbox.qsize() <= self._workers)


def _emptied(inbox: SimpleQueue[Job | None]) -> list[Job]:
    jobs: list[Job] = []
    while True:
        try:
            job = inbox.get_nowait()
        except Empty:
            return jobs
        if job is not None:
            jobs.append(job)
