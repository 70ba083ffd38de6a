r"""`{{name}}` in a prompt is replaced by the notebook variable of that name.

A look-up is a name with attributes and indexes: `{{df.shape[0]}}`, `{{d["key"]}}`,
`{{items[-1]}}`. It is never evaluated. What begins with a name but is not a look-up
(`{{f(x)}}`, `{{ x | upper }}`, `{{first name}}`) was probably meant as one, so it is an error;
there `\{{` gives a literal `{{`. All else stays as it is, so that code can be pasted: single
braces, `{{}}`, `{{"a": 1}}`, `{{color: 'red'}}`, `{{#if x}}`.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from itertools import islice
from types import ModuleType
from typing import Any, TypeVar

from nbroute.errors import PromptError, did_you_mean, named

_Found = TypeVar("_Found")

#: A long table costs more than it is worth; the prompt says how many rows it leaves out.
MOST_ROWS = 50
#: The names that IPython puts among a user's variables.
_IPYTHONS = ("In", "Out", "exit", "get_ipython", "open", "quit")
_FIELD = re.compile(
    r"""(?P<literal>\\?)\{\{(?P<inner>(?:[^{}"'\n]|"[^"\n]{0,200}"|'[^'\n]{0,200}'){0,200}+)\}\}"""
)
#: What follows a name in an f-string: `:.2f`, `:>10`, `:,`, `:.1%`.
_FORMAT = r":[-+,<>^\d.]*[.,<>^%]\d*[a-z%]?"
#: A look-up in single braces, as in an f-string, surrounded by prose.
_SINGLE = re.compile(
    rf"""(?<![\w{{}}\\$^=/\])@#&%~-])\{{(?P<name>(?![^\W\d]_\w\b)[^\W\d]\w*)
    (?P<steps>(?:\.[^\W\d]\w*|\[[^][{{}}\n]{{1,40}}\])*)
    (?:![rsa])?(?:{_FORMAT})?\}}(?![\w}}^_(\[{{])""",
    re.VERBOSE,
)
#: Fenced and inline code.
_QUOTED = re.compile(r"(```|~~~).*?(?:\1|\Z)|`[^`\n]*`", re.DOTALL)
#: A line of code or with formulas: formatted strings, keys, assignments, statements.
_CODE = re.compile(
    r"""\b[rR]?[fF][rR]?["']|\.format\(|["']\s*:|[;{]\s*$|=>|[=+\[]\s*\{|\w\(\{|\\[a-zA-Z]+\{
    |\\[(\[]|\$\S[^$]*\$(?!\d)|^\s*(?:def|class|return|import|from|const|let|var|print|echo|console|\#include)\b""",
    re.VERBOSE,
)
_UNSEEN = re.compile(r"[\u00ad\u200b\u2060\ufeff]")
_CURLY = re.compile("[‘’“”„«»]")
_NBVAL = re.compile(r"^\s*#\s*NBVAL_")
_NAME = re.compile(r"[^\W\d]\w*")
_PART = re.compile(
    r"""\s*(?:\.\s*(?P<attribute>[^\W\d]\w*)
    |\[\s*(?:(?P<index>-?\d{1,18})|(?P<quote>["'])(?P<key>(?:(?!(?P=quote))[^\\])*)(?P=quote))\s*\])""",
    re.VERBOSE,
)
_OBJECT = re.compile(rf"[^\W\d]\w*\s*(?!{_FORMAT}$)(?:[:,]|=(?!=))")
_FEW = 12
_MOST_NAMES = 1_000
_LOOKED_AT = 20_000


def looked(look: Callable[[], _Found], otherwise: _Found) -> _Found:
    """What looking at a user's object gives; a proxy or a lazy object may fail in any way."""
    try:
        return look()
    except Exception:  # noqa: BLE001 - then it is done without
        return otherwise


def users(namespace: Mapping[str, Any]) -> list[str]:
    """The names of the user's values: not IPython's, not those that begin with `_`, no modules."""
    return [
        name
        for name, value in list(namespace.items())
        if not name.startswith("_")
        and name not in _IPYTHONS
        and not issubclass(type(value), ModuleType)
    ]


def prompt_of(cell: str, namespace: Mapping[str, Any], magic: str) -> str:
    """The cell's prompt, filled in; PromptError where there is none."""
    return _there(interpolate(body_of(cell, magic), namespace), magic)


def body_of(cell: str, magic: str) -> str:
    """The prompt as written, without nbval's marker comments; PromptError where there is none."""
    lines = (line for line in cell.split("\n") if not _NBVAL.match(line))
    return _there("\n".join(lines).strip(), magic)


def _there(prompt: str, magic: str) -> str:
    if not prompt.strip():
        raise PromptError(f"the cell has no prompt; write it below the {magic} line")
    return prompt


def interpolate(text: str, namespace: Mapping[str, Any]) -> str:
    """The prompt with its look-ups replaced, once: what a value holds is not looked up again.

    A value is what `str` makes of it; a DataFrame or a Series is a table of at most 50 rows.
    PromptError for a name, attribute, key or index that does not exist, with close matches,
    and for bytes.
    """

    def replaced(field: re.Match[str]) -> str:
        inner = _meant(field)
        if not inner or field["literal"]:
            return field[0][1:] if inner else field[0]
        return _text(_value(inner, namespace), field[0])

    return _FIELD.sub(replaced, text)


def hints(text: str, namespace: Mapping[str, Any]) -> tuple[str, ...]:
    """What to say about variables in single braces, which stay as they are; nothing about code."""
    lines = _QUOTED.sub(" ", text[:_LOOKED_AT]).split("\n") if "{" in text else ()
    found = [one for line in lines if not _CODE.search(line) for one in _SINGLE.finditer(line)]
    known = set(users({one["name"]: namespace.get(one["name"], sys) for one in found}))
    meant = dict.fromkeys(
        f"{{{{{one['name']}{one['steps']}}}}}" for one in found if one["name"] in known
    )
    if not meant:
        return ()
    return (f"did you mean {' and '.join(islice(meant, 3))}? Single braces are sent as they are",)


def names(text: str) -> list[str]:
    """The variables that the prompt refers to, each once, in their order."""
    fields = (_meant(field) for field in _FIELD.finditer(text) if not field["literal"])
    return list(dict.fromkeys(_NAME.findall(field)[0] for field in fields if field))


def _meant(field: re.Match[str]) -> str:
    """What is in the braces, where it begins like a look-up; else nothing."""
    inner = _UNSEEN.sub("", field["inner"]).strip()
    return inner if _NAME.match(inner) and not _OBJECT.match(inner) else ""


def _value(inner: str, namespace: Mapping[str, Any]) -> Any:
    field, name = f"{{{{{inner}}}}}", _NAME.findall(inner)[0]
    place, parts = len(name), []
    while part := _PART.match(inner, place):
        parts.append(part)
        place = part.end()
    if curly := place < len(inner) and _CURLY.search(inner):
        msg = f"{field}: {curly[0]} is a word processor's quote; write a plain \" or '"
        raise PromptError(msg)
    if place < len(inner) or name.startswith("__"):
        raise PromptError(
            f"{field} is not a look-up and is not evaluated; a name with attributes and indexes "
            'is, such as {{df.shape[0]}} or {{d["key"]}}: put the value into a variable first, '
            "or write \\{{ for a literal {{"
        )
    if name not in namespace:
        raise PromptError(f"{field}: no variable {name!r} here{_hint(name, users(namespace))}")
    value = namespace[name]
    for part in parts:
        attribute, index = part["attribute"], part["index"]
        if attribute and attribute.startswith("_"):
            raise PromptError(f"{field}: {attribute!r} is private and is not looked up")
        key = int(index) if index else part["key"]
        try:
            value = getattr(value, attribute) if attribute else value[key]
        except Exception as error:
            raise PromptError(f"{field}: {_missing(value, attribute, key, error)}") from error
    return value


def _missing(value: Any, attribute: str | None, key: int | str, error: Exception) -> str:
    kind = type(value).__name__
    if attribute and isinstance(error, AttributeError):
        known = _names_in(lambda: type(value).__dir__(value))  # type: ignore[call-arg]
        return f"{kind} has no {attribute!r}{_hint(attribute, known)}"
    if isinstance(error, KeyError) and hasattr(type(value), "keys"):
        known = _names_in(lambda: value.keys())  # noqa: PLW0108 - the look-up can fail, too
        return f"{kind} has no key {key!r}{_hint(str(key), known)}"
    if isinstance(error, IndexError):
        has = looked(lambda: f"; it has {len(value)} items, counted from 0", "")
        return f"{kind} has no index {key}{has}"
    asked = f".{attribute}" if attribute else f"[{key!r}]"
    return f"{kind} cannot be asked for {asked} ({raised(error)})"


def _names_in(found: Callable[[], Iterable[Any]]) -> list[str]:
    """The names that an object lists, which may never end."""
    nothing: list[str] = []
    return looked(lambda: [str(one) for one in islice(found(), _MOST_NAMES)], nothing)


def raised(error: Exception) -> str:
    """A user's object's error in one line; the class alone where the error cannot be shown."""
    return looked(lambda: named(error)[:200], type(error).__name__)


def _hint(name: str, known: list[str]) -> str:
    """The close matches, as the end of a sentence; nothing where nothing is known."""
    known = [one for one in known if not one.startswith("_")]
    hint = did_you_mean(name, known)
    if len(known) > _FEW and not hint.startswith("did you mean"):
        hint = f"none of the {len(known)} names is like it"
    return f"; {hint}" if known else ""


def _text(value: Any, field: str) -> str:
    kind = type(value)
    if issubclass(kind, bytes | bytearray | memoryview):
        raise PromptError(f"{field} is {kind.__name__}, not text; decode it first")
    try:
        if all(hasattr(kind, name) for name in ("to_string", "head", "__len__")):
            return _table(value)
        text = str(value)
    except Exception as error:
        raise PromptError(f"{field} cannot be turned to text ({raised(error)})") from error
    return f"{text}{_left_out(value, text)}"


def _table(value: Any) -> str:
    pandas = sys.modules.get("pandas")  # whose Series would cut long texts short
    whole = ("display.max_colwidth", None, "display.max_seq_items", None)
    with pandas.option_context(*whole) if pandas else nullcontext():
        shown = value.head(MOST_ROWS).to_string()
    left = len(value) - MOST_ROWS
    return f"{shown}\n... and {left} more rows of {len(value)}" if left > 0 else str(shown)


_ELIDED = re.compile(r"\.\.\.|…|^\s*:\s*:", re.MULTILINE)
_STRINGS = re.compile(r"""'[^'\n]*'|"[^"\n]*\"""")


def _left_out(value: Any, text: str) -> str:
    """A note on what arrays and frames replace with dots, which is easily missed."""
    if not _ELIDED.search(_STRINGS.sub("", text)):
        return ""
    arrow = hasattr(type(value), "to_pylist")
    size = looked(lambda: len(value) if arrow else math.prod(value.shape), 0)
    if size <= _FEW:
        return ""
    library = type(value).__module__.partition(".")[0]
    said = f"({library} leaves out most of the {size:,} values here)"
    return f"\n{said}" if "\n" in text else f" {said}"
