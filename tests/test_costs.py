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
MEDIUM = call(tier="MEDIUM", cost_usd=1.0)


def cell(*said, count=1):
    outputs = [
        {
            "output_type": "display_data",
            "data": {"text/plain": "x"},
            "metadata": {} if one is None else {"nbroute": one},
        }
        for one in said
    ]
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": {},
        "outputs": outputs,
        "source": "%%route\nA private prompt",
    }


def notebook(*cells):
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def write(tmp_path):
    """Write a notebook of these cells to that path in the folder."""

    def write_cells(name, *cells):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook(*cells)))
        return path

    return write_cells


def by(found, group):
    return {next(iter(row.values())): row["usd"] for row in found.rows(group)}


# What it adds up


def test_money_is_totalled_by_tier_model_notebook_and_cell(write):
    big = call(tier="COMPLEX", model="anthropic/claude-sonnet", cost_usd=0.5)
    one = write("one.ipynb", cell(record()), cell(record("r2", big), count=7))
    two = write("two.ipynb", cell(None), cell(record("r3", big)))

    found = costs([one, two])

    assert {"COMPLEX": 1.0, "SIMPLE": 0.25} == by(found, "tier")
    assert {"anthropic/claude-sonnet": 1.0, "openai/gpt-4o-mini": 0.25} == by(found, "model")
    assert {str(one): 0.75, str(two): 0.5} == by(found, "notebook")
    assert [(str(one), 1, 1, 0.25), (str(one), 2, 7, 0.5), (str(two), 2, 1, 0.5)] == [
        (row["notebook"], row["cell"], row["execution"], row["usd"]) for row in found.rows("cell")
    ]
    assert (60, 30) == found.total.tokens
    with pytest.raises(SettingsError, match="did you mean 'tier'"):
        found.by("tiers")


COMPARED = {"schema": 1, "comparison": "c1", "compared": [record("r1"), record("r2", MEDIUM)]}
CASCADE = [call(purpose="classify", tier="JUDGE", cost_usd=0.125), call(status="rejected"), MEDIUM]


@pytest.mark.parametrize(
    ("said", "tiers", "results"),
    [
        (record("r2", MEDIUM, earlier=[record()]), {"MEDIUM": 1.0, "SIMPLE": 0.25}, ["r1", "r2"]),
        (COMPARED, {"MEDIUM": 1.0, "SIMPLE": 0.25}, ["r1", "r2"]),
        (record("r", *CASCADE), {"MEDIUM": 1.0, "SIMPLE": 0.25, "JUDGE": 0.125}, ["r"] * 3),
    ],
    ids=["escalated", "compared", "cascade"],
)
def test_every_call_under_an_output_is_counted_under_its_own_tier(write, said, tiers, results):
    found = costs(write("a.ipynb", cell(said)))

    assert tiers == by(found, "tier")
    assert results == [one.result for one in found.calls]
    assert len(set(results)) == found.answers


def test_real_money_what_was_not_billed_and_what_is_unknown_are_never_added(write):
    calls = [call(), call(cost_source="billed", cost_usd=1.0), call(**LOCAL), call(**UNKNOWN)]
    cached = call(cached=True, cost_usd=0.5, cost_source="billed")

    spend = costs(write("a.ipynb", cell(record("r1", *calls, cached)))).spend

    assert ("1.25", "4.0") == (str(spend.usd), str(spend.equivalent_usd))
    assert (1, 5, 1) == (spend.unknown_calls, spend.calls, spend.cached_calls)


def test_an_answer_that_stands_in_several_places_is_counted_once_and_that_is_said(write, tmp_path):
    one = write("one.ipynb", cell(record(), record()), cell(record(), count=2))
    two = write("two.ipynb", cell(record()))

    found = costs(tmp_path)

    assert 1 == found.spend.calls
    places = [(place.notebook, place.cell) for _, place in found.repeated]
    assert [(str(one), 2), (str(two), 1)] == places


