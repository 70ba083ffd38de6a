"""What comes over the wire is read for what it is, within bounds, from whom was asked."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import sys
import threading
import traceback
import zlib
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import httpx
import pytest
from calls import KEY, STREAMING, asking, events, failure, said, text_of
from loopback import Reply

from nbroute.errors import BadReply, SettingsError, TimedOut, Unavailable
from nbroute.providers import wire
from nbroute.providers.connection import _followed, _Timed, fault
from nbroute.providers.openai_errors import Call, Final
from nbroute.router import Router
from nbroute.types import Ladder, Price, Tier


def answer(provider, **parts):
    return text_of(provider.send(asking(**parts)))


DATA = json.loads((Path(__file__).parents[1] / "data" / "replies.json").read_text("utf-8"))
A, B = said("Par"), said("is ☀", "stop")
MESSAGE = {"choices": [{"message": {"content": "Paris ☀"}, "finish_reason": "stop"}]}
WHOLE = json.dumps(MESSAGE)
EVENTS = f"data: {json.dumps(A)}\n\ndata: {json.dumps(B)}\n\ndata: [DONE]\n\n"
NUMBERS = f', "a": NaN, "b": -Infinity, "c": 1e999, "d": {"9" * 5000}}}'


def asked(**parts):
    return Call("h", "http://h/v1", "m", 1.0, None, None, **parts)


def sent(pieces, how=""):
    return SimpleNamespace(headers={"content-encoding": how}, iter_raw=lambda: iter(pieces))


def values_of(body, each=2**16, how="", **parts):
    """The values in a body that comes in pieces of so many bytes."""
    data = body if isinstance(body, bytes) else body.encode()
    pieces = (data[start : start + each] for start in range(0, len(data), each))
    return [*wire.values(sent(pieces, how), asked(**parts))]


@pytest.mark.parametrize("row", DATA["bodies"], ids=itemgetter("case"))
def test_a_body_is_read_for_what_it_is(row):
    body = row["body"].encode(errors="surrogateescape")
    assert row["values"] == values_of(body) == values_of(body, 1)


@STREAMING
def test_the_body_decides_and_not_the_question_nor_the_label(server, connect, stream):
    for body, kind in ((EVENTS, "application/json"), (WHOLE[:-1] + NUMBERS, "text/event-stream")):
        server.reply(body=body.encode(), content_type=kind, bytes_each=7)
        assert "Paris ☀" == answer(connect(), stream=stream)


STEP = 2**20


def test_a_body_is_read_within_bounds():
    for size, fitting, more in (
        (32, b'{"a": "' + b"x" * (2**25 - 9) + b'"}', b" "),  # a line
        (32, (b"data: " + b" " * (STEP - 16) + b"\n") * 31 + b"data:1" + b" " * (STEP - 17), b" "),
        (32, b"[{}," + b"0," * (2**21 - 17) + b"0", b",0,0"),  # parts of a value
        (256, (b":" + b" " * 65_534 + b"\n") * 4095 + b"data: 1\n" + b" " * 65_528, b" "),
    ):
        end = b"]" * fitting.startswith(b"[")
        assert 1 == len(values_of(fitting + end))
        with pytest.raises(BadReply) as caught:
            values_of(fitting + more + end)
        told = f"h sent over {size} MB instead of an answer from 'm': the rest was not read; "
        assert f"{told}ask again, or name a fallback model" == str(caught.value)


def test_a_packed_answer_is_unpacked_within_bounds_and_in_time(monkeypatch):
    for how, pack in (
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data, wbits=-15)),  # no header
        ("gzip, identity, x-gzip", lambda data: gzip.compress(gzip.compress(data))),
        ("GZIP", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]) + b"\0\0"),
    ):
        packed = pack(EVENTS.encode())
        assert [A, B, "[DONE]"] == values_of(packed, how=how) == values_of(packed, 1, how)
        with pytest.raises(BadReply, match="over 32 MB"):
            values_of(pack(b'data: "' + b" " * 2**25), how=how)
        with monkeypatch.context() as ticking:
            ticking.setattr(wire.time, "monotonic", itertools.count().__next__)
            with pytest.raises(Final) as caught:  # unpacking takes the second
                values_of(packed, how=how, due=0.5, deadline_s=0.5)
        assert "not finished after 0.5 s" in str(caught.value.args[0])


def test_a_packing_that_was_not_asked_for_or_is_not_there_is_said():
    for how in ("br", "gzip, deflate, GZIP"):
        with pytest.raises(BadReply) as caught:
            values_of(EVENTS, how=how)
        packed = ", ".join(reversed(how.lower().split(", ")))
        told = f"h packed its answer as {packed!r}, though asked for gzip, deflate: check "
        assert f"{told}whether a proxy is in between" == str(caught.value)
    with pytest.raises(BadReply, match=r"h sent bytes that cannot be unpacked \(.*\): check"):
        values_of(EVENTS, how="gzip")


def test_of_an_error_64_kb_are_read_or_what_comes(server, connect):
    def breaks_off():
        yield b"x" * 9
        raise OSError

    packed = sent([gzip.compress(b"x" * 2**18)], "gzip")
    assert b"x" * 2**16 == wire.words(packed, asked()) == wire.words(sent([b"x" * 2**17]), asked())
    assert b"x" * 9 == wire.words(sent(breaks_off()), asked())
    said = gzip.compress(b'{"error": {"message": "too much"}}')
    server.reply(status=400, body=said, headers={"Content-Encoding": "gzip"})
    assert "too much" in failure(connect())


def test_the_rest_after_the_end_is_waited_for_a_moment(monkeypatch):
    monkeypatch.setattr(wire.time, "monotonic", lambda: 9.0)
    for due in (99.0, 9.1):
        call, rest = asked(due=due), iter([b"x"] * 3)
        whole = sent(itertools.chain([EVENTS.encode()], rest))
        assert [A, B, "[DONE]"] == [*wire.values(whole, call)]
        assert [min(due, 9.2), []] == [call.due, [*rest]]


# Time


@pytest.fixture
def dripping(connect):
    """Makes a provider at a server that sends the beginning, and then a byte every 10 ms."""
    over, threads = threading.Event(), []

    def serve(listener, beginning, byte):
        with contextlib.suppress(OSError), listener, listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(beginning)
            while not over.wait(0.01):
                connection.sendall(byte)

    def make(beginning, byte, **options):
        listener = socket.create_server(("127.0.0.1", 0))
        threads.append(threading.Thread(target=serve, args=(listener, beginning, byte)))
        threads[-1].start()
        return connect(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", **options)

    yield make
    over.set()
    for thread in threads:
        thread.join()


def test_no_wait_of_a_connection_outlasts_its_call(monkeypatch):
    class Inner:
        def __getattr__(self, name):
            return lambda *given, **options: (name, given, options)

    monkeypatch.setattr(wire.time, "monotonic", lambda: 1.0)
    wire.reading.call = asked(due=3.0)
    timed = _Timed(Inner())
    for name in ("connect_tcp", "start_tls"):
        for timeout, left in ((None, 2.0), (1.5, 1.5)):
            made = getattr(timed, name)("x", timeout=timeout, more=1)
            assert (name, ("x",), {"timeout": left, "more": 1}) == made._inner
    assert ("read", (9, 2.0), {}) == timed.read(9, 5.0)
    assert ("close", (), {}) == timed.close()
    wire.reading.call.due = 1.0
    with pytest.raises(Final):
        timed.write(b"x")


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nx-slow: ", HEAD + b"data: "])
def test_a_byte_now_and_then_does_not_hold_a_call(dripping, beginning):
    slow = dripping(beginning, b" ", timeout_s=1.0, deadline_s=0.2)
    assert "after 0.2 s: raise deadline_s" in failure(slow, TimedOut)


def test_an_answer_ends_with_its_last_event_and_the_deadline_keeps_what_came(dripping):
    finished, half = EVENTS.partition("data: [DONE]")[0], f"data: {json.dumps(said('Paris'))}\n\n"

    assert "Paris ☀" == answer(dripping(HEAD + EVENTS.encode(), b":"))
    assert "Paris ☀" == answer(dripping(HEAD + finished.encode(), b":", deadline_s=0.2))
    pieces = dripping(HEAD + half.encode(), b":\n", deadline_s=0.2).send(asking())
    assert "Paris" == next(pieces).text
    with pytest.raises(TimedOut, match="deadline_s"):
        next(pieces)


# Other servers, and the environment


def test_a_redirect_leads_to_no_other_host_and_not_in_circles(server, connect):
    provider = connect()
    server.reply(status=302, body=b"", headers={"Location": "//example.com/login"})
    assert "sends calls on to http://example.com; nothing" in failure(provider, Unavailable)
    back = {"Location": "/v1/chat/completions"}
    server.handler = lambda _: Reply(status=308, body=b"", headers=back)
    told = f"Unavailable: {server.host} redirected the call 5 times, and no answer of 'some/model' "
    assert f"{told}came: check base_url, which is {server.url!r}" == failure(provider)
    assert 6 == len(server.requests)


def test_a_redirect_on_the_same_server_is_followed_as_a_post(server, connect):
    server.reply(status=301, body=b"", headers={"Location": "completions"})
    server.reply(body=MESSAGE)

    assert "Paris ☀" == answer(connect())
    first, second = ((seen.json, seen.headers["authorization"]) for seen in server.requests)
    assert first == second
    assert 1 == len(server._connections)  # not left open


def test_a_call_goes_on_to_the_same_server_or_its_https_and_never_back():
    for origin, location in (("http://h/v1", "https://h/v1"), ("http://h:1/v1", "/v2")):
        url = httpx.URL(origin)
        assert url.join(location) == _followed(url, location, asked())
    for origin, location, leads in (
        ("https://h/v1", "http://h/v1", "http://h"),
        ("http://h:1/v1", "http://me:secret@h:2/v1", "http://h:2"),
        ("http://h/v1", "//h.example/v1", "http://h.example"),
        ("http://h/v1", "http://[::1", "something that is not an address"),
    ):
        with pytest.raises(Final) as caught:
            _followed(httpx.URL(origin), location, asked())
        told = f"h sends calls on to {leads}; nothing was sent there. If that is where 'm' is, "
        assert f"{told}write it into base_url, which is 'http://h/v1'" == str(caught.value.args[0])


SOCKS = f"needs a package that is not installed: {sys.executable} -m pip install socksio"
NO_PROXY = "OSError while proxies and certificates were set up: check NO_PROXY"
WRITE = "of a proxy ({!r}): write it like 'http://host:8080', or unset it"
WRONG = [("ftp://", "h"), ("http://", ":1"), ("http://", "h:0"), ("", "h:x")]


def test_what_is_wrong_with_a_variable_is_said_without_its_password():
    for name, value, says in (
        ("ALL_PROXY", "SOCKS5://me:pw@h:1?x", f"names a SOCKS proxy ('h:1'), which {SOCKS}"),
        *(
            ("https_proxy", f"{kind}me:pw@{host}", f"is not the address {WRITE.format(host)}")
            for kind, host in WRONG
        ),
        *(("HTTP_PROXY", value, None) for value in ("h:8080", "http://h", "https://h:1")),
        *(("HTTP_PROXY", value, None) for value in ("socks5://h:1", "socks5h://h")),
        ("SSL_CERT_FILE", "/no", "names '/no', which does not exist: correct it, or unset it"),
    ):
        error = ImportError() if "SOCKS" in value else OSError()
        with patch.dict("os.environ", {name: value}, clear=True):
            assert (f"{name} {says}" if says else NO_PROXY) == fault(error), value


def test_a_wrong_variable_is_named_in_one_line(connect, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # nothing is wrong with this one
    for name, value, host in (
        ("SSL_CERT_FILE", __file__, "far.invalid"),
        ("SSL_CERT_FILE", "/no/such", "127.0.0.1"),
        ("ALL_PROXY", "socks5://me:secret@proxy:1080", "far.invalid"),
    ):
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.setenv(name, value)
        with pytest.raises((SettingsError, Unavailable)) as caught:
            answer(connect(f"https://{host}/v1"))
        shown = [repr(f.f_locals) for f, _ in traceback.walk_tb(caught.tb)]
        assert not [one for one in shown if KEY in one]
        assert str(caught.value).startswith(f"no connection to {host} can be made: {name} ")
        assert "ok" == answer(connect())  # where neither counts


def test_what_is_openais_goes_to_it_alone_and_a_connection_is_used_again(
    server, connect, monkeypatch
):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-mine: 1")
    provider = connect()
    assert ["ok", "ok"] == [answer(provider), answer(provider)]

    headers = server.requests[0].headers
    assert not {"openai-organization", "openai-project", "x-mine"} & {*headers}
    assert "gzip, deflate" == headers["accept-encoding"]
    assert "org-1" == connect("https://api.openai.com/v1")._client().organization
    assert 1 == len(server._connections)


def test_azure_gets_a_key_in_its_own_header_and_a_token_as_usual(server, connect):
    for cloud in ("com", "us", "cn"):
        for key in (KEY, "eyJ0-a-token-of-Entra"):
            provider = connect(f"https://mine.openai.azure.{cloud}/openai/v1", key)
            provider._client()  # far away: nothing is sent
            assert (key == KEY) == ("api-key" in provider._headers)

    road = "openai/deployments/mine?api-version=2024-10-21"
    assert KEY not in failure(connect(f"http://{server.host}/{road}"))
    seen = server.requests[0]
    assert "/openai/deployments/mine/chat/completions?api-version=2024-10-21" == seen.path
    assert (KEY, None) == (seen.headers["api-key"], seen.headers.get("authorization"))


# Past the budget


@pytest.fixture
def router(connect):
    tier = Tier("ONLY", "test", "some/model", 64, price=Price(Decimal(1), Decimal(1), "configured"))
    ladder = Ladder("bench", (tier,), "ONLY")
    return Router(profile="simulated", provider=connect(), ladder=ladder, classifier="ngrams")


def endless(server, name="content", size=5, then="", word="word "):
    """A stream of words for as long as anybody listens; `then` after so many."""
    reply = events(*[{"choices": [{"delta": {name: word}}]}] * (size or 20_000))
    server.reply(**reply | {"body": reply["body"] + then.encode()})


@pytest.mark.parametrize(("max_cost", "thought"), [(None, 2000), ("0.01", 60)])
def test_a_model_may_think_past_its_budget_unless_money_is_short(server, router, max_cost, thought):
    endless(server, "reasoning_content", thought, EVENTS)
    cost = max_cost and Decimal(max_cost)
    result = router.route("Say something", max_cost=cost, cache="off")

    assert "Paris ☀" == result.text
    endless(server, "reasoning_content", 2000, EVENTS)
    if max_cost:
        with pytest.raises(BadReply, match="raise max_tokens") as caught:
            router.route("Say something", max_cost=cost, cache="off")
        assert Decimal("0.00006") < caught.value.result.cost_usd < Decimal("0.0002")


def test_endless_white_space_is_no_answer_and_is_paid_for(server, router):
    endless(server, size=0, word=" \n  ")
    with pytest.raises(BadReply, match="gave no answer: its budget of 64 tokens") as caught:
        router.route("Say something", json=True)
    assert Decimal("0.00006") < caught.value.result.cost_usd < Decimal("0.0002")
