"""Settings -> Router: the one place that names concrete classes."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from nbroute.cache import FileCache, MemoryCache, request_key
from nbroute.classify.model import ModelClassifier
from nbroute.classify.rules import RulesClassifier
from nbroute.classify.simple import resolve
from nbroute.dispatch import Dispatcher
from nbroute.errors import SettingsError, did_you_mean
from nbroute.ladders import LOCAL_MODEL, spread, validate
from nbroute.ledger import SqliteLedger
from nbroute.limits import Limits
from nbroute.providers import models
from nbroute.providers.local import Local
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.providers.simulated import Simulated
from nbroute.router import Ask, ClassifierFor, Engine, Parts, Spec
from nbroute.settings import AUTO, ProviderSettings, Settings, base_ladder, load
from nbroute.types import Classifier, Ladder, Ledger, Provider, Request, Tier

Announce = Callable[[str], None]


class Router(Engine):
    """Classifies prompts, sends each to the cheapest tier that should do, and records it all.

    With nothing said it follows `nbroute.toml`, else the keys in the environment, else it
    works offline. `settings` is a path or a `Settings`, `profile` a built-in or configured
    name, `ladder` a `Ladder` or a preset's name, `provider` one `Provider` for every tier,
    `classifier` a name, a `Classifier` or a function prompt -> tier, `ledger` a file.

    Thread-safe. Raises SettingsError where something named does not exist.
    """

    def __init__(
        self,
        settings: str | Path | Settings | None = None,
        *,
        profile: str | None = None,
        ladder: Ladder | str | None = None,
        provider: Provider | None = None,
        classifier: Spec | None = None,
        ledger: Ledger | str | Path | None = None,
        session: str | None = None,
        announce: Announce | None = None,
    ) -> None:
        chosen = settings if isinstance(settings, Settings) else find_settings(settings, profile)
        self.settings = chosen
        providers = _providers(chosen, provider, announce)
        steps = _ladder(chosen, ladder, provider, providers)
        asked = _classifier_tier(chosen, steps, providers)
        super().__init__(
            Parts(
                ladder=steps,
                dispatcher=Dispatcher(providers, _cache(chosen), _keys(providers)),
                classifier_for=_classifiers(chosen, asked, classifier),
                classifier_tier=asked,
                ledger=_ledger(chosen, ledger),
                limits=Limits(chosen.budget_usd, chosen.max_prompt_chars),
                cache_mode=chosen.cache,
                baseline=chosen.baseline if chosen.baseline in steps.names else steps.names[-1],
                session=session or new_id(),
                clock=time.time,
                new_id=new_id,
                hash_text=hash_text,
            )
        )

    def __repr__(self) -> str:
        """No keys, no prompts."""
        return f"<Router profile={self.settings.profile!r} ladder={self.ladder.name!r}>"


def find_settings(path: str | Path | None = None, profile: str | None = None) -> Settings:
    """The settings in force here; `local` is offered where llama.cpp and a model file are."""
    return load(path, profile=profile, local_ready=models.ready)


def new_id() -> str:
    """Twelve hexadecimal digits by chance."""
    return uuid.uuid4().hex[:12]


def hash_text(text: str) -> str:
    """The first 12 hexadecimal digits of SHA-256, as in the second article's log record."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _providers(
    settings: Settings, given: Provider | None, announce: Announce | None
) -> Mapping[str, Provider]:
    if given is not None:
        return {given.name: given}
    return {one.name: _provider(one, announce) for one in settings.providers}


def _provider(settings: ProviderSettings, announce: Announce | None) -> Provider:
    if settings.kind == "simulated":
        return Simulated(settings.name, fail=settings.fail, pace=settings.pace)
    if settings.kind == "local":
        return Local(settings.name, files=models.find_models(settings.gguf), announce=announce)
    return OpenAICompatible(
        settings.name,
        settings.base_url,
        settings.api_key,
        kind="remote" if settings.billed else "local",
        timeout_s=settings.timeout_s,
        token_parameter=settings.token_parameter,
        api_key_env=settings.api_key_env,
    )


def _ladder(
    settings: Settings,
    asked: Ladder | str | None,
    given: Provider | None,
    providers: Mapping[str, Provider],
) -> Ladder:
    ladder = asked if isinstance(asked, Ladder) else settings.ladder
    if isinstance(asked, str):
        home = ladder.tiers[0].provider
        ladder = base_ladder(asked, next(p for p in settings.providers if p.name == home))
    if given is not None:
        tiers = tuple(replace(tier, provider=given.name) for tier in ladder.tiers)
        ladder = replace(ladder, tiers=tiers)
    validate(ladder)
    _check_providers(ladder, providers)
    for name in dict.fromkeys(tier.provider for tier in ladder.tiers):
        ladder = _with_found_models(ladder, providers[name])
    return ladder


def _check_providers(ladder: Ladder, providers: Mapping[str, Provider]) -> None:
    for tier in ladder.tiers:
        if tier.provider not in providers:
            msg = (
                f"tier {tier.name!r} names the provider {tier.provider!r}, which is not "
                f"configured: {did_you_mean(tier.provider, providers)}"
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


def _cache(settings: Settings) -> MemoryCache | FileCache:
    return FileCache(settings.cache_file) if settings.cache_file else MemoryCache()


def _ledger(settings: Settings, asked: Ledger | str | Path | None) -> Ledger:
    if asked is None or isinstance(asked, str | Path):
        return SqliteLedger(Path(asked or settings.ledger_file), store_text=settings.store_text)
    return asked


def _keys(providers: Mapping[str, Provider]) -> Callable[[Request], str]:
    """Request -> cache key, told apart by the address that a provider's name stands for."""
    places = {name: getattr(one, "base_url", "") for name, one in providers.items()}
    return lambda request: request_key(request, places[request.provider])


def _classifier_tier(settings: Settings, ladder: Ladder, providers: Mapping[str, Provider]) -> Tier:
    """The lowest tier, with the classifying model in its place where one is configured.

    A provider handed to the Router stands for those of the settings, the classifier's too.
    """
    tier = ladder.tiers[0]
    provider = settings.classifier.provider or tier.provider
    if provider not in providers:
        return tier
    model = settings.classifier.model or tier.model
    same = (provider, model) == (tier.provider, tier.model)
    return tier if same else replace(tier, provider=provider, model=model, price=None)


def _classifiers(settings: Settings, tier: Tier, default: Spec | None) -> ClassifierFor:
    """What finds a classifier; with nobody to `ask` a model, our rules stand in for it."""
    rules, threshold = RulesClassifier(), settings.classifier.threshold

    def classifier_for(asked: Spec | None, ask: Ask | None) -> Classifier:
        spec = asked or default or settings.classifier.name
        if ask is None:
            return resolve(spec, rules=rules, model=rules, threshold=0)
        model = ModelClassifier(ask, provider=tier.provider, model=tier.model)
        return resolve(spec, rules=rules, model=model, threshold=threshold)

    return classifier_for
