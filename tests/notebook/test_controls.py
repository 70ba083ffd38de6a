"""The row under a card, pressed in every order, and the shelf that keeps the newest rows."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from cells import Row, desk_of, run
from loopback import Reply
from waiting import until

from nbroute.notebook.controls import Controls, Shelf


@pytest.fixture
def row(router):
    return Row(router)


@pytest.fixture
def france(shell):
    """The desk of a shell in which a capital was asked for on SIMPLE."""
    run(shell, "%%route -t SIMPLE\nWhat is the capital of France?")
    return desk_of(shell)


def test_a_row_shows_the_label_that_the_command_gave_and_keeps_no_prompt(row, router):
    router.label(row.card.result, "bad")  # as the command does
    row.controls.redraw()
    assert ["bad"] == row.pressed
    assert "labelled" not in row.words
    labels = [name for name, it in row.buttons.items() if it["data-do"] == "label"]
    assert ["good", "bad", "too weak", "overkill"] == labels
    assert "hello" not in str(row.controls.get_state())


def test_after_an_escalation_the_row_is_about_the_new_answer(row, router):
    row.click("too weak")
    for tier, word in (("MID", "good"), ("TOP", "too weak")):
        row.controls.start(tier).join()
        assert [] == row.pressed
        row.click(word)

    found = [(label.feedback, label.picked, label.needed) for label in router.ledger.labels()]
    assert [("too weak", "LOW", "MID"), ("good", "LOW", "MID")] == found[:2]
    assert row.words.count("labelled too weak") == 1
    assert "needs TOP" not in row.words  # no tier is better than the top one


def test_a_ledger_that_breaks_leaves_the_row_usable(row, router):
    router.ledger.close()
    for file in Path.cwd().glob("ledger.sqlite*"):
        file.write_bytes(b"not a database at all" * 500)

    row.click("good")
    assert "RecordError: the label could not be recorded" in row.words
    assert [] == row.pressed
    row.controls.start(None).join()
    assert "MID" == row.kept[-1].tier
    assert not row.is_off("Escalate to TOP")


def test_a_hundred_clicks_at_once_and_a_late_one_are_one_answer(row, router, server):
    held, started = threading.Event(), []
    server.handler = lambda _: held.wait(30) and Reply()

    def click(_):
        started.extend(row.controls.start(None) for _ in range(10))

    with ThreadPoolExecutor(10) as people:
        list(people.map(click, range(10)))
    held.set()
    (answering,) = filter(None, started)
    answering.join()
    row.controls.act("up", "MID")  # drawn before the answer came

    assert (1, 2) == (len(row.kept), len(server.requests))
    assert ["LOW", "MID"] == [one["tier"] for one in router.ledger.rows()]
    assert not row.is_off("Escalate to TOP")
    assert "Stop" not in row.buttons


def test_a_click_asks_the_ladder_that_the_notebook_has_now_up_to_its_top(shell, france):
    row = Controls(france.card(1), france)

    run(shell, "%route tiers MEDIUM=simulated/gpt-4o")
    row.start(None).join()

    assert "simulated/gpt-4o" == france.card(1).result.model
    for _ in range(2):
        row.start(None).join()
    tiers = [one.tier for one in france.card(1).view.results]
    assert ["FRONTIER", "COMPLEX", "MEDIUM", "SIMPLE"] == tiers
    assert "Top tier" in row.html
    assert "Escalate" not in row.html


def test_while_a_replay_is_on_the_buttons_of_an_earlier_card_send_nothing(router, opened, server):
    recorder = router.record("talk.json")
    row = Row(router)
    router.record(None)
    row.router = opened(replay=recorder.path, ledger=router.ledger)

    row.click("Escalate")

    until(lambda: "Nothing was sent" in row.card.view.error)
    assert 1 == len(server.requests)


def test_the_newest_three_cards_have_controls_and_a_cell_that_runs_again_takes_no_room(
    router, monkeypatch
):
    """Its old controls are off the screen: what other cells have keeps its buttons."""
    request, rows = {}, [Row(router) for _ in range(7)]
    monkeypatch.setattr("nbroute.notebook.controls.message_of", lambda _: request)
    with closing(Shelf(router)) as shelf:
        # two cards of one run are next to one another
        cells = ["table", *["prompt"] * 4, "prompt", "other"]
        runs, left = [1, 2, 3, 4, 5, 5, 7], []
        for number, (cell, run_) in enumerate(zip(cells, runs, strict=True), 1):
            request = {"metadata": {"cellId": cell}, "header": {"msg_id": f"run {run_}"}}
            shelf.put(number, rows[number - 1].controls)
            left.append([n for n in range(1, 8) if shelf.row(n) is not None])

    assert [[1, 5], [1, 5, 6], [5, 6, 7]] == left[4:]
