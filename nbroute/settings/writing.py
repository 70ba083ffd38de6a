"""The settings in force -> a commented nbroute.toml that gives the same ladder."""

from __future__ import annotations

import json
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from nbroute import ladders
from nbroute.errors import SettingsError
from nbroute.settings.model import Settings
from nbroute.settings.profiles import BUILT_IN
from nbroute.types import Ladder, Price, Target

_HEAD = """\
# How nbroute routes in this folder and its subfolders. API keys do not belong here: they come
# from environment variables, or from %route key.
"""
#: What else can be set, commented out.
_MORE = """\
# budget_usd = 1.00               # what a session may cost; also budget_usd_per_day
# on_limit = "cheaper"            # over budget, ask a cheaper tier instead of refusing
# step_up_below = 0.6             # with less confidence than this, go one tier up
# cache_file = "cache.sqlite3"    # keep answers beyond this kernel
# store_text = true               # keep prompts and answers in the ledger
"""
_TIERS = """\
# The tiers, cheapest first. max_tokens limits the answer; fallbacks are asked, in order, if the
# model fails; a classifying model reads the description. effort = "low", "medium" or "high" is
# how hard a reasoning model thinks first, within max_tokens. If no list has the model:
# price = { input = 0.15, output = 0.60 }, in US dollars per million tokens.
"""
_TIER = (
    *("provider", "model", "fallbacks", "max_tokens", "context", "system", "description"),
    *("price", "reference", "effort"),
)
_PROMPTS = """\
# System prompts by name, as in %%route -s @reviewer; a change takes effect at once.
# [prompts]
# reviewer = "You review code: name each fault, then its fix."
"""


def text_of(settings: Settings, ladder: Ladder) -> str:
    """The file's text, for `settings` with that ladder."""
    asked, usual = settings.classifier, ladder.tiers[0]
    of_its_own = (asked.provider, asked.model) != (usual.provider, usual.model)
    here = {
        "profile": settings.profile if settings.profile in BUILT_IN else None,
        "ladder": ladder.name if ladder.name in ladders.LADDERS else None,
        "default_tier": ladder.default,
        "baseline": settings.baseline if settings.baseline in ladder.names else None,
        "classifier": asked.name,
        "classifier_provider": asked.provider if of_its_own else None,
        "classifier_model": asked.model if of_its_own else None,
        "classifier_threshold": asked.threshold,
        "step_up_below": asked.step_up_below or None,
    }
    parts = [_HEAD, _table("nbroute", here), _MORE]
    used = {target.provider for tier in ladder.tiers for target in tier.targets}
    for one in settings.providers:
        known = BUILT_IN.get(one.name)
        if one.name in used | {asked.provider} and known != one:
            changed = {
                field.name: getattr(one, field.name)
                for field in fields(one)
                if field.name not in ("name", "api_key")
                and getattr(one, field.name) != getattr(known, field.name, field.default)
            }
            parts.append(_table(f"providers.{_key(one.name)}", changed))
    tiers = [
        _table(f"tiers.{_key(tier.name)}", {name: getattr(tier, name) for name in _TIER})
        for tier in ladder.tiers
    ]
    return "\n".join([*parts, _TIERS, *tiers, _PROMPTS])


def write(path: Path, text: str, *, force: bool) -> None:
    """Write the file; SettingsError if there is one already, unless `force` is given."""
    try:
        with path.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        msg = f"{str(path)!r} exists already; `%route init --force` overwrites it"
        raise SettingsError(msg) from None
    except OSError as error:
        raise SettingsError(f"cannot write {str(path)!r}: {error.strerror}") from None


def _table(name: str, values: dict[str, Any]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in values.items() if value is not None]
    return "\n".join([f"[{name}]", *lines, ""])


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Target | Price):
        names = ("provider", "model", "price", "input", "output", "cached_input")
        told = ((name, getattr(value, name, None)) for name in names)
        inside = ", ".join(f"{name} = {_value(one)}" for name, one in told if one is not None)
        return f"{{ {inside} }}"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else _value(name)
