"""Ledgers with forged rows: no call stops, and no other error is raised."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from ledgers import attempt

from nbroute.errors import RecordError
from nbroute.notebook.lines import session_text
from nbroute.router import Router
from nbroute.storage import content
from nbroute.storage.ledger import SqliteLedger

FORGED = ["X'ff00'", "CAST(X'ff41' AS TEXT)", "'text'", "1e999", "-1", "NULL", "1 << 62"]
COLUMNS = {
    "attempts": "ts tier status input_tokens cost_usd cost_source cached prompt session",
    "sums": "tier picodollars calls",
    "finals": "input",
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """The bytes of a ledger."""
    path = tmp_path_factory.mktemp("original") / "ledger.sqlite"
    with SqliteLedger(path, store_text=True) as ledger:
        for number in range(20):
            one = attempt(f"a{number}", result=f"r{number}", prompt="What is \u00e9? " * 9)
            ledger.append(replace(one, status="running"))
            ledger.append(replace(one, text="an answer"))
    return path.read_bytes()


def refused(path):
    """Route with that ledger, and read all of it: how many reads were refused, each in a line."""
    said = []
    with contextlib.closing(Router(profile="simulated", ledger=path, session="s1")) as router:
        assert router.route("What is 2 + 2?").text
        ledger = router.ledger
        reads = [ledger.rows, ledger.frame, ledger.spend, ledger.labels, router.report]
        reads += [lambda: ledger.spend("day", since=1.0), router.settle]
        reads += [lambda: repr(router.report(everything=True)), lambda: session_text(router)]
        for read in reads:
            try:
                read()
            except RecordError as error:
                said.append(str(error))
    assert all(path.name in one and "\n" not in one for one in said)
    return len(said)


@pytest.mark.parametrize("forged", FORGED)
def test_a_ledger_with_forged_rows_stops_no_call(tmp_path, ledger, forged):
    found = set()
    for table, column in ((one, name) for one, names in COLUMNS.items() for name in names.split()):
        path = tmp_path / f"{table}-{column}.sqlite"
        path.write_bytes(ledger)
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute("DROP TRIGGER attempts_no_update")
            with contextlib.suppress(sqlite3.IntegrityError):
                file.execute(f"UPDATE {table} SET {column} = {forged}")  # noqa: S608 - words of our own
            file.commit()
        found.add(refused(path) > 0)

    assert True in found


def test_a_file_of_any_size_is_read_unless_there_is_a_limit(tmp_path):
    file, whole = tmp_path / "large", bytes(2_000_000)
    file.write_bytes(whole)

    assert [whole] * 2 == [content(file), content(file, 2)]
    for path, most, why in (
        (file, 1, "it is larger than 1 MB"),
        (tmp_path, 0, "it is a folder"),
        (Path("/dev/null"), 0, "it is a device or a pipe"),
        (Path("a\0"), 0, "there is a NUL character in its name"),
    ):
        with pytest.raises(OSError, match=f"{why}$"):
            content(path, most)
