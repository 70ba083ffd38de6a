"""Cascade, parallel and consensus: who is asked, and whose answer is used."""

from __future__ import annotations

import os
import re
import signal
import textwrap
import threading
from dataclasses import replace

import pytest
from conftest import GOOD, HARD, LADDER, OTHER, SHORT, TWO
from loopback import Reply

from nbroute import errors
from nbroute.checks import own
from nbroute.types import Attempted, Done, Escalated, Sent, Text

CONSENSUS = {"strategy": "consensus"}
ASKED = {"direct": {}, "cascade": {"strategy": "cascade"}, "two": TWO, "three": CONSENSUS}
ASKED |= {"data": {"json": True}, "length": {"checks": ["length=10"]}}
ASKED |= {"cosine": {"by": "cosine", "agreement": 0}, "turned": {"tiers": ("TOP", "LOW", "MID")}}
SAID = {"good": GOOD, "other": OTHER, "short": SHORT, "empty": Reply(text="")}
SAID |= {"unsure": "I'm not sure about any of that, to be quite honest."}
SAID |= {"broken": Reply(text="one two three", cut_after=2), "twice": '{"a": 1, "a": 2}'}
SAID |= {"five": "The answer is 5.", "six": "The answer is 6.", "one": '{"a": 1}'}
SAID |= {"forty-two": "42", "then 42": "So the answer is 42.", "is 42": "It is 42."}
for name, status in {"down": 500, "no key": 401, "broke": 402, "tired": 400}.items():
    SAID[name] = Reply(status=status, error=name)
SAID["row"] = str([*range(20)])
SAID["long"] = Reply(status=400, error="prompt is too long")


def texts(seen):
    return [event.text for event in seen if isinstance(event, Text)]


def lines(result, seen):
    """A result in lines: its attempts (* is used, ^ escalated, ! failed), events and notices."""
    checks = {
        rung.attempt: [one.check + "!" * (not one.passed) for one in rung.verdicts]
        for rung in result.rungs
    }
    calls = [
        f"{'*' * (one.id == result.chosen)}{one.tier}{'^' * one.escalated} {one.status} "
        f"[{', '.join(checks.get(one.id, ()))}] {one.error or ''}"
        for one in sorted(result.attempts, key=lambda one: LADDER.index(one.tier))
    ]
    shown = []
    for event in seen:
        if isinstance(event, Sent):
            shown.append(event.tier)
        if isinstance(event, Escalated):
            shown.append(f"{event.rejected.tier} to {event.tier} ({event.verdict.check})")
    return [*calls, f"shows {', '.join(shown)}", *result.notices]


