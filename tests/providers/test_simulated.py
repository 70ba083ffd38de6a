"""The provider for lessons: the same in every run, and never to be taken for real."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import itertools
import json
import math
import os
import re
import sqlite3
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import pytest
from calls import asking as asking_any
from calls import text_of
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from nbroute.checks.confidence import RATING_INSTRUCTION, take_rating
from nbroute.checks.form import not_refused, not_unsure, valid_json
from nbroute.checks.structured import read_schema
from nbroute.classify.model import ModelClassifier, named_tier
from nbroute.decoding import packaged
from nbroute.errors import (
    AuthError,
    BadReply,
    RateLimited,
    SettingsError,
    TimedOut,
    Unavailable,
    UnknownModel,
)
from nbroute.ladders import preset
from nbroute.providers.simulated import MODELS, Simulated, known_prompts
from nbroute.providers.simulated_answers import find, instance
from nbroute.sandbox import Outcome, feedback
from nbroute.types import Ladder, Message, Reply, Request, Tier, Usage

SMALL, LARGE = "simulated/gpt-4o-mini", "simulated/claude-opus-4"
ALL_MODELS = pytest.mark.parametrize("model", MODELS)


def asking(prompt="What is the capital of France?", *, model=SMALL, **parts):
    return asking_any(prompt, model=model, **{"max_tokens": 400} | parts)


EASY = (
    "What is the capital of France?",
    "What is the capital of Norway?",
    "What is the Latin word for water?",
    "What is 7 times 8?",
    "Translate 'good morning' into Spanish.",
    "Translate into German: the parcel has arrived.",
    "Format this list as JSON: red, green, blue.",
)
HARD = (
    (
        "Derive the conditions under which a two-species predator-prey model has a stable limit "
        "cycle, and discuss what each parameter means in the field."
    ),
    "Prove that the square root of 2 is irrational.",
    "Prove that every continuous function on a closed interval is uniformly continuous.",
    "Plan the migration of a monolith with forty tables to microservices without downtime.",
    "Research the causes of the 2008 crisis and write a comprehensive analysis.",
    "Explain step by step how the Raft consensus algorithm handles a network partition.",
    "Compare three ways of storing passwords, with their weaknesses.",
    "Develop a research plan to measure whether model routing saves money.",
)
STRANGE = (
    "Compare the treaties of Westphalia and Versailles and argue which shaped Europe more.",
    "Derive the Black-Scholes equation and discuss where its assumptions break down.",
    "Analyse the causes of the fall of Rome and evaluate the evidence.",
    "Optimise this algorithm from quadratic to linear time and prove that it is correct.",
    "Critically review the evidence that minimum wages reduce employment.",
    "Design a strategy to audit a distributed ledger and justify its assumptions.",
)
RUNGS = preset("four-tier", "simulated").tiers


def on_tier(prompt, tier, **parts):
    """The request for a prompt as the preset ladder's tier is given it."""
    return asking(prompt, model=tier.model, system=tier.system, max_tokens=tier.max_tokens, **parts)


def answer(request, **options):
    return list(Simulated(**options).send(request))


# The answers


KNOWN = "What is the capital of Australia?"
UNKNOWN = "What does the purple teapot on my desk dream of?"


def answers_of(prompt, **parts):
    """The four answers, as the preset ladder's tiers give them."""
    return [text_of(answer(on_tier(prompt, tier, **parts))) for tier in RUNGS]


@pytest.mark.parametrize(
    "prompt",
    [
        KNOWN,
        "what is the capital of  australia",
        "  What is the capital\nof Australia ?!",
        "WHAT IS THE CAPITAL OF AUSTRALIA.",
        f"{KNOWN}\n\n{RATING_INSTRUCTION}",
    ],
)
def test_a_known_prompt_is_answered_as_models_of_four_strengths_might(prompt):
    answers = answers_of(prompt, rated=RATING_INSTRUCTION in prompt)

    assert answers[0].startswith("The capital of Australia is Sydney.")
    assert all("Canberra" in one for one in answers[1:])
    assert 4 == len(set(answers))


