"""The columns of a comparison as a table: a DataFrame, and plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbroute.compare.columns import Column
from nbroute.errors import named
from nbroute.pricing import describe
from nbroute.report.table import seconds, text_table

if TYPE_CHECKING:
    import pandas as pd

_FIGURES = (
    *("input_tokens", "output_tokens", "cost_usd", "cost_source"),
    *("latency_ms", "ttft_ms", "cached"),
)
FIELDS = ("contender", "tier", "model", "picked", "note", "status", "error", *_FIGURES, "text")
_KINDS = {
    "input_tokens": "int64",
    "output_tokens": "int64",
    "cost_usd": "float64",
    "latency_ms": "float64",
    "ttft_ms": "float64",
    "picked": "bool",
    "cached": "bool",
}
_HEAD = ("contender", "model", "status", "tokens", "cost", "latency", "routing")


def columns_frame(columns: Sequence[Column]) -> pd.DataFrame:
    """One row a column, with the fields of `FIELDS`."""
    import pandas as pd

    frame = pd.DataFrame([_values(column) for column in columns], columns=list(FIELDS))
    return frame.astype(_KINDS)


def columns_text(columns: Sequence[Column]) -> str:
    """The table, then each answer under a heading."""
    rows = [_HEAD, *(_cells(column) for column in columns)]
    return "\n\n".join(["\n".join(text_table(rows)), *map(_answer, columns)])


def _values(column: Column) -> list[Any]:
    who, result = column.contender, column.result
    error = named(column.error) if column.error else None
    head = [who.name, who.tier, column.model, column.picked, column.note, column.status, error]
    if result is None:
        open_ = column.status in ("running", "interrupted")
        money = (None, "unknown") if open_ else (0.0, "list")
        return [*head, 0, 0, *money, 0.0, None, False, ""]
    cost, usage = result.cost, result.usage
    usd = None if cost.usd is None else float(cost.usd)
    figures = [usage.input_tokens, usage.output_tokens, usd, cost.source]
    return [*head, *figures, result.latency_ms, result.ttft_ms, result.cached, result.text]


def _cells(column: Column) -> tuple[str, ...]:
    result = column.result
    picks = "picks this" if column.picked else ""
    if result is None:
        return (column.contender.name, column.model, column.status, "", "", "", picks)
    return (
        column.contender.name,
        column.model,
        column.status,
        f"{result.usage.input_tokens} in, {result.usage.output_tokens} out",
        "$0 (cached)" if result.cached else describe(result.cost),
        seconds(result.latency_ms),
        picks,
    )


def _answer(column: Column) -> str:
    who = column.contender
    names = dict.fromkeys((who.name, who.tier, column.model))
    heading = f"== {' · '.join(names)} ==\n{column.note}"
    error = named(column.error) if column.error else ""
    return "\n\n".join(part for part in (heading, column.text, error) if part)
