"""What a command is, how a line is read, and `%route help`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from nbroute.additions import can_take, refused
from nbroute.errors import SettingsError, did_you_mean
from nbroute.notebook import options, tables

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

Run = TypeVar("Run", bound=Callable[..., Any])

_NUMBER = "[NUMBER]"
_FIRST = ("why", "escalate", "spend", "tiers", "playground")
_CELLS = {
    "%%route": "sends the prompt below it to the cheapest tier that should do",
    "%%route_compare": "sends the prompt below it to several tiers at once",
}
#: By the file that a command is in; the theme of any other file is its docstring.
_THEMES = {
    "answers": "answers (NUMBER is a card's number; without it, the last card)",
    "quality": "whether the routing is any good",
    "models": "models, prices and keys",
    "session": "this session",
    "texts": "prompts and answers",
    "base": "help",
}


class Command(NamedTuple):
    """A word after `%route`: what may follow it, an example, and the same in Python.

    `run` is given the desk, what follows, and a leading number separately. If it `takes_text`, `#`
    does not begin a comment. A string that it returns is shown with our name in front.
    """

    name: str
    run: Callable[..., Any]
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
    def choices(self) -> list[str]:
        """`good`, `too weak`, `--force`: the literal words in the usage."""
        usage = "" if "=" in self.follows else re.sub(r"--[a-z-]+ [^]]*", "", self.follows)
        words = [word.strip() for word in re.split(r"[][|]", usage)]
        own = [word for word in words if re.fullmatch(r"[a-z][a-z ]*", word)]
        return own + re.findall(r"--[a-z-]+", self.follows)

    @property
    def shown(self) -> str:
        """`%route escalate FRONTIER`."""
        return f"%route {self.name} {self.example}".rstrip()

    def __call__(self, desk: Desk, rest: str) -> Any:
        """Run it; SettingsError for a word that the usage does not have, if it lists them all."""
        numbered = self.follows.startswith(_NUMBER)
        number, rest = number_of(rest) if numbered else (None, rest)
        usage = self.follows.removeprefix(_NUMBER)
        known = usage.replace("[", " ").replace("]", " ").replace("|", " ").split()
        for word in rest.split() if usage == usage.lower() else ():
            if word not in known:
                only = f"{'only the number of an answer' if numbered else 'nothing'} may follow it"
                hint = did_you_mean(word, known) if known else only
                raise SettingsError(f"`%route {self.name}` does not know {word!r:.80}: {hint}")
        said = self.run(desk, rest, number) if numbered else self.run(desk, rest)
        return tables.Said(f"nbroute: {said}") if isinstance(said, str) else said


#: By name, in the order of the help.
COMMANDS: dict[str, Command] = {}


def _sentence(docstring: str | None) -> str:
    """The first line of a docstring, as it reads in a list."""
    first = (docstring or "").partition("\n")[0].removesuffix(".")
    return first[:1].lower() + first[1:]


def command(
    follows: str = "", example: str = "", python: str = "", *, takes_text: bool = False
) -> Callable[[Run], Run]:
    """Make a function the command of its name; its docstring is the help.

    SettingsError for one that cannot be a command.
    """

    def add(run: Run) -> Run:
        name, about = run.__name__, _sentence(run.__doc__)
        given = "desk, rest, number" if follows.startswith(_NUMBER) else "desk, rest"
        problem = "" if about else f"{name} has no docstring; write its help there"
        if not can_take(run, *given.split()):
            problem = f"{name} cannot be a command; write {name}({given})"
        if name in COMMANDS:
            problem = f"the name {name!r} is taken; give this one another"
        if problem:
            raise refused(sys.modules[run.__module__], problem)
        COMMANDS[name] = Command(name, run, about, follows, example, python, takes_text)
        return run

    return add


def number_of(rest: str) -> tuple[int | None, str]:
    """The number that the line begins with (`7` or `#7`), if any, and what follows."""
    first, _, left = rest.partition(" ")
    digits = first.removeprefix("#")
    is_number = digits.isascii() and digits.isdecimal() and len(digits) < 10
    return (int(digits), left.strip()) if is_number else (None, rest)


def run(desk: Desk, line: str) -> Any:
    """Do what the line says; SettingsError with the close matches for an unknown word."""
    name, rest = (*line.split(None, 1), "", "")[:2]
    found = _find("help" if name in ("", "-h", "--help") else name)
    rest = rest.strip() if found.takes_text else options.uncommented(rest)
    return _one(found) if rest in ("-h", "--help") else found(desk, rest)


#: What is raised if nobody can type. A RuntimeError is a kernel's without a front end, and a lost
#: or closed stdin's, which may also be a ValueError.
CANNOT_TYPE = (EOFError, OSError, RuntimeError, ValueError)


def confirmed(question: str, again: str) -> bool:
    """Whether a person says yes; SettingsError if nobody can type an answer.

    `again` is the line that does it without asking.
    """
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except CANNOT_TYPE:
        cure = f"`{again}` sends without asking"
        msg = f"nothing was sent, as nobody can type an answer here: {cure}"
        raise SettingsError(msg) from None


def _find(name: str) -> Command:
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        if not hint.startswith("did you mean"):  # it names dozens
            hint = "`%route help all` lists the commands"
        msg = f"unknown command '%route {name:.80}': {hint} (a prompt goes below `%%route`)"
        raise SettingsError(msg)
    return COMMANDS[name]


@command("[all|WORD]", "why")
def help(_desk: Desk, rest: str) -> tables.Told:  # noqa: A001 - a command has its function's name
    """How to use a command."""
    rest = rest.rstrip("? ")
    for cell in (options.ROUTE, options.COMPARE):
        if rest == cell.prog:
            return tables.Told(cell.format_help())
    if rest and rest != "all":
        return _one(_find(rest.removeprefix("%route ").strip()))
    lines = _listed(_CELLS)
    if rest:
        homes = {one.run.__module__: one.run.__globals__["__doc__"] for one in COMMANDS.values()}
        own = {home.rpartition(".")[2]: _sentence(doc) for home, doc in homes.items()}
        for file, theme in (_THEMES | own | _THEMES).items():
            here = [one for one in COMMANDS.values() if one.run.__module__.endswith(f".{file}")]
            lines += ["", theme, *_listed({one.usage: one.about for one in here})]
        return tables.Told("\n".join(lines))
    first = {COMMANDS[name].shown: COMMANDS[name].about for name in _FIRST}
    more = {
        "%route help all": f"all {len(COMMANDS)} commands",
        "%route help WORD": "one command, with an example and the same in Python",
        "%%route -h": "the options of a routed cell",
    }
    return tables.Told("\n".join([*lines, "", *_listed(first), "", *_listed(more)]))


def _one(found: Command) -> tables.Told:
    lines = [f"{found.name}: {found.about}", "", f"usage:   {found.usage}"]
    lines += [f"example: {found.shown}"] if found.example else []
    lines += [f"Python:  {found.python}"] if found.python else []
    lines += ["         (router = %route router)"] if "router." in found.python else []
    return tables.Told("\n".join(lines))


def _listed(rows: Mapping[str, str]) -> list[str]:
    """Each with its meaning next to it, or below it if there is no room."""
    lines = []
    for said, about in rows.items():
        lines += [f"  {said:<28} {about}"] if len(said) <= 28 else [f"  {said}", f"{'':31}{about}"]
    return lines
