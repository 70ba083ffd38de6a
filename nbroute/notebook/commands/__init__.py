"""The words after `%route`; each file has those of one theme, and makes them known."""

from nbroute.notebook.commands import answers, models, quality, session, texts
from nbroute.notebook.commands.base import COMMANDS, run

__all__ = ["COMMANDS", "answers", "models", "quality", "run", "session", "texts"]
