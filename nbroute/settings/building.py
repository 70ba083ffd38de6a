"""The ladder (a preset with the file's [tiers.*] laid over it), the classifier, the embedder."""

from __future__ import annotations

from dataclasses import replace

from nbroute import ladders
from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.errors import SettingsError, did_you_mean
from nbroute.settings.document import Document
from nbroute.settings.model import (
    ClassifierSettings,
    EmbedderSettings,
    ProviderSettings,
    Table,
    given,
)
from nbroute.settings.profiles import BY_KEY, Providers
from nbroute.types import Ladder, Target, Tier

#: The model's name on tiers whose models are only known when the endpoint is asked.
AUTO = "auto"

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
    tiers = [replace(tier, provider=provider.name) for tier in ladder.tiers]
    if provider.kind in ("openai", "litellm"):
        budgets = [tier.max_tokens for tier in ladders.preset(name, "openrouter").tiers]
        tiers = [
            replace(tier, model=AUTO, max_tokens=most)
            for tier, most in zip(tiers, budgets, strict=True)
        ]
    return replace(ladder, tiers=tuple(tiers))


def build_ladder(document: Document, table: Table, provider: str, providers: Providers) -> Ladder:
    """The ladder of `table` on `provider`, with the document's tiers.

    They change the preset's tiers of their names or, where none is the preset's, make a
    ladder of one's own, in the order of the file.
    """
    for name, values in document.tiers.items():
        document.check_provider(f"[tiers.{name}] provider", values.get("provider"), providers)
        for one in values.get("fallbacks", ()):
            if isinstance(one, Target) and one.provider:
                key = f"[tiers.{name}] fallbacks: provider"
                document.check_provider(key, one.provider, providers)
    try:
        ladder = base_ladder(table.get("ladder", "four-tier"), providers[provider])
    except SettingsError as error:
        raise document.error(f"ladder: {error}") from None
    if document.tiers:
        ladder = _with_tiers(document, ladder, provider, providers)
    ladder = replace(ladder, default=table.get("default_tier", ladder.default))
    try:
        ladders.validate(ladder)
    except SettingsError as error:
        raise document.error(str(error)) from None
    for tier in ladder.tiers:
        if tier.model == AUTO and providers[tier.provider].kind == "litellm":
            raise document.error(
                f"[tiers.{tier.name}] has no model, and LiteLLM cannot be asked which it has; "
                'name one, such as model = "openai/gpt-4o-mini"'
            )
    return ladder


def _with_tiers(document: Document, base: Ladder, provider: str, providers: Providers) -> Ladder:
    own = not set(document.tiers) & set(base.names)
    for name, table in document.tiers.items():
        if name not in base.names and not (own and "model" in table):
            raise document.error(
                f"[tiers.{name}]: {base.name!r} has no tier {name!r}; "
                f"{did_you_mean(name, base.names)} For a ladder of your own use "
                "none of the preset's names, and give every tier a model"
            )
    tiers = []
    for name in document.tiers if own else base.names:
        table = document.tiers.get(name, {})
        if own:
            tier = Tier(name, provider, "", _MAX_TOKENS)
        else:
            home = providers[table.get("provider", base[name].provider)]
            tier = base_ladder(base.name, home)[name]
            if table.get("model", tier.model) != tier.model:
                tier = replace(tier, fallbacks=(), price=None)
        tier = replace(tier, **table)
        fallbacks = (
            replace(one, provider=one.provider or tier.provider) if isinstance(one, Target) else one
            for one in tier.fallbacks
        )
        tiers.append(replace(tier, fallbacks=tuple(fallbacks)))
    if own:
        return Ladder("own", tuple(tiers), default=tiers[(len(tiers) - 1) // 2].name)
    return replace(base, tiers=tuple(tiers))


def build_classifier(
    document: Document, table: Table, ladder: Ladder, providers: Providers
) -> ClassifierSettings:
    """The table's classifier; what is not said depends on what the ladder's lowest tier is."""
    lowest = ladder.tiers[0]
    usual = "hybrid" if providers[lowest.provider].billed else "rules"
    chosen = ClassifierSettings(**{"name": usual, **given(ClassifierSettings, table)})
    document.check("classifier", chosen.name, CLASSIFIERS, "is not a classifier")
    document.check_provider("classifier_provider", chosen.provider, providers)
    if chosen.provider is not None and chosen.model is None:
        raise document.error(
            f"classifier_provider = {chosen.provider!r} needs a model; name it in classifier_model"
        )
    if chosen.name in ("model", "hybrid") and chosen.model is None and lowest.model != AUTO:
        return replace(chosen, provider=lowest.provider, model=lowest.model)
    return chosen


def build_embedder(document: Document, table: Table, providers: Providers) -> EmbedderSettings:
    """The table's embedder, checked against the endpoints that can serve as one."""
    chosen = EmbedderSettings(**given(EmbedderSettings, table))
    able = [known for known, provider in providers.items() if provider.kind == "openai"]
    problem = "has no embeddings" if chosen.name in providers else "is not configured"
    document.check("embedder", chosen.name, ("auto", "wordllama", *able), problem)
    return replace(chosen, provider=chosen.name) if chosen.name in able else chosen
