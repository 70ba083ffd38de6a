"""The command line, as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from nbroute.cli import WIDTH, cost_table, main


def attempt(**fields):
    return {
        "purpose": "answer",
        "tier": "SIMPLE",
        "model": "openai/gpt-4o-mini",
        "status": "ok",
        "error": None,
        "input_tokens": 21,
        "output_tokens": 9,
        "cost_usd": 0.000012,
        "cost_source": "list",
        "latency_ms": 412.0,
        "cached": False,
    } | fields


def record(*others, **fields):
    """A record with one answering attempt like itself, after the `others`."""
    own = attempt() | {name: value for name, value in fields.items() if name in attempt()}
    made = own | {
        "schema": 1,
        "id": "r1",
        "parent": None,
        "session": "s1",
        "ts": 1.0,
        "msg_hash": "abc",
        "feature": None,
        "provider": "openrouter",
        "provider_kind": "remote",
        "strategy": "direct",
        "classifier": "rules",
        "confidence": 0.93,
        "reason": 'rules: "What is" at 0, 7 words, no code',
        "ttft_ms": 90.0,
        "escalated": False,
        "cached": False,
        "attempts": [*others, own],
    }
    return made | fields


def cell(source, *records):
    outputs = [new_output("display_data", metadata={"nbroute": one}) for one in records]
    return new_code_cell(source, outputs=outputs)


def shown(*cells):
    return cost_table(new_notebook(cells=list(cells)))


FRANCE = "%%route -t SIMPLE\nWhat is the capital of France?"
FREE = {"cost_source": "equivalent", "provider_kind": "local", "model": "SmolLM2-135M-Instruct"}


# The table


def test_an_answer_takes_two_lines_with_all_that_matters():
    head, below, _, first, second, *_ = shown(cell(FRANCE, record()))

    assert ["prompt", "tier", "tokens", "latency", "cost"] == head.split()
    assert ["why", "model"] == below.split()
    assert "What is the capital of France?" == first[:40].strip()
    assert ["SIMPLE", "21 in, 9 out", "0.4 s", "$0.000012 (list price)"] == [
        part.strip() for part in first[40:].split("  ") if part
    ]
    assert '  rules: "What is" at 0, 7 words, no code' == second[:49].rstrip()
    assert "openai/gpt-4o-mini" == second[49:].strip()


def test_no_line_is_wider_than_120_columns():
    long = record(
        model="vendor/" + "m" * 200,
        reason="r" * 300,
        input_tokens=123_456,
        output_tokens=16_384,
        latency_ms=1_234_567,
        cost_source="equivalent",
        cost_usd=0.0000123,
    )
    rows = shown(
        cell("%%route\n" + "長い質問です。" * 30, long),
        cell("%%route\n\U0001f600" * 90, record(id="2")),
    )

    assert WIDTH == 120
    for row in rows[:-4]:
        assert len(row) + sum("一" <= letter <= "龥" for letter in row) <= WIDTH
    assert any("$0.000012 (would have cost)" in row for row in rows)


def test_control_characters_of_a_prompt_do_not_reach_the_terminal():
    rows = shown(cell("%%route\nred \x1b[31m alert\nsecond\tline", record()))

    assert rows[3].startswith("red [31m alert second line")


def test_a_simulated_answer_says_so():
    rows = shown(cell(FRANCE, record(provider_kind="simulated", cost_source="equivalent")))

    assert rows[4].endswith("openai/gpt-4o-mini (simulated)")


def test_an_interrupted_answer_says_so():
    assert shown(cell(FRANCE, record(status="interrupted")))[4].endswith("(interrupted)")


def test_a_cached_answer_costs_nothing_and_says_so():
    rows = shown(cell(FRANCE, record(cached=True, cost_usd=0.0, latency_ms=0.4)))

    assert rows[3].endswith("0 ms     $0 (cached)")
    assert "shown       1 answer from 1 call, 1 cached" in rows


def test_a_replayed_answer_says_that_it_is_one():
    notebook = new_notebook(cells=[cell(FRANCE, record(cached=True, cost_usd=0.0, latency_ms=400))])

    table = "\n".join(cost_table(notebook, "replayed"))

    assert "$0 (replayed)" in table
    assert "1 answer from 1 call, 1 replayed" in table
    assert "cached" not in table


def test_an_escalated_answer_stands_under_the_one_below_it_with_its_prompt():
    top = record(id="r2", parent="r1", ts=2.0, tier="MEDIUM", escalated=True)
    rows = shown(cell(FRANCE, top | {"earlier": [record()]}), cell("%route escalate", top))

    assert ["SIMPLE", "MEDIUM"] == [row[40:49].strip() for row in rows[3:7:2]]
    assert rows[5].startswith("What is the capital of France?")
    assert rows[6].endswith("(escalated)")
    assert "shown       2 answers from 2 calls" in rows


def test_a_call_from_python_is_shown_by_its_code():
    assert shown(cell('router.route("hi")', record()))[3].startswith('router.route("hi")')


def test_a_record_of_another_schema_and_other_metadata_are_passed_over():
    odd = cell(FRANCE, record(schema=99), "text", {})

    assert ["shown       0 answers from 0 calls", "spent       $0"] == shown(odd)


@pytest.mark.parametrize("value", [None, -1, "x", [], {}, float("inf"), float("nan"), 10**400])
def test_a_forged_record_does_no_harm_to_the_others(value):
    forged = [record(id="r2") | {name: value} for name in ("ts", "tier", "latency_ms", "attempts")]
    forged += [record(id="r2", cost_usd=value, cost_source=value), {"earlier": value}]
    forged += [record(id="r2") | {"attempts": [value]}, {"compared": [value]}]

    rows = shown(cell(FRANCE, *forged), cell(FRANCE, record()))

    assert any("$0.000012 (list price)" in row for row in rows)


# The totals


def test_real_money_and_what_was_not_billed_are_summed_apart():
    rows = shown(
        cell(FRANCE, record(cost_usd=0.25)),
        cell(FRANCE, record(id="r2", cost_usd=0.5, cost_source="billed")),
        cell(FRANCE, record(id="r3", cost_usd=4.0, **FREE)),
    )

    assert "shown       3 answers from 3 calls" in rows
    assert "spent       $0.75 = $0.25 (list price) + $0.50 (billed)" in rows
    assert any(row.startswith("not billed  $4.00 (what the tiers") for row in rows)


def test_the_calls_that_classify_and_fail_are_in_the_sum():
    classify = attempt(purpose="classify", cost_usd=0.1)
    failed = attempt(status="error", cost_usd=0.0)
    rows = shown(cell(FRANCE, record(classify, failed, cost_usd=0.2)))

    assert "shown       1 answer from 3 calls" in rows
    assert "spent       $0.30 (list price)" in rows


def test_an_unknown_cost_is_named_and_never_zero():
    rows = shown(cell(FRANCE, record(cost_usd=None, cost_source="unknown", model="me/mine")))

    assert rows[3].endswith("unknown (no price for this model)")
    assert "unknown     what 1 call cost: no price for me/mine" in rows


# nbroute run

DISPLAY = """%%route
What is the capital of France?"""

SETUP = f"""
import json, os
from IPython.core.magic import register_cell_magic
from IPython.display import display
record = json.loads({json.dumps(json.dumps(record(**FREE)))})
@register_cell_magic
def route(line, cell):
    text = os.environ["NBROUTE_PROFILE"] + " " + os.environ["NBROUTE_STATIC"] + " " + os.getcwd()
    display({{"text/plain": text}}, raw=True, metadata={{"nbroute": record}})
