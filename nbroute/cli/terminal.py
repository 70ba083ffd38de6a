"""Text for a terminal, and the words that commands share."""

from __future__ import annotations

import unicodedata
from pathlib import Path

WIDTH = 120
#: What an equivalent amount is.
UNBILLED = "nothing billed; what the tiers' reference models would have cost"


def folder(text: str) -> Path:
    """A folder named on the command line."""
    return Path(text).expanduser()


def fit(text: str, width: int) -> str:
    """One line of exactly that width, as a terminal counts it."""
    line = text[: len(text) - len(text.lstrip(" "))] + one_line(text)
    if columns(line) > width:
        while columns(line) > width - 1:
            line = line[:-1]
        line = f"{line.rstrip()}…"
    return line + " " * (width - columns(line))


def one_line(text: str) -> str:
    """The text with no control characters, line ends or runs of blanks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def columns(text: str) -> int:
    """How wide a terminal shows the text."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
