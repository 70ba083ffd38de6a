"""Cascade, parallel and consensus: who is asked, and whose answer is used."""

from __future__ import annotations

import os
import re
import signal
import threading
from dataclasses import replace

import pytest
from conftest import GOOD, HARD, LADDER, OTHER, SHORT, TWO
from loopback import Reply

from nbroute import errors
from nbroute.checks import own
from nbroute.types import Attempted, Escalated, Sent, Text

DOWN = Reply(status=500, error="down")
UNSURE = "I'm not sure about any of that, to be quite honest."
NO_KEY = Reply(status=401, error="no such key")
TIRED = Reply(status=400, error="too tired")
FIVE, SIX = "The answer is 5.", "The answer is 6."
THREE = {"strategy": "consensus", "checks": ["length=10"]}


def statuses(result):
    return [(a.tier, a.status) for a in result.attempts]


def texts(seen):
    return [event.text for event in seen if isinstance(event, Text)]


# Cascade


def test_an_answer_that_is_too_short_is_asked_of_the_next_tier_once(router, server):
    server.answer(GOOD, small=SHORT)
    seen = []
    result = router.route(HARD, strategy="cascade", observe=seen.append)

    assert [("LOW", "rejected"), ("MID", "ok")] == statuses(result)
    assert (GOOD, "MID", True, True) == (result.text, result.tier, result.escalated, result.passed)
    assert "13 characters" in result.rungs[0].failed.reason
    assert ["MID"] == [event.tier for event in seen if isinstance(event, Escalated)]
    assert ["rejected", "ok"] == [row["status"] for row in router.ledger.rows()]
    spent = router.spend()
    for cache in ("use", "only"):
        again = router.route(HARD, strategy="cascade", cache=cache)
        assert statuses(result) == statuses(again)
        assert (GOOD, 0, True) == (again.text, again.cost_usd, again.answer.cached)
    assert (2, spent.usd) == (len(server.requests), router.spend().usd)
    with pytest.raises(errors.ReplayMiss):
        router.route("something else", strategy="cascade", cache="only")


@pytest.mark.parametrize(
    ("answer", "options", "says"),
    [
        ("I'm sorry, but I cannot help with that request at all.", {}, "cannot help"),
        ("I'm not sure how heat moves through walls, I would have to guess.", {}, "not sure"),
        (Reply(text=GOOD, finish_reason="length"), {}, "cut off"),
        ('{"a": 1, "a": 2}', {"json": True}, "occurs twice"),
    ],
)
def test_an_answer_that_will_not_do_climbs_with_its_reason(router, server, answer, options, says):
    server.answer('{"a": 3}' if options else GOOD, small=answer)
    result = router.route(HARD, strategy="cascade", **options)

    assert ("MID", True) == (result.tier, result.passed)
    assert says in result.rungs[0].failed.reason.lower()
    first, second = server.prompts
    assert second.startswith(HARD)  # with what a check of the form had to say
    assert ("occurs twice" in second) == bool(options)
    assert "occurs twice" not in first


def test_a_cascade_begins_and_goes_where_it_is_told(router, server):
    server.answer(SHORT)

    def asked(**options):
        return [rung.tier for rung in router.route(HARD, strategy="cascade", **options).rungs]

    assert ["LOW", "MID", "TOP"] == asked()
    assert ["LOW", "TOP"] == asked(tiers=["top", "low"])
    assert ["MID", "TOP"] == asked(tier="MID") == asked(start="mid")
    assert ["LOW"] == asked(checks=["no-length"])
    sent = len(server.requests)
    assert ["LOW", "MID", "TOP"] == asked(model="mine", max_tokens=5)
    assert {"mine"} == {*server.asked[sent:]}


@pytest.mark.parametrize(
    ("answers", "tier", "says"),
    [
        ((SHORT, UNSURE, "Short."), "MID", ["none of 3 answers"]),
        ((SHORT, NO_KEY, NO_KEY), "LOW", ["MID could not be asked", "TOP could not be asked"]),
        ((UNSURE, Reply(text=""), NO_KEY), "LOW", ["TOP could not be asked"]),
    ],
)
def test_when_no_answer_passes_the_best_one_comes_back_marked(router, server, answers, tier, says):
    server.answer(**dict(zip(("small", "medium", "large"), answers, strict=True)))
    result = router.route(HARD, strategy="cascade")

    assert (tier, False, 3) == (result.tier, result.passed, len(result.rungs))
    assert answers[("LOW", "MID").index(tier)] == result.text == result.answer.text
    assert "ok" == result.answer.status
    assert all(any(one in told for told in result.notices) for one in says)
    assert (tier == "MID") == any("none of" in told for told in result.notices)
    assert sum(row["cost_usd"] for row in router.ledger.rows()) == result.cost_usd


