from __future__ import annotations

import contextlib
import json
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbroute.batch.store import m001_batch
from nbroute.errors import RecordError, SettingsError
from nbroute.report import Meter, Spend, summarise
from nbroute.report.metrics import both_savings
from nbroute.router import Router
from nbroute.storage.cache import m001_replies
from nbroute.storage.ledger import SqliteLedger
from nbroute.storage.schema import m005_sums
from nbroute.types import Attempt, Cap, Label, Price

ROOT = Path(__file__).parents[2]
NOON = 1_795_262_400.0  # 2026-11-21 12:00 UTC
DAY = 86_400.0


def attempt(name="a1", **changes):
    plain = Attempt(
        id=name,
        ts=NOON,
        session="s1",
        result="r1",
        tier="SIMPLE",
        provider="openrouter",
        provider_kind="remote",
        model="openai/gpt-4o-mini",
        cost_usd=Decimal("0.25"),
        cost_source="list",
    )
    return replace(plain, **changes)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "ledger.sqlite"


@pytest.fixture
def ledger(path):
    with SqliteLedger(path, wait_s=0.05) as opened:
        yield opened


def stored(path, query="SELECT id FROM attempts ORDER BY rowid"):
    connection = sqlite3.connect(path)
    try:
        return [value for (value,) in connection.execute(query)]
    finally:
        connection.close()


def python(code, *arguments, **options):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, text=True, **options)


APPEND_MANY = """
    import sys
    from nbroute.storage.ledger import SqliteLedger
    from nbroute.types import Attempt
    path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    from pathlib import Path
    ledger = SqliteLedger(Path(path))
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        for status in ("running", "ok"):
            made = (f"{name}-{number}", 1.0, name, "r", "T", "p", "remote", "m")
            ledger.append(Attempt(*made, status=status))
            print(number, status, flush=True)
"""


amounts = st.decimals(0, 1000, places=9) | st.none()
words = st.text(st.characters(exclude_categories=["Cs"]))


@given(text=words, reason=words, cost=amounts, latency=st.floats(0, 1e9), cached=st.booleans())
def test_an_attempt_comes_back_as_it_went_in(text, reason, cost, latency, cached):
    given_one = attempt(text=text, reason=reason, cost_usd=cost, latency_ms=latency, cached=cached)
    with SqliteLedger(None, store_text=True) as ledger:
        ledger.append(given_one)

        (row,) = ledger.rows()

    assert given_one == Attempt(**row)


def test_the_columns_are_the_fields_of_an_attempt(ledger, path):
    ledger.append(attempt())

    columns = stored(path, "SELECT name FROM pragma_table_info('attempts')")

    assert {field.name for field in fields(Attempt)} == set(columns)


def test_prompts_and_answers_are_not_in_the_file_unless_asked_for(path):
    secret = attempt(prompt="the prompt itself", text="the answer itself")
    with SqliteLedger(path) as ledger:
        ledger.append(secret)
        (row,) = ledger.rows()
    written = path.read_bytes()
    with SqliteLedger(path, store_text=True) as ledger:
        ledger.append(replace(secret, id="a2"))
        told = ledger.rows()[1]

    assert (None, None) == (row["prompt"], row["text"])
    assert b"itself" not in written
    assert ("the prompt itself", "the answer itself") == (told["prompt"], told["text"])


def test_the_last_row_of_an_attempt_counts(ledger, path):
    ledger.append(attempt(status="running", cost_usd=Decimal("0.1")))
    ledger.append(attempt("a2", ts=NOON + 1))
    ledger.append(attempt(status="ok"))
    ledger.append(attempt(status="rejected", error="length: too short"))

    assert ["a1", "a2", "a1", "a1"] == stored(path)
    assert [("a1", "rejected"), ("a2", "ok")] == [(r["id"], r["status"]) for r in ledger.rows()]
    assert Decimal("0.5") == ledger.spend().usd
    assert 2 == ledger.spend().calls


def test_rows_come_oldest_first_whatever_the_order_of_writing(ledger):
    for name, when in (("late", 30), ("early", 10), ("middle", 20)):
        ledger.append(attempt(name, ts=NOON + when))

    assert ["early", "middle", "late"] == [row["id"] for row in ledger.rows()]
    assert [NOON + 10, NOON + 20, NOON + 30] == [row.ts for row in ledger.report_rows()]
    assert ["early", "middle", "late"] == list(ledger.frame()["id"])


