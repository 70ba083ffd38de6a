"""Values as a message quotes them."""

from __future__ import annotations

import reprlib
from typing import Any

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlevel = 2


def short(value: Any) -> str:
    """The value's repr, shortened; never more than one line."""
    return _REPR.repr(value)
