"""Answers to one prompt, beside one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nbroute.errors import NbrouteError
from nbroute.types import Decision, RouteResult

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Contender:
    """A tier that is asked, by its first model or by the one named."""

    name: str
    tier: str
    model: str


@dataclass(frozen=True, slots=True)
class Column:
    """What one contender answered, or the error that it ended in.

    `picked` says that routing would have asked it, `note` why, or why not.
    """

    contender: Contender
    picked: bool
    note: str
    result: RouteResult | None = field(default=None, repr=False)
    error: NbrouteError | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One prompt on several tiers or models; the columns are in the order asked for."""

    id: str
    prompt: str = field(repr=False)
    decision: Decision = field(repr=False)
    columns: tuple[Column, ...]

    def frame(self) -> pd.DataFrame:
        """One row a column."""
        raise NotImplementedError
