"""What litellm raises, as ProviderErrors.

Its classes are the openai SDK's by name, but a lost connection, a missing key and a page in
place of an answer may each be a server error of status 500: there only its words tell.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from nbroute.errors import BadReply, ProviderError, Unavailable, UnknownModel
from nbroute.providers.openai_errors import (
    Call,
    is_a,
    no_connection,
    of_status,
    server_words,
    timed_out,
    unsendable,
)

_AUTH = 401
_LONGEST_RETRY_AFTER_S = 60.0
#: litellm puts its own class, the SDK's and the vendor's before what the endpoint said.
_PREFIX = re.compile(
    r"(?:litellm\.\w+: |\w+ ?(?:Error|Exception)(?::| -) )+(?:Error code: \d+ - )?"
)
#: The key may be one that litellm found in the environment, which is not known here.
_KEY = re.compile(r"\b(?:(?:sk|gsk|xai|pk)[-_]|AIza)[-_A-Za-z0-9]{12,}")
_NO_VENDOR = "LLM Provider NOT provided"
_NO_KEY = re.compile(r"missing credentials|api_key client option|missing .* api key", re.IGNORECASE)
_LOST = re.compile(r"connection error|connection refused|name resolution", re.IGNORECASE)
_UNREADABLE = re.compile(r"(?:empty or )?invalid response", re.IGNORECASE)
_SURROGATE = "surrogates not allowed"


def may_pass(error: Exception) -> bool:
    """Whether a second call may do better; a time-out is not worth it."""
    status = getattr(error, "status_code", None)
    if is_a(error, "APITimeoutError") or not isinstance(status, int):
        return False
    ours = (_NO_KEY, _UNREADABLE, re.compile(_SURROGATE))
    return (status == 429 or status >= 500) and not any(o.search(str(error)) for o in ours)


def retry_after(error: Exception) -> float | None:
    """The seconds that the endpoint asks for; None where it does not, or for over a minute."""
    headers = getattr(error, "litellm_response_headers", None) or {}
    try:
        seconds = float(headers.get("retry-after", 0))
    except ValueError:
        return None
    return seconds if 0 < seconds <= _LONGEST_RETRY_AFTER_S else None


@contextlib.contextmanager
def known_errors(call: Call) -> Iterator[None]:
    """Raise ProviderErrors in place of litellm's; no message holds a key."""
    try:
        yield
    except ProviderError:
        raise
    except Exception as error:  # noqa: BLE001 - it is raised again as a ProviderError
        inner = getattr(error, "original_exception", None)
        found = _known(inner if isinstance(inner, Exception) else error, call)
        raise type(found)(_KEY.sub("[key]", str(found))) from None


def _known(error: Exception, call: Call) -> ProviderError:
    words, status = _words(error), getattr(error, "status_code", None)
    if is_a(error, "APITimeoutError"):
        return timed_out(error, call)
    for pattern, make in _BY_WORDS:
        if re.search(pattern, words):
            return make(words, call)
    if isinstance(status, int) and not is_a(error, "APIConnectionError"):
        return of_status(status, words, call)
    return Unavailable(
        f"litellm could not get an answer of {call.model!r} ({type(error).__name__}: "
        f"{server_words(words) or 'no message'}): check the model's name and its settings, or "
        "name a fallback model"
    )


def _words(error: Exception) -> str:
    return _PREFIX.sub("", str(error), count=1)


def _no_vendor(_words: str, call: Call) -> ProviderError:
    return UnknownModel(
        f"litellm does not know whose model {call.model!r} is: write the vendor before it, as in "
        f"'openai/{call.model}' (https://docs.litellm.ai/docs/providers)"
    )


def _no_key(words: str, call: Call) -> ProviderError:
    return of_status(_AUTH, words, call)


def _lost(words: str, call: Call) -> ProviderError:
    return no_connection(Exception(words), call)


def _unreadable(_words: str, call: Call) -> ProviderError:
    return BadReply(
        f"{call.host} sent something that is no answer of {call.model!r}: check api_base "
        f"{call.base_url!r}, and whether a proxy or a login page stands in between"
    )


_BY_WORDS = (
    (_NO_VENDOR, _no_vendor),
    (_NO_KEY, _no_key),
    (_LOST, _lost),
    (_UNREADABLE, _unreadable),
    (_SURROGATE, lambda words, call: unsendable(Exception(words), call)),
)
