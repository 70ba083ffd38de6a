"""Settings whose ladder is a recording's, on any machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.recording.replay import read_headline
from nbroute.report.table import one_line
from nbroute.settings.model import (
    ClassifierSettings,
    EmbedderSettings,
    ProviderSettings,
    Settings,
)


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
        origin=one_line(
            f"replaying {path.name}, recorded on profile {header.profile}: nothing is sent, "
            "no key needed"
        ),
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
