"""The endpoints with their keys, the profile in force, and the line that says why."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nbroute.errors import SettingsError, did_you_mean
from nbroute.settings.model import Document, ProviderSettings, Settings, read_url

Environment = Mapping[str, str]
Providers = Mapping[str, ProviderSettings]
Ready = bool | Callable[[], bool]

BUILT_IN = {
    provider.name: provider
    for provider in (
        ProviderSettings(
            "openrouter", "openai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"
        ),
        ProviderSettings("openai", "openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
        ProviderSettings(
            "anthropic", "openai", "https://api.anthropic.com/v1/", "ANTHROPIC_API_KEY"
        ),
        ProviderSettings("local", "local", billed=False),
        ProviderSettings("simulated", "simulated", billed=False),
        ProviderSettings("ollama", "openai", "http://localhost:11434/v1", billed=False),
        ProviderSettings("lmstudio", "openai", "http://localhost:1234/v1", billed=False),
        ProviderSettings("vllm", "openai", "http://localhost:8000/v1", billed=False),
    )
}

#: Their keys are looked for in this order.
BY_KEY = ("openrouter", "openai", "anthropic")

#: The profile of a file whose tiers name their providers.
FILE = "file"

_TITLES = {"openrouter": "OpenRouter", "openai": "OpenAI", "anthropic": "Anthropic"}
_KEY_NAMES = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)
_KEY_LENGTH = 12


def configured(document: Document, environ: Environment) -> Providers:
    """All endpoints that can be named: the built-in ones and the file's, with their keys."""
    found = dict(BUILT_IN)
    try:
        url = read_url(environ.get("OPENAI_BASE_URL") or found["openai"].base_url)
    except ValueError:
        raise SettingsError(
            "OPENAI_BASE_URL cannot be used; give an http or https address with no user name in it"
        ) from None
    found["openai"] = replace(found["openai"], base_url=url)
    for name, table in document.providers.items():
        own = replace(found.get(name) or ProviderSettings(name, "openai"), **table)
        if own.kind == "openai" and not own.base_url:
            raise document.error(f"[providers.{name}] has no base_url; give the endpoint's address")
        found[name] = replace(own, billed=own.billed and own.kind in ("openai", "litellm"))
    named = [part.strip() for part in environ.get("NBROUTE_GGUF", "").split(os.pathsep)]
    if files := tuple(Path(part).expanduser() for part in named if part):
        local = {name: one for name, one in found.items() if one.kind == "local"}
        found |= {name: replace(one, gguf=files) for name, one in local.items()}
    return {name: _with_key(one, environ) for name, one in found.items()}


def _with_key(provider: ProviderSettings, environ: Environment) -> ProviderSettings:
    key = environ.get(provider.api_key_env or "", "").strip()
    return replace(provider, api_key=key or None)


def without_keys(settings: Settings) -> Settings:
    """The settings with no key in them, so that they may travel; what travels records nothing."""
    providers = tuple(replace(one, api_key=None) for one in settings.providers)
    return replace(settings, providers=providers, record=None)


def with_keys(settings: Settings, environ: Environment | None = None) -> Settings:
    """The settings with the keys that this process has in its environment."""
    environ = os.environ if environ is None else environ
    return replace(settings, providers=tuple(_with_key(one, environ) for one in settings.providers))


def missing_keys(providers: Iterable[ProviderSettings]) -> tuple[str, ...]:
    """The names of the variables that hold no key here."""
    return tuple(one.api_key_env for one in providers if one.api_key_env and not one.api_key)


def known_keys(settings: Settings, environ: Environment | None = None) -> tuple[str, ...]:
    """All that is known to be a key here: of the endpoints, and what the environment calls one.

    Of names like HF_TOKEN, what looks like a key: it could be a path, or an ordinary word.
    """
    environ = os.environ if environ is None else environ
    found = [one.api_key or "" for one in settings.providers]
    for name, value in environ.items():
        called = _KEY_NAMES.search(name) and len(value) >= _KEY_LENGTH
        mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        if name.endswith("_API_KEY") or (called and mixed and not value.startswith(("/", "~"))):
            found.append(value)
    return tuple(found)


@dataclass(frozen=True)
class Choice:
    """The profile, its provider, whether the file's tiers hold, and whether nobody chose it."""

    profile: str
    provider: str
    with_tiers: bool
    automatic: bool


