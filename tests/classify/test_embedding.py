"""The embedding classifier and the examples that it compares with."""

from __future__ import annotations

import zlib

import dataset
import numpy as np
import pytest
from rungs import FOUR, TWO, ladder

from nbroute.classify.embedding import EmbeddingClassifier
from nbroute.classify.examples import Example, ExampleVectors, shipped
from nbroute.embedders.wordllama import WordLlamaEmbedder, available
from nbroute.errors import AuthError, RateLimited, SettingsError
from nbroute.types import Attempt

OWN = (
    Example("how many eggs are in a dozen", "cheap"),
    Example("how many days has a week", "cheap"),
    Example("prove the theorem with every step", "expensive"),
    Example("prove the lemma with every step", "expensive"),
)


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


def embedding(examples=OWN, embed=None, **options):
    if not isinstance(examples, ExampleVectors):
        examples = ExampleVectors(examples)
    return EmbeddingClassifier(embed or BagOfWords(), examples, **options)


@pytest.mark.parametrize("method", ["neighbours", "centroid"])
def test_a_prompt_goes_where_prompts_like_it_go_and_the_reason_quotes_the_nearest(method):
    classifier = embedding(method=method)
    decision = classifier.classify("prove the theorem at every step", TWO)

    assert "cheap" == classifier.classify("how many eggs has a week", TWO).tier
    assert "expensive" == decision.tier
    assert decision.reason.startswith(
        'most like "prove the theorem with every step" (expensive) and '
        '"prove the lemma with every step" (expensive)'
    )
    between = classifier.classify("how many steps prove the theorem has", TWO)
    assert 1 >= decision.confidence > between.confidence >= 0.5


def test_examples_are_embedded_and_paid_once_and_anew_only_for_another_dimension():
    embed, examples = BagOfWords(), ExampleVectors(OWN)
    first = embedding(examples, embed).classify("how many", TWO)
    examples.add(Example("draw a cat", "cheap"))
    second = embedding(examples, embed).classify("how few", TWO)
    assert [1, 4, 1] == [len(texts) for texts in embed.asked[:3]]
    assert ["draw a cat"] == embed.asked[3]
    assert [["a1", "a2"], ["a3", "a4"]] == [[a.id for a in one.attempts] for one in (first, second)]

    embed.width = 32
    decision = embedding(examples, embed).classify("prove every step", TWO)

    assert ("expensive", [1, 5]) == (decision.tier, [len(texts) for texts in embed.asked[4:]])


@pytest.mark.parametrize("prompt", ["", "   \n", "\ud800", "x" * 300_000])
def test_no_prompt_makes_it_fail_and_one_with_nothing_to_compare_has_the_default(prompt):
    decision = embedding().classify(prompt, TWO)

    assert decision.tier in TWO.names
    said = "there is nothing in it to compare, so the default cheap"
    assert (decision.defaulted and said == decision.reason) is (not prompt.strip())


def test_an_endpoint_that_may_do_better_next_time_means_the_default_and_a_bad_key_stops():
    def failing(error):
        def embed(_texts):
            raise error

        return embedding(embed=embed)

    decision = failing(RateLimited("it would not")).classify("how many", TWO)

    assert ("cheap", True) == (decision.tier, decision.defaulted)
    assert "RateLimited: it would not" in decision.reason
    with pytest.raises(AuthError):
        failing(AuthError("no")).classify("how many", TWO)


def test_what_cannot_be_compared_is_an_error_that_says_what_is_wanted():
    def nan(texts):
        return np.full((len(texts), 4), np.nan), ()

    with pytest.raises(SettingsError, match="one vector of numbers per text"):
        embedding(embed=nan).classify("how many", TWO)
    with pytest.raises(SettingsError, match="has no examples"):
        embedding(()).classify("how many", TWO)
    with pytest.raises(SettingsError, match=r"none of the 4 examples .* cheap, expensive"):
        embedding().classify("how many", ladder("LOW", "HIGH"))


def test_no_shipped_example_is_among_the_measured_prompts():
    known = {" ".join(one.prompt.casefold().split()) for one in shipped()}
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
