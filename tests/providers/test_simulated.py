"""The provider for lessons: the same in every run, and never to be taken for real."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from calls import asking as asking_any
from calls import failure, text_of
from pydantic import BaseModel, Field

from nbroute import errors
from nbroute.checks.confidence import RATING_INSTRUCTION, take_rating
from nbroute.checks.form import valid_json
from nbroute.checks.structured import read_schema
from nbroute.classify.model import ModelClassifier
from nbroute.decoding import packaged
from nbroute.evaluate.verdicts import SYSTEM, question
from nbroute.ladders import preset
from nbroute.providers.simulated import MODELS, Simulated, known_prompts, unanswered
from nbroute.providers.simulated_answers import difficulty, find
from nbroute.sandbox import Outcome, feedback
from nbroute.types import Chunk, Message, Reply, Request, Usage

SMALL, LARGE = "simulated/gpt-4o-mini", "simulated/claude-opus-4"


def asking(prompt="What is the capital of France?", *, model=SMALL, **parts):
    return asking_any(prompt, model=model, **{"max_tokens": 400} | parts)


def known(word):
    return next(prompt for prompt in known_prompts() if word in prompt)


ASKS_TO_RATE = f"\n\n{RATING_INSTRUCTION}"
HARD = "What is the last digit of 7 to the power of 222?"
LADDER = preset("four-tier", "simulated")
RUNGS = LADDER.tiers


def on_tier(prompt, tier, **parts):
    """The request for a prompt as the preset ladder's tier is given it."""
    return asking(prompt, model=tier.model, system=tier.system, max_tokens=tier.max_tokens, **parts)


def answer(request, **options):
    return list(Simulated(**options).send(request))


def answers_of(prompt, **parts):
    """The four answers, as the preset ladder's tiers give them."""
    return [text_of(answer(on_tier(prompt, tier, **parts))) for tier in RUNGS]


# The answers

KNOWN = "What is the capital of Australia?"
UNKNOWN = "What does the purple teapot on my desk dream of?"


def test_a_known_prompt_however_it_is_written_is_answered_as_models_of_four_strengths_might():
    turns = [Message("user", UNKNOWN), Message("assistant", "Hi"), Message("user", KNOWN)]
    answers = answers_of(KNOWN)

    assert answers[0].startswith("The capital of Australia is Sydney.")
    assert all("Canberra" in one for one in answers[1:])
    assert 4 == len(set(answers))
    assert answers == answers_of("  WHAT is the capital\nof  Australia ?!")
    assert answers[3] == text_of(answer(Request("simulated", LARGE, tuple(turns), 400)))
    for plain, other in (("Translate 'good morning' into Spanish.", "\u2019"), (known("`"), "")):
        assert answers_of(plain) == answers_of(re.sub("['`]", other, plain))


CAPITALS = [f"What is the capital of {one}?" for one in ("France", "Norway", "Australia")]
SKY = (
    "Summarise in two sentences why the sky is blue during the day and red at sunset.",
    "Format this list as JSON: red, green, blue.",
    "Compare our two service plans for a family of five, with the trade-offs.",
)
#: The nearest known prompts, of those with up to 80 letters.
NEAR = {
    UNKNOWN: ("Why does my recursive function crash on an empty tree?", *CAPITALS[:2]),
    "Is one of these two friendlier? Why is the sky red at sunset?": SKY,
    **dict.fromkeys(("", "日本語", '"', "{", "a" * 100_000), CAPITALS),
}


@pytest.mark.parametrize(("prompt", "near"), NEAR.items(), ids=range(len(NEAR)))
def test_an_unknown_prompt_is_said_to_be_so_with_prompts_that_are_known(prompt, near):
    told = (
        "This ladder is simulated: it has no answer to this prompt. It knows "
        '"{}", "{}" and "{}"; try one of these, or %route use local.'.format(*near)
    )
    asked = [asking(prompt, model=model) for model in MODELS]
    note = {"simulated": True, "note": told}

    assert [told] * 6 == [text_of(answer(one)) for one in asked]
    assert json.dumps(note, ensure_ascii=False) == text_of(answer(asking(prompt, json=True)))
    assert [True] * 6 == [unanswered(model, told) for model in MODELS]
    assert [False, False] == [unanswered(SMALL, "Paris."), unanswered("gpt-4o", told)]


