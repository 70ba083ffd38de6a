"""`nbroute costs`: what saved notebooks say they spent."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from decimal import Decimal

import pytest
from cells import outputs

from nbroute.cli import main
from nbroute.costs import Place, costs
from nbroute.errors import SettingsError

CALL = {"purpose": "answer", "tier": "SIMPLE", "provider": "openrouter", "status": "ok"}
CALL |= {"model": "openai/gpt-4o-mini", "error": None, "input_tokens": 20, "output_tokens": 10}
CALL |= {"cost_usd": 0.25, "cost_source": "list", "latency_ms": 412.0, "cached": False}
LOCAL = CALL | {"cost_source": "equivalent", "model": "SmolLM2", "cost_usd": 4.0}
UNKNOWN = CALL | {"cost_source": "unknown", "model": "me/mine", "cost_usd": None}
MEDIUM = CALL | {"tier": "MEDIUM", "cost_usd": 1.0}


def record(name="r1", *calls, **fields):
    return {"schema": 1, "id": name, "ts": 1.0, "attempts": list(calls or [CALL])} | fields


def cell(*said, count=1):
    """A cell with an output for each record; None is an output without one."""
    made = {"cell_type": "code", "execution_count": count, "source": "%%route\nA private prompt"}
    output = {"output_type": "display_data", "data": {"text/plain": "x"}}
    metadata = [{} if one is None else {"nbroute": one} for one in said]
    return made | {"metadata": {}, "outputs": [output | {"metadata": one} for one in metadata]}


@pytest.fixture
def write(tmp_path):
    """Write a notebook of these cells to that path in the folder."""

    def write_cells(name, *cells):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        path.write_text(json.dumps(made))
        return path

    return write_cells


def by(found, group):
    return {next(iter(row.values())): row["usd"] for row in found.rows(group)}


# What it adds up


def test_money_is_totalled_by_tier_model_notebook_and_cell(write):
    big = CALL | {"tier": "COMPLEX", "model": "anthropic/claude-sonnet", "cost_usd": 0.5}
    one = write("one.ipynb", cell(record()), cell(record("r2", big), count=7))
    two = write("two.ipynb", cell(None), cell(record("r3", big)))
    found = costs([one, two])

    assert {"COMPLEX": 1.0, "SIMPLE": 0.25} == by(found, "tier")
    assert {"anthropic/claude-sonnet": 1.0, "openai/gpt-4o-mini": 0.25} == by(found, "model")
    assert {str(one): 0.75, str(two): 0.5} == by(found, "notebook")
    rows = [(row["notebook"], row["cell"], row["execution"]) for row in found.rows("cell")]
    assert [(str(one), 1, 1), (str(one), 2, 7), (str(two), 2, 1)] == rows
    assert (60, 30) == found.total.tokens
    call = {"notebook": str(one), "cell": 1, "execution": 1, "result": "r1", "ts": 1.0} | CALL
    del call["provider"], call["error"], call["latency_ms"]
    assert (call, Decimal("0.25")) == (found.rows()[0], found.calls[0].cost_usd)
    assert f"{two}, cell 2 [1]" == str(found.calls[2].place)
    line = {"model": "openai/gpt-4o-mini", "calls": 1, "cached_calls": 0, "input_tokens": 20}
    line |= {"output_tokens": 10, "usd": 0.25, "equivalent_usd": 0.0, "unknown_calls": 0}
    assert line == found.rows("model")[1]
    with pytest.raises(SettingsError, match="did you mean 'tier'"):
        found.by("tiers")


BOTH = {"MEDIUM": 1.0, "SIMPLE": 0.25}
COMPARED = {"schema": 1, "comparison": "c1", "compared": [record("r1"), record("r2", MEDIUM)]}
JUDGE = CALL | {"purpose": "classify", "tier": "JUDGE", "cost_usd": 0.125}


def test_every_call_under_an_output_is_counted_under_its_own_tier(write):
    for said, tiers, results in (
        (record("r2", MEDIUM, earlier=[record()]), BOTH, ["r1", "r2"]),
        (COMPARED, BOTH, ["r1", "r2"]),
        (record("r", JUDGE, CALL, MEDIUM), BOTH | {"JUDGE": 0.125}, ["r"] * 3),
    ):
        found = costs(write("a.ipynb", cell(said)))
        assert tiers == by(found, "tier")
        assert results == [one.result for one in found.calls]
        assert len(set(results)) == found.answers


def test_real_money_what_was_not_billed_and_what_is_unknown_are_never_added(write, tmp_path):
    billed = CALL | {"cost_source": "billed", "cost_usd": 1.0}
    calls = [CALL, billed, LOCAL, UNKNOWN, billed | {"cached": True}]
    empty, found = costs(tmp_path), costs(write("a.ipynb", cell(record("r1", *calls))))

    assert ("1.25", "4.0") == (str(found.spend.usd), str(found.spend.equivalent_usd))
    assert (1, 5, 1) == (found.spend.unknown_calls, found.spend.calls, found.spend.cached_calls)
    assert 1 == found.frame()["cost_usd"].isna().sum()
    for group in (None, "tier", "model", "notebook", "cell"):
        assert list(empty.frame(group)) == list(found.frame(group)) == found.columns(group)


def test_what_cells_put_out_is_what_is_counted(static, write):
    prompts = ["%%route -t SIMPLE\nhi", "%%route\nwhat is 2 + 2?"]
    records = [[m.get("nbroute") for _, m in outputs(static, prompt)] for prompt in prompts]
    found = costs(write("real.ipynb", *(cell(*said) for said in records)))

    assert ([1, 2], ()) == ([row["cell"] for row in found.rows("cell")], found.skipped)
    assert found.spend.equivalent_usd > found.spend.usd == 0


# Which files


def test_folders_are_walked_patterns_expanded_and_links_in_circles_end(write, tmp_path):
    deep = write("a/b/deep.ipynb", cell(record()))
    write("a/.ipynb_checkpoints/deep-checkpoint.ipynb", cell(record("r2")))
    (tmp_path / "a" / "readme.md").write_text("not a notebook")
    odd = write("a[1].ipynb", cell(record("r3")))

    assert (str(deep),) == costs(tmp_path / "a").notebooks
    assert (str(odd),) == costs(tmp_path / "*.ipynb").notebooks == costs(odd).notebooks
    assert 2 == len(costs(str(tmp_path / "**" / "*.ipynb")).notebooks)
    (tmp_path / "a" / "link.ipynb").symlink_to(deep)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "loop.ipynb").symlink_to("loop.ipynb")
    found = costs([deep, tmp_path, deep.parent / "." / "deep.ipynb"])
    assert (2, ()) == (len(found.notebooks), found.repeated)
    assert ["symbolic links" in said for said in found.unread] == [True]


NOT_NOTEBOOKS = {
    b"": "the file is empty",
    b"{": "not JSON",
    b"\x89PNG\r\n\x1a\n\x00\xff\xfe": "it is not text",
    b'{"cells": 3}': "no list of cells",
    b"[" * 100_000: "nested too deeply",
}


def test_files_that_cannot_be_read_are_named_and_the_others_counted(write, tmp_path):
    for number, content in enumerate(NOT_NOTEBOOKS):
        (tmp_path / f"bad{number}.ipynb").write_bytes(content)
    os.mkfifo(tmp_path / "pipe.ipynb")
    write("good.ipynb", cell(record()))
    found = costs([tmp_path, tmp_path / "none.ipynb", tmp_path / "*.txt"])

    *bad, pipe, missing, nothing = found.unread
    assert 1 == found.spend.calls
    for number, (why, said) in enumerate(zip(NOT_NOTEBOOKS.values(), bad, strict=True)):
        assert said.startswith(f"{str(tmp_path / f'bad{number}.ipynb')!r} is not a notebook: ")
        assert why in said
    assert pipe.endswith("pipe.ipynb': it is a device or a pipe")
    assert missing.endswith("none.ipynb': No such file or directory")
    assert nothing.startswith("no file matches")


def test_cells_and_outputs_of_any_shape_are_passed_over(write, tmp_path, capsys):
    odd = [None, 3, "x", [], {}, {"outputs": None}, {"outputs": "x"}, {"outputs": [None, 3, {}]}]
    odd += [{"outputs": [{"metadata": one}]} for one in (None, [], {"other": 1})]
    path = write("a.ipynb", *odd, cell(record()))
    path.write_text(path.read_text(), "utf-8-sig")
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    found = costs(tmp_path)

    assert (1, (), ()) == (found.spend.calls, found.skipped, found.unread)
    assert 0 == main(["costs", str(tmp_path)])
    assert "a.ipynb, cell 12 " in capsys.readouterr().out
    assert before == (path.read_bytes(), path.stat().st_mtime_ns)


# Records that cannot be true


BROKEN = [
    ("text", "expected an object, got text"),
    ({}, "its schema is None"),
    (record(schema=2), "its schema is 2; this nbroute reads 1"),
    (record(id="x" * 300), "id is 'xxxxxxxxxxxx...xxxxxxxxxxxxx': expected text of length <= 200"),
    (record(ts="now"), "ts is 'now'"),
    (record(attempts=[]), "attempts is []"),
    (record("bad", CALL | {"cost_usd": -0.01}), "cost_usd is -0.01"),
    (record("bad", CALL | {"cost_usd": float("nan")}), "cost_usd is nan"),
    (record("bad", CALL | {"cost_usd": 10**30}), "cost_usd is 1000"),
    (record("bad", CALL | {"cost_source": "guess"}), "cost_source: there is no 'guess'"),
    (record("bad", CALL | {"cost_source": "unknown"}), "its source is 'unknown'"),
    (record("bad", CALL | {"input_tokens": -1}), "input_tokens is -1"),
    (record("bad", CALL | {"tier": "\ud800"}), "can't encode"),
    ({"schema": 1, "compared": "x"}, "compared is 'x'"),
    ({"schema": 1, "compared": [3]}, "expected an object, got a whole number"),
]


def test_records_that_cannot_be_true_are_skipped_and_named(write):
    deep = record("r0", earlier=[{"schema": 1}])
    for number in range(1, 150):
        deep = record(f"r{number}", earlier=[deep])
    path = write("a.ipynb", *(cell(said, count=3) for said, _ in BROKEN), cell(deep))
    found = costs(path)

    places = [Place(str(path), number, 3) for number in range(1, len(BROKEN) + 1)]
    assert places == [one.place for one in found.skipped[:-1]]
    for (_, why), skipped in zip(BROKEN, found.skipped, strict=False):
        assert why in skipped.why
    assert (150, len(BROKEN) + 1) == (found.answers, len(found.skipped))


# The command


@pytest.fixture
def said_by(tmp_path, capsys):
    """The exit code of `nbroute costs` on the folder, its output and its errors."""

    def run(*words, command="costs"):
        code = main([command, str(tmp_path), *map(str, words)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_the_tables_are_aligned_and_end_in_a_total(write, said_by):
    cached = CALL | {"cached": True, "model": "it", "output_tokens": 5000}
    write("a.ipynb", cell(record("r1", CALL, LOCAL, UNKNOWN, cached)))
    code, out, err = said_by("--by", "model")

    head, rule, *rows, _, total = out.split("\n\n")[0].splitlines()
    assert (0, "") == (code, err)
    assert [len(rule)] * 6 == [len(line) for line in (head, *rows, total)]
    assert ["openai/gpt-4o-mini", "1", "0", "20", "10", "$0.25", "$0", "0"] == rows[0].split()
    assert ["total", "4", "1", "80", "5,030", "$0.25", "$4.00", "1"] == total.split()
    assert "read        1 notebook: 1 answer from 4 calls (1 cached)" in out
    assert "spent       $0.25 (list price)" in out
    assert "not billed  $4.00 (what the tiers" in out
    assert "unknown     what 1 call cost: no price for me/mine" in out


def test_no_word_of_a_prompt_and_no_control_character_is_printed(write, said_by):
    evil = CALL | {"model": "gpt\x1b[2J\n\x07", "tier": "S\x1b[31m"}
    write("a.ipynb", cell(record("r1", evil), record(id="\x1b[2J", ts=-1), "a secret"))

    for form in ([], ["--json"], ["--csv"]):
        _, out, err = said_by(*form)
        assert not [word for word in ("private", "secret") if word in out + err]
        assert form or not {"\x1b", "\x07"} & set(out + err)


def test_what_was_not_read_or_counted_is_said(write, tmp_path, said_by):
    assert "read        0 notebooks: 0 answers from 0 calls" in said_by()[1]
    assert (0, "nbroute: no notebook found\n") == said_by()[::2]
    for name in ("a", "b", "c"):
        write(f"{name}.ipynb", cell(record(), record()))
    write("d.ipynb", *[cell("x") for _ in range(100)])
    code, out, err = said_by(tmp_path / "none.ipynb")

    assert 1 == code
    assert "spent       $0.25" in out
    assert "repeated    2 answers shown again in another cell or notebook: counted once" in out
    assert "skipped     100 records" in out
    assert "not read    1 file; stderr says which and why" in out
    assert err.startswith("nbroute: cannot read the notebook")
    last = "nbroute: 80 more records are not counted"
    assert (22, last) == (err.count("\n"), err.splitlines()[-1])


def test_json_has_everything_and_csv_a_row_for_each_call_or_group(write, tmp_path, said_by):
    formula = CALL | {"model": '=cmd|"x"'}
    write("a.ipynb", cell(record("r1", CALL, formula), "x"), cell(record("r1")))
    code, out, _ = said_by(tmp_path / "none", "--json")
    texts = [said_by("--csv", *more)[1] for more in ([], ["--by", "tier"])]

    made = json.loads(out)
    assert (1, 1, 0.5) == (code, made["answers"], made["total"]["usd"])
    assert {"tier", "model", "notebook", "cell"} == set(made["by"])
    assert "SIMPLE" == made["by"]["tier"][0]["tier"]
    assert (1, 1, 1) == tuple(len(made[name]) for name in ("repeated", "skipped", "unread"))
    calls, groups = (list(csv.DictReader(io.StringIO(text))) for text in texts)
    assert ["openai/gpt-4o-mini", '\'=cmd|"x"'] == [row["model"] for row in calls]
    assert [("SIMPLE", "2", "0.5")] == [(r["tier"], r["calls"], r["usd"]) for r in groups]


@pytest.mark.parametrize(("most", "code"), [("0.25", 0), ("$0.2", 3), ("0", 3)])
def test_more_real_money_than_max_usd_ends_with_3_and_what_is_unknown_is_said(
    write, said_by, most, code
):
    write("a.ipynb", cell(record("r1", CALL, LOCAL, UNKNOWN)))
    ended, out, err = said_by("--max-usd", most)

    assert code == ended
    assert bool(code) == ("$0.25 spent, more than --max-usd" in err)
    assert err.startswith("nbroute: 1 call of unknown cost: not included\n")
    renamed = "nbroute: `nbroute audit` is now called `nbroute costs`\n"
    assert (code, out, renamed + err) == said_by("--max-usd", most, command="audit")


@pytest.mark.parametrize("words", ["--by=day", "--json --csv", "--max-usd x", "--max-usd=-1"])
def test_wrong_usage_ends_with_2(capsys, words):
    with pytest.raises(SystemExit) as caught:
        main(["costs", *words.split()])

    assert 2 == caught.value.code
    assert "usage: nbroute costs" in capsys.readouterr().err


def test_a_closed_pipe_ends_it_without_a_traceback(write):
    path = write("a.ipynb", *[cell(record(f"r{n}"), count=n) for n in range(2000)])
    pipe = [f"{sys.executable} -m nbroute costs | head -1"]  # of the current folder
    done = subprocess.run(pipe, cwd=path.parent, shell=True, capture_output=True, check=False)  # noqa: S602 - a pipe needs a shell

    assert (b"tier", b"") == (done.stdout[:4], done.stderr)
