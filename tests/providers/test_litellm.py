"""What LiteLLM as a library adds to, and takes from, what test_alike.py shows."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest
from calls import KEY, STREAMING, failure
from calls import asking as asking_any

import nbroute
from nbroute.errors import (
    AuthError,
    BadReply,
    ContextTooLong,
    SettingsError,
    TimedOut,
    UnknownModel,
)
from nbroute.providers.litellm import LiteLLM
from nbroute.types import Usage

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


def asking(**parts):
    return asking_any(**{"model": "openai/some-model"} | parts)


def last_of(provider, **parts):
    return list(provider.send(asking(**parts)))[-1]


# What is sent


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


def test_what_litellm_knows_that_a_model_does_not_take_is_left_out(server, provider):
    list(provider.send(asking(model="openai/o3-mini", temperature=0.5, logprobs=True)))

    assert {"model", "messages", "max_completion_tokens", "stream", "stream_options"} == set(
        server.requests[0].json
    )


def test_what_it_does_not_know_is_learnt_from_the_refusal_and_remembered(server, provider):
    server.refuse("json_schema", "logprobs")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}

    for _ in range(2):
        list(provider.send(asking(schema=schema, logprobs=True)))

    last = server.requests[-1].json
    assert ({"type": "json_object"}, False) == (last["response_format"], "logprobs" in last)
    assert 4 == len(server.requests)


def test_a_litellm_proxy_is_reached_under_its_own_model_names(server, provider):
    server.reply(model="gpt-4o-mini-2024", headers={"x-litellm-response-cost": "0.5"})

    last = last_of(provider, model="litellm_proxy/cheap")

    assert "cheap" == server.requests[0].json["model"]
    assert last.usage.billed_usd is None


# What it took


@STREAMING
@pytest.mark.parametrize("model", ["openai/some-model", "xai/grok-4", "deepseek/deepseek-reasoner"])
def test_reasoning_that_is_counted_apart_is_paid_for(server, provider, stream, model):
    usage = {"prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428}
    server.reply(usage=usage | {"completion_tokens_details": {"reasoning_tokens": 2809}})

    usage = last_of(provider, stream=stream, model=model).usage
    assert Usage(10120, 4308, reasoning_tokens=2809) == usage


@pytest.mark.parametrize(("cost", "usd"), [("1.5e-06", "0.0000015"), ("0.0", None), ("1, 2", None)])
def test_what_a_litellm_proxy_charged_for_a_whole_answer_is_in_its_headers(
    server, provider, cost, usd
):
    server.reply(headers={"x-litellm-response-cost": cost})

    usage = last_of(provider, model="litellm_proxy/cheap", stream=False).usage
    assert (usd and Decimal(usd)) == usage.billed_usd


@STREAMING
def test_what_litellm_thinks_that_a_known_model_costs_is_not_a_bill(server, provider, stream):
    assert Usage(8, 1) == last_of(provider, model="openai/gpt-4o-mini", stream=stream).usage


def test_a_streams_usage_that_litellm_counted_itself_is_an_estimate(server, provider):
    server.reply(text="Paris, of course.", usage=None)

    usage = last_of(provider).usage

    assert usage.estimated
    assert usage.output_tokens > 0


# Errors


def test_a_prompt_that_is_too_long_is_rejected(server, provider):
    server.reply(status=400, error="This model's maximum context length is 10 tokens")

    assert "maximum context length" in failure(provider, ContextTooLong, asking())


def test_a_model_without_its_vendor_says_how_to_write_it(server, provider):
    assert "'openai/small'" in failure(provider, UnknownModel, asking(model="small"))
    assert [] == server.requests


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-3-5-haiku"])
def test_a_missing_key_is_told_and_sends_nothing(server, connect, model):
    provider = connect(api_key=None, max_retries=2)

    assert "TEST_KEY" in failure(provider, AuthError, asking(model=model))
    assert [] == server.requests


def test_a_key_of_the_environment_that_the_server_echoes_is_not_shown(server, connect, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.reply(status=401, error=f"Incorrect API key provided: {KEY}.")

    message = failure(connect(api_key=None), AuthError, asking())

    assert "[key]" in message
    assert KEY[:9] not in message


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

    provider = connect("https://a.invalid/v1", api_key=f"{KEY}2")
    message = failure(provider, SettingsError, asking())

    assert says in message
    assert "secret" not in message


def test_an_answer_that_goes_in_circles_is_said_to(server, provider):
    server.reply(text="word " * 200)

    assert "kept repeating itself" in failure(provider, BadReply, asking())


def test_the_repr_shows_no_key(connect):
    assert "<LiteLLM 'lite' at host>" == repr(connect("https://user:secret@host/v1"))
    assert "<LiteLLM 'litellm' at litellm>" == repr(LiteLLM())


def test_the_deadline_of_the_settings_is_kept(server, tmp_path, monkeypatch):
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
from nbroute.errors import Unavailable
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


def test_it_is_imported_with_the_first_call_takes_no_settings_from_a_file_and_prints_nothing(
    server, tmp_path
):
    server.reply(status=500, error="down")
    (tmp_path / ".env").write_text("FROM_A_FILE=1\n")
    code = (
        "import os, sys; before = dict(os.environ)"
        f"{ASK.format(url=server.url)}"
        "assert 'litellm' not in sys.modules\n"
        "try:\n    list(provider.send(asked))\n"
        "except Unavailable:\n    list(provider.send(asked))\n"
        "changed = {name for name in os.environ if before.get(name) != os.environ[name]}\n"
        "assert changed <= {'TIKTOKEN_CACHE_DIR'}, changed\n"
        "assert 'litellm' in sys.modules\n"
    )

    done = run(code, tmp_path)

    assert ("", "", 0) == (done.stdout, done.stderr, done.returncode)
    assert 2 == len(server.requests)
