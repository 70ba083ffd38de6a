"""A simulated model as the judge of two answers to a lesson's prompt, and the truth about them.

An answer of level L is worth min(L, the level that is enough), even if it was cut short. A judge
whose skill is well above the prompt's difficulty is always right; one below it sometimes prefers
the answer shown first. This is invented for lessons.
"""

from __future__ import annotations

import json
from bisect import bisect
from collections.abc import Mapping

from nbroute.providers.simulated_answers import (
    LEVELS,
    MARK,
    NO_LESSON,
    Lesson,
    difficulty,
    draw,
    find,
    last_of,
    pattern,
)
from nbroute.types import Request

_REASONS: Mapping[tuple[int, bool], str] = {
    (1, True): "Answer A is good enough as it is; answer B falls short of what was asked.",
    (1, False): "Neither is good enough as it is, but answer A comes closer.",
    (-1, True): "Answer B is good enough as it is; answer A falls short of what was asked.",
    (-1, False): "Neither is good enough as it is, but answer B comes closer.",
    (0, True): "Both are good enough as they are.",
    (0, False): "Both fall short of what was asked, by the same amount.",
}
_ERRS = "Answer A reads well and comes to the point first."
_VERDICTS = {1: "A", -1: "B", 0: "tie"}


def judgement(request: Request, skill: float) -> str:
    """A reason and a verdict if the request is from nbroute's judge, else ""."""
    if not pattern("judging").match(last_of(request, "system")):
        return ""
    pair = pattern("pair").search(last_of(request, "user"))
    lesson = find(pair["prompt"]) if pair else None
    if pair is None or lesson is None:
        return f"{MARK} {NO_LESSON}"
    a, b = _worth(lesson, pair["a"]), _worth(lesson, pair["b"])
    better = (a > b) - (a < b)
    reason = _REASONS[better, max(a, b) == lesson.enough]
    if draw("judge", request.model, request.messages) < errs(pair["prompt"], skill):
        better, reason = 1, _ERRS
    return f"{MARK} {reason}\nVerdict: {_VERDICTS[better]}"


def errs(prompt: str, skill: float) -> float:
    """How often a judge of this skill prefers the answer shown first: never at 0 or below."""
    return 0.15 + 1.2 * (difficulty(prompt) - skill)


def worth(prompt: str, skill: float) -> int | None:
    """What a model's answer to a lesson's prompt is worth; None for any other prompt."""
    lesson = find(prompt)
    return None if lesson is None else min(bisect(LEVELS, skill), lesson.enough)


def _worth(lesson: Lesson, text: str) -> int:
    """What an answer is worth by its words; -1 if no lesson has them."""
    text = text.strip()
    forms = []
    for level, answer in enumerate(lesson.answers):
        plain = json.dumps({"answer": answer}, ensure_ascii=False)
        forms += [(level, one.strip()) for one in (answer, plain, *lesson.json[level : level + 1])]
    same = [level for level, one in forms if one == text]
    cut = [level for level, one in forms if one.startswith(text) or text.startswith(one)]
    return min(max(same or cut, default=-1), lesson.enough)
