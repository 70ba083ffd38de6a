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
    "no json schema",
    "no json object",
]

_REFUSED = (400, 422)
#: OpenAI forbids log-probabilities with this status.
_FORBIDDEN = 403
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
#: https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas"
_STRICT_WORDS = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
        *("anyOf", "$ref", "$defs", "definitions", "title", "description", "pattern"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minItems", "maxItems"),
    }
)
_LONGEST_NAME = 64


class Manners:
    """What the models of one endpoint take; thread-safe."""

    def __init__(self) -> None:
        self._quirks: dict[str, frozenset[Quirk]] = {}
        self._lock = threading.Lock()

    def ask(
        self,
        request: Request,
        parameters: Callable[[frozenset[Quirk]], dict[str, Any]],
        post: Callable[[dict[str, Any]], Any],
    ) -> Any:
        """Post; once more for each parameter that the endpoint says it does not take."""
        known = quirks = self._known(request)
        lasting: frozenset[Quirk] = frozenset()
        while True:
            sent = parameters(quirks)
            try:
                answer = post(sent)
            except Exception as error:
                learnt = quirks_named(error, sent) - quirks
                if not learnt:
                    raise
                quirks |= learnt
                lasting |= frozenset(q for q in learnt if not _of_this_schema(q, error))
            else:
                if quirks != known:
                    self._remember(request.model, lasting)
                    self._remember(_with_schema(request), quirks - lasting - known)
                return answer

    def _known(self, request: Request) -> frozenset[Quirk]:
        none: frozenset[Quirk] = frozenset()
        of_schema = self._quirks.get(_with_schema(request), none) if request.schema else none
        return self._quirks.get(request.model, none) | of_schema

    def _remember(self, key: str, quirks: frozenset[Quirk]) -> None:
        with self._lock:
            self._quirks[key] = self._quirks.get(key, frozenset()) | quirks


def parameters_of(request: Request, quirks: frozenset[Quirk], own_limit: str) -> dict[str, Any]:
    """The body of a chat request; `own_limit` is what the endpoint calls the token limit."""
    parameters: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        _limit(own_limit, "other token parameter" in quirks): request.max_tokens,
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
    if status in (*_REFUSED, _FORBIDDEN) and "logprobs" in words and "logprobs" in sent:
        return frozenset({"no logprobs"})
    if status not in _REFUSED:
        return frozenset()
    if "response_format" in sent and _OF_FORMAT.search(words):
        asked = sent["response_format"]["type"]
        return frozenset({"no json schema" if asked == "json_schema" else "no json object"})
    return _of_numbers(words, sent) if _NOT_TAKEN.search(words) else frozenset()


def _of_numbers(words: str, sent: Mapping[str, Any]) -> frozenset[Quirk]:
    found: set[Quirk] = set()
    if "max_tokens" in words or "max_completion_tokens" in words:
        found.add("other token parameter")
    if "temperature" in words and "temperature" in sent:
        found.add("no temperature")
    if "stream_options" in words and "stream_options" in sent:
        found.add("no stream options")
    return frozenset(found)


def _of_this_schema(quirk: Quirk, error: Exception) -> bool:
    """Whether another schema (or prompt) may still be taken."""
    words = str(error)
    about_format = quirk in ("no json schema", "no json object")
    return about_format and bool(_OF_THIS_SCHEMA.search(words) or not _NOT_TAKEN.search(words))


def _with_schema(request: Request) -> str:
    return f"{request.model}\n{json.dumps(request.schema, sort_keys=True, default=str)}"


def _limit(own: str, swapped: bool) -> str:
    return {"max_tokens": "max_completion_tokens"}.get(own, "max_tokens") if swapped else own


def _response_format(request: Request, quirks: frozenset[Quirk]) -> dict[str, Any] | None:
    schema = request.schema
    if schema is not None and "no json schema" not in quirks:
        return {"type": "json_schema", "json_schema": _named(schema)}
    # JSON mode makes objects only.
    wants_object = request.json if schema is None else schema.get("type") == "object"
    return {"type": "json_object"} if wants_object and "no json object" not in quirks else None


def _named(schema: Mapping[str, Any]) -> dict[str, Any]:
    title = schema.get("title")
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", title if isinstance(title, str) else "").strip("_")
    named = {"name": name[:_LONGEST_NAME] or "answer", "schema": dict(schema)}
    can_be_strict = schema.get("type") == "object" and _is_strict(schema)
    return named | {"strict": True} if can_be_strict else named


def _is_strict(schema: Any) -> bool:
    """Whether a schema keeps OpenAI's rules for strict ones, all the way down."""
    if not isinstance(schema, Mapping) or not schema.keys() <= _STRICT_WORDS:
        return False
    properties = schema.get("properties", {})
    inner = [schema["items"]] if "items" in schema else []
    inner += schema.get("anyOf", [])
    for named in (properties, schema.get("$defs", {}), schema.get("definitions", {})):
        inner += named.values()
    return _is_closed(schema, properties) and all(map(_is_strict, inner))


def _is_closed(schema: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    if schema.get("type") != "object" and not properties:
        return True
    closed = schema.get("additionalProperties") is False
    return closed and set(schema.get("required", ())) == set(properties)
