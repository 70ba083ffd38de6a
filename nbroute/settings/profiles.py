"""The endpoints with their keys, the chosen profile, and the line that says why."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from nbroute.errors import SettingsError
from nbroute.providers.keys import stays_here
from nbroute.report.table import one_line
from nbroute.settings.document import Document
from nbroute.settings.model import (
    ENVIRONMENT,
    Environment,
    ProviderSettings,
    Settings,
    Unusable,
    named_path,
    read_url,
)

Providers = Mapping[str, ProviderSettings]
Ready = Callable[[], bool]

#: The vendors, in the order in which we look for their keys.
_VENDORS = {
    "openrouter": ("OpenRouter", "https://openrouter.ai/api/v1"),
    "openai": ("OpenAI", "https://api.openai.com/v1"),
    "anthropic": ("Anthropic", "https://api.anthropic.com/v1/"),
}
_SERVERS = {"ollama": 11434, "lmstudio": 1234, "vllm": 8000}

BY_KEY = tuple(_VENDORS)

BUILT_IN = {
    **{
        name: ProviderSettings(name, "openai", url, f"{name.upper()}_API_KEY")
        for name, (_, url) in _VENDORS.items()
    },
    "local": ProviderSettings("local", "local", billed=False),
    "simulated": ProviderSettings("simulated", "simulated", billed=False),
    **{
        name: ProviderSettings(name, "openai", f"http://localhost:{port}/v1", billed=False)
        for name, port in _SERVERS.items()
    },
}

#: The profile of a file whose tiers name their providers.
FILE = "file"

_KEY_NAMES = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)
_KEY_LENGTH = 12


def configured(document: Document, environ: Environment) -> Providers:
    """All known endpoints: the built-in ones and the file's, with their keys."""
    found = dict(BUILT_IN)
    try:
        url = read_url(environ.get("OPENAI_BASE_URL") or found["openai"].base_url)
    except ValueError as error:
        why = f": {error}" if isinstance(error, Unusable) else ""
        raise SettingsError(
            f"OPENAI_BASE_URL cannot be used{why}; give an http or https address with no user "
            "name in it"
        ) from None
    found["openai"] = replace(found["openai"], base_url=url)
    for name, table in document.providers.items():
        own = replace(found.get(name) or ProviderSettings(name, "openai"), **table)
        if own.kind == "openai" and not own.base_url:
            raise document.error(f"[providers.{name}] has no base_url; give the endpoint's address")
        found[name] = replace(own, billed=own.billed and own.kind not in ("local", "simulated"))
    named = [part.strip() for part in environ.get("NBROUTE_GGUF", "").split(os.pathsep)]
    if files := tuple(named_path("NBROUTE_GGUF", part) for part in named if part):
        local = {name: one for name, one in found.items() if one.kind == "local"}
        found |= {name: replace(one, gguf=files) for name, one in local.items()}
    return {name: one.with_key(environ) for name, one in found.items()}


def check_sending(document: Document, provider: ProviderSettings) -> None:
    """Refuse plain http to another machine, or what may not be a key, unless it is allowed."""
    where = f"[providers.{provider.name}]"
    plain = urlsplit(provider.base_url).scheme == "http" and not stays_here(provider.base_url)
    if plain and not provider.allow_http:
        raise document.error(
            f"{where} base_url = {provider.base_url!r}: with plain http, anybody on the network "
            "can read the prompts and the key; use https, or add allow_http = true"
        )
    named = (provider.api_key_env or "KEY").upper().endswith(("KEY", "TOKEN"))
    if not named and not provider.allow_any_variable:
        raise document.error(
            f"{where} api_key_env: the variable's name ends in neither KEY nor TOKEN, so it may "
            "not be a key; correct it, or add allow_any_variable = true"
        )


def missing_keys(providers: Iterable[ProviderSettings]) -> tuple[str, ...]:
    """The names of the variables with no key in them."""
    return tuple(one.api_key_env for one in providers if one.api_key_env and not one.api_key)


def known_keys(settings: Settings) -> tuple[str, ...]:
    """All known keys: those of the endpoints, and what the environment calls one.

    For names like HF_TOKEN only if it looks like a key: it could be a path or an ordinary word.
    """
    found = [one.api_key or "" for one in settings.providers]
    found += map(ENVIRONMENT.get, ENVIRONMENT.kept())
    for name, value in os.environ.items():
        called = _KEY_NAMES.search(name) and len(value) >= _KEY_LENGTH
        mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        if name.endswith("_API_KEY") or (called and mixed and not value.startswith(("/", "~"))):
            found.append(value)
    return tuple(found)


#: What a local model takes.
_LOCAL = "pip install 'nbroute[local]', nbroute pull"


