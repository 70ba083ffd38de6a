"""The provider for lessons: the same in every run, and never to be taken for real."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from nbroute.checks.confidence import RATING_INSTRUCTION, take_rating
from nbroute.checks.doubt import not_refused, not_unsure
from nbroute.checks.structured import read_schema
from nbroute.classify.model import ModelClassifier, named_tier
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
from nbroute.providers.simulated import FAILURES, MODELS, Simulated
from nbroute.providers.simulated_answers import instance
from nbroute.types import Ladder, Message, Reply, Request, Tier, Usage

SMALL, LARGE = "simulated/gpt-4o-mini", "simulated/claude-opus-4"
ALL_MODELS = pytest.mark.parametrize("model", MODELS)


def asking(prompt="What is the capital of France?", *, model=SMALL, system="Be brief.", **parts):
    messages = (Message("system", system), Message("user", prompt))
    return Request("simulated", model, messages, **{"max_tokens": 400} | parts)


EASY = (
    "What is the capital of France?",
    "Who wrote Hamlet?",
    "When did the Berlin Wall fall?",
    "How many days are in a leap year?",
    "Is 17 a prime number?",
    "What is 7 times 8?",
    "Which planet is closest to the Sun?",
    "Translate 'good morning' into Spanish.",
    "What is the chemical symbol of gold?",
    "Where is Mount Everest?",
)
HARD = (
    "Prove that the square root of 2 is irrational.",
    (
        "Design a database schema for a hospital with five departments, audit logs and role-based "
        "access, and justify each trade-off."
    ),
    "Compare the treaties of Westphalia and Versailles and argue which shaped Europe more.",
    "Derive the Black-Scholes equation and discuss where its assumptions break down.",
    "Plan the migration of a monolith with forty tables to microservices without downtime.",
    "Analyse the causes of the 2008 financial crisis and evaluate the policy response.",
    "Explain step by step how the Raft consensus algorithm handles a network partition.",
    "Optimise this algorithm from quadratic to linear time and prove that it is correct.",
    "Critically review the evidence that minimum wages reduce employment.",
    "Develop a research plan to measure whether model routing saves money.",
)
RUNGS = preset("four-tier", "simulated").tiers


def on_tier(prompt, tier, **parts):
    """The request for a prompt as the preset ladder's tier is given it."""
    return asking(prompt, model=tier.model, system=tier.system, max_tokens=tier.max_tokens, **parts)


def text_of(chunks):
    return "".join(chunk.text for chunk in chunks)


def answer(request, **options):
    return list(Simulated(**options).send(request))


# The answers


@ALL_MODELS
def test_every_answer_says_at_once_that_it_is_simulated(model):
    assert text_of(answer(asking(model=model))).startswith("[simulated]")


@ALL_MODELS
def test_the_same_request_gets_the_same_answer_tokens_and_times(model):
    assert answer(asking(model=model)) == answer(asking(model=model))


def test_another_prompt_gets_another_answer_and_another_time():
    one, two = answer(asking("What is an atom?")), answer(asking("What is a quark?"))

    assert text_of(one) != text_of(two)
    assert one[0].clock_ms != two[0].clock_ms


def test_the_answer_tells_the_prompt_the_system_prompt_and_the_budget():
    text = text_of(answer(asking("Why is the sky blue?", system="Think.", max_tokens=321)))

    assert '"Why is the sky blue?" (5 words)' in text
    assert '"Think." (1 word)' in text
    assert "321 tokens" in text


def test_a_long_prompt_is_shortened():
    text = text_of(answer(asking("word " * 200_000)))

    assert "(200000 words)" in text
    assert len(text) < 400


def test_a_larger_model_structures_more():
    prompt = "Describe how a bicycle stays upright."
    lines = {m: text_of(answer(asking(prompt, model=m))).count("\n") for m in (SMALL, LARGE)}

    assert 0 == lines[SMALL]
    assert 10 < lines[LARGE]


def test_no_two_models_answer_alike_what_is_open():
    prompt = "Describe how a bicycle stays upright."
    answers = {text_of(answer(asking(prompt, model=model))) for model in MODELS}

    assert len(MODELS) == len(answers)


