"""One tier up where the classifier is not sure enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.utils.capture import capture_output

from nbroute import Router
from nbroute.classify.ngrams import NgramClassifier
from nbroute.classify.registry import CautiousClassifier, before_step, stepped
from nbroute.errors import SettingsError
from nbroute.ladders import preset
from nbroute.settings import load
from nbroute.types import Decision

LADDER = preset("four-tier", "simulated")


class Says:
    name = "says"

    def __init__(self, tier, confidence):
        self._decision = Decision(tier, self.name, "says: so", confidence)

    def classify(self, prompt, ladder):
        return self._decision


def cautious(tier, confidence, threshold):
    return CautiousClassifier(Says(tier, confidence), threshold).classify("hello", LADDER)


def test_a_decision_less_sure_than_the_threshold_goes_one_tier_up_and_says_so():
    made = cautious("SIMPLE", 0.4, 0.6)

    assert "MEDIUM" == made.tier
    assert "says: so; only 40% confident, under 60%, so one up from SIMPLE" == made.reason
    assert 0.4 == made.confidence


@pytest.mark.parametrize(
    ("tier", "confidence", "threshold"),
    [("SIMPLE", 0.6, 0.6), ("SIMPLE", None, 1.0), ("FRONTIER", 0.1, 0.9), ("SIMPLE", 0.0, 0.0)],
    ids=["just sure enough", "cannot tell how sure", "the top stays", "no threshold"],
)
def test_a_decision_stays_where(tier, confidence, threshold):
    made = cautious(tier, confidence, threshold)

    assert (tier, "says: so", ()) == (made.tier, made.reason, made.signals)


def test_what_it_was_before_can_be_had_again():
    made = before_step(cautious("MEDIUM", 0.3, 0.5))

    assert ("MEDIUM", ()) == (made.tier, made.signals)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_sends_a_prompt_lower(confidence, low, high):
    low, high = sorted((low, high))
    lower, higher = (
        LADDER.index(stepped("MEDIUM", confidence, threshold, LADDER)) for threshold in (low, high)
    )

    assert lower <= higher


@pytest.mark.parametrize("threshold", [-0.1, 1.01, "much", None, True, float("nan")])
def test_a_threshold_that_is_none_is_refused_with_the_cure(threshold):
    with pytest.raises(SettingsError, match="give a number from 0 to 1"):
        CautiousClassifier(NgramClassifier(), threshold)


def settings(tmp_path, line):
    file = tmp_path / "nbroute.toml"
    file.write_text(f'[nbroute]\nprofile = "simulated"\n{line}\n')
    return file


def test_the_setting_puts_it_round_every_classifier(tmp_path):
    router = Router(settings(tmp_path, "step_up_below = 1.0"))

    ruled = router.route("What is the capital of France?")
    told = router.route("hello", classifier=lambda _: Decision("SIMPLE", "mine", "so", 0.9))

    assert ("MEDIUM", "MEDIUM") == (ruled.tier, told.tier)
    assert "so one up from SIMPLE" in ruled.decision.reason
    assert "MEDIUM" == router.explain("What is the capital of France?").decision.tier


def test_a_forced_tier_stays(tmp_path):
    router = Router(settings(tmp_path, "step_up_below = 1.0"))

    assert "SIMPLE" == router.route("hello", tier="SIMPLE").tier


def test_the_cautious_classifier_of_the_caller_is_not_put_in_another(tmp_path):
    mine = CautiousClassifier(Says("SIMPLE", 0.5), 0.6)
    router = Router(settings(tmp_path, "step_up_below = 1.0"), classifier=mine)

    assert "MEDIUM" == router.route("hello").tier


def test_a_setting_out_of_range_names_the_key_and_the_range(tmp_path):
    with pytest.raises(SettingsError, match=r"step_up_below.*from 0 to 1"):
        load(settings(tmp_path, "step_up_below = 60"))


def test_route_why_shows_that_it_moved_up(shell, tmp_path):
    shell.user_ns["careful"] = CautiousClassifier(Says("SIMPLE", 0.4), 0.6)
    with capture_output():
        shell.run_cell_magic("route", "-c careful", "hello")

    assert "unsure, one up from  SIMPLE" in repr(shell.run_line_magic("route", "why"))


def test_a_name_is_not_a_classifier_to_be_put_round():
    with pytest.raises(SettingsError, match=r"'ngrams' is not a classifier; .* step_up_below"):
        CautiousClassifier("ngrams", 0.9)
