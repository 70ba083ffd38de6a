"""A file from a web address, with a progress bar, going on where a broken download stopped."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from nbroute.errors import SettingsError, Unavailable
from nbroute.providers.models import is_model, megabytes

_BLOCK = 1 << 20
_SILENCE_S = 60
_AGAIN = "run the same command again to go on from there"


def file_name(address: str) -> str:
    """The name of the GGUF file at the address; SettingsError where it is no such address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            f"{address!r} is no http(s) address; a model file that you have already is used "
            "through NBROUTE_GGUF=/path/to/model.gguf"
        )
    name = PurePosixPath(unquote(parts.path)).name
    if not name.lower().endswith(".gguf") or re.search(r"[\\\x00-\x1f]", name):
        raise SettingsError(
            f"{_shown(address)!r} does not end in the name of a .gguf file: take the address "
            "of the file itself, for example https://huggingface.co/OWNER/NAME/resolve/main/X.gguf"
        )
    return name.removesuffix(name[-5:]) + ".gguf"


def download(
    address: str,
    part: Path,
    *,
    check_room: Callable[[Path, int], None],
    progress: bool = True,
) -> None:
    """Bring the GGUF file at the address into `part`.

    What an earlier call left there is kept where the server confirms, by ETag or date, that
    the file is still the same (RFC 9110, If-Range). `check_room` is asked before writing.

    Raises SettingsError, Unavailable, and OSError where the disk is at fault.
    """
    mark = part.with_name(f"{part.name}.mark")
    with _answer(address, _range(part, mark)) as answer:
        resumed = answer.status == http.client.PARTIAL_CONTENT
        start = part.stat().st_size if resumed else 0
        length = int(answer.headers.get("Content-Length") or 0)
        check_room(part.parent, length)
        blocks = _blocks(answer, address)
        first = next(blocks, b"")
        if not (resumed or is_model(first)):
            raise _no_model(address, first)
        _note(answer, mark)
        total = start + length if length else None
        _write(chain([first], blocks), part, start, total, progress)
    size = part.stat().st_size
    if length and size != start + length:
        raise Unavailable(
            f"{_shown(address)} broke off after {megabytes(size)} of "
            f"{megabytes(start + length)}: {_AGAIN}"
        )
    mark.unlink(missing_ok=True)


def _range(part: Path, mark: Path) -> dict[str, str]:
    """The headers that ask for the rest of the file; empty where it must come as a whole."""
    if not (part.is_file() and mark.is_file() and part.stat().st_size):
        return {}
    return {"Range": f"bytes={part.stat().st_size}-", "If-Range": mark.read_text()}


def _note(answer: Any, mark: Path) -> None:
    """Keep what tells this version of the file from another (a weak ETag does not)."""
    etag = answer.headers.get("ETag", "")
    strong = "" if etag.startswith("W/") else etag
    validator = strong or answer.headers.get("Last-Modified", "")
    mark.unlink(missing_ok=True)
    if validator:
        mark.write_text(validator)


def _answer(address: str, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(  # noqa: S310 - file_name allows http and https only
        address, headers={"User-Agent": "nbroute", "Accept-Encoding": "identity", **headers}
    )
    try:
        return urllib.request.urlopen(request, timeout=_SILENCE_S)  # noqa: S310 - as above
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
        if status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and headers:
            return _answer(address, {})
        raise _refused(address, status) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _no_connection(address, error) from None


def _blocks(answer: Any, address: str) -> Iterator[bytes]:
    try:
        while block := answer.read(_BLOCK):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{_shown(address)} broke off ({_reason(error)}): {_AGAIN}") from None


def _no_model(address: str, first: bytes) -> SettingsError:
    return SettingsError(
        f"{_shown(address)} is no GGUF file (it begins with {first[:15]!r}): take the "
        "address of the file itself, on Hugging Face with /resolve/ and not /blob/"
    )


def _write(
    blocks: Iterable[bytes], part: Path, start: int, total: int | None, progress: bool
) -> None:
    from tqdm import tqdm

    bar = tqdm(
        desc=part.name.removesuffix(".part"),
        initial=start,
        total=total,
        unit="B",
        unit_scale=True,
        disable=not progress,
    )
    with bar, part.open("ab" if start else "wb") as file:
        for block in blocks:
            bar.update(file.write(block))


def _refused(address: str, status: int) -> SettingsError | Unavailable:
    if status in (401, 403):
        return SettingsError(
            f"{_shown(address)} wants a log-in ({status}): get the file with a browser and name "
            "it in NBROUTE_GGUF"
        )
    if status < http.client.INTERNAL_SERVER_ERROR:
        return SettingsError(f"there is no file at {_shown(address)} ({status}): check the address")
    return Unavailable(f"{_shown(address)} answered {status}: try again later")


def _no_connection(address: str, error: Exception) -> Unavailable:
    return Unavailable(
        f"no connection to {urlsplit(address).hostname} ({_reason(error)}): is there a network, "
        "and is the address right?"
    )


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(error).__name__


def _shown(address: str) -> str:
    """The address without user, password and query, which may hold a key."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