def test_typographic_quotes_and_backticks_make_no_other_prompt():
    plain = "Translate 'good morning' into Spanish."
    code = "Write a Python function `median(numbers)`."

    assert answers_of(plain) == answers_of(plain.replace("'", "\u2019"))
    assert answers_of(code) == answers_of(code.replace("`", ""))


def test_a_later_turn_of_a_conversation_is_answered():
    turns = [Message("user", UNKNOWN), Message("assistant", "Hi"), Message("user", KNOWN)]

    assert "Canberra" in text_of(answer(Request("simulated", LARGE, tuple(turns), 400)))


def test_the_known_prompts_that_are_told_do_not_depend_on_how_python_hashes_words():
    asked = (
        "There are 4 snails in one aquarium and 32 snails in another aquarium. The difference "
        "between the number of snails in the two aquariums is twice the amount of fish in both "
        "aquariums. If both aquariums have the same number of fish in them, how many fish are "
        "there in each aquarium?"
    )
    code = f"from nbroute.providers.simulated_answers import near; print(near({asked!r}))"

    def told(seed):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, env=env
        )
        return done.stdout

    assert told("0") == told("2")


STRANGE_TEXTS = (UNKNOWN, "", " ", "?", "日本語", "\u200b", '"', "{", "a" * 100_000, "x\ny")


@pytest.mark.parametrize("prompt", STRANGE_TEXTS, ids=range(10))
def test_an_unknown_prompt_is_told_so_briefly_with_prompts_that_are_known(prompt):
    for model in MODELS:
        text = text_of(answer(asking(prompt, model=model)))
        assert "This ladder is simulated: it has no answer to this prompt." in text
        assert "%route use local" in text
        assert 3 == len(set(re.findall('"(.+?)"', text)) & set(known_prompts()))
        assert len(text) < 500


@pytest.mark.parametrize(
    ("prompt", "nearest"),
    [
        ("What's the capital of Portugal?", "capital"),
        ("Please prove that pi is irrational!", "Prove that the square root of 2 is irrational."),
        ("Tell me about the moons of Saturn.", "moons"),
    ],
)
def test_the_prompts_that_are_named_are_near_by_their_words(prompt, nearest):
    assert nearest in text_of(answer(asking(prompt))).partition(" and ")[0]


@ALL_MODELS
def test_the_same_request_gets_the_same_answer_tokens_and_times_as_in_the_second_articles_table(
    model,
):
    chunks, other = answer(asking(model=model)), answer(asking("Is a whale a fish?", model=model))
    clock = [chunk.clock_ms for chunk in chunks]

    assert chunks == answer(asking(model=model)) == answer(asking(model=model), pace=0.001)
    assert (text_of(chunks), clock[0]) != (text_of(other), other[0].clock_ms)
    per_token = (clock[-1] - clock[0]) / chunks[-1].usage.output_tokens
    assert pytest.approx(MODELS[model].ttft_ms, rel=0.11) == clock[0]
    assert pytest.approx(1000 / MODELS[model].tokens_per_second, rel=0.12) == per_token
    assert sorted(clock) == clock


def test_a_stronger_model_says_more_of_what_is_hard():
    words = [len(text.split()) for text in answers_of(HARD[0])]

    assert sorted(words) == words
    assert 3 * words[0] < words[-1]


def test_a_model_that_does_not_exist_names_the_closest():
    with pytest.raises(UnknownModel, match="did you mean 'simulated/gpt-4o'"):
        answer(asking(model="simulated/gpt-4"))


@ALL_MODELS
def test_json_is_the_answer_or_valid_and_marked(model):
    known = json.loads(text_of(answer(asking(model=model, json=True))))
    unknown = json.loads(text_of(answer(asking('say "hi"\n', model=model, json=True))))

    assert "Paris" == known["capital"]
    assert unknown["simulated"] is True
    assert "no answer to this prompt" in unknown["note"]


@given(prompt=st.text(), max_tokens=st.integers(1, 80), stream=st.booleans())
def test_the_usage_is_exact_and_the_budget_kept(prompt, max_tokens, stream):
    chunks = answer(asking(prompt, max_tokens=max_tokens, stream=stream))
    whole = answer(asking(prompt, max_tokens=max_tokens, stream=True))

    assert len(whole) - 1 == chunks[-1].usage.output_tokens <= max_tokens
    assert text_of(whole) == text_of(chunks)


