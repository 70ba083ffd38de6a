"""The report, its charts, and the widgets that show a session."""

from __future__ import annotations

from nbroute.notebook.commands.base import Command

COMMANDS = {
    "report": Command(
        lambda desk, _: desk.router.report(), "what this session did, cost and saved"
    ),
}
