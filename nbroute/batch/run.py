"""From prompts to rows: hands tasks out, takes outcomes in and writes them down as they come."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from nbroute.batch.jobs import Job, Outcome, described, read_prompts, text_of, unfit
from nbroute.batch.rows import Row, Task, row_of_error, without_answer
from nbroute.batch.store import Batch, Store, open_store
from nbroute.batch.workers import Workers, find_workers
from nbroute.engine.engine import Engine
from nbroute.engine.plan import check_options, read_options
from nbroute.errors import Interrupted, RecordError, SettingsError
from nbroute.report import Spend
from nbroute.types import Observer, RouteResult

_Found = TypeVar("_Found")
#: Called with how many calls are done, of how many, and what they have cost so far.
Progress = Callable[[int, int | None, Spend], object]

#: Seconds between two looks at what has landed; a killed process loses what came in between.
_LOOK_EVERY = 0.1
#: Rows that are written at once.
_BLOCK = 500
#: Seconds to wait for running calls after Ctrl-C.
_PATIENCE_S = 1.0
#: This many failures in a row that every prompt would have end the sending.
_HOPELESS = 20
#: Async calls at once, over all tasks of the process; further ones wait.
_ASYNC_THREADS = ThreadPoolExecutor(64, "nbroute-async")


def map_prompts(
    router: Engine,
    prompts: Iterable[str],
    *,
    executor: Executor | None = None,
    workers: int = 16,
    to: str | Path | None = None,
    resume: Batch | None = None,
    fresh: bool = False,
    progress: bool | None = None,
    cancel: threading.Event | None = None,
    **options: Any,
) -> Batch:
    """Route every prompt, `workers` at once; a `Batch` with a row each, in order.

    `prompts` is any iterable of texts, also a generator or a DataFrame's column; it is read as
    it is needed. The options are those of `route`, the same for all, without `thread`.

    A prompt that fails is a row with its error. Sending stops when it is no use any more: at the
    first prompt that does not fit in the budget even alone (after waiting for what calls
    elsewhere hold back), and after 20 calls in a row that ended with a refused key or a setting.
    The rows left then say "not sent", and `Batch.stopped` says why.

    Rows go into a file as they come: `to` (a .sqlite or .parquet file), or a temporary one. The
    same call with the same `to` does only what has no answer yet, after Ctrl-C, after a crash, or
    for the rows that failed; a prompt that has changed is asked again, other options are a
    SettingsError, and `fresh` starts over. Without `to`, `resume` takes the interrupted batch.

    `executor` is any of `concurrent.futures`. A thread pool shares this router. Others (a
    process pool, Dask's `client.get_executor()`) make it again in each worker, with the keys of
    the worker's own environment; what they cost comes back into this ledger, except what a
    worker that died had paid.

    Raises SettingsError before anything is sent, and Interrupted, whose `result` is the batch
    so far, on Ctrl-C or once `cancel` is set. Nothing more is sent then; a whole answer on
    its way is paid for, so it may still come, and replaces its interrupted row.
    """
    items = read_prompts(prompts)
    if options.get("thread") is not None:
        raise SettingsError("thread is for one conversation, and many prompts are not one")
    if options.get("repeat") is not None:
        raise SettingsError("repeat is for one prompt; list each as often as it should be asked")
    check_options(read_options(options), router.ladder)
    job = Job(options)
    threads = find_workers(router, job, workers, executor)
    store = open_store(to, resume, fresh=fresh)
    store.begin(described(router, job.options))
    count = len(items) if isinstance(items, Sized) else None
    with Bar(router, count, shown=progress) as bar:
        return run(items, threads, store, bar, cancel)


def run(
    prompts: Iterable[Any],
    workers: Workers,
    store: Store,
    bar: Bar,
    cancel: threading.Event | None = None,
) -> Batch:
    """Have the workers do their job with every prompt; the rows are in the store, and returned.

    Raises Interrupted if it was stopped (its `result` is the batch so far), and what the prompts'
    own iterator raises; either way the rows so far are written.
    """
    one = _Run(prompts, workers, store, bar, cancel)
    router = workers.router
    with getattr(router.ledger, "gathering", nullcontext)():
        try:
            one.work()
        except KeyboardInterrupt:
            batch = Batch(store, stopped="interrupted")
            raise interrupted(f"stopped after {one.read:,} prompts", batch.to, batch) from None
        finally:
            router.history.arrange(store.results())
    del workers.land  # so that the store goes with the last batch on it, not at a later collection
    store.finish(one.read)
    return Batch(store, one.read, stopped=one.stopped)


@dataclass
class _Run:
    """One pass over the prompts; all but the calls themselves happens on the caller's thread.

    `read` is how many prompts were read, `stopped` why no more are sent. A running call holds
    its worst case back from the budget, so a prompt that is refused may well fit once the others
    have settled: it is tried again, with fewer at once (`workers.limit`). If it is refused
    alone, that is the end.
    """

    prompts: Iterable[Any]
    workers: Workers
    store: Store
    bar: Bar
    cancel: threading.Event | None
    read: int = 0
    stopped: str = ""
    _failure: Exception | None = None
    _held: deque[Task] = field(default_factory=deque)
    _out: dict[int, Task] = field(default_factory=dict)
    _alone: int | None = None
    _hopeless: int = 0
    _rows: list[Row] = field(default_factory=list)
    _landed: deque[Outcome] = field(default_factory=deque)
    _look: threading.Event = field(default_factory=threading.Event)
    _looked: float = 0.0
    _left: bool = False

    def __post_init__(self) -> None:
        self._sized = isinstance(self.prompts, Sized)
        self._tasks = self._read()
        self.workers.land = self._land

    def work(self) -> None:
        """Do them all; once stopped, the rest become rows, too (of a generator, what was read)."""
        try:
            self._hand_out()
            while self._out:
                self._take_in(_LOOK_EVERY)
                if self.cancel is not None and self.cancel.is_set():
                    raise KeyboardInterrupt  # noqa: TRY301 - as Ctrl-C does
                self.stopped = self.stopped or self.workers.broken
                if not self.stopped:
                    self._hand_out()
            while self.stopped and (self._held or self._sized) and (task := self._next()):
                self._keep(without_answer(task, "not sent", f"not sent: {self.stopped}"))
            self._write()
        except BaseException:
            self._wind_up()
            raise
        self.workers.close()
        if self._failure is not None:
            raise self._failure

    def _hand_out(self) -> None:
        """Send as many as may be out; none is out afterwards only if none is left to send."""
        limit, step = self.workers.limit, self.workers.step
        for room in range(limit - len(self._out), 0, -step):
            if time.monotonic() - self._looked > _LOOK_EVERY:
                self._take_in()
            several = range(min(step, room))
            tasks = [task for _ in several if (task := self._next())]
            if not tasks:
                break
            self._alone = tasks[0].place if limit == 1 else None
            self._out |= {task.place: task for task in tasks}
            self.workers.send(tasks)

    def _next(self) -> Task | None:
        """The next prompt to send; None if there is none."""
        return self._held.popleft() if self._held else next(self._tasks, None)

    def _read(self) -> Iterator[Task]:
        """The prompts that have no answer yet, read as they are needed."""
        resumed = not self.store.is_empty()
        try:
            for place, item in enumerate(self.prompts):
                self.read = place + 1
                wrong = unfit(item)
                if wrong is not None:
                    self._keep(row_of_error(Task(place, text_of(item)), wrong))
                elif resumed and self.store.has_answer(place, item):
                    self.bar.count()
                else:
                    yield Task(place, item)
        except Exception as error:  # noqa: BLE001 - raised once the calls that run have ended
            self._failure = error

    def _land(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes from any thread.

        The caller's thread wakes once half of what is out has come: each row that it writes
        costs the workers a turn.
        """
        self._landed.extend(outcomes)
        if self._left:
            self._keep_late()
        elif 2 * len(self._landed) >= len(self._out):
            self._look.set()

    def _take_in(self, wait_s: float = 0.0) -> None:
        """Write down what has landed; nothing is lost where Ctrl-C comes in between."""
        self._look.wait(wait_s)
        self._look.clear()
        while self._landed:
            row = self._landed[0].row
            self._out.pop(row.place, None)
            if self._heed(self._landed[0]):
                self._keep(row)
            else:
                self._held.append(Task(row.place, row.prompt))
            self._landed.popleft()
        self._write()
        self._looked = time.monotonic()

    def _heed(self, outcome: Outcome) -> bool:
        """Note what it means for other prompts; False if its own is to be tried again."""
        if self.stopped:
            return True
        refused = outcome.fate in ("refused", "early")
        if refused and outcome.row.place != self._alone:
            self.workers.limit = max(self.workers.limit - 1, 1)
            return False
        if outcome.fate == "early":
            self.bar.tell("waiting for calls elsewhere that hold the rest of the budget")
            time.sleep(_LOOK_EVERY)
            return False
        self._hopeless = self._hopeless + 1 if outcome.fate == "hopeless" else 0
        if refused:
            self.stopped = f"{outcome.row.error}"
        elif self._hopeless == _HOPELESS:
            self.stopped = f"{_HOPELESS} calls in a row ended with {outcome.row.error}"
        return True

    def _keep(self, row: Row) -> None:
        self._rows.append(row)
        self.bar.count(row)
        if len(self._rows) >= _BLOCK:
            self._write()

    def _write(self) -> None:
        if self._rows:
            self.store.write(self._rows)
            self._rows = []

    def _wind_up(self) -> None:
        """Begin nothing more, wait a little for what runs, and write down what came.

        What comes later takes the place of its interrupted row.
        """
        self.workers.close(cancel=True)
        ends = time.monotonic() + _PATIENCE_S
        self._take_in()
        while self._out and time.monotonic() < ends:
            self._take_in(_LOOK_EVERY)
        for task in (*self._out.values(), *self._held):
            sent = task.place in self._out
            row = without_answer(task, "interrupted", "Interrupted: stopped", sent=sent)
            self._rows.append(row)
        self._write()
        self._left = True
        self._keep_late()

    def _keep_late(self) -> None:
        """If the file cannot be written any more, there is nobody left to tell."""
        with suppress(IndexError, RecordError):
            while True:
                self.store.complete(self._landed.popleft().row)


class Bar:
    """A tqdm bar with the running cost: plain text if the router's settings ask for it.

    By default it is not shown for a single call. If `shown` is a function, it is called instead.
    """

    def __init__(
        self,
        router: Engine,
        total: int | None,
        *,
        shown: bool | Progress | None = None,
        unit: str = "prompt",
    ) -> None:
        self._spend = Spend()
        self._done, self._total, self._told = 0, total, shown if callable(shown) else None
        shown = False if callable(shown) else shown
        settings = getattr(router, "settings", None)
        shown = (total is None or total > 1) if shown is None else shown
        if not shown or (settings and settings.static):
            from tqdm import tqdm
        else:
            from tqdm.auto import tqdm
        self._bar: Any = tqdm(total=total, unit=unit, disable=not shown)

    def count(self, row: Row | None = None) -> None:
        """Count one more row; None is one that was there already."""
        if row is not None and not (self._bar.disable and self._told is None):
            unknown = row.cost_usd is None
            usd = 0.0 if row.cached else float(row.cost_usd or 0)
            self._spend += Spend.of_source(row.cost_source, usd, 1, row.cached, unknown)
            self._bar.set_postfix_str(f"{self._spend.told} so far", refresh=False)
        self._bar.update()
        self._done += 1
        if self._told is not None:
            self._told(self._done, self._total, self._spend)

    def tell(self, told: str) -> None:
        """Show that instead of the cost, until the next row."""
        self._bar.set_postfix_str(told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bar.close()


def interrupted(what: str, to: Path | None, so_far: object) -> Interrupted:
    """The error of a run that was stopped: what came of it, and how to continue."""
    how = "the same call" if to else "resume=sys.last_value.result"
    error = Interrupted(f"{what}; {how} continues where it stopped")
    error.result = so_far
    return error


async def aroute(
    router: Engine, prompt: str, *, observe: Observer | None = None, **options: Any
) -> RouteResult:
    """`route` for an event loop: in a thread, at most 64 at once, cancelled with its task.

    `observe` is called on the loop's thread. A cancelled call is in the ledger before the
    cancellation continues.
    """
    soon: Callable[..., object] = asyncio.get_running_loop().call_soon_threadsafe
    told = observe and partial(soon, observe)
    return await _in_thread(router.route, prompt, observe=told, **options)


async def amap(router: Engine, prompts: Iterable[str], **options: Any) -> Batch:
    """`map` for an event loop: in a thread, cancelled with its task.

    Takes what `map` takes, without `cancel`. With `to`, a cancelled batch can be continued.
    """
    return await _in_thread(map_prompts, router, prompts, **options)


async def _in_thread(call: Callable[..., _Found], *values: Any, **options: Any) -> _Found:
    """What `call` returns or raises, done in a thread.

    If the task is cancelled, the `cancel` that `call` was given is set, its end is awaited (what
    was paid is written down by then), and the cancellation continues.
    """
    if "cancel" in options:
        raise SettingsError("cancel is for threads; cancel the task instead: task.cancel()")
    cancel = threading.Event()
    asked = partial(contextvars.copy_context().run, call, *values, cancel=cancel, **options)
    waiting = asyncio.get_running_loop().run_in_executor(_ASYNC_THREADS, asked)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        cancel.set()
        await asyncio.wait([waiting])
        raise
