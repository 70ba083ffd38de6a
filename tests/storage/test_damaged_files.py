"""Files that were damaged or forged: an error of ours that names the file, or a warning."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbroute.errors import RecordError, SettingsError
from nbroute.notebook.lines import session_text
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
    for read in (*reads, lambda: session_text(router), router.settle):
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
    with contextlib.closing(FileCache(path)) as cache:
        for number in range(20):
            reply = Reply("text " * 9, "m", Usage(3, 4, 1, Decimal("0.1")), "stop", 1.0, 2.0)
            cache.put(f"k{number}", reply)
    path.write_bytes(mutated(path.read_bytes(), random.Random(seed)))  # noqa: S311 - no secret

    with contextlib.closing(FileCache(path)) as cache:
        for number in range(20):
            with contextlib.suppress(RecordError):
                cache.get(f"k{number}")


@pytest.mark.parametrize(
    "reply", ["[" * 100_000, "9" * 5_000, '{"text": 1}', '{"text": ' + "9" * 5_000 + "}", "\x00"]
)
def test_a_cached_reply_that_cannot_be_read_is_an_error_that_names_the_file(tmp_path, reply):
    path = tmp_path / "cache.sqlite"
    with contextlib.closing(FileCache(path)) as cache:
        cache.put("key", Reply("a", "m", Usage(), "stop", 1.0, None))
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute("UPDATE replies SET reply = ?", (reply,))
            file.commit()

        with pytest.raises(RecordError, match=r"cache\.sqlite"):
            cache.get("key")


PROMPTS = ["What is 2 + 2?", "What is \u00e9?", "Name three colours.", ""]


def resumed(path):
    """Continue the batch and look at all of it; whether it was taken for one."""
    before, batch, said = path.read_bytes(), None, ""
    with contextlib.closing(Router(profile="simulated")) as router:
        try:
            batch = router.map(PROMPTS, to=path, json=True, progress=False)
        except (RecordError, SettingsError) as error:
            said = str(error)
        if batch is None:
            assert path.name in said
            assert "\n" not in said
            assert path.read_bytes() == before
            assert not router.ledger.rows(session=router.session)
            return False
    assert len(batch.frame()) == len(list(batch)) == len(batch)
    assert repr(batch)
    assert batch.cost
    return True


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """A whole batch as SQLite and as Parquet: their bytes by their suffix."""
    folder = tmp_path_factory.mktemp("batches")
    router = Router(profile="simulated", ledger=folder / "ledger.sqlite")
    for suffix in (".sqlite", ".parquet"):
        router.map(PROMPTS, to=folder / f"b{suffix}", json=True, progress=False)
    router.close()
    return {path.suffix: path.read_bytes() for path in folder.glob("b.*")}


@pytest.mark.parametrize("suffix", [".sqlite", ".parquet"])
def test_a_batch_with_changed_bytes_is_refused_before_anything_is_sent(tmp_path, batches, suffix):
    taken = set()
    for seed in range(60):
        chance, path = random.Random(seed), tmp_path / f"{seed}{suffix}"  # noqa: S311 - no secret
        data = mutated(batches[suffix], chance)
        path.write_bytes(data[: chance.randrange(len(data))] if seed % 5 == 0 else data)
        taken.add(resumed(path))
    assert False in taken


NESTED, DIGITS = "[" * 100_000, "9" * 5_000


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *((f"rows SET {name}", "X'ff'") for name in ("prompt", "cost_usd", "passed", "data")),
        *((f"rows SET {name}", "CAST(X'ff' AS TEXT)") for name in ("text", "latency_ms")),
        *((f"rows SET {name}", "1e999") for name in ("input_tokens", "cost_usd", "cached")),
        ("rows SET status", "'wonderful'"),
        ("rows SET output_tokens", "1 << 62"),
        ("rows SET place", "-1 - place"),
        *(("rows SET data", f"'{value}'") for value in (NESTED, f"{DIGITS}]", "{", "")),
        *(("about SET value", value) for value in (f"'{NESTED}'", "''", "'{'", "X'ff'")),
        ("OR REPLACE migrations SET name", "'m999_later'"),
        ("OR REPLACE migrations SET name", "X'ff'"),
    ],
    ids=lambda one: one[:30],
)
def test_a_forged_batch_is_refused_before_anything_is_sent(tmp_path, batches, place, value):
    forge(tmp_path / "b.sqlite", batches, f"UPDATE {place} = {value}")

    assert not resumed(tmp_path / "b.sqlite")


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE rows RENAME COLUMN data TO date",
        "ALTER TABLE rows ADD COLUMN more TEXT",
        "ALTER TABLE about DROP COLUMN value",
        "DROP TABLE about",
        "DROP TABLE rows",
        "CREATE TRIGGER gone AFTER INSERT ON rows BEGIN DELETE FROM rows; END",
    ],
)
def test_a_batch_with_other_tables_is_refused_before_anything_is_sent(tmp_path, batches, change):
    forge(tmp_path / "b.sqlite", batches, change)

    assert not resumed(tmp_path / "b.sqlite")


def forge(path, batches, change):
    path.write_bytes(batches[".sqlite"])
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute(change)
        file.commit()


@pytest.mark.parametrize(
    ("column", "value"),
    [("status", "wonderful"), ("prompt", None), ("data", NESTED), ("cost_usd", float("nan"))],
)
def test_a_forged_parquet_file_is_refused(tmp_path, batches, column, value):
    path = tmp_path / "b.parquet"
    path.write_bytes(batches[".parquet"])
    table = pq.read_table(path)
    place = table.column_names.index(column)
    kind = table.schema.field(place)
    pq.write_table(table.set_column(place, kind, pa.array([value] * len(table), kind.type)), path)
    assert not resumed(path)

    for about in (NESTED.encode(), b"\xff", b"[1]", DIGITS.encode()):
        pq.write_table(table.replace_schema_metadata({b"nbroute": about}), path)
        assert not resumed(path)


@pytest.mark.parametrize("name", ["_routing.sqlite", "SIMPLE.sqlite"])
def test_a_grid_with_a_damaged_file_is_refused_before_anything_is_sent(tmp_path, name):
    def compared():
        with contextlib.closing(Router(profile="simulated")) as router:
            return router.compare(PROMPTS, tiers=["SIMPLE"], to=tmp_path / "grid", progress=False)

    compared()
    path = tmp_path / "grid" / name
    whole = path.read_bytes()
    for seed in range(20):
        damaged = mutated(whole, random.Random(seed))  # noqa: S311 - no secret
        path.write_bytes(damaged)
        try:
            grid = compared()
        except (RecordError, SettingsError) as error:
            grid, said = None, str(error)
        if grid is None:
            assert name in said
            assert path.read_bytes() == damaged
        else:
            assert len(grid.frame()) == len(grid.votes()) == len(PROMPTS)
            assert repr(grid[0])


def mutated(data, chance):
    changed = bytearray(data)
    for _ in range(chance.choice([1, 20, 200])):
        place = chance.randrange(len(changed))
        changed[place] = chance.choice([0, 255, changed[place] ^ 1, chance.randrange(256)])
    return bytes(changed)
