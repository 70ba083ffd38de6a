"""JSON that anybody may have written -> our types, or in everyday words why it cannot be one."""

from __future__ import annotations

import io
import json
import re
import reprlib
import struct
import tokenize
import tomllib
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

#: Levels of lists and objects within each other; our own files have about ten.
_DEEPEST = 100
#: Python reads whole numbers of up to 4,300 digits, and none of our values has a hundred.
_LONGEST_NUMBER = 1000

_WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
_WORDS |= {"array": "a list", "object": "an object"}


def parse(text: bytes | str, *, bounded: bool = True) -> Any:
    """The JSON value that the text is; ValueError in plain words where it is not one.

    As lenient as Python, because endpoints do send NaN and half a surrogate pair, and msgspec
    takes neither. A whole number of far too many digits becomes an infinite float, and where a
    key occurs twice, the last value counts.
    """
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP if bounded else "it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error})") from None
    if bounded and text.count("[") + text.count("{") > _DEEPEST and _is_deep(value):
        raise ValueError(_TOO_DEEP)
    return value


@cache
def packaged(package: str, *path: str) -> dict[str, Any]:
    """The TOML file at that path in one of our packages."""
    return tomllib.loads(files(package).joinpath(*path).read_text("utf-8"))


#: What NumPy and zipfile raise on bytes that are not what they seem.
DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, MemoryError),
    *(OverflowError, zipfile.BadZipFile, zlib.error, struct.error, SyntaxError),
    tokenize.TokenError,
)


def arrays(data: bytes, most: int) -> dict[str, np.ndarray]:
    """The arrays of an .npz that unpacks to at most `most` bytes, none of them pickled.

    Raises one of DAMAGED for anything else.
    """
    import numpy as np

    with io.BytesIO(data) as file, np.load(file, allow_pickle=False) as found:
        if sum(one.file_size for one in found.zip.infolist()) > most:
            raise ValueError(f"it would unpack to more than {most:,} bytes")
        return dict(found)


_DECODER = json.JSONDecoder(
    parse_int=lambda digits: int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)
)
_TOO_DEEP = f"it is nested more than {_DEEPEST} levels deep"


def _is_deep(value: Any) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(_DEEPEST):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [child for one in inner for child in one if isinstance(child, (dict, list))]
    return bool(level)


#: Half a surrogate pair, or a byte that is not UTF-8 by itself (PEP 383).
_HALF = re.compile("[\ud800-\udfff]")
_BYTES = re.compile("[\udc80-\udcff]+")
#: The beginning of a character whose rest may still come.
_BEGUN = re.compile(
    "(?:[\ud800-\udbff]|[\udcc2-\udcdf]|[\udce0-\udcef][\udc80-\udcbf]?"
    "|[\udcf0-\udcf4][\udc80-\udcbf]{0,2})\\Z"
)


class Halves:
    """Joins the halves of a character that came in two pieces of text; U+FFFD for one alone."""

    def __init__(self) -> None:
        self._begun = ""

    def feed(self, text: str) -> str:
        """The text, with what was held back before it and without what is held back now."""
        text, self._begun = self._begun + text, ""
        if text.isascii() or not _HALF.search(text):
            return text
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        if begun := _BEGUN.search(text):
            text, self._begun = text[: begun.start()], begun[0]
        return _repaired(text)

    def end(self) -> str:
        """What is left at the end of what was held back."""
        begun, self._begun = self._begun, ""
        return _repaired(begun)


def _repaired(text: str) -> str:
    text = _BYTES.sub(
        lambda found: found[0].encode("utf-8", "surrogateescape").decode(errors="replace"), text
    )
    return _HALF.sub("\ufffd", text)


def decode(
    value: Any,
    kind: type[T],
    dec_hook: Callable[[type, Any], Any] | None = None,
    *,
    strict: bool = True,
) -> T:
    """The value as that kind; ValueError says where it does not fit, and what it is there."""
    import msgspec  # 30 ms, which only readers of such values should wait for

    try:
        return msgspec.convert(value, kind, dec_hook=dec_hook, strict=strict)
    except msgspec.ValidationError as error:
        raise ValueError(_in_words(str(error), value)) from None


def _in_words(error: str, value: Any) -> str:
    said, _, place = error.replace("`key` in ", "").partition(" - at `$")
    place, inner, _ = place.strip(".`").partition("[...]")
    if lacking := re.fullmatch("Object missing required field `(.+)`", said):
        return f"it lacks {lacking[1]!r}{f' in {place}' if place else ''}"
    said = said.replace("Invalid enum value", "there is no").replace("Expected", "expected")
    for theirs in re.findall("`(.+?)`", said):
        ours = " or ".join(_WORDS.get(one, one) for one in theirs.split(" | "))
        said = said.replace(f"`{theirs}`", ours)
    if not place:
        return said
    if inner or not said.startswith("expected"):
        return f"{place}: {said}"
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", place):
        value = value[int(index) if index else name]
    return f"{place} is {reprlib.repr(value)}: {said.partition(', got ')[0]}"
