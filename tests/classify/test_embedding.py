"""The embedding classifier and the examples that it compares with."""

from __future__ import annotations

import json
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbroute.classify.embedding import EmbeddingClassifier
from nbroute.classify.examples import (
    HEAD,
    LABELS,
    TAIL,
    Example,
    ExampleVectors,
    compared_text,
    shipped,
    tier_of,
)
from nbroute.classify.ngrams import NgramClassifier
from nbroute.classify.registry import HybridClassifier
from nbroute.embedders.wordllama import WordLlamaEmbedder, available
from nbroute.errors import AuthError, RateLimited, SettingsError
from nbroute.evaluate.training_data import read_examples
from nbroute.types import Attempt, Ladder, Tier

DATA = Path(__file__).parents[1] / "data"
needs_wordllama = pytest.mark.skipif(not available(), reason="wordllama is not installed")


def ladder(*names):
    return Ladder("test", tuple(Tier(n, "p", "m", 10) for n in names), names[0])


FOUR = ladder(*LABELS)
TWO = ladder("cheap", "expensive")

OWN = (
    Example("how many eggs are in a dozen", "cheap"),
    Example("how many days has a week", "cheap"),
    Example("prove the theorem with every step", "expensive"),
    Example("prove the lemma with every step", "expensive"),
)


