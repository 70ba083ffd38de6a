"""Who does the tasks: threads that share the router, or an executor of other processes.

A process pool, Dask, ipyparallel and loky are all given one function, `work`, which makes the
router again from its settings, with the keys of that process's own environment.
"""

from __future__ import annotations

import functools
import pickle
import platform
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import closing, suppress
from dataclasses import replace
from decimal import Decimal
from queue import Empty, SimpleQueue
from typing import Any

from nbroute.batch.jobs import Job, Outcome, done
from nbroute.batch.rows import RowStatus, Task, without_answer
from nbroute.budgets import caps, day_of
from nbroute.engine.engine import Engine
from nbroute.errors import RecordError, SettingsError, named
from nbroute.report import Spend
from nbroute.settings import Settings
from nbroute.settings.keys import missing_keys, with_keys, without_keys
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Attempt

#: Tasks for each thread that wait besides the one that it has, so that none is idle while
#: the main thread writes rows.
_WAITING = 3
#: Tasks that go to another process at once: enough that packing costs little, few enough that
#: a death loses little.
_STEP = 8
#: What executors call the death of a worker, besides `BrokenExecutor`.
_DEATHS = ("KilledWorker", "EngineError", "TerminatedWorkerError")
_NOT_BEGUN = "Interrupted: stopped before it was sent"


Land = Callable[[Sequence[Outcome]], None]


class ThreadWorkers:
    """Threads that take one task after the other from a queue.

    At most `limit` tasks may be out at this time, and `most` at any; `step` are best sent at
    once. Outcomes go to `land`, on any thread; `broken` says why no more tasks are taken.

    A thread takes tasks until there are no more: a future for each would cost as much as half
    a call's own work here. Its own threads are daemons, so that after Ctrl-C a script ends and
    does not wait for the calls that run.
    """

    step = 1
    broken = ""
    land: Land

    def __init__(
        self, router: Engine, job: Job, count: int, pool: ThreadPoolExecutor | None = None
    ) -> None:
        self.most = self.limit = count * (1 + _WAITING)
        self.router = router
        self._job = job
        self._count = count
        self._pool = pool
        self._begun = 0
        self._own: list[threading.Thread] = []
        self._inbox: SimpleQueue[Task | None] = SimpleQueue()
        self._stop = threading.Event()

    def send(self, tasks: Sequence[Task], room: int) -> None:  # noqa: ARG002 - as executors
        """Queue the tasks, and begin a thread for each until there are enough."""
        for task in tasks:
            self._inbox.put(task)
            if self._begun < self._count:
                self._begin()

    def cancel(self) -> None:
        """Drop the tasks that wait."""
        self._stop.set()
        with suppress(Empty):
            while True:
                if task := self._inbox.get_nowait():
                    self.land([Outcome(task, without_answer(task, "interrupted", _NOT_BEGUN))])

    def close(self) -> None:
        """Send the threads home."""
        for _ in range(self._begun):
            self._inbox.put(None)
        if not self._stop.is_set():
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
        while (task := self._inbox.get()) is not None:
            self.land([done(self._job, self.router, task, self._stop)])


