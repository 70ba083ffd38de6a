"""From prompts to rows: hands jobs out, takes outcomes in and writes them down as they come."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from decimal import Decimal
from threading import Event
from typing import Any

from nbroute.batch.crew import Crew
from nbroute.batch.outcomes import Outcome, without_answer
from nbroute.batch.pace import Pace
from nbroute.batch.progress import Bar
from nbroute.batch.prompts import Job, count_of, text_of, unfit
from nbroute.batch.rows import Row, row_of_error
from nbroute.batch.spool import Spool
from nbroute.errors import Interrupted, RecordError

#: Seconds between two looks at what has landed; a killed process loses what came in between.
_LOOK_EVERY = 0.1
_BLOCK = 500
#: Seconds that calls which run are waited for after Ctrl-C.
_PATIENCE_S = 1.0


class Run:
    """One pass over the prompts; all but the calls themselves happens on the caller's thread.

    `read` is how many prompts were read. Prompts that the spool has an answer to are skipped.
    """

    def __init__(
        self, prompts: Iterable[Any], crew: Crew, spool: Spool, bar: Bar, cancel: Event | None
    ) -> None:
        self.read = 0
        self.pace = Pace(crew.most)
        self._crew = crew
        self._spool = spool
        self._bar = bar
        self._cancel = cancel
        self._sized = count_of(prompts) is not None
        self._resumed = spool.last() >= 0
        self._source = iter(prompts)
        self._held: deque[Job] = deque()
        self._out: dict[int, Job] = {}
        self._alone: Job | None = None
        self._rows: list[Row] = []
        self._looked = time.monotonic()
        self._exhausted = False
        self._failure: Exception | None = None

    def carry_out(self) -> None:
        """Do them all. Interrupted where it was stopped; what the prompts' own iterator raises.

        In either case the rows so far are written.
        """
        try:
            self._work()
        except BaseException as error:
            self._wind_up()
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted("stopped") from None
            raise
        finally:
            self._crew.close()
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        self._hand_out()
        while self._out:
            self._crew.landing.wait(_LOOK_EVERY)
            self._take_in()
            if self._cancel is not None and self._cancel.is_set():
                raise KeyboardInterrupt
            if not self.pace.stopped:
                self._hand_out()
        self._leave_out()

    def _hand_out(self) -> None:
        limit = self._crew.limit = self.pace.limit
        room = limit - len(self._out)
        wanted = room - room % self._crew.step if limit == self._crew.most else room
        for _ in range(wanted):
            job = self._next()
            if job is None:
                break
            self._alone = job if limit == 1 else None
            self._out[job.place] = job
            self._crew.take(job)
            if self._crew.broken:
                break
            if time.monotonic() - self._looked > _LOOK_EVERY:
                self._take_in()
        self._crew.flush()
        if self._crew.broken:
            self.pace.stop(self._crew.broken)

    def _next(self) -> Job | None:
        """The next prompt that has to be sent; None where there is none."""
        if self._held:
            return self._held.popleft()
        for item in self._items():
            place = self.read
            self.read += 1
            wrong = unfit(item)
            if wrong is not None:
                self._keep(row_of_error(place, text_of(item), wrong))
            elif self._resumed and self._spool.has_answer(place, item):
                self._bar.skip()
            else:
                return Job(place, item)
        return None

    def _items(self) -> Iterator[Any]:
        while not self._exhausted:
            try:
                item = next(self._source)
            except StopIteration:
                self._exhausted = True
            except Exception as error:  # noqa: BLE001 - raised once the calls that run have ended
                self._exhausted, self._failure = True, error
            else:
                yield item

    def _take_in(self) -> None:
        """Write down what has landed; nothing is lost where Ctrl-C comes in between."""
        landed = self._crew.landing.waiting
        while landed:
            outcome = landed[0]
            self._out.pop(outcome.job.place, None)
            if self.pace.heed(outcome, alone=outcome.job == self._alone):
                self._keep(outcome.row)
            else:
                self._held.append(outcome.job)
            landed.popleft()
        self._write()
        self._looked = time.monotonic()

    def _keep(self, row: Row) -> None:
        self._rows.append(row)
        self._bar.count(row)
        if len(self._rows) >= _BLOCK:
            self._write()

    def _write(self) -> None:
        if self._rows:
            self._spool.write(self._rows)
            self._rows = []

    def _leave_out(self) -> None:
        """Rows for the prompts that are not sent any more; of a generator, those that were read."""
        if not self._sized:
            self._exhausted = True
        while self.pace.stopped and (job := self._next()) is not None:
            told = f"not sent: {self.pace.stopped}"
            self._keep(without_answer(job, "not sent", told, Decimal(0)))
        self._write()

    def _wind_up(self) -> None:
        """Begin nothing more, wait a little for what runs, and write down what came.

        What comes later takes the place of its interrupted row.
        """
        self._crew.cancel()
        ends = time.monotonic() + _PATIENCE_S
        self._take_in()
        while self._out and time.monotonic() < ends:
            self._crew.landing.wait(_LOOK_EVERY)
            self._take_in()
        told = "Interrupted: stopped"
        rows = [without_answer(job, "interrupted", told, None) for job in self._out.values()]
        rows += [without_answer(job, "interrupted", told, Decimal(0)) for job in self._held]
        self._rows += rows
        self._write()
        self._crew.landing.leave(_keeper(self._spool))


def _keeper(spool: Spool) -> Callable[[Outcome], None]:
    """What keeps a late row; a file that cannot be written any more has nobody to tell."""

    def keep(outcome: Outcome) -> None:
        with suppress(RecordError):
            spool.complete(outcome.row)

    return keep