@dataclass(frozen=True)
class Choice:
    """The profile, its provider, and whether the file's tiers apply.

    `automatic`: nobody chose it. `offline`: it was asked for by name, costs nothing, and is not
    the file's own.
    """

    profile: str
    provider: str
    with_tiers: bool
    automatic: bool
    offline: bool


def profiles_of(document: Document, providers: Providers) -> list[str]:
    """The names that a profile can have."""
    own = any("provider" in tier for tier in document.tiers.values())
    return [*providers, *document.profiles, *([FILE] if own else [])]


def choose(
    document: Document,
    providers: Providers,
    asked: str | None,
    environ: Environment,
    local_ready: Ready,
    *,
    given: bool,
) -> Choice:
    """The profile that is asked for, else the file's, else what the keys allow, else offline.

    A profile that is asked for and is not the file's own answers with its own models: the
    file's tiers are set aside if they name providers or models. NBROUTE_PROFILE does not ask
    for one if the file is `given` and has a profile, providers or models of its own.
    """
    first = next((t["provider"] for t in document.tiers.values() if "provider" in t), None)
    own = document.nbroute.get("profile") or (FILE if first else None)
    names = {"provider", "model", "fallbacks"}
    pinned = any(names & set(tier) for tier in document.tiers.values())
    said = None if given and (own or pinned) else environ.get("NBROUTE_PROFILE") or None
    wanted = said if asked is None else asked
    named = own if wanted is None else wanted
    allowed = profiles_of(document, providers)
    if wanted is None:
        document.check("[nbroute] profile", own, allowed, "is not a profile")
    else:
        where = "NBROUTE_PROFILE" if asked is None else "profile"
        Document().check(where, wanted, allowed, "is not a profile")

    def automatic() -> str:
        for name in BY_KEY:
            if providers[name].api_key:
                return name
        return "local" if providers["local"].gguf or local_ready() else "simulated"

    profile = named or automatic()
    told = document.profiles.get(profile, {}).get("provider")
    homes = {FILE: first, **{name: name for name in providers}}
    provider = told or homes.get(profile) or automatic()
    others = wanted is not None and wanted != (own or automatic())
    return Choice(
        profile,
        provider,
        with_tiers=not (others and pinned),
        automatic=named is None,
        offline=others and not providers[provider].billed,
    )


def describe_choice(
    choice: Choice,
    document: Document,
    used: Sequence[ProviderSettings],
    providers: Providers,
    environ: Environment,
    *,
    local_ready: Ready,
) -> str:
    """One line: the profile, what answers, the file, and what is missing."""
    line = f"profile {choice.profile}: {' and '.join(map(_described, used))}"
    if document.file is not None:
        aside = ", its tiers set aside" if document.tiers and not choice.with_tiers else ""
        line += f"; settings from {document.file}{aside}"
    notes = []
    if missing := missing_keys(used):
        notes = [f"{note}: set it before the first call" for note in _absent(missing, environ)]
    elif any(one.kind == "local" and not one.gguf for one in used) and not local_ready():
        notes = [f"not here yet: {_LOCAL}"]
    elif choice.automatic:
        keys = [providers[name].api_key_env or "" for name in BY_KEY]
        if choice.provider in BY_KEY:
            keys = [key for key in keys[: BY_KEY.index(choice.provider)] if key in environ]
        notes = _absent(keys, environ)
        if choice.provider == "simulated":
            notes.append(f"for a real model with no key: {_LOCAL}")
    return one_line(f"{line} ({'; '.join(notes)})" if notes else line)


def _described(provider: ProviderSettings) -> str:
    """The endpoint in a few words, with its address if that is not the usual one."""
    title, usual = _VENDORS.get(provider.name, (provider.name, None))
    if provider.kind == "simulated":
        said = "simulated models, no key needed, nothing is sent"
    elif provider.kind == "local":
        files = ", ".join(file.name for file in provider.gguf) or "SmolLM2"
        said = f"{files} on this machine, no key needed"
    elif provider.kind == "litellm":
        said = f"{provider.name} through LiteLLM"
    elif provider.base_url == usual:
        said = title
    else:
        said = f"{title} at {provider.base_url}" if provider.base_url else title
        said += "" if provider.api_key_env else ", no key needed"
    kept = provider.api_key_env in ENVIRONMENT.kept()
    source = "key kept in this kernel" if kept else f"key from {provider.api_key_env}"
    return f"{said}, {source}" if provider.api_key else said


def _absent(names: Sequence[str], environ: Environment) -> list[str]:
    """Which of the variables are set but empty, and which are not set."""
    notes = []
    for state in ("set but empty", "not set"):
        found = [name for name in names if (name in environ) == (state != "not set")]
        listed = " and ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))
        notes += [f"{listed} {'is' if len(found) == 1 else 'are'} {state}"] if found else []
    return notes
