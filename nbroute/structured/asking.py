"""How a schema is asked for: in words, or by the parameter `response_format`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from nbroute.structured.schema import Schema

_STRICT_WORDS = frozenset(
    "type properties required additionalProperties items enum const anyOf $ref $defs "  # noqa: SIM905 - words
    "definitions title description pattern format multipleOf minimum maximum exclusiveMinimum "
    "exclusiveMaximum minItems maxItems".split()
)
_STRICT_FORMATS = frozenset(
    "date-time time date duration email hostname ipv4 ipv6 uuid".split()  # noqa: SIM905 - words
)
_STRICT_DEPTH = 10
_DEFINITIONS = ("$defs", "definitions")


def schema_instruction(schema: Schema | Mapping[str, Any]) -> str:
    """The words that ask for the schema, for the system prompt. Ours."""
    compact = json.dumps(_data(schema), ensure_ascii=False, separators=(",", ":"))
    return (
        "Reply with one JSON value that fits this JSON schema and with nothing else: "
        f"no prose, no code fence.\n{compact}"
    )


def response_format(schema: Schema | Mapping[str, Any], name: str | None = None) -> dict[str, Any]:
    """OpenAI's parameter for the schema; `strict` where it can be held to the letter.

    A root that is no object is put under the key "value" (`Schema.parse` takes it out again).
    Objects are closed (`additionalProperties: false`) where that alone is missing for strict.
    Rules: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas; how
    many properties and enum values there are is not looked at.
    """
    data = _data(schema)
    rooted = _rooted(data)
    try:
        sent, strict = _closed(rooted), True
    except _NotStrictError:
        sent, strict = rooted, False
    name = name or (schema.name if isinstance(schema, Schema) else str(data.get("title", "")))
    label = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]
    told = {"name": label.strip("_") or "schema", "schema": sent, "strict": strict}
    return {"type": "json_schema", "json_schema": told}


def is_wrapped(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether the value stands under "value", as `response_format` asks where it must."""
    return isinstance(value, dict) and value.keys() == {"value"} and not _is_object(_root(schema))


def _data(schema: Schema | Mapping[str, Any]) -> Mapping[str, Any]:
    return schema.json_schema if isinstance(schema, Schema) else schema


def _rooted(schema: Mapping[str, Any]) -> dict[str, Any]:
    root = _root(schema)
    if _is_object(root):
        return {"type": "object", **root}
    inner = {word: part for word, part in root.items() if word not in _DEFINITIONS}
    return {
        "type": "object",
        "properties": {"value": _moved(inner)},
        "required": ["value"],
        "additionalProperties": False,
        **{word: _moved(schema[word]) for word in _DEFINITIONS if word in schema},
    }


def _root(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Put in place of a reference that is the whole root what it refers to."""
    where = re.fullmatch(r"#/(\$defs|definitions)/([^/~%]+)", str(schema.get("$ref", "")))
    target = schema.get(where[1], {}).get(where[2]) if where else None
    if not isinstance(target, dict) or "$ref" in target:
        return dict(schema)
    return {**target, **{word: part for word, part in schema.items() if word != "$ref"}}


def _is_object(root: Mapping[str, Any]) -> bool:
    if "type" in root:
        return bool(root["type"] == "object")
    return not root.keys() & {"enum", "const", "anyOf", "oneOf", "allOf", "not", "if", "$ref"}


def _moved(node: Any) -> Any:
    """Point references to the old root at where it stands now."""
    if isinstance(node, list):
        return [_moved(part) for part in node]
    if not isinstance(node, dict):
        return node
    moved = {word: _moved(part) for word, part in node.items()}
    reference = moved.get("$ref")
    if isinstance(reference, str) and not re.match(r"#/(?:\$defs|definitions)/", reference):
        moved["$ref"] = re.sub(r"^#(?=/|$)", "#/properties/value", reference)
    return moved


class _NotStrictError(Exception):
    """The schema has what the strict mode does not take."""


def _closed(node: Any, depth: int = 0) -> dict[str, Any]:
    """Close the schema's objects for the strict mode; raise for all else that it refuses."""
    if not isinstance(node, dict) or depth > _STRICT_DEPTH or not node.keys() <= _STRICT_WORDS:
        raise _NotStrictError
    if "$ref" in node and len(node) > 1:
        raise _NotStrictError
    if not node.keys() & {"$ref", "type", "anyOf", "enum", "const"}:
        raise _NotStrictError
    if node.get("format", "date") not in _STRICT_FORMATS:
        raise _NotStrictError
    return _closed_object(node) | _closed_parts(node, depth + 1)


def _closed_object(node: dict[str, Any]) -> dict[str, Any]:
    kinds = node.get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if "array" in kinds and "items" not in node:
        raise _NotStrictError
    if "object" not in kinds:
        return node
    if "properties" not in node and node.get("additionalProperties", True):
        raise _NotStrictError
    every = set(node.get("properties", {})) == set(node.get("required", ()))
    if not every or node.get("additionalProperties", False) is not False:
        raise _NotStrictError
    return {**node, "additionalProperties": False}


def _closed_parts(node: dict[str, Any], depth: int) -> dict[str, Any]:
    closed: dict[str, Any] = {}
    for word in ("properties", *_DEFINITIONS):
        if word in node:
            below = depth if word == "properties" else 1
            closed[word] = {key: _closed(part, below) for key, part in node[word].items()}
    if "items" in node:
        closed["items"] = _closed(node["items"], depth)
    if "anyOf" in node:
        closed["anyOf"] = [_closed(part, depth) for part in node["anyOf"]]
    return closed
