"""The words after `%route`, and the help on them; each file has those of one theme."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nbroute.decoding import packaged
from nbroute.errors import SettingsError, did_you_mean
from nbroute.notebook import options, tables
from nbroute.notebook.commands import answers, models, session, texts

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk


class Command(NamedTuple):
    """A word after `%route`: what may follow it, an example, and the same in Python.

    In one that `takes_text`, `#` begins no comment.
    """

    run: Callable[[Desk, str], Any]
    about: str
    follows: str = ""
    example: str = ""
    python: str = ""
    takes_text: bool = False

    def usage(self, name: str) -> str:
        """`%route escalate [NUMBER] [TIER]`."""
        return f"%route {name} {self.follows}".rstrip()

    def shown(self, name: str) -> str:
        """`%route escalate FRONTIER`."""
        return f"%route {name} {self.example}".rstrip()


def run(desk: Desk, line: str) -> Any:
    """Do what the line says; SettingsError with the close matches for an unknown word."""
    name, rest = (*line.split(None, 1), "", "")[:2]
    found = _find("help" if name in ("", "-h", "--help") else name)
    rest = rest.strip() if found.takes_text else options.uncommented(rest)
    return _one(name) if rest in ("-h", "--help") else found.run(desk, rest)


def _find(name: str) -> Command:
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        if hint.startswith("there is"):  # dozens of them
            hint = "`%route help all` lists what there is"
        msg = f"unknown command '%route {name:.80}': {hint} (a prompt goes below `%%route`)"
        raise SettingsError(msg)
    return COMMANDS[name]


def help_text(_desk: Desk, rest: str) -> tables.Told:
    """The first commands to know, all of them by theme, or one of them."""
    if rest == "all":
        return _all()
    if rest:
        return _one(rest.removeprefix("%route ").strip())
    first = {COMMANDS[name].shown(name): COMMANDS[name].about for name in _FIRST}
    more = {
        "%route help all": f"all {len(COMMANDS)} commands",
        "%route help WORD": "one command, with an example and the same in Python",
        "%%route -h": "the options of a routed cell",
    }
    return tables.Told("\n".join([*_listed(_CELLS), "", *_listed(first), "", *_listed(more)]))


def _all() -> tables.Told:
    lines = _listed(_CELLS)
    for theme, words in _THEMES.items():
        usage = {COMMANDS[name].usage(name): COMMANDS[name].about for name in words}
        lines += ["", theme, *_listed(usage)]
    return tables.Told("\n".join(lines))


def _one(name: str) -> tables.Told:
    found = _find(name)
    lines = [f"{name}: {found.about}", "", f"usage:   {found.usage(name)}"]
    lines += [f"example: {found.shown(name)}"] if found.example else []
    lines += [f"Python:  {found.python}"] if found.python else []
    lines += ["         (router = %route router)"] if "router." in found.python else []
    return tables.Told("\n".join(lines))


def _listed(rows: Mapping[str, str]) -> list[str]:
    """Each with its meaning, below it where there is no room beside it."""
    lines = []
    for said, about in rows.items():
        lines += [f"  {said:<28} {about}"] if len(said) <= 28 else [f"  {said}", f"{'':31}{about}"]
    return lines


_FIRST = ("why", "escalate", "spend", "tiers", "playground")
_CELLS = {
    "%%route": "sends the prompt below it to the cheapest tier that should do",
    "%%route_compare": "sends the prompt below it to several tiers at once",
}
_THEMES: dict[str, Mapping[str, Callable[[Desk, str], Any]]] = {
    "answers (NUMBER is that of a card; without it, the last one)": answers.COMMANDS,
    "models, prices and keys": models.COMMANDS,
    "this session": session.COMMANDS,
    "prompts and answers": texts.COMMANDS,
    "help": {"help": help_text},
}
_WORDS = packaged("nbroute.notebook.commands", "words.toml")
COMMANDS: dict[str, Command] = {
    name: Command(function, **_WORDS[name])
    for words in _THEMES.values()
    for name, function in words.items()
}
