from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from nbroute import ladders, pricing
from nbroute.errors import SettingsError
from nbroute.types import Ladder, Price, Tier

EVERY_PRESET = [(name, provider) for name in ladders.LADDERS for provider in ladders.PROVIDERS]
SOLD = [
    (name, provider) for name, provider in EVERY_PRESET if provider not in ("local", "simulated")
]


def prices_of(ladder: Ladder) -> list[Price | None]:
    kinds = {"local": "local", "simulated": "simulated"}
    return [pricing.price_of(t, t.model, kinds.get(t.provider, "remote")) for t in ladder.tiers]


@pytest.mark.parametrize(("name", "provider"), SOLD)
def test_every_model_and_fallback_of_a_preset_is_one_that_the_price_list_knows(name, provider):
    known = {
        model: pricing.price_of(tier, model, "remote")
        for tier in ladders.preset(name, provider).tiers
        for model in tier.models
    }

    assert [] == [model for model, price in known.items() if price is None]


@pytest.mark.parametrize("name", ladders.LADDERS)
def test_every_local_tier_has_a_reference_that_the_price_list_knows(name):
    hosted = ladders.preset(name, "openrouter").tiers
    local = ladders.preset(name, "local").tiers

    assert [f"openrouter:{tier.model}" for tier in hosted] == [tier.reference for tier in local]
    assert {"SmolLM2-135M-Instruct"} == {tier.model for tier in local}


@pytest.mark.parametrize("name", ladders.LADDERS)
def test_the_models_of_a_simulated_ladder_all_have_the_second_articles_price(name):
    tiers = ladders.preset(name, "simulated").tiers

    assert {model for t in tiers for model in t.models} <= set(ladders.SIMULATED_PRICES)
    assert [ladders.SIMULATED_PRICES[tier.model] for tier in tiers] == [t.price for t in tiers]


@pytest.mark.parametrize(("name", "provider"), EVERY_PRESET)
def test_no_tier_is_cheaper_than_the_one_below_it(name, provider):
    for below, above in pairwise(prices_of(ladders.preset(name, provider))):
        assert below.input <= above.input
        assert below.output <= above.output


@pytest.mark.parametrize(("name", "provider"), EVERY_PRESET)
def test_a_preset_is_valid_and_each_tier_has_words_of_its_own(name, provider):
    ladder = ladders.preset(name, provider)

    ladders.validate(ladder)
    assert len(ladder.tiers) == len({tier.system for tier in ladder.tiers})
    assert len(ladder.tiers) == len({tier.description for tier in ladder.tiers})


@pytest.mark.parametrize(
    ("name", "tiers", "default", "budgets"),
    [
        ("two-tier", ("cheap", "expensive"), "cheap", (1024, 4096)),
        ("three-tier", ("fast", "mid", "power"), "mid", (1024, 4096, 8192)),
        (
            "four-tier",
            ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER"),
            "MEDIUM",
            (256, 1024, 4096, 16384),
        ),
    ],
)
def test_a_preset_has_the_articles_tiers_and_token_budgets(name, tiers, default, budgets):
    ladder = ladders.preset(name, "openai")

    assert tiers == ladder.names
    assert default == ladder.default
    assert budgets == tuple(tier.max_tokens for tier in ladder.tiers)


def test_a_misspelt_ladder_is_refused_with_the_close_match():
    with pytest.raises(SettingsError, match=r"'for-tier'.*did you mean 'four-tier'"):
        ladders.preset("for-tier", "openai")


def test_a_provider_without_presets_is_refused_with_the_close_match():
    with pytest.raises(SettingsError, match=r"'openruter'.*did you mean 'openrouter'"):
        ladders.preset("four-tier", "openruter")


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (["a"], ["a", "a", "a", "a"]),
        (["a", "b"], ["a", "a", "b", "b"]),
        (["a", "b", "c"], ["a", "b", "b", "c"]),
        (["a", "b", "c", "d"], ["a", "b", "c", "d"]),
        (["a", "b", "c", "d", "e", "f", "g", "h"], ["a", "c", "f", "h"]),
    ],
)
def test_larger_models_go_to_higher_tiers(models, expected):
    ladder = ladders.spread(models, ladders.preset("four-tier", "local"))

    assert expected == [tier.model for tier in ladder.tiers]


def test_models_that_are_spread_keep_the_tiers_words_and_lose_the_fallbacks():
    before = ladders.preset("three-tier", "openrouter")
    after = ladders.spread(["small", "large"], before)

    assert [()] * 3 == [tier.fallbacks for tier in after.tiers]
    assert [t.system for t in before.tiers] == [t.system for t in after.tiers]


def test_there_is_nothing_to_spread_without_a_model():
    with pytest.raises(SettingsError, match="no model"):
        ladders.spread([], ladders.preset("two-tier", "local"))


SMALL = Tier("small", "box", "m", 10)


@pytest.mark.parametrize(
    ("tiers", "default", "said"),
    [
        ((), "small", "no tiers"),
        ((SMALL, replace(SMALL, name="Small")), "small", "two tiers are called 'Small'"),
        ((replace(SMALL, name=" "),), " ", "empty name"),
        ((replace(SMALL, model=""),), "small", "empty model"),
        ((replace(SMALL, provider=""),), "small", "empty provider"),
        ((replace(SMALL, fallbacks=("x", "")),), "small", "empty fallback"),
        ((replace(SMALL, max_tokens=0),), "small", "max_tokens 0"),
        ((SMALL,), "smal", "'smal' is not on the ladder; did you mean 'small'"),
        ((replace(SMALL, price=Price(Decimal(-1), Decimal(1))),), "small", "price -1 in"),
        ((replace(SMALL, price=Price(Decimal(1), Decimal("NaN"))),), "small", "NaN out"),
    ],
)
def test_a_ladder_that_cannot_be_used_is_refused(tiers, default, said):
    with pytest.raises(SettingsError, match=said):
        ladders.validate(Ladder("mine", tiers, default))


@pytest.mark.parametrize("name", ladders.LADDERS)
def test_a_local_answer_ends_within_a_minute_at_the_speed_of_an_old_laptop(name):
    local, hosted = (ladders.preset(name, one).tiers for one in ("local", "openrouter"))

    assert 20 * 60 > max(tier.max_tokens for tier in local)
    assert all(one.max_tokens <= other.max_tokens for one, other in zip(local, hosted, strict=True))
