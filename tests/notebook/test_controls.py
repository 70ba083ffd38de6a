"""The row under a card, pressed in every order: at once, twice, too early and too late."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from cells import Row, desk_of, run
from loopback import Reply
from waiting import until

from nbroute.notebook.controls import Controls
from nbroute.router import Router


@pytest.fixture
def row(router):
    return Row(router)


def answered(row):
    return [one.tier for one in row.card.view.results]


def test_two_cards_that_are_escalated_at_the_same_time_keep_their_own_answers(shell):
    prompts = ["What is the capital of France?", "What is the capital of Australia?"]
    for prompt in prompts:
        run(shell, f"%%route -t SIMPLE\n{prompt}")
    desk = desk_of(shell)
    rows = [Controls(desk.card(number), desk) for number in (1, 2)]
    running = [row.start(None) for row in rows for _ in range(3)]

    for thread in filter(None, running):
        thread.join()

    for number, prompt in enumerate(prompts, 1):
        assert [(prompt, "MEDIUM"), (prompt, "SIMPLE")] == [
            (one.prompt, one.tier) for one in desk.card(number).view.results
        ]
    assert desk.last in [desk.card(number).result for number in (1, 2)]
    assert "4 calls" in run(shell, "%route spend")[0]
    assert all("Stop" not in row.html for row in rows)


def test_escalate_that_is_clicked_twice_asks_once_and_the_second_click_climbs_no_further(
    row, server
):
    gate = threading.Event()
    server.handler = lambda _: Reply() if gate.wait(30) else Reply(status=500)

    row.click("Escalate to MID")
    row.controls.act("up", "MID")
    gate.set()
    until(lambda: not any(name.startswith("Stop") for name in row.buttons))
    row.controls.act("up", "MID")  # drawn before the answer came

    assert ["MID", "LOW"] == answered(row)
    assert 2 == len(server.requests)


def test_a_click_asks_the_router_that_the_notebook_has_now(row, router):
    session = {"ledger": router.ledger, "session": router.session}
    with closing(Router(profile="simulated", **session)) as other:
        row.router = other
        row.controls.redraw()
        assert not any(name.startswith(("Escalate", "Top")) for name in row.buttons)
        row.controls.start("FRONTIER").join()

    assert ["FRONTIER", "LOW"] == answered(row)
    assert "simulated/claude-opus-4" == row.card.result.model
    assert any(name == "Top tier" for name in row.buttons)


def test_a_changed_ladder_holds_on_an_older_card(shell):
    run(shell, "%%route -t SIMPLE\nWhat is the capital of France?")
    desk = desk_of(shell)
    row = Controls(desk.card(1), desk)

    run(shell, "%route tiers MEDIUM=simulated/gpt-4o")
    row.start(None).join()

    assert "simulated/gpt-4o" == desk.card(1).result.model
    run(shell, "%route use simulated")
    row.start(None).join()
    assert ["COMPLEX", "MEDIUM", "SIMPLE"] == [one.tier for one in desk.card(1).view.results]


def test_an_answer_with_no_text_can_be_escalated_and_labelled(row, server):
    server.handler = lambda _: Reply(text="")

    row.controls.start("MID").join()

    assert not row.is_off("good")
    server.handler = lambda _: Reply()
    row.controls.start("TOP").join()
    assert "TOP" == row.card.result.tier
    row.click("good")
    assert "labelled good" in row.words


def test_a_budget_that_refuses_a_click_names_what_can_be_done_there(shell):
    run(shell, "%%route -t SIMPLE\nWhat is the capital of France?")
    run(shell, "%route budget 0.0001")
    desk = desk_of(shell)

    Controls(desk.card(1), desk).start("FRONTIER").join()

    told = desk.card(1).view.error
    assert "raise the budget with %route budget USD" in told
    assert "%%route -t FRONTIER --over-budget" in told
    run(shell, "%route budget off")
    run(shell, "%%route -t SIMPLE --max-cost 0.01\nhello")
    Controls(desk.card(2), desk).start("FRONTIER").join()
    assert "in a cell with %%route -t FRONTIER" in desk.card(2).view.error


def test_stop_ends_a_comparison_that_a_click_began(shell):
    run(shell, "%%route -t SIMPLE\nWhat is the capital of France?")
    desk, began = desk_of(shell), threading.Event()
    row = Controls(desk.card(1), desk)
    compare = desk.router.compare

    def slow(prompt, **options):
        began.set()
        assert options["cancel"].wait(30)
        return compare(prompt, **options)

    desk.router.compare = slow
    row.act("compare")
    assert began.wait(30)
    row.act("stop")

    until(lambda: "Stop" not in row.html)
    assert "Interrupted" in row.html
