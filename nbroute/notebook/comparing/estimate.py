"""What a comparison would cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from nbroute.comparing.contenders import find_contenders
from nbroute.notebook.tables import Table, cost_range
from nbroute.pricing import describe
from nbroute.types import Cost, TierEstimate

HEAD = ("contender", "model", "tokens in (about)", "token budget", "cost")


def estimate_table(
    router: Any, prompt: str, tiers: Sequence[str] | None, options: Mapping[str, Any]
) -> Table:
    """What each contender would cost; nothing was sent."""
    contenders = find_contenders(router.ladder, tiers)
    estimates = [_estimate(router, prompt, one, options) for one in contenders]
    rows = [
        (who.name, e.model, str(e.input_tokens), str(e.max_tokens), cost_range(e.low, e.high))
        for who, e in zip(contenders, estimates, strict=True)
    ]
    return Table(
        HEAD,
        rows,
        above=[f"dry run, nothing was sent; {len(rows)} would be asked at once"],
        below=[
            "the range: an answer of one token, to one that uses the whole token budget",
            f"together at most {_most(estimates)}",
        ],
    )


def _estimate(router: Any, prompt: str, who: Any, options: Mapping[str, Any]) -> TierEstimate:
    explained = router.explain(prompt, **who.options, **options)
    return next(one for one in explained.estimates if one.tier == who.tier)


def _most(estimates: Sequence[TierEstimate]) -> str:
    """Money that is billed and money that is not are never added."""
    sources = dict.fromkeys(one.high.source == "equivalent" for one in estimates)
    groups = [[e for e in estimates if (e.high.source == "equivalent") is kind] for kind in sources]
    return " and ".join(describe(_sum(group)) for group in groups)


def _sum(estimates: Sequence[TierEstimate]) -> Cost:
    amounts = [one.high.usd for one in estimates]
    if None in amounts:
        return Cost(None, "unknown")
    return Cost(sum(filter(None, amounts), Decimal(0)), estimates[0].high.source)
