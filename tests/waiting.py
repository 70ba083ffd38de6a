"""Waiting for what a thread or another process does; how long it takes is never what is tested."""

from __future__ import annotations

import time

PATIENCE = 60.0


def until(condition):
    """Come back when the condition holds, with what it gave."""
    give_up = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.01)
    return found
