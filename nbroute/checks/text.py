"""What the checks read: the part of a text that its author says, its JSON, the languages."""

from __future__ import annotations

import json
import re
import reprlib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any, NoReturn

from nbroute.decoding import packaged
from nbroute.types import Verdict

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlevel = 2


def held(passed: bool, check: str, reason: str, score: float | None = None) -> Verdict:
    """The verdict of a check; the reason is given only where the answer fails."""
    return Verdict(passed, check, "" if passed else reason, score=score)


def short(value: Any) -> str:
    """The value's repr, shortened; never more than one line."""
    return _REPR.repr(value)


def without_fence(text: str) -> str:
    """The text without the Markdown code fence that models like to put around JSON."""
    lines = text.strip().split("\n")
    fenced = len(lines) > 1 and lines[0].startswith("```") and lines[-1].strip() == "```"
    return "\n".join(lines[1:-1]) if fenced else text.strip()


def parse_json(text: str) -> Any:
    """The JSON value in the text, with or without a code fence around it.

    Stricter than `json.loads`: ValueError for NaN, an infinity, a key that occurs twice (one
    of its values would be lost), half a surrogate pair, and nesting too deep to read.
    """
    bare = without_fence(text)
    if not bare:
        raise ValueError("not JSON: the answer is empty")
    try:
        value = json.loads(
            bare, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_keys_once
        )
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


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"not JSON: {word} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"not JSON that can be read: the number {short(digits)} is too large")
    return number


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {short(twice)} occurs twice in one object")
    return found


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
#: In fiction, a speech of several paragraphs is opened again in each and closed once.
_OPEN_SPEECH = re.compile(r'^[ \t]*["“«„][^"”»\n]*$', re.MULTILINE)
_ITALICS = re.compile(
    r"(?<![*\w])\*(?=[^\s*])[^*\n]{1,100}\*(?![*\w])|(?<!\w)_[^_\n]{1,100}_(?!\w)"
)
_INDENTED = re.compile(r"(?:\A|(?<=\n\n))(?:(?: {4}|\t).*\n?)+")
_APART = re.compile(r"^[ \t]*(?:>|\||#|//|--|;;|[—–]\s|<!--).*$", re.MULTILINE)
_NOT_SAID = (_FENCE, _INDENTED, _INLINE_CODE, _QUOTE, _OPEN_SPEECH, _ITALICS, _APART)
_ITEM = re.compile(r"^[ \t]*(?:[-*+•]|\(?\d{1,2}[.):]|\(?[a-z]\))[ \t]+.*$", re.MULTILINE)
_SPEAKER = re.compile(r"^[ \t]*[*_]*([A-ZÀ-Þ][\w .'’-]{0,24})[*_]*:[*_]*[ \t].*$", re.MULTILINE)
_LABELS = {"answer", "response", "note", "summary", "conclusion", "explanation", "antwort"}


def spoken(text: str) -> str:
    """What the text's author says, without quotations, code, lists, tables and the lines of a play.

    It is in lower case, with plain apostrophes. What is left out is blanked, not removed, so
    that a place in the result is a place in the text.
    """
    seen = small(text).replace("\r", " ").translate(dict.fromkeys(map(ord, "ʼ＇´"), "'"))
    for pattern in _NOT_SAID:
        seen = pattern.sub(_blank, seen)
    # Two items or more are a list of things to say, not something said; so are two speakers.
    if len(_ITEM.findall(seen)) > 1:
        seen = _ITEM.sub(_blank, seen)
    lines = [found for found in _SPEAKER.finditer(text) if found[1].lower() not in _LABELS]
    if len({line[1] for line in lines}) > 1:
        edges = [0, *(edge for line in lines for edge in line.span()), len(seen)]
        parts = [seen[start:end] for start, end in pairwise(edges)]
        seen = "".join(" " * len(part) if i % 2 else part for i, part in enumerate(parts))
    return seen.replace("’", "'")


def small(text: str) -> str:
    """The text in lower case, as long as before: "İ" stays, since it would become two."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


@cache
def languages() -> tuple[Mapping[str, Any], ...]:
    """What we know of each language; `languages/english.toml` explains the format."""
    folder = resources.files(__package__).joinpath("languages")
    names = sorted(file.name for file in folder.iterdir())
    return tuple(packaged(__package__, "languages", name) for name in names)


def listed(*path: str) -> list[str]:
    """The entries of all languages under a key, or under a key of a table."""
    found = []
    for language in languages():
        entries: Any = language
        for key in path:
            entries = entries.get(key, {})
        found += entries
    return found


def patterns(key: str, before: str = "", after: str = "") -> list[str]:
    """One pattern per language, for any of its entries under the key.

    `before` and `after` go around it where the language has word boundaries.
    """
    found = []
    for language in languages():
        if key in language:
            pattern = _with_parts("|".join(language[key]), language.get("parts", {}))
            bounded = language.get("word_boundaries", True) and (before or after)
            found.append(f"{before}(?:{pattern}){after}" if bounded else pattern)
    return found


def _with_parts(pattern: str, parts: Mapping[str, str | list[str]]) -> str:
    def part(found: re.Match[str]) -> str:
        entry = parts[found[1]]
        text = entry if isinstance(entry, str) else f"(?:{'|'.join(entry)})"
        return _with_parts(text, parts)

    return re.sub(r"<(\w+)>", part, pattern)
