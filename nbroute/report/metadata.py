"""A result as the structured record that goes into an output's metadata."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nbroute.types import RouteResult

SCHEMA = 1
#: What a record has of the result, of the attempt that answered, and of each attempt.
_OF_RESULT = (
    *("id", "tier", "model", "status", "cost_source", "latency_ms", "ttft_ms"),
    *("escalated", "cached", "passed"),
)
_OF_ANSWER = (
    *("parent", "session", "msg_hash", "feature", "provider", "provider_kind"),
    *("strategy", "thread"),
)
_OF_ATTEMPT = (
    *("purpose", "tier", "provider", "model", "status", "error"),
    *("input_tokens", "output_tokens", "cost_usd", "cost_source", "latency_ms", "cached"),
)


def record(result: RouteResult) -> dict[str, Any]:
    """The result without prompt and answer, in types that JSON has; costs are US dollars.

    `input_tokens` and `output_tokens` are those of the answer, the cost and the latency
    those of all attempts together.
    """
    made, usage = result.decision, result.usage
    return {
        "schema": SCHEMA,
        "ts": result.attempts[0].ts,
        **{name: getattr(result, name) for name in _OF_RESULT},
        **{name: getattr(result.answer, name) for name in _OF_ANSWER},
        "classifier": made.classifier,
        "confidence": made.confidence,
        "reason": made.reason,
        "cost_usd": _number(result.cost_usd),
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
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
            {name: getattr(one, name) for name in _OF_ATTEMPT} | {"cost_usd": _number(one.cost_usd)}
            for one in result.attempts
        ],
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
