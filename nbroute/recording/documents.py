"""JSON documents in a text file, pretty-printed, with an empty line between two."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbroute.errors import RecordError

#: No count and no price in a file is above it; beyond, sums and SQLite's integers break.
MOST = 2**53
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_NEXT = re.compile(r"^\{", re.MULTILINE)
#: Line separators and half surrogate pairs: an editor would break lines there, or not save.
_AWKWARD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_CONFLICT = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object, the line of the file (from 1) that it begins on, and its text there."""

    line: int
    fields: dict[str, Any]
    text: str


def dump(fields: Mapping[str, Any]) -> str:
    """The object as it stands in the file, with a line end."""
    text = json.dumps(fields, indent=1, ensure_ascii=False)
    return _AWKWARD.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def lines(text: str) -> list[str]:
    """The text as a list of lines, so that a diff shows the one that changed."""
    return text.split("\n")


def joined(value: Any) -> str:
    """The text of such a list, or of a plain string; ValueError otherwise."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("is no list of lines")
    return "\n".join(parts)


def read_text(file: Path, path: Path) -> str:
    """The file's text, without a byte-order mark; RecordError where there is none to read.

    `path` is what the user calls it.
    """
    try:
        if file.is_dir():
            raise RecordError(f"{path} is a folder; name the recording's file in it")
        if file.exists() and not file.is_file():
            raise RecordError(f"{path} is a device or a pipe; name a file")
        return file.read_text("utf-8-sig")
    except FileNotFoundError:
        raise RecordError(
            f"there is no recording {str(path)!r}; correct the path, or make one with "
            f"`%route record {path.name}`"
        ) from None
    except UnicodeDecodeError:
        raise RecordError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    except ValueError as error:  # a NUL in the name
        raise RecordError(f"{str(path)!r} is no name of a file: {error}") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from None


def documents(text: str, path: Path) -> Iterator[Document]:
    """The objects of the file one by one; RecordError at the first that is none or not whole."""
    place = _after_space(text, 0)
    line = 1 + text.count("\n", 0, place)
    while place < len(text):
        try:
            found, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            raise _broken(text, place, line, path, error) from None
        if not isinstance(found, dict):
            raise _no_object(text, place, line, path)
        yield Document(line, found, f"{text[place:end]}\n")
        after = _after_space(text, end)
        line += text.count("\n", place, after)
        place = after


def not_ours(path: Path) -> RecordError:
    """What to say of a file that nbroute did not write."""
    return RecordError(f"{path} is no recording of nbroute; name another file")


_CURE = "correct or delete it, or record again in another file"


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _no_object(text: str, start: int, line: int, path: Path) -> RecordError:
    if not text[:start].strip():
        return not_ours(path)
    begins = text[start : start + 30].partition("\n")[0]
    return RecordError(f"{path}, line {line}: {begins!r} is no entry of a recording; {_CURE}")


def _broken(text: str, start: int, line: int, path: Path, error: Exception) -> RecordError:
    """What is wrong with the document that begins there, and what to do."""
    at = line + text.count("\n", start, getattr(error, "pos", start))
    said = getattr(error, "msg", str(error).partition(";")[0])
    if _line_of(text, at).startswith(_CONFLICT):
        return RecordError(f"{path}, line {at}: a merge conflict stands there; resolve it")
    if text[start] != "{":
        return _no_object(text, start, line, path)
    if _NEXT.search(text, start + 1):
        return RecordError(f"{path}, line {at}: this is not JSON ({said}); {_CURE}")
    keeps = "" if not text[:start].strip() else ", which keeps all before it"
    return RecordError(
        f"{path} breaks off: what begins on line {line} is not whole (line {at}: {said}); delete "
        f"the file from line {line} on{keeps}, or record again in another file"
    )


def _line_of(text: str, number: int) -> str:
    return text.split("\n", number)[number - 1]
