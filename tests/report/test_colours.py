"""The tiers' colours: readable, told apart, the same place the same colour."""

from __future__ import annotations

import pytest

from nbroute.report.colours import GREY, SCALE, tier_colour


def _luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("count", range(1, 10))
def test_white_words_are_readable_on_every_tier_of_every_ladder(count):
    tiers = [f"T{place}" for place in range(count)]

    colours = [tier_colour(tier, tiers) for tier in tiers]

    assert len(set(colours)) == count
    assert all(1.05 / (_luminance(colour) + 0.05) >= 4.5 for colour in [*colours, GREY])


def test_four_tiers_take_the_scale_as_it_is_and_a_tier_of_another_ladder_is_grey():
    assert [*SCALE, GREY] == [tier_colour(tier, "ABCD") for tier in "ABCDX"]
