"""What is done to the comparison that the last `%%route_compare` showed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbroute.errors import SettingsError
from nbroute.notebook import tables
from nbroute.notebook.commands.base import Command

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk


def vote(desk: Desk, rest: str) -> tables.Said:
    """Keep which answer is the cheapest acceptable one; a blind comparison is revealed."""
    card = desk.comparing.last
    if not rest:
        names = ", ".join(choice for choice, _ in card.choices)
        raise SettingsError(f"`%route vote` takes one of the answers compared: {names}")
    card.vote(rest.strip("\"'"))
    return tables.Said(f"nbroute: {card.kept}")


def differences(desk: Desk, rest: str) -> tables.Said:
    """Mark the words that only one answer has, or no longer."""
    if rest not in ("", "on", "off"):
        raise SettingsError(f"`%route differences` takes on or off, not {rest!r:.80}")
    desk.comparing.last.mark(rest != "off")
    marked = "no longer marked" if rest == "off" else "marked"
    return tables.Said(f"nbroute: words that only one answer has are {marked}")


COMMANDS = {
    "vote": Command(vote, "which compared answer is the cheapest acceptable", "NAME"),
    "differences": Command(differences, "mark the words that only one answer has", "[on|off]"),
}
