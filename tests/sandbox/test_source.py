"""Python in what people and models write: an answer's code, a notebook's assertions."""

from __future__ import annotations

import math

import pytest

from nbroute.errors import SettingsError
from nbroute.sandbox import assertions_of, code_of


def test_the_code_of_an_answer_is_what_its_fences_hold():
    for text, code in (
        ("Sure!\n```py\nx = 1\n```\nand\n~~~Python3\ny = 2\n~~~\nDone.", "x = 1\n\ny = 2"),
        ("1. Like so:\n   ```python\n   if x:\n       y = 1\n   ```", "if x:\n    y = 1"),
        ("````python\nx = '''\n```\n'''\n````", "x = '''\n```\n'''"),
        ("```python\nx = 1", "x = 1"),
        ("```\nx = 1\n```\nprints\n```\nno code at all\n```", "x = 1"),
        ("def f():\n    return 1", "def f():\n    return 1"),
        ("Paris, Rome", ""),
    ):
        assert code == code_of(text)


expected = 3


def uses_a_variable():
    assert add(1, 2) == expected  # noqa: F821


def uses_an_import():
    assert math.isclose(add(1, 2), 3)  # noqa: F821


def takes_one(candidate):
    assert candidate


def test_assertions_that_cannot_be_run_or_cannot_fail_are_refused():
    for value, words in (
        (uses_a_variable, "the notebook's variable 'expected': they run in another process"),
        (uses_an_import, "the notebook's import 'math'; import it inside the function"),
        (takes_one, "callable with no arguments"),
        (lambda: add(1, 2) == 3, "not a plain function"),  # noqa: F821
        (["assert 1", 2], "'list'"),
        ("", "there is no assert"),
        ("assert add(1, 2) == 3\nreturn", "not Python: line 2: 'return' outside function"),
        ("add(1, 2) == 3", "line 1 and ignore the outcome; write 'assert add(1, 2) == 3'"),
        ("assert (add(1, 2) == 3, 'three')", "line 1, which is always true"),
        ("def check(candidate):\n    assert candidate(1) == 2", "call none"),
    ):
        with pytest.raises(SettingsError, match="'mine'") as raised:
            assertions_of(value, "mine")
        assert words in str(raised.value)
