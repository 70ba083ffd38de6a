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
from nbroute.interpolate import body_of, hints, interpolate, names, prompt_of

SPACE = {
    "name": "Ada",
    "d": {"key": 7, "two words": "yes", 3: "three"},
    "items": ["a", "b", "c"],
    "row": SimpleNamespace(city="Paris", tags=["x", "y"]),
    "nan": float("nan"),
    "none": None,
    "größe": 5,
    "raw": b"\xff",
    "text": "{{name}}",
    "_": "the last output",
}
FILLED = {
    "Hello {{name}}!": "Hello Ada!",
    "{{ name }} and {{name}}": "Ada and Ada",
    '{{d["key"]}} {{ d[ "two words" ] }} {{d[3]}}': "7 yes three",
    "{{d['key']}}": "7",
    "{{items[-1]}}{{items[0]}}": "ca",
    "{{row.city}} {{ row . tags[1] }}": "Paris y",
    "{{größe}}": "5",
    "{{nan}} {{none}}": "nan None",
    "{{_}}": "the last output",
    "${{name}}": "$Ada",
    "{{{name}}}": "{Ada}",
    # a backslash keeps the braces, and what a value holds is not looked up again
    r"\{{name}}": "{{name}}",
    r"\{{ f(x) }} {{name}}": "{{ f(x) }} Ada",
    "{{text}} {{name}}": "{{name}} Ada",
    "{{\u200bna\u00adme\u00a0}}": "Ada",  # as a word processor writes it
}


@pytest.mark.parametrize("prompt", FILLED)
def test_a_look_up_is_replaced_by_the_value(prompt):
    assert FILLED[prompt] == interpolate(prompt, SPACE)


KEPT = ["{{}}", "{{ }}", "{{2}}", "{name}", "{{#if x}}{{/if}}", "{{...}}", "{{name", "name}}"]
KEPT += ['def f(x): return {"a": {x: 1}}', '{"name": {"name": 1}}', '{{"a": 1}}', '{{"a"']
KEPT += ["<p style={{color: 'red'}}>", "{{na\nme}}", r"\frac{{1}}{{2}}", r"\{{x}\}"]
KEPT += ["{{name: name}}", '{{"' * 350_000]


@pytest.mark.parametrize("prompt", KEPT, ids=lambda prompt: prompt[:30])
def test_braces_that_are_not_a_look_up_stay_as_they_are(prompt):
    assert prompt == interpolate(prompt, SPACE)


EXPRESSIONS = ["{{ name | upper }}", "{{ name.upper() }}", "{{len(name)}}", "{{größe + 1}}"]
EXPRESSIONS += ["{{items[0:2]}}", "{{items[größe]}}", "{{first name}}", "{{__builtins__}}"]
ALLOWED = r"not evaluated.*\{\{df.shape\[0\]\}\}.*\\\{\{"
REFUSED = {
    **dict.fromkeys([*EXPRESSIONS, "{{name if name else 1}}"], ALLOWED),
    "{{name.__class__}}": "'__class__' is private",
    "{{nmae}}": r"\{\{nmae\}\}: no variable 'nmae' here; did you mean 'name'\?",
    "{{row.citty}}": r"SimpleNamespace has no 'citty'; did you mean 'city'\?",
    '{{d["kye"]}}': r"dict has no key 'kye'; did you mean 'key'\?",
    "{{items[3]}}": "list has no index 3; it has 3 items",
    "{{none[0]}}": "NoneType cannot be asked for",
    "{{raw}}": "is bytes, not text; decode it first",
    "{{d[“key”]}}": "“ is a word processor's quote",
}


@pytest.mark.parametrize("prompt", REFUSED)
def test_what_cannot_be_looked_up_is_an_error_that_says_why_and_what_can(prompt):
    with pytest.raises(PromptError, match=REFUSED[prompt]):
        interpolate(prompt, SPACE)