def test_a_self_rating_and_logprobs_are_asked_for_kept_and_not_shown(router, server):
    rated = f"{GOOD}\n\nConfidence: 9"
    server.answer(
        Reply(text=rated, chunks=[rated], logprobs=[-0.01]), small=f"{GOOD}\n\nConfidence: 5"
    )
    seen = []
    asked = {"strategy": "cascade", "checks": ["rating", "logprob=0.7"]}
    results = [router.route(HARD, **asked, observe=seen.append) for _ in range(2)]

    for result in results:
        assert (GOOD, "MID") == (result.text, result.tier)
        assert [5, 9] == [attempt.rating for attempt in result.attempts]
        assert -0.01 == pytest.approx(result.answer.logprob)
    assert 0 == results[1].cost_usd
    assert "Confidence" not in "".join(texts(seen))
    assert "confidence" in server.prompts[0].lower()
    assert server.requests[0].json["logprobs"] is True


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ({"status": 500, "error": "down"}, "Unavailable"),
        ({"status": 402, "error": "empty"}, "QuotaUsedUp"),
        ({"status": 400, "error": "prompt is too long"}, "ContextTooLong"),
        ({"text": "one two three", "cut_after": 2}, "broke off"),
    ],
)
def test_a_cascade_climbs_past_a_tier_that_cannot_answer(router, server, reply, says):
    server.answer(GOOD, **dict.fromkeys(("small", "small-2"), Reply(**reply)))
    seen = []
    result = router.route(HARD, strategy="cascade", observe=seen.append)

    assert (GOOD, "MID", True) == (result.text, result.tier, result.escalated)
    failed, passed = result.rungs
    assert ("LOW", "MID", None) == (failed.tier, passed.tier, passed.failed)
    assert says in failed.failed.reason
    assert {"error"} == {one.status for one in result.attempts if one.tier == "LOW"}
    shown = [i for i, event in enumerate(seen) if isinstance(event, Sent)][-1]
    assert GOOD == "".join(texts(seen[shown:]))


def test_where_no_tier_answers_the_error_names_each_that_could_be_asked(router, server):
    server.handler = lambda body: Reply(status=500, error=f"{body['model']} is down")

    with pytest.raises(errors.AllModelsFailed, match=r"no tier.* MID: .*medium.* TOP: .*large"):
        router.route(HARD, strategy="cascade", start="MID")
    with pytest.raises(errors.AllModelsFailed) as caught:
        router.route(HARD, strategy="cascade")
    with pytest.raises(errors.Unavailable) as direct:
        router.route(HARD, tier="MID")
    sent = len(server.requests)
    server.handler = lambda _: NO_KEY
    with pytest.raises(errors.AuthError):
        router.route(HARD, strategy="cascade")
    assert sent + 1 == len(server.requests)
    assert all(f"{model} is down" in str(caught.value) for model in ("small-2", "medium", "large"))
    assert ["LOW", "MID", "TOP"] == [rung.tier for rung in caught.value.result.rungs]
    assert 4 == len(caught.value.causes)
    assert ((), False) == (direct.value.result.rungs, direct.value.result.passed)


def test_a_cascade_skips_a_tier_that_reads_no_more_than_one_that_read_too_little(
    make_router, server
):
    contexts = zip(LADDER.tiers, (1000, 800, 2000), strict=True)
    tiers = tuple(replace(tier, context=most, fallbacks=()) for tier, most in contexts)
    server.answer(Reply(status=400, error="maximum context length is 1000 tokens"), large=GOOD)
    result = make_router(ladder=replace(LADDER, tiers=tiers)).route(HARD, strategy="cascade")

    assert ["small", "large"] == [attempt.model for attempt in result.attempts]
    assert ("TOP", GOOD) == (result.tier, result.text)


# Parallel


def test_two_answers_that_agree_keep_the_cheaper_one_and_both_are_paid_for_once(router, server):
    server.answer(GOOD)
    result = router.route(HARD, **TWO)

    assert ("LOW", GOOD, False) == (result.tier, result.text, result.escalated)
    assert [("LOW", "ok"), ("TOP", "unused")] == sorted(statuses(result))
    assert "in the same words" == result.verdicts[0].reason
    low, top = sorted(result.attempts, key=lambda one: one.cost_usd)
    assert low.cost_usd + top.cost_usd == result.cost_usd == router.spend().usd
    assert max(low.latency_ms, top.latency_ms) == result.latency_ms
    again = router.route(HARD, **TWO)
    assert (GOOD, 0, 2) == (again.text, again.cost_usd, len(server.requests))
    with pytest.raises(errors.ReplayMiss):
        router.route("something else", strategy="parallel", cache="only")


