"""A result as the structured record that goes into an output's metadata."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nbroute.types import Repeats, RouteResult

SCHEMA = 1
#: What a record takes from the result, the attempt that answered, its decision, its usage, and
#: each attempt.
_OF_RESULT = (
    *("id", "tier", "model", "status", "cost_usd", "cost_source", "latency_ms", "ttft_ms"),
    *("escalated", "cached", "passed"),
)
_OF_ANSWER = (
    *("parent", "session", "msg_hash", "feature", "provider", "provider_kind"),
    *("strategy", "thread", "effort"),
)
_OF_DECISION = ("classifier", "confidence", "reason")
_OF_USAGE = ("input_tokens", "output_tokens", "reasoning_tokens")
_OF_ATTEMPT = (
    *("purpose", "tier", "provider", "model", "status", "error"),
    *("input_tokens", "output_tokens", "cost_usd", "cost_source", "latency_ms", "cached"),
    "effort",
)


def record(result: RouteResult) -> dict[str, Any]:
    """The result without prompt and answer, in types that JSON has; costs are US dollars.

    `input_tokens` and `output_tokens` are those of the answer, the cost and the latency
    those of all attempts together.
    """
    return {
        "schema": SCHEMA,
        "ts": result.attempts[0].ts,
        **_facts(result, _OF_RESULT),
        **_facts(result.answer, _OF_ANSWER),
        **_facts(result.decision, _OF_DECISION),
        **_facts(result.usage, _OF_USAGE),
        # A verdict's reason may quote the answer.
        "rungs": [
            {
                "tier": one.tier,
                "passed": one.failed is None,
                "check": one.failed and one.failed.check,
            }
            for one in result.rungs
        ],
        "attempts": [_facts(one, _OF_ATTEMPT) for one in result.attempts],
        **({"repeats": _repeats(result.repeats)} if result.repeats else {}),
    }


def _repeats(one: Repeats) -> dict[str, Any]:
    """Without the value, which is a part of the answer."""
    return {"asked": one.asked, "answered": len(one.answered), "agree": len(one.agreeing)}


def _facts(one: object, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in names}
    return {k: float(v) if isinstance(v, Decimal) else v for k, v in values.items()}
