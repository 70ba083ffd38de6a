"""The workshop: each exercise can be solved, and all of it runs from a recording alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
NAMES = [
    *("01_quickstart", "02_classify", "03_strategies", "04_compare", "05_costs"),
    "06_is_it_any_good",
]


def cells(path, tag=None):
    found = json.loads(path.read_text())["cells"]
    return [cell for cell in found if tag is None or tag in cell["metadata"].get("tags", ())]


def shown(cell):
    """What the cell's result says."""
    return "".join(
        "".join(output["data"]["text/plain"]) for output in cell["outputs"] if "data" in output
    )


def run(*arguments, folder, **extra):
    """`nbroute run` in an environment that has no key and no file of this machine's user."""
    environ = os.environ | {"NBROUTE_LEDGER": str(folder / "ledger.sqlite"), **extra}
    return subprocess.run(
        [sys.executable, "-m", "nbroute", "run", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env=environ,
        check=False,
    )


def routed(path):
    """The records of all answers in the notebook."""
    for cell in cells(path):
        for output in cell.get("outputs", ()):
            record = output.get("metadata", {}).get("nbroute", {})
            yield from record.get("compared", [record] if record else [])


def test_the_workshop_has_these_six_notebooks():
    assert [path.stem for path in sorted(FOLDER.glob("*.ipynb"))] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_says_its_goals_and_its_time(name):
    first = "".join(cells(FOLDER / f"{name}.ipynb")[0]["source"])

    assert "**Time:**" in first
    assert "**Goals:**" in first


@pytest.mark.parametrize("name", NAMES)
def test_no_amount_of_dollars_in_the_text_turns_into_a_formula(name):
    texts = ["".join(c["source"]) for c in cells(FOLDER / f"{name}.ipynb") if "outputs" not in c]
    bare = [re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL) for text in texts]

    # A backslash does not help: JupyterLab typesets what stands between two of them all the same.
    assert all(text.count("$") < 2 for text in bare)


@pytest.mark.parametrize("name", NAMES)
def test_each_exercise_has_a_hidden_hint_a_hidden_solution_and_a_check_not_yet_passed(name):
    path = FOLDER / f"{name}.ipynb"
    checks = [shown(cell) for cell in cells(path, "check")]

    assert len(checks) >= 2
    assert len(checks) == len(cells(path, "exercise")) == len(cells(path, "solution"))
    assert all("not yet" in told for told in checks), checks
    assert not any("Error" in told or "`" in told for told in checks), checks
    for cell in cells(path, "solution"):
        hint, solution = re.findall("<summary>(.*)</summary>", "".join(cell["source"]))
        assert (hint, solution) == ("Hint", "Solution")


@pytest.mark.parametrize("name", NAMES)
def test_the_solutions_pass_the_checks_and_the_notebook_replays_from_what_they_recorded(
    name, tmp_path
):
    recording = tmp_path / "workshop.json"
    source = FOLDER / f"{name}.ipynb"

    solved = run(
        *(source, "--solved", "--profile", "simulated"),
        *("--record", recording, "--out", tmp_path / "solved"),
        folder=tmp_path,
    )
    assert 0 == solved.returncode, solved.stderr
    checks = [shown(cell) for cell in cells(tmp_path / "solved" / source.name, "check")]
    assert all(told.endswith("well done") for told in checks), checks

    replayed = run(
        *(source, "--replay", recording, "--out", tmp_path / "replayed"), folder=tmp_path
    )
    assert 0 == replayed.returncode, replayed.stderr
    answers = list(routed(tmp_path / "replayed" / source.name))
    played = all(answer["cached"] and answer["cost_usd"] == 0 for answer in answers)
    # The sixth has the simulated models answer in any case: only of them is the truth known.
    assert played or name == "06_is_it_any_good"
    assert answers or name == "05_costs"


def test_notebook_3_runs_where_no_box_can_be_made_for_code_and_says_so(tmp_path):
    """The kernel finds a `sitecustomize` that takes the boxes away."""
    (tmp_path / "sitecustomize.py").write_text(
        "from nbroute.sandbox import boxes\nboxes.candidates = list\n"
    )
    source = FOLDER / "03_strategies.ipynb"

    done = run(
        *(source, "--profile", "simulated", "--out", tmp_path / "out"),
        folder=tmp_path,
        PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]),
    )

    assert 0 == done.returncode, done.stderr
    allow, asked = (
        "".join(output.get("evalue", "") for output in cell["outputs"])
        for cell in cells(tmp_path / "out" / source.name, "raises-exception")
    )
    assert "There is no box here for code that a model wrote" in allow
    assert "%route allow code" in asked
