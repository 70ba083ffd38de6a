"""What comes over the wire is read for what it is, within bounds, from whom was asked."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import traceback
import zlib
from decimal import Decimal

import httpx
import pytest
from calls import KEY, STREAMING, asking, events, failure, said, text_of

from nbroute.errors import BadReply, SettingsError, TimedOut, Unavailable
from nbroute.providers.connection import _followed
from nbroute.providers.openai_errors import Call, Final
from nbroute.router import Router
from nbroute.types import Ladder, Price, Tier


def answer(provider, **parts):
    return text_of(provider.send(asking(**parts)))


def delta(text, finish=None):
    return json.dumps(said(text, finish))


MESSAGE = {"choices": [{"message": {"content": "Paris ☀"}, "finish_reason": "stop"}]}
EVENTS = f"data: {delta('Par')}\n\ndata: {delta('is ☀', 'stop')}\n\ndata: [DONE]\n\n"

WITHOUT_DATA = "retry: 1\n\nid: 1\n\nevent: ping\n\ndata:\n\nevent: e\ndata: {}\n\ndata\n\n"
NUMBERS = f', "a": NaN, "b": -Infinity, "c": 1e999, "d": {"9" * 5000}}}'
STREAM = "text/event-stream"
WHOLE = [
    (EVENTS, "application/json"),
    (json.dumps(MESSAGE), STREAM),
    (json.dumps(MESSAGE, indent=2), "text/html"),
    (f"data: {json.dumps(MESSAGE)}\n\n", STREAM),
    (f" \r\n\n{EVENTS}", STREAM),
    (EVENTS.replace("\n", "\r"), STREAM),
    (EVENTS.replace("data: ", "data:"), STREAM),
    (EVENTS.replace('{"choices"', '{\ndata: "choices"'), STREAM),
    (WITHOUT_DATA + EVENTS, STREAM),
    (EVENTS.partition("data: [DONE]")[0].rstrip(), STREAM),  # no last blank line
    (EVENTS.replace("\n\n", "\n"), STREAM),
    (f"{delta('Par')}\n{delta('is ☀', 'stop')}\n[DONE]\n", "text/plain"),
    (json.dumps(MESSAGE)[:-1] + f", {json.dumps(MESSAGE)[1:]}", "x/y"),  # a repeated key
    (json.dumps(MESSAGE)[:-1] + NUMBERS, "application/json"),
]


@STREAMING
@pytest.mark.parametrize(("body", "kind"), WHOLE, ids=range(len(WHOLE)))
def test_a_body_is_read_for_what_it_is(server, connect, stream, body, kind):
    for each in (None, 1):
        server.reply(body=body.encode(), content_type=kind, bytes_each=each)
        assert "Paris ☀" == answer(connect(), stream=stream)


@STREAMING
@pytest.mark.parametrize(
    "body",
    [
        "event: error\ndata: the engine has left\n\n",
        'error: {"code": 500, "message": "the engine has left"}\n\n',
        f'data: {delta("Par")}\n\ndata: {{"message": "the engine has left"}}\n\n',
        '{"detail": [{"loc": ["body"], "msg": "the engine has left"}]}',
        '{"success": false, "errors": [{"code": 1, "message": "the engine has left"}]}',
        '{"fault": {"faultstring": "the engine has left"}}',
        '{"choices": null, "base_resp": {"status_code": 1, "status_msg": "has left"}}',
        "upstream: the engine has left\n",
    ],
)
def test_the_words_of_an_error_are_shown_wherever_they_are(server, connect, stream, body):
    server.reply(body=body.encode(), content_type=STREAM)
    assert "has left" in failure(connect(), stream=stream)


@STREAMING
@pytest.mark.parametrize(
    "body",
    [
        '{"a":' * 200_000,
        f"data: {delta('Par')}\n\ndata: {'[' * 5000}\n\n",
        '{"choices": [' + '"",' * 2**21 + "0]}",
        "data:\n" * 2**20,
    ],
    ids=range(4),
)
def test_what_cannot_be_read_is_a_bad_reply(server, connect, stream, body):
    server.reply(body=body.encode(), content_type="application/json")
    assert failure(connect(), stream=stream).startswith("BadReply")


def deflated(data):
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


@pytest.mark.parametrize(
    ("how", "pack"),
    [
        ("deflate", zlib.compress),
        ("deflate", deflated),  # no header
        ("gzip, x-gzip", lambda data: gzip.compress(gzip.compress(data))),
        ("GZIP", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
    ],
    ids=range(4),
)
def test_a_packed_answer_is_unpacked_within_bounds(server, connect, how, pack):
    server.reply(body=pack(EVENTS.encode()), headers={"Content-Encoding": how})
    assert "Paris ☀" == answer(connect())
    server.reply(body=pack(b'data: "' + b" " * 2**25), headers={"Content-Encoding": how})
    assert "over 32 MB" in failure(connect(), BadReply)


def test_a_packed_error_is_read_to_64_kb_and_no_other_packing_is(server, connect):
    words = b'{"error": {"message": "' + b"x" * 2**27
    server.reply(status=400, body=gzip.compress(words), headers={"Content-Encoding": "gzip"})
    assert "xxx..." in failure(connect())
    for how in ("br", "gzip, gzip, gzip", "gzip"):  # what was not asked for, or is not there
        server.reply(body=EVENTS.encode(), headers={"Content-Encoding": how})
        assert "check whether a proxy is in between" in failure(connect(), BadReply)


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


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nx-slow: ", HEAD + b"data: "])
def test_a_byte_now_and_then_does_not_hold_a_call(dripping, beginning):
    slow = dripping(beginning, b" ", timeout_s=1.0, deadline_s=0.2)
    assert "after 0.2 s: raise deadline_s" in failure(slow, TimedOut)


def test_an_answer_ends_with_its_last_event_and_the_deadline_keeps_what_came(dripping):
    finished, half = EVENTS.partition("data: [DONE]")[0], f"data: {delta('Paris')}\n\n"

    assert "Paris ☀" == answer(dripping(HEAD + EVENTS.encode(), b":"))
    assert "Paris ☀" == answer(dripping(HEAD + finished.encode(), b":", deadline_s=0.2))
    pieces = dripping(HEAD + half.encode(), b":\n", deadline_s=0.2).send(asking())
    assert "Paris" == next(pieces).text
    with pytest.raises(TimedOut, match="deadline_s"):
        next(pieces)


# Other servers, and the environment


@pytest.mark.parametrize(
    ("location", "status"),
    [
        ("http://127.0.0.1:1/v1/chat/completions", 302),
        ("//example.com/login", 303),
        ("https://127.0.0.2:{port}/", 307),
        ("http://[::1", 302),
        ("http://user:secret@example.com/", 307),
        ("/v1/chat/completions", 308),
    ],
)
def test_a_redirect_leads_to_no_other_host_and_not_in_circles(server, connect, location, status):
    location = location.format(port=server.server_port)
    for _ in range(9):
        server.reply(status=status, body=b"", headers={"Location": location})
    message = failure(connect(), Unavailable)

    circle = location.startswith("/v1")
    assert ("redirected the call 5 times" in message) == circle
    assert ("sends calls on" in message and "nothing was sent there" in message) == (not circle)
    assert "secret" not in message
    assert len(server.requests) == (5 if circle else 1)


def test_a_redirect_on_the_same_server_is_followed_as_a_post(server, connect):
    server.reply(status=301, body=b"", headers={"Location": "completions"})
    server.reply(body=MESSAGE)

    assert "Paris ☀" == answer(connect())
    first, second = ((seen.json, seen.headers["authorization"]) for seen in server.requests)
    assert first == second


def test_a_call_goes_from_http_to_https_and_not_back():
    call = Call("host", "https://host/v1", "m", 1.0, KEY, None)
    plain, safe = (httpx.URL(f"{scheme}://host/v1") for scheme in ("http", "https"))

    assert safe == _followed(plain, "https://host/v1", call)
    with pytest.raises(Final) as caught:
        _followed(safe, "http://host/v1", call)
    assert "sends calls on to http://host; nothing was sent" in str(caught.value.args[0])


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ALL_PROXY", "socks5://me:secret@proxy:1080", "which needs a package"),
        ("HTTPS_PROXY", "htp://me:secret@proxy", "is not the address of a proxy"),
        ("SSL_CERT_FILE", "/no/such/file.pem", "which does not exist"),
        ("SSL_CERT_FILE", __file__, "contains no certificates"),
    ],
)
def test_a_wrong_variable_is_named_in_one_line(connect, monkeypatch, name, value, says):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # nothing is wrong with this one
    monkeypatch.setenv(name, value)
    with pytest.raises((SettingsError, Unavailable)) as caught:
        answer(connect("https://far.invalid/v1"))

    message = str(caught.value)
    shown = [repr(f.f_locals) for f, _ in traceback.walk_tb(caught.tb)]
    assert not [one for one in shown if KEY in one]
    assert [True, True] == [name in message, says in message]
    assert [False, False] == ["secret" in message, "\n" in message]


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


@pytest.mark.parametrize("size", [3, 100])
@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("The bridge over the river was built by engineers in the last century. ", 640),
        ("北京是中华人民共和国的首都，有着悠久的历史和文化。", 260),
        ("a" * 700, 660),
    ],
    ids=["prose", "Chinese", "a letter"],
)
def test_an_endless_answer_is_stopped_near_its_budget_and_marked(
    server, router, text, characters, size
):
    text *= 30
    server.reply(**events(*(said(text[at : at + size]) for at in range(0, len(text), size))))
    result = router.route("Say something")

    (attempt,) = result.attempts
    assert ("ok", "length") == (attempt.status, attempt.finish_reason)
    assert attempt.tokens_estimated
    assert characters / 2 < len(attempt.text) <= characters
    assert "went on past its budget of 64 tokens" in result.notices[0]
    assert Decimal("0.00004") < attempt.cost_usd < Decimal("0.00025")


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