def test_an_answer_comes_in_one_chunk_or_is_cut_by_the_budget_and_says_so():
    cut, (whole,) = answer(asking(max_tokens=5)), answer(asking(stream=False))

    assert ("length", 5) == (cut[-1].finish_reason, cut[-1].usage.output_tokens)
    assert ("stop", text_of(answer(asking()))) == (whole.finish_reason, whole.text)
    assert 3 + 7 == whole.usage.input_tokens  # words and punctuation of all messages


# Agreeing, doubting, rating


def cosine(one, other):
    wordllama = pytest.importorskip("wordllama")
    home = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(cache_dir=home, disable_download=True)
    left, right = model.embed([one, other], norm=True)
    return float(left @ right)


@pytest.mark.parametrize("above", RUNGS[1:3], ids=lambda tier: tier.name)
def test_all_models_agree_on_easy_prompts_and_not_on_hard_ones(above):
    def likeness(prompt):
        return cosine(*(text_of(answer(on_tier(prompt, tier))) for tier in (RUNGS[0], above)))

    assert 0.92 <= min(map(likeness, EASY))
    assert 0.90 > max(map(likeness, HARD))


def checked(prompt, tier):
    """Whether the answer passes for sure, and whether it passes for no refusal."""
    reply = Reply(text_of(answer(on_tier(prompt, tier))), "m", Usage(1, 1), "stop", 1.0, None)
    return not_unsure(reply, prompt).passed, not_refused(reply, prompt).passed


def test_low_tiers_doubt_many_hard_prompts_of_ones_own_and_nobody_doubts_an_easy_one():
    doubts = [sum(not checked(prompt, tier)[0] for prompt in STRANGE) for tier in RUNGS]

    assert 3 <= doubts[0] <= 6
    assert doubts[0] >= doubts[1] > doubts[2] == doubts[3] == 0
    assert all(checked(prompt, tier)[0] for prompt in EASY for tier in RUNGS)

    # so that a cascade climbs where the tour says that it does
    assert [False, False, True, True] == [checked(HARD[0], tier)[0] for tier in RUNGS]
    assert all(checked(prompt, tier)[1] for prompt in EASY + HARD + STRANGE for tier in RUNGS)


def rated(prompt, tier):
    text = text_of(answer(on_tier(f"{prompt}\n\n{RATING_INSTRUCTION}", tier, rated=True)))
    assert re.fullmatch(r"Confidence: (?:[1-9]|10)", text.splitlines()[-1])
    return take_rating(text)[1]


def test_tiers_rate_themselves_by_how_hard_the_prompt_is_for_them_and_only_when_asked():
    assert 8 <= min(rated(prompt, tier) for prompt in EASY for tier in RUNGS)
    assert 8 > max(rated(prompt, tier) for prompt in HARD for tier in RUNGS[:2])
    assert 8 <= min(rated(prompt, RUNGS[-1]) for prompt in HARD)
    assert "Confidence" not in text_of(answer(asking(RATING_INSTRUCTION)))


def probability(prompt, tier):
    chunks = answer(on_tier(prompt, tier, logprobs=True))
    found = [one for chunk in chunks for one in chunk.logprobs]
    assert len(found) == chunks[-1].usage.output_tokens
    assert max(found) <= 0
    return math.exp(sum(found) / len(found))


def test_log_probabilities_are_high_where_a_model_is_up_to_the_prompt_and_come_when_asked_for():
    assert 0.9 < min(probability(prompt, tier) for prompt in EASY for tier in RUNGS)
    assert 0.75 > max(probability(prompt, RUNGS[0]) for prompt in HARD)
    assert 0.9 < min(probability(prompt, RUNGS[-1]) for prompt in HARD)

    streamed = [one for chunk in answer(asking(logprobs=True)) for one in chunk.logprobs]
    (whole,) = answer(asking(logprobs=True, stream=False))
    assert tuple(streamed) == whole.logprobs
    assert not any(chunk.logprobs for chunk in answer(asking()))


# Structured output


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Node(BaseModel):
    value: int
    kids: list[Node]
    left: Node | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str = Field(min_length=40, max_length=45)