@pytest.mark.parametrize("change", ["UPDATE attempts SET cost_usd = 0", "DELETE FROM attempts"])
def test_a_written_row_can_neither_be_changed_nor_deleted(ledger, path, change):
    ledger.append(attempt())
    connection = sqlite3.connect(path)

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(change)
    connection.close()

    assert Decimal("0.25") == ledger.spend().usd


def test_threads_share_a_ledger(ledger):
    start = threading.Barrier(8)

    def work(name):
        start.wait()
        for number in range(40):
            ledger.append(attempt(f"{name}-{number}", status="running"))
            ledger.append(attempt(f"{name}-{number}"))
            assert ledger.spend().calls > 0

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert 320 == len(ledger.rows())
    assert Decimal(80) == ledger.spend().usd


def test_processes_that_start_on_one_new_file_at_once_lose_nothing(path):
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    kernels = [python(APPEND_MANY, path, f"k{n}", 50, **options) for n in range(4)]
    for kernel in kernels:
        assert "ready\n" == kernel.stdout.readline()
    for kernel in kernels:
        kernel.stdin.write("go\n")
        kernel.stdin.flush()
    errors = [kernel.communicate(timeout=60)[1] for kernel in kernels]

    with SqliteLedger(path) as ledger:
        calls = {name: spend.calls for name, spend in ledger.spend("session").items()}

    assert ["", "", "", ""] == errors
    assert {"k0": 50, "k1": 50, "k2": 50, "k3": 50} == calls


