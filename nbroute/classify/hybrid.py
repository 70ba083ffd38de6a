"""Where a classifier is not sure: ask a model (hybrid), or go one tier up (cautious)."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace

from nbroute.classify.wording import confident
from nbroute.errors import SettingsError
from nbroute.types import Classifier, Decision, Ladder, Signal


class HybridClassifier:
    """Trusts the rules from a confidence of `threshold` (0 to 1) on, else asks the model.

    Where the model gives no usable answer the rules' tier is taken after all, and the
    decision stays marked as defaulted. The second article's own hybrid is
    `HybridClassifier(FourTierRules(), model, 0.8)`: it trusts SIMPLE and FRONTIER.
    """

    name = "hybrid"

    def __init__(self, rules: Classifier, model: Classifier, threshold: float) -> None:
        self._rules = rules
        self._model = model
        self._threshold = read_threshold(threshold)

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The rules' tier or the model's; raises what the model raises."""
        ruled = self._rules.classify(prompt, ladder)
        if ruled.confidence is not None and ruled.confidence >= self._threshold:
            return replace(ruled, classifier=self.name)
        asked = self._model.classify(prompt, ladder)
        taken = ruled if asked.defaulted else asked
        who = "the rules are" if ruled.classifier.startswith("rules") else f"{ruled.classifier} is"
        sure = "not sure" if ruled.confidence is None else f"only {confident(ruled.confidence)}"
        said = asked.reason.removesuffix(f", so the default {ladder.default}")
        instead = f", so the rules' {ruled.tier}" if asked.defaulted else ""
        return Decision(
            taken.tier,
            self.name,
            f"{who} {sure} ({ruled.reason}); {said}{instead}",
            taken.confidence,
            ruled.signals + asked.signals,
            ruled.attempts + asked.attempts,
            defaulted=asked.defaulted,
        )


#: The signal that a decision was moved; its text is the tier that the classifier named.
STEPPED_UP = "unsure, one up from"


def read_threshold(value: object) -> float:
    """A confidence from 0 to 1; SettingsError for anything else."""
    number = math.nan
    if isinstance(value, str | float | int) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            number = float(value)
    if not 0 <= number <= 1:
        raise SettingsError(f"the threshold is {value!r:.80}; give a number from 0 to 1, as 0.6")
    return number


def stepped(tier: str, confidence: float | None, threshold: float, ladder: Ladder) -> str:
    """The tier, or the next one up where the confidence is below the threshold."""
    above = ladder.above(tier)
    unsure = confidence is not None and confidence < threshold
    return above.name if above and unsure else tier


class CautiousClassifier:
    """Takes another classifier's tier, or the next one up where it is not sure enough.

    Not sure enough is a confidence below `threshold` (0 to 1): at 0 nothing moves. The top
    tier stays, and so does a decision with no confidence, as its classifier cannot tell.
    `step_up_below` in nbroute.toml puts it round every classifier. SettingsError for what
    is not a threshold.
    """

    def __init__(self, classifier: Classifier, threshold: float) -> None:
        self.classifier = classifier
        self.threshold = read_threshold(threshold)
        self.name = classifier.name

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The other's tier or the next one up; raises what the other raises."""
        made = self.classifier.classify(prompt, ladder)
        tier = stepped(made.tier, made.confidence, self.threshold, ladder)
        if tier == made.tier or made.confidence is None:
            return made
        sure = f"only {confident(made.confidence)}, under {self.threshold:.0%}"
        reason = f"{made.reason}; {sure}, so one up from {made.tier}"
        signal = Signal(STEPPED_UP, made.tier, weight=1.0)
        return replace(made, tier=tier, reason=reason, signals=(*made.signals, signal))


def before_step(decision: Decision) -> Decision:
    """The decision as it was before it was moved up for caution, if it was."""
    moved = [signal for signal in decision.signals if signal.name == STEPPED_UP]
    if not moved:
        return decision
    signals = tuple(signal for signal in decision.signals if signal.name != STEPPED_UP)
    return replace(decision, tier=moved[0].text, signals=signals)
