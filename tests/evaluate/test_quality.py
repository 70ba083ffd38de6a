"""Quality against cost on your own prompts: figures by hand, every source, every bad input."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import LADDER

from nbroute.classify.model import ModelClassifier
from nbroute.errors import SettingsError
from nbroute.evaluate.training import apgr, bootstrap

#: Prompts of 3, 1, 4 and 2 words; the router below sends the hard ones to the top.
FOUR = pd.DataFrame({"prompt": ["hard p q", "hard", "easy a b c", "easy a"]}).assign(
    LOW=[0, 1, 0, 1], TOP=[1, 1, 1, 0], LOW_usd=0.001, TOP_usd=0.01
)


@pytest.fixture
def sharp(make_router):
    """A router that sends what is called hard to the top, and gives no score."""
    return make_router(classifier=lambda prompt: "TOP" if "hard" in prompt else "LOW")


def scores(rows=400, seed=0, useful=0.9):
    """Prompts of which the hard ones need the top tier, as the router knows in `useful` of them."""
    draw = np.random.default_rng(seed)
    hard = draw.random(rows) < 0.4
    known = np.where(draw.random(rows) < useful, hard, ~hard)
    prompts = [f"{'hard' if one else 'easy'} {place} x" for place, one in enumerate(known)]
    low = np.where(hard, draw.random(rows) < 0.3, draw.random(rows) < 0.9)
    top = draw.random(rows) < 0.9
    return pd.DataFrame({"prompt": prompts, "LOW": low, "TOP": top})


def words_of(found):
    return " ".join(repr(found).split())


def test_each_figure_is_what_is_worked_out_by_hand(sharp, server):
    found = sharp.quality(FOUR)

    alone = {"LOW alone": 0.5, "TOP alone": 0.75, "best single tier": 0.5}
    chosen = {"router": 0.75, "random": 0.625, "prompt length": 1.0, "oracle": 1.0}
    quality = {name: arm.quality[0] for name, arm in found.arms.items()}
    assert alone | chosen == pytest.approx(quality)
    half = dict.fromkeys(chosen, 0.0055)
    usd = {name: arm.usd for name, arm in found.arms.items() if "alone" not in name}
    assert half | {"best single tier": 0.001} == pytest.approx(usd)
    assert {"LOW": 0.5, "TOP": 0.5} == found.arms["router"].shares
    assert {"LOW": 1.0, "TOP": 0.0} == found.arms["best single tier"].shares
    ahead = [found.arms[name].ahead[0] for name in ("random", "prompt length")]
    assert [0.125, -0.25, 0.25] == pytest.approx([*ahead, found.gap[0]])
    keys = ("apgr", "cpt50", "cpt80", "equal_cost")
    for name, values in {
        "router": (0.75, 0.25, 0.4, 0.55),
        "prompt length": (1.125, 0.125, 0.2, 0.325),
        "random": (0.5, 0.5, 0.8, 1),
    }.items():
        found_of = {key: value[0] for key, value in found.arms[name].order.items()}
        assert pytest.approx(dict(zip(keys, values, strict=True))) == found_of
    assert [] == server.requests
    pd.testing.assert_frame_equal(found.frame(), sharp.quality(FOUR).frame())


def test_ties_count_in_expectation_over_their_order_and_an_interval_contains_its_figure():
    weak, strong = [0, 1, 0, 1], [1, 1, 1, 1]
    orders = [[4, 3, 2, 1], [3, 4, 2, 1], [4, 3, 1, 2], [3, 4, 1, 2]]
    mean = sum(apgr(order, weak, strong) for order in orders) / 4
    assert mean == pytest.approx(apgr([2, 2, 1, 1], weak, strong))

    scores = [index % 7 for index in range(200)]
    weak = [index % 3 == 0 for index in range(200)]
    strong = [index % 5 != 0 for index in range(200)]
    low, high = bootstrap(apgr, scores, weak, strong, samples=200)
    assert low < apgr(scores, weak, strong) < high


def test_routing_that_knows_what_is_hard_beats_its_own_share_and_the_opposite_is_worse(sharp):
    found, wrong = (sharp.quality(scores(useful=useful)) for useful in (0.9, 0.1))

    value, low, high = found.arms["random"].ahead
    assert found.better
    assert 0 < low < value < high
    points = f"{100 * value:.1f} points [{100 * low:.1f}, {100 * high:.1f}]"
    assert f"routing beats its own share at random by {points}" == found.verdict
    assert found.arms["router"].order["apgr"][1] > 0.5
    assert wrong.better is False
    told = "routing is worse than its own share at random: its lead is -"
    assert wrong.verdict.startswith(told)


def test_a_single_tier_that_is_better_or_as_good_and_costs_no_more_is_named(sharp):
    frame, few = scores(), scores(rows=60)
    close = sharp.quality(few.assign(LOW=np.roll(few["TOP"], 1))).verdict
    assert "; LOW alone may be as good and costs no more: routing's lead over it is " in close

    found = sharp.quality(frame.assign(LOW=0.9, TOP=frame["TOP"] * 0.5))

    assert "; LOW alone is better and costs no more: routing's lead over it is -" in found.verdict
    assert "TOP is no better than LOW on these prompts" in repr(found)
    assert found.arms["router"].order is None


def test_a_few_prompts_prove_nothing_and_it_says_how_many_would(sharp):
    found = sharp.quality(scores(rows=20))

    assert found.better is None
    assert found.verdict.endswith("; 20 prompts are too few, a hundred may be enough")
    more = sharp.quality(scores(rows=200, useful=0.55))
    assert re.search(r"too early to tell: .*; about [\d,]+ prompts would tell$", more.verdict)
    noise = [sharp.quality(scores(rows=60, seed=at, useful=0.5)).better for at in range(5)]
    assert noise.count(None) >= 4
    # ten of ten is not taken for certain
    value, low, _ = sharp.quality(scores(rows=10).assign(TOP=1)).arms["TOP alone"].quality
    assert 0.6 < low < 0.8 < value


def test_scores_and_routers_that_leave_no_choice_are_told_in_words(sharp, router):
    frame = scores(rows=50)

    alike, none = sharp.quality(frame.assign(LOW=1, TOP=1)), router.quality(frame)

    assert "all tiers do equally well on each prompt, so LOW would do" in alike.verdict
    assert not alike.better
    assert "every prompt goes to LOW, so there is no choice to judge" in none.verdict


def test_a_lead_is_sure_where_the_interval_that_is_shown_is_without_zero(sharp):
    found = sharp.quality(scores(rows=50))
    for ahead, better in (
        ((0.02, 0.005, 0.03), True),
        ((-0.02, -0.03, -0.005), False),
        ((0.02, 0.0004, 0.03), None),  # which is shown as 0.0
    ):
        random = replace(found.arms["random"], ahead=ahead)
        assert better is replace(found, arms={"random": random}).better


def test_every_arm_is_drawn(sharp):
    (panel,) = sharp.quality(FOUR).chart().panels

    assert {"LOW", "TOP", "router", "random", "prompt length", "oracle"} == set(panel.ends)
    assert [(1.0, 0.5), (10.0, 0.75)] == [pytest.approx(panel.curve[at]) for at in (0, -1)]


def test_labels_say_that_the_tier_needed_and_those_above_do(sharp, server):
    found = sharp.quality(FOUR[["prompt"]].assign(tier=["TOP", "MID", "LOW", "MID"]))

    quality = {name: arm.quality[0] for name, arm in found.arms.items()}
    assert (0.25, 0.75, 1.0) == tuple(quality[f"{tier} alone"] for tier in ("LOW", "MID", "TOP"))
    assert (0.75, 1.0) == (quality["router"], quality["oracle"])  # routed TOP, TOP, LOW, LOW
    assert {"LOW": 0.25, "MID": 0.5, "TOP": 0.25} == found.arms["oracle"].shares
    # Those of the session are taken where nothing is given.
    with pytest.raises(SettingsError, match="nothing to measure on yet: label answers"):
        sharp.quality()
    for prompt, word in (("hard one", "good"), ("easy one", "too weak")):
        sharp.label(sharp.route(prompt), word)
    found = sharp.quality()
    assert (2, 0.5) == (found.n, found.arms["router"].quality[0])


def long_grid():
    costs = {"LOW": 0.001, "TOP": 0.01}
    grid = FOUR.reset_index(names="row").melt(["row", "prompt"], costs, "tier", "judged")
    return grid.assign(
        contender=grid["tier"], cost_usd=grid["tier"].map(costs), cost_source="equivalent"
    )


def test_a_judged_grid_is_read_by_its_tiers_and_one_that_was_not_judged_says_how(sharp, simulated):
    grid = long_grid()
    other_model = grid.assign(contender="TOP:huge", judged=0.0)[grid["tier"] == "TOP"]

    named, found = (sharp.quality(it).arms for it in (FOUR, pd.concat([grid, other_model])))

    for name, arm in named.items():
        assert pytest.approx(arm.quality[0]) == found[name].quality[0]
        assert pytest.approx(arm.usd) == found[name].usd
    bare = simulated.compare(["What is a whale?"], ["SIMPLE", "MEDIUM"], progress=False)
    with pytest.raises(SettingsError, match=r"not judged yet: router\.judge"):
        simulated.quality(bare)


def pairs(ways=("up", "down"), rows=80):
    """An audit of LOW and TOP in which the judge prefers TOP where the prompt is hard."""
    draw = np.random.default_rng(3)
    made = []
    for at in range(rows):
        way = ways[at % len(ways)]
        hard = (way == "down") == (draw.random() < 0.9)
        verdict = "expensive" if hard else ("cheaper", "tie")[at // 2 % 2]
        made.append((f"{at} words", way, {"up": "LOW", "down": "TOP"}[way], verdict))
    usual = {"cheaper": "LOW", "expensive": "TOP", "cheaper_usd": 0.001, "expensive_usd": 0.01}
    return pd.DataFrame(made, columns=["prompt", "direction", "picked", "verdict"]).assign(**usual)


def test_an_audit_both_ways_says_whether_routing_beats_chance(sharp):
    found = sharp.quality(pairs())

    assert found.better
    assert "between LOW and TOP, routing beats its own share at random by " in found.verdict
    assert pytest.approx(0.0055) == found.arms["router"].usd
    assert {"LOW": 0.5, "TOP": 0.5} == found.arms["router"].shares


def test_an_audit_one_way_compares_with_a_tier_further_alone(sharp):
    frame = pairs(ways=("up",))
    preferred, ties = ((frame["verdict"] == one).mean() for one in ("expensive", "tie"))

    found = sharp.quality(frame)

    assert ["as routed", "one tier up"] == list(found.arms)
    assert pytest.approx(preferred + ties / 2) == found.arms["one tier up"].quality[0]
    assert pytest.approx(0.01) == found.arms["one tier up"].usd
    assert found.verdict.startswith("routing beats one tier up by ")


def test_what_is_missing_or_repeated_is_counted_and_said(sharp, make_router):
    found = sharp.quality(pd.concat([FOUR] * 25))
    assert (4, None) == (found.n, found.better)
    assert "100 rows of 4 prompts" in repr(found)

    steps = make_router(classifier=lambda prompt: "MID" if "hard" in prompt else "LOW")
    unscored = steps.quality(FOUR)
    assert {"LOW": 0.5, "TOP": 0.5} == unscored.arms["router"].shares
    assert "MID has no scores: what it gets (2 prompts) counts as TOP." in repr(unscored)

    frame = pd.concat([FOUR.astype({"LOW": float}), FOUR[:1].assign(LOW=np.nan)])
    found = sharp.quality(frame.assign(TOP_usd=[math.nan, *[0.01] * 4]))
    assert 4 == found.n
    assert "1 of 5 prompts are left out" in repr(found)
    assert "1 missing cost: the tier's mean is used." in repr(found)

    best = sharp.quality(FOUR.assign(MID=[1, 1, 1, 1], MID_usd=0.002, LOW=[0, 0, 0, 0]))
    assert "MID" == best.best
    assert "cost to match the best not reached not reached" in words_of(best)


def test_costs_that_nobody_knows_are_unknown_and_the_rest_is_told(make_router):
    tiers = tuple(replace(tier, price=None) for tier in LADDER.tiers)
    unpriced = make_router(
        ladder=replace(LADDER, tiers=tiers),
        classifier=lambda prompt: "TOP" if "hard" in prompt else "LOW",
    )

    found = unpriced.quality(FOUR[["prompt", "LOW", "TOP"]])

    assert math.isnan(found.arms["router"].usd)
    assert pytest.approx(0.75) == found.arms["router"].order["apgr"][0]
    assert "unknown" in repr(found)


def test_the_default_classifier_orders_by_its_score_and_what_it_learnt_from_is_said(simulated):
    prompts = ["What is the capital of France?", "Prove that the square root of 2 is irrational."]
    frame = pd.DataFrame({"prompt": prompts * 10, "weak": [1.0, 0] * 10, "strong": [1.0, 1] * 10})

    simulated.teach(prompts[1], "FRONTIER")
    found = simulated.quality(frame)

    assert pytest.approx(0.75) == found.arms["router"].order["apgr"][0]
    assert "of the 2 prompts, which flatters it" in words_of(found)


def test_a_classifier_that_would_ask_a_model_is_not_asked(make_router, server):
    own = ModelClassifier(pytest.fail, "loop", "small", set())
    for classifier in ("model", own):
        asking = make_router(classifier=classifier)
        with pytest.raises(SettingsError, match="would have to ask a model"):
            asking.quality(FOUR)

    found = asking.quality(FOUR.assign(picked=["TOP", "TOP", "LOW", "LOW"]))

    assert [] == server.requests
    assert pytest.approx(0.75) == found.arms["router"].quality[0]
    with pytest.raises(SettingsError, match="row 2 has picked = 'HIGH'"):
        asking.quality(FOUR.assign(picked=["TOP", "HIGH", "LOW", "LOW"]))


def test_what_cannot_be_measured_on_says_why(sharp):
    for frame, said in (
        (FOUR[:1], r"1 prompt with a score of every tier \(1 of LOW, 1 of TOP\)"),
        (FOUR.assign(TOP=[1, 1, 9.5, 0]), r"row 3 has TOP = 9\.5; give a score from 0 to 1 \(of"),
        (FOUR.assign(TOP_usd=-1.0), r"row 1 has TOP_usd = -1\.0; give US dollars"),
        (FOUR.rename(columns={"LOW": "A", "TOP": "B"}), "no tier has a column .* LOW, MID, TOP"),
        (pd.concat([long_grid()] * 2), "'hard p q' has several answers of LOW"),
        (pairs().assign(verdict=None), "no pair of this audit has a verdict"),
        (pairs().assign(cheaper="BASIC"), "the audit's tier 'BASIC': use 'LOW', "),
        (42, "int is not a table"),
    ):
        with pytest.raises(SettingsError, match=said):
            sharp.quality(frame)
