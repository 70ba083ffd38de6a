"""Keys: where they may go unencrypted, and how they are removed from error messages."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

REMOVED = "[key]"

#: This many characters of a key in a row are not shown; a shorter key is removed only from a
#: server's words, and only as a whole word: "x" is in our own words as well.
_RUN = 8
#: How many characters may be seen of a key that is masked in the middle, at both ends together.
_ENDS = 3
#: The shapes of keys that we were not given: litellm may have found them in the environment.
_SHAPES = re.compile(
    r"\b(?:(?:sk|gsk|xai|pk)[-_]|AIza)[-_A-Za-z0-9]{12,}"
    r"|(?<=[Bb]earer )(?=\S*\d)[-\w.~+/=]{8,}|(?<=[Bb]asic )(?=\S*\d)[-\w+/=]{8,}"
)
#: The user and the password in an address.
_USER = re.compile(r"(?<=://)[^/\s@'\"]+@")
#: What replaces the middle of a key.
_MASK = re.compile(
    r"\*{2,}|•+|…+|\.{2,}|x{4,}|#{2,}|-{3,}|_{3,}|[\[<(](?:\W{0,5}|redacted|masked|hidden)[\])>]",
    re.IGNORECASE,
)


def stays_here(url: str) -> bool:
    """Whether the address is this machine's own on any network.

    These are 127.0.0.0/8, ::1 and, by RFC 6761 (6.3), localhost and the names under it.
    """
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return f".{host.removesuffix('.')}".endswith(".localhost")
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


class Key(str):
    """A key. Debuggers and `asdict(settings)` show only that there is one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'[key]'"


def scrubbed(text: str, keys: Sequence[str], *, ours: bool = False) -> str:
    """The text without the keys; `ours` says that it contains words of our own."""
    text = _USER.sub("", text)
    for key in keys:
        if len(key) >= _RUN:
            text = _without(_unmasked(text, key), _runs_of(key))
        elif not ours:
            text = re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", REMOVED, text)
    return _SHAPES.sub(REMOVED, text)


def _unmasked(text: str, key: str) -> str:
    """The text with one mark for each key whose ends are shown; other dots stay."""
    kept, done, longest = [], 0, range(min(len(key), 64) + 1)
    for mask in _MASK.finditer(text):
        at, end = mask.span()
        before = max(n for n in longest if text.endswith(key[:n], done, max(at, done)))
        after = max(n for n in longest if text.startswith(key[len(key) - n :], end))
        if at >= done and before + after > _ENDS:
            kept += [text[done : at - before], REMOVED]
            done = end + after
    return "".join([*kept, text[done:]])


def _runs_of(key: str) -> set[str]:
    """Every eight characters in a row of the key, plain and as a server may encode it.

    In base64 a key may begin at three offsets.
    """
    forms = [key, key[::-1], key.lower(), key.upper(), quote(key, safe="")]
    forms += [key.encode().hex(), key.encode().hex().upper()]
    for escape in ("%{:02X}", "%{:02x}", "\\u{:04x}", "&#{};"):
        forms.append("".join(escape.format(ord(character)) for character in key))
    for lead in range(3):
        coded = b64encode(b" " * lead + key.encode()).decode()
        forms += [coded, coded.replace("+", "-").replace("/", "_")]
    return {form[at : at + _RUN] for form in forms for at in range(len(form) - _RUN + 1)}


def _without(text: str, runs: set[str]) -> str:
    """The text with one mark for each stretch that consists of these runs."""
    kept, end = [], 0
    for at in range(len(text)):
        if text[at : at + _RUN] in runs:
            if at >= end:
                kept += [text[end:at], REMOVED]
            end = at + _RUN
    return "".join([*kept, text[end:]])
