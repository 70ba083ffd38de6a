"""What is done to the comparison that the last `%%route_compare` showed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbroute.errors import SettingsError
from nbroute.notebook import tables
from nbroute.notebook.commands.base import Command

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

_QUOTES = "\"'"


def vote(desk: Desk, rest: str) -> tables.Said:
    """Keep which answer is good enough; a blind comparison is revealed."""
    card = desk.comparing.last
    if not rest:
        names = ", ".join(card.choices)
        raise SettingsError(f"`%route vote` takes one of the answers compared: {names}")
    return tables.Said(f"nbroute: {card.vote(rest.strip(_QUOTES))}")


def differences(desk: Desk, rest: str) -> tables.Said:
    """Highlight what no other answer says, or no longer."""
    if rest not in ("", "on", "off"):
        raise SettingsError(f"`%route differences` takes on or off, not {rest!r:.80}")
    desk.comparing.last.mark(rest != "off")
    marked = "no longer highlighted" if rest == "off" else "highlighted"
    return tables.Said(f"nbroute: what no other answer says is {marked}")


def matrix(desk: Desk, rest: str) -> tables.Said | None:
    """Show the last comparison of many prompts again, or write it into a file."""
    found = desk.comparing.matrix
    if rest:
        return tables.Said(f"nbroute: written to {found.grid.export(rest.strip(_QUOTES))}")
    desk.comparing.display(found.grid)
    return None


COMMANDS = {
    "vote": Command(vote, "which compared answer is the cheapest that will do", "NAME"),
    "differences": Command(differences, "highlight what no other answer says", "[on|off]"),
    "matrix": Command(matrix, "the compared prompts again, or into a file", "[FILE.csv|.jsonl]"),
}