class ExecutorWorkers:
    """An executor of other processes, which is sent some tasks at a time.

    At most twice `count` tasks are out. Attempts go into the caller's ledger as they come back,
    even after Ctrl-C. Each parcel of tasks may spend its share of the budgets and no more.
    """

    land: Land

    def __init__(self, router: Engine, job: Job, count: int, executor: Executor) -> None:
        self.step = min(_STEP, count)
        self.most = self.limit = 2 * count // self.step * self.step
        self.broken = ""
        self.router = router
        self._recipe = packed(router, job)
        self._budgets = Budgets(router, job.options)
        self._executor = executor
        self._futures: dict[str, Future[list[Outcome]]] = {}

    def send(self, tasks: Sequence[Task], room: int) -> None:
        """Send the tasks as one parcel, of `room` that might be sent.

        Its id keeps a cluster from taking two parcels for one.
        """
        parcel = uuid.uuid4().hex
        allowance = self._budgets.share(parcel, Decimal(len(tasks)) / room)
        try:
            future = self._executor.submit(work, self._recipe, tuple(tasks), allowance, parcel)
        except Exception as error:  # noqa: BLE001 - each executor has its own; the rest is rows
            self.broken = _why(error)
            self._lose(parcel, tasks, "not sent", f"not sent: {self.broken}")
            return
        self._futures[parcel] = future
        future.add_done_callback(functools.partial(self._take_in, parcel, tasks))

    def cancel(self) -> None:
        """Take back what has not begun, where the executor can tell; the rest ends by itself."""
        if isinstance(self._executor, ProcessPoolExecutor):
            for future in tuple(self._futures.values()):
                future.cancel()

    def close(self) -> None:
        """The executor is the caller's and stays open."""

    def _take_in(self, parcel: str, tasks: Sequence[Task], future: Future[list[Outcome]]) -> None:
        try:
            outcomes = future.result()
        except CancelledError:
            self._lose(parcel, tasks, "interrupted", _NOT_BEGUN)
            return
        except BaseException as error:  # noqa: BLE001 - rows, each of them
            self._lose(parcel, tasks, "error", _why(error))
            return
        for attempt in (one for outcome in outcomes for one in outcome.attempts):
            self._budgets.pay(attempt)
            with suppress(RecordError):
                self.router.ledger.append(attempt)
            self.router.history.changed()
        self._settle(parcel, [replace(one, attempts=()) for one in outcomes])

    def _lose(
        self,
        parcel: str,
        tasks: Sequence[Task],
        status: RowStatus,
        told: str,
        *,
        sent: bool = False,
    ) -> None:
        rows = [without_answer(task, status, told, sent=sent) for task in tasks]
        self._settle(parcel, [Outcome(*one) for one in zip(tasks, rows, strict=True)])

    def _settle(self, parcel: str, outcomes: Sequence[Outcome]) -> None:
        self._budgets.settle(parcel)
        self._futures.pop(parcel, None)
        self.land(outcomes)


Workers = ThreadWorkers | ExecutorWorkers


def find_workers(router: Engine, job: Job, count: int, executor: Any = None) -> Workers:
    """Those that the caller names; SettingsError where they are not there."""
    if not isinstance(count, int) or count < 1:
        raise SettingsError(f"workers is {count!r}; it takes a whole number from 1 up")
    if executor is None or isinstance(executor, ThreadPoolExecutor):
        return ThreadWorkers(router, job, count, executor)
    if not isinstance(executor, Executor):
        cure = "give client.get_executor()" if hasattr(executor, "get_executor") else "give one"
        raise SettingsError(
            f"executor is {executor!r:.60}, not a concurrent.futures.Executor; {cure}"
        )
    return ExecutorWorkers(router, job, count, executor)


class Budgets:
    """What is left of the router's budgets, in shares that are held back until they are settled.

    It is counted once, by whether the money is equivalent, and from then on by the attempts
    that come back: what another kernel spends meanwhile is not seen.
    """

    def __init__(self, router: Engine, options: Mapping[str, Any]) -> None:
        day = day_of(router.parts.clock())
        found = caps(router.limits, router.session, day, options.get("feature"))
        kinds = {router.parts.kind(tier) != "remote" for tier in router.ladder.tiers}
        self._left: dict[bool, Decimal] = {}
        self._held: dict[str, Decimal] = {}
        for cap in () if options.get("over_budget") else found:
            used: Spend = router.ledger.spend(cap.scope).get(cap.key, Spend())
            for kind in kinds:
                left = cap.usd - (used.equivalent_usd if kind else used.usd)
                self._left[kind] = min(left, self._left.get(kind, left))

    def share(self, parcel: str, part: Decimal) -> Decimal | None:
        """Hold back so much (0 to 1) of what is free, for the parcel; None without a budget."""
        if not self._left:
            return None
        free = min(self._left.values()) - sum(tuple(self._held.values()))
        self._held[parcel] = max(free * part, Decimal(0))
        return self._held[parcel]

    def pay(self, attempt: Attempt) -> None:
        """Take an attempt's cost out."""
        equivalent = attempt.cost_source == "equivalent"
        if equivalent in self._left and not attempt.cached:
            self._left[equivalent] -= attempt.cost_usd or Decimal(0)

    def settle(self, parcel: str) -> None:
        """Give back what the parcel did not need."""
        self._held.pop(parcel, None)


