"""One tier asked the same several times: how far its answers agree, which is used, what is paid."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from cells import desk_of, error_of, run
from conftest import LADDER
from loopback import Reply

import nbroute
from nbroute.compare import Contender
from nbroute.errors import BudgetExceeded, Interrupted, SettingsError, Unavailable
from nbroute.notebook.lines import repeated
from nbroute.types import Sent, Text

PROMPT = "What is 6 times 7?"
USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}


@pytest.fixture
def answers(server):
    """Have the server give these texts, one a request, in the order in which these arrive."""

    def give(*texts):
        left, lock = iter(texts), threading.Lock()

        def reply(_sent):
            with lock:
                text = next(left)
            return text if isinstance(text, Reply) else Reply(text=text, usage=USAGE)

        server.handler = reply

    return give


def test_the_answer_that_most_agree_on_is_used_and_all_are_paid_for(router, server, answers):
    answers("It is 41.", "It is 42.", "The answer is 42", "42", "The answer is **42**.")

    result = router.route(PROMPT, repeat=5)

    found, price = result.repeats, LADDER.tiers[0].price
    assert 5 == len(server.requests) == len(found.answered) == found.asked
    assert ("42", "value", 0.8) == (found.value, found.by, found.share)
    assert found.agreeing[0] == result.answer.id
    assert "42" in result.text
    assert 5 * (10 * price.input + 20 * price.output) / 1_000_000 == result.cost_usd
    assert "5 answers: 4 agree on 42, $" in repeated(result)
    assert repeated(result).endswith(" in all")
    rows = router.ledger.rows()
    assert ["ok", *["unused"] * 4] == sorted(row["status"] for row in rows)
    assert ["agrees"] * 3 + ["says 41"] == sorted(row["error"] for row in rows if row["error"])
    assert 5 == router.spend().calls


def test_answers_without_a_value_agree_by_their_vectors(router, answers):
    answers("cats purr a lot", "the budget was voted down", "cats purr a lot today")

    result = router.route("Say something.", repeat=3, agreement=0.8)

    assert ("cosine", None, 2) == (
        result.repeats.by,
        result.repeats.value,
        len(result.repeats.agreeing),
    )
    assert result.text.startswith("cats")
    assert "3 answers: 2 agree, $" in repeated(result)


def test_where_no_two_agree_the_first_is_used(router, answers):
    answers("1", "2", "3")

    result = router.route(PROMPT, repeat=3)

    assert result.attempts[0].text == result.text
    assert "3 answers: no two agree, $" in repeated(result)


def test_each_is_asked_afresh_and_none_is_kept(router, server, answers):
    answers(*map(str, range(7)))

    router.route(PROMPT, repeat=2)
    router.route(PROMPT, repeat=2)
    router.route(PROMPT)
    again = router.route(PROMPT)

    assert 5 == len(server.requests)
    assert again.cached


def test_one_that_fails_leaves_the_others(make_router, answers):
    router = make_router(ladder=nbroute.Ladder("one", LADDER.tiers[2:], "TOP"))
    answers("42", Reply(status=503, error="no"), "42")

    result = router.route(PROMPT, tier="TOP", repeat=3)

    assert "2 answers of 3: all agree on 42, $" in repeated(result)
    assert any(one.startswith("1 of 3 answers did not come: ") for one in result.notices)


def test_where_all_fail_the_error_is_raised(make_router, server):
    router = make_router(ladder=nbroute.Ladder("one", LADDER.tiers[2:], "TOP"))
    server.handler = lambda _: Reply(status=503, error="no")

    with pytest.raises(Unavailable):
        router.route(PROMPT, tier="TOP", repeat=2)


@pytest.mark.parametrize("limit", ["max_cost", "budget", "day"])
def test_what_does_not_fit_n_times_is_refused_before_the_first(make_router, server, limit):
    most = make_router().explain(PROMPT).estimates[0].high.usd
    options = {"max_cost": 3 * most} if limit == "max_cost" else {}
    router = make_router()
    if limit == "budget":
        router.set_budget(3 * most)
    if limit == "day":
        router.limits = replace(router.limits, budget_usd_per_day=3 * most)

    with pytest.raises(BudgetExceeded, match=r"LOW 4 times could come|4 calls could cost up"):
        router.route(PROMPT, repeat=4, **options)
    assert [] == server.requests
    assert Decimal(0) == router.spend().usd

    router.route(PROMPT, repeat=3, **options)
    assert 3 == len(server.requests)


def test_over_a_budget_a_cheaper_tier_may_be_asked(make_router, server):
    router = make_router()
    top = router.explain(PROMPT, tier="TOP").estimates[2].high.usd
    router.limits = replace(router.limits, budget_usd=2 * top, on_limit="cheaper")

    result = router.route(PROMPT, tier="TOP", repeat=3)

    assert "TOP" != result.tier
    assert any("is asked and not TOP: 3 calls could cost" in one for one in result.notices)
    assert 3 == len(server.requests)


def test_ctrl_c_keeps_what_was_paid(router, server):
    count = itertools.count()

    def reply(_sent):
        if next(count) < 2:
            return Reply(text="42", usage=USAGE)
        os.kill(os.getpid(), signal.SIGINT)
        return Reply(text="42", delay=3, usage=USAGE)

    server.handler = reply
    with pytest.raises(Interrupted) as caught:
        router.route(PROMPT, repeat=3)

    rows = router.ledger.rows()
    assert {"ok", "interrupted"} >= {row["status"] for row in rows}
    assert 3 == len(rows) == len(caught.value.result.attempts)
    assert caught.value.result.cost_usd > 0


def test_only_the_answer_that_is_used_is_told(router, answers):
    answers("41", "42", "42")
    events = []

    router.route(PROMPT, repeat=3, observe=events.append)

    assert ["42"] == [one.text for one in events if isinstance(one, Text)]
    assert 1 == sum(isinstance(one, Sent) for one in events)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"repeat": 1}, "repeat is 1; it takes a whole number from 2 to 20"),
        ({"repeat": 21}, "repeat is 21"),
        ({"repeat": 2.5}, "repeat is 2.5"),
        ({"repeat": True}, "repeat is True"),
        ({"repeat": 3, "strategy": "cascade"}, "asks one tier several times and strategy"),
        ({"repeat": 3, "strategy": "parallel"}, "asks one tier several times and strategy"),
        ({"repeat": 3, "cache": "use"}, "asks each time afresh; leave out cache = 'use'"),
    ],
)
def test_what_makes_no_sense_is_refused(router, server, options, said):
    with pytest.raises(SettingsError, match=said):
        router.route(PROMPT, **options)
    assert [] == server.requests


def test_neither_a_stream_nor_a_batch_repeats(router, server):
    with pytest.raises(SettingsError, match="use route, not stream"):
        router.stream(PROMPT, repeat=2)
    with pytest.raises(SettingsError, match="repeat is for one prompt"):
        router.map([PROMPT], repeat=2)
    assert [] == server.requests


def test_an_escalation_asks_once(router, server, answers):
    answers("42", "42", "43")

    above = router.escalate(router.route(PROMPT, repeat=2))

    assert (3, None) == (len(server.requests), above.repeats)


def test_a_recording_has_each_of_them(make_router, answers, tmp_path):
    file = tmp_path / "five.jsonl"
    router = make_router()
    router.record(file)
    answers("41", "42", "42", "42", "40")
    before = router.route(PROMPT, repeat=5)
    router.close()

    replayed = nbroute.Router(replay=file, classifier=lambda _: "LOW")
    after = replayed.route(PROMPT, repeat=5)
    replayed.close()

    assert ("42", 3, 5) == (after.text, len(after.repeats.agreeing), len(after.repeats.answered))
    assert before.text == after.text


def test_a_contender_is_asked_several_times(router, server, answers):
    answers(*["42"] * 4)

    comparison = router.compare(PROMPT, ["low:x3", "TOP"])

    first, second = comparison.columns
    assert Contender("LOW:x3", "LOW", "small", repeat=3) == first.contender
    assert (3, None) == (len(first.result.repeats.answered), second.result.repeats)
    assert 4 == len(server.requests)
    with pytest.raises(SettingsError, match="repeat is 1;"):
        router.compare(PROMPT, ["LOW:x1"])


# in a notebook


@pytest.fixture
def looped(shell, router, monkeypatch):
    """The shell, on the loopback server's ladder."""
    monkeypatch.setattr(desk_of(shell), "router", router)
    return shell


