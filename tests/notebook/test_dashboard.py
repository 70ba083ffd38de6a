"""The session dashboard: what it shows, when it is redrawn, and that it is escaped."""

from __future__ import annotations

import html
import re
import threading
from contextlib import closing
from dataclasses import replace
from decimal import Decimal

import pytest
from cells import run
from conftest import LADDER
from waiting import PATIENCE, until

from nbroute.notebook.dashboard import Dashboard, snapshot
from nbroute.notebook.paced import Paced
from nbroute.notebook.whatif import WhatIfPanel
from nbroute.report.colours import tier_colour
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Ladder


@pytest.fixture
def show():
    """Makes dashboards and closes them."""
    made = []

    def make(router):
        made.append(Dashboard(router))
        return made[-1]

    yield make
    for one in made:
        one.close()


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


# What it shows


def test_an_empty_session_says_how_to_begin(router):
    page = shown(router)

    for told in (
        *("Nothing has been routed yet", "<code>%%route</code>", "nothing yet"),
        "%route budget 1.00 sets one",
    ):
        assert told in page
    assert "<table" not in page
    assert "answers: 0 answers · 0 calls" in repr(snapshot(router))


def test_real_money_and_what_was_not_billed_are_shown_apart(router):
    router.route("hello")
    assert "really spent" in told(router)
    assert "nothing billed" not in told(router)
    attempt = router.history.results()[0].answer
    for name, usd, source in (("b", Decimal("0.5"), "equivalent"), ("c", None, "unknown")):
        more = {} if usd else {"price_input": None}
        made = replace(attempt, id=name, result=name, cost_usd=usd, cost_source=source, **more)
        router.ledger.append(made)

    words = told(router)
    assert "really spent $ 0.50 it would have cost; nothing billed" in words
    assert "1 call of unknown cost, not counted" in words
    assert "Saved unknown 1 call of unknown cost" in words


def test_the_budget_left_is_a_bar_with_words_and_an_overspent_one_says_by_how_much(router):
    router.route("hello")
    router.set_budget(Decimal(1))
    used = router.report().spend.usd

    assert "left" in told(router)
    assert "of $ 1.00 used, 0%" in told(router)
    bar = f'class="nbr-bar" aria-hidden="true"><i class="nbr-filled" style="width:{used:.1%}'
    assert bar in shown(router)
    router.set_budget("0.000001")
    assert re.search(r"Budget of the session \$ [\d.]+ over ", told(router))
    assert "width:100.0%" in shown(router)


def test_answers_escalation_saving_cache_hits_and_failures_are_shown_in_words(router, server):
    first = router.route("hello")
    assert "good, under 10%" in shown(router)
    assert re.search(r"Saved \$ [\d.]+ less than all on TOP \(estimate, net\)", told(router))

    router.route("hello", cache="use")
    server.reply(status=400, error="no")
    with pytest.raises(Exception, match="no"):
        router.route("other", cache="off")
    router.escalate(first)

    assert "3 answers 4 calls · 1 from the cache · 1 failed" in told(router)
    assert "of what LOW answers escalates: over 20%, look at the classifier" in shown(router)


def test_tiers_have_their_colour_share_spend_and_latency(router):
    for tier in ("LOW", "LOW", "LOW", "TOP"):
        router.route("hello", tier=tier, cache="off")

    head, *lines = rows(router, "tiers")

    assert ["tier", "results", "share", "calls", "spent", "half within", "95% within"] == head
    tiers = {name: rest for name, *rest in lines}
    assert [["3", "75%"], ["1", "25%"]] == [tiers[name][:2] for name in ("LOW", "TOP")]
    assert ["0", "0%", "0", "$0", "-", "-"] == tiers["MID"]
    assert tiers["TOP"][-1].endswith(" s")
    assert "4" == tiers["together"][0]
    for name, width in (("LOW", "75.0%"), ("TOP", "25.0%")):
        colour = tier_colour(name, router.ladder.names)
        assert f"background-color:{colour}" in shown(router)
        assert f"width:{width};background-color:{colour}" in shown(router)


def test_the_last_six_calls_are_the_newest_first_with_costs_to_the_same_place(router):
    for number in range(6):
        router.route(f"hello {number}", tier="TOP" if number % 2 else "LOW")
    assert ">notes</th>" not in shown(router)
    router.route("hello 5", tier="TOP", cache="use", feature="lessons")

    head, *calls = rows(router, "last calls")

    assert [f"hello {number}" for number in (5, 5, 4, 3, 2, 1)] == [call[0] for call in calls]
    assert ["your price", "$0"] == [head[2], calls[0][2]]
    assert "feature lessons" in calls[0][-1]
    costs = [call[2] for call in calls[1:]]
    assert 1 == len({len(cost.partition(".")[2]) for cost in costs})
    assert Decimal(costs[0][1:]) > Decimal(costs[1][1:]) > 0
    assert "your price" not in shown(router).split("</thead>")[-1]
    assert "costs: your price" in repr(snapshot(router))


