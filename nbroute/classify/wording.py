"""How a reason names what it is based on, in everyday words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nbroute.types import Signal

#: The rest of a word whose stem was found; scripts without spaces have none.
_REST = re.compile(r"[^\W\d_\u3040-\u9fff]*")


def found_in(prompt: str, signals: Iterable[Signal]) -> str:
    """`starts with "What is", contains "tax" and "law"`: whole words, none of them twice."""
    begins, inside = "", dict[str, str]()
    for signal in signals:
        if signal.start is None or signal.end is None:
            continue
        rest = _REST.match(prompt, signal.end)
        text = " ".join((signal.text + (rest[0] if rest else "")).split())
        if not begins and not prompt[: signal.start].strip():
            begins = text
        inside.setdefault(text.casefold(), f'"{text}"')
    inside.pop(begins.casefold(), None)
    told = [f'starts with "{begins}"'] if begins else []
    return ", ".join(told + ([f"contains {listed(list(inside.values()))}"] if inside else []))


def listed(words: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def counted(number: int, noun: str) -> str:
    """`no words`, `one word`, `7 words`."""
    return f"{ {0: 'no', 1: 'one'}.get(number, f'{number:,}') } {noun}{'' if number == 1 else 's'}"


def confident(confidence: float | None) -> str:
    """`85% confident`, with 100% only where it is certain; empty for None."""
    if confidence is None:
        return ""
    return f"{min(round(confidence * 100), 100 if confidence >= 1 else 99)}% confident"
