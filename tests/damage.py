"""Damages files at random, the same way for the same seed."""

from __future__ import annotations

import random


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The data with 1, 20 or 200 bytes changed."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 20, 200])):
        place = chance.randrange(len(changed))
        changed[place] = chance.choice([0, 255, changed[place] ^ 1, chance.randrange(256)])
    return bytes(changed)
