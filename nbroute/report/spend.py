"""The row that a report is made of, and what rows cost together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from nbroute.pricing import format_usd
from nbroute.report.table import counted


class ReportRow(NamedTuple):
    """The fields of an `Attempt` that a report needs; `ledger.report_rows()` gives these."""

    ts: float
    result: str
    parent: str | None
    tier: str
    model: str
    feature: str | None
    purpose: str
    status: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    cost_source: str
    latency_ms: float
    escalated: bool
    cached: bool
    comparison: str | None = None


@dataclass(frozen=True, slots=True)
class Spend:
    """What calls cost together, money really spent (`usd`) apart from what was not billed.

    `unknown_calls` have no known cost and are in neither sum. `calls` includes the
    `cached_calls`, which cost nothing. `by_source` splits the sums by where they come from;
    `unknown_unbilled` are those of the unknown calls that nobody bills.
    """

    usd: Decimal = Decimal(0)
    equivalent_usd: Decimal = Decimal(0)
    unknown_calls: int = 0
    calls: int = 0
    cached_calls: int = 0
    by_source: Mapping[str, Decimal] = field(default_factory=dict)
    unknown_unbilled: int = 0

    @classmethod
    def of_source(cls, source: str, usd: float, calls: int, cached: int, unknown: int) -> Spend:
        """The spend of calls whose costs come from one source; `usd` is a sum of floats."""
        # A picodollar is far below any price; what lies under it is the floats' own dust.
        amount = Decimal(repr(round(usd, 12)))
        sources = {source: amount} if amount else {}
        if source == "equivalent":
            return cls(Decimal(0), amount, unknown, calls, cached, sources, unknown)
        return cls(amount, Decimal(0), unknown, calls, cached, sources)

    def __add__(self, other: Spend) -> Spend:
        sources = dict(self.by_source)
        for source, amount in other.by_source.items():
            sources[source] = sources.get(source, Decimal(0)) + amount
        return Spend(
            self.usd + other.usd,
            self.equivalent_usd + other.equivalent_usd,
            self.unknown_calls + other.unknown_calls,
            self.calls + other.calls,
            self.cached_calls + other.cached_calls,
            sources,
            self.unknown_unbilled + other.unknown_unbilled,
        )

    @property
    def told(self) -> str:
        """`$0.0013 + $0.02 equivalent + 2 of unknown cost`: each kind of money by itself."""
        parts = [format_usd(self.usd)] if self.usd or not self.equivalent_usd else []
        parts += [f"{format_usd(self.equivalent_usd)} equivalent"] if self.equivalent_usd else []
        parts += [f"{self.unknown_calls:,} of unknown cost"] if self.unknown_calls else []
        return " + ".join(parts)

    def __str__(self) -> str:
        """`$0.0013, 6 calls, 1 cached`, and what is not billed or not known, if any."""
        parts = [format_usd(self.usd), counted(self.calls, "call")]
        if self.cached_calls:
            parts.append(f"{self.cached_calls} cached")
        if self.equivalent_usd:
            parts.append(f"{format_usd(self.equivalent_usd)} equivalent, not billed")
        if self.unknown_calls:
            parts.append(f"{self.unknown_calls} of unknown cost")
        return ", ".join(parts)
