"""What is asked of an endpoint, as its JSON, and which parameters its models do not take.

A model is never known by its name: what it does not take is learnt from the endpoint's refusal.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal

from nbroute.types import Request

Quirk = Literal[
    "other token parameter",
    "no temperature",
    "no stream options",
    "no logprobs",
    "objects only",
    "no json schema",
    "no json object",
]

_REFUSED = (400, 422)
_NOT_TAKEN = re.compile(
    r"unsupported|not support|unknown|unrecogni[sz]ed|unexpected|extra_forbidden|deprecated"
    r"|not (?:permitted|allowed|accepted|enabled|available)|unavailable|only the default"
    r"|must be (?:one of|either|')|should be|enabled only|\binstead\b",
    re.IGNORECASE,
)
_OF_FORMAT = re.compile(
    r"response[ _]?format|json[ _]?(?:schema|object|mode)|structured.?output|\bgrammar\b",
    re.IGNORECASE,
)
_OF_THIS_SCHEMA = re.compile(
    r"(?:invalid|unrecogni[sz]ed) schema|\bschema (?:for|is|must|conversion)|conversion|\bgrammar\b"
    r"|additionalProperties|the word",
    re.IGNORECASE,
)
_WANTS_OBJECT = re.compile(r"\bobject\b", re.IGNORECASE)
#: A reference within the schema, save to a place that `_under_value` leaves where it is.
_INNER_REF = re.compile(r'"\$ref": "#(?!/(?:\$defs|definitions)/)')
#: https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas"
_STRICT_WORDS = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
    *("anyOf", "$ref", "$defs", "definitions", "title", "description", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems"),
}


class Quirks:
    """What the models of one endpoint do not take; thread-safe.

    `limit` is what the endpoint calls the token limit.
    """

    def __init__(self, limit: str) -> None:
        self._limit = limit
        self._known: dict[str, frozenset[Quirk]] = {}
        self._lock = threading.Lock()

    def ask(self, request: Request, post: Callable[[dict[str, Any]], Any]) -> Any:
        """Post; once more for each parameter that the endpoint says it does not take."""
        with_schema = ""
        if request.schema:
            schema = json.dumps(request.schema, sort_keys=True, default=str)
            with_schema = f"{request.model}\n{schema}"
        of_model = self._known.get(request.model, frozenset())
        of_schema = self._known.get(with_schema, frozenset())
        while True:
            sent = parameters_of(request, of_model | of_schema, self._limit)
            try:
                answer = post(sent)
            except Exception as error:
                learnt = quirks_named(error, sent) - of_model - of_schema
                if not learnt:
                    raise
                words = str(error)
                this_schema = _OF_THIS_SCHEMA.search(words) or not _NOT_TAKEN.search(words)
                if this_schema and learnt <= {"no json schema", "no json object"}:
                    # Another schema (or prompt) may still be taken.
                    of_schema |= learnt
                else:
                    of_model |= learnt
            else:
                for key, quirks in ((request.model, of_model), (with_schema, of_schema)):
                    if key and quirks:
                        with self._lock:
                            self._known[key] = self._known.get(key, frozenset()) | quirks
                return answer


def parameters_of(request: Request, quirks: frozenset[Quirk], limit: str) -> dict[str, Any]:
    """The body of a chat request."""
    if "other token parameter" in quirks:
        limit = "max_completion_tokens" if limit == "max_tokens" else "max_tokens"
    parameters: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        limit: request.max_tokens,
        "stream": request.stream,
    }
    if request.temperature is not None and "no temperature" not in quirks:
        parameters["temperature"] = request.temperature
    wanted = _response_format(request, quirks)
    if wanted is not None:
        parameters["response_format"] = wanted
    if request.logprobs and "no logprobs" not in quirks:
        parameters["logprobs"] = True
    if request.stream and "no stream options" not in quirks:
        parameters["stream_options"] = {"include_usage": True}
    return parameters


def quirks_named(error: Exception, sent: Mapping[str, Any]) -> frozenset[Quirk]:
    """Read in a refusal which of the parameters sent it is about."""
    words = f"{error} {getattr(error, 'body', '')}"
    status = getattr(error, "status_code", None)
    # OpenAI forbids log-probabilities with a 403.
    if status in (*_REFUSED, 403) and "logprobs" in words and "logprobs" in sent:
        return frozenset({"no logprobs"})
    if status not in _REFUSED:
        return frozenset()
    if "response_format" in sent and _OF_FORMAT.search(words):
        asked = sent["response_format"]
        if asked["type"] != "json_schema":
            return frozenset({"no json object"})
        bare = asked["json_schema"]["schema"].get("type") != "object"
        return frozenset(
            {"objects only" if bare and _WANTS_OBJECT.search(words) else "no json schema"}
        )
    named: dict[Quirk, bool] = {
        "other token parameter": "max_tokens" in words or "max_completion_tokens" in words,
        "no temperature": "temperature" in words and "temperature" in sent,
        "no stream options": "stream_options" in words and "stream_options" in sent,
    }
    return frozenset(quirk for quirk in named if named[quirk] and _NOT_TAKEN.search(words))


def _response_format(request: Request, quirks: frozenset[Quirk]) -> dict[str, Any] | None:
    schema = request.schema
    if schema is None or "no json schema" in quirks:
        # JSON mode makes objects only.
        wants_object = request.json if schema is None else schema.get("type") == "object"
        can = wants_object and "no json object" not in quirks
        return {"type": "json_object"} if can else None
    title = schema.get("title")
    if "objects only" in quirks and schema.get("type") != "object":
        schema = _under_value(schema)
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", title if isinstance(title, str) else "").strip("_")
    named: dict[str, Any] = {"name": name[:64] or "answer", "schema": dict(schema)}
    if schema.get("type") == "object" and _is_strict(schema):
        named["strict"] = True
    return {"type": "json_schema", "json_schema": named}


def _under_value(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An object with what the schema is about as its "value"; `Schema.parse` takes it out again."""
    moved = json.loads(_INNER_REF.sub('"$ref": "#/properties/value', json.dumps(dict(schema))))
    shared = {word: moved.pop(word) for word in ("$defs", "definitions") if word in moved}
    closed = {"required": ["value"], "additionalProperties": False}
    return {"type": "object", "properties": {"value": moved}, **closed, **shared}


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
