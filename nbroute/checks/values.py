"""The value that an answer ends in, and whether two answers agree."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from math import isclose
from typing import Any, Literal

from nbroute.checks.text import languages, listed, without_fence

#: The cosine from which the second article takes two answers to be the same.
COSINE = 0.92
#: How many characters at the end of an answer are searched, and how many a value may have.
_TAIL, _LONGEST = 20_000, 500
#: A value stated in prose has at most this many words.
_WORDS = 6
#: In an answer of at most this many characters, any number that it ends with is its value.
_BRIEF = 60
#: A phrase is the answer only with at most this many characters after it.
_NEAR = 200

_THINKING = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_FENCED = re.compile(
    r"^[ \t]*```[^\n]*\n((?:(?![ \t]*```)[^\n]*\n)*)[ \t]*```[ \t]*$\n?", re.MULTILINE
)
_JSON_ANSWER = re.compile(r'"(?:final[_ ])?answer"\s*:\s*', re.IGNORECASE)
_JSON_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_LETTER = r"(?:([A-J])\b(?![ ]+[a-z]|['’])|(?<=\()([a-j])(?=\)))[)\]}.:*_]*"
_FIRST = re.compile(r"[*_ ]*\(?([A-J])(?:[).:]|\*\*)(?=\s|\*|\Z)|\(([A-J])\)")
_ALONE = re.compile(r"[*_(]{0,5}([A-J])[).*_]{0,5}")
_LABELS = re.compile(r"^[ \t*_(]{0,5}([A-Z]{1,4})[).:]", re.MULTILINE)
_CODE = re.compile(r"`+([^`\n]+)`+")
_MATHS = re.compile(r"\\\((.+?)\\\)|\\\[(.+?)\\\]|\$\$?([^$]+)\$")
_RESULT = re.compile(
    r"(?:\bassert\b[^\n]{1,300}?==|\b(?:returns|outputs"
    r"|(?:will|would|should|does|to) (?:return|output))\b:?|\)\s?(?:->|→|=>|==)"
    r"|\)\s?=(?=\s?[\[({'\"]))"
    r"\s*(?:`+([^`\n]+)`+|([\[({'\"].*|-?\d[\d.]*|True\b|False\b|None\b))"
)
_WORD = re.compile(r"[^\W\d_\u3040-\u9fff][\w'’-]{0,30}|[\u3040-\u9fff]{1,4}")
_NUMBER = (
    r"[-−+]?(?:\d{1,3}(?:[,'’ \u00a0\u202f]\d{3})+(?:\.\d+)?|\d{1,3}(?:[. \u00a0\u202f]\d{3})+,\d+"
    r"|\d+(?:[.,]\d+)?|\.\d+)"
)
_QUANTITY = re.compile(
    rf"[$€£¥₹≈~ ]*({_NUMBER})(?:\s*/\s*(\d{{1,9}}))?"
    r"(?:\s*(?:[x×*·]|\\times|\\cdot)\s*10\s*\^?\{?([-−]?\d{1,3})\}?|[eE]([-+]?\d{1,3}))?"
    r"\s*(%|°|[^\W\d_][^\d=+*]{0,24}(?:\^?[-−]?\d)?)?"
)
_EQUALS = re.compile(r"[=≈]\s*([^=≈\n]{1,40})\Z")
_COMPUTES = re.compile(r"[=≈]\s*[-−$€£(]?\.?\d")
_AMOUNT = rf"(?<![\w.]){_NUMBER}(?:\s*/\s*\d+)?(?![\w^]|[.:]\d)(?:\s?%)?"
_ANY = re.compile(_AMOUNT)
_MIXED = re.compile(r"(\d+)\s*\\[dt]?frac\s*\{(\d+)\}\s*\{(\d+)\}")
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{(-?\d+)\}\s*\{(\d+)\}|(\d)\s*(\d))")
_NAMED = re.compile(r"[A-Za-z](?:\([a-z]\))?\s*=\s*(?=[^=])")
_SPACING = re.compile(
    r"\\(?:left|right|displaystyle|[!,;: $]|(?=%))|\^\{?\\circ\}?"
    r"|[$*_]+(?=\W|\Z)|(?<!\w)[$*_]+"
)
_WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
_EXACT = re.compile(r"[\d=^\\'\"\[{(]")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether two answers agree, by which comparison, and the value that each ends in."""

    agrees: bool
    by: Literal["value", "cosine", "text"]
    values: tuple[str | None, str | None] = (None, None)


