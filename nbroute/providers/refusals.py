"""The body of a request, and what is changed in it when an endpoint refuses a part.

Nothing is known of a model by its name: what it does not take is learnt from the endpoint's own
words, left out once, and remembered if that helped.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nbroute.decoding import packaged
from nbroute.locks import Lock
from nbroute.pricing import prompt_tokens
from nbroute.providers.openai_errors import LONGEST_READ, Call, server_words, words_in
from nbroute.providers.token_limits import Limits, lacks_numbers, learnt_from
from nbroute.types import Chunk, Request

Body = dict[str, Any]

#: A reference within the schema, except into the parts that `_under_value` does not move.
_INNER_REF = re.compile(r'"\$ref": "#(?!/(?:\$defs|definitions)/)')
#: https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas"
_STRICT_WORDS = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
    *("anyOf", "$ref", "$defs", "definitions", "title", "description", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems"),
}
#: With the first, an error is about the request; with the others it may be about anything.
_REJECTED = (400, 413, 422)
_PERHAPS = (200, 403, 404, 500, 501)
_DATA = packaged("nbroute.providers", "refusals.toml")
_EFFORT = packaged("nbroute.providers", "effort.toml")
#: The parameters for the effort, by the first part of their names.
_EFFORT_NAMES = {
    name.partition(".")[0] for name in (_EFFORT["usual"], *_EFFORT["hosts"].values()) if name
}


def _pattern(parts: Iterable[str]) -> str:
    whole = "".join(parts)
    for name, part in _DATA["parts"].items():
        whole = whole.replace(f"<{name}>", "".join(part))
    return whole


_REFUSES, _REFUSES_PERHAPS, _UNNAMED = map(_pattern, _DATA["refuses"].values())
#: How many characters next to a name are compared with the prompt, which a server may quote.
_NEAR = 12


def effort_parameter(host: str) -> str:
    """Where in the body that host takes the effort, as a dotted name; "" if it takes none."""
    return str(_EFFORT["hosts"].get(host, _EFFORT["usual"]))


def parameters_of(request: Request, limit: str, effort: str) -> Body:
    """The body of a chat request.

    `limit` and `effort` are the endpoint's names for the token budget and the effort.
    """
    body: Body = {
        "model": request.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        limit: request.max_tokens,
        "stream": request.stream,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.effort and effort:
        name, _, inner = effort.partition(".")
        body[name] = {inner: request.effort} if inner else request.effort
    if request.schema is not None:
        title = request.schema.get("title")
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", title if isinstance(title, str) else "").strip("_")
        body["response_format"] = _schema_format(name[:64] or "answer", request.schema)
    elif request.json:
        body["response_format"] = {"type": "json_object"}
    if request.logprobs:
        body["logprobs"] = True
    if request.stream:
        body["stream_options"] = {"include_usage": True}
    return body


def _under_value(asked: Mapping[str, Any]) -> Body:
    """The response_format of an object whose "value" is what the schema asked for.

    `Schema.parse` unwraps it.
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


def _is_strict(schema: Any) -> bool:
    """Whether a schema keeps OpenAI's rules for strict schemas at every level."""
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


def no_effort(model: str, why: str) -> Chunk:
    """The notice that a model is asked without the effort that the user wanted."""
    return Chunk(notice=f"{model} is asked without a reasoning effort: {why}", effortless=True)


@dataclass(frozen=True, eq=False)
class Refusal:
    """Something that may be refused: the words for it, and the change that helps.

    Unless `name_tells`, other words must say that it is refused. Words in `particular` refuse only
    this value. `optional`: the answer can do without it.
    """

    words: str
    change: Callable[[Body], Body]
    told: str
    name_tells: bool = False
    particular: Sequence[str] = ()
    optional: bool = False


def _without(name: str) -> Callable[[Body], Body]:
    return lambda body: {key: value for key, value in body.items() if key != name}


def _effortless(body: Body) -> Body:
    return {key: value for key, value in body.items() if key not in _EFFORT_NAMES}


def _cooler(body: Body) -> Body:
    # A temperature that no vendor takes is the user's mistake.
    return _without("temperature")(body) if 0 <= body.get("temperature", -1) <= 2 else body


def _other_limit(body: Body) -> Body:
    other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
    return {other.get(name, name): value for name, value in body.items()}


