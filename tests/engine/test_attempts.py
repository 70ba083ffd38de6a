"""What the ledger has of a call: as it runs, when it is stopped, when the file breaks."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from loopback import Reply

from nbroute import errors
from nbroute.types import Text


def test_a_running_attempt_is_in_the_ledger_as_far_as_it_is(router, server, monkeypatch):
    monkeypatch.setattr("nbroute.engine.dispatch.PROGRESS_EVERY", 0)
    server.reply(text="one two three", chunks=["one ", "two ", "three"])
    during = []

    def look(event):
        if isinstance(event, Text):
            (row,) = router.ledger.rows()
            during.append((row["status"], row["output_tokens"] > 0))

    router.route("hello", observe=look)

    assert [("running", False), ("running", True), ("running", True)] == during
    (row,) = router.ledger.rows()
    assert ("ok", None, None) == (row["status"], row["prompt"], row["text"])  # unless asked
    assert 12 == len(row["msg_hash"])


def test_a_stop_from_another_thread_keeps_what_had_arrived(router, server):
    server.reply(text="one two three", stall_after=2)
    cancel, seen = threading.Event(), []

    def watch(event):
        seen.append(event)
        if sum(isinstance(e, Text) for e in seen) == 2:
            cancel.set()

    with pytest.raises(errors.Interrupted) as caught:
        router.route("hello", observe=watch, cancel=cancel)
    assert "one two" == caught.value.result.text.strip()
    (row,) = router.ledger.rows()
    assert ("interrupted", "estimated") == (row["status"], row["cost_source"])
    assert row["cost_usd"] > 0


@pytest.mark.parametrize("strategy", ["direct", "consensus"])
def test_a_stop_works_while_the_server_is_silent(make_router, server, strategy):
    cancel = threading.Event()

    def silent(sent):
        cancel.set()
        return Reply(delay=30)

    server.handler = silent
    router = make_router(timeout_s=60)

    with pytest.raises(errors.Interrupted):
        router.route("hello", strategy=strategy, cancel=cancel)
    assert {"interrupted"} == {row["status"] for row in router.ledger.rows()}


def test_a_ledger_that_cannot_be_written_costs_a_notice_and_still_holds_the_budget(
    make_router, server, tmp_path
):
    (tmp_path / "file").write_text("not a folder")
    router = make_router(ledger=tmp_path / "file" / "ledger.sqlite")
    router.set_budget("0.0004")
    server.handler = lambda _: Reply(usage={"prompt_tokens": 10, "completion_tokens": 60})
    first, second = router.route("hello"), router.route("hello again")

    assert ["ok", "ok"] == [first.text, second.text]
    assert any("kept in memory" in notice for notice in first.notices)
    assert () == second.notices
    assert 2 == router.spend().calls
    with pytest.raises(errors.BudgetExceeded):
        [router.route(f"hello {number}") for number in range(6)]
    assert router.spend().usd <= Decimal("0.0004")


def test_a_bill_that_comes_later_replaces_the_price_and_a_failure_keeps_the_rest(router, server):
    usage = {"prompt_tokens": 9, "completion_tokens": 6, "total_tokens": 15}
    usage |= {"completion_tokens_details": {"reasoning_tokens": 4}}
    for number in range(3):
        server.reply(text="fine", id=f"gen-{number}", usage=usage)
        router.route(f"hello {number}", tier="MID")
    bill = {"total_cost": 0.5, "native_tokens_prompt": 7, "native_tokens_completion": 9}
    server.reply(body={"data": {"id": "gen-0", **bill}})
    server.reply(status=503, error="books are closed")
    told = router.settle()

    first, *rest = router.ledger.rows()
    assert ("billed", Decimal("0.5")) == (first["cost_source"], first["cost_usd"])
    counts = [first[f"{kind}_tokens"] for kind in ("input", "output", "reasoning")]
    assert ([7, 9, 4], False) == (counts, bool(first["tokens_estimated"]))
    assert [("configured", 6)] * 2 == [(row["cost_source"], row["output_tokens"]) for row in rest]
    assert (3, 1) == (told.asked, told.settled)
    assert "1 of 3 calls settled, together $0.50 more than was written down" in told.told
    assert "books are closed" in told.told
    assert "\n" not in told.told


def test_a_call_without_a_bill_is_settled_where_the_endpoint_has_one(router, server):
    server.reply(text="A whole answer.", id="gen-1")
    router.route("hello")
    unbilled = router.settle()
    assert (1, 0) == (unbilled.asked, unbilled.settled)

    server.generations["gen-1"] = {"total_cost": 0.00042, "native_tokens_prompt": 7}
    assert (1, 1) == (router.settle().settled, router.spend().calls)
    assert Decimal("0.00042") == router.spend().usd
    assert "billed" == router.ledger.rows()[-1]["cost_source"]
    assert "nothing to settle" in router.settle().told
    server.generations["gen-3"] = {"total_cost": 0.001}
    server.reply(text="one two three four", id="gen-3", cut_after=2)
    with pytest.raises(errors.ProviderError):
        router.route("hello", model="small", cache="off")
    assert "estimated" == router.ledger.rows()[-1]["cost_source"]
    assert 1 == router.settle().settled
    assert Decimal("0.00142") == router.spend().usd
