"""The words after `%route`; each file has those of one concern."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError, did_you_mean
from nbroute.notebook import options, tables
from nbroute.notebook.commands import (
    comparing,
    labels,
    recording,
    seeing,
    session,
    steering,
    whatif,
)
from nbroute.notebook.commands.base import Command

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

#: What follows these is a text, in which `#` begins no comment.
_TEXTS = ("classify", "playground", "teach")


def run(desk: Desk, line: str) -> Any:
    """Do what the line says; SettingsError with the close matches for an unknown word."""
    name, rest = (*line.split(None, 1), "", "")[:2]
    if name and name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        msg = f"unknown command '%route {name}': {hint} (a prompt goes below `%%route`)"
        raise SettingsError(msg)
    rest = rest.strip() if name in _TEXTS else options.uncommented(rest)
    return COMMANDS[name or "help"].run(desk, rest)


def help_text(_desk: Desk, _rest: str) -> tables.Told:
    """All commands and options."""
    lines = [
        f"%route {f'{name} {command.follows}':<45} {command.about}"
        for name, command in COMMANDS.items()
    ]
    compare = "%%route_compare [TIERS...]: one prompt on several tiers; its options: -h"
    return tables.Told("\n".join([*lines, "", compare, "", options.make_parser().format_help()]))


COMMANDS: dict[str, Command] = {
    **session.COMMANDS,
    **seeing.COMMANDS,
    **comparing.COMMANDS,
    **labels.COMMANDS,
    **whatif.COMMANDS,
    **recording.COMMANDS,
    **steering.COMMANDS,
    "help": Command(help_text, "this list"),
}
