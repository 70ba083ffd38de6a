"""Settings whose ladder is a recording's, on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.errors import SettingsError
from nbroute.recording.replay import read_headline
from nbroute.settings.model import (
    ClassifierSettings,
    EmbedderSettings,
    ProviderChoice,
    ProviderSettings,
    Settings,
    Table,
)
from nbroute.types import ProviderKind

_SPEAKS: Mapping[ProviderKind, ProviderChoice] = {
    "remote": "openai",
    "local": "local",
    "simulated": "simulated",
}


def replayed(settings: Settings, path: Path) -> Settings:
    """The settings with the ladder, the classifier and the embedder of that recording.

    Where the classifier was a function or an object of the user's own, the rules decide.
    Budgets, the ledger and how answers are shown stay this machine's. RecordError for a file
    that is not a recording.
    """
    header = read_headline(path)
    classifier, embedder = header.classifier, header.embedder
    at_endpoint = (embedder.name, embedder.model) if embedder.name in header.providers else ()
    return replace(
        settings,
        profile="replay",
        origin=(
            f"replaying {path.name}, recorded on profile {header.profile}: nothing is sent, "
            "no key needed"
        ),
        ladder=header.ladder,
        providers=tuple(
            ProviderSettings(name, _SPEAKS[kind], billed=kind == "remote")
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


def recording_files(
    table: Table, environ: Mapping[str, str], asked: str | Path | bool | None
) -> tuple[Path | None, Path | None]:
    """The files to record to and to replay; `asked` False is neither, a path is a replay.

    The environment comes before the file of settings. SettingsError where both are set.
    """
    record = replay = None
    if isinstance(asked, str | Path):
        replay = asked
    elif asked is not False:
        record = environ.get("NBROUTE_RECORD") or table.get("record")
        replay = environ.get("NBROUTE_REPLAY") or table.get("replay")
    if record and replay:
        raise SettingsError(
            f"to record ({str(record)!r}) and to replay ({str(replay)!r}) exclude each other; "
            "unset NBROUTE_RECORD or NBROUTE_REPLAY (in nbroute.toml: record or replay)"
        )
    record, replay = (path and Path(path).expanduser().absolute() for path in (record, replay))
    return record or None, replay or None
