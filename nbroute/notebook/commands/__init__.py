"""The words after `%route`; each file has those of one theme, and registers them."""

from nbroute.decoding import modules_of
from nbroute.notebook.commands.base import COMMANDS, run

__all__ = ["COMMANDS", "run"]

modules_of(__name__)
