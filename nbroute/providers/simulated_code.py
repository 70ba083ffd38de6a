"""Code of a simulated model: a fenced function out of a short list, marked as simulated."""

from __future__ import annotations

import keyword
import re
from textwrap import indent

from nbroute.providers.simulated_skill import prompt_of
from nbroute.providers.simulated_tasks import TASKS, Task
from nbroute.providers.simulated_words import MARK, draw
from nbroute.types import Request

_RIGHT_FROM = 0.6
_RIGHT_WHEN_TOLD_FROM = 0.4
_STUB_SHARE = 0.3
_LOOKED_AT_CHARS = 2000
_ASKS = re.compile(
    r"\b(?:write|implement|create|define|complete|code|make|give me|fix|correct)\b[^.?!\n]{0,80}"
    r"(?:\b(?:function|method)\b(?! of\b)|\bdef \w)"
    r"|\bfunction (?:called |named )?`?[^\W\d]\w*\("
    r"|\b(?:complete|implement|finish|fix)\b[^?]{0,200}\bdef \w"
    r"|\A(?:```\w*\s*)?def \w",
    re.IGNORECASE,
)
_OTHER_LANGUAGE = re.compile(
    r"\b(?:javascript|typescript|java|golang|rust|sql|bash|php|ruby|kotlin|swift|haskell)\b|C\+\+|C#",
    re.IGNORECASE,
)
_SIGNATURES = (
    re.compile(r"\bdef\s+(\w+)\s*\(([^()]*)\)"),
    re.compile(r"`(\w+)\(([^()`]*)\)`?"),
    re.compile(r"\bfunction\s+(?:called\s+|named\s+)?(\w+)\(([^()]*)\)", re.IGNORECASE),
    re.compile(r"\b(?:called|named)\s+[`'\"]?(\w+)()"),
    re.compile(r"\bfunction\s+`(\w+)`()", re.IGNORECASE),
)
_FAILED = re.compile(
    r"Traceback \(most recent call last\)|AssertionError|^(?:E +)?\w+(?:Error|Exception)(?::|$)",
    re.MULTILINE,
)


def code_answer(request: Request, skill: float) -> str | None:
    """Write the function that the prompt asks for; None where it asks for none.

    Right from a skill of 0.6; below it has a mistake or returns None. Where a user message
    carries a traceback, a skill of 0.4 will do.
    """
    prompt = prompt_of(request)[:_LOOKED_AT_CHARS]
    if not _ASKS.search(prompt) or (_OTHER_LANGUAGE.search(prompt) and "ython" not in prompt):
        return None
    name, takes = _signature(prompt)
    task = _task(name, prompt)
    if task is None:
        return _told(request, name or "answer", takes or ("*args",), *_UNKNOWN)
    takes = takes or task.takes
    if len(takes) != len(task.takes):
        return _told(request, name or task.names[0], takes, *_UNKNOWN)
    note, body = _body(task, request, skill)
    name = name or task.names[0]
    return _told(request, name, takes, note, _renamed(task, takes) + body.replace("{name}", name))


_UNKNOWN = (
    "no model wrote this, and it is not among the exercises that are kept",
    'raise NotImplementedError("simulated: nobody wrote this function")',
)


def _body(task: Task, request: Request, skill: float) -> tuple[str, str]:
    told = any(m.role == "user" and _FAILED.search(m.content) for m in request.messages)
    if skill >= (_RIGHT_WHEN_TOLD_FROM if told else _RIGHT_FROM):
        return "an exercise that is kept for lessons", task.right
    if draw("stub", request.model, task.names, prompt_of(request)) < _STUB_SHARE:
        return f"a skill of {skill:g} leaves it empty", "return None"
    return f"a skill of {skill:g} puts a mistake in", task.wrong


def _told(request: Request, name: str, takes: tuple[str, ...], note: str, body: str) -> str:
    return (
        f"{MARK} {request.model} is no real model; this function is made up for lessons.\n\n"
        f"```python\ndef {name}({', '.join(takes)}):\n    # simulated: {note}\n"
        f"{indent(body, '    ')}\n```\n"
    )


def _signature(prompt: str) -> tuple[str | None, tuple[str, ...]]:
    """Find the function's name and its arguments' names, as far as the prompt has them."""
    found = (match for pattern in _SIGNATURES if (match := pattern.search(prompt)))
    for match in found:
        if match[1].isidentifier() and not keyword.iskeyword(match[1]):
            takes = tuple(re.split(r"[:=]", part)[0].strip() for part in match[2].split(","))
            usable = all(part.isidentifier() and not keyword.iskeyword(part) for part in takes)
            return match[1], takes if usable and len(set(takes)) == len(takes) else ()
    return None, ()


def _task(name: str | None, prompt: str) -> Task | None:
    fitting = [task for task in TASKS if re.search(task.only, prompt, re.IGNORECASE)]
    named = (task for task in fitting if (name or "").lower() in task.names)
    told = (task for task in fitting if re.search(task.told, prompt, re.IGNORECASE))
    return next(named, None) or next(told, None)


def _renamed(task: Task, takes: tuple[str, ...]) -> str:
    """Bind the task's own names to the prompt's, in one step, so that they may cross."""
    if takes == task.takes:
        return ""
    return f"{', '.join(task.takes)} = {', '.join(takes)}\n"
