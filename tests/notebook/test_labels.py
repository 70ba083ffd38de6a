"""Labels and answers again: commands, the row of buttons under a card, the session's line."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest
from cells import Row, error_of, run
from IPython.utils.capture import capture_output
from loopback import Reply
from waiting import until

from nbroute.notebook.controls import Shelf
from nbroute.notebook.lines import session_text
from nbroute.router import Router

# %route label, %route labels


def test_a_cell_is_labelled_and_counted(shell):
    text, _ = run(shell, "%route labels")
    assert "no labels yet in this session" in text
    assert "%route label WORD, which is good, bad, too weak or overkill" in text
    for number, word in enumerate(["good", "too weak", "too weak frontier", "bad"]):
        run(shell, f"%%route -q -t MEDIUM\nprompt {number}")
        assert "labelled " in run(shell, f"%route label {word}")[0]
    assert "unknown tier 'MIDDLE'" in error_of(shell, "%route label too weak MIDDLE")
    run(shell, "%%route -q -t COMPLEX\nprompt 4")
    run(shell, "%route label more-than-needed")

    text, done = run(shell, "%route labels")

    rows = [line.split() for line in text.splitlines() if line.startswith(("MEDIUM", "COMPLEX"))]
    assert [["MEDIUM", "0", "1", "1", "1"], ["COMPLEX", "0", "1", "0", "0"]] == rows
    for line in (
        "of 4 labels, 1 picked what was needed, 1 too expensive, 2 too weak",
        "left out: 1 label with no tier named",
        "it takes 6 more labels",
    ):
        assert line in text
    assert "| MEDIUM | 0 | 1 | 1 | 1 |" in done.result._repr_markdown_()


def test_labels_of_every_session_are_counted_together(shell):
    with closing(Router(profile="simulated")) as earlier:
        earlier.label(earlier.route("hello"), "good")

    text, _ = run(shell, "%route labels all")

    assert "of 1 label, 1 picked what was needed" in text
    assert "router.labels(everything=True)" in text


def test_a_ledger_that_cannot_be_written_is_one_line(shell, monkeypatch):
    monkeypatch.setenv("NBROUTE_LEDGER", "/dev/null/ledger.sqlite")
    run(shell, "%%route -q\nhello")

    assert "RecordError: the label could not be recorded" in error_of(shell, "%route label good")
    assert "of 1 label, 1 picked" in run(shell, "%route labels")[0]


@pytest.mark.parametrize(
    "after", ["%unload_ext nbroute\n%load_ext nbroute", "%route use simulated"]
)
def test_a_vote_after_a_reload_or_another_profile_goes_to_the_ledger_of_its_answers(shell, after):
    run(shell, "%%route_compare SIMPLE MEDIUM\nHello")
    with capture_output():
        for line in after.splitlines():
            shell.run_cell(line)

    text, done = run(shell, "%route vote SIMPLE")

    assert done.success, text
    assert "your vote: SIMPLE is good enough" in text
    router = shell.run_line_magic("route", "router")
    assert ["SIMPLE"] == [label.needed for label in router.ledger.labels()]


@pytest.mark.parametrize("options", ["", "--blind --diff"])
def test_half_a_surrogate_pair_is_compared_and_the_blind_order_stays(static, options):
    static.user_ns["cut"] = "Explain \ud83d recursion. <img src=x onerror=alert(1)> \x00 \x1b[31m"
    cell = f"%%route_compare SIMPLE MEDIUM {options}\n{{{{cut}}}}"

    (first, done), (again, _) = run(static, cell), run(static, cell)

    assert done.success, first
    assert ["ok", "ok"] == [one.status for one in done.result.columns]
    assert first.partition("]: ")[2] == again.partition("]: ")[2]


# The row under a card


@pytest.fixture
def row(router):
    return Row(router)


def test_while_a_replay_is_on_the_buttons_of_an_earlier_card_send_nothing(router, tmp_path, server):
    recorder = router.record(tmp_path / "talk.json")
    row = Row(router)
    router.record(None)
    row.router = Router(replay=recorder.path, ledger=router.ledger)

    row.click("Escalate")

    until(lambda: "Nothing was sent" in row.card.view.error)
    assert 1 == len(server.requests)
    row.router.close()


def test_a_click_keeps_the_word_the_last_one_counts_and_a_second_takes_it_back(row, router):
    for word, needed in (("good", "LOW"), ("too weak", "MID")):
        row.click(word)
        assert f"labelled {word} (the prompt needs {needed})" in row.words
        assert [word] == row.pressed
    assert ["MID"] == router.labels()["tier"].tolist()

    row.click("too weak")
    assert "label removed" in row.words
    assert [] == row.pressed
    assert router.labels().empty

    router.label(row.card.result, "bad")  # as the command does
    row.controls.redraw()
    assert ["bad"] == row.pressed
    assert "labelled" not in row.words
    router.take_back(row.card.result)
    row.controls.redraw()
    assert [] == row.pressed


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


def test_an_answer_on_its_way_rests_the_labels_and_can_be_stopped_and_tried_again(
    row, router, server
):
    server.handler = lambda _: Reply(delay=20)
    answering = row.controls.start(None)
    until(lambda: 2 == len(server.requests))

    row.controls.redraw()
    row.click("good")
    assert all(row.is_off(name) for name in ("Escalate", "LOW", "good", "bad", "overkill"))
    row.click("Stop")
    answering.join()

    assert [] == router.ledger.labels()
    assert not row.is_off("good")
    assert not any(name.startswith("Stop") for name in row.buttons)
    server.handler = None
    row.controls.start("MID").join()
    assert ["ok", "interrupted", "ok"] == [one["status"] for one in router.ledger.rows()]
    assert ["MID"] == [result.tier for result in row.kept]


def test_a_hundred_clicks_at_once_are_one_answer(row, router, server):
    held, started = threading.Event(), []
    server.handler = lambda _: held.wait(10) and Reply()

    def click():
        started.extend(row.controls.start(None) for _ in range(10))

    threads = [threading.Thread(target=click) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held.set()
    (answering,) = filter(None, started)
    answering.join()

    assert (1, 2) == (len(row.kept), len(server.requests))
    assert ["LOW", "MID"] == [one["tier"] for one in router.ledger.rows()]
    assert not row.is_off("Escalate to TOP")
    assert "Stop" not in row.buttons
    row.controls.start(None).join()
    assert "TOP" == row.kept[-1].tier


def test_a_ledger_that_breaks_leaves_the_row_usable(row, router):
    router.ledger.close()
    held = {file: file.read_bytes() for file in Path.cwd().glob("ledger.sqlite*")}
    for file in held:
        file.write_bytes(b"no database at all" * 500)

    row.click("good")
    assert "RecordError: the label could not be recorded" in row.words
    assert [] == row.pressed
    row.controls.start(None).join()
    assert "MID" == row.kept[-1].tier
    assert not row.is_off("Escalate to TOP")
    router.ledger.close()
    for file, content in held.items():
        file.write_bytes(content)

    row.click("good")
    assert "labelled good" in row.words


def test_the_row_says_what_is_kept_and_which_magic_does_the_same(row):
    labels = {n: it for n, it in row.buttons.items() if it["data-do"] == "label"}

    assert ["good", "bad", "too weak", "overkill"] == list(labels)
    assert all("kept with the prompt" in it["title"] for it in labels.values())
    assert "%route label 1 WORD" in repr(row.controls)
    assert "hello" not in str(row.controls.get_state())


# The session's line


@pytest.fixture
def shelf(router):
    with closing(Shelf(router)) as made:
        yield made


def test_the_meter_follows_what_python_routes_until_the_shelf_is_closed(router, shelf, row):
    def at_rest():
        return not any(isinstance(t, threading.Timer) for t in threading.enumerate())

    shelf.put(1, row.controls)

    router.map([f"prompt {number}" for number in range(30)])

    until(lambda: "31 calls" in row.words)
    until(at_rest)
    shelf.close()
    router.route("hello")
    assert at_rest()
    assert "31 calls" in row.words


def test_only_the_newest_three_cards_have_controls_and_the_newest_the_meter(router, shelf):
    rows = [Row(router) for _ in range(4)]

    for number, row in enumerate(rows, 1):
        shelf.put(number, row.controls)

    assert [False, True, True, True] == [shelf.row(n) is not None for n in (1, 2, 3, 4)]
    assert ["session" in row.words for row in rows[1:]] == [False, False, True]


def test_a_cell_that_runs_again_takes_no_room_on_the_shelf(router, shelf, monkeypatch):
    """Its old controls are off the screen: what other cells have keeps its buttons."""
    request = {}
    monkeypatch.setattr("nbroute.notebook.controls.message_of", lambda _: request)
    for number, cell in enumerate(["table", "prompt", "prompt", "prompt", "prompt"], 1):
        request = {"metadata": {"cellId": cell}, "header": {"msg_id": f"run {number}"}}
        shelf.put(number, Row(router).controls)

    assert [1, 5] == [n for n in range(1, 6) if shelf.row(n) is not None]

    shelf.put(6, Row(router).controls)  # a second card of the same run is beside the first

    assert [1, 5, 6] == [n for n in range(1, 7) if shelf.row(n) is not None]


def test_the_sessions_line_tells_no_saving_where_all_was_spent_on_comparing(router):
    router.compare("hello", tiers=["LOW", "TOP"])
    assert "than all on" not in session_text(router)

    router.route("hello again", tier="LOW")

    assert "(estimate, net of $" in session_text(router)


# Several answers to one prompt


def test_the_card_and_the_column_of_a_repeat_have_one_row_for_all(
    shell, router, server, monkeypatch
):
    monkeypatch.setattr(shell.magics_manager.registry["RouteMagics"].desk, "router", router)
    dry, _ = run(shell, "%%route -n --repeat 5\nWhat is 6 times 7?")
    assert "would go to LOW 5 times" in dry
    assert "LOW 5 times: together at most $" in dry
    assert [] == server.requests
    for text in ("42", "42", "It is 41."):
        server.reply(text=text)

    card, done = run(shell, "%%route --repeat 3\nWhat is 6 times 7?")
    server.answer("42")
    columns, _ = run(shell, "%%route_compare LOW:x3 TOP\nWhat is 6 times 7?")
    both, _ = run(shell, "%%route_compare LOW:x2 --dry-run\nWhat is 6 times 7?")

    assert done.success
    assert "3 answers: 2 agree on 42, $" in card
    assert "- LOW · small · not used: agrees · " in card
    assert "- LOW · small · not used: says 41 · " in card
    assert "3 answers: all agree on 42, $" in columns
    assert "LOW:x2" in both
