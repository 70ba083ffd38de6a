"""What goes wrong with comparisons, grids, votes and what-if: one line, nothing lost."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from cells import run
from conftest import LADDER
from IPython.utils.capture import capture_output
from loopback import Reply

from nbroute.errors import PromptError, SettingsError

HALF_A_PAIR = "\ud83d"
HOSTILE = '<img src=x onerror="alert(1)"> ![p](https://evil.example/p.png) $x$ \x00 \x1b[31m \u202e'


def by_model(server, **replies):
    server.handler = lambda asked: replies.get(asked["model"], Reply(text="a b c"))


def statuses(comparison):
    return {one.contender.name: one.status for one in comparison.columns}


@pytest.fixture
def static(shell, monkeypatch):
    """A shell where cells show one plain output."""
    monkeypatch.setenv("NBROUTE_STATIC", "1")
    with capture_output():
        shell.run_line_magic("reload_ext", "nbroute")
    return shell


# Who is asked


@pytest.mark.parametrize("tiers", [["LOW", "LOW"], ("LOW", "TOP", "LOW"), ["LOW:m", "LOW:m"]])
def test_a_list_that_repeats_the_very_same_name_is_refused(router, server, tiers):
    with pytest.raises(SettingsError, match="twice"):
        router.compare("Hello", tiers)

    assert [] == server.requests


def test_a_grid_refuses_the_very_same_name_twice(router, server):
    with pytest.raises(SettingsError, match="twice"):
        router.compare(["Hello"], ["LOW", "LOW"])

    assert [] == server.requests


# What is typed


@pytest.mark.parametrize("options", ["", "--blind", "--diff", "--blind --diff"])
def test_a_prompt_with_half_a_surrogate_pair_is_compared(static, options):
    static.user_ns["cut"] = f"Explain {HALF_A_PAIR} recursion. {HOSTILE}"

    text, done = run(static, f"%%route_compare SIMPLE MEDIUM {options}\n{{{{cut}}}}")

    assert done.success, text
    assert ["ok", "ok"] == [one.status for one in done.result.columns]


def test_a_blind_order_is_the_same_each_time_that_a_saved_notebook_is_run(static):
    cell = "%%route_compare --blind\nExplain recursion."

    first, again = run(static, cell)[0], run(static, cell)[0]

    assert first.partition("]: ")[2] == again.partition("]: ")[2]


@pytest.mark.parametrize("to", [3, "a\0b", "a" * 400, b"bytes"])
def test_a_folder_that_cannot_be_one_is_refused_before_anything_is_sent(router, server, to):
    with pytest.raises(SettingsError, match="to="):
        router.compare(["Hello"], ["LOW"], to=to)

    assert [] == server.requests


@pytest.mark.parametrize("model", ["m" * 400, "漢" * 400, "../../up", f"half-{HALF_A_PAIR}"])
def test_a_grid_keeps_models_whose_names_no_file_could_have(router, tmp_path, model):
    asked = {"tiers": [f"LOW:{model}"], "to": tmp_path / "grid"}

    grid = router.compare(["Hello"], **asked)

    assert 2 == len(list((tmp_path / "grid").glob("*.sqlite")))
    assert grid.cost == router.compare(["Hello"], **asked).cost


def test_what_if_of_no_list_says_what_it_takes(router):
    with pytest.raises(PromptError, match="list of texts"):
        router.what_if(prompts=5)


# What fails while it runs


def test_one_that_fails_and_one_that_hangs_do_not_keep_the_third_from_answering(
    make_router, server
):
    by_model(
        server,
        small=Reply(status=401, error="no such key"),
        medium=Reply(text="a b c d", stall_after=1),
    )
    router = make_router(timeout_s=0.5)

    comparison = router.compare("Hello", ["LOW", "MID", "TOP"])

    assert {"LOW": "error", "MID": "error", "TOP": "ok"} == statuses(comparison)
    assert "no such key" in str(comparison)
    assert "TimedOut" in str(comparison)
    assert 3 == len(router.ledger.rows())
    assert router.spend().usd == comparison.cost.usd


def test_where_all_fail_each_column_says_why_and_no_vote_is_taken(router, server):
    server.handler = lambda _: Reply(status=500, error="boom")

    comparison = router.compare("Hello")

    assert {"LOW": "error", "MID": "error", "TOP": "error"} == statuses(comparison)
    with pytest.raises(SettingsError, match="no answer to vote for"):
        comparison.vote("TOP")
    assert [] == router.ledger.labels()


def test_a_budget_lets_those_through_that_fit(make_router):
    router = make_router()
    router.set_budget("0.02")

    comparison = router.compare("Hello", ["LOW", "MID", "TOP"])

    assert {"LOW": "ok", "MID": "ok", "TOP": "not sent"} == statuses(comparison)
    assert router.spend().usd == comparison.cost.usd


def test_many_threads_compare_on_one_router_and_mix_nothing_up(router, server):
    server.handler = lambda asked: Reply(text=f"{asked['messages'][-1]['content']} as asked")
    found = {}

    def compare(number):
        found[number] = router.compare(f"prompt {number}", ["LOW", "TOP"])
        found[number].vote("LOW")

    threads = [threading.Thread(target=compare, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    for number, comparison in found.items():
        assert [f"prompt {number} as asked"] * 2 == [one.text for one in comparison.columns]
        assert {comparison.id} == {attempt.comparison for attempt in comparison.attempts}
    assert 16 == len(router.ledger.rows())
    assert 8 == len(router.ledger.labels())
    costs = [comparison.cost.usd for comparison in found.values()]
    assert router.spend().usd == sum(costs)


# Where it is kept


def test_a_vote_that_cannot_be_written_counts_until_the_ledger_is_free_again(router, tmp_path):
    comparison = router.compare("Hello", ["LOW", "TOP"])
    path = tmp_path / "nbroute" / "ledger.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Exception, match="kept in memory"):
            comparison.vote("TOP")
        assert "TOP" == comparison.voted
        other.execute("ROLLBACK")

    comparison.vote("LOW")

    assert ["TOP", "LOW"] == [label.needed for label in router.ledger.labels()]
    with closing(sqlite3.connect(path)) as other:
        assert [(2,)] == other.execute("SELECT count(*) FROM labels").fetchall()


@pytest.mark.parametrize("name", ["LOW.sqlite", "_routing.sqlite"])
def test_a_damaged_file_of_a_grid_is_named_and_nothing_is_sent(router, server, tmp_path, name):
    router.compare(["one", "two"], ["LOW"], to=tmp_path / "grid")
    sent = len(server.requests)
    (tmp_path / "grid" / name).write_bytes(b"not a database")

    with pytest.raises(SettingsError, match=name):
        router.compare(["one", "two"], ["LOW"], to=tmp_path / "grid")

    assert sent == len(server.requests)


def test_a_vote_after_the_extension_is_loaded_anew_still_counts(shell):
    run(shell, "%%route_compare SIMPLE\nHello")
    with capture_output():
        shell.run_line_magic("unload_ext", "nbroute")
        shell.run_line_magic("load_ext", "nbroute")

    text, _ = run(shell, "%route vote SIMPLE")

    assert "your vote: SIMPLE is good enough" in text


def test_a_vote_after_another_profile_goes_to_the_ledger_of_its_answers(shell):
    run(shell, "%%route_compare SIMPLE MEDIUM\nHello")
    run(shell, "%route use simulated")

    text, done = run(shell, "%route vote MEDIUM")

    assert done.success, text
    router = shell.run_line_magic("route", "router")
    assert ["MEDIUM"] == [label.needed for label in router.ledger.labels()]


# Nothing to show


@pytest.mark.parametrize(
    "command",
    [
        *("report", "report text", "report all", "charts", "dashboard", "whatif", "labels"),
        *("labels all", "spend", "whatif cache=on", "playground", "export page.html"),
    ],
)
def test_a_session_with_no_calls_is_told_as_one(shell, command):
    text, done = run(shell, f"%route {command}")

    assert done.success, text
    assert "Traceback" not in text


def test_an_empty_grid_has_its_columns_and_costs_nothing(router, server):
    grid = router.compare([], ["LOW", "TOP"])

    assert (0, 0) == (len(grid), len(grid.frame()))
    assert 0 == grid.cost.usd
    assert [] == server.requests


def test_a_grid_of_odd_prompts_has_a_row_for_each(router):
    grid = router.compare(["a", "a", None, "", float("nan"), 3, "\0"], ["LOW"], progress=False)

    assert ["ok", "ok", *["error"] * 5] == list(grid.frame()["status"])
    assert LADDER.names[0] == grid[0].columns[0].contender.name
    assert Path(router.ledger.path).exists()
