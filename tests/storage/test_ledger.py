"""The ledger: every attempt once, whatever happens to the process, the file or the disk."""

from __future__ import annotations

import contextlib
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
from dataclasses import replace
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
MADE = ("a1", NOON, "s1", "r1", "SIMPLE", "openrouter", "remote", "openai/gpt-4o-mini")
PLAIN = Attempt(*MADE, cost_usd=Decimal("0.25"), cost_source="list")
SAID = Label("l1", NOON, "s1", "good", "SIMPLE", "SIMPLE", "four-tier", "hello")


def attempt(name="a1", **changes):
    return replace(PLAIN, id=name, **changes)


def said(name="l1", **changes):
    return replace(SAID, id=name, **changes)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "ledger.sqlite"


@pytest.fixture
def ledger(path):
    with SqliteLedger(path, wait_s=0.05) as opened:
        yield opened


@contextlib.contextmanager
def database(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        yield file


def stored(path, query="SELECT id FROM attempts ORDER BY rowid"):
    with database(path) as file:
        return [value for (value,) in file.execute(query)]


def python(code, *arguments, **options):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, text=True, **options)


PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
APPEND_MANY = """
    import sys
    from pathlib import Path
    from nbroute.storage.ledger import SqliteLedger
    from nbroute.types import Attempt
    path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    ledger = SqliteLedger(Path(path))
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        for status in ("running", "ok"):
            made = (f"{name}-{number}", 1.0, name, "r", "T", "p", "remote", "m")
            ledger.append(Attempt(*made, status=status))
            print(number, status, flush=True)
"""

# Rows

amounts = st.decimals(0, 1000, places=9) | st.none()
words = st.text(st.characters(exclude_categories=["Cs"]))


@given(text=words, reason=words, cost=amounts, latency=st.floats(0, 1e9), cached=st.booleans())
def test_an_attempt_comes_back_as_it_went_in(text, reason, cost, latency, cached):
    given_one = attempt(text=text, reason=reason, cost_usd=cost, latency_ms=latency, cached=cached)
    with SqliteLedger(None, store_text=True) as ledger:
        ledger.append(given_one)

        (row,) = ledger.rows()

    assert given_one == Attempt(**row)


def test_prompts_and_answers_are_not_in_the_file_unless_asked_for(path):
    secret = attempt(prompt="itself", text="itself", status="rejected", error="quote: itself")
    with SqliteLedger(path) as ledger:
        ledger.append(secret)
        (row,) = ledger.rows()
    written = path.read_bytes()
    with SqliteLedger(path, store_text=True) as ledger:
        ledger.append(replace(secret, id="a2", text="cut \ud83d"))
        kept = ledger.rows()[1]

    assert (None, None, "quote") == (row["prompt"], row["text"], row["error"])
    assert b"itself" not in written
    assert ("itself", "cut ?", "quote: itself") == (kept["prompt"], kept["text"], kept["error"])


def test_the_last_row_of_an_attempt_counts_and_rows_come_oldest_first(ledger, path):
    ledger.append(attempt(status="running", cost_usd=Decimal("0.1"), ts=NOON + 2))
    ledger.append(attempt("a2", ts=NOON + 1, status="running"))
    ledger.append(attempt(status="ok", ts=NOON + 2))
    ledger.append(attempt(status="rejected", error="length: too short", ts=NOON + 2))

    assert ["a1", "a2", "a1", "a1"] == stored(path)
    assert [("a2", "running"), ("a1", "rejected")] == [
        (r["id"], r["status"]) for r in ledger.rows()
    ]
    assert [NOON + 1, NOON + 2] == [row.ts for row in ledger.report_rows()]
    assert ["a2", "a1"] == list(ledger.frame()["id"])
    assert (Decimal("0.5"), 2) == (ledger.spend().usd, ledger.spend().calls)


@pytest.mark.parametrize(
    "change",
    [
        *("UPDATE attempts SET cost_usd = 0", "DELETE FROM attempts"),
        *("UPDATE labels SET prompt = ''", "DELETE FROM labels"),
    ],
)
def test_what_is_written_can_neither_be_changed_nor_deleted(ledger, path, change):
    ledger.append(attempt())
    ledger.label(said())

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        stored(path, change)


