"""What people say of answers."""

from __future__ import annotations

from nbroute.notebook.commands.base import Command

COMMANDS: dict[str, Command] = {}