def agree(a: str, b: str, cosine: float | None = None, *, least: float = COSINE) -> Agreement:
    """Whether two answers agree.

    By their values where both have one, numbers as numbers; else by the `cosine` of their
    vectors (-1 to 1), if given, which must be `least` or more; else only texts that are equal
    apart from case, spaces and Markdown agree.
    """
    one, other = values = final_value(a), final_value(b)
    if one is not None and other is not None:
        return Agreement(_equal(one, other), "value", values)
    if cosine is not None:
        return Agreement(cosine >= least, "cosine", values)
    return Agreement(_plain(a) == _plain(b), "text", values)


def final_value(text: str) -> str | None:
    r"""The value that an answer ends in; None where it ends in none, as most prose does.

    The first of these that it has: a JSON `answer`, a \boxed value, what follows "the answer is"
    (in six languages), the letter of an option, the result of a call, a whole answer that is a
    number, a literal or a word, the last number of an answer that computes, and the only number
    of a short answer. Numbers are normalised ("1,000" and "1000.0" are "1000", "1/2" is "0.5",
    "2 million" is "2000000"), without currency and unit, and literals are as Python prints them:
    a text keeps its quotes, because '5' is not a number. Thinking does not count, and only the
    last 20,000 characters are read.
    """
    said = _spoken(text)[-_TAIL:].strip()
    readers = (_in_json, _boxed, _stated, _chosen, _returned, _whole, _computed)
    return next((value for read in readers if (value := read(said)) is not None), None)


def _spoken(text: str) -> str:
    """What comes after the thinking; nothing where the text ends before the thinking does."""
    *_, last = (None, *_THINKING.finditer(text))
    if last is None:
        return text
    return text[last.end() :] if last[1] else text[: last.start()]


def _equal(one: str, other: str) -> bool:
    """Compare numbers as numbers, 50% as 50 or 0.5, literals by value, all else without case."""
    numbers, others = _readings(one), _readings(other)
    if one.endswith("%") and other.endswith("%"):
        numbers, others = numbers[:1], others[:1]
    if numbers and others:
        near = partial(isclose, rel_tol=1e-6, abs_tol=1e-9)
        return any(near(number, another) for number in numbers for another in others)
    literals = _literal(one), _literal(other)
    if None in literals:
        return one.casefold() == other.casefold()
    return literals[0] == literals[1]


def _readings(value: str) -> tuple[float, ...]:
    try:
        number = float(value.removesuffix("%"))
    except ValueError:
        return ()
    return (number, number / 100) if value.endswith("%") else (number,)