def test_a_frame_has_times_numbers_and_truth_values_also_when_it_is_empty(ledger):
    empty = ledger.frame()
    ledger.append(attempt(cost_usd=None, cost_source="unknown", escalated=True))

    frame = ledger.frame()

    assert (0, list(frame.columns)) == (len(empty), list(empty.columns))
    assert list(frame.dtypes) == list(empty.dtypes)
    assert datetime(2026, 11, 21, 12, tzinfo=UTC) == frame["time"][0]
    kinds = {"cost_usd": "float64", "input_tokens": "int64", "escalated": "bool"}
    assert kinds == {name: frame[name].dtype for name in kinds}
    assert ("SIMPLE", True) == (frame["tier"][0], bool(frame["cost_usd"].isna()[0]))


# Sums


def test_spend_keeps_real_money_equivalents_and_unknown_costs_apart(ledger):
    sources = {"billed": 0.1, "list": 0.2, "estimated": 0.4, "equivalent": 0.8, "configured": 1.6}
    costs = {source: Decimal(str(usd)) for source, usd in sources.items()}
    for source, usd in costs.items():
        ledger.append(attempt(source, cost_usd=usd, cost_source=source))
    ledger.append(attempt("a5", cost_usd=None, cost_source="unknown"))
    ledger.append(attempt("a6", cost_usd=Decimal(0), cost_source="list", cached=True))

    assert ledger.spend() == Spend(
        usd=Decimal("2.3"),
        equivalent_usd=Decimal("0.8"),
        unknown_calls=1,
        calls=7,
        cached_calls=1,
        by_source=costs,
    )


def test_spend_is_added_up_by_whatever_is_asked_of_a_session_or_since_a_time(ledger):
    ledger.append(attempt("a1", feature="bot"))
    ledger.append(attempt("a2", tier="MEDIUM", model="m", provider="openai", ts=NOON + DAY))
    ledger.append(attempt("a3", tier="MEDIUM", session="s2", ts=NOON + DAY))

    groups = {
        "tier": {"SIMPLE": 0.25, "MEDIUM": 0.5},
        "model": {"openai/gpt-4o-mini": 0.5, "m": 0.25},
        "feature": {"bot": 0.25, "": 0.5},
        "provider": {"openrouter": 0.5, "openai": 0.25},
        "session": {"s1": 0.5, "s2": 0.25},
        "day": {"2026-11-21": 0.25, "2026-11-22": 0.5},
    }
    for by, expected in groups.items():
        assert expected == {name: float(spend.usd) for name, spend in ledger.spend(by).items()}
    assert (2, 2) == (ledger.spend(session="s1").calls, ledger.spend(since=NOON + 1).calls)
    assert (Spend(), {}) == (ledger.spend(session="no"), ledger.spend("tier", session="no"))
    assert 1 == ledger.spend(session="s1", since=datetime(2026, 11, 22, tzinfo=UTC)).calls
    assert ["a2", "a3"] == list(ledger.frame(since=NOON + 1)["id"])
    assert ["a3"] == [row["id"] for row in ledger.rows(session="s2")]
    with pytest.raises(SettingsError, match=r"'modle'; did you mean 'model'\?"):
        ledger.spend("modle")


