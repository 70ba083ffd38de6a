"""Batches and grids that were damaged or forged are refused before anything is sent."""

from __future__ import annotations

import contextlib
import random
import sqlite3

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from damage import mutated

from nbroute.errors import RecordError, SettingsError
from nbroute.router import Router

PROMPTS = ["What is 2 + 2?", "What is \u00e9?", "Name three colours.", ""]
NESTED, DIGITS = "[" * 100_000, "9" * 5_000


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
    with contextlib.closing(Router(profile="simulated", ledger=folder / "ledger.sqlite")) as router:
        for suffix in (".sqlite", ".parquet"):
            router.map(PROMPTS, to=folder / f"b{suffix}", json=True, progress=False)
    return {path.suffix: path.read_bytes() for path in folder.glob("b.*")}


@pytest.mark.parametrize("suffix", [".sqlite", ".parquet"])
def test_changed_bytes(tmp_path, batches, suffix):
    taken = set()
    for seed in range(30):
        chance, path = random.Random(seed), tmp_path / f"{seed}{suffix}"  # noqa: S311 - no secret
        data = mutated(batches[suffix], chance)
        path.write_bytes(data[: chance.randrange(len(data))] if seed % 5 == 0 else data)
        taken.add(resumed(path))
    assert False in taken


VALUES = {
    "X'ff'": ("rows SET prompt", "rows SET cost_usd", "rows SET passed", "rows SET data"),
    "CAST(X'ff' AS TEXT)": ("rows SET text", "rows SET latency_ms"),
    "1e999": ("rows SET input_tokens", "rows SET cost_usd", "rows SET cached"),
    "'wonderful'": ("rows SET status",),
    "1 << 62": ("rows SET output_tokens",),
    "-1 - place": ("rows SET place",),
    f"'{NESTED}'": ("rows SET data", "about SET value"),
    f"'{DIGITS}]'": ("rows SET data",),
    "'{'": ("rows SET data", "about SET value"),
    "''": ("rows SET data", "about SET value"),
    "X'ff' ": ("about SET value", "OR REPLACE migrations SET name"),
    "'m999_later'": ("OR REPLACE migrations SET name",),
}


@pytest.mark.parametrize(
    "change",
    [
        *(f"UPDATE {place} = {value}" for value, places in VALUES.items() for place in places),
        "ALTER TABLE rows RENAME COLUMN data TO date",
        "ALTER TABLE rows ADD COLUMN more TEXT",
        "ALTER TABLE about DROP COLUMN value",
        "DROP TABLE about",
        "DROP TABLE rows",
        "CREATE TRIGGER gone AFTER INSERT ON rows BEGIN DELETE FROM rows; END",
    ],
    ids=lambda one: one[:50],
)
def test_forged_values_and_other_tables(tmp_path, batches, change):
    path = tmp_path / "b.sqlite"
    path.write_bytes(batches[".sqlite"])
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute(change)
        file.commit()

    assert not resumed(path)


@pytest.mark.parametrize(
    ("column", "value"),
    [("status", "wonderful"), ("prompt", None), ("data", NESTED), ("cost_usd", float("nan"))],
)
def test_a_forged_parquet_file(tmp_path, batches, column, value):
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
def test_a_grid_with_a_damaged_file(tmp_path, name):
    def compared():
        with contextlib.closing(Router(profile="simulated")) as router:
            return router.compare(PROMPTS, tiers=["SIMPLE"], to=tmp_path / "grid", progress=False)

    compared()
    path = tmp_path / "grid" / name
    whole = path.read_bytes()
    seeds = [random.Random(seed) for seed in range(12)]  # noqa: S311 - no secret
    for damaged in (b"not a database", *(mutated(whole, seed) for seed in seeds)):
        path.write_bytes(damaged)
        grid, said = None, ""
        try:
            grid = compared()
        except (RecordError, SettingsError) as error:
            said = str(error)
        if grid is None or damaged == b"not a database":
            assert name in said
            assert path.read_bytes() == damaged
        else:
            assert len(grid.frame()) == len(grid.votes()) == len(PROMPTS)
            assert repr(grid[0])
