"""The threshold that keeps the loss of quality under a limit: promised, kept, and refused."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import dataset
import numpy as np
import pandas as pd
import pytest
from cells import error_of, run

from nbroute.errors import SettingsError
from nbroute.types import Decision

pytest.importorskip("mapie")


class Sure:
    """Puts every prompt on the lowest tier, with the confidence that is its last word."""

    name = "sure"

    def classify(self, prompt, ladder):
        return Decision("LOW", self.name, "says so", float(prompt.split()[-1]))


def judged(rows=400, seed=0, worst=0.6):
    """An audit's pairs: the less confident, the more often the expensive answer is preferred."""
    draw = np.random.default_rng(seed)
    confidence = draw.random(rows)
    lost = draw.random(rows) < worst * (1 - confidence) ** 2
    verdict = np.where(lost, "expensive", "tie")
    pairs = pd.DataFrame({"confidence": confidence, "verdict": verdict, "group": range(rows)})
    pairs["prompt"] = [f"prompt {place}" for place in range(rows)]
    return pairs.assign(direction="up", picked="LOW", cheaper_usd=0.001, expensive_usd=0.01)


def labelled(rows=400, seed=0):
    """Prompts that name their confidence, with the tier that they need."""
    pairs = judged(rows, seed)
    prompts = pairs["prompt"] + " " + pairs["confidence"].astype(str)
    needed = np.where(pairs["verdict"] == "expensive", "MID", "LOW")
    return pd.DataFrame({"prompt": prompts, "tier": needed, "group": pairs["group"]})


def answered(rows=400, seed=0):
    """Answers that were judged: the less probable, the more often bad."""
    pairs = judged(rows, seed)
    good = pairs["verdict"] != "expensive"
    logprob = np.log(pairs["confidence"].clip(lower=1e-9))
    text = {"text": "It is so.", "good": good, "logprob": logprob}
    return pairs[["prompt", "group"]].assign(**text, rating=np.ceil(10 * pairs["confidence"]))


def true_loss(threshold, worst=0.6):
    """That of the population that `judged` draws from."""
    return worst * (1 - threshold) ** 3 / 3


@pytest.mark.parametrize(("made", "options"), [(labelled, {}), (answered, {"of": "logprob"})])
def test_the_promise_holds_in_at_least_the_stated_share_of_runs(
    make_router, monkeypatch, made, options
):
    monkeypatch.setattr("nbroute.evaluate.calibration.SPLITS", 2)
    router = make_router(classifier=Sure())

    thresholds = (
        router.calibrate(made(seed=seed), loss=0.05, **options).threshold for seed in range(100)
    )
    losses = np.array([true_loss(threshold) for threshold in thresholds])

    assert (losses <= 0.05).mean() >= 0.9
    assert losses.mean() > 0.03, "a threshold that moves nearly everything promises nothing"


def test_the_cheapest_threshold_that_holds_is_chosen_and_its_figures_are_those_of_the_data(router):
    found = router.calibrate(judged(), loss=0.05)

    frame, pairs = found.frame(), judged()
    stays = pairs[pairs["confidence"] >= found.threshold]
    assert found.risk == (stays["verdict"] == "expensive").sum() / 400
    assert found.risk < found.bound <= 0.05

    def chance(lost, share):
        """Of at most so many losses among 400, by the definition of the binomial distribution."""
        return sum(math.comb(400, n) * share**n * (1 - share) ** (400 - n) for n in range(lost + 1))

    lost = [round(400 * risk) for risk in frame["risk"]]
    assert [chance(n, 0.05) <= 0.1 for n in lost] == list(frame["holds"])
    assert [0.1] * len(lost) == pytest.approx(list(map(chance, lost, frame["bound"])))
    assert found.risk < found.at_random < frame["risk"].max()
    assert frame[frame["holds"]]["usd"].min() == found.chosen.usd
    assert pytest.approx(len(stays) * 0.001 + (400 - len(stays)) * 0.01) == found.chosen.usd
    assert (frame["bound"] > 0.05).any(), "there are cheaper thresholds that do not hold"
    assert frame["risk"].is_monotonic_increasing
    assert found.held.broken <= 0.2 * found.held.made


def test_scores_that_are_nearly_0_or_1_are_told_apart(make_router):
    prompts = ["prompt 0.0001"] * 130 + ["prompt 0.9999"] * 270
    needed = ["MID"] * 130 + ["LOW"] * 270
    table = pd.DataFrame({"prompt": prompts, "tier": needed, "group": range(400)})

    found = make_router(classifier=Sure()).calibrate(table, loss=0.05)

    assert (0.5, 0.0) == (found.threshold, found.risk)


def test_the_setting_is_what_a_router_then_goes_by(make_router):
    found = make_router(classifier=Sure()).calibrate(labelled(), loss=0.05)
    Path("nbroute.toml").write_text(found.setting, "utf-8")

    router = make_router(classifier=Sure(), settings="nbroute.toml")

    assert "MID" == router.classify(f"prompt {found.threshold - 0.001}").tier
    assert "LOW" == router.classify(f"prompt {found.threshold}").tier
    again = router.calibrate(labelled(), loss=0.05)
    assert "# nothing to write: this is what is in force now" == again.setting
    # An audit of it says nothing of lower thresholds.
    audited = router.calibrate(judged(worst=0.1), loss=0.05)
    assert found.threshold == audited.frame()["threshold"].min() == audited.threshold


