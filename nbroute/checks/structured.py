"""Structured output: a schema read, asked for, and held against the answer.

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

from nbroute.checks.text import nesting, parse_json, short
from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import Check, Reply, Verdict

__all__ = [
    "Schema",
    "parse_json",
    "read_schema",
    "response_format",
    "schema_check",
    "schema_instruction",
]


@dataclass(frozen=True, slots=True)
class Schema:
    """What an answer must look like. `json_schema` is plain data, for an endpoint and a cache.

    `parse` turns an answer's text into a dict or list (of a JSON schema) or an instance (of a
    class); ValueError with one line that names the path and the value that does not fit.
    """

    name: str
    json_schema: dict[str, Any]
    parse: Callable[[str], Any] = field(repr=False)


#: The kinds of JSON values, in words.
KINDS = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
_LIMITS = {
    "minimum": "is less than {}",
    "maximum": "is more than {}",
    "exclusiveMinimum": "is not more than {}",
    "exclusiveMaximum": "is not less than {}",
    "multipleOf": "is no multiple of {}",
    "minLength": "has fewer than {} characters",
    "maxLength": "has more than {} characters",
    "minItems": "has fewer than {} items",
    "maxItems": "has more than {} items",
    "minProperties": "has fewer than {} keys",
    "maxProperties": "has more than {} keys",
    "const": "is not {}",
    "pattern": "does not match the pattern {}",
    "format": "has not the format {}",
}
#: pydantic's names of what is wrong, as far as a kind of JSON value says it better.
_PYDANTIC = {
    "string": "string",
    "int": "integer",
    "float": "number",
    "decimal": "number",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "set": "array",
    "dict": "object",
    "model": "object",
    "model_attributes": "object",
    "dataclass": "object",
}


def one_line(error: BaseException) -> str:
    """The first sentence of what the error says."""
    return re.split(r"\.\s", f"{error} ", maxsplit=1)[0].strip().replace("\n", " ")


def path_of(parts: Iterable[str | int]) -> str:
    """`items[2].price`; a key that is no word stands in brackets and quotes."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier():
            path += f".{part}"
        else:
            path += f"[{short(part)}]"
    return path.removeprefix(".")


def misfit(parts: Iterable[str | int], value: Any, says: str, others: int = 0) -> str:
    """The line itself: where, the value, and what is wrong with it."""
    more = f" (and {others} more)" if others else ""
    return f"{path_of(parts) or 'the answer'}: {short(value)} {says}{more}"


def of_json_schema(error: Any) -> str:
    """What is wrong, from an error of jsonschema's."""
    word, limit = error.validator, error.validator_value
    if word == "type":
        kinds = [limit] if isinstance(limit, str) else limit
        return f"is not {' or '.join(KINDS.get(kind, kind) for kind in kinds)}"
    if word == "enum":
        return f"is not one of {', '.join(short(value) for value in limit)}"
    if word == "required":
        return f"has no {short(next(key for key in limit if key not in error.instance))}"
    if word == "additionalProperties":
        return f"has a key that the schema has not: {', '.join(_extra(error)) or 'any'}"
    if word == "uniqueItems":
        return "has the same item twice"
    return _LIMITS.get(word, "does not fit {1!r} of the schema").format(short(limit), word)


def _extra(error: Any) -> list[str]:
    known: Mapping[str, Any] = error.schema.get("properties", {})
    patterns = error.schema.get("patternProperties", {})
    return [
        short(key)
        for key in error.instance
        if key not in known and not any(re.search(pattern, key) for pattern in patterns)
    ][:3]


def of_pydantic(error: Mapping[str, Any]) -> str:
    """What is wrong, from one of the errors of pydantic's."""
    kind = re.sub(r"_(?:type|parsing|from_float)$", "", error["type"])
    if error["type"] == "missing":
        return f"has no {short(error['loc'][-1])}"
    if error["type"] == "extra_forbidden":
        return "is under a key that the schema has not"
    if error["type"] in ("literal_error", "enum"):
        return f"is not {error['ctx']['expected']}"
    if kind in _PYDANTIC and kind != error["type"]:
        return f"is not {KINDS[_PYDANTIC[kind]]}"
    message = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return " ".join(f"{'' if message.startswith('should') else 'is refused: '}{message}".split())


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