#: What is not compared: cures, and what httpx says.
CUT = r" +$|(\. |: ask again| \(peer).*"
STORIES = {
    "cascade: short, good": """
        LOW rejected [truncation, length!] length: 13 characters, wanted 20
        *MID^ ok [truncation, length, refusal, unsure]
        shows LOW, LOW to MID (length), MID""",
    "cascade data: twice, one": """
        LOW rejected [truncation, json!] json: the key 'a' occurs twice in one object
        *MID^ ok [truncation, json, length, refusal, unsure]
        shows LOW, LOW to MID (json), MID""",
    "cascade: short, unsure, no key": """
        LOW rejected [truncation, length!] length: 13 characters, wanted 20
        *MID^ ok [truncation, length, refusal, unsure!] unsure: says "I'm not sure" at character 0
        TOP^ error [no answer!] AuthError: 401 to 'large': no key
        shows LOW, LOW to MID (length), MID, MID to TOP (unsure), TOP
        TOP could not be asked: 401 to 'large': no key
        none of 2 answers passed its checks; the best is MID's""",
    "cascade: short, no key, no key": """
        *LOW ok [truncation, length!] length: 13 characters, wanted 20
        MID^ error [no answer!] AuthError: 401 to 'medium': no key
        TOP^ error [no answer!] AuthError: 401 to 'large': no key
        shows LOW, LOW to MID (length), MID, MID to TOP (no answer), TOP
        MID could not be asked: 401 to 'medium': no key
        TOP could not be asked: 401 to 'large': no key""",
    "cascade: unsure, empty, no key": """
        *LOW ok [truncation, length, refusal, unsure!] unsure: says "I'm not sure" at character 0
        MID^ error [no answer!] BadReply: empty answer from 'medium' (finish_reason 'stop')
        TOP^ error [no answer!] AuthError: 401 to 'large': no key
        shows LOW, LOW to MID (unsure), MID, MID to TOP (no answer), TOP
        MID could not answer: empty answer from 'medium' (finish_reason 'stop')
        TOP could not be asked: 401 to 'large': no key""",
    "cascade: long, good": """
        LOW error [] ContextTooLong: 400 to 'small': prompt is too long
        LOW error [no answer!] ContextTooLong: 400 to 'small-2': prompt is too long
        *MID^ ok [truncation, length, refusal, unsure]
        shows LOW, LOW, LOW to MID (no answer), MID""",
    "cascade: broken, good": """
        LOW error [no answer!] Unavailable: the answer of 'small' from it broke off half-way
        *MID^ ok [truncation, length, refusal, unsure]
        shows LOW, LOW to MID (no answer), MID""",
    "cascade: broke, down, down": """
        LOW error [] QuotaUsedUp: 402 to 'small': broke
        LOW error [no answer!] QuotaUsedUp: 402 to 'small-2': broke
        MID^ error [no answer!] Unavailable: 500 to 'medium': down
        TOP^ error [no answer!] Unavailable: 500 to 'large': down
        shows LOW, LOW, LOW to MID (no answer), MID, MID to TOP (no answer), TOP
        AllModelsFailed: no tier could answer
        LOW: small: QuotaUsedUp
        LOW: small-2: QuotaUsedUp
        MID: Unavailable
        TOP: Unavailable""",
    "cascade: no key": """
        LOW error [no answer!] AuthError: 401 to 'small': no key
        shows LOW
        AuthError: 401 to 'small': no key""",
    "direct: no key": """
        LOW error [] AuthError: 401 to 'small': no key
        shows LOW
        AuthError: 401 to 'small': no key""",
    "two: good, -, good": """
        *LOW ok [agreement]
        TOP unused [] in the same words: LOW's is used
        shows LOW""",
    "two: other, -, good": """
        LOW rejected [agreement!] agreement: similarity 0.000, under 0.92
        *TOP^ ok []
        shows LOW, LOW to TOP (agreement), TOP""",
    "two: down, -, good": """
        LOW error [] Unavailable: 500 to 'small': down
        LOW error [] Unavailable: 500 to 'small-2': down
        *TOP ok []
        shows LOW, LOW, TOP
        only TOP answered: each of the 2 models of tier LOW failed""",
    "two: good, -, down": """
        *LOW ok []
        TOP error [] Unavailable: 500 to 'large': down
        shows LOW
        only LOW answered: 500 to 'large': down""",
    "two: down, -, down": """
        LOW error [] Unavailable: 500 to 'small': down
        LOW error [] Unavailable: 500 to 'small-2': down
        TOP error [] Unavailable: 500 to 'large': down
        shows LOW, LOW
        AllModelsFailed: each of the 2 models of tier LOW failed
        small: Unavailable
        small-2: Unavailable""",
    "two cosine: five, -, six": """
        *LOW ok [agreement]
        TOP unused [] similarity 0.759, at least 0: LOW's is used
        shows LOW""",
    "two data: row, -, row": """
        *LOW ok [agreement, json]
        TOP unused [] both say [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11...: LOW's is used
        shows LOW""",
    "two data: one, -, In prose.": """
        *LOW ok [agreement!, json]
        TOP rejected [json!] json: not JSON: Expecting value at line 1, column 1, near 'In prose.'
        shows LOW
        only LOW's answer passed its checks""",
    "three turned: forty-two, then 42": """
        *LOW ok [agreement]
        MID unused [agreement] both say 42: LOW's is used
        shows LOW""",
    "three length: five, six, tired": """
        *LOW ok [agreement!, length] agreement: LOW says 5, MID 6
        MID rejected [agreement!, length] agreement: LOW says 5, MID 6
        TOP^ error [] RequestRejected: 400 to 'large': tired
        shows LOW, LOW to TOP (agreement), TOP
        TOP could not be asked: 400 to 'large': tired""",
    "three length: five, six, No.": """
        *LOW ok [agreement!, length] agreement: LOW says 5, MID 6
        MID rejected [agreement!, length] agreement: LOW says 5, MID 6
        TOP^ rejected [length!] length: 3 characters, wanted 10
        shows LOW, LOW to TOP (agreement), TOP
        only LOW's answer passed its checks""",
    "three length: tired, six, good": """
        LOW error [] RequestRejected: 400 to 'small': tired
        MID rejected [agreement!, length] agreement: only one of two answered: 400 to 'small': tired
        *TOP^ ok [length]
        shows LOW, MID to TOP (agreement), TOP""",
    "three length: five, tired, No.": """
        *LOW ok [agreement!, length] agreement: only one of two answered: 400 to 'medium': tired
        MID error [] RequestRejected: 400 to 'medium': tired
        TOP^ rejected [length!] length: 3 characters, wanted 10
        shows LOW, LOW to TOP (agreement), TOP
        only LOW's answer passed its checks""",
    "three length: tired, tired, good": """
        LOW error [] RequestRejected: 400 to 'small': tired
        MID error [] RequestRejected: 400 to 'medium': tired
        *TOP ok [length]
        shows LOW, TOP""",
    "three length: tired, tired, tired": """
        LOW error [] RequestRejected: 400 to 'small': tired
        MID error [] RequestRejected: 400 to 'medium': tired
        TOP error [] RequestRejected: 400 to 'large': tired
        shows LOW, TOP
        RequestRejected: 400 to 'large': tired""",
    "three length: forty-two, then 42": """
        LOW rejected [agreement, length!] length: 2 characters, wanted 10
        *MID ok [agreement, length]
        shows LOW, MID""",
    "three length: forty-two, is 42, No.": """
        LOW rejected [agreement, length!] length: 2 characters, wanted 10
        MID rejected [agreement, length!] length: 9 characters, wanted 10
        *TOP^ ok [length!]
        shows LOW, LOW to TOP (length), TOP""",
    "three length: then 42, is 42": """
        *LOW ok [agreement, length]
        MID rejected [agreement, length!] length: 9 characters, wanted 10
        shows LOW""",
}


