"""The append-only record of every attempt, in SQLite; budgets are kept by it.

An attempt is written before it is sent (`running`), maybe while it streams, and at its end;
its last row counts. A kernel that is killed loses nothing that was written.

- `schema`  the tables, and how they came to be
- `rows`    an attempt as a row, and the questions that are asked of rows
- `labels`  what people said of answers
- `caps`    what is used of a budget
- `sqlite`  the ledger itself
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, overload

from nbroute.errors import SettingsError, did_you_mean
from nbroute.report import ReportRow, Spend
from nbroute.storage.database import FAILURES, SqliteFile
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


__all__ = ["SqliteLedger"]


NAMES = ", ".join(FIELDS)

_MONEY = tuple(i for i, name in enumerate(FIELDS) if KINDS[name] == "Decimal")
_PRIVATE = tuple(FIELDS.index(name) for name in ("prompt", "text"))
_INSERT = f"INSERT INTO attempts ({NAMES}) VALUES ({', '.join('?' * len(FIELDS))})"  # noqa: S608 - names of our own
_MORE = f", ({', '.join('?' * len(FIELDS))})"
#: Rows in a statement; SQLite takes 32,766 values.
_AT_ONCE = 100

_values = attrgetter(*FIELDS)


class Term(NamedTuple):
    """A condition on rows, with one `?` for its value."""

    sql: str
    value: Any


def as_row(attempt: Attempt, *, store_text: bool) -> list[Any]:
    """The attempt's values as SQLite takes them, prompt and answer only with `store_text`.

    A verdict may quote the answer: without it, the check's name alone is kept.
    """
    if not store_text and attempt.status == "rejected" and attempt.error:
        attempt = replace(attempt, error=attempt.error.partition(":")[0])
    row = list(_values(attempt))
    for place in _MONEY:
        if row[place] is not None:
            row[place] = float(row[place])
    if not store_text:
        for place in _PRIVATE:
            row[place] = None
    return row


def as_mapping(row: Sequence[Any]) -> dict[str, Any]:
    """The row with the fields of `Attempt` in their own types."""
    found = dict(zip(FIELDS, row, strict=True))
    for name, kind in KINDS.items():
        if kind == "bool":
            found[name] = bool(found[name])
        elif kind == "Decimal" and found[name] is not None:
            found[name] = Decimal(repr(found[name]))
    return found


def insert(connection: sqlite3.Connection, row: Sequence[Any]) -> None:
    """Append the row."""
    try:
        connection.execute(_INSERT, row)
    except UnicodeEncodeError:
        # Half a surrogate pair, as out of a cut stream, has no bytes to be stored.
        connection.execute(_INSERT, [encodable(value) for value in row])


def insert_all(connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
    """Append the rows, many in a statement: each costs the other threads of a process a turn."""
    for part in (rows[at : at + _AT_ONCE] for at in range(0, len(rows), _AT_ONCE)):
        values = [encodable(value) for row in part for value in row]
        connection.execute(f"{_INSERT}{_MORE * (len(part) - 1)}", values)


def encodable(value: Any) -> Any:
    """The value, half a surrogate pair in it as a question mark."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def all_rows(file: SqliteFile) -> list[tuple[Any, ...]]:
    """Every row as it was appended."""
    return fetch(file, f"SELECT {NAMES} FROM attempts ORDER BY rowid")  # noqa: S608 - as above


def ids(file: SqliteFile) -> list[str]:
    """The ids of the attempts in the file."""
    return [name for (name,) in fetch(file, "SELECT DISTINCT id FROM attempts")]


def query(
    columns: str,
    tail: str,
    *,
    session: str | None = None,
    terms: Sequence[Term] = (),
    but: Sequence[str] = (),
) -> tuple[str, list[Any]]:
    """The last row of each attempt; `but` are ids to leave out."""
    values: list[Any] = [] if session is None else [session]
    of_session = "WHERE session = ?" if values else ""
    last = f"SELECT max(rowid) FROM attempts {of_session} GROUP BY session, id"  # noqa: S608 - as above
    asked = [*terms, Term("id NOT IN (SELECT value FROM json_each(?))", json.dumps(but))]
    asked = asked if but else asked[:-1]
    where = " AND ".join([f"rowid IN ({last})", *(term.sql for term in asked)])
    values += [term.value for term in asked]
    return f"SELECT {columns} FROM attempts WHERE {where} {tail}", values  # noqa: S608 - as above