class Everything(BaseModel):
    code: str = Field(pattern=r"^[A-Z]{3}-\d{4}$")
    slug: str = Field(pattern=r"^(?:foo|bar)_\w+$")
    day: dt.date
    moment: dt.datetime
    length: dt.timedelta
    amount: Decimal
    id: uuid.UUID
    mood: Mood
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
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


SCHEMAS = (
    Node,
    Everything,
    Cat | Dog,
    list[Cat],
    Literal[1, 2],
    {},
    {"type": ["null", "integer"]},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    {"allOf": [{"required": ["a"]}, {"type": "object", "properties": {"a": {"type": "null"}}}]},
    {"oneOf": [{"type": "string", "maxLength": 3}, {"type": "integer"}]},
    {"type": "object", "additionalProperties": {"type": "boolean"}, "minProperties": 3},
    {"type": "array", "items": {"$ref": "#"}, "maxItems": 2},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.01},
    {"type": "string", "minLength": 200},
)
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
LETTER = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "pages": {"type": "integer", "minimum": 1}},
    "required": ["title", "pages"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("spec", SCHEMAS)
def test_an_instance_fits_its_schema(spec):
    schema = read_schema(spec)

    for seed in (0.0, 0.3, 0.6, 0.99):
        schema.parse(json.dumps(instance(schema.json_schema, seed)))


@given(st.integers(-50, 50), st.integers(0, 50), st.sampled_from([1, 0.1, 0.25, 3]))
def test_a_number_keeps_to_its_limits(low, width, step):
    spec = {"type": "number", "minimum": low, "maximum": low + width + 3, "multipleOf": step}
    value = instance(spec, 0.5)

    assert low <= value <= low + width + 3
    assert pytest.approx(0, abs=1e-9) == (value / step) - round(value / step)


@pytest.mark.parametrize("tier", RUNGS[2:], ids=lambda tier: tier.name)
def test_models_of_enough_skill_always_fit_the_schema_and_say_that_they_are_simulated(tier):
    for prompt in EASY + HARD + STRANGE:
        text = text_of(answer(on_tier(prompt, tier, schema=LETTER, json=True)))
        assert "simulated" in read_schema(LETTER).parse(text)["title"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 1},
        {"enum": [1, 2, 3], "minimum": 2},
        {"type": "array", "minItems": 3.0, "items": {"type": "string", "minLength": 2.0}},
        {"$schema": DRAFT_4, "type": "integer", "minimum": 4, "exclusiveMinimum": True},
        {"type": "array", "uniqueItems": True, "minItems": 4, "items": {"enum": [1, 2, 3, 4]}},
    ],
)
def test_a_value_that_does_not_fit_is_drawn_again(schema):
    for prompt in EASY:
        read_schema(schema).parse(text_of(answer(asking(prompt, model=LARGE, schema=schema))))


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"type": "string"}},
        {"type": "array", "contains": {"const": 7}},
        {"type": "object", "patternProperties": {"^x_": {"type": "null"}}, "required": ["x_a"]},
    ],
)
def test_a_schema_that_cannot_be_filled_in_is_answered_in_words(schema):
    text = text_of(answer(asking(UNKNOWN, model=LARGE, schema=schema)))

    assert text.startswith(f"[simulated] {LARGE} cannot make up JSON for this schema: ")


def test_low_models_miss_a_share_of_the_schemas_in_two_ways():
    def fault(prompt, tier):
        try:
            read_schema(LETTER).parse(text_of(answer(on_tier(prompt, tier, schema=LETTER))))
        except ValueError as error:
            return "prose" if "not JSON" in str(error) else "type"
        return ""

    low, mid = ([fault(prompt, tier) for prompt in EASY + HARD + STRANGE] for tier in RUNGS[:2])
    assert {"", "prose", "type"} == set(low)
    assert low.count("") < mid.count("")


