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
from nbroute.providers.simulated import known_prompts
from nbroute.types import Decision

pytest.importorskip("mapie")


class Sure:
    """Puts every prompt on one tier, with the confidence that is its last word."""

    name = "sure"

    def __init__(self, tier="LOW"):
        self.tier = tier

    def classify(self, prompt, ladder):
        return Decision(self.tier, self.name, "says so", float(prompt.split()[-1]))


def judged(rows=400, seed=0, worst=0.6):
    """An audit's pairs: the less confident, the more often the expensive answer is preferred."""
    draw = np.random.default_rng(seed)
    confidence = draw.random(rows)
    lost = draw.random(rows) < worst * (1 - confidence) ** 2
    return pd.DataFrame(
        {
            "prompt": [f"prompt {place}" for place in range(rows)],
            "group": range(rows),
            "direction": "up",
            "picked": "LOW",
            "confidence": confidence,
            "verdict": np.where(lost, "expensive", "tie"),
            "cheaper_usd": 0.001,
            "expensive_usd": 0.01,
        }
    )


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


@pytest.mark.parametrize(
    ("made", "options"),
    [(labelled, {}), (answered, {"of": "logprob"})],
    ids=["classifier", "check"],
)
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


@pytest.fixture
def found(router):
    return router.calibrate(judged(), loss=0.05)


def test_the_cheapest_threshold_that_holds_is_chosen_and_its_figures_are_those_of_the_data(found):
    frame, pairs = found.frame(), judged()

    stays = pairs[pairs["confidence"] >= found.threshold]
    assert found.risk == (stays["verdict"] == "expensive").sum() / 400
    assert found.risk < found.bound <= 0.05
    assert found.risk < found.at_random < frame["risk"].max()
    assert "as many at random" in repr(found)
    assert frame[frame["holds"]]["usd"].min() == found.chosen.usd
    assert pytest.approx(len(stays) * 0.001 + (400 - len(stays)) * 0.01) == found.chosen.usd
    assert (frame["bound"] > 0.05).any(), "there are cheaper thresholds that do not hold"
    assert frame["risk"].is_monotonic_increasing
    assert frame["moved"].is_monotonic_decreasing


