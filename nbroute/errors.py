"""Everything that can go wrong; `NbrouteError` catches all of it.

After a `ProviderError` the tier's next fallback is tried, and in a cascade the tier above. After
an `AuthError` or a `RequestRejected`, only those of another provider are, and after a
`ContextTooLong` only those that may read more.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class NbrouteError(Exception):
    """The base of all errors here; in a cell it shows as one line and stops Run All.

    `result` is the partial `RouteResult` where there is one: what was answered and paid
    for before the error.
    """

    result: Any = None

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback."""
        return [shown(self)]


class SettingsError(NbrouteError):
    """A setting, an option or a name that does not exist or cannot be used."""


class PromptError(NbrouteError):
    """The prompt is empty, too long or names a variable that does not exist."""


class BudgetExceeded(NbrouteError):
    """A call could cost more than what is left; it was not sent.

    `refusal` is the `Refusal` of the budget that it did not fit in; None for `--max-cost`.
    """

    refusal: Any = None


class ReplayMiss(NbrouteError):
    """Only the cache was to answer (mode `only`), and it does not have this request."""


class RecordError(NbrouteError):
    """The ledger or the cache file cannot be read or written.

    `told` says that a row before this one could not be written for the same reason.
    """

    told = False


class Interrupted(NbrouteError, KeyboardInterrupt):
    """The user stopped it; what had arrived is in `result` and in the ledger."""


class ProviderError(NbrouteError):
    """A model's endpoint did not answer as it should.

    `try_next` says whether another model of the tier may do better, `usage` what was counted
    before it failed, where several requests made one call, `status_code` the status of an error
    that came inside an answer.
    """

    try_next = True
    usage: Any = None
    status_code: int | None = None


class AuthError(ProviderError):
    """The key is missing, empty or refused (401, 403)."""

    try_next = False


class RequestRejected(ProviderError):
    """The endpoint understood the request and will not serve it (400, 413, 422 and the like)."""

    try_next = False


class ContextTooLong(RequestRejected):
    """The prompt is longer than the model can read; one with a larger window may take it."""


class Moderated(RequestRejected):
    """The endpoint's moderation refused the prompt; another model may answer it."""

    try_next = True


class UnknownModel(ProviderError):
    """The endpoint does not know the model (404)."""


class RateLimited(ProviderError):
    """Too many requests (429), after a few more tries."""


class QuotaUsedUp(RateLimited):
    """The account has no credit or no quota left: waiting does not help, adding money does."""


class Unavailable(ProviderError):
    """No connection, or a server error (5xx)."""


class TimedOut(ProviderError):
    """The endpoint did not answer within the time-out."""


class BadReply(ProviderError):
    """The endpoint answered with something that is not an answer: HTML, no choices, no text."""


class AllModelsFailed(ProviderError):
    """Every model that was asked failed; `causes` holds (model, error) in the order tried."""

    def __init__(self, message: str, causes: tuple[tuple[str, ProviderError], ...] = ()) -> None:
        super().__init__(message)
        self.causes = causes
        self.try_next = not causes or any(error.try_next for _, error in causes)


def all_of(causes: Iterable[tuple[str, ProviderError]]) -> str:
    """What each of them failed with, in one line."""
    return "; ".join(f"{who}: {type(error).__name__}: {error!s:.200}" for who, error in causes)


def named(error: BaseException) -> str:
    """`SettingsError: no tier is called 'SIMPEL'`: the error's class and message in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def shown(error: BaseException) -> str:
    """The same for a cell or a widget: plain text, in which a ` marks nothing."""
    return named(error).replace("`", "")


def did_you_mean(value: str, allowed: Iterable[str]) -> str:
    """The end of an error message: the close matches of `value`, else all that is allowed."""
    names = [str(name) for name in allowed]
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(str(value).lower(), lowered, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(lowered[name]) for name in close)}?"
    *others, last = map(repr, names or ["nothing"])
    return f"use {', '.join(others)} or {last}." if others else f"use {last}."
