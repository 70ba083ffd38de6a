"""Where the rows of a batch are kept as they come: a SQLite file, so that memory stays flat."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbroute.batch.rows import FIELDS, KINDS, Row, as_row, as_values
from nbroute.errors import SettingsError
from nbroute.report import Spend
from nbroute.storage.database import FAILURES, Migration, SqliteFile

#: Safe from a killed process; a power cut costs the last rows, never the file.
_PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL")
#: Nobody reads a temporary file after a crash.
_TEMPORARY_PRAGMAS = ("journal_mode = MEMORY", "synchronous = OFF")

_NAMES = ", ".join(FIELDS)
_VALUES = f"({', '.join('?' * len(FIELDS))})"
_SPEND = """SELECT cost_source, total(CASE WHEN cached THEN 0 ELSE cost_usd END),
    total(result <> '' OR cost_usd IS NULL), total(cached),
    total(cost_usd IS NULL AND NOT cached) FROM rows WHERE place < ? GROUP BY 1"""
_SQL_TYPES = {"int": "INTEGER", "bool": "INTEGER", "float": "REAL", "Decimal": "REAL"}
_PAGE = 500
#: Rows in a statement.
_AT_ONCE = 100
_SIDE_FILES = ("", "-wal", "-shm", "-journal")

#: More rows than any batch has.
ALL = 2**62


def m001_batch(connection: sqlite3.Connection) -> None:
    """The rows by place, and what the batch was made with."""
    columns = (f"{name} {_SQL_TYPES.get(KINDS[name], 'TEXT')}" for name in FIELDS[1:])
    connection.execute(f"CREATE TABLE rows (place INTEGER PRIMARY KEY, {', '.join(columns)})")
    connection.execute("CREATE INDEX failed ON rows (place) WHERE error IS NOT NULL")
    connection.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")


MIGRATIONS: list[Migration] = [m001_batch]


class Spool:
    """The rows in the file `path`; None is a temporary file, removed with the last batch on it.

    Raises RecordError where the file cannot be used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._temporary = path is None
        self.path = path or _temporary_file()
        self._file = self._opened(_PRAGMAS if path else _TEMPORARY_PRAGMAS)
        if path is None:
            weakref.finalize(self, _remove, self._file, self.path, os.getpid())

    def become_temporary(self) -> None:
        """Move the rows to a temporary file, so that the one that was named goes away."""
        self.close()
        moved = _temporary_file()
        shutil.move(self.path, moved)
        remove(self.path)
        self._temporary = True
        self.path = moved
        self._file = self._opened(_TEMPORARY_PRAGMAS)
        weakref.finalize(self, _remove, self._file, self.path, os.getpid())

    def close(self) -> None:
        """Give the file back; a later use opens it again."""
        self._file.close()

    @contextlib.contextmanager
    def filling(self) -> Iterator[None]:
        """Rows are written fast while this lasts, with side files; a killed process loses none."""
        if self._temporary:
            yield
            return
        self._journal("WAL")
        try:
            yield
        finally:
            self._journal("DELETE")

    def write(self, rows: Sequence[Row]) -> None:
        """Keep the rows, each in place of an earlier one of its place."""
        with self._using() as connection:
            connection.execute("BEGIN")
            for at in range(0, len(rows), _AT_ONCE):
                _insert(connection, [as_values(row) for row in rows[at : at + _AT_ONCE]])
            connection.execute("COMMIT")

    def complete(self, row: Row) -> None:
        """Keep the row if the one in its place is of the same prompt, interrupted."""
        asked = "SELECT prompt FROM rows WHERE place = ? AND status = 'interrupted'"
        with self._using():
            found = self._fetch(asked, (row.place,))
            if found and found[0][0] in (row.prompt, storable(row.prompt)):
                self.write([row])

    def has_answer(self, place: int, prompt: str) -> bool:
        """Whether that prompt at that place needs no more work."""
        asked = "SELECT prompt FROM rows WHERE place = ? AND error IS NULL"
        found = self._fetch(asked, (place,))
        return bool(found) and found[0][0] in (prompt, storable(prompt))

    def count(self, below: int = ALL, *, failed: bool = False) -> int:
        """The number of rows; of those that failed, if so asked."""
        only = "AND error IS NOT NULL" if failed else ""
        asked = f"SELECT count(*) FROM rows WHERE place < ? {only}"  # noqa: S608 - words of our own
        return int(self._fetch(asked, (below,))[0][0])

    def row(self, number: int, *, gapless: bool) -> Row | None:
        """The row of that number in the order of places; without gaps that is its place."""
        tail = "WHERE place = ?" if gapless else "ORDER BY place LIMIT 1 OFFSET ?"
        found = self._fetch(f"SELECT {_NAMES} FROM rows {tail}", (number,))  # noqa: S608 - as above
        return as_row(found[0]) if found else None

    def last(self, below: int = ALL) -> int:
        """The last place that has a row; -1 where there is none."""
        found = self._fetch("SELECT max(place) FROM rows WHERE place < ?", (below,))
        return -1 if found[0][0] is None else int(found[0][0])

    def pages(self, below: int = ALL, *, failed: bool = False) -> Iterator[list[Sequence[Any]]]:
        """The values of the rows in order, some hundreds at a time."""
        only = "AND error IS NOT NULL" if failed else ""
        asked = f"""SELECT {_NAMES} FROM rows WHERE place > ? AND place < ? {only}
            ORDER BY place LIMIT {_PAGE}"""  # noqa: S608 - as above
        last = -1
        while page := self._fetch(asked, (last, below)):
            yield page
            last = page[-1][0]

    def spend(self, below: int = ALL) -> Spend:
        """What the rows cost together."""
        parts = self._fetch(_SPEND, (below,))
        spends = (Spend.of_source(source, usd, *map(int, n)) for source, usd, *n in parts)
        return sum(spends, Spend())

    def about(self) -> dict[str, Any]:
        """What the batch was made with, as `describe` noted it down; empty in a new file."""
        return {name: json.loads(value) for name, value in self._fetch("SELECT * FROM about")}

    def describe(self, about: Mapping[str, Any]) -> None:
        """Note down what the batch is made with."""
        values = [(name, json.dumps(value)) for name, value in about.items()]
        with self._using() as connection:
            connection.execute("BEGIN")
            connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", values)
            connection.execute("COMMIT")

    def _journal(self, mode: str) -> None:
        # Another kernel that looks at the file may hold it: it stays as it is then.
        with self._using() as connection, contextlib.suppress(sqlite3.OperationalError):
            connection.execute(f"PRAGMA journal_mode = {mode}")

    def _opened(self, pragmas: Sequence[str]) -> SqliteFile:
        return SqliteFile(self.path, MIGRATIONS, setting="`to`", pragmas=pragmas)

    def _fetch(self, asked: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
        with self._using() as connection:
            return connection.execute(asked, values).fetchall()

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._file.connection() as connection:
                yield connection
        except FAILURES as error:
            raise self._file.record_error("the batch cannot be kept in", error) from error


def opened(path: Path) -> Spool:
    """The spool in a file that may be there already; SettingsError where it is another's."""
    if path.is_dir():
        raise SettingsError(f"to={str(path)!r} is a folder; name a file in it")
    if path.exists() and path.stat().st_size and not _is_spool(path):
        raise SettingsError(
            f"to={str(path)!r} is there and holds no batch of nbroute; name another file"
        )
    return Spool(path)


def remove(path: Path) -> None:
    """Delete the file, if it is there, and what SQLite keeps beside it."""
    for suffix in _SIDE_FILES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def storable(value: Any) -> Any:
    """The text without what has no bytes; anything else as it is."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _is_spool(path: Path) -> bool:
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)
        ) as it:
            names = {name for (name,) in it.execute("SELECT name FROM migrations")}
    except sqlite3.Error:
        return False
    return MIGRATIONS[0].__name__ in names


def _insert(connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
    """One statement: each costs the thread its turn while the others work."""
    statement = f"INSERT OR REPLACE INTO rows VALUES {', '.join([_VALUES] * len(rows))}"  # noqa: S608 - as above
    values = [value for row in rows for value in row]
    try:
        connection.execute(statement, values)
    except UnicodeEncodeError:
        # Half a surrogate pair, as out of a cut stream, has no bytes to be stored.
        connection.execute(statement, list(map(storable, values)))


def _temporary_file() -> Path:
    handle, name = tempfile.mkstemp(prefix="nbroute-", suffix=".sqlite")
    os.close(handle)
    return Path(name)


def _remove(file: SqliteFile, path: Path, owner: int) -> None:
    """A forked child must not take its parent's file along."""
    if os.getpid() == owner:
        file.close()
        remove(path)
