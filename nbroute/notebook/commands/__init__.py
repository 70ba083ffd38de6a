"""The words after `%route`; each file has those of one theme, and registers them."""

from nbroute.additions import modules_of, refused
from nbroute.notebook.commands.base import COMMANDS, run

__all__ = ["COMMANDS", "run"]

for _more in modules_of("nbroute.notebook.commands").values():
    if all(_one.run.__module__ != _more.__name__ for _one in COMMANDS.values()):
        raise refused(_more, "it has no command; write @command() above a function")