PLAN = "Plan how a large library moves its catalogue, step by step. "
#: How hard a prompt is; which of the six models begin with a doubt ("I am not sure").
STRANGE = {
    UNKNOWN: (0.146, "TTTTTT"),
    "Is it a theorem?": (0.514, "ITTTTT"),
    "Who " + "so " * 13: (0.162, "TTTTTT"),
    "Who " + "so " * 14: (0.393, "TTTTTT"),
    "Tell me " + "more and " * 100: (0.647, "ITTTTT"),
    PLAN * 9: (0.741, "TITTTT"),
    "Prove, design, compare, evaluate, justify, plan and audit it. " * 30: (0.95, "IIITTT"),
    "Prove, design, compare, evaluate, justify, plan and audit it.": (0.748, "ITTTTT"),
    "Critically review the evidence that minimum wages reduce employment.": (0.544, "ITTTTT"),
}


def test_how_hard_a_prompt_is_and_who_doubts_is_the_same_on_every_machine():
    def lost(prompt):
        asked = [asking(prompt, model=model, max_tokens=5) for model in MODELS]
        return "".join(text_of(answer(one))[0] for one in asked)

    assert STRANGE == {one: (round(difficulty(one), 3), lost(one)) for one in STRANGE}


def test_the_usage_is_exact_and_a_budget_cuts_the_answer_and_says_so(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    asked = asking("Is a whale a fish?", logprobs=True)
    words = ["No", ",", " a", " whale", " is", " a", " mammal", "."]
    clock = [290.88 + 8.8146 * place for place in range(9)]
    *pieces, last = answer(asked, pace=0.5)
    (whole,) = answer(replace(asked, stream=False))
    sure = tuple(one for piece in pieces for one in piece.logprobs)

    assert words == [one.text for one in pieces]
    assert pytest.approx(clock, abs=0.05) == [one.clock_ms for one in (*pieces, last)]
    assert pytest.approx(last.clock_ms / 2000) == sum(slept)
    assert Chunk("", Usage(9, 8), "stop", SMALL, last.clock_ms) == last
    assert Chunk("".join(words), Usage(9, 8), "stop", SMALL, last.clock_ms, sure) == whole
    for stream, most in itertools.product((True, False), (1, 7, 8)):
        chunks = answer(replace(asked, max_tokens=most, stream=stream, logprobs=False))
        end = "stop" if most == 8 else "length"
        assert (Usage(9, most), end) == (chunks[-1].usage, chunks[-1].finish_reason)
        assert "".join(words[:most]) == text_of(chunks)


# Structured output


class Node(BaseModel):
    value: int
    kids: list[Node]
    left: Node | None = None


class Everything(BaseModel):
    day: dt.date
    mood: Literal["good", "bad"]
    name: str = Field(min_length=40, max_length=45)
    short: str = Field(max_length=5)
    slug: str = Field(pattern="^[a-z]+$")
    some: list[int] = Field(min_length=3, max_length=5)
    pair: tuple[int, str]
    different: set[int]
    share: float = Field(gt=0, lt=1)
    cold: int = Field(lt=-5)
    warm: int = Field(gt=20)
    least: int = Field(ge=20)
    most: int = Field(le=-20)
    dozens: int = Field(multiple_of=12, ge=2)
    counts: dict[str, int]
    maybe: str | None
    done: bool


#: What is made up for a schema.
EVERYTHING = """{"day": "2026-01-01", "mood": "good", "name": "[simulated] \
name........................", "short": "[simu", "slug": "simulated", "some": [1, 1, 1], "pair": \
[1, "[simulated] pair 2"], "different": [1], "share": 0.5, "cold": -6, "warm": 21, "least": 20, \
"most": -20, "dozens": 12, "counts": {}, "maybe": "[simulated] maybe", "done": true}"""
NODE = """{"value": 1, "kids": [{"value": 1, "kids": [], "left": null}], "left": {"value": 1, \
"kids": [{"value": 1, "kids": []}], "left": {"value": 1, "kids": [], "left": null}}}"""


def test_an_answer_made_up_for_a_schema_fits_it_and_its_texts_say_that_they_are_simulated():
    for spec, made in (
        (Everything, EVERYTHING),
        (Node, NODE),
        ({}, '"[simulated] value"'),
        ({"const": "cat"}, '"cat"'),
        ({"type": ["null", "integer"]}, "1"),
        ({"type": "array", "prefixItems": [{"const": 3}], "items": False}, "[3]"),
        ({"items": {"$ref": "#"}, "type": "array"}, "[[[[]]]]"),
        ({"type": "object", "properties": {"ß": {"$ref": "#"}}}, '{"ß": {"ß": {"ß": {}}}}'),
        ({"oneOf": [{"type": "object"}]}, "{}"),
        ({"allOf": [{"type": "object"}]}, "{}"),
    ):
        schema = read_schema(spec)
        asked = asking(UNKNOWN, schema=schema.json_schema, max_tokens=4000)
        assert made == text_of(answer(asked))
        schema.parse(made)


ENDLESS = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}