def test_mapie_finds_the_same_thresholds_valid_and_its_bound_is_never_below_the_exact_tail(router):
    from mapie.risk_control import BinaryClassificationController, BinaryRisk
    from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
    from scipy.stats import binom

    pairs = judged(240)
    lost = (pairs["verdict"] == "expensive").to_numpy()
    frame = router.calibrate(pairs, loss=0.06).frame()

    risk = BinaryRisk(
        lambda true, stays: (true == 1) & (stays == 1), lambda true, _: true > -1, False
    )
    controller = BinaryClassificationController(
        lambda scores: np.column_stack([1 - scores, scores]),
        risk,
        0.06,
        best_predict_param_choice="predicted_positive_fraction",
        list_predict_params=frame["threshold"].to_numpy(),
        fwer_method="fixed_sequence",
    ).calibrate(pairs["confidence"].to_numpy(), lost)

    assert sorted(frame[frame["holds"]]["threshold"]) == sorted(controller.valid_predict_params)
    for count in (50, 147, 333):
        losses = np.arange(count // 10)
        theirs = compute_hoeffding_bentkus_p_value(losses / count, count, 0.02, binary=True)[:, 0]
        exact = binom.cdf(losses, count, 0.02)
        assert (exact <= theirs + 1e-12).all()
        assert (np.isclose(exact, theirs)).mean() > 0.8


def test_what_it_says_fits_a_terminal_and_names_the_setting(found):
    printed = repr(found)

    assert f"step_up_below = {found.threshold:g} keeps the loss at 5% or less" in printed
    assert "(90% confidence, 400 judged pairs)" in " ".join(printed.split())
    assert "200 random halves of 200 judged pairs" in printed
    assert f"[nbroute]\nstep_up_below = {found.threshold:g}" in printed
    assert found.setting in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert found.held.broken <= 0.2 * found.held.made


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
    assert f"step_up_below is {found.threshold:g} already" in repr(audited)


def test_the_shipped_classifier_on_blind_prompts(simulated):
    frame = pd.DataFrame(dataset.rows("blind_prompts"))

    with pytest.raises(SettingsError, match=r"6 of 240 are lost .* promise 4\.4% \(loss=0\.044\)"):
        simulated.calibrate(frame)
    assert simulated.calibrate(frame, loss=0.044).bound <= 0.044
    found = simulated.calibrate(frame, loss=0.06)

    assert 0 < found.threshold < 0.6
    assert 0.6 < found.chosen.saved < 0.7
    assert "all on FRONTIER" in repr(found)
    chart = found.chart()
    assert 240 == chart.frame()["of"].sum()
    assert "right in 88% of 240" in chart.lead
    assert (0.5, 0.5) in chart.panels[0].curve


@pytest.mark.parametrize("of", ["rating", "logprob"])
def test_a_check_is_calibrated_where_its_threshold_is_written(router, of):
    found = router.calibrate(answered(), loss=0.05, of=of)

    name, _, value = found.setting.rpartition("[")[2].strip('])"').partition("=")
    assert (of, found.threshold) == (name, float(value))
    assert 0 < found.chosen.moved < 1
    assert "a loss is a bad answer that passes the check" in repr(found)
    assert "cost" not in repr(found).split("200 random halves")[0]


def test_the_learned_check_takes_the_threshold_that_was_found(simulated, make_router, server):
    draw = np.random.default_rng(0)
    things = ["harbour", "bakery", "violin", "glacier", "printer", "orchard", "compass", "saddle"]
    rows = []
    for good in (np.arange(400) % 2 == 0).tolist():
        prompt = " ".join(draw.permutation(things)[:6])
        words = "was measured twice" if good != (draw.random() < 0.1) else "is perhaps around"
        text = f"The {things[0]} {words}." + " That is for the record." * draw.integers(0, 6)
        rows.append({"prompt": prompt, "text": text, "good": good})
    frame = pd.DataFrame(rows)
    assert simulated.fit_check(frame[:200]).better

    found = simulated.calibrate(frame[200:].assign(group=range(200)), loss=0.1, of="learned")

    assert 0 < found.threshold < 1
    for text in ("The harbour is perhaps around.", "The harbour was measured twice."):
        server.reply(text=text)
    checks = [f"learned={found.threshold:g}"]
    result = make_router().route(" ".join(things), strategy="cascade", start="LOW", checks=checks)
    assert "MID" == result.tier


@pytest.mark.parametrize(
    ("frame", "options", "told"),
    [
        (judged(25, worst=0), {}, r"25 judged pairs are too few .* it would need 114"),
        (judged(25, worst=0), {"loss": 0.05, "confidence": 0.95}, r"it would need 59"),
        (judged(1).assign(confidence=0.4), {}, r"1 judged pair .* would need 114; these"),
        (judged().assign(confidence=0.4), {"loss": 0.1}, r"pair has the confidence 0\.4"),
        (judged().assign(confidence=math.nan), {}, r"no number in the column confidence"),
        (judged().assign(confidence=70.5), {}, r"confidence is 70\.5; it is a number from 0 to 1"),
        (judged().assign(verdict=None), {}, r"there is no judged pair in it"),
        (judged().assign(verdict="left"), {}, r"a verdict is 'left'"),
        (judged().assign(direction="down"), {}, r"there is no judged pair in it"),
        (judged().assign(group=[0, math.nan] * 200), {}, r"row 2 has no group; name one"),
        (judged().assign(prompt=""), {}, r"row 1 has the prompt ''"),
        (judged()[["prompt"]], {}, r"no column 'tier' among 'prompt'"),
        (pd.DataFrame(), {}, r"no column 'prompt' among none"),
        (labelled().assign(tier="GIGANTIC"), {}, r"row 1 has the tier 'GIGANTIC'"),
        (labelled().assign(tier="TOP"), {}, r"no threshold keeps .* 400 of 400 are lost"),
        (answered(), {"of": ["rating"]}, r"of is \['rating'\]"),
        (answered(), {"of": "ratings"}, r"of is 'ratings': did you mean 'rating'"),
        (answered().drop(columns="rating"), {"of": "rating"}, r"no number in the column rating"),
        (answered().assign(rating=11), {"of": "rating"}, "rating is 11; it is a number from 1 to"),
        (answered()[["prompt"]], {"of": "logprob"}, r"no column 'text'"),
        (judged().assign(cheaper_usd=-1.0), {}, "a cost is -1 US dollars"),
        ([1, 2], {}, r"list is not a table"),
        ("none.csv", {}, r"'none\.csv' cannot be read as CSV"),
        *(
            (judged(), {"loss": bad}, f"loss={bad!r} is not a share")
            for bad in (0, 1, math.nan, "2")
        ),
        (judged(), {"confidence": True}, r"confidence=True is not a share"),
        (judged(), {"seed": -1}, r"seed=-1 is not a whole number"),
    ],
)
def test_what_cannot_be_used_or_promised_is_one_clear_line(make_router, frame, options, told):
    router = make_router(classifier=Sure())

    with pytest.raises(SettingsError, match=told) as caught:
        router.calibrate(frame, **options)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["group", "direction", "cheaper_usd", "confidence"])
def test_a_column_that_is_in_the_table_twice_is_refused(router, name):
    with pytest.raises(SettingsError, match=f"several columns '{name}'; leave"):
        router.calibrate(pd.concat([judged(), judged()[[name]]], axis=1))


def test_near_duplicates_count_once_missing_verdicts_not_at_all_and_of_many_a_part_is_drawn(
    router, monkeypatch
):
    pairs = judged()
    again = pd.concat([pairs, pairs, pairs.assign(verdict=None)])

    found = router.calibrate(again, loss=0.05)

    assert 400 == found.labels
    assert "800 judged pairs are 400, as rows of one group count once." in repr(found)
    assert "Left out: 400 pairs, not judged or not with the next tier up." in repr(found)
    with pytest.raises(SettingsError, match=r"^2,100 judged pairs \(1, as near-duplicates"):
        router.calibrate(judged(2_100, worst=0).drop(columns="group"))
    monkeypatch.setattr("nbroute.evaluate.calibration_data.MOST", 4_000)
    found = router.calibrate(judged(10_000), loss=0.05)
    assert 4_000 == found.labels
    assert "Of 10,000 judged pairs 4,000 were drawn at random." in repr(found)
    assert abs(true_loss(found.threshold) - 0.05) < 0.01


