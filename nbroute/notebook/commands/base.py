"""What a word after `%route` is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Command(NamedTuple):
    """A word after `%route`: what may follow it, what it is for, what it does."""

    run: Callable[[Any, str], Any]
    about: str
    follows: str = ""
