"""Completion on a `%%route` or `%route` line, and of `{{name}}` below it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_CELL = re.compile(r"\s*%%(route(?:_compare)?)(?:\s|$)")
_LINE = re.compile(r"\s*(?:[\w.,\s]+=\s*)?%route(?:\s+(.*))?$", re.DOTALL)
_FORGETS = re.compile(r"(teach|threads)\s+forget\s+(.*)", re.DOTALL)
_WORD = re.compile(r"(?:^|(?<=[\s=]))[^\s=]*$")
_FIELD = re.compile(r"\{\{\s*(\w*)$")

#: The words to choose from at the moment, by kind.
Vocabulary = Mapping[str, Sequence[str]]

#: The kind of word that the value of each option is; "" for free values.
_VALUES = {
    option: kind
    for kind, options in {
        "tiers": "-t --tier --start --tiers",
        "tiers models": "--judge",
        "directions": "--direction",
        "models": "-m --model",
        "strategies": "-S --strategy",
        "classifiers": "-c --classifier",
        "systems": "-s --system",
        "variables": "-o --output --schema --over tests",
        "cache": "--cache",
        "ways": "--by",
        "efforts": "--effort",
        "threads": "--thread",
        "checks": "--check",
        "": "--repeat --max-tokens --max-cost --temperature --feature --agreement --to --sample "
        "--seed --again",
    }.items()
    for option in options.split()
}
_ARGUMENTS = {
    "use": "profiles",
    "key": "keys",
    "escalate": "tiers",
    "teach": "lessons",
    "tiers": "tiers",
    "threads": "threads",
    "vote": "votes",
    "help": "subcommands",
    "audit": "variables",
}


class _Nothing(tuple[Any, ...]):
    """No completion of ours nor of Python's: only a matcher that has some may suppress others."""

    __slots__ = ()

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def make_matcher(vocabulary: Callable[[], Vocabulary]) -> Callable[[Any], dict[str, Any]]:
    """An IPython matcher (API 2) that asks for the vocabulary each time it is needed.

    In a routed cell it suppresses Python's completions, even within the prompt.
    """
    from IPython.core.completer import SimpleCompletion, context_matcher

    def matcher(context: Any) -> dict[str, Any]:
        found = complete(
            context.full_text, context.cursor_line, context.text_until_cursor, vocabulary
        )
        if found is None:
            return {"completions": [], "suppress": False}
        fragment, words = found
        choices = [SimpleCompletion(text=word, type="nbroute") for word in words]
        return {
            "completions": choices or _Nothing(),
            "matched_fragment": fragment,
            "suppress": True,
            "ordered": True,
        }

    made: Callable[[Any], dict[str, Any]] = context_matcher(identifier="nbroute")(matcher)
    return made


def complete(
    cell: str, row: int, before: str, vocabulary: Callable[[], Vocabulary]
) -> tuple[str, Sequence[str]] | None:
    """The word before the cursor and what could complete it; None if it is not ours to complete."""
    lines = cell.split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    magic = _CELL.match(lines[first])
    line = None if magic else _LINE.match(before)
    field = _FIELD.search(before) if magic or line else None
    if field:
        fragment, kinds = field[1], "variables"
    elif magic and row > first:
        fragment, kinds = "", ""
    elif magic and row == first and len(before) > magic.end(1):
        fragment, kinds = _in_cell(magic[1], before[magic.end(1) :])
    elif line and line[1] is not None:
        fragment, kinds = _in_line(line[1])
    else:
        return None
    wanted, words = fragment.casefold(), vocabulary() if kinds else {}
    for kind in kinds.split():
        known = words.get(kind, ())
        begin = [word for word in known if word.casefold().startswith(wanted)]
        if found := begin or [word for word in known if wanted in word.casefold()]:
            return fragment, found
    return fragment, ()


def _in_cell(magic: str, rest: str) -> tuple[str, str]:
    """The word before the cursor and the kinds of word that it can be."""
    found = _WORD.search(rest)
    fragment = found[0] if found else ""
    option = re.split(r"[\s=]+", rest[: len(rest) - len(fragment)].strip("= \t"))[-1]
    if option in _VALUES:
        return fragment, _VALUES[option]
    if magic == "route_compare":
        return fragment, "compare_options" if fragment.startswith("-") else "tiers models"
    if fragment.startswith("-") or not fragment:
        return fragment, "options"
    return fragment, "" if option else "variables"


def _in_line(rest: str) -> tuple[str, str]:
    if forgets := _FORGETS.match(rest):
        return forgets[2], {"teach": "taught", "threads": "threads"}[forgets[1]]
    *earlier, fragment = re.split(r"\s+", rest)
    if not earlier:
        return fragment, "subcommands"
    if len(earlier) == 2 and earlier[1].lstrip("#").isdecimal():
        earlier.pop()  # the number of a card
    if earlier[0] == "tiers" and "=" in fragment:
        return fragment.partition("=")[2], "models"
    if len(earlier) > 1:
        more = f"after:{earlier[0]}" if fragment.startswith("-") else ""
        return fragment, _VALUES.get(earlier[-1], more)
    return fragment, f"{_ARGUMENTS.get(earlier[0], '')} after:{earlier[0]}"
