from __future__ import annotations

import itertools
import re
from types import SimpleNamespace
from unittest.mock import MagicMock, Mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbroute.errors import PromptError
from nbroute.interpolate import hints, interpolate, names

SPACE = {
    "name": "Ada",
    "d": {"key": 7, "two words": "yes", 3: "three"},
    "items": ["a", "b", "c"],
    "row": SimpleNamespace(city="Paris", tags=["x", "y"]),
    "nan": float("nan"),
    "none": None,
    "größe": 5,
    "raw": b"\xff",
    "_": "the last output",
}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Hello {{name}}!", "Hello Ada!"),
        ("{{ name }} and {{name}}", "Ada and Ada"),
        ('{{d["key"]}} {{ d[ "two words" ] }} {{d[3]}}', "7 yes three"),
        ("{{d['key']}}", "7"),
        ("{{items[-1]}}{{items[0]}}", "ca"),
        ("{{row.city}} {{ row . tags[1] }}", "Paris y"),
        ("{{größe}}", "5"),
        ("{{nan}} {{none}}", "nan None"),
        ("{{_}}", "the last output"),
        ("${{name}}", "$Ada"),
        ("{{{name}}}", "{Ada}"),
    ],
)
def test_a_look_up_is_replaced_by_the_value(prompt, expected):
    assert expected == interpolate(prompt, SPACE)


@pytest.mark.parametrize(
    "prompt",
    [
        'def f(x): return {"a": {x: 1}}',
        '{"name": {"name": 1}}',
        '{{"a": 1}}',
        '{{"a"',
        "{{}}",
        "{{ }}",
        "{{2}}",
        "{name}",
        "<p style={{color: 'red'}}>",
        "{{#if x}}{{/if}}",
        "{{...}}",
        "{{name",
        "name}}",
        "{{na\nme}}",
        r"\frac{{1}}{{2}}",
        r"\{{x}\}",
        "{{name: name}}",
    ],
)
def test_braces_that_are_no_look_up_stay_as_they_are(prompt):
    assert prompt == interpolate(prompt, SPACE)


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ name | upper }}",
        "{{ name.upper() }}",
        "{{len(name)}}",
        "{{größe + 1}}",
        "{{items[0:2]}}",
        "{{items[größe]}}",
        "{{first name}}",
        "{{__builtins__}}",
        "{{name if name else 1}}",
    ],
)
def test_an_expression_is_an_error_that_says_what_is_allowed(prompt):
    with pytest.raises(PromptError, match=r"not evaluated.*\{\{df.shape\[0\]\}\}.*\\\{\{"):
        interpolate(prompt, SPACE)


@pytest.mark.parametrize(
    ("prompt", "literal"),
    [
        (r"\{{name}}", "{{name}}"),
        (r"\{{ f(x) }} {{name}}", "{{ f(x) }} Ada"),
    ],
)
def test_a_backslash_keeps_the_braces(prompt, literal):
    assert literal == interpolate(prompt, SPACE)


def test_a_private_attribute_is_not_looked_up():
    with pytest.raises(PromptError, match="'__class__' is private"):
        interpolate("{{name.__class__}}", SPACE)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("{{nmae}}", r"\{\{nmae\}\}: no variable 'nmae' here; did you mean 'name'\?"),
        ("{{row.citty}}", r"SimpleNamespace has no 'citty'; did you mean 'city'\?"),
        ('{{d["kye"]}}', r"dict has no key 'kye'; did you mean 'key'\?"),
        ("{{items[3]}}", "list has no index 3; it has 3 items"),
        ("{{none[0]}}", "NoneType cannot be asked for"),
        ("{{raw}}", "is bytes, not text; decode it first"),
    ],
)
def test_what_does_not_exist_is_named_with_its_close_matches(prompt, message):
    with pytest.raises(PromptError, match=message):
        interpolate(prompt, SPACE)


def test_a_name_like_no_other_does_not_list_a_hundred():
    many = {f"variable_{number}": number for number in range(100)}
    with pytest.raises(PromptError, match="none of the 100 that there are is like it"):
        interpolate("{{zz}}", many)


def test_braces_in_a_value_are_not_looked_up_again():
    assert "{{name}} Ada" == interpolate("{{text}} {{name}}", {**SPACE, "text": "{{name}}"})


def test_a_table_shows_its_first_rows_and_says_how_many_it_leaves_out():
    frame = pd.DataFrame({"n": range(1000)})
    shown = interpolate("Sum up:\n{{frame}}", {"frame": frame}).split("\n")
    assert ["Sum up:", "     n"] == shown[:2]
    assert shown[51].split() == ["49", "49"]
    assert "... and 950 more rows of 1000" == shown[-1]


def test_a_small_table_and_a_column_show_whole():
    frame = pd.DataFrame({"n": [1, 2], "text": ["a" * 80, "b"]})
    space = {"frame": frame}
    assert frame.to_string() == interpolate("{{frame}}", space)
    assert frame["n"].to_string() == interpolate('{{frame["n"]}}', space)
    assert "2" == interpolate("{{frame.shape[0]}}", space)


def test_a_value_that_has_no_text_is_a_prompt_error():
    class Broken:
        def __str__(self):
            msg = "no"
            raise RuntimeError(msg)

    with pytest.raises(PromptError, match="cannot be turned to text"):
        interpolate("{{broken}}", {"broken": Broken()})


def test_the_names_are_the_variables_once_in_order():
    prompt = '{{b.x}} {{a}} {{ b["y"] }} \\{{c}} {{"d": 1}}'
    assert ["b", "a"] == names(prompt)


