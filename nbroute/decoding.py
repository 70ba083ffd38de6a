"""JSON that anybody can have written -> our types, or in everyday words why it cannot be one."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
_WORDS |= {"array": "a list", "object": "an object"}


def decode(value: Any, kind: type[T], dec_hook: Callable[[type, Any], Any] | None = None) -> T:
    """The value as that kind; ValueError says where it is not one, and what stands there."""
    try:
        return msgspec.convert(value, kind, dec_hook=dec_hook)
    except msgspec.ValidationError as error:
        raise ValueError(_in_words(str(error), value)) from None


def _in_words(error: str, value: Any) -> str:
    said, _, place = error.replace("`key` in ", "").partition(" - at `$")
    place, inner, _ = place.strip(".`").partition("[...]")
    if lacking := re.fullmatch("Object missing required field `(.+)`", said):
        return f"it lacks {lacking[1]!r}{f' in {place}' if place else ''}"
    said = said.replace("Invalid enum value", "there is no").replace("Expected", "expected")
    for theirs in re.findall("`(.+?)`", said):
        ours = " or ".join(_WORDS.get(one, one) for one in theirs.split(" | "))
        said = said.replace(f"`{theirs}`", ours)
    if not place:
        return said
    if inner or not said.startswith("expected"):
        return f"{place}: {said}"
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", place):
        value = value[int(index) if index else name]
    return f"{place} is {reprlib.repr(value)}: {said.partition(', got ')[0]}"
