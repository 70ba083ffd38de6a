"""The words of a simulated model: made from the request alone, and marked as simulated."""

from __future__ import annotations

import hashlib
import json
import re
from itertools import islice

from nbroute.types import Request

MARK = "[simulated]"

_TOKEN = re.compile(r"\s*(?:\w{1,12}|[^\w\s])|\s+")
_QUOTED_CHARS = 60
_SENTENCE_BELOW = 0.5
_STEPS = (
    "say what is asked and what is left open",
    "list what the prompt gives",
    "work through it part by part",
    "check the result against the prompt",
    "answer, with its limits",
)
_CLASSIFY_TOKENS = 16
_CHARS_AT_THE_TOP = 700
_SWAY = 0.1
_ASKS_FOR_ONE = re.compile(
    r"(?:one word|one of these|nothing else|only the)\b[^:\n]*:[ \t]*(\S.*)", re.IGNORECASE
)
_DESCRIBED = re.compile(
    r"^\s*(?:[-*]\s+)?([\w.-]+)\s*(?::|\s[-\u2013\u2014])[ \t]+\S", re.MULTILINE
)
_JUDGED = re.compile(
    r"<(request[\w-]*)>(?P<fenced>.*)</\1>|user request:(?P<last>.*)", re.IGNORECASE | re.DOTALL
)


def tokens_of(text: str) -> list[str]:
    """Cut by the simulated models' own rule (see `Simulated`); joined, they are the text."""
    return _TOKEN.findall(text)


def simulated_text(request: Request, skill: float) -> str:
    """Write the answer: a tier's name where one is asked for, else what the model was given.

    Below a skill of 0.5 it is one sentence, above it has parts, and the more the better.
    """
    names = _classes(request)
    if names:
        return _chosen(names, request, skill)
    if request.json:
        return _object(request, skill)
    return _sentence(request) if skill < _SENTENCE_BELOW else _structured(request, skill)


def _sentence(request: Request) -> str:
    return (
        f"{MARK} {request.model} got {_said(request, 'user')} and would answer it in a "
        f"sentence, under {_said(request, 'system')} and {request.max_tokens} tokens."
    )


def _structured(request: Request, skill: float) -> str:
    steps = _STEPS[: round(skill * len(_STEPS))]
    lines = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    return (
        f"{MARK} {request.model} is no real model; this shows what it was given.\n\n"
        f"- prompt: {_said(request, 'user')}\n"
        f"- system prompt: {_said(request, 'system')}\n"
        f"- budget: {request.max_tokens} tokens\n\n"
        f"With a skill of {skill:g} it would:\n\n{lines}\n"
    )


def _object(request: Request, skill: float) -> str:
    return json.dumps(
        {
            "simulated": True,
            "note": f"{MARK} {request.model} is no real model",
            "prompt": _said(request, "user"),
            "system": _said(request, "system"),
            "max_tokens": request.max_tokens,
            "skill": skill,
        },
        ensure_ascii=False,
    )


def _said(request: Request, role: str) -> str:
    """Tell the last message of that role: its words counted and its beginning quoted."""
    words = _last(request, role).split()
    if not words:
        return "no system prompt" if role == "system" else "an empty prompt"
    text = " ".join(islice(words, _QUOTED_CHARS))
    short = text if len(text) <= _QUOTED_CHARS else f"{text[:_QUOTED_CHARS]}..."
    return f'"{short}" ({len(words)} {"word" if len(words) == 1 else "words"})'


def _last(request: Request, role: str) -> str:
    return next((m.content for m in reversed(request.messages) if m.role == role), "")


def _classes(request: Request) -> tuple[str, ...]:
    """Find the names to choose from where the request asks for one of several words."""
    if request.max_tokens > _CLASSIFY_TOKENS:
        return ()
    asks = _last(request, "system") or _last(request, "user")
    listed = _ASKS_FOR_ONE.search(asks)
    if listed:
        names = re.split(r",?\s+or\s+|,\s*", listed[1].strip().rstrip("."))
        return tuple(name for name in names if name)
    return tuple(_DESCRIBED.findall(asks)) if "one word" in asks.lower() else ()


def _chosen(names: tuple[str, ...], request: Request, skill: float) -> str:
    """Choose by length alone. The less the skill, the more the hash sways it."""
    said = _last(request, "user")
    judged = _JUDGED.search(said)
    prompt = (judged["fenced"] or judged["last"] or "") if judged else said
    length = len(prompt.strip())
    sway = (1 - skill) * _SWAY * noise(request, "class")
    height = min(length / _CHARS_AT_THE_TOP, 1.0) ** 0.5 + sway
    return names[min(max(int(height * len(names)), 0), len(names) - 1)]


def noise(request: Request, purpose: str) -> float:
    """Draw a number from -1 to 1 that the request's content alone decides."""
    content = repr((purpose, request.model, request.messages, request.temperature))
    digest = hashlib.sha256(content.encode()).digest()
    return int.from_bytes(digest[:4], "big") / 0x7FFFFFFF - 1
