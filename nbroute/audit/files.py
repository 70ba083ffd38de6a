"""Which notebooks are meant: files, folders and patterns that the shell did not expand."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbroute.errors import SettingsError

_PATTERN = frozenset("*?[")


def notebooks(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path | SettingsError]:
    """The notebooks, each file once, in place of one that is not there the error.

    A folder is walked, without its hidden folders and without following links to folders.
    """
    seen: set[str] = set()
    for path in paths:
        for found in _meant(Path(path)):
            if isinstance(found, SettingsError):
                yield found
            elif (real := _real(found)) not in seen:
                seen.add(real)
                yield found


def _meant(path: Path) -> Iterator[Path | SettingsError]:
    if os.path.isdir(path):  # noqa: PTH112 - raises nothing
        yield from _within(path)
    elif os.path.lexists(path) or not _PATTERN & set(str(path)):
        yield path
    elif matches := sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207 - also absolute ones
        for match in map(Path, matches):
            yield from _within(match) if match.is_dir() else [match]
    else:
        yield SettingsError(f"no file matches {str(path)!r}")


def _real(path: Path) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:  # a NUL in the name; the reader says so
        return str(path)


def _within(folder: Path) -> Iterator[Path | SettingsError]:
    refused: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=refused.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if name.endswith(".ipynb"))
    for error in refused:
        yield SettingsError(f"cannot read the folder {str(error.filename)!r}: {error.strerror}")
