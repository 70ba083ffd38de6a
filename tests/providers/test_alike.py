"""What the provider over the openai SDK and the one over LiteLLM have in common."""

from __future__ import annotations

import json
import math
import re
import signal
import socket
import threading
from decimal import Decimal
from importlib.util import find_spec

import pytest

from nbroute.errors import (
    BadReply,
    ProviderError,
    RequestRejected,
    TimedOut,
    Unavailable,
)
from nbroute.providers.litellm import LiteLLM
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.types import Message, Request, Usage

KEY = "sk-test-0123456789abcdef"
STREAMING = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
pytestmark = pytest.mark.usefixtures("event_loop")
no_litellm = pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed")


@pytest.fixture(params=["openai", pytest.param("litellm", marks=no_litellm)])
def connect(server, request):
    made = []

    def make(url=None, **options):
        options = {"max_retries": 0, "timeout_s": 5.0} | options
        if request.param == "openai":
            made.append(OpenAICompatible("test", url or server.url, KEY, **options))
        else:
            made.append(LiteLLM("test", api_base=url or server.url, api_key=KEY, **options))
        return made[-1]

    yield make
    for provider in made:
        provider.close()


@pytest.fixture
def provider(connect):
    return connect()


def asking(prompt="What is the capital of France?", **parts):
    messages = (Message("user", prompt),)
    return Request("test", "openai/some-model", messages, **{"max_tokens": 64} | parts)


@STREAMING
def test_an_answer_cut_by_the_budget_is_an_answer(server, provider, stream):
    server.reply(text="Paris is", finish_reason="length")

    chunks = list(provider.send(asking(stream=stream)))

    text = "".join(chunk.text for chunk in chunks)
    assert ("Paris is", "length") == (text, chunks[-1].finish_reason)


@STREAMING
def test_the_billed_cost_and_cached_tokens_are_read(server, provider, stream):
    details = {"prompt_tokens_details": {"cached_tokens": 16}}
    server.reply(usage={"prompt_tokens": 20, "completion_tokens": 5} | details, cost=1.2e-05)

    last = list(provider.send(asking(stream=stream)))[-1]

    assert Usage(20, 5, 16, Decimal("0.000012")) == last.usage


def test_closing_the_iterator_closes_the_connection(server, provider):
    server.reply(text="one two three", stall_after=1)
    pieces = provider.send(asking())

    assert "one " == next(pieces).text
    pieces.close()

    assert server.requests[0].left.wait(5)


def test_ctrl_c_passes_through_and_closes_the_connection(server, provider):
    server.reply(text="one two three", stall_after=1)
    main = threading.get_ident()
    press = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
    pieces = provider.send(asking())
    next(pieces)
    press.start()

    with pytest.raises(KeyboardInterrupt):
        next(pieces)

    assert server.requests[0].left.wait(5)


def test_closing_twice_does_nothing_and_sending_again_connects_again(provider):
    list(provider.send(asking()))
    provider.close()
    provider.close()

    assert "ok" == "".join(chunk.text for chunk in provider.send(asking()))


@STREAMING
def test_no_server_is_said_with_the_host_and_a_cure(connect, stream):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    provider = connect(f"http://127.0.0.1:{port}/v1")

    with pytest.raises(Unavailable, match=f"no connection to 127.0.0.1:{port} .*is it running"):
        list(provider.send(asking(stream=stream)))


@STREAMING
def test_a_server_that_never_answers_is_asked_once_and_times_out(server, connect, stream):
    server.reply(delay=30)

    with pytest.raises(TimedOut, match=r"within 0\.2 s"):
        list(connect(timeout_s=0.2, max_retries=2).send(asking(stream=stream)))

    assert 1 == len(server.requests)


def test_a_stream_that_stalls_times_out(server, connect):
    server.reply(text="one two three", stall_after=2)
    pieces = connect(timeout_s=0.2).send(asking())

    assert "one two " == next(pieces).text + next(pieces).text
    with pytest.raises(TimedOut, match=r"nothing more of the answer came .* within 0\.2 s"):
        next(pieces)


