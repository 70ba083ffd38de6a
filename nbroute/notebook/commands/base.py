"""What a word after `%route` is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk


class Command(NamedTuple):
    """A word after `%route`: what may follow it, what it is for, what it does."""

    run: Callable[[Desk, str], Any]
    about: str
    follows: str = ""
