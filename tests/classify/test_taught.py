"""What is taught moves the default classifier, and little else."""

from __future__ import annotations

import dataset
import pytest
from rungs import FOUR, ladder

from nbroute import Router
from nbroute.classify.examples import Example
from nbroute.classify.ngrams import NgramClassifier
from nbroute.classify.taught import TaughtClassifier

BEFORE = NgramClassifier()
SUBJECTS = "rain snow trains silence bread summer moss tea lanterns glass harbours"
HAIKU = [f"Write a haiku about {subject}" for subject in SUBJECTS.split()]
FIELDS = "invoices tenants shipments lessons tickets meters crates flights refunds doses rooms"
QUERIES = [f"Write an SQL query that lists all {field} of May" for field in FIELDS.split()]


def taught(prompts, tier):
    return TaughtClassifier(Example(prompt, tier) for prompt in prompts)


@pytest.mark.parametrize(("prompts", "tier"), [(HAIKU, "COMPLEX"), (QUERIES, "SIMPLE")])
def test_ten_prompts_of_a_kind_move_the_eleventh_and_hardly_any_other(prompts, tier):
    *ten, eleventh = prompts
    others = [row["prompt"] for row in dataset.rows("blind_prompts")][::3]
    after = taught(ten, tier)

    assert BEFORE.classify(eleventh, FOUR).tier != tier == after.classify(eleventh, FOUR).tier
    moved = [
        one for one in others if BEFORE.classify(one, FOUR).tier != after.classify(one, FOUR).tier
    ]
    assert len(moved) < 0.05 * len(others)


def test_a_taught_prompt_has_its_tier_and_a_near_one_leans_that_way_with_its_words_as_signals():
    classifier = taught(HAIKU[2:8], "COMPLEX")
    itself, near = classifier.classify(f"\n{HAIKU[2]} ", FOUR), classifier.classify(HAIKU[1], FOUR)

    assert ("COMPLEX", 1.0) == (itself.tier, itself.confidence)
    assert "you taught that this is for COMPLEX" == itself.reason
    assert ("MEDIUM", "COMPLEX") == (BEFORE.classify(HAIKU[1], FOUR).tier, near.tier)
    assert "haiku" in near.reason
    assert all(HAIKU[1][s.start : s.end] == s.text for s in near.signals)


@pytest.mark.parametrize(("prompts", "tier"), [(HAIKU, "GONE"), (["🙂", "?!"], "FRONTIER")])
def test_what_the_ladder_does_not_have_and_a_prompt_without_words_teach_nothing(prompts, tier):
    made = taught(prompts, tier)

    assert BEFORE.classify("Write a haiku.", FOUR) == made.classify("Write a haiku.", FOUR)
    assert (made.classify(prompts[0], FOUR).tier == tier) is (tier in FOUR.names)


def test_the_last_word_on_a_prompt_counts_and_any_ladder_can_be_taught():
    last = Example(HAIKU[0], "SIMPLE")
    step = taught(HAIKU[:3], "COMPLEX").taught(last)

    assert "SIMPLE" == step.classify(HAIKU[0], FOUR).tier
    assert step.score(HAIKU[0]) < step.score(HAIKU[5], FOUR)
    assert "b" == taught(HAIKU[:10], "b").classify(HAIKU[10], ladder(*"abcde")).tier


def test_a_router_that_is_taught_decides_so_at_once_and_next_time(tmp_path):
    ledger = tmp_path / "ledger.sqlite3"
    router = Router(profile="simulated", ledger=ledger)
    assert "MEDIUM" == router.classify(HAIKU[10]).tier

    for prompt in HAIKU[:10]:
        router.teach(prompt, "complex")

    for one in (router, Router(profile="simulated", ledger=ledger)):
        assert ["COMPLEX"] * 2 == [one.classify(HAIKU[i]).tier for i in (0, 10)]
        assert "COMPLEX" == one.explain(HAIKU[10]).decision.tier
        near = one.classify(HAIKU[0], "embedding")
        assert ("COMPLEX", 1.0, ()) == (near.tier, near.confidence, near.attempts)
        assert "MEDIUM" == one.classify("Summarise the plot of Emma in three sentences.").tier
