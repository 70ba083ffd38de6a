"""What an answer ends in, and whether two answers come to the same."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import isclose
from typing import Any, Literal

from nbroute.checks.text import listed

#: The cosine from which the second article takes two answers as one.
COSINE = 0.92
#: Characters at the end of an answer in which its value is looked for, and of the longest value.
_TAIL, _LONGEST = 20_000, 500
#: What is stated in prose has no more words than this.
_WORDS = 6
#: In an answer of no more characters than this any number that it ends with is its value.
_BRIEF = 60

_THOUGHT = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_JSON_ANSWER = re.compile(r'"(?:final[_ ])?answer"\s*:\s*', re.IGNORECASE)
_JSON_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_OPTION = re.compile(r"[*_(\[ ]*(?:\\text\{ ?\(?)?([A-J])\b(?![ ]+[a-z]|['’])[)\]}.:*_]*")
_FIRST = re.compile(r"[*_ ]*\(?([A-J])(?:[).:]|\*\*)(?=\s|\*|\Z)|\(([A-J])\)")
_CODE = re.compile(r"`+([^`\n]+)`+")
_MATHS = re.compile(r"\\\((.+?)\\\)|\\\[(.+?)\\\]|\$\$?([^$]+)\$")
_RESULT = re.compile(
    r"(?:\bassert\b[^\n]{1,300}?==|\b(?:returns?|outputs?|prints?)\b(?: is)?:?|\)\s?(?:->|→|=>|==))"
    r"\s*(?:`+([^`\n]+)`+|([\[({'\"].*|-?\d[\d.]*|True\b|False\b|None\b))"
)
_NUMBER = (
    r"[-−+]?(?:\d{1,3}(?:[,'’ \u00a0\u202f]\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d+"
    r"|\d+(?:[.,]\d+)?|\.\d+)"
)
_QUANTITY = re.compile(
    rf"[$€£¥₹≈~ ]*({_NUMBER})(?:\s*/\s*(\d{{1,9}}))?"
    r"(?:\s*(?:[x×*·]|\\times|\\cdot)\s*10\s*\^?\{?([-−]?\d{1,3})\}?|[eE]([-+]?\d{1,3}))?"
    r"\s*(?:%|°|[^\W\d_][^\d=+*]{0,24}(?:\^?[-−]?\d)?)?"
)
_ENDS = re.compile(rf"(?:[=≈]|\b(?:is|are|to)\b)[^=≈\n]{{0,20}}?({_NUMBER})[^\d=≈\n]{{0,24}}\Z")
_ONLY = re.compile(rf"[^\d\n]*({_NUMBER})[^\d\n]*")
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{(-?\d+)\}\s*\{(\d+)\}|(\d)\s*(\d))")
_SPACING = re.compile(r"\\(?:left|right|displaystyle|[!,;: $%])|[$*_]+(?=\W|\Z)|(?<!\w)[$*_]+")
_WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether two answers come to the same, what says so, and the value that each ends in."""

    agrees: bool
    by: Literal["value", "cosine", "text"]
    values: tuple[str | None, str | None] = (None, None)


def agree(a: str, b: str, cosine: float | None = None, *, least: float = COSINE) -> Agreement:
    """Whether two answers come to the same.

    By their values where both have one, numbers as numbers; else by the `cosine` of their
    vectors (-1 to 1), where it is given, which has to be `least` or more; else only texts that
    are equal but for case, spaces and Markdown agree.
    """
    one, other = values = final_value(a), final_value(b)
    if one is not None and other is not None:
        return Agreement(_equal(one, other), "value", values)
    if cosine is not None:
        return Agreement(cosine >= least, "cosine", values)
    return Agreement(_plain(a) == _plain(b), "text", values)


def final_value(text: str) -> str | None:
    r"""The value that an answer ends in; None where it ends in none.

    The first of these that there is: a JSON `answer`, a \boxed value, what "the answer is" (in
    six languages) is followed by, the letter of an option, the result of a call, the number
    that a short or computing answer ends with. Numbers are written alike ("1,000" and "1000.0"
    are "1000", "1/2" is "0.5"), without currency and unit, and literals as Python prints them:
    a text in quotes keeps them, for '5' is no number. Only the last 20,000 characters are read.
    """
    said = _THOUGHT.split(text[-_TAIL:])[-1].strip()
    readers = (_in_json, _boxed, _stated, _chosen, _returned, _computed)
    return next((value for read in readers if (value := read(said)) is not None), None)