def test_spend_and_report_name_the_model_that_answered(ledger):
    asked = {"openrouter/auto": "vendor/great-2", "gpt-4o": "gpt-4o-2024-08-06", "a": "b\x1b\nc"}
    for name, by in asked.items():
        ledger.append(attempt(name, result=name, model=name, answered_by=by, ts=NOON + 1))
    ledger.append(attempt("plain", model="gpt-4o"))
    names = {"vendor/great-2": 1, "gpt-4o": 2, "b c": 1}

    report = summarise(ledger.report_rows(), tiers=(), baseline="", price=None)

    assert names == {name: spend.calls for name, spend in ledger.spend("model").items()}
    assert names == {name: spend.calls for name, spend in report.by_model.items()}


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
@given(st.lists(chained, max_size=14), st.booleans())
def test_the_sums_that_are_kept_say_what_the_rows_say(written, late):
    """Also where they were added up by the migration of an older file."""
    with SqliteLedger(None) as ledger:
        for row in possible(written):
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
        rows = ledger.report_rows(session="s1")
        report = summarise(rows, tiers=("SIMPLE",), baseline="TOP", price=price)
        tiers = ledger.spend("tier", session="s1")
        comparing, finals = ledger.meter(session="s1")
        spend = sum(tiers.values(), Spend())
        meter = Meter("TOP", spend, comparing, *both_savings(spend, finals, price))

    for name in ("spend", "comparing", "saving", "equivalent_saving"):
        assert getattr(report, name) == getattr(meter, name), name
    assert {k: v for k, v in report.by_tier.items() if v.calls} == tiers


# Threads, processes and open files


def test_threads_share_a_ledger(ledger):
    start = threading.Barrier(8)

    def work(name):
        start.wait()
        for number in range(20):
            ledger.append(attempt(f"{name}-{number}", status="running"))
            ledger.append(attempt(f"{name}-{number}"))
            assert ledger.spend().calls > 0

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert (160, Decimal(40)) == (len(ledger.rows()), ledger.spend().usd)


def test_processes_that_start_on_one_new_file_at_once_lose_nothing(path):
    names = ("k0", "k1", "k2")
    kernels = [python(APPEND_MANY, path, one, 30, stderr=subprocess.PIPE, **PIPES) for one in names]
    for kernel in kernels:
        assert "ready\n" == kernel.stdout.readline()
    for kernel in kernels:
        kernel.stdin.write("go\n")
        kernel.stdin.flush()
    errors = [kernel.communicate(timeout=60)[1] for kernel in kernels]

    with SqliteLedger(path) as ledger:
        calls = {name: spend.calls for name, spend in ledger.spend("session").items()}

    assert ["", "", ""] == errors
    assert dict.fromkeys(names, 30) == calls


def test_a_killed_kernel_loses_nothing_that_it_wrote(path):
    with python(APPEND_MANY, path, "k", 1_000_000, **PIPES) as kernel:
        kernel.stdin.write("go\n")
        kernel.stdin.flush()
        told = [kernel.stdout.readline() for _ in range(2 + 2 * 30)]
        kernel.send_signal(signal.SIGKILL)

    with SqliteLedger(path) as ledger:
        found = {row["id"]: row["status"] for row in ledger.rows()}
        ledger.append(attempt("after"))

    assert "30 running\n" == told[-1]
    assert {f"k-{n}": "ok" for n in range(30)}.items() <= found.items()
    assert found["k-30"] in {"running", "ok"}
    assert "after" in stored(path)


def test_a_forked_child_writes_as_well_as_its_parent(ledger, path):
    ledger.append(attempt("parent"))
    child = multiprocessing.get_context("fork").Process(
        target=ledger.append, args=(attempt("child"),)
    )
    child.start()
    child.join()
    ledger.append(attempt("parent again"))

    assert 0 == child.exitcode
    assert ["parent", "child", "parent again"] == stored(path)


def test_reading_makes_no_file(ledger, path):
    assert ([], [], Spend()) == (ledger.rows(), [*ledger.report_rows()], ledger.spend())
    assert not path.parent.exists()


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
    ledger.close()
    assert not opened()
    ledger.append(attempt("last"))
    assert opened()
    del ledger
    assert not opened()
    assert "last" == stored(path)[-1]


def test_a_file_deleted_under_a_running_kernel_is_made_anew(ledger, path):
    ledger.append(attempt())
    for file in path.parent.iterdir():
        file.unlink()
    ledger.append(attempt("a2"))

    assert ["a2"] == stored(path)


# Files that cannot be used


@pytest.fixture
def garbage(tmp_path):
    file = tmp_path / "garbage"
    file.write_text("this is no database, though it is long enough" * 100)
    return file


