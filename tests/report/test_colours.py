"""The tiers' colours: readable, told apart, the same place the same colour."""

from __future__ import annotations

from nbroute.report.colours import GREY, tier_colour


def _luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_white_words_are_readable_on_every_tier_of_every_ladder():
    for count in (1, 4, 9):
        colours = [tier_colour(place, range(count)) for place in range(count)]
        assert len(set(colours)) == count
        assert all(1.05 / (_luminance(colour) + 0.05) >= 4.5 for colour in [*colours, GREY])
    assert GREY == tier_colour("of another ladder", range(4))
