"""Structured output of a simulated model: a value that a JSON schema allows, or one it does not."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from nbroute.providers.simulated_strings import string_for
from nbroute.providers.simulated_words import MARK, draw
from nbroute.types import Request

_FITS_FROM = 0.6
_MISFIT_SLOPE = 2.0
_OPTIONAL_BELOW = 4
_STOP_AT = 40
_TRIES = 20
_MOST = 200
_CHOICES = ("anyOf", "oneOf")


def structured_answer(request: Request, skill: float) -> str:
    """Write JSON that fits `request.schema`; below a skill of 0.6 a share of it does not.

    What does not fit has prose before it or a value of the wrong type.
    """
    schema = request.schema or {}
    seed = draw("schema", request.model, request.messages, request.temperature)
    value = instance(schema, seed)
    if draw("misfit", seed) >= _MISFIT_SLOPE * (_FITS_FROM - skill):
        return json.dumps(value, ensure_ascii=False)
    spoilt = _spoilt(schema, schema, value) if draw("kind", seed) < 0.5 else None
    if spoilt is not None:
        return json.dumps(spoilt, ensure_ascii=False)
    return f"{MARK} Here is what was asked for:\n\n{json.dumps(value, ensure_ascii=False)}"


def instance(schema: Mapping[str, Any], seed: float = 0.0) -> Any:
    """Make a value that the schema allows; its texts say that they are simulated.

    It knows the words that classes turn into, and simple patterns; not `not`, `if` and the like.
    """
    return _Maker(schema, seed).value(schema, "value", 0)


class _Maker:
    def __init__(self, root: Mapping[str, Any], seed: float) -> None:
        self._root = root
        self._seed = seed

    def value(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, Mapping) or depth > _STOP_AT:
            return f"{MARK} {name}"
        schema = resolved(schema, self._root)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][self._pick(len(schema["enum"]), name)]
        for word in _CHOICES:
            if word in schema:
                rest = {key: part for key, part in schema.items() if key != word}
                branch = self._branch(schema[word], depth)
                return self.value(_merged(rest, branch), name, depth + 1)
        return self._of_kind(_kind(schema), schema, name, depth)

    def _of_kind(self, kind: str, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind in ("integer", "number"):
            return _number(schema, kind, draw(self._seed, name, depth))
        if kind == "boolean":
            return draw(self._seed, name) < 0.5
        return None if kind == "null" else string_for(schema, name)

    def _pick(self, count: int, name: str) -> int:
        return min(int(draw(self._seed, name) * count), count - 1)

    def _branch(self, branches: list[Any], depth: int) -> Any:
        """Take the first that is a value; deep down one that does not go deeper, if any."""
        ends = [b for b in branches if isinstance(b, Mapping) and not _goes_deeper(b)]
        if depth >= _OPTIONAL_BELOW and ends:
            return ends[-1]
        values = (b for b in branches if not (isinstance(b, Mapping) and b.get("type") == "null"))
        return next(values, branches[0])

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        parts = schema.get("properties", {})
        required = schema.get("required", ())
        optional = parts if depth < _OPTIONAL_BELOW else ()
        names = [
            *dict.fromkeys([*(name for name in parts if name in required or name in optional)])
        ]
        names += [name for name in required if name not in parts]
        more = schema.get("additionalProperties", True)
        count = max(
            min(schema.get("minProperties", 0), _MOST), int(not parts and isinstance(more, Mapping))
        )
        names += [f"simulated_{place}" for place in range(1, count - len(names) + 1)]
        return {
            name: self.value(parts.get(name, more), name, depth + 1)
            for name in names[: schema.get("maxProperties", len(names))]
            if parts.get(name, more) is not False
        }

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        items = schema.get("items", "prefixItems" not in schema)
        firsts = items if isinstance(items, list) else schema.get("prefixItems", ())
        usual = 2 if depth < _OPTIONAL_BELOW and items is not False else 0
        wanted = max(schema.get("minItems", 0), usual, len(firsts))
        count = min(wanted, schema.get("maxItems", wanted), _MOST)
        made: list[Any] = []
        for place in range(count * (_TRIES if schema.get("uniqueItems") else 1)):
            part = firsts[place] if place < len(firsts) else items
            item = self.value(part, f"{name} {place + 1}", depth + 1)
            if len(made) < count and not (schema.get("uniqueItems") and item in made):
                made.append(item)
        return made


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """Put the local references and the parts of `allOf` in place."""
    found = dict(schema)
    for _ in range(_STOP_AT):
        if "$ref" in found:
            target = _target(str(found.pop("$ref")), root)
            found = _merged(target, found)
        elif "allOf" in found:
            for part in found.pop("allOf"):
                found = _merged(found, part)
        else:
            break
    return found


def _target(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found


def _merged(one: Any, other: Any) -> dict[str, Any]:
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return dict(
            one if isinstance(one, Mapping) else other if isinstance(other, Mapping) else {}
        )
    both = {**one, **other}
    if "properties" in one and "properties" in other:
        both["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        both["required"] = [*one["required"], *other["required"]]
    return both


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return str(next((one for one in kind if one != "null"), "null"))
    if kind is not None:
        return str(kind)
    for implied, words in (
        ("object", ("properties", "required", "additionalProperties")),
        ("array", ("items", "prefixItems", "minItems")),
        ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
    ):
        if any(word in schema for word in words):
            return implied
    return "string"


def _goes_deeper(schema: Mapping[str, Any]) -> bool:
    return "$ref" in schema or _kind(schema) in ("object", "array")


def _number(schema: Mapping[str, Any], kind: str, drawn: float) -> float:
    """Draw a multiple of the step between the limits; the middle where there is none."""
    step = Fraction(str(schema.get("multipleOf", 1 if kind == "integer" else 0.5)))
    least, open_low = _limit(schema, "inimum", max)
    most, open_high = _limit(schema, "aximum", min)
    low = (
        least
        if least is not None
        else Fraction(1)
        if most is None
        else min(Fraction(1), most - 9 * step)
    )
    high = most if most is not None else low + 9 * step
    first = math.ceil(low / step) + (open_low and low % step == 0)
    final = math.floor(high / step) - (open_high and high % step == 0)
    if final < first:
        return float((low + high) / 2)
    chosen = (first + int(drawn * (final - first))) * step
    return int(chosen) if chosen.denominator == 1 else float(chosen)


def _limit(schema: Mapping[str, Any], word: str, tighter: Any) -> tuple[Fraction | None, bool]:
    """Find the limit, and whether it is itself left out (as a number, or by draft 4's true)."""
    closed, opened = schema.get(f"m{word}"), schema.get(f"exclusiveM{word}")
    if isinstance(opened, bool):
        opened = closed if opened else None
    known = [Fraction(str(limit)) for limit in (closed, opened) if limit is not None]
    if not known:
        return None, False
    limit = tighter(known)
    return limit, opened is not None and Fraction(str(opened)) == limit


def _spoilt(schema: Any, root: Mapping[str, Any], value: Any) -> Any:
    """Give one value in it a type that its schema does not have; None where none is sure."""
    schema = resolved(schema, root) if isinstance(schema, Mapping) else {}
    kind = schema.get("type")
    if any(word in schema for word in (*_CHOICES, "format", "enum", "const")):
        return None
    if kind in ("integer", "number", "boolean"):
        return f"{MARK} not as asked"
    if kind == "string":
        return 0
    if kind == "array" and value and isinstance(schema.get("items"), Mapping):
        item = _spoilt(schema["items"], root, value[-1])
        return None if item is None else [*value[:-1], item]
    return _spoilt_object(schema, root, value) if kind == "object" else None


def _spoilt_object(schema: Mapping[str, Any], root: Mapping[str, Any], value: Any) -> Any:
    for name, part in schema.get("properties", {}).items():
        if name in value:
            worse = _spoilt(part, root, value[name])
            if worse is not None:
                return {**value, name: worse}
    return None