def test_a_small_table_shows_whole_and_a_long_one_says_how_many_rows_it_leaves_out():
    frame = pd.DataFrame({"n": [1, 2], "text": ["a" * 80, "b"]})
    fifty, long = (pd.DataFrame({"n": range(rows)}) for rows in (50, 1000))
    space = {"frame": frame, "fifty": fifty, "long": long}
    space |= {"series": pd.Series(["x" * 300, "y"] * 40)}
    shown = interpolate("Sum up:\n{{long}}", space).split("\n")

    assert frame.to_string() == interpolate("{{frame}}", space)
    assert fifty.to_string() == interpolate("{{fifty}}", space)
    assert frame["n"].to_string() == interpolate('{{frame["n"]}}', space)
    assert "2" == interpolate("{{frame.shape[0]}}", space)
    assert ["Sum up:", "     n"] == shown[:2]
    assert ["49", "49"] == shown[51].split()
    assert "... and 950 more rows of 1000" == shown[-1]
    cut = interpolate("{{series}}", space)
    assert "x" * 300 in cut
    assert "... and 30 more rows of 80" in cut


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.arange(10_000), "9998 9999] (numpy leaves out most of the 10,000 values here)"),
        (np.zeros((50, 50)), "\n(numpy leaves out most of the 2,500 values here)"),
        (pd.Index(map(str, range(500))), "(pandas leaves out most of the 500 values here)"),
        *[(one, "") for one in (list(range(5_000)), np.arange(900), "a ... b", ...)],
        (np.array(["wait ... what"] * 20), ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_values_own_text_leaves_out_is_said(value, said):
    shown = interpolate("{{value}}", {"value": value})

    assert shown.endswith(said)
    assert shown == str(value) or said


@given(st.text(alphabet="{}\\\"' ab.[]0|\n", max_size=60))
def test_any_text_is_replaced_or_refused_and_never_breaks(text):
    try:
        replaced = interpolate(text, {"a": "A", "b": {"a": 1}})
    except PromptError:
        assert "{{" in text
    else:
        assert replaced == text or "{{" in text


def test_a_cells_prompt_is_its_text_without_nbvals_marks_and_must_not_be_empty():
    assert ["b", "a"] == names('{{b.x}} {{a}} {{ b["y"] }} \\{{c}} {{"d": 1}}')
    assert "Hello Ada" == prompt_of("\n # NBVAL_SKIP\nHello {{name}}\n", SPACE, "%%route")
    for cell in ("", " \n#NBVAL_SKIP\n"):
        with pytest.raises(PromptError, match="no prompt; write it below the %%route line"):
            body_of(cell, "%%route")


USERS = SPACE | {"city": "Rome", "price": 1.5, "x": 1, "math": re}
USERS |= {"In": [], "exit": print, "get_ipython": print}
MEANT = {
    "Is {city} big?": "{{city}}",
    "{city}": "{{city}}",
    "City: {city}.\n\n({name})": "{{city}} and {{name}}",
    "<doc>{name}</doc> **{city}**": "{{name}} and {{city}}",
    "It costs {price:.2f}, {name!r}": "{{price}} and {{name}}",
    "{price:,} or {name!s:>10}": "{{price}} and {{name}}",
    '{d["key"]} of {row.city}': '{{d["key"]}} and {{row.city}}',
    "```\n{x}\n```\nfor {name}": "{{name}}",
}


@pytest.mark.parametrize("prompt", MEANT)
def test_a_variable_in_single_braces_may_be_meant(prompt):
    (said,) = hints(prompt, USERS)

    assert said.startswith(f"did you mean {MEANT[prompt]}?")


CODE = r"""
{nowhere} {math} {In} {exit} {_} {{city}}
print(f"{city}")
greeting = f"Hello {city}!"
template.format(city={city})
`{city}`
{"name": {name}}
{name: x}
{x, name}
s = {x}
f({x})
<p value={name}>
/users/{name}/posts
${name} #{name} %{name} @{name}
\frac{x}{name} x_{x} {x}^2 $\{x\}$
$$ {x} $$ \( {x} \)
'{name}'.format(name=1)
return {name}
{{{name}}}"""


@pytest.mark.parametrize("prompt", [*CODE.split("\n"), "```python\n{city}\n```", "```\n{city}"])
def test_code_and_formulas_are_not_taken_for_look_ups(prompt):
    assert () == hints(prompt, USERS)


@pytest.mark.parametrize("sign", ["{", "\\(", "`", "$a ", "{name} ", "{name.a", 'f"{'])
def test_a_megabyte_is_looked_through_at_once(sign):
    assert len("".join(hints(sign * 200_000, USERS))) < 1_000


def test_close_matches_are_the_users_own_values_and_no_list_of_a_hundred():
    for typo, wanted in (("exti", "exit"), ("maht", "math"), ("get_ipyton", "get_ipython")):
        with pytest.raises(PromptError) as raised:
            interpolate(f"{{{{{typo}}}}}", USERS)
        assert wanted not in str(raised.value).partition(";")[2]
    with pytest.raises(PromptError, match="none of the 100 names is like it"):
        interpolate("{{zz}}", {f"variable_{number}": number for number in range(100)})


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
    """It lists names and keys without an end."""

    def __dir__(self):
        return (f"name{number}" for number in itertools.count())

    def keys(self):
        return itertools.count()

    def __getitem__(self, key):
        raise KeyError(key)


def test_an_object_that_cannot_be_looked_at_is_an_error_of_ours():
    for value in (Hostile(), Endless(), Mock(spec=["city"]), MagicMock(spec=[])):
        for field in ("{{value.citty}}", '{{value["kye"]}}', "{{value[0]}}"):
            with pytest.raises(PromptError):
                interpolate(field, {"value": value})


def test_an_object_without_text_is_an_error_only_where_it_is_asked_for():
    with pytest.raises(PromptError, match=r"cannot be turned to text \(ReferenceError"):
        interpolate("{{value}}", {"value": Hostile()})
    assert "1" == interpolate("{{fine}}", {"fine": 1, "value": Hostile()})
    assert () == hints("{nothing}", {"value": Hostile()})
