"""nbroute.toml, the environment and the offline default -> frozen `Settings`.

- `values`    what comes out
- `rules`     what each key takes
- `document`  the file, checked key by key
- `profiles`  the endpoints, with their keys
- `choice`    which file and which profile
- `tiers`     the ladder
- `replaying` a recording in the ladder's place
- `keys`      settings that travel to another process
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.errors import SettingsError, did_you_mean
from nbroute.settings.choice import Ready, choose, describe_choice, find_file, user_folder
from nbroute.settings.document import Document, Table, read_document
from nbroute.settings.profiles import BUILT_IN, Environment, Providers, configured
from nbroute.settings.replaying import recording_files, replayed
from nbroute.settings.tiers import AUTO, base_ladder, build_ladder
from nbroute.settings.values import (
    ClassifierSettings,
    EmbedderSettings,
    ProviderSettings,
    Settings,
)
from nbroute.types import Ladder

__all__ = [
    "AUTO",
    "BUILT_IN",
    "CLASSIFIERS",
    "ClassifierSettings",
    "EmbedderSettings",
    "ProviderSettings",
    "Settings",
    "base_ladder",
    "load",
]

#: The keys that are handed on as they are.
_PLAIN = (
    "agreement",
    "check_timeout_s",
    "budget_usd",
    "budget_usd_per_day",
    "budget_usd_per_feature",
    "on_limit",
    "cache",
    "store_text",
    "max_prompt_chars",
)

_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")


def load(
    path: str | Path | None = None,
    *,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    local_ready: Ready = False,
    replay: str | Path | bool | None = None,
) -> Settings:
    """The settings in force: of the file at `path`, else of the nearest one, else of none.

    `folder` is where the search begins (default: the working folder). `local_ready` says
    whether llama.cpp and a model are here; it is only asked where that decides. A key that is
    missing is no error here: `origin` says so, and the provider refuses when it is used.
    `replay` is a recording that answers; where a profile is asked for, or with False, the
    recordings of the environment and the file are set aside. SettingsError for anything that
    does not exist or cannot be used, RecordError for a recording.
    """
    environ = os.environ if environ is None else environ
    file = find_file(path, environ, folder or Path.cwd())
    document = read_document(file) if file else Document()
    providers = configured(document, environ)
    choice = choose(document, providers, profile, environ, local_ready)
    table = {**document.nbroute, **document.profiles.get(choice.profile, {})}
    tiers = document if choice.with_tiers else Document(file)
    ladder = build_ladder(tiers, table, choice.provider, providers)
    classifier = _classifier(document, table, ladder, providers)
    embedder = _embedder(document, table, providers)
    used = _used(document, ladder, (classifier.provider, embedder.provider), providers)
    aside = profile is not None and replay is None
    record, recording = recording_files(table, environ, False if aside else replay)
    settings = Settings(
        profile=choice.profile,
        origin=describe_choice(choice, document, used, providers, environ),
        ladder=ladder,
        providers=tuple({p.name: p for p in (*used, *_rest(document, providers))}.values()),
        classifier=classifier,
        embedder=embedder,
        baseline=_baseline(document, table, ladder),
        ledger_file=_ledger(table, environ),
        cache_file=_env_path(environ, "NBROUTE_CACHE") or table.get("cache_file"),
        static=_static(table, environ),
        source_file=file,
        record=record,
        **{key: table[key] for key in _PLAIN if key in table},
    )
    return replayed(settings, recording) if recording else settings


def _classifier(
    document: Document, table: Table, ladder: Ladder, providers: Providers
) -> ClassifierSettings:
    lowest = ladder.tiers[0]
    home = providers[lowest.provider]
    asks = home.kind in ("openai", "litellm") and home.billed
    name = table.get("classifier", "hybrid" if asks else "rules")
    if name not in CLASSIFIERS:
        cure = did_you_mean(name, CLASSIFIERS)
        raise document.error(f"classifier = {name!r}: there is no such one; {cure}")
    provider, model = table.get("classifier_provider"), table.get("classifier_model")
    if provider is not None:
        _check_classifier_provider(document, provider, model, providers)
    if name in ("model", "hybrid") and model is None and lowest.model != AUTO:
        provider, model = lowest.provider, lowest.model
    threshold = table.get("classifier_threshold", 0.7)
    files = table.get("classifier_file"), table.get("examples_file")
    step_up_below = table.get("step_up_below", 0.0)
    return ClassifierSettings(name, provider, model, threshold, *files, step_up_below)


def _check_classifier_provider(
    document: Document, provider: str, model: str | None, providers: Providers
) -> None:
    said = f"classifier_provider = {provider!r}"
    if provider not in providers:
        cure = did_you_mean(provider, providers)
        raise document.error(f"{said} is not configured; add [providers.{provider}]; {cure}")
    if model is None:
        raise document.error(f"{said} needs a model; name it in classifier_model")


def _embedder(document: Document, table: Table, providers: Providers) -> EmbedderSettings:
    usual = EmbedderSettings()
    name = table.get("embedder", usual.name)
    model = table.get("embedder_model", usual.model)
    if name in ("auto", "wordllama"):
        return EmbedderSettings(name, None, model)
    able = [known for known, provider in providers.items() if provider.kind == "openai"]
    if name not in able:
        cure = did_you_mean(name, ("auto", "wordllama", *able))
        problem = "has no embeddings" if name in providers else "is not configured"
        raise document.error(f"embedder = {name!r} {problem}; {cure}")
    return EmbedderSettings(name, name, model)


def _used(
    document: Document, ladder: Ladder, beside: Sequence[str | None], providers: Providers
) -> tuple[ProviderSettings, ...]:
    """The endpoints that calls go to, each once; SettingsError where a model file is missing."""
    targets = (target.provider for tier in ladder.tiers for target in tier.targets)
    names = dict.fromkeys([*(tier.provider for tier in ladder.tiers), *targets, *beside])
    used = tuple(providers[name] for name in names if name is not None)
    for file in (file for provider in used for file in provider.gguf):
        if not file.is_file():
            raise document.error(
                f"there is no model file {str(file)!r}; correct gguf or NBROUTE_GGUF"
            )
    return used


def _rest(document: Document, providers: Providers) -> tuple[ProviderSettings, ...]:
    return tuple(providers[name] for name in document.providers)


def _baseline(document: Document, table: Table, ladder: Ladder) -> str:
    name: str = table.get("baseline", ladder.names[-1])
    if name not in ladder.names:
        cure = did_you_mean(name, ladder.names)
        raise document.error(f"baseline = {name!r}: there is no such tier; {cure}")
    return name


def _ledger(table: Table, environ: Environment) -> Path:
    named = _env_path(environ, "NBROUTE_LEDGER") or table.get("ledger")
    return named or user_folder("data", environ) / "ledger.sqlite3"


def _env_path(environ: Environment, name: str) -> Path | None:
    return Path(environ[name]).expanduser() if environ.get(name) else None


def _static(table: Table, environ: Environment) -> bool:
    said = environ.get("NBROUTE_STATIC")
    if said is None:
        return bool(table.get("static", False))
    if said.strip().lower() not in _YES + _NO:
        raise SettingsError(f"NBROUTE_STATIC = {said!r} cannot be used; give 1 or 0")
    return said.strip().lower() in _YES
