"""Embedding texts, with what it costs in the journal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from nbroute.errors import named
from nbroute.journal import Journal
from nbroute.pricing import estimate_tokens
from nbroute.types import Attempt, Embedded, Embedder, Tier, Usage


@contextlib.contextmanager
def journaled(
    journal: Journal, embedder: Embedder, tier: Tier, texts: Sequence[str]
) -> Iterator[Callable[[Embedded], Attempt]]:
    """Around embedding texts: it is written down with its cost reserved, and at its end.

    What is yielded takes the vectors; `tier` carries the embedder's model. Where no endpoint
    counted the tokens they are our estimate. BudgetExceeded as in `Journal.open`.
    """
    estimate = Usage(sum(map(estimate_tokens, texts)), estimated=True)
    cost = _cost(journal, embedder, tier, estimate)
    drafted = journal.embedding(embedder, tier)
    attempt = journal.begin(replace(drafted, reserved_usd=cost["cost_usd"], **cost))
    ended: list[Attempt] = []

    def keep(made: Embedded) -> Attempt:
        took = _cost(journal, embedder, tier, made.usage or estimate)
        took |= {"status": "ok", "reserved_usd": None, "latency_ms": made.latency_ms}
        ended.append(journal.settle(replace(attempt, **took)))
        return ended[0]

    try:
        yield keep
    except BaseException as error:
        if not ended:
            took = _cost(journal, embedder, tier, getattr(error, "usage", None) or Usage())
            took |= {"status": "error", "error": named(error), "reserved_usd": None}
            journal.settle(replace(attempt, **took))
        raise


def _cost(journal: Journal, embedder: Embedder, tier: Tier, usage: Usage) -> dict[str, Any]:
    """As of any call; vectors that nobody bills cost 0, as no sum must be unknown for them."""
    cost = journal.priced(usage, tier, embedder.model, embedder.kind)
    if embedder.kind != "remote" and cost["cost_source"] != "billed":
        free: dict[str, Any] = {"cost_usd": Decimal(0), "cost_source": "equivalent"}
        cost |= free | {"price_input": None, "price_output": None}
    return cost
