"""The rows of a batch in a file, so that memory stays flat: SQLite, or Parquet when complete."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import operator
import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from nbroute.batch.rows import KINDS, Row, as_row, as_values
from nbroute.classify.registry import DEFAULT, FORMER
from nbroute.decoding import decode, parse
from nbroute.engine.conversations import KEPT
from nbroute.errors import SettingsError
from nbroute.report import Spend
from nbroute.report.table import one_line
from nbroute.settings.model import named_path
from nbroute.storage.database import (
    SQL_TYPES,
    Migration,
    SqliteFile,
    encodable,
    insert,
    typed_frame,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

#: A killed process or a power cut costs the last rows, never the file; 0.1.0 used WAL.
_PRAGMAS = ("journal_mode = DELETE", "synchronous = NORMAL")
#: Nobody reads a temporary file after a crash.
_TEMPORARY_PRAGMAS = ("journal_mode = MEMORY", "synchronous = OFF")

_NAMES = ", ".join(KINDS)
#: A column that 0.1.0 did not have.
_SECOND = "answered_by"
_SPEND = """SELECT cost_source, total(CASE WHEN cached THEN 0 ELSE cost_usd END),
    total(result <> '' OR cost_usd IS NULL), total(cached),
    total(cost_usd IS NULL AND NOT cached) FROM rows WHERE place < ? GROUP BY 1"""
_MADE = """SELECT 'columns', group_concat(name) FROM pragma_table_info('rows') UNION
    SELECT 'columns', group_concat(name) FROM pragma_table_info('about') UNION
    SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') UNION
    SELECT 'place', place FROM rows WHERE place < 0"""
_TABLES = {("columns", ",".join(KINDS)), ("columns", "name,value")}
#: Rows in a page that is read, in a row group of a Parquet file.
_PAGE, _ROW_GROUP = 500, 10_000

_NOT_WRITTEN = (".csv", ".tsv", ".json", ".jsonl", ".txt", ".xlsx", ".pkl", ".feather")
#: Under this name a Parquet file's own metadata says what the batch was made with.
_ABOUT = b"nbroute"
#: More rows than any batch has.
_ALL = 2**62


def m001_batch(connection: sqlite3.Connection) -> None:
    """The rows by place, and what the batch was made with."""
    first = [name for name in KINDS if name not in ("place", _SECOND)]
    columns = (f"{name} {SQL_TYPES.get(KINDS[name], 'TEXT')}" for name in first)
    connection.execute(f"CREATE TABLE rows (place INTEGER PRIMARY KEY, {', '.join(columns)})")
    connection.execute("CREATE INDEX failed ON rows (place) WHERE error IS NOT NULL")
    connection.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")


def m002_answered(connection: sqlite3.Connection) -> None:
    """Which model answered."""
    connection.execute(f"ALTER TABLE rows ADD COLUMN {_SECOND} TEXT DEFAULT ''")


MIGRATIONS: list[Migration] = [m001_batch, m002_answered]


class Store:
    """The rows of a batch as they come, and the file `to` in which the user wants them.

    They are in the SQLite file `path`: `to` itself, one next to a Parquet file that is not
    complete yet, or (None) a temporary one that goes with the last batch on it. RecordError if
    it cannot be used. `finished` is a complete Parquet file whose rows `begin` takes in.
    """

    def __init__(self, path: Path | None = None, to: Path | None = None) -> None:
        self.to = to
        self.finished: Path | None = None
        self._open(path)

    def about(self) -> dict[str, Any]:
        """What the rows are made with, as `begin` wrote it down; empty in a new file."""
        if self.finished:
            with _parquet_file(self.finished) as file:
                return decode(parse(file.schema_arrow.metadata[_ABOUT]), dict[str, Any])

        def made(row: tuple[Any, ...]) -> tuple[str, Any]:
            return decode(row[0], str), parse(decode(row[1], str))

        return dict(self.fetch("SELECT name, value FROM about", made=made))

    def begin(self, about: Mapping[str, str]) -> None:
        """Write down what the rows are made with; SettingsError if it was something else before."""
        known = self.about()
        if known.get("classifier") == repr(FORMER) and about.get("classifier") == repr(DEFAULT):
            known["classifier"] = repr(DEFAULT)
        changed = [name for name in {**known, **about} if known.get(name) != about.get(name)]
        if known and changed:
            self._file.close()
            told = "; ".join(
                f"{name:.40} was {one_line(str(known.get(name, 'not given')))[:80]} and is "
                f"{about.get(name, 'not given')}"
                for name in changed
            )
            raise SettingsError(
                f"the batch in {str(self.to or self.path)!r} was made with other options: {told}. "
                "Give the same ones to continue it, name another file, or begin anew with "
                "fresh=True"
            )
        rows = _parquet_rows(self.finished) if self.finished else ()
        self._write(rows, [(name, json.dumps(value)) for name, value in about.items()])
        self.finished = None

    def finish(self, count: int) -> None:
        """Write that many rows into the Parquet file, if one is wanted, in one step.

        `data` is JSON text and `cost_usd` a double (null if unknown). SettingsError if the file
        cannot be written.
        """
        if self.to is None or not _is_parquet(self.to):
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = _schema().with_metadata({_ABOUT: json.dumps(self.about()).encode()})
        rows = map(as_values, self.rows(count))
        unfinished = self.to.with_name(f"{self.to.name}.new")
        try:
            with pq.ParquetWriter(unfinished, schema) as writer:
                while group := list(itertools.islice(rows, _ROW_GROUP)):
                    frame = typed_frame(group, KINDS)
                    writer.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False))
            unfinished.replace(self.to)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise SettingsError(
                f"to={str(self.to)!r} cannot be written: {error}; the rows are in "
                f"{str(self.path)!r}, so the same call writes them once that is fixed"
            ) from error
        self._file.close()
        moved = Path(shutil.move(self.path, _temporary_file()))
        remove(self.path)
        self._open(moved, temporary=True)

    def write(self, rows: Iterable[Row]) -> None:
        """Keep the rows; each replaces an earlier one at its place."""
        self._write(map(as_values, rows))

    def complete(self, row: Row) -> None:
        """Keep the row if the one at its place is of the same prompt and interrupted."""
        with self._using():
            if self._holds("status = 'interrupted'", row.place, row.prompt):
                self.write([row])

    def has_answer(self, place: int, prompt: str) -> bool:
        """Whether that prompt at that place needs no more work."""
        return self._holds("error IS NULL", place, prompt)

    def is_empty(self) -> bool:
        """Whether there is no row yet."""
        return not self.fetch("SELECT 1 FROM rows LIMIT 1")

    def row(self, place: int) -> Row | None:
        """The row at that place, if there is one."""
        found = self.fetch(f"SELECT {_NAMES} FROM rows WHERE place = ?", (place,), made=as_row)  # noqa: S608 - words of our own
        return found[0] if found else None

    def results(self) -> list[str]:
        """The ids of the last results, in order of place: as many as a history keeps."""
        asked = "SELECT result FROM rows WHERE result <> '' ORDER BY place DESC LIMIT ?"
        return [result for (result,) in reversed(self.fetch(asked, (KEPT,)))]

    def rows(self, below: int = _ALL, *, failed: bool = False) -> Iterator[Row]:
        """Each row in order, read some hundreds at a time."""
        only = "AND error IS NOT NULL" if failed else ""
        asked = f"""SELECT {_NAMES} FROM rows WHERE place > ? AND place < ? {only}
            ORDER BY place LIMIT {_PAGE}"""  # noqa: S608 - as above
        last = -1
        while page := self.fetch(asked, (last, below), made=as_row):
            yield from page
            last = page[-1].place

    def fetch(
        self,
        asked: str,
        values: Sequence[Any] = (),
        made: Callable[[tuple[Any, ...]], Any] = tuple,
    ) -> list[Any]:
        """What `made` makes of each row of the answer; RecordError if one is damaged."""
        with self._file.connection("cannot read the batch in") as connection:
            return list(map(made, connection.execute(asked, values)))

    def look_through(self) -> None:
        """Raise RecordError if any of the file is damaged, before that costs a call or a byte."""
        with self._file.connection("cannot continue the batch in") as connection:
            (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            made = set(connection.execute(_MADE))
            if told != "ok" or made != _TABLES:
                raise sqlite3.DatabaseError(
                    told if told != "ok" else "its tables are not a batch's"
                )
        for _ in self.rows():
            pass
        self.about()

    def _open(self, path: Path | None, *, temporary: bool = False) -> None:
        self.path = path or _temporary_file()
        temporary = temporary or path is None
        pragmas = _TEMPORARY_PRAGMAS if temporary else _PRAGMAS
        self._file = SqliteFile(self.path, MIGRATIONS, setting="`to`", pragmas=pragmas)
        if temporary:
            weakref.finalize(self, _remove_temporary, self._file, self.path, os.getpid())

    def _holds(self, state: str, place: int, prompt: str) -> bool:
        found = self.fetch(f"SELECT prompt FROM rows WHERE place = ? AND {state}", (place,))  # noqa: S608 - as above
        return bool(found) and found[0][0] in (prompt, encodable(prompt))

    def _write(self, rows: Iterable[Sequence[Any]], about: Sequence[tuple[str, str]] = ()) -> None:
        with self._using() as connection:
            connection.execute("BEGIN")
            insert(connection, "INSERT OR REPLACE INTO rows", rows)
            insert(connection, "INSERT OR REPLACE INTO about", about)
            connection.execute("COMMIT")

    def _using(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._file.connection("the batch cannot be kept in")


class Batch(Sequence[Row]):
    """What became of many prompts, a `Row` each, in the order of the prompts.

    The rows stay in a file and are read when they are needed. `stopped` says why prompts were
    left out (the budget, a refused key, Ctrl-C), and is empty otherwise.
    """

    def __init__(self, store: Store, count: int = _ALL, *, stopped: str = "") -> None:
        self.stopped = stopped
        self.to = store.to
        self.store = store
        self._below = count
        asked = "SELECT count(*), max(place) FROM rows WHERE place < ?"
        self._count: int
        ((self._count, last),) = store.fetch(asked, (count,))
        self._gapless = last == self._count - 1

    def __reduce__(self) -> Any:
        """A copied or unpickled batch has its rows in a temporary file of its own."""
        return _batch_of, (list(self), self.stopped, self.to)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            return list(self)[place] if step < 0 else [*itertools.islice(self, start, stop, step)]
        if not -len(self) <= place < len(self):
            raise IndexError(f"row {place} of a batch of {len(self):,}")
        number = place % len(self)
        found = self.store.row(number) if self._gapless else None
        return found or next(itertools.islice(self, number, None))

    def __iter__(self) -> Iterator[Row]:
        return self.store.rows(self._below)

    def __repr__(self) -> str:
        """How it went, in a line: no prompts, no answers."""
        count, failed = len(self), len(self.failed())
        outcome = f"{count:,} rows: {count - failed:,} answered, {failed:,} failed; {self.cost}"
        place = f"; in {str(self.to)!r}" if self.to else ""
        stopped = f"; {self.stopped}" if self.stopped else ""
        return f"<Batch of {outcome}{place}{stopped}>"

    @property
    def cost(self) -> Spend:
        """What the rows cost together; what earlier tries cost is only in the ledger."""
        parts = self.store.fetch(_SPEND, (self._below,))
        spends = (Spend.of_source(source, usd, *map(int, n)) for source, usd, *n in parts)
        return sum(spends, Spend())

    def failed(self) -> list[Row]:
        """The rows that have no answer: errors, interrupted ones, those that were not sent."""
        return list(self.store.rows(self._below, failed=True))

    def frame(self) -> pd.DataFrame:
        """One line for each row; money as floats (NaN if unknown)."""
        return typed_frame(list(map(operator.attrgetter(*KINDS), self)), KINDS)


def open_store(to: str | Path | None, resume: Batch | None, *, fresh: bool) -> Store:
    """The store that the caller names, new or resumed; SettingsError if it cannot be one."""
    if resume is not None:
        check_resume(resume, Batch, to, fresh=fresh)
        return resume.store
    if to is None:
        return Store()
    path = named_path("to", to)
    parquet = _is_parquet(path)
    kept_in = path.with_name(f"{path.name}.part") if parquet else path
    try:
        _check_name(path)
        known = kept_in.exists() and kept_in.stat().st_size
        if known and not _is_batch(kept_in):
            raise _foreign(kept_in)
        if fresh:
            remove(kept_in)
            return Store(kept_in, path)
        store = Store(kept_in, path)
        if known:
            store.look_through()
        taken_in = kept_in.exists() and store.about()  # written with the rows or not at all
        if parquet and path.exists() and not taken_in:
            store.finished = path
    except OSError as error:
        raise SettingsError(f"to={str(path)!r} cannot be used: {error.strerror or error}") from None
    return store


def check_resume(resume: object, kind: type, to: object, *, fresh: bool) -> None:
    """Raise SettingsError unless it is a batch (or grid) that can be continued where it is."""
    name = kind.__name__.lower()
    if to is not None or fresh:
        raise SettingsError(f"resume continues where its {name} is kept; leave to and fresh out")
    if not isinstance(resume, kind):
        raise SettingsError(f"resume is {resume!r:.60}; give the {name} that was interrupted")


def remove(path: Path) -> None:
    """Delete the file, if it is there, and what SQLite keeps next to it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _check_name(path: Path) -> None:
    wrong = ""
    if path.suffix.lower() in _NOT_WRITTEN:
        wrong = " is not a file that a batch goes into; name a .sqlite or .parquet file, and write "
        wrong += "others from batch.frame()"
    elif path.is_dir():
        wrong = " is a folder; name a file in it"
    elif path.exists() and not path.is_file():
        wrong = " is a device or a pipe; name a file"
    elif _is_parquet(path) and importlib.util.find_spec("pyarrow") is None:
        wrong = " needs pyarrow: pip install pyarrow, or name a .sqlite file"
    elif _is_parquet(path) and not path.parent.is_dir():
        wrong = ": there is no such folder"
    if wrong:
        raise SettingsError(f"to={str(path)!r}{wrong}")


