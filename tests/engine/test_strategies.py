"""Cascade, parallel, fallback chains and conversations, over a real HTTP server."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import LADDER
from loopback import Reply

from nbroute import errors
from nbroute.checks import own
from nbroute.providers.simulated import Simulated
from nbroute.router import Router
from nbroute.types import Attempted, Escalated, Notice, Sent, Text, Verdict

GOOD = "Water boils at 100 degrees Celsius at sea level, and lower up a mountain."
SHORT = "At a hundred."
HARD = "Explain, step by step, how heat moves through the walls of an old house in winter."


def by_model(server, **texts):
    """Each model says its own; the rest say what is good."""
    server.handler = lambda body: Reply(text=texts.get(body["model"], GOOD))


def statuses(result):
    return [(a.tier, a.status) for a in result.attempts]


def test_an_answer_that_is_too_short_is_asked_of_the_next_tier(router, server):
    by_model(server, small=SHORT)

    result = router.route(HARD, strategy="cascade")

    assert [("LOW", "rejected"), ("MID", "ok")] == statuses(result)
    assert (GOOD, "MID", True, True) == (result.text, result.tier, result.escalated, result.passed)
    assert "13 characters" in result.rungs[0].failed.reason


def test_a_refusal_and_an_unsure_answer_climb_and_say_which_words_did_it(router, server):
    by_model(
        server,
        small="I'm sorry, but I cannot help with that request at all.",
        medium="I'm not sure how heat moves through walls, I would have to guess.",
    )

    result = router.route(HARD, strategy="cascade")

    assert ["LOW", "MID", "TOP"] == [rung.tier for rung in result.rungs]
    assert "cannot help" in result.rungs[0].failed.reason.lower()
    assert "not sure" in result.rungs[1].failed.reason.lower()


def test_a_default_check_can_be_switched_off_by_name(router, server):
    by_model(server, small=SHORT)

    result = router.route(HARD, strategy="cascade", checks=["no-length"])

    assert ("LOW", SHORT) == (result.tier, result.text)


def test_when_every_answer_fails_the_best_one_comes_back_marked(router, server):
    unsure = "I'm not sure about any of that, to be quite honest."
    by_model(server, small=SHORT, medium=unsure, large="Short.")

    result = router.route(HARD, strategy="cascade")

    assert ("MID", False) == (result.tier, result.passed)
    assert "not sure" in result.text
    assert any("none of 3 answers" in notice for notice in result.notices)
    assert 3 == len(result.rungs)


def test_a_latency_target_missed_asks_the_next_tier():
    router = Router(profile="simulated")

    result = router.route(
        "What is the capital of France?", strategy="cascade", checks=["latency=1"]
    )

    assert all("ms" in rung.failed.reason for rung in result.rungs)
    assert 4 == len(result.rungs)


def test_a_cut_off_answer_climbs_with_its_reason(router, server):
    by_model(server)
    server.reply(text=GOOD, finish_reason="length")

    result = router.route(HARD, strategy="cascade")

    assert "cut off" in result.rungs[0].failed.reason
    assert "MID" == result.tier


def test_a_self_rating_under_eight_climbs_and_is_not_shown(router, server):
    by_model(server, small=f"{GOOD}\n\nConfidence: 5", medium=f"{GOOD}\n\nConfidence: 9")
    seen = []

    result = router.route(HARD, strategy="cascade", checks=["rating"], observe=seen.append)

    assert (GOOD, "MID") == (result.text, result.tier)
    assert [5, 9] == [attempt.rating for attempt in result.attempts]
    assert "Confidence" not in "".join(e.text for e in seen if isinstance(e, Text))
    assert "confidence" in server.requests[0].json["messages"][-1]["content"].lower()


def test_measured_confidence_comes_from_the_tokens_probabilities(router, server):
    server.reply(text=GOOD, chunks=[GOOD], logprobs=[-1.2])
    server.reply(text=GOOD, chunks=[GOOD], logprobs=[-0.01])

    result = router.route(HARD, strategy="cascade", checks=["logprob=0.7"])

    assert server.requests[0].json["logprobs"] is True
    assert "MID" == result.tier
    assert -0.01 == pytest.approx(result.answer.logprob)


def test_a_check_of_ones_own_that_raises_is_a_verdict(router):
    def broken(reply):
        raise KeyError("total")

    result = router.route(HARD, checks=[broken])

    assert not result.passed
    assert "KeyError" in result.verdicts[-1].reason


def test_a_check_that_never_ends_is_given_up_and_its_thread_ends(router):
    router.parts = replace(router.parts, check_timeout_s=0.2)

    def endless(text):
        while True:
            time.sleep(0.01)

    from nbroute.checks import own

    router.route(HARD)  # the server keeps a thread for the connection
    before = threading.active_count()
    result = router.route(HARD, checks=[own(endless)], cache="off")

    assert "did not end within 0.2 s" in result.verdicts[-1].reason
    for _ in range(300):
        if threading.active_count() <= before:
            break
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_the_feedback_of_a_check_goes_up_with_the_prompt(router, server):
    def strict(reply):
        passed = reply.model != "small"
        return Verdict(
            passed, "strict", "wrong", feedback="" if passed else "It was wrong in line 3."
        )

    by_model(server)
    router.route(HARD, strategy="cascade", checks=[strict])

    first, second = (seen.json["messages"][-1]["content"] for seen in server.requests)
    assert "line 3" not in first
    assert second.startswith(HARD)
    assert "It was wrong in line 3." in second


def test_json_that_cannot_be_parsed_into_data_is_no_answer(router, server):
    by_model(server, small='{"a": 1, "a": 2}', medium='{"a": 3}')

    result = router.route(HARD, strategy="cascade", json=True)

    assert ("MID", {"a": 3}) == (result.tier, result.data)
    assert "occurs twice" in result.rungs[0].failed.reason
    assert "occurs twice" in server.requests[1].json["messages"][-1]["content"]


def test_a_cascade_can_be_of_named_tiers(router, server):
    by_model(server, small=SHORT)

    result = router.route(HARD, strategy="cascade", tiers=["top", "low"])

    assert ["LOW", "TOP"] == [rung.tier for rung in result.rungs]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"strategy": "parallel", "tiers": ["LOW"]}, "takes two"),
        ({"strategy": "parallel", "tiers": ["LOW", "low"]}, "twice"),
        ({"strategy": "cascade", "tiers": ["LOW", "HIGH"]}, "unknown tier 'HIGH'"),
        ({"tiers": ["LOW", "TOP"]}, "cascade, parallel or consensus"),
        ({"strategy": "parallel", "agreement": 2}, "from 0 to 1"),
        ({"checks": ["lenght=20"]}, "length"),
        ({"checks": ["latency"]}, "latency"),
        ({"checks": ["length=many"]}, "many"),
        ({"thread": " "}, "it takes a name"),
        ({"temperature": False}, "temperature is False; it takes a number"),
        ({"agreement": False}, "agreement is False"),
        ({"max_tokens": False}, "max_tokens is False"),
        ({"max_cost": False}, "max_cost is False"),
    ],
)
def test_a_strategy_that_cannot_be_is_refused_before_anything_is_sent(
    router, server, options, says
):
    with pytest.raises(errors.SettingsError, match=says):
        router.route("hello", **options)

    assert [] == server.requests


@pytest.mark.parametrize(
    ("reply", "says"),
    {
        "server error": ({"status": 500, "error": "down"}, "Unavailable"),
        "rate limit": ({"status": 429, "error": "slow down"}, "RateLimited"),
        "no credit": ({"status": 402, "error": "empty"}, "QuotaUsedUp"),
        "too long": ({"status": 400, "error": "prompt is too long"}, "ContextTooLong"),
        "moderated": ({"status": 403, "error": "your input was flagged"}, "Moderated"),
        "unknown model": ({"status": 404, "error": "no such model"}, "UnknownModel"),
        "empty": ({"text": ""}, "empty answer"),
        "a page": ({"html": True}, "web page"),
        "broken off": ({"text": "one two three", "cut_after": 2}, "broke off"),
        "no end": ({"text": "one two three", "finish_reason": None, "done": False}, "broke off"),
        "silence": ({"delay": 30}, "TimedOut"),
    }.values(),
)
def test_a_cascade_climbs_past_a_tier_that_cannot_answer(make_router, server, reply, says):
    router = make_router(timeout_s=0.3)
    server.handler = lambda body: Reply(**reply) if "small" in body["model"] else Reply(text=GOOD)
    seen = []

    result = router.route(HARD, strategy="cascade", observe=seen.append)

    assert (GOOD, "MID", True) == (result.text, result.tier, result.escalated)
    failed, passed = result.rungs
    assert ("LOW", "MID", None) == (failed.tier, passed.tier, passed.failed)
    assert says in failed.failed.reason
    assert {"error"} == {one.status for one in result.attempts if one.tier == "LOW"}
    shown = [i for i, event in enumerate(seen) if isinstance(event, Sent)][-1]
    assert GOOD == "".join(event.text for event in seen[shown:] if isinstance(event, Text))


def test_where_no_tier_answers_the_error_names_all(router, server):
    server.handler = lambda body: Reply(status=500, error=f"{body['model']} is down")

    with pytest.raises(errors.AllModelsFailed) as caught:
        router.route(HARD, strategy="cascade")

    assert all(f"{model} is down" in str(caught.value) for model in ("small-2", "medium", "large"))
    assert ["LOW", "MID", "TOP"] == [rung.tier for rung in caught.value.result.rungs]
    assert 4 == len(caught.value.causes)


def test_a_direct_call_that_fails_stays_an_error(router, server):
    server.handler = lambda body: Reply(status=500, error="down")

    with pytest.raises(errors.Unavailable) as caught:
        router.route(HARD, tier="MID")

    result = caught.value.result
    assert ((), False) == (result.rungs, result.passed)
    assert 1 == len(server.requests)


TWO = """
[nbroute]
profile = "near"
classifier = "ngrams"