def test_a_killed_kernel_loses_nothing_that_it_wrote(path):
    kernel = python(
        APPEND_MANY, path, "k", 1_000_000, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    kernel.stdin.write("go\n")
    kernel.stdin.flush()
    said = [kernel.stdout.readline() for _ in range(2 + 2 * 30)]
    kernel.send_signal(signal.SIGKILL)
    kernel.wait()
    for stream in (kernel.stdin, kernel.stdout):
        stream.close()

    with SqliteLedger(path) as ledger:
        found = {row["id"]: row["status"] for row in ledger.rows()}
        ledger.append(attempt("after"))

    assert "30 running\n" == said[-1]
    assert {f"k-{n}": "ok" for n in range(30)}.items() <= found.items()
    assert found["k-30"] in {"running", "ok"}
    assert "after" in stored(path)


def test_an_attempt_that_never_ended_is_reported_as_running(path):
    with SqliteLedger(path) as ledger:
        ledger.append(attempt(status="running"))

    with SqliteLedger(path) as later:
        assert ["running"] == [row["status"] for row in later.rows()]
        assert Decimal("0.25") == later.spend().usd


def test_spend_keeps_real_money_equivalents_and_unknown_costs_apart(ledger):
    ledger.append(attempt("a1", cost_usd=Decimal("0.1"), cost_source="billed"))
    ledger.append(attempt("a2", cost_usd=Decimal("0.2"), cost_source="list"))
    ledger.append(attempt("a3", cost_usd=Decimal("0.4"), cost_source="estimated"))
    ledger.append(attempt("a4", cost_usd=Decimal("0.8"), cost_source="equivalent"))
    ledger.append(attempt("a5", cost_usd=None, cost_source="unknown"))
    ledger.append(attempt("a6", cost_usd=Decimal(0), cost_source="list", cached=True))
    ledger.append(attempt("a7", cost_usd=Decimal("1.6"), cost_source="configured"))

    expected = Spend(
        usd=Decimal("2.3"),
        equivalent_usd=Decimal("0.8"),
        unknown_calls=1,
        calls=7,
        cached_calls=1,
        by_source={
            "billed": Decimal("0.1"),
            "list": Decimal("0.2"),
            "estimated": Decimal("0.4"),
            "equivalent": Decimal("0.8"),
            "configured": Decimal("1.6"),
        },
    )
    assert expected == ledger.spend()


def test_spend_is_added_up_by_whatever_is_asked(ledger):
    ledger.append(attempt("a1", feature="bot"))
    ledger.append(attempt("a2", tier="MEDIUM", model="m", provider="openai", ts=NOON + DAY))
    ledger.append(attempt("a3", tier="MEDIUM", session="s2"))

    def usd(by):
        return {name: float(spend.usd) for name, spend in ledger.spend(by).items()}

    assert {"SIMPLE": 0.25, "MEDIUM": 0.5} == usd("tier")
    assert {"openai/gpt-4o-mini": 0.5, "m": 0.25} == usd("model")
    assert {"bot": 0.25, "": 0.5} == usd("feature")
    assert {"openrouter": 0.5, "openai": 0.25} == usd("provider")
    assert {"s1": 0.5, "s2": 0.25} == usd("session")
    assert {"2026-11-21": 0.5, "2026-11-22": 0.25} == usd("day")


def test_spend_and_report_name_the_model_that_answered(ledger):
    asked = {"openrouter/auto": "vendor/great-2", "gpt-4o": "gpt-4o-2024-08-06", "a": "b\x1b\nc"}
    for name, by in asked.items():
        ledger.append(attempt(name, result=name, model=name, answered_by=by, ts=NOON + 1))
    ledger.append(attempt("plain", model="gpt-4o"))
    names = {"vendor/great-2": 1, "gpt-4o": 2, "b c": 1}

    report = summarise(ledger.report_rows(), tiers=(), baseline="", price=None)

    assert names == {name: spend.calls for name, spend in ledger.spend("model").items()}
    assert names == {name: spend.calls for name, spend in report.by_model.items()}


def test_spend_can_be_that_of_one_session_or_since_a_time(ledger):
    ledger.append(attempt("a1"))
    ledger.append(attempt("a2", ts=NOON + DAY))
    ledger.append(attempt("a3", session="s2", ts=NOON + DAY))

    assert 2 == ledger.spend(session="s1").calls
    assert Spend() == ledger.spend(session="nobody")
    assert {} == ledger.spend("tier", session="nobody")
    assert 2 == ledger.spend(since=NOON + 1).calls
    assert 1 == ledger.spend(session="s1", since=datetime(2026, 11, 22, tzinfo=UTC)).calls
    assert ["a2", "a3"] == list(ledger.frame(since=NOON + 1)["id"])
    assert ["a3"] == [row["id"] for row in ledger.rows(session="s2")]


def test_many_small_amounts_add_up_without_the_dust_of_floats(ledger):
    for number in range(10):
        ledger.append(attempt(f"a{number}", cost_usd=Decimal("0.0001")))

    assert Decimal("0.001") == ledger.spend().usd


chained = st.builds(
    lambda name, result, parent, status, purpose, ts, usd, source, tier, compared, cached: attempt(
        name,
        result=result,
        parent=parent if parent and parent < result else None,
        status=status,
        purpose=purpose,
        ts=NOON + ts,
        cost_usd=usd,
        cost_source="unknown" if usd is None else source,
        tier=tier,
        comparison=compared,
        cached=cached,
        input_tokens=int(name[1:]) + 1,
        output_tokens=10,
    ),
    st.sampled_from([f"a{number}" for number in range(8)]),
    st.sampled_from(["r1", "r2", "r3"]),
    st.sampled_from([None, "r1", "r2"]),
    st.sampled_from(["running", "ok", "ok", "rejected", "unused", "error", "interrupted"]),
    st.sampled_from(["answer", "answer", "classify"]),
    st.integers(0, 3),
    st.decimals(0, 10, places=9) | st.none(),
    st.sampled_from(["list", "estimated", "equivalent"]),
    st.sampled_from(["SIMPLE", "MEDIUM"]),
    st.sampled_from([None, None, "c1"]),
    st.booleans(),
)


@settings(deadline=None)
@given(st.lists(chained, max_size=14), st.booleans())
def test_the_sums_that_are_kept_say_what_the_rows_say(written, late):
    """Also where they were added up by the migration of an older file."""
    of_attempt = {row.id: row for row in reversed(written)}
    fixed = ("result", "parent", "purpose", "ts", "comparison")
    written = [replace(r, **{f: getattr(of_attempt[r.id], f) for f in fixed}) for r in written]
    written.sort(key=lambda row: row.ts)
    # What has ended never runs again.
    ended = [
        {row.id for row in written[:n] if row.status != "running"} for n in range(len(written))
    ]
    written = [
        r for r, out in zip(written, ended, strict=True) if r.status != "running" or r.id not in out
    ]
    parents = {row.result: row.parent for row in written}
    above = {result: up for result, up in parents.items() if up and up < result}
    written = [replace(row, parent=above.get(row.result)) for row in written]
    # A result is escalated once it has an answer.
    answered = {None}
    for row in list(written):
        if row.parent not in answered:
            written.remove(row)
        elif row.status != "running" and row.purpose == "answer" and row.comparison is None:
            answered.add(row.result)
    with SqliteLedger(None) as ledger:
        for row in written:
            ledger.append(row)
        if late:
            with ledger._file.connection("cannot") as connection:
                for name in ("sums", "answers", "finals", "roots"):
                    connection.execute(f"DROP TABLE {name}")
                for name in ("attempts_summed", "attempts_answered"):
                    connection.execute(f"DROP TRIGGER {name}")
                connection.execute("DROP VIEW parts")
                m005_sums(connection)
        price = Price(Decimal(1), Decimal(2))
        report = summarise(
            ledger.report_rows(session="s1"), tiers=("SIMPLE",), baseline="TOP", price=price
        )
        tiers = ledger.spend("tier", session="s1")
        comparing, finals = ledger.meter(session="s1")
        spend = sum(tiers.values(), Spend())
        meter = Meter("TOP", spend, comparing, *both_savings(spend, finals, price))

    for name in ("spend", "comparing", "saving", "equivalent_saving"):
        assert getattr(report, name) == getattr(meter, name), name
    assert {k: v for k, v in report.by_tier.items() if v.calls} == tiers


def test_an_unknown_grouping_names_the_close_matches(ledger):
    with pytest.raises(SettingsError, match=r"'modle'; did you mean 'model'\?"):
        ledger.spend("modle")


def test_a_frame_has_times_numbers_and_truth_values(ledger):
    ledger.append(attempt(cost_usd=None, cost_source="unknown", escalated=True))

    frame = ledger.frame()

    assert datetime(2026, 11, 21, 12, tzinfo=UTC) == frame["time"][0]
    assert "float64" == frame["cost_usd"].dtype
    assert bool(frame["cost_usd"].isna()[0])
    assert "int64" == frame["input_tokens"].dtype
    assert "bool" == frame["escalated"].dtype
    assert "SIMPLE" == frame["tier"][0]


def test_a_frame_of_nothing_has_all_columns_and_their_types(ledger):
    empty = ledger.frame()
    ledger.append(attempt())
    filled = ledger.frame()

    assert 0 == len(empty)
    assert list(filled.columns) == list(empty.columns)
    assert list(filled.dtypes) == list(empty.dtypes)


def test_reading_makes_no_file(ledger, path):
    assert [] == ledger.rows()
    assert [] == [*ledger.report_rows()]
    assert Spend() == ledger.spend()
    assert not path.parent.exists()


def test_a_ledger_without_a_file_lives_in_memory():
    with SqliteLedger(None) as ledger:
        ledger.append(attempt(status="running"))
        ledger.append(attempt())

        assert ["ok"] == [row["status"] for row in ledger.rows()]


def test_a_closed_ledger_opens_again_when_it_is_used(ledger, path):
    ledger.append(attempt())
    ledger.close()
    ledger.close()
    ledger.append(attempt("a2"))

    assert ["a1", "a2"] == stored(path)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at the open files")
def test_a_ledger_that_is_closed_or_only_dropped_leaves_no_file_open(path):
    def opened():
        links = [one for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
        return [one for one in links if str(one.readlink()).startswith(str(path))]

    ledger = SqliteLedger(path)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ledger.append, [attempt(f"a{number}") for number in range(10)]))
    assert opened()

    ledger.close()
    assert not opened()
    ledger.append(attempt("last"))
    assert opened()
    del ledger
    assert not opened()


