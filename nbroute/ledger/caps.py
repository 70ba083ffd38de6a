"""What is used of a budget, and whether an attempt still fits in."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from decimal import Decimal

from nbroute.ledger.rows import Term
from nbroute.ledger.schema import COUNTED, DAY, EQUIVALENT, HELD_FOR
from nbroute.types import Attempt, Cap, Refusal

#: Picodollars of a cap -> those that are used.
Used = Callable[[Cap], int]

#: The sum of the rows that `of_cap` describes: exact, and slow where there are many.
SUM = f"coalesce(sum({COUNTED}), 0)"

_PICO = 12
_SCOPES = {"session": "session = ?", "day": f"{DAY} = ?", "feature": "feature = ?"}
_TOTAL = "SELECT picodollars FROM totals WHERE scope = ? AND key = ? AND equivalent = ?"
_STALE = f"""SELECT coalesce(sum(counted - spent), 0) FROM held JOIN shares ON shares.row = held.row
    WHERE scope = ? AND key = ? AND equivalent = ? AND {HELD_FOR} > ?"""  # noqa: S608 - words of our own


def is_equivalent(attempt: Attempt) -> bool:
    """Whether nobody bills the attempt, so that a budget of equivalent money is for it."""
    return attempt.provider_kind != "remote" and attempt.cost_source != "billed"


def of_cap(cap: Cap, attempt: Attempt) -> tuple[Term, ...]:
    """What the rows that a cap counts have in common: its scope, and the attempt's money."""
    money = Term(f"{EQUIVALENT} = ?", is_equivalent(attempt))
    return (Term(_SCOPES[cap.scope], cap.key), money)


def refusal(attempt: Attempt, caps: Sequence[Cap], used: Used) -> Refusal | None:
    """The first cap that the attempt does not fit in."""
    wanted = _picodollars(attempt.reserved_usd or Decimal(0))
    for cap in caps:
        left = _picodollars(cap.usd) - used(cap)
        if wanted > left:
            return Refusal(cap, Decimal(max(left, 0)).scaleb(-_PICO))
    return None


def refusal_by_totals(
    connection: sqlite3.Connection, attempt: Attempt, caps: Sequence[Cap], stale_after_s: float
) -> Refusal | None:
    """The same by the totals alone; only a call that they refuse is looked at more closely.

    Then a reservation whose last row is older than `stale_after_s` is let go: its kernel died.
    """
    equivalent = is_equivalent(attempt)

    def total(cap: Cap) -> int:
        found = connection.execute(_TOTAL, (cap.scope, cap.key, equivalent)).fetchone()
        return found[0] if found else 0

    def exact(cap: Cap) -> int:
        asked = (cap.scope, cap.key, equivalent, stale_after_s)
        stale: int = connection.execute(_STALE, asked).fetchone()[0]
        return total(cap) - stale

    return refusal(attempt, caps, total) and refusal(attempt, caps, exact)


def _picodollars(usd: Decimal) -> int:
    return round(usd.scaleb(_PICO))