[providers.near]
kind = "openai"
base_url = "{near}"
api_key_env = "NEAR_API_KEY"

[providers.far]
kind = "openai"
base_url = "{far}"
api_key_env = "FAR_API_KEY"

[tiers.LOW]
model = "near"
context = 1000

[tiers.MID]
model = "near-2"
context = 800

[tiers.TOP]
provider = "far"
model = "far"
"""


@pytest.mark.parametrize(
    ("reply", "asked"),
    [
        ({"status": 401, "error": "no such key"}, ["near", "far"]),
        ({"status": 400, "error": "'messages' must alternate"}, ["near", "far"]),
        ({"status": 400, "error": "maximum context length is 1000 tokens"}, ["near", "far"]),
        ({"status": 500, "error": "down"}, ["near", "near-2", "far"]),
    ],
)
def test_a_cascade_skips_what_would_fail_the_same_way(monkeypatch, server, reply, asked):
    monkeypatch.setenv("NEAR_API_KEY", "sk-near-0123")
    monkeypatch.setenv("FAR_API_KEY", "sk-far-0123")
    Path("nbroute.toml").write_text(TWO.format(near=server.url, far=server.url))
    server.handler = lambda body: Reply(**reply) if "near" in body["model"] else Reply(text=GOOD)

    router = Router(settings="nbroute.toml")
    result = router.route(HARD, strategy="cascade", start="LOW")
    router.close()

    assert asked == [attempt.model for attempt in result.attempts]
    assert ("TOP", GOOD) == (result.tier, result.text)


def test_a_refused_key_ends_a_cascade_at_one_provider(router, server):
    server.handler = lambda body: Reply(status=401, error="no such key")

    with pytest.raises(errors.AuthError):
        router.route(HARD, strategy="cascade")

    assert 1 == len(server.requests)


def test_a_prompt_that_is_too_long_asks_those_fallbacks_that_read_more(make_router, server):
    fallbacks = ("gpt-4", "unheard-of", "gpt-4.1")  # 8,192 tokens, nobody knows, a million
    low = replace(LADDER.tiers[0], model="tiny", context=16_000, fallbacks=fallbacks)
    router = make_router(ladder=replace(LADDER, tiers=(low, *LADDER.tiers[1:])))
    too_long = Reply(status=400, error="This model's maximum context length is 16000 tokens")
    server.handler = lambda body: Reply() if body["model"] == "gpt-4.1" else too_long

    result = router.route("hello", tier="LOW")

    assert ["tiny", "unheard-of", "gpt-4.1"] == [seen.json["model"] for seen in server.requests]
    assert "ok" == result.text


def test_what_an_endpoint_takes_back_is_no_part_of_the_next_models_answer(router, server):
    error = {"code": 502, "message": "provider went away"}
    whole = {"choices": [{"delta": {"content": "Half an"}}]}
    body = f"data: {json.dumps(whole)}\n\ndata: {json.dumps({'error': error})}\n\n"
    server.reply(body=body, content_type="text/event-stream")
    seen = []

    result = router.route("hello", observe=seen.append)

    assert ("small-2", "ok") == (result.model, result.text)
    kinds = [event.text if isinstance(event, Text) else type(event) for event in seen]
    assert [Sent, "Half an", Attempted, Sent, "ok", Attempted] == kinds[1:7]
    server.reply(body=body, content_type="text/event-stream")
    with pytest.raises(errors.BadReply):  # what was read from a stream cannot be taken back
        list(router.stream("hello again"))


# Parallel


def test_two_answers_that_agree_keep_the_cheaper_one_and_both_are_paid_for(make_router, server):
    router = make_router()
    by_model(server)

    result = router.route(HARD, strategy="parallel", tiers=("LOW", "TOP"))

    assert ("LOW", GOOD, False) == (result.tier, result.text, result.escalated)
    assert {("LOW", "ok"), ("TOP", "unused")} == set(statuses(result))
    assert "in the same words" == result.verdicts[0].reason
    low, top = sorted(result.attempts, key=lambda one: one.cost_usd)
    assert low.cost_usd + top.cost_usd == result.cost_usd
    assert max(low.latency_ms, top.latency_ms) == result.latency_ms


def test_two_answers_that_differ_keep_the_better_one(router, server):
    by_model(server, small="Bananas are rich in potassium, and monkeys like them very much.")
    seen = []

    result = router.route(HARD, strategy="parallel", tiers=("LOW", "TOP"), observe=seen.append)

    assert ("TOP", GOOD, True) == (result.tier, result.text, result.escalated)
    assert [("LOW", "rejected"), ("TOP", "ok")] == sorted(statuses(result))
    assert "under 0.92" in result.rungs[0].failed.reason
    kinds = [type(event) for event in seen]
    assert Escalated in kinds
    assert GOOD == seen[[i for i, k in enumerate(kinds) if k is Text][-1]].text
    assert 2 == kinds.count(Sent) == kinds.count(Attempted)


def test_the_similarity_that_counts_as_agreement_can_be_set(router, server):
    by_model(server, small="Bananas are rich in potassium, and monkeys like them very much.")

    result = router.route(HARD, strategy="parallel", tiers=("LOW", "TOP"), agreement=0)

    assert "LOW" == result.tier


def test_the_two_tiers_are_the_decided_one_and_the_next(make_router, server):
    by_model(server)

    middle = make_router(classifier=lambda _: "MID").route(HARD, strategy="parallel")
    top = make_router(classifier=lambda _: "TOP").route(HARD, strategy="parallel")

    assert {"MID", "TOP"} == {attempt.tier for attempt in middle.attempts}
    assert {"MID", "TOP"} == {attempt.tier for attempt in top.attempts}


def test_both_are_asked_at_once(router, server):
    meeting = threading.Barrier(2, timeout=10)

    def met(body):
        meeting.wait()
        return Reply(text=GOOD)

    server.handler = met

    assert GOOD == router.route(HARD, strategy="parallel").text


def test_one_of_two_that_fails_leaves_the_other_ones_answer(router, server):
    server.handler = lambda body: (
        Reply(text=GOOD) if body["model"] == "large" else Reply(status=500, error="down")
    )

    result = router.route(HARD, strategy="parallel", tiers=("LOW", "TOP"))

    assert ("TOP", GOOD) == (result.tier, result.text)
    assert any("only TOP answered" in notice for notice in result.notices)


def test_stopping_stops_both_and_what_came_is_written_down(router, server):
    server.reply(text=GOOD, stall_after=1)
    server.reply(text=GOOD, stall_after=1)
    cancel = threading.Event()
    seen = []

    def stop(event):
        seen.append(event)
        if isinstance(event, Text):
            cancel.set()

    with pytest.raises(errors.Interrupted) as caught:
        router.route(HARD, strategy="parallel", cancel=cancel, observe=stop)

    assert {"interrupted"} == {a.status for a in caught.value.result.attempts}
    assert 2 == len(caught.value.result.attempts)


def test_where_only_the_cheaper_answer_passes_its_checks_it_is_kept(router, server):
    by_model(server, small='{"a": 1}', large="In prose, and about something else entirely.")

    result = router.route(HARD, strategy="parallel", tiers=("LOW", "TOP"), json=True)

    assert ("LOW", {"a": 1}, True) == (result.tier, result.data, result.passed)
    assert any("only LOW's passed" in notice for notice in result.notices)


def test_an_answer_that_is_empty_is_not_replaced_by_a_rejected_one(router, server):
    by_model(server, small="I don't know, sorry, I have no idea about that.")
    server.handler = lambda body: (
        Reply(text="", body={"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]})
        if body["model"] == "medium"
        else Reply(text="I don't know, sorry, I have no idea about that.")
    )

    result = router.route(HARD, strategy="cascade", tiers=["LOW", "MID"])

    assert (result.text, result.passed) == (result.answer.text, False)


def test_parallel_takes_as_long_as_the_slower_tier_with_its_fallbacks(router, server):
    by_model(server)
    server.handler = lambda body: (
        Reply(status=500, error="down")
        if body["model"] == "small"
        else Reply(text=GOOD, delay=0.05)
    )

    result = router.route(HARD, strategy="parallel", tiers=("LOW", "TOP"))

    low = [attempt.latency_ms for attempt in result.attempts if attempt.tier == "LOW"]
    assert 2 == len(low)
    assert result.latency_ms >= sum(low)


def test_a_failure_of_both_reaches_the_observer_and_the_error(router, server):
    server.handler = lambda body: Reply(status=500, error="down")
    seen = []

    with pytest.raises(errors.ProviderError) as caught:
        router.route(HARD, strategy="parallel", tiers=("MID", "TOP"), observe=seen.append)

    assert 2 == len(caught.value.result.attempts)
    assert 2 == sum(isinstance(event, Attempted) for event in seen)


# Fallback chains over several providers


CHAIN = """
[nbroute]
profile = "away"
classifier = "ngrams"

