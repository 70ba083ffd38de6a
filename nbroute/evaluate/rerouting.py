"""Classifying again what was routed already, with nothing sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from nbroute.classify.embedding import EmbeddingClassifier
from nbroute.classify.hybrid import CautiousClassifier, HybridClassifier, before_step
from nbroute.classify.model import ModelClassifier
from nbroute.classify.turns import classify_turn
from nbroute.engine.context import Parts, Senses, Spec
from nbroute.errors import NbrouteError
from nbroute.evaluate.past import Past
from nbroute.types import Attempt, Classifier, Decision, Ladder, Request

if TYPE_CHECKING:
    import numpy as np

_SENDING = (ModelClassifier, HybridClassifier, EmbeddingClassifier)


class _WouldSend(NbrouteError):
    """Deciding would take a call."""


@dataclass(frozen=True, slots=True)
class Routed:
    """What the classifier says of each prompt, before any stepping up.

    `recorded` decisions are the session's own, as making them again would take a call;
    `stand_ins` are our rules' word where the session has none either. `threshold` is that of
    a `CautiousClassifier`, 0 for any other.
    """

    decisions: tuple[Decision, ...]
    name: str
    threshold: float
    recorded: int
    stand_ins: int


def reroute(past: Sequence[Past], ladder: Ladder, parts: Parts, asked: Spec | None) -> Routed:
    """Each prompt's decision on that ladder; SettingsError for an unknown classifier."""
    given = parts.classifier_for(asked, _senses(parts))
    threshold = given.threshold if isinstance(given, CautiousClassifier) else 0.0
    classifier, free = _bare(given), _bare(parts.classifier_for(asked, None))
    if classifier is free and isinstance(classifier, _SENDING):
        classifier = _Silent(classifier.name)
    rules = _bare(parts.classifier_for("rules", None))
    made: dict[tuple[str, ...], Decision | None] = {}
    decisions, recorded, stand_ins = [], 0, 0
    for one in past:
        key = (one.prompt, *(turn.prompt for turn in one.earlier))
        if key not in made:
            made[key] = _decided(one, ladder, classifier)
        again = made[key]
        kept = None if again else _recorded(one, classifier.name, ladder)
        recorded += kept is not None
        stand_ins += again is None and kept is None
        decisions.append(again or kept or _made(one, ladder, rules))
    name = classifier.name
    return Routed(tuple(decisions), name, threshold, recorded, stand_ins)


def deciding_attempts(one: Past, classifier: str) -> tuple[Attempt, ...]:
    """The calls that deciding cost, where that classifier was the one that decided."""
    if one.decision is None or one.decision.classifier != classifier:
        return ()
    return tuple(attempt for attempt in one.attempts if attempt.purpose != "answer")


class _Silent:
    """Stands for a classifier that would send by a way of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def classify(self, prompt: str, ladder: Ladder) -> NoReturn:
        """Never decide."""
        raise _WouldSend(f"{self.name} would send {len(prompt)} characters for {ladder.name}")


def _bare(classifier: Classifier) -> Classifier:
    return classifier.classifier if isinstance(classifier, CautiousClassifier) else classifier


def _senses(parts: Parts) -> Senses:
    """No model to ask; vectors that are made here or are kept from before."""

    def ask(request: Request) -> Attempt:
        raise _WouldSend(f"{request.model} would be asked")

    def embed(texts: Sequence[str]) -> tuple[np.ndarray, tuple[Attempt, ...]]:
        embedder = parts.embedder()
        if embedder.missing(texts):
            raise _WouldSend(f"{embedder.model} would be asked")
        return embedder.embed(texts).vectors, ()

    return Senses(ask, embed)


def _decided(one: Past, ladder: Ladder, classifier: Classifier) -> Decision | None:
    try:
        return _made(one, ladder, classifier)
    except _WouldSend:
        return None


def _made(one: Past, ladder: Ladder, classifier: Classifier) -> Decision:
    return classify_turn(classifier, one.prompt, one.earlier, ladder)


def _recorded(one: Past, classifier: str, ladder: Ladder) -> Decision | None:
    if one.decision is None or one.decision.classifier != classifier:
        return None
    decision = before_step(one.decision)
    return decision if decision.tier in ladder.names else None
