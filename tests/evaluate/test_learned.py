"""The learned classifier: trained on labelled prompts, measured, saved, loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from dataset import THINGS
from rungs import ladder

from nbroute.classify.examples import shipped
from nbroute.classify.ngrams import NgramClassifier
from nbroute.classify.registry import FunctionClassifier
from nbroute.errors import SettingsError
from nbroute.evaluate.model_file import load, save
from nbroute.evaluate.training import fit
from nbroute.evaluate.training_data import near_duplicates
from nbroute.types import Embedded

pytest.importorskip("sklearn")

NAMES = ("SIMPLE", "MEDIUM", "COMPLEX")
LADDER = ladder(*NAMES)
ASKED = {
    "SIMPLE": ["name a {} {}", "what is a {} {}", "spell {} {}", "translate {} {}", "define {} {}"],
    "MEDIUM": ["summarise the notes on a {} {}", "explain how a {} {} works"],
    "COMPLEX": ["design a {} and prove it {}", "derive the load of a {} {}"],
}
PADDING = (" for us", " for the people of our town, who asked", "", " in a note that fits a page")
HARD = "derive the load of a bridge"


def labelled():
    """Tiers that depend on a few words and not on length, in a group for each thing."""
    rows = [
        (form.format(thing, number) + PADDING[(number + place) % 4], tier, thing)
        for tier, forms in ASKED.items()
        for place, form in enumerate(forms)
        for number, thing in enumerate(THINGS)
    ]
    return pd.DataFrame(rows, columns=["prompt", "tier", "group"])


def outcomes():
    frame = labelled()
    hard = frame["tier"] == "COMPLEX"
    return frame.drop(columns="tier").assign(weak=np.where(hard, 0.0, 1.0), strong=1.0)


@pytest.fixture(scope="module")
def of_tiers():
    return fit(labelled(), LADDER)


@pytest.fixture(scope="module")
def of_scores():
    return fit(outcomes(), LADDER)


@pytest.fixture(params=["of_tiers", "of_scores"])
def fitted(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


class LetterCounts:
    """An offline embedder: how often four letters occur."""

    def __init__(self, name="letters", kind="local"):
        self.name, self.kind, self.provider, self.model = name, kind, "local", name

    def embed(self, texts):
        counts = [[text.count(letter) for letter in "aeio"] for text in texts]
        return Embedded(np.array(counts, dtype=np.float32))


def line(fitted, name):
    return next(figure for figure in fitted.figures if figure.name == name)


def test_it_learns_which_prompts_need_an_expensive_tier_and_names_the_words(fitted):
    prompt = "İ: Derive the load of a kite in a note"
    easy = fitted.classifier.classify("what is a teapot", LADDER)
    hard = fitted.classifier.classify("design a ferry and prove it", LADDER)
    decision = fitted.classifier.classify(prompt, LADDER)

    assert ("SIMPLE", "COMPLEX", "learned") == (easy.tier, hard.tier, hard.classifier)
    assert 0 < hard.confidence <= 1
    placed = [signal for signal in decision.signals if signal.start is not None]
    assert all(prompt[s.start : s.end] == s.text for s in placed)
    assert any(signal.text.split()[0] in decision.reason for signal in placed)
    for text in ("", "\ud800", "是什么" * 50, "9" * 500, "a " * 100_000, "🙂\n" * 1000):
        assert 0 <= fitted.classifier.classify(text, LADDER).confidence <= 1


def test_the_figures_are_printed_with_what_they_have_to_beat(of_scores, of_tiers):
    random, learned, oracle = (line(of_scores, one) for one in ("random", "learned", "oracle"))

    assert 0.5 == random.value < learned.value <= oracle.value
    assert learned.interval[0] <= learned.value <= learned.interval[1]
    assert of_scores.better
    assert "whole groups unseen" in repr(of_scores)
    names = ["learned", "always SIMPLE", "prompt length", "as shipped"]
    assert names == [figure.name for figure in of_tiers.figures]
    assert 100 / 180 == line(of_tiers, "always SIMPLE").value
    assert line(of_tiers, "learned").value > 0.9
    assert "better: it beats all of these." in repr(of_tiers)


def test_ten_labels_are_enough_for_an_honest_figure():
    fitted = fit(labelled().drop(columns="group").sample(10, random_state=3), LADDER)

    assert "10 prompts, 9 folds" in repr(fitted)
    low, high = line(fitted, "learned").interval
    assert high - low > 0.3


def test_rows_that_the_shipped_classifier_knows_are_judged_without_them():
    known = shipped()[::3]
    frame = pd.DataFrame({"prompt": [e.prompt for e in known], "tier": [e.tier for e in known]})
    four = ladder("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")

    fitted = fit(frame, four)

    seen = [NgramClassifier().classify(e.prompt, four).tier == e.tier for e in known]
    assert line(fitted, "as shipped").value < np.mean(seen) - 0.1


def test_it_is_better_than_a_guess_and_not_than_a_classifier_that_knows_or_labels_by_lot():
    known = dict(labelled()[["prompt", "tier"]].to_numpy().tolist())
    guess, knows = (
        fit(labelled(), LADDER, present=FunctionClassifier(*one))
        for one in ((lambda prompt: NAMES[len(prompt) % 3], "guess"), (known.get, "knows"))
    )
    lot = np.random.default_rng(1).permutation(labelled()["tier"])

    assert line(guess, "present: guess").ahead[0] > 0
    assert guess.better
    assert not knows.better
    assert "not better: it is not surely ahead of present: knows" in repr(knows)
    assert not fit(labelled().assign(tier=lot), LADDER).better


def test_scores_train_for_the_bottom_and_the_top_tier_with_the_share_asked_for():
    prompts, tops = outcomes()["prompt"], []
    for fitted in (fit(outcomes(), LADDER, share=0.1), fit(outcomes(), LADDER, share=0.6)):
        chosen = [fitted.classifier.classify(p, LADDER).tier for p in prompts]
        assert {"SIMPLE", "COMPLEX"} == set(chosen)
        tops.append(np.mean([tier == "COMPLEX" for tier in chosen]))

    assert [0.1, 0.6] == pytest.approx(tops, abs=0.1)
    with pytest.raises(SettingsError, match="is not a share"):
        fit(outcomes(), LADDER, share=1)


def test_without_groups_prompts_that_differ_in_their_numbers_stay_together():
    train = "A train leaves at {} and travels {} km in {} hours, how fast is it"
    other = "How many legs do six spiders and four ants have together?"
    groups = near_duplicates([train.format(7, 80, 2), other, train.format(9, 120, 3)])

    assert groups[0] == groups[2] != groups[1]
    fitted = fit(labelled().drop(columns="group"), LADDER)
    assert "near-duplicates kept together" in repr(fitted)


def test_a_saved_classifier_decides_the_same_with_no_pickle_no_prompt_and_no_scikit_learn(
    fitted, path
):
    save(fitted.classifier, path)
    loaded = load(path)

    for prompt in labelled()["prompt"]:
        assert fitted.classifier.classify(prompt, LADDER) == loaded.classify(prompt, LADDER)
    with np.load(path, allow_pickle=False) as arrays:
        header = json.loads(arrays["header"].tobytes())
    assert not [term for term in header.get("terms", ()) if len(term.split()) > 2]
    code = (
        "import sys; from nbroute.evaluate.model_file import load; "
        f"load({str(path)!r}).score('spell otter'); "
        "print({'sklearn', 'scipy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "set()" == done.stdout.strip()


def test_an_embedder_is_used_and_made_only_where_it_is_needed(of_tiers, path):
    by_letters = fit(outcomes(), LADDER, embedder=LetterCounts()).classifier
    save(by_letters, path)

    loaded = load(path, LetterCounts)

    assert by_letters.classify(HARD, LADDER) == loaded.classify(HARD, LADDER)
    assert "meaning" in {signal.name for signal in loaded.classify("aaaa", LADDER).signals}
    with pytest.raises(SettingsError, match=r"trained with the embedder 'letters'.*fit it again"):
        load(path, LetterCounts("other"))
    save(of_tiers.classifier, path)
    bare = load(path, lambda: pytest.fail("made"))
    assert "SIMPLE" == bare.classify("spell otter", LADDER).tier


def test_a_table_that_cannot_be_used_says_why():
    one = labelled()
    for frame, said in (
        (one.assign(tier=["MEDUM", *one["tier"][1:]]), "row 1 has the tier 'MEDUM': did you"),
        (one.assign(tier="SIMPLE"), "every row has the tier 'SIMPLE'"),
        (one.assign(group="one"), "all rows are of one group.*leave the column out"),
        (one.drop(columns="tier"), "no column 'weak' among 'prompt', 'group'"),
        (one[:9], "9 rows are too few.*10 or more"),
        (outcomes().assign(strong=0.0), "not above the weak one's.*swapped"),
    ):
        with pytest.raises(SettingsError, match=said):
            fit(frame, LADDER)


def test_a_damaged_file_and_one_of_another_version_are_noticed(of_scores, path):
    save(of_scores.classifier, path)
    whole = path.read_bytes()
    with np.load(path) as found:
        arrays = dict(found)

    def with_header(**changed):
        header = json.dumps(json.loads(arrays["header"].tobytes()) | changed).encode()
        return {"header": np.frombuffer(header, dtype=np.uint8)}

    for part in (0.0, 0.01, 0.5, 0.99):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(SettingsError, match=r"or a damaged one.*fit it again"):
            load(path)
    for changed, said in (
        ({"weights": np.zeros(3)}, "damaged one"),
        ({"line": np.full(2, np.nan)}, "damaged one"),
        ({"cuts": np.array([{}], dtype=object)}, "damaged one"),
        ({"header": np.frombuffer(b"[" * 99_999, dtype=np.uint8)}, "damaged one"),
        (with_header(schema=99), "another version of nbroute .schema 99"),
        (with_header(kind="a cake"), "a 'a cake'"),
        (with_header(levels=["HUGE", "COMPLEX"]), "do not fit together"),
    ):
        np.savez(path, **(arrays | changed))
        with pytest.raises(SettingsError, match=said):
            load(path)


def test_what_cannot_be_learnt_saved_or_loaded_says_why(of_tiers, tmp_path, monkeypatch):
    two, priced = ladder("A", "B"), LetterCounts(kind="remote")
    for ask, told in (
        (lambda: fit(labelled(), ladder("SIMPLE")), "one tier: there is nothing to learn"),
        (lambda: fit(labelled(), LADDER, embedder=priced), "costs money for every prompt"),
        (lambda: load(tmp_path / "none.npz"), "there is no learned classifier at .*fit one"),
        (lambda: of_tiers.classifier.classify("x", two), r"the tiers 'SIMPLE'.* has 'A', 'B'"),
    ):
        with pytest.raises(SettingsError, match=told):
            ask()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(SettingsError, match=r"pip install 'nbroute\[learn\]'"):
        fit("x.csv", LADDER)
