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
from nbroute.budgets import caps
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
    """Threads that share the router, take tasks from a queue and hand each outcome to `land`.

    At most `limit` tasks may be out at this time; `step` are best sent at once. A thread takes
    tasks until there are no more: a future for each would cost as much as half a call's own
    work here. Without a pool they are daemons, so that after Ctrl-C a script ends and does not
    wait for the calls that run.
    """

    step = 1
    broken = ""
    land: Callable[[Sequence[Outcome]], None]

    def __init__(
        self, router: Engine, job: Job, count: int, pool: ThreadPoolExecutor | None = None
    ) -> None:
        self.router = router
        self.limit = count * (1 + _WAITING)
        self._job = job
        self._to_begin = count
        self._pool = pool
        self._inbox: SimpleQueue[Task | None] = SimpleQueue()
        self._stop = threading.Event()

    def send(self, tasks: Sequence[Task]) -> None:
        """Queue the tasks; another thread is begun until there are enough."""
        for task in tasks:
            self._inbox.put(task)
        if self._to_begin:
            self._to_begin -= 1
            if self._pool is not None:
                self._pool.submit(self._work)
            else:
                threading.Thread(target=self._work, daemon=True).start()

    def close(self, *, cancel: bool = False) -> None:
        """No more tasks come; to cancel is to drop what has not begun. What runs ends by itself."""
        if cancel:
            self._stop.set()
            with suppress(Empty):
                while task := self._inbox.get_nowait():
                    self.land(_lost([task], "interrupted", _NOT_BEGUN))
        self._inbox.put(None)

    def _work(self) -> None:
        while task := self._inbox.get():
            self.land([done(self._job, self.router, task, self._stop)])
        self._inbox.put(None)  # for the next thread


class ExecutorWorkers:
    """An executor of other processes, used like `ThreadWorkers`.

    `broken` says why it takes no more. At most twice `count` tasks are out. Attempts go into
    the caller's ledger as they come back, even after Ctrl-C. The tasks that are sent together
    may spend their share of what is left of the budgets. That is counted once (by whether the
    money is equivalent), and from then on by the attempts that come back: what another kernel
    spends meanwhile is not seen.
    """

    broken = ""
    land: Callable[[Sequence[Outcome]], None]

    def __init__(self, router: Engine, job: Job, count: int, executor: Executor) -> None:
        self.step = min(_STEP, count)
        self.limit = 2 * count // self.step * self.step
        self.router = router
        self._recipe = packed(router, job)
        self._executor = executor
        self._lock = threading.Lock()
        self._left = left_of(router, job.options)
        #: What is held back for the tasks that are out, and how many those are.
        self._held, self._out = Decimal(0), 0
        self._futures: set[Future[list[Outcome]]] = set()

    def send(self, tasks: Sequence[Task]) -> None:
        """Submit the tasks, with their share of what is left of the budgets."""
        with self._lock:
            free = max(min(self._left.values(), default=Decimal(0)) - self._held, Decimal(0))
            share = free * len(tasks) / max(self.limit - self._out, len(tasks))
            self._held += share
            self._out += len(tasks)
        name, allowance = uuid.uuid4().hex, share if self._left else None
        try:
            future = self._executor.submit(work, self._recipe, tasks, allowance, name)
        except Exception as error:  # noqa: BLE001 - each executor has its own; the rest is rows
            self.broken = _why(error)
            self.land(_lost(tasks, "not sent", f"not sent: {self.broken}"))
            return
        self._futures.add(future)
        future.add_done_callback(partial(self._come_back, tasks, share))

    def close(self, *, cancel: bool = False) -> None:
        """To cancel is to take back what has not begun, where the executor can tell."""
        if cancel and isinstance(self._executor, ProcessPoolExecutor):
            for future in tuple(self._futures):
                future.cancel()

    def _come_back(
        self, tasks: Sequence[Task], share: Decimal, future: Future[list[Outcome]]
    ) -> None:
        self._futures.discard(future)
        try:
            outcomes = future.result()
        except CancelledError:
            outcomes = _lost(tasks, "interrupted", _NOT_BEGUN)
        except BaseException as error:  # noqa: BLE001 - rows, each of them
            outcomes = _lost(tasks, "error", _why(error))
        attempts = [one for outcome in outcomes for one in outcome.attempts]
        with self._lock:
            self._held -= share
            self._out -= len(tasks)
            for one in attempts:
                equivalent = one.cost_source == "equivalent"
                if equivalent in self._left and not one.cached:
                    self._left[equivalent] -= one.cost_usd or Decimal(0)
        for one in attempts:
            with suppress(RecordError):
                self.router.ledger.append(one)
        self.router.history.changed()
        self.land(outcomes)


Workers = ThreadWorkers | ExecutorWorkers


def find_workers(router: Engine, job: Job, count: int, executor: Any = None) -> Workers:
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
    now = router.parts.clock()
    found = caps(router.limits, router.session, now, options.get("feature"))
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
        outcomes = [one.result() for one in asked]
    if missing := " and no ".join(missing_keys(settings.providers)):
        told = f" (the worker at {platform.node()} has no {missing})"
        for place, one in enumerate(outcomes):
            if one.fate == "hopeless":
                row = replace(one.row, error=f"{one.row.error}{told}")
                outcomes[place] = one._replace(row=row)
    return outcomes


@lru_cache(maxsize=4)
def _made(recipe: bytes) -> tuple[Engine, Settings, Job]:
    """The router again, one a process, as its connections are worth keeping; and the job."""
    make, allowed, job = pickle.loads(recipe)  # noqa: S301 - the caller's own, over the executor's pickle
    settings = with_keys(make.args[0])
    router = make.func(settings, **make.keywords, ledger=SqliteLedger(None))
    router.code_allowed = allowed
    return router, settings, job


def _lost(tasks: Sequence[Task], status: RowStatus, told: str) -> list[Outcome]:
    sent = status == "error"
    return [Outcome(without_answer(task, status, told, sent=sent)) for task in tasks]


def _why(error: BaseException) -> str:
    died = isinstance(error, BrokenExecutor) or type(error).__name__ in _DEATHS
    return f"the worker died: {named(error)}" if died else named(error)
