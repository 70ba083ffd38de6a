"""What the default classifier makes of a prompt, and the parts of it that it reads."""

from __future__ import annotations

import importlib.util
import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import dataset
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbroute
from nbroute.classify.asking import asking
from nbroute.classify.ngrams import PLACES, NgramClassifier, held_out, rarity
from nbroute.classify.ngrams import shipped as weights
from nbroute.types import Ladder, Tier

NGRAMS = NgramClassifier()
TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
PASTE = (
    "The committee met in the old school and heard three reports. The first was about research "
    "into the town's water, the second an analysis of the budget, the third a security audit. "
    "Mrs Oduya was in the chair. Nobody spoke against the design of the new bridge, although two "
    "members asked whether its architecture suited the square. The vote was put off until the "
    "fourteenth. Tea was served by the pupils of the second form, who had also made the cakes. "
    "Before they parted the members thanked the caretaker, who had kept the stove going all day."
)


def ladder(*names: str) -> Ladder:
    return Ladder("test", tuple(Tier(name, "none", name, 1) for name in names), names[0])


FOUR = ladder(*TIERS)


def asked(prompt: str) -> str:
    return " ".join(prompt[start:end] for start, end in asking(prompt))


@pytest.mark.parametrize(
    ("expected", "prompt"),
    [
        ("SIMPLE", "What is the capital of Peru?"),
        ("SIMPLE", "Hello there!"),
        ("MEDIUM", "Summarise the plot of Emma in three sentences."),
        ("MEDIUM", "Write a short email to my landlord to say that the lift is broken."),
        ("COMPLEX", "Compare gas and induction cooking for a school kitchen and recommend one."),
        (
            "FRONTIER",
            "Show that every bounded entire function is constant without Cauchy's formula.",
        ),
    ],
)
def test_each_tier_gets_its_plain_cases(expected, prompt):
    assert expected == NGRAMS.classify(prompt, FOUR).tier


@pytest.mark.parametrize(
    "prompt",
    [
        f"Who was in the chair?\n\n{PASTE}",
        f"{PASTE}\n\nWho was in the chair?",
        f"Who was in the chair?\n---\n{PASTE}\n---\n",
        f'Who was in the chair? "{PASTE}"',
        f"Who was in the chair?\n```\n{PASTE}\n```",
        f"Who was in the chair?\n```\n{PASTE}",
        "Who was in the chair?\n\n| day | chair |\n|---|---|\n| Monday | Oduya |",
        "Who was in the chair?\n\nday,chair,hours\nMonday,Oduya,3\nTuesday,Lind,2",
    ],
)
def test_what_is_pasted_or_shown_does_not_ask(prompt):
    assert "Who was in the chair?" == asked(prompt).strip("- \n")


@pytest.mark.parametrize(
    "prompt",
    [
        "What does 'architect' mean?",
        'How is "necessary" spelt?',
        "```\nprint(1)\n```",
        f'"{PASTE}"',
        "谁写了《红楼梦》?",
        "🙂",
    ],
)
def test_a_short_prompt_and_one_that_only_shows_are_read_whole(prompt):
    assert prompt == asked(prompt)


@pytest.mark.parametrize("prompt", ["", " \n\t "])
def test_nothing_asks_where_there_is_nothing(prompt):
    assert () == asking(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "Please compare gas and induction cooking for a school kitchen and recommend one of them.",
        f"Weigh up the two plans for the bridge.\n\n{PASTE}",
        "请比较两种方案的利弊,并给出有理由的建议。",
        "लखनऊ के लिए तीन दिन की यात्रा की योजना बनाइए, बजट 9,000 रुपये।",
        "İstanbul'da ne yapmalı? Ŝtrange ﬁligree",
        "مرحبا، ما هي عاصمة مصر؟ اشرح لي الفرق بين النوعين",
    ],
)
def test_signals_are_words_at_their_places_and_the_strongest_stand_first(prompt):
    decision = NGRAMS.classify(prompt, FOUR)

    assert decision.signals
    for signal in decision.signals:
        assert prompt[signal.start : signal.end] == signal.text
    weights = [abs(signal.weight) for signal in decision.signals]
    assert sorted(weights, reverse=True) == weights


def test_the_reason_quotes_the_words_that_spoke_for_the_tier():
    decision = NGRAMS.classify("Prove that there are infinitely many primes.", FOUR)

    assert " to FRONTIER rather than " in decision.reason
    assert '"Prove"' in decision.reason
    assert 0.5 < decision.confidence <= 1
    assert all(s.weight > 0 for s in decision.signals if f'"{s.text}"' in decision.reason)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("low", "high"), ["low", "low", "high", "high"]),
        (("low", "mid", "high"), ["low", "mid", "mid", "high"]),
        (("a", "b", "c", "d"), ["a", "b", "c", "d"]),
        (("a", "b", "c", "d", "e"), ["a", "b", "d", "e"]),
        (("only",), ["only"] * 4),
    ],
)
def test_another_ladder_gets_the_tier_at_the_same_height(names, expected):
    prompts = (
        "What is the capital of Peru?",
        "Summarise the plot of Emma in three sentences.",
        "Compare gas and induction cooking for a school kitchen and recommend one.",
        "Show that every bounded entire function is constant without Cauchy's formula.",
    )

    decisions = [NGRAMS.classify(prompt, ladder(*names)) for prompt in prompts]

    assert expected == [decision.tier for decision in decisions]
    four = [NGRAMS.classify(prompt, FOUR).confidence for prompt in prompts]
    assert all(a.confidence >= b for a, b in zip(decisions, four, strict=True))


