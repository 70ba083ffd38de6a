"""The notebooks: readable with no kernel, the same when run again, solvable, and replayable."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nbroute.cli import main

FOLDER = Path(__file__).parent.parent / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def cells(path, tag=None):
    found = json.loads(path.read_text())["cells"]
    return [cell for cell in found if tag is None or tag in cell["metadata"].get("tags", ())]


def shown(cell):
    """What the cell's result says."""
    return "".join(
        "".join(output["data"]["text/plain"]) for output in cell["outputs"] if "data" in output
    )


def records(path):
    """The records of all answers in the notebook."""
    for cell in cells(path):
        for output in cell.get("outputs", ()):
            if record := output.get("metadata", {}).get("nbroute"):
                yield from record.get("compared", [record])


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_says_its_goals_and_was_executed_in_order_without_error_key_or_widget(name):
    path = FOLDER / f"{name}.ipynb"
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    texts = ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "markdown"]
    bare = [re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL) for text in texts]

    assert {"simulated"} == {answer["provider_kind"] for answer in records(path)}
    assert "**Time:**" in texts[0]
    assert "**Goals:**" in texts[0]
    assert list(range(1, len(code) + 1)) == [cell["execution_count"] for cell in code]
    assert "error" not in {one["output_type"] for cell in code for one in cell["outputs"]}
    assert "sk-" not in path.read_text()
    assert "widgets" not in json.loads(path.read_text())["metadata"]
    # A backslash does not help: JupyterLab typesets what stands between two of them all the same.
    assert all(text.count("$") < 2 for text in bare)


# The sixth counts the votes of the session's ledger, so it has one of its own.
@pytest.mark.parametrize("names", [NAMES[:-1], NAMES[-1:]])
def test_every_notebook_gives_the_same_outputs_again_under_strict_nbval(names, tmp_path):
    paths = [FOLDER / f"{name}.ipynb" for name in names]
    environ = os.environ | {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "NBROUTE_PROFILE": "simulated"}
    environ["NBROUTE_LEDGER"] = str(tmp_path / "ledger.sqlite")
    options = ("--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-q", "-W", "ignore")
    command = [sys.executable, "-m", "pytest", *options, "-c", os.devnull, *paths]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    code = [cell for path in paths for cell in cells(path) if cell["cell_type"] == "code"]
    assert f"{len(code)} passed" in done.stdout, done.stdout[-4000:] + done.stderr[-4000:]
    assert [path.stem for path in sorted(FOLDER.glob("*.ipynb"))] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_solutions_pass_the_checks_and_the_notebook_replays_from_what_they_recorded(
    name, tmp_path
):
    recording, source = str(tmp_path / "workshop.json"), FOLDER / f"{name}.ipynb"
    solving = ("--solved", "--profile", "simulated", "--record", recording)
    assert 0 == main(["run", str(source), *solving, "--out", str(tmp_path / "solved")])
    checks = [shown(cell) for cell in cells(tmp_path / "solved" / source.name, "check")]
    assert all(told.endswith("well done") for told in checks), checks

    if name in ("01_quickstart", "04_compare"):  # a kernel for each would take longer than it shows
        assert 0 == main(["run", str(source), "--replay", recording, "--out", str(tmp_path)])
        answers = list(records(tmp_path / source.name))
        assert answers
        assert all(answer["cached"] and answer["cost_usd"] == 0 for answer in answers)