def test_what_is_missing_or_upside_down_is_said(router, monkeypatch):
    pairs = judged().assign(cheaper_usd=math.nan)
    pairs.loc[:9, "confidence"] = math.nan

    found = router.calibrate(pairs.convert_dtypes(), loss=np.float64(0.08))

    assert "10 prompts without a confidence cannot be moved." in repr(found)
    assert "unknown" in repr(found)
    assert math.isnan(found.chosen.usd)
    assert found.frame()["moved"].max() == 390 / 400
    assert "-900%" in repr(router.calibrate(judged().assign(expensive_usd=0.0001), loss=0.1))
    monkeypatch.setitem(sys.modules, "mapie.risk_control", None)
    with pytest.raises(SettingsError, match=r"pip install 'nbroute\[learn\]'"):
        router.calibrate(pairs)


def test_all_ties_and_labels_of_one_tier_are_told(make_router):
    router = make_router(classifier=Sure())

    ties, alike = (
        router.calibrate(frame) for frame in (judged(worst=0), labelled().assign(tier="LOW"))
    )

    assert (0, 0) == (ties.threshold, alike.threshold)
    assert "step_up_below = 0 (none moved up) keeps" in repr(ties)
    assert "No expensive answer was preferred" in repr(ties)
    assert "Every label says LOW" in repr(alike)


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
    told = "Labels given by hand are not a random sample"
    assert told in run(shell, "%route calibrate --loss 95%")[0]
    shell.user_ns["pairs"] = judged()
    text, done = run(shell, "%route calibrate --loss 5% --confidence=0.8 pairs")
    assert "step_up_below = " in text
    assert "80% confidence, 400 judged pairs" in " ".join(text.split())
    assert 0.8 == done.result.confidence
    for line, told in (
        ("--los 0.02", "takes no '--los': did you mean '--loss'"),
        ("--loss", "--loss has no value"),
        ("--loss a-bit", "loss='a-bit' is not a share"),
        ("--loss 0.1 --loss 0.2", "has --loss twice"),
        ("pears", "'pears' is not defined in this notebook"),
    ):
        assert told in error_of(shell, f"%route calibrate {line}")


def test_an_audits_pairs_are_what_it_takes_first(shell):
    router = run(shell, "router = %route router\nrouter")[1].result
    router.map(known_prompts(), progress=False)
    shell.user_ns["audited"] = audited = router.audit(1.0, seed=1)
    pairs = audited.frame()
    up = pairs[(pairs["direction"] == "up") & pairs["verdict"].notna()]

    done, again = (
        run(shell, f"%route calibrate --loss 20% {name}")[1].result for name in ("", "audited")
    )

    assert repr(done) == repr(again)
    assert f"Judged by {audited.judge}." in repr(done)
    assert 50 < done.labels <= len(up)
    lost = set(up[up["verdict"] == "expensive"]["prompt"])
    stay = up[up["confidence"] >= done.threshold]["prompt"]
    assert 0 < done.risk * done.labels <= len(lost & set(stay))


def test_a_classifier_may_write_a_tier_in_any_case_and_no_other(make_router):
    loose, wrong = (make_router(classifier=Sure(tier)) for tier in ("low", "HUGE"))
    scores = labelled().assign(LOW=0.5, TOP=1)

    assert 200 == loose.calibrate(labelled(200), loss=0.4).labels
    assert {"LOW": 1.0, "TOP": 0.0} == loose.quality(scores).arms["router"].shares
    for ask in (wrong.calibrate, wrong.quality):
        with pytest.raises(SettingsError, match="unknown tier 'HUGE'"):
            ask(scores)


def test_answers_that_fail_at_every_threshold_are_no_merit_of_the_one_that_is_found(simulated):
    frame = answered()
    hopeless = np.arange(len(frame)) % 2 == 0
    frame = frame.assign(logprob=np.where(hopeless, -math.inf, frame["logprob"]))

    found = simulated.calibrate(frame, loss=0.3, of="logprob")

    least = found.steps[-1]
    assert least.moved >= 0.5
    assert found.at_random == pytest.approx(least.risk)
    assert "at the least" in repr(found)
    assert "none fails" not in repr(found)
    assert "as many at random" not in repr(found)


def test_answers_are_not_labels_though_they_have_tiers(simulated):
    prompts = ["What is the capital of France?", "What is 7 times 8?", "Is a whale a fish?"]
    grid = simulated.compare(prompts, progress=False)

    for answers in (grid, grid.frame(), simulated.map(prompts, progress=False).frame()):
        with pytest.raises(SettingsError, match="which tier answered, not which one"):
            simulated.calibrate(answers)
