"""The append-only record of every attempt, in SQLite; it also enforces budgets.

An attempt is written before it is sent (`running`), sometimes while it streams, and at its end;
its last row counts. A kernel that is killed loses nothing that was written.
"""

from __future__ import annotations

import atexit
import contextlib
import heapq
import json
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from itertools import chain, product
from operator import attrgetter, itemgetter
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from nbroute.errors import RecordError, SettingsError, did_you_mean
from nbroute.locks import Lock
from nbroute.report import ReportRow, Spend, model_to_name
from nbroute.storage.database import LATEST, SqliteFile, insert, row_kind, typed_frame
from nbroute.storage.schema import (
    COUNTED,
    DAY,
    EQUIVALENT,
    FIELDS,
    HELD_FOR,
    KINDS,
    LABEL_FIELDS,
    MIGRATIONS,
)
from nbroute.types import Attempt, Cap, Label, Refusal

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger("nbroute")

_NAMES = ", ".join(FIELDS)
_LABEL_NAMES = ", ".join(LABEL_FIELDS)
_INTO_ATTEMPTS = f"INSERT INTO attempts ({_NAMES})"
_INTO_LABELS = f"INSERT INTO labels ({_LABEL_NAMES})"
_MONEY = tuple(i for i, name in enumerate(FIELDS) if KINDS[name] == "Decimal")
_TS = FIELDS.index("ts")
_PRIVATE = tuple(FIELDS.index(name) for name in ("prompt", "text", "reasoning"))
_values = attrgetter(*FIELDS)

#: NORMAL leaves syncing to the checkpoints: a killed process loses nothing, a power cut the
#: last rows but never the file. Rarer checkpoints made appends a fifth faster.
_PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 4000")
_KEPT = "; kept in memory until it can be written"
#: How many late rows may wait (whoever adds one more waits with it), and the seconds for which
#: they gather; a killed process loses how those calls ended.
_MOST_WAITING, _GATHERED_FOR = 500, 0.002
#: Seconds before a failed write is tried again.
_TRY_EVERY = 1.0

#: What `spend` can group by, as an expression on a row; days are UTC.
_GROUPS = {
    "session": "session",
    "day": DAY,
    "tier": "tier",
    "model": "coalesce(effort, '') || char(10) || model || char(10) || coalesce(answered_by, '')",
    "feature": "coalesce(feature, '')",
    "provider": "provider",
}
_SPEND = """cost_source, total(CASE WHEN cached THEN 0 ELSE cost_usd END), count(*),
    total(cached), total(cost_usd IS NULL AND NOT cached)"""

_PICO = 12
_SCOPES = {"session": "session = ?", "day": f"{DAY} = ?", "feature": "feature = ?"}
#: The sum of the rows that a cap counts: exact, but slow if there are many.
_SUM = f"coalesce(sum({COUNTED}), 0)"
_TOTAL = "SELECT picodollars FROM totals WHERE scope = ? AND key = ? AND equivalent = ?"
#: What running attempts hold back: of those whose last row is too old to be believed, the part
#: beyond their cost so far; of the others, everything.
_HELD = f"""SELECT coalesce(sum(iif({HELD_FOR} > ?1, counted - spent, 0)), 0),
    coalesce(sum(iif({HELD_FOR} > ?1, 0, counted)), 0)
    FROM held JOIN shares ON shares.row = held.row
    WHERE scope = ?2 AND key = ?3 AND equivalent = ?4"""  # noqa: S608 - words of our own

Since = float | datetime | None


class Health(NamedTuple):
    """How many rows are in the file and how many wait in memory, and what is damaged."""

    rows: int
    waiting: int
    damage: str


