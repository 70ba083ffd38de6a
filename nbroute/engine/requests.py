"""Prompt + Step -> Request: the tier's system prompt, its token budget, one request a model."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbroute import pricing
from nbroute.checks import needs_logprobs, needs_rating
from nbroute.checks.confidence import RATING_INSTRUCTION
from nbroute.checks.structured import parse_json, schema_instruction
from nbroute.engine.attempts import Journal
from nbroute.engine.context import Parts, Trip
from nbroute.engine.conversations import Turn, fitting, messages_of
from nbroute.types import (
    Ladder,
    Message,
    Notice,
    Options,
    Request,
    Step,
    Target,
    Tier,
    TierEstimate,
)

#: Ours: what asks for JSON in words, for endpoints that want the word in the messages too.
JSON_INSTRUCTION = "Reply with one JSON value and nothing else: no prose, no code fence."


@dataclass(frozen=True)
class Wanted:
    """What is asked of the answer beside the prompt, in words and in parameters.

    `system` is added to the tier's system prompt, `closing` to the prompt; `feedback` is what
    a check said of the answer of the tier below, `history` the turns before this one.
    """

    system: str = ""
    closing: str = ""
    feedback: str = ""
    history: tuple[Message, ...] = ()
    schema: Mapping[str, Any] | None = None
    rated: bool = False
    logprobs: bool = False
    max_tokens: int | None = None


def adapt(
    prompt: str, step: Step, options: Options, wanted: Wanted | None = None
) -> tuple[Request, ...]:
    """One request for each model of the step, in the order in which they are tried."""
    wanted = wanted or Wanted(system=JSON_INSTRUCTION if options.json else "")
    messages = _messages(
        prompt, step.tier.system if options.system is None else options.system, wanted
    )
    return tuple(
        Request(
            provider=target.provider,
            model=target.model,
            messages=messages,
            max_tokens=wanted.max_tokens or options.max_tokens or step.tier.max_tokens,
            temperature=options.temperature,
            json=options.json or wanted.schema is not None,
            stream=options.stream,
            schema=wanted.schema,
            logprobs=wanted.logprobs,
            rated=wanted.rated,
        )
        for target in step.targets
    )


def _messages(prompt: str, system: str, wanted: Wanted) -> tuple[Message, ...]:
    told = _joined(system, wanted.system)
    asked = Message("user", _joined(prompt, wanted.feedback, wanted.closing))
    return (*((Message("system", told),) if told else ()), *wanted.history, asked)


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


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


def first_request(trip: Trip, step: Step) -> Request:
    """What would be sent to the step's first model."""
    return adapt(trip.prompt, step, trip.options, wanted_of(trip, step, ""))[0]


def estimate(tier: Tier, trip: Trip, parts: Parts) -> TierEstimate:
    """The cost of the trip's prompt on that tier."""
    model = trip.options.model
    targets = (Target(tier.provider, model),) if model else tier.targets
    request = first_request(trip, Step(tier, targets))
    tokens = sum(pricing.estimate_tokens(message.content) for message in request.messages)
    full = replace(tier, max_tokens=request.max_tokens)
    low, high = pricing.cost_range(tokens, full, request.model, parts.kind(tier))
    return TierEstimate(tier.name, request.model, tokens, request.max_tokens, low, high)


def price_of_tokens(tokens: int, parts: Parts) -> str:
    """What that many tokens cost, from the lowest tier to the highest."""
    lowest, highest = parts.ladder.tiers[0], parts.ladder.tiers[-1]
    low = pricing.cost_range(tokens, lowest, lowest.model, parts.kind(lowest))[0]
    high = pricing.cost_range(tokens, highest, highest.model, parts.kind(highest))[1]
    least = pricing.format_usd(low.usd)
    return f"{least} on {lowest.name} to {pricing.describe(high)} on {highest.name}"
