"""The bytes of an answer -> the JSON values in it, limited in time and size.

The first bytes decide what a body is, as servers label events as JSON, JSON as events and pages
as either. Events are read by https://html.spec.whatwg.org/multipage/server-sent-events.html, more
leniently where that would lose an answer: the last event needs no blank line, and one JSON value
per line (NDJSON) is a stream too.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from nbroute.decoding import parse
from nbroute.errors import BadReply
from nbroute.providers.openai_errors import Call, Final, no_json, timed_out

#: What a stream sends last.
DONE = "[DONE]"
#: What we ask for: the size that other packings unpack to cannot be limited everywhere.
ACCEPTED = "gzip, deflate"

#: Bytes of one line, event or whole body: 256 vectors of 4,096 numbers fit in.
_MOST = 32 * 2**20
#: Bytes that we count for a part of a value or a line: in memory they are larger.
_PART = 16
#: Bytes of a whole stream, none of which is kept.
_MOST_STREAMED = 8 * _MOST
#: Bytes of a body that is not an answer: an error, a page.
_MOST_WORDS = 64 * 2**10
#: Bytes that are unpacked at once.
_STEP = 64 * 2**10
#: Seconds that we wait for the connection to end after the stream.
_FAREWELL_S = 0.2
#: The first byte of gzip, and its lower half in zlib with a header.
_GZIP, _ZLIB = 0x1F, 8
_FIELD = re.compile(rb"(?:data|event|id|retry|error)?:|(?:data|event|id|retry)\Z")

#: `call` is the thread's current call, whose deadline limits every wait for the network.
reading = threading.local()


def values(response: Any, call: Call) -> Iterator[Any]:
    """Yield the events of a stream, DONE if it announces its end, or the one whole answer.

    An event that is an error comes as `{"error": ...}`. Raises BadReply.
    """
    lines = _lines(_unpacked(response, call), call)
    first = next((line for line in lines if line.strip(b" \t\xef\xbb\xbf")), b"")
    first = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _FIELD.match(first):
        yield from _events(chain([first], lines), call)
    elif first.startswith((b"{", b"[")):
        yield from _objects(first, lines, call)
    else:
        yield _value(b"\n".join(chain([first], _first(_MOST_WORDS, lines))), call)


def words(response: Any, call: Call) -> bytes:
    """The beginning of an error's body, or as much as came."""
    read = bytearray()
    with contextlib.suppress(Exception, Final):
        for piece in _unpacked(response, call):
            read += piece
            if len(read) > _MOST_WORDS:
                break
    return bytes(read[:_MOST_WORDS])


def said(data: bytes) -> Any:
    """The bytes as JSON, else as text."""
    try:
        return parse(_text(data))
    except ValueError:
        return _text(data)


def _objects(first: bytes, lines: Iterator[bytes], call: Call) -> Iterator[Any]:
    """One value over many lines, or one per line."""
    try:
        value = _read(first, call)
    except ValueError:
        yield _value(b"\n".join(chain([first], _bounded(lines, _MOST, call))), call)
        return
    yield value
    for line in lines:
        data = line.removeprefix(b"data:").strip()
        if data == DONE.encode():
            yield DONE
            return
        if data:
            yield _value(data, call)


def _events(lines: Iterable[bytes], call: Call) -> Iterator[Any]:
    data: list[bytes] = []
    kind, size = b"", 0
    for line in lines:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            # Said twice by some: https://github.com/QuantumNous/new-api/issues/5367
            data.append(value.removeprefix(b"data:"))
            size += len(value) + _PART
            _check(size, _MOST, call)
        elif name == b"event":
            kind = value
        elif name == b"error":  # llama.cpp's server
            yield {"error": said(value)}
        elif not line:
            for one in _of_event(kind, data, call):
                yield one
                if one == DONE:
                    _hear_out(lines, call)
                    return
            data, kind, size = [], b"", 0
    try:
        yield from _of_event(kind, data, call)
    except BadReply:
        return  # the end is missing


def _of_event(kind: bytes, data: list[bytes], call: Call) -> Iterator[Any]:
    whole = b"\n".join(data)
    if not whole.strip():
        return
    if kind == b"error":
        told = said(whole)
        yield told if isinstance(told, dict) and told.get("error") else {"error": told}
    elif whole.strip() == DONE.encode():
        yield DONE
    elif len(data) == 1:
        yield _value(whole, call)
    else:
        try:
            yield _read(whole, call)
        except ValueError:  # the blank lines between events are missing
            for line in data:
                yield from _of_event(b"", [line], call)


