from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from nbroute import ladders, pricing
from nbroute.errors import SettingsError
from nbroute.providers.simulated import MODELS
from nbroute.types import Ladder, Price, Target, Tier

#: By its name, a ladder's default tier and the tiers with their token budgets.
PRESETS = {
    "two-tier": ("cheap", {"cheap": 1024, "expensive": 4096}),
    "three-tier": ("mid", {"fast": 1024, "mid": 4096, "power": 8192}),
    "four-tier": ("MEDIUM", {"SIMPLE": 256, "MEDIUM": 1024, "COMPLEX": 4096, "FRONTIER": 16384}),
}


@pytest.mark.parametrize("name", ladders.LADDERS)
@pytest.mark.parametrize("provider", ladders.PROVIDERS)
def test_a_preset_is_the_articles_and_each_tier_costs_no_less_and_has_words_of_its_own(
    name, provider
):
    ladder = ladders.preset(name, provider)
    kind = provider if provider in ("local", "simulated") else "remote"

    ladders.validate(ladder)
    tokens = {one.name: one.max_tokens for one in ladder.tiers}
    assert kind == "local" or PRESETS[name] == (ladder.default, tokens)
    assert len(ladder.tiers) == len({tier.system for tier in ladder.tiers})
    assert len(ladder.tiers) == len({tier.description for tier in ladder.tiers})
    for below, above in pairwise([pricing.price_of(t, t.model, kind) for t in ladder.tiers]):
        assert below.input <= above.input
        assert below.output <= above.output
    models = [(tier, model) for tier in ladder.tiers for model in tier.models]
    prices = ladders.SIMULATED_PRICES
    if kind == "remote":
        assert [] == [m for tier, m in models if not pricing.price_of(tier, m, "remote")]
    elif kind == "simulated":
        assert {model for _, model in models} <= set(prices) == set(MODELS)
        assert [prices[tier.model] for tier in ladder.tiers] == [one.price for one in ladder.tiers]
    else:
        hosted = ladders.preset(name, "openrouter").tiers
        assert [f"openrouter:{one.model}" for one in hosted] == [o.reference for o in ladder.tiers]
        assert {"SmolLM2-135M-Instruct"} == {model for _, model in models}


def test_larger_models_go_to_higher_tiers_without_fallbacks():
    before = ladders.preset("four-tier", "openrouter")

    for models, expected in {"a": "aaaa", "ab": "aabb", "abc": "abbc", "abcdefgh": "acfh"}.items():
        after = ladders.spread(list(models), before)
        given = [
            (model, (), tier.system) for model, tier in zip(expected, before.tiers, strict=True)
        ]
        assert given == [(tier.model, tier.fallbacks, tier.system) for tier in after.tiers]
    with pytest.raises(SettingsError, match="no model"):
        ladders.spread([], before)


SMALL = Tier("small", "box", "m", 10)
BAD_PRICE = Price(Decimal(1), Decimal("NaN"))


def test_a_ladder_that_cannot_be_used_is_refused():
    for name, provider in (("for-tier", "openai"), ("two-tier", "openia")):
        with pytest.raises(SettingsError, match=r"did you mean '(four-tier|openai)'"):
            ladders.preset(name, provider)
    negative = Price(Decimal(1), Decimal(1), cached_input=Decimal(-2))
    for said, tiers in {
        "no tiers": (),
        "empty name": (replace(SMALL, name=" "),),
        "empty fallback": (replace(SMALL, fallbacks=("x", "")),),
        "max_tokens 0": (replace(SMALL, max_tokens=0),),
        "the effort 'hihg'; did you mean 'high'": (replace(SMALL, effort="hihg"),),
        "price -1 in": (replace(SMALL, price=Price(Decimal(-1), Decimal(1))),),
        "price 1 in": (replace(SMALL, price=negative),),
        "NaN out": (replace(SMALL, fallbacks=(Target("box", "x", BAD_PRICE),)),),
        "two tiers are called 'small'": (replace(SMALL, name="Small"), SMALL),
        "'small' is not on the ladder; did you mean 'smal'": (replace(SMALL, name="smal"),),
    }.items():
        with pytest.raises(SettingsError, match=said):
            ladders.validate(Ladder("mine", tiers, "small"))