@pytest.mark.parametrize(
    "name", ["garbage/under a file", "/proc/ledger.sqlite", "/dev/full", "nbroute", "garbage"]
)
def test_what_cannot_be_recorded_is_kept_in_memory_and_counts(garbage, name):
    with SqliteLedger(garbage.parent / name, wait_s=0.05) as ledger:
        for status in ("running", "ok"):
            with pytest.raises(RecordError, match=r"kept in memory.*NBROUTE_LEDGER"):
                ledger.append(attempt(status=status))
        with pytest.raises(RecordError, match=r"the label could not be recorded in .*kept in"):
            ledger.label(said())

        assert Decimal("0.25") == ledger.spend(session="s1").usd
        assert {"SIMPLE": 1} == {k: s.calls for k, s in ledger.spend("tier", session="s1").items()}
        assert ["ok"] == [row["status"] for row in ledger.rows(session="s1")]
        assert ["ok"] == [row.status for row in ledger.report_rows(session="s1")]
        assert ["a1"] == list(ledger.frame(session="s1")["id"])
        assert [said()] == ledger.labels(session="s1")


def test_a_corrupt_file_is_left_alone_and_an_error_for_all_that_asks_for_what_is_in_it(garbage):
    before = garbage.read_bytes()

    with SqliteLedger(garbage) as ledger:
        assert Spend() == ledger.spend(session="new")
        reads = (ledger.rows, lambda: [*ledger.report_rows()], ledger.frame, ledger.spend)
        for read in (*reads, ledger.labels, ledger.health):
            with pytest.raises(RecordError, match=r"cannot read the ledger.*move the file away"):
                read()
        with pytest.raises(RecordError) as caught:
            ledger.append(attempt())

    assert before == garbage.read_bytes()
    assert str(caught.value) == (
        f"the call could not be recorded in {str(garbage)!r}: file is not a database; kept in "
        "memory until it can be written; move the file away, or set NBROUTE_LEDGER to another one."
    )


def test_a_file_that_breaks_while_in_use_does_not_pass_for_an_empty_session(ledger, path):
    ledger.append(attempt())
    ledger.close()
    path.write_bytes(b"overwritten by something else" * 1000)

    for read in (ledger.spend, ledger.labels):
        with pytest.raises(RecordError, match="file is not a database"):
            read(session="s1")


def grow(ledger, pages):
    """Let the file have so many pages at most, 0 for no more: SQLite acts out a full disk."""
    with ledger._file.connection("cannot read") as connection:
        pages = pages or connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")


def test_on_a_full_disk_the_rows_wait_and_are_written_once_there_is_room(ledger, path):
    ledger.append(attempt("a1", status="running", reason="x" * 100))
    grow(ledger, 0)
    big = attempt("a1", status="ok", reason="y" * 9000)
    for row in (big, replace(big, id="a2")):
        with pytest.raises(RecordError, match=r"full; kept in memory.*; make room on the disk"):
            ledger.append(row)

    assert Spend(Decimal("0.5"), calls=2, by_source={"list": Decimal("0.5")}) == ledger.spend()
    assert [("a1", "ok"), ("a2", "ok")] == [(r["id"], r["status"]) for r in ledger.rows()]
    assert ["a1"] == stored(path)

    grow(ledger, 100_000)
    ledger.append(attempt("a3"))
    ledger.append(attempt("a4"))

    assert ["a1", "a1", "a2", "a3", "a4"] == stored(path)
    assert 4 == ledger.spend().calls


@pytest.fixture
def locked(path):
    """A ledger with one row, and the connection of another program that has locked its file."""
    with SqliteLedger(path, wait_s=0.6) as ledger:
        ledger.append(attempt())
        with database(path) as other:
            other.execute("BEGIN IMMEDIATE")
            yield ledger, other


def refused(ledger, name):
    began = time.perf_counter()
    with pytest.raises(RecordError, match=r"is locked; kept in memory.*close the program"):
        ledger.append(attempt(name))
    return time.perf_counter() - began


