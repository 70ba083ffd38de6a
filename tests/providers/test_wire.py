"""What comes over the wire is read for what it is, within bounds, from whom was asked."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
import traceback
import zlib
from decimal import Decimal

import pytest
from calls import KEY, STREAMING, asking, events, failure, said, text_of
from loopback import Loopback

from nbroute.errors import BadReply, SettingsError, TimedOut, Unavailable
from nbroute.router import Router
from nbroute.types import Ladder, Price, Text, Tier


def answer(provider, **parts):
    return text_of(provider.send(asking(**parts)))


def delta(text, finish=None):
    return json.dumps(said(text, finish))


USAGE = json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
MESSAGE = {"choices": [{"message": {"content": "Paris ☀"}, "finish_reason": "stop"}]}
EVENTS = f"data: {delta('Par')}\n\ndata: {delta('is ☀', 'stop')}\n\ndata: [DONE]\n\n"

WHOLE = {
    "events as JSON": (EVENTS, "application/json"),
    "events as text": (EVENTS, "text/plain"),
    "events as a page": (EVENTS, "text/html"),
    "JSON as events": (json.dumps(MESSAGE), "text/event-stream"),
    "JSON as a page, over many lines": (json.dumps(MESSAGE, indent=2), "text/html"),
    "JSON of one event": (f"data: {json.dumps(MESSAGE)}\n\n", "text/event-stream"),
    "a byte order mark": ("\ufeff" + EVENTS, "text/event-stream"),
    "a byte order mark before JSON": ("\ufeff" + json.dumps(MESSAGE), "application/json"),
    "white space first": (f" \r\n\n{EVENTS}", "text/event-stream"),
    "comments first": (f": OPENROUTER PROCESSING\n\n:\n{EVENTS}", "application/json"),
    "CR": (EVENTS.replace("\n", "\r"), "text/event-stream"),
    "CRLF": (EVENTS.replace("\n", "\r\n"), "text/event-stream"),
    "no space": (EVENTS.replace("data: ", "data:"), "text/event-stream"),
    "several lines": (
        EVENTS.replace('{"choices"', '{\ndata: "choices"'),
        "text/event-stream",
    ),
    "blocks without data": (
        f"retry: 1\n\nid: 1\n\nevent: ping\n\ndata:\n\nevent: e\ndata: {{}}\n\ndata\n\n{EVENTS}",
        "text/event-stream",
    ),
    "no last blank line": (EVENTS.partition("data: [DONE]")[0].rstrip(), "text/event-stream"),
    "no blank lines": (EVENTS.replace("\n\n", "\n"), "text/event-stream"),
    "no [DONE]": (EVENTS.partition("data: [DONE]")[0], "text/event-stream"),
    "usage and [DONE], no finish_reason": (
        EVENTS.replace('"stop"', "null").replace("data: [", f"data: {USAGE}\n\ndata: ["),
        "text/event-stream",
    ),
    "JSON lines": (f"{delta('Par')}\n{delta('is ☀', 'stop')}\n", "application/x-ndjson"),
    "JSON lines and [DONE]": (f"{delta('Par')}\n{delta('is ☀', 'stop')}\n[DONE]\n", "text/plain"),
    "a key that stands twice": (json.dumps(MESSAGE)[:-1] + f", {json.dumps(MESSAGE)[1:]}", "x/y"),
    "numbers that are none": (
        json.dumps(MESSAGE)[:-1] + f', "a": NaN, "b": -Infinity, "c": 1e999, "d": {"9" * 5000}}}',
        "application/json",
    ),
}


@STREAMING
@pytest.mark.parametrize("name", WHOLE)
def test_a_body_is_read_for_what_it_is(server, connect, stream, name):
    body, kind = WHOLE[name]
    server.reply(body=body.encode(), content_type=kind)
    server.reply(body=body.encode(), content_type=kind, bytes_each=1)

    assert ["Paris ☀"] * 2 == [answer(connect(), stream=stream) for _ in range(2)]


WORDS = {
    "event: error": "event: error\ndata: the engine has left\n\n",
    "an error line": 'error: {"code": 500, "message": "the engine has left"}\n\n',
    "in the middle": f'data: {delta("Par")}\n\ndata: {{"error": {{"message": "has left"}}}}\n\n',
    "at the choice": 'data: {"choices": [{"delta": {}, "error": {"message": "has left"}}]}\n\n',
    "broken off": f'data: {delta("Par")}\n\ndata: {{"message": "the engine has left"}}\n\n',
    "in place": '{"error": {"message": "the engine has left"}}',
    "a list": '[{"error": {"code": 400, "message": "the engine has left"}}]',
    "detail": '{"detail": "the engine has left"}',
    "detail in parts": '{"detail": [{"loc": ["body"], "msg": "the engine has left"}]}',
    "message": '{"object": "error", "message": "the engine has left", "code": 50001}',
    "errors": '{"success": false, "errors": [{"code": 1, "message": "the engine has left"}]}',
    "msg": '{"code": 1301, "msg": "the engine has left"}',
    "title": '{"type": "about:blank", "title": "the engine has left", "status": 503}',
    "fault": '{"fault": {"faultstring": "the engine has left"}}',
    "MiniMax": '{"choices": null, "base_resp": {"status_code": 1, "status_msg": "has left"}}',
    "text": "upstream: the engine has left\n",
    "XML": "<?xml version='1.0'?><Error>the engine has left</Error>",
}


@STREAMING
@pytest.mark.parametrize("body", WORDS.values(), ids=WORDS)
def test_the_words_of_an_error_are_told_wherever_they_stand(server, connect, stream, body):
    server.reply(body=body.encode(), content_type="text/event-stream")

    assert "has left" in failure(connect(), stream=stream)


@STREAMING
@pytest.mark.parametrize(
    "body",
    [
        "[" * 200_000,
        '{"a":' * 200_000,
        json.dumps(MESSAGE)[:-1] + ', "x": ' + "[" * 500 + "]" * 500 + "}",
        "data: " + '{"error":' * 900 + "1" + "}" * 900 + "\n\n",
        f"data: {delta('Par')}\n\ndata: {'[' * 5000}\n\n",
        "<!doctype html><p>Sign in",
        "",
        "\x00" * 99,
        '{"choices": [' + "[]," * 2**18 + "[]]}",
        '{"choices": [' + '"",' * 2**21 + "0]}",
        "data:\n" * 2**20,
    ],
    ids=range(11),
)
def test_what_cannot_be_read_is_a_bad_reply(server, connect, stream, body):
    server.reply(body=body.encode(), content_type="application/json")

    assert failure(connect(), stream=stream).startswith("BadReply")


def test_a_packed_answer_is_read_until_the_deadline(server, connect):
    body = gzip.compress(b'data: {"choices": []}\n\n' * 2**22)
    server.reply(body=body, headers={"Content-Encoding": "gzip"})

    assert "deadline_s" in failure(connect(deadline_s=0.3), TimedOut)


def deflated(data):
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


PACKED = {
    "gzip": ("gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "no header": ("deflate", deflated),
    "twice": ("gzip, x-gzip", lambda data: gzip.compress(gzip.compress(data))),
    "two parts": ("GZIP", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
}


@pytest.mark.parametrize(("how", "pack"), PACKED.values(), ids=PACKED)
def test_a_packed_answer_is_unpacked_within_bounds(server, connect, how, pack):
    server.reply(body=pack(EVENTS.encode()), headers={"Content-Encoding": how})
    assert "Paris ☀" == answer(connect())

    server.reply(body=pack(b'data: "' + b" " * 2**25), headers={"Content-Encoding": how})
    assert "over 32 MB" in failure(connect(), BadReply)


@pytest.mark.parametrize("how", ["br", "zstd", "gzip, gzip, gzip", "gzip"])
def test_a_packing_that_was_not_asked_for_is_told(server, connect, how):
    server.reply(body=EVENTS.encode(), headers={"Content-Encoding": how})

    assert "check whether a proxy is in between" in failure(connect(), BadReply)
    assert "gzip, deflate" == server.requests[0].headers["accept-encoding"]


def test_an_error_is_read_to_64_kb(server, connect):
    body = gzip.compress(b'{"error": {"message": "' + b"x" * 2**27)
    server.reply(status=400, body=body, headers={"Content-Encoding": "gzip"})

    assert "xxx..." in failure(connect())


def test_a_connection_is_used_again(server, connect):
    provider = connect()
    for _ in range(3):
        answer(provider)

    assert 1 == len(server._connections)


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
DRIPS = {
    "headers": (b"HTTP/1.1 200 OK\r\nx-slow: ", b"a"),
    "status": (b"HTTP/1.1 ", b"0"),
    "an error": (b"HTTP/1.1 500 No\r\n\r\n", b"e"),
    "comments": (HEAD, b":\n"),
    "one event": (HEAD + b"data: ", b" "),
    "white space": (HEAD, b"\n"),
    "chunks": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=", b"a"),
}


@STREAMING
@pytest.mark.parametrize(("beginning", "byte"), DRIPS.values(), ids=DRIPS)
def test_a_byte_now_and_then_does_not_hold_a_call(dripping, stream, beginning, byte):
    told = failure(dripping(beginning, byte, timeout_s=1.0, deadline_s=0.2), stream=stream)

    assert "after 0.2 s: raise deadline_s" in told or "500" in told


def test_an_answer_is_whole_with_its_last_event_whatever_comes_or_breaks_after(dripping):
    assert "Paris ☀" == answer(dripping(HEAD + EVENTS.encode(), b":"))
    finished = EVENTS.partition("data: [DONE]")[0].encode()
    assert "Paris ☀" == answer(dripping(HEAD + finished, b":", deadline_s=0.2))


def test_what_came_before_the_deadline_is_passed_on(dripping):
    beginning = HEAD + f"data: {delta('Paris')}\n\n".encode()
    pieces = dripping(beginning, b":\n", deadline_s=0.2).send(asking())

    assert "Paris" == next(pieces).text
    with pytest.raises(TimedOut, match="deadline_s"):
        next(pieces)


# Other servers, and the environment


LOCATIONS = (
    "http://localhost:{port}/v1/chat/completions",
    "http://127.0.0.1:1/v1/chat/completions",
    "//example.com/login",
    "https://127.0.0.2:{port}/",
    "file:///etc/passwd",
    "http://[::1",
    "http://user:secret@example.com/",
    "/v1/chat/completions",
)


@pytest.mark.parametrize(
    ("location", "status"),
    [*zip(LOCATIONS, (301, 302, 303, 307, 308, 302, 307, 308), strict=True)],
)
def test_a_redirect_is_not_followed_to_another_host_or_in_a_circle(
    server, connect, location, status
):
    location = location.format(port=server.server_port)
    for _ in range(9):
        server.reply(status=status, body=b"", headers={"Location": location})

    told = failure(connect(), Unavailable)

    circle = location.startswith("/v1")
    assert ("redirected the call 5 times" in told) == circle
    assert ("sends calls on" in told and "nothing was sent there" in told) == (not circle)
    assert "secret" not in told
    assert len(server.requests) == (5 if circle else 1)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_on_the_same_server_is_followed_as_a_post(server, connect, status):
    server.reply(status=status, body=b"", headers={"Location": "completions"})
    server.reply(body=MESSAGE)

    assert "Paris ☀" == answer(connect())
    first, second = server.requests
    assert first.json == second.json
    assert first.headers["authorization"] == second.headers["authorization"]


@pytest.fixture
def secured(tmp_path, monkeypatch):
    """A server behind TLS, with a certificate that is to be trusted here."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", key, "-out", certificate]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files]
    subprocess.run(make, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    running = Loopback()
    running.socket = context.wrap_socket(running.socket, server_side=True)
    with running:
        yield running


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_a_call_goes_from_http_to_https_and_not_back(server, secured, connect, monkeypatch):
    there, back = (f"://{one.host}/v1/chat/completions" for one in (secured, server))
    server.reply(status=301, body=b"", headers={"Location": f"https{there}"})
    assert "ok" == answer(connect())
    assert [server.requests[0].json] == [seen.json for seen in secured.requests]
    assert f"Bearer {KEY}" == secured.requests[0].headers["authorization"]

    secured.reply(status=307, body=b"", headers={"Location": f"http{back}"})
    address = f"https://{secured.host}/v1"
    assert f"sends calls on to http://{server.host}" in failure(connect(address), Unavailable)
    assert 1 == len(server.requests)

    monkeypatch.delenv("SSL_CERT_FILE")
    assert "its certificate in SSL_CERT_FILE" in failure(connect(address), Unavailable)


SURROUNDINGS = {
    "SOCKS": ("ALL_PROXY", "socks5://me:secret@proxy:1080", "which needs a package"),
    "no scheme": ("HTTPS_PROXY", "htp://me:secret@proxy", "is not the address of a proxy"),
    "no port": ("https_proxy", "http://me:secret@proxy:80a", "is not the address of a proxy"),
    "no file": ("SSL_CERT_FILE", "/no/such/file.pem", "which does not exist"),
    "no certificates": ("SSL_CERT_FILE", __file__, "holds no certificates"),
    "unreachable": ("HTTPS_PROXY", "http://me:secret@127.0.0.1:9", "the proxy 127.0.0.1:9 that"),
}


@pytest.mark.parametrize(("name", "value", "says"), SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_what_the_environment_gets_wrong_is_a_line_that_names_the_variable(
    connect, monkeypatch, name, value, says
):
    monkeypatch.setenv(name, value)

    with pytest.raises((SettingsError, Unavailable)) as caught:
        answer(connect("https://far.invalid/v1"))

    told = str(caught.value)
    shown = [repr(f.f_locals) for f, _ in traceback.walk_tb(caught.tb)]
    assert not [one for one in shown if KEY in one]
    assert name in told
    assert says in told
    assert "secret" not in told
    assert "\n" not in told


def test_what_is_openais_goes_to_openai_alone(server, connect, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-mine: 1")
    answer(connect())

    sent = server.requests[0].headers
    assert not {"openai-organization", "openai-project", "x-mine"} & set(sent)
    assert "org-1" == connect("https://api.openai.com/v1")._client().organization


@pytest.mark.parametrize("cloud", ["azure.com", "azure.us", "azure.cn"])
@pytest.mark.parametrize(("key", "apart"), [(KEY, True), ("eyJ0-a-token-of-Entra", False)])
def test_azure_gets_a_key_in_its_own_header_and_a_token_as_usual(connect, cloud, key, apart):
    provider = connect(f"https://mine.openai.{cloud}/openai/v1", key)
    provider._client()  # far away: nothing is sent

    assert apart == ("api-key" in provider._headers)


def test_azures_address_and_key_are_sent_as_azure_wants_them(server, connect):
    road = "openai/deployments/mine?api-version=2024-10-21"
    told = failure(connect(f"http://{server.host}/{road}"))

    seen = server.requests[0]
    assert "/openai/deployments/mine/chat/completions?api-version=2024-10-21" == seen.path
    assert (KEY, None) == (seen.headers["api-key"], seen.headers.get("authorization"))
    assert KEY not in told


# Past the budget


@pytest.fixture
def router(connect, tmp_path):
    price = Price(Decimal(1), Decimal(1), "configured")
    tier = Tier("ONLY", "test", "some/model", 64, price=price)
    ladder = Ladder("bench", (tier,), "ONLY")
    return Router(
        profile="simulated",
        provider=connect(),
        ladder=ladder,
        classifier="ngrams",
        ledger=tmp_path / "ledger.sqlite",
    )


def endless(server, name="content", size=5, then="", word="word "):
    """A stream of words for as long as anybody listens; `then` after so many."""
    reply = events(*[{"choices": [{"delta": {name: word}}]}] * (size or 20_000))
    server.reply(**reply | {"body": reply["body"] + then.encode()})


def test_an_answer_past_its_token_budget_is_stopped_kept_and_told(server, router):
    endless(server, size=0)

    result = router.route("Say something")

    (attempt,) = result.attempts
    assert 64 < len(result.text.split()) < 64 * 2
    assert ("ok", "length") == (attempt.status, attempt.finish_reason)
    assert attempt.tokens_estimated
    assert "went on past its budget of 64 tokens" in result.notices[0]
    assert Decimal("0.00006") < attempt.cost_usd < Decimal("0.0002")


BASE64 = base64.b64encode(hashlib.shake_256(b"seed").digest(600)).decode()


@pytest.mark.parametrize("size", [3, 100])
@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("The bridge over the river was built by engineers in the last century. ", 640),
        ("北京是中华人民共和国的首都，有着悠久的历史和文化。", 260),
        ("    if radius < 0:\n        raise ValueError('negative')\n", 450),
        (BASE64, 260),
        ("a" * 700, 660),
        (" \n" * 350, 660),
    ],
)
def test_an_endless_answer_ends_near_its_token_budget_whatever_its_pieces(
    server, router, text, characters, size
):
    text *= 30
    server.reply(**events(*(said(text[at : at + size]) for at in range(0, len(text), size))))

    with contextlib.suppress(BadReply):  # white space alone
        router.route("Say something")

    (attempt,) = router.history.results()[-1].attempts
    assert "length" == attempt.finish_reason
    assert characters / 2 < len(attempt.text) <= characters


@pytest.mark.parametrize(("max_cost", "thought"), [(None, 2000), ("0.01", 60)])
def test_a_model_may_think_outside_of_its_budget_where_no_money_was_held_back_for_it(
    server, router, max_cost, thought
):
    endless(server, "reasoning_content", thought, EVENTS)
    cost = max_cost and Decimal(max_cost)

    result = router.route("Say something", max_cost=cost, cache="off")

    assert "Paris ☀" == result.text

    endless(server, "reasoning_content", 2000, EVENTS)
    if max_cost:
        with pytest.raises(BadReply, match="raise max_tokens") as caught:
            router.route("Say something", max_cost=cost, cache="off")
        assert Decimal("0.00006") < caught.value.result.cost_usd < Decimal("0.0002")


@pytest.mark.parametrize("options", [{}, {"checks": ["rating"]}, {"json": True}])
def test_endless_white_space_is_no_answer_and_is_paid_for(server, router, options):
    endless(server, size=0, word=" \n  ")

    with pytest.raises(BadReply, match="gave no answer: its budget of 64 tokens") as caught:
        router.route("Say something", **options)

    assert Decimal("0.00006") < caught.value.result.cost_usd < Decimal("0.0002")


def test_halves_of_an_emoji_are_joined_in_the_stream_and_a_later_turn_is_sent(server, router):
    halves = ({"content": "\ud83d"}, {"content": "\ude00\ud83d"}, {"reasoning": "\ud83d"})
    reply = events(*({"model": "\ud83d", "choices": [{"delta": half}]} for half in halves))
    server.reply(**reply | {"body": reply["body"] + EVENTS.encode()})
    shown = []

    def look(event):
        shown.append(event.text if isinstance(event, Text) else "")

    result = router.route("Smile", thread="t", observe=look)
    again = router.route("Again", thread="t")

    assert "😀\ufffdParis ☀" == result.text == "".join(shown)
    assert "\ufffd" == result.attempts[0].reasoning
    assert "ok" == again.text
    assert "😀\ufffdParis ☀" in [m["content"] for m in server.requests[-1].json["messages"]]
