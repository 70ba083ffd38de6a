"""Settings files that were found, not named: what each asks for, and whether the user trusts it.

A file that comes with a cloned folder could send any key anywhere. So one that asks for an
address, a key or a file beyond the built-in ones is set aside until the user trusts that path
with that content. As in direnv, each trust is a private file named by the hash: nothing is lost
if two processes write, and a damaged one is merely not trusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nbroute.errors import SettingsError
from nbroute.pricing import format_usd, price_of
from nbroute.report.table import one_line, shortened
from nbroute.settings.document import Document, read_document
from nbroute.settings.model import ENVIRONMENT, Environment, ProviderSettings, named_path
from nbroute.settings.profiles import BUILT_IN, BY_KEY, configured
from nbroute.types import Target, Tier

FILE_NAME = "nbroute.toml"

#: What happens to the files that the keys name.
_PATHS = {
    "ledger": "writes the ledger",
    "cache_file": "reads and writes the cache",
    "record": "records prompts and answers in",
    "classifier_file": "reads and writes the classifier",
    "gguf": "loads the model",
    "replay": "answers from",
    "examples_file": "reads the examples",
}
#: Those that are only read, and as text: harmless if they come with the settings file.
_READ = ("replay", "examples_file")
#: Keys of a user's own file that a found one may not override unasked.
_OWN = ("profile", "budget_usd", "budget_usd_per_day", "budget_usd_per_feature", "on_limit")
_MOST_SAID, _LONGEST = 4, 500

#: Whether a file exists; unlike `Path.is_file` it accepts names that are too long.
is_file = os.path.isfile


def user_folder(kind: str, environ: Environment) -> Path:
    """The user's folder of nbroute for `config` or `data`."""
    if (folder := Path(environ.get(f"XDG_{kind.upper()}_HOME"))).is_absolute():
        return folder / "nbroute"
    import platformdirs

    find = platformdirs.user_config_path if kind == "config" else platformdirs.user_data_path
    return find("nbroute", appauthor=False)


def find(folder: Path | None, environ: Environment) -> tuple[Document, str]:
    """The nearest settings file that may be used, and a line about those that were set aside.

    One in the folder or above it may be used if it asks for nothing or is trusted; the user's
    own, in the configuration folder, always may.
    """
    own = user_folder("config", environ) / FILE_NAME
    aside: list[str] = []
    for document in _found(folder):
        named = _place(document) == _place(Document(own))
        if named or is_trusted(document, environ) or not (wants := asks(document, environ)):
            return document, " ".join(aside)
        here = "" if aside else "`%route trust` in a notebook, "
        file, said = one_line(str(document.file)), "; ".join(wants[:_MOST_SAID])
        if (more := len(wants) - _MOST_SAID) > 0:
            said += f"; {more} more such things"
        aside.append(
            f"{file} is set aside until you trust it, as it {said}: {here}"
            f"`nbroute trust {shlex.quote(file)}` in a terminal"
        )
    return read_document(own) if is_file(own) else Document(), " ".join(aside)


def review(path: str | Path | None = None) -> Document:
    """The settings file at that path, else the nearest here or above, for inspection."""
    if path is not None:
        return read_document(_named(path))
    if (nearest := next(_found(None), None)) is None:
        raise SettingsError(f"there is no {FILE_NAME} here or in a folder above; name one")
    return nearest


def asks(document: Document, environ: Environment = ENVIRONMENT) -> list[str]:
    """What the file does beyond what is built in, in words that follow "it"."""
    own = user_folder("config", environ) / FILE_NAME
    users = Document()
    with contextlib.suppress(SettingsError):
        users = read_document(own) if is_file(own) else users
    counts = (*_overrides(document, users), *_bills(document, users), *_discounts(document))
    found = [*_sends(document, environ), *_opens(document), *counts]
    user = getattr(os, "getuid", lambda: 0)()  # Windows has none; root works in others' folders
    with contextlib.suppress(OSError):
        # Another user put it there, as anybody can in /tmp.
        if user and document.file and document.file.stat().st_uid not in (user, 0):
            found.insert(0, "belongs to another user")
    return list(dict.fromkeys(shortened(one_line(one), _LONGEST) for one in found))


