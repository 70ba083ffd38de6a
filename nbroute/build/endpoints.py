"""Settings -> the providers, and the ladder on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from nbroute.errors import SettingsError, did_you_mean
from nbroute.ladders import LOCAL_MODEL, spread, validate
from nbroute.providers import models
from nbroute.providers.litellm import LiteLLM
from nbroute.providers.local import Local
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.providers.simulated import Simulated
from nbroute.recording.reading import Recording
from nbroute.recording.standins import Replayed
from nbroute.settings import AUTO, ProviderSettings, Settings, base_ladder
from nbroute.types import Ladder, Provider, Tier

Announce = Callable[[str], None]


def providers_of(
    settings: Settings,
    given: Provider | None,
    announce: Announce | None,
    recording: Recording | None = None,
) -> Mapping[str, Provider]:
    """The providers by name; the one that was `given` alone, or those of the `recording`."""
    if recording is not None:
        kinds = recording.header.kinds
        return {name: Replayed(name, kind, recording) for name, kind in kinds.items()}
    if given is not None:
        return {given.name: given}
    return {one.name: _provider(one, announce) for one in settings.providers}


def _provider(settings: ProviderSettings, announce: Announce | None) -> Provider:
    if settings.kind == "simulated":
        return Simulated(settings.name, fail=settings.fail, pace=settings.pace)
    if settings.kind == "local":
        return Local(settings.name, files=models.find_models(settings.gguf), announce=announce)
    if settings.kind == "litellm":
        return LiteLLM(
            settings.name,
            timeout_s=settings.timeout_s,
            api_key=settings.api_key,
            api_base=settings.base_url or None,
            api_key_env=settings.api_key_env,
            kind="remote" if settings.billed else "local",
        )
    return OpenAICompatible(
        settings.name,
        settings.base_url,
        settings.api_key,
        kind="remote" if settings.billed else "local",
        timeout_s=settings.timeout_s,
        token_parameter=settings.token_parameter,
        api_key_env=settings.api_key_env,
    )


def ladder_of(
    settings: Settings,
    asked: Ladder | str | None,
    given: Provider | None,
    providers: Mapping[str, Provider],
) -> Ladder:
    """The ladder that was asked for, else the settings'; SettingsError where it cannot be used."""
    ladder = asked if isinstance(asked, Ladder) else settings.ladder
    if isinstance(asked, str):
        home = ladder.tiers[0].provider
        ladder = base_ladder(asked, next(p for p in settings.providers if p.name == home))
    if given is not None:
        tiers = tuple(_moved(tier, given.name) for tier in ladder.tiers)
        ladder = replace(ladder, tiers=tiers)
    validate(ladder)
    _check_providers(ladder, providers)
    for name in dict.fromkeys(tier.provider for tier in ladder.tiers):
        ladder = _with_found_models(ladder, providers[name])
    return ladder


def _moved(tier: Tier, provider: str) -> Tier:
    """The tier with all of its models at that provider."""
    return replace(tier, provider=provider, fallbacks=tier.models[1:])


def _check_providers(ladder: Ladder, providers: Mapping[str, Provider]) -> None:
    named = [(tier, target.provider) for tier in ladder.tiers for target in tier.targets]
    for tier, provider in named:
        if provider not in providers:
            msg = (
                f"tier {tier.name!r} names the provider {provider!r}, which is not "
                f"configured: {did_you_mean(provider, providers)}"
            )
            raise SettingsError(msg)


def _with_found_models(ladder: Ladder, provider: Provider) -> Ladder:
    """The models that the endpoint has, on its tiers where the settings leave them open.

    llama.cpp's tiers are open where they name the preset's model and other files are there.
    """
    open_models = {AUTO, LOCAL_MODEL} if isinstance(provider, Local) else {AUTO}
    mine = [t for t in ladder.tiers if t.provider == provider.name and t.model in open_models]
    if not mine or not isinstance(provider, Local | OpenAICompatible):
        return ladder
    found = provider.models()
    if LOCAL_MODEL in found or not (found or isinstance(provider, OpenAICompatible)):
        return ladder
    if not found:
        raise SettingsError(f"{provider.name!r} has no models yet; load one there first")
    filled = spread(found, replace(ladder, tiers=tuple(mine), default=mine[0].name))
    tiers = tuple(filled[t.name] if t in mine else t for t in ladder.tiers)
    return replace(ladder, tiers=tiers)
