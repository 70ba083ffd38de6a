"""Prompts through an executor of other processes: a process pool, Dask, ipyparallel, loky."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from functools import partial
from types import ModuleType
from typing import Any

from nbroute.batch.landing import Landing
from nbroute.batch.outcomes import Outcome, without_answer
from nbroute.batch.prompts import Job
from nbroute.batch.purse import Purse
from nbroute.batch.rows import RowStatus
from nbroute.batch.worker import Parcel, Recipe, deliver
from nbroute.engine.engine import Engine
from nbroute.errors import RecordError, SettingsError, named
from nbroute.settings.keys import without_keys
from nbroute.types import Attempt

#: Prompts in a parcel: enough that packing costs little, few enough that a death loses little.
STEP = 8

_ERROR: RowStatus = "error"

#: What executors call the death of a worker, beside `BrokenExecutor`.
_DEATHS = ("KilledWorker", "EngineError", "TerminatedWorkerError")


class ClusterCrew:
    """Sends parcels of prompts to workers, which make the router again from its settings.

    At most twice `workers` prompts are out. Attempts go into the caller's ledger as a parcel
    lands, even after Ctrl-C. Each parcel may spend its share of the purse and no more.
    """

    def __init__(
        self,
        executor: Executor,
        recipe: bytes,
        record: Callable[[Attempt], None],
        purse: Purse,
        workers: int,
    ) -> None:
        self.step = min(STEP, workers)
        self.most = self.limit = 2 * workers // self.step * self.step
        self.broken = ""
        self.landing = Landing()
        self._executor = executor
        self._recipe = recipe
        self._record = record
        self._purse = purse
        self._waiting: list[Job] = []
        self._out: dict[str, int] = {}
        self._futures: dict[str, Future[list[Outcome]]] = {}

    def take(self, job: Job) -> None:
        """Put the job into the parcel at hand."""
        self._waiting.append(job)
        if len(self._waiting) >= self.step:
            self.flush()

    def flush(self) -> None:
        """Send the parcel at hand."""
        jobs, self._waiting = tuple(self._waiting), []
        if not jobs:
            return
        parcel = self._parcel(jobs)
        try:
            future = self._executor.submit(deliver, parcel)
        except Exception as error:  # noqa: BLE001 - each executor has its own; the rest is rows
            self.broken = _why(error)
            told = f"not sent: {self.broken}"
            self._settle(parcel, [_lost(job, told, "not sent") for job in jobs])
            return
        self._futures[parcel.id] = future
        future.add_done_callback(partial(self._land, parcel))

    def cancel(self) -> None:
        """Take back what has not begun, where the executor can tell; the rest ends by itself."""
        if isinstance(self._executor, ProcessPoolExecutor):
            for future in tuple(self._futures.values()):
                future.cancel()

    def close(self) -> None:
        """The executor is the caller's and stays open."""

    def _parcel(self, jobs: tuple[Job, ...]) -> Parcel:
        name = uuid.uuid4().hex
        room = max(self.limit - sum(tuple(self._out.values())), len(jobs))
        self._out[name] = len(jobs)
        allowance = self._purse.share(name, Decimal(len(jobs)) / room)
        return Parcel(name, self._recipe, jobs, allowance)

    def _land(self, parcel: Parcel, future: Future[list[Outcome]]) -> None:
        try:
            outcomes = future.result()
        except BaseException as error:  # noqa: BLE001 - rows, each of them
            self._lose(parcel, error)
            return
        for attempt in (one for outcome in outcomes for one in outcome.attempts):
            self._purse.pay(attempt)
            with suppress(RecordError):
                self._record(attempt)
        self._settle(parcel, outcomes)

    def _lose(self, parcel: Parcel, error: BaseException) -> None:
        told, status = _why(error), _ERROR
        if isinstance(error, CancelledError):
            told, status = "Interrupted: stopped before it was sent", "interrupted"
        self._settle(parcel, [_lost(job, told, status) for job in parcel.jobs])

    def _settle(self, parcel: Parcel, outcomes: list[Outcome]) -> None:
        self._purse.settle(parcel.id)
        self._futures.pop(parcel.id, None)
        del self._out[parcel.id]
        self.landing.put([replace(one, attempts=()) for one in outcomes])


def packed(router: Engine, options: Mapping[str, Any]) -> bytes:
    """What workers need to make the router again, no keys; SettingsError for what cannot travel."""
    settings, given = getattr(router, "settings", None), getattr(router, "given", None)
    if settings is None or given is None:
        raise SettingsError(
            f"{router!r:.60} was put together by hand and cannot be made again in another "
            "process; use nbroute.Router, or leave executor out"
        )
    given = {**given, "ladder": router.ladder}
    for name, value in (*given.items(), *options.items()):
        _check_travels(name, value)
    recipe = Recipe(
        type(router), without_keys(settings), given, router.session, router.code_allowed, options
    )
    return bytes(_pickler().dumps(recipe))


def _check_travels(name: str, value: Any) -> None:
    pickler = _pickler()
    module = getattr(value, "__module__", None) if callable(value) else None
    try:
        if module == "__main__" and pickler is pickle:
            raise pickle.PicklingError("it was made in the notebook; pip install cloudpickle")  # noqa: TRY301 - as pickle's own
        pickler.dumps(value)
    except Exception as error:
        raise SettingsError(
            f"{name}={value!r:.80} cannot travel to another process ({error!s:.120}); name it "
            "in nbroute.toml or put it into a module, or leave executor out"
        ) from error


def _pickler() -> ModuleType:
    """The module cloudpickle where it is there, as that takes a notebook's own functions along."""
    try:
        import cloudpickle  # type: ignore[import-untyped]  # it has no types
    except ImportError:
        return pickle
    found: ModuleType = cloudpickle
    return found


def _lost(job: Job, told: str, status: RowStatus) -> Outcome:
    """What a worker paid that did not come back is not known."""
    cost = None if status == "error" else Decimal(0)
    return Outcome(job, without_answer(job, status, told, cost))


def _why(error: BaseException) -> str:
    died = isinstance(error, BrokenExecutor) or type(error).__name__ in _DEATHS
    return f"the worker died: {named(error)}" if died else named(error)
