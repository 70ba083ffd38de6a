"""Record a session, and answer from a recording."""

from __future__ import annotations

from nbroute.notebook.commands.base import Command

COMMANDS: dict[str, Command] = {}
