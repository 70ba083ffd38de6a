"""A template over a table, system prompts side by side, and a grid as one looks at it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from loopback import Reply, prompt_of

from nbroute.checks import own
from nbroute.compare.matrix import ROWS, chosen, headlines, lines_of, overview, totals_of
from nbroute.errors import PromptError, SettingsError

TABLE = {"word": ["cat", "dog"], "lang": ["French", "German"]}


@pytest.mark.parametrize(
    ("template", "over", "prompts", "index"),
    [
        ("{{word}}", TABLE, ["cat", "dog"], [0, 1]),
        ("{{word}}", pd.DataFrame(TABLE).to_dict("records"), ["cat", "dog"], [0, 1]),
        ("{{word}}", pd.Series(["a", "b"], ["x", "y"], name="word"), ["a", "b"], ["x", "y"]),
        ("{{a}}", {"a": ["{{b}}"], "b": ["x"]}, ["{{b}}"], [0]),
    ],
)
def test_a_template_is_filled_once_for_each_row_of_a_table(router, template, over, prompts, index):
    grid = router.compare(template, ["LOW"], over=over)

    assert prompts == [one.prompt for one in grid]
    assert index == list(grid.costs().index)


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NA, pd.NaT])
def test_a_row_with_a_missing_value_is_not_sent_and_says_which(router, server, nothing):
    over = pd.DataFrame({"word": ["cat", nothing]}, dtype=object)

    grid = router.compare("Say {{word}}", ["LOW", "TOP"], over=over)

    assert 2 == len(server.requests)
    assert "PromptError: word missing in this row" in grid.frame()["error"].iloc[-1]


@pytest.mark.parametrize(
    ("template", "options", "said"),
    [
        ("{{wrod}}", {"over": TABLE}, "no such column; did you mean 'word'"),
        ("hello", {"over": TABLE}, "each of 2 rows would ask the same"),
        ("{{word}}", {"over": {"word": []}}, "over has no rows"),
        ("{{a}}", {"over": {"a": ["a"], "b": []}}, "not equally long: a has 1, b has 0"),
        ("{{word}}", {"over": ["cat", "dog"]}, "give each list a name"),
        ("{{word}}", {"over": "cat"}, "over is 'cat'"),
        ("{{word}}", {"over": {"word": "cat"}}, "give a list"),
        ("{{a}}", {"over": pd.DataFrame([[1, 2]], columns=["a", "a"])}, "two columns called 'a'"),
        (["a"], {"over": TABLE}, "the prompt is one text"),
        ("one", {"systems": {}}, "systems is empty"),
        ("one", {"systems": {"a": 3}}, "give texts by name"),
        ("one", {"systems": "Be terse."}, "give texts by name"),
        ("one", {"systems": {"a": "x"}, "system": "y"}, "both given"),
    ],
)
def test_what_cannot_be_used_is_told_and_nothing_is_sent(router, server, template, options, said):
    with pytest.raises((SettingsError, PromptError), match=said):
        router.compare(template, **options)

    assert [] == server.requests


def test_system_prompts_are_columns_and_kept_with_the_grid(router, server):
    server.handler = lambda sent: Reply(text=sent["messages"][0]["content"])
    prompts = {"@terse": "Be terse.", "@long": "Explain."}

    grid = router.compare(["one", "two"], ["LOW"], systems=prompts, to="grid")
    both = router.compare("one", ["LOW"], systems=list(prompts.values()))

    assert ["@terse", "@long"] * 2 == list(grid.frame()["contender"])
    assert ["Be terse.", "Explain."] * 2 == list(grid.frame()["text"])
    assert ["1: Be terse.", "2: Explain."] == [one.contender.name for one in both.columns]
    with pytest.raises(SettingsError, match=r"system was 'Be terse\.' and is 'Sing\.'"):
        router.compare(["one"], ["LOW"], systems={"@terse": "Sing."}, to="grid")


ANSWERS = {
    ("small", "capital"): "Paris",
    ("large", "capital"): "The capital of France is Paris.",
    ("small", "sum"): "So it is 41.",
    ("large", "sum"): "So it is 42, of course",
    ("small", "moon"): "Yes, certainly it does.",
    ("large", "moon"): "No atmosphere whatever, never.",
}


def answer(sent):
    """As above; the large model is down for what is not among them."""
    key = sent["model"], prompt_of(sent)
    return Reply(text=ANSWERS[key]) if key in ANSWERS else Reply(status=500, error="down")


def places(lines):
    return [one.place for one in lines]


def test_answers_that_say_another_thing_disagree_and_votes_are_shares(router, server):
    server.handler = answer
    grid = router.compare(["capital", "sum", "moon"], ["LOW", "TOP"])
    lines = lines_of(grid)

    assert [1, 2] == places(chosen(lines, "disagree"))
    assert 0 == places(chosen(lines, "all", "most different first"))[-1]
    assert [1] == places(chosen(lines, "most expensive"))
    assert 1 == places(chosen(lines, "all", "most expensive first"))[0]
    grid.vote(0, "LOW")
    grid.vote(1, "TOP")
    low, top = totals_of(grid, lines_of(grid))
    assert (1, 2) == low.votes[:2] == top.votes[:2]
    assert "cheapest good enough in 1 of 2 (9% to 91%)" in low.told
    assert "LOW" == lines_of(grid)[0].voted


def test_lines_are_filtered_by_failures_which_are_counted(router, server):
    server.handler = answer
    grid = router.compare(["capital", "unheard of", "moon", None], ["LOW", "TOP"])
    lines = lines_of(grid)

    assert [1, 3] == places(chosen(lines, "failed"))
    totals = totals_of(grid, lines)
    assert [2, 2] == [total.failed for total in totals]
    assert "2 not answered" in totals[0].told
    told = headlines(grid, lines, totals)
    assert told[0].startswith("4 prompts × 2 columns · $0.0")
    assert "an answer is missing for 2 prompts" in told[1]


def test_checks_are_counted_and_the_cheapest_that_passes_them_is_named(router, server):
    server.handler, checks = answer, [own(lambda text: len(text) < 15, "is_short")]

    grid = router.compare(["capital", "sum"], ["LOW", "TOP"], checks=checks)

    lines = lines_of(grid)
    assert [(2, 2), (0, 2)] == [total.passed[:2] for total in totals_of(grid, lines)]
    assert [True, False] * 2 == list(grid.frame()["passed"])
    assert [0, 1] == places(chosen(lines, "disagree"))
    assert lines[0].why[1].startswith("is_short: ")
    shown = overview(grid, lines)
    assert "a check failed for 2 prompts" in shown.above[1]
    assert "LOW is the cheapest that passes every check" in shown.above
    assert ["prompt", "LOW", "TOP"] == shown.head
    assert ["1. capital", "Paris"] == shown.rows[0][:2]
    assert shown.rows[0][2].startswith("✗ The capital")
    assert "passes 2 of 2" in shown.below[0]
    assert f"and {ROWS} more rows: grid.frame() has all" == overview(grid, lines * ROWS).below[-1]
    grid = router.compare(["capital", "moon"], ["LOW", "TOP"], checks=checks)
    told = "".join(headlines(grid, lines_of(grid), totals_of(grid, lines_of(grid))))
    assert "none passes every check; LOW comes closest: 1 of 2" in told


def test_a_grid_is_written_as_csv_and_json_lines_and_no_cell_is_run(router, server):
    server.handler = lambda sent: Reply(text='=HYPERLINK("x")\n"a", שלום 🙂')
    cells = ["cat", "  =1+1", "\uff1d1", "a\r\nb", "1 = 1"]
    grid = router.compare("Say {{text}}", ["LOW"], over={"text": cells})

    grid.export("grid.csv")
    path = grid.export("grid.jsonl")

    with Path("grid.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    told = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    written = ["cat", "'  =1+1", "'\uff1d1", "a\r\nb", "1 = 1"]
    assert written == [row["over_text"] for row in rows]
    assert {'\'=HYPERLINK("x")\n"a", שלום 🙂'} == {row["text"] for row in rows}
    assert {'=HYPERLINK("x")\n"a", שלום 🙂'} == {row["text"] for row in told}
    with pytest.raises(SettingsError, match=r"neither \.csv nor \.jsonl"):
        grid.export("grid.xlsx")
    with pytest.raises(SettingsError, match="cannot be written"):
        grid.export("nowhere/grid.csv")