def test_a_known_prompt_is_answered_with_its_own_json_where_the_schema_has_room_for_it():
    city = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "inhabitants": {"type": "integer"}},
        "required": ["name"],
    }
    prompt = "Describe the largest city of Portugal."
    texts = answers_of(prompt, schema=city, json=True)

    with pytest.raises(ValueError, match="not JSON"):
        read_schema(city).parse(texts[0])
    assert ["Lisbon"] * 3 == [read_schema(city).parse(text)["name"] for text in texts[1:]]
    read_schema(LETTER).parse(text_of(answer(on_tier(prompt, RUNGS[3], schema=LETTER, json=True))))


# The lessons


LESSONS = packaged("nbroute.providers", "lessons.toml")["lesson"]
#: What an answer says of itself only where the prompt asks for it.
TELLING = ("simulat", "as an ai", "language model", "simple tier", "frontier", "gpt", "claude")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one["prompts"][0][:40])
def test_a_lesson_has_four_answers_that_are_whole_and_a_rating_of_8_says_good_enough(lesson):
    prompt = lesson["prompts"][0]
    chunks = [answer(on_tier(prompt, tier)) for tier in RUNGS]
    ratings = [rated(prompt, tier) for tier in RUNGS]

    assert lesson["answers"] == [text_of(one) for one in chunks]
    assert ["stop"] * 4 == [one[-1].finish_reason for one in chunks]
    assert [place >= lesson["enough"] for place in range(4)] == [one >= 8 for one in ratings]
    told = " ".join(lesson["answers"]).lower()
    asked = " ".join(lesson["prompts"]).lower()
    assert [] == [word for word in TELLING if word in told and word not in asked]


def test_no_wording_stands_twice():
    wordings = [prompt for lesson in LESSONS for prompt in lesson["prompts"]]

    assert len(wordings) == len(set(wordings))
    assert len(LESSONS) == len(known_prompts()) >= 40


