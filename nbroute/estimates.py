"""What a prompt would cost, before anything is sent."""

from __future__ import annotations

from dataclasses import replace

from nbroute import pricing
from nbroute.adapt import adapt
from nbroute.asking import wanted_of
from nbroute.parts import Parts
from nbroute.trip import Trip
from nbroute.types import Request, Step, Target, Tier, TierEstimate


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
