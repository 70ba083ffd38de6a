"""The page to a file: whole or not at all, and never over what is no export."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from nbroute.errors import SettingsError
from nbroute.export.page import MARK

SUFFIXES = (".html", ".htm")
_HEAD = 1_000


def write_page(path: str | Path, page: str, *, force: bool = False) -> Path:
    """Write the page; an export that is there already is written over, another file with `force`.

    SettingsError for a name that does not end in .html, and where it cannot be written.
    """
    target = Path(path).expanduser()
    _check(target, force=force)
    try:
        _write(target, page)
    except OSError as error:
        told = error.strerror or str(error)
        raise SettingsError(f"cannot write {str(target)!r}: {told}") from error
    return target


def _check(target: Path, *, force: bool) -> None:
    if target.suffix.lower() not in SUFFIXES:
        raise SettingsError(
            f"an export is an HTML page, and {target.name!r} does not end in .html: "
            f"say {target.stem + '.html'!r}"
        )
    if not target.parent.is_dir():
        raise SettingsError(f"there is no folder {str(target.parent)!r}; make it first")
    if target.is_dir():
        raise SettingsError(f"{str(target)!r} is a folder; name a file in it")
    if target.exists() and not force and not _is_export(target):
        raise SettingsError(
            f"{str(target)!r} is there already and is no export of nbroute; "
            "another name, or `--force` (in Python: force=True) to write over it"
        )


def _is_export(target: Path) -> bool:
    try:
        with target.open("rb") as file:
            return MARK.encode() in file.read(_HEAD)
    except OSError:
        return False


def _write(target: Path, page: str) -> None:
    number, name = tempfile.mkstemp(dir=target.parent, prefix=".nbroute-", suffix=".html")
    part = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(page.encode("utf-8", "replace"))
        part.chmod(0o666 & ~_umask())
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _umask() -> int:
    """What the system takes away from a new file's rights; it can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
