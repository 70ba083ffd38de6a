"""The words of a simulated model: made from the request alone, and marked as simulated."""

from __future__ import annotations

import json
import re

from nbroute.providers.simulated_code import code_answer
from nbroute.providers.simulated_json import structured_answer
from nbroute.providers.simulated_skill import is_easy, is_unsure, prompt_of, rating
from nbroute.providers.simulated_words import MARK, last, noise, said
from nbroute.types import Request

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


def simulated_text(request: Request, skill: float) -> str:
    """Write the answer: a tier's name where one is asked for, else what the request asks.

    Where the request is `rated`, its last line is "Confidence: N", a whole number up to 10.
    """
    names = _classes(request)
    if names:
        return _chosen(names, request, skill)
    text = _answer(request, skill)
    if request.rated:
        return f"{text.rstrip()}\n\nConfidence: {rating(prompt_of(request), skill)}"
    return text


def _answer(request: Request, skill: float) -> str:
    """Answer in the form asked for, in code, or in words: the more skill, the more parts."""
    if request.schema is not None:
        return structured_answer(request, skill)
    if request.json:
        return _object(request, skill)
    code = code_answer(request, skill)
    if code:
        return code
    if is_unsure(request, skill):
        return _unsure(request, skill)
    if is_easy(prompt_of(request)):
        return _fact(request)
    return _sentence(request) if skill < _SENTENCE_BELOW else _structured(request, skill)


def _unsure(request: Request, skill: float) -> str:
    return (
        f"{MARK} {request.model} got {said(request, 'user')}. I'm not sure of the answer: it is "
        f"beyond a skill of {skill:g}."
    )


def _fact(request: Request) -> str:
    """Say nearly the same as every other model, as real ones do of an undisputed fact."""
    return (
        f"{MARK} {said(request, 'user')} asks for one fact. It would be answered in a sentence, "
        f"well under {request.max_tokens} tokens, and much the same by every model."
    )


def _sentence(request: Request) -> str:
    return (
        f"{MARK} {request.model} got {said(request, 'user')} and would answer it in a "
        f"sentence, under {said(request, 'system')} and {request.max_tokens} tokens."
    )


def _structured(request: Request, skill: float) -> str:
    steps = _STEPS[: round(skill * len(_STEPS))]
    lines = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    return (
        f"{MARK} {request.model} is no real model; this shows what it was given.\n\n"
        f"- prompt: {said(request, 'user')}\n"
        f"- system prompt: {said(request, 'system')}\n"
        f"- budget: {request.max_tokens} tokens\n\n"
        f"With a skill of {skill:g} it would:\n\n{lines}\n"
    )


def _object(request: Request, skill: float) -> str:
    return json.dumps(
        {
            "simulated": True,
            "note": f"{MARK} {request.model} is no real model",
            "prompt": said(request, "user"),
            "system": said(request, "system"),
            "max_tokens": request.max_tokens,
            "skill": skill,
        },
        ensure_ascii=False,
    )


def _classes(request: Request) -> tuple[str, ...]:
    """Find the names to choose from where the request asks for one of several words."""
    if request.max_tokens > _CLASSIFY_TOKENS:
        return ()
    asks = last(request, "system") or last(request, "user")
    listed = _ASKS_FOR_ONE.search(asks)
    if listed:
        names = re.split(r",?\s+or\s+|,\s*", listed[1].strip().rstrip("."))
        return tuple(name for name in names if name)
    return tuple(_DESCRIBED.findall(asks)) if "one word" in asks.lower() else ()


def _chosen(names: tuple[str, ...], request: Request, skill: float) -> str:
    """Choose by length alone. The less the skill, the more the hash sways it."""
    asked = last(request, "user")
    judged = _JUDGED.search(asked)
    prompt = (judged["fenced"] or judged["last"] or "") if judged else asked
    length = len(prompt.strip())
    sway = (1 - skill) * _SWAY * noise(request, "class")
    height = min(length / _CHARS_AT_THE_TOP, 1.0) ** 0.5 + sway
    return names[min(max(int(height * len(names)), 0), len(names) - 1)]
