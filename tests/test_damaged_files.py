"""Ledgers and caches that were damaged or forged: an error that names the file, or a warning."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from dataclasses import replace
from decimal import Decimal

import pytest

from nbroute.errors import RecordError
from nbroute.notebook.render import meter_lines, session_text
from nbroute.router import Router
from nbroute.storage.cache import FileCache
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Attempt, Reply, Usage

FORGED = ["X'ff00'", "CAST(X'ff41' AS TEXT)", "'text'", "1e999", "-1", "NULL", "1e300", "1 << 62"]
PLAIN = Attempt("a", 1.79e9, "s1", "r", "SIMPLE", "p", "remote", "m", cost_source="list")


def written(path):
    with SqliteLedger(path, store_text=True) as ledger:
        for number in range(20):
            one = replace(PLAIN, id=f"a{number}", result=f"r{number}", cost_usd=Decimal("0.1"))
            ledger.append(replace(one, status="running"))
            ledger.append(replace(one, prompt="What is \u00e9? " * 9, text="an answer"))
    return path


def used(path):
    """Read all of the ledger, and route with it: only RecordError may be raised."""
    router = Router(profile="simulated", ledger=path, session="s1")
    assert router.route("What is 2 + 2?").text
    ledger = router.ledger
    reads = [ledger.rows, ledger.frame, ledger.spend, ledger.labels, router.report]
    reads += [lambda: ledger.spend("day", since=1.0), lambda: repr(router.report(everything=True))]
    for read in (*reads, lambda: session_text(router), lambda: meter_lines(router), router.settle):
        with contextlib.suppress(RecordError):
            read()
    router.close()


@pytest.mark.parametrize("seed", range(12))
def test_a_ledger_with_changed_bytes_stops_no_call(tmp_path, seed):
    path = written(tmp_path / "ledger.sqlite")
    path.write_bytes(mutated(path.read_bytes(), random.Random(seed)))  # noqa: S311 - no secret

    used(path)


@pytest.mark.parametrize("forged", FORGED)
def test_a_ledger_with_forged_rows_stops_no_call(tmp_path, forged):
    columns = ["ts", "tier", "status", "input_tokens", "cost_usd", "cost_source", "latency_ms"]
    changes = [("attempts", column) for column in (*columns, "cached", "prompt", "session")]
    changes += [("sums", "tier"), ("sums", "picodollars"), ("sums", "calls"), ("finals", "input")]
    original = written(tmp_path / "original.sqlite").read_bytes()
    for number, (table, column) in enumerate(changes):
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(original)
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute("DROP TRIGGER attempts_no_update")
            with contextlib.suppress(sqlite3.IntegrityError):
                file.execute(f"UPDATE {table} SET {column} = {forged}")  # noqa: S608 - words of our own
            file.commit()

        used(path)


@pytest.mark.parametrize("seed", range(12))
def test_a_cache_with_changed_bytes_raises_nothing_else(tmp_path, seed):
    path = tmp_path / "cache.sqlite"
    with FileCache(path) as cache:
        for number in range(20):
            reply = Reply("text " * 9, "m", Usage(3, 4, 1, Decimal("0.1")), "stop", 1.0, 2.0)
            cache.put(f"k{number}", reply)
    path.write_bytes(mutated(path.read_bytes(), random.Random(seed)))  # noqa: S311 - no secret

    with FileCache(path) as cache:
        for number in range(20):
            with contextlib.suppress(RecordError):
                cache.get(f"k{number}")


@pytest.mark.parametrize(
    "reply", ["[" * 100_000, "9" * 5_000, '{"text": 1}', '{"text": ' + "9" * 5_000 + "}", "\x00"]
)
def test_a_cached_reply_that_cannot_be_read_is_an_error_that_names_the_file(tmp_path, reply):
    path = tmp_path / "cache.sqlite"
    with FileCache(path) as cache:
        cache.put("key", Reply("a", "m", Usage(), "stop", 1.0, None))
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute("UPDATE replies SET reply = ?", (reply,))
            file.commit()

        with pytest.raises(RecordError, match=r"cache\.sqlite"):
            cache.get("key")


def mutated(data, chance):
    changed = bytearray(data)
    for _ in range(chance.choice([1, 20, 200])):
        place = chance.randrange(len(changed))
        changed[place] = chance.choice([0, 255, changed[place] ^ 1, chance.randrange(256)])
    return bytes(changed)