def test_a_notebook_of_format_3_and_one_with_a_byte_order_mark_are_read(tmp_path):
    old = cell(record()) | {"prompt_number": 4}
    del old["execution_count"]
    path = tmp_path / "old.ipynb"
    worksheets = [{"cells": [{}, old]}]
    path.write_text(json.dumps({"nbformat": 3, "worksheets": worksheets}), encoding="utf-8-sig")

    assert Place(str(path), 2, 4) == costs(path).calls[0].place


def test_a_notebook_that_was_really_executed_adds_up(tmp_path):
    sources = ["%load_ext nbroute", "%%route -t SIMPLE\nhi", "%%route\nwhat is 2 + 2?"]
    made = new_notebook(cells=[new_code_cell(source) for source in sources])
    environment = os.environ | {"NBROUTE_PROFILE": "simulated", "PYTHONWARNINGS": ""}
    NotebookClient(made, kernel_name="python3").execute(env=environment)
    nbformat.write(made, tmp_path / "real.ipynb")

    found = costs(tmp_path)

    assert ([2, 3], ()) == ([row["cell"] for row in found.rows("cell")], found.skipped)
    assert found.spend.equivalent_usd > found.spend.usd == 0


def test_the_frames_have_their_columns_with_rows_and_without(write, tmp_path):
    empty = costs(tmp_path)
    found = costs(write("a.ipynb", cell(record("r1", call(), call(**UNKNOWN)))))

    for group in (None, "tier", "model", "notebook", "cell"):
        assert list(empty.frame(group)) == list(found.frame(group)) == found.columns(group)
    assert 2 == len(found.frame())
    assert 1 == found.frame()["cost_usd"].isna().sum()


# Which files


def test_folders_are_walked_but_not_hidden_ones_and_patterns_expanded(write, tmp_path):
    deep = write("a/b/deep.ipynb", cell(record()))
    write("a/.ipynb_checkpoints/deep-checkpoint.ipynb", cell(record("r2")))
    (tmp_path / "a" / "readme.md").write_text("no notebook")
    odd = write("a[1].ipynb", cell(record("r3")))

    assert (str(deep),) == costs(tmp_path / "a").notebooks
    assert (str(odd),) == costs(tmp_path / "*.ipynb").notebooks == costs(odd).notebooks
    assert 2 == len(costs(str(tmp_path / "**" / "*.ipynb")).notebooks)


def test_a_file_is_read_once_however_it_is_named_and_links_in_circles_end(write, tmp_path):
    path = write("a/a.ipynb", cell(record()))
    (tmp_path / "a" / "link.ipynb").symlink_to(path)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "loop.ipynb").symlink_to("loop.ipynb")

    found = costs([path, tmp_path, path.parent / "." / "a.ipynb"])

    assert (1, ()) == (len(found.notebooks), found.repeated)
    assert ["symbolic links" in said for said in found.unread] == [True]


def test_a_name_in_any_script_and_one_that_is_not_text_are_read_and_shown(write, tmp_path):
    write("学习 ✓ ñ.ipynb", cell(record()))
    write(os.fsdecode(b"caf\xe9.ipynb"), cell(record("r2")))

    for form in ("--by=notebook", "--json", "--csv"):
        words = [sys.executable, "-m", "nbroute", "costs", str(tmp_path), form]
        done = subprocess.run(words, capture_output=True, check=False)
        assert (0, b"") == (done.returncode, done.stderr)
        assert "学习 ✓ ñ.ipynb".encode() in done.stdout or form == "--json"


# Files that are not notebooks

