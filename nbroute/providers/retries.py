"""Errors that may pass: how often and when to ask again, and what the user reads meanwhile."""

from __future__ import annotations

import contextlib
import math
import random
import re
import time
from collections.abc import Callable, Generator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from nbroute.errors import ProviderError, QuotaUsedUp, RateLimited, Unavailable
from nbroute.types import Chunk, Request

T = TypeVar("T")

#: Seconds: half a second, doubled each time, as in the openai SDK, if the server does not say; if
#: it asks for more than two minutes, we do not wait.
_FIRST, _MOST, _LONGEST = 0.5, 8.0, 120.0
#: Seconds for all waits together if there is a fallback, or if nobody sees the wait.
_BESIDE_ANOTHER, _UNTOLD = 2.0, 8.0
#: What httpcore says of a kept connection that was closed: no need to wait.
_HUNG_UP = "disconnected without sending a response"
#: Seconds: the shortest wait that is shown, and how often it checks for Stop.
_TOLD, _STEP = 1.0, 0.2


def retried(
    ask: Callable[[], T],
    request: Request | None,
    retries: int,
    make: Callable[[Exception], ProviderError | None],
) -> Generator[Chunk, None, T]:
    """What `ask` returns in the end; the chunks say what we are waiting for.

    `make` classifies an error: one that waiting cannot cure is raised at once. Without a `request`
    nobody reads the chunks.
    """
    budget = _UNTOLD if request is None else math.inf if request.patient else _BESIDE_ANOTHER
    count = 0
    while True:
        try:
            return ask()
        except Exception as error:
            kind = error if isinstance(error, ProviderError) else make(error)
            wait = _wait(error, kind, count)
            budget -= wait or 0
            if wait is None or count == retries or budget < 0:
                raise
            status, told = getattr(error, "status_code", None), ""
            if wait >= _TOLD:
                how = "was busy" if isinstance(kind, RateLimited) else "failed"
                why = f"the endpoint {how} ({status})"
                told = f"{wait:,.0f} s: {why if status else 'no connection to the endpoint'}"
        count += 1
        if told:
            yield Chunk(notice=f"waiting {told}; Stop or Ctrl-C gives up", waits=True)
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _STEP))
            yield Chunk()  # a stopped call ends here
        if told:
            yield Chunk(notice=f"waited {told}")


def seconds_asked(error: BaseException) -> float | None:
    """How long the endpoint asks us to wait; None if it does not.

    `Retry-After` has seconds or a date (RFC 9110), `retry-after-ms` is OpenAI's, and Gemini puts
    it in the body: https://ai.google.dev/gemini-api/docs/troubleshooting
    """
    headers, seconds = _headers(error), math.nan
    for name, unit in (("retry-after", 1), ("retry-after-ms", 1000)):
        with contextlib.suppress(TypeError, ValueError):
            seconds = float(headers[name]) / unit if name in headers else seconds
    if math.isnan(seconds):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            at = parsedate_to_datetime(headers.get("retry-after", ""))
            seconds = at.timestamp() - time.time()
    if math.isnan(seconds):
        found = re.search(r"retryDelay\W+(\d{1,9}(?:\.\d+)?)s", str(getattr(error, "body", "")))
        seconds = float(found[1]) if found else seconds
    return seconds if seconds > 0 else None


def _wait(error: Exception, kind: ProviderError | None, count: int) -> float | None:
    """How many seconds to wait; None if waiting would not help."""
    may_pass = isinstance(kind, RateLimited | Unavailable)
    told = str(_headers(error).get("x-should-retry"))
    may_pass = {"true": True, "false": False}.get(told, may_pass)
    asked = seconds_asked(error)
    if not may_pass or isinstance(kind, QuotaUsedUp) or (asked or 0) > _LONGEST:
        return None
    if count == 0 and _HUNG_UP in str(error.__cause__):
        return 0
    # The jitter keeps threads apart.
    return asked or min(_FIRST * 2.0**count, _MOST) * random.uniform(0.75, 1)  # noqa: S311


def _headers(error: BaseException) -> Mapping[str, Any]:
    response = getattr(error, "response", None)
    found = getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None)
    return found if isinstance(found, Mapping) else {}
