"""What a comparison would cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbroute.compare.contenders import find_contenders
from nbroute.notebook.tables import Table, cost_range, together
from nbroute.types import TierEstimate

if TYPE_CHECKING:
    from nbroute.router import Router

HEAD = ("contender", "model", "tokens in (about)", "token budget", "cost")


def estimate_table(
    router: Router, prompt: str, tiers: Sequence[str] | None, options: Mapping[str, Any]
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
            f"together at most {together([one.high for one in estimates])}",
        ],
    )


def _estimate(router: Router, prompt: str, who: Any, options: Mapping[str, Any]) -> TierEstimate:
    explained = router.explain(prompt, **who.options, **options)
    return next(one for one in explained.estimates if one.tier == who.tier)
