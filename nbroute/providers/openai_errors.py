"""Turn the openai SDK's exceptions into ProviderErrors that say the cure; see `translated`.

Exceptions are recognised by class name: SDK 2.x is built on httpx and 3.x on httpx2, and 2.x lets
httpx errors through in the middle of a stream. The kind of an error is read from its words and
codes first, and from its status only if they say nothing: `errors.toml`.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from nbroute import errors
from nbroute.decoding import packaged
from nbroute.errors import BadReply, ProviderError, RequestRejected, TimedOut, Unavailable
from nbroute.providers.keys import scrubbed
from nbroute.providers.retries import seconds_asked

#: The default deadline of a call, in time-outs.
DEADLINE = 10
#: Seconds: Python cannot wait more than nine times as long.
LONGEST = 1e9
_LONGEST_QUOTE, LONGEST_READ = 300, 4000


class Final(BaseException):
    """Carries a ProviderError that asking again would not cure.

    It is not an Exception, because the SDK would retry one: with two retries a time-out of 60 s
    would take 180.
    """


@dataclass(slots=True)
class Call:
    """What an error message needs to know; `answering` is set once the reply has begun.

    `headers` are the answer's, and `due` is when `deadline_s` is over by `time.monotonic`.
    """

    host: str
    base_url: str
    model: str
    timeout_s: float
    api_key: str | None = field(repr=False)
    api_key_env: str | None
    answering: bool = False
    deadline_s: float = math.inf
    due: float = math.inf
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def key_place(self) -> str:
        """Where the user sets the key."""
        if self.api_key_env:
            return f"the environment variable {self.api_key_env}"
        return "the key (api_key_env in nbroute.toml names the environment variable that has it)"

    @property
    def money_place(self) -> str:
        """Where the user adds credit."""
        pages = _DATA["credit"].items()
        known = (page for vendor, page in pages if f".{self.host}".endswith(f".{vendor}"))
        return next(known, self.host)


#: A byte that is not UTF-8 (PEP 383), which we then read as Latin-1.
_LATIN = re.compile("[\udc80-\udcff]")
_TITLE = re.compile(r"<title\b[^>]{0,99}>\s*([^<]*[^<\s])", re.IGNORECASE)


#: What an error is, and the name of its cure.
_Kind = Mapping[str, Any]
_DATA = packaged("nbroute.providers", "errors.toml")
_KINDS: list[tuple[_Kind, re.Pattern[str]]] = [
    (row, re.compile("|".join(row["words"]), re.IGNORECASE)) for row in _DATA["kinds"]
]
_STATUSES: Mapping[str, _Kind] = _DATA["statuses"]


def secrets_in(base_url: str, *keys: str | None) -> list[str]:
    """The keys, and the user and the password in the address."""
    with contextlib.suppress(ValueError):  # not an address that could be asked
        address = urlsplit(base_url)
        keys = (*keys, address.username, address.password)
    return [key for key in keys if key]


def server_words(body: object, call: Call) -> str:
    """Find the endpoint's own message in a body: one line, at most 300 characters, no key."""
    message = _LATIN.sub(lambda found: chr(ord(found[0]) - 0xDC00), _message(body)[:LONGEST_READ])
    message = "".join(c if c.isprintable() else " " for c in message)
    if "%20" in message:  # xAI's, by https://github.com/i-am-bee/beeai-framework/issues/447
        message = unquote(message)
    words = scrubbed(" ".join(message.split()), secrets_in(call.base_url, call.api_key))
    return words if len(words) <= _LONGEST_QUOTE else f"{words[:_LONGEST_QUOTE]}..."


def is_html(text: str) -> bool:
    """Whether the text is a web page."""
    return text.lstrip()[:9].lower().startswith(("<!doctype", "<html", "<head", "<body"))


def is_a(error: object, *names: str) -> bool:
    """Whether the error's class, or one of its bases, has one of the names."""
    return any(base.__name__ in names for base in type(error).__mro__)


def no_json(call: Call, text: str) -> BadReply:
    """Say that the body is not JSON, and what it is instead: usually a gateway's page."""
    if text.lstrip().startswith("{"):
        return BadReply(
            f"{call.host} answered {call.model!r} with JSON that is cut off or damaged "
            f"({server_words(text, call)}): ask again, or name a fallback model"
        )
    what = "something that is not JSON" if text.strip() else "nothing"
    if is_html(text):
        what = server_words(text, call)
    elif text.strip() and "<html" not in text.lower():
        what += f" ({server_words(text, call)})"
    return BadReply(
        f"{call.host} answered with {what} instead of an answer: check base_url "
        f"{call.base_url!r}, and whether a proxy or a login page is in between"
    )


def of_status(status: int, body: object, call: Call, wait: float | None = None) -> ProviderError:
    """Make the error of a failed HTTP status; `wait` is how many seconds the server asks for."""
    words = server_words(body, call) or "no message"
    rest = "5xx" if status >= 500 else "4xx" if status >= 400 else "3xx"
    kind = _kind_of(status, body) or _STATUSES[rest]
    if status in (400, 403) and is_html(str(body)):
        kind = _STATUSES["page"]
    if kind["error"] == "UnknownModel":
        answered = f"{call.host} does not have the model {call.model!r} ({status}: {words})"
    else:
        answered = f"{call.host} answered {status} to {call.model!r}: {words}"
    return _cured(kind, answered, call, wait)


def _kind_of(status: int, body: object) -> _Kind | None:
    """The kind of error by its words, its codes and last its status; None where none decides."""
    told = unquote(words_in(body)[:LONGEST_READ])
    for kind, known in _KINDS:
        if status in kind["statuses"] and known.search(told):
            return kind
    return _STATUSES.get(str(status))


