"""nbroute.toml -> checked tables; what cannot be used is named with its file and its key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from nbroute.errors import SettingsError, did_you_mean
from nbroute.settings.rules import NBROUTE, PROFILE, PROVIDER, TIER, Rule

Table = dict[str, Any]

_PLACE = re.compile(r"^(.*) \(at (.*)\)$", re.DOTALL)


@dataclass(frozen=True)
class Document:
    """A settings file, read and checked key by key; an empty one where there is no file."""

    file: Path | None = None
    nbroute: Table = field(default_factory=dict)
    providers: Mapping[str, Table] = field(default_factory=dict)
    tiers: Mapping[str, Table] = field(default_factory=dict)
    profiles: Mapping[str, Table] = field(default_factory=dict)

    def error(self, problem: str) -> SettingsError:
        """The problem, with the file in front."""
        return SettingsError(f"{self.file}: {problem}" if self.file else problem)


def read_document(file: Path) -> Document:
    """The file's tables; SettingsError for the first thing in it that cannot be used."""
    raw = _parsed(file)
    document = Document(file)
    _check_sections(document, raw)
    return Document(
        file,
        _table(document, "nbroute", raw.get("nbroute", {}), NBROUTE),
        _tables(document, "providers", raw, PROVIDER),
        _tables(document, "tiers", raw, TIER),
        _tables(document, "profiles", raw, PROFILE),
    )


def _parsed(file: Path) -> Table:
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


def _check_sections(document: Document, raw: Table) -> None:
    sections = ("nbroute", "providers", "tiers", "profiles")
    for name, value in raw.items():
        if name in NBROUTE:
            raise document.error(
                f"the key {name!r} stands before any table; put it under [nbroute]"
            )
        if name not in sections:
            raise document.error(f"unknown table [{name}]; {did_you_mean(name, sections)}")
        if not isinstance(value, dict):
            raise document.error(f"{name!r} is a table; write [{name}]")


def _tables(
    document: Document, section: str, raw: Table, rules: Mapping[str, Rule]
) -> Mapping[str, Table]:
    found = {}
    for name, table in raw.get(section, {}).items():
        if not isinstance(table, dict):
            raise document.error(f"{section}.{name} is a table; write [{section}.{name}]")
        found[name] = _table(document, f"{section}.{name}", table, rules)
    return found


def _table(document: Document, where: str, raw: Table, rules: Mapping[str, Rule]) -> Table:
    found = {}
    for key, value in raw.items():
        if key not in rules:
            raise document.error(_unknown(where, key, value, rules))
        found[key] = _value(document, where, key, value, rules[key])
    return {key: _placed(document, value) for key, value in found.items()}


def _value(document: Document, where: str, key: str, value: Any, rule: Rule) -> Any:
    read = value
    if isinstance(value, dict) and rule.each is not None:
        return _table(document, f"{where}.{key}", value, dict.fromkeys(value, rule.each))
    if isinstance(value, dict) and rule.table is not None:
        read = _table(document, f"{where}.{key}", value, rule.table)
    if isinstance(value, list) and rule.part is not None:
        return tuple(_value(document, where, key, part, rule.part) for part in value)
    try:
        return rule.read(read)
    except ValueError:
        said = "the value" if rule.secret else _shown(value)
        problem = f"[{where}] {key} = {said} cannot be used; give {rule.wanted}"
        raise document.error(problem) from None


def _unknown(where: str, key: str, value: object, rules: Mapping[str, Rule]) -> str:
    if key == "api_key":
        return (
            f"[{where}] api_key: a key does not belong in a file; put it into an environment "
            "variable and name that in api_key_env"
        )
    # A text may be a key that was pasted into the wrong place.
    said = key if isinstance(value, str | dict | list) else f"{key} = {_shown(value)}"
    return f"[{where}] {said}: there is no key {key!r}; {did_you_mean(key, rules)}"


def _shown(value: object) -> str:
    """The value as it stands in TOML, near enough."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | Decimal) else f"{value!r:.80}"


def _placed(document: Document, value: Any) -> Any:
    """Paths from the file's folder; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(_placed(document, part) for part in value)
    if isinstance(value, Path) and document.file is not None:
        return document.file.parent / value
    return value
