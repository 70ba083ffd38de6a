"""What a learner is told about an exercise, and the solved notebook."""

from __future__ import annotations

import nbformat
import pytest

from nbroute.errors import SettingsError
from nbroute.workshop import check, solved


def test_the_first_step_that_does_not_hold_gives_its_hint_and_a_learners_error_is_one_line():
    answer = None
    library = lambda: nbformat.read("not-there.ipynb", 4)  # noqa: E731 - a step

    def careful(prompt):
        raise ValueError(f"no `price`\n<b>in</b> {prompt}")

    done = check("Exercise 1", (lambda: 1 + 1 == 2, "Add."), (lambda: "text", "Write."))
    left = check("Exercise 1", (lambda: True, "A."), (lambda: 0, "Count."), (lambda: 0, "Later."))
    assert (True, "✓ Exercise 1: well done") == (bool(done), repr(done))
    assert (False, "Exercise 1: not yet. Count.") == (bool(left), repr(left))
    for step in (lambda: answer.tier == "SIMPLE", lambda: not_there.tier, None, library):  # noqa: F821
        done = check("Exercise 2", (step, "Keep the result as `answer`."))
        assert repr(done) == "Exercise 2: not yet. Keep the result as answer."
        assert done._repr_markdown_() == "Exercise 2: not yet. Keep the result as `answer`."
    done = check("Exercise 3", (lambda: any(careful(text) for text in "ab"), "Price it."))
    assert done._repr_markdown_() == (
        "Exercise 3: not yet. Price it. Your `careful` raises `ValueError: no 'price' <b>in</b> a`."
    )


def cell(kind, source, *tags):
    return {"cell_type": kind, "source": source, "metadata": {"tags": list(tags) or None}}


def test_a_solved_notebook_has_the_solutions_where_the_exercises_were():
    details = ["<details>\n\n```python\n", "x = 1\n```\n</details>"]
    routed = "```\r\n%%route y <<\r\nHello\r\n\r\nthere\r\n```"
    two = "```python\n%%route y <<\nHello\n```\n\nThen:\n\n```python\nz = y.tier\n```"
    exercise = cell("code", "y = None", "exercise")
    plain = {"cells": [cell("code", "1"), cell("markdown", "no code")]}
    given = [exercise, cell("markdown", details, "solution"), exercise, cell("code", "2", "check")]
    given += [cell("markdown", routed, "solution"), *plain["cells"]]
    given += [exercise | {"id": "cell-03", "outputs": ["old"]}, cell("markdown", two, "solution")]
    notebook = nbformat.from_dict({"cells": given})
    done = solved(notebook).cells  # a notebook that nbformat has read stays one

    exercises = [one for one in done if "exercise" in (one.metadata.tags or [])]
    sources = ["x = 1", "%%route y <<\nHello\n\nthere", "%%route y <<\nHello", "z = y.tier"]
    assert sources == [one.source for one in exercises]
    assert ["cell-03", "cell-03-2"] == [one.id for one in exercises[2:]]
    assert [[], []] == [one.outputs for one in exercises[2:]]
    assert (10, "y = None") == (len(done), notebook.cells[0].source)
    assert plain == solved(plain)
    with pytest.raises(SettingsError, match="exercise 1 of this notebook has no solution"):
        solved({"cells": [exercise, *plain["cells"]]})