_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_DATA = ("const", "enum", "default", "examples")
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_BESIDE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
#: jsonschema takes up to 6 Python frames for a level of a schema and up to 10 for one of a
#: value; where they run out inside its Rust parts it cannot be caught.
_DEEPEST_SCHEMA = 100
_DEEPEST_VALUE = 64
_LONGEST_CHAIN = 20
_TOLD = {"$schema", "$id", "$defs", "definitions", "title", "description", "default", "examples"}


def validated_by(spec: Mapping[str, Any], name: str) -> tuple[dict[str, Any], Callable[[str], Any]]:
    """The schema as plain data, and the function that parses an answer's text by it.

    Formats are asserted, as far as jsonschema knows them. SettingsError for no JSON schema.
    """
    data = _plain(spec, name)
    validator = _validator(data, name)
    return data, lambda text: _parsed(text, data, validator)


def _plain(spec: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Copy it as JSON holds it: what the user does to the dict later changes nothing."""
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(spec), allow_nan=False))
    except RecursionError:
        raise SettingsError(_too_deep(name)) from None
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"{name!r} is no JSON schema: {one_line(error)}; leave in only what JSON can hold"
        ) from None
    return copy


def _too_deep(name: str) -> str:
    return f"{name!r} is nested over {_DEEPEST_SCHEMA} levels deep; use '$defs'"


def _validator(data: dict[str, Any], name: str) -> Any:
    import referencing
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for

    if nesting(data) > _DEEPEST_SCHEMA:
        raise SettingsError(_too_deep(name))
    kind = validator_for(data, default=Draft202012Validator)
    try:
        kind.check_schema(data)
    except SchemaError as error:
        raise SettingsError(f"{name!r} is no JSON schema: {_unfit(error)}") from None
    except Exception as error:  # noqa: BLE001 - re, for one, raises OverflowError for a pattern
        raise SettingsError(f"{name!r} is no JSON schema: {one_line(error)}; mend it") from None
    if data and not data.keys() & (kind.VALIDATORS.keys() | _TOLD):
        word = next(iter(data))
        cure = did_you_mean(word, ("type", "properties", "items", "enum", "anyOf", "$ref"))
        raise SettingsError(f"{name!r} has no word of a JSON schema; for {word!r} {cure}")
    # With a registry of its own: the one that it has by default fetches remote references.
    validator = kind(data, registry=referencing.Registry(), format_checker=kind.FORMAT_CHECKER)
    _check_references(data, validator, name)
    return validator


def _unfit(error: Any) -> str:
    """Say what is wrong with the schema itself, by its metaschema."""
    path = list(error.absolute_path)
    if path[-1:] == ["type"] and isinstance(error.instance, str):
        return (
            f"{path_of(path)}: {error.instance!r} is no type; {did_you_mean(error.instance, KINDS)}"
        )
    return misfit(path, error.instance, of_json_schema(error))


def _check_references(data: dict[str, Any], validator: Any, name: str) -> None:
    resolver, beside = _resolver(data, validator), {}
    for node in _schemas(data):
        found = [node[word] for word in _BESIDE if word in node]
        parts = [part for one in found for part in (one if isinstance(one, list) else [one])]
        references = [node[word] for word in _REFERENCES if isinstance(node.get(word), str)]
        parts += [_target(reference, resolver, data, name) for reference in references]
        beside[id(node)] = parts
    if not _ends(beside):
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
        named = [
            f"#/{word}/{key}" for word in ("$defs", "definitions") for key in data.get(word, ())
        ]
        cure = did_you_mean(reference, named)
        raise SettingsError(f"{name!r} refers to {reference!r}: {cure}") from None


def _resolver(data: dict[str, Any], validator: Any) -> Any:
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012, specification_with

    dialect = specification_with(validator.META_SCHEMA.get("$schema", ""), default=DRAFT202012)
    registry: Registry[Any] = Registry()
    return registry.resolver_with_root(dialect.create_resource(data))


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Walk through the schema and the schemas in it, not through the data that it holds."""
    if isinstance(node, dict):
        yield node
        for word, part in node.items():
            named = part.values() if word in _NAMED and isinstance(part, dict) else [part]
            yield from (found for one in named if word not in _DATA for found in _schemas(one))
    elif isinstance(node, list):
        yield from (found for part in node for found in _schemas(part))


def _ends(beside: Mapping[int, list[Any]]) -> bool:
    """Say whether no schema applies to the same value as itself again, by however many steps."""
    waiting = {node: {id(part) for part in parts} & beside.keys() for node, parts in beside.items()}
    for _ in range(_LONGEST_CHAIN):
        ended = {node for node, parts in waiting.items() if not parts}
        waiting = {node: parts - ended for node, parts in waiting.items() if parts}
    return not waiting


def _parsed(text: str, data: dict[str, Any], validator: Any) -> Any:
    value = parse_json(text)
    if nesting(value) > _DEEPEST_VALUE:
        raise ValueError(f"the answer is nested over {_DEEPEST_VALUE} levels deep")
    try:
        errors = list(validator.iter_errors(value))
        if errors and is_wrapped(value, data):
            value = value["value"]
            errors = list(validator.iter_errors(value))
    except Exception as error:  # noqa: BLE001 - a schema can ask for what jsonschema cannot do
        raise ValueError(f"{type(error).__name__} in the schema: {one_line(error)}") from None
    if errors:
        raise ValueError(_worst(errors))
    return value


def _worst(errors: list[Any]) -> str:
    from jsonschema.exceptions import best_match

    error = best_match(errors)
    return misfit(error.absolute_path, error.instance, of_json_schema(error), len(errors) - 1)


_CURE = "give a JSON schema (a dict), a pydantic model, a dataclass or a type such as list[int]"


def schema_of_type(spec: Any, name: str) -> tuple[dict[str, Any], Callable[[str], Any]]:
    """The JSON schema of the type, and the function that parses an answer's text into it.

    How strictly values are taken is the class's own affair. SettingsError for what pydantic
    cannot take, for an instance and for a function.
    """
    _refuse(spec, name)
    from pydantic import TypeAdapter

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(spec)
        data = adapter.json_schema()
    except Exception as error:  # noqa: BLE001 - what a class's own hooks raise is anybody's guess
        raise SettingsError(f"{name!r} is no schema: {one_line(error)}; {_CURE}") from None
    return data, lambda text: _parsed_by_type(text, data, adapter)


def _refuse(spec: Any, name: str) -> None:
    """Say it of what pydantic would take, or would refuse in words about itself."""
    kind = type(spec)
    if inspect.isroutine(spec):
        raise SettingsError(f"{name!r} is a function and no schema; {_CURE}")
    if isinstance(spec, str):
        raise SettingsError(f"{name!r} is a text: {short(spec)}; {_CURE}, json.loads(...) of it")
    if spec is None or isinstance(spec, int | float | list | tuple | set):
        raise SettingsError(f"{name!r} is {short(spec)} and no schema; {_CURE}")
    if dataclasses.is_dataclass(kind) or hasattr(kind, "model_json_schema"):
        raise SettingsError(
            f"{name!r} is an instance of {kind.__name__}; give the class itself: {kind.__name__}"
        )


def _parsed_by_type(text: str, data: dict[str, Any], adapter: Any) -> Any:
    from pydantic import ValidationError

    value = parse_json(text)
    try:
        try:
            return _validated(value, adapter)
        except ValidationError:
            if not is_wrapped(value, data):
                raise
            return _validated(value["value"], adapter)
    except ValidationError as error:
        raise ValueError(_first(error)) from None
    except Exception as error:  # noqa: BLE001 - a validator of the user's may raise anything
        raise ValueError(f"{type(error).__name__} in the schema: {one_line(error)}") from None


def _validated(value: Any, adapter: Any) -> Any:
    """Validate as JSON and not as Python: a date is a string there, even to a strict model."""
    return adapter.validate_json(json.dumps(value))


def _first(error: Any) -> str:
    errors = error.errors(include_url=False)
    first = errors[0]
    place = first["loc"][:-1] if first["type"] == "missing" else first["loc"]
    return misfit(place, first["input"], of_pydantic(first), len(errors) - 1)


def read_schema(spec: Any, name: str | None = None) -> Schema:
    """The schema that `spec` stands for; `name` is what it is called in messages.

    A reference within the schema may recurse; one to elsewhere is refused, and never fetched.
    A class is asked by what it takes (pydantic's "validation" schema). SettingsError for what
    is no schema.
    """
    if isinstance(spec, Schema):
        return spec
    if isinstance(spec, Mapping):
        name = name or str(spec.get("title") or "schema")
        return Schema(name, *validated_by(spec, name))
    name = name or getattr(spec, "__name__", None) or "schema"
    return Schema(name, *schema_of_type(spec, name))


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

    check.__name__ = "schema"
    return check
