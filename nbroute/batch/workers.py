"""Who does the tasks: threads that share the router, or an executor of other processes.

A process pool, Dask, ipyparallel and loky are all given one function, `work`, which makes the
router again from its settings, with the keys of that process's own environment.
"""

from __future__ import annotations

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
from functools import lru_cache, partial
from queue import Empty, SimpleQueue
from typing import Any

from nbroute.batch.jobs import Job, Outcome, done
from nbroute.batch.rows import RowStatus, Task, without_answer
from nbroute.budgets import caps, day_of
from nbroute.engine.engine import Engine
from nbroute.errors import RecordError, SettingsError, named
from nbroute.report import Spend
from nbroute.settings import Settings
from nbroute.settings.profiles import missing_keys, with_keys, without_keys
from nbroute.storage.ledger import SqliteLedger

#: Tasks for each thread that wait besides the one that it has, so that none is idle while
#: the main thread writes rows.
_WAITING = 3
#: Tasks that go to another process at once: enough that packing costs little, few enough that
#: a death loses little.
_STEP = 8
#: What executors call the death of a worker, besides `BrokenExecutor`.
_DEATHS = ("KilledWorker", "EngineError", "TerminatedWorkerError")
_NOT_BEGUN = "Interrupted: stopped before it was sent"


class ThreadWorkers:
    """Threads that take tasks from a queue and hand the outcomes to `land`, in any order.

    At most `limit` tasks may be out at this time, and `most` at any; `step` are best sent at
    once. `broken` says why no more are taken. A thread takes tasks until there are no more: a
    future for each would cost as much as half a call's own work here. Its own threads are
    daemons, so that after Ctrl-C a script ends and does not wait for the calls that run.
    """

    step = 1
    broken = ""
    land: Callable[[Sequence[Outcome]], None]

    def __init__(
        self, router: Engine, job: Job, count: int, pool: ThreadPoolExecutor | None = None
    ) -> None:
        self.router = router
        self.job = job
        self.most = self.limit = count * (1 + _WAITING)
        self._count = count
        self._pool = pool
        self._begun = 0
        self._own: list[threading.Thread] = []
        self._inbox: SimpleQueue[Sequence[Task]] = SimpleQueue()
        self._stop = threading.Event()

    def send(self, tasks: Sequence[Task]) -> None:
        """Queue the tasks, for one thread; another is begun until there are enough."""
        self._inbox.put(tasks)
        if self._begun == self._count:
            return
        self._begun += 1
        if self._pool is not None:
            self._pool.submit(self._work)
        else:
            name = f"nbroute-map-{self._begun}"
            self._own.append(threading.Thread(target=self._work, name=name, daemon=True))
            self._own[-1].start()

    def cancel(self) -> None:
        """Drop what has not begun, and begin nothing more; a call that runs ends by itself."""
        self._stop.set()
        with suppress(Empty):
            while True:
                self.land(_lost(self._inbox.get_nowait(), "interrupted", _NOT_BEGUN))

    def close(self) -> None:
        """Send the threads home; no more tasks come."""
        for _ in range(self._begun):
            self._inbox.put(())
        if not self._stop.is_set():
            for thread in self._own:
                thread.join()

    def _work(self) -> None:
        while tasks := self._inbox.get():
            self.land(self._done(tasks))

    def _done(self, tasks: Sequence[Task]) -> list[Outcome]:
        return [done(self.job, self.router, task, self._stop) for task in tasks]


