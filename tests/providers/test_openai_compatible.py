"""What the openai SDK sends and reads, against a real HTTP server on loopback."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import openai
import pytest
from calls import KEY, STREAMING, asking, events, failure, said, text_of, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Reply

from nbroute.checks.structured import read_schema
from nbroute.errors import (
    AuthError,
    BadReply,
    ContextTooLong,
    ProviderError,
    RequestRejected,
    SettingsError,
    Unavailable,
    UnknownModel,
)
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.types import Usage


@pytest.fixture
def provider(connect):
    return connect()


# Where it is


def test_a_proxy_is_used_for_other_hosts_and_not_for_this_machine(connect, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert "ok" == text_of(connect().send(asking()))
    near = connect("http://127.example.com/v1")  # its name only begins like this machine's
    assert "through the proxy 127.0.0.1:9" in failure(near, Unavailable)


def test_a_host_that_does_not_exist_is_no_connection(connect):
    message = failure(connect("http://no-such-host.invalid/v1"), Unavailable)

    assert "no connection to no-such-host.invalid" in message


@pytest.mark.parametrize("base_url", ["openrouter.ai/api/v1", "", "ftp://host/v1", "https://"])
def test_a_base_url_that_is_not_an_address_is_a_settings_error(base_url):
    with pytest.raises(SettingsError, match="not a web address; write it like"):
        OpenAICompatible("test", base_url, KEY)


def test_a_wrong_base_url_says_to_check_it_and_an_unknown_model_does_not(server, connect):
    wrong = f"http://{server.host}/wrong"
    assert f"base_url, which is {wrong!r}" in failure(connect(wrong), UnknownModel)

    server.reply(status=404, error="The model `some/model` does not exist")
    server.reply(status=400, error="some/model is not a valid model ID")
    assert "base_url" not in failure(connect(), UnknownModel)
    assert "not a valid model ID" in failure(connect(), UnknownModel)


def test_importing_the_provider_does_not_import_the_sdk():
    code = "import sys, nbroute.providers.openai_compatible; sys.exit('openai' in sys.modules)"

    root = Path(__file__).parents[2]
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False, cwd=root).returncode


# Answers

IN_PARTS = [{"type": "thinking"}, {"type": "text", "text": "Par"}, {"text": "is."}]


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (whole(None, refusal="I cannot help with that."), "I cannot help with that."),
        (whole(IN_PARTS), "Paris."),
    ],
)
@STREAMING  # an endpoint that does not stream is read as a whole
def test_the_text_is_found_in_whatever_field_it_comes(server, provider, stream, reply, text):
    server.reply(**reply)

    assert text == text_of(provider.send(asking(stream=stream)))


def test_many_threads_share_one_client_and_each_gets_its_answer(server, provider):
    server.handler = lambda sent: Reply(text=sent["messages"][-1]["content"])
    prompts = ["🇫🇷 שלום \x00\x07 <script>", *(f"prompt {number}" for number in range(20))]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda prompt: text_of(provider.send(asking(prompt))), prompts))

    assert prompts == answers


def test_the_id_is_known_before_there_is_any_text(server, provider):
    server.reply(**events(*(said(text, id="gen-7") for text in ("", "Paris.")), said("", "stop")))

    assert [("", "gen-7"), ("Paris.", "gen-7")] == [
        (piece.text, piece.id) for piece in provider.send(asking())
    ][:2]


def test_the_id_comes_with_the_first_piece_of_a_stream_that_breaks_off(server, provider):
    server.reply(text="one two three", id="gen-1", cut_after=1)
    pieces = provider.send(asking())

    assert ("one ", "gen-1") == ((first := next(pieces)).text, first.id)
    with pytest.raises(Unavailable):
        list(pieces)


@pytest.mark.parametrize("value", [None, "high", True, float("nan"), 10**400])
def test_log_probabilities_that_are_not_numbers_are_left_out(server, provider, value):
    content = [{"token": "a", "logprob": -1.0}, {"token": "b", "logprob": value}]
    choice = {"message": {"content": "ab"}, "logprobs": {"content": content}}
    server.reply(body={"choices": [choice | {"finish_reason": "stop"}]})

    (chunk,) = provider.send(asking(stream=False, logprobs=True))
    assert () == chunk.logprobs


# Parameters that an endpoint does not take; the words are in test_refusals.py


def only_taking(*names):
    """An endpoint that refuses all parameters but these, as OpenAI words it."""

    def handler(sent):
        taken = {"model", "messages", "stream", *names}
        refused = next((name for name in sent if name not in taken), None)
        if refused is None:
            return Reply()
        instead = " Use 'max_completion_tokens' instead." if refused == "max_tokens" else ""
        words = f"Unsupported parameter: '{refused}' is not supported with this model.{instead}"
        return Reply(status=400, error=words)

    return handler


def parameters(server, name):
    return [name in seen.json for seen in server.requests]


def test_what_one_model_takes_is_remembered_and_says_nothing_of_another(server, provider):
    server.handler = only_taking("max_completion_tokens", "stream_options")

    for model in ("one", "one", "two"):
        list(provider.send(asking(model=model)))

    assert [True, False, False, True, False] == parameters(server, "max_tokens")


def test_the_token_parameter_can_be_set_and_is_swapped_either_way(server, connect):
    server.handler = only_taking("max_tokens", "stream_options")

    list(connect(token_parameter="max_completion_tokens").send(asking()))

    assert [True, False] == parameters(server, "max_completion_tokens")
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

    failure(connect(base_url), Unavailable, stream=False)
    assert {parameter} == {name for name in sent if name.endswith("_tokens")}


def test_a_temperature_out_of_range_is_an_error_and_not_dropped(server, provider):
    server.reply(status=400, error="Invalid 'temperature': expected a value <= 2, but got 5.")

    assert "expected a value <= 2" in failure(provider, RequestRejected, temperature=5.0)
    assert 1 == len(server.requests)


def test_a_model_that_does_not_take_a_temperature_does_not_get_one_again(server, provider):
    server.handler = only_taking("max_completion_tokens")

    for temperature in (0.2, None, 0.2):
        assert "ok" == text_of(provider.send(asking(temperature=temperature)))

    assert 6 == len(server.requests)  # three parameters were learnt in the first call
    assert not any(parameters(server, "temperature")[3:])


def test_a_guess_that_did_not_help_is_not_remembered(server, provider):
    server.handler = only_taking("stream_options")  # takes neither token parameter
    assert "'max_completion_tokens'" in failure(provider, RequestRejected)
    assert 2 == len(server.requests)

    server.handler = None
    list(provider.send(asking()))

    assert "max_tokens" in server.requests[-1].json


@pytest.mark.parametrize("status", [400, 403])
def test_a_model_that_does_not_tell_log_probabilities_answers_without(server, provider, status):
    server.reply(status=status, error="You are not allowed to request logprobs from this model")

    for wanted in (True, True, False):
        assert not any(chunk.logprobs for chunk in provider.send(asking(logprobs=wanted)))

    assert [True, False, False, False] == parameters(server, "logprobs")


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


def schema_sent(server, place=0):
    return server.requests[place].json["response_format"]["json_schema"]


def test_a_schema_is_asked_of_the_endpoint(server, provider):
    text = text_of(provider.send(asking(schema=CITY, json=True)))

    assert ["json_schema"] == formats(server)
    assert {"name": "City_facts", "schema": CITY, "strict": True} == schema_sent(server)
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

    assert schema == schema_sent(server)["schema"]
    assert "strict" not in schema_sent(server)


@pytest.mark.parametrize(
    ("title", "name"),
    [("Bücher und mehr", "B_cher_und_mehr"), ("x" * 99, "x" * 64), ("…", "answer")],
)
def test_a_schemas_name_is_one_that_openai_takes(server, provider, title, name):
    list(provider.send(asking(schema=CITY | {"title": title})))

    assert name == schema_sent(server)["name"]


def test_a_schema_whose_parts_all_keep_the_strict_rules_is_strict(server, provider):
    street = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    parts = {
        "cities": {"type": "array", "items": CITY},
        "street": {"anyOf": [{"$ref": "#/$defs/street"}, {"type": "null"}]},
    }
    schema = CITY | {"properties": parts, "required": [*parts], "$defs": {"street": street}}

    list(provider.send(asking(schema=schema)))

    assert schema_sent(server)["strict"]


def test_an_endpoint_without_schemas_is_asked_for_json_and_that_is_remembered(server, provider):
    server.refuse("json_schema")
    array = {"type": "array", "items": {"type": "integer"}}  # which JSON mode does not make

    for schema in (CITY, CITY | {"title": "another"}, array):
        list(provider.send(asking(schema=schema)))

    assert ["json_schema", "json_object", "json_object", None] == formats(server)


def test_an_endpoint_with_no_structured_output_is_left_to_the_words_of_the_prompt(server, provider):
    server.refuse("json_schema", "json_object")

    assert "ok" == text_of(provider.send(asking(schema=CITY)))
    list(provider.send(asking(json=True)))

    assert ["json_schema", "json_object", None, None] == formats(server)


def only_objects(sent):
    """What OpenAI does with a schema whose root is not an object; others are filled in."""
    if sent["response_format"]["json_schema"]["schema"].get("type") == "object":
        return Reply(text='{"value": [1, 2]}')
    words = "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'."
    return Reply(status=400, error=f"Invalid schema for response_format 'answer': {words}")


def test_a_root_that_is_not_an_object_stands_under_value_where_only_objects_are_taken(
    server, provider
):
    server.handler = only_objects
    schemas = [read_schema(spec) for spec in (list[int], {"type": "array"}, list[int] | None)]

    parsed = [s.parse(text_of(provider.send(asking(schema=s.json_schema)))) for s in schemas]

    sent = [schema_sent(server, place) for place in range(len(server.requests))]
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

    schema = schema_sent(server, 1)["schema"]
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


# What an answer cost, afterwards


@pytest.mark.parametrize(
    ("books", "usage"),
    [
        (
            {
                "total_cost": 0.00049,
                "tokens_prompt": 10,
                "tokens_completion": 25,
                "native_tokens_prompt": 12,
                "native_tokens_completion": 30,
                "native_tokens_cached": 4,
            },
            Usage(12, 30, 4, Decimal("0.00049")),
        ),
        (
            {
                "total_cost": 0.1,
                "tokens_prompt": 2,
                "tokens_completion": 3,
                "native_tokens_prompt": None,
                "is_byok": True,
                "upstream_inference_cost": 0.2,
            },
            Usage(2, 3, 0, Decimal("0.3")),
        ),
        (  # cancelled, without counts
            {"total_cost": 0.1, "tokens_prompt": None},
            Usage(0, 0, 0, Decimal("0.1"), estimated=True),
        ),
    ],
)
def test_a_generation_is_settled_from_openrouters_books_once_it_is_in_them(
    server, provider, books, usage
):
    server.generations["gen-1"] = books
    server.generation_misses = 1

    assert [None, usage] == [provider.settle("gen-1") for _ in range(2)]
    assert "/v1/generation?id=gen-1" == server.requests[0].path
    assert f"Bearer {KEY}" == server.requests[0].headers["authorization"]


@pytest.mark.parametrize(
    "reply",
    [
        {"status": 404, "error": "Not Found"},
        {"status": 405, "error": "Method Not Allowed"},
        {"html": True},
        *({"body": body} for body in ({"data": {"total_cost": None}}, {}, [])),
    ],
)
def test_an_endpoint_that_keeps_no_books_settles_nothing(server, provider, reply):
    server.reply(**reply)

    assert provider.settle("chatcmpl-1") is None


def test_a_refused_key_is_told_when_settling(server, provider):
    server.reply(status=401, error=f"no such key {KEY}")

    with pytest.raises(AuthError, match=r"\[key\].* TEST_KEY"):
        provider.settle("gen-1")


# Its other addresses


def test_the_models_of_the_endpoint_are_listed(server, provider):
    server.models = ("smollm2:135m", "llama3.2")
    assert ["smollm2:135m", "llama3.2"] == provider.models()

    server.reply(html=True)
    with pytest.raises(BadReply, match="web page"):
        provider.models()
    server.close()
    with pytest.raises(Unavailable, match="is it running"):
        provider.models()


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
def test_a_post_gives_the_endpoints_json_or_a_provider_error(server, provider, reply, kind, says):
    server.embedding_reply(**reply)
    with pytest.raises(kind, match=says):
        provider.post("/embeddings", {"model": "small", "input": ["a"]})

    answer = provider.post("/embeddings", {"model": "small", "input": ["a b", "b a"]})
    assert [16, 16] == [len(row["embedding"]) for row in answer["data"]]
    assert {"prompt_tokens": 4, "total_tokens": 4} == answer["usage"]


# Keys


@pytest.mark.parametrize(
    "key", [None, "", " ", f"{KEY}\n", "sk-schlüssel", "sk test", "sk-\u200babc"]
)
def test_a_key_that_is_missing_or_cannot_be_sent_is_told_and_sends_nothing(server, connect, key):
    provider = connect(api_key=key)
    message = failure(provider, AuthError)

    assert ("set the environment variable TEST_KEY" if not key else "TEST_KEY") in message
    assert not (key or "").strip() or key.strip() not in message
    with pytest.raises(AuthError, match="TEST_KEY"):
        provider.post("/embeddings", {"model": "small"})
    assert [] == server.requests


def test_an_endpoint_without_a_key_gets_none_of_ours(server, connect):
    assert "ok" == text_of(connect(api_key=None, api_key_env=None).send(asking()))
    assert "Bearer none" == server.requests[0].headers["authorization"]


def test_neither_the_repr_nor_the_log_shows_the_key(server, connect, caplog):
    provider = connect(base_url=server.url.replace("//", "//user:secret@"))
    with caplog.at_level(logging.DEBUG):
        list(provider.send(asking()))

    assert f"<OpenAICompatible 'test' at {server.host}>" == repr(provider)
    assert KEY not in caplog.text


# Failures that only this provider reads; test_alike.py and test_wire.py have the others


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


@STREAMING
@pytest.mark.parametrize(("status", "kind"), [(502, Unavailable), (200, BadReply)])
def test_a_gateways_page_is_called_so_and_not_quoted(server, provider, stream, status, kind):
    server.reply(status=status, html=True)

    message = failure(provider, kind, stream=stream)

    assert "a web page (HTML)" in message
    assert "<" not in message
    assert status == 502 or f"base_url {server.url!r}" in message


@STREAMING
@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": None}, {"choices": {"a": 1}}])
def test_no_choices_is_a_bad_reply(server, provider, stream, body):
    server.reply(body=body)

    assert "no choices" in failure(provider, BadReply, stream=stream)


@pytest.mark.parametrize(
    ("reply", "kind", "told"),
    [
        ({"chunks": [], "finish_reason": None}, BadReply, "no choices"),
        (events("{half"), BadReply, "cut off or damaged"),
        ({"cut_after": 0}, Unavailable, "broke off"),
        *((({"body": body}), BadReply, "") for body in (b"\xff\xfe", b'"text"', b"null", b"7")),
    ],
)
def test_a_stream_with_no_answer_in_it_says_what_is_wrong(server, provider, reply, kind, told):
    server.reply(**reply)

    assert told in failure(provider, kind)


@STREAMING
@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ({"text": ""}, "empty answer"),
        ({"text": " \n "}, "empty answer"),
        ({"text": "", "finish_reason": "length"}, "budget of 17 tokens"),
        ({"text": "", "finish_reason": "content_filter"}, "content filter"),
    ],
)
def test_an_empty_answer_is_a_bad_reply_that_says_why_and_whose_usage_is_known(
    server, provider, stream, reply, told
):
    server.reply(**reply, usage={"prompt_tokens": 8, "completion_tokens": 2})
    pieces = provider.send(asking(stream=stream, max_tokens=17))
    known = next(piece.usage for piece in pieces if piece.usage)

    with pytest.raises(BadReply, match=told) as caught:
        next(pieces)
    assert ("empty answer" in str(caught.value)) == (told == "empty answer")
    assert Usage(8, 2) == known


MESSAGE = {"content": "", "refusal": "", "logprob": 0}
CHOICE = {"message": MESSAGE, "delta": {}, "finish_reason": "stop", "logprobs": {}}
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {}, "cost": 0}
FIELDS = ["choices", "id", "data", "usage", "model", "error", "total_cost"]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*FIELDS, *CHOICE, *MESSAGE, *USAGE]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    told=st.lists(ANY_JSON, min_size=1, max_size=3),
    status=st.sampled_from([200, 200, 400, 404, 429, 500]),
    stream=st.booleans(),
)
def test_whatever_an_endpoint_answers_only_provider_errors_come_out(
    server, provider, told, status, stream
):
    body = json.dumps(told[0]).encode()
    server.reply(status=status, **(events(*told) if len(told) > 1 else {"body": body}))

    try:
        chunks = list(provider.send(asking(stream=stream)))
    except ProviderError:
        return
    assert text_of(chunks).strip()
