"""What the simulated models share: their mark, their tokens, and draws from a request."""

from __future__ import annotations

import hashlib
import re
from itertools import islice

from nbroute.types import Request

MARK = "[simulated]"

_TOKEN = re.compile(r"\s*(?:\w{1,12}|[^\w\s])|\s+")
_QUOTED_CHARS = 60


def tokens_of(text: str) -> list[str]:
    """Cut by the simulated models' own rule (see `Simulated`); joined, they are the text."""
    return _TOKEN.findall(text)


def draw(*parts: object) -> float:
    """Draw a number from 0 to 1 that the parts alone decide."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 0xFFFFFFFF


def noise(request: Request, purpose: str) -> float:
    """Draw a number from -1 to 1 that the request's content alone decides."""
    return 2 * draw(purpose, request.model, request.messages, request.temperature) - 1


def last(request: Request, role: str) -> str:
    """Find the last message of that role; an empty text where there is none."""
    return next((m.content for m in reversed(request.messages) if m.role == role), "")


def said(request: Request, role: str) -> str:
    """Tell the last message of that role: its words counted and its beginning quoted."""
    words = last(request, role).split()
    if not words:
        return "no system prompt" if role == "system" else "an empty prompt"
    text = " ".join(islice(words, _QUOTED_CHARS))
    short = text if len(text) <= _QUOTED_CHARS else f"{text[:_QUOTED_CHARS]}..."
    count = f"{len(words)} {'word' if len(words) == 1 else 'words'}"
    return f'"{short}" ({count}{_turn(request) if role == "user" else ""})'


def _turn(request: Request) -> str:
    turn = sum(message.role == "user" for message in request.messages)
    return f", turn {turn}" if turn > 1 else ""
