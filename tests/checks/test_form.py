"""Whether an answer is whole, long enough, in time, and neither refuses nor doubts."""

from __future__ import annotations

import dataset
import pytest

from nbroute.checks.named import judge, wanted
from nbroute.types import Options, Verdict


@pytest.mark.parametrize(("kind", "least"), [("ok", 120), ("unsure", 80)])
def test_good_answers_about_doubt_pass_and_refusals_and_doubts_in_ten_languages_do_not(
    reply, kind, least
):
    def doubted(row):
        checks = wanted(Options(checks=("refusal", "unsure")), prompt=row["prompt"])
        return not all(verdict.passed for verdict in judge(reply(row["text"]), checks))

    rows = dataset.rows(f"answers_{kind}")
    held = [row for row in rows if row["half"] == "held"]

    assert [] == [row["text"] for row in rows if doubted(row) is (kind == "ok")]
    assert len(rows) >= least
    assert 3 * len(held) >= len(rows)
    assert kind == "ok" or len({row["lang"] for row in held}) == 10


@pytest.mark.parametrize(
    ("text", "more", "check", "reason"),
    [
        *[
            (f"It was built in 1890, but {said} when exactly.", {}, "unsure",
             f"says {said!r} at character 26")
            for said in ["I’m not Sure", *(f"I{mark}m not sure" for mark in "'ʼ＇´")]
        ],
        ("I don't know isotopes well.", {}, "unsure", "says \"I don't know\" at character 0"),
        ("Oh.\nAnn: Hm.\nBen: No.\n`Hm.` I don't know.", {}, "unsure",
         "says \"I don't know\" at character 28"),
        ("Well, the first thing to do is", {"finish_reason": "content_filter"}, "refusal",
         "stopped by the endpoint's content filter"),
        ("I don't", {"finish_reason": "length"}, "truncation", "cut off by the token budget"),
        ("  \n", {}, "length", "the answer is empty"),
        ("It is Paris, in the north.", {"latency_ms": 2310.4}, "latency",
         "took 2310 ms, the target is 2000 ms"),
    ],
)  # fmt: skip
def test_the_verdict_says_what_was_seen_and_where(failing, text, more, check, reason):
    prompt, checks = "What is the capital of France?", ("latency=2000",)
    verdict = failing(text, prompt, checks, **more)

    assert Verdict(False, check, reason) == verdict
    assert failing("It is Paris, in the north.", prompt, checks, latency_ms=2000) is None


MARKS = ['"{}"', "“{}”", "„{}“", "«{}»", "‘{}’", "「{}」", "`{}`"]
MARKS += ["\n```\n{}\n```\n", "\n> {}\n", "\n| {} |\n", "\n— {}\n", "\n“{}\n", "_{}_"]


def test_what_is_quoted_or_in_code_or_in_a_table_is_not_the_answers_own(failing):
    for quoted in ("'I do not know.'", *(mark.format("I don't know.") for mark in MARKS)):
        assert failing(f"The usual words are: {quoted} They are honest.") is None
    assert failing("我不知道的意思是没有答案，这句话很常用。") is None
    for own in (
        *("It is these! I don't know. That is honest.", "It is old and I don't know why."),
        *("1. I don't know.", 'It is "so.\r\n\r\nI don\'t know.\r\n\r\nIt is so".'),
    ):
        assert failing(own) is not None


@pytest.mark.parametrize("piece", ['"', " 'a", "I'm really ", "\n", "```\n", "我"])
def test_any_answer_is_judged_and_soon(reply, piece):
    text = piece * (20_000 // len(piece))

    assert judge(reply(text), wanted(Options(strategy="cascade"), prompt=text))


def test_words_in_another_voice_count_only_where_they_refuse_the_task(failing):
    prompt = "Write a short story in the first person."

    assert failing("I don't know how it began. I cannot see the sea.", prompt) is None
    assert "refusal" == failing("I'm sorry, but I can't write that story.", prompt).check
    assert failing("I must go to see it now. Ben says, I don't know where it is.") is None
    assert failing("Anna: I don't know. She sighs.\nBen: It is late, let us go.") is None
    labels = "Answer Response Note Summary Conclusion Explanation Antwort"
    for label in labels.split():  # not a speaker of a play
        assert failing(f"Anna: It is late.\n{label}: I don't know what she means.") is not None


def test_an_answer_needs_20_characters_and_50_from_the_lowest_tier_to_a_long_prompt(reply):
    for prompt, lowest, least in (
        *(("word " * 31, True, 50), ("word " * 31, False, 20), ("word " * 30, True, 20)),
        *(("word " * 28 + "解释解释", True, 50), ("word " * 28 + "解释解", True, 20)),
    ):
        checks = wanted(Options(checks=("length",)), prompt=prompt, lowest=lowest)
        short = Verdict(False, "length", f"{least - 1} characters, wanted {least}")
        for text in ("a" * (least - 1), "字" * ((least - 1) // 3) + "a" * ((least - 1) % 3)):
            assert (short,) == judge(reply(text), checks)
            assert (Verdict(True, "length"),) == judge(reply(f"{text}b"), checks)


def test_a_short_answer_passes_only_where_a_short_one_was_asked_for(failing):
    for prompt, answer in {
        "What is the capital of France?": "Paris",
        "Reply with one word: is it spam or not?": "spam",
        "What is 12 * 12?": "144",
        "Yes or no: is the sky blue at noon on a clear day?": "Yes",
        "Classify the sentiment of this review: great!": "positive",
        "How many legs has a spider?": "8",
        "Translate 'cat' into French.": "chat",
        "Antworte mit einem Wort: Farbe des Himmels": "blau",
        "用一个词回答：天空的颜色": "蓝",
        "解释光合作用。": "光合作用是植物制造养分的过程。",  # a character counts as three
    }.items():
        assert failing(answer, prompt) is None
        why = f"{len(answer)} characters, wanted 20"
        assert Verdict(False, "length", why) == failing(answer, prompt, ("length=20",))
        assert failing(answer, prompt, (f"length={len(answer)}",)) is None
    longer = "Explain how a transistor works.|Can you explain recursion?|Why is the sky blue"
    longer += "|Describe the plot of 'Who is there?'.|Do both:\n(a) describe it\n(b) derive it"
    for prompt in longer.split("|"):
        assert "length" == failing("It just is.", prompt).check


def test_the_verdict_says_why_a_short_answer_is_enough(reply):
    for text, prompt, options, asked in (
        ("Yes", "Is it raining in Oslo? Yes or no.", {}, "yes or no ('Yes or no')"),
        ("{}", "Extract the names.", {"json": True}, "JSON"),
        ("It is (B).", "Find it.\n(A) r over two\n(B) r squared", {}, "a choice (A, B, ...)"),
        ("{}", "Extract the names.", {"schema": {}}, "the schema"),
    ):
        verdicts = judge(reply(text), wanted(Options(strategy="cascade", **options), prompt=prompt))

        said = f"{len(text)} characters, where the prompt asks for {asked}"
        names = ["truncation", *options.keys() & {"json"}, "length", "refusal", "unsure"]
        reasons = {"length": said}
        assert [Verdict(True, name, reasons.get(name, "")) for name in names] == [*verdicts]
