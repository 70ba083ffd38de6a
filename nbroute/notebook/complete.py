"""Completion of what stands on a `%%route` or `%route` line, and of `{{name}}` below it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_CELL = re.compile(r"\s*%%(route(?:_compare)?)(?:\s|$)")
_LINE = re.compile(r"\s*(?:[\w.,\s]+=\s*)?%route(?:\s+(.*))?$", re.DOTALL)
_WORD = re.compile(r"(?:^|(?<=[\s=]))[^\s=]*$")
_FIELD = re.compile(r"\{\{\s*(\w*)$")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that there are to choose from, as they are now."""

    options: tuple[str, ...] = ()
    compare_options: tuple[str, ...] = ()
    subcommands: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    votes: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()


#: What the value of an option is taken from, a field of the vocabulary; nothing for free values.
_VALUES = {
    option: field
    for field, options in {
        "tiers": "-t --tier --start --tiers",
        "models": "-m --model",
        "strategies": "-S --strategy",
        "classifiers": "-c --classifier",
        "systems": "-s --system",
        "variables": "-o --output --schema --over",
        "threads": "--thread",
        "checks": "--check",
        "": "--max-tokens --max-cost --temperature --feature --agreement --cache --to",
    }.items()
    for option in options.split()
}
_ARGUMENTS = {
    "use": "profiles",
    "escalate": "tiers",
    "teach": "tiers",
    "threads": "threads",
    "vote": "votes",
    "help": "subcommands",
    "key": "profiles",
    "tiers": "tiers",
}


class _Nothing(tuple[Any, ...]):
    """No completion, and none of Python's: IPython lets only a matcher that has some suppress."""

    __slots__ = ()

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def make_matcher(vocabulary: Callable[[], Vocabulary]) -> Callable[[Any], dict[str, Any]]:
    """An IPython matcher (API 2) that asks for the vocabulary each time it is needed.

    In a routed cell it silences Python's completions, in the prose of the prompt, too.
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
) -> tuple[str, list[str]] | None:
    """What the word before the cursor is and could become; None where it is none of ours."""
    lines = cell.split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    magic = _CELL.match(lines[first])
    if magic and row > first:
        field = _FIELD.search(before)
        return (field[1], matching(field[1], vocabulary().variables)) if field else ("", [])
    if magic and row == first and len(before) > magic.end(1):
        return _of_cell(magic[1], before[magic.end(1) :], vocabulary())
    line = None if magic else _LINE.match(before)
    return _of_line(line[1], vocabulary()) if line and line[1] is not None else None


def _of_cell(magic: str, rest: str, words: Vocabulary) -> tuple[str, list[str]]:
    found = _WORD.search(rest)
    fragment = found[0] if found else ""
    earlier = re.split(r"[\s=]+", rest[: len(rest) - len(fragment)].strip("= \t"))
    option = earlier[-1]
    if (field := _VALUES.get(option)) is not None:
        return fragment, matching(fragment, getattr(words, field)) if field else []
    own = magic == "route"
    if fragment.startswith("-") or (own and not fragment):
        return fragment, matching(fragment, words.options if own else words.compare_options)
    if own:
        return fragment, matching(fragment, words.variables) if not option else []
    return fragment, matching(fragment, words.tiers) or matching(fragment, words.models)


def _of_line(rest: str, words: Vocabulary) -> tuple[str, list[str]]:
    *earlier, fragment = re.split(r"\s+", rest)
    if not earlier:
        return fragment, matching(fragment, words.subcommands)
    field = _ARGUMENTS.get(earlier[0]) if len(earlier) == 1 else _VALUES.get(earlier[-1])
    if earlier[0] == "tiers" and "=" in fragment:
        fragment, field = fragment.partition("=")[2], "models"
    return fragment, matching(fragment, getattr(words, field)) if field else []


def matching(fragment: str, words: Iterable[str]) -> list[str]:
    """The words that begin with the fragment, in whatever case; else those that contain it."""
    wanted = fragment.casefold()
    known = list(words)
    begin = [word for word in known if word.casefold().startswith(wanted)]
    return begin or [word for word in known if wanted in word.casefold()]
