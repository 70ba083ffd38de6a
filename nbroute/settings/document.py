"""nbroute.toml -> checked tables; what cannot be used is named with its file and its key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nbroute.errors import SettingsError, did_you_mean
from nbroute.plan import CACHE_MODES
from nbroute.types import Price

Table = dict[str, Any]

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
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


@dataclass(frozen=True)
class _Rule:
    """What a key takes: in words, and as a function that raises ValueError otherwise."""

    wanted: str
    read: Callable[[Any], Any]
    secret: bool = False


def read_document(file: Path) -> Document:
    """The file's tables; SettingsError for the first thing in it that cannot be used."""
    raw = _parsed(file)
    document = Document(file)
    _check_sections(document, raw)
    return Document(
        file,
        _table(document, "nbroute", raw.get("nbroute", {}), _ROUTE),
        _tables(document, "providers", raw, _PROVIDER),
        _tables(document, "tiers", raw, _TIER),
        _tables(document, "profiles", raw, {**_ROUTE, "provider": _TEXT}),
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
        if name in _ROUTE:
            raise document.error(
                f"the key {name!r} stands before any table; put it under [nbroute]"
            )
        if name not in sections:
            raise document.error(f"unknown table [{name}]; {did_you_mean(name, sections)}")
        if not isinstance(value, dict):
            raise document.error(f"{name!r} is a table; write [{name}]")


def _tables(
    document: Document, section: str, raw: Table, rules: Mapping[str, _Rule]
) -> Mapping[str, Table]:
    found = {}
    for name, table in raw.get(section, {}).items():
        if not isinstance(table, dict):
            raise document.error(f"{section}.{name} is a table; write [{section}.{name}]")
        found[name] = _table(document, f"{section}.{name}", table, rules)
    return found


def _table(document: Document, where: str, raw: Table, rules: Mapping[str, _Rule]) -> Table:
    found = {}
    for key, value in raw.items():
        if key not in rules:
            raise document.error(_unknown(where, key, value, rules))
        rule = rules[key]
        try:
            found[key] = rule.read(value)
        except ValueError:
            said = "the value" if rule.secret else _shown(value)
            problem = f"[{where}] {key} = {said} cannot be used; give {rule.wanted}"
            raise document.error(problem) from None
    return {key: _placed(document, value) for key, value in found.items()}


def _unknown(where: str, key: str, value: object, rules: Mapping[str, _Rule]) -> str:
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


class _UnfitError(ValueError):
    """A value that a key does not take."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _UnfitError
    return value


def _any_text(value: Any) -> str:
    return value if value == "" else _text(value)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _UnfitError
    return tuple(_text(part) for part in value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _UnfitError
    return value


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _UnfitError
    number = Decimal(value)
    if not number.is_finite() or number < 0:
        raise _UnfitError
    return number


def _above_zero(value: Any) -> Decimal:
    number = _number(value)
    if not number:
        raise _UnfitError
    return number


def _fraction(value: Any) -> float:
    number = _number(value)
    if number > 1:
        raise _UnfitError
    return float(number)


def _count(value: Any) -> int:
    if not isinstance(value, int) or not _above_zero(value):
        raise _UnfitError
    return value


def _path(value: Any) -> Path:
    try:
        return Path(_text(value)).expanduser()
    except RuntimeError:
        raise _UnfitError from None


def _paths(value: Any) -> tuple[Path, ...]:
    return tuple(_path(part) for part in (value if isinstance(value, list) else [value]))


def _env_name(value: Any) -> str:
    if not _ENV_NAME.fullmatch(_text(value)):
        raise _UnfitError
    return str(value)


def read_url(value: Any) -> str:
    """An endpoint's base URL, without credentials in it; ValueError otherwise."""
    parts = urlsplit(_text(value).strip())
    secrets = parts.username is not None or parts.query or parts.fragment
    if parts.scheme not in ("http", "https") or not parts.hostname or secrets:
        raise _UnfitError
    return str(value).strip()


def _price(value: Any) -> Price:
    if not isinstance(value, dict) or set(value) != {"input", "output"}:
        raise _UnfitError
    return Price(_number(value["input"]), _number(value["output"]), "configured")


def _reference(value: Any) -> str:
    provider, _, model = _text(value).partition(":")
    if not provider or not model:
        raise _UnfitError
    return str(value)


def _one_of(*names: str) -> _Rule:
    def read(value: Any) -> str:
        if value not in names:
            raise _UnfitError
        return str(value)

    return _Rule(f"one of {', '.join(names)}", read)


_TEXT = _Rule("a text that is not empty", _text)
_FLAG = _Rule("true or false", _flag)
_PATH = _Rule("a path", _path)
_COUNT = _Rule("a whole number above 0", _count)

_ROUTE = {
    "profile": _TEXT,
    "ladder": _TEXT,
    "default_tier": _TEXT,
    "baseline": _TEXT,
    "classifier": _TEXT,
    "classifier_provider": _TEXT,
    "classifier_model": _TEXT,
    "classifier_threshold": _Rule("a number from 0 to 1", _fraction),
    "budget_usd": _Rule("US dollars above 0, or leave it out for no budget", _above_zero),
    "cache": _one_of(*CACHE_MODES),
    "cache_file": _PATH,
    "ledger": _PATH,
    "store_text": _FLAG,
    "static": _FLAG,
    "max_prompt_chars": _COUNT,
}
_PROVIDER = {
    "kind": _one_of("openai", "local", "simulated"),
    "base_url": _Rule("an http or https address with no user name in it", read_url, secret=True),
    "api_key_env": _Rule(
        "the name of an environment variable, not the key itself", _env_name, secret=True
    ),
    "timeout_s": _Rule("seconds above 0", lambda value: float(_above_zero(value))),
    "billed": _FLAG,
    "token_parameter": _one_of("max_tokens", "max_completion_tokens"),
    "pace": _Rule("a number from 0 up", lambda value: float(_number(value))),
    "fail": _TEXT,
    "gguf": _Rule("a path or a list of paths", _paths),
}
_TIER = {
    "provider": _TEXT,
    "model": _TEXT,
    "fallbacks": _Rule('a list of models, such as ["openai/gpt-4o-mini"]', _texts),
    "max_tokens": _COUNT,
    "system": _Rule("a text", _any_text),
    "description": _Rule("a text", _any_text),
    "price": _Rule(
        "{ input = 0.15, output = 0.60 }, in US dollars per million tokens, 0 or more", _price
    ),
    "reference": _Rule('"provider:model", such as "openrouter:openai/gpt-4o"', _reference),
}
