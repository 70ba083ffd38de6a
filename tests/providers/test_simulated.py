"""The provider for lessons: the same in every run, and never to be taken for real."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
import re
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from calls import asking as asking_any
from calls import text_of
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from nbroute import errors
from nbroute.checks.confidence import RATING_INSTRUCTION, take_rating
from nbroute.checks.form import not_unsure, valid_json
from nbroute.checks.structured import read_schema
from nbroute.classify.model import ModelClassifier, named_tier
from nbroute.decoding import packaged
from nbroute.evaluate.verdicts import SYSTEM, question
from nbroute.ladders import preset
from nbroute.providers.simulated import MODELS, Simulated, known_prompts
from nbroute.providers.simulated_answers import difficulty, find
from nbroute.sandbox import Outcome, feedback
from nbroute.types import Chunk, Message, Reply, Request, Usage

SMALL, LARGE = "simulated/gpt-4o-mini", "simulated/claude-opus-4"


def asking(prompt="What is the capital of France?", *, model=SMALL, **parts):
    return asking_any(prompt, model=model, **{"max_tokens": 400} | parts)


def known(word):
    return next(prompt for prompt in known_prompts() if word in prompt)


EASY = (
    *("What is the capital of France?", "What is the Latin word for water?"),
    *("What is 7 times 8?", "Format this list as JSON: red, green, blue."),
)
HARD = (
    known("predator-prey"),
    "Prove that the square root of 2 is irrational.",
    "Plan the migration of a monolith with forty tables to microservices without downtime.",
    "Explain step by step how the Raft consensus algorithm handles a network partition.",
)
STRANGE = (
    "Analyse the causes of the fall of Rome and evaluate the evidence.",
    "Optimise this algorithm from quadratic to linear time and prove that it is correct.",
    "Critically review the evidence that minimum wages reduce employment.",
)
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


@pytest.mark.parametrize("prompt", [UNKNOWN, "", "日本語", '"', "{", "a" * 100_000], ids=range(6))
def test_an_unknown_prompt_is_said_to_be_so_briefly_with_prompts_that_are_known(prompt):
    for model in MODELS:
        text = text_of(answer(asking(prompt, model=model)))
        assert "This ladder is simulated: it has no answer to this prompt." in text
        assert "%route use local" in text
        assert 3 == len(set(re.findall('"(.+?)"', text)) & set(known_prompts()))
        assert len(text) < 500
    moons = text_of(answer(asking("Tell me about the moons of Saturn.")))
    assert "moons" in moons.partition(" and ")[0]


@pytest.mark.parametrize("model", MODELS)
def test_the_same_request_gets_the_same_answer_the_articles_times_and_valid_json(model):
    chunks, other = answer(asking(model=model)), answer(asking("Is a whale a fish?", model=model))
    clock = [chunk.clock_ms for chunk in chunks]
    per_token = (clock[-1] - clock[0]) / chunks[-1].usage.output_tokens

    assert chunks == answer(asking(model=model)) == answer(asking(model=model), pace=0.001)
    assert (text_of(chunks), clock[0]) != (text_of(other), other[0].clock_ms)
    assert pytest.approx(MODELS[model].ttft_ms, rel=0.11) == clock[0]
    assert pytest.approx(1000 / MODELS[model].tokens_per_second, rel=0.12) == per_token
    assert sorted(clock) == clock

    prompts = ("What is the capital of France?", 'say "hi"\n')
    told = [json.loads(text_of(answer(asking(one, model=model, json=True)))) for one in prompts]
    assert ("Paris", True) == (told[0]["capital"], told[1]["simulated"])
    assert "no answer to this prompt" in told[1]["note"]


MADE = """{"code": "AAA-1111", "slug": "foo_s", "day": "2026-01-01", "moment": \
"2026-01-01T12:00:00Z", "length": "P1D", "amount": 2, "id": \
"00000000-0000-4000-8000-000000000000", "mood": "bad", "name": \
"[simulated] name........................", "lives": 6, "some": [8, 6, 2], "pair": [5, \
"[simulated] pair 2"], "different": [4, 7, 5], "share": 0.5, "cold": -14, "dozens": 108, \
"short": "simul", "counts": {"simulated_1": 7}, "maybe": "[simulated] maybe", "done": false}"""


def test_what_is_invented_is_the_same_on_every_machine():
    plan = "Plan how a large library moves its catalogue, step by step. " * 9
    *pieces, last = answer(asking(plan, model="simulated/gpt-4o", logprobs=True, max_tokens=3))
    hard = [round(difficulty(one), 3) for one in (UNKNOWN, KNOWN, plan, *STRANGE)]
    told = [(one.text, round(one.clock_ms, 1), round(one.logprobs[0], 3)) for one in pieces]

    assert [0.146, 0.45, 0.741, 0.691, 0.75, 0.544] == hard
    assert [("This", 795.7, -0.755), (" ladder", 808.2, -0.089), (" is", 820.6, -0.056)] == told
    assert Chunk("", Usage(121, 3), "length", "simulated/gpt-4o", last.clock_ms) == last
    schema = read_schema(Everything).json_schema
    made = text_of(answer(asking(model=LARGE, schema=schema, max_tokens=4000)))
    assert MADE == made


@given(prompt=st.text(), max_tokens=st.integers(1, 80), stream=st.booleans())
def test_the_usage_is_exact_and_a_budget_cuts_the_answer_and_says_so(prompt, max_tokens, stream):
    chunks = answer(asking(prompt, max_tokens=max_tokens, stream=stream))
    pieces = answer(asking(prompt, max_tokens=max_tokens))
    (whole,) = answer(asking(stream=False))

    assert len(pieces) - 1 == chunks[-1].usage.output_tokens <= max_tokens
    assert text_of(pieces) == text_of(chunks)
    assert "length" == answer(asking(max_tokens=5))[-1].finish_reason
    assert ("stop", 3 + 7) == (whole.finish_reason, whole.usage.input_tokens)  # words and marks


# Agreeing, doubting, rating


def rated(prompt, tier):
    text = text_of(answer(on_tier(f"{prompt}\n\n{RATING_INSTRUCTION}", tier, rated=True)))
    assert re.fullmatch(r"Confidence: (?:[1-9]|10)", text.splitlines()[-1])
    return take_rating(text)[1]


def probability(prompt, tier):
    chunks = answer(on_tier(prompt, tier, logprobs=True))
    (whole,) = answer(on_tier(prompt, tier, logprobs=True, stream=False))
    found = [one for chunk in chunks for one in chunk.logprobs]
    assert tuple(found) == whole.logprobs
    assert len(found) == chunks[-1].usage.output_tokens
    assert not any(chunk.logprobs for chunk in answer(on_tier(prompt, tier)))
    assert max(found) <= 0
    return math.exp(sum(found) / len(found))


@pytest.mark.parametrize(("measure", "high", "low"), [(rated, 8, 8), (probability, 0.9, 0.75)])
def test_tiers_rate_themselves_by_how_hard_the_prompt_is_for_them(measure, high, low):
    replies = [Reply(one, "m", Usage(1, 1), "stop", 1.0, None) for one in answers_of(HARD[0])]
    # so that a cascade climbs where the tour says that it does
    assert [False, False, True, True] == [not_unsure(one, HARD[0]).passed for one in replies]
    assert high <= min(measure(prompt, tier) for prompt in EASY for tier in RUNGS)
    assert low > max(measure(prompt, RUNGS[0]) for prompt in HARD)
    assert high <= min(measure(prompt, RUNGS[-1]) for prompt in HARD)


# Structured output


class Node(BaseModel):
    value: int
    kids: list[Node]
    left: Node | None = None


class Everything(BaseModel):
    code: str = Field(pattern=r"^[A-Z]{3}-\d{4}$")
    slug: str = Field(pattern=r"^(?:foo|bar)_\w+$")
    day: dt.date
    moment: dt.datetime
    length: dt.timedelta
    amount: Decimal
    id: uuid.UUID
    mood: Literal["good", "bad"]
    name: str = Field(min_length=40, max_length=45)
    lives: int = Field(ge=1, le=9)
    some: list[int] = Field(min_length=3, max_length=5)
    pair: tuple[int, str]
    different: set[int] = Field(min_length=3)
    share: float = Field(gt=0, lt=1)
    cold: int = Field(lt=-5)
    dozens: int = Field(multiple_of=12, ge=20)
    short: str = Field(max_length=5)
    counts: dict[str, int]
    maybe: str | None
    done: bool


LETTER = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "pages": {"type": "integer", "minimum": 1}},
    "required": ["title", "pages"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "spec",
    [
        Node,
        Everything,
        {},
        {"const": "cat"},
        {"type": ["null", "integer"]},
        {"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
        {"allOf": [{"required": ["a"]}, {"required": ["b"], "properties": {"c": {"const": 1}}}]},
        {"oneOf": [{"type": "string", "maxLength": 3}, {"type": "integer"}]},
        {"additionalProperties": {"type": "boolean"}, "minProperties": 3},
        {"type": "array", "items": {"$ref": "#"}, "maxItems": 2},
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer", "minimum": 10**9}}},
        {"exclusiveMinimum": 0, "exclusiveMaximum": 0.01},
        {"type": "number", "minimum": -7, "maximum": -4, "multipleOf": 0.25},
        # of these, a value that does not fit is drawn again
        {"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 1},
        {"enum": [1, 2, 3], "minimum": 2},
        {"uniqueItems": True, "minItems": 6, "items": {"enum": [1, 2, 3, 4, 5, 6]}},
    ],
)
def test_an_answer_fits_its_schema_whatever_the_prompt(spec):
    schema, wrong = read_schema(spec), []
    for prompt in (UNKNOWN, *EASY):
        request = asking(prompt, model=LARGE, schema=schema.json_schema, max_tokens=4000)
        text = text_of(answer(request))
        try:
            schema.parse(text)
        except ValueError as error:
            wrong.append((prompt, text, str(error)))

    assert [] == wrong


def test_a_schema_without_a_type_is_known_by_its_words():
    words = {"properties": {"a": {}}, "required": ["a"], "additionalProperties": {}}
    words |= {"items": {}, "prefixItems": [{}], "minItems": 1, "minimum": 1, "maximum": 1}
    words |= {"exclusiveMinimum": 1, "exclusiveMaximum": 1, "multipleOf": 1}
    schema = {"type": "object", "properties": {word: {word: words[word]} for word in words}}
    made = json.loads(text_of(answer(asking(UNKNOWN, model=LARGE, schema=schema))))
    kinds = [dict] * 3 + [list] * 3 + [int] * 3 + [float, int]
    assert kinds == [type(made[word]) for word in words]


def test_a_schema_that_cannot_be_filled_in_is_answered_in_words():
    schema = {"type": "array", "contains": {"const": 7}}
    text = text_of(answer(asking(UNKNOWN, model=LARGE, schema=schema)))
    assert text.startswith(f"[simulated] {LARGE} cannot make up JSON for this schema: ")


def test_low_models_miss_a_share_of_the_schemas_in_two_ways_and_high_ones_say_they_are_simulated():
    def fault(prompt, tier):
        text = text_of(answer(on_tier(prompt, tier, schema=LETTER, json=True)))
        try:
            return "" if "simulated" in read_schema(LETTER).parse(text)["title"] else "silent"
        except ValueError as error:
            return "prose" if "not JSON" in str(error) else "type"

    low, mid, *high = ([fault(one, tier) for one in EASY + HARD + STRANGE] for tier in RUNGS)
    assert {"", "prose", "type"} == set(low)
    assert low.count("") < mid.count("")
    assert [{""}, {""}] == [*map(set, high)]


def test_a_known_prompt_is_answered_with_its_own_json_where_the_schema_has_room_for_it():
    city = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    prompt = "Describe the largest city of Portugal."
    _, *texts = answers_of(prompt, schema=city, json=True)

    assert ["Lisbon"] * 3 == [read_schema(city).parse(text)["name"] for text in texts]
    read_schema(LETTER).parse(text_of(answer(on_tier(prompt, RUNGS[3], schema=LETTER, json=True))))


# The lessons


LESSONS = packaged("nbroute.providers", "lessons.toml")["lesson"]
#: What an answer says of itself only where the prompt asks for it.
TELLING = ("simulat", "as an ai", "language model", "simple tier", "frontier", "gpt", "claude")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one["prompts"][0][:40])
def test_a_lesson_has_four_answers_and_a_rating_of_8_says_good_enough(lesson):
    prompt = lesson["prompts"][0]
    chunks = [answer(on_tier(prompt, tier)) for tier in RUNGS]
    ratings = [rated(prompt, tier) for tier in RUNGS]

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


def test_a_judge_says_which_of_a_lessons_answers_is_better_and_why():
    prompt = next(one for one in known_prompts() if find(one).enough == 2)

    def said(a, b, asked=prompt):
        texts = find(prompt).answers
        pair = question(asked, texts[a], texts[b])
        told = text_of(answer(asking(pair, system=SYSTEM, model=LARGE)))
        return told.removeprefix("[simulated] ")

    good, short = "is good enough as it is; answer", "falls short of what was asked."
    assert {
        (3, 0): f"Answer A {good} B {short}\nVerdict: A",
        (0, 2): f"Answer B {good} A {short}\nVerdict: B",
        (1, 0): "Neither is good enough as it is, but answer A comes closer.\nVerdict: A",
        (0, 1): "Neither is good enough as it is, but answer B comes closer.\nVerdict: B",
        (2, 3): "Both are good enough as they are.\nVerdict: tie",
        (0, 0): "Both fall short of what was asked, by the same amount.\nVerdict: tie",
    } == {pair: said(*pair) for pair in ((3, 0), (0, 2), (1, 0), (0, 1), (2, 3), (0, 0))}
    assert "it has no answer to this prompt" in said(0, 1, UNKNOWN)


# Classifying


SHORT, LONG = "What is 2 + 2?", "Compare the treaties and say which of them held. " * 30
ARTICLE = """Classify the following user request.
Output ONLY one word: SIMPLE, MEDIUM, COMPLEX, or FRONTIER.
SIMPLE \u2014 Yes/no, single fact
User request: {}
Classification:"""
LISTED = "Say one word.\nfast: easy ones\nmid - others\n- power \u2014 hard ones"


@given(prompt=st.text(), model=st.sampled_from(sorted(MODELS)))
def test_any_prompt_is_classified_as_one_of_the_tiers_by_its_length(prompt, model):
    def tier(prompt):
        request = ModelClassifier(None, provider="simulated", model=model).request(prompt, LADDER)
        return named_tier(text_of(answer(request)), LADDER.names)

    assert tier(prompt) in LADDER.names
    assert ("SIMPLE", "FRONTIER") == (tier(SHORT), tier(LONG))
    for asked, listed, article in ((SHORT, "fast", "SIMPLE"), (LONG, "power", "FRONTIER")):
        assert listed == text_of(answer(asking(asked, system=LISTED, max_tokens=10)))
        classified = asking(ARTICLE.format(asked), system="", max_tokens=5)
        assert article == text_of(answer(classified))


# Failing


KINDS = ("rate_limit", "timeout", "auth", "unavailable", "empty", "cut")
ERRORS = ("RateLimited", "TimedOut", "AuthError", "Unavailable", "BadReply", "Unavailable")


@pytest.mark.parametrize(("kind", "error"), [*zip(KINDS, ERRORS, strict=True)])
@pytest.mark.parametrize("stream", [True, False])
def test_a_failure_is_the_same_error_as_a_real_one_and_passes(kind, error, stream):
    provider = Simulated(fail={SMALL: [None, kind]})
    for model in (SMALL, LARGE, LARGE):
        assert text_of(provider.send(asking(model=model)))
    with pytest.raises(getattr(errors, error), match=r"\[simulated\]"):
        list(provider.send(asking(stream=stream)))
    assert "Paris" in text_of(provider.send(asking(stream=stream)))


def test_a_failure_may_be_an_answer_that_is_refused_slow_broken_off_cut_or_not_json():
    quick, slow, cut = (answer(asking(), fail=fail) for fail in (None, "slow", "length"))
    pieces, half = Simulated(fail="cut").send(asking()), quick[-1].usage.output_tokens // 2
    text = text_of(answer(asking(json=True), fail="bad_json"))

    assert "I cannot help" in text_of(answer(asking(), fail="refusal"))
    assert text_of(quick) == text_of(slow)
    assert pytest.approx(10 * quick[-1].clock_ms) == slow[-1].clock_ms
    assert ("length", half) == (cut[-1].finish_reason, cut[-1].usage.output_tokens)
    assert "[simulated]" in text
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert [piece.text for piece in quick[:half]] == [next(pieces).text for _ in range(half)]
    with pytest.raises(errors.Unavailable, match="broke off half-way"):
        next(pieces)


def test_an_unknown_failure_or_model_is_an_error_with_the_closest():
    for fail in ("rate_limits", ["rate_limits"], {SMALL: "rate_limits"}):
        with pytest.raises(errors.SettingsError, match="'rate_limits': did you mean 'rate_limit'"):
            Simulated(fail=fail)
    closest = "'gpt-4o-mini', did you mean 'simulated/gpt-4o-mini'"
    with pytest.raises(errors.SettingsError, match=closest):
        Simulated(fail={"gpt-4o-mini": "timeout"})
    with pytest.raises(errors.UnknownModel, match="did you mean 'simulated/gpt-4o'"):
        answer(asking(model="simulated/gpt-4"))