@pytest.mark.parametrize("asked", STORIES)
def test_who_is_asked_whose_answer_is_used_and_what_is_said(router, server, asked):
    how, _, answers = asked.partition(": ")
    gave = dict(zip(("small", "medium", "large"), answers.split(", "), strict=False))
    gave = {model: SAID.get(one, one) for model, one in gave.items()}
    server.answer(gave["small"], **gave)
    options = {name: value for word in how.split() for name, value in ASKED[word].items()}
    seen, end = [], []
    try:
        result = router.route(HARD, observe=seen.append, **options)
    except errors.NbrouteError as error:
        result, causes = error.result, getattr(error, "causes", ())
        end = [f"{type(error).__name__}: {error}"]
        end += [f"{who}: {type(why).__name__}" for who, why in causes]
    else:
        assert gave[result.model] == result.text == result.answer.text
        assert seen[-1] == Done(result)
        if (how, len(result.attempts)) == ("two", 2):  # the slower of two at once
            assert max(one.latency_ms for one in result.attempts) == result.latency_ms
        last = max(place for place, event in enumerate(seen) if isinstance(event, Sent))
        shown = gave[seen[last].model]
        assert (
            getattr(shown, "text", shown) == "".join(texts(seen[last:])) or seen[last].tier == "TOP"
        )

    ended = {event.attempt.id for event in seen if isinstance(event, Attempted)}
    assert ended == {one.id for one in result.attempts}
    told = "\n".join([*lines(result, seen), *end]).replace(f"{server.host} answered ", "")
    told = told.replace(server.host, "it")
    assert textwrap.dedent(STORIES[asked])[1:] == re.sub(CUT, "", told, flags=re.MULTILINE)
    kept, rows = (
        {one.id: (one.status, one.escalated) for one in result.attempts},
        router.ledger.rows(),
    )
    assert kept == {row["id"]: (row["status"], row["escalated"]) for row in rows}
    assert sum(row["cost_usd"] for row in rows) == result.cost_usd == router.spend().usd


# Cascade


def test_what_a_check_said_goes_up_with_the_prompt_and_all_of_it_is_in_the_cache(router, server):
    server.answer('{"a": 3}', small=SAID["twice"])
    first = router.route(HARD, strategy="cascade", json=True)

    said = "The answer before could not be read as JSON: the key 'a' occurs twice in one object."
    assert [HARD, f"{HARD}\n\n{said}"] == server.prompts
    for cache in ("use", "only"):
        again = router.route(HARD, strategy="cascade", json=True, cache=cache)
        assert lines(first, []) == lines(again, [])
        assert ({"a": 3}, 0, True) == (again.data, again.cost_usd, again.answer.cached)
    with pytest.raises(errors.ReplayMiss):
        router.route("something else", strategy="cascade", cache="only")
    assert 2 == len(server.requests)
    server.answer("It moves slowly, by and by.")  # enough for a long prompt above the lowest tier
    assert "MID" == router.route(HARD * 10, strategy="cascade").tier


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