def test_the_card_has_one_row_for_all(looped, answers):
    answers("42", "42", "It is 41.")

    text, done = run(looped, f"%%route --repeat 3\n{PROMPT}")

    assert done.success
    assert "3 answers: 2 agree on 42, $" in text
    assert "- LOW · small · not used: agrees · " in text
    assert "- LOW · small · not used: says 41 · " in text


def test_a_dry_run_says_how_often_and_what_it_comes_to(looped, server):
    text, _ = run(looped, f"%%route -n --repeat 5\n{PROMPT}")

    assert "would go to LOW 5 times" in text
    assert "LOW 5 times: together at most $" in text
    assert [] == server.requests


def test_a_column_shows_its_agreement(looped, answers):
    answers(*["42"] * 6)

    text, _ = run(looped, f"%%route_compare LOW:x3 TOP\n{PROMPT}")
    both, _ = run(looped, f"%%route_compare LOW:x2 --dry-run\n{PROMPT}")

    assert "3 answers: all agree on 42, $" in text
    assert "LOW:x2" in both


def test_a_wrong_number_is_told(shell):
    assert "it takes a number from 2 to 20" in error_of(shell, "%%route --repeat 1\nhello")
    said = error_of(shell, "%%route --repeat 3 -S cascade\nhello")
    assert "asks one tier several times and strategy = 'cascade' asks several tiers" in said


def test_a_simulated_model_says_that_it_answers_alike(shell):
    text, _ = run(shell, "%%route --repeat 3 -t SIMPLE\nWhat is the capital of France?")

    assert "3 answers: all agree" in text
    assert "a simulated model gives the same answer each time" in text