[providers.away]
kind = "openai"
base_url = "{away}"
api_key_env = "AWAY_API_KEY"

[providers.loop]
kind = "openai"
base_url = "{loop}"
api_key_env = "LOOP_API_KEY"

[tiers.LOW]
provider = "away"
model = "big"
fallbacks = [
  "big-2",
  {{ provider = "loop", model = "small", price = {{ input = 1.0, output = 2.0 }} }},
]
price = {{ input = 10.0, output = 20.0 }}
"""


@pytest.fixture
def chain(server, monkeypatch):
    """A router whose one tier falls back to a second provider."""
    made = []

    def make(away):
        monkeypatch.setenv("AWAY_API_KEY", "sk-away")
        monkeypatch.setenv("LOOP_API_KEY", "sk-loop")
        file = Path("nbroute.toml")
        file.write_text(CHAIN.format(away=away, loop=server.url))
        made.append(Router(settings=file))
        return made[-1]

    yield make
    for router in made:
        router.close()


def test_a_tier_falls_back_to_another_provider_with_the_reason(chain, server):
    server.reply(usage={"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500})

    result = chain("http://127.0.0.1:9").route("hello")

    assert ("loop", "small", "ok") == (result.answer.provider, result.model, result.text)
    assert ["big", "big-2", "small"] == [attempt.model for attempt in result.attempts]
    assert all("Unavailable" in attempt.error for attempt in result.attempts[:2])
    assert Decimal("0.002") == result.cost_usd
    assert "sk-loop" in server.requests[0].headers["authorization"]


def test_a_refused_key_leaves_its_provider_and_not_the_tier(chain, server):
    server.reply(status=401, error="no such key")

    result = chain(server.url).route("hello")

    assert ["big", "small"] == [attempt.model for attempt in result.attempts]
    assert "AuthError" in result.attempts[0].error


# Conversations


@dataclass
class Levels:
    """A classifier that goes by a word in what it is shown."""

    name: str = "levels"

    def classify(self, prompt, ladder):
        from nbroute.types import Decision

        tier = "TOP" if "proof" in prompt else "LOW"
        return Decision(tier, self.name, f"levels: {tier}")


def test_a_thread_sends_its_turns_along(make_router, server):
    router = make_router()
    server.reply(text="Lisbon.")

    router.route("What is the capital of Portugal?", thread="trip")
    router.route("And of Spain?", thread="trip")
    router.route("And of Italy?")

    assert [
        ("system", "Be brief."),
        ("user", "What is the capital of Portugal?"),
        ("assistant", "Lisbon."),
        ("user", "And of Spain?"),
    ] == [(m["role"], m["content"]) for m in server.requests[1].json["messages"]]
    assert 2 == len(server.requests[2].json["messages"])


def test_a_follow_up_is_classified_with_what_it_follows_and_a_new_question_comes_down(
    make_router, server
):
    router = make_router(classifier=Levels())

    first = router.route("Give a proof that there are infinitely many primes.", thread="maths")
    second = router.route("Why does that work?", thread="maths")
    third = router.route("What is the German word for apple?", thread="maths")

    assert ["TOP", "TOP", "LOW"] == [first.tier, second.tier, third.tier]
    assert "read with the turn before it" in second.decision.reason
    assert any("came down from TOP to LOW" in notice for notice in third.notices)


def test_a_tier_chosen_by_hand_holds_for_a_follow_up_and_no_longer(make_router, server):
    router = make_router(classifier=Levels())
    first = router.route("Name a fruit.", thread="t")

    raised = router.escalate(first, "MID")
    follow = router.route("And another one?", thread="t")
    new = router.route("Name the tallest mountain of Africa, please.", thread="t")

    assert ["MID", "MID", "LOW"] == [raised.tier, follow.tier, new.tier]
    assert 3 == len(router.threads.turns("t"))
    assert "stays on MID, which you chose" in follow.decision.reason


def test_a_cascade_that_climbs_again_in_a_thread_did_not_come_down(make_router, server):
    by_model(server, small=SHORT)
    router = make_router()

    router.route(HARD, thread="t", strategy="cascade")
    second = router.route(HARD, thread="t", strategy="cascade", cache="off")

    assert "MID" == second.tier
    assert not any("came down" in notice for notice in second.notices)


def test_a_start_is_no_choice_by_hand(make_router, server):
    by_model(server)
    router = make_router(classifier=Levels())

    router.route("Name a fruit.", thread="t", strategy="cascade", start="TOP")

    assert "LOW" == router.route("And another one?", thread="t").tier


def test_an_escalated_turn_replaces_its_answer_in_the_thread(make_router, server):
    router = make_router()
    server.reply(text="Weak.")
    server.reply(text="Strong.")
    first = router.route("hello", thread="t")
    router.escalate(first)

    router.route("and now?", thread="t")

    texts = [m["content"] for m in server.requests[2].json["messages"]]
    assert "Strong." in texts
    assert "Weak." not in texts


def test_a_history_that_does_not_fit_is_trimmed_with_a_notice(make_router, server):
    tiers = tuple(replace(tier, context=200) for tier in LADDER.tiers)
    router = make_router(ladder=replace(LADDER, tiers=tiers))
    for number in range(6):
        router.route(f"Question {number}: {'tell me more ' * 12}", thread="long")

    last = router.route("and what was the first question?", thread="long")

    assert any("were left out" in notice for notice in last.notices)
    sent = server.requests[-1].json["messages"]
    assert 1 < len(sent) < 14
    assert "Question 5" in sent[-3]["content"]


def test_a_failed_turn_is_no_part_of_the_thread(router, server):
    server.reply(status=400, error="no")
    with pytest.raises(errors.ProviderError):
        router.route("hello", thread="t")

    assert () == router.threads.turns("t")


def test_threads_are_listed_and_forgotten(router):
    router.route("hello", thread="a")
    router.route("hello", thread="b")

    router.threads.forget("a")

    assert ("b",) == router.threads.names()
    with pytest.raises(errors.SettingsError, match="'b'"):
        router.threads.forget("a")


# Budgets


def test_over_the_budget_a_cheaper_tier_is_asked_where_that_is_wanted(make_router, server):
    router = make_router(classifier=lambda _: "TOP")
    router.set_budget("0.005")
    router.limits = replace(router.limits, on_limit="cheaper")

    result = router.route("hello")

    assert result.tier in {"LOW", "MID"}
    assert any("over the budget" in notice for notice in result.notices)


def test_the_refusal_names_the_flag_and_the_flag_goes_on(router, server):
    router.set_budget("0.000001")

    with pytest.raises(errors.BudgetExceeded, match="--over-budget") as caught:
        router.route("hello")

    assert "\n" not in str(caught.value)
    assert [] == server.requests
    assert "ok" == router.route("hello", over_budget=True).text


@pytest.mark.parametrize("amount", [0, -1, "much", float("nan")])
def test_a_budget_that_is_none_is_refused(router, amount):
    with pytest.raises(errors.SettingsError, match="budget"):
        router.set_budget(amount)


def test_threads_that_route_at_once_cannot_overspend_the_budget(make_router, server):
    router = make_router()
    worst = Decimal("0.00015")
    router.set_budget(worst * 5)
    outcomes = []

    def work():
        try:
            router.route("hello", cache="off", max_tokens=64)
            outcomes.append("sent")
        except errors.BudgetExceeded:
            outcomes.append("refused")

    workers = [threading.Thread(target=work) for _ in range(24)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert 24 == len(outcomes)
    assert router.spend().usd <= worst * 5


# On the simulated ladder


def test_a_simulated_cascade_climbs_for_hard_prompts_and_stays_for_easy_ones():
    router = Router(profile="simulated", provider=Simulated())

    easy = router.route(
        "What is the capital of France?", strategy="cascade", start="SIMPLE", checks=["rating"]
    )
    hard = router.route(
        "Design a consensus protocol for a ledger over three continents, prove that it is safe "
        "under partitions, and compare it with Raft, Paxos and HotStuff in detail.",
        strategy="cascade",
        start="SIMPLE",
        checks=["rating"],
    )

    assert "SIMPLE" == easy.tier
    assert hard.escalated
    assert hard.answer.rating >= 8 or not hard.passed


def test_notices_are_told_once(router, server):
    seen = []
    router.route("hel\x00lo", observe=seen.append)

    assert 1 == sum(isinstance(event, Notice) for event in seen)


# Consensus


def test_where_two_agree_the_third_is_not_asked(router, server):
    by_model(server, small="1 + 41 = 42", medium="So the answer is 42.0")

    result = router.route(HARD, strategy="consensus", tiers=("TOP", "LOW", "MID"))

    assert ("LOW", "1 + 41 = 42", False) == (result.tier, result.text, result.escalated)
    assert [("LOW", "ok"), ("MID", "unused")] == sorted(statuses(result))
    assert "both say 42" == result.verdicts[0].reason
    assert result.passed
    assert 2 == len(server.requests)


def test_where_two_differ_the_third_decides(router, server):
    by_model(server, small="The answer is 41.", medium="The answer is 42.")
    seen = []

    result = router.route(HARD, strategy="consensus", observe=seen.append)

    assert ("TOP", GOOD, True) == (result.tier, result.text, result.escalated)
    assert [("LOW", "rejected"), ("MID", "rejected"), ("TOP", "ok")] == sorted(statuses(result))
    assert {"LOW says 41, MID 42"} == {rung.failed.reason for rung in result.rungs[:2]}
    assert ["TOP"] == [event.tier for event in seen if isinstance(event, Escalated)]
    assert sum(one.cost_usd for one in result.attempts) == result.cost_usd


def test_where_one_of_two_fails_the_third_is_asked(router, server):
    server.handler = lambda body: (
        Reply(status=400, error="no") if body["model"] == "small" else Reply(text=GOOD)
    )

    result = router.route(HARD, strategy="consensus")

    assert ("TOP", GOOD) == (result.tier, result.text)
    assert "only one of two answered" in result.rungs[0].failed.reason


def test_where_the_third_fails_the_cheapest_answer_is_used_with_a_notice(router, server):
    server.handler = lambda body: (
        Reply(status=400, error="too tired")
        if body["model"] == "large"
        else Reply(text=f"The answer is {len(body['model'])}.")
    )

    result = router.route(HARD, strategy="consensus")

    assert ("LOW", "The answer is 5.", "ok") == (result.tier, result.text, result.answer.status)
    assert any("TOP could not be asked" in told and "too tired" in told for told in result.notices)


def test_an_answer_that_agrees_and_fails_its_checks_leaves_the_other(router, server):
    by_model(server, small="42", medium="The answer is 42, as one counts on one's fingers.")

    result = router.route(HARD, strategy="consensus", checks=["length=10"])

    assert ("MID", 2) == (result.tier, len(server.requests))


def test_code_agrees_where_both_pass_the_same_tests(router, server):
    runs = []

    def passes_tests(text):
        runs.append(text)
        return "a + b" in text or "b + a" in text

    passes_tests.runs_code = True
    router.allow_code(unconfined=True)
    code = "```python\ndef add(a, b):\n    return {}\n```"
    by_model(server, small=code.format("a + b"), medium=code.format("b + a"))
    same = router.route(HARD, strategy="consensus", checks=[own(passes_tests)])
    assert 2 == len(runs)  # each program once
    by_model(server, small=code.format("a - b"), medium=code.format("b + a"))
    other = router.route("Again", strategy="consensus", checks=[own(passes_tests)])

    assert ("LOW", "both pass the tests") == (same.tier, same.verdicts[0].reason)
    assert "TOP" == other.attempts[-1].tier


def test_the_tier_above_a_consensus_is_the_one_behind_the_two(router, server):
    by_model(server, small="42", medium="42")

    result = router.route(HARD, strategy="consensus")

    assert "TOP" == router.escalate(result).tier


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tiers": ["LOW", "TOP"]}, "consensus takes three"),
        ({"tier": "LOW"}, "'LOW' is one tier and consensus takes three"),
        ({"model": "small"}, "every tier of consensus"),
        ({"by": "vibes"}, "unknown way to compare two answers 'vibes'"),
    ],
)
def test_a_consensus_that_cannot_be_is_refused(router, server, options, says):
    with pytest.raises(errors.SettingsError, match=says):
        router.route(HARD, strategy="consensus", **options)
    assert [] == server.requests


def test_the_cosine_alone_is_the_second_articles_parallel(router, server):
    by_model(server, small="The answer is 41.", large="The answer is 42.")

    result = router.route(HARD, strategy="parallel", tiers=("LOW", "TOP"), by="cosine", agreement=0)

    assert ("LOW", True) == (result.tier, "similarity" in result.verdicts[0].reason)
