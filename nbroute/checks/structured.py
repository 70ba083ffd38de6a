"""Structured output: reading a schema, asking for it, and checking the answer against it.

A JSON schema, a pydantic model, a dataclass, a TypedDict or any type that pydantic takes; the
answer is always validated here, whatever the endpoint promised.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbroute.checks.text import parse_json, short
from nbroute.decoding import packaged
from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import Check, Reply, Verdict

_WORDS = packaged("nbroute.checks", "schemas.toml")
_KINDS: dict[str, str] = _WORDS["kinds"]
#: pydantic's names of what is wrong, and the kind of JSON value that was expected.
_PYDANTIC = {name: kind for kind, names in _WORDS["pydantic"].items() for name in names}
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_DATA = ("const", "enum", "default", "examples")
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
#: What applies to the same value as the schema it is in.
_SAME_VALUE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
_NOT_OBJECT = {"enum", "const", "anyOf", "oneOf", "allOf", "not", "if", "$ref"}
_TOLD = {"$schema", "$id", "$defs", "definitions", "title", "description", "default", "examples"}
#: jsonschema takes up to 6 Python frames per level of a schema and up to 10 per level of a value;
#: where they run out inside its Rust parts, that cannot be caught.
_DEEPEST_SCHEMA = 100
_DEEPEST_VALUE = 64
_LONGEST_CHAIN = 20
_CURE = "give a JSON schema (a dict), a pydantic model, a dataclass or a type such as list[int]"


@dataclass(frozen=True, slots=True)
class Schema:
    """What an answer must look like. `json_schema` is plain data, for an endpoint and a cache.

    `parse` turns an answer's text into a dict or list (of a JSON schema) or an instance (of a
    class); ValueError with one line that names the path and the value that does not fit.
    """

    name: str
    json_schema: dict[str, Any]
    parse: Callable[[str], Any] = field(repr=False)


def read_schema(spec: Any, name: str | None = None) -> Schema:
    """The schema that `spec` stands for; `name` is its name in messages.

    A reference within the schema may recurse; one to elsewhere is refused and never fetched.
    A class is read by what it accepts (pydantic's "validation" schema), as strictly as it says
    itself. Formats are checked, as far as jsonschema knows them. SettingsError for what is not
    a schema.
    """
    if isinstance(spec, Schema):
        return spec
    if isinstance(spec, Mapping):
        name = name or str(spec.get("title") or "schema")
        return _of_json_schema(spec, name)
    return _of_type(spec, name or getattr(spec, "__name__", None) or "schema")


def schema_instruction(schema: Schema | Mapping[str, Any]) -> str:
    """The words that ask for the schema, for the system prompt. Ours."""
    data = schema.json_schema if isinstance(schema, Schema) else schema
    compact = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return (
        "Reply with one JSON value that fits this JSON schema and with nothing else: "
        f"no prose, no code fence.\n{compact}"
    )


def schema_check(schema: Schema) -> Check:
    """A check that fails an answer that the schema does not parse."""

    def check(reply: Reply) -> Verdict:
        try:
            schema.parse(reply.text)
        except ValueError as error:
            again = "Give the whole JSON value again, put right."
            feedback = f"The answer before did not fit the JSON schema: {error}. {again}"
            return Verdict(False, "schema", str(error), feedback)
        return Verdict(True, "schema")

    return check


def _of_json_schema(spec: Mapping[str, Any], name: str) -> Schema:
    # A copy by way of JSON: what the user does to the dict later changes nothing.
    try:
        data: dict[str, Any] = json.loads(json.dumps(dict(spec), allow_nan=False))
        too_deep = _nesting(data) > _DEEPEST_SCHEMA
    except RecursionError:
        too_deep = True
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"{name!r} is not a JSON schema: {_one_line(error)}; leave in only what JSON can hold"
        ) from None
    if too_deep:
        raise SettingsError(f"{name!r} is nested over {_DEEPEST_SCHEMA} levels deep; use '$defs'")
    validator = _validator(data, name)

    def parse(text: str) -> Any:
        value = parse_json(text)
        if _nesting(value) > _DEEPEST_VALUE:
            raise ValueError(f"the answer is nested over {_DEEPEST_VALUE} levels deep")
        try:
            errors = list(validator.iter_errors(value))
            if errors and _is_wrapped(value, data):
                value = value["value"]
                errors = list(validator.iter_errors(value))
        except Exception as error:  # noqa: BLE001 - a schema can ask for what jsonschema cannot do
            raise ValueError(f"{type(error).__name__} in the schema: {_one_line(error)}") from None
        if errors:
            from jsonschema.exceptions import best_match

            worst = best_match(errors)
            says = _said_by_jsonschema(worst)
            raise ValueError(
                _misfit(worst.absolute_path, worst.instance, says, others=len(errors) - 1)
            )
        return value

    return Schema(name, data, parse)


def _validator(data: dict[str, Any], name: str) -> Any:
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry

    kind = validator_for(data, default=Draft202012Validator)
    try:
        kind.check_schema(data)
    except SchemaError as error:
        path, value = list(error.absolute_path), error.instance
        says = _misfit(path, value, _said_by_jsonschema(error))
        if path[-1:] == ["type"] and isinstance(value, str):
            says = f"{_path(path)}: {value!r} is not a type; {did_you_mean(value, _KINDS)}"
        raise SettingsError(f"{name!r} is not a JSON schema: {says}") from None
    except Exception as error:  # noqa: BLE001 - re, for one, raises OverflowError for a pattern
        raise SettingsError(
            f"{name!r} is not a JSON schema: {_one_line(error)}; correct it"
        ) from None
    if data and not data.keys() & (kind.VALIDATORS.keys() | _TOLD):
        word = next(iter(data))
        cure = did_you_mean(word, ("type", "properties", "items", "enum", "anyOf", "$ref"))
        raise SettingsError(f"{name!r} has no keyword of a JSON schema; for {word!r} {cure}")
    # With our own registry: the default one fetches remote references.
    validator = kind(data, registry=Registry(), format_checker=kind.FORMAT_CHECKER)
    _check_references(data, validator, name)
    return validator


def _check_references(data: dict[str, Any], validator: Any, name: str) -> None:
    """Refuse what refers to elsewhere, to nothing, or to itself for the same value, endlessly."""
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012, specification_with

    dialect = specification_with(validator.META_SCHEMA.get("$schema", ""), default=DRAFT202012)
    registry: Registry[Any] = Registry()
    resolver = registry.resolver_with_root(dialect.create_resource(data))
    beside: dict[int, list[Any]] = {}
    for node in _schemas(data):
        found = [node[word] for word in _SAME_VALUE if word in node]
        parts = [part for one in found for part in (one if isinstance(one, list) else [one])]
        references = [node[word] for word in _REFERENCES if isinstance(node.get(word), str)]
        beside[id(node)] = parts + [_target(one, resolver, data, name) for one in references]
    waiting = {node: {id(part) for part in parts} & beside.keys() for node, parts in beside.items()}
    for _ in range(_LONGEST_CHAIN):
        ended = {node for node, parts in waiting.items() if not parts}
        waiting = {node: parts - ended for node, parts in waiting.items() if parts}
    if waiting:
        raise SettingsError(
            f"{name!r} refers to itself without end, or takes over {_LONGEST_CHAIN} steps for one "
            "value; give it a way out"
        )


def _target(reference: str, resolver: Any, data: dict[str, Any], name: str) -> Any:
    from referencing.exceptions import Unresolvable

    if not reference.startswith("#"):
        raise SettingsError(
            f"{name!r} refers to {reference!r}, and nothing is fetched for a schema; "
            "put that part under '$defs' and refer to it as '#/$defs/NAME'"
        )
    try:
        return resolver.lookup(reference).contents
    except Unresolvable:
        kept = [
            f"#/{word}/{key}" for word in ("$defs", "definitions") for key in data.get(word, ())
        ]
        raise SettingsError(
            f"{name!r} refers to {reference!r}: {did_you_mean(reference, kept)}"
        ) from None


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Walk through the schema and the schemas in it, but not through its data."""
    if isinstance(node, dict):
        yield node
        for word, part in node.items():
            named = part.values() if word in _NAMED and isinstance(part, dict) else [part]
            yield from (found for one in named if word not in _DATA for found in _schemas(one))
    elif isinstance(node, list):
        yield from (found for part in node for found in _schemas(part))


def _of_type(spec: Any, name: str) -> Schema:
    _refuse(spec, name)
    from pydantic import TypeAdapter, ValidationError

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(spec)
        data = adapter.json_schema()
    except Exception as error:  # noqa: BLE001 - what a class's own hooks raise is anybody's guess
        raise SettingsError(f"{name!r} is not a schema: {_one_line(error)}; {_CURE}") from None

    def parse(text: str) -> Any:
        value = parse_json(text)
        # Validated as JSON, not as Python: there a date is a string, even to a strict model.
        try:
            try:
                return adapter.validate_json(json.dumps(value))
            except ValidationError:
                if not _is_wrapped(value, data):
                    raise
                return adapter.validate_json(json.dumps(value["value"]))
        except ValidationError as error:
            errors = error.errors(include_url=False)
            first = errors[0]
            place = first["loc"][:-1] if first["type"] == "missing" else first["loc"]
            says = _said_by_pydantic(first)
            raise ValueError(_misfit(place, first["input"], says, others=len(errors) - 1)) from None
        except Exception as error:  # noqa: BLE001 - the user's validator may raise anything
            raise ValueError(f"{type(error).__name__} in the schema: {_one_line(error)}") from None

    return Schema(name, data, parse)


def _refuse(spec: Any, name: str) -> None:
    """Refuse what pydantic would accept, or would refuse in words about itself."""
    kind = type(spec)
    if inspect.isroutine(spec):
        raise SettingsError(f"{name!r} is a function, not a schema; {_CURE}")
    if isinstance(spec, str):
        raise SettingsError(f"{name!r} is a text: {short(spec)}; {_CURE}, json.loads(...) of it")
    if spec is None or isinstance(spec, int | float | list | tuple | set):
        raise SettingsError(f"{name!r} is {short(spec)}, not a schema; {_CURE}")
    if dataclasses.is_dataclass(kind) or hasattr(kind, "model_json_schema"):
        raise SettingsError(
            f"{name!r} is an instance of {kind.__name__}; give the class itself: {kind.__name__}"
        )


def _is_wrapped(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value that should not be an object is under the single key "value".

    Models put it there because some endpoints accept only schemas of objects.
    """
    if not isinstance(value, dict) or value.keys() != {"value"}:
        return False
    reference = re.fullmatch(r"#/(\$defs|definitions)/([^/~%]+)", str(schema.get("$ref", "")))
    target = schema.get(reference[1], {}).get(reference[2]) if reference else None
    root = dict(schema)
    if isinstance(target, dict):
        root = {**target, **{word: part for word, part in schema.items() if word != "$ref"}}
    if "type" in root:
        return bool(root["type"] != "object")
    return bool(root.keys() & _NOT_OBJECT)


def _nesting(value: Any) -> int:
    """How deep lists and objects are nested in the value: 0 for a number or a text."""
    level, depth = [value], 0
    while level := [part for part in level if isinstance(part, dict | list) and part]:
        level = [x for part in level for x in (part.values() if isinstance(part, dict) else part)]
        depth += 1
    return depth


def _one_line(error: BaseException) -> str:
    """The first sentence of what the error says."""
    return re.split(r"\.\s", f"{error} ", maxsplit=1)[0].strip().replace("\n", " ")


def _misfit(parts: Iterable[str | int], value: Any, says: str, *, others: int = 0) -> str:
    """What does not fit, in one line: where, the value, and what is wrong with it."""
    more = f" (and {others} more)" if others else ""
    return f"{_path(parts) or 'the answer'}: {short(value)} {says}{more}"


def _path(parts: Iterable[str | int]) -> str:
    """`items[2].price`; a key that is not a word is in brackets and quotes."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if part.isidentifier() else f"[{short(part)}]"
    return path.removeprefix(".")


def _said_by_jsonschema(error: Any) -> str:
    word, limit = error.validator, error.validator_value
    if word == "type":
        kinds = [limit] if isinstance(limit, str) else limit
        return f"is not {' or '.join(_KINDS.get(kind, kind) for kind in kinds)}"
    if word == "enum":
        return f"is not one of {', '.join(short(value) for value in limit)}"
    if word == "required":
        return f"has no {short(next(key for key in limit if key not in error.instance))}"
    if word == "additionalProperties":
        known = error.schema.get("properties", {})
        patterns = error.schema.get("patternProperties", {})
        extra = [
            short(key)
            for key in error.instance
            if key not in known and not any(re.search(pattern, key) for pattern in patterns)
        ]
        return f"has a key that is not in the schema: {', '.join(extra[:3]) or 'any'}"
    if word == "uniqueItems":
        return "has the same item twice"
    says: str = _WORDS["limits"].get(word, "does not fit {1!r} of the schema")
    return says.format(short(limit), word)


def _said_by_pydantic(error: Mapping[str, Any]) -> str:
    kind = re.sub(r"_(?:type|parsing|from_float)$", "", error["type"])
    if error["type"] == "missing":
        return f"has no {short(error['loc'][-1])}"
    if error["type"] == "extra_forbidden":
        return "is under a key that is not in the schema"
    if error["type"] in ("literal_error", "enum"):
        return f"is not {error['ctx']['expected']}"
    if kind in _PYDANTIC and kind != error["type"]:
        return f"is not {_KINDS[_PYDANTIC[kind]]}"
    message = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return " ".join(f"{'' if message.startswith('should') else 'is refused: '}{message}".split())