NOT_NOTEBOOKS = {
    b"": "the file is empty",
    b" \n": "the file is empty",
    b"{": "not JSON",
    b"\x89PNG\r\n\x1a\n\x00\xff\xfe": "it is not text",
    b"\x00\x01\x02\x03": "not JSON",
    b"[]": "no list of cells",
    b"3": "no list of cells",
    b'{"cells": 3}': "no list of cells",
    b'{"name": "x"}': "no list of cells",
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
    path = write("a.ipynb", *odd, cell(record(), count=10**200))
    digits = '"n": ' + "9" * 5000 + ', "data": {'
    path.write_text(path.read_text().replace('"data": {', digits))
    before = (path.read_bytes(), path.stat().st_mtime_ns)

    found = costs(tmp_path)

    assert (1, (), ()) == (found.spend.calls, found.skipped, found.unread)
    assert 0 == main(["costs", str(tmp_path)])
    assert "a.ipynb, cell 12 " in capsys.readouterr().out
    assert before == (path.read_bytes(), path.stat().st_mtime_ns)


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
    (broken(model="m" * 10_000), "model is 'mmmmmmmmmmmm...mmmmmmmmmmmmm': expected text"),
    (broken(tier="\ud800"), "can't encode"),
    (broken(cached="no"), "cached is 'no'"),
    (broken(status="fine"), "status: there is no 'fine'"),
    (broken(purpose=7), "purpose is 7"),
    ({"schema": 1, "compared": "x"}, "compared is 'x'"),
    ({"schema": 1, "compared": [3]}, "expected an object, got a whole number"),
]


def test_records_that_cannot_be_true_are_skipped_and_named(write):
    path = write("a.ipynb", *(cell(said, count=3) for said, _ in BROKEN), cell(record("good")))

    found = costs(path)

    places = [Place(str(path), number, 3) for number in range(1, len(BROKEN) + 1)]
    assert places == [one.place for one in found.skipped]
    for (_, why), skipped in zip(BROKEN, found.skipped, strict=True):
        assert why in skipped.why
    assert ["good"] == [one.result for one in found.calls]


def test_records_nested_deep_are_read_and_a_broken_one_among_them_skipped(write):
    deep = record("r0", earlier=[{"schema": 1}])
    for number in range(1, 150):
        deep = record(f"r{number}", earlier=[deep])

    found = costs(write("a.ipynb", cell(deep)))

    assert (150, 1) == (found.answers, len(found.skipped))


# The command


