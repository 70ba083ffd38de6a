"""What may be spent: budgets and max_cost, in every strategy, threads and days included."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from loopback import Reply

from nbroute.errors import BudgetExceeded, SettingsError

GOOD = "Water boils at 100 degrees Celsius at sea level, and lower up a mountain."
OTHER = "Bananas are rich in potassium, and monkeys like them very much."
SHORT = "At a hundred."
HARD = "Explain, step by step, how heat moves through the walls of an old house in winter."
TWO = {"strategy": "parallel", "tiers": ("LOW", "TOP")}
SIXTY = {"prompt_tokens": 10, "completion_tokens": 60}


def or_cheaper(router, **limits):
    router.limits = replace(router.limits, on_limit="cheaper", **limits)


@pytest.mark.parametrize("usd", [0, -1, "nan", "inf", "a dollar", "", True, float("nan")])
def test_a_budget_is_an_amount_that_can_be_lifted_and_nothing_else(router, usd):
    with pytest.raises(SettingsError, match=f"{usd!r} is not a budget"):
        router.set_budget(usd)
    for given, kept in (("$0.50", Decimal("0.50")), (0.1, Decimal("0.1")), (None, None)):
        router.set_budget(given)
        assert kept == router.limits.budget_usd


def test_the_refusal_names_the_flag_and_the_flag_goes_on(router, server):
    router.set_budget("0.000001")

    with pytest.raises(BudgetExceeded, match="--over-budget") as caught:
        router.route("hello")

    assert "\n" not in str(caught.value)
    assert [] == server.requests
    assert "ok" == router.route("hello", over_budget=True).text


def test_the_budget_of_the_settings_counts_what_was_spent(make_router, server):
    Path("nbroute.toml").write_text("[nbroute]\nbudget_usd = 0.004\n")
    router = make_router()
    server.reply(text="x", usage={"prompt_tokens": 1000, "completion_tokens": 1400})
    router.route("hello")

    with pytest.raises(BudgetExceeded, match="budget"):
        router.route("and now a longer one", max_tokens=400)

    assert 1 == len(server.requests)


def test_a_feature_budget_holds_for_its_feature_alone(make_router):
    Path("nbroute.toml").write_text("[nbroute.budget_usd_per_feature]\nsearch = 0.0000001")
    router = make_router()

    router.route("hello")
    router.route("hello you", feature="other")
    with pytest.raises(BudgetExceeded, match="search"):
        router.route("hello there", feature="search")


def test_a_days_budget_begins_anew_at_midnight_utc(make_router, server):
    router = make_router()
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


@pytest.mark.parametrize(
    ("options", "worst", "calls"),
    [({"max_tokens": 64}, Decimal("0.00015"), 24), (TWO, Decimal("0.035"), 12)],
)
def test_threads_that_route_at_once_cannot_overspend_the_budget(
    router, server, options, worst, calls
):
    server.answer(GOOD, small=OTHER)
    router.set_budget(worst * 2)

    def work(number):
        with contextlib.suppress(BudgetExceeded):
            router.route(f"{HARD} {number}", **options)

    with ThreadPoolExecutor(calls) as pool:
        list(pool.map(work, range(calls)))

    rows = router.ledger.rows()
    assert 0 < router.spend().usd <= worst * 2
    assert 0 < len(server.requests) <= len(rows)
    assert "running" not in {row["status"] for row in rows}


# One call


def test_what_could_cost_more_than_max_cost_is_not_sent(router, server):
    with pytest.raises(BudgetExceeded, match="--max-cost"):
        router.route("hello", tier="TOP", max_cost="0.0001")

    assert [] == server.requests


@pytest.mark.parametrize("most", ["0.0003", "0.0021"])
def test_a_climb_stops_at_max_cost_with_what_was_paid(router, server, most):
    server.answer(SHORT)

    with pytest.raises(BudgetExceeded, match=r"it was not sent.*max-cost") as caught:
        router.route(HARD, strategy="cascade", start="LOW", max_cost=most)

    result = caught.value.result
    assert SHORT == result.text
    assert result.cost_usd == router.spend().usd <= Decimal(most)


@pytest.mark.parametrize("most", ["0", "0.0001", "0.031"])
@pytest.mark.parametrize("asked", [TWO, {"strategy": "consensus"}])
def test_with_room_for_less_than_all_of_them_none_is_sent_as_the_dry_run_says(
    router, server, asked, most
):
    asked = {**asked, "max_cost": most}

    with pytest.raises(BudgetExceeded) as caught:
        router.route(HARD, **asked)

    assert router.explain(HARD, **asked).refusal == str(caught.value)
    assert [] == server.requests == router.ledger.rows()


def test_parallel_with_one_answer_in_the_cache_needs_room_for_the_other_alone(router):
    router.route(HARD, tier="TOP")

    result = router.route(HARD, **TWO, max_cost="0.031")

    assert {"LOW", "TOP"} == {one.tier for one in result.attempts}


# A cheaper tier instead


def test_over_the_budget_a_cheaper_tier_is_asked_where_that_is_wanted(make_router):
    router = make_router(classifier=lambda _: "TOP")
    or_cheaper(router, budget_usd=Decimal("0.005"))

    result = router.route("hello")

    assert "MID" == result.tier
    assert any("over the budget, so MID" in notice for notice in result.notices)


def test_parallel_over_the_budget_with_cheaper_keeps_the_one_that_fits(router, server):
    server.answer(GOOD)
    or_cheaper(router, budget_usd=Decimal("0.001"))

    result = router.route(HARD, **TWO)

    assert ("LOW", GOOD) == (result.tier, result.text)
    assert any("only LOW answered" in notice for notice in result.notices)


def test_a_cascade_over_the_budget_with_cheaper_ends_with_what_it_has(router, server):
    server.answer(GOOD, medium=SHORT)
    or_cheaper(router, budget_usd=Decimal("0.004"))

    result = router.route(HARD, strategy="cascade", start="MID")

    assert ("MID", SHORT, False) == (result.tier, result.text, result.passed)
    assert any("TOP" in notice and "session budget" in notice for notice in result.notices)
    assert result.cost_usd == router.spend().usd


def test_a_classifier_that_the_budget_has_no_room_for_leaves_the_words_to_decide(make_router):
    router = make_router(classifier="model")
    or_cheaper(router, budget_usd=Decimal("0.00005"))

    result = router.route("hello", max_tokens=1)

    assert ("ok", "LOW") == (result.text, result.tier)
    assert any("classified without asking a model" in notice for notice in result.notices)