def test_a_file_deleted_under_a_running_kernel_is_made_anew(ledger, path):
    ledger.append(attempt())
    for file in path.parent.iterdir():
        file.unlink()
    ledger.append(attempt("a2"))

    assert ["a2"] == stored(path)


def test_half_a_surrogate_pair_does_not_keep_an_attempt_out(path):
    with SqliteLedger(path, store_text=True) as ledger:
        ledger.append(attempt(text="cut \ud83d"))

        assert ["cut ?"] == [row["text"] for row in ledger.rows()]


def test_a_forked_child_writes_beside_its_parent(ledger, path):
    ledger.append(attempt("parent"))
    child = multiprocessing.get_context("fork").Process(
        target=ledger.append, args=(attempt("child"),)
    )
    child.start()
    child.join()
    ledger.append(attempt("parent again"))

    assert 0 == child.exitcode
    assert ["parent", "child", "parent again"] == stored(path)


def under_a_file(folder):
    (folder / "file").write_text("not a folder")
    return folder / "file" / "ledger.sqlite"


def in_a_read_only_folder(_):
    return Path("/proc/ledger.sqlite")


def on_a_full_device(_):
    return Path("/dev/full")


def a_folder(folder):
    (folder / "ledger.sqlite").mkdir()
    return folder / "ledger.sqlite"


