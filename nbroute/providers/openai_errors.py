"""What the openai SDK raises, as ProviderErrors that say the cure. `translated` is the one door.

Exceptions are known by the names of their classes: the SDK's 2.x is built on httpx and its 3.x
on httpx2, and 2.x lets httpx errors through in the middle of a stream.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from nbroute.errors import (
    AuthError,
    BadReply,
    ProviderError,
    RateLimited,
    RequestRejected,
    TimedOut,
    Unavailable,
    UnknownModel,
)

_LONGEST_QUOTE = 300
_KEY_PREFIX = 8
#: The key may be one that litellm found in the environment, which is not known here.
_KEY = re.compile(r"\b(?:(?:sk|gsk|xai|pk)[-_]|AIza)[-_A-Za-z0-9]{12,}")
_UNKNOWN_MODEL = re.compile(
    r"not a valid model|unknown model|invalid model|model_not_found"
    r"|\bmodel\b[^.\n]{0,80}(?:not found|not exist)",
    re.IGNORECASE,
)


class Overdue(BaseException):
    """No answer in time.

    It is not an Exception, since the SDK would ask the silent endpoint again: with its two
    retries a time-out of 60 s would last 180.
    """


@dataclass(slots=True)
class Call:
    """What an error message needs to know; `answering` once the reply has begun."""

    host: str
    base_url: str
    model: str
    timeout_s: float
    api_key: str | None
    api_key_env: str | None
    answering: bool = False

    @property
    def key_place(self) -> str:
        """Where the user sets the key."""
        if self.api_key_env:
            return f"the environment variable {self.api_key_env}"
        return "the key (api_key_env in nbroute.toml names the environment variable that has it)"


def secrets_in(base_url: str, *keys: str | None) -> list[str]:
    """The keys, and the user and the password in the address."""
    with contextlib.suppress(ValueError):  # not an address that could be asked
        address = urlsplit(base_url)
        keys = (*keys, address.username, address.password)
    return [key for key in keys if key]


def server_words(body: object) -> str:
    """Find the endpoint's own message in a body; one line of at most 300 characters."""
    words = " ".join("".join(c if c.isprintable() else " " for c in _message(body)).split())
    return words if len(words) <= _LONGEST_QUOTE else f"{words[:_LONGEST_QUOTE]}..."


def is_html(text: str) -> bool:
    """Whether the text is a web page."""
    return text.lstrip()[:9].lower().startswith(("<!doctype", "<html", "<head", "<body"))


def is_a(error: object, *names: str) -> bool:
    """Whether the error's class or a base of it has one of the names."""
    return any(base.__name__ in names for base in type(error).__mro__)


def no_json(call: Call, text: str) -> BadReply:
    """Say that the body is not JSON; mostly it is a gateway's page."""
    what = "a web page (HTML)" if is_html(text) else "something that is not JSON"
    return BadReply(
        f"{call.host} answered with {what} in place of an answer: check base_url "
        f"{call.base_url!r}, and whether a proxy or a login page is in between"
    )


def of_status(status: int, body: object, call: Call) -> ProviderError:
    """Make the error of an HTTP status of 400 or more."""
    words = server_words(body) or "no message"
    if status == 404 or (status == 400 and _UNKNOWN_MODEL.search(f"{words} {body}")):
        check = "Check the model's name"
        if not re.search(r"\bmodel|endpoints? found", words, re.IGNORECASE):
            check += f" and base_url, which is {call.base_url!r} (it often ends in /v1)"
        return UnknownModel(
            f"{call.host} does not have the model {call.model!r} ({status}: {words}). {check}"
        )
    rest = _SERVER_FAULT if status >= 500 else _REJECTED
    error, says = _STATUSES.get(status, rest)
    answered = f"{call.host} answered {status} to {call.model!r}: {words}"
    return error(f"{answered}. {says.format(key_place=call.key_place)}")


_STATUSES: Mapping[int, tuple[type[ProviderError], str]] = {
    401: (AuthError, "Set {key_place} to a valid key"),
    402: (RateLimited, "Add credit there, or name a fallback model"),
    403: (AuthError, "Set {key_place} to one that may use this model"),
    408: (TimedOut, "Try again, or name a fallback model"),
    413: (RequestRejected, "Shorten the prompt"),
    429: (RateLimited, "Wait a little, or name a fallback model"),
}
_SERVER_FAULT = (Unavailable, "The fault is at its end: try again later, or name a fallback model")
_REJECTED = (RequestRejected, "Change the prompt or the option that it names")


