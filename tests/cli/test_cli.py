"""The command line: a notebook run and its table of costs, and errors in one line."""

from __future__ import annotations

import json
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from nbroute.cli import cost_table, main

CALL = {
    "purpose": "answer", "provider": "openrouter", "error": None,
    "tier": "SIMPLE", "model": "openai/gpt-4o-mini", "status": "ok", "cached": False,
    "input_tokens": 21, "output_tokens": 9, "latency_ms": 412.0,
    "cost_usd": 0.000012, "cost_source": "list",
}  # fmt: skip


def record(*others, **fields):
    """A record with one answering attempt like itself, after the `others`."""
    own = CALL | {name: value for name, value in fields.items() if name in CALL}
    made = {"schema": 1, "id": "r1", "parent": None, "ts": 1.0, "provider_kind": "remote"}
    made |= {"reason": 'rules: "What is" at 0, 7 words, no code', "escalated": False}
    return own | made | {"attempts": [*others, own]} | fields


def cell(source, *records):
    outputs = [new_output("display_data", metadata={"nbroute": one}) for one in records]
    return new_code_cell(source, outputs=outputs)


FRANCE = "%%route -t SIMPLE\nWhat is the capital of France?"
FREE = {"cost_source": "equivalent", "provider_kind": "local", "model": "SmolLM2-135M-Instruct"}
BROKEN_OFF = {"cost_usd": None, "cost_source": "unknown", "model": "me/\x1b[2Jmine"}
TABLE = """\
prompt                                  tier       tokens              latency  cost
  why                                              model
RULE
What is the capital of France?          SIMPLE     21 in, 9 out        0.4 s    $0.15 (list price)
  rules: "What is" at 0, 7 words, no code          openai/gpt-4o-mini
What is the capital of France?          MEDIUM     21 in, 9 out        0.4 s    $0 (list price)
  rules: "What is" at 0, 7 words, no code          openai/gpt-4o-mini (escalated)
hi                                      SIMPLE     21 in, 9 out        0.4 s    $0.50 (billed)
  rules: "What is" at 0, 7 words, no code          openai/gpt-4o-mini (simulated)
One?                                    SIMPLE     21 in, 9 out        0.4 s    $4.00 (would have cost)
  rules: "What is" at 0, 7 words, no code          SmolLM2-135M-Instruct
Two?                                    SIMPLE     21 in, 9 out        0.4 s    $0 (replayed)
  rules: "What is" at 0, 7 words, no code          openai/gpt-4o-mini
Two?                                    SIMPLE     21 in, 9 out        0.4 s    unknown (no price for this model)
  rules: "What is" at 0, 7 words, no code          me/ [2Jmine (interrupted)
RULE
shown       6 answers from 8 calls, 1 replayed
spent       $0.75 = $0.25 (list price) + $0.50 (billed)
not billed  $4.00 (what the tiers' reference models would have cost)
unknown     what 1 call cost: no price for me/ [2Jmine
"""  # noqa: E501 - as on the screen


def test_an_answer_takes_two_lines_and_real_money_and_what_was_not_billed_are_summed_apart():
    others = CALL | {"cost_usd": 0.1}, CALL | {"status": "error", "cost_usd": 0}
    top = record(id="r4", parent="r1", ts=2.0, tier="MEDIUM", escalated=True, cost_usd=0)
    billed = {"cost_source": "billed", "provider_kind": "simulated"}
    replayed = record(id="r5", cached=True, cost_usd=0.0)
    cells = [
        cell(FRANCE, top | {"earlier": [record(*others, cost_usd=0.15)]}),
        cell("hi", record(id="r2", cost_usd=0.5, **billed)),
        cell("%%route\nOne?", record(id="r3", cost_usd=4.0, **FREE)),
        cell("%%route\nTwo?", replayed, record(id="r6", status="interrupted", **BROKEN_OFF)),
        cell(FRANCE, record(schema=99), "text", {}),
    ]

    rows = cost_table(new_notebook(cells=cells), "replayed")

    assert TABLE.replace("RULE", "-" * 120).splitlines() == rows


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


def written(path, *sources):
    cells = [new_markdown_cell("# A lesson"), *map(new_code_cell, sources)]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def said_by(capsys, *words):
    code = main([str(word) for word in words])
    return code, capsys.readouterr().err


