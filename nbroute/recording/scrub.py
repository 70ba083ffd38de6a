"""Removes keys from what is written to a file that is shared."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import quote

from nbroute.decoding import packaged
from nbroute.providers.openai_errors import secrets_in
from nbroute.types import Message, Provider, Request

REMOVED = "[key removed]"

#: What is given as a key to endpoints that want none.
_PLACEHOLDER = re.compile(
    "anything|changeme|default|lm-?studio|no-key|not-needed|nothing|ollama|placeholder"
    "|sk-no-key-required|testing|unused",
    re.IGNORECASE,
)
#: A shorter value is not a key, and may be part of ordinary words.
_SHORTEST = 6
#: Where a provider written for version 0.1.0 keeps its key and its address.
_KEY_NAMES = ("api_key", "_api_key", "key", "_key", "token", "_token")
_ADDRESS_NAMES = ("base_url", "_base_url", "api_base", "url", "host")
#: The shortest part of a web token.
_PART = 8
#: Between two characters of a key that is broken over two lines, or was and is one line again.
_LINE_END = r"(?:\\?\r?\n[ \t]*| )?"


class _Shape(NamedTuple):
    """Keys of one kind; a text with one also has one of the `hints`."""

    hints: tuple[str, ...]
    pattern: str
    is_key: Callable[[str], bool] = bool

    def put(self, found: re.Match[str]) -> str:
        """What replaces a match."""
        return REMOVED if self.is_key(found[0]) else found[0]


def _has_digit(text: str) -> bool:
    return any("0" <= c <= "9" for c in text)


def _is_web_token(text: str) -> bool:
    parts = text.split(".")
    windows = zip(parts, parts[1:], parts[2:], strict=False)
    return any(min(map(len, three)) >= _PART for three in windows)


_IS_KEY: dict[str, Callable[[str], bool]] = {"has a digit": _has_digit, "web token": _is_web_token}
_SHAPES = tuple(
    _Shape(tuple(row["hints"]), "".join(row["pattern"]), _IS_KEY.get(row.get("is_key"), bool))
    for row in packaged("nbroute.recording", "keys.toml")["shapes"]
)


class Scrubber:
    """Replaces the given keys, and those of well-known shapes, with "[key removed]".

    Each `look_again` asks `later` for further keys, as one may be set half-way.
    """

    def __init__(
        self, keys: Iterable[str] = (), later: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self._known: tuple[str, ...] = ()
        self._keys = tuple(keys)
        self._later = later
        self.look_again()

    def look_again(self) -> None:
        """Take in the keys set by now, as texts, addresses, JSON and HTML write them."""
        found = set(self._known)
        for key in map(str.strip, (*self._keys, *self._later())):
            if len(key) >= _SHORTEST and not _PLACEHOLDER.fullmatch(key):
                found |= {key, quote(key), quote(key, safe=""), json.dumps(key)[1:-1]}
                found.add(html.escape(key))
        self._known = tuple(sorted(found, key=len, reverse=True))

    def text(self, text: str) -> str:
        """The text without keys, even if one is escaped or continues on the next line."""
        for key in self._known:
            if key[:_SHORTEST] in text:
                text = re.sub(_LINE_END.join(map(re.escape, key)), REMOVED, text)
        for shape in _SHAPES:
            if any(hint in text for hint in shape.hints):
                text = re.sub(shape.pattern, shape.put, text)
        return text

    def deep(self, value: Any) -> Any:
        """The same plain JSON with no key in any of its texts."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(name)): self.deep(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.deep(one) for one in value]
        return value

    def request(self, request: Request) -> Request:
        """The request with no key in its messages or its schema."""
        messages = tuple(Message(one.role, self.text(one.content)) for one in request.messages)
        schema = request.schema and self.deep(dict(request.schema))
        return replace(request, model=self.text(request.model), messages=messages, schema=schema)


def secrets_of(provider: Provider) -> list[str]:
    """What the provider calls secret; for one written for 0.1.0, what is in the usual places."""
    told = getattr(provider, "secrets", None)
    if callable(told):
        return list(told())
    keys = (getattr(provider, name, None) for name in _KEY_NAMES)
    addresses = (str(getattr(provider, name, "")) for name in _ADDRESS_NAMES)
    found = [key for key in keys if isinstance(key, str)]
    return found + [one for address in addresses for one in secrets_in(address)]
