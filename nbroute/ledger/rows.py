"""An attempt as a row, and what is asked of rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple

from nbroute.ledger.schema import FIELDS, KINDS
from nbroute.sqlitefile import SqliteFile
from nbroute.types import Attempt

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
