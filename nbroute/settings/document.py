"""nbroute.toml -> checked tables; what cannot be used is named with its file and its key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from nbroute.errors import SettingsError, did_you_mean
from nbroute.settings.model import SECTIONS, Document, Takes

#: The type of a value, and what the key says of it.
_Kind = tuple[Any, Takes]
_Kinds = Mapping[str, _Kind]

_PLACE = re.compile(r"^(.*) \(at (.*)\)$", re.DOTALL)


def read_document(file: Path) -> Document:
    """The file's tables; SettingsError for the first thing in it that cannot be used."""
    raw = _parsed(file)
    document = Document(file)
    kinds = {section: _kinds(*models) for section, models in SECTIONS.items()}
    for name, value in raw.items():
        if name in kinds["nbroute"]:
            raise document.error(f"the key {name!r} is above all tables; put it under [nbroute]")
        if name not in SECTIONS:
            raise document.error(f"unknown table [{name}]; {did_you_mean(name, SECTIONS)}")
        if not isinstance(value, dict):
            raise document.error(f"{name!r} is a table; write [{name}]")
    found: dict[str, Any] = {
        "nbroute": _table(document, "nbroute", raw.pop("nbroute", {}), kinds["nbroute"])
    }
    for section, tables in raw.items():
        found[section] = {}
        for name, table in tables.items():
            where = f"{section}.{name}"
            if not isinstance(table, dict):
                raise document.error(f"{where} is a table; write [{where}]")
            found[section][name] = _table(document, where, table, kinds[section])
    return Document(file, **found)


def _parsed(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.match(str(error))
        said, place = found.groups() if found else (str(error), "somewhere")
        raise SettingsError(f"{file}, {place}: this is not TOML: {said}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror or error}") from None


def _kinds(*models: type) -> _Kinds:
    """The keys that the models' fields are, each with what it takes."""
    found = {}
    for model in models:
        own = fields(model) if is_dataclass(model) else ()
        keys = {one.name: one.metadata.get("key", one.name) for one in own}
        for name, hint in get_type_hints(model, include_extras=True).items():
            for part in (hint, *get_args(hint)):
                if get_origin(part) in (Literal, Annotated):
                    found[keys.get(name, name)] = _kind(part)
    return found


def _kind(hint: Any) -> _Kind:
    if get_origin(hint) is Literal:
        return hint, Takes(f"one of {', '.join(get_args(hint))}")
    (takes,) = hint.__metadata__
    return Annotated[hint.__origin__, msgspec.Meta(**takes.limits)], takes


def _table(document: Document, where: str, raw: Mapping[str, Any], kinds: _Kinds) -> dict[str, Any]:
    for key, value in raw.items():
        if key in kinds:
            continue
        if key == "api_key":
            raise document.error(
                f"[{where}] api_key: a key does not belong in a file; put it into an environment "
                "variable and name that in api_key_env"
            )
        # A text may be a key that was pasted into the wrong place.
        said = key if isinstance(value, str | dict | list) else f"{key} = {_shown(value)}"
        cure = did_you_mean(key, kinds)
        raise document.error(f"[{where}] {said}: there is no key {key!r}; {cure}")
    return {key: _value(document, where, key, value, kinds[key]) for key, value in raw.items()}


def _value(document: Document, where: str, key: str, value: Any, kind: _Kind) -> Any:
    wanted, takes = kind
    read = value
    if isinstance(value, dict) and takes.each:
        each = dict.fromkeys(value, _kind(takes.each))
        return _table(document, f"{where}.{key}", value, each)
    if isinstance(value, list) and takes.part:
        return tuple(_value(document, where, key, part, _kind(takes.part)) for part in value)
    if isinstance(value, dict) and takes.table:
        read = _table(document, f"{where}.{key}", value, _kinds(takes.table))
    try:
        read = takes.read(read) if takes.read else msgspec.convert(read, wanted)
    except ValueError:
        said = "the value" if takes.secret else _shown(value)
        problem = f"[{where}] {key} = {said} cannot be used; give {takes.words}"
        raise document.error(problem) from None
    if isinstance(read, Path):
        read = document.folder / read
    # One by itself stands for a list of one.
    return (read,) if takes.part else read


def _shown(value: object) -> str:
    """The value as it stands in TOML, near enough."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | Decimal) else f"{value!r:.80}"
