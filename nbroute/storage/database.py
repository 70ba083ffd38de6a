"""A SQLite file that threads and processes share: opened on first use, versioned, locked."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from nbroute.errors import RecordError
from nbroute.locks import Lock, unforked
from nbroute.report.table import one_line

if TYPE_CHECKING:
    import pandas as pd

Migration = Callable[[sqlite3.Connection], None]

#: What an unusable or damaged file raises.
_FAILURES = (sqlite3.Error, OSError, ArithmeticError, ValueError, TypeError, RecursionError)
#: SQLite's codes for trouble with the file's place rather than its content.
_UNWRITABLE = {
    *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_LOCKED),
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY),
}
#: Characters of a reason, which may quote the file's content.
_LONGEST = 200
#: Rows per statement; SQLite takes at most 32,766 values.
_AT_ONCE = 100
#: Rows that are checked together as they are read.
_PAGE = 5_000

#: The latest time that we keep, in seconds since 1970: pandas cannot hold much later ones.
LATEST = 9e9

_FRAME_TYPES = {"float": "float64", "Decimal": "float64", "int": "int64", "bool": "bool"}
#: SQLite's types for a dataclass's fields; all others are TEXT.
SQL_TYPES = {"float": "REAL", "Decimal": "REAL", "int": "INTEGER", "bool": "INTEGER"}


@functools.cache
def row_kind(cls: type, names: tuple[str, ...]) -> Any:
    """The type of a row with those fields of a dataclass, in bounds that every reader can hold."""
    from msgspec import Meta

    bounds = {"float": 1e12, "Decimal": 1e9, "int": 2**53}
    types = {one.name: str(one.type).partition(" | ") for one in dataclasses.fields(cls)}
    kinds: list[Any] = []
    for kind, _, optional in map(types.__getitem__, names):
        found: Any = {"bool": Literal[0, 1], "Any": str | None}.get(kind, str)
        if kind in bounds:
            number = int if kind == "int" else float
            found = Annotated[number, Meta(ge=-bounds[kind], le=bounds[kind])]
        kinds.append(found | None if optional else found)
    if "ts" in names:
        kinds[names.index("ts")] = Annotated[float, Meta(ge=0, le=LATEST)]
    return tuple[tuple(kinds)]  # type: ignore[misc]


#: Our kinds of files, by their first migration.
_KINDS = {
    "m001_attempts": "an nbroute ledger",
    "m001_replies": "an nbroute cache",
    "m001_batch": "an nbroute batch",
    "m001_vectors": "nbroute's file of vectors and taught examples",
}
_TABLES = """SELECT name FROM sqlite_master WHERE type IN ('table', 'view')
    AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"""


class NotOursError(sqlite3.DatabaseError):
    """A newer nbroute or another program wrote the file; `cure` goes before the usual one."""

    cure = ""


class SqliteFile:
    """One connection under a lock, opened on first use; with `path` None it lives in memory.

    One is enough: SQLite lets in one writer at a time, and a database in memory has only one.
    `migrations` are applied once each, by name and in order. `setting` is what the user changes
    to choose another file. `wait_s` is how long to wait for another process's lock: once, then
    not at all until a write succeeds again. A file that is garbage-collected is closed, too.
    """

    def __init__(
        self,
        path: Path | None,
        migrations: Sequence[Migration],
        *,
        setting: str,
        pragmas: Sequence[str] = (),
        wait_s: float = 5.0,
    ) -> None:
        self.path = path
        self._migrations = {one.__name__: one for one in migrations}
        self._setting = setting
        self._pragmas = pragmas
        self._wait_s = wait_s
        self._patient = True
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, ...] = ()
        self._opened: list[tuple[int, sqlite3.Connection]] = []
        self._openings = 0
        weakref.finalize(self, _close_own, self._opened)

    @property
    def exists(self) -> bool:
        """Whether there is anything to read; asking does not create the file."""
        return self._connection is not None or (self.path is not None and self.path.exists())

    @contextlib.contextmanager
    def connection(self, lead: str, note: str = "") -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone; an unfinished transaction is rolled back.

        RecordError if the file cannot be used: `lead`, the file, why, `note`, the cure.
        """
        with self._lock, unforked:
            try:
                if self._connection is None or self._identity != self._identify():
                    # A forked child must not close its parent's; or the file was replaced.
                    self.close()
                    self._connection = self._open()
                    self._identity = self._identify()
                connection, before = self._connection, self._connection.total_changes
                try:
                    yield connection
                finally:
                    if connection.in_transaction:
                        connection.rollback()
                if not self._patient and connection.total_changes > before:
                    self.be_patient(True)
            except _FAILURES as error:
                if _code(error) == sqlite3.SQLITE_BUSY:
                    self.be_patient(False)
                raise self._record_error(lead, error, note) from error

    def fetch(
        self, asked: str, values: Sequence[Any] = (), *, lead: str = "cannot read"
    ) -> list[tuple[Any, ...]]:
        """The rows of the query; none if there is no file."""
        if not self.exists:
            return []
        with self.connection(lead) as connection:
            return connection.execute(asked, values).fetchall()

    def pages(
        self, asked: str, values: Sequence[Any], *, lead: str, kind: Callable[[], Any]
    ) -> Iterator[list[tuple[Any, ...]]]:
        """The same, a few thousand rows at a time, each checked against `kind` (`row_kind`).

        Anybody may have written to the file. Other threads wait until the last page, or until
        this generator is closed.
        """
        if not self.exists:
            return
        with self.connection(lead) as connection:
            cursor = connection.execute(asked, values)
            from nbroute.decoding import decode

            page: Any = list[kind()]  # type: ignore[misc]
            while part := cursor.fetchmany(_PAGE):
                yield decode(part, page)

    def version(self) -> tuple[object, ...]:
        """A value that changes when anybody, another process included, writes to the file."""
        if not self.exists:
            return ()
        with self.connection("cannot read") as connection:
            others = connection.execute("PRAGMA data_version").fetchone()
            return self._identity, self._openings, connection.total_changes, others

    def close(self) -> None:
        """Close the file; a second call does nothing, and a later use opens it again."""
        with self._lock, unforked:
            self._connection = None
            _close_own(self._opened)

    def be_patient(self, patient: bool) -> None:
        """Choose whether to wait for another process's lock."""
        self._patient = patient
        if self._connection is not None:
            self._connection.execute(self._busy_timeout)

    def _record_error(self, lead: str, error: Exception, note: str) -> RecordError:
        reason = one_line(str((isinstance(error, OSError) and error.strerror) or error))[:_LONGEST]
        cure = f"move the file away, or set {self._setting} to another one"
        if isinstance(error, NotOursError):
            cure = f"{error.cure}set {self._setting} to another file"
        elif _code(error) == sqlite3.SQLITE_FULL:
            cure = f"make room on the disk, or set {self._setting} to a file on another one"
        elif _code(error) == sqlite3.SQLITE_BUSY:
            cure = f"close the program that locks it, or set {self._setting} to another file"
        elif isinstance(error, OSError) or _code(error) in _UNWRITABLE:
            cure = f"set {self._setting} to a writable file"
        return RecordError(f"{lead} {str(self.path)!r}: {reason}{note}; {cure}.")

    @property
    def _busy_timeout(self) -> str:
        return f"PRAGMA busy_timeout = {round(1000 * self._wait_s * self._patient)}"

    def _identify(self) -> tuple[int, ...]:
        try:
            status = self.path.stat() if self.path is not None else None
        except OSError:
            return ()
        return (os.getpid(), status.st_dev, status.st_ino) if status else (os.getpid(),)

    def _open(self) -> sqlite3.Connection:
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path or ":memory:",
            timeout=self._wait_s * self._patient,
            isolation_level=None,
            check_same_thread=False,
        )
        self._opened.append((os.getpid(), connection))
        self._openings += 1
        try:
            applied = self._applied(connection)  # before anything of the file is changed
            # Do not wait for a process that is switching the journal.
            connection.execute("PRAGMA busy_timeout = 0")
            for pragma in self._pragmas:
                # Busy while another process switches the journal, or not supported by the file
                # system: the file is just as safe without, only slower.
                with contextlib.suppress(sqlite3.OperationalError):
                    connection.execute(f"PRAGMA {pragma}")
            connection.execute(self._busy_timeout)
            if not self._migrations.keys() <= applied:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
                applied = self._applied(connection)  # another process may have been faster
                for name, migration in self._migrations.items():
                    if name not in applied:
                        migration(connection)
                        connection.execute("INSERT INTO migrations VALUES (?)", (name,))
                connection.execute("COMMIT")
        except BaseException:
            self.close()
            raise
        return connection

    def _applied(self, connection: sqlite3.Connection) -> set[str]:
        """The names of the migrations that were applied; NotOursError if there are others."""
        tables = [name for (name,) in connection.execute(_TABLES)]
        columns = [column for _, column, *_ in connection.execute("PRAGMA table_info(migrations)")]
        applied: set[str] = set()
        if columns == ["name"]:
            applied = {name for (name,) in connection.execute("SELECT name FROM migrations")}
        known = self._migrations.keys()
        empty = not tables or (tables == ["migrations"] and columns == ["name"])
        if not empty and not applied & known:
            has = f"{', '.join(tables[:4])}{', ...' if len(tables) > 4 else ''}"
            whose = [kind for name, kind in _KINDS.items() if name in applied]
            told = whose[0] if whose else f"another program's file (it contains {has:.100})"
            raise NotOursError(f"it seems to be {told}")
        if newer := applied - known:
            error = NotOursError(f"a newer nbroute wrote it (it has {newer.pop()!r:.40})")
            error.cure = "upgrade nbroute, or "
            raise error
        return applied


