"""A check that is fitted on your own labels of answers: measured, refused, kept, used."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dataset import THINGS

from nbroute.errors import SettingsError
from nbroute.evaluate.check_training import auc, judged_rows
from nbroute.storage.ledger import SqliteLedger

pytest.importorskip("sklearn")

GOOD, BAD = "The {} was measured twice and weighs {} kg.", "Some {} is perhaps around {} kg or so."


def labelled(rows=120):
    """Prompts and lengths that say nothing, and answers that differ in a few words."""
    draw = np.random.default_rng(0)
    made = []
    for good in draw.permutation(np.arange(rows) % 2 == 0):
        prompt = " ".join(draw.permutation(THINGS[:15])[:8])
        text = (GOOD if good else BAD).format(draw.choice(THINGS[:15]), draw.integers(100, 999))
        text += " That is for the record." * draw.integers(0, 6)
        made.append({"prompt": prompt, "text": text, "good": bool(good)})
    return pd.DataFrame(made, columns=["prompt", "text", "good"])


@pytest.fixture(autouse=True)
def few_samples(monkeypatch):
    monkeypatch.setattr("nbroute.evaluate.check_training.SAMPLES", 200)


def test_a_check_that_knows_bad_answers_is_found_by_a_later_router_and_sends_them_on(
    make_router, server
):
    frame = labelled()
    fitted = make_router().fit_check(frame)
    for words in (BAD, GOOD):
        server.reply(text=words.format("violin", 640))
    router, asked = make_router(), "How heavy is this violin?"

    result = router.route(asked, strategy="cascade", start="LOW", checks=["learned"])

    assert fitted.better, fitted
    assert ("MID", 2) == (result.tier, len(server.requests))
    verdict = result.rungs[0].verdicts[-1]
    assert ("learned", False) == (verdict.check, verdict.passed)
    assert "% likely to be wrong, by your 120 labels" in verdict.reason
    assert "logprobs" not in server.requests[0].json
    # Where labels came with log probabilities, they are asked for.
    router.fit_check(frame.assign(logprob=np.where(frame["good"], -0.1, -0.9)))
    router.route("hello", tier="LOW", checks=["learned"])
    assert server.requests[-1].json["logprobs"]


def test_the_figures_are_printed_next_to_those_of_the_prompt_the_length_and_chance(simulated):
    fitted = simulated.fit_check(labelled(), catch=0.8)

    own, *rivals = fitted.lines
    assert "better: it is surely ahead of all of these." in repr(fitted)
    assert ["the prompt alone", "the answer's length", "chance"] == [one.name for one in rivals]
    assert 0.9 < own.auc[0] <= own.auc[2] <= 1
    assert 0.5 == rivals[-1].auc[0]
    (chosen,) = [one for one in fitted.catches if one.threshold == fitted.check.threshold]
    assert pytest.approx(0.8, abs=0.05) == chosen.caught
    for text in ("", "\ud800", "9" * 1_000_000, "so it is " * 120_000, "是" * 400):
        for logprob in (None, math.nan, -0.2):
            assert 0 <= fitted.check.chance("How heavy is it?", text, logprob) <= 1
    with pytest.raises(SettingsError, match="is not a share"):
        simulated.fit_check(labelled(), catch=1)
    held_back = labelled(240)[120:]
    assert 0 < simulated.calibrate(held_back, loss=0.2, of="learned").threshold < 1


def test_one_that_knows_the_prompt_or_the_length_alone_is_refused_but_can_be_used(router, server):
    frame = labelled()
    times = np.random.default_rng(1).integers(1, 40, 120)
    texts = ["so it is " * count for count in times]

    fitted = router.fit_check(frame.assign(good=frame["prompt"].str.contains("violin")))
    longer = router.fit_check(frame.assign(text=texts, good=times > np.median(times)))

    assert (False, False) == (fitted.better, longer.better)
    assert "not better, so not switched on" in repr(fitted)
    assert not Path("learned_check.npz").exists()
    with pytest.raises(SettingsError, match=r"no learned check yet: .*fit_check\(frame\)"):
        router.route("hello", checks=["learned"])
    assert [] == server.requests
    result = router.route("hello", checks=[fitted.check])
    assert ["learned"] == [one.check for one in result.rungs[0].verdicts]


def test_a_damaged_or_foreign_file_is_one_line_and_sends_nothing(make_router, server):
    def told():
        with pytest.raises(SettingsError) as refused:
            make_router().route("hello", checks=["learned"])
        return str(refused.value)

    file = Path("learned_check.npz")
    file.write_bytes(b"PK\x03\x04 no zip")
    assert re.search(r"learned_check\.npz.*fit it again", told())
    make_router().fit_check(labelled())
    with np.load(file) as found:
        arrays = dict(found)
    np.savez(file, **(arrays | {"weights": arrays["weights"][:-1]}))
    assert re.search(r"damaged one .* is not \d+ numbers", told())
    assert [] == server.requests


def test_judged_pairs_give_a_check_that_speaks_of_the_worse(simulated):
    by_word = labelled(120).groupby("good")["text"]
    better, worse = (by_word.get_group(good).tolist() for good in (True, False))

    fitted = simulated.fit_check(labelled(60)[["prompt"]].assign(better=better, worse=worse))

    assert 120 == fitted.check.labels
    assert 0.5 == fitted.lines[1].auc[0]
    result = simulated.route("Is a whale a fish?", checks=["learned"])
    assert "likely to be the worse of two" in result.rungs[0].verdicts[0].reason


def test_labels_of_this_session_and_of_earlier_ones_with_texts_will_do(make_router, server):
    rows = [*labelled(90).itertuples()]
    for store_text, some in ((True, rows[:40]), (False, rows[40:50]), (True, rows[50:])):
        router = make_router(ledger=SqliteLedger(Path("kept.sqlite"), store_text=store_text))
        for row in some:
            server.reply(text=row.text)
            word = "good" if row.good else "too weak"
            router.label(router.route(row.prompt, tier="LOW", cache="off"), word)
        if some[-1] is not rows[-1]:
            router.close()

    fitted = router.fit_check()

    assert fitted.better
    assert 80 == fitted.check.labels
    later = make_router(ledger="kept.sqlite").fit_check()
    assert 80 == later.check.labels
    assert "10 labelled answers were left out, as their texts were not kept." in repr(later)
    with pytest.raises(SettingsError, match="no answer has been labelled yet"):
        make_router().fit_check()


def test_labels_that_cannot_be_used_are_one_line(simulated):
    for frame, says in (
        (labelled(30), "30 or more|too few; give 50"),
        (labelled().assign(good=True), "120 good and 0 bad answers are too few"),
        (labelled().assign(prompt="the same one"), "all answers are to 1 prompts"),
        (labelled().drop(columns="good"), "no column 'label'"),
        (labelled(2).assign(good=["perhaps", "good"]), "row 1 has the label 'perhaps'"),
    ):
        with pytest.raises(SettingsError, match=says) as caught:
            simulated.fit_check(frame)
        assert "\n" not in str(caught.value)


def test_words_and_numbers_of_a_spreadsheet_are_read_as_labels():
    frame = labelled()
    words = frame.assign(label=np.where(frame["good"], "Good", "too weak")).drop(columns="good")
    words.to_csv("labels.csv", index=False, encoding="utf-8-sig")
    numbers = frame.assign(good=frame["good"].astype(int))

    for given in ("labels.csv", numbers):
        assert (judged_rows(given)[0]["bad"] == ~frame["good"]).all()


def test_the_area_counts_ties_by_halves_and_rows_by_their_counts():
    from sklearn.metrics import roc_auc_score

    draw = np.random.default_rng(0)
    scores, bad = draw.integers(0, 6, 200), draw.integers(0, 2, 200)
    counts = draw.integers(0, 4, 200)

    assert pytest.approx(roc_auc_score(bad, scores)) == auc(scores, bad)
    repeated = np.repeat(scores, counts), np.repeat(bad, counts)
    assert pytest.approx(roc_auc_score(*repeated[::-1])) == auc(scores, bad, counts)
