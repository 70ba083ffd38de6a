"""A tier's models in turn: fallbacks, the cache, broken replies, time-outs and what they cost."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from calls import events, said
from conftest import LADDER
from loopback import Reply

from nbroute import errors
from nbroute.router import Router
from nbroute.types import Attempted, Done, Sent, Text

USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
PAID = Decimal("0.002")  # USAGE on LOW


def failed_as(router, kind, prompt="hello", **options):
    """The result in the error of that class, which such a call ends with."""
    with pytest.raises(errors.NbrouteError) as caught:
        router.route(prompt, **options)
    assert kind is type(caught.value)
    return caught.value


# Fallback


@pytest.mark.parametrize("status", [404, 429, 500])
def test_a_fallback_model_answers_an_error_and_both_are_recorded(router, opened, server, status):
    router.record("talk.rec")
    server.reply(status=status, error="not now")
    server.reply(text="from the second", usage=USAGE, cost=0.001)
    result = router.route("hello")

    assert ("small-2", "from the second") == (result.model, result.text)
    router.record(None)
    replay = opened(replay="talk.rec")
    again = replay.route("hello", tier="LOW")
    for found, cached in ((result, False), (again, True)):
        told = [(one.model, one.status, one.cached) for one in found.attempts]
        assert [("small", "error", cached), ("small-2", "ok", cached)] == told
    assert any("talk.rec" in notice for notice in again.notices)
    with pytest.raises(errors.ReplayMiss, match=r"talk\.rec"):
        replay.route("never asked", tier="LOW", repeat=2)
    assert 2 == len(server.requests)
    assert "from the second" == router.route("hello", cache="only").text
    server.answer(Reply(status=status, error="not now"))
    failed = failed_as(router, errors.AllModelsFailed, "hello again")
    assert str(failed).startswith("each of the 2 models of tier LOW failed. small: ")
    assert ["small", "small-2"] == [model for model, _ in failed.causes]


@pytest.mark.parametrize("status", [200, 401])
def test_a_key_that_the_server_repeats_is_in_no_line_repr_or_row(router, server, status):
    key = "sk-test-0123456789"
    server.reply(status=status, error=f"Incorrect API key provided: {key}, or Bearer {key}")

    with pytest.raises(errors.ProviderError, match=r"\[key\]") as caught:
        router.route("hello", tier="MID")
    told = f"{router!r} {router.parts!r} {caught.value} {router.ledger.rows()!r}"
    assert key not in told
    assert "[key]" in router.ledger.rows()[0]["error"]


def test_a_prompt_that_is_too_long_asks_those_fallbacks_that_read_more(make_router, server):
    fallbacks = ("gpt-4", "unheard-of", "gpt-4.1")  # 8,192 tokens, nobody knows, a million
    low = replace(LADDER.tiers[0], model="tiny", context=16_000, fallbacks=fallbacks)
    router = make_router(ladder=replace(LADDER, tiers=(low, *LADDER.tiers[1:])))
    too_long = Reply(status=400, error="This model's maximum context length is 16000 tokens")
    server.answer(too_long, **{"gpt-4.1": "ok"})

    assert "ok" == router.route("hello", tier="LOW").text
    assert ["tiny", "unheard-of", "gpt-4.1"] == server.asked


CHAIN = """
[nbroute]
profile = "away"
classifier = "ngrams"
[providers]
away = {{ base_url = "{away}", api_key_env = "AWAY_API_KEY" }}
loop = {{ base_url = "{loop}", api_key_env = "LOOP_API_KEY" }}
[tiers]
LOW.provider = "away"
LOW.model = "big"
LOW.fallbacks = [
  "big-2", {{ provider = "loop", model = "small", price = {{ input = 1.0, output = 2.0 }} }}
]
LOW.price = {{ input = 10.0, output = 20.0 }}
MID.model = "mid"
HIGH.model = "high"
TOP = {{ provider = "loop", model = "large" }}
"""


@pytest.mark.parametrize(
    ("reached", "asked", "error"),
    [(False, ["big", "big-2", "small"], "Unavailable"), (True, ["big", "small"], "AuthError")],
)
def test_a_tier_falls_back_to_another_provider(monkeypatch, server, reached, asked, error):
    """Its second model is skipped where the key is refused, and tried where nobody answers."""
    monkeypatch.setenv("AWAY_API_KEY", "sk-away")
    monkeypatch.setenv("LOOP_API_KEY", "sk-loop")
    away = server.url if reached else "http://127.0.0.1:9"
    Path("nbroute.toml").write_text(CHAIN.format(away=away, loop=server.url))
    server.answer(Reply(status=401, error="no such key"), small=Reply(usage=USAGE), large="ok")
    with closing(Router(settings="nbroute.toml")) as router:
        result = router.route("hello")
        above = router.route("hello", strategy="cascade", start="MID")
        paid_for_with = server.requests[-1].headers["authorization"]
        server.answer(Reply(status=404, error="no such model"))
        with pytest.raises(errors.AllModelsFailed) as caught:
            router.route("hello again")

    assert ["big", "big-2", "loop: small"] == [model for model, _ in caught.value.causes]
    climbed = ["mid", "large"] if reached else ["mid", "high", "large"]
    assert climbed == [attempt.model for attempt in above.attempts]
    assert ("loop", "small", "ok") == (result.answer.provider, result.model, result.text)
    assert asked == [attempt.model for attempt in result.attempts]
    assert all(error in attempt.error for attempt in result.attempts[:-1])
    assert PAID == result.cost_usd
    assert "sk-loop" in paid_for_with


def test_a_busy_model_is_waited_for_where_no_other_is_standing_by(file_router, server, monkeypatch):
    monkeypatch.setattr("nbroute.providers.retries._BESIDE_ANOTHER", -1)
    router, busy = file_router(), set()

    def first_busy(sent):
        key = (sent["model"], sent["messages"][-1]["content"])
        if key in busy:
            return Reply()
        busy.add(key)
        return Reply(status=429, error="busy", headers={"retry-after": "0"})

    server.handler = first_busy
    for strategy, asked in {
        "direct": ["small", "small"],
        "cascade": ["large", "large", "small"],
        "parallel": ["large", "large", "small", "small"],
    }.items():
        router.route(f"{strategy}?", strategy=strategy, tier="LOW", checks=["no-length"])
        assert asked == sorted(server.asked)
        server.forget()


# Replies that are not an answer, or only part of one


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("reply", "says", "paid"),
    [
        ({"body": "<html>"}, "a web page", 0),
        ({"body": {"choices": []}}, "no choices", 0),
        ({"body": b"{half"}, "cut off or damaged", 0),
        ({"error": "overloaded"}, "overloaded", 0),
        ({"text": " \n ", "usage": USAGE}, "empty answer", PAID),
        ({"text": "", "usage": USAGE, "finish_reason": "length"}, "64 tokens.*max_tokens", PAID),
    ],
)
def test_a_reply_that_is_no_answer_falls_back_and_what_it_cost_is_kept(
    router, server, reply, *, says, paid, stream
):
    server.reply(**reply)
    result = router.route("hello", stream=stream)

    assert ("small-2", "ok") == (result.model, result.text)
    first = result.attempts[0]
    assert ("error", paid) == (first.status, first.cost_usd)
    assert re.search(says, first.error)


@pytest.mark.parametrize(
    ("broken", "kind", "says"),
    [
        ({"cut_after": 2}, errors.Unavailable, "broke off half-way"),
        ({"stall_after": 2}, errors.TimedOut, "within 0.3 s"),
        ({"finish_reason": None}, errors.Unavailable, "broke off half-way"),
    ],
)
def test_half_an_answer_that_was_shown_is_kept_and_no_other_model_asked(
    make_router, server, broken, kind, says
):
    server.reply(text="one two", usage=None, **broken)
    router = make_router(timeout_s=0.3)
    error = failed_as(router, kind)

    assert says in str(error)
    assert "one two" in error.result.text
    assert ["small"] == server.asked
    (row,) = router.ledger.rows()
    assert ("error", "estimated") == (row["status"], row["cost_source"])
    assert row["cost_usd"] > 0


def test_what_an_endpoint_takes_back_is_no_part_of_the_next_models_answer(router, server):
    broken = events(said("Half an"), {"error": {"code": 502, "message": "provider went away"}})
    server.reply(**broken)
    seen = []
    result = router.route("hello", observe=seen.append)

    assert ("small-2", "ok") == (result.model, result.text)
    first, second = result.attempts
    shown = [Sent("LOW", "small"), Text("Half an"), Attempted(first)]
    shown += [Sent("LOW", "small-2"), Text("ok"), Attempted(second), Done(result)]
    assert shown == seen[1:]
    server.reply(**broken)
    with pytest.raises(errors.BadReply):  # what was read from a stream cannot be taken back
        list(router.stream("hello again"))


@pytest.mark.parametrize(("most", "limit"), [(78, {}), (64, {"max_cost": 1}), (64, {})])
def test_an_answer_past_its_budget_is_stopped_at_once_where_money_is_reserved(
    router, server, most, limit
):
    router.set_budget(1 if most == 64 and not limit else None)
    for size in (most, most + 1):
        server.reply(chunks=["😀😁" * (size // 2) + "😀" * (size % 2)], usage=None)
        result = router.route(f"hello {size}", **limit)
        past = "'small' went on past its budget of 64 tokens and was stopped after about "
        past += f"{2 * size}: raise max_tokens if you want more of it"
        told = (result.answer.finish_reason, result.notices)
        assert (("length", (past,)) if size > most else ("stop", ())) == told


@pytest.mark.parametrize("stream", [True, False])
def test_a_silent_server_times_out_may_have_cost_and_the_next_model_is_asked(
    make_router, server, stream
):
    server.reply(delay=30)
    server.reply(text="quick")
    result = make_router(timeout_s=0.3).route("hello", stream=stream)

    silent = result.attempts[0]
    assert "quick" == result.text
    assert ("error", "estimated") == (silent.status, silent.cost_source)
    assert 0 < silent.cost_usd < Decimal("0.0001")  # what was read, not what could be written
    assert "within 0.3 s" in silent.error
    assert "raise timeout_s" in silent.error


def test_an_unknown_price_cannot_keep_a_limit_and_costs_unknown(make_router):
    bare = replace(LADDER, tiers=tuple(replace(t, price=None) for t in LADDER.tiers))
    router = make_router(ladder=bare)
    result = router.route("hello")

    assert (None, "unknown") == (result.cost_usd, result.cost_source)
    told = "the model's price is not known ('small'), so {} cannot be kept; give its tier a price "
    told += "in nbroute.toml, or {}"
    dear = failed_as(router, errors.BudgetExceeded, "hello again", max_cost=1)
    assert told.format("--max-cost", "leave --max-cost out") == str(dear)
    assert router.explain("hello again", max_cost=1).refusal == str(dear)
    router.set_budget(1)
    for repeat in (None, 2):
        dear = failed_as(router, errors.BudgetExceeded, "hello again", repeat=repeat)
        cure = "ask with %%route --over-budget (Python: over_budget=True)"
        assert told.format("the session budget of $1.00", cure) == str(dear)
    assert "ok" == router.route("hello again", over_budget=True).text


# The cache


def test_the_cache_answers_the_same_request_at_no_cost_as_far_as_its_mode_says(router, server):
    server.reply(text="Paris.", usage=USAGE, id="gen-1")
    router.route("Where?")
    seen = []
    again = router.route("Where?", observe=seen.append)

    assert [Attempted(again.answer), Text("Paris."), Done(again)] == seen[1:]
    assert 1 == len(server.requests)
    assert (True, "Paris.", 0) == (again.cached, again.text, again.cost_usd)
    router.route("Where?", cache="off")
    server.reply(text="newer")
    router.route("Where?", cache="refresh")
    assert 3 == len(server.requests)
    assert "newer" == router.route("Where?").text
    missing = failed_as(router, errors.ReplayMiss, "never asked", cache="only")
    told = "nothing recorded for this prompt on 'small' or 'small-2', and cache mode 'only' sends "
    assert f"{told}nothing; run it once with cache mode 'use' or 'refresh'" == str(missing)
    assert 3 == len(server.requests)
