"""What parcels of prompts may spend, where workers cannot ask the caller's ledger."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from nbroute.budgets import caps, day_of
from nbroute.engine.engine import Engine
from nbroute.types import Attempt, Cap


class Purse:
    """What is left of the budgets, in shares that are held back until they are settled.

    `left` is by whether the money is equivalent, of the kinds that the ladder spends; None is
    no budget. It is counted once, and from then on by the attempts that come back: what
    another kernel spends meanwhile is not seen.
    """

    def __init__(self, left: Mapping[bool, Decimal] | None) -> None:
        self._left = None if left is None else dict(left)
        self._held: dict[str, Decimal] = {}

    def share(self, parcel: str, part: Decimal) -> Decimal | None:
        """Hold back so much (0 to 1) of what is free, for the parcel; None without a budget."""
        if self._left is None:
            return None
        free = min(self._left.values()) - sum(tuple(self._held.values()))
        self._held[parcel] = max(free * part, Decimal(0))
        return self._held[parcel]

    def pay(self, attempt: Attempt) -> None:
        """Take an attempt's cost out."""
        equivalent = attempt.cost_source == "equivalent"
        if self._left is not None and equivalent in self._left and not attempt.cached:
            self._left[equivalent] -= attempt.cost_usd or Decimal(0)

    def settle(self, parcel: str) -> None:
        """Give back what the parcel did not need."""
        self._held.pop(parcel, None)


def left_of(router: Engine, feature: str | None) -> dict[bool, Decimal] | None:
    """What is left of the budgets that a batch falls under, by whether it is equivalent money."""
    found = caps(router.limits, router.session, day_of(router.parts.clock()), feature)
    if not found:
        return None
    kinds = {router.parts.kind(tier) != "remote" for tier in router.ladder.tiers}
    return {
        kind: min(cap.usd - _used(router, cap, equivalent=kind) for cap in found) for kind in kinds
    }


def _used(router: Engine, cap: Cap, *, equivalent: bool) -> Decimal:
    spends = router.ledger.spend(cap.scope)
    if cap.key not in spends:
        return Decimal(0)
    found: Decimal = spends[cap.key].equivalent_usd if equivalent else spends[cap.key].usd
    return found
