"""Who is compared, and what each answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nbroute.errors import BudgetExceeded, Interrupted, NbrouteError
from nbroute.types import RouteResult, Status


class NotSent(Interrupted):
    """It was stopped before this contender was asked."""


ColumnStatus = Status | Literal["not sent"]


@dataclass(frozen=True, slots=True)
class Contender:
    """A tier that is asked, by its first model or by the one named.

    `name` is the tier's own, or the model's, or "TIER:model" as it was asked for.
    """

    name: str
    tier: str
    model: str

    @property
    def options(self) -> dict[str, str]:
        """What `router.route` is told: with a model named, no other of the tier steps in."""
        return {"tier": self.tier} | ({} if self.name == self.tier else {"model": self.model})


@dataclass(frozen=True, slots=True)
class Column:
    """What one contender answered, or the error that it ended in.

    `picked` says that routing would have asked it, `note` why, or why not. With an error,
    `result` is what had arrived and was paid for, if anything. Neither is there while the
    answer is on its way.
    """

    contender: Contender
    picked: bool
    note: str
    result: RouteResult | None = field(default=None, repr=False)
    error: NbrouteError | None = None

    @property
    def status(self) -> ColumnStatus:
        """The result's, or how the call ended without an answer."""
        if self.error is None:
            return self.result.status if self.result else "running"
        if self.result is None and isinstance(self.error, NotSent | BudgetExceeded):
            return "not sent"
        return "interrupted" if isinstance(self.error, Interrupted) else "error"

    @property
    def model(self) -> str:
        """The model that answered, else the one to be asked."""
        return self.result.model if self.result else self.contender.model

    @property
    def text(self) -> str:
        """The answer as far as it came."""
        return self.result.text if self.result else ""
