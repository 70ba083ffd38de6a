"""A ledger whose rows are written by one thread, so that the others need not queue for its lock."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from nbroute.engine.engine import Engine
from nbroute.errors import RecordError
from nbroute.types import Attempt, Cap, Label, Ledger, Refusal

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger("nbroute")

#: Rows that may wait; beyond that whoever adds one waits with it.
_MOST_WAITING = 500
#: Seconds in which rows gather; a killed process loses them.
_GATHERED_FOR = 0.01


class GatheredLedger:
    """The ledger `kept`, written some milliseconds late.

    With sixteen threads that share one lock on a file, each write costs the others their turn:
    it took a quarter of all requests a second. What a budget is asked of goes straight through.
    """

    def __init__(self, kept: Ledger) -> None:
        self._kept = kept
        self._append_all = getattr(kept, "append_all", None) or _one_by_one(kept)
        self._waiting: SimpleQueue[Attempt | threading.Event | None] = SimpleQueue()
        self._writer: threading.Thread | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._writer = threading.Thread(target=self._write, name="nbroute-ledger", daemon=True)
        self._writer.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            writer, self._writer = self._writer, None
            self._waiting.put(None)
        if writer is not None:
            writer.join()

    def append(self, attempt: Attempt) -> None:
        """Have the row written; at once where the writer has gone."""
        if not self._put(attempt):
            self._kept.append(attempt)
        elif self._waiting.qsize() > _MOST_WAITING:
            self._flush()

    def reserve(self, attempt: Attempt, caps: Sequence[Cap]) -> Refusal | None:
        """As the ledger does; before it refuses, the calls that have ended are settled."""
        refusal = self._kept.reserve(attempt, caps)
        if refusal is not None:
            self._flush()
            refusal = self._kept.reserve(attempt, caps)
        return refusal

    def rows(self, *, session: str | None = None) -> list[Mapping[str, Any]]:
        """As the ledger does."""
        self._flush()
        return self._kept.rows(session=session)

    def frame(self, *, session: str | None = None) -> pd.DataFrame:
        """As the ledger does."""
        self._flush()
        return self._kept.frame(session=session)

    def report_rows(self, *, session: str | None = None) -> list[Any]:
        """As the ledger does."""
        self._flush()
        return self._kept.report_rows(session=session)

    def spend(self, by: Any = None, *, session: str | None = None) -> Any:
        """As the ledger does."""
        self._flush()
        return self._kept.spend(by, session=session)

    def label(self, label: Label) -> None:
        """As the ledger does."""
        self._kept.label(label)

    def labels(self, *, session: str | None = None) -> list[Label]:
        """As the ledger does."""
        return self._kept.labels(session=session)

    def close(self) -> None:
        """The ledger is the router's and stays open."""

    def _flush(self) -> None:
        written = threading.Event()
        if self._put(written):
            written.wait()

    def _put(self, one: Attempt | threading.Event) -> bool:
        with self._lock:
            if self._writer is not None:
                self._waiting.put(one)
            return self._writer is not None

    def _write(self) -> None:
        """Write what has gathered, again and again until None comes."""
        ended = False
        while not ended:
            gathered = [self._waiting.get()]
            time.sleep(_GATHERED_FOR)
            while not self._waiting.empty():
                gathered.append(self._waiting.get())
            ended = None in gathered
            self._write_all([one for one in gathered if isinstance(one, Attempt)])
            for one in gathered:
                if isinstance(one, threading.Event):
                    one.set()

    def _write_all(self, attempts: list[Attempt]) -> None:
        try:
            self._append_all(attempts)
        except RecordError as error:
            # The ledger keeps the rows in memory, and tells again when it is read.
            _log.warning("%s", error)
        except Exception:  # noqa: BLE001 - the thread must live on
            _log.exception("calls could not be recorded")


def _one_by_one(ledger: Ledger) -> Callable[[Sequence[Attempt]], None]:
    def append_all(attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            ledger.append(attempt)

    return append_all


def twin(engine: Engine, ledger: Ledger) -> Engine:
    """The same engine on another ledger."""
    other = Engine(replace(engine.parts, ledger=ledger, limits=engine.limits))
    other.history, other.code_allowed = engine.history, engine.code_allowed
    return other
