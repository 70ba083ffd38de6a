"""LiteLLM as a library, against a real HTTP server on loopback as its `api_base`."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest
from loopback import Reply

import nbroute
from nbroute.errors import (
    AuthError,
    BadReply,
    ContextTooLong,
    ProviderError,
    QuotaUsedUp,
    RateLimited,
    RequestRejected,
    SettingsError,
    TimedOut,
    Unavailable,
    UnknownModel,
)
from nbroute.providers.litellm import LiteLLM
from nbroute.types import Chunk, Message, Request, Usage

KEY = "sk-test-0123456789abcdef"
STREAMING = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
pytestmark = [
    pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed"),
    pytest.mark.usefixtures("event_loop"),
]


@pytest.fixture
def connect(server):
    def make(api_base=None, api_key=KEY, **options):
        options = {"max_retries": 0, "timeout_s": 5.0, "api_key_env": "TEST_KEY"} | options
        return LiteLLM("lite", api_base=api_base or server.url, api_key=api_key, **options)

    return make


@pytest.fixture
def provider(connect):
    return connect()


def asking(prompt="What is the capital of France?", *, model="openai/some-model", **parts):
    messages = (Message("system", "Be brief."), Message("user", prompt))
    return Request("lite", model, messages, **{"max_tokens": 64} | parts)


def text_of(chunks):
    return "".join(chunk.text for chunk in chunks)


def failure(provider, kind, request=None):
    with pytest.raises(kind) as caught:
        list(provider.send(request or asking()))
    assert kind is type(caught.value)
    return str(caught.value)


# Effort


def test_an_effort_is_sent_where_litellm_says_that_the_model_takes_one(server, provider):
    first, *_ = provider.send(asking(model="openai/o3-mini", effort="high"))

    assert "high" == server.requests[0].json["reasoning_effort"]
    assert (False, "") == (first.effortless, first.notice)


def test_an_effort_that_litellm_would_drop_is_told_once(server, provider):
    told = [list(provider.send(asking(model="openai/gpt-4o", effort="low"))) for _ in range(2)]

    said = "openai/gpt-4o is asked without a reasoning effort: LiteLLM says it does not take one"
    assert [[said], []] == [[one.notice for one in chunks if one.notice] for chunks in told]
    assert [True, True] == [any(one.effortless for one in chunks) for chunks in told]
    assert [None, None] == [seen.json.get("reasoning_effort") for seen in server.requests]


# Answers


def test_a_stream_comes_in_pieces_and_the_rest_at_the_end(server, provider):
    server.reply(text="Paris, of course.", id="gen-1")

    *pieces, last = provider.send(asking())

    assert ["Paris, ", "of ", "course."] == [piece.text for piece in pieces]
    assert Chunk("", Usage(8, 3), "stop", "some-model", id="gen-1") == last


def test_without_streaming_all_comes_in_one_chunk(server, provider):
    server.reply(text="Paris.", id="gen-1")

    assert [Chunk("Paris.", Usage(8, 1), "stop", "some-model", id="gen-1")] == list(
        provider.send(asking(stream=False))
    )


def test_what_is_sent_is_the_request(server, provider):
    list(provider.send(asking(temperature=0.5, json=True)))

    assert {
        "model": "some-model",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        "max_tokens": 64,
        "temperature": 0.5,
        "response_format": {"type": "json_object"},
        "stream": True,
        "stream_options": {"include_usage": True},
    } == server.requests[0].json
    assert f"Bearer {KEY}" == server.requests[0].headers["authorization"]


def test_what_litellm_knows_that_a_model_does_not_take_is_left_out(server, provider):
    list(provider.send(asking(model="openai/o3-mini", temperature=0.5, logprobs=True)))

    assert {"model", "messages", "max_completion_tokens", "stream", "stream_options"} == set(
        server.requests[0].json
    )


def test_what_it_does_not_know_is_learnt_from_the_refusal_and_remembered(server, provider):
    server.refuse("json_schema", "logprobs")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}

    list(provider.send(asking(schema=schema, logprobs=True)))
    list(provider.send(asking(schema=schema, logprobs=True)))

    last = server.requests[-1].json
    assert ({"type": "json_object"}, False) == (last["response_format"], "logprobs" in last)
    assert 4 == len(server.requests)


@STREAMING
def test_log_probabilities_are_read(server, provider, stream):
    server.reply(text="Paris, yes.", chunks=["Paris, ", "yes."], logprobs=[-0.5, -2])

    chunks = list(provider.send(asking(stream=stream, logprobs=True)))

    assert [-0.5, -2.0] == [value for chunk in chunks for value in chunk.logprobs]


@STREAMING
@pytest.mark.parametrize("model", ["openai/some-model", "xai/grok-4", "deepseek/deepseek-reasoner"])
def test_reasoning_that_is_counted_apart_is_paid_for(server, provider, stream, model):
    usage = {"prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428}
    server.reply(usage=usage | {"completion_tokens_details": {"reasoning_tokens": 2809}})

    last = list(provider.send(asking(stream=stream, model=model)))[-1]

    assert Usage(10120, 4308, reasoning_tokens=2809) == last.usage


@pytest.mark.parametrize(("cost", "usd"), [("1.5e-06", "0.0000015"), ("0.0", None), ("1, 2", None)])
def test_what_a_litellm_proxy_charged_for_a_whole_answer_is_in_its_headers(
    server, provider, cost, usd
):
    server.reply(headers={"x-litellm-response-cost": cost})

    last = list(provider.send(asking(model="litellm_proxy/cheap", stream=False)))[-1]

    assert (usd and Decimal(usd)) == last.usage.billed_usd


@STREAMING
def test_what_litellm_thinks_that_a_known_model_costs_is_no_bill(server, provider, stream):
    last = list(provider.send(asking(model="openai/gpt-4o-mini", stream=stream)))[-1]

    assert Usage(8, 1) == last.usage


def test_a_streams_usage_that_litellm_counted_itself_is_an_estimate(server, provider):
    server.reply(text="Paris, of course.", usage=None)

    usage = list(provider.send(asking()))[-1].usage

    assert usage.estimated
    assert usage.output_tokens > 0


def test_a_usage_that_did_not_arrive_is_none_and_not_zero(server, provider):
    server.reply(usage=None)

    assert list(provider.send(asking(stream=False)))[-1].usage is None


def test_a_litellm_proxy_is_reached_under_its_own_model_names(server, provider):
    server.reply(model="gpt-4o-mini-2024", headers={"x-litellm-response-cost": "0.5"})

    last = list(provider.send(asking(model="litellm_proxy/cheap")))[-1]

    assert "cheap" == server.requests[0].json["model"]
    assert last.usage.billed_usd is None


# Errors


@STREAMING
@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (400, RequestRejected, "400"),
        (401, AuthError, "TEST_KEY"),
        (402, QuotaUsedUp, "credit"),
        (403, AuthError, "TEST_KEY"),
        (404, UnknownModel, "'openai/some-model'"),
        (408, TimedOut, "fallback"),
        (413, ContextTooLong, "Shorten"),
        (429, RateLimited, "fallback"),
        (500, Unavailable, "fallback"),
        (503, Unavailable, "fallback"),
    ],
)
def test_a_status_becomes_an_error_with_a_cure(server, stream, status, kind, says):
    provider = LiteLLM(api_key=KEY, api_base=server.url, max_retries=0, api_key_env="TEST_KEY")
    server.reply(status=status, error="the server's own words about the model")

    message = failure(provider, kind, asking(stream=stream))

    assert says in message
    assert server.host in message
    assert status == 408 or ": the server's own words" in message


def test_a_prompt_that_is_too_long_is_rejected(server, provider):
    server.reply(status=400, error="This model's maximum context length is 10 tokens")

    assert "maximum context length" in failure(provider, ContextTooLong)


def test_a_model_without_its_vendor_says_how_to_write_it(server, provider):
    assert "'openai/small'" in failure(provider, UnknownModel, asking(model="small"))
    assert [] == server.requests


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-3-5-haiku"])
def test_a_missing_key_is_told_and_sends_nothing(server, connect, monkeypatch, model):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    provider = connect(api_key=None, max_retries=2)

    assert "TEST_KEY" in failure(provider, AuthError, asking(model=model))
    assert [] == server.requests


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("socks5://me:secret@127.0.0.1:1", "ALL_PROXY names a SOCKS proxy ('127.0.0.1:1')"),
        ("socks4://me:secret@127.0.0.1:1", "ALL_PROXY is not the address of a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_by_its_variable(connect, monkeypatch, proxy, says):
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setitem(sys.modules, "socksio", None)

    message = failure(connect("https://a.invalid/v1", api_key=f"{KEY}2"), SettingsError)

    assert says in message
    assert "secret" not in message


@STREAMING
@pytest.mark.parametrize("given", [True, False])
def test_a_key_that_the_server_echoes_does_not_reach_the_error(
    server, connect, monkeypatch, stream, given
):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.reply(status=401, error=f"Incorrect API key provided: {KEY}.")

    with pytest.raises(AuthError) as caught:
        list(connect(api_key=KEY if given else None).send(asking(stream=stream)))

    assert "[key]" in str(caught.value)
    assert KEY[:9] not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("done", [True, False])
def test_a_stream_that_ends_with_no_finish_reason_broke_off_too(server, provider, done):
    server.reply(text="one two", finish_reason=None, done=done)

    assert "broke off half-way" in failure(provider, Unavailable)


def test_an_answer_that_goes_in_circles_is_said_to(server, provider):
    server.reply(text="word " * 200)

    assert "the same over and over" in failure(provider, BadReply)


def test_what_may_pass_is_tried_again_and_retry_after_is_honoured(server, connect):
    server.reply(status=429, error="slow down", headers={"Retry-After": "0.01"})
    server.reply(status=503, error="busy", headers={"Retry-After": "0.01"})

    assert "ok" == text_of(connect(max_retries=2).send(asking()))
    assert 3 == len(server.requests)


def test_what_does_not_pass_is_not_tried_again(server, connect):
    server.handler = lambda _: Reply(status=400, error="no")

    failure(connect(max_retries=2), RequestRejected)

    assert 1 == len(server.requests)


def test_a_page_in_place_of_an_answer_is_a_bad_reply(server, connect):
    server.reply(html=True)

    message = failure(connect(max_retries=2), BadReply, asking(stream=False))

    assert "<" not in message
    assert repr(server.url) in message


@STREAMING
@pytest.mark.parametrize(
    "body", [{}, [], {"choices": []}, {"choices": {"a": 1}}, b"{half", b"", {"error": {}}]
)
def test_an_answer_that_is_none_is_a_provider_error(server, provider, body, stream):
    server.reply(body=body)

    with pytest.raises(ProviderError):
        list(provider.send(asking(stream=stream)))


# The package


def run(code, folder):
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}", "PATH": os.environ["PATH"]},
        timeout=60,
    )


ASK = """
from nbroute.providers.litellm import LiteLLM
from nbroute.types import Message, Request
provider = LiteLLM(api_key='sk-none', api_base={url!r}, max_retries=0)
asked = Request('litellm', 'openai/m', (Message('user', 'hi'),), 9)
"""


def test_without_the_package_the_cure_is_its_extra(tmp_path):
    code = "import sys; sys.modules['litellm'] = None" + ASK.format(url="http://127.0.0.1:9")

    done = run(f"{code}\nlist(provider.send(asked))", tmp_path)

    assert "SettingsError: LiteLLM is not installed" in done.stderr
    assert "pip install 'nbroute[litellm]'" in done.stderr


def test_it_is_imported_with_the_first_call_and_takes_no_settings_from_a_file(server, tmp_path):
    (tmp_path / ".env").write_text("FROM_A_FILE=1\n")
    code = (
        "import os, sys; before = dict(os.environ)"
        f"{ASK.format(url=server.url)}"
        "assert 'litellm' not in sys.modules\n"
        "list(provider.send(asked))\n"
        "changed = {name for name in os.environ if before.get(name) != os.environ[name]}\n"
        "assert changed <= {'TIKTOKEN_CACHE_DIR'}, changed\n"
        "assert 'litellm' in sys.modules\n"
    )

    assert 0 == (done := run(code, tmp_path)).returncode, done.stderr


def test_nothing_is_printed_when_a_call_fails(server, tmp_path):
    server.reply(status=500, error="down")
    code = ASK.format(url=server.url) + (
        "from nbroute.errors import Unavailable\n"
        "try:\n    list(provider.send(asked))\nexcept Unavailable:\n    pass\n"
    )

    done = run(code, tmp_path)

    assert ("", "", 0) == (done.stdout, done.stderr, done.returncode)


def test_the_repr_shows_no_key(connect):
    assert "<LiteLLM 'lite' at host>" == repr(connect("https://user:secret@host/v1"))
    assert "<LiteLLM 'litellm' at litellm>" == repr(LiteLLM())


def test_the_deadline_of_the_settings_holds(server, tmp_path, monkeypatch):
    server.reply(delay=30)
    file = tmp_path / "settings.toml"
    file.write_text(
        f"""
        [providers.lite]
        kind = "litellm"
        deadline_s = 0.3
        base_url = "{server.url}"
        api_key_env = "LITE_KEY"

        [tiers.fast]
        provider = "lite"
        model = "openai/m"
        """
    )
    monkeypatch.setenv("LITE_KEY", KEY)

    with pytest.raises(TimedOut, match=r"after 0\.3 s"):
        nbroute.Router(settings=file).route("hi")
