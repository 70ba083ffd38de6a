"""What the session would have cost under other settings."""

from __future__ import annotations

from nbroute.notebook.commands.base import Command

COMMANDS: dict[str, Command] = {}