class SqliteLedger:
    """The record in the file `path`; None keeps it in memory.

    Threads and processes may share a file. The first `append` creates it and its folder. A row
    that cannot be written is kept in memory, counts in everything that is read, and goes into
    the file with a later row, or at most a second after the file is writable again. Prompts and
    answers are written only with `store_text`. Reading raises RecordError if the file cannot be
    read; a session that wrote nothing to it is read from memory alone.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        store_text: bool = False,
        wait_s: float = 5.0,
        stale_after_s: float = 900.0,
    ) -> None:
        self.path = path
        self._store_text = store_text
        self._stale_after_s = stale_after_s
        self._lock = Lock()
        self._file = SqliteFile(
            path, MIGRATIONS, setting="NBROUTE_LEDGER", pragmas=_PRAGMAS, wait_s=wait_s
        )
        self._kept = SqliteFile(None, MIGRATIONS, setting="NBROUTE_LEDGER")
        self._written: set[str] = set()
        self._late: _LateWriter | None = None
        self._again: threading.Timer | None = None
        self._failure = ""

    def append(self, attempt: Attempt) -> None:
        """Write a row; RecordError if that fails, with the row kept in memory.

        It is in the file when this returns, except for the end of a call while `gathering`.
        """
        late = self._late
        if late is None or not late.put(attempt):
            self.append_all([attempt])
        elif attempt.status == "running":
            late.flush()

    def append_all(
        self, attempts: Sequence[Attempt], caps: Sequence[Cap] = (), *, cut: bool = False
    ) -> list[Attempt | Refusal]:
        """Append them (with caps: reserve) in one transaction; each as written, or its refusal.

        With `cut`, a reservation larger than what is left of a cap is cut to that, as long as
        anything is left.
        """
        if caps:
            return self._hold(attempts, caps, cut=cut)
        rows = [as_row(attempt, store_text=self._store_text) for attempt in attempts]
        what = "the call" if len(rows) == 1 else "the calls"
        self._write(_INTO_ATTEMPTS, rows, what, [attempt.session for attempt in attempts])
        return [*attempts]

    @contextlib.contextmanager
    def gathering(self) -> Iterator[None]:
        """Within this context one thread writes the rows, many at once.

        With sixteen threads sharing one lock on a file, each write costs the others their turn,
        and a quarter of the requests per second were lost. A call is in the file before it is
        sent, its end a few milliseconds later; whatever is read includes all of them.
        """
        if self._late is not None:
            yield
            return
        late = self._late = _LateWriter(self.append_all)
        atexit.register(late.close)  # later on, nobody can wait for a thread: Python 3.13 hangs
        try:
            yield
        finally:
            late.close()
            atexit.unregister(late.close)
            self._late = None

    def reserve(self, attempt: Attempt, caps: Sequence[Cap]) -> Refusal | None:
        """Append the running attempt if its `reserved_usd` fits every cap; else return the refusal.

        It is one transaction, so two threads or processes cannot both take what is left. Only
        money of the attempt's kind counts: billed, or equivalent. A running attempt counts with
        its reservation until 15 minutes after its last row. A day is UTC; a feature's cap covers
        all its calls, in every session and on every day. If the file cannot be written, the row
        is kept in memory silently (the attempt's end will say so), and other processes cannot
        see it. RecordError if the money already used cannot be read.
        """
        (held,) = self._hold([attempt], caps)
        if isinstance(held, Refusal) and self._late is not None:
            # Calls that have ended may not be settled yet.
            self._late.flush()
            (held,) = self._hold([attempt], caps)
        return held if isinstance(held, Refusal) else None

    def rows(self, *, session: str | None = None) -> list[Mapping[str, Any]]:
        """One mapping per attempt, oldest first, with the fields of `Attempt`; money is Decimal."""
        found = self._read(_NAMES, session=session, kind=_ROW)
        found.sort(key=itemgetter(_TS))
        rows = [dict(zip(FIELDS, row, strict=True)) for row in found]
        for row, (name, kind) in product(rows, KINDS.items()):
            if kind == "bool":
                row[name] = bool(row[name])
            elif kind == "Decimal" and row[name] is not None:
                row[name] = Decimal(repr(row[name]))
        return [*rows]

    def report_rows(self, *, session: str | None = None) -> Iterator[ReportRow]:
        """What `nbroute.report.summarise` needs of each attempt, oldest first.

        They are read as they are consumed; no other thread can write until the last one, or
        until this generator is closed.
        """
        kind = partial(row_kind, Attempt, ReportRow._fields)
        names = ", ".join(ReportRow._fields)
        pages = self._pages(names, "ORDER BY ts, rowid", session=session, kind=kind)
        in_memory, in_file = next(pages), chain.from_iterable(pages)
        yield from map(ReportRow._make, heapq.merge(in_memory, in_file, key=itemgetter(0)))

    def frame(self, *, session: str | None = None, since: Since = None) -> pd.DataFrame:
        """One line per attempt, oldest first; money as floats, and `ts` also as UTC `time`.

        `since` is seconds since 1970 or a datetime (a naive one is local time).
        """
        import pandas as pd

        rows = self._read(_NAMES, session=session, where=_since(since), kind=_ROW)
        frame = typed_frame(rows, KINDS)
        frame.insert(1, "time", pd.to_datetime(frame["ts"], unit="s", utc=True))
        return frame.sort_values("ts", kind="stable", ignore_index=True)

    def spend(
        self, by: str | None = None, *, session: str | None = None, since: Since = None
    ) -> Any:
        """The total cost of the calls: a `Spend`, or a dict of them by day, tier and so on.

        Days are UTC ("2026-11-21"); calls without a feature are under ""; a model is the one
        that answered. SettingsError for an unknown `by`.
        """
        if by is not None and by not in _GROUPS:
            raise SettingsError(f"spend cannot be grouped by {by!r}; {did_you_mean(by, _GROUPS)}")
        group = _GROUPS[by] if by else "''"
        rows = None
        if since is None and by != "model":
            rows = self._summed(by or "''", session=session)
        if rows is None:
            tail = f"GROUP BY {group}, cost_source"
            where, columns = _since(since), f"{group}, {_SPEND}"
            rows = self._read(columns, tail, session=session, where=where, kind=_spent_kind)
        if by == "model":  # effort, the model asked and the model that answered, a line each
            names = (name.split("\n", 2) for name, *_ in rows)
            known = [model_to_name(asked, by, effort) for effort, asked, by in names]
            rows = [(name, *row[1:]) for name, row in zip(known, rows, strict=True)]
        found = _added_up(rows)
        return dict(sorted(found.items())) if by else found.get("", Spend())

    def meter(self, *, session: str) -> tuple[Spend, dict[bool, tuple[int, int]]] | None:
        """What comparing cost, and the input and output tokens of the final answers.

        The tokens are by whether the money is equivalent. None while rows wait in memory.
        """
        rows = self._summed("compared", session=session)
        if rows is None:
            return None
        comparing = _added_up(rows).get(1, Spend())
        asked = "SELECT equivalent, input, output FROM finals WHERE session = ?"
        finals = self._fetch(asked, [session], reader=session, kind=_finals_kind)
        return comparing, {bool(kind): (given, taken) for kind, given, taken in finals}

    def label(self, label: Label) -> None:
        """Keep a label; RecordError if it cannot be written, with the label kept in memory.

        Its prompt is written with or without `store_text`, as a classifier learns from it.
        """
        row = astuple(replace(label, ts=_readable(label.ts)))
        self._write(_INTO_LABELS, [row], "the label", [label.session])

    def labels(self, *, session: str | None = None) -> list[Label]:
        """All labels, oldest first; the newest label of an answer counts.

        RecordError if the file cannot be read, unless the session wrote nothing to it.
        """
        where, values = ("", []) if session is None else ("WHERE session = ?", [session])
        asked = f"SELECT {_LABEL_NAMES} FROM labels {where} ORDER BY rowid"  # noqa: S608 - as above
        kind = partial(row_kind, Label, LABEL_FIELDS)
        with self._lock:
            found = self._fetch(asked, values, reader=session, kind=kind)
            found += self._kept.fetch(asked, values)
        return sorted((Label(*row) for row in found), key=attrgetter("ts"))

    def health(self, *, thorough: bool = True) -> Health:
        """How many rows there are, and what SQLite finds wrong with the file.

        With `thorough` the whole file is read. RecordError if it cannot be read.
        """
        if self._late is not None:
            self._late.flush()
        with self._lock:
            self._write_kept()
            counts = (
                one.fetch("SELECT count(*) FROM attempts", lead="cannot read the ledger")
                for one in (self._file, self._kept)
            )
            rows, waiting = (found[0][0] if found else 0 for found in counts)
            said = self._file.fetch("PRAGMA quick_check(1)") if thorough else []
        damage = "; ".join(str(line) for (line,) in said if line != "ok")
        return Health(rows, waiting, damage)

    def version(self) -> object:
        """A value that changes when anybody writes; None if that is unknown."""
        if self._late is not None:
            self._late.flush()
        with self._lock, contextlib.suppress(RecordError):
            return self._file.version(), self._kept.version()
        return None

    def close(self) -> None:
        """Close the file; a second call does nothing, and a later use opens it again.

        What waits in memory is written if that is possible by now.
        """
        if self._late is not None:
            self._late.flush()
        with self._lock:
            self._write_kept()
            if self._again is not None:
                self._again.cancel()
                self._again = None
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _write(
        self, into: str, rows: Sequence[Sequence[Any]], what: str, sessions: Iterable[str]
    ) -> None:
        """Write the rows to the file; RecordError if that fails, with them kept in memory."""
        lead = f"{what} could not be recorded in"
        with self._lock:
            alone = len(rows) == 1 and not self._kept.exists
            begun = self._file.connection(lead, _KEPT) if alone else self._transaction(lead)
            try:
                with begun as connection:
                    insert(connection, into, rows)
            except RecordError as error:
                with self._keeping() as kept:
                    insert(kept, into, rows)
                error.told = self._failure == (failure := str(error.__cause__))
                self._failure = failure
                raise
            self._failure = ""
            self._written.update(sessions)

    @contextlib.contextmanager
    def _keeping(self) -> Iterator[sqlite3.Connection]:
        """Memory, for what could not be written; the file is tried again later and at exit."""
        with self._kept.connection("cannot keep in memory") as kept:
            yield kept
        if self._again is None:
            atexit.register(_call, weakref.WeakMethod(self._write_kept), patiently=True)
            self._try_again()

    def _try_again(self) -> None:
        """Try the file every now and then until what waits in memory is written."""
        with self._lock:
            self._write_kept()
            if self._kept.exists:
                again = weakref.WeakMethod(self._try_again)
                self._again = threading.Timer(_TRY_EVERY, _call, [again])
                self._again.daemon = True
                self._again.start()
            else:
                self._again = None

    def _write_kept(self, *, patiently: bool = False) -> None:
        with self._lock, contextlib.suppress(RecordError):
            if self._kept.exists:
                if patiently:  # nothing is tried again after the kernel's end
                    self._file.be_patient(True)
                with self._transaction("cannot write"):
                    pass

    def _hold(
        self, attempts: Sequence[Attempt], caps: Sequence[Cap], *, cut: bool = False
    ) -> list[Attempt | Refusal]:
        """Write each that fits every cap, or with `cut` as much of it as fits."""

        def held(
            connection: sqlite3.Connection, refusal: Callable[[Attempt], Refusal | None]
        ) -> Iterator[Attempt | Refusal]:
            for one in attempts:
                fitting = one
                while refused := refusal(fitting):
                    if not (cut and refused.left_usd):
                        break
                    cost = fitting.cost_usd and min(fitting.cost_usd, refused.left_usd)
                    fitting = replace(fitting, reserved_usd=refused.left_usd, cost_usd=cost)
                else:
                    row = as_row(fitting, store_text=self._store_text)
                    insert(connection, _INTO_ATTEMPTS, [row])
                yield refused or fitting

        def by_rows(attempt: Attempt) -> Refusal | None:
            def used(cap: Cap) -> int:
                counts = {_SCOPES[cap.scope]: cap.key, f"{EQUIVALENT} = ?": _is_equivalent(attempt)}
                found = self._read(
                    _SUM, "", where=counts, asks=attempt.session, kind=lambda: tuple[int]
                )
                return sum(part for (part,) in found)

            return _refusal(attempt, caps, used)

        with self._lock:
            try:
                with self._transaction("the call could not be recorded in") as connection:
                    by_totals = partial(self._refusal_by_totals, connection, caps, cut)
                    found = [*held(connection, by_totals)]
            except RecordError:
                with self._keeping() as kept:
                    return [*held(kept, by_rows)]
            self._written.update(attempt.session for attempt in attempts)
            return found

    def _refusal_by_totals(
        self, connection: sqlite3.Connection, caps: Sequence[Cap], cut: bool, attempt: Attempt
    ) -> Refusal | None:
        """Like `_refusal`, but by the totals; a refusal is looked at more closely.

        Then reservations whose last row is older than `_stale_after_s` are released, as their
        kernel must have died.
        """
        equivalent = _is_equivalent(attempt)

        def total(cap: Cap) -> int:
            found = connection.execute(_TOTAL, (cap.scope, cap.key, equivalent)).fetchone()
            return found[0] if found else 0

        def held(cap: Cap) -> tuple[int, int]:
            asked = (self._stale_after_s, cap.scope, cap.key, equivalent)
            stale, fresh = connection.execute(_HELD, asked).fetchone()
            return stale, fresh

        refused = _refusal(attempt, caps, total) and _refusal(
            attempt, caps, lambda cap: total(cap) - held(cap)[0]
        )
        if refused:
            needed = 1 if cut else _picodollars(attempt.reserved_usd)
            free = _picodollars(refused.left_usd) + held(refused.cap)[1]
            refused = replace(refused, may_fit=needed <= free)
        return refused

    @contextlib.contextmanager
    def _transaction(self, lead: str) -> Iterator[sqlite3.Connection]:
        """The file, to write to; what waits in memory goes first."""
        with self._file.connection(lead, _KEPT) as connection:
            connection.execute("BEGIN IMMEDIATE")
            if self._kept.exists:
                attempts = self._kept.fetch(f"SELECT {_NAMES} FROM attempts")  # noqa: S608 - names of our own
                insert(connection, _INTO_ATTEMPTS, attempts)
                labels = self._kept.fetch(f"SELECT {_LABEL_NAMES} FROM labels")  # noqa: S608 - as above
                insert(connection, _INTO_LABELS, labels)
            yield connection
            connection.execute("COMMIT")
            self._kept.close()
            self._failure = ""

    def _read(self, columns: str, tail: str = "ORDER BY rowid", **how: Any) -> list[Any]:
        return list(chain.from_iterable(self._pages(columns, tail, **how)))

    def _pages(
        self,
        columns: str,
        tail: str,
        *,
        session: str | None = None,
        where: Mapping[str, Any] | None = None,
        asks: str | None = None,
        kind: Callable[[], Any],
    ) -> Iterator[list[Any]]:
        """The columns of each attempt's last row: those in memory, then those in the file.

        `where` has conditions on rows, each with one `?`, and their values.
        `asks` is the session of a caller that has the lock, which late rows would wait for.
        """
        if self._late is not None and asks is None:
            self._late.flush()
        of_session = "WHERE session = ?" if session is not None else ""
        last = f"SELECT max(rowid) FROM attempts {of_session} GROUP BY session, id"  # noqa: S608 - as above
        conditions = " AND ".join(
            [f"rowid IN ({last})", "status IS NOT 'not sent'", *(where or {})]
        )
        values = [*([session] if of_session else []), *(where or {}).values()]
        asked = f"SELECT {columns} FROM attempts WHERE {conditions}"  # noqa: S608 - as above
        with self._lock:
            yield self._kept.fetch(f"{asked} {tail}", values)
            kept = [name for (name,) in self._kept.fetch("SELECT DISTINCT id FROM attempts")]
            if kept:
                asked += " AND id NOT IN (SELECT value FROM json_each(?))"
                values.append(json.dumps(kept))
            asked = f"{asked} {tail}"
            yield from self._file_pages(asked, values, reader=session or asks, kind=kind)

    def _summed(self, by: str, *, session: str | None) -> list[tuple[Any, ...]] | None:
        """The sums that triggers keep; None while rows wait in memory."""
        if self._late is not None:
            self._late.flush()
        of_session = "WHERE session = ?" if session is not None else ""
        asked = f"""SELECT {by}, cost_source, sum(picodollars) / 1e12, sum(calls), sum(cached),
            sum(unknown) FROM sums {of_session} GROUP BY 1, 2 HAVING sum(calls) > 0"""  # noqa: S608 - as above
        with self._lock:
            if self._kept.exists:
                return None
            values = [session] if of_session else []
            return self._fetch(asked, values, reader=session, kind=_spent_kind)

    def _fetch(self, asked: str, values: Sequence[Any], **how: Any) -> list[Any]:
        return list(chain.from_iterable(self._file_pages(asked, values, **how)))

    def _file_pages(
        self, asked: str, values: Sequence[Any], *, reader: str | None, kind: Callable[[], Any]
    ) -> Iterator[list[Any]]:
        """The file's rows; if it cannot be read, none for a session that wrote nothing to it."""
        try:
            yield from self._file.pages(asked, values, lead="cannot read the ledger", kind=kind)
        except RecordError:
            if reader is None or reader in self._written:
                raise


class _LateWriter:
    """Writes rows a few milliseconds late, on its own thread, until it is closed."""

    def __init__(self, write: Callable[[Sequence[Attempt]], object]) -> None:
        self._write = write
        self._waiting: SimpleQueue[Attempt | threading.Event | None] = SimpleQueue()
        self._lock = Lock()
        self._owner = os.getpid()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="nbroute-ledger", daemon=True)
        self._thread.start()

    def put(self, one: Attempt | threading.Event) -> bool:
        """Queue the row; False in a forked child or, with all before it written, when closed."""
        if self._owner != os.getpid():
            return False
        with self._lock:
            taken = not self._closed
            if taken:
                self._waiting.put(one)
        if not taken:
            self._thread.join()
        elif self._waiting.qsize() > _MOST_WAITING and isinstance(one, Attempt):
            self.flush()
        return taken

    def flush(self) -> None:
        """Return when everything in the queue is written."""
        written = threading.Event()
        if self.put(written):
            written.wait()

    def close(self) -> None:
        """Write everything in the queue, and take no more."""
        with self._lock:
            self._closed = True
            self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            gathered = [self._waiting.get()]
            time.sleep(_GATHERED_FOR)
            while not self._waiting.empty():
                gathered.append(self._waiting.get())
            ended = None in gathered
            try:
                self._write([one for one in gathered if isinstance(one, Attempt)])
            except RecordError as error:  # the ledger keeps the rows in memory
                if not error.told:
                    _log.warning("%s", error)
            except Exception:  # noqa: BLE001 - the thread must survive
                _log.exception("calls could not be recorded")
            for one in gathered:
                if isinstance(one, threading.Event):
                    one.set()


