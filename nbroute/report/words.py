"""The wording that reports, tables and cards share."""

from __future__ import annotations

from collections.abc import Sequence


def seconds(milliseconds: float) -> str:
    """`12 ms`, `0.4 s`, `75 s`."""
    if milliseconds < 95:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 9_950:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds / 1000:.0f} s"


def shortened(text: str, most: int) -> str:
    """The text as one line of at most so many characters."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def in_columns(rows: Sequence[Sequence[str]], *, right: bool = False) -> list[str]:
    """The rows as lines with their columns aligned; `right` sets all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    put = str.rjust if right else str.ljust
    return [
        "  ".join([row[0].ljust(widths[0]), *map(put, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]