def not_a_database(folder):
    (folder / "ledger.sqlite").write_text("this is no database, though it is long enough" * 100)
    return folder / "ledger.sqlite"


UNUSABLE = [under_a_file, in_a_read_only_folder, on_a_full_device, a_folder, not_a_database]


@pytest.mark.parametrize("make", UNUSABLE)
def test_what_cannot_be_recorded_is_kept_in_memory_and_counts(make, tmp_path):
    with SqliteLedger(make(tmp_path), wait_s=0.05) as ledger:
        for status in ("running", "ok"):
            with pytest.raises(RecordError, match=r"kept in memory.*NBROUTE_LEDGER"):
                ledger.append(attempt(status=status))

        assert Decimal("0.25") == ledger.spend(session="s1").usd
        assert {"SIMPLE": 1} == {k: s.calls for k, s in ledger.spend("tier", session="s1").items()}
        assert ["ok"] == [row["status"] for row in ledger.rows(session="s1")]
        assert ["ok"] == [row.status for row in ledger.report_rows(session="s1")]
        assert ["a1"] == list(ledger.frame(session="s1")["id"])


def test_the_error_names_the_file_the_reason_and_the_cure(tmp_path):
    path = not_a_database(tmp_path)

    with SqliteLedger(path) as ledger, pytest.raises(RecordError) as caught:
        ledger.append(attempt())

    assert str(caught.value) == (
        f"the call could not be recorded in {str(path)!r}: file is not a database; kept in "
        "memory, and written once that is possible; move the file away, or set NBROUTE_LEDGER to "
        "another one."
    )


def test_a_corrupt_file_is_an_error_for_all_that_asks_for_what_is_in_it(tmp_path):
    path = not_a_database(tmp_path)
    before = path.read_bytes()

    with SqliteLedger(path) as ledger:
        assert Spend() == ledger.spend(session="new")
        reads = (ledger.rows, lambda: [*ledger.report_rows()], ledger.frame, ledger.spend)
        for read in reads:
            with pytest.raises(RecordError, match=r"cannot read the ledger.*move the file away"):
                read()

    assert before == path.read_bytes()


def test_a_file_that_breaks_while_in_use_does_not_pass_for_an_empty_session(ledger, path):
    ledger.append(attempt())
    ledger.close()
    path.write_bytes(b"overwritten by something else" * 1000)

    with pytest.raises(RecordError, match="file is not a database"):
        ledger.spend(session="s1")


def fill_up(ledger):
    """Let the file grow no more, as on a full disk: SQLite itself then says so."""
    with ledger._file.connection("cannot read") as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")


def make_room(ledger):
    with ledger._file.connection("cannot read") as connection:
        connection.execute("PRAGMA max_page_count = 100000")


def test_on_a_full_disk_the_rows_wait_and_are_written_once_there_is_room(ledger, path):
    ledger.append(attempt("a1", status="running", reason="x" * 100))
    fill_up(ledger)
    big = attempt("a1", status="ok", reason="y" * 9000)
    for row in (big, replace(big, id="a2")):
        with pytest.raises(RecordError, match=r"full; kept in memory.*; make room on the disk"):
            ledger.append(row)

    assert Spend(Decimal("0.5"), calls=2, by_source={"list": Decimal("0.5")}) == ledger.spend()
    assert [("a1", "ok"), ("a2", "ok")] == [(r["id"], r["status"]) for r in ledger.rows()]
    assert ["a1"] == stored(path)

    make_room(ledger)
    ledger.append(attempt("a3"))
    ledger.append(attempt("a4"))

    assert ["a1", "a1", "a2", "a3", "a4"] == stored(path)
    assert 4 == ledger.spend().calls


