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
    "Hello there!": "SIMPLE",
    "Summarise the plot of Emma in three sentences.": "MEDIUM",
    "Write a short email to my landlord to say that the lift is broken.": "MEDIUM",
    "Compare gas and induction cooking for a school kitchen and recommend one.": "COMPLEX",
    "Show that every bounded entire function is constant without Cauchy's formula.": "FRONTIER",
}
ONE_EACH = [*PLAIN][::2][:2] + [*PLAIN][4:]


def asked(prompt):
    return " ".join(prompt[start:end] for start, end in asking(prompt))


@pytest.mark.parametrize("prompt", PLAIN)
def test_each_tier_gets_its_plain_cases(prompt):
    assert PLAIN[prompt] == NGRAMS.classify(prompt, FOUR).tier


CHAIR = "Who was in the chair?"


@pytest.mark.parametrize(
    "shown",
    [
        *[f"\n\n{PASTE}", f"\n---\n{PASTE}\n---\n", f' "{PASTE}"', f"\n```\n{PASTE}\n```"],
        *[f"\n```\n{PASTE}", "\n\n| day | chair |\n|---|---|\n| Monday | Oduya |"],
        "\n\nday,chair,hours\nMonday,Oduya,3\nTuesday,Lind,2",
    ],
)
def test_what_is_pasted_or_shown_does_not_ask(shown):
    assert CHAIR == asked(f"{CHAIR}{shown}").strip("- \n")
    assert CHAIR == asked(f"{PASTE}\n\n{CHAIR}")


WHOLE = ["What does 'architect' mean?", "```\nprint(1)\n```", f'"{PASTE}"', "谁写了《红楼梦》?"]
WHOLE += ["🙂", "Thanks!", "We lend tools as well as books, and the cards no longer work. " * 4]


@pytest.mark.parametrize("prompt", [*WHOLE, "", " \n\t "])
def test_a_short_prompt_and_one_that_only_shows_are_read_whole_and_nothing_asks_in_nothing(prompt):
    assert (((0, len(prompt)),) if prompt.strip() else ()) == asking(prompt)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *[("", "\nThanks!"), ("Hello!\n\n", ""), ("你好！\n", "\n谢谢")],
        *[("Hi there,\n\n", "\n\nMany thanks in advance, Anna")],
        *[("Bonjour,\n\n", "\n\nMerci d'avance !")],
    ],
)
def test_a_greeting_and_thanks_decide_nothing(before, after):
    prompt = (
        "Prove that there are infinitely many primes, and say which step fails for the composite "
        "numbers.\n\nThen design a proof that goes without contradiction, compare both for a "
        "reader who distrusts indirect proofs, and weigh which of the two a textbook should print."
    )
    plain, polite = (NGRAMS.classify(one, FOUR) for one in (prompt, before + prompt + after))

    assert (plain.tier, plain.reason) == (polite.tier, polite.reason)
    assert plain.confidence == polite.confidence
    # what is shown after a colon is not thanks
    assert asked("Translate into French:\n\nThanks to all").endswith("Thanks to all")


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

    weights = [abs(signal.weight) for signal in decision.signals]
    assert sorted(weights, reverse=True) == weights != []
    assert all(prompt[one.start : one.end] == one.text for one in decision.signals)


def test_the_reason_quotes_the_words_that_spoke_for_the_tier():
    decision = NGRAMS.classify("Prove that there are infinitely many primes.", FOUR)

    assert " to FRONTIER rather than " in decision.reason
    assert '"Prove"' in decision.reason
    assert 0.5 < decision.confidence <= 1
    low, high = map(NGRAMS.score, ("Capital of Peru?", "Prove that primes are infinitely many."))
    assert 0 <= low < high <= 1
    assert all(s.weight > 0 for s in decision.signals if f'"{s.text}"' in decision.reason)
    for prompt, said in (("In one word, what is the sky?", '"word" and "one"'), ("the", '"the"')):
        reason = NGRAMS.classify(prompt, FOUR).reason  # common words only where no other speaks
        assert reason.partition(" point")[0] == said


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (TWO, ["cheap", "cheap", "expensive", "expensive"]),
        (THREE, ["fast", "mid", "mid", "power"]),
        (ladder(*"abcd"), [*"abcd"]),
        (ladder(*"abcde"), [*"abde"]),
        (ladder("only"), ["only"] * 4),
    ],
)
def test_another_ladder_gets_the_tier_at_the_same_height(where, expected):
    decisions = [NGRAMS.classify(prompt, where) for prompt in ONE_EACH]

    assert expected == [decision.tier for decision in decisions]
    four = [NGRAMS.classify(prompt, FOUR).confidence for prompt in ONE_EACH]
    assert all(a.confidence >= b for a, b in zip(decisions, four, strict=True))


