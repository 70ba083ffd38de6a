"""Takes keys out of the texts of errors, also where a server shows a part of one or encodes it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from functools import partial
from urllib.parse import quote

REMOVED = "[key]"

#: So many characters of a key in a row are not shown; a shorter key is only looked for in what
#: a server says, where it stands alone: "x" is in our own words as well.
_RUN = 8
#: Of a key that is masked in the middle, what may be seen of both its ends together.
_ENDS = 3
#: Keys that are not known here, as litellm may have found them in the environment.
_SHAPES = re.compile(
    r"\b(?:(?:sk|gsk|xai|pk)[-_]|AIza)[-_A-Za-z0-9]{12,}"
    r"|(?<=[Bb]earer )(?=\S*\d)[-\w.~+/=]{8,}|(?<=[Bb]asic )(?=\S*\d)[-\w+/=]{8,}"
)
#: The user and the password in an address.
_USER = re.compile(r"(?<=://)[^/\s@'\"]+@")
#: Bounded, as a search in 4,000 characters without a space would otherwise take seconds.
_MASKED = re.compile(r"([^\s*•…\"']{0,64})(?:\*{2,}|•+|…+|\.{3,}|[xX]{4,})([^\s*•…\"']{0,64})")


class Key(str):
    """A key. What shows variables, or `asdict(settings)`, shows that there is one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'[key]'"


def scrubbed(text: str, keys: Sequence[str], *, ours: bool = False) -> str:
    """The text without the keys; `ours` says that words of our own are in it."""
    text = _USER.sub("", text)
    for key in keys:
        if len(key) >= _RUN:
            text = _MASKED.sub(partial(_unmasked, key=key), text)
            text = _without(text, _runs_of(key))
        elif not ours:
            text = re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", REMOVED, text)
    return _SHAPES.sub(REMOVED, text)


def _unmasked(found: re.Match[str], key: str) -> str:
    """What stands for a key of which only the ends are shown; other dots stay."""
    before, after = found.groups()
    start = max(n for n in range(len(key) + 1) if before.endswith(key[:n]))
    end = max(n for n in range(len(key) + 1) if after.startswith(key[len(key) - n :]))
    if start + end <= _ENDS:
        return found[0]
    return f"{before[: len(before) - start]}{REMOVED}{after[end:]}"


def _runs_of(key: str) -> set[str]:
    """Each run of eight characters of the key, as it is, in an address and in base64.

    In base64 it may begin at any of three places, and letters at its ends depend on what is
    before and after it.
    """
    forms = [key, quote(key, safe="")]
    for lead in range(3):
        raw = b" " * lead + key.encode()
        coded = b64encode(raw).decode()[-(-lead * 8 // 6) : len(raw) * 8 // 6]
        forms += [coded, coded.replace("+", "-").replace("/", "_")]
    return {form[at : at + _RUN] for form in forms for at in range(len(form) - _RUN + 1)}


def _without(text: str, runs: set[str]) -> str:
    """The text with one mark in the place of each stretch that is made of such runs."""
    kept, end = [], 0
    for at in range(len(text) - _RUN + 1):
        if text[at : at + _RUN] in runs:
            if at >= end:
                kept += [text[end:at], REMOVED]
            end = at + _RUN
    return "".join([*kept, text[end:]])
