"""What is asked of an endpoint, as the JSON of a chat request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from nbroute.types import Request

Body = dict[str, Any]

#: A reference within the schema, except to a place that `under_value` leaves where it is.
_INNER_REF = re.compile(r'"\$ref": "#(?!/(?:\$defs|definitions)/)')
#: https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas"
_STRICT_WORDS = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
    *("anyOf", "$ref", "$defs", "definitions", "title", "description", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems"),
}


def parameters_of(request: Request, limit: str) -> Body:
    """The body of a chat request; `limit` is what the endpoint calls the token budget."""
    body: Body = {
        "model": request.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        limit: request.max_tokens,
        "stream": request.stream,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.schema is not None:
        body["response_format"] = _schema_format(_name(request.schema), request.schema)
    elif request.json:
        body["response_format"] = {"type": "json_object"}
    if request.logprobs:
        body["logprobs"] = True
    if request.stream:
        body["stream_options"] = {"include_usage": True}
    return body


def under_value(asked: Mapping[str, Any]) -> Body:
    """The response_format for an object with what the schema asked for as its "value".

    `Schema.parse` takes it out again.
    """
    bare = json.dumps(dict(asked["schema"]))
    moved = json.loads(_INNER_REF.sub('"$ref": "#/properties/value', bare))
    shared = {word: moved.pop(word) for word in ("$defs", "definitions") if word in moved}
    closed = {"required": ["value"], "additionalProperties": False}
    schema = {"type": "object", "properties": {"value": moved}, **closed, **shared}
    return _schema_format(asked["name"], schema)


def _schema_format(name: str, schema: Mapping[str, Any]) -> Body:
    named: Body = {"name": name, "schema": dict(schema)}
    if schema.get("type") == "object" and _is_strict(schema):
        named["strict"] = True
    return {"type": "json_schema", "json_schema": named}


def _name(schema: Mapping[str, Any]) -> str:
    title = schema.get("title")
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", title if isinstance(title, str) else "").strip("_")
    return name[:64] or "answer"


def _is_strict(schema: Any) -> bool:
    """Whether a schema keeps OpenAI's rules for strict ones, all the way down."""
    if not isinstance(schema, Mapping) or not schema.keys() <= _STRICT_WORDS:
        return False
    properties = schema.get("properties", {})
    closed = schema.get("additionalProperties") is False
    closed = closed and set(schema.get("required", ())) == set(properties)
    if not closed and (properties or schema.get("type") == "object"):
        return False
    inner = [schema["items"]] if "items" in schema else []
    inner += schema.get("anyOf", [])
    for named in (properties, schema.get("$defs", {}), schema.get("definitions", {})):
        inner += named.values()
    return all(map(_is_strict, inner))
