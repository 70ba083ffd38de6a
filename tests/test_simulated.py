"""The provider for lessons: the same in every run, and never to be taken for real."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from nbroute.providers.simulated import FAILURES, MODELS, Simulated
from nbroute.types import Ladder, Message, Request, Tier

SMALL, LARGE = "simulated/gpt-4o-mini", "simulated/claude-opus-4"
ALL_MODELS = pytest.mark.parametrize("model", MODELS)


def asking(prompt="What is the capital of France?", *, model=SMALL, system="Be brief.", **parts):
    messages = (Message("system", system), Message("user", prompt))
    return Request("simulated", model, messages, **{"max_tokens": 400} | parts)


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
    lines = {model: text_of(answer(asking(model=model))).count("\n") for model in (SMALL, LARGE)}

    assert 0 == lines[SMALL]
    assert 10 < lines[LARGE]


def test_no_two_models_answer_alike():
    answers = {text_of(answer(asking(model=model))) for model in MODELS}

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
