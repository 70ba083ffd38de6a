"""An answer's text -> the JSON value in it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

from nbroute.checks.fence import without_fence
from nbroute.checks.quoting import short


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
