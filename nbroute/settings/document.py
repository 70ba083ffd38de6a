"""nbroute.toml -> checked tables; an error names the file and the key."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from nbroute.errors import SettingsError, did_you_mean
from nbroute.report.table import one_line
from nbroute.settings.model import Table, Takes, Text, TierTable, Unusable, sections
from nbroute.storage import content


@dataclass(frozen=True)
class Document:
    """A settings file, read and checked key by key; empty if there is no file."""

    file: Path | None = None
    raw: bytes = field(default=b"", repr=False)
    nbroute: Table = field(default_factory=dict)
    providers: Mapping[str, Table] = field(default_factory=dict)
    tiers: Mapping[str, TierTable] = field(default_factory=dict)
    profiles: Mapping[str, Table] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)

    def error(self, problem: str) -> SettingsError:
        """The problem after the file's name, in one line that any screen can show."""
        return SettingsError(one_line(f"{self.file}: {problem}" if self.file else problem))

    def check(self, key: str, value: str | None, allowed: Collection[str], problem: str) -> None:
        """Raise SettingsError with the problem and the cure if the value is not allowed."""
        if value is not None and value not in allowed:
            cure = did_you_mean(value, allowed)
            raise self.error(f"{key} = {value!r:.80} {problem}; {cure}")

    def check_provider(self, key: str, name: str | None, providers: Collection[str]) -> None:
        """Raise SettingsError if a key names an endpoint that is not configured."""
        self.check(key, name, providers, f"is not configured; add [providers.{name!s:.80}]")


def read_document(file: Path) -> Document:
    """The file's tables; SettingsError for the first thing that cannot be used."""
    try:
        raw = content(file, most_megabytes=1)
        tables = tomllib.loads(raw.decode("utf-8-sig"), parse_float=Decimal)
    except (OSError, ValueError, ArithmeticError, RecursionError) as error:
        problem = f"is not TOML: {error}"  # or has a number of thousands of digits
        if isinstance(error, OSError):
            problem = f"cannot be read: {error.strerror}"
        elif isinstance(error, UnicodeDecodeError):
            problem = "is not UTF-8 text; save it as UTF-8"
        elif isinstance(error, RecursionError):
            problem = "is nested too deeply; write it flatter"
        raise SettingsError(one_line(f"{file} {problem}")) from None
    document = Document(file)
    found: dict[str, Any] = {}
    known = sections()
    for name, value in tables.items():
        if name in known["nbroute"]:
            raise document.error(f"the key {name!r} is above all tables; put it under [nbroute]")
        if name not in known:
            raise document.error(f"unknown table [{name}]; {did_you_mean(name, known)}")
        if name in ("nbroute", "prompts"):
            keys = known[name] or dict.fromkeys(_checked(document, name, value), Text)
            found[name] = _table(document, name, value, keys)
        else:
            found[name] = {
                key: _table(document, f"{name}.{key}", table, known[name])
                for key, table in _checked(document, name, value).items()
            }
    return Document(file, raw, **found)


def _checked(document: Document, where: str, raw: Any) -> Table:
    if not isinstance(raw, dict):
        raise document.error(f"{where!r} is a table; write [{where}]")
    return raw


def _table(document: Document, where: str, raw: Any, hints: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in _checked(document, where, raw).items():
        if key == "api_key" and key not in hints:
            raise document.error(
                f"[{where}] api_key: a key does not belong in a file; put it in an environment "
                "variable and name that in api_key_env"
            )
        if key not in hints:
            # A text may be an API key, pasted into the wrong place.
            said = key if isinstance(value, str | dict | list) else f"{key} = {_shown(value)}"
            cure = did_you_mean(key, hints)
            raise document.error(f"[{where}] {said}: there is no key {key!r}; {cure}")
        found[key] = _value(document, where, key, value, hints[key])
    return found


def _value(document: Document, where: str, key: str, value: Any, hint: Any) -> Any:
    from msgspec import Meta, convert

    if get_origin(hint) is Literal:
        hint = Annotated[hint, Takes(f"one of {', '.join(get_args(hint))}")]
    (takes,) = hint.__metadata__
    read = value
    if isinstance(value, dict) and takes.each:
        return _table(document, f"{where}.{key}", value, dict.fromkeys(value, takes.each))
    if isinstance(value, list) and takes.part:
        return tuple(_value(document, where, key, part, takes.part) for part in value)
    if isinstance(value, dict) and takes.table:
        read = _table(document, f"{where}.{key}", value, takes.table)
    try:
        limited = Annotated[hint.__origin__, Meta(**takes.limits)]
        read = takes.read(read) if takes.read else convert(read, limited)
    except ValueError as error:
        said = "the value" if takes.secret else _shown(value)
        why = f": {error}" if isinstance(error, Unusable) else ""
        cure = f"give {takes.words}"
        if get_origin(hint.__origin__) is Literal:
            near = did_you_mean(str(value), get_args(hint.__origin__))
            cure += f"; {near}" if near.startswith("did") else ""
        problem = f"[{where}] {key} = {said} cannot be used{why}; {cure}"
        raise document.error(problem) from None
    if isinstance(read, Path) and document.file is not None:
        read = document.file.parent / read
    # A single value is a list of one.
    return (read,) if takes.part else read


def _shown(value: object) -> str:
    """The value roughly as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 999:  # Python writes out no such number
        return "a number of hundreds of digits"
    return str(value) if isinstance(value, int | Decimal) else f"{value!r:.80}"
