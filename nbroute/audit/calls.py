"""One call of a model, as a notebook's output metadata tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple


class Place(NamedTuple):
    """A cell of a notebook: its number from 1, of all cells, and `[n]`, its execution count."""

    notebook: str
    cell: int
    execution: int | None

    def __str__(self) -> str:
        count = "" if self.execution is None else f" [{self.execution}]"
        return f"{self.notebook}, cell {self.cell}{count}"


@dataclass(frozen=True, slots=True)
class Call:
    """An attempt of a recorded answer; `result` is the answer's id.

    `cost_usd` is None where it is not known. With `cost_source` "equivalent" nothing was billed.
    """

    place: Place
    result: str
    ts: float
    tier: str
    model: str
    purpose: str
    status: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    cost_source: str
    cached: bool