def choose(
    document: Document,
    providers: Providers,
    asked: str | None,
    environ: Environment,
    local_ready: Ready,
) -> Choice:
    """The profile that is asked for, else the file's, else what the keys allow, else offline.

    A profile that is asked for and is not the file's own answers with its own models: the
    file's tiers are set aside where they name providers or models.
    """
    first = next((t["provider"] for t in document.tiers.values() if "provider" in t), None)
    own = document.nbroute.get("profile") or (FILE if first else None)
    if asked is None:
        where, wanted = "NBROUTE_PROFILE", environ.get("NBROUTE_PROFILE") or None
    else:
        where, wanted = "profile", asked
    allowed = [*providers, *document.profiles, *([FILE] if first else [])]
    if wanted is not None and wanted not in allowed:
        raise SettingsError(_unknown_profile(where, wanted, allowed))
    if wanted is None and own is not None and own not in allowed:
        raise document.error(_unknown_profile("[nbroute] profile", own, allowed))

    def automatic() -> str:
        return _automatic(providers, local_ready)

    profile = wanted or own or automatic()
    provider = document.profiles.get(profile, {}).get("provider")
    if provider is not None and provider not in providers:
        raise document.error(
            f"[profiles.{profile}] {unconfigured('provider', provider, providers)}"
        )
    if provider is None and profile in providers:
        provider = profile
    elif provider is None and profile == FILE:
        provider = first
    pinned = any({"provider", "model"} & set(tier) for tier in document.tiers.values())
    return Choice(
        profile,
        provider or automatic(),
        with_tiers=wanted is None or not pinned or wanted == (own or automatic()),
        automatic=wanted is None and own is None,
    )


def _unknown_profile(where: str, name: str, allowed: Iterable[str]) -> str:
    return f"{where} = {name!r}: there is no such profile; {did_you_mean(name, allowed)}"


def unconfigured(key: str, name: str, providers: Providers) -> str:
    """What is wrong with a key that names an endpoint which is not there."""
    cure = did_you_mean(name, providers)
    return f"{key} = {name!r} is not configured; add [providers.{name}]; {cure}"


def _automatic(providers: Providers, local_ready: Ready) -> str:
    for name in BY_KEY:
        if providers[name].api_key:
            return name
    if providers["local"].gguf or (local_ready() if callable(local_ready) else local_ready):
        return "local"
    return "simulated"


def describe_choice(
    choice: Choice,
    document: Document,
    used: Iterable[ProviderSettings],
    providers: Providers,
    environ: Environment,
) -> str:
    """One line: the profile, what answers, the file, and the keys that are missing."""
    used = tuple(used)
    line = f"profile {choice.profile}: {' and '.join(map(_described, used))}"
    if document.file is not None:
        aside = ", its tiers set aside" if document.tiers and not choice.with_tiers else ""
        line += f"; settings from {document.file}{aside}"
    notes = []
    if missing := missing_keys(used):
        notes = [f"{note}: set it before the first call" for note in _absent(missing, environ)]
    elif choice.automatic:
        keys = [providers[name].api_key_env or "" for name in BY_KEY]
        if choice.provider in BY_KEY:
            keys = [key for key in keys[: BY_KEY.index(choice.provider)] if key in environ]
        notes = _absent(keys, environ)
    return f"{line} ({'; '.join(notes)})" if notes else line


def _described(provider: ProviderSettings) -> str:
    """The endpoint in a few words, with its address where that is not the usual one."""
    usual = BUILT_IN.get(provider.name)
    title = _TITLES.get(provider.name)
    if provider.kind == "simulated":
        said = "simulated models, no key needed, nothing is sent"
    elif provider.kind == "local":
        files = ", ".join(file.name for file in provider.gguf) or "SmolLM2"
        said = f"{files} on this machine, no key needed"
    elif provider.kind == "litellm":
        said = f"{provider.name} through LiteLLM"
    elif title and usual and usual.base_url == provider.base_url:
        said = title
    else:
        said = f"{title or provider.name} at {provider.base_url}"
        said += "" if provider.api_key_env else ", no key needed"
    return f"{said}, key from {provider.api_key_env}" if provider.api_key else said


def _absent(names: Iterable[str], environ: Environment) -> list[str]:
    """Of variables with no key in them, which are not set and which are empty."""
    names = tuple(names)
    empty = [name for name in names if name in environ]
    unset = [name for name in names if name not in environ]
    notes = []
    for found, state in ((empty, "set but empty"), (unset, "not set")):
        listed = " and ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))
        notes += [f"{listed} {'is' if len(found) == 1 else 'are'} {state}"] if found else []
    return notes
