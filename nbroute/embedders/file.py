"""The SQLite file of vectors and taught examples, which may be one or two."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from nbroute.storage.database import Migration, SqliteFile

#: The files stand beside the ledger.
SETTING = "ledger in nbroute.toml"


def m001_vectors(connection: sqlite3.Connection) -> None:
    """Vectors as float32 by the SHA-256 of their text; an embedder has one width."""
    connection.execute("CREATE TABLE embedders (name TEXT PRIMARY KEY, dimensions INTEGER)")
    connection.execute(
        "CREATE TABLE vectors (id INTEGER PRIMARY KEY, embedder TEXT NOT NULL, "
        "text BLOB NOT NULL, vector BLOB NOT NULL, UNIQUE (embedder, text))"
    )


def m002_taught(connection: sqlite3.Connection) -> None:
    """Every word of the user's on a prompt, oldest first; without a tier it is forgotten."""
    connection.execute(
        "CREATE TABLE taught (id INTEGER PRIMARY KEY, ts REAL NOT NULL, prompt TEXT NOT NULL, "
        "tier TEXT, ladder TEXT NOT NULL)"
    )


MIGRATIONS: list[Migration] = [m001_vectors, m002_taught]


def open_file(path: Path | None, setting: str = SETTING) -> SqliteFile:
    """The file; nothing is made before it is first written to."""
    return SqliteFile(path, MIGRATIONS, setting=setting)