def _equal(one: str, other: str) -> bool:
    numbers = _number(one), _number(other)
    if None in numbers:
        return one == other
    return isclose(float(one), float(other), rel_tol=1e-6, abs_tol=1e-9)


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[*_`#>]", "", text).casefold().split())


def _last(pattern: re.Pattern[str], said: str) -> str | None:
    """What follows the last match."""
    ends = [found.end() for found in pattern.finditer(said)]
    return said[ends[-1] :] if ends else None


def _in_json(said: str) -> str | None:
    """Also in JSON that is cut off or wrongly escaped, as formulas are."""
    rest = _last(_JSON_ANSWER, said)
    if rest is None:
        return None
    try:
        value: Any = json.JSONDecoder().raw_decode(rest)[0]
    except (ValueError, RecursionError):
        loose = _JSON_TEXT.match(rest)
        value = loose[1].replace('\\"', '"').replace("\\\\", "\\") if loose else None
    if value is None or isinstance(value, str):
        # "\\frac" with one backslash is a form feed to JSON.
        return _written((value or "").replace("\f", "\\f").replace("\b", "\\b"))
    return _written(repr(value))


def _boxed(said: str) -> str | None:
    start, depth = said.rfind("\\boxed{") + len("\\boxed{"), 1
    if start < len("\\boxed{"):
        return None
    for place in range(start, min(start + _LONGEST, len(said))):
        depth += {"{": 1, "}": -1}.get(said[place], 0)
        if not depth:
            return _written(said[start:place])
    return None


@cache
def _statement() -> re.Pattern[str]:
    names, verbs = (
        "|".join(rf"\b{word}\b" if word.isascii() else word for word in listed("value", key))
        for key in ("names", "verbs")
    )
    return re.compile(
        rf"(?:{names})[^.。\n:：]{{0,40}}?(?:{verbs}|[:：])[*_\s]*|^\#\#\#\#\s*",
        re.IGNORECASE | re.MULTILINE,
    )


def _stated(said: str) -> str | None:
    rest = _last(_statement(), said)
    if rest is None:
        return None
    line = rest.lstrip(" \t\r\n:*_").partition("\n")[0][:_LONGEST]
    if line.startswith("```"):
        return None
    if option := _OPTION.match(line):
        return option[1]
    for exact in (_CODE, _MATHS):
        if found := exact.match(line.lstrip("*_ ")):
            return _written(next(filter(None, found.groups())))
    sentence = re.split(r"(?<=\D)[.!?](?:\s|\Z)|(?<=\d)\.(?:\s|\Z)|[。！？।]", line)[0]
    value = _written(sentence.strip(" *_"))
    return value if value is not None and len(value.split()) <= _WORDS else None


def _chosen(said: str) -> str | None:
    """An option's letter that the answer begins with, or is."""
    found = _FIRST.match(said)
    if found:
        return found[1] or found[2]
    return said if re.fullmatch("[A-J]", said) else None


def _returned(said: str) -> str | None:
    found = list(_RESULT.finditer(said))
    return _written((found[-1][1] or found[-1][2]).rstrip(".,; ")) if found else None


def _computed(said: str) -> str | None:
    line = said.rpartition("\n")[2].rstrip(" .*_`$)]}\\")
    found = (_ONLY.fullmatch(said) if len(said) <= _BRIEF else None) or _ENDS.search(line)
    return _written(found[1]) if found else None


def _written(value: str) -> str | None:
    """The value as it is compared; None where nothing is left of it, or too much."""
    if not value.strip() or len(value) > _LONGEST:
        return None
    value = value.strip().strip("`").strip()
    try:
        literal = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return _formula(value)
    if isinstance(literal, tuple) and re.fullmatch(rf"\s*{_NUMBER}\s*", value):
        return _formula(value)  # a thousand, not two numbers
    return _quantity(value) or repr(literal)


def _formula(value: str) -> str | None:
    value = value.replace("{,}", ",")
    plain = _FRACTION.sub(lambda m: f"{m[1] or m[3]}/{m[2] or m[4]}", _WRAPPED.sub(r"\1", value))
    plain = " ".join(_SPACING.sub("", plain).split())
    return _quantity(plain) or plain or None


def _quantity(text: str) -> str | None:
    """A number, without its currency and unit, in its shortest form."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        return None
    digits = re.sub(r"[+'’ \u00a0\u202f]", "", found[1]).replace("−", "-")
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", digits):
        digits = digits.replace(",", "")
    elif "," in digits:
        digits = digits.replace(".", "").replace(",", ".")
    power = (found[3] or found[4] or "0").replace("−", "-")
    number = Fraction(digits) * Fraction(10) ** int(power) / (int(found[2] or 1) or 1)
    return f"{float(number):.12g}" if abs(number) < 10**300 else None
