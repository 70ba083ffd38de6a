"""Who does the tasks: threads that share the router, or an executor of other processes.

A process pool, Dask, ipyparallel and loky all get one function, `work`, which makes the router
again from its settings, with the keys of that process's own environment.
"""

from __future__ import annotations

import logging
import pickle
import platform
import sys
import threading
import uuid
from collections import Counter
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

from nbroute.batch.jobs import Job, Outcome, done, expected, fate_of
from nbroute.batch.rows import RowStatus, Task, row_of_error, without_answer
from nbroute.budgets import caps, over_budget
from nbroute.classify.registry import DEFAULT, FORMER, READY
from nbroute.engine.attempts import new_id
from nbroute.engine.engine import Engine
from nbroute.errors import BudgetExceeded, NbrouteError, RecordError, SettingsError, named
from nbroute.settings import Settings
from nbroute.settings.profiles import missing_keys
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Attempt, Cap, Refusal

_log = logging.getLogger("nbroute")

#: Tasks that wait for each thread, besides the one it has, so that none is idle while the main
#: thread writes rows.
_WAITING = 3
#: Tasks that go to another process at once: enough that packing costs little, few enough that a
#: dead worker loses little.
_STEP = 8
#: What executors call the death of a worker, besides `BrokenExecutor`.
_DEATHS = ("KilledWorker", "EngineError", "TerminatedWorkerError")
_NOT_BEGUN = "Interrupted: stopped before it was sent"
_AGAIN = "the worker died, and another one started over"


class ThreadWorkers:
    """Threads that share the router, take tasks from a queue and hand each outcome to `land`.

    At most `limit` tasks may be out at a time; `step` are best sent at once. A thread takes tasks
    until there are no more: a future for each would cost half as much as a call's own work here.
    Without a pool they are daemons, so that after Ctrl-C a script ends without waiting for the
    calls that run.
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
        """Queue the tasks, and start another thread until there are enough."""
        for task in tasks:
            self._inbox.put(task)
        if self._to_begin:
            self._to_begin -= 1
            if self._pool is not None:
                self._pool.submit(self._work)
            else:
                threading.Thread(target=self._work, daemon=True).start()

    def close(self, *, cancel: bool = False) -> None:
        """No more tasks come. To cancel drops what has not begun; what runs ends by itself."""
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

    `broken` says why it takes no more. At most twice `count` tasks are out. Before a task is
    submitted it has a row in the caller's ledger, with its worst case held back from the
    budgets; together they may spend that much. What they did spend replaces it as they come
    back, even after Ctrl-C; if a worker died, the worst case stays as an estimate.
    """

    broken = ""
    land: Callable[[Sequence[Outcome]], None]

    def __init__(self, router: Engine, job: Job, count: int, executor: Executor) -> None:
        self.step = min(_STEP, count)
        self.limit = 2 * count // self.step * self.step
        self.router = router
        self._options = job.options
        classifier = str(job.options.get("classifier") or getattr(router, "classifier", ""))
        self._sure = classifier in (DEFAULT, FORMER, "learned", *READY)
        self._recipe = packed(router, job)
        self._executor = executor
        self._futures: set[Future[list[Outcome]]] = set()
        self._run = uuid.uuid4().hex
        self._begun: Counter[str] = Counter()
        dask: Any = getattr(executor, "_client", None)
        if hasattr(dask, "subscribe_topic"):
            dask.subscribe_topic(self._run, lambda event: self._begun.update([event[1]]))

    def send(self, tasks: Sequence[Task]) -> None:
        """Write the tasks down and submit them; those that the budgets refuse land at once."""
        now, options = self.router.parts.clock(), self._options
        budgets = caps(self.router.limits, self.router.session, now, options.get("feature"))
        budgets = () if options.get("over_budget") else budgets
        try:
            opened = self._open(tasks, budgets)
        except RecordError as unreadable:
            self.land(_lost(tasks, "not sent", named(unreadable)))
            return
        rows = {place: one for place, one in opened.items() if isinstance(one, Attempt)}
        for task in tasks:
            if isinstance(error := opened.get(task.place), BudgetExceeded):
                self.land([Outcome(row_of_error(task, error, "not sent"), fate_of(error))])
        tasks = [one for one in tasks if one.place in rows or one.place not in opened]
        if not tasks:
            return
        held = [one.reserved_usd for one in rows.values() if one.reserved_usd is not None]
        allowance, name = sum(held, Decimal(0)) if budgets else None, uuid.uuid4().hex
        try:
            future = self._executor.submit(work, self._recipe, tasks, allowance, self._run, name)
        except Exception as error:  # noqa: BLE001 - each executor has its own; the rest is rows
            self.broken = _why(error)
            self._settle(rows, _lost(tasks, "not sent", f"not sent: {self.broken}"))
            return
        self._futures.add(future)
        future.add_done_callback(partial(self._come_back, tasks, rows, name))

    def close(self, *, cancel: bool = False) -> None:
        """To cancel takes back what has not begun, if the executor can tell."""
        if cancel and isinstance(self._executor, ProcessPoolExecutor):
            for future in tuple(self._futures):
                future.cancel()

    def _open(
        self, tasks: Sequence[Task], budgets: Sequence[Cap]
    ) -> dict[int, Attempt | BudgetExceeded]:
        """Each task's row as it was written, or why it was not; none for what cannot be sent.

        If the worst case is only a bound, what is left of the budgets will do; a prompt that is
        tried alone may have all of that.
        """
        bound = not self._sure or self._options.get("strategy", "direct") != "direct"
        drafts: dict[int, Attempt] = {}
        for task in tasks:
            with suppress(NbrouteError):
                drafts[task.place] = expected(
                    self.router, task.prompt, self._options, sure=self._sure
                )
        wanted = [*drafts.values()]
        if bound and budgets and self.limit == 1:
            most = min(cap.usd for cap in budgets)
            wanted = [replace(one, reserved_usd=most) for one in wanted]
        written = self._write_down(wanted, budgets, cut=bound)
        return {
            place: over_budget(one, draft) if isinstance(one, Refusal) else one
            for (place, draft), one in zip(drafts.items(), written, strict=True)
        }

    def _come_back(
        self,
        tasks: Sequence[Task],
        rows: Mapping[int, Attempt],
        name: str,
        future: Future[list[Outcome]],
    ) -> None:
        self._futures.discard(future)
        for _ in range(self._begun.pop(name, 0) - 1):
            again = [replace(_lost_row(one, _AGAIN), id=new_id()) for one in rows.values()]
            self._write_down(again)
        try:
            outcomes = future.result()
        except CancelledError:
            outcomes = _lost(tasks, "interrupted", _NOT_BEGUN)
        except BaseException as error:  # noqa: BLE001 - rows, each of them
            outcomes = [_gone(task, rows.get(task.place), _why(error)) for task in tasks]
        self._settle(rows, outcomes)

    def _settle(self, rows: Mapping[int, Attempt], outcomes: Sequence[Outcome]) -> None:
        """Replace the tasks' rows by what became of them, and land the outcomes."""
        settled: list[Attempt] = []
        for outcome in outcomes:
            attempts = [*outcome.attempts]
            if opened := rows.get(outcome.row.place):
                nothing = replace(opened, status="not sent", cost_usd=Decimal(0), reserved_usd=None)
                attempts[:1] = [replace(attempts[0], id=opened.id) if attempts else nothing]
            settled += attempts
        self._write_down(settled)
        self.router.history.changed()
        self.land(outcomes)

    def _write_down(
        self, attempts: Sequence[Attempt], caps: Sequence[Cap] = (), *, cut: bool = False
    ) -> list[Attempt | Refusal]:
        """Write them in one step, or one by one into a user's own ledger that cannot.

        RecordError if there are caps and the ledger cannot be read.
        """
        ledger = self.router.ledger
        try:
            if hasattr(ledger, "append_all"):
                return ledger.append_all(attempts, caps, cut=cut)
            return [ledger.reserve(one, caps) or one for one in attempts]
        except RecordError as error:
            if caps:
                raise
            if not error.told:
                _log.warning("%s", error)
            return [*attempts]  # they are kept in memory


