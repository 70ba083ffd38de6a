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
NESTED = "[" * 100_000


def resumed(path):
    """Continue the batch and look at all of it; whether it was taken for one."""
    before = path.read_bytes()
    with contextlib.closing(Router(profile="simulated")) as router:
        try:
            batch = router.map(PROMPTS, to=path, json=True, progress=False)
        except (RecordError, SettingsError) as error:
            said = str(error)
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
    path = tmp_path / f"notes{suffix}"
    path.write_text("my notes, not a batch")
    assert not resumed(path)
    for seed in range(30):
        chance, path = random.Random(seed), tmp_path / f"{seed}{suffix}"  # noqa: S311 - no secret
        data = mutated(batches[suffix], chance)
        path.write_bytes(data[: chance.randrange(len(data))] if seed % 5 == 0 else data)
        resumed(path)


def test_forged_values_and_other_tables(tmp_path, batches):
    path = tmp_path / "b.sqlite"
    for change in (
        "UPDATE rows SET prompt = X'ff'",
        "UPDATE rows SET cost_usd = 1e999",
        "UPDATE rows SET place = -1 - place",
        "UPDATE rows SET data = 'NESTED'",
        "UPDATE OR REPLACE migrations SET name = 'm999_later'",
        "ALTER TABLE rows RENAME COLUMN data TO date",
        "DROP TABLE rows",
        "CREATE TRIGGER gone AFTER INSERT ON rows BEGIN DELETE FROM rows; END",
    ):
        path.write_bytes(batches[".sqlite"])
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute(change.replace("NESTED", NESTED))
            file.commit()
        assert not resumed(path), change


@pytest.mark.parametrize(("column", "value"), [("status", "wonderful"), ("data", NESTED)])
def test_a_forged_parquet_file(tmp_path, batches, column, value):
    path = tmp_path / "b.parquet"
    path.write_bytes(batches[".parquet"])
    table = pq.read_table(path)
    place = table.column_names.index(column)
    kind = table.schema.field(place)
    pq.write_table(table.set_column(place, kind, pa.array([value] * len(table), kind.type)), path)
    assert not resumed(path)

    for about in (NESTED.encode(), b"\xff", b"[1]"):
        pq.write_table(table.replace_schema_metadata({b"nbroute": about}), path)
        assert not resumed(path)