def fetch(file: SqliteFile, asked: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """What the file answers; nothing where there is no file."""
    if not file.exists:
        return []
    with file.connection() as connection:
        return connection.execute(asked, values).fetchall()


#: Picodollars of a cap -> those that are used.
Used = Callable[[Cap], int]

#: The sum of the rows that `of_cap` describes: exact, and slow where there are many.
SUM = f"coalesce(sum({COUNTED}), 0)"

_PICO = 12
_SCOPES = {"session": "session = ?", "day": f"{DAY} = ?", "feature": "feature = ?"}
_TOTAL = "SELECT picodollars FROM totals WHERE scope = ? AND key = ? AND equivalent = ?"
_STALE = f"""SELECT coalesce(sum(counted - spent), 0) FROM held JOIN shares ON shares.row = held.row
    WHERE scope = ? AND key = ? AND equivalent = ? AND {HELD_FOR} > ?"""  # noqa: S608 - words of our own


def is_equivalent(attempt: Attempt) -> bool:
    """Whether nobody bills the attempt, so that a budget of equivalent money is for it."""
    return attempt.provider_kind != "remote" and attempt.cost_source != "billed"


def of_cap(cap: Cap, attempt: Attempt) -> tuple[Term, ...]:
    """What the rows that a cap counts have in common: its scope, and the attempt's money."""
    money = Term(f"{EQUIVALENT} = ?", is_equivalent(attempt))
    return (Term(_SCOPES[cap.scope], cap.key), money)


def refusal(attempt: Attempt, caps: Sequence[Cap], used: Used) -> Refusal | None:
    """The first cap that the attempt does not fit in."""
    wanted = _picodollars(attempt.reserved_usd or Decimal(0))
    for cap in caps:
        left = _picodollars(cap.usd) - used(cap)
        if wanted > left:
            return Refusal(cap, Decimal(max(left, 0)).scaleb(-_PICO))
    return None


def refusal_by_totals(
    connection: sqlite3.Connection, attempt: Attempt, caps: Sequence[Cap], stale_after_s: float
) -> Refusal | None:
    """The same by the totals alone; only a call that they refuse is looked at more closely.

    Then a reservation whose last row is older than `stale_after_s` is let go: its kernel died.
    """
    equivalent = is_equivalent(attempt)

    def total(cap: Cap) -> int:
        found = connection.execute(_TOTAL, (cap.scope, cap.key, equivalent)).fetchone()
        return found[0] if found else 0

    def exact(cap: Cap) -> int:
        asked = (cap.scope, cap.key, equivalent, stale_after_s)
        stale: int = connection.execute(_STALE, asked).fetchone()[0]
        return total(cap) - stale

    return refusal(attempt, caps, total) and refusal(attempt, caps, exact)


def _picodollars(usd: Decimal) -> int:
    return round(usd.scaleb(_PICO))


_NAMES = ", ".join(LABEL_FIELDS)
_INSERT_LABEL = f"INSERT INTO labels ({_NAMES}) VALUES ({', '.join('?' * len(LABEL_FIELDS))})"  # noqa: S608 - names of our own


def insert_label(connection: sqlite3.Connection, label: Label) -> None:
    """Append the label."""
    connection.execute(_INSERT_LABEL, [encodable(value) for value in astuple(label)])


def stored_labels(file: SqliteFile, session: str | None = None) -> list[Label]:
    """The labels in the file as they were appended; nothing where there is no file."""
    where = "" if session is None else "WHERE session = ?"
    asked = f"SELECT {_NAMES} FROM labels {where} ORDER BY rowid"  # noqa: S608 - as above
    return [Label(*row) for row in fetch(file, asked, [] if session is None else [session])]


#: NORMAL leaves syncing to the checkpoints: safe from a killed process, and a power cut
#: costs the last rows, never the file. Rarer checkpoints made appends a fifth faster.
_PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 4000")

#: What `spend` adds up by, and what it is in a row; days are UTC.
_GROUPS = {
    "session": "session",
    "day": DAY,
    "tier": "tier",
    "model": "model",
    "feature": "coalesce(feature, '')",
    "provider": "provider",
}
_KEPT = "; kept in memory until the kernel ends"
_SPEND = """cost_source, total(CASE WHEN cached THEN 0 ELSE cost_usd END), count(*),
    total(cached), total(cost_usd IS NULL AND NOT cached)"""

Since = float | datetime | None


class SqliteLedger:
    """The record in the file `path`; None keeps it in memory.

    Threads and processes may share a file. The file and its folder are made at the first
    `append`. A row that cannot be written is kept in memory, counts in all that is read, and
    goes into the file with a later row that can. Prompts and answers are written only with
    `store_text`. Reading raises RecordError where the file cannot be read; a session that
    wrote nothing to it is read from memory alone.
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
        self._lock = threading.RLock()
        self._file = SqliteFile(
            path, MIGRATIONS, setting="NBROUTE_LEDGER", pragmas=_PRAGMAS, wait_s=wait_s
        )
        self._kept = SqliteFile(None, MIGRATIONS, setting="NBROUTE_LEDGER")
        self._written: set[str] = set()

    def append(self, attempt: Attempt) -> None:
        """Write a row at once; RecordError where that fails, with the row kept in memory."""
        row = as_row(attempt, store_text=self._store_text)
        with self._lock:
            try:
                self._write(row)
            except FAILURES as error:
                self._keep(row)
                raise self._file.record_error(
                    "the call could not be recorded in", error, _KEPT
                ) from error
            self._written.add(attempt.session)

    def append_all(self, attempts: Sequence[Attempt]) -> None:
        """Write the rows in one go; RecordError where that fails, with the rows kept in memory."""
        rows = [as_row(attempt, store_text=self._store_text) for attempt in attempts]
        with self._lock:
            try:
                self._write_all(rows)
            except FAILURES as error:
                for row in rows:
                    self._keep(row)
                raise self._file.record_error(
                    "the calls could not be recorded in", error, _KEPT
                ) from error
            self._written.update(attempt.session for attempt in attempts)

    def reserve(self, attempt: Attempt, caps: Sequence[Cap]) -> Refusal | None:
        """Append the running attempt if its `reserved_usd` fits in every cap; else say which not.

        One transaction, so that no two threads or processes can both have what is left. What
        counts is the money of the attempt's kind: billed, or equivalent. An attempt that still
        runs counts with its reservation until 15 minutes after its last row. A day is UTC; a
        feature's cap is for all its calls, of every session and day. Where the file cannot be
        written the row is kept in memory without a word, as the attempt's end will tell, and
        other processes cannot see it. RecordError where what is used cannot be read.
        """
        row = as_row(attempt, store_text=self._store_text)
        with self._lock:
            try:
                refused = self._reserve(attempt, row, caps)
            except FAILURES:
                refused = refusal(attempt, caps, lambda cap: self._used(cap, attempt))
                if refused is None:
                    self._keep(row)
                return refused
            self._written.add(attempt.session)
            return refused

    def rows(self, *, session: str | None = None) -> list[Mapping[str, Any]]:
        """One mapping an attempt, oldest first, with the fields of `Attempt`; money is Decimal."""
        found = self._read(NAMES, session=session)
        return [as_mapping(row) for row in sorted(found, key=itemgetter(FIELDS.index("ts")))]

    def report_rows(self, *, session: str | None = None) -> list[ReportRow]:
        """What `nbroute.report.summarise` needs of each attempt, oldest first."""
        found = self._read(", ".join(ReportRow._fields), session=session)
        return [ReportRow._make(row) for row in sorted(found, key=itemgetter(0))]

    def frame(self, *, session: str | None = None, since: Since = None) -> pd.DataFrame:
        """One line an attempt, oldest first; money as floats, and `ts` also as UTC `time`.

        `since` is seconds since 1970 or a datetime (a naive one is local time).
        """
        import pandas as pd

        kinds = {"float": "float64", "Decimal": "float64", "int": "int64", "bool": "bool"}
        found = self._read(NAMES, session=session, terms=_since(since))
        frame = pd.DataFrame.from_records(found, columns=list(FIELDS))
        frame = frame.astype({name: kinds.get(kind, "object") for name, kind in KINDS.items()})
        frame.insert(1, "time", pd.to_datetime(frame["ts"], unit="s", utc=True))
        return frame.sort_values("ts", kind="stable", ignore_index=True)

    @overload
    def spend(
        self, by: None = None, *, session: str | None = None, since: Since = None
    ) -> Spend: ...
    @overload
    def spend(
        self, by: str, *, session: str | None = None, since: Since = None
    ) -> dict[str, Spend]: ...
    def spend(
        self, by: str | None = None, *, session: str | None = None, since: Since = None
    ) -> Spend | dict[str, Spend]:
        """What the calls cost together, or a dict of that by day, tier, model and so on.

        Days are UTC ("2026-11-21"); calls without a feature are under "". SettingsError for
        a `by` that there is not.
        """
        if by is not None and by not in _GROUPS:
            raise SettingsError(f"spend cannot be added up by {by!r}; {did_you_mean(by, _GROUPS)}")
        group = _GROUPS[by] if by else "''"
        tail = f"GROUP BY {group}, cost_source"
        found: dict[str, Spend] = {}
        rows = self._read(f"{group}, {_SPEND}", tail, session=session, terms=_since(since))
        for name, source, usd, *counts in rows:
            part = Spend.of_source(source, usd, *map(int, counts))
            found[name] = found.get(name, Spend()) + part
        return dict(sorted(found.items())) if by else found.get("", Spend())

    def label(self, label: Label) -> None:
        """Keep a person's word; RecordError where it cannot be written, with it kept in memory.

        Its prompt is written with or without `store_text`, as a classifier learns from it.
        """
        with self._lock:
            try:
                self._write_label(label)
            except FAILURES as error:
                with self._kept.connection() as kept:
                    insert_label(kept, label)
                raise self._file.record_error(
                    "the label could not be recorded in", error, _KEPT
                ) from error
            self._written.add(label.session)

    def labels(self, *, session: str | None = None) -> list[Label]:
        """All that was said of answers, oldest first; the last word on an answer is the newest.

        RecordError where the file cannot be read, unless the session wrote nothing to it.
        """
        with self._lock:
            kept = stored_labels(self._kept, session)
            try:
                found = stored_labels(self._file, session)
            except FAILURES as error:
                if session is None or session in self._written:
                    raise self._file.record_error("cannot read the ledger", error) from error
                found = []
        return sorted(found + kept, key=attrgetter("ts"))

    def close(self) -> None:
        """Give the file back; a second call does nothing, and a later use opens it again."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _write(self, row: Sequence[Any]) -> None:
        with self._file.connection() as connection:
            if not self._kept.exists:
                insert(connection, row)
                return
            connection.execute("BEGIN IMMEDIATE")
            self._bring_kept(connection)
            insert(connection, row)
            connection.execute("COMMIT")
            self._kept.close()

    def _write_label(self, label: Label) -> None:
        with self._file.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            self._bring_kept(connection)
            insert_label(connection, label)
            connection.execute("COMMIT")
            self._kept.close()

    def _write_all(self, rows: Sequence[Sequence[Any]]) -> None:
        with self._file.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            self._bring_kept(connection)
            insert_all(connection, rows)
            connection.execute("COMMIT")
            self._kept.close()

    def _reserve(self, attempt: Attempt, row: Sequence[Any], caps: Sequence[Cap]) -> Refusal | None:
        with self._file.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            self._bring_kept(connection)
            refused = refusal_by_totals(connection, attempt, caps, self._stale_after_s)
            if refused is None:
                insert(connection, row)
            connection.execute("COMMIT")
            self._kept.close()
        return refused

    def _bring_kept(self, connection: sqlite3.Connection) -> None:
        for row in all_rows(self._kept):
            insert(connection, row)
        for label in stored_labels(self._kept):
            insert_label(connection, label)

    def _keep(self, row: Sequence[Any]) -> None:
        with self._kept.connection() as kept:
            insert(kept, row)

    def _used(self, cap: Cap, attempt: Attempt) -> int:
        parts = self._read(SUM, "", terms=of_cap(cap, attempt), reader=attempt.session)
        return sum(amount for (amount,) in parts)

    def _read(
        self,
        columns: str,
        tail: str = "ORDER BY rowid",
        *,
        session: str | None = None,
        terms: Sequence[Term] = (),
        reader: str | None = None,
    ) -> list[tuple[Any, ...]]:
        """What the file says, and what memory does; `reader` is the session that asks."""
        reader = reader or session
        with self._lock:
            kept = ids(self._kept)
            found = fetch(self._kept, *query(columns, tail, session=session, terms=terms))
            asked = query(columns, tail, session=session, terms=terms, but=kept)
            try:
                return fetch(self._file, *asked) + found
            except FAILURES as error:
                if reader is None or reader in self._written:
                    raise self._file.record_error("cannot read the ledger", error) from error
                return found


def _since(start: Since) -> tuple[Term, ...]:
    moment = start.timestamp() if isinstance(start, datetime) else start
    return () if moment is None else (Term("ts >= ?", moment),)
