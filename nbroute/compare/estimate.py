"""What a comparison would cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from nbroute.compare.contenders import Contender, Systems, find_contenders
from nbroute.engine.engine import Engine
from nbroute.types import Cost, Effort, TierEstimate

#: Prompts that are looked at; if there are more, the rest are taken to be like them.
_SAMPLE = 100


class Estimate(NamedTuple):
    """What one contender would cost for all prompts, from one token each to the whole budget."""

    contender: Contender
    model: str
    input_tokens: int
    max_tokens: int
    low: Cost
    high: Cost
    #: Says that `max_cost` does not cover a call; empty if it covers all.
    refusal: str = ""
    effort: Effort | None = None


def estimates(
    router: Engine,
    prompts: Sequence[str],
    tiers: Sequence[str] | None,
    systems: Systems | None,
    options: Mapping[str, Any],
) -> list[Estimate]:
    """An estimate for each contender; nothing is sent."""
    sample = prompts[:: len(prompts) // _SAMPLE + 1]
    factor, found = Decimal(len(prompts)) / max(len(sample), 1), []
    for who in find_contenders(router.ladder, tiers, systems):
        told = [router.explain(prompt, **{**options, **who.options}) for prompt in sample]
        each = [one for it in told for one in it.estimates if one.tier == who.tier]
        if each:
            refusal = next((it.refusal for it in told if it.refusal), "")
            all_of = factor * told[0].plan.times
            low = _sum([one.low for one in each], all_of)
            high = _sum([one.high for one in each], all_of)
            tokens = round(sum(one.input_tokens for one in each) * factor)
            model, most, effort = each[0].model, each[0].max_tokens, each[0].effort
            found.append(Estimate(who, model, tokens, most, low, high, refusal, effort))
    return found


def asking(
    router: Engine, prompts: Sequence[str], options: Mapping[str, Any]
) -> TierEstimate | None:
    """The cost of asking a model for each prompt's tier; None if none is asked."""
    sample = prompts[:: len(prompts) // _SAMPLE + 1]
    explained = (router.explain(prompt, **options).asking for prompt in sample)
    found = [one for one in explained if one is not None]
    if not found:
        return None
    factor = Decimal(len(prompts)) / len(sample)
    low, high = (_sum([getattr(one, end) for one in found], factor) for end in ("low", "high"))
    return replace(found[0], low=low, high=high)


def _sum(costs: Sequence[Cost], factor: Decimal) -> Cost:
    known = [cost.usd for cost in costs if cost.usd is not None]
    usd = sum(known, Decimal(0)) * factor if len(known) == len(costs) else None
    return replace(costs[0], usd=usd)
