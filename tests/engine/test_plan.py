"""Options that cannot be used are named in one line, before anything is sent."""

from __future__ import annotations

import pytest

from nbroute.errors import SettingsError

CASCADE, PARALLEL, CONSENSUS = ({"strategy": s} for s in ("cascade", "parallel", "consensus"))
REFUSED = [
    # what is misspelt
    ({"tires": "LOW"}, "unknown option 'tires': did you mean 'tiers'"),
    ({"tier": "MIDDLE"}, "did you mean 'MID'"),
    ({"strategy": "cascde"}, "did you mean 'cascade'"),
    ({"strategy": None}, "unknown strategy None"),
    ({"classifier": "ngramz"}, "did you mean 'ngrams'"),
    ({"cache": "on"}, "unknown cache mode 'on'"),
    ({"by": "vibes"}, "unknown way to compare two answers 'vibes'"),
    ({"checks": ["lenght=20"]}, "length"),
    # what is of a wrong kind, or out of bounds
    ({"thread": 5}, "thread is 5"),
    ({"thread": " "}, "it takes a name"),
    ({"checks": 3}, "checks is 3"),
    ({"checks": [None]}, "checks is"),
    ({"max_tokens": 0}, "max_tokens is 0"),
    ({"max_tokens": False}, "max_tokens is False"),
    ({"max_cost": -1}, "max_cost is -1"),
    ({"temperature": False}, "temperature is False; it takes a number"),
    ({"temperature": float("inf")}, "temperature is inf"),
    ({"temperature": 10**400}, "temperature is 1000"),
    (PARALLEL | {"agreement": "much"}, "agreement is 'much'"),
    (PARALLEL | {"agreement": 2}, "from 0 to 1"),
    ({"schema": lambda: None}, "schema"),
    # what does not go together
    ({"start": "LOW"}, "is for a cascade"),
    ({"tiers": ["LOW", "TOP"]}, "cascade, parallel or consensus"),
    (CASCADE | {"start": "LOW", "tier": "MID"}, "is for a cascade"),
    (CASCADE | {"start": "LOW", "tiers": ["LOW", "TOP"]}, "exclude each other"),
    (CASCADE | {"tiers": [None, "LOW"]}, "tiers is"),
    (PARALLEL | {"tiers": ["LOW"]}, "takes two"),
    (PARALLEL | {"tiers": ["LOW", "low"]}, "twice"),
    (CONSENSUS | {"tiers": ["LOW", "TOP"]}, "consensus takes three"),
    (CONSENSUS | {"tier": "LOW"}, "'LOW' is one tier and consensus takes three"),
    (CONSENSUS | {"model": "small"}, "every tier of consensus"),
    ({"repeat": 1}, "repeat is 1; it takes a whole number from 2 to 20"),
    ({"repeat": 21}, "repeat is 21"),
    ({"repeat": True}, "repeat is True"),
    (CASCADE | {"repeat": 3}, "asks one tier several times and strategy"),
    ({"repeat": 3, "cache": "use"}, "asks each time afresh; leave out cache = 'use'"),
]


@pytest.mark.parametrize(("options", "says"), REFUSED)
def test_a_wrong_option_is_named_before_anything_is_sent(router, server, options, says):
    with pytest.raises(SettingsError, match=says) as caught:
        router.route("hello", **options)

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_000
    assert [] == server.requests == router.ledger.rows()