def test_two_answers_that_differ_keep_the_better_one(router, server):
    server.answer(GOOD, small=OTHER)
    seen = []
    result = router.route(HARD, **TWO, observe=seen.append)

    assert ("TOP", GOOD, True) == (result.tier, result.text, result.escalated)
    assert [("LOW", "rejected"), ("TOP", "ok")] == sorted(statuses(result))
    assert "under 0.92" in result.rungs[0].failed.reason
    assert GOOD == texts(seen)[-1]
    kinds = [type(event) for event in seen]
    assert Escalated in kinds
    assert 2 == kinds.count(Sent) == kinds.count(Attempted)
    assert "LOW" == router.route(HARD, **TWO, agreement=0).tier


def test_the_two_tiers_are_the_decided_one_and_the_next_both_asked_at_once(make_router, server):
    meeting = threading.Barrier(2, timeout=10)
    server.handler = lambda _: Reply(text=GOOD if meeting.wait() >= 0 else "")

    for decided in ("MID", "TOP"):
        router = make_router(classifier=lambda _, tier=decided: tier)
        result = router.route(HARD, strategy="parallel", cache="off")
        assert {"MID", "TOP"} == {attempt.tier for attempt in result.attempts}


def test_one_of_two_that_fails_leaves_the_others_answer_and_both_that_fail_an_error(router, server):
    server.answer(replace(DOWN, delay=0.05), large=GOOD)
    result = router.route(HARD, **TWO)

    assert ("TOP", GOOD) == (result.tier, result.text)
    assert any("only TOP answered" in notice for notice in result.notices)
    low = [attempt.latency_ms for attempt in result.attempts if attempt.tier == "LOW"]
    assert 2 == len(low)  # with its fallback
    assert result.latency_ms >= sum(low)
    server.answer(DOWN)
    seen = []
    with pytest.raises(errors.ProviderError) as caught:
        router.route("Again", strategy="parallel", tiers=("MID", "TOP"), observe=seen.append)
    assert 2 == len(caught.value.result.attempts)
    assert 2 == sum(isinstance(event, Attempted) for event in seen)
    assert ["error", "error"] == [row["status"] for row in router.ledger.rows()][-2:]


@pytest.mark.parametrize(
    ("options", "answers", "tier", "says"),
    [
        (TWO | {"by": "cosine", "agreement": 0}, (FIVE, "", SIX), "LOW", "similarity"),
        (TWO | {"json": True}, ('{"a": 1}', "", "In prose."), "LOW", "only LOW's answer passed"),
        (THREE, (FIVE, SIX, TIRED), "LOW", "TOP could not be asked.*too tired"),
        (THREE, (FIVE, SIX, "No."), "LOW", "only LOW's answer passed its checks"),
        (THREE, (TIRED, SIX, GOOD), "TOP", "only one of two answered"),
        (THREE, (TIRED, TIRED, GOOD), "TOP", ""),
        (THREE, ("42", "So the answer is 42.", ""), "MID", "both say 42"),
    ],
)
def test_which_answer_is_used_and_why(router, server, options, answers, *, tier, says):
    server.answer(**dict(zip(("small", "medium", "large"), answers, strict=True)))
    result = router.route(HARD, **options)

    assert [tier] == [one.tier for one in result.attempts if one.status == "ok"]
    assert tier == result.tier
    assert answers[("LOW", "MID", "TOP").index(tier)] == result.text
    told = [*result.notices, *(one.reason for one in result.verdicts)]
    told += [rung.failed.reason for rung in result.rungs if rung.failed]
    assert re.search(says, " ".join(told))
    assert (options.get("json") and {"a": 1}) == result.data
    assert sum(map(bool, answers)) == len({one.tier for one in result.attempts})


@pytest.fixture
def embedding_router(file_router):
    """A router whose vectors come from an endpoint."""
    return file_router('embedder = "loop"')


def test_answers_that_cannot_be_compared_leave_the_better_one_and_a_replay_sends_nothing(
    embedding_router, server
):
    server.answer(GOOD, small=OTHER)
    server.embedding_reply(status=404, error="no such model")
    result = embedding_router.route(HARD, **TWO, by="cosine")

    assert ("TOP", GOOD) == (result.tier, result.text)
    assert "the answers could not be compared" == result.rungs[0].failed.reason
    assert 1 == sum("no such model" in told for told in result.notices)
    answers = [row for row in embedding_router.ledger.rows() if row["purpose"] == "answer"]
    assert ["ok", "rejected"] == sorted(row["status"] for row in answers)
    dry = embedding_router.explain("hi", classifier="embedding")
    assert ("LOW", "text-embedding-3-small") == (dry.asking.tier, dry.asking.model)
    found = embedding_router.classify("hi", "embedding")
    assert {"embed"} == {one.purpose for one in found.attempts}
    assert dry.asking.input_tokens >= sum(one.input_tokens for one in found.attempts) > 4000
    assert embedding_router.explain("hi", classifier="embedding").asking is None
    embedding_router.route(HARD, **TWO)
    before = len(server.requests)
    assert GOOD == embedding_router.route(HARD, **TWO, cache="only").text
    with pytest.raises(errors.ReplayMiss, match="no vectors"):
        embedding_router.classify("never seen", "embedding", cache="only")
    assert before == len(server.requests)


