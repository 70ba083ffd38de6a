"""What the openai SDK sends and reads, against a real HTTP server on loopback."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest
from calls import KEY, asking, failure, text_of
from loopback import Reply

from nbroute import errors
from nbroute.checks.structured import read_schema
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.providers.refusals import parameters_of
from nbroute.types import Usage

# Where it is


def test_what_is_not_said_has_a_default(server):
    server.handler = lambda _: Reply(status=503, error="no", headers={"retry-after-ms": "1"})
    provider = OpenAICompatible("test", server.url, None)
    failure(provider, errors.Unavailable)
    assert ["loopback"] == provider.models()
    provider.close()
    paths = [*["/v1/chat/completions"] * 3, "/v1/models"]

    assert paths == [seen.path for seen in server.requests]
    assert (60, 600, "remote") == (provider.timeout_s, provider.deadline_s, provider.kind)
    longest = OpenAICompatible("test", server.url, None, timeout_s=1e99, deadline_s=2e99)
    assert (1e9, 1e9) == (longest.timeout_s, longest.deadline_s)
    assert [KEY, "me", "pass"] == OpenAICompatible("x", "http://me:pass@h/v1", KEY).secrets()


def test_a_proxy_is_used_for_other_hosts_and_not_for_this_machine(connect, monkeypatch):
    unproxied = failure(connect("http://no-such-host.invalid:11434/v1"), errors.Unavailable)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    for name in ("HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:8")

    assert "no connection to no-such-host.invalid:11434" in unproxied
    assert "start Ollama" in unproxied
    assert "ok" == text_of(connect().send(asking()))
    near = connect("http://127.example.com/v1")  # its name only begins like this machine's
    told = "(through the proxy 127.0.0.1:9 that HTTP_PROXY names: "
    assert told in failure(near, errors.Unavailable)


def test_a_wrong_base_url_says_to_check_it_and_an_unknown_model_does_not(server, connect):
    for base_url in ("openrouter.ai/api/v1", "ftp://host/v1", "https://"):
        with pytest.raises(errors.SettingsError, match="not a web address; write it like"):
            OpenAICompatible("test", base_url, KEY)

    wrong = f"http://{server.host}/wrong"
    assert f"base_url, which is {wrong!r}" in failure(connect(wrong), errors.UnknownModel)
    server.reply(status=404, error="The model `some/model` does not exist")
    server.reply(status=400, error="some/model is not a valid model ID")
    assert "base_url" not in failure(connect(), errors.UnknownModel)
    assert "not a valid model ID" in failure(connect(), errors.UnknownModel)


# Parameters that an endpoint does not take; the words are in test_refusals.py


def parameters(server, name):
    return [name in seen.json for seen in server.requests]


def test_what_one_model_takes_is_remembered_and_says_nothing_of_another(server, provider):
    server.refuse("max_tokens", "temperature")
    for model in ("one", "one", "two"):
        list(provider.send(asking(model=model, temperature=0.2)))
    assert [True, False, False, False, True, False, False] == parameters(server, "max_tokens")
    assert [True, True, False, False, True, True, False] == parameters(server, "temperature")


def test_the_token_parameter_can_be_set_and_a_wrong_guess_is_not_remembered(server, connect):
    server.refuse("max_completion_tokens")
    list(connect(token_parameter="max_completion_tokens").send(asking()))
    server.refuse("max_tokens", "max_completion_tokens")
    provider = connect()
    assert "'max_completion_tokens'" in failure(provider, errors.RequestRejected)
    server.refuse()
    list(provider.send(asking()))
    server.reply(status=400, error="Invalid 'temperature': expected a value <= 2, but got 5.")
    assert "expected a value <= 2" in failure(provider, errors.RequestRejected, temperature=5.0)

    assert [False, True, True, False, True, True] == parameters(server, "max_tokens")


# Structured output

CITY = {
    "type": "object",
    "title": "City facts!",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
    "additionalProperties": False,
}
CLOSED = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
ALL = CLOSED | {
    "properties": {
        "cities": {"type": "array", "items": CITY, "minItems": 1, "maxItems": 9},
        "street": {"anyOf": [{"$ref": "#/$defs/street"}, {"type": "null"}]},
        "size": {"type": "number", "minimum": 1, "maximum": 9, "multipleOf": 0.5},
        "age": {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 9},
        "name": {"type": "string", "pattern": "^x", "description": "A name."},
        "kind": {"enum": ["a"]},
        "mood": {"const": "b"},
    },
    "required": ["cities", "street", "size", "age", "name", "kind", "mood"],
    "$defs": {"street": CLOSED},
    "definitions": {"road": CLOSED},
}
OPEN = {"type": "object", "properties": {"a": {}}}


def formats(server):
    return [seen.json.get("response_format", {}).get("type") for seen in server.requests]


def schema_sent(server, place=0):
    return server.requests[place].json["response_format"]["json_schema"]


def test_a_schema_is_asked_for_under_a_name_that_openai_takes(server, provider):
    names = {"City facts!": "City_facts", "x" * 99: "x" * 64, "…": "answer"}
    schemas = [CITY | {"title": title} for title in names]
    texts = [text_of(provider.send(asking(schema=one, json=True))) for one in schemas]

    expected = zip(names.values(), schemas, strict=True)
    wanted = [{"name": name, "schema": schema, "strict": True} for name, schema in expected]
    assert wanted == [schema_sent(server, place) for place in range(3)]
    assert ['{"name": "ok", "people": 1}'] * 3 == texts


def test_a_schema_is_strict_if_all_its_parts_keep_the_rules():
    def strict(schema):
        asked = parameters_of(asking(schema=schema), "max_tokens", "")["response_format"]
        return asked["json_schema"].get("strict")

    assert strict(ALL)
    for schema in (
        CITY | {"required": ["name"]},
        CITY | {"properties": CITY["properties"] | {"people": {"minLength": 1}}},
        {"type": "array", "items": CITY},
        *(CITY | {name: {"inner": OPEN}} for name in ("$defs", "definitions")),
        CITY | {"properties": CITY["properties"] | {"name": {"items": OPEN}}},
        {"type": "object", "properties": {"rest": True}, "additionalProperties": False},
        CLOSED | {"additionalProperties": True},
    ):
        assert not strict(schema), schema


def test_an_endpoint_without_schemas_is_asked_for_json_or_else_for_nothing(server, provider):
    server.refuse("json_schema")
    array = {"type": "array", "items": {"type": "integer"}}  # which JSON mode does not make
    for schema in (CITY, CITY | {"title": "another"}, array):
        list(provider.send(asking(schema=schema)))
    assert ["json_schema", "json_object", "json_object", None] == formats(server)

    server.refuse("json_schema", "json_object")
    assert "ok" == text_of(provider.send(asking(schema=CITY, model="other")))
    list(provider.send(asking(json=True, model="other")))
    assert ["json_schema", "json_object", None, None] == formats(server)[4:]


def test_a_root_that_is_not_an_object_is_put_under_value_if_it_must_be_one(server, provider):
    words = "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'."
    server.reply(status=400, error=f"Invalid schema for response_format 'answer': {words}")
    server.handler = lambda _: Reply(text='{"value": [1, 2]}')
    integers = {"type": "array", "items": {"type": "integer"}}
    schemas = [read_schema(spec) for spec in (list[int], list[int] | None)]
    parsed = [s.parse(text_of(provider.send(asking(schema=s.json_schema)))) for s in schemas]
    tree = {"type": "array", "items": {"anyOf": [{"$ref": "#"}, {"$ref": "#/$defs/leaf"}]}}
    list(provider.send(asking(schema=tree | {"$defs": {"leaf": {"type": "integer"}}})))

    sent = [schema_sent(server, place) for place in range(len(server.requests))]
    assert [[1, 2]] * 2 == parsed
    assert ["array", "object", "object", "object"] == [one["schema"]["type"] for one in sent]
    under = CLOSED | {"properties": {"value": integers}, "required": ["value"]}
    assert {"name": "answer", "schema": under, "strict": True} == sent[1]
    moved = read_schema(sent[3]["schema"])  # whose references still find their place
    assert [1, [2]] == moved.parse('{"value": [1, [2]]}')["value"]
    with pytest.raises(ValueError, match="'a'"):
        moved.parse('{"value": [1, ["a"]]}')


# What an answer cost, afterwards

BOOKS = {"total_cost": 0.1, "tokens_prompt": 2, "tokens_completion": 3}
NATIVE = {"native_tokens_prompt": 12, "native_tokens_completion": 30, "native_tokens_cached": 4}
OWN_KEY = {"native_tokens_prompt": None, "is_byok": True, "upstream_inference_cost": 0.2}


def test_a_generation_is_settled_from_the_books_once_it_is_there(server, provider):
    for books, usage in (
        (BOOKS | NATIVE, Usage(12, 30, 4, Decimal("0.1"))),
        (BOOKS | OWN_KEY, Usage(2, 3, 0, Decimal("0.3"))),
        ({"total_cost": 1, "tokens_prompt": None}, Usage(0, 0, 0, Decimal(1), estimated=True)),
    ):
        server.generations["gen-1"] = books
        server.reply(status=404, error="Generation gen-1 not found")
        assert [None, usage] == [provider.settle("gen-1") for _ in range(2)]
    assert "/v1/generation?id=gen-1" == server.requests[0].path
    assert f"Bearer {KEY}" == server.requests[0].headers["authorization"]


def test_an_endpoint_without_books_settles_nothing_and_a_refused_key_fails(server, provider):
    without = [{"status": 404, "error": "no"}, {"status": 405, "error": "no"}, {"body": "<html>"}]
    for reply in (*without, {"body": {"data": {"total_cost": None}}}, {"body": []}):
        server.reply(**reply)
        assert provider.settle("chatcmpl-1") is None

    server.reply(status=401, error=f"no such key {KEY}")
    with pytest.raises(errors.AuthError, match=r"\[key\].* TEST_KEY"):
        provider.settle("gen-1")


# Keys


def test_with_a_key_that_is_missing_or_cannot_be_sent_nothing_is(server, connect):
    missing = "no key: set the environment variable TEST_KEY, then `%route use PROFILE`"
    wrong = (
        "a space, a line break or a character outside ASCII in it and cannot be sent: set the "
        "environment variable TEST_KEY again"
    )
    for key in (None, "", " ", f"{KEY}\n", "sk-schlüssel"):
        provider, name = connect(api_key=key), "provider 'test' has"
        told = f"the key of the {name} {wrong}" if key else f"the {name} {missing}"
        assert f"AuthError: {told}" == failure(provider, errors.AuthError)
        with pytest.raises(errors.AuthError, match="TEST_KEY"):
            provider.post("/embeddings", {"model": "small"})
    assert [] == server.requests
    assert "ok" == text_of(connect(api_key="!sk-~").send(asking()))


def test_an_endpoint_without_a_key_gets_none_and_no_log_shows_one(server, connect, caplog):
    provider = connect(base_url=server.url.replace("//", "//user:secret@"))
    with caplog.at_level(logging.DEBUG):
        list(provider.send(asking()))
    list(connect(api_key=None, api_key_env=None).send(asking()))

    assert f"<OpenAICompatible 'test' at {server.host}>" == repr(provider)
    assert KEY not in caplog.text
    assert "Bearer none" == server.requests[1].headers["authorization"]
