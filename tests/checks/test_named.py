"""The words that ask for checks, checks of one's own, and what they say together."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from nbroute.additions import modules_of
from nbroute.checks.named import NAMES, Asked, asked_for, best, judge, own, parse_check, wanted
from nbroute.errors import SettingsError
from nbroute.types import Options, Verdict

PASS, FAIL = Verdict(True, "any"), Verdict(False, "any", "no good")
CASCADE = ["truncation", "length", "refusal", "unsure"]
MORE = {
    name.replace("_", "-"): "=1" * hasattr(more, "TAKES")
    for name, more in modules_of("nbroute.checks.more").items()
}


def mine(text):
    return True


def schema(reply):
    return Verdict(True, "schema")


ADDED = [name + value for name, value in MORE.items()]
ALL = (own(mine), "logprob", "rating", *ADDED, "unsure", "refusal", "length", "json")


@pytest.mark.parametrize(
    ("options", "structured", "names"),
    [
        ({"strategy": "cascade"}, None, CASCADE),
        ({"strategy": "direct"}, None, []),
        ({"strategy": "parallel", "json": True}, None, ["json"]),
        ({"checks": (*ALL, "truncation")}, None, [*NAMES[:-1], "mine"]),
        ({"strategy": "cascade", "json": True}, schema, ["truncation", "schema", *CASCADE[1:]]),
        ({"schema": {}}, schema, ["schema"]),
        # the last word on a check counts
        ({"checks": ("no-length", "length=5")}, None, ["length"]),
        ({"checks": ("rating=9", "no-rating")}, None, []),
        ({"strategy": "cascade", "checks": (" NO-Unsure", "length=0")}, None, CASCADE[::2]),
    ],
)
def test_the_checks_are_those_asked_for_in_one_order(reply, options, structured, names):
    easy = reply("{}", rating=10, logprob=0.0, latency_ms=0.0)
    checks = wanted(Options(**options), structured=structured)

    assert names == [judge(easy, (check,))[0].check for check in checks]


def test_a_check_is_asked_for_in_a_word():
    words = {
        "length=0": Asked("length", 0, off=True),
        " Latency = 2000 ": Asked("latency", 2000),
        "rating=1": Asked("rating", 1),
        "logprob=1": Asked("logprob", 1),
        "learned=0": Asked("learned", 0),
        "No_latency": Asked("latency", off=True),
        **{name + MORE.get(name, ""): Asked(name, *[1] * bool(MORE.get(name))) for name in NAMES},
        **{f"no-{name}": Asked(name, off=True) for name in NAMES},
    }
    assert words == {text: parse_check(text) for text in words}


WRONG = {
    "unshure": "did you mean 'unsure'?",
    "lenght=3": "did you mean 'length'?",
    "": "use 'truncation', 'json'",
    "latency": "latency=2000",
    **dict.fromkeys(["latency=0", "latency=inf", "latency="], "more than 0"),
    **dict.fromkeys(["length=-1", "length=2.5", "length=many"], ", 0 for no such check."),
    **dict.fromkeys(["rating=11", "rating=0.9", "rating=nan"], "takes a rating from 1 to 10."),
    **dict.fromkeys(["logprob=0", "logprob=1.1"], "a probability, more than 0 and at most 1."),
    **dict.fromkeys(["learned=1.1", "learned=-0.1"], "takes a chance from 0 to 1."),
    "refusal=3": "takes no value",
    "no-length=3": "'no-length'",
    "learned": "router.fit_check",  # nothing was fitted
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrongly_written_check_is_an_error_with_the_cure(text):
    with pytest.raises(SettingsError) as raised:
        wanted(Options(checks=(text,)))

    assert WRONG[text] in str(raised.value)
    assert len(str(raised.value)) < 250


def test_only_the_checks_that_need_them_ask_for_a_rating_or_for_probabilities():
    assert {"rating"} == set(asked_for(Options(checks=("rating=9", own(bool)))))
    assert {"logprob"} == set(asked_for(Options(checks=("logprob", "rating", "no-rating"))))


# Checks of one's own


def cites(text, *message):
    if "[1]" not in text:
        raise AssertionError(*message)


class Unsayable(Exception):
    def __str__(self):
        raise RuntimeError


def unsayable(text):
    raise Unsayable


async def coroutine(text):
    return True


@pytest.mark.parametrize(
    ("function", "passed", "reason"),
    [
        *[(lambda text, outcome=outcome: outcome, True, "") for outcome in (True, None, "")],
        *[(lambda text, outcome=outcome: outcome, False, "mine said no") for outcome in (False, 0)],
        (lambda text: "no\nsource", False, "no source"),
        (lambda text: cites(text, "no citation"), False, "no citation"),
        (cites, False, "an assertion of mine failed"),
        (lambda text: cites("[1]"), True, ""),
        (lambda text: text.index("?"), False, "the check raised ValueError: substring not found"),
        (unsayable, False, "the check raised Unsayable: its message cannot be shown"),
        (lambda text: exit(3), False, "the check raised SystemExit: 3"),  # noqa: PLR1722 - as a user may
        (lambda text: coroutine(text), False, "the check returned a coroutine, not an answer"),  # noqa: PLW0108 - hides that it is one
    ],
)
def test_a_check_of_ones_own_may_return_many_things_or_raise_what_is_wrong(
    reply, function, passed, reason
):
    assert Verdict(passed, "mine", reason) == own(function, "mine")(reply())
    whole = Verdict(False, "its own name", f"bad {'word ' * 200}", "try again", 0.5)
    told = replace(whole, reason=f"bad {'word ' * 100}"[:500])
    assert told == own(lambda text: whole, "mine")(reply())


def test_a_check_is_given_the_prompt_where_it_wants_it_and_no_default_is_taken_for_it(reply):
    for passed, check in (
        (True, lambda text, question: question == "How?"),
        (False, lambda text, question: question != "How?"),
        (True, lambda text, prompt="": prompt == "How?"),
        (True, lambda *texts: len(texts) == 1),
        (True, lambda text, least=3: len(text) >= least),
        (True, bool),
    ):
        (verdict,) = judge(reply("Oslo."), wanted(Options(checks=(own(check),)), prompt="How?"))
        assert passed == verdict.passed


class Awaited:
    async def __call__(self, text):
        return True


def demands(text, *, more):
    return True


def test_what_cannot_be_called_with_an_answer_is_refused_at_once():
    wrong = [coroutine, partial(coroutine), Awaited(), "text", lambda: True, lambda a, b, c: 1]
    for function in (*wrong, demands):
        with pytest.raises(SettingsError, match="the check 'mine'"):
            own(function, "mine")
    assert ("mine", True, False) == (own(mine).__name__, own(mine).own, own(mine).runs_code)


# Together


def stops(text):
    raise KeyboardInterrupt


def test_judging_stops_at_the_first_that_fails_and_says_how_a_check_of_replies_is_called(reply):
    why = "the check raised AttributeError: 'Reply' object has no attribute 'upper'; it is given a "
    why += "Reply: nbroute.checks.own(f) makes a check of a text function"
    made = (Verdict(True, "<lambda>"), Verdict(False, "<lambda>", why))

    assert made == judge(reply(), (lambda _: True, lambda text: text.upper(), lambda _: True))
    with pytest.raises(KeyboardInterrupt):
        judge(reply(), (own(stops),))


def scored(score):
    return Verdict(False, "rating", "", score=score)


def test_the_best_attempt_passed_most_and_the_higher_tier_wins_a_tie():
    for candidates, expected in (
        ([(PASS, FAIL), (PASS, PASS, FAIL), (FAIL,)], 1),
        ([(PASS, FAIL), (PASS, FAIL), (FAIL,)], 1),
        ([(PASS,), (PASS, PASS, FAIL)], 0),
        ([(scored(0.5),), (scored(0.4),), (FAIL,)], 0),
        ([()], 0),
    ):
        assert expected == best(candidates)
