"""A tier that the user forces, a function of one's own, and the look-up by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from nbroute.classify.articles import article_rules
from nbroute.classify.hybrid import HybridClassifier
from nbroute.errors import NbrouteError, SettingsError, did_you_mean, named
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
    return Decision(known, "forced", f"you chose {known}")


class FunctionClassifier:
    """A function of one's own: prompt -> tier name, or (tier name, reason), or a Decision.

    Tier names in any case will do. An error in the function, and a value that is not a tier, is
    a SettingsError that names the function; an NbrouteError (a provider's, say) passes as it
    is.
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
