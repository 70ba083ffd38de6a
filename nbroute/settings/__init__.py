"""nbroute.toml, the environment and the offline default -> frozen `Settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.errors import SettingsError
from nbroute.report.table import one_line
from nbroute.settings.building import (
    AUTO,
    base_ladder,
    build_classifier,
    build_embedder,
    build_ladder,
)
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
    Ready,
    check_sending,
    choose,
    configured,
    describe_choice,
)
from nbroute.settings.trust import find, is_file, user_folder

__all__ = ["AUTO", "ProviderSettings", "Settings", "base_ladder", "load", "replayed"]

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
    """The settings in force: of the file at `path`, else of the nearest one, else of none.

    `folder` is where the search begins (default: the working folder); a file that is found and
    asks for more than what is built in is set aside until the user trusts it. `local_ready`
    says whether llama.cpp and a model are here; it is only asked where that decides. A missing
    key is not an error here: `origin` says so, and the provider refuses when it is used.
    `replay` is a recording that answers; where a profile is asked for, or with False, the
    recordings of the environment and the file are set aside. SettingsError for anything that
    does not exist or cannot be used, RecordError for a recording.
    """
    environ = environ if isinstance(environ, Environment) else Environment(environ)
    document, aside = _document(path, environ, folder)
    providers = configured(document, environ)
    try:
        choice = choose(document, providers, profile, environ, local_ready)
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
    ladder = build_ladder(tiers, table, choice.provider, providers)
    baseline = table.get("baseline", ladder.names[-1])
    document.check("baseline", baseline, ladder.names, f"is not a tier of {ladder.name!r}")
    classifier = build_classifier(document, table, ladder, providers)
    embedder = build_embedder(document, table, providers)
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
        "origin": describe_choice(choice, document, used, providers, environ),
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


def replayed(settings: Settings, path: Path) -> Settings:
    """The settings with the ladder, the classifier and the embedder of that recording.

    Where the classifier was a function or an object of the user's own, the rules decide.
    Budgets, the ledger and how answers are shown stay this machine's. RecordError for a file
    that is not a recording.
    """
    from nbroute.recording.documents import opened

    _, header, _ = opened(path, path)
    classifier, embedder = header.classifier, header.embedder
    at_endpoint = (embedder.name, embedder.model) if embedder.name in header.providers else ()
    told = f"replaying {path.name}, recorded on profile {header.profile}"
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
            classifier.name if classifier.name in CLASSIFIERS else "rules",
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


def _document(
    path: str | Path | None, environ: Environment, folder: Path | None
) -> tuple[Document, str]:
    """The settings file: the one named, else one that was found; and what was set aside."""
    if named := path or environ.get("NBROUTE_CONFIG"):
        file = named_path("settings" if path else "NBROUTE_CONFIG", named)
        if not is_file(file):
            said = "" if path else "NBROUTE_CONFIG: "
            raise SettingsError(f"{said}there is no settings file {str(named)!r}; correct the path")
        return read_document(file), ""
    return find(folder, environ)


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