def _streamed(body: Body) -> Body:
    stream = {"stream": True, "stream_options": {"include_usage": True}}
    return body if body["stream"] else body | stream


def _one_message(body: Body) -> Body:
    told = [one["content"] for one in body["messages"] if one["role"] == "system"]
    rest = [one for one in body["messages"] if one["role"] != "system"]
    if not (told and rest):
        return body
    first = rest[0] | {"content": "\n\n".join([*told, rest[0]["content"]])}
    return body | {"messages": [first, *rest[1:]]}


def _schema(body: Body) -> Any:
    return body.get("response_format", {}).get("json_schema")


def _objects_only(body: Body) -> Body:
    asked = _schema(body)
    if asked is None or asked["schema"].get("type") == "object":
        return body
    return body | {"response_format": _under_value(asked)}


def _json_mode(body: Body) -> Body:
    asked = _schema(body)
    if asked is None:
        return body
    if asked["schema"].get("type") == "object":  # JSON mode makes nothing else
        return body | {"response_format": {"type": "json_object"}}
    return _without("response_format")(body)


_CHANGES: Mapping[str, Callable[[Body], Body]] = {
    "no logprobs": _without("logprobs"),
    "objects only": _objects_only,
    "schema in words": _json_mode,
    "JSON in words": lambda body: body if _schema(body) else _without("response_format")(body),
    "no stream options": _without("stream_options"),
    "other limit": _other_limit,
    "one message": _one_message,
    "whole": lambda body: _without("stream_options")(body) | {"stream": False},
    "streamed": _streamed,
    "no temperature": _cooler,
    "no effort": _effortless,
}
#: The first row that the words name, and that changes the request, is applied.
TABLE = tuple(
    Refusal(**{**row, "change": _CHANGES[row["change"]], "words": _pattern(row["words"])})
    for row in _DATA["refused"]
)


def lasting(error: Exception) -> bool:
    """Whether a server error is really a refusal, which waiting does not cure."""
    if getattr(error, "status_code", None) not in _PERHAPS:
        return False
    words = words_in(getattr(error, "body", None) or str(error))[:LONGEST_READ]
    return bool(re.search(_REFUSES, words, re.IGNORECASE))


class Quirks:
    """What the models of one endpoint do not take; thread-safe.

    `limit` is the name of the token budget at the endpoint, `host`.
    """

    def __init__(self, limit: str, host: str = "") -> None:
        self._limit, self._host = limit, host
        self._told: set[str] = set()
        self._known: dict[str, tuple[Refusal, ...]] = {}
        self._limits: dict[str, Limits] = {}
        self._lock = Lock()

    def ask(
        self,
        request: Request,
        call: Call,
        post: Callable[[Body], Generator[Chunk, None, None]],
        listed: Callable[[], Limits | None] = lambda: None,
    ) -> Generator[Chunk, None, None]:
        """Post, and yield the answer; post again for each thing that the endpoint refuses.

        What helped is remembered, and said in separate chunks. `listed` is called if a refusal
        leaves out how many tokens the model takes.
        """
        model = request.model
        shape = [model, request.temperature, request.schema, request.effort]
        alike = json.dumps(shape, default=str)
        known = self._known.get(model, ()) + self._known.get(alike, ())
        names = self._limit, effort_parameter(self._host)
        trial = _Trial(request, names, known, self._limits.get(model, Limits()))
        if request.effort and not names[1] and model not in self._told:
            self._told.add(model)
            yield no_effort(model, f"{self._host} does not take one")
        begun = False
        while True:
            try:
                with contextlib.closing(post(trial.body)) as chunks:
                    for chunk in chunks:
                        if not begun and (chunk.text or chunk.reasoning):
                            begun = True
                            self._remember(trial, model, alike)
                            yield from (Chunk(notice=notice) for notice in trial.notices)
                        yield replace(chunk, effortless=True) if trial.effortless else chunk
            except Exception as error:
                if begun or not trial.learn(error, call, listed):
                    raise
            else:
                return

    def _remember(self, trial: _Trial, model: str, alike: str) -> None:
        with self._lock:
            for refusal, lasting in trial.learnt.items():
                key = model if lasting else alike
                known = self._known.get(key, ())
                self._known[key] = known if refusal in known else (*known, refusal)
            if trial.lowered:
                self._limits[model] = trial.limits


