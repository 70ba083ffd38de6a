"""What the provider over the openai SDK and the one over LiteLLM have in common."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from importlib.util import find_spec

import pytest
from calls import KEY, STREAMING, events, failure, text_of
from calls import asking as asking_any
from loopback import Reply

from nbroute import errors
from nbroute.errors import ProviderError, RequestRejected, TimedOut, Unavailable
from nbroute.providers.litellm import LiteLLM
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.types import Chunk, Usage

pytestmark = pytest.mark.usefixtures("event_loop")
no_litellm = pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed")


@pytest.fixture(params=["openai", pytest.param("litellm", marks=no_litellm)])
def connect(server, request):
    made = []

    def make(url=None, **options):
        options = {"max_retries": 0, "timeout_s": 5.0, "api_key_env": "TEST_KEY"} | options
        if request.param == "openai":
            made.append(OpenAICompatible("test", url or server.url, KEY, **options))
        else:
            made.append(LiteLLM("test", api_base=url or server.url, api_key=KEY, **options))
        return made[-1]

    yield make
    for provider in made:
        provider.close()


def asking(prompt="What is the capital of France?", **parts):
    return asking_any(prompt, **{"model": "openai/some-model"} | parts)


def failing(provider, kind=ProviderError, **parts):
    return failure(provider, kind, asking(**parts))


# Answers


def test_a_stream_comes_in_pieces_and_the_rest_at_the_end(server, provider):
    server.reply(text="Paris, of course.", model="some-model-2026", id="gen-1")
    server.reply(text="Paris.", model="some-model-2026", id="gen-1", usage=None)
    *pieces, last = provider.send(asking())

    assert ["Paris, ", "of ", "course."] == [piece.text for piece in pieces]
    assert Chunk("", Usage(8, 3), "stop", last.model, id="gen-1") == last
    assert last.model in ("some-model", "some-model-2026")  # LiteLLM says what was asked for
    # A usage that did not arrive is None and not zero.
    answer = Chunk("Paris.", None, "stop", "some-model-2026", id="gen-1")
    assert [answer] == list(provider.send(asking(stream=False)))


def test_what_is_sent_is_the_request_also_after_closing_twice(server, provider):
    list(provider.send(asking()))
    provider.close()
    provider.close()
    list(provider.send(asking(temperature=0.5, json=True)))

    sent = server.requests[1].json
    assert "some-model" == sent.pop("model").removeprefix("openai/")
    assert {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        "max_tokens": 64,
        "temperature": 0.5,
        "response_format": {"type": "json_object"},
        "stream": True,
        "stream_options": {"include_usage": True},
    } == sent
    assert f"Bearer {KEY}" == server.requests[1].headers["authorization"]


@STREAMING
def test_the_bill_and_logprobs_of_an_answer_cut_short_are_read(server, provider, stream):
    usage = {"prompt_tokens": 20, "completion_tokens": 5}
    usage["prompt_tokens_details"] = {"cached_tokens": 16}
    told = {"finish_reason": "length", "usage": usage, "cost": 1.2e-05, "logprobs": [-0.5, -2]}
    server.reply(text="Paris is", chunks=["Paris ", "is"], **told)
    chunks = list(provider.send(asking(stream=stream, logprobs=True)))

    assert server.requests[0].json["logprobs"] is True
    assert ("Paris is", "length") == (text_of(chunks), chunks[-1].finish_reason)
    assert Usage(20, 5, 16, Decimal("0.000012")) == chunks[-1].usage
    assert [-0.5, -2.0] == [value for chunk in chunks for value in chunk.logprobs]


def test_what_may_pass_is_tried_again_when_the_server_says_and_no_more(server, connect):
    for status in (429, 503):
        server.reply(status=status, error="slow down", headers={"Retry-After": "0.01"})
    # more time than a clock can count is no error
    assert "ok" == text_of(connect(max_retries=2, timeout_s=math.inf).send(asking()))
    assert 3 == len(server.requests)

    server.handler = lambda _: Reply(status=400, error="no")
    failing(connect(max_retries=2), RequestRejected)
    assert 4 == len(server.requests)


# Stopped, or too late


def test_closing_the_iterator_closes_the_connection(server, provider):
    server.reply(text="one two three", stall_after=1)
    pieces = provider.send(asking())

    assert "one " == next(pieces).text
    pieces.close()
    assert server.requests[0].left.wait(5)


def test_no_server_is_said_with_the_host_and_a_cure(connect):
    message = failing(connect("http://127.0.0.1:9/v1"), Unavailable)
    assert re.search("no connection to 127.0.0.1:9 .*is it running", message)


def test_an_answer_that_takes_too_long_is_asked_for_once(server, connect):
    for number, (reply, stream, limit, says) in enumerate(
        (
            ({"delay": 30}, True, "timeout_s", "no answer came .*within 0.2 s"),
            ({"delay": 30}, False, "deadline_s", "after 0.2 s: raise"),
            ({"text": "one two", "stall_after": 1}, True, "timeout_s", r"nothing more .*0\.2 s"),
            ({"text": "one two", "pause": 0.15}, True, "deadline_s", r"finished after 0\.2 s: ra"),
        )
    ):
        server.reply(**reply)
        message = failing(connect(**{limit: 0.2}, max_retries=2), TimedOut, stream=stream)
        assert re.search(says, message)
        assert number + 1 == len(server.requests)


# Errors


def test_a_status_is_an_error_with_the_servers_words_and_a_cure(server, provider):
    for status, kind, says in (
        (400, "RequestRejected", "400"),
        (401, "AuthError", "TEST_KEY"),
        (402, "QuotaUsedUp", "credit"),
        (404, "UnknownModel", "'openai/some-model'"),
        (408, "TimedOut", "fallback"),
        (413, "ContextTooLong", "Shorten"),
        (429, "RateLimited", "fallback"),
        (500, "Unavailable", "fallback"),
    ):
        server.reply(status=status, error=f"the server's own words to {KEY}, or {KEY[:10]}*****")
        with pytest.raises(getattr(errors, kind)) as caught:
            list(provider.send(asking()))
        message = str(caught.value)
        assert says in message
        assert server.host in message
        assert KEY[:9] not in message
        assert caught.value.__cause__ is None  # it would show the key
        assert caught.value.__context__ is None or caught.value.__suppress_context__
        if (status, provider.__class__) != (408, LiteLLM):
            assert "the server's own words to [key], or" in message
    assert KEY not in f"{provider!r} {vars(provider)}"


QUOTA = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}


def test_what_is_not_an_answer_is_an_error_in_its_own_words(server, provider):
    for stream, reply, says in (
        (True, events(QUOTA), "QuotaUsedUp: .*your current quota"),
        (True, events(), "BadReply: .*(answered with|sent no answer)"),
        (True, {"text": "one two three", "cut_after": 2}, "Unavailable: .*broke off half-way"),
        (False, {"body": b"[" * 100_000}, "BadReply: .*instead of an answer"),
        (False, {"body": "<html><title>Sign in</title>"}, "BadReply: .*called 'Sign in' instead"),
    ):
        server.reply(**reply)
        assert re.search(says, failing(provider, stream=stream))


def test_a_prompt_that_is_not_text_is_rejected_before_it_is_sent(server, connect):
    request = asking("half an emoji \ud83d")
    assert "cannot be sent" in failure(connect(max_retries=2), RequestRejected, request)
    assert [] == server.requests
