"""Which tier: what was forced, or what the classifier says of the prompt and the turns before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nbroute.classify.simple import forced
from nbroute.classify.turns import classify_turn
from nbroute.dispatch import Call
from nbroute.embedding import journaled
from nbroute.errors import BudgetExceeded, ReplayMiss
from nbroute.parts import Parts, Senses
from nbroute.plan import find_tier
from nbroute.trip import Trip
from nbroute.types import Attempt, Decision, Ladder, Notice, Options, Request, Step, Target

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
    missing = embedder.missing(texts)
    if not missing:
        return embedder.embed(texts).vectors, ()
    if call.mode == "only":
        raise ReplayMiss(
            f"{len(missing)} texts have no vectors of {embedder.model!r} yet, and cache mode "
            "'only' sends nothing; run it once with cache mode 'use' or 'refresh'"
        )
    tier = replace(
        parts.classifier_tier, provider=embedder.provider, model=embedder.model, price=None
    )
    with journaled(call.journal, embedder, tier, missing) as keep:
        made = embedder.embed(texts)
        return made.vectors, (keep(made),)


def _begun(options: Options, ladder: Ladder) -> Decision:
    """Where the strategy's tiers are named there is nothing to classify."""
    named = [find_tier(ladder, name) for name in (options.tiers or (options.start or "",))]
    lowest = min(named, key=lambda tier: ladder.index(tier.name)).name
    told = f"a cascade from {lowest}"
    if options.tiers:
        kind = "a cascade of" if options.strategy == "cascade" else "both"
        told = f"{kind} {' and '.join(tier.name for tier in named)}"
    return Decision(lowest, "forced", f"forced: you asked for {told}")


def decided(trip: Trip, parts: Parts, senses: Senses | None, *, cheaper: bool = False) -> Decision:
    """The trip's decision; with no `senses` nothing is sent.

    With `cheaper` the rules decide where the budget has no room for asking.
    """
    options = trip.options
    if options.tier:
        return forced(options.tier, parts.ladder)
    if options.start or options.tiers:
        return _begun(options, parts.ladder)
    classifier = parts.classifier_for(trip.options.classifier, senses)
    try:
        return classify_turn(classifier, trip.prompt, trip.earlier, parts.ladder)
    except BudgetExceeded as error:
        if not cheaper:
            raise
        trip.tell(Notice(f"classified by the rules: {str(error).partition(';')[0]}"))
        rules = parts.classifier_for("rules", None)
        return classify_turn(rules, trip.prompt, trip.earlier, parts.ladder)
