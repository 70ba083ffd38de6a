"""A JSON schema, checked by its metaschema, and the answers validated by it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nbroute.checks.json_text import nesting, parse_json
from nbroute.errors import SettingsError, did_you_mean
from nbroute.structured.asking import is_wrapped
from nbroute.structured.wording import KINDS, misfit, of_json_schema, one_line, path_of

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