_ROW = partial(row_kind, Attempt, FIELDS)


def _spent_kind() -> Any:
    """A group, its cost source, US dollars and three counts."""
    from msgspec import Meta

    bounded = Annotated[float, Meta(ge=-1e12, le=1e12)]
    return tuple[str | Literal[0, 1], str, bounded, bounded, bounded, bounded]


def _finals_kind() -> Any:
    from msgspec import Meta

    bounded = Annotated[int, Meta(ge=0, le=2**60)]
    return tuple[Literal[0, 1], bounded, bounded]


def _added_up(rows: Iterable[Sequence[Any]]) -> dict[Any, Spend]:
    """The sums of each group; the rows are those of `_spent_kind`."""
    found: dict[Any, Spend] = {}
    for name, source, usd, *counts in rows:
        part = Spend.of_source(source, usd, *map(int, counts))
        found[name] = found.get(name, Spend()) + part
    return found


def _call(method: weakref.WeakMethod[Callable[..., None]], **how: Any) -> None:
    if (found := method()) is not None:
        found(**how)


def as_row(attempt: Attempt, *, store_text: bool) -> list[Any]:
    """The attempt's values as SQLite takes them; prompt and answer only with `store_text`.

    A verdict may quote the answer, so without `store_text` only the check's name is kept.
    """
    if not store_text and attempt.status == "rejected" and attempt.error:
        attempt = replace(attempt, error=attempt.error.partition(":")[0])
    row = list(_values(attempt))
    row[_TS] = _readable(attempt.ts)
    for place in _MONEY:
        if row[place] is not None:
            row[place] = float(row[place])
    if not store_text:
        for place in _PRIVATE:
            row[place] = None
    return row


def _readable(ts: float) -> float:
    """The time, limited to what can be read again: a clock may be off by centuries."""
    return min(max(0.0, ts), LATEST)


def _is_equivalent(attempt: Attempt) -> bool:
    """Whether nobody bills the attempt, so that it counts towards a budget of equivalent money."""
    return attempt.provider_kind != "remote" and attempt.cost_source != "billed"


def _refusal(attempt: Attempt, caps: Sequence[Cap], used: Callable[[Cap], int]) -> Refusal | None:
    """The first cap that the attempt does not fit; `used` returns picodollars."""
    wanted = _picodollars(attempt.reserved_usd)
    for cap in caps:
        left = _picodollars(cap.usd) - used(cap)
        if wanted > left:
            return Refusal(cap, Decimal(max(left, 0)).scaleb(-_PICO))
    return None


def _picodollars(usd: Decimal | None) -> int:
    return round((usd or Decimal(0)).scaleb(_PICO))


def _since(start: Since) -> dict[str, Any]:
    moment = start.timestamp() if isinstance(start, datetime) else start
    return {} if moment is None else {"ts >= ?": moment}
