"""Ladders whose tiers are nothing but names."""

from __future__ import annotations

from nbroute.types import Ladder, Tier


def ladder(*names, default=None, descriptions=()):
    described = (*descriptions, *[""] * len(names))
    tiers = tuple(
        Tier(name, "simulated", f"sim-{name}", 100, description=text)
        for name, text in zip(names, described, strict=False)
    )
    return Ladder("test", tiers, default or names[0])


TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
TWO = ladder("cheap", "expensive")
THREE = ladder("fast", "mid", "power", default="mid")
FOUR = ladder(*TIERS, default="MEDIUM")
