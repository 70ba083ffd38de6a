"""`nbroute costs`: what saved notebooks say they spent."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from nbroute.cli import main
from nbroute.costs import Place, costs
from nbroute.errors import SettingsError


def call(**fields):
    return {
        "purpose": "answer",
        "tier": "SIMPLE",
        "provider": "openrouter",
        "model": "openai/gpt-4o-mini",
        "status": "ok",
        "error": None,
        "input_tokens": 20,
        "output_tokens": 10,
        "cost_usd": 0.25,
        "cost_source": "list",
        "latency_ms": 412.0,
        "cached": False,
    } | fields


def record(name="r1", *calls, **fields):
    return {"schema": 1, "id": name, "ts": 1.0, "attempts": list(calls or [call()])} | fields


LOCAL = {"cost_source": "equivalent", "model": "SmolLM2", "cost_usd": 4.0}
UNKNOWN = {"cost_source": "unknown", "model": "me/mine", "cost_usd": None}


def output(said):
    metadata = {} if said is None else {"nbroute": said}
    return {"output_type": "display_data", "data": {"text/plain": "x"}, "metadata": metadata}


def cell(*said, count=1):
    outputs = [output(one) for one in said]
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": {},
        "outputs": outputs,
        "source": "%%route\nA private prompt",
    }


def notebook(*cells):
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def write(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook(*cells)))
    return path


def totals(found, group, column="usd"):
    return {next(iter(row.values())): row[column] for row in found.rows(group)}


# What it adds up


def test_money_is_totalled_by_tier_model_notebook_and_cell(tmp_path):
    big = call(tier="COMPLEX", model="anthropic/claude-sonnet", cost_usd=0.5)
    one = write(tmp_path / "one.ipynb", cell(record()), cell(record("r2", big), count=7))
    two = write(tmp_path / "two.ipynb", cell(None), cell(record("r3", big)))

    found = costs([one, two])

    assert {"COMPLEX": 1.0, "SIMPLE": 0.25} == totals(found, "tier")
    assert {"anthropic/claude-sonnet": 1.0, "openai/gpt-4o-mini": 0.25} == totals(found, "model")
    assert {str(one): 0.75, str(two): 0.5} == totals(found, "notebook")
    assert [(str(one), 1, 1, 0.25), (str(one), 2, 7, 0.5), (str(two), 2, 1, 0.5)] == [
        (row["notebook"], row["cell"], row["execution"], row["usd"]) for row in found.rows("cell")
    ]
    assert (60, 30) == found.total.tokens


def test_each_call_of_a_cascade_stands_under_its_own_tier(tmp_path):
    rungs = (
        call(purpose="classify", tier="JUDGE", cost_usd=0.125),
        call(status="rejected"),
        call(tier="MEDIUM", cost_usd=1.5),
    )
    write(tmp_path / "a.ipynb", cell(record("r1", *rungs)))

    found = costs(tmp_path)

    assert {"MEDIUM": 1.5, "SIMPLE": 0.25, "JUDGE": 0.125} == totals(found, "tier")
    assert 1 == found.answers


def test_real_money_what_was_not_billed_and_what_is_unknown_are_never_added(tmp_path):
    calls = [call(), call(cost_source="billed", cost_usd=1.0), call(**LOCAL), call(**UNKNOWN)]
    write(tmp_path / "a.ipynb", cell(record("r1", *calls)))

    spend = costs(tmp_path).spend

    assert ("1.25", "4.0", 1, 4) == (
        str(spend.usd),
        str(spend.equivalent_usd),
        spend.unknown_calls,
        spend.calls,
    )


def test_a_cached_answer_is_counted_and_costs_nothing(tmp_path):
    cached = call(cached=True, cost_usd=0.0, cost_source="billed")
    write(tmp_path / "a.ipynb", cell(record("r1", cached)))

    spend = costs(tmp_path).spend

    assert (0, 1, 1) == (spend.usd, spend.calls, spend.cached_calls)


def test_the_answers_under_an_escalated_one_are_counted(tmp_path):
    top = record("r2", call(tier="MEDIUM", cost_usd=1.0), earlier=[record("r1")])
    write(tmp_path / "a.ipynb", cell(top))

    assert {"MEDIUM": 1.0, "SIMPLE": 0.25} == totals(costs(tmp_path), "tier")


def test_all_answers_of_a_comparison_are_counted(tmp_path):
    compared = [record("r1"), record("r2", call(tier="MEDIUM", cost_usd=1.0))]
    write(tmp_path / "a.ipynb", cell({"schema": 1, "comparison": "c1", "compared": compared}))

    found = costs(tmp_path)

    assert {"MEDIUM": 1.0, "SIMPLE": 0.25} == totals(found, "tier")
    assert ["r1", "r2"] == [one.result for one in found.calls]


def test_an_answer_that_stands_in_several_places_is_counted_once_and_that_is_said(tmp_path):
    one = write(tmp_path / "one.ipynb", cell(record(), record()), cell(record(), count=2))
    write(tmp_path / "two.ipynb", cell(record()))

    found = costs(tmp_path)

    assert 1 == found.spend.calls
    assert [(str(one), 2), (str(tmp_path / "two.ipynb"), 1)] == [
        (place.notebook, place.cell) for _, place in found.repeated
    ]


def test_a_notebook_of_format_3_is_read(tmp_path):
    old = cell(record()) | {"prompt_number": 4}
    del old["execution_count"]
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps({"nbformat": 3, "worksheets": [{"cells": [{}, old]}]}))

    assert Place(str(path), 2, 4) == costs(path).calls[0].place


def test_a_notebook_that_was_really_executed_adds_up(tmp_path):
    sources = ["%load_ext nbroute", "%%route -t SIMPLE\nhi", "%%route\nwhat is 2 + 2?"]
    made = new_notebook(cells=[new_code_cell(source) for source in sources])
    environment = os.environ | {"NBROUTE_PROFILE": "simulated", "PYTHONWARNINGS": ""}
    NotebookClient(made, kernel_name="python3").execute(env=environment)
    nbformat.write(made, tmp_path / "real.ipynb")

    found = costs(tmp_path)

    assert ([2, 3], ()) == ([row["cell"] for row in found.rows("cell")], found.skipped)
    assert found.spend.equivalent_usd > 0
    assert 0 == found.spend.usd


def test_the_frames_have_their_columns_with_rows_and_without(tmp_path):
    empty = costs(tmp_path)
    write(tmp_path / "a.ipynb", cell(record("r1", call(), call(**UNKNOWN))))
    found = costs(tmp_path)

    for group in (None, "tier", "model", "notebook", "cell"):
        assert list(empty.frame(group)) == list(found.frame(group)) == found.columns(group)
    assert 2 == len(found.frame())
    assert 1 == found.frame()["cost_usd"].isna().sum()


def test_an_unknown_group_names_the_close_match(tmp_path):
    with pytest.raises(SettingsError, match="did you mean 'tier'"):
        costs(tmp_path).by("tiers")


# Which files


def test_folders_are_walked_but_not_their_hidden_ones(tmp_path):
    write(tmp_path / "a" / "b" / "deep.ipynb", cell(record()))
    write(tmp_path / "a" / ".ipynb_checkpoints" / "deep-checkpoint.ipynb", cell(record("r2")))
    (tmp_path / "a" / "readme.md").write_text("no notebook")

    assert (str(tmp_path / "a" / "b" / "deep.ipynb"),) == costs(tmp_path).notebooks


def test_a_pattern_that_the_shell_did_not_expand_is_expanded(tmp_path):
    write(tmp_path / "a.ipynb", cell(record()))
    write(tmp_path / "deep" / "b.ipynb", cell(record("r2")))

    assert 1 == len(costs(tmp_path / "*.ipynb").notebooks)
    assert 2 == len(costs(str(tmp_path / "**" / "*.ipynb")).notebooks)


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path):
    write(tmp_path / "a[1].ipynb", cell(record()))

    assert 1 == len(costs(tmp_path / "a[1].ipynb").notebooks)


def test_a_file_that_is_named_twice_is_read_once(tmp_path):
    path = write(tmp_path / "a.ipynb", cell(record()))
    (tmp_path / "link.ipynb").symlink_to(path)

    found = costs([path, tmp_path, path.parent / "." / "a.ipynb"])

    assert (1, ()) == (len(found.notebooks), found.repeated)


def test_links_that_go_in_circles_end(tmp_path):
    write(tmp_path / "a" / "a.ipynb", cell(record()))
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "loop.ipynb").symlink_to("loop.ipynb")

    found = costs(tmp_path)

    assert (1, 1) == (len(found.notebooks), len(found.unread))
    assert "symbolic links" in found.unread[0]


def test_a_name_in_any_script_is_read_and_shown(tmp_path, capsys):
    write(tmp_path / "学习 ✓ ñ.ipynb", cell(record()))

    assert 0 == main(["costs", str(tmp_path), "--by", "notebook"])
    assert "学习 ✓ ñ.ipynb" in capsys.readouterr().out


def test_a_name_that_is_no_text_is_read_and_shown(tmp_path):
    write(tmp_path / os.fsdecode(b"caf\xe9.ipynb"), cell(record()))
    words = [sys.executable, "-m", "nbroute", "costs", str(tmp_path)]

    for form in ([], ["--json"], ["--csv"]):
        done = subprocess.run([*words, *form], capture_output=True, check=False)
        assert (0, b"") == (done.returncode, done.stderr)


# Files that are no notebooks


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"{", "not JSON"),
        (b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "it is not text"),
        (b"\x00\x01\x02\x03", "no"),
        (b"[]", "no list of cells"),
        (b"3", "no list of cells"),
        (b'{"cells": 3}', "no list of cells"),
        (b'{"name": "x"}', "no list of cells"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_notebook_is_named_and_the_others_are_counted(tmp_path, content, why):
    (tmp_path / "bad.ipynb").write_bytes(content)
    write(tmp_path / "good.ipynb", cell(record()))

    found = costs(tmp_path)

    assert 1 == found.spend.calls
    assert 1 == len(found.unread)
    assert found.unread[0].startswith(f"{str(tmp_path / 'bad.ipynb')!r} is not a notebook: ")
    assert why in found.unread[0]


def test_a_missing_file_a_pattern_without_match_and_a_pipe_are_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.ipynb")

    missing, nothing, pipe = costs(
        [tmp_path / "none.ipynb", tmp_path / "*.txt", tmp_path / "pipe.ipynb"]
    ).unread

    assert missing.endswith("none.ipynb': No such file or directory")
    assert nothing.startswith("no file matches")
    assert pipe.endswith("pipe.ipynb': it is a device or a pipe")


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(notebook(cell(record()))), encoding="utf-8-sig")

    assert 1 == costs(path).spend.calls


def test_a_number_of_thousands_of_digits_in_somebodys_output_does_no_harm(tmp_path):
    text = json.dumps(notebook(cell(record()))).replace(
        '"data": {', '"n": ' + "9" * 5000 + ', "data": {'
    )
    (tmp_path / "a.ipynb").write_text(text)

    assert 1 == costs(tmp_path).spend.calls


def test_a_cell_of_an_endless_number_is_shown_without_it(tmp_path, capsys):
    write(tmp_path / "a.ipynb", cell(record(), count=10**200))

    assert 0 == main(["costs", str(tmp_path)])
    assert "a.ipynb, cell 1 " in capsys.readouterr().out


@pytest.mark.parametrize(
    "cells",
    [
        [None, 3, "x", [], {}],
        [{"outputs": None}, {"outputs": "x"}, {"outputs": [None, 3, {"metadata": None}]}],
        [{"outputs": [{"metadata": []}, {"metadata": {"other": 1}}, {}]}],
    ],
)
def test_cells_and_outputs_of_any_shape_are_passed_over(tmp_path, cells):
    write(tmp_path / "a.ipynb", *cells, cell(record()))

    found = costs(tmp_path)

    assert (1, (), ()) == (found.spend.calls, found.skipped, found.unread)


# Records that cannot be true


def broken(**fields):
    return record("bad", call(**fields))


HUGE = 10**30
BROKEN = [
    ("text", "expected an object, got text"),
    (True, "expected an object, got true or false"),
    ([], "expected an object, got a list"),
    ({}, "its schema is None"),
    (record(schema=2), "its schema is 2; this nbroute reads 1"),
    (record(schema=True), "its schema is True"),
    (record(schema=[1]), "its schema is [1]"),
    (record(id=""), "id is ''"),
    (record(id=3), "id is 3"),
    (record(id="x" * 300), "id is 'xxxxxxxxxxxx...xxxxxxxxxxxxx': expected text of length <= 200"),
    (record(ts="now"), "ts is 'now'"),
    (record(ts=None), "ts is None"),
    (record(attempts={}), "attempts is {}"),
    (record(attempts=[]), "attempts is []"),
    (record(attempts=["x"]), "attempts[0] is 'x'"),
    (broken(cost_usd=-0.01), "cost_usd is -0.01"),
    (broken(cost_usd=float("nan")), "cost_usd is nan"),
    (broken(cost_usd=float("inf")), "cost_usd is inf"),
    (broken(cost_usd=HUGE), "cost_usd is 1000"),
    (broken(cost_usd="0.25"), "cost_usd is '0.25'"),
    (broken(cost_usd=True), "cost_usd is True"),
    (broken(cost_source="guess"), "cost_source: there is no 'guess'"),
    (broken(cost_source=[]), "cost_source is []"),
    (broken(cost_source="unknown"), "its source is 'unknown'"),
    (broken(input_tokens=-1), "input_tokens is -1"),
    (broken(output_tokens=HUGE), "output_tokens is 1000"),
    (broken(output_tokens=1.5), "output_tokens is 1.5"),
    (broken(tier=None), "tier is None"),
    (broken(model={"a": 1}), "model is {'a': 1}"),
    (
        broken(model="m" * 10_000),
        "model is 'mmmmmmmmmmmm...mmmmmmmmmmmmm': expected text",
    ),
    (broken(tier="\ud800"), "can't encode"),
    (broken(cached="no"), "cached is 'no'"),
    (broken(status="fine"), "status: there is no 'fine'"),
    (broken(purpose=7), "purpose is 7"),
    ({"schema": 1, "compared": "x"}, "compared is 'x'"),
    ({"schema": 1, "compared": [3]}, "expected an object, got a whole number"),
]


@pytest.mark.parametrize(("said", "why"), BROKEN, ids=[why for _, why in BROKEN])
def test_a_record_that_cannot_be_true_is_skipped_and_named(tmp_path, said, why):
    write(tmp_path / "a.ipynb", cell(said, count=3), cell(record("good")))

    found = costs(tmp_path)

    assert [Place(str(tmp_path / "a.ipynb"), 1, 3)] == [one.place for one in found.skipped]
    assert why in found.skipped[0].why
    assert ["good"] == [one.result for one in found.calls]


def test_a_broken_answer_below_an_escalated_one_leaves_that_one_counted(tmp_path):
    write(tmp_path / "a.ipynb", cell(record("r2", earlier=[{"schema": 1}, record("r1")])))

    found = costs(tmp_path)

    assert (["r1", "r2"], 1) == ([one.result for one in found.calls], len(found.skipped))


def test_records_nested_deep_are_read(tmp_path):
    deep = record("r0")
    for number in range(1, 150):
        deep = record(f"r{number}", earlier=[deep])
    write(tmp_path / "a.ipynb", cell(deep))

    assert 150 == costs(tmp_path).answers


def test_nothing_of_a_notebook_is_changed(tmp_path):
    path = write(tmp_path / "a.ipynb", cell(record()))
    before = (path.read_bytes(), path.stat().st_mtime_ns)

    costs(path)

    assert before == (path.read_bytes(), path.stat().st_mtime_ns)


# The command


def said_by(capsys, *words):
    code = main(["costs", *map(str, words)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_word_of_old_does_the_same_and_says_its_new_name(tmp_path, capsys):
    write(tmp_path / "a.ipynb", cell(record()))
    code, out, _ = said_by(capsys, tmp_path, "--max-usd", "0")

    old = main(["audit", str(tmp_path), "--max-usd", "0"])
    told = capsys.readouterr()

    assert (code, out) == (old, told.out)
    assert "nbroute: `nbroute audit` is now called `nbroute costs`" == told.err.splitlines()[0]


def test_the_tables_are_aligned_and_end_in_a_total(tmp_path, capsys):
    write(tmp_path / "a.ipynb", cell(record("r1", call(), call(**LOCAL), call(**UNKNOWN))))

    code, out, err = said_by(capsys, tmp_path, "--by", "model")

    head, rule, *rows, _, total = out.split("\n\n")[0].splitlines()
    assert (0, "") == (code, err)
    assert [len(rule)] * 5 == [len(line) for line in (head, *rows, total)]
    assert ["openai/gpt-4o-mini", "1", "0", "20", "10", "$0.25", "$0", "0"] == rows[0].split()
    assert ["total", "3", "0", "60", "30", "$0.25", "$4.00", "1"] == total.split()
    assert "spent       $0.25 (list price)" in out
    assert "not billed  $4.00 (what the tiers" in out
    assert "unknown     what 1 call cost: no price for me/mine" in out


def test_without_by_there_is_a_table_for_each_of_the_four(tmp_path, capsys):
    write(tmp_path / "a.ipynb", cell(record(), count=9))

    _, out, _ = said_by(capsys, tmp_path)

    heads = [block.split()[0] for block in out.split("\n\n")]
    assert ["tier", "model", "notebook", "cell", "read"] == heads
    assert "a.ipynb, cell 1 [9]" in out


def test_no_word_of_a_prompt_is_printed(tmp_path, capsys):
    write(tmp_path / "a.ipynb", cell(record(), "a secret in a foreign place"))

    for form in ([], ["--json"], ["--csv"]):
        _, out, err = said_by(capsys, tmp_path, *form)
        assert "private" not in out + err
        assert "secret" not in out + err


def test_without_a_path_the_current_folder_is_walked(tmp_path, capsys, monkeypatch):
    write(tmp_path / "deep" / "a.ipynb", cell(record()))
    monkeypatch.chdir(tmp_path)

    code, out, _ = said_by(capsys)

    assert 0 == code
    assert f"{Path('deep', 'a.ipynb')}, cell 1 [1]" in out


def test_a_folder_without_notebooks_says_so_and_is_no_error(tmp_path, capsys):
    code, out, err = said_by(capsys, tmp_path)

    assert (0, "nbroute: no notebook found\n") == (code, err)
    assert "read        0 notebooks: 0 answers from 0 calls" in out


def test_a_file_that_cannot_be_read_ends_with_1_after_the_rest(tmp_path, capsys):
    write(tmp_path / "a.ipynb", cell(record()))

    code, out, err = said_by(capsys, tmp_path, tmp_path / "none.ipynb")

    assert 1 == code
    assert "spent       $0.25" in out
    assert err.startswith("nbroute: cannot read the notebook")
    assert 1 == err.count("\n")


def test_skipped_records_are_named_on_stderr_but_not_without_end(tmp_path, capsys):
    write(tmp_path / "a.ipynb", *[cell("x") for _ in range(100)])

    code, out, err = said_by(capsys, tmp_path)

    assert 0 == code
    assert "skipped     100 records" in out
    assert 21 == err.count("\n")
    assert err.endswith("nbroute: 80 more records are not counted\n")


def test_repeated_answers_are_said(tmp_path, capsys):
    for name in ("a", "b", "c"):
        write(tmp_path / f"{name}.ipynb", cell(record()))

    _, out, _ = said_by(capsys, tmp_path)

    assert "repeated    2 answers shown again in another cell or notebook: counted once" in out


def test_control_characters_of_a_model_and_a_tier_do_not_reach_the_terminal(tmp_path, capsys):
    evil = call(model="gpt\x1b[2J\n\x07", tier="S\x1b[31m")
    write(tmp_path / "a.ipynb", cell(record("r1", evil), record(id="\x1b[2J", ts=-1)))

    _, out, err = said_by(capsys, tmp_path)

    assert "\x1b" not in out + err
    assert "\x07" not in out + err


def test_long_names_keep_the_end_and_the_columns(tmp_path, capsys):
    write(tmp_path / ("長い名前" * 15) / "end.ipynb", cell(record()))

    _, out, _ = said_by(capsys, tmp_path, "--by", "cell")

    assert "end.ipynb, cell 1 [1]  " in out
    assert max(len(line) for line in out.splitlines()) <= 130


def test_json_has_everything(tmp_path, capsys):
    write(tmp_path / "a.ipynb", cell(record(), "x"), cell(record()))

    code, out, _ = said_by(capsys, tmp_path, tmp_path / "none", "--json")

    made = json.loads(out)
    assert 1 == code
    assert (1, 0.25) == (made["answers"], made["total"]["usd"])
    assert {"tier", "model", "notebook", "cell"} == set(made["by"])
    assert "SIMPLE" == made["by"]["tier"][0]["tier"]
    assert (1, 1, 1) == tuple(len(made[name]) for name in ("repeated", "skipped", "unread"))


def test_csv_has_a_row_for_each_call_or_for_each_group(tmp_path, capsys):
    write(tmp_path / "a.ipynb", cell(record("r1", call(), call(model='=cmd|"x"'))))

    calls = list(csv.DictReader(io.StringIO(said_by(capsys, tmp_path, "--csv")[1])))
    groups = list(
        csv.DictReader(io.StringIO(said_by(capsys, tmp_path, "--csv", "--by", "tier")[1]))
    )

    assert ["openai/gpt-4o-mini", '\'=cmd|"x"'] == [row["model"] for row in calls]
    assert [("SIMPLE", "2", "0.5")] == [(r["tier"], r["calls"], r["usd"]) for r in groups]


@pytest.mark.parametrize(("most", "code"), [("1", 0), ("0.25", 0), ("$0.2", 3), ("0", 3)])
def test_more_real_money_than_max_usd_ends_with_3(tmp_path, capsys, most, code):
    write(tmp_path / "a.ipynb", cell(record("r1", call(), call(**LOCAL))))

    ended, _, err = said_by(capsys, tmp_path, "--max-usd", most)

    assert code == ended
    assert bool(code) == ("$0.25 spent, more than --max-usd" in err)


def test_max_usd_says_what_it_does_not_know(tmp_path, capsys):
    write(tmp_path / "a.ipynb", cell(record("r1", call(**UNKNOWN))))

    code, _, err = said_by(capsys, tmp_path, "--max-usd", "1")

    assert (0, "nbroute: 1 call of unknown cost: not in the sum\n") == (code, err)


@pytest.mark.parametrize(
    "words",
    ["--by=day", "--json --csv", "--max-usd x", "--max-usd nan", "--max-usd=-1", "--max-usd inf"],
)
def test_wrong_usage_ends_with_2(capsys, words):
    with pytest.raises(SystemExit) as caught:
        main(["costs", *words.split()])

    assert 2 == caught.value.code
    assert "usage: nbroute costs" in capsys.readouterr().err


def test_a_closed_pipe_ends_it_without_a_traceback(tmp_path):
    write(tmp_path / "a.ipynb", *[cell(record(f"r{n}"), count=n) for n in range(5000)])
    words = f"{sys.executable} -m nbroute costs {tmp_path} | head -1"

    done = subprocess.run(words, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - a pipe needs a shell

    assert "" == done.stderr


def test_nothing_heavy_is_imported(tmp_path):
    write(tmp_path / "a.ipynb", cell(record()))
    code = (
        "import sys\n"
        "from nbroute.cli import main\n"
        f"main(['costs', {str(tmp_path)!r}])\n"
        "heavy = {'IPython', 'ipywidgets', 'pandas', 'nbformat', 'openai', 'genai_prices'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "set()" == done.stdout.splitlines()[-1]
