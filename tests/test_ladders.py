from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from nbroute import ladders, pricing
from nbroute.errors import SettingsError
from nbroute.providers.simulated import MODELS
from nbroute.types import Ladder, Price, Target, Tier


@pytest.mark.parametrize("name", ladders.LADDERS)
@pytest.mark.parametrize("provider", ladders.PROVIDERS)
def test_a_preset_is_valid_and_each_tier_costs_no_less_and_has_words_of_its_own(name, provider):
    ladder = ladders.preset(name, provider)
    kind = provider if provider in ("local", "simulated") else "remote"

    ladders.validate(ladder)
    assert len(ladder.tiers) == len({tier.system for tier in ladder.tiers})
    assert len(ladder.tiers) == len({tier.description for tier in ladder.tiers})
    for below, above in pairwise([pricing.price_of(t, t.model, kind) for t in ladder.tiers]):
        assert below.input <= above.input
        assert below.output <= above.output
    if kind == "remote":
        models = [(tier, model) for tier in ladder.tiers for model in tier.models]
        assert [] == [m for tier, m in models if not pricing.price_of(tier, m, "remote")]


@pytest.mark.parametrize(
    ("name", "tiers", "default", "budgets"),
    [
        ("two-tier", "cheap expensive", "cheap", (1024, 4096)),
        ("three-tier", "fast mid power", "mid", (1024, 4096, 8192)),
        ("four-tier", "SIMPLE MEDIUM COMPLEX FRONTIER", "MEDIUM", (256, 1024, 4096, 16384)),
    ],
)
def test_a_preset_has_the_articles_tiers_token_budgets_and_simulated_prices(
    name, tiers, default, budgets
):
    ladder, simulated = ladders.preset(name, "openai"), ladders.preset(name, "simulated").tiers

    assert (tuple(tiers.split()), default) == (ladder.names, ladder.default)
    assert budgets == tuple(tier.max_tokens for tier in ladder.tiers)
    hosted, local = (ladders.preset(name, one).tiers for one in ("openrouter", "local"))
    assert [f"openrouter:{tier.model}" for tier in hosted] == [tier.reference for tier in local]
    assert {"SmolLM2-135M-Instruct"} == {tier.model for tier in local}
    prices = ladders.SIMULATED_PRICES
    assert {model for tier in simulated for model in tier.models} <= set(prices) == set(MODELS)
    assert [prices[tier.model] for tier in simulated] == [tier.price for tier in simulated]
    with pytest.raises(SettingsError, match=r"'for-tier'.*did you mean 'four-tier'"):
        ladders.preset("for-tier", "openai")
    with pytest.raises(SettingsError, match=r"'openruter'.*did you mean 'openrouter'"):
        ladders.preset(name, "openruter")


@pytest.mark.parametrize(
    ("models", "expected"),
    [("a", "aaaa"), ("ab", "aabb"), ("abc", "abbc"), ("abcdefgh", "acfh")],
)
def test_larger_models_go_to_higher_tiers_without_fallbacks(models, expected):
    before = ladders.preset("four-tier", "openrouter")
    after = ladders.spread(list(models), before)

    assert list(expected) == [tier.model for tier in after.tiers]
    assert [()] * 4 == [tier.fallbacks for tier in after.tiers]
    assert [t.system for t in before.tiers] == [t.system for t in after.tiers]
    with pytest.raises(SettingsError, match="no model"):
        ladders.spread([], before)


SMALL = Tier("small", "box", "m", 10)
BAD_PRICE = Price(Decimal(1), Decimal("NaN"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": " "}, "empty name"),
        ({"model": ""}, "empty model"),
        ({"provider": ""}, "empty provider"),
        ({"fallbacks": ("x", "")}, "empty fallback"),
        ({"max_tokens": 0}, "max_tokens 0"),
        ({"effort": "hihg"}, "the effort 'hihg'; did you mean 'high'"),
        ({"price": Price(Decimal(-1), Decimal(1))}, "price -1 in"),
        ({"price": replace(BAD_PRICE, output=Decimal(1), cached_input=Decimal(-2))}, "price 1 in"),
        ({"fallbacks": (Target("box", "x", BAD_PRICE),)}, "NaN out"),
        ({"name": "Small"}, "two tiers are called 'small'"),
        ({"name": "smal"}, "'small' is not on the ladder; did you mean 'smal'"),
    ],
)
def test_a_ladder_that_cannot_be_used_is_refused(changes, said):
    with pytest.raises(SettingsError, match="no tiers"):
        ladders.validate(Ladder("mine", (), "small"))
    more = [SMALL] if changes == {"name": "Small"} else []
    with pytest.raises(SettingsError, match=said):
        ladders.validate(Ladder("mine", (replace(SMALL, **changes), *more), "small"))