def encodable(value: Any) -> Any:
    """The value as it can be stored: half a surrogate pair, from a cut stream, has no bytes."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def insert(connection: sqlite3.Connection, into: str, rows: Iterable[Sequence[Any]]) -> None:
    """Write the rows, many per statement: each statement costs the other threads a turn.

    `into` is the statement up to its values.
    """
    left = iter(rows)
    while part := list(itertools.islice(left, _AT_ONCE)):
        marks = f"({', '.join('?' * len(part[0]))})"
        statement = f"{into} VALUES {', '.join([marks] * len(part))}"
        values = list(itertools.chain.from_iterable(part))
        try:
            connection.execute(statement, values)
        except UnicodeEncodeError:
            connection.execute(statement, list(map(encodable, values)))


def typed_frame(rows: Sequence[tuple[Any, ...]], kinds: Mapping[str, str]) -> pd.DataFrame:
    """The rows as a table: columns of those names and kinds, money as floats (NaN if unknown)."""
    import pandas as pd

    frame = pd.DataFrame.from_records(rows, columns=list(kinds))
    return frame.astype({name: _FRAME_TYPES.get(kind, "object") for name, kind in kinds.items()})


def _code(error: Exception) -> int:
    """SQLite's primary result code, 0 where it is not SQLite's error."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def _close_own(opened: list[tuple[int, sqlite3.Connection]]) -> None:
    """Close those that this process opened: a forked child must not close its parent's."""
    for owner, connection in opened:
        if owner == os.getpid():
            connection.close()
    opened[:] = [one for one in opened if one[0] != os.getpid()]
