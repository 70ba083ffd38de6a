"""How compared answers rank: what each costs to scale, the cheapest, the fastest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nbroute.compare.comparison import Column


@dataclass(frozen=True, slots=True)
class Rank:
    """The rank of an answer: `ratio` of its cost to the lowest, `share` of the highest.

    Both are 0 if a cost is not known.
    """

    ratio: Decimal = Decimal(0)
    share: float = 0.0
    cheapest: bool = False
    fastest: bool = False


def rank(columns: Sequence[Column]) -> list[Rank]:
    """The rank of each; if several are equal, or one is unknown, none is the best."""
    there = {at: one.result for at, one in enumerate(columns) if one.result and not one.error}
    costs = {at: one.cost_usd or Decimal(0) for at, one in there.items()}
    times = {at: 0 if one.cached else one.latency_ms for at, one in there.items()}
    known = [cost for cost in costs.values() if cost]
    least, most = min(known, default=Decimal(1)), max(known, default=Decimal(1))
    cheapest, fastest = _least(costs), _least(times)
    ranks = []
    for at in range(len(columns)):
        cost = costs.get(at, Decimal(0))
        ranks.append(Rank(cost / least, float(cost / most), at == cheapest, at == fastest))
    return ranks


def _least(sizes: Mapping[int, Any]) -> int | None:
    """The place of the one that is less than all others; None if one is 0, that is unknown."""
    ordered = sorted((size, place) for place, size in sizes.items())
    alone = len(ordered) > 1 and 0 < ordered[0][0] < ordered[1][0]
    return ordered[0][1] if alone else None
