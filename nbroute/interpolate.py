r"""`{{name}}` in a prompt is replaced by the notebook variable of that name.

A look-up is a name with attributes and indexes: `{{df.shape[0]}}`, `{{d["key"]}}`,
`{{items[-1]}}`. It is never evaluated. What begins with a name and is no look-up
(`{{f(x)}}`, `{{ x | upper }}`, `{{first name}}`) is taken for an attempt at one, and an error;
`\{{` gives a literal `{{` there. All else stays as it is, so that code can be pasted: single
braces, `{{}}`, `{{"a": 1}}`, `{{color: 'red'}}`, `{{#if x}}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from nbroute.errors import PromptError, did_you_mean

#: A long table costs more than it tells; the prompt says how many rows it leaves out.
MOST_ROWS = 50
_FIELD = re.compile(
    r"""(?P<literal>\\?)\{\{(?P<inner>(?:[^{}"'\n]|"[^"\n]{0,200}"|'[^'\n]{0,200}'){0,200}+)\}\}"""
)
_NBVAL = re.compile(r"^\s*#\s*NBVAL_")
_NAME = re.compile(r"[^\W\d]\w*")
_PART = re.compile(
    r"""\s*(?:\.\s*(?P<attribute>[^\W\d]\w*)
    |\[\s*(?:(?P<index>-?\d{1,18})|"(?P<double>[^"\\]*)"|'(?P<single>[^'\\]*)')\s*\])""",
    re.VERBOSE,
)
_OBJECT = re.compile(r"[^\W\d]\w*\s*(?:[:,]|=(?!=))")
_FEW = 12


def prompt_of(cell: str, namespace: Mapping[str, Any], magic: str) -> str:
    """The cell's prompt, filled in; PromptError where there is none."""
    return _there(interpolate(body_of(cell, magic), namespace), magic)


def body_of(cell: str, magic: str) -> str:
    """The prompt as it is written, without nbval's marker comments; PromptError for none."""
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
    return _FIELD.sub(lambda field: _replacement(field, namespace), text)


def names(text: str) -> list[str]:
    """The variables that the prompt refers to, each once, in their order."""
    found = (_NAME.match(inner) for inner in _look_ups(text))
    return list(dict.fromkeys(name[0] for name in found if name))


def _look_ups(text: str) -> Iterable[str]:
    for field in _FIELD.finditer(text):
        if _is_meant(field) and not field["literal"]:
            yield field["inner"].strip()


def _is_meant(field: re.Match[str]) -> bool:
    inner = field["inner"].strip()
    return bool(_NAME.match(inner)) and not _OBJECT.match(inner)


def _replacement(field: re.Match[str], namespace: Mapping[str, Any]) -> str:
    if not _is_meant(field):
        return field[0]
    if field["literal"]:
        return field[0][1:]
    return _text(_value(field["inner"].strip(), namespace), field[0])


def _value(inner: str, namespace: Mapping[str, Any]) -> Any:
    first = _NAME.match(inner)
    name = first[0] if first else ""
    place = len(name)
    parts = []
    while part := _PART.match(inner, place):
        parts.append(part)
        place = part.end()
    if place < len(inner) or name.startswith("__"):
        raise PromptError(_no_look_up(inner))
    if name not in namespace:
        known = [known for known in namespace if not known.startswith("_")]
        raise PromptError(f"{{{{{inner}}}}}: no variable {name!r} here; {_hint(name, known)}")
    value = namespace[name]
    for part in parts:
        value = _step(value, part, inner)
    return value


def _no_look_up(inner: str) -> str:
    return (
        f"{{{{{inner}}}}} is not a look-up and is not evaluated; a name with attributes and "
        'indexes is, such as {{df.shape[0]}} or {{d["key"]}}: put the value into a variable first, '
        "or write \\{{ for a literal {{"
    )


def _step(value: Any, part: re.Match[str], inner: str) -> Any:
    attribute = part["attribute"]
    if attribute is not None and attribute.startswith("_"):
        raise PromptError(f"{{{{{inner}}}}}: {attribute!r} is private and is not looked up")
    try:
        return getattr(value, attribute) if attribute is not None else value[_key(part)]
    except Exception as error:
        raise PromptError(f"{{{{{inner}}}}}: {_missing(value, part, error)}") from error


def _key(part: re.Match[str]) -> int | str:
    if part["index"] is not None:
        return int(part["index"])
    return part["double"] if part["double"] is not None else part["single"]


def _missing(value: Any, part: re.Match[str], error: Exception) -> str:
    kind = type(value).__name__
    if part["attribute"] is not None:
        known = [known for known in dir(value) if not known.startswith("_")]
        return f"{kind} has no {part['attribute']!r}; {_hint(part['attribute'], known)}"
    key = _key(part)
    if isinstance(error, KeyError) and callable(getattr(value, "keys", None)):
        return f"{kind} has no key {key!r}; {_hint(str(key), map(str, value.keys()))}"
    if isinstance(error, IndexError):
        return f"{kind} has no index {key}; it has {len(value)} items, counted from 0"
    return f"{kind} cannot be asked for [{key!r}] ({type(error).__name__}: {error})"


def _hint(name: str, known: Iterable[str]) -> str:
    names = list(known)
    hint = did_you_mean(name, names)
    if len(names) > _FEW and not hint.startswith("did you mean"):
        return f"none of the {len(names)} that there are is like it"
    return hint


def _text(value: Any, field: str) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        raise PromptError(f"{field} is {type(value).__name__}, not text; decode it first")
    try:
        return _table(value) if _is_table(value) else str(value)
    except Exception as error:
        msg = f"{field} cannot be turned to text ({type(error).__name__}: {error})"
        raise PromptError(msg) from error


def _is_table(value: Any) -> bool:
    kind = type(value)
    return all(hasattr(kind, name) for name in ("to_string", "iloc", "__len__"))


def _table(value: Any) -> str:
    shown = value.iloc[:MOST_ROWS].to_string()
    left = len(value) - MOST_ROWS
    return f"{shown}\n... and {left} more rows of {len(value)}" if left > 0 else shown
