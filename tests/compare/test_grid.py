"""Many prompts on several tiers: a table of answers, costs and votes that can be gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from conftest import LADDER
from loopback import Reply

from nbroute.compare import Comparison, Grid
from nbroute.errors import AuthError, BudgetExceeded, Interrupted, PromptError, SettingsError
from nbroute.evaluate.training_data import read_labels
from nbroute.router import Router

ROOT = Path(__file__).parents[2]

TOML = """
[nbroute]
classifier = "ngrams"

[providers.loop]
base_url = "{url}"
api_key_env = "LOOP_API_KEY"
timeout_s = 30

[tiers.LOW]
provider = "loop"
model = "small"
max_tokens = 100
price = {{ input = 0.0, output = 10.0 }}

[tiers.TOP]
provider = "loop"
model = "large"
max_tokens = 100
price = {{ input = 0.0, output = 20.0 }}
"""

#: What a process does that is killed in the middle.
PROGRAM = """
from nbroute.router import Router
Router("nbroute.toml").compare(
    [f"prompt {n}" for n in range(8)], to="grid", workers=2, progress=False
)
"""


def asked(sent) -> str:
    return sent["messages"][-1]["content"]


def echo(sent) -> Reply:
    return Reply(text=f"{sent['model']} on {asked(sent)}")


def sent_to(server) -> Counter:
    """How often each model was asked what."""
    return Counter((seen.json["model"], asked(seen.json)) for seen in server.requests)


@pytest.fixture
def prompts():
    return pd.Series(["one", "two", "three"], index=["a", "b", "c"])


def test_every_prompt_is_asked_of_every_contender(router, server, prompts):
    server.handler = echo

    grid = router.compare(prompts, ["LOW", "TOP"])
    frame = grid.frame()

    assert isinstance(grid, Grid)
    assert 3 == len(grid)
    assert ["a", "a", "b", "b", "c", "c"] == list(frame.index)
    assert ["LOW", "TOP"] * 3 == list(frame["contender"])
    assert "small on one" == frame["text"].iloc[0]
    assert "large on three" == frame["text"].iloc[-1]
    assert {1} == set(sent_to(server).values())


def test_a_row_is_a_comparison(router, server, prompts):
    server.handler = echo

    grid = router.compare(prompts, ["LOW", "TOP"])

    assert isinstance(grid[1], Comparison)
    assert ["small on two", "large on two"] == [column.text for column in grid[1].columns]
    assert grid[-1].prompt == "three" == grid[2].prompt
    assert ["one", "two"] == [one.prompt for one in grid[:2]]
    assert "LOW" == grid[0].picked
    assert grid[0].column("TOP").note.endswith("this is two tiers more expensive")
    assert ["large on two"] == list(grid[1].frame()["text"][1:])
    with pytest.raises(IndexError, match="row 3 of a grid of 3"):
        grid[3]


def test_each_prompt_is_classified_once(make_router, prompts):
    seen = []

    def classifier(prompt):
        seen.append(prompt)
        return "TOP"

    frame = make_router(classifier=classifier).compare(prompts).frame()

    assert ["one", "three", "two"] == sorted(seen)
    assert [False, False, True] * 3 == list(frame["picked"])


def test_picks_can_be_left_out(make_router, prompts):
    def classifier(prompt):
        raise AssertionError(prompt)

    grid = make_router(classifier=classifier).compare(prompts, ["LOW"], picks=False)

    assert grid.frame()["picked"].isna().all()
    assert grid[0].picked is None
    assert "not asked for" in grid[0].columns[0].note
    assert ["LOW"] == list(grid.totals().index)


def test_what_picking_cost_is_told_apart(make_router, prompts):
    router = make_router(classifier="model")

    grid = router.compare(prompts, ["TOP"])

    assert ["TOP", "(routing)"] == list(grid.totals().index)
    assert grid.totals().loc["(routing)", "usd"] > 0
    assert router.spend().usd == grid.cost.usd


def test_a_prompt_that_fails_is_a_row_with_its_error(router, server):
    def handler(sent):
        refused = sent["model"] == "large" and asked(sent) == "two"
        return Reply(status=500, error="the disk is full") if refused else echo(sent)

    server.handler = handler
    grid = router.compare(["one", "two", None, float("nan"), 5, "two"], ["LOW", "TOP"])

    frame = grid.frame()
    top = frame[frame["contender"] == "TOP"]
    assert ["ok", "error", "error", "error", "error", "error"] == list(top["status"])
    assert "the disk is full" in top["error"].iloc[1]
    assert "a missing value" in top["error"].iloc[2]
    assert ["", ""] == list(top["prompt"].iloc[2:4])
    assert isinstance(grid[2].columns[0].error, PromptError)
    assert ["ok", "error"] == [column.status for column in grid[1].columns]
    assert [2, 2] == list(grid.totals().loc[["LOW", "TOP"], "failed"] - [1, 3])


def test_the_same_prompt_twice_is_two_rows(router):
    grid = router.compare(["same", "same"], ["LOW"])

    assert ["same", "same"] == list(grid.frame()["prompt"])


def test_no_prompts_make_an_empty_grid(router, server):
    grid = router.compare([], ["LOW"])

    assert 0 == len(grid) == len(grid.frame()) == len(grid.costs()) == len(grid.votes())
    assert [] == server.requests
    assert "0 prompts" in repr(grid)


def test_a_generator_will_do(router):
    grid = router.compare((f"prompt {n}" for n in range(3)), ["LOW"])

    assert [0, 1, 2] == list(grid.costs().index)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"tiers": []}, "tiers is empty"),
        ({"tiers": ["LOW", "low"]}, "twice"),
        ({"thread": "trip"}, "thread"),
        ({"observe": print}, "observe is for one prompt"),
        ({"workers": 0}, "a whole number from 1 up"),
        ({"max_tokens": 0}, "a whole number from 1 up"),
        ({"classifier": "ngarms"}, "did you mean 'ngrams'"),
        ({"to": "grid.sqlite"}, "a grid goes into a folder"),
        ({"resume": "grid"}, "give the grid that was interrupted"),
        ({"resume": object(), "to": "grid"}, "leave to and fresh out"),
        ({"executor": None}, "unknown option 'executor'"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_sent(router, server, arguments, said):
    with pytest.raises(SettingsError, match=said):
        router.compare(["one"], **arguments)

    assert [] == server.requests


def test_a_whole_frame_is_refused_with_its_cure(router):
    with pytest.raises(SettingsError, match=r"router\.compare\(frame\['prompt'\]\)"):
        router.compare(pd.DataFrame({"prompt": ["one"]}))


def test_costs_are_prompts_by_contenders(router, server, prompts):
    server.handler = echo

    grid = router.compare(prompts, ["LOW", "LOW:nobody-knows-this", "TOP"])
    costs = grid.costs()

    assert ["LOW", "LOW:nobody-knows-this", "TOP"] == list(costs.columns)
    assert ["a", "b", "c"] == list(costs.index)
    assert costs["LOW:nobody-knows-this"].isna().all()
    assert (costs["LOW"] < costs["TOP"]).all()
    totals = grid.totals()
    assert 3 == totals.loc["LOW:nobody-knows-this", "unknown"]
    assert costs["TOP"].sum() == pytest.approx(totals.loc["TOP", "usd"])


def test_money_that_nobody_billed_has_a_column_of_its_own():
    router = Router(profile="simulated")

    totals = router.compare(["What is 2 + 2?"], ["SIMPLE"], progress=False).totals()
    router.close()

    assert 0 == totals.loc["SIMPLE", "usd"]
    assert totals.loc["SIMPLE", "equivalent_usd"] > 0


def test_votes_are_kept_by_row(router, prompts):
    grid = router.compare(prompts, ["LOW", "TOP"])

    grid.vote(1, "LOW")
    label = grid.vote(1, "TOP")
    grid[2].vote("LOW")

    votes = grid.votes()
    assert ("LOW", "TOP", grid.id) == (label.picked, label.needed, label.comparison)
    assert [None, "TOP", "LOW"] == list(votes["voted"])
    assert ["LOW"] * 3 == list(votes["picked"])
    assert grid[0].voted is None
    assert "TOP" == grid[1].voted
    frame = grid.frame()
    assert [("b", "TOP"), ("c", "LOW")] == list(frame[frame["voted"]]["contender"].items())


def test_votes_make_labels_as_fit_reads_them(make_router):
    router = make_router(ladder=replace(LADDER, tiers=(LADDER["LOW"], LADDER["TOP"])))
    prompts = [f"Name the capital of country {n}." for n in range(30)]
    prompts += [f"Prove theorem {n} of chapter {n} in full, step by step." for n in range(30)]
    grid = router.compare(prompts, ["LOW", "TOP"], progress=False)
    for place in range(len(grid)):
        grid.vote(place, "LOW" if place < 30 else "TOP")

    labels = grid.labels()

    assert ["LOW"] * 30 + ["TOP"] * 30 == list(labels["tier"])
    assert prompts == list(labels["prompt"])
    assert ["LOW", "TOP"] == sorted(set(router.labels()["tier"]))
    assert 60 == len(read_labels(labels, router.ladder).prompts)


def test_there_is_no_vote_for_a_row_without_an_answer(router):
    grid = router.compare([None], ["LOW"])

    with pytest.raises(SettingsError, match="'LOW' has no answer to vote for: there is no prompt"):
        grid.vote(0, "LOW")


def test_all_calls_of_a_grid_share_an_id_in_the_ledger(make_router, prompts):
    router = make_router(classifier="model")

    grid = router.compare(prompts, ["LOW", "TOP"])

    assert {grid.id} == {row["comparison"] for row in router.ledger.rows()}
    assert {grid.id} == {one.id for one in grid}


def test_a_budget_that_is_used_up_leaves_rows_that_were_not_sent(router, prompts):
    router.set_budget("0.01")

    grid = router.compare(prompts, ["LOW", "TOP"])

    frame = grid.frame()
    assert {"ok"} == set(frame[frame["contender"] == "LOW"]["status"])
    assert {"not sent"} == set(frame[frame["contender"] == "TOP"]["status"])
    assert grid.stopped.startswith("TOP: BudgetExceeded")
    column = grid[0].column("TOP")
    assert "not sent" == column.status
    assert isinstance(column.error, BudgetExceeded)


def test_a_refused_key_is_the_error_that_it_was(router, server, prompts):
    server.handler = lambda sent: Reply(status=401, error="wrong key")

    column = router.compare(prompts, ["LOW"])[0].columns[0]

    assert isinstance(column.error, AuthError)
    assert column.result is not None


def test_going_on_sends_only_what_is_missing(make_router, server, prompts):
    failing = {"two"}
    server.handler = lambda sent: (
        Reply(status=500, error="down")
        if asked(sent) in failing and sent["model"] == "large"
        else echo(sent)
    )
    first = make_router().compare(prompts, ["LOW", "TOP"], to="grid", cache="off")
    before = sent_to(server)
    failing.clear()

    again = make_router().compare(prompts, ["LOW", "TOP"], to="grid", cache="off")

    assert {("large", "two"): 1} == sent_to(server) - before
    assert first.id == again.id
    assert {"ok"} == set(again.frame()["status"])
    assert 3 == len(list(Path("grid").iterdir()))


def test_a_contender_that_is_new_is_asked_alone(make_router, server, prompts):
    make_router().compare(prompts, ["LOW"], to="grid")
    before = sent_to(server)

    grid = make_router().compare(prompts, ["LOW", "LOW:acme/new"], to="grid")

    assert {"acme/new"} == {model for model, _ in sent_to(server) - before}
    assert ["LOW", "LOW:acme/new"] == list(grid.costs().columns)


def test_fresh_begins_anew(make_router, server, prompts):
    first = make_router().compare(prompts, ["LOW"], to="grid")

    again = make_router().compare(prompts, ["LOW"], to="grid", fresh=True)

    assert first.id != again.id
    assert {2} == set(sent_to(server).values())


def test_other_options_are_refused(make_router, server, prompts):
    make_router().compare(prompts, ["LOW"], to="grid")

    with pytest.raises(SettingsError, match="max_tokens was not given and is 5"):
        make_router().compare(prompts, ["LOW"], to="grid", max_tokens=5)

    assert 3 == len(server.requests)


def test_votes_outlive_the_kernel(make_router, prompts, tmp_path):
    make_router(ledger=tmp_path / "votes.sqlite").compare(prompts, to="grid").vote(1, "TOP")

    grid = make_router(ledger=tmp_path / "votes.sqlite").compare(prompts, to="grid")

    assert [None, "TOP", None] == list(grid.votes()["voted"])
    grid.vote(1, "MID")
    assert "MID" == grid[1].voted


class Gate:
    """A handler that lets so many answers through, calls `act`, and holds the rest a while."""

    def __init__(self, free: int, act) -> None:
        self.left = free
        self.act = act
        self.lock = threading.Lock()
        self.open = threading.Event()

    def __call__(self, sent) -> Reply:
        with self.lock:
            self.left -= 1
            last = self.left == -1
        if last:
            self.act()
        if self.left < 0:
            self.open.wait(0.5)
        return echo(sent)


def test_a_stopped_grid_is_in_the_error_and_is_gone_on_with(router, server):
    prompts, cancel = [f"prompt {n}" for n in range(6)], threading.Event()
    server.handler = gate = Gate(8, cancel.set)

    with pytest.raises(Interrupted, match=r"resume=sys\.last_value\.result") as caught:
        router.compare(prompts, ["LOW", "TOP"], workers=1, cancel=cancel, cache="off")
    partial = caught.value.result
    statuses = list(partial.frame()["status"])
    gate.open.set()
    grid = router.compare(prompts, ["LOW", "TOP"], resume=partial, cache="off")

    assert partial.id == grid.id
    assert 8 <= statuses.count("ok") < 12
    assert "interrupted" in partial.stopped
    assert ["ok"] * 12 == list(grid.frame()["status"])
    assert sum(sent_to(server).values()) <= 14


def test_ctrl_c_in_the_first_pass_leaves_a_grid_that_can_be_looked_at(router, server):
    server.handler = Gate(1, lambda: os.kill(os.getpid(), signal.SIGINT))

    with pytest.raises(Interrupted) as caught:
        router.compare(["one", "two", "three"], ["LOW", "TOP"], to="grid", workers=1)

    grid = caught.value.result
    assert "ok" == grid[0].column("LOW").status
    assert "not sent" == grid[0].column("TOP").status
    assert "the same call continues" in str(caught.value)
    assert grid.costs()["TOP"].isna().all()


def test_a_killed_process_loses_what_ran_and_no_more(server, tmp_path, monkeypatch):
    monkeypatch.setenv("LOOP_API_KEY", "sk-test-0123456789")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "nbroute.toml").write_text(TOML.format(url=server.url))
    reached = threading.Event()
    server.handler = gate = Gate(11, reached.set)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)], cwd=folder, env=environment
    )
    assert reached.wait(60)
    child.kill()
    child.wait(60)
    gate.open.set()
    before = len(server.requests)

    monkeypatch.chdir(folder)
    router = Router("nbroute.toml")
    grid = router.compare([f"prompt {n}" for n in range(8)], to="grid", progress=False)
    router.close()

    assert ["ok"] * 16 == list(grid.frame()["status"])
    assert Decimal("0.00032") * 3 >= grid.cost.usd > 0
    assert len(server.requests) - before < 12


def test_one_bar_counts_all_answers(router, prompts, capsys, monkeypatch):
    monkeypatch.setenv("NBROUTE_STATIC", "1")

    router.compare(prompts, ["LOW", "TOP"], progress=True)

    drawn = capsys.readouterr().err
    assert "9/9" in drawn
    assert "step" in drawn


def test_a_line_tells_how_it_went_and_no_prompt(router):
    grid = router.compare(["a secret", None], ["LOW", "TOP"], to="grid")

    assert repr(grid).startswith("<Grid of 2 prompts: LOW 1 answered, 1 failed, TOP 1 answered")
    assert "in 'grid'" in repr(grid)
    assert "secret" not in repr(grid)
