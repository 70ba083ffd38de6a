"""nbroute.toml, the environment and the offline default -> frozen `Settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from nbroute import ladders
from nbroute.classify.registry import DEFAULT, FORMER
from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.errors import SettingsError, did_you_mean
from nbroute.report.table import one_line
from nbroute.settings.document import Document, read_document
from nbroute.settings.model import (
    ENVIRONMENT,
    ClassifierSettings,
    EmbedderSettings,
    Environment,
    ProviderSettings,
    Settings,
    Table,
    given,
    named_path,
)
from nbroute.settings.profiles import (
    BY_KEY,
    Providers,
    Ready,
    check_sending,
    choose,
    configured,
    describe_choice,
    profiles_of,
)
from nbroute.settings.trust import find, is_file, user_folder
from nbroute.types import Ladder, Target, Tier

__all__ = [
    "AUTO",
    "ProviderSettings",
    "Settings",
    "base_ladder",
    "known_profiles",
    "load",
    "replayed",
]

#: The model's name on tiers whose models are only known when the endpoint is asked.
AUTO = "auto"

#: For a tier that sets none: the second article's default.
_MAX_TOKENS = 2048
#: Keys that may send a prompt elsewhere than to the profile's own models.
_OF_OTHERS = ("classifier_provider", "classifier_model", "embedder", "embedder_model")
_FLAGS = {"1": True, "true": True, "yes": True, "on": True} | dict.fromkeys(
    ("", "0", "false", "no", "off"), False
)


def load(
    path: str | Path | None = None,
    *,
    profile: str | None = None,
    environ: Mapping[str, str] | Environment = ENVIRONMENT,
    folder: Path | None = None,
    local_ready: Ready = lambda: False,
    replay: str | Path | Literal[False] | None = None,
) -> Settings:
    """The settings in force: from the file at `path`, else the nearest one, else the defaults.

    A file at `path` with a profile or models of its own comes before NBROUTE_PROFILE. The search
    begins in `folder` (default: the working folder). A file that is found there and asks for more
    than what is built in is set aside until the user trusts it. `local_ready` says whether
    llama.cpp and a model are installed; it is called only if that decides. A missing key is not
    an error here: `origin` says so, and the provider refuses when it is used. `replay` is a
    recording that answers. With False, or if a profile is asked for, the recordings named in the
    environment and the file are ignored. SettingsError for anything that does not exist or cannot
    be used, RecordError for a recording.
    """
    environ = environ if isinstance(environ, Environment) else Environment(environ)
    document, aside = _document(path, folder, environ)
    providers = configured(document, environ)
    _check_providers(document, providers)
    try:
        choice = choose(document, providers, profile, environ, local_ready, given=bool(path))
    except SettingsError as error:
        raise SettingsError(f"{error} ({aside})" if aside else str(error)) from None
    aside_too = _OF_OTHERS if choice.offline else ()
    table = {
        "ledger": user_folder("data", environ) / "ledger.sqlite3",
        **{key: value for key, value in document.nbroute.items() if key not in aside_too},
        **document.profiles.get(choice.profile, {}),
        **_from_environment(environ),
    }
    if replay is not None or profile is not None:
        table |= {"record": None, "replay": named_path("replay", replay) if replay else None}
    record, recording = table.get("record"), table.get("replay")
    if record and recording:
        raise SettingsError(
            f"to record ({str(record)!r}) and to replay ({str(recording)!r}) exclude each other; "
            "unset NBROUTE_RECORD or NBROUTE_REPLAY (in nbroute.toml: record or replay)"
        )
    tiers = document if choice.with_tiers else Document(document.file)
    ladder = _build_ladder(tiers, table, choice.provider, providers)
    baseline = table.get("baseline", ladder.names[-1])
    own = set() if choice.with_tiers else document.tiers.keys() - set(ladder.names)
    baseline = ladder.names[-1] if baseline in own else baseline
    document.check("baseline", baseline, ladder.names, f"is not a tier of {ladder.name!r}")
    classifier = _build_classifier(document, table, ladder, providers)
    embedder = _build_embedder(document, table, providers)
    names = [target.provider for tier in ladder.tiers for target in tier.targets]
    names += [name for name in (classifier.provider, embedder.provider) if name]
    used = tuple(providers[name] for name in dict.fromkeys(names))
    reached = tuple(providers[one] for one in dict.fromkeys([*names, *document.providers]))
    for provider in reached:
        check_sending(document, provider)
    for file in (file for provider in used for file in provider.gguf):
        if not is_file(file):
            raise document.error(
                f"there is no model file {str(file)!r:.200}; correct gguf or NBROUTE_GGUF"
            )
    table |= {
        "profile": choice.profile,
        "origin": describe_choice(
            choice, document, used, providers, environ, local_ready=local_ready
        ),
        "ladder": ladder,
        "providers": reached,
        "classifier": classifier,
        "embedder": embedder,
        "baseline": baseline,
        "source_file": document.file,
        "set_aside": aside,
        "prompts": document.prompts,
        "record": record and record.absolute(),
        "replay": None,
    }
    settings = Settings(**given(Settings, table))
    if recording is not None:
        settings = replayed(settings, recording.absolute())
    return replace(settings, origin=f"{settings.origin}; {aside}") if aside else settings


def _document(
    path: str | Path | None, folder: Path | None, environ: Environment
) -> tuple[Document, str]:
    """The settings file, and why one that was found was set aside."""
    if named := path or environ.get("NBROUTE_CONFIG"):
        file = named_path("settings" if path else "NBROUTE_CONFIG", named)
        if not is_file(file):
            said = "" if path else "NBROUTE_CONFIG: "
            raise SettingsError(f"{said}there is no settings file {str(named)!r}; correct the path")
        return read_document(file), ""
    return find(folder, environ)


def known_profiles() -> tuple[list[str], str]:
    """The profiles there are in the working folder, and why a file was set aside."""
    document, aside = _document(None, None, ENVIRONMENT)
    return profiles_of(document, configured(document, ENVIRONMENT)), aside


def replayed(settings: Settings, path: Path) -> Settings:
    """The settings with the ladder, the classifier and the embedder of that recording.

    If the classifier was the user's own function or object, the default one decides. Budgets,
    the ledger and how answers are shown stay as on this machine. RecordError for a file that is
    not a recording.
    """
    from nbroute.recording.documents import opened

    _, header, _ = opened(path, path)
    classifier, embedder = header.classifier, header.embedder
    at_endpoint = (embedder.name, embedder.model) if embedder.name in header.providers else ()
    told = f"replaying {path.name}, recorded on profile {header.profile}"
    if (name := classifier.name) == FORMER:
        name, told = DEFAULT, f"{told} with {FORMER!r}, which is {DEFAULT!r} now"
    return replace(
        settings,
        profile="replay",
        origin=one_line(f"{told}: nothing is sent, no key needed"),
        ladder=header.ladder,
        providers=tuple(
            ProviderSettings(name, "openai" if kind == "remote" else kind, billed=kind == "remote")
            for name, kind in header.providers.items()
        ),
        classifier=ClassifierSettings(
            name if name in CLASSIFIERS else DEFAULT,
            classifier.provider,
            classifier.model,
            classifier.threshold,
            step_up_below=classifier.step_up_below or 0.0,
        ),
        embedder=EmbedderSettings(embedder.name, *at_endpoint),
        agreement=header.agreement,
        baseline=header.baseline,
        cache_file=None,
        record=None,
        replay=path,
    )


def _from_environment(environ: Environment) -> Table:
    names = {
        "ledger": "NBROUTE_LEDGER",
        "cache_file": "NBROUTE_CACHE",
        "record": "NBROUTE_RECORD",
        "replay": "NBROUTE_REPLAY",
    }
    found: dict[str, Any] = {
        key: named_path(name, value) for key, name in names.items() if (value := environ.get(name))
    }
    if "NBROUTE_STATIC" in environ:
        said = environ.get("NBROUTE_STATIC")
        if said.strip().lower() not in _FLAGS:
            raise SettingsError(f"NBROUTE_STATIC = {said!r} cannot be used; give 1 or 0")
        found["static"] = _FLAGS[said.strip().lower()]
    return found


def base_ladder(name: str, provider: ProviderSettings) -> Ladder:
    """The preset ladder of that name on the provider; SettingsError for an unknown name.

    An endpoint without a preset has the model `AUTO` on every tier, to be replaced by what it
    serves, with the OpenRouter preset's model as the reference.
    """
    if provider.kind == "openai" and provider.name in BY_KEY:
        return ladders.preset(name, provider.name)
    ladder = ladders.preset(name, "simulated" if provider.kind == "simulated" else "local")
    tiers = [replace(tier, provider=provider.name) for tier in ladder.tiers]
    if provider.kind not in ("local", "simulated"):
        budgets = [tier.max_tokens for tier in ladders.preset(name, "openrouter").tiers]
        tiers = [
            replace(tier, model=AUTO, max_tokens=most)
            for tier, most in zip(tiers, budgets, strict=True)
        ]
    return replace(ladder, tiers=tuple(tiers))


def _check_providers(document: Document, providers: Providers) -> None:
    """Raise SettingsError if the file names one that is not configured, wherever it is used."""
    named = document.nbroute.get("classifier_provider")
    document.check_provider("classifier_provider", named, providers)
    for name, profile in document.profiles.items():
        document.check_provider(f"[profiles.{name}] provider", profile.get("provider"), providers)
    for name, values in document.tiers.items():
        document.check_provider(f"[tiers.{name}] provider", values.get("provider"), providers)
        for one in values.get("fallbacks", ()):
            if isinstance(one, Target) and one.provider:
                key = f"[tiers.{name}] fallbacks: provider"
                document.check_provider(key, one.provider, providers)


def _build_ladder(document: Document, table: Table, provider: str, providers: Providers) -> Ladder:
    """The ladder of `table` on `provider`, with the document's tiers.

    They change the preset's tiers of the same names or, if none has a preset's name, make up
    the user's own ladder, in the order of the file.
    """
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
                f"[tiers.{tier.name}] has no model, and LiteLLM cannot list its models; "
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


def _build_classifier(
    document: Document, table: Table, ladder: Ladder, providers: Providers
) -> ClassifierSettings:
    """The table's classifier; the defaults depend on the ladder's lowest tier."""
    lowest = ladder.tiers[0]
    usual = "hybrid" if providers[lowest.provider].billed else DEFAULT
    chosen = ClassifierSettings(**{"name": usual, **given(ClassifierSettings, table)})
    if chosen.name != FORMER:
        document.check("classifier", chosen.name, CLASSIFIERS, "is not a classifier")
    document.check_provider("classifier_provider", chosen.provider, providers)
    if chosen.provider is not None and chosen.model is None:
        raise document.error(
            f"classifier_provider = {chosen.provider!r} needs a model; name it in classifier_model"
        )
    if chosen.name in ("model", "hybrid") and chosen.model is None and lowest.model != AUTO:
        return replace(chosen, provider=lowest.provider, model=lowest.model)
    return chosen


def _build_embedder(document: Document, table: Table, providers: Providers) -> EmbedderSettings:
    """The table's embedder, checked against the endpoints that can serve as one."""
    chosen = EmbedderSettings(**given(EmbedderSettings, table))
    able = [known for known, provider in providers.items() if provider.kind == "openai"]
    problem = "has no embeddings" if chosen.name in providers else "is not configured"
    document.check("embedder", chosen.name, ("auto", "wordllama", *able), problem)
    return replace(chosen, provider=chosen.name) if chosen.name in able else chosen