def test_a_schema_that_cannot_be_filled_in_is_answered_in_words():
    for schema, fault in (
        ({"type": "array", "contains": {"const": 7}}, "does not fit 'contains' of the schema"),
        ({"type": "array", "minItems": 21, "items": {}}, ", ...] has fewer than 21 items"),
        ({"type": "string", "minLength": 10_001}, "has fewer than 10001 characters"),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": ENDLESS}}, "value' is not an object"),
        (ENDLESS, ": a.a.a.a.a.a.a.a.a: '[simulated] a' is not an object"),
    ):
        text = text_of(answer(asking(UNKNOWN, schema=schema)))
        assert text.startswith(f"[simulated] {SMALL} cannot make up JSON for this schema: ")
        assert text.endswith(fault)


def test_a_known_prompt_is_answered_with_its_own_json_where_the_schema_has_room_for_it():
    city = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    described, translated = "Describe the largest city of Portugal.", known("into Spanish")
    own, plain = find(described), find(translated)

    assert list(own.json) == answers_of(described, schema=city, json=True)
    assert list(own.json) == answers_of(described, json=True)
    assert ["1"] * 4 == answers_of(described, schema={"type": "integer"})
    told = [json.dumps({"answer": one}, ensure_ascii=False) for one in plain.answers]
    assert told == answers_of(translated, json=True)


# The lessons

LESSONS = packaged("nbroute.providers", "lessons.toml")["lesson"]
#: What an answer says of itself only where the prompt asks for it.
TELLING = ("simulat", "as an ai", "language model", "simple tier", "frontier", "gpt", "claude")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one["prompts"][0][:40])
def test_a_lesson_has_four_answers_and_a_rating_of_8_says_good_enough(lesson):
    prompt = lesson["prompts"][0]
    chunks = [answer(on_tier(prompt, tier)) for tier in RUNGS]
    ratings = [take_rating(one)[1] for one in answers_of(prompt + ASKS_TO_RATE, rated=True)]

    assert lesson["answers"] == [text_of(one) for one in chunks]
    assert ["stop"] * 4 == [one[-1].finish_reason for one in chunks]
    assert [place >= lesson["enough"] for place in range(4)] == [one >= 8 for one in ratings]
    told, asked = (" ".join(lesson[name]).lower() for name in ("answers", "prompts"))
    assert [] == [word for word in TELLING if word in told and word not in asked]


