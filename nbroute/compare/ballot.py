"""Votes on answers that are compared: labels in the ledger, so that they outlive the kernel."""

from __future__ import annotations

from collections.abc import Iterable

from nbroute.engine.engine import Engine
from nbroute.engine.feedback import keep_label
from nbroute.types import Label, RouteResult

VOTE = "cheapest acceptable"


class Ballot:
    """Where votes on the answers of one comparison go; the last word on a prompt counts."""

    def __init__(self, router: Engine, comparison: str) -> None:
        self._router = router
        self._comparison = comparison

    def cast(self, result: RouteResult, feedback: str, picked: str | None) -> Label:
        """Keep the word on that answer; `picked` is the tier that routing would have asked."""
        return keep_label(self._router, result, feedback, picked=picked)

    def votes(self) -> list[str]:
        """The ids of the results that were voted for, oldest first, of every session."""
        return [
            label.result
            for label in self._router.ledger.labels()
            if label.comparison == self._comparison and label.feedback == VOTE
        ]

    def last(self, results: Iterable[str]) -> str | None:
        """The one of these results' ids that was voted for last; None where none was."""
        among = set(results)
        return next((one for one in reversed(self.votes()) if one in among), None)
