"""What is asked of an answer beside the prompt: form, rating, history, an earlier failure."""

from __future__ import annotations

import contextlib
from typing import Any

from nbroute import pricing
from nbroute.adapt import JSON_INSTRUCTION, Wanted
from nbroute.checks import needs_logprobs, needs_rating
from nbroute.checks.rating import RATING_INSTRUCTION
from nbroute.journal import Journal
from nbroute.structured import parse_json, schema_instruction
from nbroute.threads import Turn, fitting, messages_of
from nbroute.trip import Trip
from nbroute.types import Ladder, Notice, Step, Tier


def wanted_of(trip: Trip, step: Step, feedback: str) -> Wanted:
    """What the step's requests ask for; a notice says where the history was cut."""
    rated = needs_rating(trip.options)
    context = _context(step.tier) if trip.earlier else None
    system = JSON_INSTRUCTION if trip.options.json else ""
    if trip.schema:
        system = schema_instruction(trip.schema)
    return Wanted(
        system=system,
        closing=RATING_INSTRUCTION if rated else "",
        feedback=feedback,
        history=messages_of(_history(trip, step.tier)),
        schema=trip.schema.json_schema if trip.schema else None,
        rated=rated,
        logprobs=needs_logprobs(trip.options),
        max_tokens=_answer_tokens(trip, step.tier, context) if context else None,
    )


def _context(tier: Tier) -> int | None:
    return tier.context or pricing.context_of(tier)


def _answer_tokens(trip: Trip, tier: Tier, context: int) -> int:
    """The token budget, but not more than half of what the model reads and writes."""
    return min(trip.options.max_tokens or tier.max_tokens, context // 2)


def _history(trip: Trip, tier: Tier) -> tuple[Turn, ...]:
    """The turns that the tier's model can read beside the prompt and its own answer."""
    if not trip.earlier:
        return ()
    context = _context(tier)
    system = tier.system if trip.options.system is None else trip.options.system
    asked = pricing.estimate_tokens(trip.prompt) + pricing.estimate_tokens(system)
    room = None
    if context is not None:
        room = context - _answer_tokens(trip, tier, context) - asked
    kept = fitting(trip.earlier, room, pricing.estimate_tokens)
    left_out = len(trip.earlier) - len(kept)
    if left_out:
        trip.tell(
            Notice(
                f"thread {trip.options.thread!r}: the first {left_out} of {len(trip.earlier)} "
                f"turns were left out, as {tier.model} reads {context:,} tokens"
            )
        )
    return kept


def tell_move(trip: Trip, journal: Journal, ladder: Ladder) -> None:
    """Say when a conversation went on at another tier, and why."""
    if not trip.earlier or trip.decision is None:
        return
    before, now = trip.earlier[-1].tier, trip.result(journal).tier
    if before == now or before not in ladder.names:
        return
    way = "moved up" if ladder.index(now) > ladder.index(before) else "came down"
    told = f"thread {trip.options.thread!r} {way} from {before} to {now}"
    trip.tell(Notice(f"{told}: {trip.decision.reason}"))


def data_of(trip: Trip, journal: Journal) -> Any:
    """The answer parsed, where a form was asked for and it has it; else None."""
    if not (trip.schema or trip.options.json):
        return None
    parse = trip.schema.parse if trip.schema else parse_json
    with contextlib.suppress(ValueError):
        return parse(trip.result(journal).text)
    return None
