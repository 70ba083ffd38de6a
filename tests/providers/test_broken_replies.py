"""The recorded replies, broken in many ways: out comes a ProviderError or text."""

from __future__ import annotations

import random
import re
from collections import Counter
from importlib import import_module

import openai
from calls import KEY, asking
from shapes import shapes

from nbroute.errors import ProviderError
from nbroute.providers.openai_compatible import OpenAICompatible

HTTPX = import_module(openai.DefaultHttpxClient.__mro__[1].__module__)
SHAPES = list(shapes())
#: JSON, or nearly, where something else should be.
VALUES = [
    *("null", "true", "-1", "0", "1e999", "NaN", "-Infinity", "9" * 5_000, "0.1", '""', "[]", "{}"),
    *('"\\ud83d"', '"\\udc00\\ud800"', '"\\u0000"', '"<think>"', '"</think>"', '"error"', '"stop"'),
    *("[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000),
    *(f'"too long limit {one * 9_000}"' for one in ("input + ", "max_", "9", "*x")),
    *(f'"{KEY}"', f'"{"x" * 50_000}"', '{"message":null}', '[{"text":1},7,null]', '"é\U0001f600"'),
]
BYTES = [
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\x00", b"\r", b"\r\n", b"\n\n", b"\n"),
    *(b"\xef\xbb\xbf", b"data:", b"data: [DONE]\n\n", b"event: error\n", b"event: ping\n\n"),
    *(b"retry: 10\n\n", b": hi\n\n", b"error: {}\n\n", b"data: {}\n\n", b"data: 7\n\n", b"<html>"),
    *(b'{"error":', b"}", b"]", b'"', b"\xe2\x80\xa8", KEY.encode()),
]
STATUSES = [*[200] * 6, 204, 302, 400, 401, 403, 404, 413, 422, 429, 500, 529]
TYPES = ["", "text/plain; charset=utf-16", "application/json; charset=none", "text/event-stream"]
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d[\d.e-]*|null|true|\{[^{}]*\}|\[[^][]*\]')


def value_broken(rng, body):
    start, end = rng.choice([found.span() for found in TOKEN.finditer(body)] or [(0, 0)])
    return body[:start] + rng.choice([*VALUES, ""]).encode() + body[end:]


def bytes_broken(rng, body):
    start, end = sorted(rng.randrange(len(body) + 1) for _ in range(2))
    return rng.choice(
        [
            body[:start],
            body[start:],
            body[:start] + body[end:],
            body[:end] + body[start:],
            body[:start] + rng.choice(BYTES) + body[start:],
            rng.choice(BYTES) + body,
            body[:start] + rng.randbytes(1) + body[start + 1 :],
            body.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b""))),
            body[:start].replace(b"data:", rng.choice(BYTES)) + body[start:],
        ]
    )


def broken(rng):
    """A shape and what is left of its reply: status, headers and body."""
    shape = rng.choice(SHAPES)
    reply, body = shape.reply, shape.body
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        body = (value_broken if rng.random() < 0.6 else bytes_broken)(rng, body)
    status, kind, headers = reply["status"], reply["content_type"], dict(reply["headers"])
    if rng.random() < 0.2:
        status = rng.choice(STATUSES)
    if rng.random() < 0.15:
        kind = rng.choice(TYPES)
    if rng.random() < 0.03:
        headers["content-encoding"] = rng.choice(("gzip", "deflate", "br", "nonsense"))
    return shape, status, headers | {"content-type": kind}, body


def outcome(provider, shape):
    """What came of it: the class of the error, or `text`; anything else fails the test."""
    try:
        chunks = provider.send(asking(model=shape.asked, stream=shape.stream))
        said = "".join(one.text + one.reasoning for one in chunks)
    except ProviderError as caught:
        error = caught
    else:
        assert said.strip()
        return "text"
    message = str(error)
    assert [] == [KEY[at : at + 8] for at in range(len(KEY) - 7) if KEY[at : at + 8] in message]
    assert message.isprintable()
    return type(error).__name__


def test_whatever_a_broken_reply_says_only_provider_errors_or_text_come_out(monkeypatch):
    rng, playing, outcomes = random.Random(20261128), [], Counter()  # noqa: S311 - the same each run

    def play(_transport, request):
        status, headers, body, each = playing.pop()
        pieces = (body[start : start + each] for start in range(0, len(body), each))
        return HTTPX.Response(status, headers=headers, content=pieces, request=request)

    monkeypatch.setattr(HTTPX.HTTPTransport, "handle_request", play)
    provider = OpenAICompatible("loop", "http://127.0.0.1:9/v1", KEY, max_retries=0)

    for number in range(800):
        shape, *reply, body = broken(rng)
        each = rng.choice((1, 7, 65_536)) if len(body) < 9_999 else 65_536
        playing[:] = [(*reply, body, each)] * 20
        try:
            outcomes[outcome(provider, shape)] += 1
        except Exception as error:
            error.add_note(f"reply {number}, of {shape}: {reply} {body[:400]!r}")
            raise
    provider.close()

    assert {"text", "BadReply", "RequestRejected", "Unavailable"} < set(outcomes)
