"""The words of a simulated model: a lesson's answer, or that it does not know the prompt.

Lessons (`lessons.toml`) are answers that were written by hand, not by a model.

How hard a prompt is for a model and how sure the model is of its answer are invented for lessons:
they measure nothing. A model whose `skill` is below the prompt's difficulty is unsure,
rates itself below 8 and gives its tokens lower probabilities.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from bisect import bisect
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from nbroute.checks.confidence import RATING_INSTRUCTION
from nbroute.checks.structured import read_schema
from nbroute.decoding import decode, packaged
from nbroute.errors import SettingsError
from nbroute.types import Request

MARK = "[simulated]"
#: What a model says to a prompt that is in no lesson.
NO_LESSON = "This ladder is simulated: it has no answer to this prompt."

#: The skills at which a model gives a lesson's second, third and fourth answer.
LEVELS = (0.45, 0.6, 0.8)
#: How a check's feedback on the previous answer begins.
_AFTER_A_FAILURE = re.compile(r"\n\n(?:An earlier answer|The answer before) ")
_TOKEN = re.compile(r"\s*(?:\w{1,12}|[^\w\s])|\s+")
_STRAIGHT = str.maketrans("\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb", '\'\'\'"""""', "`")
_SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class Lesson:
    """A prompt in one or more wordings, answered as models of four strengths might.

    `answers` begin with the weakest; `enough` is the first that a careful reader would accept.
    `json` are the same as JSON.
    """

    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    enough: int
    json: tuple[str, ...] = ()


@cache
def _lessons() -> dict[str, Lesson]:
    """The lessons by each of their wordings."""
    told = packaged("nbroute.providers", "lessons.toml")["lesson"]
    lessons = decode(told, tuple[Lesson, ...])
    return {_wording(prompt): one for one in lessons for prompt in one.prompts}


def known_prompts(*, wordings: bool = False) -> list[str]:
    """The prompts that the simulated models can answer, each in its first wording, or in all."""
    lessons = dict.fromkeys(_lessons().values())
    return [prompt for one in lessons for prompt in one.prompts[: None if wordings else 1]]


def find(prompt: str) -> Lesson | None:
    """The lesson that has this prompt: in any case, with any spacing, quotes and closing mark."""
    return _lessons().get(_wording(prompt))


def near(prompt: str) -> list[str]:
    """The three short known prompts that share the most telling words with this one."""
    short = [one for one in known_prompts() if len(one) <= _SHOWN_CHARS]
    telling = re.compile(r"\w{3,}")
    words = {one: {*telling.findall(_wording(one))} for one in (*short, prompt)}
    common = Counter(word for one in short for word in words[one])

    def weight(one: str) -> float:
        # Rounded once, so that the order of a set, which differs by process, does not matter.
        return math.fsum(1 / common[word] for word in words[one] & words[prompt])

    return sorted(short, key=weight, reverse=True)[:3]


def _wording(prompt: str) -> str:
    text = unicodedata.normalize("NFKC", prompt).translate(_STRAIGHT).casefold()
    return " ".join(text.split()).rstrip(" .!?")


@cache
def pattern(name: str) -> re.Pattern[str]:
    """The pattern of that name in `simulated.toml`."""
    return re.compile("".join(packaged("nbroute.providers", "simulated.toml")["patterns"][name]))


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


def last_of(request: Request, role: str) -> str:
    """The last message of that role; "" where there is none."""
    return next((m.content for m in reversed(request.messages) if m.role == role), "")


# How hard, and how sure


def _prompt(request: Request) -> str:
    """The last user message without a check's feedback and the request for a rating."""
    prompt, *_ = _AFTER_A_FAILURE.split(last_of(request, "user"))
    return prompt.removesuffix(RATING_INSTRUCTION).strip()


def difficulty(prompt: str) -> float:
    """From 0 to 1: the lesson's, else by the words, the length and, a little, the hash."""
    if lesson := find(prompt):
        return (0.15, *LEVELS)[lesson.enough]
    short = len(prompt.split()) <= 14
    if short and pattern("easy").match(prompt) and not pattern("hard").search(prompt):
        return 0.1 + 0.1 * draw("difficulty", prompt)
    length = 0.3 * math.sqrt(min(len(prompt.split()), 200) / 200)
    words = {match.lower() for match in pattern("hard").findall(prompt)}
    hard = 0.2 + 0.07 * min(len(words) - 1, 3) if words else 0
    return min(0.25 + length + hard + 0.1 * draw("difficulty", prompt), 0.95)


def logprobs(request: Request, skill: float, tokens: list[str]) -> tuple[float, ...]:
    """Draw the tokens' log-probabilities; their mean falls as the prompt outgrows the skill."""
    prompt = _prompt(request)
    sure = min(0.82 + 0.9 * (skill - difficulty(prompt)), 0.99)
    seed = draw("logprobs", request.model, prompt)
    return tuple(2 * math.log(sure) * draw(seed, place) for place in range(len(tokens)))


# Text


def simulated_text(request: Request, skill: float) -> str:
    """Write the answer: a tier's name where one is asked for, else what the request asks.

    Where the request is `rated`, its last line is "Confidence: N", a whole number up to 10,
    8 or more exactly where the skill is up to the prompt.
    """
    if name := _class_name(request, skill):
        return name
    prompt, lesson = _prompt(request), find(_prompt(request))
    if request.json or request.schema is not None:
        text = _structured(request, lesson, skill)
    else:
        text = lesson.answers[_level(request, skill)] if lesson else _no_answer(request, skill)
    if request.rated:
        rating = 8 + math.floor(8 * (skill - difficulty(prompt)))
        text = f"{text.rstrip()}\n\nConfidence: {min(rating, 10)}"
    return text


