"""Options: those that cannot be used are named before anything is sent, the others make a plan."""

from __future__ import annotations

import pytest
from conftest import LADDER

from nbroute.errors import SettingsError
from nbroute.types import Ladder, Plan, Step, Target

CASCADE, PARALLEL, CONSENSUS = ({"strategy": s} for s in ("cascade", "parallel", "consensus"))
NONE, MIDDLE = {"strategy": None}, {"start": "MID", "tier": "MID"}
SAME, LOW_TOP = {"tiers": ["LOW", "low"]}, {"tiers": ["LOW", "TOP"]}
MODEL = {"model": "small"}
TEXT = ("tier", "start", "model", "system", "feature", "comparison")
#: What an option takes, in the words of its error, and what is of a wrong kind or out of bounds.
TAKES = {
    **dict.fromkeys(((name, "text") for name in TEXT), (5,)),
    ("thread", "a name such as 'trip'"): [5, " "],
    ("max_tokens", "a whole number from 1 up"): [0, 1.5, False],
    ("max_cost", "US dollars from 0 up, such as 0.05"): [-1, "much", True],
    ("temperature", "a number"): ["hot", False, float("inf"), 10**400],
    ("agreement", "a similarity from 0 to 1"): ["much", 2, -0.1],
    ("repeat", "a whole number from 2 to 20"): [1, 21, True],
    ("checks", "a list of functions and names of checks"): [3, "length", [None]],
    ("tiers", "a list of tiers' names"): [3, [None, "LOW"]],
}
REFUSED = {
    # what is misspelt
    "unknown option 'tires': did you mean 'tiers' or 'tier'?": {"tires": "LOW"},
    "unknown tier 'MIDDLE' on ladder 'test': did you mean 'MID'?": {"tier": "MIDDLE"},
    "unknown strategy 'cascde': did you mean 'cascade'?": {"strategy": "cascde"},
    "unknown strategy None: use 'direct', 'cascade', 'parallel' or 'consensus'.": NONE,
    "unknown classifier 'ngramz': did you mean 'ngrams'?": {"classifier": "ngramz"},
    "unknown cache mode 'on': did you mean 'only'?": {"cache": "on"},
    "unknown way to compare two answers 'vibes': use 'value' or 'cosine'.": {"by": "vibes"},
    "unknown effort 'lots': use 'low', 'medium' or 'high'.": {"effort": "lots"},
    "unknown purpose None: use 'answer', 'audit' or 'judge'.": {"purpose": None},
    "unknown check 'lenght=20': did you mean 'length'?": {"checks": ["lenght=20"]},
    # what does not go together
    "start = 'LOW' is for a cascade with no tier forced; use tier": {"start": "LOW"},
    "start = 'MID' is for a cascade with no tier forced; use tier": CASCADE | MIDDLE,
    "start = 'LOW' and tiers = ('LOW', 'TOP') exclude each other: a cascade of named tiers begins "
    "at the lowest of them": CASCADE | LOW_TOP | {"start": "LOW"},
    "tiers = ('LOW', 'TOP') are for a cascade, parallel or consensus; for one, use tier": LOW_TOP,
    "tiers = ('LOW',); parallel takes two, such as ('LOW', 'MID')": PARALLEL | {"tiers": ["LOW"]},
    "tiers = ('LOW', 'low') names a tier twice; name each once": PARALLEL | SAME,
    "tiers = ('LOW', 'TOP'); consensus takes three, such as ('LOW', 'MID', 'TOP')": CONSENSUS
    | LOW_TOP,
    "'LOW' is one tier and consensus takes three; name them in tiers": CONSENSUS | {"tier": "LOW"},
    "model = 'small' would answer for every tier of parallel; leave it out": PARALLEL | MODEL,
    "repeat = 3 asks one tier several times and strategy = 'cascade' asks several tiers; give one "
    "of the two": CASCADE | {"repeat": 3},
    "repeat = 3 asks each time afresh; leave out cache = 'use'": {"repeat": 3, "cache": "use"},
}


LOW, MID, TOP = LADDER.tiers
SAYS, ASKED = "<lambda>: <lambda>: says LOW", "forced: you asked for"
THREE = f"{ASKED} a consensus of LOW and MID, with TOP behind them"
BACK = {"tiers": ["TOP", "LOW"]}
#: Options, what the decision says, and the plan: the tiers, the agreement and how often.
PLANS = [
    ({"repeat": 2}, SAYS, (LOW,), None, 2),
    ({"tier": "mid", "repeat": 20, "max_tokens": 1}, "forced: you chose MID", (MID,), None, 20),
    (CASCADE, SAYS, (LOW, MID, TOP), None, 1),
    (CASCADE | {"start": "mid"}, f"{ASKED} a cascade from MID", (MID, TOP), None, 1),
    (CASCADE | BACK, f"{ASKED} a cascade of TOP and LOW", (LOW, TOP), None, 1),
    (PARALLEL, SAYS, (LOW, MID), 0.92, 1),
    (PARALLEL | {"tier": "TOP", "agreement": 1}, "forced: you chose TOP", (MID, TOP), 1, 1),
    (PARALLEL | BACK, f"{ASKED} both TOP and LOW", (LOW, TOP), 0.92, 1),
    (CONSENSUS | {"agreement": 0}, THREE, LADDER.tiers, 0, 1),
]


def test_a_wrong_option_is_named_in_one_line_before_anything_is_sent(router, make_router, server):
    refused = dict(REFUSED)
    for (name, words), values in TAKES.items():
        refused |= {f"{name} is {one!r:.80}; it takes {words}": {name: one} for one in values}
    for says, options in refused.items():
        with pytest.raises(SettingsError) as caught:
            router.route("hello", **options)
        assert says == str(caught.value)
    with pytest.raises(SettingsError, match="is a function, not a schema; give a JSON schema"):
        router.route("hello", schema=lambda: None)
    short = make_router(ladder=Ladder("short", LADDER.tiers[:2], "LOW"))
    with pytest.raises(SettingsError, match="ladder 'short' has 2 tiers, consensus takes three"):
        short.route("hello", **CONSENSUS)
    assert [] == server.requests == router.ledger.rows()


def test_a_strategy_is_a_plan_of_tiers(router):
    for options, reason, tiers, agreement, times in PLANS:
        dry = router.explain("hello", **options)
        steps = tuple(Step(tier, tier.targets) for tier in tiers)
        assert Plan(options.get("strategy", "direct"), steps, agreement, times) == dry.plan
        assert reason == f"{dry.decision.classifier}: {dry.decision.reason}"


def test_a_consensus_is_of_the_lowest_two_and_the_top_and_a_model_is_asked_alone(router, opened):
    steps = opened(profile="simulated").explain("hi", **CONSENSUS).plan.steps
    assert ["SIMPLE", "MEDIUM", "FRONTIER"] == [step.tier.name for step in steps]
    for model, price in (("small-2", None), ("small", LOW.price), ("mine", None)):
        dry = router.explain("hello", model=model)
        assert (Step(LOW, (Target("loop", model, price),)),) == dry.plan.steps
        assert {model} == {one.model for one in dry.estimates}
