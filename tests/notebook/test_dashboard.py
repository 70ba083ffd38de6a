"""The session dashboard: what it shows, when it is redrawn, and that it is escaped."""

from __future__ import annotations

import html
import re
from contextlib import closing
from dataclasses import replace
from decimal import Decimal

import pytest
from cells import run
from conftest import LADDER
from waiting import until

from nbroute.notebook.dashboard import Dashboard, snapshot
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Ladder


def shown(router):
    with closing(Dashboard(router)) as board:
        return board.html


def told(router):
    """What can be read on the dashboard, a space between two pieces."""
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", shown(router))).split())


def rows(router, name):
    """The cells of one of its tables, a row a list."""
    table = re.search(rf'aria-label="{name}">(.*?)</table>', shown(router))[1]
    lines = re.findall(r"<tr>(.*?)</tr>", table)
    cells = (re.findall(r"<t[hd].*?(?=</t[hd]>)", line) for line in lines)
    return [[html.unescape(re.sub("<[^>]+>", "", cell)) for cell in line] for line in cells]


def test_a_session_is_told_whole_its_tiers_its_money_and_the_newest_calls_first(router, server):
    assert "Nothing has been routed yet" in told(router)
    first = router.route("hello")
    assert "good, under 10%" in shown(router)
    router.route("hello", cache="use", feature="lessons")
    router.route("hello", tier="TOP", cache="off")
    server.reply(status=400, error="no")
    with pytest.raises(Exception, match="no"):
        router.route("other", cache="off")
    router.escalate(first)

    words = told(router)
    assert words.startswith("Spent $ 0.000054 really spent Budget of the session none ")
    assert re.search(r"Saved \$ [\d.]+ less than all on TOP \(estimate, net\) Answers", words)
    assert "Answers 4 answers 5 calls · 1 from the cache · 1 failed" in words
    assert "of what LOW answers escalates: over 20%, look at the classifier" in words
    assert [
        ["tier", "results", "share", "calls", "spent"],
        ["LOW", "2", "50%", "3", "$0.000005"],
        ["MID", "1", "25%", "1", "$0.000009"],
        ["TOP", "1", "25%", "1", "$0.000040"],
        ["together", "4", "", "5", "$0.000054"],
    ] == [row[:5] for row in rows(router, "tiers")]
    assert [
        ["prompt", "tier", "your price", "model", "notes"],
        ["hello", "MID", "$0.000009", "medium", "escalated"],
        ["other", "LOW", "no charge", "small", "failed"],
        ["hello", "TOP", "$0.000040", "large", ""],
        ["hello", "LOW", "$0", "small", "feature lessons · cached"],
        ["hello", "LOW", "$0.000005", "small", ""],
    ] == [row[:3] + row[5:] for row in rows(router, "last calls")]


def test_real_money_what_was_not_billed_and_what_is_unknown_are_shown_apart(router):
    attempt = router.route("hello").answer
    made = replace(attempt, id="b", result="b", cost_usd=Decimal("0.5"), cost_source="equivalent")
    router.ledger.append(made)
    router.route("hello", model="no-such-model")

    words = told(router)
    assert "really spent $ 0.50 it would have cost; nothing billed" in words
    assert "1 call of unknown cost, not counted" in words
    assert "Saved unknown 1 call of unknown cost" in words
    call = rows(router, "last calls")[1]
    assert ("unknown", "no price for this model") == (call[2], call[-1])
    assert " · unknown · " in repr(snapshot(router))


def test_the_budget_left_is_a_bar_with_words_and_an_overspent_one_says_by_how_much(router):
    router.route("hello")
    router.set_budget(Decimal(1))
    used = router.report().spend.usd

    assert "left" in told(router)
    assert "of $ 1.00 used, 0%" in told(router)
    assert f"width:{used:.1%}" in shown(router)
    router.set_budget("0.000001")
    assert re.search(r"Budget of the session \$ [\d.]+ over ", told(router))
    assert "width:100.0%" in shown(router)


def test_a_calls_first_words_are_shown_and_no_key_tag_or_answer(make_router, server):
    evil = "<img src=x onerror=alert(1)>"
    tiers = (replace(LADDER.tiers[0], model=evil, name="<i>LOW"), *LADDER.tiers[1:])
    router = make_router(ladder=Ladder("evil", tiers, "<i>LOW"), classifier=lambda _: "<i>LOW")
    server.reply(text="a secret answer")
    key = "sk-proj-abcdef0123456789abcdef"
    router.route(f"is\n<b>{key}</b> safe? " + "and then more words " * 50, feature=evil)

    with closing(Dashboard(router)) as board:
        page, state = board.html, str(board.get_state())

    assert "is &lt;b&gt;[key removed]" in page
    for hidden in ("sk-proj", "<b>[key", "<img", "<i>"):
        assert hidden not in page
    assert page.count("and then more words") < 4
    assert "feature &lt;img src=x" in page
    assert "secret" not in state


def test_a_ledger_that_cannot_be_read_is_an_error_in_words(tmp_path, make_router):
    ledger = SqliteLedger(tmp_path / "broken.sqlite")
    router = make_router(ledger=ledger)
    router.route("hello")
    ledger.close()
    ledger.path.write_bytes(b"overwritten by something else" * 1000)

    assert "cannot read the ledger" in shown(router)
    assert "cannot read the ledger" in repr(snapshot(router))


def test_one_that_is_open_follows_a_map_and_another_router_of_the_session(router, make_router):
    closed = Dashboard(router)
    closed.close()
    with closing(Dashboard(router)) as board:
        router.map([f"hello {n}" for n in range(20)], progress=False)

        until(lambda: "20 answers" in board.html)
        until(lambda: 'class="nbr-heard">session ' in board.html)  # a screen reader hears it
        assert "0 answers" in closed.html
        second = make_router(ledger=router.ledger, session=router.session)
        second.go_on(router)
        board.refresh(second)
        second.route("hello")
        until(lambda: "21 answers" in board.html)


def test_in_a_terminal_the_magic_prints_the_session_once(shell):
    run(shell, "%%route\nhello")

    text, _ = run(shell, "%route dashboard")

    assert "escalation: 0% · of what SIMPLE answers escalates: good, under 10%" in text
    assert "call: hello · SIMPLE" in text
    assert 1 == text.count("session would have cost $")
    assert "`" not in text