def words_in(body: object) -> str:
    """All names and values of the body as one text, without its quotes of the prompt."""
    if isinstance(body, Mapping):
        quoted = _DATA["bodies"]["quoted"]
        kept = ((name, "" if name in quoted else words_in(value)) for name, value in body.items())
        return "\n".join(f"{name}: {value}" for name, value in kept)
    if isinstance(body, list | tuple):
        return "\n".join(map(words_in, body))
    return "" if is_html(str(body)) else str(body)


def _cured(kind: _Kind, told: str, call: Call, wait: float | None = None) -> ProviderError:
    ended = told if told.endswith((".", "!", "?", "。")) else f"{told}."
    cure = _DATA["cures"][kind["cure"]].format(
        key_place=call.key_place,
        money_place=call.money_place,
        base_url=call.base_url,
        wait=f"{wait:,.0f} s" if wait and 1 <= wait < 1e6 else "a little",
    )
    error: type[ProviderError] = getattr(errors, kind["error"])
    return error(f"{ended} {cure}")


def timed_out(call: Call) -> ProviderError:
    """Make the error of an answer that came too late or took too long."""
    if time.monotonic() >= call.due:
        return TimedOut(
            f"the answer of {call.model!r} from {call.host} was not finished after "
            f"{call.deadline_s:g} s: raise deadline_s, or name a fallback model"
        )
    how = "nothing more of the answer came" if call.answering else "no answer came"
    return TimedOut(
        f"{how} from {call.host} to {call.model!r} within {call.timeout_s:g} s: "
        "try again, raise timeout_s, or name a fallback model"
    )


def no_connection(words: str, call: Call) -> ProviderError:
    """Make the error of a connection that could not be made or that broke."""
    detail = server_words(words, call)
    if call.answering:
        return Unavailable(
            f"the answer of {call.model!r} from {call.host} broke off half-way "
            f"({detail}): ask again"
        )
    where = f"{call.host} {detail}"
    cure = next(cure for words, cure in _DATA["broken"].items() if words in where)
    return Unavailable(
        f"no connection to {call.host} ({detail}): {cure} base_url is {call.base_url!r}"
    )


def error_inside(body: object, call: Call) -> ProviderError:
    """Make the error of an error object that came instead of an answer."""
    code = body.get("code") if isinstance(body, Mapping) else None
    status = int(str(code)) if re.fullmatch(r"4\d\d", str(code)) else 200
    kind = _kind_of(status, body) or _STATUSES["inside"]
    words = server_words(body, call) or "no message"
    sent = f"{call.host} sent an error instead of an answer from {call.model!r}"
    found = _cured(kind, f"{sent}: {words}", call)
    found.status_code = status
    return found


def unsendable(words: object) -> ProviderError:
    """Make the error of half a surrogate pair in the prompt."""
    return RequestRejected(
        f"the prompt has a character that cannot be sent ({words}): take it out, for example "
        "with prompt.encode('utf-8', 'replace').decode()"
    )


def of_sdk(error: BaseException, call: Call) -> ProviderError | None:
    """Make the error of an SDK exception; None for one that is not the endpoint's fault."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return of_status(status, getattr(error, "body", None), call, seconds_asked(error))
    if is_a(error, "TimeoutException"):
        return timed_out(call)
    if is_a(error, "APIConnectionError", "RequestError", "StreamError"):
        return no_connection(str(error.__cause__ or error), call)
    return unsendable(error) if isinstance(error, UnicodeEncodeError) else None


@contextlib.contextmanager
def translated(
    call: Call, make: Callable[[BaseException, Call], ProviderError | None] = of_sdk
) -> Iterator[None]:
    """Raise ProviderErrors instead of a library's own errors; no message contains a key.

    The cause is dropped and emptied: the SDK's exceptions carry the request, with the key in its
    headers.
    """
    try:
        yield
    except (Exception, Final) as raised:
        found = raised.args[0] if isinstance(raised, Final) else raised
        if not isinstance(found, ProviderError):
            found = make(found, call)
        if found is None:
            raise
        if raised is not found:
            raised.args = ()
            vars(raised).clear()
        found.args = (scrubbed(str(found), secrets_in(call.base_url, call.api_key), ours=True),)
        raise found from None


def told_in(body: object) -> Any:
    """The error in a body, wherever a vendor or a gateway puts it."""
    if isinstance(body, list):  # Gemini's: https://github.com/Simpleyyt/ai-manus/issues/101
        body = next(iter(body), None)
    if not isinstance(body, Mapping):
        return None
    told = (body.get(name) for name in _DATA["bodies"]["telling"])
    # A flag or a number (`"error": true`) says nothing.
    return next((one for one in told if one and not isinstance(one, int | float)), None)


def _message(body: object) -> str:
    if isinstance(body, str):
        title = _TITLE.search(body[:LONGEST_READ])
        named = f" called '{title[1]:.80}'" if title else ""
        return f"a web page (HTML){named}" if is_html(body) else body
    if isinstance(body, list):
        return "; ".join(_message(part) for part in body[:3])
    if not isinstance(body, Mapping):
        return "" if body is None else str(body)
    inner = told_in(body)
    words = json.dumps(dict(body), default=str) if inner is None else _message(inner)
    # FastAPI servers (vLLM) name the field at fault in `loc`; OpenRouter quotes the provider behind
    # it in `metadata`.
    place, metadata = body.get("loc"), body.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    field = ".".join(map(str, place)) if isinstance(place, list) else ""
    return ": ".join(filter(None, [field, words, str(raw or "")]))
