"""How long a tier takes: as the session measured it, else as published figures say."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from nbroute.evaluate.past import Past
from nbroute.providers.simulated import MODELS, SimulatedModel
from nbroute.types import Ladder, Tier

#: Where the figures come from that stand in for a measurement.
SOURCE = "the second article's table of latencies (section 07: first token, tokens a second)"

#: The table's models in the order of its tiers 1 to 4; of a tier with two, the first.
_BY_HEIGHT = ("gpt-4o-mini", "claude-sonnet-4", "gemini-2.5-pro", "claude-opus-4")
#: Later models of a family are taken to be as fast as the one in the table, longest name first.
_FAMILIES = {
    "gpt-4o-mini": "gpt-4o-mini",
    "gpt-4o": "gpt-4o",
    "claude-haiku": "claude-haiku-3.5",
    "claude-sonnet": "claude-sonnet-4",
    "claude-opus": "claude-opus-4",
    "gemini-2.5-pro": "gemini-2.5-pro",
}

Latency = Callable[[Past], float]


def latencies(past: Sequence[Past], ladder: Ladder) -> tuple[list[Latency], list[str]]:
    """For each tier how long a prompt takes there (ms), and the tiers that were not measured.

    A prompt that the tier's model answered takes what it took; another one takes the median
    of those, or, where there are none, the published time for the recorded answer's tokens.
    """
    found, unmeasured = [], []
    for tier in ladder.tiers:
        times = [took for one in past if (took := _took(one, tier))]
        if times:
            found.append(_as_measured(tier, statistics.median(times)))
        else:
            found.append(_as_published(published(tier, ladder)))
            unmeasured.append(tier.name)
    return found, unmeasured


def published(tier: Tier, ladder: Ladder) -> SimulatedModel:
    """The row of the table for the tier's model, else for a tier at that height."""
    name = tier.model.rpartition("/")[2]
    family = next((row for start, row in _FAMILIES.items() if name.startswith(start)), None)
    place = ladder.index(tier.name) * (len(_BY_HEIGHT) - 1) // max(len(ladder.tiers) - 1, 1)
    return MODELS[f"simulated/{family or _BY_HEIGHT[place]}"]


def _took(one: Past, tier: Tier) -> float:
    """How long the tier's model took for that prompt; 0 where it did not answer it itself."""
    answer = one.answer
    if answer is None or answer.cached:
        return 0.0
    same = answer.model == tier.model and answer.provider in (tier.provider, "")
    return answer.latency_ms if same else 0.0


def _as_measured(tier: Tier, usual: float) -> Latency:
    return lambda one: _took(one, tier) or usual


def _as_published(model: SimulatedModel) -> Latency:
    def takes(one: Past) -> float:
        return model.ttft_ms + one.usage.output_tokens * 1000 / model.tokens_per_second

    return takes
