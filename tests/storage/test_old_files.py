"""Files that version 0.1.0 wrote are still read: `data/v0_1_0` has one of each kind.

They were written once, on the simulated ladder, by that version. Nothing here writes them anew.
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from ledgers import attempt, database, stored

from nbroute.storage.ledger import SqliteLedger

WRITTEN = Path(__file__).parents[1] / "data" / "v0_1_0"
FRANCE = "What is the capital of France?"
SUM = "What is 2 + 2?"


@pytest.fixture
def old(tmp_path):
    """A copy of the files, so that a migration may change them."""
    return Path(shutil.copytree(WRITTEN, tmp_path / "old"))


@pytest.fixture
def router(old, opened):
    """The session that wrote them, continued."""
    return opened(profile="simulated", ledger=old / "ledger.sqlite", session="sample-0.1.0")


def test_a_ledger_has_what_was_spent_and_said_and_taught_and_is_written_on(router, tmp_path):
    assert Decimal("0.0173") == router.spend().equivalent_usd.quantize(Decimal("0.0001"))
    assert {"SIMPLE", "COMPLEX", "FRONTIER"} <= set(router.spend("tier"))
    assert router.report().spend == router.spend()
    assert "geo" in router.spend("feature")
    labels = router.labels(feedback=True)
    assert ["good", "good", "overkill", "cheapest acceptable"] == list(labels["feedback"])
    assert ["SIMPLE", "FRONTIER", "MEDIUM", "SIMPLE"] == list(labels["tier"])
    decision = router.classify("What is the boiling point of water?", "embedding")
    assert ("SIMPLE", 1.0) == (decision.tier, decision.confidence)
    assert 16 == len(router.ledger.frame())

    router.route(FRANCE)

    assert 17 == len(router.ledger.rows())
    with SqliteLedger(tmp_path / "new.sqlite") as new:
        new.append(attempt())
    made = "SELECT sql FROM sqlite_master WHERE sql <> '' ORDER BY name"
    older, newer = (
        [" ".join(one.split()) for one in stored(path, made)]
        for path in (router.ledger.path, new.path)
    )
    assert older == newer


def test_the_tokens_of_what_was_escalated_again_and_again_count_once(old):
    path = old / "ledger.sqlite"
    with database(path) as file:
        _, *first = file.execute("SELECT * FROM attempts WHERE status = 'ok'").fetchone()
        for number in range(9):  # nine answers, each above the one before
            first[2], first[7] = f"r{number}", f"r{number - 1}" if number else None
            marks = ", ".join("?" * len(first))
            file.execute(f"INSERT INTO attempts VALUES ('a{number}', {marks})", first)  # noqa: S608

    with SqliteLedger(path) as ledger:
        _, finals = ledger.meter(session="sample-0.1.0")
        assert {True: (226 + 32, 373 + 42)} == finals


def test_a_recording_answers_and_is_continued(old, opened):
    live = opened(profile="simulated")
    live.record(old / "talk.rec")
    live.route("Name a colour.")
    live.close()
    replay = opened(replay=old / "talk.rec")

    result = replay.route(FRANCE)

    assert FRANCE in result.text
    assert (Decimal(0), True) == (result.cost_usd, result.cached)
    cascade = {"strategy": "cascade", "start": "SIMPLE", "checks": ["length=2000"]}
    written = replay.route("Write a Python function that merges two sorted lists.", **cascade)
    assert "FRONTIER" == written.tier
    assert replay.route("Name a colour.").text


def test_a_cache_answers_and_a_learned_classifier_decides(old, opened):
    settings = old / "nbroute.toml"
    settings.write_text(
        '[nbroute]\nprofile = "simulated"\ncache_file = "cache.sqlite"\n'
        'classifier = "learned"\nclassifier_file = "learned.npz"\n'
    )
    router = opened(settings)

    assert FRANCE in router.route(FRANCE, tier="SIMPLE", cache="only").text
    assert "FRONTIER" == router.classify("six seven one zork").tier
    assert "SIMPLE" == router.classify("six seven one blib").tier


def test_a_batch_and_a_grid_are_resumed_with_nothing_sent(router, old):
    before = router.spend().calls
    for name, prompts in (
        ("batch.sqlite", [SUM, "Name a colour.", ""]),
        ("batch.parquet", [SUM, "Name a colour."]),
    ):
        batch = router.map(prompts, to=old / name, progress=False)
        assert (len(prompts), prompts.count("")) == (len(batch), len(batch.failed()))
        assert SUM in batch[0].text
    asked = {"tiers": ["SIMPLE", "COMPLEX"], "to": old / "grid", "progress": False}

    grid = router.compare([SUM, "Explain photosynthesis."], **asked)

    assert ["SIMPLE"] == list(grid.labels()["tier"])
    assert before == router.spend().calls
