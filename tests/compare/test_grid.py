"""Many prompts on several tiers: a table of answers, costs and votes that can be continued."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from loopback import Reply, echo, prompt_of

from nbroute.errors import AuthError, BudgetExceeded, Interrupted, PromptError, SettingsError


def sent_to(server) -> Counter:
    """How often each model was asked what."""
    return Counter(zip(server.asked, server.prompts, strict=True))


@pytest.fixture
def prompts():
    return pd.Series(["one", "two", "three"], index=["a", "b", "c"])


def test_every_prompt_is_asked_of_every_contender_and_a_row_is_a_comparison(
    router, server, prompts
):
    server.handler, told = echo, []

    grid = router.compare(prompts, ["LOW", "TOP"], progress=lambda *seen: told.append(seen))
    frame = grid.frame()

    assert ["a", "a", "b", "b", "c", "c"] == list(frame.index)
    assert ["LOW", "TOP"] * 3 == list(frame["contender"])
    assert ["small on one", "large on three"] == [frame["text"].iloc[0], frame["text"].iloc[-1]]
    assert {1} == set(sent_to(server).values())
    assert grid[-1].prompt == "three" == grid[2].prompt
    assert "LOW" == grid[0].picked
    assert grid[0].column("TOP").note.endswith("this is two tiers more expensive")
    with pytest.raises(IndexError, match="row 3 of a grid of 3"):
        grid[3]
    assert [(done, 9) for done in range(1, 10)] == [one[:2] for one in told]
    assert 0 == len(router.compare(iter(()), ["LOW", "TOP"], progress=False).frame())


def test_each_prompt_is_classified_once_and_told_apart_unless_picks_are_left_out(
    make_router, server, prompts
):
    server.handler = lambda sent: Reply(text="TOP")
    router = make_router(classifier="model")

    whole = router.compare(prompts)
    rows = router.ledger.rows()
    grid = router.compare(prompts, ["LOW"], picks=False)

    assert {"classify": 3, "answer": 9} == Counter(row["purpose"] for row in rows)
    assert {whole.id} == {row["comparison"] for row in rows}
    assert [False, False, True] * 3 == list(whole.frame()["picked"])
    assert ["LOW", "MID", "TOP", "(routing)"] == list(whole.totals().index)
    assert whole.totals().loc["(routing)", "usd"] > 0
    assert router.spend().usd == whole.cost.usd + grid.cost.usd
    assert grid.frame()["picked"].isna().all()
    assert "not asked for" in grid[0].columns[0].note


def not_two(sent) -> Reply:
    """The large model fails on the prompt 'two'."""
    fails = (sent["model"], prompt_of(sent)) == ("large", "two")
    return Reply(status=500, error="the disk is full") if fails else echo(sent)


def test_a_prompt_that_fails_or_is_none_is_a_row_with_its_error(router, server):
    server.handler = not_two

    grid = router.compare(["one", "two", None, 5, ""], ["LOW", "TOP"], progress=False)

    frame = grid.frame()
    top = frame[frame["contender"] == "TOP"]
    assert ["ok", *["error"] * 4] == list(top["status"])
    assert "the disk is full" in top["error"].iloc[1]
    assert "a missing value" in top["error"].iloc[2]
    assert isinstance(grid[2].columns[0].error, PromptError)
    assert ["ok", "error"] == [column.status for column in grid[1].columns]
    assert [3, 4] == list(grid.totals().loc[["LOW", "TOP"], "failed"])
    assert repr(grid).startswith("<Grid of 5 prompts: LOW 2 answered, 3 failed, TOP 1 answered")
    with pytest.raises(SettingsError, match="'LOW' has no answer to vote for: there is no prompt"):
        grid.vote(2, "LOW")


def test_costs_are_prompts_by_contenders(router, prompts):
    grid = router.compare(prompts, ["LOW", "LOW:nobody-knows-this"])

    costs = grid.costs()
    assert dict.fromkeys("abc", 0.000005) == costs["LOW"].to_dict()
    assert costs["LOW:nobody-knows-this"].isna().all()
    assert [0, 3, 0] == list(grid.totals()["unknown"])


def test_a_budget_that_is_used_up_leaves_rows_not_sent_and_a_refused_key_its_error(
    router, server, prompts
):
    router.set_budget("0.01")

    grid = router.compare(prompts, ["LOW", "TOP"])

    assert ["ok", "not sent"] * 3 == list(grid.frame()["status"])
    assert grid.stopped.startswith("TOP: BudgetExceeded")
    assert isinstance(grid[0].column("TOP").error, BudgetExceeded)
    server.answer(Reply(status=401, error="wrong key"))
    assert isinstance(router.compare(prompts, ["LOW"])[0].columns[0].error, AuthError)


def test_votes_are_kept_by_row_and_outlive_the_kernel(make_router, prompts, tmp_path):
    def compared():
        router = make_router(ledger=tmp_path / "votes.sqlite")
        return router.compare(prompts, ["LOW", "TOP"], to="grid")

    grid = compared()
    grid.vote(1, "LOW")
    label = grid.vote(1, "TOP")
    grid[2].vote("LOW")

    assert ("LOW", "TOP", grid.id) == (label.picked, label.needed, label.comparison)
    for again in (grid, compared()):
        votes, frame = again.votes(), again.frame()
        assert [None, "TOP", "LOW"] == list(votes["voted"]) == [one.voted for one in again]
        assert ["LOW"] * 3 == list(votes["picked"])
        assert [("b", "TOP"), ("c", "LOW")] == list(frame[frame["voted"]]["contender"].items())
        assert ["two", "three"] == list(again.labels()["prompt"])
        assert ["TOP", "LOW"] == list(again.labels()["tier"])


def test_the_same_call_sends_only_what_is_missing_and_fresh_begins_anew(
    make_router, server, prompts
):
    server.handler = not_two
    asked = {"tiers": ["LOW", "TOP"], "to": "grid", "cache": "off"}
    first = make_router().compare(prompts, **asked)
    before = sent_to(server)
    server.handler = echo

    again = make_router().compare(prompts, **asked)

    assert {("large", "two"): 1} == sent_to(server) - before
    assert first.id == again.id
    assert {"ok"} == set(again.frame()["status"])
    assert "in 'grid'" in repr(again)
    assert 3 == len(list(Path("grid").iterdir()))
    before = sent_to(server)
    make_router().compare(prompts, **asked | {"tiers": ["LOW", "LOW:acme/new"]})
    assert {"acme/new"} == {model for model, _ in sent_to(server) - before}
    with pytest.raises(SettingsError, match="max_tokens was not given and is 5"):
        make_router().compare(prompts, **asked, max_tokens=5)
    assert first.id != make_router().compare(prompts, **asked, fresh=True).id


def test_a_stopped_grid_is_in_the_error_and_is_continued(router, server):
    prompts, cancel = [f"prompt {n}" for n in range(6)], threading.Event()
    places, answer = itertools.count(), threading.Event()

    def handler(sent):
        if next(places) >= 8:
            cancel.set()
            answer.wait(0.5)
        return echo(sent)

    server.handler = handler
    with pytest.raises(Interrupted, match=r"resume=sys\.last_value\.result") as caught:
        router.compare(prompts, ["LOW", "TOP"], workers=1, cancel=cancel, cache="off")
    partial = caught.value.result
    statuses = list(partial.frame()["status"])
    answer.set()
    grid = router.compare(prompts, ["LOW", "TOP"], resume=partial, cache="off")

    assert partial.id == grid.id
    assert 8 <= statuses.count("ok") < 12
    assert "interrupted" in partial.stopped
    assert ["ok"] * 12 == list(grid.frame()["status"])
    assert sum(sent_to(server).values()) <= 14