def test_scores_rise_from_tier_to_tier():
    prompts = ("Capital of Peru?", "Prove that there are infinitely many primes.")

    low, high = map(NGRAMS.score, prompts)

    assert 0 <= low < high <= 1


@pytest.mark.parametrize("prompt", ["", "   ", "🙂🙂🙂", "?!...", "\0\0", "\ud800"])
def test_a_prompt_without_a_word_gets_the_default_and_says_so(prompt):
    decision = NGRAMS.classify(prompt, Ladder("test", FOUR.tiers, "MEDIUM"))

    assert ("MEDIUM", True) == (decision.tier, decision.defaulted)
    assert decision.confidence < 0.5
    assert decision.reason == "there are no words to go by, so the default MEDIUM"


@pytest.mark.parametrize(
    "prompt",
    [
        "x" * 1_000_000,
        "a " * 500_000,
        '"' * 1_000_000,
        "“" * 1_000_000,
        "`" * 1_000_000,
        "a,b,c\n" * 150_000,
        "\n" * 1_000_000,
        "\n \t" * 300_000,
        "|" * 1_000_000,
        "a|" * 500_000,
        "字" * 300_000,
        "a\0b\ud800c \udfff 12 " * 1000,
        '"«„「' * 100_000,
    ],
    ids=lambda prompt: repr(prompt[:8]),
)
def test_a_huge_or_broken_prompt_takes_no_more_than_a_moment(prompt):
    decision = NGRAMS.classify(prompt, FOUR)

    assert decision.tier in TIERS
    assert decision == NGRAMS.classify(prompt, FOUR)


def test_a_long_prompt_of_one_paragraph_is_read_once():
    prompt = "We lend tools as well as books, and the cards we use no longer work. " * 4

    assert ((0, len(prompt)),) == asking(prompt)


@given(
    st.text(
        alphabet=st.one_of(st.characters(), st.sampled_from("ab \n\t\"'`,;|“”«»{}")), max_size=500
    )
)
@settings(max_examples=200, deadline=None)
def test_any_text_gets_a_tier_and_places_that_hold(prompt):
    decision = NGRAMS.classify(prompt, FOUR)

    assert decision.tier in TIERS
    assert all(prompt[s.start : s.end] == s.text for s in decision.signals)
    spans = asking(prompt)
    assert all(a < b <= c < d for (a, b), (c, d) in itertools.pairwise(spans))


def test_what_the_weights_were_trained_on_is_known_by_its_hash_with_its_held_out_chances():
    rows = dataset.rows("tier_prompts")

    held = held_out([row["prompt"] for row in rows])

    right = [TIERS[one.index(max(one))] == row["tier"] for one, row in zip(held, rows, strict=True)]
    assert 0.6 < sum(right) / len(rows) < 0.9
    assert all(0.98 < sum(one) < 1.02 for one in held)
    assert [None] == held_out(["A prompt that nobody has labelled yet, about herons."])


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
    assert np.array_equal(rarity(documents, len(rows)), weights().rarities)
    assert {"blind_prompts", "examples"} & {row.file for row in rows} == {"examples"}
    assert all(held_out([row.prompt for row in rows]))


def test_two_thirds_of_the_blind_prompts_go_where_they_should_and_nearly_all_near_it():
    rows = dataset.rows("blind_prompts")

    got = [TIERS.index(NGRAMS.classify(row["prompt"], FOUR).tier) for row in rows]

    off = [abs(place - TIERS.index(row["tier"])) for place, row in zip(got, rows, strict=True)]
    assert off.count(0) / len(rows) > 2 / 3
    assert off.count(0) + off.count(1) > 0.87 * len(rows)
    assert held_out([row["prompt"] for row in rows]) == [None] * len(rows)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.unlink(), "cannot be read"),
        (lambda file: file.write_bytes(b""), "are damaged"),
        (lambda file: file.write_bytes(file.read_bytes()[:50_000]), "are damaged"),
        (lambda file: file.write_bytes(b"x" * 1000), "are damaged"),
    ],
    ids=["missing", "empty", "cut", "other"],
)
def test_weights_that_cannot_be_read_are_one_line_with_the_cure(tmp_path, spoil, said):
    copy = tmp_path / "installed" / "nbroute"
    shutil.copytree(Path(nbroute.__file__).parent, copy)
    spoil(copy / "classify" / "data" / "ngrams.npz")
    code = (
        "from nbroute.classify.ngrams import NgramClassifier\n"
        "from nbroute.errors import SettingsError\n"
        "try:\n    NgramClassifier().score('hello')\n"
        "except SettingsError as error:\n    print(error)"
    )

    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, '.')\n{code}"]
    done = subprocess.run(
        command, cwd=copy.parent, capture_output=True, text=True, check=True, timeout=60
    )

    assert said in done.stdout
    assert "pip install --force-reinstall" in done.stdout
    assert 1 == done.stdout.count("\n")
