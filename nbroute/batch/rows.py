"""A row of a batch: what became of one prompt, light enough to keep a hundred thousand."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple, get_args

from nbroute.decoding import decode, parse
from nbroute.errors import NbrouteError, named
from nbroute.storage.database import row_kind
from nbroute.types import Attempt, Cost, CostSource, Decision, RouteResult, total_cost

RowStatus = Literal["ok", "rejected", "unused", "running", "error", "interrupted", "not sent"]


class Task(NamedTuple):
    """A prompt and its place, from 0."""

    place: int
    prompt: str


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt of a batch and its answer, or why there is none.

    `place` counts from 0. `status` is "ok", "rejected" (the best of a cascade that failed its
    checks), "error", "interrupted" or "not sent"; the last three have an `error`, its class
    and message. Cost and tokens are of all that was paid for, even for an error. `data` is the
    parsed answer where JSON or a schema was asked for, as plain lists and dicts; `result` the
    id of the `RouteResult` in the ledger, `answered_by` the model that the endpoint says
    answered ("" in a row of 0.1.0). Where prompts are only classified, `tier` is the one picked
    and `model` the classifier's name.
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
    answered_by: str = ""

    def __str__(self) -> str:
        """The answer."""
        return self.text


KINDS = {one.name: str(one.type).removesuffix(" | None") for one in dataclasses.fields(Row)}

#: What a row has of the attempt that answered, and of the whole result.
_OF_ANSWER = ("tier", "model", "status", "input_tokens", "output_tokens", "escalated", "cached")
_OF_RESULT = ("text", "cost_usd", "cost_source", "latency_ms", "passed", "data", "answered_by")


def row_of(task: Task, result: RouteResult | Decision) -> Row:
    """The row of a prompt that was answered, or classified."""
    found: dict[str, Any]
    if isinstance(result, Decision):
        decision, asked = result, result.attempts
        cost = total_cost(asked) if asked else Cost(Decimal(0), "list")
        found = {"tier": decision.tier, "model": decision.classifier}
        found |= {"cost_usd": cost.usd, "cost_source": cost.source}
        found |= {"latency_ms": sum(one.latency_ms for one in asked)}
        found |= {"result": asked[0].result if asked else ""}
    else:
        decision, answer = result.decision, result.answer
        found = {name: getattr(answer, name) for name in _OF_ANSWER}
        found |= {name: getattr(result, name) for name in _OF_RESULT} | {"result": result.id}
    return Row(*task, confidence=decision.confidence, reason=decision.reason, **found)


def row_of_error(task: Task, error: BaseException, status: RowStatus = "error") -> Row:
    """The row of a prompt that failed, with what was paid for it."""
    paid = error.result if isinstance(error, NbrouteError) else None
    row = without_answer(task, status, "") if paid is None else row_of(task, paid)
    return dataclasses.replace(row, status=status, error=named(error), passed=False)


def without_answer(task: Task, status: RowStatus, error: str, *, sent: bool = False) -> Row:
    """The row of a prompt that never came back (at an unknown cost) or never went out."""
    cost = Cost(None, "unknown") if sent else Cost(Decimal(0), "list")
    money: dict[str, Any] = {"cost_usd": cost.usd, "cost_source": cost.source}
    return Row(*task, status=status, error=error, passed=False, **money)


def attempt_of(row: Row, **known: Any) -> Attempt:
    """What the row keeps of the attempt that answered; the rest is given as `known`."""
    kept = {*_OF_ANSWER, "error", "cost_usd", "cost_source", "latency_ms", "prompt", "text"}
    found = {name: getattr(row, name) for name in kept - {"status"}}
    found["answered_by"] = row.answered_by if row.answered_by != row.model else None
    return Attempt(id=row.result, ts=0.0, result=row.result, **found, **known)


def as_values(row: Row) -> tuple[Any, ...]:
    """The row as SQLite and Parquet take it: money as a float, `data` as JSON."""
    values = {name: getattr(row, name) for name in KINDS}
    if row.cost_usd is not None:
        values["cost_usd"] = float(row.cost_usd)
    if row.data is not None:
        from msgspec import to_builtins

        def plain(value: Any) -> Any:
            return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)

        data = to_builtins(row.data, str_keys=True, enc_hook=plain)
        values["data"] = json.dumps(data, ensure_ascii=False)
    return tuple(values.values())


def as_row(values: Sequence[Any]) -> Row:
    """The row of these values from a file; ValueError says which of them is wrong."""
    try:
        found = dict(zip(KINDS, values, strict=True))
        decode(found, _stored())
        if found["data"] is not None:
            found["data"] = parse(found["data"])
        return decode(found, Row, strict=False)
    except ValueError as error:
        raise ValueError(f"row {values[0]!r:.20}: {error}") from None


@functools.cache
def _stored() -> type:
    from msgspec import defstruct

    kinds = get_args(row_kind(Row, tuple(KINDS)))
    return defstruct("_stored", list(zip(KINDS, kinds, strict=True)))
