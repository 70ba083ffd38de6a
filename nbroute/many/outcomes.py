"""What came back for one prompt, and what that means for those that are still to go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nbroute.errors import (
    AllModelsFailed,
    AuthError,
    BudgetExceeded,
    Interrupted,
    NbrouteError,
    SettingsError,
)
from nbroute.many.prompts import Job
from nbroute.many.rows import Row, RowStatus, row_of, row_of_error
from nbroute.types import Attempt, RouteResult

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


def outcome_of(
    route: Route, job: Job, options: Mapping[str, Any], cancel: threading.Event
) -> Outcome:
    """Route the prompt; whatever is raised is an outcome, too."""
    try:
        result = route(job.prompt, cancel=cancel, **options)
    except BaseException as error:  # noqa: BLE001 - a row, and not the end of the others
        return _of_error(job, error)
    return Outcome(job, row_of(job.place, job.prompt, result), attempts=result.attempts)


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