Workers = ThreadWorkers | ExecutorWorkers


def find_workers(router: Engine, job: Job, count: int, executor: Any) -> Workers:
    """The workers that the caller asks for; SettingsError if there are none of that kind."""
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
    """How many work at once, `default` for None; SettingsError if that is not a number."""
    if count is None:
        return default
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise SettingsError(f"workers is {count!r}; it takes a whole number from 1 up")
    return count


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
    make = partial(kind, replace(settings, record=None), session=router.session, **given)
    return bytes(pickler.dumps((make, router.code_allowed, job)))


def work(
    recipe: bytes,
    tasks: Sequence[Task],
    allowance_usd: Decimal | None,
    run: str,
    name: str,
) -> list[Outcome]:
    """Do the tasks, all at once, in this process; together they may cost `allowance_usd`.

    Their attempts come back with the outcomes, for the caller's ledger; here they are kept in
    memory. Ctrl-C, which a terminal sends to workers, too, stops the calls and loses none.
    Dask gives the work of a dead worker to another one, so each start is reported to it.
    """
    if "distributed" in sys.modules:
        with suppress(ValueError):  # not on a Dask worker
            sys.modules["distributed"].get_worker().log_event(run, name)
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
    """The router, one for each process, as its connections are worth keeping; and the job."""
    make, allowed, job = pickle.loads(recipe)  # noqa: S301 - the caller's own, over the executor's pickle
    (settings,) = make.args  # with the keys of this process
    router = make.func(settings, **make.keywords, ledger=SqliteLedger(None))
    router.code_allowed = allowed
    return router, settings, job


def _lost(tasks: Sequence[Task], status: RowStatus, told: str) -> list[Outcome]:
    return [Outcome(without_answer(task, status, told)) for task in tasks]


def _gone(task: Task, opened: Attempt | None, why: str) -> Outcome:
    """The outcome of a task whose worker died: it may have been paid for, so its row stays."""
    row = without_answer(task, "error", why, sent=True)
    if opened is None:
        return Outcome(row)
    row = replace(row, cost_usd=opened.cost_usd, cost_source=opened.cost_source)
    return Outcome(row, attempts=(_lost_row(opened, why),))


def _lost_row(opened: Attempt, why: str) -> Attempt:
    told = f"{why}; what it cost is an estimate, the worst case"
    return replace(opened, status="error", error=told, reserved_usd=None)


def _why(error: BaseException) -> str:
    died = isinstance(error, BrokenExecutor) or type(error).__name__ in _DEATHS
    return f"the worker died: {named(error)}" if died else named(error)
