"""Settings whose ladder is a recording's, on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.errors import SettingsError
from nbroute.recording.header import Header
from nbroute.recording.reading import read_headline
from nbroute.settings.document import Table
from nbroute.settings.values import (
    ClassifierSettings,
    EmbedderSettings,
    ProviderChoice,
    ProviderSettings,
    Settings,
)
from nbroute.types import ProviderKind

_SPEAKS: Mapping[ProviderKind, ProviderChoice] = {
    "remote": "openai",
    "local": "local",
    "simulated": "simulated",
}


def replayed(settings: Settings, path: Path) -> Settings:
    """The settings with the ladder, the classifier and the embedder of that recording.

    Budgets, the ledger and how answers are shown stay this machine's. RecordError for a file
    that is no recording.
    """
    header = read_headline(path)
    if header.embedder in header.kinds:
        embedder = EmbedderSettings(header.embedder, header.embedder, header.embedder_model)
    else:
        embedder = EmbedderSettings(header.embedder)
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
            for name, kind in header.kinds.items()
        ),
        classifier=_classifier(header),
        embedder=embedder,
        agreement=header.agreement,
        baseline=header.baseline,
        cache_file=None,
        record=None,
        replay=path,
    )


def _classifier(header: Header) -> ClassifierSettings:
    """The recorded one; our rules where it was a function or an object of the user's own."""
    told = header.classifying
    return ClassifierSettings(
        told.name if told.name in CLASSIFIERS else "rules",
        told.provider,
        told.model,
        told.threshold,
        step_up_below=told.step_up_below,
    )


def recording_files(
    table: Table, environ: Mapping[str, str], asked: str | Path | bool | None
) -> tuple[Path | None, Path | None]:
    """The files to record to and to replay; `asked` False is neither, a path is a replay.

    The environment comes before the file of settings. SettingsError where both are set.
    """
    if asked is False:
        return None, None
    if isinstance(asked, str | Path):
        return None, _full(asked)
    record = environ.get("NBROUTE_RECORD") or table.get("record")
    replay = environ.get("NBROUTE_REPLAY") or table.get("replay")
    if record and replay:
        raise SettingsError(
            f"to record ({str(record)!r}) and to replay ({str(replay)!r}) exclude each other; "
            "unset NBROUTE_RECORD or NBROUTE_REPLAY (in nbroute.toml: record or replay)"
        )
    return (_full(record) if record else None), (_full(replay) if replay else None)


def _full(path: str | Path) -> Path:
    return Path(path).expanduser().absolute()