def test_a_lock_held_elsewhere_is_waited_for_once_and_the_next_row_takes_along_what_waits(
    locked, path
):
    ledger, other = locked
    waited = [refused(ledger, f"b{number}") > 0.5 for number in range(20)]

    assert [True] + [False] * 19 == waited
    assert 21 == ledger.spend().calls
    other.execute("COMMIT")
    ledger.append(attempt("a2"))
    assert ["a1", *(f"b{number}" for number in range(20)), "a2"] == stored(path)


def test_what_waits_is_written_by_itself_when_the_lock_ends(locked, path, monkeypatch):
    ledger, other = locked
    written = threading.Event()
    write = ledger._write_kept
    monkeypatch.setattr("nbroute.storage.ledger._TRY_EVERY", 0.01)
    refused(ledger, "b")
    monkeypatch.setattr(
        ledger, "_write_kept", lambda: (write(), ledger._kept.exists or written.set())
    )
    other.execute("COMMIT")

    assert written.wait(10)
    assert ["a1", "b"] == stored(path)


def test_what_is_kept_in_memory_is_written_as_the_process_ends_which_waits_for_a_lock(path):
    with SqliteLedger(path) as ledger:
        ledger.append(attempt())
    code = """
        import contextlib, sqlite3, sys, threading
        from pathlib import Path
        from nbroute.errors import RecordError
        from nbroute.storage.ledger import SqliteLedger
        from nbroute.types import Attempt
        other = sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        ledger = SqliteLedger(Path(sys.argv[1]), wait_s=0.5)
        with contextlib.suppress(RecordError):
            ledger.append(Attempt("late", 1.0, "s", "r", "T", "p", "remote", "m"))
        unlock = threading.Timer(0.1, other.execute, ["COMMIT"])
        unlock.daemon = True
        unlock.start()
    """
    python(code, path).wait(30)

    assert ["a1", "late"] == stored(path)


def test_a_ledger_of_a_newer_nbroute_is_left_alone(ledger, path):
    ledger.append(attempt())
    ledger.close()
    stored(path, "INSERT INTO migrations VALUES ('m999_later')")

    with pytest.raises(RecordError, match=r"newer nbroute.*'m999_later'.*kept.*upgrade nbroute"):
        ledger.append(attempt("a2"))
    with pytest.raises(RecordError, match="upgrade nbroute, or set NBROUTE_LEDGER"):
        ledger.rows()

    assert ["a1"] == stored(path)


def migrated(migration):
    """The statements of a migration, and its name as that of the only one."""
    with database(":memory:") as file:
        migration(file)
        file.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY)")
        file.execute("INSERT INTO migrations VALUES (?)", [migration.__name__])
        return "\n".join(file.iterdump())


@pytest.mark.parametrize(
    ("made", "whose"),
    [
        ("CREATE TABLE sessions (a); CREATE TABLE history (a)", r"it contains history, sessions"),
        ("CREATE TABLE migrations (id, migration, batch)", "it contains migrations"),
        ("CREATE TABLE migrations (name); CREATE TABLE users (a)", "it contains migrations, users"),
        ("PRAGMA journal_mode = WAL; CREATE TABLE attempts (id, ts)", "it contains attempts"),
        ("CREATE VIEW v AS SELECT 1", r"it contains v\)"),
        (migrated(m001_batch), "seems to be an nbroute batch;"),
        (migrated(m001_replies), "seems to be an nbroute cache;"),
    ],
)
def test_a_file_of_another_program_is_left_alone(tmp_path, made, whose):
    path = tmp_path / "theirs.sqlite"
    with database(path) as file:
        file.executescript(made)
    before = path.read_bytes()

    with SqliteLedger(path) as ledger:
        with pytest.raises(RecordError, match=rf"{whose}.*set NBROUTE_LEDGER to another file"):
            ledger.append(attempt())
        assert 1 == ledger.spend(session="s1").calls

    assert before == path.read_bytes()


