"""What a learner is told of an exercise, and the solved notebook."""

from __future__ import annotations

import nbformat
import pytest

from nbroute.errors import SettingsError
from nbroute.workshop import check, solved


def test_an_exercise_is_well_done_when_all_steps_hold_else_the_first_gives_its_hint():
    done = check("Exercise 1", (lambda: 1 + 1 == 2, "Add."), (lambda: "text", "Write."))
    left = check("Exercise 1", (lambda: True, "A."), (lambda: 0, "Count."), (lambda: 0, "Later."))

    assert (True, "✓ Exercise 1: well done") == (bool(done), repr(done))
    assert (False, "Exercise 1: not yet. Count.") == (bool(left), repr(left))


def test_an_answer_that_is_still_missing_gives_the_hint_and_no_exception():
    answer = None
    library = lambda: nbformat.read("not-there.ipynb", 4)  # noqa: E731 - a step

    for step in (lambda: answer.tier == "SIMPLE", lambda: not_there.tier, None, library):  # noqa: F821
        done = check("Exercise 2", (step, "Keep the result as `answer`."))

        assert repr(done) == "Exercise 2: not yet. Keep the result as answer."
        assert done._repr_markdown_() == "Exercise 2: not yet. Keep the result as `answer`."


def test_an_error_in_the_learners_own_function_is_told_in_one_line():
    def careful(prompt):
        raise ValueError(f"no `price`\n<b>in</b> {prompt}")

    done = check("Exercise 3", (lambda: any(careful(text) for text in "ab"), "Price it."))

    assert done._repr_markdown_() == (
        "Exercise 3: not yet. Price it. Your `careful` raises `ValueError: no 'price' <b>in</b> a`."
    )


def cell(kind, source, *tags):
    return {"cell_type": kind, "source": source, "metadata": {"tags": list(tags) or None}}


def test_a_solved_notebook_has_the_solutions_where_the_exercises_were():
    notebook = {
        "cells": [
            cell("code", "x = ...", "exercise"),
            cell("markdown", ["<details>\n\n```python\n", "x = 1\n```\n</details>"], "solution"),
            cell("code", "x = ...", "exercise"),
            cell("code", "check", "check"),
            cell("markdown", "```\r\n%%route y <<\r\nHello\r\n\r\nthere\r\n```", "solution"),
        ]
    }

    done = solved(notebook)

    assert [one["source"] for one in done["cells"] if "exercise" in one["metadata"]["tags"]] == [
        "x = 1",
        "%%route y <<\nHello\n\nthere",
    ]
    assert notebook["cells"][0]["source"] == "x = ..."


def test_a_solution_of_two_blocks_becomes_two_cells():
    source = "```python\n%%route y <<\nHello\n```\n\nThen:\n\n```python\nz = y.tier\n```"
    exercise = cell("code", "y = None", "exercise") | {"id": "cell-03", "outputs": ["old"]}
    notebook = nbformat.from_dict(
        {"cells": [cell("code", "1"), exercise, cell("markdown", source, "solution")]}
    )

    done = solved(notebook).cells  # a notebook that nbformat has read stays its kind

    assert ["1", "%%route y <<\nHello", "z = y.tier", source] == [one.source for one in done]
    assert ["cell-03", "cell-03-2"] == [one.id for one in done[1:3]]
    assert [[], []] == [one.outputs for one in done[1:3]]


def test_an_exercise_without_a_solution_is_an_error_and_a_notebook_without_exercise_is_not():
    plain = {"cells": [cell("code", "1"), cell("markdown", "no code")]}

    assert plain == solved(plain)
    with pytest.raises(SettingsError, match="exercise 1 of this notebook has no solution"):
        solved({"cells": [cell("code", "x = ...", "exercise"), *plain["cells"]]})