@pytest.mark.parametrize(
    ("stream", "reply"),
    [
        (True, {"text": "one two three", "pause": 0.2}),
        (True, {"text": "one two three", "stall_after": 1}),
        (True, {"delay": 30}),
        (False, {"delay": 30}),
    ],
    ids=["a word at a time", "silence after a word", "streamed", "whole"],
)
def test_an_answer_that_takes_longer_than_the_deadline_is_not_waited_for(
    server, connect, stream, reply
):
    server.reply(**reply)

    with pytest.raises(TimedOut, match=r"had not finished .* after 0\.3 s: raise deadline_s"):
        list(connect(deadline_s=0.3, max_retries=2).send(asking(stream=stream)))

    assert 1 == len(server.requests)


@pytest.mark.parametrize("seconds", [1e12, math.inf])
def test_more_time_than_a_clock_can_count_is_no_error(connect, seconds):
    provider = connect(timeout_s=seconds)

    assert "ok" == "".join(chunk.text for chunk in provider.send(asking()))


def whole(finish_reason):
    message = {"role": "assistant", "content": "Paris"}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}]}


def events(*values):
    return "".join(f"data: {json.dumps(value)}\n\n" for value in values).encode()


def said(text, finish_reason=None):
    delta = {"content": text} if text else {}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


LOST = {"error": {"code": 502, "message": "Provider disconnected"}}
QUOTA = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (events(said("Par"), said("", "error") | LOST), "BadReply: .*Provider disconnected"),
        (events(said("Par"), said("", "error")), "BadReply: .*finish_reason 'error'"),
        (events(said("Par"), LOST), "BadReply: .*Provider disconnected"),
        (events(said("Par"), {"error": "out of memory"}), "BadReply: .*out of memory"),
        (events(QUOTA), "QuotaUsedUp: .*your current quota"),
        (events(), "BadReply: .*answered with"),
    ],
)
def test_an_error_in_a_stream_is_told_in_its_words(server, provider, body, told):
    server.reply(body=body, content_type="text/event-stream")

    with pytest.raises(ProviderError) as caught:
        list(provider.send(asking()))

    assert re.match(told, f"{type(caught.value).__name__}: {caught.value}")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (LOST, "Provider disconnected"),
        (whole("error"), "finish_reason 'error'"),
        (whole("MALFORMED_RESPONSE"), "finish_reason 'MALFORMED_RESPONSE'"),
        (b"[" * 100_000, "in place of an answer"),
        (b'{"choices": %b}' % (b"9" * 5_000), "in place of an answer|no choices"),
        ({"detail": "no"}, "in place of an answer"),
        ("<html><title>Sign in</title>", "called 'Sign in' in place of an answer"),
    ],
    ids=["error", "finish_reason", "unknown", "nested", "digits", "detail", "page"],
)
def test_what_is_no_answer_is_a_bad_reply(server, provider, body, told):
    server.reply(body=body)

    with pytest.raises(BadReply, match=told):
        list(provider.send(asking(stream=False)))


def test_neither_the_repr_nor_the_variables_of_a_provider_show_the_key(provider):
    assert KEY not in f"{provider!r} {vars(provider)}"


def test_a_stream_that_is_cut_says_that_it_broke_off(server, provider):
    server.reply(text="one two three", cut_after=2)
    pieces = provider.send(asking())

    assert "one two " == next(pieces).text + next(pieces).text
    with pytest.raises(Unavailable, match="broke off half-way"):
        list(pieces)


@STREAMING
def test_a_prompt_that_is_no_text_is_rejected_before_it_is_sent(server, connect, stream):
    with pytest.raises(RequestRejected, match="cannot be sent"):
        list(connect(max_retries=2).send(asking("half an emoji \ud83d", stream=stream)))

    assert [] == server.requests
