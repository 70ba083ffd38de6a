"""Texts of a simulated model for a JSON schema: by format, pattern and length."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nbroute.providers.simulated_words import MARK

_FORMATS: Mapping[str, str] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "simulated@example.com",
    "idn-email": "simulated@example.com",
    "hostname": "simulated.example.com",
    "idn-hostname": "simulated.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/simulated",
    "uri-reference": "https://example.com/simulated",
    "iri": "https://example.com/simulated",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "json-pointer": "/simulated",
    "regex": "simulated",
}
_UNIT = re.compile(
    r"(\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|\((?:\?:)?[^()]*\)|[^\\\[\]()^$|?*+{}])"
    r"(?:\{(\d+)(?:,(\d*))?\}|([*+?]))?"
)
_MOST = 10_000
_TRIED = "s1A -_.@/:+#,;=!'\"()"


def string_for(schema: Mapping[str, Any], name: str) -> str:
    """Make a text that says it is simulated, as far as the schema leaves room for that."""
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    least, most = min(schema.get("minLength", 0), _MOST), schema.get("maxLength")
    if "pattern" in schema:
        return _matching(str(schema["pattern"]), least, most)
    text = f"{MARK} {name}"
    text += " simulated" * (max(least - len(text), 0) // 10 + 1 if len(text) < least else 0)
    if most is None or len(text) <= most:
        return text
    return text[:most] if most >= len(MARK) else "simulated"[:most].ljust(least, "d")


def _matching(pattern: str, least: int, most: int | None) -> str:
    """Try the plainest texts that the pattern may mean; the mark where none of them does."""
    for times in (1, 2, 3, 5, 8, max(least, 9)):
        for text in (MARK, "simulated", _written(pattern, times)):
            long_enough = least <= len(text) and (most is None or len(text) <= most)
            if long_enough and _matches(pattern, text):
                return text
    return MARK


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _written(pattern: str, times: int) -> str:
    """Write out the first alternative; what repeats without end does so `times` times."""
    text = ""
    for unit, count, most, sign in _UNIT.findall(_first_alternative(pattern)):
        repeats = {"*": times - 1, "?": 0, "+": times}.get(sign, min(int(count or 1), _MOST))
        if most == "" and count and f"{{{count},}}" in pattern:
            repeats = max(repeats, times)
        text += _unit(unit, times) * repeats
    return text


def _unit(unit: str, times: int) -> str:
    if unit.startswith("("):
        return _written(unit[1:-1].removeprefix("?:"), times)
    if unit == ".":
        return "s"
    if len(unit) == 1:
        return unit
    return next((char for char in _TRIED if _matches(rf"\A{unit}\Z", char)), unit[-1])


def _first_alternative(pattern: str) -> str:
    """Cut at the first bar that stands in no bracket."""
    depth = 0
    for place, char in enumerate(pattern):
        depth += (char in "([") - (char in ")]")
        if char == "|" and depth == 0:
            return pattern[:place]
    return pattern
