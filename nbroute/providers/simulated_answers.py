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
from fractions import Fraction
from functools import cache
from typing import Any

from nbroute.checks.structured import read_schema
from nbroute.decoding import decode, packaged
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


def near(prompt: str, count: int = 3) -> list[str]:
    """The short known prompts that share the most telling words with this one, nearest first."""
    short = [one for one in known_prompts() if len(one) <= _SHOWN_CHARS and "\n" not in one]
    telling = re.compile(r"\w{3,}")
    words = {one: {*telling.findall(_wording(one[:4000]))} for one in (*short, prompt)}
    common = Counter(word for one in short for word in words[one])

    def weight(one: str) -> float:
        # Rounded once, so that the order of a set, which differs by process, does not matter.
        return math.fsum(1 / common[word] for word in words[one] & words[prompt])

    return sorted(short, key=weight, reverse=True)[:count]


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
    """The last user message without a check's feedback and the paragraph that asks for a rating."""
    prompt, *failed = _AFTER_A_FAILURE.split(last_of(request, "user"), maxsplit=1)
    if request.rated and not failed:
        head, _, closing = prompt.rpartition("\n\n")
        prompt = head if head and pattern("asks_for_rating").search(closing) else prompt
    return prompt.strip()


def difficulty(prompt: str) -> float:
    """From 0 to 1: the lesson's, else by the words, the length and, a little, the hash."""
    if lesson := find(prompt):
        return (0.15, *LEVELS)[lesson.enough]
    short = len(prompt.split()) <= 14
    if short and pattern("easy").match(prompt) and not pattern("hard").search(prompt):
        return 0.1 + 0.1 * draw("difficulty", prompt)
    length = 0.3 * math.sqrt(min(len(prompt.split()), 200) / 200)
    words = {match.lower() for match in pattern("hard").findall(prompt[:4000])}
    hard = 0.2 + 0.07 * min(len(words) - 1, 3) if words else 0
    return min(0.25 + length + hard + 0.1 * draw("difficulty", prompt), 0.95)


def logprobs(request: Request, skill: float, tokens: list[str]) -> tuple[float, ...]:
    """Draw the tokens' log-probabilities; their mean falls as the prompt outgrows the skill."""
    prompt = _prompt(request)
    sure = min(max(0.82 + 0.9 * (skill - difficulty(prompt)), 0.1), 0.99)
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
        text = f"{text.rstrip()}\n\nConfidence: {min(max(rating, 1), 10)}"
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
            made_up = {"simulated": True, "note": _no_answer(request, skill)}
            return json.dumps(made_up, ensure_ascii=False)
        level = _level(request, skill)
        text = json.dumps({"answer": lesson.answers[level]}, ensure_ascii=False)
        return lesson.json[level] if lesson.json else text
    if lesson and lesson.json and not _misfit(request.schema, lesson.json[-1]):
        return lesson.json[_level(request, skill)]
    return structured_answer(request, request.schema, skill)


def _misfit(schema: Mapping[str, Any], text: str) -> str:
    """Why the text does not fit the schema; empty where it does."""
    try:
        read_schema(schema).parse(text)
    except ValueError as error:
        return str(error)
    return ""


# Classifying


def _class_name(request: Request, skill: float) -> str | None:
    """Choose one of the names that the request lists; None if it does not ask for one.

    The prompt's length alone decides; the less the skill, the more the hash sways it.
    """
    if request.max_tokens > 16:  # room for more than a name
        return None
    asks = last_of(request, "system") or last_of(request, "user")
    if listed := pattern("asks_for_one").search(asks):
        names = list(filter(None, re.split(r",?\s+or\s+|,\s*", listed[1].strip().rstrip("."))))
    else:
        names = pattern("described").findall(asks) if "one word" in asks.lower() else []
    if not names:
        return None
    asked = last_of(request, "user")
    judged = pattern("judged").search(asked)
    prompt = (judged["fenced"] or judged["last"] or "") if judged else asked
    # From 700 characters on it is the top one.
    height = min(len(prompt.strip()) / 700, 1.0) ** 0.5
    height += (1 - skill) * 0.1 * noise(request, "class")
    return str(names[min(max(int(height * len(names)), 0), len(names) - 1)])


# JSON by a schema

