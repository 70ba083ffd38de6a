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


def seconds(milliseconds: float) -> str:
    """`12 ms`, `0.4 s`, `75 s`."""
    if milliseconds < 95:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 9_950:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds / 1000:.0f} s"
