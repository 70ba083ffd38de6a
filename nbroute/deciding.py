"""Which tier: what was forced, or what the classifier says of the prompt and the turns before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nbroute.classify.simple import forced
from nbroute.classify.turns import classify_turn
from nbroute.dispatch import Call
from nbroute.errors import BudgetExceeded
from nbroute.parts import Parts, Senses
from nbroute.trip import Trip
from nbroute.types import Attempt, Decision, Notice, Request, Step, Target

if TYPE_CHECKING:
    import numpy as np


def senses_of(parts: Parts, call: Call) -> Senses:
    """What a classifier may use, with the call's journal behind it."""

    def ask(request: Request) -> Attempt:
        step = Step(parts.classifier_tier, (Target(request.provider, request.model),))
        return parts.dispatcher.run(step, (request,), call, purpose="classify").attempt

    return Senses(ask, lambda texts: embed(parts, texts, call))


def embed(parts: Parts, texts: Sequence[str], call: Call) -> tuple[np.ndarray, tuple[Attempt, ...]]:
    """The texts' vectors; where an endpoint made them, what that cost is in the journal."""
    embedder = parts.embedder()
    made = embedder.embed(texts)
    if made.usage is None and embedder.kind != "remote":
        return made.vectors, ()
    tier = replace(
        parts.classifier_tier, provider=embedder.provider, model=embedder.model, price=None
    )
    return made.vectors, (call.journal.embedded(embedder, tier, texts, made),)


def decided(trip: Trip, parts: Parts, senses: Senses | None, *, cheaper: bool = False) -> Decision:
    """The trip's decision; with no `senses` nothing is sent.

    With `cheaper` the rules decide where the budget has no room for asking.
    """
    asked = trip.options.tier or trip.options.start
    if asked:
        return forced(asked, parts.ladder)
    classifier = parts.classifier_for(trip.options.classifier, senses)
    try:
        return classify_turn(classifier, trip.prompt, trip.earlier, parts.ladder)
    except BudgetExceeded as error:
        if not cheaper:
            raise
        trip.tell(Notice(f"classified by the rules: {error}"))
        rules = parts.classifier_for("rules", None)
        return classify_turn(rules, trip.prompt, trip.earlier, parts.ladder)
