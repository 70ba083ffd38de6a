"""A result as the structured record that goes into an output's metadata."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nbroute.types import RouteResult

SCHEMA = 1
#: What a record has of each attempt.
_FIELDS = (
    *("purpose", "tier", "provider", "model", "status", "error"),
    *("input_tokens", "output_tokens", "cost_usd", "cost_source", "latency_ms", "cached"),
)


def record(result: RouteResult) -> dict[str, Any]:
    """The result without prompt and answer, in types that JSON has; costs are US dollars.

    `input_tokens` and `output_tokens` are those of the answer, the cost and the latency
    those of all attempts together.
    """
    answer = result.answer
    return {
        "schema": SCHEMA,
        "id": result.id,
        "parent": answer.parent,
        "session": answer.session,
        "ts": result.attempts[0].ts,
        "msg_hash": answer.msg_hash,
        "feature": answer.feature,
        "tier": result.tier,
        "model": result.model,
        "provider": answer.provider,
        "provider_kind": answer.provider_kind,
        "strategy": answer.strategy,
        "classifier": result.decision.classifier,
        "confidence": result.decision.confidence,
        "reason": result.decision.reason,
        "status": result.status,
        "cost_usd": _number(result.cost_usd),
        "cost_source": result.cost_source,
        "input_tokens": result.usage.input_tokens,
        "output_tokens": result.usage.output_tokens,
        "latency_ms": result.latency_ms,
        "ttft_ms": result.ttft_ms,
        "escalated": result.escalated,
        "cached": result.cached,
        "passed": result.passed,
        "thread": answer.thread,
        # A verdict's reason may quote the answer.
        "rungs": [
            {
                "tier": rung.tier,
                "passed": rung.failed is None,
                "check": rung.failed.check if rung.failed else None,
            }
            for rung in result.rungs
        ],
        "attempts": [
            {name: getattr(one, name) for name in _FIELDS} | {"cost_usd": _number(one.cost_usd)}
            for one in result.attempts
        ],
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
