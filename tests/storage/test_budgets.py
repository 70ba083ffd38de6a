from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbroute.errors import RecordError
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Attempt, Cap

ROOT = Path(__file__).parents[2]
NOON = 1_795_262_400.0  # 2026-11-21 12:00 UTC
DAY = 86_400.0


def running(name="a1", usd="0.1", **changes):
    usual = {"session": "s1", "result": "r1", "tier": "SIMPLE", "provider": "openai", "ts": NOON}
    usual |= {"provider_kind": "remote", "model": "gpt-4o-mini", "status": "running"}
    usual |= {"cost_usd": Decimal(0), "cost_source": "estimated"}
    reserved = None if usd is None else Decimal(usd)
    return Attempt(id=name, reserved_usd=reserved, **(usual | changes))


def ended(name="a1", usd="0.1", **changes):
    paid = {"status": "ok", "cost_source": "list", "cost_usd": Decimal(usd)}
    return running(name, None, **(paid | changes))


def cap(scope="session", key="s1", usd=1):
    return Cap(Decimal(usd), scope, key)


def left(ledger, of, **changes):
    """What the ledger says is left of a budget."""
    return ledger.reserve(running("more", "100000", **changes), [of]).left_usd


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path):
    with SqliteLedger(path, wait_s=5) as opened:
        yield opened


def test_what_fits_is_written_and_what_does_not_is_not(ledger):
    assert ledger.reserve(running("a1", "0.6"), [cap()]) is None
    refusal = ledger.reserve(running("a2", "0.5"), [cap()])

    assert (Decimal("0.4"), Decimal(1)) == (refusal.left_usd, refusal.cap.usd)
    assert ["a1"] == [row["id"] for row in ledger.rows()]
    assert Decimal("0.6") == ledger.rows()[0]["reserved_usd"]


def test_a_budget_can_be_spent_to_its_last_cent_and_no_further(ledger):
    for number in range(10):
        assert ledger.reserve(running(f"a{number}", "0.1"), [cap()]) is None

    assert Decimal(0) == ledger.reserve(running("over", "0.000000001"), [cap()]).left_usd
    assert ledger.reserve(running("free", "0"), [cap()]) is None


def test_what_was_reserved_and_not_spent_is_free_again(ledger):
    ledger.reserve(running("a1", "0.9"), [cap()])
    assert ledger.reserve(running("a2", "0.9"), [cap()]) is not None

    ledger.append(ended("a1", "0.05"))

    assert ledger.reserve(running("a2", "0.9"), [cap()]) is None


SIMULATED = {"provider_kind": "simulated", "cost_source": "equivalent"}


SESSIONS = [("0.25", {}), ("0.5", {"session": "s2"}), ("0.125", {"ts": NOON - DAY})]
FEATURES = [("0.25", {"feature": "chat"}), ("0.125", {"feature": "search"}), ("0.125", {})]
FEATURES += [("0.5", {"feature": "chat", "session": "s2", "ts": NOON - 40 * DAY})]
KINDS = [("0.75", SIMULATED), ("0.25", {})]
KINDS += [("0.125", {"provider_kind": "local", "cost_source": "billed"})]
NOTHING = [("0.5", {"cached": True}), ("0", {"cost_usd": None, "cost_source": "unknown"})]
NOT_KEPT = [("0.125", {"status": one}) for one in ("rejected", "unused", "error", "interrupted")]


@pytest.mark.parametrize(
    ("spent", "of", "call", "remains"),
    [
        (SESSIONS, cap(), {}, "0.625"),
        (SESSIONS, cap("day", "2026-11-21"), {}, "0.25"),
        (SESSIONS, cap("day", "2026-11-20"), {}, "0.875"),
        (SESSIONS, cap("day", "2026-11-22"), {}, "1"),
        (FEATURES, cap("feature", "chat"), {}, "0.25"),
        (FEATURES, cap("feature", "search"), {}, "0.875"),
        (KINDS, cap(), SIMULATED, "0.25"),
        (KINDS, cap(), {}, "0.625"),
        (NOTHING, cap(), {}, "1"),
        (NOT_KEPT, cap(), {}, "0.5"),
    ],
)
def test_a_budget_is_taken_from_by_what_it_is_for(ledger, spent, of, call, remains):
    for number, (usd, changes) in enumerate(spent):
        ledger.append(ended(f"a{number}", usd, **changes))

    assert Decimal(remains) == left(ledger, of, **call)


