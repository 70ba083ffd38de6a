"""A template over a table, system prompts side by side, and a grid as one looks at it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from loopback import Reply

from nbroute.checks import own
from nbroute.compare.matrix import chosen, lines_of, share, totals_of
from nbroute.errors import PromptError, SettingsError

TABLE = {"word": ["cat", "dog"], "lang": ["French", "German"]}
TEMPLATE = "Say {{word}} in {{lang}}."


def asked(sent):
    return sent["messages"][-1]["content"]


def system_of(sent):
    return next((m["content"] for m in sent["messages"] if m["role"] == "system"), "")


@pytest.mark.parametrize(
    "over",
    [
        TABLE,
        pd.DataFrame(TABLE),
        [{"word": "cat", "lang": "French"}, {"word": "dog", "lang": "German", "more": 1}],
    ],
)
def test_a_template_is_filled_for_each_row_of_a_table(router, over):
    grid = router.compare(TEMPLATE, ["LOW"], over=over)

    assert ["Say cat in French.", "Say dog in German."] == [one.prompt for one in grid]
    assert [{"word": "cat", "lang": "French"}] == list(grid.rows[:1])


def test_a_series_is_a_table_of_one_column_and_keeps_its_index(router):
    words = pd.Series(["cat", "dog"], index=["x", "y"], name="word")

    grid = router.compare("Say {{word}}", ["LOW"], over=words)

    assert ["x", "y"] == list(grid.costs().index)


def test_cells_that_are_no_text_are_written_as_text(router):
    over = pd.DataFrame({"n": [3, 4], "x": [0.5, np.float64(2)], "🙂 name": ["a", "b"]})

    grid = router.compare("{{n}} times {{x}}", ["LOW"], over=over)

    assert ["3 times 0.5", "4 times 2.0"] == [one.prompt for one in grid]


@pytest.mark.parametrize("nothing", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT])
def test_a_row_with_a_missing_value_is_not_sent_and_says_which(router, server, nothing):
    over = pd.DataFrame({"word": ["cat", nothing]}, dtype=object)

    grid = router.compare("Say {{word}}", ["LOW", "TOP"], over=over)

    assert 2 == len(server.requests)
    assert "PromptError: word missing in this row" in grid.frame()["error"].iloc[-1]
    assert "word missing in this row" == lines_of(grid)[1].error


def test_what_a_cell_holds_is_not_filled_again(router):
    grid = router.compare("Say {{a}}", ["LOW"], over={"a": ["{{b}}"], "b": ["x"]})

    assert "Say {{b}}" == grid[0].prompt


@pytest.mark.parametrize(
    ("template", "over", "said"),
    [
        ("{{wrod}}", TABLE, "no such column; did you mean 'word'"),
        ("hello", TABLE, "each of 2 rows would ask the same"),
        ("{{word}}", {"word": []}, "over has no rows"),
        ("{{word}}", pd.DataFrame({"word": []}), "over has no rows"),
        ("{{word}}", {"word": ["a"], "lang": []}, "not equally long: word has 1, lang has 0"),
        ("{{word}}", ["cat", "dog"], "give each list a name"),
        ("{{word}}", "cat", "over is 'cat'"),
        ("{{word}}", {"word": "cat"}, "give a list"),
        ("{{a}}", pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns that are called 'a'"),
        (["a"], TABLE, "the prompt is one text"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_before_anything_is_sent(
    router, server, template, over, said
):
    with pytest.raises((SettingsError, PromptError), match=said):
        router.compare(template, over=over)

    assert [] == server.requests


def test_system_prompts_are_columns(router, server):
    server.handler = lambda sent: Reply(text=system_of(sent))
    prompts = {"@terse": "Be terse.", "@long": "Explain."}

    grid = router.compare(["one", "two"], ["LOW"], systems=prompts)
    both = router.compare("one", ["LOW", "TOP"], systems=list(prompts.values()))

    assert ["@terse", "@long"] * 2 == list(grid.frame()["contender"])
    assert ["Be terse.", "Explain."] * 2 == list(grid.frame()["text"])
    assert ["LOW 1: Be terse.", "LOW 2: Explain.", "TOP 1: Be terse.", "TOP 2: Explain."] == [
        column.contender.name for column in both.columns
    ]
    assert ["Be terse.", "Explain."] * 2 == [column.text for column in both.columns]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"systems": {}}, "systems is empty"),
        ({"systems": "Be terse."}, "give texts by name"),
        ({"systems": {"a": 3}}, "give texts by name"),
        ({"systems": {"a": "x"}, "system": "y"}, "both given"),
    ],
)
def test_system_prompts_that_cannot_be_used_are_told(router, server, options, said):
    with pytest.raises(SettingsError, match=said):
        router.compare("one", ["LOW"], **options)

    assert [] == server.requests


def test_system_prompts_that_changed_are_not_mixed_with_what_a_folder_has(make_router):
    make_router().compare(["one"], ["LOW"], systems={"a": "x"}, to="grid")

    with pytest.raises(SettingsError, match="system was 'x' and is 'y'"):
        make_router().compare(["one"], ["LOW"], systems={"a": "y"}, to="grid")


ANSWERS = {
    ("small", "capital"): "Paris",
    ("large", "capital"): "The capital of France is Paris.",
    ("small", "sum"): "So it is 41.",
    ("large", "sum"): "So it is 42, of course",
    ("small", "moon"): "Yes, certainly it does.",
    ("large", "moon"): "No atmosphere whatever, never.",
}


@pytest.fixture
def grid(router, server):
    server.handler = lambda sent: Reply(text=ANSWERS[sent["model"], asked(sent)])
    return router.compare(["capital", "sum", "moon"], ["LOW", "TOP"])


def places(lines):
    return [one.place for one in lines]


def test_answers_that_say_another_thing_disagree(grid):
    lines = lines_of(grid)

    assert [1, 2] == places(chosen(lines, "disagree"))
    assert 0 == places(chosen(lines, "all", "most different first"))[-1]


def test_lines_are_filtered_by_failures_and_cost(router, server):
    server.handler = lambda sent: (
        Reply(status=500, error="down")
        if (asked(sent), sent["model"]) == ("b", "large")
        else Reply(text="word " * (40 if asked(sent) == "c" else 1))
    )
    grid = router.compare(["a", "b", "c", None], ["LOW", "TOP"])
    lines = lines_of(grid)

    assert [1, 3] == places(chosen(lines, "failed"))
    assert [2] == places(chosen(lines, "most expensive"))
    assert 2 == places(chosen(lines, "all", "most expensive first"))[0]
    assert [2, 1] == [total.failed for total in reversed(totals_of(grid, lines))]


def test_checks_are_counted_and_a_row_where_only_some_pass_disagrees(router, server):
    server.handler = lambda sent: Reply(text=ANSWERS[sent["model"], asked(sent)])

    def is_short(text):
        return len(text) < 15

    grid = router.compare(["capital", "sum"], ["LOW", "TOP"], checks=[own(is_short, "is_short")])
    lines = lines_of(grid)

    assert grid.checked
    assert [(2, 2), (0, 2)] == [total.passed[:2] for total in totals_of(grid, lines)]
    assert [True, False] * 2 == list(grid.frame()["passed"])
    assert [0, 1] == places(chosen(lines, "disagree"))
    assert ("", True) == (lines[0].why[0], lines[0].why[1].startswith("is_short: "))


def test_votes_are_shares_with_an_interval(grid):
    grid.vote(0, "LOW")
    grid.vote(1, "TOP")

    low, top = totals_of(grid, lines_of(grid))

    assert (1, 2) == low.votes[:2] == top.votes[:2]
    assert "1 of 2 (9% to 91%)" == str(low.votes)
    assert "LOW" == lines_of(grid)[0].voted


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (7, 10, 0.3968, 0.8922), (0, 0, 0.0, 1.0)],
)
def test_the_interval_is_wilsons(hits, of, low, high):
    assert (low, high) == pytest.approx(share(hits, of)[2:], abs=0.0005)


def test_a_grid_is_written_as_csv_and_json_lines(router, server):
    server.handler = lambda sent: Reply(text='=HYPERLINK("x")\n"a", שלום 🙂')
    grid = router.compare("Say {{text}}", ["LOW", "TOP"], over={"text": ["cat", "dog"]})

    grid.export("grid.csv")
    path = grid.export("grid.jsonl")

    with Path("grid.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    told = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert ["cat", "cat", "dog", "dog"] == [row["over_text"] for row in rows]
    assert {'\'=HYPERLINK("x")\n"a", שלום 🙂'} == {row["text"] for row in rows}
    assert {'=HYPERLINK("x")\n"a", שלום 🙂'} == {row["text"] for row in told}
    with pytest.raises(SettingsError, match=r"neither \.csv nor \.jsonl"):
        grid.export("grid.xlsx")
    with pytest.raises(SettingsError, match="cannot be written"):
        grid.export("nowhere/grid.csv")


def test_a_csv_has_no_cell_that_a_spreadsheet_would_run_and_none_that_ends_it(router):
    cells = ["  =1+1", "\uff1d1", "a\r\nb", "x\0y", "1 = 1"]
    grid = router.compare("{{text}}", ["LOW"], over={"text": cells})

    read = pd.read_csv(grid.export("grid.csv"))

    assert ["'  =1+1", "'\uff1d1", "a\r\nb", "x\ufffdy", "1 = 1"] == list(read["over_text"])


def test_progress_can_be_a_function(router):
    seen = []

    router.compare(["a", "b"], ["LOW", "TOP"], progress=lambda *told: seen.append(told))

    assert (6, 6) == seen[-1][:2]
    assert [1, 2, 3, 4, 5, 6] == [done for done, _, _ in seen]
    assert seen[-1][2].usd > 0
