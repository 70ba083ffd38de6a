"""One call from end to end, over a real HTTP server and a real ledger."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import LADDER
from loopback import Reply
from waiting import until

from nbroute import errors, types
from nbroute.report import Spend
from nbroute.types import Attempted, Classified, Done, Ladder, Message, Notice, Sent, Text, Tier

USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
MEGABYTE = "x" * 2**20


def test_an_answer_comes_with_tier_model_tokens_and_cost(router, server):
    server.reply(text="Paris.", usage=USAGE)
    seen = []
    result = router.route("What is the capital of France?", observe=seen.append)

    decision, low = types.Decision("LOW", "<lambda>", "<lambda>: says LOW"), LADDER.tiers[0]
    (answer,) = result.attempts
    plan = types.Plan("direct", (types.Step(low, low.targets),))
    told = [Classified(decision, plan), Sent("LOW", "small"), Text("Paris."), Attempted(answer)]
    assert [*told, Done(result)] == seen
    made = (decision, plan, types.Options(), (answer,))
    rungs = (types.Rung("LOW", answer.id, result.verdicts),)
    asked = (result.id, "What is the capital of France?", "Paris.")
    assert types.RouteResult(*asked, *made, rungs, answer.id) == result
    assert (result,) == router.history.results()
    assert ("LOW", "small", False) == (result.tier, result.model, result.escalated)
    report = router.report()
    assert report is router.report()
    assert ("TOP", Decimal("0.023")) == (report.baseline, report.saving.usd)
    paid = Decimal("0.002")
    spent = Spend(paid, calls=1, by_source={"configured": paid})
    assert (spent, {"LOW": spent}) == (router.spend(), router.spend("tier"))


def test_a_request_is_the_tiers_but_for_what_the_caller_says(router, make_router, server):
    router.route("hello there")
    router.route("hi", tier="top", system="Sing.", max_tokens=7, temperature=0.5, stream=False)
    asked = router.route("give me json", json=True)

    tiers, callers, object_ = (seen.json for seen in server.requests)
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello there"}]
    told = {"model": "small", "max_tokens": 64, "stream": True, "messages": turns}
    assert told == {name: tiers[name] for name in told}
    assert ("large", 7, 0.5) == tuple(callers[k] for k in ("model", "max_tokens", "temperature"))
    assert "Sing." == callers["messages"][0]["content"]
    assert not callers.get("stream")
    assert {"type": "json_object"} == object_["response_format"]
    form = "Reply with one JSON value and nothing else: no prose, no code fence."
    assert f"Be brief.\n\n{form}" == object_["messages"][0]["content"]
    assert ({"answer": "ok"}, True) == (asked.data, asked.passed)
    # All of a request, as a dry run has it: the caller's effort comes before the tier's.
    (low,) = {*router.explain("hi", tier="LOW", effort="low", checks=["logprob"]).requests}
    assert not router.explain("hi", checks=[lambda reply: True]).requests[0].logprobs
    said = (Message("system", "Be brief."), Message("user", "hi"))
    assert types.Request("loop", "small", said, 64, logprobs=True, effort="low") == low
    tiers = (replace(LADDER.tiers[0], effort="high"), *LADDER.tiers[1:])
    hard = make_router(ladder=replace(LADDER, tiers=tiers))
    assert "high" == hard.explain("hi").requests[0].effort
    assert "low" == hard.explain("hi", effort="low").requests[0].effort


def test_an_observer_that_breaks_does_not_break_the_call(router, caplog):
    def broken(event):
        raise ValueError("boom")

    assert "ok" == router.route("hello", observe=broken).text
    assert "observer failed" in caplog.text


# The prompt


EMPTY = "the prompt is empty: write one with letters or digits in it"
TOO_LONG = (
    "the prompt has 1,048,576 characters (about 262,144 tokens: $0.26 on LOW to $2.65 (your price) "
    "on TOP), over the limit of 400,000; shorten it, or raise max_prompt_chars in nbroute.toml"
)


def test_a_prompt_that_cannot_be_sent_is_refused(router, make_router, server):
    refused = dict.fromkeys(("", "   \n\t ", "\x00\x1b\x07\u200b"), EMPTY)
    refused |= {7: "a prompt is text, not int: 7", MEGABYTE: TOO_LONG}
    for prompt, says in refused.items():
        for ask in (router.route, router.explain):
            with pytest.raises(errors.PromptError) as caught:
                ask(prompt)
            assert says == str(caught.value)

    assert [] == server.requests
    Path("nbroute.toml").write_text(f"[nbroute]\nmax_prompt_chars = {len(MEGABYTE)}")
    make_router().route(MEGABYTE)
    assert [MEGABYTE] == server.prompts


def test_any_script_is_sent_as_it_is_and_control_characters_are_taken_out(router, server):
    server.handler = lambda sent: Reply(text=sent["messages"][-1]["content"])
    prompts = ["🧮👩‍🔬 π ≈ 3", "مرحبا بالعالم", "日本語", "e\u0301tude", "a\u202eb"]
    assert prompts == [router.route(prompt).text for prompt in prompts] == server.prompts

    seen, named = [], {"feature": "a\ud800", "thread": "b\ud800"}
    result = router.route("a\x00b\x1b[31m \ud83d c", observe=seen.append, **named)
    assert "ab[31m  c" == server.prompts[-1]
    assert ("3 control characters removed from the prompt",) == result.notices
    assert 1 == sum(isinstance(event, Notice) for event in seen)
    assert ("1 control character removed from the prompt",) == router.route("\x7fa").notices


def test_an_answer_has_what_the_prompt_leaves_of_the_tiers_own_context(make_router, server):
    tier = Tier("LOW", "loop", "small", 64, system="Be brief.", context=100)
    router = make_router(ladder=Ladder("one", (tier,), "LOW"))
    for tokens in (4, 75, 96, 97):
        router.route("word" * tokens)

    assert [64, 22, 1, 64] == [seen.json["max_tokens"] for seen in server.requests]


# Which tier


def test_a_model_classifier_is_paid_for_decides_and_is_never_the_answer(make_router, server):
    server.reply(text="TOP", usage=USAGE)
    server.reply(text="deep thought", usage=USAGE)
    server.reply(text="TOP", usage=USAGE)
    router = make_router(classifier="model")
    result = router.route("hello")
    with pytest.raises(errors.BudgetExceeded) as caught:
        router.route("good morning", max_cost="0.003")

    assert ("TOP", "model") == (result.tier, result.decision.classifier)
    assert ["classify", "answer"] == [attempt.purpose for attempt in result.attempts]
    assert Decimal("0.002") + Decimal("0.025") == result.cost_usd
    assert ("", Decimal("0.002")) == (caught.value.result.text, caught.value.result.cost_usd)
    assert 3 == len(server.requests)
    # A dry run asks nobody, and says what asking would cost.
    dry = router.explain("hello there", max_cost="0.00001", effort="low")
    least, most, low, high = (
        types.Cost(Decimal(usd), "configured", LADDER.tiers[0].price)
        for usd in ("0.00013", "0.000148", "0.000008", "0.000134")
    )
    assert types.TierEstimate("LOW", "small", 128, 10, least, most) == dry.asking
    assert types.TierEstimate("LOW", "small", 6, 64, low, high, "low") == dry.estimates[0]
    assert ("ngrams", "LOW", 3) == (dry.decision.classifier, dry.decision.tier, len(dry.estimates))
    told = "asking small for the tier $0.00015 + LOW $0.00013 could come to $0.00029; it was not"
    assert told in dry.refusal
    with pytest.raises(errors.BudgetExceeded) as refused:
        router.route("hello there", max_cost="0.00001")
    assert dry.refusal == str(refused.value)
    assert 3 == len(server.requests)
    with pytest.raises(errors.SettingsError, match="got no answer, so there is nothing to label"):
        router.label(caught.value.result, "good")


@pytest.mark.parametrize(
    "failure",
    [
        *({"status": status, "error": "no"} for status in (401, 503)),
        {"text": "I think this is rather TOP"},
    ],
)
def test_a_classifier_out_of_order_does_not_stop_the_answer(make_router, server, failure):
    """Nor does one that talks."""
    server.handler = lambda sent: Reply(**({} if sent["stream"] else failure))
    result = make_router(classifier="model").route("hello")

    assert ("ok", "LOW", True) == (result.text, result.tier, result.decision.defaulted)
    *asked, answer = (attempt.status for attempt in result.attempts)
    assert ({"ok" if "text" in failure else "error"}, "ok") == ({*asked}, answer)
    assert "default LOW" in result.decision.reason


# Escalation


def test_an_escalation_asks_the_next_tier_and_is_linked(router, make_router):
    first = router.route("hello", effort="low", comparison="c", feature="f", model="small")
    second = router.escalate(first)

    assert ("MID", first, True) == (second.tier, second.parent, second.escalated)
    assert types.Options(tier="MID", feature="f") == second.options
    assert [
        ("<lambda>", "<lambda>: says LOW", False, None),
        ("forced", "you escalated from LOW", True, first.id),
    ] == [
        (row["classifier"], row["reason"], row["escalated"], row["parent"])
        for row in router.ledger.rows()
    ]
    top = router.escalate(second)
    with pytest.raises(errors.SettingsError, match="TOP is the top tier"):
        router.escalate(top)
    below = router.escalate(top, "LOW")  # a rerun
    again = types.Decision("LOW", "forced", "you asked again after TOP's answer")
    assert (again, False) == (below.decision, below.escalated)
    assert not router.escalate(top, "TOP").escalated
    # What a parallel plan has asked already comes from the cache.
    two = {"strategy": "parallel", "tiers": ("LOW", "MID"), "agreement": 0.5, "by": "value"}
    above = router.escalate(router.route("hi", **two))
    assert types.Options(tier="MID") == above.options
    assert ("MID", True, 0) == (above.tier, above.cached, above.cost_usd)
    assert "TOP" == router.escalate(above).tier
    renamed = tuple(replace(t, name=f"{t.name}2") for t in LADDER.tiers)
    other = make_router(ladder=replace(LADDER, tiers=renamed, default="LOW2"))
    with pytest.raises(errors.SettingsError, match="'LOW' is not a tier of ladder"):
        other.escalate(first)
    assert "TOP2" == other.escalate(first, "TOP2").tier


# Streams


def test_a_stream_yields_pieces_has_the_result_at_the_end_and_is_read_once(router, server):
    server.reply(text="one two", chunks=["one ", "two"])
    server.reply(status=401, error="no")
    stream = router.stream("hello")

    assert ["one ", "two"] == list(stream)
    assert "one two" == stream.result.text
    with pytest.raises(errors.SettingsError, match="read once; its text is in "):
        list(stream)
    failing = router.stream("hello again")
    with pytest.raises(errors.AuthError):
        list(failing)
    assert "error" == failing.result.status
    with pytest.raises(errors.SettingsError, match="cannot be streamed"):
        router.stream("hello", strategy="cascade")
    with pytest.raises(errors.SettingsError, match="use route, not stream"):
        router.stream("hello", repeat=2)
    assert 2 == len(server.requests)
    server.reply(text="one two three", stall_after=2)
    stream = router.stream("one that is not read to its end")
    with pytest.raises(errors.Interrupted):
        [stream.close() for _ in stream]
    until(lambda: router.ledger.rows()[-1]["status"] == "interrupted")