def _level(request: Request, skill: float) -> int:
    """Which of a lesson's four answers; one higher if the prompt says that one failed before."""
    helped = _AFTER_A_FAILURE.search(last_of(request, "user")) is not None
    return min(bisect(LEVELS, skill) + helped, len(LEVELS))


def _no_answer(request: Request, skill: float) -> str:
    prompt = _prompt(request)
    lost = difficulty(prompt) - skill > 0.15 and draw("unsure", request.model, prompt) < 0.75
    first, second, third = (f'"{one}"' for one in near(prompt))
    return (
        f"{'I am not sure of the answer. ' if lost else ''}{NO_LESSON} It knows {first}, {second} "
        f"and {third}; try one of these, or %route use local."
    )


def _structured(request: Request, lesson: Lesson | None, skill: float) -> str:
    """JSON: the lesson's if the schema allows it, else made up."""
    if request.schema is None:
        if lesson is None:
            return json.dumps({"simulated": True, "note": _no_answer(request, skill)})
        level = _level(request, skill)
        text = json.dumps({"answer": lesson.answers[level]}, ensure_ascii=False)
        return lesson.json[level] if lesson.json else text
    if lesson and lesson.json and not _misfit(request.schema, lesson.json[-1]):
        return lesson.json[_level(request, skill)]
    return _made_up(request.schema, request.model)


def _misfit(schema: Mapping[str, Any], text: str) -> str:
    """Why the text does not fit the schema; empty where it does."""
    try:
        read_schema(schema).parse(text)
    except (SettingsError, ValueError) as error:
        return str(error)
    return ""


# Classifying


def _class_name(request: Request, skill: float) -> str:
    """Choose one of the names that the request lists; "" if it does not ask for one.

    The prompt's length alone decides; the less the skill, the more the hash sways it.
    """
    if request.max_tokens > 16:  # room for more than a name
        return ""
    asks = last_of(request, "system") or last_of(request, "user")
    listed = pattern("asks_for_one").search(asks)
    told = listed[1].strip().rstrip(".") if listed else ""
    names: list[str] = list(filter(None, re.split(r",?\s+or\s+|,\s*", told)))
    if not names:
        return ""
    asked = last_of(request, "user")
    judged = pattern("judged").search(asked)
    prompt = (judged["fenced"] or judged["last"] or "") if judged else asked
    # From 700 characters on it is the top one.
    height = (len(prompt.strip()) / 700) ** 0.5
    height += (1 - skill) * 0.1 * noise(request, "class")
    return names[min(max(int(height * len(names)), 0), len(names) - 1)]


# JSON by a schema

#: Further in, what may be left out is.
_OPTIONAL_BELOW = 3
_DEEPEST = 8
_MOST_ITEMS = 20
_MOST_CHARS = 10_000
#: The limits of a number, and how far from each it may be.
_LIMITS = {"minimum": 0, "maximum": 0, "exclusiveMinimum": 1, "exclusiveMaximum": -1}


def _made_up(schema: Mapping[str, Any], model: str) -> str:
    """JSON that fits the schema, or in words that none was found."""
    text = json.dumps(_instance(schema, schema, "value", 0), ensure_ascii=False)
    if fault := _misfit(schema, text):
        return f"{MARK} {model} cannot make up JSON for this schema: {fault}"
    return text


def _instance(schema: Any, root: Mapping[str, Any], name: str, depth: int) -> Any:
    """A plain value for what classes ask of their fields; its texts say that they are simulated.

    `depth` is how many objects and lists it is in. Patterns, several limits at once, `not`, `if`
    and the like may be beyond it.
    """
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return f"{MARK} {name}"
    if "$ref" in schema:
        start, *keys = str(schema["$ref"]).split("/")
        target: Any = root if start == "#" else None
        for key in keys:
            target = target.get(key) if isinstance(target, Mapping) else None
        return _instance(target, root, name, depth)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            # The last is null where a value may be left out.
            part = schema[word][0 if depth < _OPTIONAL_BELOW else -1]
            return _instance(part, root, name, depth)
    if schema.get("type") == "object":
        return {
            key: _instance(part, root, key, depth + 1)
            for key, part in schema.get("properties", {}).items()
            if depth < _OPTIONAL_BELOW or key in schema.get("required", ())
        }
    if schema.get("type") == "array":
        firsts = schema.get("prefixItems", [])
        least = int(min(schema.get("minItems", depth < _OPTIONAL_BELOW), _MOST_ITEMS))
        parts = [*firsts, *[schema.get("items")] * (least - len(firsts))]
        return [
            _instance(part, root, f"{name} {place}", depth + 1)
            for place, part in enumerate(parts, 1)
        ]
    return _leaf(schema, name)


def _leaf(schema: Mapping[str, Any], name: str) -> Any:
    """The first of a few texts, numbers and the schema's own values that it allows."""
    formats: dict[str, str] = packaged("nbroute.providers", "simulated.toml")["formats"]
    text = f"{MARK} {name}"[: int(schema.get("maxLength", _MOST_CHARS))]
    text = text.ljust(int(min(schema.get("minLength", 0), _MOST_CHARS)), ".")
    tried = [formats.get(schema.get("format", ""), text), 1, 0.5, True, schema.get("const")]
    tried += [*schema.get("enum", ()), "simulated", schema.get("multipleOf")]
    tried += [schema[word] + off for word, off in _LIMITS.items() if word in schema]
    return next((one for one in tried if not _misfit(schema, json.dumps(one))), text)
