"""What endpoints that keep a bill charged, asked for afterwards: OpenRouter's generations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Protocol, cast

from nbroute.errors import ProviderError
from nbroute.pricing import format_usd
from nbroute.types import Attempt, Ledger, Provider, Usage

_FIELDS = tuple(field.name for field in fields(Attempt))


class _Biller(Protocol):
    def settle(self, generation: str) -> Usage | None:
        """What the endpoint counted and charged for that answer; None where it cannot say."""


@dataclass(frozen=True)
class Settled:
    """How many calls had no bill yet, and of how many there is one now; `usd` is what it adds."""

    asked: int
    settled: int
    usd: Decimal
    failure: str = ""

    @property
    def told(self) -> str:
        """The outcome in a line."""
        if not self.asked:
            return "nothing to settle: every call of this session has its bill, or has none"
        less = "less" if self.usd < 0 else "more"
        line = f"{self.settled} of {self.asked} calls settled"
        if self.settled:
            line += f", together {format_usd(abs(self.usd))} {less} than was written down"
        return f"{line}; {self.failure}" if self.failure else line


def settle(ledger: Ledger, session: str, providers: Mapping[str, Provider]) -> Settled:
    """Write down what the session's calls were charged where their answers did not say.

    Each call's last row counts, so a row with the bill is added. An endpoint that fails ends
    the settling of its calls; the rest can be settled later.
    """
    waiting = [row for row in ledger.rows(session=session) if _unsettled(row, providers)]
    settled, added = 0, Decimal(0)
    failures: dict[str, str] = {}
    for row in waiting:
        if row["provider"] in failures:
            continue
        biller = cast("_Biller", providers[row["provider"]])
        try:
            usage = biller.settle(row["generation"])
        except ProviderError as error:
            failures[row["provider"]] = str(error)
            continue
        if usage is not None and usage.billed_usd is not None:
            ledger.append(_with_bill(row, usage))
            settled += 1
            added += usage.billed_usd - (row["cost_usd"] or 0)
    return Settled(len(waiting), settled, added, "; ".join(failures.values()))


def _unsettled(row: Mapping[str, Any], providers: Mapping[str, Provider]) -> bool:
    ended = row["status"] != "running" and not row["cached"] and row["provider_kind"] == "remote"
    biller = hasattr(providers.get(row["provider"]), "settle")
    return bool(ended and biller and row["generation"] and row["cost_source"] != "billed")


def _with_bill(row: Mapping[str, Any], usage: Usage) -> Attempt:
    attempt = Attempt(**{name: row[name] for name in _FIELDS if name in row})
    counted = usage.input_tokens or usage.output_tokens
    if counted:
        attempt = replace(
            attempt,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            tokens_estimated=False,
        )
    return replace(attempt, cost_usd=usage.billed_usd, cost_source="billed")
