"""Settings on their way to another process: without keys, and with that process's own again."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace

from nbroute.settings.values import Settings

_NAMES = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)
_LENGTH = 12


def without_keys(settings: Settings) -> Settings:
    """The settings with no key in them, so that they may travel; what travels records nothing."""
    providers = tuple(replace(one, api_key=None) for one in settings.providers)
    return replace(settings, providers=providers, record=None)


def with_keys(settings: Settings, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings with the keys that this process has in its environment."""
    environ = os.environ if environ is None else environ
    providers = tuple(
        replace(one, api_key=environ.get(one.api_key_env or "", "").strip() or None)
        for one in settings.providers
    )
    return replace(settings, providers=providers)


def known_keys(settings: Settings, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """All that is known to be a key here: of the endpoints, and what the environment calls one."""
    environ = os.environ if environ is None else environ
    held = [one.api_key or "" for one in settings.providers]
    return (*held, *(value for name, value in environ.items() if _is_key(name, value)))


def _is_key(name: str, value: str) -> bool:
    """Of names like HF_TOKEN, what looks like a key: it could be a path, or an ordinary word."""
    if name.endswith("_API_KEY"):
        return True
    if not _NAMES.search(name) or len(value) < _LENGTH or value.startswith(("/", "~")):
        return False
    return any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def missing_keys(settings: Settings) -> tuple[str, ...]:
    """The names of the variables that hold no key here."""
    return tuple(
        one.api_key_env for one in settings.providers if one.api_key_env and not one.api_key
    )
