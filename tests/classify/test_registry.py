"""Classifiers by name; functions, hybrids, and one tier up where unsure."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from cells import run
from loopback import Reply
from rungs import FOUR

from nbroute.classify.articles import FourTierRules, ThreeTierRules
from nbroute.classify.model import CLEAN_ANSWER
from nbroute.classify.registry import (
    NAMES,
    CautiousClassifier,
    FunctionClassifier,
    HybridClassifier,
    before_step,
    resolve,
)
from nbroute.errors import AuthError, SettingsError
from nbroute.router import Router
from nbroute.settings import load
from nbroute.types import Attempt, Decision, Signal


class Says:
    """A classifier that always says the same; `spent` is what asking it cost."""

    def __init__(self, tier, confidence, reason="says: so", name="says", **more):
        self.name, self.spent = name, Attempt("a", 0, "s", "r", tier, "p", "remote", "m")
        self._decision = Decision(tier, name, reason, confidence, **more)

    def classify(self, prompt, ladder):
        return self._decision


def model(tier, **more):
    """As a model says it."""
    said = Says(tier, CLEAN_ANSWER, f"sim says {tier}", "model", **more)
    said._decision = Decision(tier, "model", f"sim says {tier}", CLEAN_ANSWER, (), (said.spent,))
    return said


BANANA = "sim said 'banana'"
LOST = Says("MEDIUM", None, f"{BANANA}, so the default MEDIUM", "model", defaulted=True)


class Unreachable:
    def classify(self, prompt, ladder):
        raise AuthError("asked after all")


def hybrid(prompt, second, threshold=0.8, first=None):
    return HybridClassifier(first or FourTierRules(), second, threshold).classify(prompt, FOUR)


def test_where_the_rules_are_sure_no_model_is_asked():
    made = hybrid("what is rain?", Unreachable(), 0.9)

    assert ("SIMPLE", "hybrid", ()) == (made.tier, made.classifier, made.attempts)
    assert FourTierRules().classify("what is rain?", FOUR).reason == made.reason


FEW = "rules:four-tier is only 50% confident (one word); sim says COMPLEX"
MANY = f"rules:four-tier is only 70% confident (201 words); {BANANA}, so COMPLEX after all"
MINE = FunctionClassifier(lambda _: "SIMPLE", "mine")


@pytest.mark.parametrize(
    ("prompt", "second", "first", "reason"),
    [
        ("rain", model("COMPLEX"), None, FEW),
        ("word " * 201, LOST, None, MANY),
        ("rain", model("COMPLEX"), MINE, "mine is not sure (mine: says SIMPLE); sim says COMPLEX"),
    ],
    ids=["the model decides", "the model gives no tier", "no confidence is unsure"],
)
def test_where_the_first_is_unsure_the_reason_tells_both(prompt, second, first, reason):
    made = hybrid(prompt, second, 0.0 if first else 0.8, first)

    assert ("COMPLEX", reason, second is LOST) == (made.tier, made.reason, made.defaulted)
    assert (0.7 if second is LOST else CLEAN_ANSWER) == made.confidence
    assert len(made.attempts) == (0 if second is LOST else 1)
    assert made.signals or first


def test_the_second_articles_hybrid_trusts_its_rules_at_both_ends_alone(make_router, server):
    router = make_router(ladder=FOUR, classifier="hybrid:four-tier")
    server.handler = lambda _: Reply(text="COMPLEX")

    sure, asked = router.classify("what is rain?"), router.classify("list the rivers")

    assert ("SIMPLE", "hybrid:four-tier", 0.9) == (sure.tier, sure.classifier, sure.confidence)
    assert ("COMPLEX", 1) == (asked.tier, len(asked.attempts))
    assert 1 == len(server.requests)


# A function of one's own


def by_length(prompt):
    return "SIMPLE" if len(prompt) < 10 else "FRONTIER"


WHOLE = Decision("complex", "mine", "because", 0.3)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (by_length, Decision("SIMPLE", "by_length", "by_length: says SIMPLE")),
        (lambda _: ("complex", "two\nlines"), Decision("COMPLEX", "mine", "mine: two lines")),
        (lambda _: WHOLE, replace(WHOLE, tier="COMPLEX")),
    ],
)
def test_a_function_decides_with_a_tier_a_reason_or_a_whole_decision(function, expected):
    named = FunctionClassifier(function, None if function is by_length else "mine")

    assert expected == named.classify("hello", FOUR)


CLOSE = "did you mean 'COMPLEX'?"
ONE_OF = "it should return one of 'SIMPLE', 'MEDIUM', 'COMPLEX', 'FRONTIER'."


@pytest.mark.parametrize(
    ("value", "cure"),
    [
        *[("COMPLX", CLOSE), (("COMPLX", "why"), CLOSE), (Decision("COMPLX", "m", "why"), CLOSE)],
        *[(None, ONE_OF), (3, ONE_OF), (("SIMPLE", "a", "b"), ONE_OF), ([], ONE_OF)],
    ],
)
def test_a_function_that_does_not_return_a_tier_is_named_with_the_value_and_the_cure(value, cure):
    with pytest.raises(SettingsError) as caught:
        FunctionClassifier(lambda prompt: value, "mine").classify("", FOUR)

    assert all(part in str(caught.value) for part in ("'mine'", repr(value), cure))


def test_a_function_that_fails_is_named_with_its_error_and_our_errors_are_passed_on():
    def broken(prompt):
        return {}["tier"]

    with pytest.raises(SettingsError, match=r"'broken' failed with KeyError: 'tier'; it") as e:
        FunctionClassifier(broken).classify("", FOUR)
    assert isinstance(e.value.__cause__, KeyError)
    with pytest.raises(AuthError):
        FunctionClassifier(lambda _: Unreachable().classify("", FOUR)).classify("", FOUR)


# Names


@pytest.mark.parametrize(
    ("spec", "tier"),
    [
        *[("ngrams", "SIMPLE"), ("rules:two-tier", "SIMPLE"), ("rules:four-tier", "MEDIUM")],
        *[("model", "FRONTIER"), ("hybrid", "FRONTIER"), ("hybrid:four-tier", "FRONTIER")],
        *[(lambda prompt: "COMPLEX", "COMPLEX"), (FourTierRules(), "MEDIUM")],
    ],
)
def test_a_name_a_classifier_and_a_function_all_stand_for_a_classifier(spec, tier):
    made = resolve(spec, usual=ThreeTierRules(), model=model("FRONTIER"), threshold=0.8)

    assert tier == made.classify("list the rivers", FOUR).tier


def test_every_name_is_a_classifier_and_others_are_refused_with_the_close_matches():
    router = Router(profile="simulated")
    for name in NAMES:
        if name != "learned":
            assert router.classify("hello", name).tier in router.ladder.names
    for name in ("hybird", "rules:twotier", "modell"):
        with pytest.raises(SettingsError, match=f"unknown classifier '{name}': did you mean"):
            router.classify("hello", name)
    with pytest.raises(SettingsError, match="3 is not a classifier"):
        router.classify("hello", 3)


def test_the_former_name_of_the_default_stands_for_it_with_one_notice(tmp_path, shell):
    with pytest.warns(UserWarning, match="'rules' is now 'ngrams'"):
        router = Router(profile="simulated", classifier="rules")
    decisions = [router.classify("hello", "rules") for _ in range(2)]
    assert ["ngrams"] * 2 == [one.classifier for one in decisions]
    assert ("ngrams", "ngrams") == (router.classifier, router.settings.classifier.name)

    said = []
    router = Router(settings(tmp_path, 'classifier = "rules"'), announce=said.append)
    assert "ngrams" == router.route("hello").decision.classifier
    assert [one.partition(",")[0] for one in said] == [
        "nbroute: the classifier 'rules' is now 'ngrams'"
    ]
    text = "".join(run(shell, "%%route -c rules\nhello")[0] for _ in range(2))
    assert 1 == text.count("'rules' is now 'ngrams'")


def test_a_batch_that_the_rules_began_goes_on(tmp_path):
    file, router = tmp_path / "batch.sqlite", Router(profile="simulated")
    router.map(["hello"], to=file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE about SET value = replace(value, 'ngrams', 'rules')")

    batch = router.map(["hello", "good morning"], to=file)

    assert ["ok", "ok"] == [row.status for row in batch]


def cautious(tier, confidence, threshold):
    return CautiousClassifier(Says(tier, confidence), threshold).classify("hello", FOUR)


@pytest.mark.parametrize(
    ("tier", "confidence", "threshold"),
    [("SIMPLE", 0.6, 0.6), ("SIMPLE", None, 1.0), ("FRONTIER", 0.1, 0.9), ("SIMPLE", 0.0, 0.0)],
    ids=["just sure enough", "cannot tell how sure", "the top stays", "no threshold"],
)
def test_only_a_decision_less_sure_than_the_threshold_goes_one_tier_up(tier, confidence, threshold):
    moved, made = cautious("SIMPLE", 0.4, 0.6), cautious(tier, confidence, threshold)

    assert ("MEDIUM", 0.4) == (moved.tier, moved.confidence)
    assert "says: so; only 40% confident, under 60%, so one up from SIMPLE" == moved.reason
    assert (Signal("unsure, one up from", "SIMPLE", weight=1.0),) == moved.signals
    before = before_step(moved)
    assert ("SIMPLE", ()) == (before.tier, before.signals)
    assert (tier, "says: so", ()) == (made.tier, made.reason, made.signals)
    assert made is before_step(made)


@pytest.mark.parametrize("threshold", [-0.1, 1.01, "much", None, True, float("nan")])
@pytest.mark.parametrize(
    "make", [lambda n: CautiousClassifier(MINE, n), lambda n: hybrid("a", LOST, n)]
)
def test_what_is_not_a_threshold_is_refused_with_the_cure(make, threshold):
    with pytest.raises(SettingsError, match="give a number from 0 to 1"):
        make(threshold)


def test_a_name_cannot_be_made_cautious_and_a_setting_out_of_range_names_the_range(tmp_path):
    with pytest.raises(SettingsError, match=r"'ngrams' is not a classifier; .* step_up_below"):
        CautiousClassifier("ngrams", 0.9)
    with pytest.raises(SettingsError, match=r"step_up_below.*from 0 to 1"):
        load(settings(tmp_path, "step_up_below = 60"))


def settings(tmp_path, line):
    file = tmp_path / "nbroute.toml"
    file.write_text(f'[nbroute]\nprofile = "simulated"\n{line}\n')
    return file


def test_the_setting_puts_it_round_every_classifier_and_no_forced_tier(tmp_path):
    file = settings(tmp_path, "step_up_below = 1.0")
    router = Router(file)
    mine = CautiousClassifier(Says("SIMPLE", 0.5), 0.6)

    ruled = router.route("What is the capital of France?")
    told = router.route("hello", classifier=lambda _: Decision("SIMPLE", "mine", "so", 0.9))

    assert ("MEDIUM", "MEDIUM") == (ruled.tier, told.tier)
    assert "so one up from SIMPLE" in ruled.decision.reason
    assert "MEDIUM" == router.explain("What is the capital of France?").decision.tier
    assert "SIMPLE" == router.route("hello", tier="SIMPLE").tier
    # a classifier that is cautious itself is not wrapped again
    assert "MEDIUM" == Router(file, classifier=mine).route("hello").tier
