"""What a command reads of the words that follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbroute.errors import SettingsError, did_you_mean

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk
    from nbroute.types import RouteResult


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
