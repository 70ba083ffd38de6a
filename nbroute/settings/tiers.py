"""The ladder: a preset on the profile's provider, with the file's [tiers.*] laid over it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nbroute import ladders
from nbroute.errors import SettingsError, did_you_mean
from nbroute.settings.document import Document, Table
from nbroute.settings.profiles import BY_KEY, Providers
from nbroute.settings.values import ProviderSettings
from nbroute.types import Ladder, Target, Tier

#: The model's name on tiers whose models are only known when the endpoint is asked.
AUTO = "auto"

DEFAULT_LADDER = "four-tier"

#: Of a tier that names none: the second article's default.
_MAX_TOKENS = 2048


def base_ladder(name: str, provider: ProviderSettings) -> Ladder:
    """The preset ladder of that name on the provider; SettingsError for an unknown name.

    An endpoint with no preset of its own has the model `AUTO` on every tier, to be replaced
    by what it serves, with the OpenRouter preset's model as the reference.
    """
    if provider.kind == "openai" and provider.name in BY_KEY:
        return ladders.preset(name, provider.name)
    ladder = ladders.preset(name, "simulated" if provider.kind == "simulated" else "local")
    tiers = (replace(tier, provider=provider.name) for tier in ladder.tiers)
    if provider.kind in ("openai", "litellm"):
        tiers = (replace(tier, model=AUTO) for tier in tiers)
    return replace(ladder, tiers=tuple(tiers))


def build_ladder(document: Document, table: Table, provider: str, providers: Providers) -> Ladder:
    """The ladder of `table` on `provider`, with the document's tiers.

    They change the preset's tiers of their names or, where none is the preset's, make a
    ladder of one's own, in the order of the file.
    """
    for tier, values in document.tiers.items():
        _check_providers(document, tier, values, providers)
    name = table.get("ladder", DEFAULT_LADDER)
    try:
        base = base_ladder(name, providers[provider])
    except SettingsError as error:
        raise document.error(f"ladder: {error}") from None
    ladder = _with_tiers(document, base, provider, providers) if document.tiers else base
    ladder = replace(ladder, default=table.get("default_tier", ladder.default))
    try:
        ladders.validate(ladder)
    except SettingsError as error:
        raise document.error(str(error)) from None
    _check_named(document, ladder, providers)
    return ladder


def _with_tiers(document: Document, base: Ladder, provider: str, providers: Providers) -> Ladder:
    if not set(document.tiers) & set(base.names):
        return _own_ladder(document, base, provider)
    for name in document.tiers:
        if name not in base.names:
            cure = did_you_mean(name, base.names)
            raise document.error(f"[tiers.{name}]: {base.name!r} has no tier {name!r}; {cure}")
    tiers = (_changed(tier, base, document.tiers.get(tier.name), providers) for tier in base.tiers)
    return replace(base, tiers=tuple(tiers))


def _check_providers(document: Document, name: str, table: Table, providers: Providers) -> None:
    named = [("provider", table.get("provider"))]
    fallbacks = (one for one in table.get("fallbacks", ()) if isinstance(one, Target))
    named += [("fallbacks: provider", one.provider) for one in fallbacks]
    for where, provider in named:
        if provider and provider not in providers:
            raise document.error(
                f"[tiers.{name}] {where} = {provider!r} is not configured; add "
                f"[providers.{provider}]; {did_you_mean(provider, providers)}"
            )


def _check_named(document: Document, ladder: Ladder, providers: Providers) -> None:
    for tier in ladder.tiers:
        if tier.model == AUTO and providers[tier.provider].kind == "litellm":
            raise document.error(
                f"[tiers.{tier.name}] has no model, and LiteLLM cannot be asked which it has; "
                'name one, such as model = "openai/gpt-4o-mini"'
            )


def _changed(tier: Tier, base: Ladder, table: Table | None, providers: Providers) -> Tier:
    if table is None:
        return tier
    provider = table.get("provider", tier.provider)
    if provider != tier.provider:
        tier = base_ladder(base.name, providers[provider])[tier.name]
    if table.get("model", tier.model) != tier.model:
        tier = replace(tier, fallbacks=(), price=None)
    return _at_home(replace(tier, **table))


def _at_home(tier: Tier) -> Tier:
    """The tier with its fallbacks that name no provider at its own."""
    fallbacks = (
        replace(one, provider=tier.provider)
        if isinstance(one, Target) and not one.provider
        else one
        for one in tier.fallbacks
    )
    return replace(tier, fallbacks=tuple(fallbacks))


def _own_ladder(document: Document, base: Ladder, provider: str) -> Ladder:
    tiers = tuple(
        _own_tier(document, name, table, base, provider) for name, table in document.tiers.items()
    )
    return Ladder("own", tiers, default=tiers[(len(tiers) - 1) // 2].name)


def _own_tier(document: Document, name: str, table: Table, base: Ladder, provider: str) -> Tier:
    if "model" not in table:
        raise document.error(
            f"[tiers.{name}] has no model, and {base.name!r} has no tier {name!r} to change; "
            f"give it a model; {did_you_mean(name, base.names)}"
        )
    values: dict[str, Any] = {"provider": provider, "max_tokens": _MAX_TOKENS, **table}
    return _at_home(Tier(name=name, **values))