def test_a_file_that_another_process_keeps_locked_does_not_stop_the_call(ledger, path):
    ledger.append(attempt())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordError, match=r"is locked; kept in memory.*end the program"):
        ledger.append(attempt("a2"))

    assert 2 == ledger.spend().calls

    other.execute("COMMIT")
    other.close()
    ledger.append(attempt("a3"))

    assert ["a1", "a2", "a3"] == stored(path)


def test_a_ledger_of_a_newer_nbroute_is_left_alone(ledger, path):
    ledger.append(attempt())
    ledger.close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO migrations VALUES ('m999_later')")
    connection.commit()
    connection.close()

    with pytest.raises(RecordError, match=r"newer nbroute.*'m999_later'.*kept.*upgrade nbroute"):
        ledger.append(attempt("a2"))
    with pytest.raises(RecordError, match="upgrade nbroute, or set NBROUTE_LEDGER"):
        ledger.rows()

    assert ["a1"] == stored(path)


@pytest.mark.parametrize(
    ("made", "whose"),
    [
        ("CREATE TABLE sessions (a); CREATE TABLE history (a)", r"it holds history, sessions"),
        ("CREATE TABLE migrations (id, migration, batch)", "it holds migrations"),
        ("CREATE TABLE migrations (name); CREATE TABLE users (a)", "it holds migrations, users"),
        ("PRAGMA journal_mode = WAL; CREATE TABLE attempts (id, ts)", "it holds attempts"),
        ("CREATE VIEW v AS SELECT 1", r"it holds v\)"),
        (m001_batch, "seems to be an nbroute batch;"),
        (m001_replies, "seems to be an nbroute cache;"),
    ],
)
def test_a_file_of_another_program_is_left_alone(tmp_path, made, whose):
    path = tmp_path / "theirs.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as file:
        if callable(made):
            made(file)
            file.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY)")
            file.execute("INSERT INTO migrations VALUES (?)", [made.__name__])
            file.commit()
        else:
            file.executescript(made)
    before = path.read_bytes()

    with SqliteLedger(path) as ledger:
        with pytest.raises(RecordError, match=rf"{whose}.*set NBROUTE_LEDGER to another file"):
            ledger.append(attempt())
        assert 1 == ledger.spend(session="s1").calls

    assert before == path.read_bytes()


FIRST_VERSION = """
    id TEXT NOT NULL, ts REAL NOT NULL, session TEXT NOT NULL, result TEXT NOT NULL,
    tier TEXT NOT NULL, provider TEXT NOT NULL, provider_kind TEXT NOT NULL, model TEXT NOT NULL,
    parent TEXT, feature TEXT, msg_hash TEXT, purpose TEXT, strategy TEXT, classifier TEXT,
    reason TEXT, status TEXT, error TEXT, input_tokens INTEGER, output_tokens INTEGER,
    cached_tokens INTEGER, tokens_estimated INTEGER, cost_usd REAL, cost_source TEXT,
    price_input REAL, price_output REAL, latency_ms REAL, ttft_ms REAL, finish_reason TEXT,
    escalated INTEGER, cached INTEGER, prompt TEXT, text TEXT
"""


def test_a_ledger_of_the_first_version_is_still_read_and_written(tmp_path):
    path = tmp_path / "old.sqlite"
    old = sqlite3.connect(path)
    old.execute(f"CREATE TABLE attempts ({FIRST_VERSION})")
    old.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY)")
    old.execute("INSERT INTO migrations VALUES ('m001_attempts')")
    old.commit()
    old.close()

    with SqliteLedger(path) as ledger:
        ledger.append(attempt())

        assert attempt() == Attempt(**ledger.rows()[0])


def an_old_ledger(path, *rows):
    """A file as the first version of nbroute left it, with (id, ts, status, cost) in it."""
    old = sqlite3.connect(path)
    old.execute(f"CREATE TABLE attempts ({FIRST_VERSION})")
    old.execute("CREATE INDEX attempts_by_id ON attempts (session, id)")
    old.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY)")
    old.execute("INSERT INTO migrations VALUES ('m001_attempts')")
    for name, ts, status, cost in rows:
        old.execute(
            "INSERT INTO attempts (id, ts, session, result, tier, provider, provider_kind, model, "
            "feature, status, cost_usd, cost_source, cached) VALUES "
            "(?, ?, 's1', 'r', 'SIMPLE', 'openai', 'remote', 'm', 'chat', ?, ?, 'list', 0)",
            (name, ts, status, cost),
        )
    old.commit()
    old.close()


