"""The words after `%route`, and the help on them; each file has those of one theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError, did_you_mean
from nbroute.notebook import options, tables
from nbroute.notebook.commands import answers, models, session, texts
from nbroute.notebook.commands.base import COMMANDS, Command, command

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

_FIRST = ("why", "escalate", "spend", "tiers", "playground")
_CELLS = {
    "%%route": "sends the prompt below it to the cheapest tier that should do",
    "%%route_compare": "sends the prompt below it to several tiers at once",
}
_THEMES = {
    answers.__name__: "answers (NUMBER is that of a card; without it, the last one)",
    models.__name__: "models, prices and keys",
    session.__name__: "this session",
    texts.__name__: "prompts and answers",
    __name__: "help",
}


def run(desk: Desk, line: str) -> Any:
    """Do what the line says; SettingsError with the close matches for an unknown word."""
    name, rest = (*line.split(None, 1), "", "")[:2]
    found = _find("help" if name in ("", "-h", "--help") else name)
    rest = rest.strip() if found.takes_text else options.uncommented(rest)
    return _one(found) if rest in ("-h", "--help") else found.run(desk, rest)


def _find(name: str) -> Command:
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        if hint.startswith("there is"):  # dozens of them
            hint = "`%route help all` lists what there is"
        msg = f"unknown command '%route {name:.80}': {hint} (a prompt goes below `%%route`)"
        raise SettingsError(msg)
    return COMMANDS[name]


@command("[all|WORD]", "why")
def help(_desk: Desk, rest: str) -> tables.Told:  # noqa: A001 - a command has its function's name
    """How to use a command."""
    if rest and rest != "all":
        return _one(_find(rest.removeprefix("%route ").strip()))
    lines = _listed(_CELLS)
    if rest:
        for module, theme in _THEMES.items():
            here = [one for one in COMMANDS.values() if one.run.__module__ == module]
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
    """Each with its meaning, below it where there is no room beside it."""
    lines = []
    for said, about in rows.items():
        lines += [f"  {said:<28} {about}"] if len(said) <= 28 else [f"  {said}", f"{'':31}{about}"]
    return lines