class BagOfWords:
    """An `embed` that counts words by their hash, and what it was asked for."""

    def __init__(self, width=64, attempts=False):
        self.width = width
        self.asked = []
        self.attempts = attempts

    def __call__(self, texts):
        self.asked.append(list(texts))
        rows = np.zeros((len(texts), self.width), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[zlib.crc32(word.encode("utf-8", "replace")) % self.width] += 1
        return rows, (attempt(len(self.asked)),) if self.attempts else ()


def attempt(number):
    return Attempt(f"a{number}", 0.0, "s", "r", "", "p", "remote", "m", purpose="embed")


def embedding(examples=OWN, embed=None, **options):
    if not isinstance(examples, ExampleVectors):
        examples = ExampleVectors(examples)
    return EmbeddingClassifier(embed or BagOfWords(), examples, **options)


@pytest.mark.parametrize("method", ["neighbours", "centroid"])
def test_a_prompt_goes_where_prompts_like_it_go(method):
    classifier = embedding(method=method)

    assert "cheap" == classifier.classify("how many eggs has a week", TWO).tier
    assert "expensive" == classifier.classify("prove the claim with every step", TWO).tier


def test_the_reason_quotes_the_nearest_examples_with_their_tiers():
    decision = embedding().classify("prove the theorem at every step", TWO)

    assert decision.reason.startswith(
        'most like "prove the theorem with every step" (expensive) and '
        '"prove the lemma with every step" (expensive)'
    )


def test_the_nearest_examples_are_signals_for_and_against_a_more_expensive_tier():
    decision = embedding().classify("prove the theorem at every step", TWO)

    assert "example of expensive" == decision.signals[0].name
    assert "prove the theorem with every step" == decision.signals[0].text
    assert decision.signals[0].start is None
    assert decision.signals[0].weight > 0.5


def test_a_clear_case_is_surer_than_one_between_two_tiers():
    clear = embedding().classify("prove the theorem at every step", TWO)
    between = embedding().classify("how many steps prove the theorem has", TWO)

    assert 1 >= clear.confidence > between.confidence >= 0.5


def test_a_prompt_that_was_taught_has_its_tier_without_embedding_anything():
    embed = BagOfWords()
    examples = ExampleVectors(shipped())
    examples.add(Example("What is the boiling point of ethanol?", "FRONTIER"))

    decision = EmbeddingClassifier(embed, examples).classify(
        " What is the boiling point of ethanol?\n", FOUR
    )

    assert ("FRONTIER", 1.0, []) == (decision.tier, decision.confidence, embed.asked)


def test_examples_are_embedded_once_and_a_taught_one_adds_only_itself():
    embed, examples = BagOfWords(), ExampleVectors(OWN)
    EmbeddingClassifier(embed, examples).classify("how many", TWO)
    examples.add(Example("draw a cat", "cheap"))
    EmbeddingClassifier(embed, examples).classify("how few", TWO)

    assert [1, 4, 1, 1] == [len(texts) for texts in embed.asked]
    assert ["draw a cat"] == embed.asked[3]


def test_many_threads_embed_the_examples_once():
    embed, examples = BagOfWords(), ExampleVectors(OWN)
    classifier = EmbeddingClassifier(embed, examples)
    tiers = []
    threads = [
        threading.Thread(
            target=lambda: tiers.append(classifier.classify("how many eggs", TWO).tier)
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["cheap"] * 8 == tiers
    assert 1 == sum(len(texts) == len(OWN) for texts in embed.asked)


def test_the_decision_carries_the_calls_that_it_cost():
    classifier = embedding(embed=BagOfWords(attempts=True))

    first, second = (classifier.classify("how many eggs", TWO) for _ in range(2))

    assert ["a1", "a2"] == [one.id for one in first.attempts]
    assert ["a3"] == [one.id for one in second.attempts]


@pytest.mark.parametrize("prompt", ["", "   \n", "\ud800", "🦄" * 50_000, "x" * 300_000])
def test_no_prompt_makes_it_fail(prompt):
    assert embedding().classify(prompt, TWO).tier in TWO.names


def test_a_prompt_with_nothing_to_compare_has_the_default_tier_and_says_so():
    decision = embedding().classify("   ", TWO)

    assert ("cheap", True, None) == (decision.tier, decision.defaulted, decision.confidence)
    assert "there is nothing in it to compare, so the default cheap" == decision.reason


def test_of_a_long_question_head_and_tail_are_compared():
    prompt = "why " + "a" * 2000 + " really?"

    text = compared_text(prompt)

    assert text.startswith("why aaa")
    assert text.endswith("really?")
    assert HEAD + TAIL + 1 == len(text)


def test_of_a_pasted_text_only_the_question_is_compared():
    paste = "The council met on Tuesday and spoke about the roof of the pool. " * 30

    assert "Is this spam? Answer yes or no." == compared_text(
        f"{paste}\n\nIs this spam? Answer yes or no."
    )


@pytest.mark.parametrize("error", [RateLimited, AuthError])
def test_an_endpoint_that_may_do_better_next_time_means_the_default_and_a_bad_key_stops(error):
    def embed(_texts):
        raise error("it would not")

    classifier = embedding(embed=embed)

    if error is AuthError:
        with pytest.raises(AuthError):
            classifier.classify("how many", TWO)
    else:
        decision = classifier.classify("how many", TWO)
        assert ("cheap", True) == (decision.tier, decision.defaulted)
        assert "RateLimited: it would not" in decision.reason


def test_examples_are_embedded_anew_when_the_embedder_brings_another_dimension():
    embed, examples = BagOfWords(64), ExampleVectors(OWN)
    EmbeddingClassifier(embed, examples).classify("how many", TWO)
    embed.width = 32

    decision = EmbeddingClassifier(embed, examples).classify("prove every step", TWO)

    assert "expensive" == decision.tier
    assert [1, 4, 1, 4] == [len(texts) for texts in embed.asked]


def test_an_embedder_of_two_dimensions_at_once_is_named_with_both():
    def embed(texts):
        return np.ones((len(texts), len(texts))), ()

    with pytest.raises(SettingsError, match="of 1 dimensions for the prompt and of 4"):
        embedding(embed=embed).classify("how many", TWO)


@pytest.mark.parametrize(
    "bad", [np.ones(3), np.ones((1, 2, 2)), np.ones((9, 2)), np.full((1, 4), np.nan)]
)
def test_an_embed_function_that_gives_no_vectors_is_told_what_is_wanted(bad):
    with pytest.raises(SettingsError, match="one vector of numbers per text"):
        embedding(embed=lambda _: (bad, ())).classify("how many", TWO)


def test_no_examples_at_all_is_an_error_when_asked():
    with pytest.raises(SettingsError, match="has no examples"):
        embedding(()).classify("how many", TWO)


def test_examples_of_another_ladder_are_an_error_that_names_their_tiers():
    with pytest.raises(SettingsError, match=r"none of the 4 examples .* cheap, expensive"):
        embedding().classify("how many", ladder("LOW", "HIGH"))


def test_the_shipped_examples_fit_a_ladder_of_any_names_and_size():
    for names in (("one",), ("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d", "e")):
        decision = embedding(shipped()).classify("what time is it in Rome", ladder(*names))
        assert decision.tier in names
        assert 0 <= decision.confidence <= 1


def test_a_tier_without_examples_is_named_in_the_reason():
    five = ladder("a", "b", "c", "d", "e")

    assert (
        embedding(shipped())
        .classify("capital of Peru", five)
        .reason.endswith("; there is no example of c")
    )


def test_labels_are_mapped_as_the_rules_map_their_quarters():
    three = ladder("fast", "mid", "power")

    assert ["fast", "mid", "mid", "power"] == [tier_of(label, three) for label in LABELS]
    assert ["cheap", "cheap", "expensive", "expensive"] == [tier_of(label, TWO) for label in LABELS]
    assert "SIMPLE" == tier_of("SIMPLE", ladder("MEDIUM", "SIMPLE"))
    assert tier_of("mid", TWO) is None


def test_it_can_stand_for_the_model_in_a_hybrid():
    hybrid = HybridClassifier(NgramClassifier(), embedding(), 1.0)

    decision = hybrid.classify("prove the claim with every step", TWO)

    assert "expensive" == decision.tier
    assert 'most like "prove the' in decision.reason


# --- the shipped examples


def test_there_are_over_sixty_shipped_examples_a_tier_and_none_twice():
    counts = {label: sum(one.tier == label for one in shipped()) for label in LABELS}

    assert set(LABELS) == {one.tier for one in shipped()}
    assert min(counts.values()) >= 65
    assert len(shipped()) == len({one.prompt.casefold() for one in shipped()})


def test_the_shipped_examples_are_short_and_long_and_in_many_scripts():
    for label in LABELS:
        prompts = [one.prompt for one in shipped() if one.tier == label]
        assert min(len(prompt.split()) for prompt in prompts) <= 8
        assert max(len(prompt) for prompt in prompts) > 250
        assert sum(not prompt.isascii() for prompt in prompts) >= 10


@pytest.mark.parametrize("file", ["tier_prompts.jsonl", "blind_prompts.jsonl"])
def test_no_shipped_example_is_among_the_prompts_that_it_is_measured_on(file):
    lines = (DATA / file).read_text(encoding="utf-8").splitlines()
    measured = {" ".join(json.loads(line)["prompt"].casefold().split()) for line in lines}

    mine = {" ".join(one.prompt.casefold().split()) for one in shipped()}

    assert set() == mine & measured


@needs_wordllama
def test_with_word_vectors_far_more_blind_prompts_go_where_they_should_than_by_chance():
    embedder = WordLlamaEmbedder()
    classifier = embedding(ExampleVectors(shipped()), lambda t: (embedder.embed(t).vectors, ()))
    lines = (DATA / "blind_prompts.jsonl").read_text(encoding="utf-8").splitlines()
    blind = [json.loads(line) for line in lines]

    decisions = [classifier.classify(one["prompt"], FOUR) for one in blind]

    hits = [d.tier == one["tier"] for d, one in zip(decisions, blind, strict=True)]
    sure = [hit for hit, d in zip(hits, decisions, strict=True) if d.confidence >= 0.8]
    assert np.mean(hits) >= 0.43
    assert np.mean(sure) >= 0.7


# --- one's own examples


FRAME = pd.DataFrame(
    {"Prompt": ["count to ten", "prove it"], "note": ["", ""], "Tier": ["CHEAP", "expensive"]}
)
PAIRS = (Example("count to ten", "cheap"), Example("prove it", "expensive"))


@pytest.mark.parametrize(
    "source",
    [
        FRAME,
        {"count to ten": "cheap", "prove it": "expensive"},
        {"cheap": ["count to ten"], "expensive": ["prove it"]},
        [("count to ten", "cheap"), ["prove it", "Expensive"]],
        PAIRS,
        iter([("count to ten", "cheap"), ("prove it", "expensive"), ("prove it", "expensive")]),
    ],
)
def test_examples_are_read_from_tables_dicts_and_pairs(source):
    assert PAIRS == read_examples(source, TWO)


@pytest.mark.parametrize(
    "text",
    [
        "prompt,tier\ncount to ten,cheap\nprove it,expensive\n",
        "\ufeffprompt;tier\r\ncount to ten;cheap\r\n\r\nprove it;expensive\r\n",
        'tier\tid\tprompt\ncheap\t1\tcount to ten\nexpensive\t2\t"prove it"\n',
    ],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_examples_are_read_from_a_csv_as_spreadsheets_write_it(tmp_path, text, as_text):
    path = tmp_path / "own.csv"
    path.write_text(text, encoding="utf-8")

    assert PAIRS == read_examples(str(path) if as_text else path, TWO)


def test_a_prompt_in_a_csv_may_have_line_breaks_and_commas(tmp_path):
    path = tmp_path / "own.csv"
    FRAME.assign(Prompt=["one,\ntwo", 'say "hi"']).to_csv(path, index=False)

    assert ["one,\ntwo", 'say "hi"'] == [one.prompt for one in read_examples(path, TWO)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([("a", "cheap"), ("b", "expensiv")], "pair 2 has the tier 'expensiv', .*'expensive'"),
        ([("a", "cheap"), ("b", None)], "pair 2 has the tier None"),
        ([("a", "cheap")], "no example for the tier 'expensive'"),
        ([], "no examples in it: give at least one prompt for each of 'cheap', 'expensive'"),
        ([("a", "cheap"), ("a ", "expensive")], "pair 2 labels 'a' expensive, but pair 1 .*cheap"),
        ([("  ", "cheap")], "pair 1 has the prompt '  '"),
        ([("a", "cheap", 3)], "example 1 is .* give a pair"),
        (["ab"], "example 1 is 'ab': give a pair"),
        ({"a": "cheap", "b": ["cheap"]}, "entry 2 of the dict has the tier 'b'"),
        (FRAME.drop(columns="Tier"), "the table has no column 'tier', but 'Prompt', 'note'"),
        (FRAME.assign(Prompt=["a", float("nan")]), "row 1 of the table has the prompt nan"),
        (FRAME.iloc[:0], "no examples in it"),
        (7, "cannot be read from int"),
        (b"prompt,tier", "cannot be read from bytes"),
        ("nowhere.csv", "cannot read the examples in 'nowhere.csv': No such file"),
    ],
)
def test_bad_examples_are_settings_errors_that_say_where(source, message):
    with pytest.raises(SettingsError, match=message):
        read_examples(source, TWO)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"prompt,tier\n", "no examples in it"),
        (b"text,label\na,cheap\n", "has no column 'prompt', but 'text', 'label'"),
        (b"prompt,tier\nonly a prompt\n", "line 2 of own.csv has the tier ''"),
        (b"prompt,tier\n\xff\xfe\x00,cheap\n", "not a CSV in UTF-8"),
        (b"prompt,tier\n" + b"x" * 200_000 + b",cheap\n", "field larger than field limit"),
    ],
)
def test_a_bad_file_is_a_settings_error_that_says_where(tmp_path, content, message):
    path = tmp_path / "own.csv"
    path.write_bytes(content)

    with pytest.raises(SettingsError, match=message):
        read_examples(path, TWO)


def test_a_folder_is_no_file_of_examples(tmp_path):
    with pytest.raises(SettingsError, match="it is a folder"):
        read_examples(tmp_path, TWO)


def test_a_single_example_of_one_tier_votes_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decision = embedding(PAIRS[:1]).classify("count to nine", ladder("cheap"))

    assert ("cheap", 1.0) == (decision.tier, decision.confidence)