def test_what_an_old_ledger_spent_counts_in_the_budgets(tmp_path):
    an_old_ledger(
        tmp_path / "old.sqlite",
        ("a1", NOON, "running", 0.5),
        ("a1", NOON, "ok", 0.25),
        ("a2", NOON - DAY, "ok", 0.5),
        ("killed", NOON, "running", 0.125),
    )
    left = {}
    with SqliteLedger(tmp_path / "old.sqlite") as ledger:
        for scope, key in (("session", "s1"), ("day", "2026-11-21"), ("feature", "chat")):
            cap = Cap(Decimal(1), scope, key)
            left[scope] = ledger.reserve(attempt("new", reserved_usd=Decimal(2)), [cap]).left_usd

    assert {
        "session": Decimal("0.125"),
        "day": Decimal("0.625"),
        "feature": Decimal("0.125"),
    } == left


def test_rows_can_be_told_in_json_but_for_the_money(ledger):
    ledger.append(attempt())

    told = json.dumps(ledger.rows(), default=str)

    assert "0.25" == json.loads(told)[0]["cost_usd"]


# Labels


def said(name="l1", **changes):
    plain = Label(
        id=name,
        ts=NOON,
        session="s1",
        feedback="good",
        picked="SIMPLE",
        needed="SIMPLE",
        ladder="four-tier",
        prompt="hello",
    )
    return replace(plain, **changes)


def test_a_label_comes_back_as_it_went_in(ledger, path):
    ledger.label(said(needed=None, feedback="bad", comparison="c1", feature="bot"))

    with SqliteLedger(path) as other:
        (found,) = other.labels()

    assert said(needed=None, feedback="bad", comparison="c1", feature="bot") == found


def test_labels_are_those_of_all_or_of_one_session_oldest_first(ledger):
    ledger.label(said("l1", ts=NOON + 2))
    ledger.label(said("l2", session="s2"))
    ledger.label(said("l3", ts=NOON + 1))

    assert ["l2", "l3", "l1"] == [label.id for label in ledger.labels()]
    assert ["l3", "l1"] == [label.id for label in ledger.labels(session="s1")]


@pytest.mark.parametrize("change", ["UPDATE labels SET prompt = ''", "DELETE FROM labels"])
def test_a_label_can_neither_be_changed_nor_deleted(ledger, path, change):
    ledger.label(said())

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        stored(path, change)


def test_half_a_surrogate_pair_and_a_very_long_prompt_can_be_labelled(ledger):
    ledger.label(said("l1", prompt="é \ud83d 你好"))
    ledger.label(said("l2", prompt="x" * 5_000_000))

    assert ["é ? 你好", "x" * 5_000_000] == [label.prompt for label in ledger.labels()]


def test_a_label_that_cannot_be_written_is_kept_and_told(tmp_path):
    (tmp_path / "file").write_text("")
    ledger = SqliteLedger(tmp_path / "file" / "ledger.sqlite")

    with pytest.raises(RecordError, match=r"the label could not be recorded in .*kept in memory"):
        ledger.label(said())

    assert [said()] == ledger.labels(session="s1")


def test_a_label_that_waited_is_written_once_with_the_next_row(tmp_path):
    folder = tmp_path / "later"
    folder.write_text("")
    with SqliteLedger(folder / "ledger.sqlite") as ledger:
        with pytest.raises(RecordError):
            ledger.label(said("l1"))
        folder.unlink()
        ledger.append(attempt())
        ledger.label(said("l2"))

        assert ["l1", "l2"] == [label.id for label in ledger.labels()]

    assert ["l1", "l2"] == stored(folder / "ledger.sqlite", "SELECT id FROM labels")


def test_labels_in_a_broken_file_are_an_error_and_not_none(ledger, path):
    ledger.label(said())
    ledger.close()
    for beside in path.parent.glob("ledger.sqlite*"):
        beside.write_bytes(b"no database at all" * 500)

    with pytest.raises(RecordError, match="cannot read the ledger"):
        ledger.labels(session="s1")


