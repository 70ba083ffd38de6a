"""Prices, token counts and amounts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

CostSource = Literal["billed", "list", "configured", "estimated", "equivalent", "unknown"]
ProviderKind = Literal["remote", "local", "simulated"]


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal
    source: Literal["list", "configured"] = "list"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the endpoint counted them, or our estimate where it did not say.

    `input_tokens` includes `cached_tokens` (those the endpoint read from its own prompt
    cache). `billed_usd` is what the endpoint says it charged (OpenRouter's `usage.cost`).
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    billed_usd: Decimal | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount and where it comes from; `price` is the one it was worked out with."""

    usd: Decimal | None
    source: CostSource
    price: Price | None = None
