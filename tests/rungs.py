"""Ladders whose tiers are nothing but names."""

from __future__ import annotations

from nbroute.types import Ladder, Tier


def ladder(*names, default=None):
    tiers = tuple(Tier(name, "simulated", f"sim-{name}", 100) for name in names)
    return Ladder("test", tiers, default or names[0])


TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
TWO = ladder("cheap", "expensive")
THREE = ladder("fast", "mid", "power", default="mid")
FOUR = ladder(*TIERS, default="MEDIUM")
