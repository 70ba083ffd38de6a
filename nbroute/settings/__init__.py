"""nbroute.toml, the environment and the offline default -> frozen `Settings`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from nbroute.errors import SettingsError
from nbroute.settings.building import (
    AUTO,
    base_ladder,
    build_classifier,
    build_embedder,
    build_ladder,
)
from nbroute.settings.document import Document, read_document
from nbroute.settings.model import ProviderSettings, Settings, Table, given
from nbroute.settings.profiles import Environment, Ready, choose, configured, describe_choice

__all__ = ["AUTO", "ProviderSettings", "Settings", "base_ladder", "load"]

FILE_NAME = "nbroute.toml"

_FLAGS = {"1": True, "true": True, "yes": True, "on": True} | dict.fromkeys(
    ("", "0", "false", "no", "off"), False
)


def load(
    path: str | Path | None = None,
    *,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    local_ready: Ready = lambda: False,
    replay: str | Path | Literal[False] | None = None,
) -> Settings:
    """The settings in force: of the file at `path`, else of the nearest one, else of none.

    `folder` is where the search begins (default: the working folder). `local_ready` says
    whether llama.cpp and a model are here; it is only asked where that decides. A missing key
    is not an error here: `origin` says so, and the provider refuses when it is used.
    `replay` is a recording that answers; where a profile is asked for, or with False, the
    recordings of the environment and the file are set aside. SettingsError for anything that
    does not exist or cannot be used, RecordError for a recording.
    """
    environ = os.environ if environ is None else environ
    document = _document(path, environ, folder or Path.cwd())
    providers = configured(document, environ)
    choice = choose(document, providers, profile, environ, local_ready)
    table = {
        "ledger": user_folder("data", environ) / "ledger.sqlite3",
        **document.nbroute,
        **document.profiles.get(choice.profile, {}),
        **_from_environment(environ),
    }
    if replay is not None or profile is not None:
        table |= {"record": None, "replay": Path(replay).expanduser() if replay else None}
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
    names = [tier.provider for tier in ladder.tiers]
    names += [target.provider for tier in ladder.tiers for target in tier.targets]
    names += [name for name in (classifier.provider, embedder.provider) if name]
    used = tuple(providers[name] for name in dict.fromkeys(names))
    for file in (file for provider in used for file in provider.gguf):
        if not file.is_file():
            raise document.error(
                f"there is no model file {str(file)!r}; correct gguf or NBROUTE_GGUF"
            )
    table |= {
        "profile": choice.profile,
        "origin": describe_choice(choice, document, used, providers, environ),
        "ladder": ladder,
        "providers": tuple(providers[one] for one in dict.fromkeys([*names, *document.providers])),
        "classifier": classifier,
        "embedder": embedder,
        "baseline": baseline,
        "source_file": document.file,
        "record": record and record.absolute(),
        "replay": None,
    }
    settings = Settings(**given(Settings, table))
    if recording is None:
        return settings
    from nbroute.settings.replaying import replayed

    return replayed(settings, recording.absolute())


def _document(path: str | Path | None, environ: Environment, folder: Path) -> Document:
    """The settings file: the one named, else the nearest; an empty one where there is none."""
    if named := path or environ.get("NBROUTE_CONFIG"):
        file = Path(named).expanduser()
        if not file.is_file():
            said = "" if path else "NBROUTE_CONFIG: "
            raise SettingsError(f"{said}there is no settings file {str(named)!r}; correct the path")
        return read_document(file)
    for at in (folder, *folder.parents, user_folder("config", environ)):
        with contextlib.suppress(OSError):
            if (at / FILE_NAME).is_file():
                return read_document(at / FILE_NAME)
    return Document()


def user_folder(kind: str, environ: Environment) -> Path:
    """The user's folder for `config` or `data`, of nbroute."""
    if folder := environ.get(f"XDG_{kind.upper()}_HOME"):
        return Path(folder) / "nbroute"
    import platformdirs

    find = platformdirs.user_config_path if kind == "config" else platformdirs.user_data_path
    return find("nbroute", appauthor=False)


def _from_environment(environ: Environment) -> Table:
    """The keys that the environment sets."""
    names = {
        "ledger": "NBROUTE_LEDGER",
        "cache_file": "NBROUTE_CACHE",
        "record": "NBROUTE_RECORD",
        "replay": "NBROUTE_REPLAY",
    }
    found: dict[str, Any] = {
        key: Path(environ[name]).expanduser() for key, name in names.items() if environ.get(name)
    }
    if (said := environ.get("NBROUTE_STATIC")) is not None:
        if said.strip().lower() not in _FLAGS:
            raise SettingsError(f"NBROUTE_STATIC = {said!r} cannot be used; give 1 or 0")
        found["static"] = _FLAGS[said.strip().lower()]
    return found