def test_with_no_embedder_nothing_is_sent_and_the_line_says_what_to_install(opened, monkeypatch):
    monkeypatch.setattr("nbroute.embedders.wordllama.available", lambda: False)
    router = opened(profile="simulated")
    for options in ({"strategy": "parallel", "by": "cosine"}, {"classifier": "embedding"}):
        with pytest.raises(errors.SettingsError, match=r"nbroute\[embeddings\]"):
            router.route("hello", **options)

    assert [] == router.ledger.rows()


# Consensus


def test_where_two_agree_the_third_is_not_asked_but_by_an_escalation(router, server):
    server.answer(GOOD, small="1 + 41 = 42", medium="So the answer is 42.0")
    result = router.route(HARD, strategy="consensus", tiers=("TOP", "LOW", "MID"))

    assert ("LOW", "1 + 41 = 42", False) == (result.tier, result.text, result.escalated)
    assert [("LOW", "ok"), ("MID", "unused")] == sorted(statuses(result))
    assert "both say 42" == result.verdicts[0].reason
    assert result.passed
    assert ["medium", "small"] == sorted(server.asked)
    assert "TOP" == router.escalate(result).tier


def test_where_two_differ_the_third_decides(make_router, server):
    tiers = tuple(replace(tier, model="same") for tier in LADDER.tiers[:2])
    router = make_router(ladder=replace(LADDER, tiers=(*tiers, LADDER.tiers[2])))
    given = iter(["The answer is 41.", "The answer is 42."])
    server.handler = lambda sent: Reply(text=next(given) if sent["model"] == "same" else GOOD)
    seen = []
    result = router.route(HARD, strategy="consensus", observe=seen.append)

    assert ("TOP", GOOD, True) == (result.tier, result.text, result.escalated)
    assert [("LOW", "rejected"), ("MID", "rejected"), ("TOP", "ok")] == sorted(statuses(result))
    (said,) = {rung.failed.reason for rung in result.rungs[:2]}
    assert said in ("LOW says 41, MID 42", "LOW says 42, MID 41")
    assert any("LOW and MID are both same" in told for told in result.notices)
    assert ["TOP"] == [event.tier for event in seen if isinstance(event, Escalated)]
    assert sum(one.cost_usd for one in result.attempts) == result.cost_usd


def test_code_agrees_where_both_pass_the_same_tests(router, server):
    runs = []

    def passes_tests(text):
        runs.append(text)
        return "a + b" in text or "b + a" in text

    passes_tests.runs_code = True
    checks = [own(passes_tests)]
    with pytest.raises(errors.SettingsError, match="%route allow code"):
        router.route(HARD, checks=checks)
    router.allow_code(unconfined=True)
    code = "```python\ndef add(a, b):\n    return {}\n```"
    server.answer(small=code.format("a + b"), medium=code.format("b + a"))
    same = router.route(HARD, strategy="consensus", checks=checks)
    assert 2 == len(runs)  # each program once
    server.answer(small=code.format("a - b"), medium=code.format("b + a"))
    other = router.route("Again", strategy="consensus", checks=checks)

    assert ("LOW", "both pass the tests") == (same.tier, same.verdicts[0].reason)
    assert "TOP" == other.attempts[-1].tier


# Stopped in the middle


def press(delay=0.0):
    threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize(("strategy", "low"), [("parallel", "ok"), ("consensus", "interrupted")])
def test_ctrl_c_stops_both_of_two_asks_no_third_and_records_both(router, server, strategy, low):
    both = threading.Barrier(2, action=press if low == "interrupted" else None)

    def handler(sent):
        both.wait(30)
        whole = sent["model"] == "small" and low == "ok"
        return Reply(text=GOOD, stall_after=None if whole else 2)

    def look(event):
        if isinstance(event, Attempted) and event.attempt.status == "ok":
            press(0.05)

    server.handler = handler
    with pytest.raises(errors.Interrupted) as caught:
        router.route(HARD, strategy=strategy, observe=look)

    assert sorted([("LOW", low), ("MID", "interrupted")]) == sorted(statuses(caught.value.result))
    rows = router.ledger.rows()
    assert [("LOW", low), ("MID", "interrupted")] == sorted((r["tier"], r["status"]) for r in rows)
    assert all(row["cost_usd"] > 0 for row in rows)
    server.handler = None
    assert "ok" == router.route("hello again").text
