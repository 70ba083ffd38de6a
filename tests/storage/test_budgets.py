"""A call is reserved in the ledger only if it fits every budget, whoever else is spending."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from ledgers import cap, database, ended, python, running
from reports import DAY, NOON

from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Refusal


def left(ledger, of, **changes):
    """What the ledger says is left of a budget."""
    return ledger.reserve(running("more", "100000", **changes), [of]).left_usd


def test_a_budget_can_be_spent_to_its_last_cent_and_what_was_not_spent_is_free_again(ledger):
    caps = [cap(), cap("day", "2026-11-21", "0.6"), cap("feature", "chat", "0.55")]
    ledger.append(ended("a1", "0.5", feature="chat"))
    refusal = ledger.reserve(running("a2", "0.3", feature="chat"), caps)
    assert Refusal(caps[1], Decimal("0.1")) == refusal

    assert ledger.reserve(running("a2", "0.5"), [cap()]) is None
    for usd, may_fit in (("0.000000001", True), ("0.5", True), ("0.500000000001", False)):
        refusal = Refusal(cap(), Decimal(0), may_fit)
        assert refusal == ledger.reserve(running("a3", usd), [cap()])
    assert [replace(refusal, may_fit=True)] == ledger.append_all([running("a3")], [cap()], cut=True)
    assert ledger.reserve(running("free", "0"), [cap()]) is None
    assert ["a1", "a2", "free"] == [row["id"] for row in ledger.rows()]
    assert Decimal("0.5") == ledger.rows()[1]["reserved_usd"]

    with ledger.gathering():
        ledger.append(ended("a2", "0.05"))
        assert Decimal("0.45") == left(ledger, cap())
    assert [ledger.reserve(running("a3"), caps)] == ledger.append_all([running("a3")], caps)
    asked = [running("a3", "0.5", cost_usd=Decimal("0.5")), running("a4")]
    cut, refused = ledger.append_all(asked, [cap()], cut=True)
    assert running("a3", "0.45", cost_usd=Decimal("0.45")) == cut
    assert Refusal(cap(), Decimal(0), may_fit=True) == refused
    assert [ended("a3")] == ledger.append_all([ended("a3")])


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
        (SESSIONS, cap("day", "2026-11-22"), {}, "1"),
        (FEATURES, cap("feature", "chat"), {}, "0.25"),
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


KERNEL = """
    import sys
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path
    from ledgers import cap, ended, running
    from nbroute.storage.ledger import SqliteLedger
    path, name = sys.argv[1:]
    ledger = SqliteLedger(Path(path), wait_s=60)
    print("ready", flush=True)
    sys.stdin.readline()

    def passed(number):
        call = f"{name}-{number}"
        if ledger.reserve(running(call, "0.01"), [cap("day", "2026-11-21")]) is None:
            ledger.append(ended(call, "0.004"))
            return True
        return False

    with ThreadPoolExecutor(2) as pool:
        print(sum(pool.map(passed, range(130))), flush=True)
"""


def test_kernels_and_threads_that_start_on_one_new_file_at_once_never_hold_more_than_the_budget(
    path,
):
    kernels = [python(KERNEL, path, f"k{number}") for number in range(3)]
    for one in kernels:
        assert "ready\n" == one.stdout.readline()
    for one in kernels:
        one.stdin.write("\n")
        one.stdin.flush()
    passed = sum(int(one.communicate(timeout=60)[0]) for one in kernels)

    with SqliteLedger(path) as ledger:
        assert (passed, Decimal("0.004") * passed) == (ledger.spend().calls, ledger.spend().usd)
    assert 240 < passed <= 250
    with database(path) as file:
        asked = "SELECT id, status, cost_usd, reserved_usd FROM attempts ORDER BY rowid"
        taken, most = {}, 0
        for name, status, cost, reserved in file.execute(asked):
            taken[name] = round((reserved if status == "running" else cost) * 1_000_000)
            most = max(most, sum(taken.values()))
    assert most <= 1_000_000


def test_a_killed_kernel_loses_nothing_and_its_reservation_counts_for_a_while(ledger, path):
    code = """
        import sys
        from pathlib import Path
        from ledgers import ended, running
        from nbroute.storage.ledger import SqliteLedger
        ledger, call = SqliteLedger(Path(sys.argv[1])), {"session": "dead", "feature": "chat"}
        ledger.append(ended("over", "0", **call))
        ledger.append(running("killed", "1", cost_usd=ended(usd="0.4").cost_usd, **call))
        print("written", flush=True)
        input()
    """
    with python(code, path) as process:
        assert "written\n" == process.stdout.readline()
        process.kill()
    of_day = cap("day", "2026-11-21", "1.2")

    assert Decimal("0.2") == ledger.reserve(running("a1", "0.5"), [of_day]).left_usd
    with SqliteLedger(path, stale_after_s=0) as later:
        assert later.reserve(running("a1", "0.9"), [of_day]) is not None
        assert later.reserve(running("a1", "0.8"), [of_day]) is None
        assert ["over", "killed", "a1"] == [row["id"] for row in later.rows()]
        later.append(ended("killed", "0.5", session="dead", feature="chat"))  # after all
        later.append(ended("a1", "0"))

        assert Decimal("0.7") == left(later, of_day)