def packed(router: Engine, job: Job) -> bytes:
    """The job, and how to make the router again: no keys; SettingsError for what cannot travel."""
    settings, given = getattr(router, "settings", None), getattr(router, "given", None)
    if settings is None or given is None:
        raise SettingsError(
            f"{router!r:.60} was put together by hand and cannot be made again in another "
            "process; use nbroute.Router, or leave executor out"
        )
    try:  # it takes a notebook's own functions along
        import cloudpickle as pickler  # type: ignore[import-untyped]  # it has no types
    except ImportError:
        pickler = pickle
    given = {**given, "ladder": router.ladder}
    for name, value in (*given.items(), *job.options.items()):
        try:
            if pickler is pickle and callable(value) and value.__module__ == "__main__":
                raise pickle.PicklingError("it was made in the notebook; pip install cloudpickle")  # noqa: TRY301 - as pickle's own
            pickler.dumps(value)
        except Exception as error:
            raise SettingsError(
                f"{name}={value!r:.80} cannot travel to another process ({error!s:.120}); name it "
                "in nbroute.toml or put it into a module, or leave executor out"
            ) from error
    kind: Callable[..., Engine] = type(router)
    make = functools.partial(kind, session=router.session, **given)
    return bytes(pickler.dumps((make, without_keys(settings), router.code_allowed, job)))


def work(
    recipe: bytes,
    tasks: Sequence[Task],
    allowance_usd: Decimal | None,
    parcel: str,  # noqa: ARG001 - so that no two calls are the same
) -> list[Outcome]:
    """Do the tasks, all at once, in this process; they may cost so much together.

    Their attempts come back with the outcomes, for the caller's ledger; here they are kept in
    memory. Ctrl-C, which a terminal sends to workers, too, stops the calls and loses none.
    """
    router, settings, job = _made(recipe)
    limits = replace(
        router.limits,
        budget_usd=allowance_usd,
        budget_usd_per_day=None,
        budget_usd_per_feature=None,
    )
    stop = threading.Event()
    with closing(SqliteLedger(None)) as ledger, ThreadPoolExecutor(len(tasks)) as pool:
        engine = Engine(replace(router.parts, ledger=ledger, limits=limits))
        engine.code_allowed = router.code_allowed
        asked = [pool.submit(done, job, engine, task, stop) for task in tasks]
        try:
            wait(asked)
        except KeyboardInterrupt:
            stop.set()
        return [_returned(one.result(), settings) for one in asked]


@functools.lru_cache(maxsize=4)
def _made(recipe: bytes) -> tuple[Engine, Settings, Job]:
    """The router again, one a process, as its connections are worth keeping; and the job."""
    make, settings, allowed, job = pickle.loads(recipe)  # noqa: S301 - the caller's own, over the executor's pickle
    settings = with_keys(settings)
    router = make(settings, ledger=SqliteLedger(None))
    router.code_allowed = allowed
    return router, settings, job


def _returned(outcome: Outcome, settings: Settings) -> Outcome:
    """The outcome with no more in it than the caller's ledger keeps."""
    row, attempts = outcome.row, outcome.attempts
    if not settings.store_text:
        attempts = tuple(replace(one, prompt=None, text=None) for one in attempts)
    missing = missing_keys(settings)
    if outcome.fate == "hopeless" and missing:
        keys = " and no ".join(missing)
        row = replace(row, error=f"{row.error} (the worker at {platform.node()} has no {keys})")
    return replace(outcome, row=row, attempts=attempts)


def _why(error: BaseException) -> str:
    died = isinstance(error, BrokenExecutor) or type(error).__name__ in _DEATHS
    return f"the worker died: {named(error)}" if died else named(error)
