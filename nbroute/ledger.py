"""The append-only record of every attempt, in SQLite.

An attempt is written before it is sent (`running`), maybe while it streams, and at its end;
its last row counts. A kernel that is killed loses nothing that was written.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from datetime import datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

from nbroute.errors import SettingsError, did_you_mean
from nbroute.report import ReportRow, Spend
from nbroute.sqlitefile import FAILURES, Migration, SqliteFile
from nbroute.types import Attempt

if TYPE_CHECKING:
    import pandas as pd

_FIELDS = tuple(f.name for f in fields(Attempt))
_KINDS = {f.name: str(f.type).removesuffix(" | None") for f in fields(Attempt)}
_SQL_TYPES = {"float": "REAL", "Decimal": "REAL", "int": "INTEGER", "bool": "INTEGER"}
_MONEY = tuple(i for i, name in enumerate(_FIELDS) if _KINDS[name] == "Decimal")
_PRIVATE = tuple(_FIELDS.index(name) for name in ("prompt", "text"))
_NAMES = ", ".join(_FIELDS)
_INSERT = f"INSERT INTO attempts ({_NAMES}) VALUES ({', '.join('?' * len(_FIELDS))})"  # noqa: S608 - names of our own

#: NORMAL leaves syncing to the checkpoints: safe from a killed process, and a power cut
#: costs the last rows, never the file. Rarer checkpoints made appends a fifth faster.
_PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 4000")

#: What `spend` adds up by, and what it is in a row; days are UTC.
_GROUPS = {
    "session": "session",
    "day": "date(ts, 'unixepoch')",
    "tier": "tier",
    "model": "model",
    "feature": "coalesce(feature, '')",
    "provider": "provider",
}
_KEPT = "; kept in memory until the kernel ends"
_SPEND = """cost_source, total(CASE WHEN cached THEN 0 ELSE cost_usd END), count(*),
    total(cached), total(cost_usd IS NULL AND NOT cached)"""


def m001_attempts(connection: sqlite3.Connection) -> None:
    """The table of attempts; a field that `Attempt` gains later needs a migration that adds it."""
    connection.execute(f"CREATE TABLE attempts ({', '.join(map(_column, fields(Attempt)))})")
    connection.execute("CREATE INDEX attempts_by_id ON attempts (session, id)")
    for change in ("UPDATE", "DELETE"):
        connection.execute(
            f"CREATE TRIGGER attempts_no_{change.lower()} BEFORE {change} ON attempts "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )


def _column(field: Field[Any]) -> str:
    required = " NOT NULL" if field.default is MISSING else ""
    return f"{field.name} {_SQL_TYPES.get(_KINDS[field.name], 'TEXT')}{required}"


MIGRATIONS: list[Migration] = [m001_attempts]


class SqliteLedger:
    """The record in the file `path`; None keeps it in memory.

    Threads and processes may share a file. The file and its folder are made at the first
    `append`. A row that cannot be written is kept in memory, counts in all that is read, and
    goes into the file with a later row that can. Prompts and answers are written only with
    `store_text`. Reading raises RecordError where the file cannot be read; a session that
    wrote nothing to it is read from memory alone.
    """

    def __init__(self, path: Path | None, *, store_text: bool = False, wait_s: float = 5.0) -> None:
        self.path = path
        self._store_text = store_text
        self._lock = threading.RLock()
        self._file = SqliteFile(
            path, MIGRATIONS, setting="NBROUTE_LEDGER", pragmas=_PRAGMAS, wait_s=wait_s
        )
        self._kept = _memory()
        self._written: set[str] = set()

    def append(self, attempt: Attempt) -> None:
        """Write a row at once; RecordError where that fails, with the row kept in memory."""
        row = self._row(attempt)
        with self._lock:
            try:
                self._write(row)
            except FAILURES as error:
                with self._kept.connection() as kept:
                    _insert(kept, row)
                raise self._file.record_error(
                    "the call could not be recorded in", error, _KEPT
                ) from error
            self._written.add(attempt.session)

    def rows(self, *, session: str | None = None) -> list[Mapping[str, Any]]:
        """One mapping an attempt, oldest first, with the fields of `Attempt`; money is Decimal."""
        found = self._read(_NAMES, session=session)
        return [_mapping(row) for row in sorted(found, key=itemgetter(_FIELDS.index("ts")))]

    def report_rows(self, *, session: str | None = None) -> list[ReportRow]:
        """What `nbroute.report.summarise` needs of each attempt, oldest first."""
        found = self._read(", ".join(ReportRow._fields), session=session)
        return [ReportRow._make(row) for row in sorted(found, key=itemgetter(0))]

    def frame(
        self, *, session: str | None = None, since: float | datetime | None = None
    ) -> pd.DataFrame:
        """One line an attempt, oldest first; money as floats, and `ts` also as UTC `time`.

        `since` is seconds since 1970 or a datetime (a naive one is local time).
        """
        import pandas as pd

        kinds = {"float": "float64", "Decimal": "float64", "int": "int64", "bool": "bool"}
        found = self._read(_NAMES, session=session, since=since)
        frame = pd.DataFrame.from_records(found, columns=list(_FIELDS))
        frame = frame.astype({name: kinds.get(kind, "object") for name, kind in _KINDS.items()})
        frame.insert(1, "time", pd.to_datetime(frame["ts"], unit="s", utc=True))
        return frame.sort_values("ts", kind="stable", ignore_index=True)

    @overload
    def spend(
        self, by: None = None, *, session: str | None = None, since: float | datetime | None = None
    ) -> Spend: ...
    @overload
    def spend(
        self, by: str, *, session: str | None = None, since: float | datetime | None = None
    ) -> dict[str, Spend]: ...
    def spend(
        self,
        by: str | None = None,
        *,
        session: str | None = None,
        since: float | datetime | None = None,
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
        for name, *sums in self._read(f"{group}, {_SPEND}", tail, session=session, since=since):
            source, usd, *counts = sums
            part = Spend.of_source(source, usd, *map(int, counts))
            found[name] = found.get(name, Spend()) + part
        return dict(sorted(found.items())) if by else found.get("", Spend())

    def close(self) -> None:
        """Give the file back; a second call does nothing, and a later use opens it again."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _row(self, attempt: Attempt) -> list[Any]:
        row = list(_values(attempt))
        for place in _MONEY:
            if row[place] is not None:
                row[place] = float(row[place])
        if not self._store_text:
            for place in _PRIVATE:
                row[place] = None
        return row

    def _write(self, row: Sequence[Any]) -> None:
        with self._file.connection() as connection:
            if not self._kept.exists:
                _insert(connection, row)
                return
            with self._kept.connection() as kept:
                earlier = kept.execute(f"SELECT {_NAMES} FROM attempts ORDER BY rowid").fetchall()  # noqa: S608 - as above
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, earlier)
            _insert(connection, row)
            connection.execute("COMMIT")
            self._kept.close()

    def _read(
        self,
        columns: str,
        tail: str = "ORDER BY rowid",
        *,
        session: str | None,
        since: float | datetime | None = None,
    ) -> list[tuple[Any, ...]]:
        start = since.timestamp() if isinstance(since, datetime) else since
        with self._lock:
            ids = _ids(self._kept)
            query = _query(columns, tail, session=session, since=start, but=ids)
            found = _fetch(self._kept, *_query(columns, tail, session=session, since=start))
            try:
                return _fetch(self._file, *query) + found
            except FAILURES as error:
                if session is None or session in self._written:
                    raise self._file.record_error("cannot read the ledger", error) from error
                return found


