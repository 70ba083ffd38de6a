"""A notebook's file -> what its outputs say of nbroute; no nbformat, which validates slowly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nbroute.errors import SettingsError

_KEY = "nbroute"


class Told(NamedTuple):
    """What one output's metadata says, in which cell: the number of all cells, from 1."""

    cell: int
    execution: int | None
    said: Any


def told(path: Path) -> list[Told]:
    """Everything under the key "nbroute", unchecked; SettingsError where it is no notebook."""
    notebook = _parsed(path, _bytes(path))
    if not _has_cells(notebook):
        raise SettingsError(f"{str(path)!r} is no notebook: it is JSON with no list of cells")
    return [one for n, cell in enumerate(_cells(notebook), 1) for one in _of_cell(n, cell)]


def _bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise SettingsError(f"{str(path)!r} is no file")
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or error
        raise SettingsError(f"cannot read the notebook {str(path)!r}: {why}") from None
    except ValueError as error:  # a NUL in the name
        raise SettingsError(f"cannot read the notebook {str(path)!r}: {error}") from None


def _parsed(path: Path, content: bytes) -> Any:
    if not content.strip():
        raise SettingsError(f"{str(path)!r} is no notebook: the file is empty")
    try:
        return _loaded(content)
    except UnicodeDecodeError:
        why = "it is no text"
    except json.JSONDecodeError as error:
        why = f"no JSON ({error.msg}, line {error.lineno})"
    except RecursionError:
        why = "nested too deeply"
    raise SettingsError(f"{str(path)!r} is no notebook: {why}")


def _loaded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise
    except ValueError:  # an integer of thousands of digits: it may stand in somebody's output
        return json.loads(content, parse_int=_int)


def _int(digits: str) -> int | float:
    return float(digits) if len(digits) > 300 else int(digits)


def _has_cells(notebook: Any) -> bool:
    return isinstance(notebook, Mapping) and any(
        isinstance(notebook.get(name), list) for name in ("cells", "worksheets")
    )


def _cells(notebook: Mapping[str, Any]) -> Iterator[Any]:
    """The cells; format 3 has them in worksheets."""
    for holder in (notebook, *_list(notebook.get("worksheets"))):
        if isinstance(holder, Mapping):
            yield from _list(holder.get("cells"))


def _of_cell(number: int, cell: Any) -> Iterator[Told]:
    if not isinstance(cell, Mapping):
        return
    count = cell.get("execution_count", cell.get("prompt_number"))
    execution = count if isinstance(count, int) and not isinstance(count, bool) else None
    for output in _list(cell.get("outputs")):
        metadata = output.get("metadata") if isinstance(output, Mapping) else None
        if isinstance(metadata, Mapping) and _KEY in metadata:
            yield Told(number, execution, metadata[_KEY])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
