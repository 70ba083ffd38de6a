from __future__ import annotations

import re
from types import SimpleNamespace

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
}
FILLED = {
    "{{ name }} and {{name}}": "Ada and Ada",
    '{{d["key"]}} {{ d[ "two words" ] }} {{d[3]}}': "7 yes three",
    "{{items[-1]}}{{items[0]}}": "ca",
    "{{row.city}} {{ row . tags[1] }}": "Paris y",
    # a backslash keeps the braces, and what a value holds is not looked up again
    r"\{{name}}": "{{name}}",
    r"\{{ f(x) }} {{name}}": "{{ f(x) }} Ada",
    "{{text}} {{name}}": "{{name}} Ada",
    "{{\u200bna\u00adme\u00a0}}": "Ada",  # as a word processor writes it
}


@pytest.mark.parametrize("prompt", FILLED)
def test_a_look_up_is_replaced_by_the_value(prompt):
    assert FILLED[prompt] == interpolate(prompt, SPACE)


KEPT = ["{{}}", "{{2}}", "{name}", "{{#if x}}{{/if}}", "{{...}}", "{{name", '{{"a": 1}}']
KEPT += ['def f(x): return {"a": {x: 1}}', "<p style={{color: 'red'}}>", "{{na\nme}}"]
KEPT += [r"\frac{{1}}{{2}}", r"\{{x}\}", "{{name: name}}", '{{"' * 350_000]


def test_braces_that_are_not_a_look_up_stay_as_they_are():
    assert KEPT == [interpolate(prompt, SPACE) for prompt in KEPT]


EXPRESSIONS = ["{{ name | upper }}", "{{ name.upper() }}", "{{größe + 1}}", "{{__builtins__}}"]
ALLOWED = r"not evaluated.*\{\{df.shape\[0\]\}\}.*\\\{\{"
REFUSED = {
    **dict.fromkeys(EXPRESSIONS, ALLOWED),
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


def test_a_small_table_shows_whole_and_what_is_left_out_of_a_long_value_is_said():
    frame = pd.DataFrame({"n": range(50), "text": "a" * 80})
    space = {"frame": frame, "long": pd.concat([frame] * 20), "array": np.zeros((50, 50))}
    shown = interpolate("Sum up:\n{{long}}", space).split("\n")

    assert frame.to_string() == interpolate("{{frame}}", space)
    assert frame["n"].to_string() == interpolate('{{frame["n"]}}', space)
    assert "50" == interpolate("{{frame.shape[0]}}", space)
    assert ["Sum up:", frame.to_string().partition("\n")[0]] == shown[:2]
    assert ["49", "49", "a" * 80] == shown[51].split()
    assert "... and 950 more rows of 1000" == shown[-1]
    left_out = "\n(numpy leaves out most of the 2,500 values here)"
    assert interpolate("{{array}}", space).endswith(left_out)
    for value in (list(range(5_000)), np.arange(900), "a ... b", np.array(["wait ... what"] * 20)):
        assert str(value) == interpolate("{{value}}", {"value": value})


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
    "City: {city}.\n\n({name})": "{{city}} and {{name}}",
    "It costs {price:.2f}, {name!r}": "{{price}} and {{name}}",
    '{d["key"]} of {row.city}': '{{d["key"]}} and {{row.city}}',
    "```\n{x}\n```\nfor {name}": "{{name}}",
}


@pytest.mark.parametrize("prompt", MEANT)
def test_a_variable_in_single_braces_may_be_meant(prompt):
    (said,) = hints(prompt, USERS)

    assert said.startswith(f"did you mean {MEANT[prompt]}?")


CODE = r"""
{nowhere} {math} {In} {exit} {_} {{city}}
greeting = f"Hello {city}!"
${name} #{name} %{name} @{name}
\frac{x}{name} x_{x} {x}^2 $\{x\}$
$$ {x} $$ \( {x} \)
'{name}'.format(name=1)
{{{name}}}"""


@pytest.mark.parametrize("prompt", [*CODE.split("\n"), "```python\n{city}\n```", "\\(" * 200_000])
def test_code_and_formulas_are_not_taken_for_look_ups(prompt):
    assert () == hints(prompt, USERS)


def test_objects_that_cannot_be_looked_at_are_errors_only_where_they_are_asked_for():
    class Hostile:
        def __getattribute__(self, name):
            raise RuntimeError(name)

        def __str__(self):
            raise ReferenceError

    space = {"fine": 1, "value": Hostile()}
    for name in ("value", "value.city", 'value["key"]'):
        with pytest.raises(PromptError, match="value"):
            interpolate(f"{{{{{name}}}}}", space)
    assert "1" == interpolate("{{fine}}", space)
