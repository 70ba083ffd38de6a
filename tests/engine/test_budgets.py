"""What may be spent: budgets and max_cost, in every strategy, threads and days included."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import GOOD, HARD, OTHER, SHORT, TWO
from loopback import Reply

from nbroute.budgets import Guard
from nbroute.engine.attempts import AttemptLog
from nbroute.errors import BudgetExceeded, ProviderError, RecordError, SettingsError, Unavailable
from nbroute.types import Attempt, Cap, Message, Price, Request, Tier, Usage
from nbroute.types import Reply as Answer

SIXTY = {"prompt_tokens": 10, "completion_tokens": 60}


def or_cheaper(router, usd):
    router.limits = replace(router.limits, on_limit="cheaper", budget_usd=Decimal(usd))


def test_a_budget_is_an_amount_that_can_be_lifted_and_nothing_else(router):
    for usd in (0, -1, "nan", "inf", "a dollar", True):
        with pytest.raises(SettingsError) as caught:
            router.set_budget(usd)
        told = f"{usd!r} is not a budget; give US dollars above 0, such as 0.50"
        assert told == str(caught.value)
    for given, kept in (("$0.50", Decimal("0.50")), (0.1, Decimal("0.1")), (None, None)):
        router.set_budget(given)
        assert kept == router.limits.budget_usd


def test_a_refused_call_is_nowhere_and_says_what_is_left_and_how_to_go_on(router, server):
    router.set_budget("0.00013")
    with pytest.raises(BudgetExceeded) as refused:
        router.route("hello")

    assert [] == server.requests == router.ledger.rows()
    assert (
        "a call could cost up to $0.00013 and $0.00013 is left of the session budget of $0.00013; "
        "it was not sent: raise the budget with %route budget USD, or ask with %%route "
        "--over-budget (Python: over_budget=True)"
    ) == str(refused.value)
    budget = Decimal("0.00013")
    assert Cap(budget, "session", router.session) == refused.value.refusal.cap
    assert budget == refused.value.refusal.left_usd
    server.reply(text="ok", usage=SIXTY)
    assert "ok" == router.route("hello", over_budget=True).text
    # It is counted, may not go over max_cost, and an escalation takes no options.
    with pytest.raises(BudgetExceeded, match=r"and \$0 is left of the session budget"):
        router.route("hello", cache="off")
    with pytest.raises(BudgetExceeded, match=r"--max-cost \$0.0001 is too little: LOW could"):
        router.route("hello", cache="off", max_cost="0.0001", over_budget=True)
    with pytest.raises(BudgetExceeded, match=r"in a cell: %%route -t MID --over-budget$"):
        router.escalate(router.route("hello"))


@pytest.mark.parametrize(
    ("scope", "limit_of", "whose"),
    [
        ("day", Decimal("0.0001"), "the day 2026-11-21 (UTC)"),
        ("feature", Decimal("0.0001"), "the feature 'chat'"),
        ("feature", {"chat": Decimal("0.0001")}, "the feature 'chat'"),
    ],
)
def test_the_refusal_names_the_budget_that_is_spent(router, scope, limit_of, whose):
    now = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
    router.parts = replace(router.parts, clock=lambda: now)
    router.limits = replace(router.limits, **{f"budget_usd_per_{scope}": limit_of})
    if scope == "feature":
        router.route("hello")
    if isinstance(limit_of, dict):
        router.route("hello", feature="other")
    with pytest.raises(BudgetExceeded) as refused:
        router.route("hello there", feature="chat")

    assert (
        f"a call could cost up to $0.00013 and $0.0001 is left of the budget for {whose} of $0.0001"
        f"; it was not sent: raise budget_usd_per_{scope} in nbroute.toml, or ask with %%route "
        "--over-budget (Python: over_budget=True)"
    ) == str(refused.value)


def test_the_budget_of_the_settings_counts_what_was_paid_and_no_failure(make_router, server):
    Path("nbroute.toml").write_text("[nbroute]\nbudget_usd = 0.0032")
    router = make_router(classifier=lambda _: "MID")  # a call of up to $0.001542
    server.answer(Reply(status=503, error="down"))
    for _ in range(3):
        with pytest.raises(ProviderError):
            router.route("hello")
    server.answer(Reply(usage={"prompt_tokens": 10, "completion_tokens": 250}))

    assert [Decimal("0.00153")] * 2 == [router.route(f"hello {n}").cost_usd for n in range(2)]
    with pytest.raises(BudgetExceeded, match=r"and \$0.00014 is left of the session budget"):
        router.route("hello 2")
    assert not [row for row in router.ledger.rows() if row["reserved_usd"] is not None]


def test_a_days_budget_begins_anew_at_midnight_utc(router, server):
    now = [datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC).timestamp()]
    router.parts = replace(router.parts, clock=lambda: now[0])
    router.limits = replace(router.limits, budget_usd_per_day=Decimal("0.00016"))

    def after_midnight(body):
        now[0] += 2
        return Reply(usage=SIXTY)

    server.handler = after_midnight
    first = router.route("hello", cache="off")  # sent before midnight, answered after it
    server.handler = None

    assert "ok" == router.route("hello", cache="off").text
    assert ["2026-11-21", "2026-11-22"] == list(router.spend("day"))
    now[0] = datetime(2026, 11, 21, 23, 0, tzinfo=UTC).timestamp()
    with pytest.raises(BudgetExceeded, match="2026-11-21"):
        router.route("hello", cache="off")
    assert first.cost_usd == router.spend("day")["2026-11-21"].usd


def test_threads_that_route_at_once_cannot_overspend_the_budget(router, server):
    server.answer(GOOD, small=OTHER)
    router.set_budget("0.07")  # of two

    def work(number):
        with contextlib.suppress(BudgetExceeded):
            router.route(f"{HARD} {number}", **TWO)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))

    rows = router.ledger.rows()
    assert 0 < router.spend().usd <= Decimal("0.07")
    assert 0 < len(server.requests) <= len(rows)
    assert "running" not in {row["status"] for row in rows}


def test_with_a_budget_nothing_is_sent_that_cannot_be_counted(router, server):
    router.route("hello")
    router.set_budget(1)
    router.ledger.close()
    router.ledger.path.write_bytes(b"overwritten by something else" * 1000)

    with pytest.raises(RecordError, match="cannot read the ledger"):
        router.route("hello again")
    assert 1 == len(server.requests)


def test_what_nobody_bills_has_a_budget_of_its_reference_price_or_none(opened):
    priced, free = (opened(profile="simulated") for _ in range(2))
    tiers = tuple(replace(tier, price=None, model="unlisted") for tier in free.ladder.tiers)
    free.parts = replace(free.parts, ladder=replace(free.ladder, tiers=tiers))
    for router in (priced, free):
        router.set_budget("0.000001")

    asked = [
        free.route("hello", tier="SIMPLE", max_cost="0.000001", cache=c) for c in ("use", "off")
    ]
    assert 1 == len({one.answer.latency_ms for one in asked})  # simulated, too
    with pytest.raises(BudgetExceeded, match="session budget"):
        priced.route("hello", tier="SIMPLE")


# One call


def too_little(most, steps, total):
    return (
        f"--max-cost {most} is too little: {steps} could come to {total}; it was not sent: raise "
        f"--max-cost to {total}, or lower --max-tokens"
    )


@pytest.mark.parametrize(
    ("most", "steps", "total"),
    [
        ("0.0003", "LOW $0.000024 + MID $0.0016", "$0.0017"),
        ("0.0021", "LOW $0.000024 + MID $0.000066 + TOP $0.031", "$0.032"),
    ],
)
def test_a_climb_stops_at_max_cost_with_what_was_paid(router, server, most, steps, total):
    server.answer(SHORT)
    with pytest.raises(BudgetExceeded) as caught:
        router.route(HARD, strategy="cascade", start="LOW", max_cost=most)

    assert too_little(f"${most}", steps, total) == str(caught.value)
    result = caught.value.result
    assert SHORT == result.text
    assert result.cost_usd == router.spend().usd <= Decimal(most)
    assert caught.value.refusal is None


def test_what_a_limit_is_to_be_raised_to_is_enough(router):
    for most, name, enough, more in (
        ("$1.00", "TOP", "1.24", {"max_tokens": 41_111}),
        ("$0", "judging on TOP", "0.00004", {"max_tokens": 1, "purpose": "judge"}),
    ):
        asked = {"tier": "TOP"} | more
        with pytest.raises(BudgetExceeded) as caught:
            router.route("hi", max_cost=most, **asked)
        assert too_little(most, name, f"${enough}") == str(caught.value)
        assert "ok" == router.route("hi", max_cost=enough, **asked).text


@pytest.mark.parametrize("most", ["0", "0.031"])
@pytest.mark.parametrize("asked", [TWO, {"strategy": "consensus"}])
def test_with_room_for_less_than_all_of_them_none_is_sent_as_the_dry_run_says(
    router, server, asked, most
):
    asked = {**asked, "max_cost": most}
    with pytest.raises(BudgetExceeded) as caught:
        router.route(HARD, **asked)

    assert router.explain(HARD, **asked).refusal == str(caught.value)
    assert [] == server.requests == router.ledger.rows()
    # With TOP's answer in the cache only the others need room.
    router.route(HARD, tier="TOP")
    if most == "0.031" and asked["strategy"] == "parallel":
        assert {"LOW", "TOP"} == {one.tier for one in router.route(HARD, **asked).attempts}


# A cheaper tier instead


def test_over_the_budget_a_cheaper_tier_is_asked_or_the_words_decide_where_that_is_wanted(
    make_router,
):
    router = make_router(classifier=lambda _: "TOP")
    or_cheaper(router, "0.005")
    result = router.route("hello")

    assert "MID" == result.tier
    told = "over the budget, so MID was asked instead of TOP: a call could cost up to $0.031 and "
    assert (f"{told}$0.005 is left of the session budget of $0.005",) == result.notices
    or_cheaper(cheap := make_router(classifier=lambda _: "TOP"), "0.001")
    assert "LOW" == cheap.route("hello").tier
    low = router.route("hello", tier="LOW")
    above = router.escalate(low, "TOP")  # not to the tier that it escalates
    assert "MID" == above.tier
    with pytest.raises(BudgetExceeded):
        router.escalate(above)
    router = make_router(classifier="model")
    or_cheaper(router, "0.00005")
    result = router.route("hello", max_tokens=1)
    assert ("ok", "LOW") == (result.text, result.tier)
    told = "classified without asking a model: a call could cost up to $0.00015 and $0.00005 is "
    assert (f"{told}left of the session budget of $0.00005",) == result.notices


def test_parallel_and_a_cascade_over_the_budget_end_with_what_fits(make_router, server):
    server.answer(GOOD, medium=SHORT)
    two, up = make_router(), make_router()
    or_cheaper(two, "0.001")
    or_cheaper(up, "0.001")
    parallel = two.route(HARD, **TWO)
    server.answer(SHORT)
    cascade = up.route(HARD, strategy="cascade", cache="off")

    assert ("LOW", GOOD) == (parallel.tier, parallel.text)
    assert any("only LOW answered" in notice for notice in parallel.notices)
    assert ("LOW", SHORT, False) == (cascade.tier, cascade.text, cascade.passed)
    over = [f"{tier} could not be asked: a call could cost up to" for tier in ("MID", "TOP")]
    assert over == [told.partition(" $")[0] for told in cascade.notices]
    assert cascade.cost_usd == up.ledger.spend(session=up.session).usd


# Vectors


CHEAP = Price(Decimal(1), Decimal(0), "configured")


def vectors(router, texts, usage=None, *, price=CHEAP, kind="remote", error=None):
    """An attempt to embed those texts, as it is opened and as it ends."""
    tier = Tier("LOW", "box", "tiny-embed", 1000, price=price)
    request = Request("box", "tiny-embed", tuple(Message("user", text) for text in texts), 0)
    base = Attempt("", 0.0, router.session, "r1", "", "", "remote", "")
    guard, ledger = Guard(router.limits), router.ledger
    log = AttemptLog(base, observe=print, ledger=ledger, clock=lambda: 1.8e9, guard=guard)
    opened = log.open(request, tier, kind, "embed")
    reply = Answer("", "tiny", usage or opened.usage, None, 3.0, None)
    return log.fail(opened, reply, tier, error) if error else log.close(opened, reply, tier)


def test_vectors_are_an_attempt_at_their_price_and_those_that_nobody_bills_cost_nothing(router):
    counted = vectors(router, ["a text"], Usage(1000))
    uncounted = vectors(router, ["word" * 10, "hi"])
    failed = vectors(router, ["a"], Usage(2000), error=Unavailable("down"))
    free = vectors(router, ["a text"], price=None, kind="local")

    assert ("embed", 1000, 3.0) == (counted.purpose, counted.input_tokens, counted.latency_ms)
    assert (Decimal("0.001"), "configured") == (counted.cost_usd, counted.cost_source)
    assert (11, "estimated") == (uncounted.input_tokens, uncounted.cost_source)
    assert ("error", Decimal("0.002")) == (failed.status, failed.cost_usd)
    assert (Decimal(0), "equivalent") == (free.cost_usd, free.cost_source)
    assert Decimal("0.003011") == router.spend().usd
    router.set_budget("0.003012")
    with pytest.raises(BudgetExceeded):
        vectors(router, ["a word " * 100])
    assert 4 == router.spend().calls
