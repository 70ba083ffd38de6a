"""Reply -> Verdict: whether it is whole, is JSON and came in time."""

from __future__ import annotations

import json

from nbroute.types import Check, Reply, Verdict


def not_truncated(reply: Reply) -> Verdict:
    """Fails an answer that ended because the token budget was used up."""
    cut = reply.finish_reason == "length"
    return Verdict(not cut, "truncation", "cut off by the token budget" if cut else "")


def valid_json(reply: Reply) -> Verdict:
    """Fails an answer that is not one JSON value (a code fence around it is forgiven)."""
    try:
        json.loads(without_fence(reply.text), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return Verdict(False, "json", f"not JSON: {error}")
    return Verdict(True, "json")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


def without_fence(text: str) -> str:
    """The text without the Markdown code fence that models like to put around JSON."""
    lines = text.strip().split("\n")
    fenced = len(lines) > 1 and lines[0].startswith("```") and lines[-1].strip() == "```"
    return "\n".join(lines[1:-1]) if fenced else text.strip()


def in_time(target_ms: float) -> Check:
    """A check that fails an answer that took longer than the target, in milliseconds."""

    def in_time(reply: Reply) -> Verdict:
        late = reply.latency_ms > target_ms
        reason = f"took {reply.latency_ms:.0f} ms, the target is {target_ms:g} ms" if late else ""
        return Verdict(not late, "latency", reason)

    return in_time
