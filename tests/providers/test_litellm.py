"""Where LiteLLM as a library differs from what test_alike.py shows."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from calls import KEY, STREAMING, failure, said, whole
from calls import asking as asking_any

from nbroute import Router, errors
from nbroute.providers.litellm import LiteLLM
from nbroute.types import Chunk, Usage

pytestmark = [
    pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed"),
    pytest.mark.usefixtures("event_loop"),
]
COUNTED = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}


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
def test_what_litellm_thinks_an_answer_cost_is_not_a_bill(provider, stream):
    assert Usage(8, 1) == last_of(provider, model="openai/gpt-4o-mini", stream=stream).usage


# Errors


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


def test_without_the_package_the_cure_is_its_extra(connect, monkeypatch):
    monkeypatch.setitem(sys.modules, "litellm", None)
    message = failure(connect(), errors.SettingsError, asking())
    assert "LiteLLM is not installed" in message
    assert "pip install 'nbroute[litellm]'" in message


def test_the_deadline_of_the_settings_is_kept(server, tmp_path, monkeypatch):
    server.reply(delay=30)
    monkeypatch.setenv("LITE_KEY", KEY)
    (tmp_path / "settings.toml").write_text(
        '[providers.lite]\nkind = "litellm"\ndeadline_s = 0.3\napi_key_env = "LITE_KEY"\n'
        f'base_url = "{server.url}"\n[tiers.fast]\nprovider = "lite"\nmodel = "openai/m"\n'
    )
    with pytest.raises(errors.TimedOut, match=r"after 0\.3 s"):
        Router(settings=tmp_path / "settings.toml").route("hi")


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
import litellm, logging
quiet = (litellm.suppress_debug_info, litellm.disable_streaming_logging)
assert (True, True, False) == (*quiet, litellm.telemetry), quiet
assert logging.CRITICAL == logging.getLogger('LiteLLM').level
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


# What litellm is given, and what it may give: a stand-in for its `completion`


@pytest.fixture
def given(monkeypatch):
    """What litellm was asked; it gives what `answers` has, or raises it."""

    def completion(**asked):
        asked_for.append(asked)
        answer = asked_for.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    asked_for = type("Given", (list,), {"answers": []})()
    monkeypatch.setattr("litellm.completion", completion)
    return asked_for


def dumped(event, **attributes):
    return SimpleNamespace(model_dump=lambda: copy.deepcopy(event), **attributes)


def test_litellm_is_asked_once_for_what_was_asked_and_the_whole_answer_is_read(given):
    choice = whole("Par", "stop", tool_calls=None)["body"]["choices"][0]
    answer = {"choices": [choice], "model": "m-2026", "usage": COUNTED, "id": "a1"}
    cut = choice | {"provider_specific_fields": {"native_finish_reason": "max_tokens"}}
    billed = {"additional_headers": {"llm_provider-x-litellm-response-cost": 0.25}}
    given.answers += [dumped(answer), dumped(answer | {"choices": [cut]}, _hidden_params=billed)]
    plain, proxied = LiteLLM(), LiteLLM("lite", api_key=KEY, api_base="http://h/v1", timeout_s=3)
    first, second = (list(one.send(asking(stream=False))) for one in (plain, proxied))

    ours = {"api_key": None, "api_base": None, "timeout": 60.0}
    theirs = {"api_key": KEY, "api_base": "http://h/v1", "timeout": 3}
    system = {"role": "system", "content": "Be brief."}
    user = {"role": "user", "content": "What is the capital of France?"}
    sent = {"model": "openai/some-model", "messages": [system, user], "max_tokens": 64}
    sent |= {"stream": False, "max_retries": 0, "drop_params": True}
    assert [sent | ours, sent | theirs] == given
    assert [Chunk("Par", Usage(8, 2), "stop", "m-2026", id="a1")] == first
    usage = Usage(8, 2, billed_usd=Decimal("0.25"))
    assert [Chunk("Par", usage, "length", "m-2026", id="a1")] == second
    assert ("litellm", "remote", 600.0) == (plain.name, plain.kind, plain.deadline_s)
    assert ([], "<LiteLLM 'litellm' at litellm>") == (plain.secrets(), repr(plain))
    assert ([KEY], 30) == (proxied.secrets(), proxied.deadline_s)


class Stream:
    """litellm's stream: it adds an end of its own, and empty events."""

    def __init__(self, *events, reason="length", received=None, chunks=()):
        self.events = [dumped(said("") | {"usage": None}), *map(dumped, events)]
        self.events.append(dumped(said(None, "stop", usage=COUNTED)))
        self.chunks = [dumped(one) for one in chunks]
        self.received_finish_reason, self.intermittent_finish_reason = received, reason
        self.completion_stream = Mock()

    def __iter__(self):
        return iter(self.events)


