"""A row of a batch as a column of a comparison, or as a decision."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, cast, get_args

from nbroute import errors
from nbroute.batch.rows import Row
from nbroute.classify.registry import forced
from nbroute.compare.columns import Column, Contender, NotSent
from nbroute.compare.picks import column_of, unpicked
from nbroute.engine.engine import Engine
from nbroute.engine.plan import make_plan, read_options
from nbroute.errors import BudgetExceeded, NbrouteError
from nbroute.types import Attempt, Decision, RouteResult, Status


def decision_of(row: Row | None) -> Decision:
    """The decision that a `ClassifyJob` made of the prompt; `unpicked` where there is none."""
    if row is None:
        return unpicked("not known: it was not asked for")
    if row.error is not None:
        return unpicked(f"not known: {row.error}")
    return Decision(row.tier, row.model, row.reason, row.confidence)


def cell_of(
    row: Row | None,
    contender: Contender,
    decision: Decision,
    router: Engine,
    options: dict[str, Any],
) -> Column:
    """The column of that contender, with what the row keeps of its result."""
    column = column_of(contender, decision, router.ladder)
    if row is None:
        return replace(column, error=NotSent("stopped before it was sent"))
    result = _result(row, contender, router, options) if row.result else None
    return replace(column, result=result, error=_error(row))


def _result(row: Row, contender: Contender, router: Engine, options: dict[str, Any]) -> RouteResult:
    asked = read_options({**options, **contender.options})
    decision = forced(contender.tier, router.ladder)
    answer = replace(
        _blank(router, row.prompt, row.tier, row.model),
        id=row.result,
        result=row.result,
        status=cast("Status", row.status if row.status in get_args(Status) else "error"),
        error=row.error,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=row.cost_usd,
        cost_source=row.cost_source,
        latency_ms=row.latency_ms,
        escalated=row.escalated,
        cached=row.cached,
        feature=asked.feature,
        comparison=asked.comparison,
        text=row.text,
    )
    plan = make_plan(decision, router.ladder, asked)
    return RouteResult(
        row.result, row.prompt, row.text, decision, plan, asked, (answer,), data=row.data
    )


def _error(row: Row) -> NbrouteError | None:
    """The error that the row tells of, by its class's name and message."""
    if row.error is None:
        return None
    if row.status == "not sent":
        return BudgetExceeded(row.error)
    name, _, message = row.error.partition(": ")
    found = getattr(errors, name, None)
    known = isinstance(found, type) and issubclass(found, NbrouteError)
    return found(message) if known else NbrouteError(row.error)  # type: ignore[misc]  # mypy does not follow `known`


def _blank(router: Engine, prompt: str, tier: str, model: str) -> Attempt:
    """An attempt with no figures; its provider is the tier's."""
    place = router.ladder[tier] if tier in router.ladder.names else router.ladder.tiers[0]
    return Attempt(
        id="picked",
        ts=0.0,
        session=router.session,
        result="",
        tier=tier,
        provider=place.provider,
        provider_kind=router.parts.kind(place),
        model=model,
        msg_hash=router.parts.hash_text(prompt),
        cost_usd=Decimal(0),
        cost_source="list",
        prompt=prompt,
    )