def test_a_model_that_does_not_exist_names_the_closest():
    with pytest.raises(UnknownModel, match="did you mean 'simulated/gpt-4o'"):
        answer(asking(model="simulated/gpt-4"))


@ALL_MODELS
def test_json_is_valid_and_marked(model):
    record = json.loads(text_of(answer(asking('say "hi"\n', model=model, json=True))))

    assert record["simulated"] is True
    assert record["note"].startswith("[simulated]")


@given(prompt=st.text(), max_tokens=st.integers(1, 80), stream=st.booleans())
def test_the_usage_is_exact_and_the_budget_kept(prompt, max_tokens, stream):
    chunks = answer(asking(prompt, max_tokens=max_tokens, stream=stream))
    whole = answer(asking(prompt, max_tokens=max_tokens, stream=True))

    assert len(whole) - 1 == chunks[-1].usage.output_tokens <= max_tokens
    assert text_of(whole) == text_of(chunks)


def test_an_answer_over_the_budget_is_cut_and_says_so():
    chunks = answer(asking(max_tokens=5))

    assert ("length", 5) == (chunks[-1].finish_reason, chunks[-1].usage.output_tokens)
    assert "stop" == answer(asking())[-1].finish_reason


def test_input_tokens_are_words_and_punctuation_of_all_messages():
    assert 3 + 7 == answer(asking())[-1].usage.input_tokens


def test_without_streaming_all_comes_in_one_chunk():
    (chunk,) = answer(asking(stream=False))

    assert text_of(answer(asking())) == chunk.text
    assert chunk.usage is not None


def test_a_later_turn_of_a_conversation_is_counted():
    turns = [Message("user", "Hello"), Message("assistant", "Hi"), Message("user", "Go on, please")]
    request = Request("simulated", SMALL, tuple(turns), 400)

    assert '"Go on, please" (3 words, turn 2)' in text_of(answer(request))
    assert "turn" not in text_of(answer(asking()))


# Agreeing, doubting, rating


def cosine(one, other):
    wordllama = pytest.importorskip("wordllama")
    home = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(cache_dir=home, disable_download=True)
    left, right = model.embed([one, other], norm=True)
    return float(left @ right)


@pytest.mark.parametrize("above", RUNGS[1:], ids=lambda tier: tier.name)
def test_all_models_agree_on_easy_prompts_and_not_on_hard_ones(above):
    def likeness(prompt):
        return cosine(*(text_of(answer(on_tier(prompt, tier))) for tier in (RUNGS[0], above)))

    assert 0.92 <= min(map(likeness, EASY))
    assert 0.90 > max(map(likeness, HARD))


def checked(prompt, tier):
    """Whether the answer passes for sure, and whether it passes for no refusal."""
    reply = Reply(text_of(answer(on_tier(prompt, tier))), "m", Usage(1, 1), "stop", 1.0, None)
    return not_unsure(reply, prompt).passed, not_refused(reply, prompt).passed


def test_low_tiers_doubt_many_hard_prompts_and_nobody_doubts_an_easy_one():
    doubts = [sum(not checked(prompt, tier)[0] for prompt in HARD) for tier in RUNGS]

    assert 6 <= doubts[0] <= 9
    assert doubts[0] > doubts[1] > doubts[2] == doubts[3] == 0
    assert all(checked(prompt, tier)[0] for prompt in EASY for tier in RUNGS)


def test_no_answer_looks_like_a_refusal():
    assert all(checked(prompt, tier)[1] for prompt in EASY + HARD for tier in RUNGS)


def rated(prompt, tier):
    text = text_of(answer(on_tier(f"{prompt}\n\n{RATING_INSTRUCTION}", tier, rated=True)))
    assert re.fullmatch(r"Confidence: (?:[1-9]|10)", text.splitlines()[-1])
    return take_rating(text)[1]


def test_every_tier_rates_itself_8_or_more_on_easy_prompts():
    assert 8 <= min(rated(prompt, tier) for prompt in EASY for tier in RUNGS)