class _Trial:
    """One request and its changes; nothing is sent twice.

    `learnt` says for each refusal whether it applies to every request to the model.
    """

    def __init__(
        self,
        request: Request,
        names: tuple[str, str],
        known: tuple[Refusal, ...],
        limits: Limits,
    ) -> None:
        self.learnt: dict[Refusal, bool] = {}
        self.notices: list[str] = []
        self.lowered = 0
        self.limits = limits
        self._request, self._called, self._known = request, names, known
        self._given = prompt_tokens(request.messages)
        self._prompt = _folded(" ".join(message.content for message in request.messages))
        self.body = self._made()
        self._sent = [self.body]

    @property
    def budget(self) -> int:
        """The token budget that fits, as far as we know."""
        return self.limits.budget(self._request.max_tokens, self._given)

    @property
    def effortless(self) -> bool:
        """Whether an effort was asked for and is not sent."""
        return self._request.effort is not None and not _EFFORT_NAMES & self.body.keys()

    def learn(self, error: Exception, call: Call, listed: Callable[[], Limits | None]) -> bool:
        """Whether the error refuses something that the request can do without."""
        status, body = getattr(error, "status_code", None), getattr(error, "body", None)
        if status not in (*_REJECTED, *_PERHAPS):
            return False
        model, said = self._request.model, body or str(error)
        words = re.sub(rf"(?<!\w){re.escape(model)}(?!\w)", "", words_in(said))
        for quoted in (message.content for message in self._request.messages):
            if len(quoted) > _NEAR:
                words = words.replace(quoted, "").replace(json.dumps(quoted)[1:-1], "")
        words = words[:LONGEST_READ]
        if self._lower(words, listed):
            told = f"gets a token budget of {self.budget:,}, not {self._request.max_tokens:,}"
        elif refusal := self._refused(words, sure=status in _REJECTED):
            told = refusal.told
        else:
            return False
        self.body = self._made()
        self._sent.append(self.body)
        self.notices.append(f"{model} {told}: {server_words(said, call)}")
        return True

    def _made(self, *more: Refusal) -> Body:
        body = parameters_of(replace(self._request, max_tokens=self.budget), *self._called)
        for refusal in (*self._known, *self.learnt, *more):
            body = refusal.change(body)
        return body

    def _lower(self, words: str, listed: Callable[[], Limits | None]) -> bool:
        budget = self.budget
        found = learnt_from(words, self.limits, budget, self._given)
        if found is None and lacks_numbers(words):
            found = listed()
        # Once for the longest answer and once for the window.
        if self.lowered == 2 or found is None or found.budget(budget, self._given) >= budget:
            return False
        self.limits = found
        self.lowered += 1
        return True

    def _refused(self, words: str, *, sure: bool) -> Refusal | None:
        param = re.search(r"\bparam\W+([\w.\[\]]+)", words)
        unnamed = re.search(_UNNAMED, words, re.IGNORECASE)
        refuses = re.search(_REFUSES, words, re.IGNORECASE)
        perhaps = refuses or re.search(_REFUSES_PERHAPS, words, re.IGNORECASE)
        for refusal in TABLE:
            named = bool(param and sure and re.search(refusal.words, param[1]))
            if not named and (refuses if not sure else perhaps or refusal.name_tells):
                named = self._names(words, refusal)
            if not named and not (unnamed and refusal.optional):
                continue
            if refusal in (*self._known, *self.learnt) or self._made(refusal) in self._sent:
                continue
            apart = _pattern(refusal.particular)
            particular = apart and re.search(apart, words, re.IGNORECASE)
            self.learnt[refusal] = bool(named and perhaps and not particular)
            return refusal
        return None

    def _names(self, words: str, refusal: Refusal) -> bool:
        """Whether the words name it, and not only in a quote of the prompt."""
        for found in re.finditer(refusal.words, words, re.IGNORECASE):
            before = _folded(words[max(found.start() - _NEAR, 0) : found.end()])
            after = _folded(words[found.start() : found.end() + _NEAR])
            if before not in self._prompt and after not in self._prompt:
                return True
        return False


def _folded(text: str) -> str:
    return re.sub(r"(?:\\[nrt\"'\\]|\W)+", " ", text)
