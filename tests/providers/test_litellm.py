"""Where LiteLLM as a library differs from what test_alike.py shows."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import Mock

import pytest
from calls import KEY, STREAMING, failure
from calls import asking as asking_any

from nbroute import Router, errors
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


def asking(**parts):
    return asking_any(**{"model": "openai/some-model"} | parts)


def last_of(provider, **parts):
    return list(provider.send(asking(**parts)))[-1]


# What is sent


def test_an_effort_is_sent_where_litellm_takes_one_or_its_absence_noted(server, provider):
    first, *_ = provider.send(asking(model="openai/o3-mini", effort="high"))
    without = [list(provider.send(asking(model="openai/gpt-4o", effort="low"))) for _ in range(2)]

    said = "openai/gpt-4o is asked without a reasoning effort: LiteLLM says it does not take one"
    assert ["high", None, None] == [seen.json.get("reasoning_effort") for seen in server.requests]
    assert (False, "") == (first.effortless, first.notice)
    assert [[said], []] == [[one.notice for one in chunks if one.notice] for chunks in without]
    assert [True, True] == [any(one.effortless for one in chunks) for chunks in without]


def test_what_a_model_does_not_take_is_left_out_once_it_is_known(server, provider):
    list(provider.send(asking(model="openai/o3-mini", temperature=0.5, logprobs=True)))
    server.refuse("json_schema", "logprobs")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    for _ in range(2):
        list(provider.send(asking(schema=schema, logprobs=True)))

    first, *_, last = (seen.json for seen in server.requests)
    usual = {"model", "messages", "max_completion_tokens", "stream", "stream_options"}
    assert usual == set(first)
    assert ({"type": "json_object"}, False) == (last["response_format"], "logprobs" in last)
    assert 5 == len(server.requests)


# What it took


@STREAMING
@pytest.mark.parametrize("model", ["xai/grok-4", "deepseek/deepseek-reasoner"])
def test_reasoning_that_is_counted_apart_is_paid_for(server, provider, stream, model):
    usage = {"prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428}
    server.reply(usage=usage | {"completion_tokens_details": {"reasoning_tokens": 2809}})
    usage = last_of(provider, stream=stream, model=model).usage
    assert Usage(10120, 4308, reasoning_tokens=2809) == usage


def test_a_proxys_own_names_are_used_and_its_charge_read_of_a_whole_answer(server, provider):
    server.reply(headers={"x-litellm-response-cost": "1.5e-06"})
    server.reply(headers={"x-litellm-response-cost": "0.5"})
    whole, streamed = (last_of(provider, model="litellm_proxy/a", stream=s) for s in (False, True))

    assert ["a", "a"] == server.asked
    assert Decimal("0.0000015") == whole.usage.billed_usd
    assert streamed.usage.billed_usd is None


@STREAMING
def test_what_litellm_thinks_an_answer_cost_is_not_a_bill_and_its_count_is_an_estimate(
    server, provider, stream
):
    assert Usage(8, 1) == last_of(provider, model="openai/gpt-4o-mini", stream=stream).usage
    server.reply(text="Paris, of course.", usage=None)
    usage = last_of(provider).usage
    assert usage.estimated
    assert usage.output_tokens > 0


# Errors


def test_a_long_prompt_circles_and_a_model_without_its_vendor_are_errors(
    server, provider, monkeypatch
):
    server.reply(status=400, error="This model's maximum context length is 10 tokens")
    server.reply(text="word " * 200)

    assert "maximum context length" in failure(provider, errors.ContextTooLong, asking())
    assert "kept repeating itself" in failure(provider, errors.BadReply, asking())
    assert "'openai/small'" in failure(provider, errors.UnknownModel, asking(model="small"))
    assert 2 == len(server.requests)
    monkeypatch.setattr(provider, "_completion", Mock(side_effect=ValueError("odd")))
    assert "(ValueError: odd): check the model's name" in failure(provider, errors.Unavailable)


def test_without_a_key_nothing_is_sent(server, connect):
    provider = connect(api_key=None, max_retries=2)
    assert "TEST_KEY" in failure(provider, errors.AuthError, asking(model="openai/gpt-4o-mini"))
    assert [] == server.requests


def test_neither_the_repr_nor_an_error_shows_a_key(server, connect, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.reply(status=401, error=f"Incorrect API key provided: {KEY}.")
    message = failure(connect(api_key=None), errors.AuthError, asking())

    assert "[key]" in message
    assert KEY[:9] not in message
    assert "<LiteLLM 'lite' at host>" == repr(connect("https://user:secret@host/v1"))
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "socksio", None)
    message = failure(connect("https://a.invalid/v1"), errors.SettingsError, asking())
    assert "ALL_PROXY names a SOCKS proxy ('127.0.0.1:1')" in message


def test_without_the_package_the_cure_is_its_extra(connect, monkeypatch):
    monkeypatch.setitem(sys.modules, "litellm", None)
    message = failure(connect(), errors.SettingsError, asking())
    assert "LiteLLM is not installed" in message
    assert "pip install 'nbroute[litellm]'" in message


def test_the_deadline_of_the_settings_is_kept(server, tmp_path, monkeypatch):
    server.reply(delay=30)
    monkeypatch.setenv("LITE_KEY", KEY)
    file = tmp_path / "settings.toml"
    file.write_text(
        '[providers.lite]\nkind = "litellm"\ndeadline_s = 0.3\napi_key_env = "LITE_KEY"\n'
        f'base_url = "{server.url}"\n[tiers.fast]\nprovider = "lite"\nmodel = "openai/m"\n'
    )
    with pytest.raises(errors.TimedOut, match=r"after 0\.3 s"):
        Router(settings=file).route("hi")


ASK = """
import os, sys
from nbroute.errors import Unavailable
from nbroute.providers.litellm import LiteLLM
from nbroute.types import Message, Request
before = dict(os.environ)
provider = LiteLLM(api_key='sk-none', api_base={url!r}, max_retries=0)
asked = Request('litellm', 'openai/m', (Message('user', 'hi'),), 9)
assert 'litellm' not in sys.modules
try:
    list(provider.send(asked))
except Unavailable:
    list(provider.send(asked))
changed = {{name for name in os.environ if before.get(name) != os.environ[name]}}
assert changed <= {{'TIKTOKEN_CACHE_DIR'}}, changed
assert 'litellm' in sys.modules
"""


def test_it_is_imported_with_the_first_call_reads_no_file_and_prints_nothing(server, tmp_path):
    server.reply(status=500, error="down")
    (tmp_path / ".env").write_text("FROM_A_FILE=1\n")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", ASK.format(url=server.url)]
    env = {"PYTHONPATH": str(root), "PATH": os.environ["PATH"]}
    options = {"capture_output": True, "text": True, "cwd": tmp_path, "env": env, "timeout": 60}
    done = subprocess.run(command, check=False, **options)

    assert ("", "", 0) == (done.stdout, done.stderr, done.returncode)
    assert 2 == len(server.requests)