@given(st.text(alphabet="{}\\\"' ab.[]0|\n", max_size=60))
def test_any_text_is_replaced_or_refused_and_never_breaks(text):
    try:
        result = interpolate(text, {"a": "A", "b": {"a": 1}})
    except PromptError:
        return
    assert isinstance(result, str)


@given(st.text(alphabet=st.characters(exclude_characters="{\\"), max_size=60))
def test_text_without_double_braces_is_never_changed(text):
    assert text == interpolate(text, SPACE)


def test_a_megabyte_of_open_braces_is_read_at_once():
    text = '{{"' * 350_000
    assert text == interpolate(text, SPACE)


USERS = {
    **SPACE,
    "city": "Rome",
    "price": 1.5,
    "x": 1,
    "math": re,
    "In": [],
    "exit": print,
    "get_ipython": print,
}


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("Is {city} big?", "{{city}}"),
        ("{city}", "{{city}}"),
        ("City: {city}.\n\n({name})", "{{city}} and {{name}}"),
        ("<doc>{name}</doc> **{city}**", "{{name}} and {{city}}"),
        ("It costs {price:.2f}, {name!r}", "{{price}} and {{name}}"),
        ("{price:,} or {name!s:>10}", "{{price}} and {{name}}"),
        ('{d["key"]} of {row.city}', '{{d["key"]}} and {{row.city}}'),
        ("```\n{x}\n```\nfor {name}", "{{name}}"),
    ],
)
def test_a_variable_in_single_braces_may_be_meant(prompt, meant):
    (said,) = hints(prompt, USERS)

    assert f"did you mean {meant}?" in said


@pytest.mark.parametrize(
    "prompt",
    [
        "{nowhere} {math} {In} {exit} {_} {{city}}",
        'print(f"{city}")',
        'greeting = f"Hello {city}!"',
        "template.format(city={city})",
        "```python\n{city}\n```",
        "```\n{city}",
        "`{city}`",
        '{"name": {name}}',
        "{name: x}",
        "{x, name}",
        "s = {x}",
        "f({x})",
        "<p value={name}>",
        "/users/{name}/posts",
        "${name} #{name} %{name} @{name}",
        r"\frac{x}{name} x_{x} {x}^2 $\{x\}$",
        r"$$ {x} $$ \( {x} \)",
        "'{name}'.format(name=1)",
        "return {name}",
        "{{{name}}}",
    ],
)
def test_code_and_formulas_are_not_taken_for_look_ups(prompt):
    assert () == hints(prompt, USERS)


@pytest.mark.parametrize("sign", ["{", "\\(", "`", "$a ", "{name} ", "[", "{name.a", 'f"{'])
def test_a_megabyte_is_looked_through_at_once(sign):
    found = hints(sign * 200_000, USERS)

    assert len("".join(found)) < 1_000


def test_close_matches_are_the_users_own_values():
    for typo, wanted in (("exti", "exit"), ("maht", "math"), ("get_ipyton", "get_ipython")):
        with pytest.raises(PromptError) as raised:
            interpolate(f"{{{{{typo}}}}}", USERS)
        assert wanted not in str(raised.value).partition(";")[2]


class Hostile:
    """A proxy that fails at whatever one looks at."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __dir__(self):
        return itertools.count()

    def keys(self):
        return itertools.repeat("key")

    def __getitem__(self, key):
        raise KeyError(key)

    def __len__(self):
        raise ValueError

    def __str__(self):
        raise ReferenceError


class Endless:
    """One that lists names, keys and itself without an end."""

    def __dir__(self):
        return (f"name{number}" for number in itertools.count())

    def keys(self):
        return itertools.count()

    def __getitem__(self, key):
        raise KeyError(key)


@pytest.mark.parametrize(
    "make", [Hostile, Endless, lambda: Mock(spec=["city"]), lambda: MagicMock(spec=[])]
)
@pytest.mark.parametrize("field", ["{{value.citty}}", '{{value["kye"]}}', "{{value[0]}}"])
def test_an_object_that_cannot_be_looked_at_is_an_error_of_ours(make, field):
    with pytest.raises(PromptError):
        interpolate(field, {"value": make()})


def test_an_object_with_no_text_is_an_error_of_ours():
    with pytest.raises(PromptError, match="ReferenceError"):
        interpolate("{{value}}", {"value": Hostile()})
    assert interpolate("{{fine}}", {"fine": 1, "value": Hostile()}) == "1"
    assert () == hints("{nothing}", {"value": Hostile()})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            np.arange(10_000),
            "9998 9999] (numpy leaves out most of the 10,000 values",
        ),
        (np.zeros((50, 50)), "\n(numpy leaves out most of the 2,500 values"),
        (pd.Index([f"n{one}" for one in range(500)]), "(pandas leaves out most of the 500 values"),
    ],
)
def test_what_a_values_own_text_leaves_out_is_said(value, said):
    assert said in interpolate("{{value}}", {"value": value})


@pytest.mark.parametrize(
    "value", [list(range(5_000)), np.arange(900), np.array(["wait ... what"] * 20), "a ... b", ...]
)
def test_nothing_is_said_where_nothing_is_left_out(value):
    assert str(value) == interpolate("{{value}}", {"value": value})


def test_a_series_of_long_texts_is_not_cut():
    series = pd.Series(["x" * 300, "y"] * 40)

    shown = interpolate("{{series}}", {"series": series})

    assert "x" * 300 in shown
    assert "... and 30 more rows of 80" in shown


def test_what_a_word_processor_writes_in_a_look_up_is_named():
    assert "Ada" == interpolate("{{\u200bna\u00adme\u00a0}}", SPACE)
    with pytest.raises(PromptError, match="“ is a word processor's quote"):
        interpolate("{{d[“key”]}}", SPACE)