def test_every_prompt_of_the_notebooks_and_the_readme_is_known_and_no_wording_appears_twice():
    root = Path(__file__).parents[2]
    texts = [(root / "README.md").read_text("utf-8").split("```")]
    for path in sorted((root / "notebooks").glob("0*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts.append(["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"])
    review = "The battery lasts two days, but the case {scratched} within a week."
    prompts = [
        cell.strip().partition("\n")[2].replace("{{review}}", review)
        for cell in itertools.chain(*texts)
        if re.match(r"%%route(?:_compare)?\b", cell.strip())
    ]
    unknown = [one for one in prompts if one.strip() and "{{" not in one and find(one) is None]
    wordings = [prompt for lesson in LESSONS for prompt in lesson["prompts"]]

    assert [] == unknown
    assert 25 <= len(prompts)
    assert len(wordings) == len(set(wordings))
    assert len(LESSONS) == len(known_prompts()) >= 40


def test_a_failed_check_helps_the_next_answer_up():
    code, moons = known("median"), "Name the three largest moons of Jupiter as a JSON list."
    failed = feedback("def f(): ...", Outcome(False, "AssertionError", "Traceback", ""))
    told = valid_json(Reply("Ganymede", "a model", Usage(1, 1), "stop", 1.0, None)).feedback

    assert answers_of(code)[2] == text_of(answer(on_tier(f"{code}\n\n{failed}", RUNGS[1])))
    assert answers_of(moons)[1] == text_of(answer(on_tier(f"{moons}\n\n{told}", RUNGS[0])))


def told_by_judge(prompt, a, b, model=LARGE):
    pair = question(prompt, a, b)
    return text_of(answer(asking(pair, system=SYSTEM, model=model))).removeprefix("[simulated] ")


def test_a_judge_says_which_of_a_lessons_answers_is_better_and_why():
    prompt = next(one for one in known_prompts() if find(one).enough == 2)
    good, short = "is good enough as it is; answer", "falls short of what was asked."
    reasons = {
        (3, 0): f"Answer A {good} B {short}\nVerdict: A",
        (0, 2): f"Answer B {good} A {short}\nVerdict: B",
        (1, 0): "Neither is good enough as it is, but answer A comes closer.\nVerdict: A",
        (0, 1): "Neither is good enough as it is, but answer B comes closer.\nVerdict: B",
        (2, 3): "Both are good enough as they are.\nVerdict: tie",
        (0, 0): "Both fall short of what was asked, by the same amount.\nVerdict: tie",
    }
    texts = find(prompt).answers
    erring = told_by_judge(prompt, texts[0], texts[2], SMALL)

    assert reasons == {(a, b): told_by_judge(prompt, texts[a], texts[b]) for a, b in reasons}
    assert "Answer A reads well and comes to the point first.\nVerdict: A" == erring
    none = "This ladder is simulated: it has no answer to this prompt."
    assert none == told_by_judge(UNKNOWN, *texts[:2])


@pytest.mark.parametrize("prompt", ["largest moons of Jupiter.", "17 times 24"])
def test_a_judge_knows_an_answer_that_is_cut_short_or_json_and_none_of_another_prompt(prompt):
    lesson, prompt = find(known(prompt)), known(prompt)
    weak, *_, strong = lesson.answers
    plain = json.dumps({"answer": strong}, ensure_ascii=False)
    shown = [strong, strong[:20], f"{strong} Really.", plain, *lesson.json[1:], "Odd."]

    better = [told_by_judge(prompt, f" {one}\n", weak)[-1] for one in shown]
    assert [*"AAAA", *(["A"] * len(lesson.json[1:])), "B"] == better


# Classifying

ARTICLE = """Classify the following user request.
Output ONLY one word: SIMPLE, MEDIUM, COMPLEX, or FRONTIER.
SIMPLE \u2014 Yes/no, single fact
User request: {}
Classification:"""


def test_a_prompt_is_classified_where_it_asks_for_one_name_and_there_is_room_for_no_more():
    for prompt, tier in (("What is 2 + 2?", "SIMPLE"), (PLAN * 20, "FRONTIER")):
        article = asking(ARTICLE.format(prompt), system="", max_tokens=16)
        own = asking(prompt, system="Reply with one of these: SIMPLE or FRONTIER.", max_tokens=5)
        assert [tier] * 2 == [text_of(answer(one)) for one in (article, own)]
        assert "no answer" in text_of(answer(replace(article, max_tokens=17)))


# Each model

#: Milliseconds to the first token and to the end, the probability of a token, the rating; the tiers
#: (first letters) of prompts of 0, 8, 16 ... words; the verdicts (A, B, tie: last letters) on all
#: pairs of answers to the first prompts that need the third and the fourth.
MEASURED = {
    "simulated/gpt-4o-mini": "320 494 0.518 6 SSMMCMCCCFCCFFFFFFFF BABAABAAeAAe ABAAABAAAAAA",
    "simulated/claude-haiku-3.5": "384 616 0.746 7 SSMMCMCCCCCFFFFFFFFF BBAABAAAAAAA BBBAAAAABAAA",
    "simulated/claude-sonnet-4": "745 1227 0.957 9 SSMMMCCCCCFFFFFFFFFF BBBABBAAeAAe BABABBAABAAA",
    "simulated/gpt-4o": "794 1340 0.863 8 SMMMMCCCCCCFFFFFFFFF BABABAAAeAAe BBBAABAABAAA",
    "simulated/gemini-2.5-pro": "1088 2026 0.99 10 SSMMMCCCCCCFFFFFFFFF BBBABBAAeAAe BBBABBAABAAA",
    "simulated/claude-opus-4": "1915 3399 0.989 10 SSMMMCCCCCFFFFFFFFFF BBBABBAAeAAe BBBABBAABAAA",
}


@pytest.mark.parametrize("model", MODELS)
def test_the_articles_times_and_how_sure_and_how_good_at_judging_and_sorting_it_is(model):
    asked = asking(HARD + ASKS_TO_RATE, model=model, rated=True, logprobs=True)
    chunks, (whole,) = answer(asked), answer(replace(asked, stream=False))
    sure = [one for chunk in chunks for one in chunk.logprobs]
    clock, text = [chunk.clock_ms for chunk in chunks], text_of(chunks)
    classifier = ModelClassifier(None, provider="simulated", model=model)
    lengths = (classifier.request("word " * words, LADDER) for words in range(0, 160, 8))
    told = [round(clock[0]), round(clock[-1]), round(math.exp(sum(sure) / len(sure)), 3)]
    told += [int(take_rating(text)[1]), "".join(text_of(answer(one))[0] for one in lengths)]
    for enough in (2, 3):
        prompt = next(one for one in known_prompts() if find(one).enough == enough)
        pairs = itertools.permutations(find(prompt).answers, 2)
        told.append("".join(told_by_judge(prompt, a, b, model)[-1] for a, b in pairs))

    assert (text, tuple(sure), clock[-1]) == (whole.text, whole.logprobs, whole.clock_ms)
    assert chunks == answer(asked)
    assert MEASURED[model] == " ".join(map(str, told))


# Failing


def test_it_says_what_it_is_and_what_it_does_not_take():
    provider = Simulated()
    untaken, *_ = provider.send(asking(effort="low"))
    told = f"{SMALL} is asked without a reasoning effort: a simulated model does not think"

    assert (told, True) == (untaken.notice, untaken.effortless)
    assert ("simulated", "simulated", ()) == (provider.name, provider.kind, provider.secrets())
    assert list(MODELS) == provider.models()


CURE = "or name a fallback model"
RAISED = {
    "rate_limit": ("RateLimited", f"{SMALL}: too many requests: wait a little, {CURE}"),
    "timeout": ("TimedOut", f"{SMALL}: no answer in time: try again, {CURE}"),
    "auth": ("AuthError", f"{SMALL}: the key was refused: set it again"),
    "unavailable": ("Unavailable", f"{SMALL}: a server error: try again later, {CURE}"),
    "empty": ("BadReply", f"empty answer from {SMALL!r}: ask again"),
    "cut": ("Unavailable", f"the answer of {SMALL!r} broke off half-way: ask again"),
}


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("stream", [True, False])
def test_a_failure_is_the_same_error_as_a_real_one_and_passes(kind, stream):
    provider, (error, says) = Simulated(fail={SMALL: [None, kind]}), RAISED[kind]
    for model in (SMALL, LARGE, LARGE):
        assert text_of(provider.send(asking(model=model)))
    failed = failure(provider, getattr(errors, error), asking(stream=stream))
    assert f"{error}: [simulated] {says}" == failed
    assert "Paris" in text_of(provider.send(asking(stream=stream)))


def test_a_failure_may_be_an_answer_that_is_refused_slow_broken_off_cut_or_not_json():
    quick, slow, cut = (answer(asking(), fail=fail) for fail in (None, "slow", "length"))
    pieces, half = Simulated(fail="cut").send(asking()), quick[-1].usage.output_tokens // 2
    refusal = "[simulated] I'm sorry, but I cannot help with that request."
    broken = '{"simulated": true, "note": "[simulated] an object that is not closed"'

    assert refusal == text_of(answer(asking(), fail="refusal"))
    assert broken == text_of(answer(asking(json=True), fail="bad_json"))
    assert text_of(quick) == text_of(slow)
    assert pytest.approx(10 * quick[-1].clock_ms) == slow[-1].clock_ms
    assert ("length", half) == (cut[-1].finish_reason, cut[-1].usage.output_tokens)
    assert [piece.text for piece in quick[:half]] == [next(pieces).text for _ in range(half)]
    with pytest.raises(errors.Unavailable):
        next(pieces)


def test_an_unknown_failure_or_model_is_an_error_with_the_closest():
    told = "there is no simulated failure 'rate_limits': did you mean 'rate_limit'"
    for fail in ("rate_limits", ["rate_limits"], {SMALL: "rate_limits"}):
        with pytest.raises(errors.SettingsError, match=told):
            Simulated(fail=fail)
    closest = "'gpt-4o-mini', did you mean 'simulated/gpt-4o-mini'"
    with pytest.raises(errors.SettingsError, match=closest):
        Simulated(fail={"gpt-4o-mini": "timeout"})
    with pytest.raises(errors.UnknownModel, match="did you mean 'simulated/gpt-4o'"):
        answer(asking(model="simulated/gpt-4"))