def test_on_hard_prompts_low_tiers_rate_themselves_below_8_and_the_top_does_not():
    assert 8 > max(rated(prompt, tier) for prompt in HARD for tier in RUNGS[:2])
    assert 8 <= min(rated(prompt, RUNGS[-1]) for prompt in HARD)


def test_nothing_is_rated_that_was_not_asked_to_be():
    assert "Confidence" not in text_of(answer(asking(RATING_INSTRUCTION)))


def test_being_asked_for_a_rating_makes_a_prompt_no_harder():
    text = text_of(answer(asking(f"{EASY[0]}\n\n{RATING_INSTRUCTION}", rated=True)))

    assert "asks for one fact" in text


def probability(prompt, tier):
    chunks = answer(on_tier(prompt, tier, logprobs=True))
    found = [one for chunk in chunks for one in chunk.logprobs]
    assert len(found) == chunks[-1].usage.output_tokens
    assert max(found) <= 0
    return math.exp(sum(found) / len(found))


def test_log_probabilities_are_high_where_a_model_is_up_to_the_prompt_and_low_where_not():
    assert 0.9 < min(probability(prompt, tier) for prompt in EASY for tier in RUNGS)
    assert 0.75 > max(probability(prompt, RUNGS[0]) for prompt in HARD)
    assert 0.9 < min(probability(prompt, RUNGS[-1]) for prompt in HARD)


def test_log_probabilities_come_only_when_asked_for_and_all_at_once_without_streaming():
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


@pytest.mark.parametrize("prompt", EASY + HARD)
@pytest.mark.parametrize("tier", RUNGS[2:], ids=lambda tier: tier.name)
def test_models_of_enough_skill_always_fit_the_schema_and_say_that_they_are_simulated(prompt, tier):
    text = text_of(answer(on_tier(prompt, tier, schema=LETTER, json=True)))

    assert "simulated" in read_schema(LETTER).parse(text)["title"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 1},
        {"enum": [1, 2, 3], "minimum": 2},
        {"type": "array", "minItems": 3.0, "items": {"type": "string", "minLength": 2.0}},
        {
            "$schema": "http://json-schema.org/draft-04/schema#",
            "type": "integer",
            "minimum": 4,
            "exclusiveMinimum": True,
        },
        {"type": "array", "uniqueItems": True, "minItems": 4, "items": {"enum": [1, 2, 3, 4]}},
    ],
)
@pytest.mark.parametrize("prompt", EASY)
def test_a_value_that_does_not_fit_is_drawn_again(prompt, schema):
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
    text = text_of(answer(asking(model=LARGE, schema=schema)))

    assert text.startswith(f"[simulated] {LARGE} cannot make up JSON for this schema: ")


def test_low_models_miss_a_share_of_the_schemas_in_two_ways():
    def fault(prompt, tier):
        try:
            read_schema(LETTER).parse(text_of(answer(on_tier(prompt, tier, schema=LETTER))))
        except ValueError as error:
            return "prose" if "not JSON" in str(error) else "type"
        return ""

    low, mid = ([fault(prompt, tier) for prompt in EASY + HARD] for tier in RUNGS[:2])
    assert {"", "prose", "type"} == set(low)
    assert low.count("") < mid.count("")


# Code


