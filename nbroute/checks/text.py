"""Values as a message quotes them."""

from __future__ import annotations

import json
import re
import reprlib
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NoReturn

from nbroute.types import Options

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlevel = 2


def short(value: Any) -> str:
    """The value's repr, shortened; never more than one line."""
    return _REPR.repr(value)


def without_fence(text: str) -> str:
    """The text without the Markdown code fence that models like to put around JSON."""
    lines = text.strip().split("\n")
    fenced = len(lines) > 1 and lines[0].startswith("```") and lines[-1].strip() == "```"
    return "\n".join(lines[1:-1]) if fenced else text.strip()


@dataclass(frozen=True, slots=True)
class Situation:
    """The prompt, the name of the tier that answers, whether it is the lowest, and the options."""

    prompt: str = ""
    tier: str = ""
    lowest: bool = False
    options: Options = field(default_factory=Options)


_FENCE = re.compile(r"^[ \t>]*(```|~~~).*?(?:^[ \t>]*\1|\Z)", re.DOTALL | re.MULTILINE)
_INLINE_CODE = re.compile(r"(`+)[^`\n]+(?:\n[^`\n]+)*?\1")
_QUOTE = re.compile(
    r'"""[^"]*(?:"""|\Z)'
    r'|(?<!\w)"(?=\S)(?:[^"\n]|\n(?![ \t]*\n)){0,2000}"(?!\w)'
    r"|“(?:[^“”\n]|\n(?![ \t]*\n)){0,2000}[”“]|„(?:[^“”„\n]|\n(?![ \t]*\n)){0,2000}[“”„]"
    r"|«[^«»]{0,2000}»|»[^«»]{0,2000}«|‹[^‹›]{0,2000}›|‘(?:[^‘’\n]|’(?=\w)){0,500}’(?!\w)"
    r"|「[^」]{0,2000}」|『[^』]{0,2000}』|《[^》]{0,500}》|〈[^〉]{0,500}〉"
    r"|(?<![\w'])'(?=\S)(?:[^'\n]|'(?=\w)){0,500}'(?!\w)"
)
#: In fiction a speech of several paragraphs is opened again in each and closed once.
_OPEN_SPEECH = re.compile(r'^[ \t]*["“«„][^"”»\n]*$', re.MULTILINE)
_ITALICS = re.compile(
    r"(?<![*\w])\*(?=[^\s*])[^*\n]{1,100}\*(?![*\w])|(?<!\w)_[^_\n]{1,100}_(?!\w)"
)
_INDENTED = re.compile(r"(?:\A|(?<=\n\n))(?:(?: {4}|\t).*\n?)+")
_APART = re.compile(r"^[ \t]*(?:>|\||#|//|--|;;|[—–]\s|<!--).*$", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]*(?:[-*+•]|\(?\d{1,2}[.):]|\(?[a-z]\))[ \t]+.*$", re.MULTILINE)
_SPEAKER = re.compile(r"^[ \t]*[*_]*([A-ZÀ-Þ][\w .'’-]{0,24})[*_]*:[*_]*[ \t].*$", re.MULTILINE)
_LABELS = {"answer", "response", "note", "summary", "conclusion", "explanation", "antwort"}


def spoken(text: str) -> str:
    """The text in small letters and with plain apostrophes, as long as before."""
    seen = _small(text)
    for pattern in (_FENCE, _INDENTED, _INLINE_CODE, _QUOTE, _OPEN_SPEECH, _ITALICS, _APART):
        seen = pattern.sub(_blank, seen)
    return _without_script(text, _without_list(seen)).replace("’", "'")


def _small(text: str) -> str:
    low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return low.replace("\r", " ").translate({ord(mark): "'" for mark in "ʼ＇´"})


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _without_list(seen: str) -> str:
    """A list of two or more items is a list of things to say, not a thing said."""
    return _ITEM.sub(_blank, seen) if len(_ITEM.findall(seen)) > 1 else seen


def _without_script(text: str, seen: str) -> str:
    """The text without the lines of a play: two or more speakers, each with a colon."""
    lines = [found for found in _SPEAKER.finditer(text) if found[1].lower() not in _LABELS]
    if len({line[1] for line in lines}) < 2:
        return seen
    edges = [0, *(edge for line in lines for edge in line.span()), len(seen)]
    parts = [seen[start:end] for start, end in pairwise(edges)]
    return "".join(" " * len(part) if place % 2 else part for place, part in enumerate(parts))


def parse_json(text: str) -> Any:
    """The JSON value in the text; a code fence around it is forgiven.

    Stricter than `json.loads`: ValueError for NaN, an infinity, a key that occurs twice (one
    of its values would be lost) and half a surrogate pair; also for nesting too deep to read.
    """
    bare = without_fence(text)
    if not bare:
        raise ValueError("not JSON: the answer is empty")
    try:
        value = _loads(bare)
        if r"\ud" in bare.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        near = short(error.doc[error.pos : error.pos + 30])
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"not JSON: {error.msg} at {place}, near {near}") from None
    except UnicodeEncodeError:
        raise ValueError("not JSON: half of a surrogate pair in a string") from None
    except RecursionError:
        raise ValueError("not JSON that can be read: nested too deep") from None
    return value


def nesting(value: Any) -> int:
    """How deep lists and objects are nested in the value: 0 for a number or a text."""
    level, depth = [value], 0
    while level := [part for part in level if isinstance(part, dict | list) and part]:
        level = [x for part in level for x in (part.values() if isinstance(part, dict) else part)]
        depth += 1
    return depth


def _loads(text: str) -> Any:
    return json.loads(
        text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_keys_once
    )


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"not JSON: {word} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"not JSON that can be read: the number {short(digits)} is too large")
    return number


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"the key {short(twice)} occurs twice in one object")
    return found