def described(document: Document) -> str:
    """What the file asks for, one per line."""
    wants = asks(document)
    what = "this:" if wants else "nothing beyond what is built in: it needs no trust"
    return "\n  - ".join([f"{one_line(str(document.file))} asks for {what}", *wants])


def _sends(document: Document, environ: Environment) -> Iterator[str]:
    """Where prompts and keys would go; built in are addresses with their own keys."""
    built_in = configured(Document(), environ)
    for name, table in document.providers.items():
        usual = built_in.get(name)
        own = replace(usual or ProviderSettings(name, "openai"), **table)
        reaches = own.kind not in ("local", "simulated") and (own.kind != "openai" or own.base_url)
        # A built-in name means only its own endpoint: `ollama` is not OpenAI.
        known = map(_endpoint, [usual] if usual else built_in.values())
        if not reaches or _endpoint(own) in known:
            continue
        where = own.base_url or "wherever its models are"
        through = " through LiteLLM" if own.kind == "litellm" else ""
        key = f" and the key in {own.api_key_env:.80}" if own.api_key_env else ""
        free = "" if own.billed else ", counted as free,"
        yield f"sends prompts{key}{free} to {where}{through}"


def _endpoint(one: ProviderSettings) -> tuple[object, ...]:
    allowed = one.billed, one.allow_http, one.allow_any_variable
    return one.kind, one.base_url.rstrip("/"), one.api_key_env, allowed


def _opens(document: Document) -> Iterator[str]:
    """The files that it would write or load, or read from outside its own folder."""
    home = _place(document).parent
    for table in (document.nbroute, *document.profiles.values(), *document.providers.values()):
        for key, value in table.items():
            for path in value if isinstance(value, tuple) else (value,):
                if isinstance(path, Path):
                    real = os.path.realpath(path)
                    if not (key in _READ and Path(real).is_relative_to(home)):
                        yield f"{_PATHS.get(key, f'uses as {key}')} {real!r}"


def _overrides(document: Document, users: Document) -> Iterator[str]:
    """The profiles, budgets and endpoints of the user's own file that this one would override."""
    usual = users.profiles.get(users.nbroute.get("profile", ""), {})
    for key, value in {**users.nbroute, **usual}.items():
        profiles = (table[key] for table in document.profiles.values() if key in table)
        said = [document.nbroute.get(key), *profiles]
        if key in _OWN and any(one != value for one in said):
            shown = "" if isinstance(value, dict) else f" = {value}"
            yield f"sets aside {key}{shown} of {users.file}"
    for kind in ("providers", "profiles"):
        tables, own = getattr(document, kind), getattr(users, kind)
        for name in own:
            if name in (*BUILT_IN, *tables) and tables.get(name) != own[name]:
                yield f"sets aside [{kind}.{name}] of {users.file}"


def _bills(document: Document, users: Document) -> Iterator[str]:
    """Who is paid under a name that means no costs, or that the user's own file chose."""
    free = {name for name, one in BUILT_IN.items() if not one.billed}
    said, chosen = (str(one.nbroute.get("profile", "")) for one in (document, users))
    promised = free & {said, *document.profiles} | {said} & {chosen} - {""}
    for paid in sorted(_reached(document) - _reached(users) - free) if promised else ():
        yield f"sends prompts to {paid} where the profile is {min(promised)}"


def _discounts(document: Document) -> Iterator[str]:
    """Prices below a vendor's list, with which a budget would allow more than it says."""
    for one in _targets(document):
        vendors = [name for name in BY_KEY if one.provider in ("", name)]
        if (own := one.price) and vendors:
            tiers = [Tier("", name, one.model, 1) for name in vendors]
            listed = [price_of(tier, one.model, "remote") for tier in tiers]
            if not any(p and p.input <= own.input and p.output <= own.output for p in listed):
                amounts = f"{format_usd(own.input)} in, {format_usd(own.output)} out"
                yield f"counts {one.model or 'a model'} at {amounts} per million tokens"


