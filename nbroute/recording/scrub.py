"""Takes keys out of what is written to a file that is handed on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from nbroute.types import Message, Request

REMOVED = "[key removed]"

#: What stands in a key's place for endpoints that want none.
_PLACEHOLDERS = frozenset(
    {
        "anything",
        "changeme",
        "default",
        "lm-studio",
        "lmstudio",
        "no-key",
        "not-needed",
        "nothing",
        "ollama",
        "placeholder",
        "sk-no-key-required",
        "testing",
        "unused",
    }
)
#: A shorter value is no key, and would be found inside ordinary words.
_SHORTEST = 6

#: Keys of well-known vendors, bearer tokens, JSON web tokens, and the user in an address, each
#: with what must stand in a text for it, which is looked for first as that takes no time. Where
#: words could look alike, a digit is asked for.
_SHAPES = (
    (("sk-",), r"(?<![A-Za-z0-9])sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}"),
    (("AIza",), r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}"),
    (("gh", "github_pat_"), r"(?<![A-Za-z0-9])(?:gh[opsur]_|github_pat_)[A-Za-z0-9_]{20,}"),
    (("hf_", "gsk_", "xai-", "r8_"), r"(?<![A-Za-z0-9])(?:hf_|gsk_|xai-|r8_)[A-Za-z0-9_]{20,}"),
    (("AKIA",), r"(?<![A-Za-z0-9])AKIA[A-Z0-9]{16}"),
    (
        ("eyJ",),
        r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    ),
    (
        ("earer ", "EARER "),
        r"(?i:(?<=bearer ))(?=[A-Za-z._~+/-]*[0-9])[A-Za-z0-9._~+/-]{16,}=*",
    ),
    (("://",), r"(?<=://)[^/\s@\"'<>]+(?=@)"),
)


class Scrubber:
    """Puts "[key removed]" in the place of the keys it is told of, and of well-known shapes."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        known = {key.strip() for key in keys if _is_key(key.strip())}
        self._known = sorted(known, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without keys."""
        for key in self._known:
            text = text.replace(key, REMOVED)
        for hints, shape in _SHAPES:
            if any(hint in text for hint in hints):
                text = _compiled(shape).sub(REMOVED, text)
        return text

    def deep(self, value: Any) -> Any:
        """The same value of plain JSON with no key in any of its texts."""
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
        schema = None if request.schema is None else self.deep(dict(request.schema))
        return replace(request, model=self.text(request.model), messages=messages, schema=schema)


@cache
def _compiled(shape: str) -> re.Pattern[str]:
    return re.compile(shape)


def _is_key(value: str) -> bool:
    return len(value) >= _SHORTEST and value.casefold() not in _PLACEHOLDERS
