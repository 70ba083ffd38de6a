"""The ledger: every attempt once, whatever happens to the process, the file or the disk."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from unittest.mock import ANY, Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import attempt, cap, database, python, running, said, stored
from reports import DAY, NOON
from waiting import until

from nbroute.batch.store import m001_batch
from nbroute.embedders.kept import m001_vectors
from nbroute.errors import RecordError, SettingsError
from nbroute.report import Meter, ReportRow, Spend, summarise
from nbroute.report.metrics import both_savings
from nbroute.router import Router
from nbroute.storage.cache import m001_replies
from nbroute.storage.ledger import SqliteLedger
from nbroute.storage.schema import KINDS, m001_attempts
from nbroute.types import Attempt, Price, Refusal

MOST = {"int": 2**53, "float": 1e12, "Decimal": Decimal("-1000000000.0"), "bool": True}
DTYPES = {"float": "float64", "Decimal": "float64", "int": "int64", "bool": "bool"}


def test_every_column_comes_back_and_what_no_reader_can_hold_is_refused(path):
    kept = {name: MOST.get(kind, name) for name, kind in KINDS.items()} | {"ts": 9e9}
    with SqliteLedger(path, store_text=True) as ledger:
        ledger.append(Attempt(**kept | {"ts": 1e20}))
        with ledger._file.connection("cannot read") as file:
            asked = "journal_mode", "synchronous", "wal_autocheckpoint"
            set_to = [file.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]
        assert ["wal", 1, 4000] == set_to
        assert [repr(kept)] == [*map(repr, ledger.rows())]  # True is not 1
        assert kept | {"time": ANY} == ledger.frame().iloc[0].to_dict()
        assert [tuple(kept[name] for name in ReportRow._fields)] == [*ledger.report_rows()]
        beyond = {"latency_ms": 1e12 + 0.5, "cost_usd": Decimal("-1000000000.5")}
        for name, value in (beyond | {"input_tokens": 2**53 + 1}).items():
            ledger.append(attempt("a1", **{name: value}))
            with pytest.raises(RecordError, match="cannot read the ledger"):
                ledger.rows()
        ledger.append(attempt("a1"))
        stored(path, "DROP TRIGGER attempts_no_update")
        for column, good, bad in (
            ("attempts SET ts", 9e9, 9e9 + 1),
            ("attempts SET ts", 0, -1),
            ("attempts SET cached", 0, 2),
            ("sums SET picodollars", -(10**24), -(10**24) - 10**12),
            ("sums SET calls", 10**12, 10**12 + 1),
            ("finals SET input", 2**60, 2**60 + 1),
            ("finals SET input", 0, -1),
        ):
            stored(path, f"UPDATE {column} = {bad}")
            with pytest.raises(RecordError, match="cannot read the ledger"):
                ledger.rows(session="s1"), ledger.meter(session="s1")
            stored(path, f"UPDATE {column} = {good}")
            assert ledger.rows(session="s1")
            assert ledger.meter(session="s1")
        assert (5, 0, "") == ledger.health()
        with database(path) as file:
            file.execute("PRAGMA writable_schema = ON")
            required = "replace(sql, 'error TEXT', 'error TEXT NOT NULL')"
            file.execute(f"UPDATE sqlite_master SET sql = {required}")  # noqa: S608
        ledger.close()

        assert (5, 0, "NULL value in attempts.error") == ledger.health()
        assert (5, 0, "") == ledger.health(thorough=False)


def test_prompts_and_answers_are_not_in_the_file_unless_asked_for(path):
    secret = attempt(prompt="itself", text="itself", status="rejected", error="quote: itself")
    with SqliteLedger(path) as ledger:
        ledger.append(secret)
        ledger.append(replace(secret, id="a0", status="error", error="HTTP 500: down"))
        row, failed = ledger.rows()
    written = path.read_bytes()
    with SqliteLedger(path, store_text=True) as ledger:
        ledger.append(replace(secret, id="a2", text="cut \ud83d"))
        kept = ledger.rows()[2]

    assert "HTTP 500: down" == failed["error"]
    assert (None, None, "quote") == (row["prompt"], row["text"], row["error"])
    assert (True, False) == (b"quote" in written, b"itself" in written)
    assert ("itself", "cut ?", "quote: itself") == (kept["prompt"], kept["text"], kept["error"])


def test_the_last_row_of_an_attempt_counts_oldest_first_and_in_a_table_with_types(ledger, path):
    assert ([], [], Spend()) == (ledger.rows(), [*ledger.report_rows()], ledger.spend())
    empty = ledger.frame()
    assert not path.parent.exists()  # reading makes no file

    ledger.append(attempt(status="running", cost_usd=Decimal("0.1"), ts=NOON + 2))
    ledger.append(attempt(status="ok", ts=NOON + 2))
    ledger.append(attempt(status="rejected", error="length: too short", ts=NOON + 2))
    ledger.append(attempt("a2", status="running", cost_usd=None))
    frame = ledger.frame()

    assert ["a1", "a1", "a1", "a2"] == stored(path)
    assert [("a2", "running"), ("a1", "rejected")] == [
        (r["id"], r["status"]) for r in ledger.rows()
    ]
    assert [NOON, NOON + 2] == [row.ts for row in ledger.report_rows()]
    assert (Decimal("0.25"), 2) == (ledger.spend().usd, ledger.spend().calls)
    assert (["a2", "a1"], ["id", "time"]) == (list(frame["id"]), list(frame.columns[:2]))
    columns = {name: DTYPES.get(kind, "object") for name, kind in KINDS.items()}
    for table in (frame, empty):
        kinds = {name: str(kind) for name, kind in table.dtypes.items()}
        assert columns | {"time": kinds["time"]} == kinds
    assert datetime(2026, 11, 21, 12, tzinfo=UTC) == frame["time"][0]
    assert [True, False] == list(frame["cost_usd"].isna())


def test_labels_come_back_oldest_first_and_what_is_written_cannot_be_changed(ledger, path):
    first = said("l1", ts=NOON + 2, needed=None, feedback="bad", comparison="c1", feature="bot")
    second, third = said("l2", session="s2"), said("l3", ts=NOON + 1, prompt="é \ud83d 你好")
    for label in (first, second, third):
        ledger.label(label)
    ledger.append(attempt())

    with SqliteLedger(path) as other:
        assert [second, replace(third, prompt="é ? 你好"), first] == other.labels()
        assert ["l3", "l1"] == [label.id for label in other.labels(session="s1")]
    for table in ("attempts", "labels"):
        for change in (f"UPDATE {table} SET session = ''", f"DELETE FROM {table}"):  # noqa: S608
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                stored(path, change)


def test_spend_keeps_real_money_equivalents_and_unknown_costs_apart(ledger):
    sources = {"billed": 0.1, "list": 0.2, "estimated": 0.4, "equivalent": 0.8, "configured": 1.6}
    costs = {source: Decimal(str(usd)) for source, usd in sources.items()}
    for source, usd in costs.items():
        ledger.append(attempt(source, cost_usd=usd, cost_source=source))
    ledger.append(attempt("a5", cost_usd=None, cost_source="unknown"))
    ledger.append(attempt("a6", cost_usd=Decimal(0), cost_source="list", cached=True))

    assert Spend(Decimal("2.3"), Decimal("0.8"), 1, 7, 1, costs) == ledger.spend()


def test_spend_is_added_up_by_whatever_is_asked_of_a_session_or_since_a_time(ledger):
    ledger.append(attempt("a1", feature="bot", answered_by="b\x1b\nc"))
    ledger.append(attempt("a2", tier="MEDIUM", model="m", provider="openai", ts=NOON + DAY))
    ledger.append(attempt("a3", tier="MEDIUM", session="s2", model="m-2-2026-08-06", ts=NOON + DAY))

    groups = {
        "tier": {"SIMPLE": 0.25, "MEDIUM": 0.5},
        "model": {"b c": 0.25, "m": 0.25, "m-2-2026-08-06": 0.25},
        "feature": {"bot": 0.25, "": 0.5},
        "provider": {"openrouter": 0.5, "openai": 0.25},
        "session": {"s1": 0.5, "s2": 0.25},
        "day": {"2026-11-21": 0.25, "2026-11-22": 0.5},
    }
    for by, expected in groups.items():
        for since in (None, 1.0):  # from the sums that are kept, and from the rows
            found = ledger.spend(by, since=since)
            assert expected == {name: float(spend.usd) for name, spend in found.items()}
    assert (2, 2) == (ledger.spend(session="s1").calls, ledger.spend(since=NOON + 1).calls)
    assert 1 == ledger.spend(session="s1", since=datetime(2026, 11, 22, tzinfo=UTC)).calls
    assert ["a2", "a3"] == list(ledger.frame(since=NOON + 1)["id"])
    assert ["a3"] == [row["id"] for row in ledger.rows(session="s2")]
    with pytest.raises(SettingsError, match=r"'modle'; did you mean 'model'\?"):
        ledger.spend("modle")


chained = st.builds(
    attempt,
    st.sampled_from([f"a{number}" for number in range(8)]),
    result=st.sampled_from(["r1", "r2", "r3"]),
    parent=st.sampled_from([None, "r1", "r2"]),
    status=st.sampled_from(["running", "ok", "ok", "rejected", "unused", "error", "interrupted"]),
    purpose=st.sampled_from(["answer", "answer", "classify"]),
    ts=st.integers(0, 3).map(lambda seconds: NOON + seconds),
    cost_usd=st.decimals(0, 10, places=9) | st.none(),
    cost_source=st.sampled_from(["list", "estimated", "equivalent"]),
    tier=st.sampled_from(["SIMPLE", "MEDIUM"]),
    comparison=st.sampled_from([None, None, "c1"]),
    cached=st.booleans(),
    input_tokens=st.integers(1, 9),
    output_tokens=st.just(10),
)


def possible(rows):
    """Of random rows those that the engine could write, in its order."""
    of_attempt = {row.id: row for row in reversed(rows)}
    fixed = ("result", "parent", "purpose", "ts", "comparison")
    rows = [replace(r, **{f: getattr(of_attempt[r.id], f) for f in fixed}) for r in rows]
    parents = {row.result: row.parent for row in sorted(rows, key=lambda row: row.ts)}
    above = {result: up for result, up in parents.items() if up and up < result}
    answered, ended = {None}, set()
    for row in sorted(rows, key=lambda row: row.ts):
        source = "unknown" if row.cost_usd is None else row.cost_source
        one = replace(row, parent=above.get(row.result), cost_source=source)
        # A result is escalated once it has an answer; what has ended never runs again.
        if one.parent not in answered or (one.status == "running" and one.id in ended):
            continue
        if one.status != "running":
            ended.add(one.id)
            if one.purpose == "answer" and one.comparison is None:
                answered.add(one.result)
        yield one


@settings(deadline=None)
@given(st.lists(chained, max_size=14))
def test_the_sums_that_are_kept_say_what_the_rows_say(written):
    with SqliteLedger(None) as ledger:
        for row in possible(written):
            ledger.append(row)
        price = Price(Decimal(1), Decimal(2))
        rows = ledger.report_rows(session="s1")
        report = summarise(rows, tiers=("SIMPLE",), baseline="TOP", price=price)
        tiers = ledger.spend("tier", session="s1")
        comparing, finals = ledger.meter(session="s1")
        spend = sum(tiers.values(), Spend())
        meter = Meter("TOP", spend, comparing, *both_savings(spend, finals, price))

    for name in ("spend", "comparing", "saving", "equivalent_saving"):
        assert getattr(report, name) == getattr(meter, name), name
    assert {k: v for k, v in report.by_tier.items() if v.calls} == tiers


def test_a_forked_child_and_a_new_file_in_place_of_one_that_was_deleted_are_written_to(
    ledger, path
):
    ledger.append(attempt("parent"))
    with ledger.gathering():
        child = multiprocessing.get_context("fork").Process(
            target=ledger.append, args=(attempt("child"),)
        )
        child.start()
        child.join()
    ledger.append(attempt("parent again"))
    assert 0 == child.exitcode
    assert ["parent", "child", "parent again"] == stored(path)

    for file in path.parent.iterdir():
        file.unlink()
    ledger.append(attempt("anew"))
    assert ["anew"] == stored(path)
    for file in path.parent.iterdir():
        file.unlink()
    with SqliteLedger(path) as other:
        other.append(attempt("other"))
    ledger.append(attempt("last"))

    assert ["other", "last"] == stored(path)


@pytest.fixture
def garbage(tmp_path):
    file = tmp_path / "garbage"
    file.write_text("this is not a database, though it is long enough" * 100)
    return file


@pytest.mark.parametrize("name", ["garbage/under a file", "/dev/full", "nbroute", "garbage"])
def test_what_cannot_be_recorded_is_kept_in_memory_and_counts(garbage, name):
    with SqliteLedger(garbage.parent / name, wait_s=0.05) as ledger:
        assert ledger.reserve(running(usd="0.6"), [cap()]) is None
        assert Decimal("0.4") == ledger.reserve(running("a2", "0.6"), [cap()]).left_usd
        with pytest.raises(RecordError, match=r"kept in memory.*NBROUTE_LEDGER"):
            ledger.append(attempt())
        with pytest.raises(RecordError, match=r"the label could not be recorded in .*kept in"):
            ledger.label(said())
        with pytest.raises(RecordError, match=r"the calls could not be recorded in .*kept in"):
            ledger.append_all([attempt(feature="chat"), attempt("a0", session="s2")])

        left = {cap(): "0.75", cap("day", "2026-11-21"): "0.5", cap("feature", "chat"): "0.75"}
        for of, usd in left.items():
            assert Refusal(of, Decimal(usd)) == ledger.reserve(running("a2", "0.8"), [of])
        assert Decimal("0.25") == ledger.spend(session="s1").usd
        assert {"SIMPLE": 1} == {k: s.calls for k, s in ledger.spend("tier", session="s1").items()}
        assert ["ok"] == [row["status"] for row in ledger.rows(session="s1")]
        assert ["ok"] == [row.status for row in ledger.report_rows(session="s1")]
        assert ["a1"] == list(ledger.frame(session="s1")["id"])
        assert [said()] == ledger.labels(session="s1")
    assert [] == [*Path().glob(":memory:*")]


def test_late_rows_are_all_written_and_one_that_cannot_be_is_logged(
    path, garbage, monkeypatch, caplog
):
    with SqliteLedger(path) as ledger:
        with ledger.gathering():
            ledger.append(attempt("a1"))
        assert ["a1"] == stored(path)
        with ledger.gathering():
            ledger.append(attempt("a2"))
            ledger.append(attempt("a3", status="running"))
            assert ["a1", "a2", "a3"] == stored(path)  # before it is sent
            reads = (ledger.rows, ledger.spend, ledger.health, ledger.version, ledger.close)
            for number, read in enumerate(reads):
                with ledger.gathering():  # within another
                    ledger.append(attempt(f"b{number}"))
                read()
                assert f"b{number}" == stored(path)[-1]
            with monkeypatch.context() as few:
                few.setattr("nbroute.storage.ledger._MOST_WAITING", -1)
                ledger.append(attempt("c1"))
            assert "c1" == stored(path)[-1]  # whoever adds one too many waits
        monkeypatch.setattr(ledger, "append_all", Mock(side_effect=RuntimeError("no such luck")))
        with ledger.gathering():
            ledger.append(attempt())
    with SqliteLedger(garbage) as broken:
        for name in "ab":
            with broken.gathering():
                broken.append(attempt(name))

    told = ["calls could not be recorded", "the call could not be recorded"]  # and no third time
    assert told == [logged.message.partition(" in '")[0] for logged in caplog.records]
    assert {"nbroute"} == {logged.name for logged in caplog.records}
    assert "no such luck" in caplog.text


def test_a_corrupt_file_is_left_alone_and_is_an_error_for_all_that_asks_for_what_is_in_it(
    garbage, ledger, path
):
    before = garbage.read_bytes()
    with SqliteLedger(garbage) as other:
        assert Spend() == other.spend(session="new")
        reads = (other.rows, lambda: [*other.report_rows()], other.frame, other.spend)
        for read in (*reads, other.labels, other.health):
            with pytest.raises(RecordError, match=r"cannot read the ledger.*move the file away"):
                read()
        with pytest.raises(RecordError) as caught:
            other.append(attempt())

    assert before == garbage.read_bytes()
    assert str(caught.value) == (
        f"the call could not be recorded in {str(garbage)!r}: file is not a database; kept in "
        "memory until it can be written; move the file away, or set NBROUTE_LEDGER to another one."
    )
    # One that breaks while in use does not pass for an empty session.
    ledger.append(attempt())
    ledger.reserve(running("a2", session="s2"), [cap()])
    ledger.close()
    path.write_bytes(before)
    for read, session in product((ledger.spend, ledger.labels), ("s1", "s2")):
        with pytest.raises(RecordError, match="file is not a database"):
            read(session=session)
    with pytest.raises(RecordError, match="cannot read the ledger"):
        ledger.reserve(running("a2"), [cap()])


def test_on_a_full_disk_the_rows_wait_and_are_written_once_there_is_room(ledger, path):
    def grow(pages):
        """Let the file have so many pages at most: SQLite acts out a full disk."""
        with ledger._file.connection("cannot read") as connection:
            pages = pages or connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")

    ledger.append(attempt("a1", status="running", reason="x" * 100))
    ledger.append(attempt("a0", ts=NOON + 1))
    grow(0)
    big = attempt("a1", status="ok", reason="y" * 9000)
    full = "full; kept in memory until it can be written; make room on the disk, or set "
    full += r"NBROUTE_LEDGER to a file on another one\.$"
    label = said(prompt="z" * 9000)
    later = replace(big, id="a2", ts=NOON + 2)
    kept = [(ledger.append, big), (ledger.append, later), (ledger.label, label)]
    for write, row in kept:
        with pytest.raises(RecordError, match=full):
            write(row)

    assert Spend(Decimal("0.75"), calls=3, by_source={"list": Decimal("0.75")}) == ledger.spend()
    assert ["a1", "a0", "a2"] == [row["id"] for row in ledger.rows()]
    assert [NOON, NOON + 1, NOON + 2] == [row.ts for row in ledger.report_rows()]
    assert ["a1", "a0"] == stored(path)
    assert (2, 2, "") == ledger.health()

    grow(100_000)
    ledger.append(attempt("a3"))

    assert ["a1", "a0", "a1", "a2", "a3"] == stored(path)
    assert [label] == ledger.labels()
    assert 4 == ledger.spend().calls


def test_a_lock_held_elsewhere_is_waited_for_once_and_what_waits_is_written_when_it_ends(
    path, monkeypatch
):
    monkeypatch.setattr("nbroute.storage.ledger._TRY_EVERY", 0.01)
    with SqliteLedger(path) as before:
        before.append(attempt())
    with SqliteLedger(path, wait_s=0.3) as ledger, database(path) as other:
        other.execute("BEGIN IMMEDIATE")
        locked = "is locked; kept in memory until it can be written; close the program that locks "
        locked += r"it, or set NBROUTE_LEDGER to another file\.$"

        def waits(name):
            began = time.perf_counter()
            with pytest.raises(RecordError, match=locked):
                ledger.append(attempt(name))
            return time.perf_counter() - began > 0.25

        assert [True, False, False, False, False] == [waits(f"b{number}") for number in range(5)]
        assert 6 == ledger.spend().calls
        assert ledger.reserve(running("c", 8), [cap(usd="9.5")]) is None
        assert 0 == ledger.reserve(running("d", 1), [cap(usd="9.5")]).left_usd
        other.execute("COMMIT")
        until(lambda: ["a1", "b0", "b1", "b2", "b3", "b4", "c"] == stored(path))
        until(lambda: 0 == ledger.health().waiting)
        other.execute("BEGIN IMMEDIATE")
        assert waits("e")


@pytest.mark.parametrize(("freed", "written"), [("freed", ["a1", "late"]), ("", ["a1"])])
def test_what_is_kept_in_memory_is_written_as_the_process_ends_which_waits_for_a_lock(
    path, freed, written
):
    with SqliteLedger(path) as ledger:
        ledger.append(attempt())
    code = """
        import contextlib, sqlite3, sys, threading
        from pathlib import Path
        from ledgers import attempt
        from nbroute.errors import RecordError
        from nbroute.storage.ledger import SqliteLedger
        other = sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        ledger = SqliteLedger(Path(sys.argv[1]), wait_s=0.5)
        with contextlib.suppress(RecordError):
            ledger.append(attempt("late"))
        unlock = threading.Timer(0.1, other.execute, ["COMMIT"])
        unlock.daemon = True
        if sys.argv[2]:
            unlock.start()
        gathering = ledger.gathering()
        gathering.__enter__()  # and nothing leaves it
    """
    python(code, path, freed).communicate(timeout=30)

    assert written == stored(path)


def only(*migrations):
    """The statements of the first migration, and the names of all as the applied ones."""
    with database(":memory:") as file:
        migrations[0](file)
        file.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY)")
        names = [(getattr(one, "__name__", one),) for one in migrations]
        file.executemany("INSERT INTO migrations VALUES (?)", names)
        return "\n".join(file.iterdump())


OTHER, TABLE = "it seems to be another program's file (it contains", "CREATE TABLE {} (x);".format


@pytest.mark.parametrize(
    ("made", "whose"),
    [
        ("CREATE TABLE migrations (name); CREATE TABLE users (a)", f"{OTHER} migrations, users)"),
        ("CREATE TABLE migrations (name, id)", f"{OTHER} migrations)"),
        ("CREATE VIEW d AS SELECT 1; " + "".join(map(TABLE, "cba")), f"{OTHER} a, b, c, d)"),
        ("".join(map(TABLE, "edcba")), f"{OTHER} a, b, c, d, ...)"),
        (only(m001_batch), "it seems to be an nbroute batch"),
        (only(m001_replies), "it seems to be an nbroute cache"),
        (only(m001_vectors), "it seems to be nbroute's file of vectors and taught examples"),
        (only(m001_attempts, "m9_later"), "a newer nbroute wrote it (it has 'm9_later')"),
    ],
)
def test_a_file_of_another_program_or_of_a_newer_nbroute_is_left_alone(tmp_path, made, whose):
    path = tmp_path / "theirs.sqlite"
    with database(path) as file:
        file.executescript(made)
    before = path.read_bytes()

    with SqliteLedger(path) as ledger:
        with pytest.raises(RecordError) as caught:
            ledger.append(attempt())
        assert 1 == ledger.spend(session="s1").calls

    cure = "upgrade nbroute, or " if "newer" in whose else ""
    assert before == path.read_bytes()
    assert str(caught.value) == (
        f"the call could not be recorded in {str(path)!r}: {whose}; kept in memory until it can be "
        f"written; {cure}set NBROUTE_LEDGER to another file."
    )


def test_a_report_has_what_another_process_wrote_meanwhile(router):
    router.route("Name a colour.")
    first = router.report()
    other = Router(profile="simulated", ledger=router.ledger.path, session=router.session)

    assert first is router.report()
    other.route("Name another.")
    other.close()
    assert 2 == router.report().calls
    assert router.report(everything=True) is not router.report()


def test_a_report_that_is_stopped_does_not_hold_the_ledger(router, monkeypatch):
    monkeypatch.setattr("nbroute.storage.database._PAGE", 2)
    router.ledger.append_all([attempt(f"a{n}", session=router.session) for n in range(9)])

    def stopped(rows, **_):
        next(rows)
        raise KeyboardInterrupt

    monkeypatch.setattr("nbroute.engine.engine.summarise", stopped)
    with pytest.raises(KeyboardInterrupt) as caught:  # which a notebook keeps
        router.report(everything=True)
    writer = threading.Thread(target=router.ledger.append, args=[attempt()], daemon=True)
    writer.start()
    writer.join(10)

    assert not writer.is_alive()
    del caught