def _reached(document: Document) -> set[str]:
    """All providers that the file names."""
    tables = [document.nbroute, *document.profiles.values()]
    named = [t.get(key) for t in tables for key in ("provider", "classifier_provider", "embedder")]
    named += [one.provider for one in _targets(document)]
    return {*filter(None, named)} & {*BUILT_IN, *document.providers}


def _targets(document: Document) -> Iterator[Target]:
    """The models that the file names for its tiers and their fallbacks."""
    for tier in document.tiers.values():
        first = Target(tier.get("provider", ""), tier.get("model", ""), tier.get("price"))
        yield first
        for one in tier.get("fallbacks", ()):
            if isinstance(one, Target):
                yield replace(one, provider=one.provider or first.provider)


def is_trusted(document: Document, environ: Environment = ENVIRONMENT) -> bool:
    """Whether the user trusts the file at this path with this content."""
    with contextlib.suppress(OSError):
        return _record(document, environ).read_bytes() == os.fsencode(_place(document))
    return False


def trust(document: Document, environ: Environment = ENVIRONMENT) -> str:
    """Trust the file until it changes; returns what was done."""
    record = _record(document, environ)
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        record.parent.chmod(0o700)
        with tempfile.NamedTemporaryFile(dir=record.parent, delete=False) as file:  # mode 0600
            file.write(os.fsencode(_place(document)))
        Path(file.name).replace(record)
    except OSError as error:
        raise SettingsError(f"cannot write to {str(record.parent)!r}: {error.strerror}") from None
    place = shlex.quote(one_line(str(_place(document))))
    return f"trusted until it changes; `nbroute trust --revoke {place}` undoes that"


def revoke(path: str | Path | None = None) -> str:
    """Stop trusting the file, whatever its content; returns what was done."""
    place = _place(Document(_named(path)) if path else review())
    found = [record for record, trusted in _records() if trusted == place]
    for record in found:
        record.unlink(missing_ok=True)
    return f"{one_line(str(place))} {'is no longer trusted' if found else 'was not trusted'}"


def listed() -> str:
    """The trusted files, one per line, and which of them have changed since."""
    lines = []
    for record, place in _records():
        now = " (changed or gone since: not trusted)"
        with contextlib.suppress(SettingsError):
            if _record(read_document(place), ENVIRONMENT) == record:
                now = ""
        lines.append(one_line(str(place)) + now)
    return "\n".join(sorted(lines)) or "no settings file is trusted"


def _records() -> Iterator[tuple[Path, Path]]:
    """Each record with its path; one that cannot be read is left out."""
    for record in sorted(_folder(ENVIRONMENT).glob("[0-9a-f]*")):
        with contextlib.suppress(OSError):
            yield record, Path(os.fsdecode(record.read_bytes()))


def _folder(environ: Environment) -> Path:
    return user_folder("data", environ) / "trusted"


def _record(document: Document, environ: Environment) -> Path:
    seen = hashlib.sha256(os.fsencode(_place(document)) + b"\0" + document.raw)
    return _folder(environ) / seen.hexdigest()


def _place(document: Document) -> Path:
    """Where the file is: its paths are relative to that; a link to a file stays one."""
    file = document.file or Path(FILE_NAME)
    return Path(os.path.realpath(file.parent)) / file.name


def _named(path: str | Path) -> Path:
    file = named_path("PATH", path)
    return file / FILE_NAME if os.path.isdir(file) else file  # noqa: PTH112 - raises nothing


def _found(folder: Path | None) -> Iterator[Document]:
    """The settings files in the folder (else the working folder) and above it, nearest first."""
    try:
        folder = folder or Path.cwd()
    except FileNotFoundError:  # the working folder was deleted
        return
    for at in (folder, *folder.parents):
        if is_file(at / FILE_NAME):
            yield read_document(at / FILE_NAME)
