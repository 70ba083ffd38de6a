"""The confidence that the model states, how it is taken out of the answer, and the measured one."""

from __future__ import annotations

from math import exp, log, nan

import pytest

from nbroute.checks.confidence import RATING_INSTRUCTION, RatingFilter, take_rating
from nbroute.checks.named import judge, wanted
from nbroute.types import Options, Verdict


def test_a_confidence_is_held_against_the_threshold(reply):
    unknown = "the endpoint gives no log-probabilities"
    for check, value, passed, reason in (
        ("rating", 8, True, ""),
        ("rating", 7, False, "rates itself 7 of 10, wanted 8"),
        ("rating=9", 8, False, "rates itself 8 of 10, wanted 9"),
        ("rating", None, False, "no rating in the answer"),
        ("logprob", log(0.81), True, ""),
        ("logprob", log(0.79), False, "its tokens had a mean probability of 0.79, wanted 0.8"),
        ("logprob=0.9", log(0.89), False, "its tokens had a mean probability of 0.89, wanted 0.9"),
        ("logprob=1", 0.5, True, ""),
        ("logprob", nan, True, unknown),
        ("logprob=0.9", None, True, unknown),
    ):
        name = check.partition("=")[0]
        (verdict,) = judge(reply(**{name: value}), wanted(Options(checks=(check,))))
        score = value if name == "rating" else None if reason == unknown else exp(min(value, 0))
        assert Verdict(passed, name, reason, score=score) == verdict


UNRATED = [
    "Confidence: 8\nis what the model wrote first.",
    "The study reports a level.\nConfidence: 8 of the 12 patients felt it.",
    "Paris.\nConfidence: high",
    "Paris.\nConfidence: 1-10",
    "Be sure of yourself. Confidence",
    "",
    RATING_INSTRUCTION,
]


@pytest.mark.parametrize(
    ("text", "answer", "rating"),
    [
        ("Paris.\nConfidence: 8", "Paris.", 8),
        ("Paris.\n\n**Confidence:** 8/10\n", "Paris.", 8),
        ("Paris.\nConfidence (1-10): 8", "Paris.", 8),
        ("Paris.\nConfidence (1 to 10): 1", "Paris.", 1),
        ("Paris. I'd rate my confidence 8 out of 10.", "Paris.", 8),
        ("Paris. I’d rate my confidence in this answer as a 9.", "Paris.", 9),
        ("Paris.\n- **Confidence level**: 7.5 (I know it well.)", "Paris.", 7.5),
        ("Paris.\nConfidence: 90,5%", "Paris.", 9.05),
        ("Paris.\nConfidence: 4/5", "Paris.", 8),
        ("Paris.\nConfidence: 8/0", "Paris.", None),
        ("Paris.\nKonfidenz: 8 von 10", "Paris.", 8),
        ("Paris.\nNiveau de confiance : 8 sur 10", "Paris.", 8),
        ("巴黎。置信度：８", "巴黎。", 8),
        ("巴黎。\n置信度：八分", "巴黎。", 8),
        ("पेरिस\nआत्मविश्वास: ८", "पेरिस", 8),
        ("Paris.\nConfidence: 11", "Paris.", None),
        ("Paris.\nConfidence: 0", "Paris.", None),
        *((text, text, None) for text in UNRATED),
    ],
)
def test_a_rating_is_taken_out_of_the_answer_and_no_letter_of_it_is_shown_in_a_stream(
    text, answer, rating
):
    for size in (1, 2, 3, 7):
        sieve = RatingFilter()
        shown = "".join(sieve.feed(text[at : at + size]) for at in range(0, len(text), size))
        last, found = sieve.end()

        assert (answer, rating) == take_rating(text) == (shown + last, found)
        if answer != text:
            assert (answer, "") == (shown, last)
    # A stream is held back only where a line begins like a rating.
    feed = RatingFilter().feed
    words = ("The capital", " is Paris", ".\n", "Confidence", " grows")
    assert ["The capital", " is Paris", ".", "", "\nConfidence grows"] == [*map(feed, words)]
    assert RatingFilter().feed("Confidence of the " * 20)  # too long for one
    assert RATING_INSTRUCTION == (
        "Also rate your confidence that the answer is right, from 1 to 10, on a last line of its "
        "own: Confidence: N"
    )
