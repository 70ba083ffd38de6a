"""What an endpoint's error is about: its words and codes as vendors send them, and keys in them."""

from __future__ import annotations

import tomllib
import traceback
from pathlib import Path

import pytest
from calls import failure as words_of
from loopback import Reply

from nbroute import errors
from nbroute.providers import openai_errors
from nbroute.providers.openai_errors import Call

KEY = "sk-proj-Zx81/Qm+Wv73TnLd20RkEe"
DATA = tomllib.loads((Path(__file__).parents[1] / "data/endpoint_errors.toml").read_text("utf-8"))


def read(row):
    """Status, body, class and words of a row of the table."""
    body = row.get("body") or {"error": {"message": row["message"]}}
    body = body.encode() if isinstance(body, str) and body[0] in "[{" else body
    return row["status"], body, row["is"], row["says"]


LATIN = "<html><title> Schlüssel </title>".encode("latin-1")


def test_words_and_codes_say_what_an_error_is(server, connect):
    for status, body, kind, says in (
        *map(read, DATA["told"]),
        *((s, {"error": {"message": m}}, "ContextTooLong", m) for s, m in DATA["too_long"]),
        (400, LATIN, "BadReply", "called 'Schlüssel'. Check whether"),
        (422, '{"error": "größer"}'.encode("latin-1"), "RequestRejected", "größer."),
    ):
        server.reply(status=status, body=body)
        message = words_of(connect(api_key=KEY))
        assert (kind, True) == (message.partition(":")[0], says in message), (body, message)


#: What a call is about.
CALL = {"host": "h", "base_url": "https://h/v1", "model": "m", "timeout_s": 60.0, "api_key": None}


@pytest.mark.parametrize("row", DATA["lines"])
def test_an_error_says_what_happened_where_and_what_to_do(row):
    call = Call(**CALL | {"api_key_env": "MY_KEY"} | row.get("call", {}))
    made = getattr(openai_errors, row["make"])(call=call, **row["of"])

    assert row["says"] == (made if isinstance(made, str) else f"{type(made).__name__}: {made}")
    assert row.get("status_code") == getattr(made, "status_code", None)


def test_the_sdks_errors_are_known_by_name():
    call = Call(**CALL | {"api_key": KEY}, api_key_env=None)
    names = ("TimeoutException", "APIConnectionError", "RequestError", "StreamError", "OSError")
    made = [type(name, (Exception,), {"__cause__": None})("it broke") for name in names]
    found = [openai_errors.of_sdk(error, call) for error in made]
    made[1].__cause__ = OSError("a cable")

    unreached = [errors.Unavailable] * 3
    assert [errors.TimedOut, *unreached, type(None)] == [type(error) for error in found]
    assert "no connection to h (it broke): is it running" in str(found[1])
    assert "no connection to h (a cable): is it" in str(openai_errors.of_sdk(made[1], call))
    assert KEY not in repr(call)


def test_a_short_key_is_hidden_in_the_servers_words_alone_and_a_password(server, connect):
    provider, nowhere = connect(api_key="page"), server.url.replace("/v1", "/nowhere")
    server.reply(body="<html>Sign in")
    server.reply(status=401, error="maximum: no such key 'page'")

    assert "a proxy or a login page" in words_of(provider)
    assert "maximum: no such key '[key]'" in words_of(provider)
    words = words_of(connect(nowhere.replace("//", "//me:secret@")))
    assert "secret" not in words
    assert nowhere in words


@pytest.mark.parametrize("reply", [{"status": 401, "error": KEY}, {"body": "<p"}, {"cut_after": 1}])
def test_no_variable_of_a_call_that_failed_shows_the_key(make_router, server, reply):
    server.handler = lambda _: Reply(text="one two three", **reply)
    with pytest.raises(errors.ProviderError) as caught:
        make_router(api_key=KEY).route("hello", tier="MID")

    assert caught.value.__context__ is None
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)][1:]
    shown = [repr(value) for frame in frames for value in frame.f_locals.values()]
    assert len(frames) > 5
    assert not [one for one in shown if KEY[:12] in one and "test_openai_errors" not in one]