def test_a_cascade_skips_a_tier_that_reads_no_more_than_one_that_read_too_little(
    make_router, server
):
    contexts = zip(LADDER.tiers, (1000, 800, 2000), strict=True)
    tiers = tuple(replace(tier, context=most, fallbacks=()) for tier, most in contexts)
    server.answer(Reply(status=400, error="maximum context length is 1000 tokens"), large=GOOD)
    result = make_router(ladder=replace(LADDER, tiers=tiers)).route(HARD, strategy="cascade")

    assert ["small", "large"] == [attempt.model for attempt in result.attempts]
    assert ("TOP", GOOD) == (result.tier, result.text)


# Two at once


def test_answers_that_cannot_be_compared_leave_the_better_one_and_a_replay_sends_nothing(
    file_router, server
):
    router = file_router('embedder = "loop"')
    server.answer(GOOD, small=OTHER)
    server.embedding_reply(status=404, error="no such model")
    result = router.route(HARD, **TWO, by="cosine")

    assert ("TOP", GOOD) == (result.tier, result.text)
    assert "the answers could not be compared" == result.rungs[0].failed.reason
    (told,) = result.notices
    assert told.startswith("the answers could not be compared, so they count as different: 127.0.")
    answers = [row for row in router.ledger.rows() if row["purpose"] == "answer"]
    assert ["ok", "rejected"] == sorted(row["status"] for row in answers)
    dry = router.explain("hi", classifier="embedding")
    assert ("LOW", "text-embedding-3-small") == (dry.asking.tier, dry.asking.model)
    found = router.classify("hi", "embedding")
    assert {"embed"} == {one.purpose for one in found.attempts}
    assert dry.asking.input_tokens >= sum(one.input_tokens for one in found.attempts) > 4000
    assert router.explain("hi", classifier="embedding").asking is None
    router.route(HARD, **TWO)
    before = len(server.requests)
    assert GOOD == router.route(HARD, **TWO, cache="only").text
    with pytest.raises(errors.ReplayMiss, match="no vectors"):
        router.classify("never seen", "embedding", cache="only")
    assert before == len(server.requests)


def test_with_no_embedder_nothing_is_sent_and_the_line_says_what_to_install(opened, monkeypatch):
    monkeypatch.setattr("nbroute.embedders.wordllama.available", lambda: False)
    router = opened(profile="simulated")
    for options in ({"strategy": "parallel", "by": "cosine"}, {"classifier": "embedding"}):
        with pytest.raises(errors.SettingsError, match=r"nbroute\[embeddings\]"):
            router.route("hello", **options)

    assert [] == router.ledger.rows()
    assert router.route(HARD, strategy="parallel").text


def test_two_tiers_of_one_model_are_named_and_an_escalation_asks_the_third(make_router, server):
    tiers = tuple(replace(tier, model="same") for tier in LADDER.tiers[:2])
    router = make_router(ladder=replace(LADDER, tiers=(*tiers, LADDER.tiers[2])))
    result = router.route(HARD, strategy="consensus")

    said = "LOW and MID are both same: a model agrees with itself more often than it is right"
    assert (said,) == result.notices
    assert "TOP" == router.escalate(result).tier


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


def press():
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize(("strategy", "low"), [("parallel", "ok"), ("consensus", "interrupted")])
def test_ctrl_c_stops_both_of_two_asks_no_third_and_records_both(router, server, strategy, low):
    both = threading.Barrier(2, action=press if low == "interrupted" else None)

    def handler(sent):
        both.wait(30)
        whole = sent["model"] == "small" and low == "ok"
        return Reply(text=GOOD, stall_after=None if whole else 2)

    def look(event):
        if isinstance(event, Attempted) and event.attempt.status == "ok":
            press()

    server.handler = handler
    with pytest.raises(errors.Interrupted) as caught:
        router.route(HARD, strategy=strategy, observe=look)

    kept, rows = caught.value.result.attempts, router.ledger.rows()
    for found in ([(a.tier, a.status) for a in kept], [(r["tier"], r["status"]) for r in rows]):
        assert [("LOW", low), ("MID", "interrupted")] == sorted(found)
    assert all(row["cost_usd"] > 0 for row in rows)
    server.handler = None
    assert "ok" == router.route("hello again").text
