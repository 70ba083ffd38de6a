"""The built-in endpoints, each a profile, and those of the file, with their keys."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nbroute.errors import SettingsError
from nbroute.settings.document import Document
from nbroute.settings.rules import read_url
from nbroute.settings.values import ProviderSettings

Environment = Mapping[str, str]
Providers = Mapping[str, ProviderSettings]

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

_TITLES = {"openrouter": "OpenRouter", "openai": "OpenAI", "anthropic": "Anthropic"}


def describe(provider: ProviderSettings) -> str:
    """The endpoint in a few words, with its address where that is not the usual one."""
    if provider.kind == "simulated":
        return "simulated models, no key needed, nothing is sent"
    if provider.kind == "local":
        return f"{_files(provider)} on this machine, no key needed"
    if provider.kind == "litellm":
        return f"{provider.name} through LiteLLM"
    usual = BUILT_IN.get(provider.name)
    title = _TITLES.get(provider.name, provider.name)
    if title in _TITLES.values() and usual and usual.base_url == provider.base_url:
        return title
    return f"{title} at {provider.base_url}" + ("" if provider.api_key_env else ", no key needed")


def _files(provider: ProviderSettings) -> str:
    return ", ".join(file.name for file in provider.gguf) or "SmolLM2"


def configured(document: Document, environ: Environment) -> Providers:
    """All endpoints that can be named: the built-in ones and the file's, with their keys."""
    found = {**BUILT_IN, "openai": _openai(environ)}
    for name, table in document.providers.items():
        found[name] = _from_file(document, found.get(name), name, table)
    return {name: _complete(provider, environ) for name, provider in found.items()}


def _openai(environ: Environment) -> ProviderSettings:
    usual = BUILT_IN["openai"]
    try:
        return replace(usual, base_url=read_url(environ.get("OPENAI_BASE_URL") or usual.base_url))
    except ValueError:
        raise SettingsError(
            "OPENAI_BASE_URL cannot be used; give an http or https address with no user name in it"
        ) from None


def _from_file(
    document: Document, usual: ProviderSettings | None, name: str, table: dict[str, object]
) -> ProviderSettings:
    merged = replace(usual or ProviderSettings(name, "openai"), **table)  # type: ignore[arg-type]
    if merged.kind == "openai" and not merged.base_url:
        raise document.error(f"[providers.{name}] has no base_url; give the endpoint's address")
    return merged if merged.kind in ("openai", "litellm") else replace(merged, billed=False)


def _complete(provider: ProviderSettings, environ: Environment) -> ProviderSettings:
    if provider.kind == "local":
        return replace(provider, gguf=_gguf(environ) or provider.gguf)
    key = environ.get(provider.api_key_env or "", "").strip()
    return replace(provider, api_key=key or None)


def _gguf(environ: Environment) -> tuple[Path, ...]:
    named = environ.get("NBROUTE_GGUF", "").split(os.pathsep)
    return tuple(Path(part.strip()).expanduser() for part in named if part.strip())
