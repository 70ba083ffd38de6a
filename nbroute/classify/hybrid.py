"""Rules first, a model where they are not sure."""

from __future__ import annotations

from dataclasses import replace

from nbroute.errors import SettingsError
from nbroute.types import Classifier, Decision, Ladder


class HybridClassifier:
    """Trusts the rules from a confidence of `threshold` (0 to 1) on, else asks the model.

    Where the model gives no usable answer the rules' tier is taken after all, and the
    decision stays marked as defaulted. The second article's own hybrid is
    `HybridClassifier(FourTierRules(), model, 0.8)`: it trusts SIMPLE and FRONTIER.
    """

    name = "hybrid"

    def __init__(self, rules: Classifier, model: Classifier, threshold: float) -> None:
        if not 0 <= threshold <= 1:
            raise SettingsError(f"the hybrid threshold is {threshold!r}; give one from 0 to 1.")
        self._rules = rules
        self._model = model
        self._threshold = threshold

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The rules' tier or the model's; raises what the model raises."""
        ruled = self._rules.classify(prompt, ladder)
        if ruled.confidence is not None and ruled.confidence >= self._threshold:
            return replace(ruled, classifier=self.name)
        return self._joined(ruled, self._model.classify(prompt, ladder))

    def _joined(self, ruled: Decision, asked: Decision) -> Decision:
        taken = ruled if asked.defaulted else asked
        instead = f"; the rules' {ruled.tier} instead" if asked.defaulted else ""
        return Decision(
            taken.tier,
            self.name,
            f"{_unsure(ruled)}; {asked.reason}{instead}",
            taken.confidence,
            ruled.signals + asked.signals,
            ruled.attempts + asked.attempts,
            defaulted=asked.defaulted,
        )


def _unsure(ruled: Decision) -> str:
    sure = "" if ruled.confidence is None else f" ({ruled.confidence:.2f})"
    return f"{ruled.classifier} unsure{sure}: {ruled.reason.removeprefix(ruled.classifier + ': ')}"
