"""A SQLite file that threads and processes share: opened late, versioned, kept apart by a lock."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nbroute.errors import RecordError

Migration = Callable[[sqlite3.Connection], None]

#: What a file that cannot be used raises; `SqliteFile.record_error` turns it into a line.
FAILURES = (sqlite3.Error, OSError, OverflowError)


class NewerSchemaError(sqlite3.DatabaseError):
    """A newer nbroute wrote the file."""


class SqliteFile:
    """One connection under a lock, opened on first use; `path` None lives in memory.

    One is enough, as SQLite lets a single writer in at a time, and a database in memory has
    no more. `migrations` are applied once each, by name and in order. `setting` is what the
    user changes to have another file; `wait_s` is how long another process's lock is waited for.
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
        self._migrations = migrations
        self._setting = setting
        self._pragmas = pragmas
        self._wait_s = wait_s
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, ...] = ()
        self._abandoned: list[sqlite3.Connection] = []

    @property
    def exists(self) -> bool:
        """Whether there is anything to read; looking does not make the file."""
        return self._connection is not None or (self.path is not None and self.path.exists())

    @contextlib.contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone; an unfinished transaction is rolled back.

        Raises FAILURES, so that the caller can say what was being done.
        """
        with self._lock:
            connection = self._opened()
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.rollback()

    def close(self) -> None:
        """Give the file back; a second call does nothing, and a later use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def record_error(self, lead: str, error: Exception, note: str = "") -> RecordError:
        """The line that says what could not be done with the file, why, and the cure."""
        reason = (isinstance(error, OSError) and error.strerror) or error
        return RecordError(f"{lead} {str(self.path)!r}: {reason}{note}; {self._cure(error)}.")

    def _cure(self, error: Exception) -> str:
        if isinstance(error, NewerSchemaError):
            return f"upgrade nbroute, or set {self._setting} to another file"
        if isinstance(error, OSError | sqlite3.OperationalError):
            return f"set {self._setting} to a writable file"
        return f"move the file away, or set {self._setting} to another one"

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._identity != self._identify():
            # A forked child must not close its parent's; a deleted file would take rows along.
            self._abandoned.append(self._connection)
            self._connection = None
        if self._connection is None:
            self._connection = self._open()
            self._identity = self._identify()
        return self._connection

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
            timeout=self._wait_s,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for pragma in self._pragmas:
            # Busy while another process switches the journal, or not to be had on this file
            # system: the file is as safe without, only slower.
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute(f"PRAGMA {pragma}")
        if self._pending(connection):
            connection.execute("BEGIN IMMEDIATE")
            for migration in self._pending(connection):
                migration(connection)
                connection.execute("INSERT INTO migrations VALUES (?)", (migration.__name__,))
            connection.execute("COMMIT")

    def _pending(self, connection: sqlite3.Connection) -> list[Migration]:
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
        applied = {name for (name,) in connection.execute("SELECT name FROM migrations")}
        if newer := applied - {migration.__name__ for migration in self._migrations}:
            raise NewerSchemaError(f"a newer nbroute wrote it (it has {min(newer)!r})")
        return [m for m in self._migrations if m.__name__ not in applied]
