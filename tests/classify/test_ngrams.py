"""What the default classifier makes of a prompt, and the parts of it that it reads."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path

import dataset
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rungs import FOUR, THREE, TIERS, TWO, ladder

from nbroute.classify import ngrams
from nbroute.classify.asking import asking
from nbroute.classify.ngrams import PLACES, NgramClassifier, held_out, rarity
from nbroute.errors import SettingsError

NGRAMS = NgramClassifier()
PASTE = (
    "The committee met in the old school and heard three reports. The first was about research "
    "into the town's water, the second an analysis of the budget, the third a security audit. "
    "Mrs Oduya was in the chair. Nobody spoke against the design of the new bridge, although two "
    "members asked whether its architecture suited the square. The vote was put off until the "
    "fourteenth. Tea was served by the pupils of the second form, who had also made the cakes. "
    "Before they parted the members thanked the caretaker, who had kept the stove going all day."
)
PLAIN = {
    "What is the capital of Peru?": "SIMPLE",
    "Summarise the plot of Emma in three sentences.": "MEDIUM",
    "Compare gas and induction cooking for a school kitchen and recommend one.": "COMPLEX",
    "Show that every bounded entire function is constant without Cauchy's formula.": "FRONTIER",
}


def asked(prompt):
    return " ".join(prompt[start:end] for start, end in asking(prompt))


@pytest.mark.parametrize("prompt", PLAIN)
def test_each_tier_gets_its_plain_cases(prompt):
    assert PLAIN[prompt] == NGRAMS.classify(prompt, FOUR).tier


TABLES = [
    "| day | chair |\n|---|---|\n| Monday | Oduya |",
    "day,chair,time\nMon,Oduya,3\nTue,Lind,2",
]


@pytest.mark.parametrize("shown", [PASTE, f'"{PASTE}"', f"```\n{PASTE}\n```", *TABLES])
def test_what_is_pasted_or_shown_does_not_ask(shown):
    assert "Who was in the chair?" == asked(f"Who was in the chair?\n\n{shown}").strip()
    assert "Who was in the chair?" == asked(f"{PASTE}\n\nWho was in the chair?")
    assert f'"{PASTE}"' == asked(f'"{PASTE}"')  # where nothing asks, all of it is read


def test_a_greeting_and_thanks_decide_nothing():
    prompt = "Prove that there are infinitely many primes.\n\nThen weigh which of two to print."
    polite = f"Hi there,\n\n{prompt}\n\nMany thanks in advance, Anna"

    for said in (polite, f"你好！\n{prompt}\n谢谢"):
        assert NGRAMS.classify(prompt, FOUR).reason == NGRAMS.classify(said, FOUR).reason
    # what is shown after a colon is not thanks
    assert asked("Translate into French:\n\nThanks to all").endswith("Thanks to all")


def test_the_reason_quotes_the_words_that_spoke_for_the_tier():
    decision = NGRAMS.classify("Prove that there are infinitely many primes.", FOUR)

    assert " to FRONTIER rather than " in decision.reason
    assert '"Prove"' in decision.reason
    assert 0.5 < decision.confidence <= 1
    low, high = map(NGRAMS.score, ("Capital of Peru?", "Prove that primes are infinitely many."))
    assert 0 <= low < high <= 1
    # common words are quoted only where no other speaks
    sky = NGRAMS.classify("In one word, what is the sky?", FOUR)
    assert sky.reason.startswith('"word" and "one" point')


def test_another_ladder_gets_the_tier_at_the_same_height():
    for where, expected in (
        (TWO, ["cheap", "cheap", "expensive", "expensive"]),
        (THREE, ["fast", "mid", "mid", "power"]),
        (ladder(*"abcde"), [*"abde"]),
    ):
        assert expected == [NGRAMS.classify(prompt, where).tier for prompt in PLAIN]


@pytest.mark.parametrize("prompt", ["", "🙂🙂🙂", "\ud800"])
def test_a_prompt_without_a_word_gets_the_default_and_says_so(prompt):
    decision = NGRAMS.classify(prompt, FOUR)

    assert ("MEDIUM", True) == (decision.tier, decision.defaulted)
    assert decision.reason == "there are no words to go by, so the default MEDIUM"


@pytest.mark.parametrize("piece", ["x", "a ", '"', "`", "a,b,c\n", "\n \t", "a|", "字", '"«„「'])
def test_a_huge_prompt_takes_no_more_than_a_moment(piece):
    assert NGRAMS.classify(piece * 100_000, FOUR).tier in TIERS


@given(st.text(st.characters() | st.sampled_from("ab \n\t\"'`,;|“”«»{}"), max_size=500))
@settings(max_examples=200, deadline=None)
def test_any_text_gets_a_tier_and_places_that_hold_each_time_the_same(prompt):
    decision = NGRAMS.classify(prompt, FOUR)

    assert decision == NGRAMS.classify(prompt, FOUR)
    assert decision.tier in TIERS
    assert all(prompt[s.start : s.end] == s.text for s in decision.signals)
    weights = [abs(signal.weight) for signal in decision.signals]
    assert sorted(weights, reverse=True) == weights
    spans = asking(prompt)
    assert all(a < b <= c < d for (a, b), (c, d) in itertools.pairwise(spans))


def test_two_thirds_of_the_blind_prompts_go_where_they_should_and_nearly_all_near_it():
    rows = dataset.rows("blind_prompts")

    got = [TIERS.index(NGRAMS.classify(row["prompt"], FOUR).tier) for row in rows]

    off = [abs(place - TIERS.index(row["tier"])) for place, row in zip(got, rows, strict=True)]
    assert off.count(0) / len(rows) > 2 / 3
    assert off.count(0) + off.count(1) > 0.87 * len(rows)
    assert held_out([row["prompt"] for row in rows]) == [None] * len(rows)


def test_the_shipped_weights_were_trained_on_todays_prompts_as_they_are_read_today():
    pytest.importorskip("sklearn")
    script = Path(__file__).parents[2] / "tools" / "train_ngrams.py"
    spec = importlib.util.spec_from_file_location("train_ngrams", script)
    training = importlib.util.module_from_spec(spec)
    sys.modules["train_ngrams"] = training
    spec.loader.exec_module(training)
    rows = training.labelled()

    counts = training.counted(row.prompt for row in rows)

    documents = np.bincount(counts.indices, minlength=PLACES)
    assert np.array_equal(rarity(documents, len(rows)), ngrams.shipped().rarities)
    assert "blind_prompts" not in {row.file for row in rows}
    held = held_out([row.prompt for row in rows])
    right = [TIERS[one.index(max(one))] == row.tier for one, row in zip(held, rows, strict=True)]
    assert 0.6 < sum(right) / len(rows) < 0.9


def test_weights_that_cannot_be_read_are_one_line_with_the_cure(tmp_path, monkeypatch):
    monkeypatch.setattr(ngrams.resources, "files", lambda _: tmp_path)
    (tmp_path / "data").mkdir()

    for use, name in ((ngrams.shipped, "ngrams.npz"), (ngrams._held_out, "ngrams_rows.npz")):
        with pytest.raises(SettingsError, match=r"cannot be read.*pip install --force-reinstall"):
            use.__wrapped__()
        (tmp_path / "data" / name).write_bytes(b"PK\3\4")
        with pytest.raises(SettingsError, match=r"are damaged.*pip install --force-reinstall"):
            use.__wrapped__()
