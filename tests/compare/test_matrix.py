"""A template over a table, system prompts side by side, and a grid as one looks at it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from loopback import Reply, prompt_of

from nbroute.checks import own
from nbroute.compare.matrix import ROWS, Overview, chosen, lines_of, overview
from nbroute.errors import SettingsError

TABLE = {"word": ["cat", "dog"], "lang": ["French", "German"]}


def test_a_template_is_filled_once_for_each_row_of_a_table(router):
    for template, over, prompts, index in (
        ("{{word}}", TABLE, ["cat", "dog"], [0, 1]),
        ("{{word}}", pd.DataFrame(TABLE).to_dict("records"), ["cat", "dog"], [0, 1]),
        ("{{word}}", pd.Series(["a", "b"], ["x", "y"], name="word"), ["a", "b"], ["x", "y"]),
        ("{{a}}", {"a": ["{{b}}"], "b": ["x"]}, ["{{b}}"], [0]),
    ):
        grid = router.compare(template, ["LOW"], over=over)
        assert prompts == [one.prompt for one in grid]
        assert index == list(grid.costs().index)


def test_a_row_with_a_missing_value_is_not_sent_and_says_which(router, server):
    over = pd.DataFrame({"word": ["cat", None, float("nan"), pd.NA, pd.NaT]}, dtype=object)

    grid = router.compare("Say {{word}}", ["LOW", "TOP"], over=over)

    assert 2 == len(server.requests)
    assert {"PromptError: word missing in this row"} == set(grid.frame()["error"].iloc[2:])


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


def test_answers_that_say_another_thing_disagree_and_lines_are_filtered_and_sorted(router, server):
    server.handler = answer
    lines = lines_of(router.compare(["capital", "sum", "moon", "unheard of"], ["LOW", "TOP"]))

    assert [1, 2] == places(chosen(lines, "disagree"))
    assert [3] == places(chosen(lines, "failed"))
    assert [1] == places(chosen(lines, "most expensive"))
    assert [1, 2, 0, 3] == places(chosen(lines, "all", "most different first"))
    assert [1, 0, 2, 3] == places(chosen(lines, "all", "most expensive first"))


SHOWN = Overview(
    [
        "5 prompts × 2 columns · $0.00054 · 8 calls",
        "a check failed for 3 prompts · an answer is missing for 2 prompts",
        "none passes every check; LOW comes closest: 2 of 5 (12% to 77%)",
    ],
    ["prompt", "LOW", "TOP"],
    [
        ["1. capital", "✓ Paris", "✗ The capital of Franc..."],
        ["2. sum", "So it is 41.", "✓ So it is 42, of course"],
        ["3. moon", "✗ Yes, certainly it does.", "✗ No atmosphere whatev..."],
        ["4. unheard of", "✗ AllModelsFailed: eac...", "✗ Unavailable: 127.0.0..."],
        ["5. there is no promp...", *["✗ PromptError: there i..."] * 2],
    ],
    [
        f"{told} · cheapest good enough in 1 of 2 (9% to 91%) · 2 not answered"
        for told in (
            "LOW: $0.000027 · passes 2 of 5 (12% to 77%)",
            "TOP: $0.000510 · passes 0 of 5 (0% to 43%)",
        )
    ],
)


def test_checks_votes_and_failures_are_counted_and_the_cheapest_that_passes_is_named(
    router, server
):
    server.handler, checks = answer, [own(lambda text: len(text) < 15, "is_short")]
    prompts = ["capital", "sum", "moon", "unheard of", None]
    grid = router.compare(prompts, ["LOW", "TOP"], checks=checks)
    grid.vote(0, "LOW")
    grid.vote(1, "TOP")

    lines = lines_of(grid)
    assert SHOWN == overview(grid, lines)
    assert ("", "is_short: is_short said no") == lines[0].why
    assert [True, False, True, *[False] * 7] == list(grid.frame()["passed"])
    passing = router.compare(prompts[:2], ["LOW", "TOP"], checks=checks)
    shown = overview(passing, lines_of(passing) * ROWS)
    assert "LOW is the cheapest that passes every check" == shown.above[-1]
    assert f"and {ROWS} more rows: grid.frame() has all" == shown.below[-1]


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