ASSERTIONS = {
    "Write a Python function `add(a, b)` that adds two numbers.": "add(2, 3) == 5",
    "Write a Python function `plus(b, a)` that adds two numbers.": "plus(2, 3) == 5",
    "Write a function is_palindrome(s).": "is_palindrome('Never odd or even') and "
    "is_palindrome('level') and not is_palindrome('lever')",
    "Implement `fizzbuzz(n)` as a function.": "[fizzbuzz(n) for n in (3, 5, 15, 7)] "
    "== ['Fizz', 'Buzz', 'FizzBuzz', '7']",
    "Write a function `fizzbuzz(n)` that returns the list for 1 to n.": "fizzbuzz(5) "
    "== ['1', '2', 'Fizz', '4', 'Buzz']",
    "Complete:\ndef median(values: list[float]) -> float:": "median([3, 1, 2]) == 2 "
    "and median([4, 1, 3, 2]) == 2.5",
    "Write a Python function to_roman(n).": "[to_roman(n) for n in (4, 9, 1994)] "
    "== ['IV', 'IX', 'MCMXCIV']",
    "Write a Python function roman_to_int(text).": "roman_to_int('MCMXCIV') == 1994",
    "Write a function `flatten(nested)`.": "flatten([1, [2, [3, []]]]) == [1, 2, 3]",
    "Write a function `word_count(text)` for the number of words.": "word_count('a b  c') == 3",
    "Write a function `word_count(text)` that returns a dict of how often each word occurs.": (
        "word_count('A b, a.') == {'a': 2, 'b': 1}"
    ),
    "Write a function `is_leap_year(year)`.": "[is_leap_year(y) for y in (1900, 2000, 2024, 2023)] "
    "== [False, True, True, False]",
    "Write a function named gcd for two integers.": "gcd(12, 18) == 6 and gcd(7, 0) == 7",
    "Write a Python function `fibonacci(a)`.": "[fibonacci(n) for n in range(7)] "
    "== [0, 1, 1, 2, 3, 5, 8]",
    "Write a function `fib(n)` that returns the first n Fibonacci numbers.": "fib(5) "
    "== [0, 1, 1, 2, 3]",
    "Write a Python function that merges two sorted lists, and explain why it is correct.": (
        "merge_sorted([1, 4], [2, 3, 5]) == [1, 2, 3, 4, 5]"
    ),
}
EXERCISES = pytest.mark.parametrize(("prompt", "assertion"), ASSERTIONS.items())
FAILED = "An earlier answer failed:\n\nTraceback (most recent call last):\n  ...\nAssertionError"


def holds(assertion, text):
    """Whether the fenced function passes; our own texts only, so that running them is safe."""
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "# simulated: " in code
    names = {}
    exec(code, names)  # noqa: S102 - from nbroute/providers/simulated.toml
    try:
        return bool(eval(assertion, names))  # noqa: S307 - as above
    except (TypeError, AttributeError):
        return False


@EXERCISES
@pytest.mark.parametrize("tier", RUNGS[2:], ids=lambda tier: tier.name)
def test_models_of_enough_skill_write_an_exercise_right(prompt, assertion, tier):
    text = text_of(answer(on_tier(prompt, tier)))

    assert text.startswith("[simulated]")
    assert holds(assertion, text)


@EXERCISES
@pytest.mark.parametrize("tier", RUNGS[:2], ids=lambda tier: tier.name)
def test_low_models_get_an_exercise_wrong(prompt, assertion, tier):
    assert not holds(assertion, text_of(answer(on_tier(prompt, tier))))


@EXERCISES
def test_the_tier_that_is_given_the_traceback_gets_it_right(prompt, assertion):
    assert holds(assertion, text_of(answer(on_tier(f"{prompt}\n\n{FAILED}", RUNGS[1]))))


def test_a_function_that_nobody_kept_is_a_stub_that_says_so():
    text = text_of(answer(asking("Write a Python function `transmogrify(x, y=2)`.", model=LARGE)))

    assert "def transmogrify(x, y):" in text
    assert 'raise NotImplementedError("simulated' in text


@pytest.mark.parametrize(
    "prompt",
    [
        "What is a function?",
        "Write an essay about the function of the heart.",
        "Write a JavaScript function `add(a, b)`.",
        "Explain what `def add(a, b): return a + b` does.",
        "Design the architecture of a shop.",
    ],
)
def test_what_asks_for_no_python_function_gets_none(prompt):
    assert "```" not in text_of(answer(asking(prompt, model=LARGE)))


@given(st.text(max_size=300))
def test_any_prompt_after_write_a_function_is_answered(text):
    assert text_of(answer(asking(f"Write a function {text}"))).startswith("[simulated]")


# The clock


@ALL_MODELS
def test_the_clock_follows_the_second_articles_table(model):
    chunks = answer(asking(model=model))
    per_token = (chunks[-1].clock_ms - chunks[0].clock_ms) / chunks[-1].usage.output_tokens

    assert pytest.approx(MODELS[model].ttft_ms, rel=0.11) == chunks[0].clock_ms
    assert pytest.approx(1000 / MODELS[model].tokens_per_second, rel=0.12) == per_token
    assert sorted(chunk.clock_ms for chunk in chunks) == [chunk.clock_ms for chunk in chunks]