FIRST_VERSION = """
    CREATE TABLE attempts (
    id TEXT NOT NULL, ts REAL NOT NULL, session TEXT NOT NULL, result TEXT NOT NULL,
    tier TEXT NOT NULL, provider TEXT NOT NULL, provider_kind TEXT NOT NULL, model TEXT NOT NULL,
    parent TEXT, feature TEXT, msg_hash TEXT, purpose TEXT, strategy TEXT, classifier TEXT,
    reason TEXT, status TEXT, error TEXT, input_tokens INTEGER, output_tokens INTEGER,
    cached_tokens INTEGER, tokens_estimated INTEGER, cost_usd REAL, cost_source TEXT,
    price_input REAL, price_output REAL, latency_ms REAL, ttft_ms REAL, finish_reason TEXT,
    escalated INTEGER, cached INTEGER, prompt TEXT, text TEXT);
    CREATE TABLE migrations (name TEXT PRIMARY KEY);
    INSERT INTO migrations VALUES ('m001_attempts')
"""


def test_a_ledger_of_the_first_version_is_written_on_and_counts_in_the_budgets(tmp_path):
    with database(tmp_path / "old.sqlite") as old:
        old.executescript(FIRST_VERSION)
        old.executemany(
            "INSERT INTO attempts (id, ts, session, result, tier, provider, provider_kind, model, "
            "feature, status, cost_usd, cost_source, cached) VALUES "
            "(?, ?, 's1', 'r', 'SIMPLE', 'openai', 'remote', 'm', 'chat', ?, ?, 'list', 0)",
            [
                ("a1", NOON, "running", 0.5),
                ("a1", NOON, "ok", 0.25),
                ("a2", NOON - DAY, "ok", 0.5),
                ("killed", NOON, "running", 0.125),
            ],
        )
    left = {}
    with SqliteLedger(tmp_path / "old.sqlite") as ledger:
        for scope, key in (("session", "s1"), ("day", "2026-11-21"), ("feature", "chat")):
            cap = Cap(Decimal(1), scope, key)
            left[scope] = ledger.reserve(attempt("new", reserved_usd=Decimal(2)), [cap]).left_usd
        ledger.append(attempt(session="s2"))

        assert attempt(session="s2") == Attempt(**ledger.rows(session="s2")[0])

    expected = {"session": 0.125, "day": 0.625, "feature": 0.125}
    assert expected == {scope: float(usd) for scope, usd in left.items()}


# Labels


def test_labels_come_back_as_they_went_in_of_all_or_of_one_session_oldest_first(ledger, path):
    first = said("l1", ts=NOON + 2, needed=None, feedback="bad", comparison="c1", feature="bot")
    second, third = said("l2", session="s2", prompt="x" * 5_000_000), said("l3", ts=NOON + 1)
    for label in (first, second, replace(third, prompt="é \ud83d 你好")):
        ledger.label(label)

    with SqliteLedger(path) as other:
        assert [second, replace(third, prompt="é ? 你好"), first] == other.labels()
        assert ["l3", "l1"] == [label.id for label in other.labels(session="s1")]


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


# Reports


def test_a_report_is_worked_out_once_for_each_state_of_the_ledger(router, monkeypatch):
    asked = []
    rows = router.ledger.report_rows
    monkeypatch.setattr(router.ledger, "report_rows", lambda **of: (asked.append(1), rows(**of))[1])
    router.route("Name a colour.")
    first = router.report()
    other = Router(profile="simulated", ledger=router.ledger.path, session=router.session)

    assert first is router.report()
    other.route("Name another.")  # as another process would
    other.close()
    assert 2 == router.report().calls
    router.ledger.close()
    assert 2 == router.report().calls
    assert router.report(everything=True) is not first
    assert 4 == len(asked)


def test_a_report_is_read_as_it_is_added_up(router, monkeypatch):
    monkeypatch.setattr("nbroute.storage.database._PAGE", 200)
    rows = [attempt(f"a{n}", result=f"r{n}", session=router.session) for n in range(2000)]
    router.ledger.append_all(rows)

    def peak(work):
        tracemalloc.start()
        work()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    of_a_list = peak(lambda: list(router.ledger.report_rows()))

    assert peak(router.report) < 0.8 * of_a_list
    assert 2000 == router.report().results


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


def test_a_ledger_with_no_version_is_read_each_time(make_router):
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
