"""Classifiers by name; functions, hybrids, and one tier up where unsure."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from loopback import Reply
from rungs import FOUR

from nbroute.classify.articles import FourTierRules
from nbroute.classify.model import CLEAN_ANSWER
from nbroute.classify.registry import (
    NAMES,
    CautiousClassifier,
    FunctionClassifier,
    HybridClassifier,
    before_step,
)
from nbroute.errors import AuthError, SettingsError
from nbroute.router import Router
from nbroute.settings import load
from nbroute.types import Attempt, Decision


class Says:
    """A classifier that always says the same."""

    def __init__(self, tier, confidence, reason="says: so", name="says", **more):
        self.name, self._decision = name, Decision(tier, name, reason, confidence, **more)

    def classify(self, prompt, ladder):
        return self._decision


SPENT = Attempt("a", 0, "s", "r", "COMPLEX", "p", "remote", "m")
FOUND = Says("COMPLEX", CLEAN_ANSWER, "sim says COMPLEX", "model", attempts=(SPENT,))
LOST = Says("MEDIUM", None, "sim said 'banana', so the default MEDIUM", "model", defaulted=True)
MINE = FunctionClassifier(lambda _: "SIMPLE", "mine")


def hybrid(prompt, second, threshold=0.8, first=None):
    return HybridClassifier(first or FourTierRules(), second, threshold).classify(prompt, FOUR)


def test_where_the_first_is_unsure_the_reason_tells_both():
    made, lost = hybrid("rain", FOUND), hybrid("word " * 201, LOST)
    own = hybrid("rain", FOUND, 0.0, MINE)

    assert "rules:four-tier is only 50% confident (one word); sim says COMPLEX" == made.reason
    assert ("COMPLEX", CLEAN_ANSWER, 1) == (made.tier, made.confidence, len(made.attempts))
    assert made.signals
    assert ("COMPLEX", 0.7, True) == (lost.tier, lost.confidence, lost.defaulted)
    assert lost.reason.endswith("(201 words); sim said 'banana', so COMPLEX after all")
    assert "mine is not sure (mine: says SIMPLE); sim says COMPLEX" == own.reason


def test_the_second_articles_hybrid_trusts_its_rules_at_both_ends_alone(make_router, server):
    router = make_router(ladder=FOUR, classifier="hybrid:four-tier")
    server.handler = lambda _: Reply(text="COMPLEX")

    sure, asked = router.classify("what is rain?"), router.classify("list the rivers")

    assert ("SIMPLE", "hybrid:four-tier", 0.9) == (sure.tier, sure.classifier, sure.confidence)
    assert FourTierRules().classify("what is rain?", FOUR).reason == sure.reason
    assert ("COMPLEX", 1) == (asked.tier, len(asked.attempts))
    assert 1 == len(server.requests)


def test_a_function_decides_with_a_tier_a_reason_or_a_whole_decision():
    for value, expected in (
        ("simple", Decision("SIMPLE", "mine", "mine: says SIMPLE")),
        (("complex", "two\nlines"), Decision("COMPLEX", "mine", "mine: two lines")),
        (Decision("complex", "a", "b", 0.3), Decision("COMPLEX", "a", "b", 0.3)),
    ):
        assert expected == FunctionClassifier(lambda _, it=value: it, "mine").classify("", FOUR)


def test_a_function_that_fails_or_returns_no_tier_is_named_and_our_errors_are_passed_on():
    def without_key(prompt):
        raise AuthError("no key")

    for function, told in (
        (lambda _: "COMPLX", "'mine' .*'COMPLX'.* did you mean 'COMPLEX'?"),
        (lambda _: None, "'mine' .*None.* return one of 'SIMPLE', 'MEDIUM', 'COMPLEX', 'FRONTIER'"),
        (lambda _: {}["tier"], "'mine' failed with KeyError: 'tier'; it"),
    ):
        with pytest.raises(SettingsError, match=told):
            FunctionClassifier(function, "mine").classify("", FOUR)
    with pytest.raises(AuthError):
        FunctionClassifier(without_key).classify("", FOUR)


def test_every_name_is_a_classifier_and_others_are_refused_with_the_close_matches():
    router = Router(profile="simulated")
    for name in {*NAMES} - {"learned"}:
        assert name == router.classify("hello", name).classifier
    with pytest.raises(SettingsError, match="unknown classifier 'hybird': did you mean 'hybrid'"):
        router.classify("hello", "hybird")
    with pytest.raises(SettingsError, match="3 is not a classifier"):
        router.classify("hello", 3)
    with pytest.raises(SettingsError, match="'says' returned 'SIMPLE'; return a Decision"):
        router.classify("hello", SimpleNamespace(name="says", classify=lambda *_: "SIMPLE"))


def test_the_former_name_of_the_default_stands_for_it_with_one_notice(tmp_path):
    with pytest.warns(UserWarning, match="'rules' is now 'ngrams'"):
        router = Router(profile="simulated", classifier="rules")
    assert ("ngrams", "ngrams") == (router.classifier, router.classify("hello", "rules").classifier)
    said = []
    Router(settings(tmp_path, 'classifier = "rules"'), announce=said.append).route("hello")
    assert ["'rules' is now 'ngrams'" in one for one in said] == [True]


@pytest.mark.parametrize(
    ("tier", "confidence", "threshold"),
    [("SIMPLE", 0.6, 0.6), ("SIMPLE", None, 1.0), ("FRONTIER", 0.1, 0.9), ("SIMPLE", 0.0, 0.0)],
)
def test_only_a_decision_less_sure_than_the_threshold_goes_one_tier_up(tier, confidence, threshold):
    moved = CautiousClassifier(Says("SIMPLE", 0.4), 0.6).classify("hello", FOUR)
    made = CautiousClassifier(Says(tier, confidence), threshold).classify("hello", FOUR)

    assert ("MEDIUM", 0.4) == (moved.tier, moved.confidence)
    assert "says: so; only 40% confident, under 60%, so one up from SIMPLE" == moved.reason
    assert (tier, "says: so") == (made.tier, made.reason)
    assert ["SIMPLE", tier] == [before_step(one).tier for one in (moved, made)]


def test_what_cannot_be_made_cautious_is_refused_with_the_cure(tmp_path):
    for threshold in (1.01, "much", float("nan")):
        with pytest.raises(SettingsError, match="give a number from 0 to 1"):
            CautiousClassifier(MINE, threshold)
    with pytest.raises(SettingsError, match=r"'ngrams' is not a classifier; .* step_up_below"):
        CautiousClassifier("ngrams", 0.9)
    with pytest.raises(SettingsError, match=r"step_up_below.*from 0 to 1"):
        load(settings(tmp_path, "step_up_below = 60"))


def settings(tmp_path, line):
    file = tmp_path / "nbroute.toml"
    file.write_text(f'[nbroute]\nprofile = "simulated"\n{line}\n')
    return file


def test_the_setting_puts_it_round_every_classifier_and_no_forced_tier(tmp_path):
    router = Router(settings(tmp_path, "step_up_below = 1.0"))

    ruled = router.route("What is the capital of France?")
    told = router.route("hello", classifier=lambda _: Decision("SIMPLE", "mine", "so", 0.9))

    assert ("MEDIUM", "MEDIUM") == (ruled.tier, told.tier)
    assert "so one up from SIMPLE" in ruled.decision.reason
    assert "MEDIUM" == router.explain("What is the capital of France?").decision.tier
    assert "SIMPLE" == router.route("hello", tier="SIMPLE").tier
