from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbroute.errors import PromptError
from nbroute.interpolate import interpolate, names

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
