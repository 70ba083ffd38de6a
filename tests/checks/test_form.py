"""Whether an answer is whole, long enough, JSON, in time, and neither refuses nor doubts."""

from __future__ import annotations

import dataset
import pytest

from nbroute.checks.form import asks_short, valid_json
from nbroute.checks.named import judge, wanted
from nbroute.checks.text import without_fence
from nbroute.types import Options


@pytest.fixture(scope="module")
def answers():
    return {kind: dataset.rows(f"answers_{kind}") for kind in ("ok", "unsure")}


def test_good_answers_about_doubt_pass_and_refusals_and_doubts_in_ten_languages_do_not(
    reply, answers
):
    def doubted(row):
        checks = wanted(Options(checks=("refusal", "unsure")), prompt=row["prompt"])
        return not all(verdict.passed for verdict in judge(reply(row["text"]), checks))

    assert [] == [row["text"] for row in answers["ok"] if doubted(row)]
    assert [] == [row["text"] for row in answers["unsure"] if not doubted(row)]


@pytest.mark.parametrize(("kind", "least"), [("ok", 120), ("unsure", 80)])
def test_the_answer_sets_are_large_and_a_third_was_held_out(answers, kind, least):
    rows = answers[kind]

    assert len(rows) >= least
    assert 3 * sum(row["half"] == "held" for row in rows) >= len(rows)
    if kind == "unsure":
        for half in ("tuned", "held"):
            assert 10 == len({row["lang"] for row in rows if row["half"] == half})


@pytest.mark.parametrize(
    ("text", "more", "check", "reason"),
    [
        (
            "It was built in 1890, but I’m not Sure when exactly.",
            {},
            "unsure",
            "says 'I’m not Sure' at character 26",
        ),
        (
            "Well, the first thing to do is",
            {"finish_reason": "content_filter"},
            "refusal",
            "stopped by the endpoint's content filter",
        ),
        ("I don't", {"finish_reason": "length"}, "truncation", "cut off by the token budget"),
        ("  \n", {}, "length", "the answer is empty"),
    ],
)
def test_the_verdict_says_what_was_seen_and_where(failing, text, more, check, reason):
    verdict = failing(text, "What is the capital of France?", **more)

    assert (check, reason) == (verdict.check, verdict.reason)


@pytest.mark.parametrize("apostrophe", "'’ʼ＇´")
def test_an_apostrophe_is_one_however_it_is_written(failing, apostrophe):
    verdict = failing(f"It was built in 1890, but I{apostrophe}m not sure when exactly.")

    assert f"says {f'I{apostrophe}m not sure'!r} at character 26" == verdict.reason


@pytest.mark.parametrize("mark", ['"{}"', "“{}”", "„{}“", "«{}»", "‘{}’", "'{}'", "「{}」", "`{}`"])
def test_a_quoted_phrase_is_not_the_answers_own(failing, mark):
    quoted = mark.format("I don't know." if mark != "'{}'" else "I do not know.")

    assert failing(f"The usual words are: {quoted} They are honest.") is None
    assert failing("The usual words are these. I don't know. They are honest.") is not None


@pytest.mark.parametrize(
    "text", ["```\nI don't know.\n```", "> I don't know.", "| I don't know. |"]
)
def test_code_quotations_and_tables_are_not_the_answers_own(failing, text):
    assert failing(f"{text}\n\nThat is how it is written.") is None


def test_words_in_another_voice_count_only_where_they_refuse_the_task(failing):
    prompt = "Write a short story in the first person."

    assert failing("I don't know how it began. I cannot see the sea.", prompt) is None
    assert "refusal" == failing("I'm sorry, but I can't write that story.", prompt).check


@pytest.mark.parametrize(
    "text",
    ['"' * 20000, " 'a" * 5000, "I'm really " * 4000, "\n" * 20000, "```\n" * 4000, "我" * 20000],
    ids=["quotes", "apostrophes", "really", "lines", "fences", "chinese"],
)
def test_hostile_answers_are_judged_too(reply, text):
    assert judge(reply(text), wanted(Options(strategy="cascade"), prompt=text))


