"""Files that version 0.1.0 wrote are still read: `data/v0_1_0` has one of each kind.

They were written once, on the simulated ladder, by that version. Nothing here writes them anew.
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

import nbroute

WRITTEN = Path(__file__).parents[1] / "data" / "v0_1_0"
FRANCE = "What is the capital of France?"
SUM = "What is 2 + 2?"


@pytest.fixture
def old(tmp_path):
    """A copy of the files, so that a migration may change them."""
    return Path(shutil.copytree(WRITTEN, tmp_path / "old"))


@pytest.fixture
def router(old):
    """The session that wrote them, continued."""
    made = nbroute.Router(profile="simulated", ledger=old / "ledger.sqlite", session="sample-0.1.0")
    yield made
    made.close()


def test_a_ledger_tells_what_was_spent(router):
    frame = router.ledger.frame()

    assert (16, Decimal("0.0173")) == (
        len(frame),
        router.spend().equivalent_usd.quantize(Decimal("0.0001")),
    )
    assert {"SIMPLE", "COMPLEX", "FRONTIER"} <= set(router.spend("tier"))
    assert "geo" in router.spend("feature")


def test_a_ledger_is_written_on(router):
    before = len(router.ledger.rows())

    router.route(FRANCE)

    assert before + 1 == len(router.ledger.rows())


def test_labels_keep_their_words(router):
    labels = router.labels(feedback=True)

    assert ["good", "good", "overkill", "cheapest acceptable"] == list(labels["feedback"])
    assert ["SIMPLE", "FRONTIER", "MEDIUM", "SIMPLE"] == list(labels["tier"])


def test_taught_examples_decide(router):
    decision = router.classify("What is the boiling point of water?", "embedding")

    assert ("SIMPLE", 1.0) == (decision.tier, decision.confidence)


def test_a_recording_answers(old):
    with_text = nbroute.Router(replay=old / "talk.rec")

    result = with_text.route(FRANCE)

    assert FRANCE in result.text
    assert (Decimal(0), True) == (result.cost_usd, result.cached)
    assert (
        "FRONTIER"
        == with_text.route(
            "Write a Python function that merges two sorted lists.",
            strategy="cascade",
            start="SIMPLE",
            checks=["length=2000"],
        ).tier
    )
    with_text.close()


def test_a_recording_is_continued(old):
    router = nbroute.Router(profile="simulated")
    router.record(old / "talk.rec")
    router.route("Name a colour.")
    router.close()

    replayed = nbroute.Router(replay=old / "talk.rec")

    assert replayed.route("Name a colour.").text
    assert replayed.route(FRANCE).text
    replayed.close()


def test_a_cache_answers(old):
    settings = old / "nbroute.toml"
    settings.write_text('[nbroute]\nprofile = "simulated"\ncache_file = "cache.sqlite"\n')
    router = nbroute.Router(settings)

    assert FRANCE in router.route(FRANCE, cache="only").text
    router.close()


def test_a_batch_is_resumed_with_nothing_sent(old):
    router = nbroute.Router(profile="simulated")

    batch = router.map([SUM, "Name a colour.", ""], to=old / "batch.sqlite", progress=False)

    assert (3, 1, 0) == (len(batch), len(batch.failed()), router.spend().calls)
    assert SUM in batch[0].text
    router.close()


def test_a_batch_in_parquet_is_resumed_with_nothing_sent(old):
    router = nbroute.Router(profile="simulated")

    batch = router.map([SUM, "Name a colour."], to=old / "batch.parquet", progress=False)

    assert (2, 0) == (len(batch), router.spend().calls)
    router.close()


def test_a_grid_is_resumed_with_nothing_sent(router, old):
    before = router.spend().calls

    grid = router.compare(
        [SUM, "Explain photosynthesis."],
        tiers=["SIMPLE", "COMPLEX"],
        to=old / "grid",
        progress=False,
    )

    assert before == router.spend().calls
    assert ["SIMPLE"] == list(grid.labels()["tier"])


def test_a_learned_classifier_decides(old):
    settings = old / "nbroute.toml"
    settings.write_text(
        '[nbroute]\nprofile = "simulated"\n'
        'classifier = "learned"\nclassifier_file = "learned.npz"\n'
    )
    router = nbroute.Router(settings)

    assert "FRONTIER" == router.classify("six seven one zork").tier
    assert "SIMPLE" == router.classify("six seven one blib").tier
    router.close()
