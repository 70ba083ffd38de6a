"""The checks that a cascade makes of an answer, and the words that ask for them."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbroute.checks.confidence import RATING_INSTRUCTION, RatingFilter, take_rating
from nbroute.checks.form import asks_short, valid_json
from nbroute.checks.named import (
    NAMES,
    Asked,
    asked_for,
    best,
    judge,
    own,
    parse_check,
    wanted,
)
from nbroute.checks.text import without_fence
from nbroute.errors import SettingsError
from nbroute.types import Options, Reply, Usage, Verdict

DATA = Path(__file__).parents[1] / "data"
LONG_PROMPT = "Explain the causes of the war and what followed from them. " * 4
PASS = Verdict(True, "any")
FAIL = Verdict(False, "any", "no good")


def reply(text="A complete answer to the question.", **more):
    fields = {"finish_reason": "stop", "latency_ms": 100.0, "ttft_ms": None} | more
    return Reply(text, "m", Usage(), **fields)


def answers(kind, half):
    lines = (DATA / f"answers_{kind}.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["half"] == half]


def doubted(row):
    checks = wanted(Options(checks=("refusal", "unsure")), prompt=row["prompt"])
    return not all(verdict.passed for verdict in judge(reply(row["text"]), checks))


def names(options, structured=None):
    """The names by which the verdicts call the checks, in the order in which they are made."""
    easy = reply("{}", rating=10, logprob=0.0, latency_ms=0.0)
    return [judge(easy, (check,))[0].check for check in wanted(options, structured=structured)]


def failing(text, prompt="", checks=(), *, strategy="cascade", lowest=False, **more):
    """The verdict that sends the answer back; None where it passes."""
    options = Options(strategy=strategy, checks=checks)
    verdicts = judge(reply(text, **more), wanted(options, prompt=prompt, lowest=lowest))
    return next((verdict for verdict in verdicts if not verdict.passed), None)


@pytest.mark.parametrize("half", ["tuned", "held"])
def test_good_answers_about_doubt_are_not_taken_for_doubt(half):
    assert [] == [row["text"] for row in answers("ok", half) if doubted(row)]


@pytest.mark.parametrize("half", ["tuned", "held"])
def test_refusals_and_doubts_are_found_in_ten_languages(half):
    rows = answers("unsure", half)

    assert 10 == len({row["lang"] for row in rows})
    assert [] == [row["text"] for row in rows if not doubted(row)]


def test_the_answer_sets_are_large_and_a_third_was_held_out():
    for kind, least in (("ok", 120), ("unsure", 80)):
        held, tuned = len(answers(kind, "held")), len(answers(kind, "tuned"))
        assert held + tuned >= least
        assert 3 * held >= held + tuned


def test_the_verdict_names_the_phrase_as_written_and_its_place():
    verdict = failing("It was built in 1890, but I’m not Sure when exactly.")

    assert "unsure" == verdict.check
    assert "says 'I’m not Sure' at character 26" == verdict.reason


def test_the_content_filter_of_an_endpoint_is_a_refusal():
    verdict = failing("Well, the first thing to do is", finish_reason="content_filter")

    assert ("refusal", "stopped by the endpoint's content filter") == (
        verdict.check,
        verdict.reason,
    )


@pytest.mark.parametrize("mark", ['"{}"', "“{}”", "„{}“", "«{}»", "‘{}’", "'{}'", "「{}」", "`{}`"])
def test_a_quoted_phrase_is_not_the_answers_own(mark):
    quoted = mark.format("I don't know." if mark != "'{}'" else "I do not know.")

    assert failing(f"The usual words are: {quoted} They are honest.") is None
    assert failing("The usual words are these. I don't know. They are honest.") is not None


@pytest.mark.parametrize(
    "text", ["```\nI don't know.\n```", "> I don't know.", "| I don't know. |"]
)
def test_code_quotations_and_tables_are_not_the_answers_own(text):
    assert failing(f"{text}\n\nThat is how it is written.") is None


def test_words_in_another_voice_count_only_where_they_refuse_the_task():
    prompt = "Write a short story in the first person."

    assert failing("I don't know how it began. I cannot see the sea.", prompt) is None
    assert "refusal" == failing("I'm sorry, but I can't write that story.", prompt).check


@pytest.mark.parametrize(
    "text",
    ['"' * 20000, " 'a" * 5000, "I'm really " * 4000, "\n" * 20000, "```\n" * 4000, "我" * 20000],
    ids=["quotes", "apostrophes", "really", "lines", "fences", "chinese"],
)
def test_hostile_answers_are_judged_too(text):
    assert judge(reply(text), wanted(Options(strategy="cascade"), prompt=text))


def test_an_answer_cut_off_by_the_budget_fails_first():
    verdict = failing("I don't", finish_reason="length")

    assert ("truncation", "cut off by the token budget") == (verdict.check, verdict.reason)


@pytest.mark.parametrize("text", ["{}", "[1]", '"a"', "```json\n{}\n```", " null "])
def test_one_json_value_passes(text):
    assert valid_json(reply(text)).passed


@pytest.mark.parametrize("text", ["", "{'a': 1}", "{} {}", "Sure: {}", "NaN", "[" * 100000])
def test_what_is_not_one_json_value_fails(text):
    assert not valid_json(reply(text)).passed


def test_the_fence_around_an_answer_is_taken_off():
    assert '{"a": 1}' == without_fence('```json\n{"a": 1}\n```\n')


def test_nineteen_characters_are_too_few_and_twenty_are_enough():
    prompt = "Describe the sea."

    assert "19 characters, wanted 20" == failing("a" * 19, prompt).reason
    assert failing("a" * 20, prompt) is None


def test_a_long_prompt_wants_fifty_characters_from_the_lowest_tier():
    assert "49 characters, wanted 50" == failing("a" * 49, LONG_PROMPT, lowest=True).reason
    assert failing("a" * 50, LONG_PROMPT, lowest=True) is None
    assert failing("a" * 49, LONG_PROMPT, lowest=False) is None


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("What is the capital of France?", "Paris"),
        ("Reply with one word: is it spam or not?", "spam"),
        ("What is 12 * 12?", "144"),
        ("Is Pluto a planet?", "No."),
        ("Yes or no: is the sky blue at noon on a clear day?", "Yes"),
        ("Classify the sentiment of this review: great!", "positive"),
        ("Which of these is a fruit?\nA) stone\nB) apple", "B"),
        ("Find the field.\n(A) r over two\n(B) r squared\n(C) zero", "The answer is (B)."),
        ("How many legs has a spider?", "8"),
        ("Translate 'cat' into French.", "chat"),
        ("Antworte mit einem Wort: Farbe des Himmels", "blau"),
        ("Réponds par oui ou non : la Terre est-elle ronde ?", "oui"),
        ("用一个词回答：天空的颜色", "蓝"),
    ],
)
def test_a_short_answer_passes_where_a_short_one_was_asked_for(prompt, answer):
    assert failing(answer, prompt) is None
    assert "length" == failing(answer, prompt, ("length=20",)).check


@pytest.mark.parametrize(
    "prompt",
    [
        "Explain how a transistor works.",
        "Write an essay about the sea.",
        "Can you explain recursion?",
        "Why is the sky blue",
        "Work through these:\n(a) describe the field\n(b) derive its energy",
        "Describe the plot of 'Who is there?'.",
    ],
)
def test_a_short_answer_fails_where_more_was_asked_for(prompt):
    assert asks_short(prompt) is None
    assert "length" == failing("It just is.", prompt).check


def test_the_verdict_says_how_a_wish_for_a_short_answer_was_seen():
    options = Options(strategy="cascade")
    prompt = "Is it raining in Oslo? Yes or no."
    verdicts = judge(reply("Yes"), wanted(options, prompt=prompt))

    assert "3 characters, where the prompt asks for yes or no ('Yes or no')" == verdicts[1].reason


def test_json_may_be_short_and_no_answer_may_be_empty():
    options = Options(strategy="cascade", json=True)

    assert all(v.passed for v in judge(reply("{}"), wanted(options, prompt="Extract the names.")))
    assert "the answer is empty" == failing("  \n", "What is the capital of France?").reason


def test_a_chinese_answer_is_long_enough_with_fewer_characters():
    assert failing("光合作用是植物制造养分的过程。", "解释光合作用。") is None


def test_a_missed_latency_target_fails():
    verdict = failing("A complete answer to it.", checks=("latency=2000",), latency_ms=2310.4)

    assert ("latency", "took 2310 ms, the target is 2000 ms") == (verdict.check, verdict.reason)
    assert failing("A complete answer to it.", checks=("latency=2000",), latency_ms=2000) is None


@pytest.mark.parametrize(
    ("rating", "check", "reason"),
    [
        (8, "rating", None),
        (7, "rating", "rates itself 7 of 10, wanted 8"),
        (8, "rating=9", "rates itself 8 of 10, wanted 9"),
        (None, "rating", "no rating in the answer"),
    ],
)
def test_a_self_rating_is_held_against_the_threshold(rating, check, reason):
    verdict = failing("A complete answer to it.", checks=(check,), rating=rating)

    assert reason == (verdict and verdict.reason)


def test_a_measured_probability_is_held_against_the_threshold():
    likely, unlikely = math.log(0.81), math.log(0.79)

    assert failing("A complete answer to it.", checks=("logprob",), logprob=likely) is None
    verdict = failing("A complete answer to it.", checks=("logprob",), logprob=unlikely)
    assert "its tokens had a mean probability of 0.79, wanted 0.8" == verdict.reason


def test_an_endpoint_without_log_probabilities_passes_and_the_verdict_says_so():
    (verdict,) = judge(reply(), wanted(Options(checks=("logprob=0.9",))))

    assert (True, "the endpoint gives no log-probabilities") == (verdict.passed, verdict.reason)


def test_a_cascade_checks_by_default_and_the_others_only_what_is_asked_for():
    cascade = ["truncation", "length", "refusal", "unsure"]

    assert cascade == names(Options(strategy="cascade"))
    assert [] == names(Options(strategy="direct"))
    assert ["json"] == names(Options(strategy="parallel", json=True))
    assert ["unsure"] == names(Options(checks=("unsure",)))


def test_the_checks_are_made_in_one_order_however_they_are_asked_for():
    def mine(text):
        return True

    checks = (own(mine), "logprob", "rating", "latency=5", "unsure", "refusal", "length", "json")

    assert [*NAMES[:-1], "mine"] == names(Options(checks=(*checks, "truncation")))


def test_the_schemas_check_stands_in_the_place_of_the_one_for_json():
    def schema(reply):
        return Verdict(True, "schema")

    options = Options(strategy="cascade", json=True)

    assert ["truncation", "schema", "length"] == names(options, structured=schema)[:3]
    assert ["schema"] == names(Options(schema={}), structured=schema)


@pytest.mark.parametrize("off", ["no-unsure", "NO-unsure", " no-Unsure "])
def test_a_default_can_be_switched_off(off):
    options = Options(strategy="cascade", checks=(off, "length=0"))

    assert ["truncation", "refusal"] == names(options)


def test_the_last_word_on_a_check_counts():
    assert ["length"] == names(Options(checks=("no-length", "length=5")))
    assert [] == names(Options(checks=("rating=9", "no-rating")))


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("length=20", Asked("length", 20)),
        ("length=0", Asked("length", 0, off=True)),
        ("refusal", Asked("refusal")),
        (" Latency = 2000 ", Asked("latency", 2000)),
        ("rating=7.5", Asked("rating", 7.5)),
        ("no-latency", Asked("latency", off=True)),
    ],
)
def test_a_check_is_asked_for_in_a_word(text, asked):
    assert asked == parse_check(text)


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("unshure", "did you mean 'unsure'?"),
        ("lenght=3", "did you mean 'length'?"),
        ("", "there is 'truncation'"),
        ("latency", "latency=2000"),
        ("latency=0", "more than 0"),
        ("latency=inf", "more than 0"),
        ("latency=", "more than 0"),
        ("length=-1", "a number of characters"),
        ("length=2.5", "a number of characters"),
        ("length=many", "a number of characters"),
        ("rating=11", "from 1 to 10"),
        ("rating=nan", "from 1 to 10"),
        ("logprob=0", "at most 1"),
        ("logprob=-0.3", "at most 1"),
        ("refusal=3", "takes no value"),
        ("no-length=3", "'no-length'"),
    ],
)
def test_a_wrongly_written_check_is_an_error_with_the_cure(text, cure):
    with pytest.raises(SettingsError, match=cure.replace("?", r"\?")) as raised:
        parse_check(text)

    assert len(str(raised.value)) < 250


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_completion_offers_can_be_asked_for_and_switched_off(name):
    assert name == parse_check(f"{name}=1" if name == "latency" else name).name
    assert parse_check(f"no-{name}").off


@pytest.mark.parametrize("needs", [wanted, asked_for])
def test_a_name_that_is_not_built_in_is_an_error(needs):
    with pytest.raises(SettingsError, match="unknown check 'mine'"):
        needs(Options(checks=("mine",)))


def test_only_the_checks_that_need_them_ask_for_a_rating_or_for_probabilities():
    rated = Options(checks=("rating=9", own(bool)))

    assert {"rating"} == set(asked_for(rated))
    assert {"logprob"} == set(asked_for(Options(checks=("logprob", "rating", "no-rating"))))


@pytest.mark.parametrize(
    ("outcome", "passed", "reason"),
    [
        (True, True, ""),
        (False, False, "mine said no"),
        (None, True, ""),
        ("", True, ""),
        ("no source given", False, "no source given"),
        (0, False, "mine said no"),
        (Verdict(False, "theirs", "bad", "try again"), False, "bad"),
    ],
)
def test_a_check_of_ones_own_may_return_many_things(outcome, passed, reason):
    verdict = own(lambda text: outcome, "mine")(reply())

    assert (passed, reason) == (verdict.passed, verdict.reason)


def test_an_assertion_is_a_verdict_with_its_message():
    def cites(text):
        if "[1]" not in text:
            raise AssertionError("no citation")

    def cites_silently(text):
        if "[1]" not in text:
            raise AssertionError

    assert Verdict(False, "cites", "no citation") == own(cites)(reply())
    assert "an assertion of cites_silently failed" == own(cites_silently)(reply()).reason
    assert own(cites)(reply("So it is [1].")).passed


def test_a_check_that_raises_fails_the_answer_and_says_with_what():
    verdict = own(lambda text: text.index("source"), "mine")(reply("none"))

    assert "the check raised ValueError: substring not found" == verdict.reason


def test_a_check_of_two_values_is_given_the_prompt():
    def on_topic(text, prompt):
        return prompt.split()[-1].strip("?") in text

    options = Options(checks=(own(on_topic),))

    verdicts = [
        judge(reply("Oslo is small."), wanted(options, prompt=prompt))[0].passed
        for prompt in ("How big is Oslo?", "How big is Rome?")
    ]
    assert [True, False] == verdicts


def test_a_default_value_is_not_taken_for_the_prompt():
    def long(text, least=3):
        return len(text) >= least

    assert judge(reply("yes"), wanted(Options(checks=(own(long),)), prompt="Is it?"))[0].passed


async def _coroutine(text):
    return True


class _Awaited:
    async def __call__(self, text):
        return True


@pytest.mark.parametrize(
    "function", [_coroutine, _Awaited(), "text", lambda: True, lambda a, b, c: 1]
)
def test_what_cannot_be_called_with_an_answer_is_refused_at_once(function):
    with pytest.raises(SettingsError):
        own(function, "mine")


def test_a_coroutine_that_comes_back_is_a_failure_and_not_a_pass():
    verdict = own(lambda text: _coroutine(text), "mine")(reply())  # noqa: PLW0108 - hides that it is one

    assert "the check returned a coroutine, not an answer" == verdict.reason


def test_a_check_of_ones_own_is_marked_and_keeps_what_its_function_says_of_itself():
    def runs(text):
        return True

    runs.runs_code = True

    assert (True, True) == (own(runs).own, own(runs).runs_code)
    assert not own(lambda text: True).runs_code


def test_judging_stops_at_the_first_that_fails():
    def explodes(reply):
        raise RuntimeError(reply.text)

    verdicts = judge(reply("hm"), (lambda _: True, explodes, lambda _: True))

    assert [True, False] == [verdict.passed for verdict in verdicts]
    assert "the check raised RuntimeError: hm" == verdicts[1].reason


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([(PASS, FAIL), (PASS, PASS, FAIL), (FAIL,)], 1),
        ([(PASS, FAIL), (PASS, FAIL), (FAIL,)], 1),
        ([(FAIL,), (FAIL,)], 1),
        ([(PASS,), (PASS, PASS, FAIL)], 0),
        ([()], 0),
    ],
)
def test_the_best_attempt_passed_most_and_the_higher_tier_wins_a_tie(candidates, expected):
    assert expected == best(candidates)


RATED = [
    ("Paris.\nConfidence: 8", "Paris.", 8),
    ("Paris.\n\n**Confidence:** 8/10\n", "Paris.", 8),
    ("Paris.\nConfidence (1-10): 8", "Paris.", 8),
    ("Paris. I'd rate my confidence 8 out of 10.", "Paris.", 8),
    ("Paris. I’d rate my confidence in this answer as a 9.", "Paris.", 9),
    ("Paris. Confidence: 8.", "Paris.", 8),
    ("Paris.\n- **Confidence level**: 7.5 (I know it well.)", "Paris.", 7.5),
    ("Paris.\nConfidence: 90%", "Paris.", 9),
    ("Paris.\nConfidence: 4/5", "Paris.", 8),
    ("Paris.\nKonfidenz: 8 von 10", "Paris.", 8),
    ("Paris.\nNiveau de confiance : 8 sur 10", "Paris.", 8),
    ("巴黎。置信度：８", "巴黎。", 8),
    ("巴黎。\n置信度：八分", "巴黎。", 8),
    ("पेरिस\nआत्मविश्वास: ८", "पेरिस", 8),
    ("Paris.\nConfidence: 11", "Paris.", None),
    ("Paris.\nConfidence: 0", "Paris.", None),
]
UNRATED = [
    "Confidence: 8\nis what the model wrote first.",
    "Confidence intervals are often misread.",
    "The study reports a level.\nConfidence: 8 of the 12 patients felt it.",
    "Paris.\nConfidence: high",
    "Paris.\nConfidence: 1-10",
    "Be sure of yourself. Confidence",
    "Line one.\nConfidence: 8\n\nLine two.  \n",
    "",
]


@pytest.mark.parametrize(("text", "answer", "rating"), RATED)
def test_the_rating_is_taken_out_of_the_answer(text, answer, rating):
    assert (answer, rating) == take_rating(text)


@pytest.mark.parametrize("text", UNRATED)
def test_an_answer_without_a_rating_is_left_as_it_is(text):
    assert (text, None) == take_rating(text)


def test_the_instruction_that_asks_for_a_rating_is_not_one_itself():
    assert (RATING_INSTRUCTION, None) == take_rating(RATING_INSTRUCTION)


PIECES = st.sampled_from(
    ["Confidence", "confidence", ": ", " ", "\n", "8", "/10", ".", "**", "(1-10)", " out of 10",
     "%", "I'd rate my ", "level", "is", "Paris", "。", "置信度", "：", "八", " - sure", "(", ")",
     "1", "to", "\t", '"', "」", "!"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=14).map("".join), st.lists(st.integers(1, 6), min_size=1))
def test_a_stream_shows_what_the_whole_answer_would(text, sizes):
    sieve = RatingFilter()
    shown, rest, turn = "", text, 0
    while rest:
        size = sizes[turn % len(sizes)]
        shown += sieve.feed(rest[:size])
        rest, turn = rest[size:], turn + 1
    last, rating = sieve.end()

    assert take_rating(text) == (shown + last, rating)


@pytest.mark.parametrize(("text", "answer", "rating"), RATED)
def test_no_letter_of_the_rating_is_shown_in_a_stream(text, answer, rating):
    sieve = RatingFilter()
    shown = "".join(sieve.feed(letter) for letter in text)

    assert (answer, ("", rating)) == (shown, sieve.end())


def test_a_stream_is_held_back_only_where_a_line_begins_like_a_rating():
    sieve = RatingFilter()

    shown = [
        sieve.feed(word) for word in ("The capital", " is Paris", ".\n", "Confidence", " grows")
    ]

    assert ["The capital", " is Paris", ".", "", "\nConfidence grows"] == shown
