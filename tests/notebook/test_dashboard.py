"""The session dashboard: what it shows, when it is redrawn, and that it is escaped."""

from __future__ import annotations

import html
import re
from contextlib import ExitStack, closing
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


def test_real_money_what_was_not_billed_and_what_is_unknown_are_shown_apart(router):
    assert "Nothing has been routed yet" in told(router)
    router.route("hello")
    assert "really spent" in told(router)
    assert "nothing billed" not in told(router)
    attempt = router.history.results()[0].answer
    made = replace(attempt, id="b", result="b", cost_usd=Decimal("0.5"), cost_source="equivalent")
    router.ledger.append(made)
    router.route("hello", model="no-such-model")

    words = told(router)
    assert "really spent $ 0.50 it would have cost; nothing billed" in words
    assert "1 call of unknown cost, not counted" in words
    assert "Saved unknown 1 call of unknown cost" in words
    call = rows(router, "last calls")[1]
    assert "unknown" == call[2]
    assert "no price for this model" in call[-1]
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


def test_tiers_have_their_share_spend_and_latency(router):
    for tier in ("LOW", "LOW", "LOW", "TOP"):
        router.route("hello", tier=tier, cache="off")

    head, *lines = rows(router, "tiers")

    assert ["tier", "results", "share", "calls", "spent", "half within", "95% within"] == head
    tiers = {name: rest for name, *rest in lines}
    assert [["3", "75%"], ["1", "25%"]] == [tiers[name][:2] for name in ("LOW", "TOP")]
    assert ["0", "0%", "0", "$0", "-", "-"] == tiers["MID"]
    assert tiers["TOP"][-1].endswith(" s")
    assert "4" == tiers["together"][0]


def test_the_last_six_calls_are_the_newest_first_with_costs_to_the_same_place(router):
    for number in range(6):
        router.route(f"hello {number}", tier="TOP" if number % 2 else "LOW")
    router.route("hello 5", tier="TOP", cache="use", feature="lessons")

    head, *calls = rows(router, "last calls")

    assert [f"hello {number}" for number in (5, 5, 4, 3, 2, 1)] == [call[0] for call in calls]
    assert ["your price", "$0"] == [head[2], calls[0][2]]
    assert "feature lessons" in calls[0][-1]
    costs = [call[2] for call in calls[1:]]
    assert 1 == len({len(cost.partition(".")[2]) for cost in costs})
    assert Decimal(costs[0][1:]) > Decimal(costs[1][1:]) > 0


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

    assert "cannot read the ledger" in shown(router)
    assert "cannot read the ledger" in repr(snapshot(router))


@pytest.fixture
def show():
    """Makes dashboards and closes them."""
    with ExitStack() as made:
        yield lambda router: made.enter_context(closing(Dashboard(router)))


def test_those_that_are_open_follow_a_map_and_another_router_of_the_session(
    router, make_router, show
):
    boards, closed = [show(router) for _ in range(5)], show(router)
    closed.close()
    assert "0 answers" in boards[0].html

    router.map([f"hello {n}" for n in range(20)], progress=False)

    until(lambda: all("20 answers" in one.html for one in boards))
    until(lambda: 'class="nbr-heard">session ' in boards[0].html)  # a screen reader hears it
    assert "0 answers" in closed.html
    second = make_router(ledger=router.ledger, session=router.session)
    second.go_on(router)
    boards[0].refresh(second)
    second.route("hello")
    until(lambda: "21 answers" in boards[0].html)


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