def test_a_calls_first_words_are_shown_and_no_key_tag_or_answer(make_router, server, show):
    evil = "<img src=x onerror=alert(1)>"
    tiers = (replace(LADDER.tiers[0], model=evil, name="<i>LOW"), *LADDER.tiers[1:])
    router = make_router(ladder=Ladder("evil", tiers, "<i>LOW"), classifier=lambda _: "<i>LOW")
    server.reply(text="a secret answer")
    key = "sk-proj-abcdef0123456789abcdef"
    router.route(f"is\n<b>{key}</b> safe? " + "and then more words " * 50, feature=evil)

    page = shown(router)

    assert "is &lt;b&gt;[key removed]" in page
    for hidden in ("sk-proj", "<b>[key", "<img", "<i>"):
        assert hidden not in page
    assert page.count("and then more words") < 4
    assert "feature &lt;img src=x" in page
    assert "secret" not in str(show(router).get_state())


def test_a_ledger_that_cannot_be_read_is_an_error_in_words(tmp_path, make_router):
    ledger = SqliteLedger(tmp_path / "broken.sqlite")
    router = make_router(ledger=ledger)
    router.route("hello")
    ledger.close()
    ledger.path.write_bytes(b"overwritten by something else" * 1000)

    assert "The session cannot be shown" in shown(router)
    assert "cannot read the ledger" in shown(router)
    assert "cannot read the ledger" in repr(snapshot(router))


def test_a_price_that_is_not_known_is_unknown_and_not_nothing(router):
    router.route("hello", model="no-such-model", feature="<b>")

    assert "1 call of unknown cost, not counted" in told(router)
    call = rows(router, "last calls")[1]
    assert "unknown" == call[2]
    assert "no price for this model" in call[-1]
    assert " · unknown · " in repr(snapshot(router))
    markdown = snapshot(router)._repr_markdown_()
    assert "| tier | results | share |" in markdown
    assert "<b>" not in markdown


def test_the_panel_of_what_if_has_its_figures_in_tiles(router):
    router.route("hello")
    panel = WhatIfPanel(router)

    for words in ("Would have cost", "Saved", "Average time", "One tier up", "an estimate"):
        assert f">{words}<" in panel.html


# When it is redrawn


def test_those_that_are_open_follow_a_map_and_another_router_of_the_session(
    router, make_router, show
):
    boards, closed = [show(router) for _ in range(5)], show(router)
    closed.close()
    assert "0 answers" in boards[0].html
    assert 'role="status" class="nbr-heard"></span>' in boards[0].html

    router.map([f"hello {n}" for n in range(20)], progress=False)

    until(lambda: all("20 answers" in one.html for one in boards))
    until(lambda: 'class="nbr-heard">session ' in boards[0].html)  # a screen reader hears it
    assert "0 answers" in closed.html
    assert "<nbroute: session dashboard; %route dashboard shows it>" == repr(closed)
    second = make_router(ledger=router.ledger, session=router.session)
    second.go_on(router)
    boards[0].refresh(second)
    second.route("hello")
    until(lambda: "21 answers" in boards[0].html)


def test_a_thousand_askings_are_a_few_acts_the_last_sees_all_and_none_is_done_once_closed():
    asked, seen = [0], []
    paced = Paced(lambda: seen.append(asked[0]), every_s=0.05)
    for number in range(1, 1001):
        asked[0] = number
        paced.ask()
    until(lambda: 1000 in seen)
    assert len(seen) < 100

    paced = Paced(lambda: seen.append(2000), every_s=0.01)
    paced.ask()
    paced.close()
    paced.ask()

    until(lambda: not any(isinstance(one, threading.Timer) for one in threading.enumerate()))
    assert 2000 not in seen


def test_an_act_that_fails_is_logged_and_the_next_one_is_done(caplog):
    tried, again = threading.Event(), threading.Event()

    def act():
        (again if tried.is_set() else tried).set()
        raise ValueError("broken")

    with closing(Paced(act, every_s=0.01)) as paced:
        paced.ask()
        assert tried.wait(PATIENCE)
        paced.ask()

        assert again.wait(PATIENCE)
        assert "a widget could not be redrawn" in caplog.text


def test_in_a_terminal_the_magic_prints_the_session_once(shell):
    run(shell, "%%route\nhello")

    text, _ = run(shell, "%route dashboard")

    for line in (
        "SIMPLE",
        "escalation: 0% · of what SIMPLE answers escalates: good, under 10%",
        "call: hello · SIMPLE",
    ):
        assert line in text
    assert 1 == text.count("session would have cost $")
    assert "`" not in text