@pytest.fixture
def said_by(tmp_path, capsys):
    """The exit code of `nbroute costs` on the folder, its output and its errors."""

    def run(*words):
        code = main(["costs", str(tmp_path), *map(str, words)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_the_word_of_old_does_the_same_and_says_its_new_name(write, tmp_path, said_by, capsys):
    write("a.ipynb", cell(record()))
    code, out, _ = said_by("--max-usd", "0")

    old = main(["audit", str(tmp_path), "--max-usd", "0"])
    told = capsys.readouterr()

    assert (code, out) == (old, told.out)
    assert "nbroute: `nbroute audit` is now called `nbroute costs`" == told.err.splitlines()[0]


def test_the_tables_are_aligned_and_end_in_a_total(write, said_by):
    cached = call(cached=True, model="it", output_tokens=5000)
    write("a.ipynb", cell(record("r1", call(), call(**LOCAL), call(**UNKNOWN), cached)))

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


def test_without_words_the_current_folder_is_walked_into_four_tables(write, capsys, monkeypatch):
    monkeypatch.chdir(write("deep/a.ipynb", cell(record(), count=9)).parents[1])

    assert 0 == main(["costs"])

    out = capsys.readouterr().out
    heads = [block.split()[0] for block in out.split("\n\n")]
    assert ["tier", "model", "notebook", "cell", "read"] == heads
    assert f"{Path('deep', 'a.ipynb')}, cell 1 [9]" in out


def test_no_word_of_a_prompt_and_no_control_character_is_printed(write, said_by):
    evil = call(model="gpt\x1b[2J\n\x07", tier="S\x1b[31m")
    write("a.ipynb", cell(record("r1", evil), record(id="\x1b[2J", ts=-1), "a secret"))

    for form in ([], ["--json"], ["--csv"]):
        _, out, err = said_by(*form)
        assert not [word for word in ("private", "secret") if word in out + err]
        assert form or not {"\x1b", "\x07"} & set(out + err)


def test_what_was_not_read_or_counted_is_said(write, tmp_path, said_by):
    assert "read        0 notebooks: 0 answers from 0 calls" in said_by()[1]
    assert (0, "nbroute: no notebook found\n") == said_by()[::2]
    for name in ("a", "b", "c"):
        write(f"{name}.ipynb", cell(record()))
    write("d.ipynb", *[cell("x") for _ in range(100)])

    code, out, err = said_by(tmp_path / "none.ipynb")

    assert 1 == code
    assert "spent       $0.25" in out
    assert "repeated    2 answers shown again in another cell or notebook: counted once" in out
    assert "skipped     100 records" in out
    assert "not read    1 file; stderr says which and why" in out
    assert err.startswith("nbroute: cannot read the notebook")
    assert (22, True) == (
        err.count("\n"),
        err.endswith("nbroute: 80 more records are not counted\n"),
    )


def test_long_names_keep_the_end_and_the_columns(write, said_by):
    write(f"{'長い名前' * 15}/end.ipynb", cell(record()))

    _, out, _ = said_by("--by", "cell")

    assert "end.ipynb, cell 1 [1]  " in out
    assert max(len(line) for line in out.splitlines()) <= 130


def test_json_has_everything(write, tmp_path, said_by):
    write("a.ipynb", cell(record(), "x"), cell(record()))

    code, out, _ = said_by(tmp_path / "none", "--json")

    made = json.loads(out)
    assert 1 == code
    assert (1, 0.25) == (made["answers"], made["total"]["usd"])
    assert {"tier", "model", "notebook", "cell"} == set(made["by"])
    assert "SIMPLE" == made["by"]["tier"][0]["tier"]
    assert (1, 1, 1) == tuple(len(made[name]) for name in ("repeated", "skipped", "unread"))


def test_csv_has_a_row_for_each_call_or_for_each_group(write, said_by):
    write("a.ipynb", cell(record("r1", call(), call(model='=cmd|"x"'))))

    calls, groups = (
        list(csv.DictReader(io.StringIO(said_by("--csv", *more)[1])))
        for more in ([], ["--by", "tier"])
    )

    assert ["openai/gpt-4o-mini", '\'=cmd|"x"'] == [row["model"] for row in calls]
    assert [("SIMPLE", "2", "0.5")] == [(r["tier"], r["calls"], r["usd"]) for r in groups]


@pytest.mark.parametrize(("most", "code"), [("1", 0), ("0.25", 0), ("$0.2", 3), ("0", 3)])
def test_more_real_money_than_max_usd_ends_with_3_and_what_is_unknown_is_said(
    write, said_by, most, code
):
    write("a.ipynb", cell(record("r1", call(), call(**LOCAL), call(**UNKNOWN))))

    ended, _, err = said_by("--max-usd", most)

    assert code == ended
    assert bool(code) == ("$0.25 spent, more than --max-usd" in err)
    assert err.startswith("nbroute: 1 call of unknown cost: not included\n")


@pytest.mark.parametrize(
    "words",
    ["--by=day", "--json --csv", "--max-usd x", "--max-usd nan", "--max-usd=-1", "--max-usd inf"],
)
def test_wrong_usage_ends_with_2(capsys, words):
    with pytest.raises(SystemExit) as caught:
        main(["costs", *words.split()])

    assert 2 == caught.value.code
    assert "usage: nbroute costs" in capsys.readouterr().err


def test_a_closed_pipe_ends_it_without_a_traceback(write):
    path = write("a.ipynb", *[cell(record(f"r{n}"), count=n) for n in range(2000)])
    words = f"{sys.executable} -m nbroute costs {path} | head -1"

    done = subprocess.run(words, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - a pipe needs a shell

    assert "" == done.stderr


def test_nothing_heavy_is_imported(write):
    path = write("a.ipynb", cell(record()))
    code = (
        "import sys\n"
        "from nbroute.cli import main\n"
        f"main(['costs', {str(path)!r}])\n"
        "heavy = {'IPython', 'ipywidgets', 'pandas', 'nbformat', 'openai', 'genai_prices'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "set()" == done.stdout.splitlines()[-1]
