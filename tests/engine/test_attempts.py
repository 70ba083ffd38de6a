"""What the ledger has of a call: as it runs, when it is stopped, when the file breaks."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from loopback import Reply

from nbroute import errors
from nbroute.engine.attempts import Settled
from nbroute.types import Text

#: The row of a call of LOW that was answered, but for what differs each time.
ROW = dict.fromkeys(("answered_by", "comparison", "effort", "error", "feature", "logprob"))
ROW |= dict.fromkeys(("parent", "prompt", "rating", "reasoning", "reserved_usd", "text", "thread"))
ROW |= dict.fromkeys(("cached", "escalated", "tokens_estimated"), False)
ROW |= {"classifier": "<lambda>", "reason": "<lambda>: says LOW", "msg_hash": "2cf24dba5fb0"}
ROW |= {"tier": "LOW", "model": "small", "provider": "loop", "provider_kind": "remote"}
ROW |= {"input_tokens": 10, "output_tokens": 20, "cached_tokens": 0, "reasoning_tokens": 0}
ROW |= {"price_input": 1, "price_output": 2, "cost_usd": Decimal("0.00005")}
ROW |= {"cost_source": "configured", "generation": "gen-1", "finish_reason": "stop"}
ROW |= {"purpose": "answer", "strategy": "direct", "status": "ok"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 20}


def differs(row, other=ROW):
    """What of the row is not as in the other one."""
    return {name: row[name] for name in other if row[name] != other[name]}


def test_a_row_has_all_of_an_answer_from_its_model_the_cache_or_a_fallback(router, server):
    usage = USAGE | {"prompt_tokens_details": {"cached_tokens": 4}}
    server.reply(id="gen-1", usage=USAGE, delay=0.05)
    server.reply(status=503, error="down")
    details = {"completion_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 30}
    server.reply(id="gen-2", usage=usage | details, model="real", cost=0.25, pause=0.01)
    router.route("hello")
    first = router.route("hello")
    asked = {"thread": "t", "feature": "f", "comparison": "c", "effort": "low"}
    router.route("hello", checks=["rating", "logprob"], **asked)
    router.escalate(first)

    plain, cached, failed, fallback, above = router.ledger.rows()
    assert {} == differs(plain)
    assert {*plain} - {*ROW} == {"id", "ts", "session", "result", "latency_ms", "ttft_ms"}
    assert (12, 12) == (len(plain["id"]), len(plain["result"]))
    assert 50 <= plain["ttft_ms"] <= plain["latency_ms"] < 5000
    assert {"cached": True, "generation": None, "cost_usd": 0} == differs(cached)
    assert (0, None) == (cached["latency_ms"], cached["ttft_ms"])
    told = differs(failed, ROW | asked)
    assert told.pop("error").startswith("Unavailable: 127.0.0.1")
    nothing = {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0, "cost_source": "estimated"}
    nothing |= {"status": "error", "generation": None, "finish_reason": None}
    assert nothing == told
    told = {"model": "small-2", "answered_by": "real", "generation": "gen-2", "logprob": -0.1}
    told |= {"cached_tokens": 4, "reasoning_tokens": 5, "price_input": None, "price_output": None}
    told |= {"cost_usd": Decimal("0.25"), "cost_source": "billed"}
    assert told == differs(fallback, ROW | asked)
    assert fallback["result"] == failed["result"] != plain["result"]
    assert first.id == above["parent"]


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
    assert "stopped; what had arrived is kept and its cost is an estimate" == str(caught.value)
    assert (caught.value.result,) == router.history.results()
    (row,) = router.ledger.rows()
    stopped = {"status": "interrupted", "error": "stopped by the user", "finish_reason": None}
    counted = {"input_tokens": 5, "output_tokens": 2, "tokens_estimated": True}
    counted |= {"cost_source": "estimated", "cost_usd": Decimal("0.000009")}
    assert stopped | counted == differs(row, ROW | {"generation": "chatcmpl-loopback"})


LONG, WIDE = "word " * 1000, "word" * 2048
OURS = "this is an estimate by our own count"
CUT = "the server may have cut it; shorten the prompt, or give the server a larger context window "
CUT += "(Ollama: num_ctx or OLLAMA_CONTEXT_LENGTH)"


def test_a_count_below_that_of_any_tokenizer_is_not_paid_by(router, server):
    for prompt, text, counted, kept, told in (
        ("Hi", "Paris.", (1, 1), (1, 1), ""),
        ("Hi", "Paris.", (0, 0), (1, 2), ""),
        (LONG, LONG, (625, 625), (625, 625), ""),
        (LONG, "ok", (624, 1), (1250, 1), "cut"),
        (LONG, "ok", (512, 1), (1250, 1), "cut"),
        (LONG, "ok", (511, 1), (1250, 1), "read"),
        (LONG, LONG, (1250, 0), (1250, 1250), ""),
        (LONG, LONG, (9, 624), (1250, 1250), "read made"),
        (f"{WIDE}word", "ok", (2048, 1), (2049, 1), "cut"),
        (WIDE, "ok", (2048, 1), (2048, 1), ""),
        ("word" * 31, "word" * 32, (1, 15), (1, 32), "made"),
    ):
        server.reply(text=text, usage=dict(zip(USAGE, counted, strict=True)))
        result = router.route(prompt, tier="TOP", max_tokens=2000, cache="off")

        assert kept == (result.usage.input_tokens, result.usage.output_tokens)
        read = f"large read {counted[0]:,} tokens of a prompt of about {kept[0]:,}: "
        made = f"large counted {counted[1]} tokens in an answer of about {kept[1]:,}: {OURS}"
        words = {"cut": read + CUT, "read": read + OURS, "made": made}
        assert "; ".join(words[one] for one in told.split()) == "".join(result.notices)
        assert (kept != counted) == result.usage.estimated == (result.cost_source == "estimated")
        assert Decimal(kept[0] * 10 + kept[1] * 30) / 10**6 == result.cost_usd


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
    with pytest.raises(errors.RecordError, match="the label could not be recorded"):
        router.label(first, "good")
    assert ["hello"] == router.labels()["prompt"].tolist()
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
    paid = {"cost_source": "billed", "cost_usd": Decimal("0.5"), "input_tokens": 7}
    paid |= {"output_tokens": 9, "reasoning_tokens": 4, "generation": "gen-0"}
    mid = ROW | {"tier": "MID", "model": "medium", "classifier": "forced", "price_input": 3}
    mid |= {"reason": "you chose MID", "price_output": 6, "msg_hash": first["msg_hash"]}
    assert paid == differs(first, mid)
    assert [("configured", 6)] * 2 == [(row["cost_source"], row["output_tokens"]) for row in rest]
    assert Settled(3, 1, Decimal("0.499937"), told.failure) == told
    assert "books are closed" in told.failure
    line = "1 of 3 calls settled, together $0.50 more than was written down; "
    assert line + told.failure == told.told


def test_a_call_without_a_bill_is_settled_where_the_endpoint_has_one(router, server):
    server.reply(text="A whole answer.", id="gen-1", usage=None)
    router.route("hello")
    assert "0 of 1 calls settled" == router.settle().told

    server.generations["gen-1"] = {"total_cost": 0.000001, "native_tokens_prompt": 7}
    (before,) = router.ledger.rows()
    less = "1 of 1 calls settled, together $0.000012 less than was written down"
    assert less == router.settle().told
    (row,) = router.ledger.rows()
    assert {"cost_usd": Decimal("0.000001"), "cost_source": "billed"} == differs(row, before)
    assert (Decimal("0.000001"), 1) == (router.spend().usd, router.spend().calls)
    nothing = "nothing to settle: every call of this session has its bill, or has none"
    assert nothing == router.settle().told
    server.generations["gen-3"] = {"total_cost": 0.001}
    server.reply(text="one two three four", id="gen-3", cut_after=2)
    with pytest.raises(errors.ProviderError):
        router.route("hello", model="small", cache="off")
    assert "estimated" == router.ledger.rows()[-1]["cost_source"]
    assert 1 == router.settle().settled
    assert Decimal("0.001001") == router.spend().usd
