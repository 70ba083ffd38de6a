"""What came back for one prompt, and what that means for those that are still to go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from nbroute.batch.prompts import Job
from nbroute.batch.rows import Row, RowStatus, row_of, row_of_error
from nbroute.errors import (
    AllModelsFailed,
    AuthError,
    BudgetExceeded,
    Interrupted,
    NbrouteError,
    SettingsError,
)
from nbroute.types import Attempt, Classified, Escalated, Event, RouteResult, Text

#: `refused` is over the budget with nothing paid; `hopeless` would hit every prompt alike.
Fate = Literal["done", "refused", "hopeless"]
Route = Callable[..., RouteResult]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A job's row, what that means for others, and the attempts that were made for it."""

    job: Job
    row: Row
    fate: Fate = "done"
    attempts: tuple[Attempt, ...] = ()


class Asker:
    """Routes prompts; whatever is raised is an outcome, too.

    Once `stop` is set, no further call is begun, and a streamed answer ends at its next piece.
    A whole answer that is on its way is let come: it is paid for either way. (Route's own
    `cancel` would take a second thread for each call, a fifth of all the work here.)
    """

    def __init__(self, route: Route, options: Mapping[str, Any]) -> None:
        self.stop = threading.Event()
        self._route = route
        self._options = options
        self._stops_at = (Classified, Escalated, Text)[: 3 if options.get("stream") else 2]

    def __call__(self, job: Job) -> Outcome:
        """What becomes of the job."""
        try:
            result = self._route(job.prompt, observe=self._look, **self._options)
        except BaseException as error:  # noqa: BLE001 - a row, and not the end of the others
            return _of_error(job, error)
        return Outcome(job, row_of(job.place, job.prompt, result), attempts=result.attempts)

    def _look(self, event: Event) -> None:
        if self.stop.is_set() and isinstance(event, self._stops_at):
            raise KeyboardInterrupt


def without_answer(job: Job, status: RowStatus, error: str, cost_usd: Decimal | None) -> Row:
    """The row of a prompt that never came back, or never went out (at a cost of 0)."""
    return Row(job.place, job.prompt, status=status, error=error, cost_usd=cost_usd, passed=False)


def _of_error(job: Job, error: BaseException) -> Outcome:
    fate: Fate = "done"
    status: RowStatus = "interrupted" if isinstance(error, Interrupted) else "error"
    partial = error.result if isinstance(error, NbrouteError) else None
    attempts = partial.attempts if partial is not None else ()
    if isinstance(error, BudgetExceeded) and not attempts:
        # A price that is not known, or `max_cost`, says nothing of the other prompts.
        status, fate = "not sent", "refused" if getattr(error, "refusal", None) else "done"
    elif _is_hopeless(error):
        fate = "hopeless"
    return Outcome(job, row_of_error(job.place, job.prompt, error, status), fate, attempts)


def _is_hopeless(error: BaseException) -> bool:
    if isinstance(error, AllModelsFailed):
        return bool(error.causes) and all(isinstance(one, AuthError) for _, one in error.causes)
    return isinstance(error, AuthError | SettingsError)