@pytest.mark.parametrize("prompt", ["", "   ", "🙂🙂🙂", "\0\0", "\ud800"])
def test_a_prompt_without_a_word_gets_the_default_and_says_so(prompt):
    decision = NGRAMS.classify(prompt, FOUR)

    assert ("MEDIUM", True) == (decision.tier, decision.defaulted)
    assert decision.confidence < 0.5
    assert decision.reason == "there are no words to go by, so the default MEDIUM"


HUGE = {"x": 300, "a ": 150, '"': 300, "“": 300, "`": 300, "a,b,c\n": 50, "\n": 300, "\n \t": 100}
HUGE |= {"|": 300, "a|": 150, "字": 100, "a\0b\ud800c \udfff 12 ": 1, '"«„「': 30}


@pytest.mark.parametrize("piece", HUGE, ids=ascii)
def test_a_huge_or_broken_prompt_takes_no_more_than_a_moment(piece):
    assert NGRAMS.classify(piece * HUGE[piece] * 1000, FOUR).tier in TIERS


@given(
    st.text(
        alphabet=st.one_of(st.characters(), st.sampled_from("ab \n\t\"'`,;|“”«»{}")), max_size=500
    )
)
@settings(max_examples=200, deadline=None)
def test_any_text_gets_a_tier_and_places_that_hold_each_time_the_same(prompt):
    decision = NGRAMS.classify(prompt, FOUR)

    assert decision == NGRAMS.classify(prompt, FOUR)
    assert decision.tier in TIERS
    assert all(prompt[s.start : s.end] == s.text for s in decision.signals)
    spans = asking(prompt)
    assert all(a < b <= c < d for (a, b), (c, d) in itertools.pairwise(spans))


def test_two_thirds_of_the_blind_prompts_go_where_they_should_and_nearly_all_near_it():
    rows = dataset.rows("blind_prompts")

    got = [TIERS.index(NGRAMS.classify(row["prompt"], FOUR).tier) for row in rows]

    off = [abs(place - TIERS.index(row["tier"])) for place, row in zip(got, rows, strict=True)]
    assert off.count(0) / len(rows) > 2 / 3
    assert off.count(0) + off.count(1) > 0.87 * len(rows)
    assert held_out([row["prompt"] for row in rows]) == [None] * len(rows)


def test_what_the_weights_were_trained_on_is_known_by_its_hash_with_its_held_out_chances():
    rows = dataset.rows("tier_prompts")

    held = held_out([row["prompt"] for row in rows])

    right = [TIERS[one.index(max(one))] == row["tier"] for one, row in zip(held, rows, strict=True)]
    assert 0.6 < sum(right) / len(rows) < 0.9
    assert all(0.98 < sum(one) < 1.02 for one in held)


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
    assert {"blind_prompts", "examples"} & {row.file for row in rows} == {"examples"}
    assert all(held_out([row.prompt for row in rows]))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The folder of weights of another installation, which this one reads; nothing is kept."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("ngrams.npz", "ngrams_rows.npz"):
        data = (Path(ngrams.__file__).parent / "data" / name).read_bytes()
        (folder / name).write_bytes(data)
    monkeypatch.setattr(ngrams.resources, "files", lambda _: tmp_path)
    for kept in (ngrams.shipped, ngrams._held_out):
        kept.cache_clear()
    yield folder
    for kept in (ngrams.shipped, ngrams._held_out):
        kept.cache_clear()


@pytest.mark.parametrize("name", ["ngrams.npz", "ngrams_rows.npz"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.unlink(), "cannot be read"),
        (lambda file: file.write_bytes(b""), "are damaged"),
        (lambda file: file.write_bytes(file.read_bytes()[:5_000]), "are damaged"),
    ],
    ids=["missing", "empty", "cut"],
)
def test_weights_that_cannot_be_read_are_one_line_with_the_cure(installed, name, spoil, said):
    spoil(installed / name)
    use = NGRAMS.score if name == "ngrams.npz" else lambda prompt: held_out([prompt])

    with pytest.raises(SettingsError, match=rf"{said}.*pip install --force-reinstall") as caught:
        use("hello")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 2}, "are of version 2, and this nbroute reads 1"),
        ({"weights": np.zeros((3, 3))}, "another number of features"),
        ({"bias": np.zeros(9)}, "are not numbers"),
        ({"weights": np.full((PLACES, 3), np.nan)}, "are not numbers"),
    ],
)
def test_weights_of_another_kind_are_refused(installed, changes, said):
    file = installed / "ngrams.npz"
    with np.load(file) as found:
        np.savez(file, **(dict(found) | changes))

    with pytest.raises(SettingsError, match=said):
        NGRAMS.score("hello")
