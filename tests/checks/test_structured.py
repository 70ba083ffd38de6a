"""Structured output: what counts as a schema, and what an answer must be to fit it."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import enum
import functools
import json
import re
import typing

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from nbroute.checks import parse_json
from nbroute.checks.form import valid_json
from nbroute.checks.structured import read_schema, schema_check, schema_instruction
from nbroute.errors import SettingsError
from nbroute.types import Verdict


class Item(BaseModel):
    name: str
    price: float


class Day(BaseModel):
    model_config = ConfigDict(strict=True)
    when: dt.date


class Sized(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: int = Field(le=5)


class Even(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def even(cls, n):
        if n == 0:
            raise RuntimeError("zero\nis out. Sorry.")
        if n % 2:
            raise ValueError("odd numbers are out")
        return n


Colour = enum.Enum("Colour", {"RED": "a", "BLUE": "b"})


@dataclasses.dataclass
class Point:
    x: int
    y: float = 2


PRICE = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}
ITEMS = {
    "title": "order",
    "type": "object",
    "properties": {"items": {"type": "array", "items": PRICE}},
    "required": ["items"],
    "additionalProperties": False,
}
KIDS = {"type": "array", "items": {"$ref": "#/$defs/Node"}}
NODE = {"type": "object", "properties": {"n": {"type": "integer"}, "kids": KIDS}}
TREE = {"$ref": "#/$defs/Node", "$defs": {"Node": {**NODE, "required": ["n", "kids"]}}}


def tree(levels):
    return '{"n": 1, "kids": [' * levels + "]}" * levels


def nested(levels):
    return functools.reduce(lambda inner, _: {"items": inner}, range(levels), {})


TREES = {"n": 1, "kids": [{"n": 2, "kids": []}]}
LIST = {"type": "array"}
EXAMPLE = {"$ref": "https://example.com"}


@pytest.mark.parametrize(
    ("spec", "text", "parsed"),
    [
        (ITEMS, '{"items": [{"price": 1}]}', {"items": [{"price": 1}]}),
        (TREE, json.dumps(TREES), TREES),
        (Item, '{"name": "a", "price": 2}', Item(name="a", price=2)),
        (Point, '{"x": 1}', Point(1, 2)),
        (list[int], "[1, 2]", [1, 2]),
        (list[int], "```json\n[\n1\n]\n```", [1]),
        (list[Point], '[{"x": 1}]', [Point(1)]),
        (int | None, "null", None),
        ({}, r'"\ud83d\ude00"', "\U0001f600"),
        (Day, '{"when": "2026-01-02"}', Day(when=dt.date(2026, 1, 2))),
        ({"definitions": {"a": LIST}}, '"b"', "b"),
        ({"const": EXAMPLE}, json.dumps(EXAMPLE), EXAMPLE),  # data, and not a reference
        ({"enum": [EXAMPLE], "default": EXAMPLE, "examples": [EXAMPLE]}, json.dumps(EXAMPLE),
         EXAMPLE),
        *[({word: {}}, "1", 1) for word in ("$defs", "definitions", "default")],
        *[({word: "a:b"}, "1", 1) for word in ("$schema", "$id", "title", "description")],
        ({"examples": []}, "1", 1),
        # models may put what should not be an object under "value"
        (list[int], '{"value": [1]}', [1]),
        (LIST, '{"value": [1]}', [1]),
        ({"$ref": "#/$defs/a", "$defs": {"a": LIST}}, '{"value": [1]}', [1]),
        ({"$ref": "#/definitions/a", "definitions": {"a": LIST}}, '{"value": [1]}', [1]),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": LIST}},
         '{"value": [1]}', [1]),
        ({"enum": ["a"]}, '{"value": "a"}', "a"),
        ({"const": "a"}, '{"value": "a"}', "a"),
        ({"not": {"type": "object"}}, '{"value": "a"}', "a"),
        ({"if": {"type": "object"}, "then": False}, '{"value": "a"}', "a"),
        *[({word: [LIST]}, '{"value": [1]}', [1]) for word in ("anyOf", "oneOf", "allOf")],
        ({"type": "object"}, '{"value": 1}', {"value": 1}),
        (dict[str, int] | int, '{"value": 1}', {"value": 1}),
        (TREE, tree(32), json.loads(tree(32))),
        (nested(100), "1", 1),
    ],
)  # fmt: skip
def test_an_answer_that_fits_becomes_the_object(spec, text, parsed):
    schema = read_schema(copied := copy.deepcopy(spec))
    if isinstance(copied, dict):  # what the user does to it later changes nothing
        assert spec == schema.json_schema
        copied.clear()

    assert parsed == read_schema(schema).parse(text)


PRICES = '{"items": [{"price": 1}, {"price": 2}, {"price": "free"}]}'
EXTRA = "{'items': [], 'x': 1} has a key that is not in the schema: 'x'"
WORDS = {"properties": {"two words": {"type": "string"}}}
DATE = {"type": "string", "format": "date"}
NAMED = {"$ref": "#/$defs/a", "$defs": {"a": {"required": ["a", "b"]}}}
MISSING = "the answer: {'value': {'b': 1}} has no 'a' (and 1 more)"
NO_DATE = "when: 'x' should be a valid date in the format YYYY-MM-DD, input is too short"
UNKNOWN = "the answer: {'a': 1, 'b': 2, 'c': 3, 'd': 4, ...} has"
UNKNOWN += " a key that is not in the schema: 'b', 'c', 'd'"
KEYS = '{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}'


@pytest.mark.parametrize(
    ("spec", "text", "says"),
    [
        (ITEMS, PRICES, "items[2].price: 'free' is not a number"),
        (ITEMS, "[1]", "the answer: [1] is not an object"),
        (ITEMS, "{}", "the answer: {} has no 'items'"),
        (PRICE, '{"value": {"price": 1}}', "the answer: {'value': {'price': 1}} has no 'price'"),
        (ITEMS, '{"items": [], "x": 1}', f"the answer: {EXTRA}"),
        (TREE, json.dumps(TREES | {"n": 2.5}), "n: 2.5 is not a whole number"),
        ({"enum": ["a", "b"]}, '"c"', "the answer: 'c' is not one of 'a', 'b'"),
        (NAMED, '{"value": {"b": 1}}', MISSING),
        ({"additionalProperties": False, "patternProperties": {"^a": {}}}, KEYS, UNKNOWN),
        ({"not": {}}, "1", "the answer: 1 does not fit 'not' of the schema"),
        ({"type": "integer", "maximum": 5}, "9", "the answer: 9 is more than 5"),
        ({"type": "array", "minItems": 2}, "[]", "the answer: [] has fewer than 2 items"),
        ({"uniqueItems": True}, "[1, 1]", "the answer: [1, 1] has the same item twice"),
        ({"type": ["string", "null"]}, "1", "the answer: 1 is not a string or null"),
        (DATE, '"2026-13-01"', "the answer: '2026-13-01' does not have the format 'date'"),
        (WORDS, '{"two words": 1}', "['two words']: 1 is not a string"),
        (list[Item], '[{"name": "a", "price": "free"}]', "[0].price: 'free' is not a number"),
        (Item, "{}", "the answer: {} has no 'name' (and 1 more)"),
        (list[int], '[1, "x"]', "[1]: 'x' is not a whole number"),
        (typing.Literal["a", "b"], '"c"', "the answer: 'c' is not 'a' or 'b'"),
        (Colour, '"c"', "the answer: 'c' is not 'a' or 'b'"),
        (Day, '{"when": "x"}', NO_DATE),
        (Sized, '{"n": 9}', "n: 9 should be less than or equal to 5"),
        (Sized, '{"n": 1, "m": 2}', "m: 2 is under a key that is not in the schema"),
        (Even, '{"n": 3}', "n: 3 is refused: odd numbers are out"),
        (Even, '{"n": 0}', "RuntimeError in the schema: zero is out"),
        (TREE, tree(33), "the answer is nested over 64 levels deep"),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_is_told_by_path_and_value(spec, text, says):
    with pytest.raises(ValueError, match=r".") as caught:
        read_schema(spec).parse(text)
    assert says == str(caught.value)


NOT_JSON = {
    "": "the answer is empty",
    "Here you are: {}": "line 1, column 1, near 'Here you are: {}'",
    "{'a': 1}": "not JSON",
    '{"a": 1} and more': "Extra data",
    '{"a": NaN}': "NaN is not a JSON number",
    "1e999": "the number '1e999' is too large",
    "9" * 5000: "digits",
    '{"b": 1, "a": 2, "a": 3}': "the key 'a' occurs twice in one object",
    r'"\ud800"': "half of a surrogate pair",
    "[" * 100_000: "nested too deep",
    '{"a":' * 100_000: "nested too deep",
}


@pytest.mark.parametrize("text", NOT_JSON, ids=lambda text: text[:20])
def test_what_is_not_json_is_said_to_be_none(reply, text):
    verdict = valid_json(reply(text))

    told = f"The answer before could not be read as JSON: {verdict.reason}."
    assert NOT_JSON[text] in verdict.reason
    assert Verdict(False, "json", verdict.reason, told) == verdict
    with pytest.raises(ValueError, match=re.escape(verdict.reason)):
        parse_json(text)


def test_the_check_says_what_was_wrong_for_the_next_tier_and_the_prompt_what_is_asked(reply):
    schema, why = read_schema(ITEMS), "items[0].price: 'free' is not a number"
    told = f"The answer before did not fit the JSON schema: {why}."
    told += " Give the whole JSON value again, put right."
    check = schema_check(schema)

    assert Verdict(False, "schema", why, told) == check(reply('{"items": [{"price": "free"}]}'))
    assert Verdict(True, "schema") == check(reply('{"items": []}'))
    assert ["order", "mine", "schema", "Item", "schema"] == [
        read_schema(*of).name for of in [(ITEMS,), (ITEMS, "mine"), ({},), (Item,), (int | None,)]
    ]
    text = schema_instruction(read_schema({"type": "object", "title": "größe"}))
    assert text == (
        "Reply with one JSON value that fits this JSON schema and with nothing else: "
        'no prose, no code fence.\n{"type":"object","title":"größe"}'
    )
    assert schema_instruction(schema) == schema_instruction(ITEMS)


ENDLESS, OTHER = {"$ref": "#"}, {"$ref": "other.json"}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"not": {"type": "strin"}}, "not.type: 'strin' is not a type; did you mean 'string'?\n"),
        ({"type": 3}, "not a JSON schema: type: 3 does not fit 'anyOf' of the schema\n"),
        ({"properties": {"a": 3}}, "properties.a: 3 is not an object or true or false\n"),
        ({"type": "string", "pattern": "("}, "pattern: '('"),
        ({"pattern": "a", "minimum": "a"}, "minimum: 'a' is not a number\n"),
        *[({f"{word}!": 1}, f"no keyword of a JSON schema; for '{word}!' did you mean {word!r}?")
          for word in ("type", "properties", "items", "enum", "anyOf", "$ref")],
        ({"minimum": float("nan")}, "JSON compliant"),
        ({"default": object()}, "not JSON serializable"),
        (ENDLESS, "refers to itself without end"),
        *[({word: [LIST, ENDLESS]}, "without end, or takes over 20 steps for one value")
          for word in ("anyOf", "allOf", "oneOf")],
        *[({"if": {}, word: ENDLESS}, "without end") for word in ("not", "if", "then", "else")],
        *[(nested(levels), "over 100 levels deep") for levels in (101, 5000)],
        *[({word: {"const": OTHER}}, "refers to 'other.json', and nothing is fetched")
          for word in ("properties", "patternProperties", "$defs", "definitions",
                       "dependentSchemas")],
        ({"$id": "https://b.example/a", "items": {"$ref": "c"}}, "put that part under '$defs'"),
        *[(LIST | {f"${one}Ref": "b.json"}, "'b.json'") for one in ("dynamic", "recursive")],
        ({"type": "string", "pattern": "a{99999999999}"}, "not a JSON schema"),
        *[({"$ref": f"#/{word}/Itm", word: {"Item": {}}}, f"did you mean '#/{word}/Item'?")
          for word in ("$defs", "definitions")],
        (Item(name="a", price=1), "an instance of Item; give the class itself"),
        (Point(1), "an instance of Point; give the class itself"),
        *[(tree, "is a function"), (len, "is a function"), (None, "None"), (True, "True")],
        *[([int], "[<class 'int'>]"), ("{}", "such as list[int], json.loads(...) of it\n")],
        *[(json, "module"), (type("Plain", (), {}), "Plain")],
    ],
)  # fmt: skip
def test_what_is_not_a_schema_is_a_settings_error_that_names_it(spec, says):
    with pytest.raises(SettingsError, match=r"^'mine' ") as caught:
        read_schema(spec, "mine")

    assert says in f"{caught.value}\n"
    assert "\n" not in str(caught.value)
