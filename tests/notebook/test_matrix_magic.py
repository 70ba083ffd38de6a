"""`%%route_compare --over`: many prompts as a table, to look through, vote on and export."""

from __future__ import annotations

import csv
import html
import os
import re
import signal
from pathlib import Path

import pandas as pd
import pytest
from cells import Shown, error_of, outputs, run
from IPython.utils.capture import capture_output

from nbroute.errors import Interrupted
from nbroute.notebook.comparing.matrix import Matrix
from nbroute.notebook.comparing.shown import Twin

WORDS = ["cat", "dog", "newt"]
CELL = "%%route_compare SIMPLE MEDIUM --over words\nDefine {{words}}."


def bodies(page):
    """The body rows of the table in a page: their cells as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", page.partition("<tbody>")[2], re.DOTALL)
    cells = (re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in rows)
    return [[html.unescape(re.sub("<[^>]*>", "", cell)) for cell in row] for row in cells]


def test_a_template_over_a_list_is_a_table_that_is_exported_and_shown_again(static):
    static.user_ns["words"] = ["cat", "<img src=x>|`$x$`", "newt"]

    ((data, _),) = first = outputs(static, CELL)
    rows = bodies(data["text/html"])

    assert {"text/plain", "text/markdown", "text/html"} == set(data)
    assert ["1. cat", "2. <img src=x>|`$x$`", "3. newt"] == [r[0].partition("Def")[0] for r in rows]
    assert all(3 == len(row) and "simulated" in row[1] for row in rows)
    assert "<img" not in data["text/html"]
    assert "3 prompts × 2 columns · would have cost $" in data["text/plain"]
    assert "written to out.csv" in run(static, "%route matrix out.csv")[0]
    with Path("out.csv").open(newline="", encoding="utf-8") as file:
        assert ["cat", "cat", "<img src=x>|`$x$`"] == [
            row["words"] for row in csv.DictReader(file)
        ][:3]
    assert first == outputs(static, "%route matrix")


def test_columns_of_a_frame_or_lists_fill_the_template_and_variables_the_rest(shell):
    frame = pd.DataFrame({"word": WORDS, "n": [1, 2, 3]})
    shell.user_ns |= {"frame": frame, "lang": "French", "a": ["x", "y"], "b": [1, 2]}
    line = '%%route_compare SIMPLE --over frame -s "Be terse." -s "Explain." -o kept'

    _, done = run(shell, "%%route_compare SIMPLE --over a,b\n{{a}}{{b}}")
    _, two = run(shell, f"{line}\n{{{{word}}}} x {{{{n}}}} in {{{{lang}}}}")

    assert ["x1", "y2"] == [one.prompt for one in done.result]
    assert "cat x 1 in French" == two.result[0].prompt
    assert shell.user_ns["kept"] is two.result
    assert ["1: Be terse.", "2: Explain."] == [one.name for one in two.result.contenders]


def test_checks_say_who_is_the_cheapest_that_passes_and_what_is_missing(static):
    static.user_ns |= {"long": lambda text: len(text) > 300}
    static.user_ns["prompts"] = ["Explain recursion.", "Explain recursion to a child.", None]
    line = "%%route_compare SIMPLE COMPLEX FRONTIER --over prompts --check long"

    ((data, _),) = outputs(static, f"{line}\n{{{{prompts}}}}")

    assert "SIMPLE: $" in data["text/plain"]
    page = html.unescape(re.sub("<[^>]*>", "", data["text/html"]))
    for shown in (" ".join(data["text/plain"].split()), page):
        assert "a check failed for 2 prompts · an answer is missing for 1 prompt" in shown
        assert "passes 0 of 3 (0% to 56%)" in shown
        assert "passes 2 of 3" in shown


def test_a_dry_run_counts_the_calls_and_a_lot_that_cost_money_need_a_budget(shell, monkeypatch):
    shell.user_ns |= {"few": WORDS, "words": [f"word {n}" for n in range(10_000)]}
    router = shell.run_line_magic("route", "router")
    text, _ = run(shell, "%%route_compare -n SIMPLE MEDIUM --over few\n{{few}}")
    monkeypatch.setattr(type(router.parts), "kind", lambda *_: "remote")

    said = error_of(shell, "%%route_compare --over words\n{{words}}")

    assert "3 prompts × 2 columns: 6 calls" in text
    assert "10,000 rows × 4 columns are 40,000 calls; set a budget first" in said
    assert [] == router.ledger.rows()


def test_ctrl_c_keeps_what_was_paid_for_and_resume_asks_the_rest(slow):
    calls = []

    def stop(_text):
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return True

    slow.user_ns |= {"words": WORDS, "stop": stop}
    cell = CELL.replace("--over", "--check stop -o kept --over")

    with capture_output():
        done = slow.run_cell(cell)
    partial = slow.user_ns["kept"]
    with capture_output():
        again = slow.run_cell(cell.replace("--over", "--resume --over"))

    assert isinstance(done.error_in_exec, Interrupted)
    assert "the same cell with --resume asks only what is missing" in str(done.error_in_exec)
    assert again.success
    assert partial.id == again.result.id
    assert {"ok"} == set(again.result.frame()["status"])


@pytest.fixture
def live(simulated):
    """A table of 45 prompts in a widget; row 3 is the most expensive."""
    prompts = [f"Define word {n}." for n in range(45)]
    prompts[2] = "Define " + "word " * 300
    grid = simulated.compare(prompts, ["SIMPLE", "MEDIUM"], progress=False)
    matrix = Matrix(grid, Shown())
    twin = Twin(matrix.output, matrix.inside, matrix.act, "%route matrix FILE")
    twin.redraw("")
    return twin


def numbers(twin):
    return [int(row[0].split()[1].rstrip(".")) for row in bodies(twin.html) if len(row) > 1]


def test_rows_are_paged_sorted_opened_voted_on_and_exported(live, simulated):
    assert list(range(1, 21)) == numbers(live)
    for _ in range(3):  # the third click has no page to go to
        live.act("page", "next", "")
    assert list(range(41, 46)) == numbers(live)
    assert "41 to 45 of 45" in live.html
    live.act("sort", "", "most expensive first")
    assert 3 == numbers(live)[0]
    live.act("open", "2", "")
    assert 2 == live.html.count("<section")
    live.act("vote", "2 MEDIUM", "")
    assert "MEDIUM" == simulated.ledger.labels()[-1].needed
    assert "prompt 3: MEDIUM is good enough" in live.html
    live.act("vote", "2 MEDIUM", "")
    assert "prompt 3: vote removed" in live.html
    live.act("export", "jsonl", "")
    assert "written to matrix.jsonl" in live.html
    assert 90 == len(Path("matrix.jsonl").read_text("utf-8").splitlines())