_OPTIONAL_BELOW = 4
_STOP_AT = 40
_TRIES = 20
_MOST = 200
_MOST_CHARS = 10_000
_IMPLIED = (
    ("object", {"properties", "required", "additionalProperties"}),
    ("array", {"items", "prefixItems", "minItems"}),
    ("number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
)


def structured_answer(request: Request, schema: Mapping[str, Any], skill: float) -> str:
    """Write JSON that fits the schema; below a skill of 0.6 a share of it does not.

    What does not fit has prose before it or a value of the wrong type. A schema beyond what
    `instance` knows is answered in words.
    """
    seed = draw("schema", request.model, request.messages, request.temperature)
    # Another draw may fit where repeats are not allowed or a step is not exact.
    for number in range(_TRIES):
        value = instance(schema, draw(seed, number) if number else seed)
        text = json.dumps(value, ensure_ascii=False)
        fault = _misfit(schema, text)
        if not fault:
            break
    else:
        return f"{MARK} {request.model} cannot make up JSON for this schema: {fault}"
    if draw("misfit", seed) >= 2.0 * (0.6 - skill):
        return text
    spoilt = json.dumps(_spoilt(value), ensure_ascii=False)
    if draw("kind", seed) < 0.5 and _misfit(schema, spoilt):
        return spoilt
    return f"{MARK} Here is what was asked for:\n\n{text}"


def _spoilt(value: Any) -> Any:
    """Give the first value in it another type."""
    if isinstance(value, list) and value:
        return [_spoilt(value[0]), *value[1:]]
    if isinstance(value, dict) and value:
        name = next(iter(value))
        return {**value, name: _spoilt(value[name])}
    return 0 if isinstance(value, str) else f"{MARK} not as asked"


def instance(schema: Mapping[str, Any], seed: float = 0.0) -> Any:
    """Make a value that the schema allows; its texts say that they are simulated.

    It knows the words that classes turn into, and simple patterns; not `not`, `if` and the like.
    """
    return _Instances(schema, seed).value(schema, "value", 0)


@dataclass(frozen=True, slots=True)
class _Instances:
    root: Mapping[str, Any]
    seed: float

    def value(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, Mapping) or depth > _STOP_AT:
            return f"{MARK} {name}"
        schema = _resolved(schema, self.root)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            count = len(schema["enum"])
            return schema["enum"][min(int(draw(self.seed, name) * count), count - 1)]
        for word in ("anyOf", "oneOf"):
            if word in schema:
                branch = _branch(schema.pop(word), depth)
                return self.value(_merged(schema, branch), name, depth + 1)
        return self._of_kind(schema, name, depth)

    def _of_kind(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        match _kind(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer" | "number" as kind:
                return _number(schema, kind, draw(self.seed, name, depth))
            case "boolean":
                return draw(self.seed, name) < 0.5
            case "null":
                return None
        return _string(schema, name)

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        parts, required = schema.get("properties", {}), schema.get("required", ())
        more = schema.get("additionalProperties", True)
        names = [name for name in parts if depth < _OPTIONAL_BELOW or name in required]
        names += [name for name in required if name not in parts]
        least = schema.get("minProperties", int(not parts and isinstance(more, Mapping)))
        names += [f"simulated_{n}" for n in range(1, int(min(least, _MOST)) - len(names) + 1)]
        return {
            name: self.value(parts.get(name, more), name, depth + 1)
            for name in names[: int(schema.get("maxProperties", len(names)))]
            if parts.get(name, more) is not False
        }

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        items = schema.get("items", "prefixItems" not in schema)
        firsts = items if isinstance(items, list) else schema.get("prefixItems", ())
        usual = 2 if depth < _OPTIONAL_BELOW and items is not False else 0
        wanted = max(schema.get("minItems", 0), usual, len(firsts))
        count = int(min(wanted, schema.get("maxItems", wanted), _MOST))
        made: list[Any] = []
        for place in range(count * (_TRIES if schema.get("uniqueItems") else 1)):
            part = firsts[place] if place < len(firsts) else items
            item = self.value(part, f"{name} {place + 1}", depth + 1)
            if len(made) < count and not (schema.get("uniqueItems") and item in made):
                made.append(item)
        return made


def _branch(branches: list[Any], depth: int) -> Any:
    """Take the first that is not null; deep down, one that goes no deeper, if there is one."""

    def rank(branch: Any) -> tuple[bool, bool]:
        deep = "$ref" in branch or _kind(branch) in ("object", "array")
        return depth >= _OPTIONAL_BELOW and deep, _kind(branch) == "null"

    return min((one for one in branches if isinstance(one, Mapping)), key=rank, default=True)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve local references and merge the parts of `allOf`."""
    found = dict(schema)
    for _ in range(_STOP_AT):
        if "$ref" in found:
            target: Any = root
            for part in str(found.pop("$ref")).removeprefix("#").split("/")[1:]:
                key = part.replace("~1", "/").replace("~0", "~")
                target = target.get(key, {}) if isinstance(target, Mapping) else {}
            found = _merged(target, found)
        elif "allOf" in found:
            found = _merged(found, *found.pop("allOf"))
        else:
            break
    return found


def _merged(*schemas: Any) -> dict[str, Any]:
    """Merge several schemas: properties and required names add up, otherwise the last counts."""
    both: dict[str, Any] = {}
    for schema in schemas:
        if isinstance(schema, Mapping):
            properties = {**both.get("properties", {}), **schema.get("properties", {})}
            required = [*both.get("required", ()), *schema.get("required", ())]
            both |= schema
            both |= {"properties": properties} if properties else {}
            both |= {"required": required} if required else {}
    return both


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return str(next((one for one in kind if one != "null"), "null"))
    implied = (name for name, words in _IMPLIED if words & schema.keys())
    return str(kind) if kind is not None else next(implied, "string")


def _number(schema: Mapping[str, Any], kind: str, drawn: float) -> float:
    """Draw a multiple of the step between the limits; the middle if there is none."""
    step = Fraction(str(schema.get("multipleOf", 1 if kind == "integer" else 0.5)))

    def limits(word: str, inwards: Fraction) -> list[Fraction]:
        ends = ((f"m{word}", 0), (f"exclusiveM{word}", inwards))
        # In draft 4, the exclusive word is true or false.
        found = ((schema.get(end), off) for end, off in ends)
        return [Fraction(str(at)) + off for at, off in found if type(at) in (int, float)]

    low = max(limits("inimum", step / 1000), default=None)
    high = min(limits("aximum", -step / 1000), default=None)
    if low is None:
        low = Fraction(1) if high is None else min(Fraction(1), high - 9 * step)
    if high is None:
        high = low + 9 * step
    multiples = range(math.ceil(low / step), math.floor(high / step) + 1)
    if not multiples:
        return float((low + high) / 2)
    chosen = multiples[int(drawn * (len(multiples) - 1))] * step
    return int(chosen) if chosen.denominator == 1 else float(chosen)


# Texts by a schema

_UNIT = re.compile(
    r"(\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|\((?:\?:)?[^()]*\)|[^\\\[\]()^$|?*+{}])"
    r"(?:\{(\d+)(?:,(\d*))?\}|([*+?]))?"
)
_TRIED = "s1A -_.@/:+#,;=!'\"()"


def _string(schema: Mapping[str, Any], name: str) -> str:
    """Make a text that says it is simulated, if the schema leaves room for that."""
    ready: dict[str, str] = packaged("nbroute.providers", "simulated.toml")["formats"]
    if schema.get("format") in ready:
        return ready[schema["format"]]
    least = int(min(schema.get("minLength", 0), _MOST_CHARS))
    most = int(schema.get("maxLength", _MOST_CHARS))
    if "pattern" in schema:
        pattern = str(schema["pattern"])
        for times in (1, 2, 3, 5, 8, max(least, 9)):
            for text in (MARK, "simulated", _written(pattern, times)):
                if least <= len(text) <= most and _matches(pattern, text):
                    return text
        return MARK
    text = f"{MARK} {name}"[:most] if most >= len(MARK) else "simulated"[:most]
    return text.ljust(least, ".")


def _written(pattern: str, times: int) -> str:
    """Write out the first alternative; an unlimited repeat is written `times` times."""
    depth = 0
    for place, char in enumerate(pattern):
        depth += (char in "([") - (char in ")]")
        if char == "|" and depth == 0:
            pattern = pattern[:place]
            break
    text = ""
    for unit, count, most, sign in _UNIT.findall(pattern):
        repeats = {"*": times - 1, "?": 0, "+": times}.get(sign, min(int(count or 1), _MOST_CHARS))
        if most == "" and count and f"{{{count},}}" in pattern:
            repeats = max(repeats, times)
        if unit.startswith("("):
            written = _written(unit[1:-1].removeprefix("?:"), times)
        elif len(unit) == 1:
            written = "s" if unit == "." else unit
        else:
            fitting = (char for char in _TRIED if _matches(rf"\A{unit}\Z", char))
            written = next(fitting, unit[-1])
        text += written * repeats
    return text


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False
