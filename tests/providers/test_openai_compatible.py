"""The openai SDK against a real HTTP server on loopback."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Loopback, Reply

from nbroute.checks.structured import read_schema
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
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.types import Chunk, Message, Request, Usage

KEY = "sk-test-0123456789abcdef"
STREAMING = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


@pytest.fixture
def provider(connect):
    return connect()


def asking(prompt="What is the capital of France?", *, model="some/model", **parts):
    messages = (Message("system", "Be brief."), Message("user", prompt))
    return Request("test", model, messages, **{"max_tokens": 64} | parts)


def text_of(chunks):
    return "".join(chunk.text for chunk in chunks)


def failure(provider, kind, request=None):
    with pytest.raises(kind) as caught:
        list(provider.send(request or asking()))
    assert kind is type(caught.value)
    return str(caught.value)


def test_a_server_on_this_machine_is_not_looked_for_behind_a_proxy(server, connect, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert "ok" == text_of(connect().send(asking()))


def test_a_host_whose_name_only_begins_like_this_machines_goes_through_the_proxy(
    connect, monkeypatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    provider = connect("http://127.example.com/v1")

    assert "through the proxy 127.0.0.1:9" in failure(provider, Unavailable)


# Answers


def test_a_stream_comes_in_pieces_and_the_rest_at_the_end(server, provider):
    server.reply(text="Paris, of course.", model="some/model-2026")

    *pieces, last = provider.send(asking())

    assert ["Paris, ", "of ", "course."] == [piece.text for piece in pieces]
    assert Chunk("", Usage(8, 3), "stop", "some/model-2026", id="chatcmpl-loopback") == last


def test_without_streaming_all_comes_in_one_chunk(server, provider):
    server.reply(text="Paris.")

    assert [Chunk("Paris.", Usage(8, 1), "stop", "some/model", id="chatcmpl-loopback")] == list(
        provider.send(asking(stream=False))
    )


def test_what_is_sent_is_the_request(server, provider):
    list(provider.send(asking(temperature=0.5, json=True)))

    assert {
        "model": "some/model",
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


@STREAMING
def test_a_usage_that_did_not_arrive_is_none_and_not_zero(server, provider, stream):
    server.reply(usage=None)

    assert list(provider.send(asking(stream=stream)))[-1].usage is None


def test_a_refusal_in_a_field_of_its_own_is_the_text(server, provider):
    message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
    server.reply(body={"choices": [{"message": message, "finish_reason": "stop"}]})

    assert "I cannot help with that." == text_of(provider.send(asking(stream=False)))


def test_content_in_parts_is_joined(server, provider):
    content = [{"type": "thinking"}, {"type": "text", "text": "Par"}, {"text": "is."}]
    server.reply(body={"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})

    assert "Paris." == text_of(provider.send(asking(stream=False)))


def test_an_endpoint_that_does_not_stream_is_read_as_a_whole(server, provider):
    message = {"role": "assistant", "content": "Paris."}
    server.reply(body={"choices": [{"message": message, "finish_reason": "stop"}]})

    assert "Paris." == text_of(provider.send(asking(stream=True)))


def test_emoji_right_to_left_and_control_characters_go_there_and_back(server, provider):
    text = "🇫🇷 שלום \x00\x07 <script>"
    server.handler = lambda sent: Reply(text=sent["messages"][-1]["content"])

    assert text == text_of(provider.send(asking(text)))


def test_many_threads_share_one_client(server, provider):
    server.handler = lambda sent: Reply(text=sent["messages"][-1]["content"])
    prompts = [f"prompt {number}" for number in range(40)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda prompt: text_of(provider.send(asking(prompt))), prompts))

    assert prompts == answers


def test_the_models_of_the_endpoint_are_listed(server, provider):
    server.models = ("smollm2:135m", "llama3.2")

    assert ["smollm2:135m", "llama3.2"] == provider.models()


def test_an_endpoint_without_a_key_gets_none_of_ours(server, connect):
    assert "ok" == text_of(connect(api_key=None, api_key_env=None).send(asking()))
    assert "Bearer none" == server.requests[0].headers["authorization"]


def test_importing_the_provider_does_not_import_the_sdk():
    code = "import sys, nbroute.providers.openai_compatible; sys.exit('openai' in sys.modules)"

    root = Path(__file__).parents[2]
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False, cwd=root).returncode


# Parameters that an endpoint does not take


def only_taking(*names):
    """An endpoint that refuses all parameters but these, as OpenAI words it."""

    def handler(sent):
        taken = {"model", "messages", "stream", *names}
        refused = next((name for name in sent if name not in taken), None)
        if refused is None:
            return Reply()
        instead = " Use 'max_completion_tokens' instead." if refused == "max_tokens" else ""
        return Reply(
            status=400,
            error=f"Unsupported parameter: '{refused}' is not supported with this model.{instead}",
        )

    return handler


def parameters(server, name):
    return [name in seen.json for seen in server.requests]


def test_the_token_parameter_is_swapped_and_remembered(server, provider):
    server.handler = only_taking("max_completion_tokens", "stream_options")

    list(provider.send(asking()))
    list(provider.send(asking()))

    assert [True, False, False] == parameters(server, "max_tokens")
    assert [64, 64] == [seen.json["max_completion_tokens"] for seen in server.requests[1:]]


def test_what_one_model_takes_says_nothing_of_another(server, provider):
    server.handler = only_taking("max_completion_tokens", "stream_options")

    list(provider.send(asking(model="one")))
    list(provider.send(asking(model="two")))

    assert [True, False, True, False] == parameters(server, "max_tokens")


def test_the_token_parameter_can_be_set(server, connect):
    list(connect(token_parameter="max_completion_tokens").send(asking()))

    assert [True] == parameters(server, "max_completion_tokens")


def test_the_swap_works_the_other_way_round(server, connect):
    server.handler = only_taking("max_tokens", "stream_options")

    list(connect(token_parameter="max_completion_tokens").send(asking()))

    assert [False, True] == parameters(server, "max_tokens")


@pytest.mark.parametrize(
    ("base_url", "parameter"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://openrouter.ai/api/v1", "max_tokens"),
        ("http://localhost:11434/v1", "max_tokens"),
    ],
)
def test_only_openai_itself_gets_its_newer_token_parameter(
    connect, monkeypatch, base_url, parameter
):
    sent = {}

    def post(_sdk, _path, *, body, **_options):
        sent.update(body)
        raise Unavailable("far away")

    monkeypatch.setattr(openai.OpenAI, "post", post)

    failure(connect(base_url), Unavailable, asking(stream=False))
    assert {parameter} == {name for name in sent if name.endswith("_tokens")}


def test_a_temperature_that_the_model_does_not_take_is_dropped_and_remembered(server, provider):
    server.handler = only_taking("max_tokens", "stream_options")

    list(provider.send(asking(temperature=0.2)))
    list(provider.send(asking()))
    list(provider.send(asking(temperature=0.2)))

    assert [True, False, False, False] == parameters(server, "temperature")


def test_a_temperature_out_of_range_is_an_error_and_not_dropped(server, provider):
    server.reply(status=400, error="Invalid 'temperature': expected a value <= 2, but got 5.")

    assert "expected a value <= 2" in failure(provider, RequestRejected, asking(temperature=5.0))
    assert 1 == len(server.requests)


def test_three_parameters_are_learnt_in_one_call(server, provider):
    server.handler = only_taking("max_completion_tokens")

    assert "ok" == text_of(provider.send(asking(temperature=0.2)))
    assert 4 == len(server.requests)


def test_an_endpoint_that_takes_neither_token_parameter_is_asked_twice_only(server, provider):
    server.handler = only_taking("stream_options")

    assert "'max_completion_tokens'" in failure(provider, RequestRejected)
    assert 2 == len(server.requests)


def test_a_guess_that_did_not_help_is_not_remembered(server, provider):
    server.handler = only_taking("stream_options")
    failure(provider, RequestRejected)
    server.handler = None

    list(provider.send(asking()))

    assert "max_tokens" in server.requests[-1].json


# Structured output

CITY = {
    "type": "object",
    "title": "City facts!",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
    "additionalProperties": False,
}


def formats(server):
    return [seen.json.get("response_format", {}).get("type") for seen in server.requests]


def test_a_schema_is_asked_of_the_endpoint(server, provider):
    text = text_of(provider.send(asking(schema=CITY, json=True)))

    assert {
        "type": "json_schema",
        "json_schema": {"name": "City_facts", "schema": CITY, "strict": True},
    } == server.requests[0].json["response_format"]
    assert {"name": "ok", "people": 1} == json.loads(text)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        CITY | {"required": ["name"]},
        CITY | {"properties": CITY["properties"] | {"people": {"type": "string", "minLength": 1}}},
        {"type": "array", "items": CITY},
        {"anyOf": [CITY, {"type": "null"}]},
        CITY | {"$defs": {"inner": {"type": "object", "properties": {"a": {}}}}},
        {"type": "object", "properties": {"rest": True}, "additionalProperties": False},
        {},
        {"type": "object"},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "string", "format": "uri"},
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    ],
)
def test_a_schema_that_breaks_openais_strict_rules_is_not_called_strict(server, provider, schema):
    server.reply()
    list(provider.send(asking(schema=schema)))

    named = server.requests[0].json["response_format"]["json_schema"]

    assert {"schema": schema} == {key: named[key] for key in named if key != "name"}


@pytest.mark.parametrize(
    ("title", "name"),
    [("Bücher und mehr", "B_cher_und_mehr"), ("x" * 99, "x" * 64), ("…", "answer")],
)
def test_a_schemas_name_is_one_that_openai_takes(server, provider, title, name):
    list(provider.send(asking(schema=CITY | {"title": title})))

    assert name == server.requests[0].json["response_format"]["json_schema"]["name"]


def test_a_schema_whose_parts_all_keep_the_strict_rules_is_strict(server, provider):
    street = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    parts = {
        "cities": {"type": "array", "items": CITY},
        "street": {"anyOf": [{"$ref": "#/$defs/street"}, {"type": "null"}]},
    }
    schema = CITY | {"properties": parts, "required": [*parts], "$defs": {"street": street}}

    list(provider.send(asking(schema=schema)))

    assert server.requests[0].json["response_format"]["json_schema"]["strict"]


def test_an_endpoint_without_schemas_is_asked_for_json_and_that_is_remembered(server, provider):
    server.refuse("json_schema")

    assert '{"answer": "ok"}' == text_of(provider.send(asking(schema=CITY)))
    list(provider.send(asking(schema=CITY | {"title": "another"})))

    assert ["json_schema", "json_object", "json_object"] == formats(server)


def test_an_endpoint_with_no_structured_output_is_left_to_the_words_of_the_prompt(server, provider):
    server.refuse("json_schema", "json_object")

    assert "ok" == text_of(provider.send(asking(schema=CITY)))
    list(provider.send(asking(json=True)))

    assert ["json_schema", "json_object", None, None] == formats(server)


def test_json_mode_that_is_refused_is_dropped(server, provider):
    server.reply(status=400, error="'response_format.type' must be 'json_schema' or 'text'")

    assert "ok" == text_of(provider.send(asking(json=True)))
    list(provider.send(asking(json=True)))

    assert ["json_object", None, None] == formats(server)


def test_json_mode_is_not_asked_for_a_schema_that_is_no_object(server, provider):
    server.refuse("json_schema")

    list(provider.send(asking(schema={"type": "array", "items": {"type": "integer"}})))

    assert ["json_schema", None] == formats(server)


OBJECTS_ONLY = (
    "Invalid schema for response_format 'answer': schema must be a JSON Schema of "
    "'type: \"object\"', got 'type: \"array\"'."
)


def only_objects(sent):
    """What OpenAI does with a schema whose root is not an object; others are filled in."""
    schema = sent["response_format"]["json_schema"]["schema"]
    if schema.get("type") != "object":
        return Reply(status=400, error=OBJECTS_ONLY)
    return Reply(text='{"value": [1, 2]}')


def test_a_root_that_is_no_object_stands_under_value_where_the_endpoint_takes_objects_alone(
    server, provider
):
    server.handler = only_objects
    schemas = [read_schema(spec) for spec in (list[int], {"type": "array"}, list[int] | None)]

    parsed = [s.parse(text_of(provider.send(asking(schema=s.json_schema)))) for s in schemas]

    sent = [seen.json["response_format"]["json_schema"] for seen in server.requests]
    assert [[1, 2]] * 3 == parsed
    assert ["array", "object", "object", "object"] == [one["schema"]["type"] for one in sent]
    assert {
        "type": "object",
        "properties": {"value": {"type": "array", "items": {"type": "integer"}}},
        "required": ["value"],
        "additionalProperties": False,
    } == sent[1]["schema"]
    assert sent[1]["strict"]


def test_the_references_of_a_schema_under_value_still_find_their_place(server, provider):
    server.handler = only_objects
    tree = {"type": "array", "items": {"anyOf": [{"$ref": "#"}, {"$ref": "#/$defs/leaf"}]}}
    tree["$defs"] = {"leaf": {"type": "integer"}}

    list(provider.send(asking(schema=tree)))

    schema = server.requests[1].json["response_format"]["json_schema"]["schema"]
    assert [1, [2]] == read_schema(schema).parse('{"value": [1, [2]]}')["value"]
    with pytest.raises(ValueError, match="'a'"):
        read_schema(schema).parse('{"value": [1, ["a"]]}')


@pytest.mark.parametrize(
    "words",
    [
        "Invalid schema for response_format 'answer': 'required' is required to be supplied.",
        "JSON schema conversion failed: Unrecognized schema",
        "Failed to initialize samplers: failed to parse grammar",
    ],
)
def test_a_refused_schema_says_nothing_of_other_schemas(server, provider, words):
    server.reply(status=400, error=words)

    for schema in (CITY, CITY, CITY | {"title": "another"}):
        list(provider.send(asking(schema=schema)))

    assert ["json_schema", "json_object", "json_object", "json_schema"] == formats(server)


# Log-probabilities


def logprobs_of(chunks):
    return [value for chunk in chunks for value in chunk.logprobs]


@STREAMING
def test_log_probabilities_are_asked_for_and_read(server, provider, stream):
    server.reply(text="Paris, of course.", chunks=["Paris, ", "of course."], logprobs=[-0.5, -2])

    chunks = list(provider.send(asking(stream=stream, logprobs=True)))

    assert server.requests[0].json["logprobs"] is True
    assert [-0.5, -2.0] == logprobs_of(chunks)


def test_log_probabilities_are_not_asked_for_unless_wanted(server, provider):
    list(provider.send(asking()))

    assert [False] == parameters(server, "logprobs")


@pytest.mark.parametrize("status", [400, 403])
def test_a_model_that_does_not_tell_log_probabilities_answers_without(server, provider, status):
    server.reply(status=status, error="You are not allowed to request logprobs from this model")

    assert [] == logprobs_of(provider.send(asking(logprobs=True)))
    list(provider.send(asking(logprobs=True)))

    assert [True, False, False] == parameters(server, "logprobs")


@pytest.mark.parametrize("value", [None, "high", True, float("nan"), 10**400])
def test_log_probabilities_that_are_none_are_left_out(server, provider, value):
    content = [{"token": "a", "logprob": -1.0}, {"token": "b", "logprob": value}]
    choice = {"message": {"content": "ab"}, "logprobs": {"content": content}}
    server.reply(body={"choices": [choice | {"finish_reason": "stop"}]})

    assert [] == logprobs_of(provider.send(asking(stream=False, logprobs=True)))


# What an answer cost, afterwards


def test_the_answers_id_comes_with_the_first_piece_of_a_stream_that_breaks_off(server, provider):
    server.reply(text="one two three", id="gen-1", cut_after=1)
    pieces = provider.send(asking())

    assert ("one ", "gen-1") == ((first := next(pieces)).text, first.id)
    with pytest.raises(Unavailable):
        list(pieces)


def test_the_id_is_known_before_there_is_any_text(server, provider):
    events = (
        'data: {"id": "gen-7", "choices": [{"delta": {"role": "assistant"}}]}\n\n'
        'data: {"id": "gen-7", "choices": [{"delta": {"content": "Paris."}}]}\n\n'
        'data: {"id": "gen-7", "choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
    )
    server.reply(body=events, content_type="text/event-stream")

    assert [("", "gen-7"), ("Paris.", "gen-7"), ("", "gen-7")] == [
        (piece.text, piece.id) for piece in provider.send(asking())
    ]


def test_a_generation_is_settled_from_openrouters_books(server, provider):
    server.generations["gen-1"] = {
        "total_cost": 0.00049,
        "tokens_prompt": 10,
        "tokens_completion": 25,
        "native_tokens_prompt": 12,
        "native_tokens_completion": 30,
        "native_tokens_cached": 4,
    }

    assert Usage(12, 30, 4, Decimal("0.00049")) == provider.settle("gen-1")
    assert "/v1/generation?id=gen-1" == server.requests[0].path
    assert f"Bearer {KEY}" == server.requests[0].headers["authorization"]


def test_a_generation_that_is_not_in_the_books_yet_is_none_at_first(server, provider):
    server.generations["gen-1"] = {
        "total_cost": 0.1,
        "tokens_prompt": 2,
        "tokens_completion": 3,
        "native_tokens_prompt": None,
        "is_byok": True,
        "upstream_inference_cost": 0.2,
    }
    server.generation_misses = 1

    assert [None, Usage(2, 3, 0, Decimal("0.3"))] == [provider.settle("gen-1") for _ in range(2)]


def test_a_cancelled_generation_without_counts_still_has_its_bill(server, provider):
    server.generations["gen-1"] = {"total_cost": 0.1, "tokens_prompt": None}

    assert Usage(0, 0, 0, Decimal("0.1"), estimated=True) == provider.settle("gen-1")


@pytest.mark.parametrize(
    "reply",
    [
        {"status": 404, "error": "Not Found"},
        {"status": 405, "error": "Method Not Allowed"},
        {"html": True},
        {"body": {"data": {"total_cost": None}}},
        {"body": {}},
        {"body": []},
    ],
)
def test_an_endpoint_that_keeps_no_books_settles_nothing(server, provider, reply):
    server.reply(**reply)

    assert provider.settle("chatcmpl-1") is None


def test_a_refused_key_is_told_when_settling(server, provider):
    server.reply(status=401, error=f"no such key {KEY}")

    with pytest.raises(AuthError, match=r"\[key\].* TEST_KEY"):
        provider.settle("gen-1")


# Other roads of the endpoint


def test_a_post_gives_the_endpoints_json(server, provider):
    answer = provider.post("/embeddings", {"model": "small", "input": ["a b", "b a"]})

    first, second = (row["embedding"] for row in answer["data"])
    assert (first, 16) == (second, len(first))
    assert {"prompt_tokens": 4, "total_tokens": 4} == answer["usage"]


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        ({"status": 404, "error": "no model"}, UnknownModel, "'small'"),
        ({"status": 400, "error": "too long"}, RequestRejected, "too long"),
        ({"status": 503, "error": "busy"}, Unavailable, "busy"),
        ({"html": True}, BadReply, "web page"),
        ({"error": "overloaded"}, BadReply, "overloaded"),
    ],
)
def test_a_post_that_fails_is_a_provider_error(server, provider, reply, kind, says):
    server.embedding_reply(**reply)

    with pytest.raises(kind, match=says):
        provider.post("/embeddings", {"model": "small", "input": ["a"]})


def test_a_post_without_a_key_sends_nothing(server, connect):
    with pytest.raises(AuthError, match="TEST_KEY"):
        connect(api_key="").post("/embeddings", {"model": "small"})
    assert [] == server.requests


# Errors that the endpoint tells


@STREAMING
@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (401, AuthError, "TEST_KEY"),
        (402, QuotaUsedUp, "credit"),
        (403, AuthError, "TEST_KEY"),
        (404, UnknownModel, "'some/model'"),
        (408, TimedOut, "fallback"),
        (409, Unavailable, "Try again"),
        (413, ContextTooLong, "Shorten"),
        (418, RequestRejected, "418"),
        (429, RateLimited, "fallback"),
        (500, Unavailable, "fallback"),
        (503, Unavailable, "fallback"),
    ],
)
def test_a_status_becomes_an_error_with_the_servers_words_and_a_cure(
    server, stream, status, kind, says
):
    server.reply(status=status, error="the server's own words about the model")
    provider = OpenAICompatible("test", server.url, KEY, max_retries=0, api_key_env="TEST_KEY")

    message = failure(provider, kind, asking(stream=stream))
    provider.close()

    assert "the server's own words" in message
    assert says in message
    assert server.host in message


def test_a_bad_key_and_a_bad_request_stop_the_fallback_chain_and_others_do_not():
    assert not AuthError.try_next
    assert not RequestRejected.try_next
    assert UnknownModel.try_next


def test_a_model_that_is_refused_with_400_is_unknown_and_not_a_bad_request(server, provider):
    server.reply(status=400, error="some/model is not a valid model ID")

    assert "not a valid model ID" in failure(provider, UnknownModel)


def test_a_wrong_base_url_says_to_check_base_url(server, connect):
    wrong = f"http://{server.host}/wrong"

    message = failure(connect(wrong), UnknownModel)

    assert f"base_url, which is {wrong!r}" in message


def test_an_unknown_model_does_not_speak_of_base_url(server, provider):
    server.reply(status=404, error="The model `some/model` does not exist")

    assert "base_url" not in failure(provider, UnknownModel)


def test_what_the_provider_behind_a_proxy_said_is_told(server, provider):
    metadata = {"raw": "prompt is too long: 210000 tokens", "provider_name": "Upstream"}
    error = {"message": "Provider returned error", "code": 400, "metadata": metadata}
    server.reply(status=400, body={"error": error})

    assert "Provider returned error: prompt is too long" in failure(provider, ContextTooLong)


def test_a_long_message_of_many_lines_becomes_one_short_line(server, provider):
    server.reply(status=500, error="line\n\x1b[31m" * 1000)

    message = failure(provider, Unavailable)

    assert len(message) < 600
    assert message.isprintable()


def test_a_gateways_html_error_is_called_so_and_not_quoted(server, provider):
    server.reply(status=502, html=True, body="<html>", error=None)

    message = failure(provider, Unavailable)

    assert "a web page (HTML)" in message
    assert "<" not in message


def test_the_sdk_retries_and_honours_retry_after(server, connect):
    server.reply(status=429, error="slow down", headers={"Retry-After": "0.01"})
    server.reply(status=503, error="busy", headers={"Retry-After": "0.01"})

    assert "ok" == text_of(connect(max_retries=2).send(asking()))
    assert 3 == len(server.requests)


# Keys


@pytest.mark.parametrize("key", [None, ""])
def test_a_missing_key_names_the_variable_and_sends_nothing(server, connect, key):
    assert "set the environment variable TEST_KEY" in failure(connect(api_key=key), AuthError)
    assert [] == server.requests


@pytest.mark.parametrize("key", [" ", f"{KEY}\n", "sk-schlüssel", "sk test", "sk-\u200babc"])
def test_a_key_that_cannot_be_sent_is_told_and_sends_nothing(server, connect, key):
    message = failure(connect(api_key=key), AuthError)

    assert "TEST_KEY" in message
    assert key.strip() == "" or key.strip() not in message
    assert [] == server.requests


@STREAMING
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_key_that_the_server_echoes_does_not_reach_the_error(server, connect, stream, status):
    provider = connect()
    error = f"Incorrect API key provided: {KEY}, or {KEY[:10]}*****. Header 'Bearer {KEY}'"
    server.reply(status=status, error=error)

    with pytest.raises(ProviderError) as caught:
        list(provider.send(asking(stream=stream)))

    assert "[key]" in str(caught.value)
    assert KEY[:9] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_neither_the_repr_nor_the_log_shows_the_key(server, connect, caplog):
    provider = connect(base_url=server.url.replace("//", "//user:secret@"))
    with caplog.at_level(logging.DEBUG):
        list(provider.send(asking()))

    assert f"<OpenAICompatible 'test' at {server.host}>" == repr(provider)
    assert KEY not in caplog.text


# No answer, or half of one


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_host_that_does_not_exist_is_no_connection(connect):
    message = failure(connect("http://no-such-host.invalid/v1"), Unavailable)

    assert "no connection to no-such-host.invalid" in message


def test_models_of_an_endpoint_that_does_not_run_are_unavailable(connect):
    with pytest.raises(Unavailable, match="is it running"):
        connect(f"http://127.0.0.1:{free_port()}/v1").models()


@pytest.mark.parametrize("base_url", ["openrouter.ai/api/v1", "", "ftp://host/v1", "https://"])
def test_a_base_url_that_is_none_is_a_settings_error(base_url):
    with pytest.raises(SettingsError, match="not a web address; write it like"):
        OpenAICompatible("test", base_url, KEY)


@STREAMING
def test_a_connection_that_is_accepted_and_never_served_times_out(connect, stream):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"

        assert "no answer came" in failure(
            connect(url, timeout_s=0.2), TimedOut, asking(stream=stream)
        )


@pytest.mark.parametrize("parts", [{"done": False}, {"usage": None}])
def test_a_stream_that_ends_with_no_finish_reason_broke_off_too(server, provider, parts):
    server.reply(text="one two", finish_reason=None, **parts)

    assert "broke off half-way" in failure(provider, Unavailable)


def test_an_answer_that_is_cut_before_it_began_is_no_connection(server, provider):
    server.reply(cut_after=0)

    assert "no connection" in failure(provider, Unavailable, asking(stream=False))


# Answers that are none


@STREAMING
def test_a_gateways_page_with_status_200_is_a_bad_reply(server, provider, stream):
    server.reply(html=True)

    message = failure(provider, BadReply, asking(stream=stream))

    assert "a web page (HTML)" in message
    assert f"base_url {server.url!r}" in message


@STREAMING
@pytest.mark.parametrize("body", [b"{half", b"\xff\xfe", b"", b'"text"', b"null", b"[]", b"7"])
def test_json_that_is_no_answer_is_a_bad_reply(server, provider, stream, body):
    server.reply(body=body)

    failure(provider, BadReply, asking(stream=stream))


@STREAMING
@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": None}, {"choices": {"a": 1}}])
def test_no_choices_is_a_bad_reply(server, provider, stream, body):
    server.reply(body=body)

    assert "no choices" in failure(provider, BadReply, asking(stream=stream))


def test_a_stream_with_nothing_in_it_is_a_bad_reply(server, provider):
    server.reply(chunks=[], finish_reason=None)

    assert "no choices" in failure(provider, BadReply)


def test_a_piece_of_a_stream_that_does_not_parse_is_a_bad_reply(server, provider):
    server.reply(body="data: {half\n\n", content_type="text/event-stream")

    assert "cut off or damaged" in failure(provider, BadReply)


@STREAMING
def test_an_error_inside_a_200_is_a_bad_reply(server, provider, stream):
    server.reply(error="upstream is overloaded")

    assert "upstream is overloaded" in failure(provider, BadReply, asking(stream=stream))


def test_an_error_in_mid_stream_is_a_bad_reply(server, provider):
    events = (
        'data: {"choices": [{"delta": {"content": "Par"}}]}\n\n'
        'data: {"error": {"code": 502, "message": "upstream went away"}}\n\n'
    )
    server.reply(body=events, content_type="text/event-stream")
    pieces = provider.send(asking())

    assert "Par" == next(pieces).text
    with pytest.raises(BadReply, match="upstream went away"):
        list(pieces)


@STREAMING
@pytest.mark.parametrize("text", ["", " \n "])
def test_an_empty_answer_is_a_bad_reply_whose_usage_is_known(server, provider, stream, text):
    server.reply(text=text, usage={"prompt_tokens": 8, "completion_tokens": 2})
    pieces = provider.send(asking(stream=stream))
    usage = next(piece.usage for piece in pieces if piece.usage)

    with pytest.raises(BadReply, match="empty answer"):
        next(pieces)
    assert Usage(8, 2) == usage


@STREAMING
def test_a_budget_used_up_before_any_text_is_told_apart(server, provider, stream):
    server.reply(text="", finish_reason="length")

    message = failure(provider, BadReply, asking(stream=stream, max_tokens=17))

    assert "budget of 17 tokens" in message
    assert "empty answer" not in message


@STREAMING
def test_a_content_filter_that_withholds_all_is_told_apart(server, provider, stream):
    server.reply(text="", finish_reason="content_filter")

    assert "content filter" in failure(provider, BadReply, asking(stream=stream))


def test_models_of_a_page_are_a_bad_reply(server, provider):
    server.reply(html=True)

    with pytest.raises(BadReply, match="web page"):
        provider.models()


SHAPE = {
    "choices": [
        {
            "message": {"content": "", "refusal": "", "logprob": 0},
            "delta": {},
            "finish_reason": "stop",
            "logprobs": {},
        }
    ],
    "id": "",
    "data": {"total_cost": 0},
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {}, "cost": 0},
    "model": "",
    "error": {},
}
FIELDS = sorted({*SHAPE, *SHAPE["choices"][0], *SHAPE["choices"][0]["message"], *SHAPE["usage"]})
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=ANY_JSON, status=st.sampled_from([200, 400, 404, 429, 500]), stream=st.booleans())
def test_whatever_an_endpoint_answers_only_provider_errors_come_out(
    server, provider, body, status, stream
):
    server.reply(status=status, body=body if body is not None else b"null")

    try:
        chunks = list(provider.send(asking(stream=stream)))
    except ProviderError:
        return
    assert text_of(chunks).strip()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=st.lists(ANY_JSON, max_size=3))
def test_whatever_a_stream_holds_only_provider_errors_come_out(server, provider, events):
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    server.reply(body=body, content_type="text/event-stream")

    try:
        chunks = list(provider.send(asking()))
    except ProviderError:
        return
    assert text_of(chunks).strip()


def test_closing_the_server_ends_a_client_that_waits():
    with Loopback() as server, ThreadPoolExecutor(1) as pool:
        provider = OpenAICompatible("test", server.url, KEY, max_retries=0)
        server.reply(text="one two", stall_after=1)
        pieces = provider.send(asking())
        next(pieces)
        waiting = pool.submit(list, pieces)
        server.close()
        error = waiting.exception(timeout=5)
    provider.close()

    assert Unavailable is type(error)