def test_the_budget_that_a_call_does_not_fit_in_is_named(ledger):
    ledger.append(ended("a1", "0.5", feature="chat"))
    caps = [cap(), cap("day", "2026-11-21", "0.6"), cap("feature", "chat", "0.55")]

    refusal = ledger.reserve(running("a2", "0.3", feature="chat"), caps)

    assert ("day", Decimal("0.1")) == (refusal.cap.scope, refusal.left_usd)


AMOUNT = st.decimals(0, 10, places=9) | st.none()
rows = st.builds(
    running,
    st.sampled_from("abc"),
    AMOUNT,
    cost_usd=AMOUNT,
    status=st.sampled_from(["running", "ok", "error"]),
    session=st.sampled_from(["s1", "s2"]),
    feature=st.sampled_from([None, "chat"]),
    ts=st.sampled_from([NOON, NOON + DAY]),
    provider_kind=st.sampled_from(["remote", "local"]),
)


@given(st.lists(rows, max_size=12), st.sampled_from(["remote", "local"]))
def test_what_is_used_is_the_sum_over_the_last_row_of_each_attempt(written, kind):
    last = {(row.session, row.id): row for row in written}
    alike = [row for row in last.values() if row.provider_kind == kind]
    caps = {
        cap(usd=1000): [r for r in alike if r.session == "s1"],
        cap("day", "2026-11-22", 1000): [r for r in alike if r.ts > NOON],
        cap("feature", "chat", 1000): [r for r in alike if r.feature],
    }
    with SqliteLedger(None) as ledger:
        for row in written:
            ledger.append(row)
        told = {of: left(ledger, of, provider_kind=kind) for of in caps}

    assert {of: 1000 - sum(map(counted, its)) for of, its in caps.items()} == told


def counted(row):
    held = row.reserved_usd if row.status == "running" else None
    return max(row.cost_usd or Decimal(0), held or Decimal(0))


def test_threads_cannot_overspend_together(path):
    ledgers = [SqliteLedger(path) for _ in range(2)]
    start = threading.Barrier(8)

    def spend(worker):
        start.wait()
        names = [f"{worker}-{number}" for number in range(25)]
        ledger = ledgers[worker % 2]
        return sum(ledger.reserve(running(name, "0.01"), [cap()]) is None for name in names)

    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(spend, range(8)))

    assert 100 == passed
    assert 100 == len(ledgers[0].rows())
    for ledger in ledgers:
        ledger.close()


PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
KERNEL = """
    import sys
    from dataclasses import replace
    from decimal import Decimal
    from pathlib import Path
    from nbroute.storage.ledger import SqliteLedger
    from nbroute.types import Attempt, Cap
    path, name, count, settle = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    ledger = SqliteLedger(Path(path), wait_s=60)
    caps = [Cap(Decimal("1"), "day", "2026-11-21")]
    print("ready", flush=True)
    sys.stdin.readline()
    passed = 0
    for number in range(count):
        made = (f"{name}-{number}", 1795262400.0, name, "r", "T", "p", "remote", "m")
        attempt = Attempt(*made, status="running", reserved_usd=Decimal("0.01"))
        if ledger.reserve(attempt, caps) is None:
            passed += 1
            if settle:
                paid = {"cost_usd": Decimal(settle), "cost_source": "list"}
                ledger.append(replace(attempt, status="ok", reserved_usd=None, **paid))
    print(passed, flush=True)
    sys.stdin.readline()
"""


def kernel(path, name, count, settle=""):
    command = [sys.executable, "-c", textwrap.dedent(KERNEL), path, name, count, settle]
    return subprocess.Popen(list(map(str, command)), cwd=ROOT, text=True, **PIPES)


def run_together(kernels):
    """Start all at once; how many reservations each got."""
    for one in kernels:
        assert "ready\n" == one.stdout.readline()
    for one in kernels:
        one.stdin.write("\n")
        one.stdin.flush()
    return [int(one.stdout.readline()) for one in kernels]


def end(kernels):
    for one in kernels:
        one.communicate("\n", timeout=30)


def test_kernels_cannot_reserve_more_than_the_budget_together(path):
    kernels = [kernel(path, f"k{number}", 80) for number in range(3)]

    passed = run_together(kernels)

    end(kernels)
    with SqliteLedger(path) as ledger:
        assert 100 == sum(passed) == len(ledger.rows())


