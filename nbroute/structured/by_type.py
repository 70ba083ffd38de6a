"""A class or a type, by pydantic: its JSON schema, and the instance made of an answer."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable
from typing import Any

from nbroute.checks.json_text import parse_json
from nbroute.checks.quoting import short
from nbroute.errors import SettingsError
from nbroute.structured.asking import is_wrapped
from nbroute.structured.wording import misfit, of_pydantic, one_line

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
    return data, lambda text: _parsed(text, data, adapter)


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


def _parsed(text: str, data: dict[str, Any], adapter: Any) -> Any:
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
