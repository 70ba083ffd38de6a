"""A person's word on an answer as a row."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple

from nbroute.ledger.rows import encodable, fetch
from nbroute.ledger.schema import LABEL_FIELDS
from nbroute.sqlitefile import SqliteFile
from nbroute.types import Label

_NAMES = ", ".join(LABEL_FIELDS)
_INSERT = f"INSERT INTO labels ({_NAMES}) VALUES ({', '.join('?' * len(LABEL_FIELDS))})"  # noqa: S608 - names of our own


def insert_label(connection: sqlite3.Connection, label: Label) -> None:
    """Append the label."""
    connection.execute(_INSERT, [encodable(value) for value in astuple(label)])


def stored_labels(file: SqliteFile, session: str | None = None) -> list[Label]:
    """The labels in the file as they were appended; nothing where there is no file."""
    where = "" if session is None else "WHERE session = ?"
    asked = f"SELECT {_NAMES} FROM labels {where} ORDER BY rowid"  # noqa: S608 - as above
    return [Label(*row) for row in fetch(file, asked, [] if session is None else [session])]