def test_threads_and_processes_label_in_one_file(ledger, path):
    code = """
        import sys
        from pathlib import Path
        from nbroute.storage.ledger import SqliteLedger
        from nbroute.types import Label
        ledger = SqliteLedger(Path(sys.argv[1]))
        for number in range(50):
            ledger.label(Label(f"p{number}", 0.0, "s2", "good", "A", "A", "own", "hello"))
    """
    process = python(code, path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: ledger.label(said(f"t{number}")), range(100)))
    process.wait(timeout=60)

    assert (100, 50) == (len(ledger.labels(session="s1")), len(ledger.labels(session="s2")))


def test_a_report_is_worked_out_once_for_each_state_of_the_ledger(router, monkeypatch):
    asked = []
    rows = router.ledger.report_rows
    monkeypatch.setattr(router.ledger, "report_rows", lambda **of: (asked.append(1), rows(**of))[1])
    router.route("Name a colour.")

    first = router.report()

    assert first is router.report()
    router.route("Name another.")
    assert 2 == router.report().calls
    router.ledger.close()
    assert 2 == router.report().calls
    assert router.report(everything=True) is not first
    assert 4 == len(asked)


def test_a_report_is_read_as_it_is_added_up(router):
    rows = [attempt(f"a{number}", result=f"r{number}") for number in range(15_000)]
    router.ledger.append_all([replace(row, session=router.session) for row in rows])

    def peak(work):
        tracemalloc.start()
        work()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    of_a_list = peak(lambda: list(router.ledger.report_rows()))

    assert peak(router.report) < 0.8 * of_a_list
    assert 15_000 == router.report().results


def test_a_report_that_was_stopped_does_not_hold_the_ledger(router, monkeypatch):
    router.route("Name a colour.")

    def stopped(rows, **_):
        next(rows)
        raise KeyboardInterrupt

    monkeypatch.setattr("nbroute.engine.engine.summarise", stopped)
    with pytest.raises(KeyboardInterrupt) as caught:
        router.report()
    writer = threading.Thread(target=router.ledger.append, args=[attempt()], daemon=True)
    writer.start()
    writer.join(10)

    assert not writer.is_alive()
    del caught


def test_a_report_sees_what_another_process_wrote(router):
    router.route("Name a colour.")
    assert 1 == router.report().calls
    other = Router(profile="simulated", ledger=router.ledger.path, session=router.session)

    other.route("Name another.")

    assert 2 == router.report().calls
    other.close()


def test_a_ledger_that_tells_no_version_is_read_each_time(make_router):
    class Plain:
        def __init__(self, kept):
            self._kept = kept

        def __getattr__(self, name):
            if name == "version":
                raise AttributeError(name)
            return getattr(self._kept, name)

    router = make_router(ledger=Plain(SqliteLedger(None)))
    router.route("Name a colour.")

    assert 1 == router.report().calls
    assert router.report() is not router.report()


def test_a_lock_held_elsewhere_is_waited_for_once_and_what_comes_after_is_written_when_it_ends(
    path,
):
    ledger = SqliteLedger(path, wait_s=0.6)
    ledger.append(attempt())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waited = []
    for number in range(20):
        began = time.perf_counter()
        with pytest.raises(RecordError, match="database is locked; kept in memory"):
            ledger.append(attempt(f"b{number}"))
        waited.append(time.perf_counter() - began > 0.5)

    other.execute("COMMIT")
    other.close()
    ends = time.monotonic() + 10
    while len(stored(path)) < 21 and time.monotonic() < ends:
        time.sleep(0.05)

    assert [True] + [False] * 19 == waited
    assert ["a1", *(f"b{number}" for number in range(20))] == stored(path)
    ledger.close()


def test_what_is_kept_in_memory_is_written_as_the_process_ends(path):
    with SqliteLedger(path) as ledger:
        ledger.append(attempt())
    kernel = python(
        f"""
        import contextlib, sqlite3
        from pathlib import Path
        from nbroute.errors import RecordError
        from nbroute.storage.ledger import SqliteLedger
        from nbroute.types import Attempt
        other = sqlite3.connect({str(path)!r}, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        ledger = SqliteLedger(Path({str(path)!r}), wait_s=0)
        with contextlib.suppress(RecordError):
            ledger.append(Attempt("late", 1.0, "s", "r", "T", "p", "remote", "m"))
        other.close()
        """
    )
    kernel.wait(30)

    assert ["a1", "late"] == stored(path)