def test_a_pace_changes_no_figure():
    assert answer(asking()) == answer(asking(), pace=0.001)


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
    assert text_of(answer(asking(max_tokens=10))).startswith("[simulated]")


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
def test_a_failure_of_an_endpoint_is_the_same_error_as_the_real_ones(kind, error, stream):
    with pytest.raises(error, match=r"\[simulated\]"):
        answer(asking(stream=stream), fail=kind)


def test_a_cut_stream_breaks_after_some_text():
    whole = text_of(answer(asking()))
    pieces = Simulated(fail="cut").send(asking())
    arrived = [next(pieces).text for _ in range(answer(asking())[-1].usage.output_tokens // 2)]

    with pytest.raises(Unavailable, match="broke off half-way"):
        next(pieces)
    assert whole.startswith("".join(arrived))


def test_a_refusal_refuses():
    assert "I cannot help" in text_of(answer(asking(), fail="refusal"))


def test_bad_json_does_not_parse_and_is_marked():
    text = text_of(answer(asking(json=True), fail="bad_json"))

    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert "[simulated]" in text


def test_slow_takes_ten_times_as_long():
    slow, quick = answer(asking(), fail="slow"), answer(asking())

    assert text_of(quick) == text_of(slow)
    assert pytest.approx(10 * quick[-1].clock_ms) == slow[-1].clock_ms


def test_length_stops_half_way():
    cut, whole = answer(asking(), fail="length"), answer(asking())

    assert "length" == cut[-1].finish_reason
    assert whole[-1].usage.output_tokens // 2 == cut[-1].usage.output_tokens


def test_a_list_of_failures_is_used_up_call_by_call():
    provider = Simulated(fail=["rate_limit", None, "unavailable"])

    with pytest.raises(RateLimited):
        list(provider.send(asking()))
    assert text_of(provider.send(asking()))
    with pytest.raises(Unavailable):
        list(provider.send(asking()))
    assert text_of(provider.send(asking()))


def test_one_model_can_fail_while_the_others_answer():
    provider = Simulated(fail={SMALL: "timeout", LARGE: ["auth"]})

    for _ in range(2):
        with pytest.raises(TimedOut):
            list(provider.send(asking(model=SMALL)))
    with pytest.raises(AuthError):
        list(provider.send(asking(model=LARGE)))
    assert text_of(provider.send(asking(model=LARGE)))
    assert text_of(provider.send(asking(model="simulated/gpt-4o")))


def test_a_list_of_failures_is_used_once_in_all_threads():
    provider = Simulated(fail=["rate_limit"] * 10)

    def failed(_):
        try:
            return not text_of(provider.send(asking()))
        except RateLimited:
            return True

    with ThreadPoolExecutor(8) as pool:
        assert 10 == sum(pool.map(failed, range(50)))


@pytest.mark.parametrize("fail", ["rate_limits", ["rate_limits"], {SMALL: "rate_limits"}])
def test_an_unknown_failure_is_a_settings_error_with_the_closest(fail):
    with pytest.raises(SettingsError, match="'rate_limits': did you mean 'rate_limit'"):
        Simulated(fail=fail)


def test_a_failure_for_an_unknown_model_is_a_settings_error_with_the_closest():
    with pytest.raises(SettingsError, match="'gpt-4o-mini', did you mean 'simulated/gpt-4o-mini'"):
        Simulated(fail={"gpt-4o-mini": "timeout"})


@pytest.mark.parametrize("kind", FAILURES)
def test_every_failure_is_marked_as_simulated_and_passes(kind):
    provider = Simulated(fail=[kind])

    try:
        text_of(provider.send(asking()))
    except (RateLimited, TimedOut, Unavailable, AuthError, BadReply) as error:
        assert "[simulated]" in str(error)  # noqa: PT017 - some kinds raise and some answer
    assert text_of(provider.send(asking())).startswith("[simulated]")
