"""Answers to one prompt, beside one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nbroute.compare.ballot import VOTE, Ballot
from nbroute.compare.columns import Column, Contender
from nbroute.compare.differences import Piece, difference, each_against_others
from nbroute.compare.tables import columns_frame, columns_text
from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import (
    Attempt,
    Cost,
    Decision,
    Label,
    equivalent_cost,
    total_cost,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "Comparison", "Contender"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One prompt on several tiers or models; the columns are in the order asked for.

    `decision` is what routing says of the prompt; where that is not known, its tier is empty
    and its reason says why.
    """

    id: str
    prompt: str = field(repr=False)
    decision: Decision = field(repr=False)
    columns: tuple[Column, ...]
    ballot: Ballot | None = field(default=None, repr=False, compare=False)

    def column(self, name: str) -> Column:
        """The column of that contender, in any case; SettingsError with the close names."""
        for column in self.columns:
            if column.contender.name.casefold() == str(name).casefold():
                return column
        names = [column.contender.name for column in self.columns]
        raise SettingsError(f"no contender is called {name!r:.80}: {did_you_mean(name, names)}")

    @property
    def picked(self) -> str | None:
        """The tier that routing picks, compared or not; None where that is not known."""
        return self.decision.tier or None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every call that was made for it, those that picked the tier first."""
        results = [column.result for column in self.columns if column.result]
        return sum((result.attempts for result in results), self.decision.attempts)

    @property
    def cost(self) -> Cost:
        """What all of it cost; where some was billed and some not, the real money alone."""
        return total_cost(self.attempts)

    @property
    def equivalent(self) -> Cost:
        """What the calls that nothing was billed for would have cost; never added to `cost`."""
        return equivalent_cost(self.attempts)

    def frame(self) -> pd.DataFrame:
        """One row a column; money as floats (NaN where it is not known)."""
        return columns_frame(self.columns)

    def vote(self, name: str, feedback: str = VOTE) -> Label:
        """Say that this contender's answer is the cheapest acceptable one; the last word counts.

        It is kept as a label in the ledger. `feedback` is any word that `router.label` takes.
        SettingsError for an unknown name and for an answer that did not come.
        """
        column = self.column(name)
        if column.result is None or column.error is not None:
            why = column.error or "it is still on its way"
            raise SettingsError(f"{column.contender.name!r} has no answer to vote for: {why}")
        if self.ballot is None:
            raise SettingsError("this comparison has no ledger for votes; use router.compare()")
        return self.ballot.cast(column.result, feedback, self.picked)

    @property
    def voted(self) -> str | None:
        """The contender that was voted for last, as the ledger has it."""
        names = {one.result.id: one.contender.name for one in self.columns if one.result}
        last = self.ballot.last(names) if self.ballot else None
        return None if last is None else names[last]

    @property
    def differences(self) -> tuple[tuple[Piece, ...], ...]:
        """Each column's text in pieces, marked where no other answer has the words."""
        return each_against_others([column.text for column in self.columns])

    def difference(self, name: str, reference: str) -> tuple[Piece, ...]:
        """That contender's text in pieces, marked where the reference's has not the words."""
        return difference(self.column(name).text, self.column(reference).text)

    def __repr__(self) -> str:
        """The contenders and how each ended: no prompt, no answers."""
        told = ", ".join(f"{one.contender.name} {one.status}" for one in self.columns)
        return f"<Comparison {self.id} of {told}>"

    def __str__(self) -> str:
        """A table, then each answer under its heading."""
        return columns_text(self.columns)
