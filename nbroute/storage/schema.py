"""The tables of the ledger, and the migrations that made them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

from nbroute.storage.database import SQL_TYPES, Migration
from nbroute.types import Attempt, Label

FIELDS = tuple(f.name for f in fields(Attempt))
#: The type of each field, without "or None".
KINDS = {f.name: str(f.type).removesuffix(" | None") for f in fields(Attempt)}

_SECOND = ("thread", "generation", "rating", "logprob", "reserved_usd")
_THIRD = ("comparison",)
_FOURTH = ("answered_by", "reasoning")
#: The columns of the labels' table.
LABEL_FIELDS = tuple(f.name for f in fields(Label))

#: US dollars as whole picodollars, which add up without the dust of floats; a picodollar is
#: far below the price of a token, and $9 million fit.
_PICODOLLARS = "CAST(round(1e12 * ({})) AS INTEGER)"
_COST = "CASE WHEN cached THEN 0 ELSE coalesce(cost_usd, 0) END"
_SPENT = _PICODOLLARS.format(_COST)
#: A running attempt counts with its reservation.
COUNTED = _PICODOLLARS.format(
    f"max({_COST}, CASE WHEN status = 'running' THEN coalesce(reserved_usd, 0) ELSE 0 END)"
)
#: Money that nobody billed; `ledger._is_equivalent` says the same of an attempt.
EQUIVALENT = "(provider_kind <> 'remote' AND cost_source <> 'billed')"
DAY = "date(ts, 'unixepoch')"

#: Each row once for each scope of a budget: `counted` has what a running attempt holds back,
#: `spent` its cost so far. A join and no UNION, so that SQLite finds a row by its rowid.
_SHARES = f"""SELECT attempts.rowid AS row, scope, {EQUIVALENT} AS equivalent,
    CASE scope WHEN 'session' THEN session WHEN 'day' THEN {DAY} ELSE feature END AS key,
    {COUNTED} AS counted, {_SPENT} AS spent FROM attempts CROSS JOIN scopes"""  # noqa: S608 - words of our own
_BEFORE = """(SELECT max(rowid) FROM attempts
    WHERE session = NEW.session AND id = NEW.id AND rowid < NEW.rowid)"""
_LAST = "SELECT max(rowid) FROM attempts GROUP BY session, id"
_NOW = "(julianday('now') - 2440587.5) * 86400"
_ADD = """INSERT INTO totals SELECT scope, key, equivalent, {amount} FROM shares
    WHERE row {rows} AND key IS NOT NULL {group}
    ON CONFLICT DO UPDATE SET picodollars = picodollars + excluded.picodollars"""

_HOLD = f"""INSERT INTO held SELECT NEW.session, NEW.id, NEW.rowid, {_NOW}
    WHERE NEW.status = 'running' AND NEW.reserved_usd > 0"""


def m001_attempts(connection: sqlite3.Connection) -> None:
    """The table of attempts; a field that `Attempt` gains later needs a migration that adds it."""
    later = (*_SECOND, *_THIRD, *_FOURTH)
    first = (_column(field) for field in fields(Attempt) if field.name not in later)
    connection.execute(f"CREATE TABLE attempts ({', '.join(first)})")
    connection.execute("CREATE INDEX attempts_by_id ON attempts (session, id)")
    _append_only(connection, "attempts")


def m002_budgets(connection: sqlite3.Connection) -> None:
    """What budgets need: reservations, and totals that a trigger keeps, so that none is scanned.

    `held` has the attempts that are still running, with the time of their last row.
    """
    _add_columns(connection, _SECOND)
    connection.execute("CREATE INDEX IF NOT EXISTS attempts_by_id ON attempts (session, id)")
    connection.execute(
        "CREATE TABLE totals (scope TEXT, key TEXT, equivalent INTEGER, "
        "picodollars INTEGER NOT NULL, PRIMARY KEY (scope, key, equivalent)) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE held (session TEXT, id TEXT, row INTEGER NOT NULL, seen REAL NOT NULL, "
        "PRIMARY KEY (session, id)) WITHOUT ROWID"
    )
    connection.execute("CREATE TABLE scopes (scope TEXT)")
    connection.execute("INSERT INTO scopes VALUES ('session'), ('day'), ('feature')")
    connection.execute(f"CREATE VIEW shares AS {_SHARES}")
    every = {"amount": "sum(counted)", "rows": f"IN ({_LAST})", "group": "GROUP BY 1, 2, 3"}
    connection.execute(_ADD.format(**every))
    steps = (
        _ADD.format(amount="-counted", rows=f"= {_BEFORE} AND counted <> 0", group=""),
        _ADD.format(amount="counted", rows="= NEW.rowid AND counted <> 0", group=""),
        "DELETE FROM held WHERE session = NEW.session AND id = NEW.id",
        _HOLD,
    )
    connection.execute(
        f"CREATE TRIGGER attempts_counted AFTER INSERT ON attempts BEGIN {'; '.join(steps)}; END"
    )


#: Seconds since the last row of what is held.
HELD_FOR = f"{_NOW} - seen"


def m003_labels(connection: sqlite3.Connection) -> None:
    """What people say of answers, and which answers were compared with one another."""
    _add_columns(connection, _THIRD)
    connection.execute(f"CREATE TABLE labels ({', '.join(map(_column, fields(Label)))})")
    _append_only(connection, "labels")


def m004_answered(connection: sqlite3.Connection) -> None:
    """Which model answered, and what it thought beforehand."""
    _add_columns(connection, _FOURTH)


MIGRATIONS: list[Migration] = [m001_attempts, m002_budgets, m003_labels, m004_answered]


def _add_columns(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    for field in fields(Attempt):
        if field.name in names:
            connection.execute(f"ALTER TABLE attempts ADD COLUMN {_column(field)}")


def _append_only(connection: sqlite3.Connection, table: str) -> None:
    for change in ("UPDATE", "DELETE"):
        connection.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )


def _column(field: Field[Any]) -> str:
    wanted = field.default is MISSING and not str(field.type).endswith("| None")
    required = " NOT NULL" if wanted else ""
    kind = str(field.type).removesuffix(" | None")
    return f"{field.name} {SQL_TYPES.get(kind, 'TEXT')}{required}"
