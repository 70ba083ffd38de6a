"""What a comparison would cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nbroute.compare.contenders import Contender, find_contenders
from nbroute.notebook.tables import Table, cost_range, together
from nbroute.report import counted
from nbroute.types import Cost, TierEstimate

if TYPE_CHECKING:
    from nbroute.router import Router

#: Prompts that are looked at; of more, the rest is taken for like them.
_SAMPLE = 100


def estimate_table(
    router: Router,
    prompts: Sequence[Any],
    tiers: Sequence[str] | None,
    systems: Any,
    options: Mapping[str, Any],
) -> Table:
    """What each contender would cost for all the prompts; nothing was sent."""
    contenders = find_contenders(router.ladder, tiers, systems)
    texts = [one for one in prompts if isinstance(one, str)]
    sample = texts[:: len(texts) // _SAMPLE + 1]
    rows, highs = [], []
    for who in contenders:
        found = [_estimate(router, prompt, who, options) for prompt in sample]
        if not found:
            continue
        factor = Decimal(len(texts)) / len(found)
        low, high = (_times([getattr(e, end) for e in found], factor) for end in ("low", "high"))
        highs.append(high)
        tokens = round(sum(e.input_tokens for e in found) * factor)
        first = found[0]
        rows.append(
            (who.name, first.model, f"{tokens:,}", str(first.max_tokens), cost_range(low, high))
        )
    calls = counted(len(texts) * len(contenders), "call")
    many = f"{counted(len(texts), 'prompt')} × {counted(len(contenders), 'column')}: {calls}"
    asked = many if len(prompts) > 1 else f"{len(rows)} would be asked at once"
    return Table(
        ("contender", "model", "tokens in (about)", "token budget", "cost"),
        rows,
        above=[f"dry run, nothing was sent; {asked}"],
        below=[
            "the range: from answers of one token to answers that use the whole token budget",
            f"together at most {together(highs)}",
        ],
    )


def _times(costs: Sequence[Cost], factor: Decimal) -> Cost:
    known = [cost.usd for cost in costs if cost.usd is not None]
    usd = sum(known, Decimal(0)) * factor if len(known) == len(costs) else None
    return replace(costs[0], usd=usd)


def _estimate(
    router: Router, prompt: str, who: Contender, options: Mapping[str, Any]
) -> TierEstimate:
    explained = router.explain(prompt, **{**options, **who.options})
    return next(one for one in explained.estimates if one.tier == who.tier)
