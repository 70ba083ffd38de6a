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
_SIXTH = ("effort", "reasoning_tokens")
#: The columns of the labels' table.
LABEL_FIELDS = tuple(f.name for f in fields(Label))

#: US dollars as whole picodollars, which add up without rounding errors; a picodollar is far
#: below the price of a token, and $9 million fit.
_PICODOLLARS = "CAST(round(1e12 * ({})) AS INTEGER)"
_COST = "CASE WHEN cached THEN 0 ELSE coalesce(cost_usd, 0) END"
_SPENT = _PICODOLLARS.format(_COST)
#: A running attempt counts with its reservation.
COUNTED = _PICODOLLARS.format(
    f"max({_COST}, CASE WHEN status = 'running' THEN coalesce(reserved_usd, 0) ELSE 0 END)"
)
#: Money that nobody billed; as `ledger._is_equivalent`.
EQUIVALENT = "(provider_kind <> 'remote' AND cost_source <> 'billed')"
DAY = "date(ts, 'unixepoch')"

#: Each row once for each scope of a budget: `counted` includes what a running attempt holds
#: back, `spent` is its cost so far. A join, as with UNION SQLite does not find a row by its rowid.
_SHARES = f"""SELECT attempts.rowid AS row, scope, {EQUIVALENT} AS equivalent,
    CASE scope WHEN 'session' THEN session WHEN 'day' THEN {DAY} ELSE feature END AS key,
    {COUNTED} AS counted, {_SPENT} AS spent FROM attempts CROSS JOIN scopes"""  # noqa: S608 - words of our own
_BEFORE = """(SELECT max(rowid) FROM attempts
    WHERE session = NEW.session AND id = NEW.id AND rowid < NEW.rowid)"""
_LAST = "SELECT max(rowid) FROM attempts GROUP BY session, id"
_NOW = "(julianday('now') - 2440587.5) * 86400"
_ADD = """INSERT INTO totals SELECT scope, key, equivalent, {amount} FROM shares
    WHERE row {rows} AND key IS NOT NULL
    ON CONFLICT DO UPDATE SET picodollars = picodollars + excluded.picodollars"""


def m001_attempts(connection: sqlite3.Connection) -> None:
    """The table of attempts; a field that `Attempt` gains later needs a migration that adds it."""
    later = (*_SECOND, *_THIRD, *_FOURTH, *_SIXTH)
    first = (_column(field) for field in fields(Attempt) if field.name not in later)
    connection.execute(f"CREATE TABLE attempts ({', '.join(first)})")
    connection.execute("CREATE INDEX attempts_by_id ON attempts (session, id)")
    _append_only(connection, "attempts")