def test_every_prompt_of_the_notebooks_and_the_readme_is_known():
    root = Path(__file__).parents[2]
    texts = [(root / "README.md").read_text("utf-8").split("```")]
    for path in sorted((root / "notebooks").glob("0*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts.append(["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"])
    cells = [text.strip() for text in itertools.chain(*texts)]
    review = "The battery lasts two days, but the case {scratched} within a week."
    prompts = [
        cell.partition("\n")[2].replace("{{review}}", review)
        for cell in cells
        if re.match(r"%%route(?:_compare)?\b", cell)
    ]
    unknown = [one for one in prompts if one.strip() and "{{" not in one and find(one) is None]

    assert [] == unknown
    assert 25 <= len(prompts)


PLAIN_TESTS = {
    "median": "median([3, 1, 2]) == 2 and median([4, 1, 3, 2]) == 2.5",
    "merges two sorted": "merge_sorted([1, 4], [2, 3, 5]) == [1, 2, 3, 4, 5]",
    "is_palindrome": "is_palindrome('Never odd or even') and not is_palindrome('lever')",
    "is_leap_year": "[y for y in (1900, 2000, 2024, 2023) if is_leap_year(y)] == [2000, 2024]",
    "fizzbuzz": "fizzbuzz(15)[-1] == 'FizzBuzz' and fizzbuzz(5)[2:] == ['Fizz', '4', 'Buzz']",
    "to_roman": "[to_roman(n) for n in (4, 9, 1994)] == ['IV', 'IX', 'MCMXCIV']",
    "flatten": "flatten([1, [2, [3, []]]]) == [1, 2, 3]",
}
CODE = {
    next(one["prompts"][0] for one in LESSONS if name in one["prompts"][0]): assertion
    for name, assertion in PLAIN_TESTS.items()
}
EXERCISES = pytest.mark.parametrize(("prompt", "assertion"), CODE.items())


def holds(assertion, text):
    """Whether the fenced function passes; our own texts only, so that running them is safe."""
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {}
    exec(code, names)  # noqa: S102 - from nbroute/providers/lessons.toml
    try:
        return bool(eval(assertion, names))  # noqa: S307 - as above
    except (TypeError, AttributeError):
        return False


@EXERCISES
def test_the_weakest_models_function_fails_the_plain_test_and_a_strong_ones_passes(
    prompt, assertion
):
    passed = [holds(assertion, text) for text in answers_of(prompt)]

    assert not passed[0]
    assert passed[2:] == [True, True]


@EXERCISES
def test_whoever_is_given_the_traceback_does_as_the_next_stronger_would(prompt, assertion):
    failed = feedback("def f(): ...", Outcome(False, "AssertionError", "Traceback", ""))
    helped = text_of(answer(on_tier(f"{prompt}\n\n{failed}", RUNGS[1])))

    assert answers_of(prompt)[2] == helped
    assert holds(assertion, helped)


def test_an_answer_that_was_no_json_is_told_so_and_the_prompt_is_known_all_the_same():
    prompt = "Name the three largest moons of Jupiter as a JSON list."
    failed = valid_json(Reply("Ganymede", "a model", Usage(1, 1), "stop", 1.0, None)).feedback
    helped = text_of(answer(on_tier(f"{prompt}\n\n{failed}", RUNGS[0])))

    assert answers_of(prompt)[1] == helped


def test_strong_models_treat_the_edges_of_median_and_merge_with_care():
    median, merge = list(CODE)[:2]

    for text in answers_of(median)[2:]:
        with pytest.raises(ValueError, match="no numbers"):
            holds("median([])", text)
    stable = "[id(x) for x in merge_sorted([p], [q])] == [id(p), id(q)]"
    for text in answers_of(merge)[2:]:
        assert holds(f"[p := 1.0, q := 1] and {stable} and merge_sorted([], [1]) == [1]", text)


def queried(text):
    with contextlib.closing(sqlite3.connect(":memory:")) as shop:
        shop.execute("CREATE TABLE orders(id, customer_id, ordered_at, total)")
        rows = [(1, 1, "01", 5), (2, 1, "03", 6), (3, 2, "02", 7), (4, 2, "02", 8)]
        shop.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
        found = shop.execute(re.findall(r"```sql\n(.*?)```", text, re.DOTALL)[0]).fetchall()
    return sorted(row[0] for row in found)


def test_the_query_for_the_latest_order_of_each_customer_forgets_less_from_model_to_model():
    (prompt,) = (one for one in known_prompts() if "SQL" in one)

    assert [[2], [2, 3, 4], [2, 4], [2, 4]] == list(map(queried, answers_of(prompt)))


def test_the_pattern_for_a_date_lets_less_through_from_model_to_model():
    (prompt,) = (one for one in known_prompts() if "regular expression" in one)
    dates = ("2026-11-28", "2026-99-99", "2026-12-39", "2026-02-30", "2024-02-29")
    found = []
    for text in answers_of(prompt):
        pattern = re.findall(r"```\n(.*?)\n```", text, re.DOTALL)[0]
        found.append(sum(re.fullmatch(pattern, date) is not None for date in dates))

    assert [5, 4, 3, 2] == found


def test_the_last_digit_of_the_power_is_what_the_strong_models_say():
    texts = answers_of("What is the last digit of 7 to the power of 222?")
    digit = str(pow(7, 222, 10))

    assert [False, False, True, True] == [f"**{digit}" in text for text in texts]


# Classifying


TIERS = {
    "SIMPLE": "a fact, a greeting",
    "MEDIUM": "a summary",
    "COMPLEX": "code: several steps",
    "FRONTIER": "research",
}
LADDER = Ladder(
    "four-tier",
    tuple(Tier(name, "simulated", SMALL, 256, description=what) for name, what in TIERS.items()),
    "MEDIUM",
)
ARTICLE = """Classify the following user request.
Output ONLY one word: SIMPLE, MEDIUM, COMPLEX, or FRONTIER.
SIMPLE \u2014 Yes/no, single fact
MEDIUM \u2014 Summarise
COMPLEX \u2014 Code
FRONTIER \u2014 Deep research
User request: {}
Classification:"""
SHORT, LONG = "What is 2 + 2?", "Compare the treaties and say which of them held. " * 30


def classified(prompt, model=SMALL):
    request = ModelClassifier(None, provider="simulated", model=model).request(prompt, LADDER)
    return named_tier(text_of(answer(request)), LADDER.names)


def test_our_classifiers_question_is_answered_with_a_tier_that_grows_with_the_prompt():
    assert ("SIMPLE", "FRONTIER") == (classified(SHORT), classified(LONG))


@given(prompt=st.text(), model=st.sampled_from(sorted(MODELS)))
def test_any_prompt_is_classified_as_one_of_the_tiers(prompt, model):
    assert classified(prompt, model) in LADDER.names


@pytest.mark.parametrize(("prompt", "tier"), [(SHORT, "SIMPLE"), (LONG, "FRONTIER")])
def test_the_second_articles_question_is_answered_too(prompt, tier):
    request = asking(ARTICLE.format(prompt), system="", max_tokens=5)

    assert tier == text_of(answer(request))


@pytest.mark.parametrize("mark", [":", " -", " \u2013", " \u2014"])
def test_tiers_that_are_only_listed_are_found(mark):
    system = f"Say one word.\nfast{mark} easy ones\nmid{mark} others\n- power{mark} hard ones"

    assert "fast" == text_of(answer(asking(SHORT, system=system, max_tokens=10)))
    assert "power" == text_of(answer(asking(LONG, system=system, max_tokens=10)))


def test_a_short_budget_alone_makes_no_classifier():
    assert "Paris" in text_of(answer(asking(max_tokens=10)))


# Failing


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate_limit", RateLimited),
        ("timeout", TimedOut),
        ("unavailable", Unavailable),
        ("auth", AuthError),
        ("empty", BadReply),
        ("cut", Unavailable),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_a_failure_of_an_endpoint_is_the_same_error_as_the_real_ones_and_passes(
    kind, error, stream
):
    provider = Simulated(fail=[kind])

    with pytest.raises(error, match=r"\[simulated\]"):
        list(provider.send(asking(stream=stream)))
    assert "Paris" in text_of(provider.send(asking(stream=stream)))


def test_a_cut_stream_breaks_after_some_text():
    whole = text_of(answer(asking()))
    pieces = Simulated(fail="cut").send(asking())
    arrived = [next(pieces).text for _ in range(answer(asking())[-1].usage.output_tokens // 2)]

    with pytest.raises(Unavailable, match="broke off half-way"):
        next(pieces)
    assert whole.startswith("".join(arrived))


def test_a_failure_may_be_an_answer_that_is_refused_slow_cut_or_not_json():
    quick, slow, cut = (answer(asking(), fail=fail) for fail in (None, "slow", "length"))

    assert "I cannot help" in text_of(answer(asking(), fail="refusal"))
    assert text_of(quick) == text_of(slow)
    assert pytest.approx(10 * quick[-1].clock_ms) == slow[-1].clock_ms
    assert "length" == cut[-1].finish_reason
    assert quick[-1].usage.output_tokens // 2 == cut[-1].usage.output_tokens
    text = text_of(answer(asking(json=True), fail="bad_json"))
    assert "[simulated]" in text
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


def test_one_model_can_fail_while_the_others_answer():
    provider = Simulated(fail={SMALL: "timeout", LARGE: ["auth"]})

    for _ in range(2):
        with pytest.raises(TimedOut):
            list(provider.send(asking(model=SMALL)))
    with pytest.raises(AuthError):
        list(provider.send(asking(model=LARGE)))
    assert text_of(provider.send(asking(model=LARGE)))
    assert text_of(provider.send(asking(model="simulated/gpt-4o")))


def test_a_list_of_failures_is_used_up_call_by_call_in_all_threads():
    provider = Simulated(fail=["rate_limit", None] * 10)

    def failed(_):
        try:
            return not text_of(provider.send(asking()))
        except RateLimited:
            return True

    assert [True, False] == [failed(0), failed(1)]
    with ThreadPoolExecutor(8) as pool:
        assert 9 == sum(pool.map(failed, range(50)))


@pytest.mark.parametrize(
    ("fail", "told"),
    [
        *(
            (fail, "'rate_limits': did you mean 'rate_limit'")
            for fail in ("rate_limits", ["rate_limits"], {SMALL: "rate_limits"})
        ),
        ({"gpt-4o-mini": "timeout"}, "'gpt-4o-mini', did you mean 'simulated/gpt-4o-mini'"),
    ],
)
def test_an_unknown_failure_or_model_is_a_settings_error_with_the_closest(fail, told):
    with pytest.raises(SettingsError, match=told):
        Simulated(fail=fail)
