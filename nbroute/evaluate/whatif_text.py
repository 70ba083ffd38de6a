"""Strategies in words: the figures of a what-if as cells of a table and as a line of a frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from nbroute.evaluate.scenarios import Strategy
from nbroute.pricing import format_usd
from nbroute.report.table import seconds, text_table

STRATEGY = (
    *("strategy", "prompts", "usd", "equivalent_usd", "unknown", "kind", "latency_s"),
    *("saved_usd", "saved_equivalent_usd", "saved_share"),
)
HEAD = ("strategy", "total cost", "kind of figure", "average latency", "saved", "tiers")
EMPTY = (
    "what if: there is no prompt to work with yet. Route some first (%%route in a cell, "
    "router.route or router.map), or give your own: router.what_if(prompts=[...])"
)
_PRICES = {
    frozenset({"list"}): "list prices",
    frozenset({"configured"}): "your prices",
    frozenset({"list", "configured"}): "list prices and yours",
}


def strategy_record(one: Strategy, tiers: Iterable[str]) -> dict[str, Any]:
    """The strategy as a line of a frame: the values of `STRATEGY`, and a share for each tier."""
    spend = one.spend
    values = (
        *(one.name, spend.calls, float(spend.usd), float(spend.equivalent_usd)),
        *(spend.unknown_calls, kind(one), as_float(one.latency_ms) / 1000),
        *map(as_float, (one.saved_usd, one.saved_equivalent_usd, one.saved_share)),
    )
    return dict(zip(STRATEGY, values, strict=True)) | {t: one.mix.get(t, 0.0) for t in tiers}


def as_float(amount: Decimal | float | None) -> float:
    """The amount as a frame has it, NaN where it is not known."""
    return math.nan if amount is None else float(amount)


def kind(one: Strategy) -> str:
    """What the money of a strategy is, in words."""
    billed = one.spend.by_source.keys() - {"equivalent"}
    told = []
    if billed and one.recorded:
        told.append("recorded")
    elif billed:
        prices = _PRICES.get(frozenset(billed), "known prices")
        told.append(f"estimate at {prices}, billed to nobody")
    if one.spend.equivalent_usd:
        told.append(f"{'recorded' if one.recorded else 'estimate'}, nothing billed")
    if one.spend.unknown_calls:
        told.append(f"{one.spend.unknown_calls:,} of unknown cost")
    return " + ".join(told) or "nothing to pay"


def cells(one: Strategy) -> tuple[str, ...]:
    """The strategy as a line of the table, under `HEAD`."""
    return (one.name, cost(one), kind(one), latency(one), saved(one), mix(one.mix))


def cost(one: Strategy) -> str:
    """The total; money of two kinds stays apart, and an unknown rest is named."""
    spend = one.spend
    parts = [format_usd(spend.usd)] if spend.usd else []
    parts += [f"{format_usd(spend.equivalent_usd)} not billed"] if spend.equivalent_usd else []
    parts += ["unknown"] if spend.unknown_calls else []
    return " + ".join(parts) or "$0"


def saved(one: Strategy) -> str:
    """What it saves against all on the most expensive tier, in US dollars and percent."""
    equivalent = one.saved_equivalent_usd
    amount = one.saved_usd if equivalent is None else equivalent
    if amount is None:
        return "unknown" if one.spend.unknown_calls else "not comparable"
    share = "" if one.saved_share is None else f" ({one.saved_share:.0%})"
    return f"{format_usd(amount)}{share}"


def latency(one: Strategy) -> str:
    """The average; unknown where there is no prompt."""
    return "unknown" if one.latency_ms is None else seconds(one.latency_ms)


def mix(shares: Mapping[str, float]) -> str:
    """`SIMPLE 62%, MEDIUM 38%`; tiers with no prompt are left out."""
    told = [f"{tier} {share:.0%}" for tier, share in shares.items() if share]
    return ", ".join(told) or "none"


def text(
    head: str, strategies: Sequence[Strategy], notes: Sequence[str] = (), setting: str = ""
) -> str:
    """The whole answer as plain text."""
    lines = [head, "", *text_table([HEAD, *map(cells, strategies)])]
    lines += ["", *notes] if notes else []
    lines += ["", "to have it:", setting] if setting else []
    return "\n".join(lines)