def _is_batch(path: Path) -> bool:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM migrations")}
    except (sqlite3.Error, ValueError):
        return False
    return MIGRATIONS[0].__name__ in names


def _foreign(path: Path, why: object = "") -> SettingsError:
    told = f", or a damaged one ({one_line(str(why))[:200]})" if why else ""
    return SettingsError(
        f"to={str(path)!r} exists and is not an nbroute batch{told}; name another file"
    )


def _temporary_file() -> Path:
    handle, name = tempfile.mkstemp(prefix="nbroute-", suffix=".sqlite")
    os.close(handle)
    return Path(name)


def _batch_of(rows: Sequence[Row], stopped: str, to: Path | None) -> Batch:
    store = Store(to=to)
    store.write(rows)
    return Batch(store, stopped=stopped)


def _remove_temporary(file: SqliteFile, path: Path, owner: int) -> None:
    """A forked child must not take its parent's file along."""
    if os.getpid() == owner:
        file.close()
        remove(path)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


@contextlib.contextmanager
def _parquet_file(path: Path) -> Iterator[pq.ParquetFile]:
    """The file; SettingsError if it does not hold a batch, or is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            ours = any(map(schema.equals, (_schema(), _schema(but=_SECOND))))
            if _ABOUT not in (schema.metadata or {}) or not ours:
                raise _foreign(path)
            yield file
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        raise _foreign(path, error) from error


def _parquet_rows(path: Path) -> Iterator[list[Any]]:
    with _parquet_file(path) as file:
        for part in file.iter_batches(batch_size=_ROW_GROUP):
            for row in zip(*(column.to_pylist() for column in part.columns), strict=True):
                values = [int(one) if isinstance(one, bool) else one for one in row]
                values += [""] * (len(KINDS) - len(values))
                as_row(values)
                yield values


def _schema(but: str = "") -> pa.Schema:
    import pyarrow as pa

    types = {"int": pa.int64(), "bool": pa.bool_(), "float": pa.float64(), "Decimal": pa.float64()}
    columns = [(name, types.get(kind, pa.string())) for name, kind in KINDS.items() if name != but]
    return pa.schema(columns)