def timed_out(call: Call) -> ProviderError:
    """Make the error of a silence that lasted too long."""
    how = "nothing more of the answer came" if call.answering else "no answer came"
    return TimedOut(
        f"{how} from {call.host} to {call.model!r} within {call.timeout_s:g} s: "
        "try again, raise timeout_s, or name a fallback model"
    )


def no_connection(words: str, call: Call) -> ProviderError:
    """Make the error of a connection that could not be made, or broke."""
    detail = server_words(words)
    if call.answering:
        return Unavailable(
            f"the answer of {call.model!r} from {call.host} broke off half-way "
            f"({detail}): ask again"
        )
    return Unavailable(
        f"no connection to {call.host} ({detail}): is it running, is there a network? "
        f"base_url is {call.base_url!r}"
    )


def error_inside(body: object, call: Call) -> BadReply:
    """Make the error of an error object that came where an answer should be."""
    return BadReply(
        f"{call.host} sent an error in place of an answer of {call.model!r}: "
        f"{server_words(body) or 'no message'}. Ask again, or name a fallback model"
    )


def unsendable(words: object) -> ProviderError:
    """Make the error of half a surrogate pair in the prompt."""
    return RequestRejected(
        f"the prompt has a character that cannot be sent ({words}): take it out, for example "
        "with prompt.encode('utf-8', 'replace').decode()"
    )


def of_sdk(error: BaseException, call: Call) -> ProviderError | None:
    """Make the error of what the openai SDK raised; None for what is not an endpoint's fault."""
    status = getattr(error, "status_code", None)
    found: ProviderError | None = None
    if isinstance(status, int) and status >= 400:
        found = of_status(status, getattr(error, "body", None), call)
    elif is_a(error, "Overdue", "APITimeoutError", "TimeoutException"):
        found = timed_out(call)
    elif is_a(error, "APIConnectionError", "RequestError", "StreamError"):
        found = no_connection(str(error.__cause__ or error), call)
    elif is_a(error, "APIError"):
        found = error_inside(getattr(error, "body", None) or str(error), call)
    elif is_a(error, "JSONDecodeError", "UnicodeDecodeError"):
        found = no_json(call, getattr(error, "doc", ""))
    elif isinstance(error, UnicodeEncodeError):
        found = unsendable(error)
    return found


@contextlib.contextmanager
def translated(
    call: Call, make: Callable[[BaseException, Call], ProviderError | None] = of_sdk
) -> Iterator[None]:
    """Raise ProviderErrors in place of a library's own; no message holds a key.

    The cause is dropped: the SDK's exceptions carry the request with the key in its headers.
    """
    try:
        yield
    except (Exception, Overdue) as error:
        found = error if isinstance(error, ProviderError) else make(error, call)
        if found is None:
            raise
        words, key = _KEY.sub("[key]", str(found)), call.api_key
        if key and len(key) <= _KEY_PREFIX:
            words = words.replace(key, "[key]")
        elif key:  # A server may show only its beginning.
            start = re.escape(key[:_KEY_PREFIX])
            words = re.sub(start + r"[^\s'\",;)}\]]*", "[key]", words)
        raise type(found)(words) from None


def _message(body: object) -> str:
    if isinstance(body, str):
        return "a web page (HTML)" if is_html(body) else body
    if isinstance(body, list):
        return "; ".join(_message(part) for part in body[:3])
    if not isinstance(body, Mapping):
        return "" if body is None else str(body)
    inner = next((body[k] for k in ("message", "error", "detail", "msg") if body.get(k)), None)
    words = json.dumps(dict(body), default=str) if inner is None else _message(inner)
    # FastAPI's servers (vLLM) name the field at fault in `loc`; OpenRouter keeps what the
    # provider behind it said in `metadata`.
    place, metadata = body.get("loc"), body.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    field = ".".join(map(str, place)) if isinstance(place, list) else ""
    return ": ".join(filter(None, [field, words, str(raw or "")]))
