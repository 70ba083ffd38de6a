"""Answers that were written for lessons, no model's words: what the simulated models say.

They stand in `lessons.toml`, which is read when a simulated model is first asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache

from nbroute.decoding import decode, packaged

_STRAIGHT = str.maketrans("\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb", '\'\'\'"""""', "`")
_SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class Lesson:
    """A prompt in one or more wordings, answered as models of four strengths might.

    `answers` begin with the weakest; `enough` is the first that a careful reader would accept.
    `json` are the same where JSON is asked for.
    """

    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    enough: int
    json: tuple[str, ...] = ()


def known_prompts() -> list[str]:
    """The prompts that the simulated models can answer, each in its first wording."""
    return [lesson.prompts[0] for lesson in _lessons()]


def find(prompt: str) -> Lesson | None:
    """The lesson that has this prompt: in any case, with any spacing, quotes and closing mark."""
    return _by_wording().get(_wording(prompt))


def near(prompt: str, count: int = 3) -> list[str]:
    """The short known prompts that share the most telling words with this one, nearest first."""
    short = [one for one in known_prompts() if len(one) <= _SHOWN_CHARS and "\n" not in one]
    words = {one: _words(one) for one in short}
    common = Counter(word for each in words.values() for word in each)
    asked = _words(prompt)
    weight = {one: sum(1 / common[word] for word in words[one] & asked) for one in short}
    return sorted(short, key=lambda one: -weight[one])[:count]


@cache
def _lessons() -> tuple[Lesson, ...]:
    return decode(packaged("nbroute.providers", "lessons.toml")["lesson"], tuple[Lesson, ...])


@cache
def _by_wording() -> dict[str, Lesson]:
    return {_wording(prompt): one for one in _lessons() for prompt in one.prompts}


def _wording(prompt: str) -> str:
    text = unicodedata.normalize("NFKC", prompt).translate(_STRAIGHT).casefold()
    return " ".join(text.split()).rstrip(" .!?")


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}", _wording(text[:4000])))
