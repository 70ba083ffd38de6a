"""A check that was fitted on labels: what it measures of an answer, and its verdict."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, log1p, nan

import numpy as np
import pytest

from nbroute.checks.learned import ENDS, MEASURES, PLACES, LearnedCheck, columns, measured, words
from nbroute.checks.named import judge, wanted
from nbroute.types import Options, Verdict

ASKED = "How many apples has she?"
TWICE = "She has 7 apples, but I'm not sure. She has 7 apples, but I'm not"
REFUSED = "I can't help with that. It is 12"
RUNS = "a b c d a x c d a b y d"  # no four words twice
LONG = "7" * (ENDS + 1) + "." * (ENDS + 1)  # its middle is not read


@pytest.mark.parametrize(
    ("prompt", "answer", "logprob", "measures"),
    [
        (ASKED, TWICE, -0.5, [log1p(65), log1p(24), 0, 0, 4 / 12, 0, 2 / 65, 3 / 6, 9 / 12, 1, 0,
                              exp(-0.5)]),
        ("Is it?", REFUSED, 0.5, [log1p(32), log1p(6), 1, log1p(2), 0, 0, 2 / 32, 2 / 3, 9 / 11, 0,
                                  1, 1]),
        ("", "Paris.", None, [log1p(6), 0, 1, log1p(5), 1, 1, 0, 0, 1, 0, 0, nan]),
        ("7", "7", None, [log1p(1), log1p(1), 1, log1p(1), 1, 1, 1, 1, 0, 0, 0, nan]),
        ("", "That", None, [log1p(4), 0, 1, log1p(4), 1, 1, 0, 0, 1, 0, 0, nan]),
        ("a", RUNS, None, [log1p(23), log1p(1), 0, 0, 0, 0, 0, 1, 5 / 6, 0, 0, nan]),
        ("", RUNS[:7], None, [log1p(7), 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, nan]),
        ("", LONG, None, [log1p(2402), 0, 0, 0, 1, 1, 1200 / 2401, 0, 1, 0, 0, nan]),
        ("", "7" * 2400, None, [log1p(2400), 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, nan]),
    ],
)  # fmt: skip
def test_twelve_things_are_measured_of_an_answer(prompt, answer, logprob, measures):
    names = "length|prompt's length|value|value's length|repeats|ends|digits|words of the prompt"
    names += "|new words|unsure|refused|probability"
    assert names == "|".join(MEASURES)  # as in the files of fitted checks
    assert pytest.approx(measures, nan_ok=True) == measured(prompt, answer, logprob)


def test_a_row_has_what_was_measured_and_then_the_words_of_both_texts():
    row = words("One two TWO")
    assert pytest.approx([1 / 1.965, 1.693 / 1.965], abs=0.001) == sorted(row[row > 0])
    assert [*words("是是")] == [*words("是")]  # the length of a row is 1
    assert not words("").any()
    assert words("cut \ud83d").any()
    measures = np.array([[9.0, -9.0, 3.0, *[nan] * 9]])

    (row,) = columns(["one"], ["two two"], measures, np.ones(12), np.full(12, 2.0))

    expected = [*np.array([3, -3, 1, *[0] * 9]) / 12**0.5, *words("one"), *words("two")]
    assert pytest.approx(expected) == [*row]


def test_an_answer_fails_from_the_threshold_on_and_the_prompt_and_the_probability_count(reply):
    weights = np.zeros(12 + 2 * PLACES)
    check = LearnedCheck(np.zeros(12), np.ones(12), weights, log(3), 0.76, 1234)
    told, good = "75% likely to be wrong, by your 1,234 labels", pytest.approx(0.25)
    asked = wanted(Options(checks=("learned",)), learned=lambda: check)
    strict = wanted(Options(checks=("learned=0.5",)), learned=lambda: check)
    sure = replace(check, bias=99, labels=9, bad="the worse of two")

    assert (Verdict(True, "learned", told, score=good),) == judge(reply(), asked)
    assert (Verdict(False, "learned", told, score=good),) == judge(reply(), strict)
    assert not replace(check, threshold=check.chance("", ""))(reply()).passed
    assert "99% likely to be the worse of two, by your 9 labels" == sure(reply()).reason
    assert 0 < replace(check, bias=-9999).chance("", "") < 1e-20
    assert ("learned", False) == (check.__name__, check.reads_logprob)
    weights[[MEASURES.index("probability"), *range(12, 12 + PLACES)]] = -(12**0.5), 1, *[1] * 1023
    assert check.reads_logprob
    for prompt, logprob, odds in (("why", None, 1), ("why", log(0.5), 0.5), ("", log(0.25), -0.25)):
        (verdict,) = judge(reply(logprob=logprob), wanted(Options(checks=(check,)), prompt=prompt))
        assert pytest.approx(1 / (1 + 3 * exp(odds))) == verdict.score
