"""What a command is, and what it reads of the words that follow it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from nbroute.errors import SettingsError, did_you_mean

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk
    from nbroute.types import RouteResult

Run = Callable[["Desk", str], Any]


class Command(NamedTuple):
    """A word after `%route`: what may follow it, an example, and the same in Python.

    In one that `takes_text`, `#` begins no comment.
    """

    name: str
    run: Run
    about: str
    follows: str = ""
    example: str = ""
    python: str = ""
    takes_text: bool = False

    @property
    def usage(self) -> str:
        """`%route escalate [NUMBER] [TIER]`."""
        return f"%route {self.name} {self.follows}".rstrip()

    @property
    def shown(self) -> str:
        """`%route escalate FRONTIER`."""
        return f"%route {self.name} {self.example}".rstrip()


#: By name, in the order of the help.
COMMANDS: dict[str, Command] = {}


def command(
    follows: str = "", example: str = "", python: str = "", *, takes_text: bool = False
) -> Callable[[Run], Run]:
    """Make a function the command of its name; the help says its docstring."""

    def add(run: Run) -> Run:
        name, about = run.__name__, (run.__doc__ or "").removesuffix(".")
        about = about[:1].lower() + about[1:]
        COMMANDS[name] = Command(name, run, about, follows, example, python, takes_text)
        return run

    return add


def numbered(desk: Desk, rest: str) -> tuple[RouteResult, str]:
    """The answer whose number the line begins with, else the last one; and what follows."""
    number, left = number_of(rest)
    return (desk.newest if number is None else desk.card(number).result), left


def number_of(rest: str) -> tuple[int | None, str]:
    """The number that the line begins with (`7` or `#7`), if it does, and what follows."""
    first, _, left = rest.partition(" ")
    digits = first.removeprefix("#")
    is_number = digits.isascii() and digits.isdecimal() and len(digits) < 10
    return (int(digits), left.strip()) if is_number else (None, rest)


def only(name: str, rest: str, *allowed: str) -> list[str]:
    """The words of the line, each of which must be allowed; SettingsError otherwise."""
    words = rest.split()
    for word in words:
        if word not in allowed:
            hint = did_you_mean(word, allowed) if allowed else "nothing may follow it"
            raise SettingsError(f"`%route {name}` does not know {word!r:.80}: {hint}")
    return words