def test_run_executes_a_copy_and_prints_the_table_and_where_the_files_are(tmp_path, capsys):
    lesson = written(tmp_path / "a\x1b[2J.ipynb", SETUP, FRANCE, "")
    before = lesson.read_bytes()

    code = main(["run", str(lesson), "--profile", "simulated", "--out", str(tmp_path / "made")])

    told = capsys.readouterr()
    lines = told.out.splitlines()
    made, page = tmp_path / "made" / lesson.name, tmp_path / "made" / "a\x1b[2J.html"
    assert any("$0.000012 (would have cost)" in line for line in lines)
    files = [f"notebook    {made}", f"page        {page}"]
    assert [line.replace("\x1b", " ") for line in files] == lines[-2:]
    assert (0, True, False) == (code, "cell 2 of 2" in told.err, "WARNING" in told.err)
    output = nbformat.read(made, as_version=4).cells[2].outputs[0]
    assert "r1" == output.metadata.nbroute.id
    assert f"simulated 1 {tmp_path}" == output.data["text/plain"]
    assert "What is the capital of France?" in page.read_text()
    assert before == lesson.read_bytes()


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (["1 + 1", "raise ValueError('no\\nway')", "2"], "cell 2 of 3 failed: ValueError: no way"),
        (["import os; os._exit(3)"], "cell 1 of 1 failed: the kernel died"),
    ],
)
def test_a_cell_that_fails_is_one_line_and_the_files_are_written(tmp_path, capsys, sources, said):
    lesson = written(tmp_path / "lesson.ipynb", *sources)
    saved = nbformat.read(lesson, as_version=4)
    saved.cells[-1].outputs = [new_output("stream", text="an earlier run's")]
    nbformat.write(saved, lesson)

    code, told = said_by(capsys, "run", lesson, "--out", tmp_path / "out")

    assert (1, f"nbroute: {said}") == (code, told.splitlines()[-1])
    assert "ValueError" not in "".join(told.splitlines()[:-1])  # said once
    assert ["lesson.html", "lesson.ipynb"] == sorted(p.name for p in (tmp_path / "out").iterdir())
    assert "an earlier run's" not in (tmp_path / "out" / "lesson.ipynb").read_text()


_CELL = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [%s]}'
_TAGS = '{"cell_type": "markdown", "id": "a", "source": "", "metadata": {"tags": 3}}'


def test_a_file_that_is_not_a_notebook_is_one_line(tmp_path, capsys):
    path = tmp_path / "odd.ipynb"
    for text in ("", "[]", "\x00", "[" * 100_000, "9" * 5_000, _CELL % "null", _CELL % _TAGS):
        path.write_text(text)

        code, said = said_by(capsys, "run", path)

        assert (1, 1) == (code, said.count("\n"))
        assert said.startswith(f"nbroute: '{path}' is not a notebook")


def test_what_cannot_be_read_written_or_pulled_is_one_line_before_anything_runs(
    tmp_path, capsys, monkeypatch
):
    folder = tmp_path / "lessons"
    folder.mkdir()
    (folder / "nbroute.toml").write_text('[profiles.mine]\nprovider = "simulated"\n')
    missing, lesson = tmp_path / "none.ipynb", written(folder / "lesson.ipynb", "1")
    before = lesson.read_bytes()
    file = tmp_path / "file"
    file.write_text("")
    taken = f"the executed notebook would overwrite '{lesson}': name another folder with --out"
    told = {
        f"run {missing}": f"cannot read the notebook '{missing}': No such file or directory",
        f"run {lesson} --profile mime": "--profile 'mime' is not a profile; did you mean 'mine'",
        f"run {lesson} --out {folder}": taken,
        f"run {lesson} --out {file}": f"cannot write to '{file}': File exists; name another folder",
        f"pull http://127.0.0.1:1/m.gguf --folder {tmp_path}": "no connection to 127.0.0.1",
    }

    for words, expected in told.items():
        code, said = said_by(capsys, *words.split())
        assert (1, 1) == (code, said.count("\n"))
        assert said.startswith(f"nbroute: {expected}")
    monkeypatch.setitem(sys.modules, "nbclient", None)
    assert "pip install 'nbroute[lab]'" in said_by(capsys, "run", lesson)[1]
    assert before == lesson.read_bytes()
