"""A tier that the user forces, a function of one's own, and the look-up by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from nbroute.classify.articles import article_rules
from nbroute.classify.hybrid import HybridClassifier
from nbroute.errors import NbrouteError, SettingsError, did_you_mean
from nbroute.types import Classifier, Decision, Ladder

#: The classifiers that can be named in nbroute.toml and after `--classifier`.
NAMES = (
    "rules",
    "rules:two-tier",
    "rules:three-tier",
    "rules:four-tier",
    "model",
    "hybrid",
    "embedding",
    "embedding:centroid",
    "learned",
)

Choice = str | tuple[str, str] | Decision


def forced(tier: str, ladder: Ladder) -> Decision:
    """The decision for a tier that the user named, in any case; SettingsError if unknown."""
    known = ladder.find(tier).name
    return Decision(known, "forced", f"forced: {known} was asked for")


class FunctionClassifier:
    """A function of one's own: prompt -> tier name, or (tier name, reason), or a Decision.

    Tier names in any case will do. An error in the function, and a value that is no tier, is
    a SettingsError that names the function; an NbrouteError (a provider's, say) passes as it
    is.
    """

    def __init__(self, function: Callable[[str], Choice], name: str | None = None) -> None:
        self._function = function
        label: str = getattr(function, "__name__", type(function).__name__)
        self.name = name or label

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The function's tier; SettingsError as above."""
        try:
            value: object = self._function(prompt)
        except NbrouteError:
            raise
        except (Exception, SystemExit) as error:
            cause = f"{type(error).__name__}: {error}"
            raise SettingsError(f"{self._what()} failed with {cause}; {_wanted(ladder)}") from error
        if isinstance(value, Decision):
            return replace(value, tier=self._tier(value.tier, value, ladder))
        if isinstance(value, tuple) and len(value) == 2:
            tier = self._tier(value[0], value, ladder)
            return self._decision(tier, " ".join(str(value[1]).split()))
        tier = self._tier(value, value, ladder)
        return self._decision(tier, tier)

    def _tier(self, name: object, value: object, ladder: Ladder) -> str:
        if not isinstance(name, str):
            raise SettingsError(f"{self._what()} returned {value!r}; {_wanted(ladder)}")
        known = ladder.named(name)
        if known is None:
            cure = did_you_mean(name, ladder.names)
            raise SettingsError(f"{self._what()} returned {value!r}, which is not a tier: {cure}")
        return known

    def _decision(self, tier: str, why: str) -> Decision:
        return Decision(tier, self.name, f"{self.name}: {why}")

    def _what(self) -> str:
        return f"the classifier function {self.name!r}"


def _wanted(ladder: Ladder) -> str:
    return f"it should return one of {', '.join(map(repr, ladder.names))}."


def resolve(
    spec: str | Classifier | Callable[[str], Choice],
    *,
    rules: Classifier,
    model: Classifier,
    threshold: float,
    others: Mapping[str, Callable[[], Classifier]] | None = None,
) -> Classifier:
    """The classifier that a name, a classifier or a function stands for.

    `rules`, `model` and `threshold` are what "rules", "model" and "hybrid" are made of;
    `others` make the ones of their names when they are asked for.
    SettingsError for an unknown name and for what is none of the three.
    """
    if isinstance(spec, str):
        if others and spec in others:
            return others[spec]()
        if spec not in NAMES:
            raise SettingsError(f"unknown classifier {spec!r:.80}: {did_you_mean(spec, NAMES)}")
        if spec == "hybrid":
            return HybridClassifier(rules, model, threshold)
        return {"rules": rules, "model": model}.get(spec) or article_rules(spec)
    if hasattr(spec, "classify") and not isinstance(spec, type):
        return cast("Classifier", spec)
    if callable(spec):
        return FunctionClassifier(spec)
    raise SettingsError(f"{spec!r} is not a classifier; give a name, a classifier or a function.")
