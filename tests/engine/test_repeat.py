"""One tier asked the same several times: how far its answers agree, which is used, what is paid."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from decimal import Decimal

import pytest
from conftest import LADDER
from loopback import Reply

import nbroute
from nbroute.errors import BudgetExceeded, Interrupted, SettingsError, Unavailable
from nbroute.notebook.lines import repeated
from nbroute.types import Sent, Text

PROMPT = "What is 6 times 7?"
USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}


def queue(server, *texts):
    for text in texts:
        server.reply(text=text, usage=USAGE)


def test_the_answer_that_most_agree_on_is_used_and_all_are_paid_for(router, server):
    queue(server, "It is 41.", "It is 42.", "The answer is 42", "42", "The answer is **42**.")
    seen = []
    result = router.route(PROMPT, repeat=5, effort="low", observe=seen.append)

    found, price = result.repeats, LADDER.tiers[0].price
    assert (5, "value", "42", 0.8) == (found.asked, found.by, found.value, found.share)
    assert 5 == len(server.requests) == len({*found.answered}) == router.spend().calls
    assert (found.agreeing[0], True) == (result.answer.id, "42" in result.text)
    assert 5 * (10 * price.input + 20 * price.output) / 1_000_000 == result.cost_usd
    assert "5 answers: 4 agree on 42, $0.00025 in all" == repeated(result)
    others = [("unused", "agrees")] * 3 + [("unused", "says 41")]
    told = {one.id: (one.status, one.error) for one in result.attempts}
    assert ("ok", None) == told.pop(result.answer.id)
    assert others == sorted(told.values())
    # only the answer that is used is shown
    shown = [event for event in seen if isinstance(event, Sent | Text)]
    assert [Sent("LOW", "small", "low"), Text(result.text)] == shown


def test_answers_agree_by_their_value_or_by_their_vectors(router, server):
    cats = ("cats purr a lot", "a budget fell", "cats purr a lot today")
    for texts, by, agreeing, says in (
        (("1", "2", "3"), "value", 1, "3 answers: no two agree, $"),
        (cats, "cosine", 2, "3 answers: 2 agree, $"),
    ):
        queue(server, *texts)
        result = router.route("Say something.", repeat=3, agreement=0.8)

        found = result.repeats
        assert (by, agreeing) == (found.by, len(found.agreeing))
        assert found.agreeing[0] == result.answer.id
        assert result.answer.id in found.answered[: None if agreeing > 1 else 1]
        assert "budget" not in result.text
        assert says in repeated(result)


def test_each_is_asked_afresh_none_is_kept_and_an_escalation_asks_once(router, server):
    queue(server, *map(str, range(8)))
    router.route(PROMPT, repeat=2)
    twice = router.route(PROMPT, repeat=2)
    router.route(PROMPT)
    again = router.route(PROMPT)

    assert (5, True) == (len(server.requests), again.cached)
    assert (None, 6) == (router.escalate(twice).repeats, len(server.requests))
    router.parts = replace(router.parts, cache_mode="only")
    only = "repeat asks each time afresh, and cache mode 'only' sends nothing"
    with pytest.raises(SettingsError, match=only):
        router.route(PROMPT, repeat=2)
    assert 6 == len(server.requests)


def test_answers_without_vectors_agree_word_for_word_and_simulated_ones_always(
    file_router, opened, server
):
    queue(server, "A cat.", "A cat.", "A dog.")
    server.embedding_reply(status=404, error="no such model")
    result = file_router('embedder = "loop"').route("What purrs?", tier="LOW", repeat=3)

    assert ("text", 2, "A cat.") == (result.repeats.by, len(result.repeats.agreeing), result.text)
    (told,) = result.notices
    assert told.startswith("only answers that are alike word for word count as agreeing: 127.0.0.1")
    told = {one.id: one.error for one in result.attempts if one.purpose == "answer"}
    assert None is told.pop(result.answer.id)
    assert ["agrees", "differs"] == sorted(told.values())
    simulated = opened(profile="simulated").route("What purrs?", repeat=2)
    assert ("a simulated model gives the same answer each time",) == simulated.notices


def test_one_that_fails_leaves_the_others_and_all_that_fail_are_an_error(make_router, server):
    router = make_router(ladder=nbroute.Ladder("one", LADDER.tiers[2:], "TOP"))
    queue(server, "42", "42")
    server.reply(status=503, error="no")
    result = router.route(PROMPT, tier="TOP", repeat=3)

    assert "2 answers of 3: all agree on 42, $" in repeated(result)
    (told,) = result.notices
    assert told.startswith("1 of 3 answers did not come: 127.0.0.1")
    server.answer(Reply(status=503, error="no"))
    with pytest.raises(Unavailable):
        router.route(PROMPT, tier="TOP", repeat=2)


@pytest.mark.parametrize("limit", ["max_cost", "budget_usd", "budget_usd_per_day"])
def test_what_does_not_fit_n_times_is_refused_before_the_first(router, server, limit):
    most = router.explain(PROMPT).estimates[0].high.usd
    options = {"max_cost": 3 * most} if limit == "max_cost" else {}
    if not options:
        router.limits = replace(router.limits, **{limit: 3 * most})

    with pytest.raises(BudgetExceeded, match=r"LOW 4 times could come|4 calls could cost up"):
        router.route(PROMPT, repeat=4, **options)
    assert [] == server.requests
    assert Decimal(0) == router.spend().usd
    router.route(PROMPT, repeat=3, **options)
    assert 3 == len(server.requests)


def test_over_a_budget_a_cheaper_tier_may_be_asked(router, server):
    top = router.explain(PROMPT, tier="TOP").estimates[2].high.usd
    router.limits = replace(router.limits, budget_usd=2 * top, on_limit="cheaper")
    result = router.route(PROMPT, tier="TOP", repeat=3)

    assert ("MID", 3) == (result.tier, len(server.requests))
    (told,) = result.notices
    over = "over the budget, so MID is asked instead of TOP: 3 calls could cost up to $0.09"
    assert told.startswith(over)
    assert ";" not in told


def test_ctrl_c_keeps_what_was_paid(router, server):
    def reply(_sent):
        os.kill(os.getpid(), signal.SIGINT)
        return Reply(text="42", delay=3, usage=USAGE)

    queue(server, "42", "42")
    server.handler = reply
    with pytest.raises(Interrupted) as caught:
        router.route(PROMPT, repeat=3)

    rows = router.ledger.rows()
    assert {"ok", "interrupted"} >= {row["status"] for row in rows}
    assert 3 == len(rows) == len(caught.value.result.attempts)
    assert caught.value.result.cost_usd > 0