class ExecutorWorkers(ThreadWorkers):
    """Threads that each send some tasks at a time to an executor of other processes.

    At most twice `count` tasks are out. Attempts go into the caller's ledger as they come back,
    even after Ctrl-C. The tasks that are sent together may spend their share of what is left
    of the budgets. That is counted once (by whether the money is equivalent), and from then on
    by the attempts that come back: what another kernel spends meanwhile is not seen.
    """

    def __init__(self, router: Engine, job: Job, count: int, executor: Executor) -> None:
        self.step = min(_STEP, count)
        out = 2 * count // self.step
        super().__init__(router, job, out)
        self.most = self.limit = out * self.step
        self._recipe = packed(router, job)
        self._executor = executor
        self._lock = threading.Lock()
        self._left = left_of(router, job.options)
        #: What is held back for the tasks that are out, and how many those are.
        self._held: dict[str, tuple[Decimal, int]] = {}
        self._futures: set[Future[list[Outcome]]] = set()

    def cancel(self) -> None:
        """Take back what has not begun, where the executor can tell; the rest ends by itself."""
        super().cancel()
        if isinstance(self._executor, ProcessPoolExecutor):
            for future in tuple(self._futures):
                future.cancel()

    def _done(self, tasks: Sequence[Task]) -> list[Outcome]:
        name, count = uuid.uuid4().hex, len(tasks)
        with self._lock:  # hold back so many tasks' share of what is left
            room = max(self.limit - sum(out for _, out in self._held.values()), count)
            free = min(self._left.values(), default=Decimal(0))
            free = max(free - sum(usd for usd, _ in self._held.values()), Decimal(0))
            share = free * count / room
            self._held[name] = (share, count)
        outcomes = self._answered(tasks, share if self._left else None, name)
        attempts = [one for outcome in outcomes for one in outcome.attempts]
        with self._lock:
            for one in attempts:
                equivalent = one.cost_source == "equivalent"
                if equivalent in self._left and not one.cached:
                    self._left[equivalent] -= one.cost_usd or Decimal(0)
            del self._held[name]
        for one in attempts:
            with suppress(RecordError):
                self.router.ledger.append(one)
        self.router.history.changed()
        return [replace(one, attempts=()) for one in outcomes]

    def _answered(
        self, tasks: Sequence[Task], allowance: Decimal | None, name: str
    ) -> list[Outcome]:
        try:
            future = self._executor.submit(work, self._recipe, tasks, allowance, name)
        except Exception as error:  # noqa: BLE001 - each executor has its own; the rest is rows
            self.broken = _why(error)
            return _lost(tasks, "not sent", f"not sent: {self.broken}")
        self._futures.add(future)
        try:
            return future.result()
        except CancelledError:
            return _lost(tasks, "interrupted", _NOT_BEGUN)
        except BaseException as error:  # noqa: BLE001 - rows, each of them
            return _lost(tasks, "error", _why(error))
        finally:
            self._futures.discard(future)


def find_workers(router: Engine, job: Job, count: int, executor: Any = None) -> ThreadWorkers:
    """Those that the caller names; SettingsError where there are no such."""
    count = checked_workers(count, 16)
    if executor is None or isinstance(executor, ThreadPoolExecutor):
        return ThreadWorkers(router, job, count, executor)
    if not isinstance(executor, Executor):
        cure = "give client.get_executor()" if hasattr(executor, "get_executor") else "give one"
        raise SettingsError(
            f"executor is {executor!r:.60}, not a concurrent.futures.Executor; {cure}"
        )
    return ExecutorWorkers(router, job, count, executor)


def checked_workers(count: Any, default: int) -> int:
    """How many work at once, `default` for None; SettingsError where it is not such a number."""
    if count is None:
        return default
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise SettingsError(f"workers is {count!r}; it takes a whole number from 1 up")
    return count


def left_of(router: Engine, options: Mapping[str, Any]) -> dict[bool, Decimal]:
    """What is left of the budgets, by whether it is equivalent money; empty without a budget."""
    day = day_of(router.parts.clock())
    found = caps(router.limits, router.session, day, options.get("feature"))
    if not found or options.get("over_budget"):
        return {}
    used: list[Spend] = [router.ledger.spend(cap.scope).get(cap.key, Spend()) for cap in found]
    kinds = {router.parts.kind(tier) != "remote" for tier in router.ladder.tiers}
    return {
        kind: min(
            cap.usd - (spend.equivalent_usd if kind else spend.usd)
            for cap, spend in zip(found, used, strict=True)
        )
        for kind in kinds
    }


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
    make = partial(kind, without_keys(settings), session=router.session, **given)
    return bytes(pickler.dumps((make, router.code_allowed, job)))


def work(
    recipe: bytes,
    tasks: Sequence[Task],
    allowance_usd: Decimal | None,
    name: str,  # noqa: ARG001 - so that no two calls are the same
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


@lru_cache(maxsize=4)
def _made(recipe: bytes) -> tuple[Engine, Settings, Job]:
    """The router again, one a process, as its connections are worth keeping; and the job."""
    make, allowed, job = pickle.loads(recipe)  # noqa: S301 - the caller's own, over the executor's pickle
    settings = with_keys(make.args[0])
    router = make.func(settings, **make.keywords, ledger=SqliteLedger(None))
    router.code_allowed = allowed
    return router, settings, job


def _returned(outcome: Outcome, settings: Settings) -> Outcome:
    """The outcome with no more in it than the caller's ledger keeps."""
    row, attempts = outcome.row, outcome.attempts
    if not settings.store_text:
        attempts = tuple(replace(one, prompt=None, text=None) for one in attempts)
    missing = missing_keys(settings.providers)
    if outcome.fate == "hopeless" and missing:
        keys = " and no ".join(missing)
        row = replace(row, error=f"{row.error} (the worker at {platform.node()} has no {keys})")
    return replace(outcome, row=row, attempts=attempts)


def _lost(tasks: Sequence[Task], status: RowStatus, told: str) -> list[Outcome]:
    sent = status == "error"
    return [Outcome(task, without_answer(task, status, told, sent=sent)) for task in tasks]


def _why(error: BaseException) -> str:
    died = isinstance(error, BrokenExecutor) or type(error).__name__ in _DEATHS
    return f"the worker died: {named(error)}" if died else named(error)