def m002_budgets(connection: sqlite3.Connection) -> None:
    """What budgets need: reservations, and totals kept by a trigger instead of scans.

    `held` has the attempts that are still running, with the time of their last row. Every release
    had both migrations, so that there are no attempts yet.
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
    steps = (
        _ADD.format(amount="-counted", rows=f"= {_BEFORE} AND counted <> 0"),
        _ADD.format(amount="counted", rows="= NEW.rowid AND counted <> 0"),
        "DELETE FROM held WHERE session = NEW.session AND id = NEW.id",
        f"""INSERT INTO held SELECT NEW.session, NEW.id, NEW.rowid, {_NOW}
            WHERE NEW.status = 'running' AND NEW.reserved_usd > 0""",
    )
    connection.execute(
        f"CREATE TRIGGER attempts_counted AFTER INSERT ON attempts BEGIN {'; '.join(steps)}; END"
    )


#: Seconds since a held attempt's last row.
HELD_FOR = f"{_NOW} - seen"


def m003_labels(connection: sqlite3.Connection) -> None:
    """Labels of answers, and which answers were compared with one another."""
    _add_columns(connection, _THIRD)
    connection.execute(f"CREATE TABLE labels ({', '.join(map(_column, fields(Label)))})")
    _append_only(connection, "labels")


def m004_answered(connection: sqlite3.Connection) -> None:
    """Which model answered, and its reasoning."""
    _add_columns(connection, _FOURTH)


#: Each call, with what it adds to the sums of its kind.
_PARTS = f"""SELECT rowid AS row, session, coalesce({DAY}, '') AS day, coalesce(tier, '') AS tier,
    coalesce(model, '') AS model, coalesce(feature, '') AS feature,
    coalesce(provider, '') AS provider, coalesce(cost_source, '') AS cost_source,
    comparison IS NOT NULL AND purpose IS 'answer' AS compared, {_SPENT} AS picodollars,
    1 AS calls, coalesce(cached, 0) AS cached,
    cost_usd IS NULL AND NOT coalesce(cached, 0) AS unknown
    FROM attempts WHERE status IS NOT 'not sent'"""  # noqa: S608 - words of our own
_KINDS = "session, day, tier, model, feature, provider, cost_source, compared"
_COUNTS = ("picodollars", "calls", "cached", "unknown")
_SUM_UP = f"""INSERT INTO sums SELECT {_KINDS}, {{counts}} FROM parts WHERE row {{rows}} {{group}}
    ON CONFLICT DO UPDATE SET {", ".join(f"{one} = {one} + excluded.{one}" for one in _COUNTS)}"""  # noqa: S608 - as above

_CANDIDATE = """{row}.purpose = 'answer' AND {row}.comparison IS NULL
    AND {row}.status NOT IN ('error', 'running', 'unused', 'not sent')"""
_ROOT = """coalesce((SELECT root FROM roots
    WHERE session = {row}.session AND result = {row}.result), {row}.result)"""
_ANSWER = """INSERT OR REPLACE INTO answers SELECT session, {root}, id, status = 'ok', ts, rowid,
    cost_source IS 'equivalent', iif(cached, 0, input_tokens), iif(cached, 0, output_tokens)
    FROM attempts WHERE rowid {rows} AND {candidate}"""
_FINAL = """INSERT INTO finals SELECT session, equivalent, {sign} input, {sign} output FROM
    (SELECT * FROM answers WHERE session = NEW.session AND root = {root}
    ORDER BY ok DESC, ts DESC, row DESC LIMIT 1) WHERE true
    ON CONFLICT DO UPDATE SET input = input + excluded.input, output = output + excluded.output"""


def m005_sums(connection: sqlite3.Connection) -> None:
    """What a session's line shows, kept by triggers: its cost, and the tokens of its answers.

    `sums` has all calls, by kind. `answers` has those that may end their chain (as in
    `report.summarise`, the last complete one does, else the last), `finals` the tokens of those
    that do, and `roots` leads from an escalated result to its chain.
    """
    kinds = ", ".join(f"{name} NOT NULL" for name in (*_KINDS.split(", "), *_COUNTS))
    connection.execute(f"CREATE TABLE sums ({kinds}, PRIMARY KEY ({_KINDS})) WITHOUT ROWID")
    connection.execute(f"CREATE VIEW parts AS {_PARTS}")
    connection.execute(
        "CREATE TABLE roots (session, result, root, PRIMARY KEY (session, result)) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE answers (session, root, id, ok, ts, row, equivalent, input, output, "
        "PRIMARY KEY (session, root, id)) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE finals (session, equivalent, input, output, "
        "PRIMARY KEY (session, equivalent)) WITHOUT ROWID"
    )
    counts = ", ".join(f"sum({one})" for one in _COUNTS)
    rows, group = f"IN ({_LAST})", f"GROUP BY {_KINDS}"
    connection.execute(_SUM_UP.format(counts=counts, rows=rows, group=group))
    connection.execute(
        "INSERT OR IGNORE INTO roots SELECT session, result, parent FROM attempts WHERE parent > ''"
    )
    climb = """UPDATE roots SET root = above.root FROM roots AS above
        WHERE above.session = roots.session AND above.result = roots.root"""
    for _ in range(64):  # twice as far up each time; a forged chain may be a circle
        if not connection.execute(climb).rowcount:
            break
    root, candidate = (one.format(row="attempts") for one in (_ROOT, _CANDIDATE))
    connection.execute(_ANSWER.format(root=root, rows=rows, candidate=candidate))
    connection.execute(
        """INSERT INTO finals SELECT session, equivalent, sum(input), sum(output) FROM
            (SELECT *, row_number() OVER (PARTITION BY session, root
            ORDER BY ok DESC, ts DESC, row DESC) AS place FROM answers)
        WHERE place = 1 GROUP BY session, equivalent"""
    )
    less, more = (", ".join(f"{sign} {one}" for one in _COUNTS) for sign in "-+")
    steps = (
        _SUM_UP.format(counts=less, rows=f"= {_BEFORE}", group=""),
        _SUM_UP.format(counts=more, rows="= NEW.rowid", group=""),
    )
    connection.execute(
        f"CREATE TRIGGER attempts_summed AFTER INSERT ON attempts BEGIN {'; '.join(steps)}; END"
    )
    root = _ROOT.format(row="NEW")
    chained = (
        """INSERT OR IGNORE INTO roots SELECT NEW.session, NEW.result, coalesce((SELECT root FROM
            roots WHERE session = NEW.session AND result = NEW.parent), NEW.parent)
            WHERE NEW.parent > ''""",
        _FINAL.format(sign="-", root=root),
        f"DELETE FROM answers WHERE session = NEW.session AND root = {root} AND id = NEW.id",  # noqa: S608 - as above
        _ANSWER.format(root=root, rows="= NEW.rowid", candidate=_CANDIDATE.format(row="attempts")),
        _FINAL.format(sign="+", root=root),
    )
    connection.execute(
        "CREATE TRIGGER attempts_answered AFTER INSERT ON attempts "
        "WHEN NEW.status <> 'running' AND NEW.purpose = 'answer' AND NEW.comparison IS NULL "
        f"BEGIN {'; '.join(chained)}; END"
    )


def m006_effort(connection: sqlite3.Connection) -> None:
    """How hard a model was asked to think, and the tokens it spent thinking."""
    _add_columns(connection, _SIXTH)


MIGRATIONS: list[Migration] = [
    m001_attempts,
    m002_budgets,
    m003_labels,
    m004_answered,
    m005_sums,
    m006_effort,
]


def _add_columns(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    for field in fields(Attempt):
        if field.name in names:
            filled = " DEFAULT 0" if field.default == 0 else ""
            connection.execute(f"ALTER TABLE attempts ADD COLUMN {_column(field)}{filled}")


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
