"""The embedding classifier and the examples that it compares with."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor

import dataset
import numpy as np
import pytest
from rungs import FOUR, THREE, TWO, ladder

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
from nbroute.embedders.wordllama import WordLlamaEmbedder, available
from nbroute.errors import AuthError, RateLimited, SettingsError
from nbroute.types import Attempt

OWN = (
    Example("how many eggs are in a dozen", "cheap"),
    Example("how many days has a week", "cheap"),
    Example("prove the theorem with every step", "expensive"),
    Example("prove the lemma with every step", "expensive"),
)
FIVE = ladder("a", "b", "c", "d", "e")


class BagOfWords:
    """An `embed` that counts words by their hash, and what it was asked for."""

    def __init__(self):
        self.width, self.asked = 64, []

    def __call__(self, texts):
        self.asked.append(list(texts))
        rows = np.zeros((len(texts), self.width), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[zlib.crc32(word.encode("utf-8", "replace")) % self.width] += 1
        spent = Attempt(f"a{len(self.asked)}", 0.0, "s", "r", "", "p", "remote", "m")
        return rows, (spent,)

    @property
    def sizes(self):
        return [len(texts) for texts in self.asked]


def embedding(examples=OWN, embed=None, **options):
    if not isinstance(examples, ExampleVectors):
        examples = ExampleVectors(examples)
    return EmbeddingClassifier(embed or BagOfWords(), examples, **options)


@pytest.mark.parametrize(
    ("method", "name"), [("neighbours", "embedding"), ("centroid", "embedding:centroid")]
)
def test_a_prompt_goes_where_prompts_like_it_go_and_the_reason_quotes_the_nearest(method, name):
    classifier = embedding(method=method)
    decision = classifier.classify("prove the theorem at every step", TWO)

    assert "cheap" == classifier.classify("how many eggs has a week", TWO).tier
    assert ("expensive", name) == (decision.tier, decision.classifier)
    assert decision.reason.startswith(
        'most like "prove the theorem with every step" (expensive) and '
        '"prove the lemma with every step" (expensive)'
    )
    first = decision.signals[0]
    assert ("example of expensive", OWN[2].prompt) == (first.name, first.text)
    assert (None, True) == (first.start, first.weight > 0.5)


def test_a_clear_case_is_surer_than_one_between_two_tiers():
    clear = embedding().classify("prove the theorem at every step", TWO)
    between = embedding().classify("how many steps prove the theorem has", TWO)

    assert 1 >= clear.confidence > between.confidence >= 0.5
    assert 1 == embedding(OWN[:1]).classify("count to nine", ladder("cheap")).confidence


def test_a_taught_prompt_has_its_tier_without_embedding_anything():
    embed, examples = BagOfWords(), ExampleVectors(shipped())
    examples.add(Example("What is the boiling point of ethanol?", "FRONTIER"))

    decision = embedding(examples, embed).classify(" What is the boiling point of ethanol?\n", FOUR)

    assert ("FRONTIER", 1.0, []) == (decision.tier, decision.confidence, embed.asked)


def test_examples_are_embedded_and_paid_once_and_anew_only_for_another_dimension():
    embed, examples = BagOfWords(), ExampleVectors(OWN)
    first = embedding(examples, embed).classify("how many", TWO)
    examples.add(Example("draw a cat", "cheap"))
    second = embedding(examples, embed).classify("how few", TWO)
    assert [1, 4, 1, 1] == embed.sizes
    assert ["draw a cat"] == embed.asked[3]
    assert [["a1", "a2"], ["a3", "a4"]] == [[a.id for a in one.attempts] for one in (first, second)]

    embed.width = 32
    decision = embedding(examples, embed).classify("prove every step", TWO)

    assert ("expensive", [1, 5]) == (decision.tier, embed.sizes[4:])


def test_many_threads_embed_the_examples_once():
    embed = BagOfWords()
    classifier = embedding(embed=embed)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: classifier.classify("how many", TWO), range(8)))

    assert 1 == embed.sizes.count(len(OWN))


@pytest.mark.parametrize("prompt", ["", "   \n", "\ud800", "🦄" * 50_000, "x" * 300_000])
def test_no_prompt_makes_it_fail_and_one_with_nothing_to_compare_has_the_default(prompt):
    decision = embedding().classify(prompt, TWO)

    assert decision.tier in TWO.names
    if not prompt.strip():
        assert ("cheap", True, None) == (decision.tier, decision.defaulted, decision.confidence)
        assert "there is nothing in it to compare, so the default cheap" == decision.reason


def test_of_a_long_question_head_and_tail_are_compared_and_of_a_paste_the_question():
    text = compared_text("why " + "a" * 2000 + " really?")
    paste = "The council met on Tuesday and spoke about the roof of the pool. " * 30

    assert (True, True) == (text.startswith("why aaa"), text.endswith("really?"))
    assert HEAD + TAIL + 1 == len(text)
    assert "Is this spam? Answer yes or no." == compared_text(
        f"{paste}\n\nIs this spam? Answer yes or no."
    )


def failing(error):
    def embed(_texts):
        raise error

    return embedding(embed=embed)


def test_an_endpoint_that_may_do_better_next_time_means_the_default_and_a_bad_key_stops():
    decision = failing(RateLimited("it would not")).classify("how many", TWO)

    assert ("cheap", True) == (decision.tier, decision.defaulted)
    assert "RateLimited: it would not" in decision.reason
    with pytest.raises(AuthError):
        failing(AuthError("no")).classify("how many", TWO)


def returning(vectors):
    return embedding(embed=lambda texts: (vectors(len(texts)), ()))


NO_VECTORS = [np.ones(3), np.ones((1, 2, 2)), np.ones((9, 2)), np.full((1, 4), np.nan)]


@pytest.mark.parametrize(
    ("classifier", "where", "said"),
    [
        *[(returning(lambda _, b=b: b), TWO, "one vector of numbers per text") for b in NO_VECTORS],
        (returning(lambda n: np.ones((n, n))), TWO, "of 1 dimensions for the prompt and of 4"),
        (embedding(()), TWO, "has no examples"),
        (embedding(), ladder("LOW", "HIGH"), r"none of the 4 examples .* cheap, expensive"),
    ],
)
def test_what_cannot_be_compared_is_an_error_that_says_what_is_wanted(classifier, where, said):
    with pytest.raises(SettingsError, match=said):
        classifier.classify("how many", where)


@pytest.mark.parametrize(
    ("where", "tiers"),
    [
        (ladder("one"), ["one"] * 4),
        (TWO, ["cheap", "cheap", "expensive", "expensive"]),
        (THREE, ["fast", "mid", "mid", "power"]),
        (FIVE, ["a", "b", "d", "e"]),
        (ladder("MEDIUM", "SIMPLE"), ["SIMPLE", "MEDIUM", "SIMPLE", "SIMPLE"]),
    ],
)
def test_the_shipped_examples_fit_a_ladder_of_any_names_and_size(where, tiers):
    decision = embedding(shipped()).classify("capital of Peru", where)

    assert tiers == [tier_of(label, where) for label in LABELS]
    assert decision.tier in where.names
    assert 0 <= decision.confidence <= 1
    assert decision.reason.endswith("; there is no example of c") is (where is FIVE)


def test_the_shipped_examples_are_many_of_all_kinds_and_none_is_among_the_measured_prompts():
    assert set(LABELS) == {one.tier for one in shipped()}
    for label in LABELS:
        prompts = [one.prompt for one in shipped() if one.tier == label]
        assert len(prompts) >= 65
        assert min(len(prompt.split()) for prompt in prompts) <= 8
        assert max(len(prompt) for prompt in prompts) > 250
        assert sum(not prompt.isascii() for prompt in prompts) >= 10

    known = {" ".join(one.prompt.casefold().split()) for one in shipped()}
    assert len(shipped()) == len(known)
    for file in ("tier_prompts", "blind_prompts"):
        measured = {" ".join(row["prompt"].casefold().split()) for row in dataset.rows(file)}
        assert set() == measured & known


@pytest.mark.skipif(not available(), reason="wordllama is not installed")
def test_with_word_vectors_far_more_blind_prompts_go_where_they_should_than_by_chance():
    embedder, blind = WordLlamaEmbedder(), dataset.rows("blind_prompts")
    classifier = embedding(shipped(), lambda t: (embedder.embed(t).vectors, ()))

    decisions = [classifier.classify(one["prompt"], FOUR) for one in blind]

    hits = [d.tier == one["tier"] for d, one in zip(decisions, blind, strict=True)]
    sure = [hit for hit, d in zip(hits, decisions, strict=True) if d.confidence >= 0.8]
    assert np.mean(hits) >= 0.43
    assert np.mean(sure) >= 0.7