def test_kernels_that_settle_for_less_never_hold_more_than_the_budget(path):
    kernels = [kernel(path, f"k{number}", 200, "0.004") for number in range(2)]

    passed = run_together(kernels)

    end(kernels)
    with SqliteLedger(path) as ledger:
        spent = ledger.spend().usd
    assert Decimal("0.004") * sum(passed) == spent
    assert Decimal("0.98") < spent <= Decimal(1)
    assert max(held_over_time(path)) <= 1_000_000


def held_over_time(path):
    """Micro-dollars that were spent or reserved after each row that was ever written."""
    connection = sqlite3.connect(path)
    asked = "SELECT id, status, cost_usd, reserved_usd FROM attempts ORDER BY rowid"
    taken = {}
    for name, status, cost, reserved in connection.execute(asked):
        taken[name] = round((reserved if status == "running" else cost) * 1_000_000)
        yield sum(taken.values())
    connection.close()


@pytest.fixture
def killed(path):
    """A kernel that was killed while its call of up to $1 had cost $0.40 so far."""
    held = running("killed", "1", session="dead", cost_usd=Decimal("0.4"), feature="chat")
    code = f"""
        from decimal import Decimal
        from pathlib import Path
        from nbroute.storage.ledger import SqliteLedger
        from nbroute.types import Attempt
        SqliteLedger(Path({str(path)!r})).append({held!r})
        print("written", flush=True)
        input()
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, cwd=ROOT, text=True, **PIPES) as process:
        assert "written\n" == process.stdout.readline()
        process.kill()
        assert -signal.SIGKILL == process.wait(10)


DAY_CAP = cap("day", "2026-11-21", "1.2")


def test_a_killed_kernels_reservation_holds_for_a_while_and_not_for_ever(ledger, path, killed):
    assert Decimal("0.2") == ledger.reserve(running("a1", "0.5"), [DAY_CAP]).left_usd

    with SqliteLedger(path, stale_after_s=0) as later:
        assert later.reserve(running("a1", "0.9"), [DAY_CAP]) is not None
        assert later.reserve(running("a1", "0.8"), [DAY_CAP]) is None
        assert ["killed", "a1"] == [row["id"] for row in later.rows()]


def test_a_call_that_ends_after_all_is_counted_at_what_it_cost(path, killed):
    with SqliteLedger(path, stale_after_s=0) as later:
        later.append(ended("killed", "0.5", session="dead", feature="chat"))

        assert Decimal("0.7") == left(later, DAY_CAP)


def test_what_cannot_be_written_counts_in_the_budget_all_the_same(tmp_path):
    (tmp_path / "file").write_text("a file where the ledger wants a folder")
    with SqliteLedger(tmp_path / "file" / "ledger.sqlite") as ledger:
        assert ledger.reserve(running("a1", "0.6"), [cap()]) is None
        assert ledger.reserve(running("a2", "0.6"), [cap()]) is not None
        with pytest.raises(RecordError, match="kept in memory"):
            ledger.append(ended("a1", "0.3"))
        assert ledger.reserve(running("a2", "0.6"), [cap()]) is None


def test_a_file_that_another_process_keeps_locked_still_counts(path):
    with SqliteLedger(path, wait_s=0.05) as ledger:
        ledger.reserve(running("a1", "0.4"), [cap()])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(RecordError, match="locked"):
            ledger.append(ended("a1", "0.3"))
        assert Decimal("0.7") == left(ledger, cap())
        assert ledger.reserve(running("a2", "0.7"), [cap()]) is None

        other.execute("COMMIT")
        other.close()
        assert ledger.reserve(running("a3", "0.1"), [cap()]) is not None
        with sqlite3.connect(path) as connection:
            (count,) = connection.execute("SELECT count(*) FROM attempts").fetchone()
        connection.close()

    assert 3 == count


def test_a_budget_that_cannot_be_read_any_more_is_an_error(ledger, path):
    ledger.append(ended())
    ledger.close()
    path.write_bytes(b"overwritten by something else" * 1000)

    with pytest.raises(RecordError, match="cannot read the ledger"):
        ledger.reserve(running("a2"), [cap()])


@pytest.mark.parametrize("ts", [1e20, -86_400.0, 2.5e11, float("inf")])
def test_a_time_that_no_calendar_has_is_recorded_and_can_be_read(ledger, ts):
    ledger.append(ended(ts=ts))

    assert Decimal("0.9") == left(ledger, cap(), ts=ts)
    assert [1, 1, 1] == [len(ledger.rows()), len(ledger.frame()), len([*ledger.report_rows()])]