def test_a_streams_own_end_and_count_are_used_and_the_connection_is_closed(given):
    piece, counted = said("Paris", id="a1", model="m"), {"usage": COUNTED | {"prompt_tokens": 9}}
    given.answers += [Stream(piece), Stream(piece, received="stop", chunks=[counted])]
    given.answers += [Stream(piece, reason=None)]
    streams, provider = list(given.answers), LiteLLM("lite", api_base="http://h/v1")
    estimated, told = (list(provider.send(asking())) for _ in range(2))
    broken = failure(LiteLLM(), errors.Unavailable, asking())

    said_first = Chunk("Paris", id="a1")
    end = Chunk("", Usage(8, 2, estimated=True), "length", "m", id="a1")
    assert [said_first, end] == estimated
    assert [said_first, replace(end, usage=Usage(9, 2), finish_reason="stop")] == told
    half = "the answer of 'openai/some-model' from litellm broke off half-way: ask again"
    assert f"Unavailable: {half}" == broken
    assert [1, 1, 1] == [one.completion_stream.close.call_count for one in streams]


def raised(name, words="", cause=None, *, base=Exception, status=500, **attributes):
    error = type(name, (base,), {"status_code": status} | attributes)(words)
    error.__cause__ = cause
    return error


def with_message(message, status):
    error = Exception("x")
    error.message, error.status_code = message, status
    return error


AUTH, LIMITED = "AuthError: host answered 401 to 'v/m': ", "RateLimited: host answered 429 to 'v/m'"
INSTEAD = "BadReply: host sent an error instead of an answer from 'v/m': "
UNREAD = "BadReply: litellm cannot read what host sent instead of an answer from 'v/m' "
NONE = "Unavailable: litellm could not get an answer from 'v/m' "
#: Words with which litellm says that the connection failed, and what ours begin with.
WORDS = {
    "X: LLM Provider NOT provided. x": "UnknownModel: litellm does not know whose model 'v/m' is: "
    "write the vendor before it, as in 'openai/v/m' (https://docs.litellm.ai/docs/providers)",
    "litellm.X: AuthError: OpenAIException - Missing credentials": f"{AUTH}Missing credentials. ",
    "litellm.Y: VertexException - Missing Vertex API Key": f"{AUTH}Missing Vertex API Key. ",
    "litellm.Y: set the api_key client option": f"{AUTH}set the api_key client option. ",
    "name resolution failed": "Unavailable: no connection to host (name resolution failed): ",
    "connection refused": "Unavailable: no connection to host (connection refused): ",
    "Received: '<html><title>Hi</title>\n' invalid response": "BadReply: host answered with a web "
    "page (HTML) called 'Hi' instead of an answer: check base_url 'https://host/v1', ",
    "litellm.Y: error - no id, Received response: x": f"{UNREAD}(no id): check base_url ",
    "invalid response Traceback (most recent": f"{UNREAD}(no choices in it): check base_url ",
    "surrogates not allowed": "RequestRejected: the prompt has a character that cannot be sent ",
    "is repeating the same chunk = a": "BadReply: litellm stopped the answer of 'v/m' from host, ",
    "litellm.X: odd": f"{NONE}(APIConnectionError: odd): check the model's name and its ",
}
LIMIT = raised("RateLimitError", "litellm.X: XError: Error code: 429 - slow", status=429)
LOST = raised("InternalServerError", "Connection error.", raised("TransportError", "down"))
PROXY = raised("APIError", "Unknown scheme for proxy URL", ImportError("socksio"))
RAISED = [
    *((raised("APIConnectionError", words), told) for words, told in WORDS.items()),
    (raised("X", base=type("APITimeoutError", (Exception,), {})), "TimedOut: no answer came "),
    (LOST, "Unavailable: no connection to host (down): "),
    (PROXY, "SettingsError: no connection to host can be made: ImportError while proxies "),
    (
        raised("X", "invalid response", raised("JSONDecodeError", doc="{half")),
        "BadReply: host answered 'v/m' with JSON that is cut off or damaged ({half): ",
    ),
    (LIMIT, f"{LIMITED}: slow. "),
    (raised("X", "x", original_exception=raised("Y", "slow", status=429)), f"{LIMITED}: slow. "),
    (ValueError(""), f"{NONE}(ValueError: no message): "),
    (raised("APIError", status=None, body={"message": "gone"}), f"{INSTEAD}gone. "),
    (
        raised("X", "finish_reason: error"),
        f"{INSTEAD}it failed half-way (finish_reason 'error'). ",
    ),
    (with_message("none", 404), f"UnknownModel{INSTEAD[8:]}none. "),
    (raised("APIError", "slow", status=429, body={"message": "x"}), f"{LIMITED}: slow. "),
]


@pytest.mark.parametrize(("error", "told"), RAISED, ids=range(len(RAISED)))
def test_what_litellm_raises_is_an_error_in_our_words_with_a_cure(given, error, told):
    given.answers.append(error)
    options = {"api_key": KEY, "api_key_env": "TEST_KEY", "max_retries": 0}
    provider = LiteLLM("lite", api_base="https://me:secret@host/v1", **options)
    kind = getattr(errors, told.partition(":")[0])
    assert failure(provider, kind, asking(model="v/m")).startswith(told)