"""


def nbroute_(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "nbroute", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def written(path, *sources):
    cells = [new_markdown_cell("# A lesson"), *map(new_code_cell, sources)]
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    lesson = written(folder / "lesson.ipynb", SETUP, DISPLAY, "")
    done = nbroute_("run", lesson, "--profile", "simulated", "--out", folder / "made")
    return folder, done


def test_run_prints_the_table_and_where_the_files_are(executed):
    folder, done = executed

    assert 0 == done.returncode, done.stderr
    lines = done.stdout.splitlines()
    assert any("$0.000012 (would have cost)" in line for line in lines)
    assert f"notebook    {folder / 'made' / 'lesson.ipynb'}" == lines[-2]
    assert f"page        {folder / 'made' / 'lesson.html'}" == lines[-1]


def test_run_writes_the_executed_notebook_and_its_page(executed):
    folder, _ = executed
    notebook = nbformat.read(folder / "made" / "lesson.ipynb", as_version=4)

    assert "r1" == notebook.cells[2].outputs[0].metadata.nbroute.id
    assert "What is the capital of France?" in (folder / "made" / "lesson.html").read_text()


def test_run_leaves_the_notebook_itself_as_it_was(executed):
    folder, _ = executed
    notebook = nbformat.read(folder / "lesson.ipynb", as_version=4)

    assert [] == [output for cell in notebook.cells[1:] for output in cell.outputs]


def test_run_tells_the_kernel_the_profile_and_to_be_static(executed):
    folder, _ = executed
    notebook = nbformat.read(folder / "made" / "lesson.ipynb", as_version=4)

    assert f"simulated 1 {folder}" == notebook.cells[2].outputs[0].data["text/plain"]


def test_run_shows_how_far_it_is(executed):
    _, done = executed

    assert "cell 2 of 2" in done.stderr
    assert "WARNING" not in done.stderr


def test_a_failing_cell_is_one_line_and_the_files_are_written(tmp_path):
    lesson = written(tmp_path / "lesson.ipynb", "1 + 1", "raise ValueError('no\\nway')", "2")

    done = nbroute_("run", lesson, cwd=tmp_path)

    assert 1 == done.returncode
    assert "nbroute: cell 2 of 3 failed: ValueError: no way" == done.stderr.splitlines()[-1]
    assert "ValueError" not in "".join(done.stderr.splitlines()[:-1])  # told once, in one line
    assert ["lesson.html", "lesson.ipynb"] == sorted(p.name for p in (tmp_path / "out").iterdir())


def test_a_kernel_that_dies_is_one_line_and_the_files_are_written(tmp_path):
    lesson = written(tmp_path / "lesson.ipynb", "import os; os._exit(3)")

    done = nbroute_("run", lesson, cwd=tmp_path)

    assert 1 == done.returncode
    assert "nbroute: cell 1 of 1 failed: the kernel died" == done.stderr.splitlines()[-1]
    assert (tmp_path / "out" / "lesson.html").is_file()


# Errors of the command line


def said_by(capsys, *words):
    code = main([str(word) for word in words])
    return code, capsys.readouterr().err


def test_a_missing_notebook_is_one_line(tmp_path, capsys):
    path = tmp_path / "none.ipynb"

    assert (
        1,
        f"nbroute: cannot read the notebook '{path}': No such file or directory\n",
    ) == said_by(capsys, "run", path)


_CELL = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [%s]}'


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"cells": 3}', "\x00", "[" * 100_000, "9" * 5_000),
        *(_CELL % value for value in ("3", "null", "{}", '{"cell_type": "code", "source": 3}')),
        _CELL % '{"cell_type": "markdown", "id": "a", "source": "", "metadata": {"tags": 3}}',
    ],
    ids=lambda text: text[-40:],
)
def test_a_file_that_is_no_notebook_is_one_line(tmp_path, capsys, text):
    path = tmp_path / "odd.ipynb"
    path.write_text(text)

    code, said = said_by(capsys, "run", path)

    assert 1 == code
    assert said.startswith(f"nbroute: '{path}' is not a notebook")
    assert 1 == said.count("\n")


def test_the_notebook_itself_is_never_overwritten(tmp_path, capsys):
    path = written(tmp_path / "lesson.ipynb", "1")
    before = path.read_bytes()

    code, said = said_by(capsys, "run", path, "--out", tmp_path)

    assert 1 == code
    assert "name another folder with --out" in said
    assert before == path.read_bytes()


def test_without_nbclient_the_cure_is_the_pip_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbclient", None)

    code, said = said_by(capsys, "run", written(tmp_path / "lesson.ipynb", "1"))

    assert 1 == code
    assert "pip install 'nbroute[lab]'" in said


def test_an_out_folder_that_cannot_be_made_is_said_before_anything_runs(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    lesson = written(tmp_path / "lesson.ipynb", "1")

    code, said = said_by(capsys, "run", lesson, "--out", tmp_path / "file")

    assert 1 == code
    assert (
        f"nbroute: cannot write to '{tmp_path / 'file'}': File exists; "
        "name another folder with --out\n"
    ) == said


def test_an_error_of_pull_is_one_line(tmp_path, capsys):
    code, said = said_by(capsys, "pull", "http://127.0.0.1:1/m.gguf", "--folder", tmp_path / "new")

    assert 1 == code
    assert said.startswith("nbroute: no connection to 127.0.0.1")
    assert 1 == said.count("\n")


@pytest.mark.parametrize(
    "words", [[], ["fly"], ["run"], ["pull", "--sha", "--x"], ["run", "a", "b"]]
)
def test_wrong_usage_ends_with_2(capsys, words):
    with pytest.raises(SystemExit) as caught:
        main(words)

    assert 2 == caught.value.code
    assert "usage: nbroute" in capsys.readouterr().err


def test_help_names_the_commands():
    done = nbroute_("--help")

    assert 0 == done.returncode
    assert "pull" in done.stdout
    assert "run" in done.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys, contextlib\n"
        "from nbroute.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "print({'openai', 'nbclient', 'nbconvert', 'pandas', 'genai_prices'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "set()" == done.stdout.splitlines()[-1]


@pytest.mark.parametrize("command", ["trust", "check-endpoint simulated", "trust --list"])
def test_with_no_input_and_no_output_at_all_a_command_ends_without_a_traceback(tmp_path, command):
    (tmp_path / "nbroute.toml").write_text("[nbroute]\nledger = 'l'\n")
    words = f"cd {tmp_path} && {sys.executable} -m nbroute {command} <&-"

    for closed in ("", ">&-"):
        done = subprocess.run(words + closed, shell=True, capture_output=True, text=True)  # noqa: S602, PLW1510
        assert "Traceback" not in done.stderr
        assert (done.returncode == 0) == (command == "trust --list")