def _literal(value: str) -> tuple[type, Any] | None:
    """The literal of Python or JSON that the text is, with its type: 1 is not True."""
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return type(found), found


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[*_`#>]", "", text).casefold().split())


def _last(pattern: re.Pattern[str], said: str) -> str | None:
    """What follows the last match."""
    ends = [found.end() for found in pattern.finditer(said)]
    return said[ends[-1] :] if ends else None


def _in_json(said: str) -> str | None:
    """The JSON `answer`, also in JSON that is cut off or wrongly escaped, as formulas are."""
    rest = _last(_JSON_ANSWER, said)
    if rest is None:
        return None
    try:
        value: Any = json.JSONDecoder().raw_decode(rest)[0]
    except (ValueError, RecursionError):
        loose = _JSON_TEXT.match(rest)
        value = loose[1].replace('\\"', '"').replace("\\\\", "\\") if loose else None
    if value is None:
        return None
    if not isinstance(value, str):
        return _written(repr(value))
    # "\\frac" with one backslash is a form feed to JSON.
    text = value.replace("\f", "\\f").replace("\b", "\\b")
    return _stated(text) or _written(text)


def _boxed(said: str) -> str | None:
    start, depth = said.rfind("\\boxed{") + len("\\boxed{"), 1
    if start < len("\\boxed{"):
        return None
    for place in range(start, min(start + _LONGEST, len(said))):
        depth += {"{": 1, "}": -1}.get(said[place], 0)
        if not depth:
            return _written(said[start:place])
    return None


def _any(words: list[str]) -> str:
    return "|".join(rf"\b{word}\b" if word.isascii() else word for word in words)


@cache
def _statement() -> re.Pattern[str]:
    """Matches up to the value; a group matches where it names an answer, not a result."""
    told = []
    for value in filter(None, (language.get("value") for language in languages())):
        names, results, verbs = (_any(value[key]) for key in ("names", "results", "verbs"))
        told.append(
            rf"(?:({names})|{results})(?:[^.。\n:：]{{0,40}}?(?:{verbs}|[:：])|[*_]*(?=\n))[*_\s]*"
        )
    return re.compile("|".join([*told, r"^\#\#\#\#\s*"]), re.IGNORECASE | re.MULTILINE)


@cache
def _short_answer() -> tuple[re.Pattern[str], ...]:
    """One number and no other, or one after "is"; at most two words follow either."""
    verbs = _any(listed("value", "plain_verbs"))
    amount = rf"({_AMOUNT}(?:[^\S\n][^\W\d]+){{0,2}})[\W_]*"
    is_one = rf"[^\n]*(?:{verbs}|=|≈)(?:[^\S\n][^\W\d]+){{0,2}}[^\w.]*?{amount}"
    return re.compile(rf"[^\d\n]*?{amount}"), re.compile(is_one, re.IGNORECASE)


@cache
def _option() -> re.Pattern[str]:
    before = rf"(?i:(?:{_any(listed('value', 'before_letter'))})[*_ ]+)*"
    return re.compile(rf"[*_ ]*{before}[*_(\[ ]*(?:\\text\{{ ?\(?)?{_LETTER}")


@cache
def _scale() -> tuple[re.Pattern[str], dict[str, int]]:
    """Words such as "million", and their powers of ten."""
    tables = (language.get("value", {}).get("scales", {}) for language in languages())
    powers = {word: power for table in tables for word, power in table.items()}
    longest = sorted(powers, key=len, reverse=True)
    bounded = (rf"{word}(?![^\W\d_])" if word[0] < "\u3040" else word for word in longest)
    return re.compile("|".join(bounded), re.IGNORECASE), powers


def _stated(said: str) -> str | None:
    *_, found = (None, *_statement().finditer(said))
    if found is None:
        return None
    rest = said[found.end() :].lstrip(" \t\r\n:*_")
    if fence := _FENCED.match(rest):
        return _exact(fence[1]) if fence[1].count("\n") < 2 else None
    line = rest.partition("\n")[0][: _LONGEST + 1]
    if option := _option().match(line):
        return (option[1] or option[2]).upper()
    for marked in (_CODE, _MATHS):
        if quoted := marked.match(line):
            return _written(next(filter(None, quoted.groups())))
    return _phrase(line, named=bool(found.lastindex) and len(rest) <= _NEAR)


def _phrase(line: str, *, named: bool) -> str | None:
    """The value at the head of the line; words alone only where they are a `named` answer."""
    sentence = re.split(r"(?<=\D)[.!?](?:\s|\Z)|(?<=\d)\.(?:\s|\Z)|[。！？।]", line)[0].strip(" *_")
    if len(sentence.split()) > _WORDS:
        return _quantity(re.split(r"[,;]\s|\s[-–—(]", sentence)[0].strip(" *_$"))
    if exact := _exact(sentence):
        return exact
    words = _written(sentence) if named else None
    return words if words and (" " not in words or not words[0].islower()) else None


def _exact(value: str) -> str | None:
    written = _written(value)
    exact = written in ("True", "False", "None") or _EXACT.search(written or "")
    return written if exact else None


def _chosen(said: str) -> str | None:
    """The letter of an option that the answer begins with, is, or has as its last line."""
    first = _FIRST.match(said)
    if first and len(set(_LABELS.findall(said))) < 2:
        return first[1] or first[2]
    alone = _ALONE.fullmatch(said.rpartition("\n")[2].strip())
    return alone[1] if alone else None


def _returned(said: str) -> str | None:
    """What a call is said to return; what is said inside a program does not count."""
    found = list(_RESULT.finditer(_prose(said)))
    if not found:
        return None
    marked, bare = found[-1].groups()
    return _written(marked) if marked else _begins_with_literal(bare)


def _begins_with_literal(text: str) -> str | None:
    """The longest literal that the text begins with; it ends in a bracket, a quote or a word."""
    ends = [end.end() for end in re.finditer(r"[\])}'\"]|\w+", text[:_LONGEST])]
    starts = (text[:end] for end in reversed(ends))
    return next((_written(one) for one in starts if _literal(one)), None)


def _prose(said: str) -> str:
    """What is said outside programs; a fence with only one line in it is not a program."""
    return _FENCED.sub(lambda found: found[1] if found[1].count("\n") < 2 else "", said)


def _whole(said: str) -> str | None:
    bare = without_fence(said).strip(" *_`\n")
    if len(bare) > _LONGEST or (len(bare.split()) > _WORDS and bare[0] in "'\""):
        return None
    word = bare.rstrip(".!。।")
    if _WORD.fullmatch(word) or _literal(bare):
        return _written(word if _WORD.fullmatch(word) else bare)
    return None


def _computed(said: str) -> str | None:
    if len(said) <= _BRIEF:
        found = (short.fullmatch(said) for short in _short_answer())
        if brief := next(filter(None, found), None):
            return _written(brief[1])
    prose = _prose(said).strip()
    if not _COMPUTES.search(prose):
        return None
    sentence = re.split(r"(?<=[.!?])\s+", prose.rpartition("\n")[2])[-1].rstrip(" .*_`$)]}\\")
    if equals := _EQUALS.search(sentence):
        return _quantity(equals[1].strip(" $*"))
    amounts = _ANY.findall(sentence)
    return _written(amounts[-1]) if amounts else None


def _written(value: str) -> str | None:
    """The value in the form that is compared; None where it is empty or too long."""
    if not value.strip() or len(value) > _LONGEST:
        return None
    value = value.strip().strip("`").strip()
    if re.fullmatch(rf"\s*{_NUMBER}\s*", value):  # "1,000" is not a pair
        return _quantity(value)
    literal = _literal(value)
    if literal is None:
        return _formula(value)
    return _quantity(value) or repr(literal[1])


def _formula(value: str) -> str | None:
    value = _WRAPPED.sub(r"\1", value.replace("{,}", ","))
    value = _MIXED.sub(lambda m: f"{int(m[1]) * int(m[3]) + int(m[2])}/{m[3]}", value)
    value = _FRACTION.sub(lambda m: f"{m[1] or m[3]}/{m[2] or m[4]}", value)
    plain = " ".join(_SPACING.sub("", value).split())
    if letter := re.fullmatch(r"\(?([A-J])\)?", plain):
        return letter[1]
    plain = _NAMED.sub("", plain, count=1) if _NAMED.match(plain) else plain
    return _quantity(plain) or plain or None


def _quantity(text: str) -> str | None:
    """A number in its shortest form, without currency and unit; a percentage keeps its %."""
    found = _QUANTITY.fullmatch(text.strip())
    if not found:
        return None
    digits = re.sub(r"[+'’ \u00a0\u202f]", "", found[1]).replace("−", "-")
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", digits):
        digits = digits.replace(",", "")
    elif "," in digits:
        digits = digits.replace(".", "").replace(",", ".")
    unit, (scale, powers) = found[5] or "", _scale()
    power = int((found[3] or found[4] or "0").replace("−", "-"))
    if scaled := scale.match(unit):
        power += powers[scaled[0].lower()]
    number = Fraction(digits) * Fraction(10) ** power / (int(found[2] or 1) or 1)
    share = "%" if unit == "%" else ""
    return f"{float(number):.12g}{share}" if abs(number) < 10**300 else None