def _hear_out(lines: Iterable[bytes], call: Call) -> None:
    """Read the connection to its end, so that it can be used again."""
    call.due = min(call.due, time.monotonic() + _FAREWELL_S)
    with contextlib.suppress(Exception, Final):
        for _ in lines:
            pass


def _read(data: bytes, call: Call) -> Any:
    parts = 8 * (data.count(b"[") + data.count(b"{")) + data.count(b",")
    _check(parts * _PART, _MOST, call)
    return parse(_text(data))


def _value(data: bytes, call: Call) -> Any:
    try:  # https://github.com/decolua/9router/issues/3492 has an end attached to a whole answer
        return _read(data.rstrip().removesuffix(b"data: [DONE]"), call)
    except ValueError:
        raise no_json(call, _text(data[:_MOST_WORDS])) from None


def _text(data: bytes) -> str:
    """The bytes as text; what is not UTF-8 is kept, as it may be half a character."""
    return data.decode(errors="surrogateescape")


def _first(most: int, lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        most -= len(line) + 1
        if most < 0:
            return
        yield line


def _lines(pieces: Iterable[bytes], call: Call) -> Iterator[bytes]:
    """Split at CR, LF and CRLF, without waiting for the byte after a line."""
    rest, last = bytearray(), b""
    for piece in filter(None, pieces):
        ends = piece.removeprefix(b"\n") if last.endswith(b"\r") else piece
        last = piece
        if b"\r" in ends:
            ends = ends.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, *more = ends.split(b"\n")
        rest += head
        _check(len(rest), _MOST, call)
        for line in more:
            yield bytes(rest)
            rest = bytearray(line)
    yield bytes(rest)


def _bounded(pieces: Iterable[bytes], most: int, call: Call) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        _check(size, most, call)
        if time.monotonic() > call.due:  # a packed piece may take long to read
            raise Final(timed_out(call))
        yield piece


def _check(size: int, most: int, call: Call) -> None:
    if size > most:
        raise BadReply(
            f"{call.host} sent over {most // 2**20} MB instead of an answer from "
            f"{call.model!r}: the rest was not read; ask again, or name a fallback model"
        )


def _unpacked(response: Any, call: Call) -> Iterator[bytes]:
    """The body's bytes as they come, at most `_STEP` at a time."""
    pieces = _bounded(_in_time(response, call), _MOST_STREAMED, call)
    packed = response.headers.get("content-encoding", "").lower().replace(",", " ").split()
    packed = [how.removeprefix("x-") for how in reversed(packed) if how != "identity"]
    if len(packed) > 2 or not {"gzip", "deflate"}.issuperset(packed):
        raise BadReply(
            f"{call.host} packed its answer as {', '.join(packed)!r:.40}, though asked for "
            f"{ACCEPTED}: check whether a proxy is in between"
        )
    for _ in packed:
        pieces = _bounded(_inflated(pieces, call), _MOST_STREAMED, call)
    return pieces


def _in_time(response: Any, call: Call) -> Iterator[bytes]:
    reading.call = call
    for piece in response.iter_raw():
        yield piece
        reading.call = call  # by now the thread may have read from another


def _inflated(pieces: Iterable[bytes], call: Call) -> Iterator[bytes]:
    """Unpack gzip, zlib, or deflate with no header, as some servers send it."""
    engine: Any = None
    for piece in pieces:
        rest = piece
        while rest and (engine is None or not engine.eof or rest[0] == _GZIP):
            if engine is None or engine.eof:
                bare = rest[0] != _GZIP and rest[0] & 15 != _ZLIB
                engine = zlib.decompressobj(-zlib.MAX_WBITS if bare else 32 + zlib.MAX_WBITS)
            try:
                unpacked = engine.decompress(rest, _STEP)
                while unpacked:
                    yield unpacked
                    unpacked = engine.decompress(engine.unconsumed_tail, _STEP)
            except zlib.error as error:
                raise BadReply(
                    f"{call.host} sent bytes that cannot be unpacked ({error}): "
                    "check whether a proxy is in between"
                ) from None
            rest = engine.unused_data
