"""The session dashboard: what it shows, when it is redrawn, and that it is escaped."""

from __future__ import annotations

import html
import re
import threading
import time
from dataclasses import replace
from decimal import Decimal

import pytest
from cells import run
from conftest import LADDER

from nbroute.notebook.dashboard import Dashboard, snapshot
from nbroute.notebook.paced import Paced
from nbroute.report.colours import tier_colour
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Ladder, Tier


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


def eventually(condition):
    """True once the condition holds, False where it does not within twenty seconds."""
    ends = time.monotonic() + 20
    while not condition() and time.monotonic() < ends:
        time.sleep(0.02)
    return condition()


def shown(router):
    board = Dashboard(router)
    board.close()
    return board.html


def told(router):
    """What can be read on the dashboard, a space between two pieces."""
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", shown(router))).split())


def rows(router, name):
    """The cells of one of its tables, a row a list."""
    table = re.search(rf'aria-label="{name}">(.*?)</table>', shown(router))[1]
    return [
        [
            html.unescape(re.sub("<[^>]+>", "", cell))
            for cell in re.findall(r"<t[hd].*?(?=</t[hd]>)", row)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", table)
    ]


# --- what it shows


def test_an_empty_session_says_how_to_begin(router):
    page = shown(router)

    assert "Nothing was routed yet" in page
    assert "<code>%%route</code>" in page
    assert "%route budget 1.00 sets one" in page
    assert "nothing yet" in page
    assert "<table" not in page


def test_real_money_and_what_was_not_billed_stand_apart(make_router, server):
    router = make_router()
    router.route("hello")
    assert "really spent" in told(router)
    assert "nothing billed" not in told(router)
    attempt = router.history.results()[0].answer
    router.ledger.append(
        replace(attempt, id="b", result="b", cost_usd=Decimal("0.5"), cost_source="equivalent")
    )
    router.ledger.append(
        replace(attempt, id="c", result="c", cost_usd=None, cost_source="unknown", price_input=None)
    )

    words = told(router)
    assert "really spent $ 0.50 it would have cost; nothing billed" in words
    assert "1 call of unknown cost, in no sum" in words
    assert "Saved unknown 1 call of unknown cost" in words


def test_the_budget_left_is_a_bar_with_words(make_router):
    router = make_router()
    router.route("hello")
    router.set_budget(Decimal(1))
    used = router.report().spend.usd

    assert "left" in told(router)
    assert "of $ 1.00 used, 0%" in told(router)
    assert f'class="nbr-bar" aria-hidden="true"><i class="nbr-filled" style="width:{used:.1%}' in (
        shown(router)
    )


def test_a_budget_that_was_overspent_says_by_how_much(make_router):
    router = make_router()
    router.route("hello")
    router.set_budget("0.000001")

    assert re.search(r"Budget of the session \$ [\d.]+ over ", told(router))
    assert "width:100.0%" in shown(router)


def test_tiers_stand_with_their_share_spend_and_latency_in_words(make_router):
    router = make_router()
    for tier in ("LOW", "LOW", "LOW", "TOP"):
        router.route("hello", tier=tier, cache="off")

    head, *lines = rows(router, "tiers")

    assert ["tier", "results", "share", "calls", "spent", "half within", "95% within"] == head
    tiers = {name: rest for name, *rest in lines}
    assert [["3", "75%"], ["1", "25%"]] == [tiers[name][:2] for name in ("LOW", "TOP")]
    assert ["0", "0%", "0", "$0", "-", "-"] == tiers["MID"]
    assert tiers["TOP"][-1].endswith(" s")
    assert "4" == tiers["together"][0]


def test_tiers_have_their_colours_in_the_pill_and_in_the_bar(make_router):
    router = make_router()
    router.route("hello", tier="TOP")

    page = shown(router)

    colour = tier_colour("TOP", router.ladder.names)
    assert f"background-color:{colour}" in page
    assert f"width:100.0%;background-color:{colour}" in page


def test_escalation_is_told_in_the_articles_words(make_router):
    router = make_router()
    first = router.route("hello")
    assert "good, under 10%" in shown(router)

    router.escalate(first)

    assert "of what LOW answers escalates: over 20%, look at the classifier" in shown(router)


def test_the_saving_names_its_baseline_and_is_an_estimate(make_router):
    router = make_router()
    router.route("hello")

    assert re.search(r"Saved \$ [\d.]+ less than all on TOP \(estimate, net\)", told(router))


def test_cache_hits_and_failures_are_counted(make_router, server):
    router = make_router()
    router.route("hello")
    router.route("hello", cache="use")
    server.reply(status=400, error="no")
    with pytest.raises(Exception, match="no"):
        router.route("other", cache="off")

    assert "2 answers 3 calls · 1 from the cache · 1 failed" in told(router)


def test_the_last_calls_are_the_newest_first_and_not_more_than_six(make_router):
    router = make_router()
    for number in range(8):
        router.route(f"hello {number}", feature=f"f{number}")

    calls = rows(router, "last calls")[1:]

    expected = [(f"hello {n}", f"feature f{n}") for n in (7, 6, 5, 4, 3, 2)]
    assert expected == [(row[0], row[-1]) for row in calls]


def test_costs_of_the_last_calls_are_to_the_same_place_and_say_once_whose_they_are(make_router):
    router = make_router()
    for tier in ("LOW", "TOP"):
        router.route("hello", tier=tier)
    router.route("hello", tier="TOP", cache="use")

    head, *calls = rows(router, "last calls")

    costs = [call[2] for call in calls]
    assert ["your price", "$0"] == [head[2], costs[0]]
    assert 1 == len({len(cost.partition(".")[2]) for cost in costs[1:]})
    assert Decimal(costs[1][1:]) > Decimal(costs[2][1:]) > 0
    assert "your price" not in shown(router).split("</thead>")[-1]


def test_a_calls_first_words_are_shown_and_no_key_and_no_tag_in_them(make_router):
    router = make_router()
    key = "sk-proj-abcdef0123456789abcdef"
    router.route(f"is\n<b>{key}</b> safe? " + "and then more words " * 50)

    page = shown(router)

    assert "is &lt;b&gt;[key removed]" in page
    assert "sk-proj" not in page
    assert "<b>[key" not in page
    assert page.count("and then more words") < 4


def test_notes_are_a_column_where_there_are_any(make_router):
    router = make_router()
    router.route("hello")
    assert ">notes</th>" not in shown(router)

    router.route("hello", feature="faq")

    assert ">notes</th>" in shown(router)


def test_what_users_name_is_escaped(make_router):
    evil = "<img src=x onerror=alert(1)>"
    tiers = (replace(LADDER.tiers[0], model=evil, name="<i>LOW"), *LADDER.tiers[1:])
    router = make_router(ladder=Ladder("evil", tiers, "<i>LOW"), classifier=lambda _: "<i>LOW")
    router.route("hello", feature=evil)

    page = shown(router)

    assert "<img" not in page
    assert "<i>" not in page
    assert "feature &lt;img src=x" in page


def test_no_answer_is_in_the_widgets_state(make_router, show, server):
    router = make_router()
    server.reply(text="a secret answer")
    router.route("hello")

    dashboard = show(router)

    assert "secret" not in str(dashboard.get_state())


def test_a_screen_reader_is_told_the_session_in_a_line_after_a_while(make_router, show):
    router = make_router()
    dashboard = show(router)
    assert 'role="status" class="nbr-heard"></span>' in dashboard.html

    router.route("hello")

    assert eventually(lambda: 'class="nbr-heard">session ' in dashboard.html)


def test_a_ledger_that_cannot_be_read_is_told_in_words(tmp_path, make_router, show):
    ledger = SqliteLedger(tmp_path / "broken.sqlite")
    router = make_router(ledger=ledger)
    router.route("hello")
    ledger.close()
    ledger.path.write_bytes(b"overwritten by something else" * 1000)

    dashboard = show(router)

    assert "The session cannot be shown" in dashboard.html
    assert "cannot read the ledger" in dashboard.html
    assert "cannot read the ledger" in repr(snapshot(router))


def test_a_price_that_is_not_known_is_unknown_and_not_nothing(make_router):
    tier = Tier("LOW", "loop", "no-such-model", 64)
    router = make_router(ladder=Ladder("one", (tier,), "LOW"))
    router.route("hello")

    assert "1 call of unknown cost, in no sum" in told(router)
    assert ["unknown", "no price for this model"] == [
        rows(router, "last calls")[1][place] for place in (2, -1)
    ]


# --- when it is redrawn


def test_it_follows_what_is_routed(make_router, show):
    router = make_router()
    dashboard = show(router)
    assert "0 answers" in dashboard.html

    router.route("hello")

    assert eventually(lambda: "1 answer<" in dashboard.html)


def test_it_follows_a_map_to_its_end(make_router, show):
    router = make_router()
    dashboard = show(router)

    router.map([f"hello {n}" for n in range(60)], progress=False)

    assert eventually(lambda: "60 answers" in dashboard.html)


def test_several_are_live_at_once(make_router, show):
    router = make_router()
    dashboards = [show(router) for _ in range(5)]

    router.route("hello")

    assert eventually(lambda: all("1 answer<" in one.html for one in dashboards))


def test_one_that_is_closed_is_not_redrawn(make_router, show):
    router = make_router()
    closed, other = show(router), show(router)
    closed.close()

    router.route("hello")

    assert eventually(lambda: "1 answer<" in other.html)
    assert "0 answers" in closed.html


def test_it_goes_on_with_another_router_of_the_session(make_router, show):
    first = make_router()
    dashboard = show(first)
    second = make_router(ledger=first.ledger, session=first.session)
    second.go_on(first)

    dashboard.refresh(second)
    second.route("hello")

    assert eventually(lambda: "1 answer<" in dashboard.html)


def test_a_thousand_askings_are_a_few_acts_and_the_last_sees_all():
    asked, seen = [0], []
    paced = Paced(lambda: seen.append(asked[0]), every_s=0.05)
    for number in range(1, 1001):
        asked[0] = number
        paced.ask()

    assert eventually(lambda: 1000 in seen)
    assert len(seen) < 100


def test_an_act_that_fails_is_logged_and_the_next_one_is_done(caplog):
    tried = threading.Event()
    again = threading.Event()

    def act():
        if tried.is_set():
            again.set()
        tried.set()
        raise ValueError("broken")

    paced = Paced(act, every_s=0.01)
    paced.ask()
    assert tried.wait(20)
    paced.ask()

    assert again.wait(20)
    assert "a widget could not be redrawn" in caplog.text
    paced.close()


def test_nothing_is_done_once_it_is_closed():
    acts = []
    paced = Paced(lambda: acts.append(1), every_s=0.01)
    paced.ask()
    paced.close()
    paced.ask()

    assert not any(isinstance(one, threading.Timer) and one.function == paced._run
                   and not one.finished.is_set() for one in threading.enumerate())  # fmt: skip
    assert [] == acts


# --- in words


def test_in_a_terminal_the_magic_prints_the_session_once(shell):
    run(shell, "%%route\nhello")

    text, done = run(shell, "%route dashboard")

    assert done.success
    assert "SIMPLE" in text
    assert "escalation: 0% · of what SIMPLE answers escalates: good, under 10%" in text
    assert "call: hello · SIMPLE" in text
    assert 1 == text.count("session would have cost $")
    assert "`" not in text


def test_in_words_too_costs_are_said_to_be_what_they_are(make_router, shell):
    router = make_router()
    assert "answers: 0 answers · 0 calls" in repr(snapshot(router))

    router.route("hello")
    assert "costs: your price" in repr(snapshot(router))

    router.route("hello", model="no-such-model")
    assert " · unknown · " in repr(snapshot(router))
    text, done = run(shell, "%route dashboard")
    assert done.success
    assert "0 answers" in text


def test_the_words_are_a_markdown_table_in_a_static_notebook(make_router):
    router = make_router()
    router.route("hello", feature="<b>")

    markdown = snapshot(router)._repr_markdown_()

    assert "| tier | results | share |" in markdown
    assert "<b>" not in markdown


def test_its_repr_names_the_magic(make_router, show):
    assert "%route dashboard" in repr(show(make_router()))
