"""Strategies in words: the figures of a what-if as cells of a table and rows of a frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from nbroute.evaluate.scenarios import Strategy
from nbroute.pricing import format_usd, places_of
from nbroute.report.table import seconds

STRATEGY = (
    *("strategy", "prompts", "usd", "equivalent_usd", "unknown", "kind", "latency_s"),
    *("saved_usd", "saved_equivalent_usd", "saved_share"),
)
HEAD = ("strategy", "cost", "saved", "time", "basis", "tiers")
EMPTY = (
    "what if: there are no prompts to work with yet. Route some first (%%route in a cell, "
    "router.route or router.map), or bring your own: router.what_if(prompts=[...])"
)
KEEP = "to keep these settings:"
_PRICES = {
    frozenset({"list"}): "list prices",
    frozenset({"configured"}): "your prices",
    frozenset({"list", "configured"}): "list prices and yours",
}


def strategy_record(one: Strategy, tiers: Iterable[str]) -> dict[str, Any]:
    """The strategy as a row of a frame: the values of `STRATEGY`, and a share for each tier."""
    spend = one.spend
    values = (
        *(one.name, spend.calls, float(spend.usd), float(spend.equivalent_usd)),
        *(spend.unknown_calls, kind(one), as_float(one.latency_ms) / 1000),
        *map(as_float, (one.saved_usd, one.saved_equivalent_usd, one.saved_share)),
    )
    return dict(zip(STRATEGY, values, strict=True)) | {t: one.mix.get(t, 0.0) for t in tiers}


def as_float(amount: Decimal | float | None) -> float:
    """The amount as in a frame, NaN if it is not known."""
    return math.nan if amount is None else float(amount)


def kind(one: Strategy, *, bare: bool = False) -> str:
    """What kind of money it is, in words; if `bare`, without what is said about all of them."""
    billed, spend = one.spend.by_source.keys() - {"equivalent"}, one.spend
    prices = _PRICES.get(frozenset(billed), "known prices")
    told = ["recorded" if one.recorded else f"estimate at {prices}"] if billed else []
    if spend.equivalent_usd:
        note = "" if bare else ", nothing billed"
        told.append(f"{'recorded' if one.recorded else 'estimate'}{note}")
    told += [f"{spend.unknown_calls:,} of unknown cost"] if spend.unknown_calls else []
    return " + ".join(told) or "nothing to pay"


def table(strategies: Sequence[Strategy]) -> list[tuple[str, ...]]:
    """The strategies, a row each, under `HEAD`."""
    places = places_of(usd for s in strategies for usd in (s.spend.usd, s.spend.equivalent_usd))
    free = unbilled(strategies)
    return [
        (s.name, cost(s, places), saved(s), latency(s), kind(s, bare=free), mix(s.mix))
        for s in strategies
    ]


def unbilled(strategies: Sequence[Strategy]) -> bool:
    """Whether none of them would be billed."""
    return not any(one.spend.usd for one in strategies)


def cost(one: Strategy, places: int = 2) -> str:
    """The total; two kinds of money are kept apart, and an unknown rest is named."""
    spend = one.spend
    parts = [format_usd(spend.usd, places)] if spend.usd else []
    if spend.equivalent_usd:
        note = " not billed" if parts else ""
        parts.append(f"{format_usd(spend.equivalent_usd, places)}{note}")
    parts += ["unknown"] if spend.unknown_calls else []
    return " + ".join(parts) or "$0"


def saved(one: Strategy) -> str:
    """What it saves relative to all on the most expensive tier, in US dollars and percent."""
    equivalent = one.saved_equivalent_usd
    amount = one.saved_usd if equivalent is None else equivalent
    if amount is None:
        return "unknown" if one.spend.unknown_calls else "not comparable"
    share = "" if one.saved_share is None else f" ({one.saved_share:.0%})"
    return f"{format_usd(amount)}{share}"


def latency(one: Strategy) -> str:
    """The average; unknown if there are no prompts."""
    return "unknown" if one.latency_ms is None else seconds(one.latency_ms)


def mix(shares: Mapping[str, float]) -> str:
    """`SIMPLE 62%, MEDIUM 38%`; tiers with no prompt are left out."""
    told = [f"{tier} {share:.0%}" for tier, share in shares.items() if share]
    return ", ".join(told) or "none"