_values = attrgetter(*_FIELDS)


def _query(
    columns: str, tail: str, *, session: str | None, since: float | None, but: Sequence[str] = ()
) -> tuple[str, list[Any]]:
    """The last row of each attempt; `but` are ids to leave out."""
    values: list[Any] = [] if session is None else [session]
    of_session = "WHERE session = ?" if values else ""
    last = f"SELECT max(rowid) FROM attempts {of_session} GROUP BY session, id"  # noqa: S608 - as above
    terms = [f"rowid IN ({last})"]
    if since is not None:
        terms.append("ts >= ?")
        values.append(since)
    if but:
        terms.append("id NOT IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(but))
    where = " AND ".join(terms)
    return f"SELECT {columns} FROM attempts WHERE {where} {tail}", values  # noqa: S608 - as above


def _fetch(file: SqliteFile, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    if not file.exists:
        return []
    with file.connection() as connection:
        return connection.execute(query, values).fetchall()


def _ids(file: SqliteFile) -> list[str]:
    return [name for (name,) in _fetch(file, "SELECT DISTINCT id FROM attempts")]


def _insert(connection: sqlite3.Connection, row: Sequence[Any]) -> None:
    try:
        connection.execute(_INSERT, row)
    except UnicodeEncodeError:
        # Half a surrogate pair, as out of a cut stream, has no bytes to be stored.
        connection.execute(_INSERT, [_encodable(value) for value in row])


def _encodable(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _mapping(row: Sequence[Any]) -> dict[str, Any]:
    found = dict(zip(_FIELDS, row, strict=True))
    for name, kind in _KINDS.items():
        if kind == "bool":
            found[name] = bool(found[name])
        elif kind == "Decimal" and found[name] is not None:
            found[name] = Decimal(repr(found[name]))
    return found


def _memory() -> SqliteFile:
    return SqliteFile(None, MIGRATIONS, setting="NBROUTE_LEDGER")
