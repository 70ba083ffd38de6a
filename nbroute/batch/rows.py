"""A row of a batch: what became of one prompt, light enough to keep a hundred thousand of."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from nbroute.errors import NbrouteError, named
from nbroute.types import Attempt, Cost, CostSource, Decision, RouteResult, total_cost

RowStatus = Literal["ok", "rejected", "unused", "running", "error", "interrupted", "not sent"]


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt and its place, from 0."""

    place: int
    prompt: str


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt of a batch and its answer, or why there is none.

    `place` counts from 0. `status` is "ok", "rejected" (the best of a cascade that failed its
    checks), "error", "interrupted" or "not sent"; the last three have an `error`, its class
    and message. Cost and tokens are of all that was paid for, an error's too. `data` is the
    parsed answer where JSON or a schema was asked for, as plain lists and dicts; `result` the
    id of the `RouteResult` in the ledger. Where prompts are only classified, `tier` is the one
    picked and `model` the classifier's name.
    """

    place: int
    prompt: str = field(repr=False)
    text: str = field(default="", repr=False)
    tier: str = ""
    model: str = ""
    status: RowStatus = "ok"
    error: str | None = None
    cost_usd: Decimal | None = None
    cost_source: CostSource = "unknown"
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: float = 0.0
    escalated: bool = False
    cached: bool = False
    confidence: float | None = None
    reason: str = ""
    passed: bool = True
    data: Any = field(default=None, repr=False)
    result: str = ""

    def __str__(self) -> str:
        """The answer."""
        return self.text


KINDS = {one.name: str(one.type).removesuffix(" | None") for one in dataclasses.fields(Row)}
FIELDS = tuple(KINDS)

_COST, _DATA = FIELDS.index("cost_usd"), FIELDS.index("data")
_BOOLS = tuple(place for place, name in enumerate(FIELDS) if KINDS[name] == "bool")
#: What a row has of the attempt that answered.
_OF_ANSWER = ("tier", "model", "status", "input_tokens", "output_tokens", "escalated", "cached")


def row_of(task: Task, result: RouteResult | Decision) -> Row:
    """The row of a prompt that was answered, or classified."""
    found: dict[str, Any]
    if isinstance(result, Decision):
        decision, asked = result, result.attempts
        cost = total_cost(asked) if asked else Cost(Decimal(0), "list")
        found = {"tier": decision.tier, "model": decision.classifier}
        found |= {"latency_ms": sum(one.latency_ms for one in asked)}
        found |= {"result": asked[0].result if asked else ""}
    else:
        decision, cost = result.decision, result.cost
        found = {name: getattr(result.answer, name) for name in _OF_ANSWER}
        found |= {name: getattr(result, name) for name in ("text", "latency_ms", "passed", "data")}
        found |= {"result": result.id}
    return Row(
        task.place,
        task.prompt,
        cost_usd=cost.usd,
        cost_source=cost.source,
        confidence=decision.confidence,
        reason=decision.reason,
        **found,
    )


def row_of_error(task: Task, error: BaseException, status: RowStatus = "error") -> Row:
    """The row of a prompt that failed, with what was paid for it all the same."""
    partial = error.result if isinstance(error, NbrouteError) else None
    blank = Row(task.place, task.prompt, cost_usd=Decimal(0), cost_source="list")
    paid = row_of(task, partial) if partial is not None else blank
    return dataclasses.replace(paid, status=status, error=named(error), passed=False)


def attempt_of(row: Row, **known: Any) -> Attempt:
    """What the row keeps of the attempt that answered; the rest as it is known."""
    kept = {*_OF_ANSWER, "error", "cost_usd", "cost_source", "latency_ms", "prompt", "text"}
    found = {name: getattr(row, name) for name in kept - {"status"}}
    return Attempt(id=row.result, ts=0.0, result=row.result, **found, **known)


def without_answer(task: Task, status: RowStatus, error: str, *, sent: bool = False) -> Row:
    """The row of a prompt that never came back (its cost is not known) or never went out."""
    cost = None if sent else Decimal(0)
    return Row(task.place, task.prompt, status=status, error=error, cost_usd=cost, passed=False)


def as_values(row: Row) -> list[Any]:
    """The row as SQLite and Parquet take it: money as a float, `data` as JSON."""
    values = [getattr(row, name) for name in FIELDS]
    if row.cost_usd is not None:
        values[_COST] = float(row.cost_usd)
    if row.data is not None:
        from msgspec import to_builtins

        def plain(value: Any) -> Any:
            return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)

        found = to_builtins(row.data, str_keys=True, enc_hook=plain)
        values[_DATA] = json.dumps(found, ensure_ascii=False)
    return values


def as_row(values: Sequence[Any]) -> Row:
    """The row of those values."""
    found = list(values)
    if found[_COST] is not None:
        found[_COST] = Decimal(repr(found[_COST]))
    if found[_DATA] is not None:
        found[_DATA] = json.loads(found[_DATA])
    for place in _BOOLS:
        found[place] = bool(found[place])
    return Row(*found)
