"""What the commands share."""

from __future__ import annotations

from pathlib import Path

WIDTH = 120
#: What an equivalent amount is.
UNBILLED = "nothing billed; what the tiers' reference models would have cost"


def folder(text: str) -> Path:
    """A folder named on the command line."""
    return Path(text).expanduser()
