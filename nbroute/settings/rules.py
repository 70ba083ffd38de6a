"""What each key of nbroute.toml takes: in words, and as a function that reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from nbroute.types import CacheMode, Price, Target

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Rule:
    """What a key takes: in words, and as a function that raises ValueError otherwise.

    `secret` values are not repeated in an error. A table in the value's place is read by the
    rules of `table` first, or each of its values by `each`; each part of a list by `part`.
    """

    wanted: str
    read: Callable[[Any], Any]
    secret: bool = False
    table: Mapping[str, Rule] | None = None
    each: Rule | None = None
    part: Rule | None = None


class _UnfitError(ValueError):
    """A value that a key does not take."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _UnfitError
    return value


def _any_text(value: Any) -> str:
    return value if value == "" else _text(value)


def _no_list(_: Any) -> Any:
    """For a list whose parts have a rule of their own: anything else is unfit."""
    raise _UnfitError


def _fallback(value: Any) -> str | Target:
    """A model's name, or a target; one without a provider (`""`) is at the tier's own."""
    if not isinstance(value, dict):
        return _text(value)
    if "model" not in value:
        raise _UnfitError
    return Target(**{"provider": "", **value})


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


def _one_of(*names: str) -> Rule:
    def read(value: Any) -> str:
        if value not in names:
            raise _UnfitError
        return str(value)

    return Rule(f"one of {', '.join(names)}", read)


_TEXT = Rule("a text that is not empty", _text)
_FLAG = Rule("true or false", _flag)
_PATH = Rule("a path", _path)
_COUNT = Rule("a whole number above 0", _count)
_FRACTION = Rule("a number from 0 to 1", _fraction)
_SECONDS = Rule("seconds above 0", lambda value: float(_above_zero(value)))
_BUDGET = Rule("US dollars above 0, or leave it out for no budget", _above_zero)
_PRICE = Rule(
    "{ input = 0.15, output = 0.60 }, in US dollars per million tokens, 0 or more", _price
)
_FALLBACK = Rule(
    'a model, such as "openai/gpt-4o-mini", or a model elsewhere: '
    '{ provider = "openai", model = "gpt-4o-mini" }',
    _fallback,
    table={"provider": _TEXT, "model": _TEXT, "price": _PRICE},
)

NBROUTE = {
    "profile": _TEXT,
    "ladder": _TEXT,
    "default_tier": _TEXT,
    "baseline": _TEXT,
    "classifier": _TEXT,
    "classifier_provider": _TEXT,
    "classifier_model": _TEXT,
    "classifier_threshold": _FRACTION,
    "step_up_below": _FRACTION,
    "classifier_file": _PATH,
    "examples_file": _PATH,
    "embedder": _TEXT,
    "embedder_model": _TEXT,
    "agreement": _FRACTION,
    "check_timeout_s": _SECONDS,
    "budget_usd": _BUDGET,
    "budget_usd_per_day": _BUDGET,
    "budget_usd_per_feature": replace(_BUDGET, each=_BUDGET),
    "on_limit": _one_of("refuse", "cheaper"),
    "cache": _one_of(*get_args(CacheMode)),
    "cache_file": _PATH,
    "ledger": _PATH,
    "record": _PATH,
    "replay": _PATH,
    "store_text": _FLAG,
    "static": _FLAG,
    "max_prompt_chars": _COUNT,
}
PROFILE = {**NBROUTE, "provider": _TEXT}
PROVIDER = {
    "kind": _one_of("openai", "local", "simulated", "litellm"),
    "base_url": Rule("an http or https address with no user name in it", read_url, secret=True),
    "api_key_env": Rule(
        "the name of an environment variable, not the key itself", _env_name, secret=True
    ),
    "timeout_s": _SECONDS,
    "billed": _FLAG,
    "token_parameter": _one_of("max_tokens", "max_completion_tokens"),
    "pace": Rule("a number from 0 up", lambda value: float(_number(value))),
    "fail": _TEXT,
    "gguf": Rule("a path or a list of paths", _paths),
}
TIER = {
    "provider": _TEXT,
    "model": _TEXT,
    "fallbacks": Rule('a list of models, such as ["openai/gpt-4o-mini"]', _no_list, part=_FALLBACK),
    "max_tokens": _COUNT,
    "context": _COUNT,
    "system": Rule("a text", _any_text),
    "description": Rule("a text", _any_text),
    "price": _PRICE,
    "reference": Rule('"provider:model", such as "openrouter:openai/gpt-4o"', _reference),
}
