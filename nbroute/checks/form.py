"""Reply -> Verdict: whether it is whole, is JSON and came in time."""

from __future__ import annotations

from nbroute.checks.text import parse_json
from nbroute.types import Check, Reply, Verdict


def not_truncated(reply: Reply) -> Verdict:
    """Fails an answer that ended because the token budget was used up."""
    cut = reply.finish_reason == "length"
    return Verdict(not cut, "truncation", "cut off by the token budget" if cut else "")


def valid_json(reply: Reply) -> Verdict:
    """Fails an answer that `parse_json` cannot read."""
    try:
        parse_json(reply.text)
    except ValueError as error:
        feedback = f"The answer before could not be read as JSON: {error}."
        return Verdict(False, "json", str(error), feedback)
    return Verdict(True, "json")


def in_time(target_ms: float) -> Check:
    """A check that fails an answer that took longer than the target, in milliseconds."""

    def in_time(reply: Reply) -> Verdict:
        late = reply.latency_ms > target_ms
        reason = f"took {reply.latency_ms:.0f} ms, the target is {target_ms:g} ms" if late else ""
        return Verdict(not late, "latency", reason)

    return in_time
