"""Classifiers by name; a forced tier, a user's function, and what to do where one is unsure."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from nbroute.additions import can_take, demanded, distinct, modules_of
from nbroute.classify.articles import ARTICLES, PATTERN, FourTierRules
from nbroute.classify.wording import confident
from nbroute.errors import NbrouteError, SettingsError, did_you_mean, named
from nbroute.types import Classifier, Decision, Ladder, Signal


def _decides(value: Any) -> bool:
    classify, name = getattr(value, "classify", None), getattr(value, "name", None)
    return can_take(classify, "prompt", "ladder") and isinstance(name, str)


_CURE = "write CLASSIFIER = Yours(), an object with a name and classify(prompt, ladder)"
_MORE = [
    (demanded(more, "CLASSIFIER", _decides, _CURE), more)
    for more in modules_of("nbroute.classify.more").values()
]
#: Those that are the same wherever they are named, and send nothing.
READY: dict[str, Classifier] = {**ARTICLES, **{one.name: one for one, _ in _MORE}}
#: The classifiers that can be named in nbroute.toml and after `--classifier`.
NAMES = distinct(
    "ngrams",
    *ARTICLES,
    *(one.name for one, _ in _MORE),
    "model",
    "hybrid",
    "hybrid:four-tier",
    "embedding",
    "embedding:centroid",
    "learned",
    added=((one.name, more) for one, more in _MORE),
)

#: What decides by default, and what that was called before.
DEFAULT, FORMER = "ngrams", "rules"
#: The notice where the former name is used.
RENAMED = (
    f"the classifier {FORMER!r} is now {DEFAULT!r}, which learnt from examples; change the name"
)

Choice = str | tuple[str, str] | Decision


def forced(tier: str, ladder: Ladder) -> Decision:
    """The decision for a tier that the user named, in any case; SettingsError if unknown."""
    known = ladder.find(tier).name
    return Decision(known, "forced", f"you chose {known}")


class FunctionClassifier:
    """A user's function: prompt -> tier name, or (tier name, reason), or a Decision.

    The case of tier names does not matter. An error in the function, and a value that is not a
    tier, become a SettingsError that names the function; an NbrouteError (a provider's, say) is
    passed on.
    """

    def __init__(self, function: Callable[[str], Choice], name: str | None = None) -> None:
        self._function = function
        label: str = getattr(function, "__name__", type(function).__name__)
        self.name = name or label

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The function's tier; SettingsError as above."""
        wanted = f"it should return one of {', '.join(map(repr, ladder.names))}."
        what = f"the classifier function {self.name!r}"
        try:
            value: object = self._function(prompt)
        except NbrouteError:
            raise
        except (Exception, SystemExit) as error:
            raise SettingsError(f"{what} failed with {named(error)}; {wanted}") from error
        said, why = value, None
        if isinstance(value, tuple) and len(value) == 2:
            said, why = value
        elif isinstance(value, Decision):
            said = value.tier
        if not isinstance(said, str):
            raise SettingsError(f"{what} returned {value!r}; {wanted}")
        tier = ladder.named(said)
        if tier is None:
            cure = did_you_mean(said, ladder.names)
            raise SettingsError(f"{what} returned {value!r}, which is not a tier: {cure}")
        if isinstance(value, Decision):
            return replace(value, tier=tier)
        reason = f"says {tier}" if why is None else " ".join(str(why).split())
        return Decision(tier, self.name, f"{self.name}: {reason}")


class HybridClassifier:
    """Trusts `first` where its confidence is at least `threshold` (0 to 1), else the model.

    Where the model gives no usable answer, the tier of `first` is used after all, and the
    decision is still marked as defaulted. "hybrid:four-tier" is the second article's: its rules
    where they say SIMPLE or FRONTIER, their only confident answers, else the model.
    """

    def __init__(
        self, first: Classifier, model: Classifier, threshold: float, name: str = "hybrid"
    ) -> None:
        self._first = first
        self._model = model
        self._threshold = read_threshold(threshold)
        self.name = name

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """What `first` or the model says; raises what the model raises."""
        first = self._first.classify(prompt, ladder)
        if first.confidence is not None and first.confidence >= self._threshold:
            return replace(first, classifier=self.name)
        asked = self._model.classify(prompt, ladder)
        taken = first if asked.defaulted else asked
        sure = "not sure" if first.confidence is None else f"only {confident(first.confidence)}"
        said = asked.reason.removesuffix(f", so the default {ladder.default}")
        instead = f", so {first.tier} after all" if asked.defaulted else ""
        return Decision(
            taken.tier,
            self.name,
            f"{first.classifier} is {sure} ({first.reason}); {said}{instead}",
            taken.confidence,
            first.signals + asked.signals,
            first.attempts + asked.attempts,
            defaulted=asked.defaulted,
        )


#: The signal of a decision that was moved; its text is the tier that the classifier named.
STEPPED_UP = "unsure, one up from"


def read_threshold(value: object) -> float:
    """A confidence from 0 to 1; SettingsError for anything else."""
    number = math.nan
    if isinstance(value, str | float | int) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            number = float(value)
    if not 0 <= number <= 1:
        raise SettingsError(f"the threshold is {value!r:.80}; give a number from 0 to 1, like 0.6")
    return number


def stepped(tier: str, confidence: float | None, threshold: float, ladder: Ladder) -> str:
    """The tier, or the next one up where the confidence is below the threshold."""
    above = ladder.above(tier)
    unsure = confidence is not None and confidence < threshold
    return above.name if above and unsure else tier


class CautiousClassifier:
    """Takes another classifier's tier, or the next one up where its confidence is too low.

    Too low is below `threshold` (0 to 1): at 0 nothing moves. The top tier stays, and so does
    a decision without a confidence. `step_up_below` in nbroute.toml wraps every classifier in
    this one. SettingsError for what is not a threshold.
    """

    def __init__(self, classifier: Classifier, threshold: float) -> None:
        if not hasattr(classifier, "classify"):
            raise SettingsError(
                f"{classifier!r:.60} is not a classifier; give an object that has classify, or "
                "write step_up_below in nbroute.toml, which applies to every classifier"
            )
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
    """The decision as it was before it was moved up, if it was."""
    moved = [signal for signal in decision.signals if signal.name == STEPPED_UP]
    if not moved:
        return decision
    signals = tuple(signal for signal in decision.signals if signal.name != STEPPED_UP)
    return replace(decision, tier=moved[0].text, signals=signals)


def resolve(
    spec: str | Classifier | Callable[[str], Choice],
    *,
    usual: Classifier,
    model: Classifier,
    threshold: float,
    others: Mapping[str, Callable[[], Classifier]] | None = None,
) -> Classifier:
    """The classifier that a name, a classifier or a function stands for.

    "ngrams", "model" and "hybrid" are made of `usual`, `model` and `threshold`; `others` make
    the classifiers of those names when they are asked for. SettingsError for an unknown name
    and for what is none of the three.
    """
    if isinstance(spec, str):
        if others and spec in others:
            return others[spec]()
        if spec not in NAMES:
            raise SettingsError(f"unknown classifier {spec!r:.80}: {did_you_mean(spec, NAMES)}")
        if spec == "hybrid":
            return HybridClassifier(usual, model, threshold)
        if spec == "hybrid:four-tier":
            sure = min(threshold, PATTERN)  # 0 asks nobody
            return HybridClassifier(FourTierRules(), model, sure, spec)
        return {DEFAULT: usual, "model": model}.get(spec) or READY[spec]
    if hasattr(spec, "classify") and not isinstance(spec, type):
        return cast("Classifier", spec)
    if callable(spec):
        return FunctionClassifier(spec)
    raise SettingsError(f"{spec!r} is not a classifier; give a name, a classifier or a function.")
