"""The words that cards and tables share."""

from __future__ import annotations

DOT = " · "


def seconds(milliseconds: float) -> str:
    """`12 ms`, `0.4 s`, `75 s`."""
    if milliseconds < 95:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 9_950:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds / 1000:.0f} s"
