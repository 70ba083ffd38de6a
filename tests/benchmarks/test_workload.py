"""A seeded workload of development prompts, and the third article's table on it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from benchmarks.workload import (
    REPEATED,
    SHARES,
    article_ladder,
    development_prompts,
    measure,
)

from nbroute import Router
from nbroute.errors import SettingsError
from nbroute.storage.ledger import SqliteLedger


@pytest.fixture(scope="module")
def prompts():
    return development_prompts()


def test_the_same_seed_gives_the_same_prompts_and_another_gives_others(prompts):
    assert prompts == development_prompts(1000, 0)
    assert prompts != development_prompts(1000, 1)
    for n in (1, 2, 3, 10):
        assert n == len(development_prompts(n))


def test_seven_in_ten_are_distinct_and_four_in_five_of_those_simple(prompts):
    counts = Counter(one.text for one in prompts)
    tiers = Counter(tier for _, tier in {(one.text, one.tier) for one in prompts})

    assert (1000, round(1000 * (1 - REPEATED))) == (len(prompts), len(counts))
    assert counts.most_common(1)[0][1] >= 10
    assert {tier: round(700 * share) for tier, share in SHARES.items()} == dict(tiers)


def test_there_are_many_kinds_on_every_tier_none_names_its_tier_and_no_gap_is_left(prompts):
    kinds = {tier: {one.kind for one in prompts if one.tier == tier} for tier in SHARES}

    assert {"fast": 12, "mid": 8, "power": 7} == {tier: len(found) for tier, found in kinds.items()}
    for one in prompts:
        assert "$" not in one.text
        assert one.tier not in one.text.split()
        assert one.text.strip()


@pytest.mark.parametrize("n", [0, -1, 2.5, "many", True])
def test_an_impossible_number_is_refused(n):
    with pytest.raises(SettingsError, match="give 1 or more"):
        development_prompts(n)


def opened():
    return Router(profile="simulated", ladder=article_ladder(), ledger=SqliteLedger(None))


@pytest.fixture(scope="module")
def measured():
    return measure(opened(), development_prompts(200))


def test_the_articles_table_has_its_four_rows_and_prices(measured):
    frame = measured.frame()

    prices = [(tier.price.input, tier.price.output) for tier in article_ladder().tiers]
    written = [("0.15", "0.45"), ("2.50", "7.50"), ("15", "45")]
    assert [(Decimal(given), Decimal(taken)) for given, taken in written] == prices
    assert ["all on power", "all on mid", "router", "router + cache"] == list(frame["strategy"])
    top, _, routed, cached = frame["equivalent_usd"]
    assert top > routed > cached
    assert ({0.0}, {"recorded, nothing billed"}) == (set(frame["usd"]), set(frame["kind"]))
    assert frame["latency_s"].is_monotonic_decreasing


def test_the_cache_saves_what_was_repeated_and_choices_are_compared_with_what_was_meant(measured):
    *_, routed, cached = measured.strategies
    found = measured.confusion()

    assert (0, 60) == (routed.spend.cached_calls, cached.spend.cached_calls)
    assert routed.mix == cached.mix
    assert (["fast", "mid", "power"], 200) == (list(found.index), found.to_numpy().sum())
    assert found.loc["power", "power"] > found.loc["power", "fast"]


def test_tiers_that_are_billed_are_refused_unless_you_say_so(router, server):
    with pytest.raises(SettingsError, match="LOW, MID, TOP is billed"):
        measure(router, development_prompts(2))

    assert [] == server.requests


def test_it_is_the_same_in_every_run_and_what_if_agrees_with_what_was_measured(measured):
    assert repr(measured) == repr(measure(opened(), development_prompts(200)))
    router = opened()
    for one in development_prompts(200):
        router.route(one.text)

    *_, routed, cached, was = router.what_if().strategies

    assert measured.strategies[2].spend.equivalent_usd == routed.spend.equivalent_usd
    assert measured.strategies[3].spend.equivalent_usd == cached.spend.equivalent_usd
    assert was.spend.equivalent_usd == cached.spend.equivalent_usd
