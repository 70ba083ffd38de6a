"""Labels: what people say of answers, from the router, the magics and the row under a card."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from cells import Row, error_of, run
from loopback import Reply

from nbroute.errors import ProviderError, RecordError, SettingsError
from nbroute.notebook.controls import Shelf
from nbroute.notebook.lines import session_text
from nbroute.router import Router

PROMPTS = Path(__file__).parents[1] / "data" / "tier_prompts.jsonl"


def tier_prompts(each=60):
    """So many prompts of each tier."""
    rows = [json.loads(line) for line in PROMPTS.read_text().splitlines()]
    tiers = dict.fromkeys(row["tier"] for row in rows)
    by_tier = [[row for row in rows if row["tier"] == tier][:each] for tier in tiers]
    return [(row["prompt"], row["tier"]) for rows in by_tier for row in rows]


def words(labels):
    return [(label.feedback, label.picked, label.needed) for label in labels]


@pytest.mark.parametrize(
    ("tier", "feedback", "needed"),
    [
        ("MID", "good", "MID"),
        ("MID", "too weak", "TOP"),
        ("MID", "overkill", "LOW"),
        ("MID", "bad", None),
        ("MID", "cheapest acceptable", "MID"),
        ("TOP", "too weak", None),
        ("LOW", "overkill", "LOW"),
    ],
)
def test_each_word_says_which_tier_the_prompt_needs(router, tier, feedback, needed):
    label = router.label(router.route("hello", tier=tier), feedback)

    assert (tier, needed) == (label.picked, label.needed)
    assert [label] == router.ledger.labels()


def test_a_label_says_what_was_judged(router):
    result = router.route("hello", feature="bot")

    label = router.label(result, "good")

    assert ("hello", result.id, "bot", "test", router.session, result.answer.msg_hash) == (
        label.prompt,
        label.result,
        label.feature,
        label.ladder,
        label.session,
        label.msg_hash,
    )


@pytest.mark.parametrize("spelling", ["Too Weak", "too-weak", "TOO_WEAK", "  too   weak "])
def test_a_word_is_taken_in_any_spelling(router, spelling):
    assert "too weak" == router.label(router.route("hello"), spelling).feedback


def test_an_unknown_word_names_the_close_one(router):
    with pytest.raises(SettingsError, match=r"'to weak': did you mean 'too weak'\?"):
        router.label(router.route("hello"), "to weak")

    assert [] == router.ledger.labels()


def test_the_tier_needed_can_be_named(router):
    result = router.route("hello")

    assert "TOP" == router.label(result, "too weak", "top").needed
    assert "MID" == router.label(result, "bad", "MID").needed
    with pytest.raises(SettingsError, match=r"'MIDD'.*did you mean 'MID'"):
        router.label(result, "bad", "MIDD")


@pytest.mark.parametrize(("feedback", "needed"), [("good", "TOP"), ("overkill", "TOP")])
def test_a_tier_that_contradicts_the_word_is_refused(router, feedback, needed):
    with pytest.raises(SettingsError, match="does not go with 'TOP'"):
        router.label(router.route("hello", tier="MID"), feedback, needed)


def test_the_pick_of_an_escalated_answer_is_what_answered_first(router):
    result = router.escalate(router.route("hello"))

    assert [("good", "LOW", "MID")] == words([router.label(result, "good")])


def test_what_routing_picked_can_be_told_for_a_compared_answer(router):
    result = router.route("hello", tier="LOW", comparison="c1")

    label = router.label(result, "cheapest acceptable", picked="TOP")

    assert ("TOP", "LOW", "c1") == (label.picked, label.needed, label.comparison)


def test_a_cached_answer_can_be_labelled(router):
    router.route("hello")
    cached = router.route("hello")

    assert cached.cached
    assert "LOW" == router.label(cached, "good").needed


def test_an_answer_of_a_tier_that_is_gone_is_a_clear_error(router):
    other = Router(profile="simulated", ledger=router.ledger, session=router.session)
    result = router.route("hello")

    with pytest.raises(SettingsError, match=r"of tier 'LOW', which ladder 'four-tier' does not"):
        other.label(result, "good")
    other.close()


@pytest.mark.parametrize("thing", [None, "hello", 3])
def test_what_is_no_result_is_a_clear_error(router, thing):
    with pytest.raises(SettingsError, match="cannot be labelled"):
        router.label(thing, "good")


def test_a_prompt_without_an_answer_cannot_be_labelled(router, server):
    server.handler = lambda _: Reply(status=500)
    with pytest.raises(ProviderError) as raised:
        router.route("hello")

    with pytest.raises(SettingsError, match="got no answer, so there is nothing to label"):
        router.label(raised.value.result, "good")


def test_labels_are_the_last_word_on_each_prompt_as_its_tier(router):
    first, second = router.route("first"), router.route("second")
    for feedback in ("good", "bad", "too weak"):
        router.label(first, feedback)
    router.label(second, "good")
    router.label(second, "bad")

    frame = router.labels()

    assert [("first", "MID", "LOW", "too weak")] == list(
        frame[["prompt", "tier", "picked", "feedback"]].itertuples(index=False, name=None)
    )
    assert 5 == len(router.labels(feedback=True))
    assert [None, None] == router.labels(feedback=True)["tier"].tolist()[1::3]


def test_labels_of_other_sessions_and_ladders_are_there_when_asked_for(router):
    router.label(router.route("hello"), "good")
    later = Router(profile="simulated", ledger=router.ledger)
    later.label(later.route("hi", tier="SIMPLE"), "good")

    assert ["hi"] == later.labels()["prompt"].tolist()
    assert ["hi"] == later.labels(everything=True)["prompt"].tolist()
    assert ["hello", "hi"] == later.labels(everything=True, feedback=True)["prompt"].tolist()
    later.close()


def test_no_labels_are_a_frame_with_the_same_columns_and_types(router):
    empty = router.labels()
    router.label(router.route("hello"), "good")

    assert 0 == len(empty)
    assert router.labels().dtypes.to_dict() == empty.dtypes.to_dict()


def test_too_few_labels_are_told_by_fit(router):
    router.label(router.route("hello"), "good")

    with pytest.raises(SettingsError, match="1 rows are too few"):
        router.fit(router.labels())


def test_a_classifier_is_learned_from_labels_and_used():
    router = Router(profile="simulated", classifier=lambda _: "MEDIUM")
    tiers = router.ladder.names
    for prompt, tier in tier_prompts():
        place = tiers.index(tier)
        word, picked = ("too weak", place - 1) if place else ("overkill", 1)
        router.label(router.route(prompt, tier=tiers[picked]), word)

    fitted = router.fit(router.labels(everything=True))

    assert 240 == fitted.rows
    made = router.classify("Who painted Guernica?", classifier=fitted.classifier)
    assert ("SIMPLE", "learned") == (made.tier, made.classifier)
    assert fitted.figures[0].value > 0.5
    router.close()


def test_an_unwritable_ledger_is_told_and_the_label_counts(tmp_path):
    (tmp_path / "file").write_text("")
    router = Router(profile="simulated", ledger=tmp_path / "file" / "ledger.sqlite")

    with pytest.raises(RecordError, match="the label could not be recorded"):
        router.label(router.route("hello"), "good")

    assert ["hello"] == router.labels()["prompt"].tolist()


# %route label, %route labels


def test_a_cell_is_labelled_and_counted(shell):
    for number, word in enumerate(["good", "too weak", "too weak frontier", "bad"]):
        run(shell, f"%%route -q -t MEDIUM\nprompt {number}")
        text, _ = run(shell, f"%route label {word}")
        assert "labelled " in text
    run(shell, "%%route -q -t COMPLEX\nprompt 4")
    run(shell, "%route label more-than-needed")

    text, done = run(shell, "%route labels")

    rows = [line.split() for line in text.splitlines() if line.startswith(("MEDIUM", "COMPLEX"))]
    assert [["MEDIUM", "0", "1", "1", "1"], ["COMPLEX", "0", "1", "0", "0"]] == rows
    assert "of 4 labels, 1 picked what was needed, 1 too expensive, 2 too weak" in text
    assert "left out: 1 label with no tier named" in text
    assert "it takes 6 more labels" in text
    assert "| MEDIUM | 0 | 1 | 1 | 1 |" in done.result._repr_markdown_()


def test_labels_with_none_say_how_to_give_them(shell):
    text, _ = run(shell, "%route labels")

    assert "no labels yet in this session" in text
    assert "%route label WORD, which is good, bad, too weak or overkill" in text


def test_labels_of_every_session_are_shown_when_asked_for(shell):
    earlier = Router(profile="simulated")
    earlier.label(earlier.route("hello"), "good")
    earlier.close()

    text, _ = run(shell, "%route labels all")

    assert "of 1 label, 1 picked what was needed" in text
    assert "router.labels(everything=True)" in text


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("label good", "nothing has been routed yet; run a %%route cell first"),
        ("label", "%route label takes good, bad, too weak or overkill"),
        ("label godo", "no feedback is called 'godo': did you mean 'good'?"),
        ("label 'good", "close the quote"),
        ("labels every", "%route labels does not know 'every'"),
    ],
)
def test_a_word_that_cannot_be_kept_is_one_line(shell, line, told):
    assert told in error_of(shell, f"%route {line}")


def test_an_unknown_tier_behind_the_word_is_one_line(shell):
    run(shell, "%%route -q\nhello")

    assert "unknown tier 'MIDDLE'" in error_of(shell, "%route label too weak MIDDLE")


def test_a_ledger_that_cannot_be_written_is_one_line(shell, monkeypatch):
    monkeypatch.setenv("NBROUTE_LEDGER", "/dev/null/ledger.sqlite")
    run(shell, "%%route -q\nhello")

    assert "RecordError: the label could not be recorded" in error_of(shell, "%route label good")
    assert "of 1 label, 1 picked" in run(shell, "%route labels")[0]


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

    assert awaited(lambda: "Nothing was sent" in row.card.view.error)
    assert 1 == len(server.requests)
    row.router.close()


def test_a_click_keeps_the_word_and_the_last_click_counts(row, router):
    row.click("good")
    assert "labelled good (the prompt needs LOW)" in row.words
    assert ["good"] == row.pressed

    row.click("too weak")

    assert "labelled too weak (the prompt needs MID)" in row.words
    assert ["too weak"] == row.pressed
    assert ["MID"] == router.labels()["tier"].tolist()


def test_a_second_click_takes_the_word_back(row, router):
    row.click("good")

    row.click("good")

    assert "label removed" in row.words
    assert [] == row.pressed
    assert router.labels().empty


def test_a_word_that_a_command_keeps_is_pressed_in_the_row(row, router):
    router.label(row.card.result, "bad")
    row.controls.redraw()
    assert ["bad"] == row.pressed

    router.take_back(row.card.result)
    row.controls.redraw()

    assert [] == row.pressed


def test_what_a_command_says_replaces_what_the_click_said(row, router):
    row.click("too weak")

    router.label(row.card.result, "good")
    row.controls.redraw()

    assert ["good"] == row.pressed
    assert "labelled too weak" not in row.words


def test_too_weak_on_the_top_tier_does_not_name_a_tier_that_is_no_better(router):
    row = Row(router, tier="TOP")

    row.click("too weak")

    assert row.words.count("labelled too weak") == 1
    assert "needs TOP" not in row.words


def test_after_an_escalation_the_row_is_about_the_new_answer(row, router):
    row.click("too weak")

    row.controls.start(None).join()
    assert [] == row.pressed
    row.click("good")

    assert [("too weak", "LOW", "MID"), ("good", "LOW", "MID")] == words(router.ledger.labels())


def test_labels_rest_while_an_answer_is_on_its_way(row, router, server):
    server.handler = lambda _: Reply(delay=20)
    answering = row.controls.start(None)
    while len(server.requests) < 2:
        time.sleep(0.01)

    row.controls.redraw()
    row.click("good")
    assert all(row.is_off(name) for name in ("Escalate", "LOW", "good", "bad", "overkill"))
    row.click("Stop")
    answering.join()

    assert [] == router.ledger.labels()
    assert not row.is_off("good")
    assert not any(name.startswith("Stop") for name in row.buttons)


def test_a_label_that_cannot_be_written_says_so_in_the_row_and_can_be_clicked_again(row, router):
    file = Path("ledger.sqlite")
    router.ledger.close()
    held = {beside: beside.read_bytes() for beside in file.parent.glob("ledger.sqlite*")}
    for beside in held:
        beside.write_bytes(b"no database at all" * 500)

    row.click("good")

    assert "RecordError: the label could not be recorded" in row.words
    assert [] == row.pressed
    router.ledger.close()
    for beside, content in held.items():
        beside.write_bytes(content)
    row.click("good")
    assert "labelled good" in row.words


def test_the_row_says_what_is_kept_and_which_magic_does_the_same(row):
    labels = {n: it for n, it in row.buttons.items() if it["data-do"] == "label"}

    assert ["good", "bad", "too weak", "overkill"] == list(labels)
    assert all("kept with the prompt" in it["title"] for it in labels.values())
    assert "%route label 1 WORD" in repr(row.controls)
    assert "hello" not in str(row.controls.get_state())


# The session's line


def awaited(condition):
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def shelf(router):
    made = Shelf(router)
    yield made
    made.close()


def test_the_meter_follows_what_python_routes_and_leaves_no_thread(router, shelf, row):
    shelf.put(1, row.controls)

    router.map([f"prompt {number}" for number in range(30)])

    assert awaited(lambda: "31 calls" in row.words)
    assert awaited(lambda: not any(isinstance(t, threading.Timer) for t in threading.enumerate()))


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


def test_a_closed_shelf_follows_nothing(router, row):
    shelf = Shelf(router)
    shelf.put(1, row.controls)
    shelf.close()
    before = row.words

    router.route("hello")

    time.sleep(0.5)
    assert before == row.words
