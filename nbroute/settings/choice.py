"""Which file, which profile, and the line that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nbroute.errors import SettingsError, did_you_mean
from nbroute.settings.document import Document
from nbroute.settings.profiles import BY_KEY, Environment, Providers, describe
from nbroute.settings.values import ProviderSettings

FILE_NAME = "nbroute.toml"

#: The profile of a file whose tiers name their providers.
FILE = "file"

Ready = bool | Callable[[], bool]


@dataclass(frozen=True)
class Choice:
    """The profile, its provider, whether the file's tiers hold, and whether nobody chose it."""

    profile: str
    provider: str
    with_tiers: bool
    automatic: bool


def find_file(path: str | Path | None, environ: Environment, folder: Path) -> Path | None:
    """The settings file: the one named, else the nearest; None where there is none."""
    named = path or environ.get("NBROUTE_CONFIG")
    if named:
        file = Path(named).expanduser()
        if not file.is_file():
            said = "" if path else "NBROUTE_CONFIG: "
            raise SettingsError(f"{said}there is no settings file {str(named)!r}; correct the path")
        return file
    folders = [folder, *folder.parents, user_folder("config", environ)]
    return next((file for at in folders if _is_file(file := at / FILE_NAME)), None)


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:
        return False


def user_folder(kind: str, environ: Environment) -> Path:
    """The user's folder for `config` or `data`, of nbroute."""
    given = environ.get(f"XDG_{kind.upper()}_HOME")
    if given:
        return Path(given) / "nbroute"
    import platformdirs

    find = platformdirs.user_config_path if kind == "config" else platformdirs.user_data_path
    return find("nbroute", appauthor=False)


def choose(
    document: Document,
    providers: Providers,
    asked: str | None,
    environ: Environment,
    local_ready: Ready,
) -> Choice:
    """The profile that is asked for, else the file's, else what the keys allow, else offline.

    A profile that is asked for and is not the file's own answers with its own models: the
    file's tiers are set aside where they name providers or models.
    """

    def automatic() -> str:
        return _automatic(providers, local_ready)

    own = document.nbroute.get("profile") or (FILE if _first_provider(document) else None)
    wanted = _wanted(document, providers, asked, environ)
    profile = wanted or _allowed(document, providers, own, "[nbroute] profile") or automatic()
    pinned = any({"provider", "model"} & set(tier) for tier in document.tiers.values())
    return Choice(
        profile,
        _provider(document, providers, profile) or automatic(),
        with_tiers=wanted is None or not pinned or wanted == (own or automatic()),
        automatic=wanted is None and own is None,
    )


def _automatic(providers: Providers, local_ready: Ready) -> str:
    for name in BY_KEY:
        if providers[name].api_key:
            return name
    if providers["local"].gguf or (local_ready() if callable(local_ready) else local_ready):
        return "local"
    return "simulated"


def _wanted(
    document: Document, providers: Providers, asked: str | None, environ: Environment
) -> str | None:
    if asked is not None:
        return _allowed(document, providers, asked, "profile")
    return _allowed(document, providers, environ.get("NBROUTE_PROFILE") or None, "NBROUTE_PROFILE")


def _allowed(document: Document, providers: Providers, name: str | None, where: str) -> str | None:
    allowed = [*providers, *document.profiles]
    if _first_provider(document):
        allowed.append(FILE)
    if name is None or name in allowed:
        return name
    problem = f"{where} = {name!r}: there is no such profile; {did_you_mean(name, allowed)}"
    raise document.error(problem) if where.startswith("[") else SettingsError(problem)


def _provider(document: Document, providers: Providers, profile: str) -> str | None:
    named = document.profiles.get(profile, {}).get("provider")
    if named is not None and named not in providers:
        raise document.error(
            f"[profiles.{profile}] provider = {named!r} is not configured; add "
            f"[providers.{named}]; {did_you_mean(named, providers)}"
        )
    if named is None and profile in providers:
        return profile
    return named or (_first_provider(document) if profile == FILE else None)


def _first_provider(document: Document) -> str | None:
    return next((t["provider"] for t in document.tiers.values() if "provider" in t), None)


def describe_choice(
    choice: Choice,
    document: Document,
    used: Iterable[ProviderSettings],
    providers: Providers,
    environ: Environment,
) -> str:
    """One line: the profile, what answers, the file, and the keys that are missing."""
    used = tuple(used)
    line = f"profile {choice.profile}: {' and '.join(map(_with_key, used))}"
    if document.file is not None:
        aside = ", its tiers set aside" if document.tiers and not choice.with_tiers else ""
        line += f"; settings from {document.file}{aside}"
    notes = _key_notes(choice, used, providers, environ)
    return f"{line} ({'; '.join(notes)})" if notes else line


def _with_key(provider: ProviderSettings) -> str:
    held = f", key from {provider.api_key_env}" if provider.api_key else ""
    return f"{describe(provider)}{held}"


def _key_notes(
    choice: Choice, used: tuple[ProviderSettings, ...], providers: Providers, environ: Environment
) -> list[str]:
    wanting = [p.api_key_env for p in used if p.api_key_env and not p.api_key]
    if wanting:
        return [f"{note}: set it before the first call" for note in _states(wanting, environ)]
    if not choice.automatic:
        return []
    keys = [providers[name].api_key_env or "" for name in BY_KEY]
    if choice.provider in BY_KEY:
        keys = [key for key in keys[: BY_KEY.index(choice.provider)] if key in environ]
    return _states(keys, environ)


def _states(names: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    empty = [name for name in names if name in environ]
    unset = [name for name in names if name not in environ]
    return [
        f"{_listed(found)} {'is' if len(found) == 1 else 'are'} {state}"
        for found, state in ((empty, "set but empty"), (unset, "not set"))
        if found
    ]


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
