"""The words that cards and tables share."""

from __future__ import annotations

from nbroute.types import Attempt

DOT = " · "


def replayed(attempt: Attempt) -> bool:
    """Whether the answer is a recording's: it has a time, and one out of the cache has none."""
    return attempt.cached and attempt.latency_ms > 0


def free(attempt: Attempt) -> str:
    """The cost of an answer that was not sent for."""
    return "$0 (replayed)" if replayed(attempt) else "$0 (cached)"
