"""The notebooks: executed, the same again under strict nbval, and readable with no kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def routed(path):
    """The cells whose prompt was answered, with their record."""
    return [
        (cell, output)
        for cell in code_cells(path)
        for output in cell.outputs
        if "nbroute" in output.get("metadata", {})
    ]


def run(*command, **extra):
    environ = os.environ | {"PYDEVD_DISABLE_FILE_VALIDATION": "1", **extra}
    return subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        timeout=300,
        env=environ,
        check=False,
    )


def test_there_is_a_quickstart():
    assert "01_quickstart.ipynb" in [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_was_executed_in_order_and_without_an_error(path):
    counts = [cell.execution_count for cell in code_cells(path)]

    assert list(range(1, len(counts) + 1)) == counts
    kinds = {output.output_type for cell in code_cells(path) for output in cell.outputs}
    assert "error" not in kinds


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_routed_cell_holds_its_answer_and_its_record(path):
    assert routed(path)
    for _, output in routed(path):
        record = output.metadata["nbroute"]
        assert 1 == record["schema"]
        blind = output.data["text/plain"].startswith("blind")
        for answer in record.get("compared", [record]):
            assert "simulated" == answer["provider_kind"]
            for kind in ("text/plain", "text/markdown"):
                assert blind != (answer["tier"] in output.data[kind])
                assert "simulated" in output.data[kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_gives_the_same_outputs_again_under_strict_nbval(path, tmp_path):
    done = run(
        *("pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-q"),
        *("-W", "ignore", "-c", os.devnull, str(path)),
        NBROUTE_PROFILE="simulated",
        NBROUTE_LEDGER=str(tmp_path / "ledger.sqlite"),
    )

    assert 0 == done.returncode, done.stdout[-4000:]
    assert f"{len(code_cells(path))} passed" in done.stdout


@pytest.mark.parametrize(("to", "suffix"), [("html", "html"), ("markdown", "md")])
def test_a_saved_notebook_converts_with_every_answer_readable(tmp_path, to, suffix):
    done = run(
        *("jupyter", "nbconvert", "--to", to, "--output-dir", str(tmp_path)),
        str(FOLDER / "01_quickstart.ipynb"),
    )

    assert 0 == done.returncode, done.stderr
    page = (tmp_path / f"01_quickstart.{suffix}").read_text()
    assert page.count(">simulated</span>") >= 5
    for told in ("SIMPLE", "COMPLEX", "The capital of France is Paris.", "would have cost"):
        assert told in page


def test_a_notebook_keeps_no_key_and_no_widget_state():
    for path in NOTEBOOKS:
        text = path.read_text()
        assert "sk-" not in text
        assert "widgets" not in json.loads(text)["metadata"]
