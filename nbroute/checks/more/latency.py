"""`--check latency=2000`: an answer within so many milliseconds."""

from __future__ import annotations

import math

from nbroute.checks.text import held
from nbroute.types import Reply, Verdict

TAKES = "milliseconds, more than 0 (such as latency=2000)"


def fits(value: float) -> bool:
    """Whether it is a target."""
    return 0 < value < math.inf


def check(reply: Reply, value: float) -> Verdict:
    """Fails an answer that took longer than the target."""
    reason = f"took {reply.latency_ms:.0f} ms, the target is {value:g} ms"
    return held(reply.latency_ms <= value, "latency", reason)