def test_the_shipped_classifier_on_blind_prompts(simulated):
    frame = pd.DataFrame(dataset.rows("blind_prompts"))

    with pytest.raises(SettingsError, match=r"6 of 240 are lost .* promise 4\.4% \(loss=0\.044\)"):
        simulated.calibrate(frame)
    assert simulated.calibrate(frame, loss=0.044).bound <= 0.044
    found = simulated.calibrate(frame, loss=0.06)

    assert 0 < found.threshold < 0.6
    assert 0.6 < found.chosen.saved < 0.7
    assert "right in 88% of 240" in found.chart().lead


def test_a_check_is_calibrated_where_its_threshold_is_written(router):
    found = router.calibrate(answered(), loss=0.05, of="rating")

    name, _, value = found.setting.rpartition("[")[2].strip('])"').partition("=")
    assert ("rating", found.threshold) == (name, float(value))
    assert 0 < found.chosen.moved < 1
    assert "a loss is a bad answer that passes the check" in repr(found)


def test_what_cannot_be_used_or_promised_says_why(make_router):
    router = make_router(classifier=Sure())
    for frame, options, told in (
        (judged(25, worst=0), {}, r"25 judged pairs are too few .* it would need 114"),
        (judged().assign(confidence=0.4), {"loss": 0.1}, r"pair has the confidence 0\.4"),
        (judged().assign(confidence=math.nan), {}, r"no number in the column confidence"),
        (judged().assign(verdict="left"), {}, r"a verdict is 'left'"),
        (judged().assign(direction="down"), {}, r"there is no judged pair in it"),
        (labelled().assign(tier="TOP"), {}, r"no threshold keeps .* 400 of 400 are lost"),
        (answered(), {"of": "ratings"}, r"of is 'ratings': did you mean 'rating'"),
        (judged().assign(cheaper_usd=-1.0), {}, "a cost is -1 US dollars"),
        (judged(), {"loss": 1}, "loss=1 is not a share"),
    ):
        with pytest.raises(SettingsError, match=told):
            router.calibrate(frame, **options)


def test_near_duplicates_count_once_missing_verdicts_not_at_all_and_of_many_a_part_is_drawn(
    router, monkeypatch
):
    pairs = judged()
    found = router.calibrate(pd.concat([pairs, pairs, pairs.assign(verdict=None)]), loss=0.05)
    assert 400 == found.labels
    assert "800 judged pairs are 400, as rows of one group count once." in repr(found)
    assert "Left out: 400 pairs, not judged or not with the next tier up." in repr(found)

    monkeypatch.setattr("nbroute.evaluate.calibration_data.MOST", 4_000)
    found = router.calibrate(judged(10_000), loss=0.05)
    assert 4_000 == found.labels
    assert "Of 10,000 judged pairs 4,000 were drawn at random." in repr(found)
    assert abs(true_loss(found.threshold) - 0.05) < 0.01


def test_what_is_missing_is_said(router, make_router, monkeypatch):
    pairs = judged().assign(cheaper_usd=math.nan)
    pairs.loc[:9, "confidence"] = math.nan

    found = router.calibrate(pairs.convert_dtypes(), loss=np.float64(0.08))

    assert "10 prompts without a confidence cannot be moved." in repr(found)
    assert math.isnan(found.chosen.usd)
    assert found.frame()["moved"].max() == 390 / 400
    ties = router.calibrate(judged(worst=0))
    assert 0 == ties.threshold
    assert "No expensive answer was preferred" in repr(ties)
    alike = make_router(classifier=Sure()).calibrate(labelled().assign(tier="LOW"))
    assert "Every label says LOW" in repr(alike)
    monkeypatch.setitem(sys.modules, "mapie.risk_control", None)
    with pytest.raises(SettingsError, match=r"pip install 'nbroute\[learn\]'"):
        router.calibrate(pairs)


def test_a_classifier_that_has_no_confidence_or_would_send_is_refused(make_router, server):
    for classifier, told in (
        (lambda _: "LOW", "the classifier '<lambda>' gives no confidence"),
        (lambda _: "TOP", "puts every prompt on TOP: none can move up"),
        ("model", "'model' would have to send the prompts"),
    ):
        with pytest.raises(SettingsError, match=told):
            make_router(classifier=classifier).calibrate(labelled())
    assert [] == server.requests


def test_the_magic_takes_the_sessions_labels_or_a_variable_and_says_what_is_wrong(shell):
    assert "no prompt has been labelled yet" in error_of(shell, "%route calibrate")
    run(shell, "%%route\nWhat is the capital of France?")
    run(shell, "%route label good")
    assert "1 label is too few" in error_of(shell, "%route calibrate --loss 5%")
    assert "'--los': did you mean '--loss'" in error_of(shell, "%route calibrate --los 0.02")


def test_answers_are_not_labels_though_they_have_tiers(simulated):
    grid = simulated.compare(["What is 7 times 8?", "Is a whale a fish?"], progress=False)

    for answers in (grid, grid.frame()):
        with pytest.raises(SettingsError, match="which tier answered, not which one"):
            simulated.calibrate(answers)
