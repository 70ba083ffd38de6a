"""Python in what people and models write: an answer's code, a notebook's assertions."""

from __future__ import annotations

import functools
import math

import pytest

from nbroute.errors import SettingsError
from nbroute.sandbox import assertions_of, code_of


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nx = 1\n```", "x = 1"),
        ("Sure!\n```py\nx = 1\n```\nand\n~~~Python3\ny = 2\n~~~\nDone.", "x = 1\n\ny = 2"),
        ("```{python}\nx = 1\n```", "x = 1"),
        ("```python title=a.py\nx = 1\n```", "x = 1"),
        ("```python:a.py\r\nx = 1\r\n```\r\nDone.", "x = 1\r"),
        ("1. Like so:\n   ```python\n   if x:\n       y = 1\n   ```", "if x:\n    y = 1"),
        ("````python\nx = '''\n```\n'''\n````", "x = '''\n```\n'''"),
        ("```python\nx = 1", "x = 1"),
        ("```python\nx = (\n```", "x = ("),
        ("```\nx = 1\n```\nprints\n```\nno code at all\n```", "x = 1"),
        ("```python\nx = 1\n```\nOutput:\n```\n42\n```", "x = 1"),
        ("```bash\nls\n```", ""),
        ("```\n42\n```", ""),
        ("def f():\n    return 1", "def f():\n    return 1"),
        ("print('hi')", "print('hi')"),
        ("Yes", ""),
        ("Paris, Rome", ""),
        ("The answer is 4.", ""),
        ("", ""),
        ("x = '\\d'", "x = '\\d'"),
        ("Use ```x = 1``` here", ""),
    ],
)
def test_the_code_of_an_answer_is_what_its_fences_hold(text, code):
    assert code == code_of(text)


def test_a_string_and_a_list_of_strings_are_assertions():
    assert "assert 1" == assertions_of("\n    assert 1\n", "t")
    assert "assert a\nassert b" == assertions_of(["assert a", "assert b"], "t")


expected = 3


def uses_a_variable():
    assert add(1, 2) == expected  # noqa: F821


def uses_an_import():
    assert math.isclose(add(1, 2), 3)  # noqa: F821


@functools.cache
def decorated():
    assert add(1, 2) == 3  # noqa: F821


def plainly_decorated(function):
    return function


@plainly_decorated
def marked():
    assert add(1, 2) == 3  # noqa: F821


def takes_one(candidate):
    assert candidate


async def waits():
    assert add(1, 2) == 3  # noqa: F821


def yields():
    yield add(1, 2) == 3  # noqa: F821


def empty():
    """Nothing."""


def closing_over(wanted):
    def inside():
        assert add(1, 2) == wanted  # noqa: F821

    return inside


SOURCELESS: dict = {}
exec("def typed(): assert add(1, 2) == 3", SOURCELESS)  # noqa: S102 - a function with no source


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (uses_a_variable, "the notebook's variable 'expected': they run in another process"),
        (uses_an_import, "the notebook's import 'math'; import it inside the function"),
        (decorated, "'_lru_cache_wrapper'; give a string"),
        (marked, "have a decorator"),
        (takes_one, "callable with no arguments"),
        (yields, "must not yield"),
        (waits, "not a plain function"),
        (empty, "there is no assert"),
        (closing_over(3), "use 'wanted' of the function around them"),
        (SOURCELESS["typed"], "no source that can be read"),
        (lambda: add(1, 2) == 3, "not a plain function"),  # noqa: F821
        (print, "'builtin_function_or_method'"),
        (42, "'int'; give a string"),
        (None, "'NoneType'"),
        (["assert 1", 2], "'list'"),
        ("", "there is no assert"),
        ("# nothing", "there is no assert"),
        ([], "there is no assert"),
        ("assert (", "not Python: line 1"),
        ("assert add(1, 2) == 3\nreturn", "not Python: line 2: 'return' outside function"),
        ("assert '\0'", "not Python"),
        ("add(1, 2) == 3", "line 1 and ignore the outcome; write 'assert add(1, 2) == 3'"),
        ("assert (add(1, 2) == 3, 'three')", "line 1, which is always true"),
        ("def check(candidate):\n    assert candidate(1) == 2", "call none"),
    ],
)
def test_assertions_that_cannot_be_run_or_cannot_fail_are_refused(value, words):
    with pytest.raises(SettingsError, match="'mine'") as raised:
        assertions_of(value, "mine")

    assert words in str(raised.value)