@pytest.mark.parametrize(
    ("text", "passed"),
    [(one, True) for one in ("{}", "[1]", '"a"', "```json\n{}\n```", " null ")]
    + [(one, False) for one in ("", "{'a': 1}", "{} {}", "Sure: {}", "NaN", "[" * 100000)],
    ids=lambda value: str(value)[:9],
)
def test_one_json_value_and_nothing_else_passes(reply, text, passed):
    verdict = valid_json(reply(text))

    assert passed == verdict.passed
    assert passed or verdict.feedback.startswith("The answer before could not be read as JSON: ")
    assert '{"a": 1}' == without_fence('```json\n{"a": 1}\n```\n')


LONG_PROMPT = "Explain the causes of the war and what followed from them. " * 4
EXACTLY_30 = "word " * 30


@pytest.mark.parametrize(
    ("prompt", "lowest", "least"),
    [
        *[("Describe the sea.", False, 20), ("Describe the sea.", True, 20)],
        *[(LONG_PROMPT, True, 50), (LONG_PROMPT, False, 20)],
        *[(EXACTLY_30, True, 20), (f"{EXACTLY_30}more", True, 50)],
    ],
)
def test_an_answer_needs_20_characters_and_50_from_the_lowest_tier_to_a_long_prompt(
    failing, prompt, lowest, least
):
    short = failing("a" * (least - 1), prompt, lowest=lowest)

    assert f"{least - 1} characters, wanted {least}" == short.reason
    assert failing("a" * least, prompt, lowest=lowest) is None


SHORT = {
    "What is the capital of France?": "Paris",
    "Reply with one word: is it spam or not?": "spam",
    "What is 12 * 12?": "144",
    "Is Pluto a planet?": "No.",
    "Yes or no: is the sky blue at noon on a clear day?": "Yes",
    "Classify the sentiment of this review: great!": "positive",
    "Which of these is a fruit?\nA) stone\nB) apple": "B",
    "Find the field.\n(A) r over two\n(B) r squared\n(C) zero": "The answer is (B).",
    "How many legs has a spider?": "8",
    "Translate 'cat' into French.": "chat",
    "Antworte mit einem Wort: Farbe des Himmels": "blau",
    "Réponds par oui ou non : la Terre est-elle ronde ?": "oui",
    "用一个词回答：天空的颜色": "蓝",
}


@pytest.mark.parametrize("prompt", SHORT)
def test_a_short_answer_passes_where_a_short_one_was_asked_for(failing, prompt):
    assert failing(SHORT[prompt], prompt) is None
    assert "length" == failing(SHORT[prompt], prompt, ("length=20",)).check


MORE = ["Explain how a transistor works.", "Write an essay about the sea."]
MORE += [
    "Can you explain recursion?",
    "Why is the sky blue",
    "Describe the plot of 'Who is there?'.",
]
MORE += ["Work through these:\n(a) describe the field\n(b) derive its energy"]


@pytest.mark.parametrize("prompt", MORE)
def test_a_short_answer_fails_where_more_was_asked_for(failing, prompt):
    assert asks_short(prompt) is None
    assert "length" == failing("It just is.", prompt).check


@pytest.mark.parametrize(
    ("text", "prompt", "options", "asked"),
    [
        ("Yes", "Is it raining in Oslo? Yes or no.", {}, "yes or no ('Yes or no')"),
        ("{}", "Extract the names.", {"json": True}, "JSON"),
        ("{}", "Extract the names.", {"schema": {}}, "the schema"),
    ],
)
def test_the_verdict_says_why_a_short_answer_is_enough(reply, text, prompt, options, asked):
    verdicts = judge(reply(text), wanted(Options(strategy="cascade", **options), prompt=prompt))

    said = f"{len(text)} characters, where the prompt asks for {asked}"
    assert said in [verdict.reason for verdict in verdicts]
    assert all(verdict.passed for verdict in verdicts)


def test_a_chinese_answer_is_long_enough_with_fewer_characters(failing):
    assert failing("光合作用是植物制造养分的过程。", "解释光合作用。") is None


def test_a_missed_latency_target_fails(failing):
    late, in_time = (
        failing("A complete answer to it.", checks=("latency=2000",), latency_ms=ms)
        for ms in (2310.4, 2000)
    )

    assert ("latency", "took 2310 ms, the target is 2000 ms") == (late.check, late.reason)
    assert in_time is None
