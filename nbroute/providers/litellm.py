"""LiteLLM as a library: the endpoints that do not speak the OpenAI chat API.

A LiteLLM proxy does not need this: it is an OpenAI-compatible endpoint. litellm's exceptions
have the openai SDK's names, but a lost connection, a missing key and a page instead of an answer
may all be server errors of status 500, and only their words and their cause show which is which.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from nbroute.errors import BadReply, ProviderError, SettingsError, Unavailable, UnknownModel
from nbroute.locks import Lock, thread_for, unforked
from nbroute.providers.connection import fault
from nbroute.providers.keys import Key
from nbroute.providers.openai_errors import (
    DEADLINE,
    LONGEST,
    Call,
    Final,
    error_inside,
    is_a,
    no_connection,
    no_json,
    of_status,
    secrets_in,
    server_words,
    timed_out,
    translated,
    unsendable,
)
from nbroute.providers.openai_replies import pieces
from nbroute.providers.refusals import Body, Quirks, lasting, no_effort
from nbroute.providers.retries import retried, seconds_asked
from nbroute.providers.usage import Tally
from nbroute.types import Chunk, ProviderKind, Request

#: On import, litellm would fetch a price list from the network and read a `.env` file into the
#: environment.
_WHILE_IMPORTED = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}

#: litellm puts its own class, the SDK's and the vendor's before the endpoint's words.
_PREFIX = re.compile(
    r"(?:litellm\.\w+: |\w+ ?(?:Error|Exception)(?::| -) )+(?:Error code: \d+ - )?"
)
_RECEIVED = re.compile(r"Received: '(.*)'", re.DOTALL)

Causes = list[BaseException]
Value = TypeVar("Value")


class LiteLLM:
    """A provider over `litellm.completion`; a model's name is litellm's (`openai/gpt-4o-mini`).

    Without `api_key`, litellm takes the vendor's own variable from the environment. Retries,
    the time-out and the deadline are as in `OpenAICompatible`, but litellm reads the answer, whose
    size is not limited. litellm's estimate of a cost is not used, a LiteLLM proxy's charge is;
    where litellm counts a stream's tokens itself, `Usage.estimated` is set.

    `send` raises SettingsError where litellm is not installed.
    """

    def __init__(
        self,
        name: str = "litellm",
        *,
        timeout_s: float = 60.0,
        deadline_s: float | None = None,
        api_key: str | None = None,
        api_base: str | None = None,
        max_retries: int = 2,
        api_key_env: str | None = None,
        kind: ProviderKind = "remote",
    ) -> None:
        self.name = name
        self.kind: ProviderKind = kind
        self.base_url = api_base or ""
        self.timeout_s = min(timeout_s, LONGEST)
        self.deadline_s = min(deadline_s or DEADLINE * timeout_s, LONGEST)
        self._api_key = Key(api_key) if api_key else api_key
        self._api_key_env = api_key_env
        self._max_retries = max_retries
        self._quirks = Quirks("max_tokens")
        self._effortless: set[str] = set()

    def __repr__(self) -> str:
        return f"<LiteLLM {self.name!r} at {urlsplit(self.base_url).hostname or 'litellm'}>"

    def send(self, request: Request) -> Iterator[Chunk]:
        """Send, and yield the reply's pieces; see `Provider.send`."""
        host = urlsplit(self.base_url).netloc.rpartition("@")[2] or "litellm"
        address = self.base_url or "litellm's own"
        call = Call(host, address, request.model, self.timeout_s, self._api_key, self._api_key_env)
        call.deadline_s = self.deadline_s
        with translated(call, _translation):
            yield from self._quirks.ask(
                request, call, lambda body: self._answer(body, request, call)
            )

    def _answer(self, body: Body, request: Request, call: Call) -> Generator[Chunk, None, None]:
        model = request.model
        if "reasoning_effort" in body and not _takes_effort(model):  # litellm drops it silently
            untaken = no_effort(model, "LiteLLM says it does not take one")
            yield replace(untaken, notice="" if model in self._effortless else untaken.notice)
            self._effortless.add(model)
        answer = yield from retried(
            lambda: self._completion(body, call),
            request,
            self._max_retries,
            lambda error: None if lasting(error) else _translation(error, call),
        )
        if not body["stream"]:
            # The headers of a LiteLLM proxy behind it.
            hidden = getattr(answer, "_hidden_params", None) or {}
            told = (hidden.get("additional_headers") or {}).items()
            call.headers = {name.removeprefix("llm_provider-"): str(one) for name, one in told}
            plain: dict[str, Any] = answer.model_dump()
            for choice in plain.get("choices") or []:
                # litellm treats an ending that it does not know as a good one.
                own = choice.get("provider_specific_fields") or {}
                choice["finish_reason"] = own.get("native_finish_reason") or choice["finish_reason"]
            yield from pieces([plain], request, call)
            return
        call.answering = True
        try:
            for chunk in pieces(_events(answer, call), request, call):
                if chunk.usage is None:
                    yield chunk
                    continue
                # From the stream's events; estimated if none had it.
                tally = Tally(f"{call.host} {call.model}")
                for event in getattr(answer, "chunks", ()):
                    tally.add(event.model_dump())
                counted = replace(chunk.usage, billed_usd=None, estimated=True)
                yield replace(chunk, usage=tally.usage or counted)
        finally:
            # litellm keeps it open.
            close = getattr(getattr(answer, "completion_stream", None), "close", None)
            if callable(close):
                close()

    def secrets(self) -> list[str]:
        """Its key, and the user and the password in its address."""
        return secrets_in(self.base_url, self._api_key)

    def close(self) -> None:
        """Do nothing: the connections are litellm's own."""

    def _completion(self, body: Body, call: Call) -> Any:
        """Call once: some of litellm's own retries ask a silent endpoint again."""
        ask = partial(
            _litellm().completion,
            **body,
            api_key=self._api_key,
            api_base=self.base_url or None,
            timeout=self.timeout_s,
            max_retries=0,
            drop_params=True,
        )
        call.due = time.monotonic() + self.deadline_s
        return _in_time(ask, call)


def _in_time(work: Callable[[], Value], call: Call) -> Value:
    """What `work` returns; a wait in litellm that outlasts the call is abandoned."""
    outcome, thread = thread_for(work)
    thread.start()
    try:
        return outcome.result(max(0, call.due - time.monotonic()))
    except TimeoutError:
        if outcome.done():
            raise  # the work's own
        raise Final(timed_out(call)) from None


def _events(stream: Any, call: Call) -> Iterator[dict[str, Any]]:
    """The events as plain JSON, with the endpoint's own reason for the end.

    litellm adds an end to a stream that has none, and empty events.
    """
    events = iter(stream)
    while event := _in_time(lambda: next(events, None), call):
        plain: dict[str, Any] = event.model_dump()
        names = ("received_finish_reason", "intermittent_finish_reason")
        told = [getattr(stream, name) for name in names if hasattr(stream, name)]
        choices = plain.get("choices") or []
        for choice in choices:
            if told and choice.get("finish_reason"):
                choice["finish_reason"] = told[0] or told[1]
        plain["choices"] = [
            one for one in choices if one.get("finish_reason") or any(one["delta"].values())
        ]
        yield plain


def _takes_effort(model: str) -> bool:
    with contextlib.suppress(Exception):  # a wrong name is reported by the call itself
        return "reasoning_effort" in (_litellm().get_supported_openai_params(model=model) or ())
    return True


_importing = Lock()


def _litellm() -> Any:
    """The package, imported without network access and made quiet."""
    with _importing, unforked:
        fresh = "litellm" not in sys.modules
        added = {n: v for n, v in _WHILE_IMPORTED.items() if fresh and n not in os.environ}
        os.environ.update(added)
        try:
            import litellm
        except ImportError as error:
            raise SettingsError(
                f"LiteLLM is not installed ({error}): pip install 'nbroute[litellm]'"
            ) from None
        finally:
            for name in added:
                os.environ.pop(name, None)
        litellm.suppress_debug_info = True
        # litellm looks at every attribute of a stream's empty events.
        warnings.filterwarnings("ignore", r"Accessing the 'model_\w+' attr", module="litellm")
        if fresh:
            litellm.telemetry = False
            litellm.disable_streaming_logging = True
            logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
        return litellm


def _translation(error: BaseException, call: Call) -> ProviderError | None:
    if isinstance(error, SettingsError):
        return None
    causes: Causes = []
    cause: BaseException | None = error
    while cause is not None:
        causes.append(cause)
        cause = getattr(cause, "original_exception", None) or cause.__cause__ or cause.__context__
    error = getattr(error, "original_exception", None) or error
    words, status = _PREFIX.sub("", str(error), count=1), getattr(error, "status_code", None)
    inside = next(filter(None, map(_inside, causes)), None)
    if inside:
        return error_inside(inside, call)
    if is_a(error, "APITimeoutError"):
        return timed_out(call)
    if told := _by_its_words(words, causes, call):
        return told
    if isinstance(status, int) and not is_a(error, "APIConnectionError"):
        return of_status(status, words, call, seconds_asked(error))
    return Unavailable(
        f"litellm could not get an answer from {call.model!r} ({type(error).__name__}: "
        f"{server_words(words, call) or 'no message'}): check the model's name and its "
        "settings, or name a fallback model"
    )


def _inside(error: BaseException) -> Any:
    """The error that came instead of an answer, if that is what the exception is about."""
    status, told = getattr(error, "status_code", None), getattr(error, "message", None)
    if is_a(error, "APIError") and status is None:
        return getattr(error, "body", None)
    if "finish_reason: error" in str(error):
        return "it failed half-way (finish_reason 'error')"
    return {"message": told, "code": status} if type(error) is Exception and told else None


def _by_its_words(words: str, causes: Causes, call: Call) -> ProviderError | None:  # noqa: PLR0911 - one for each fault
    """The error that litellm's own words mean, whatever its status."""

    def say(pattern: str) -> bool:
        return re.search(pattern, words, re.IGNORECASE) is not None

    if say("LLM Provider NOT provided"):
        return UnknownModel(
            f"litellm does not know whose model {call.model!r} is: write the vendor before it, "
            f"as in 'openai/{call.model}' (https://docs.litellm.ai/docs/providers)"
        )
    if say("missing credentials|api_key client option|missing .* api key"):
        return of_status(401, words, call)
    if say("connection error|connection refused|name resolution"):
        lost = (str(one) for one in causes if is_a(one, "TransportError"))
        return no_connection(next(filter(None, lost), words), call)
    if say("SOCKS proxy|for proxy URL"):
        cause = next((one for one in causes if isinstance(one, ImportError)), None)
        msg = f"no connection to {call.host} can be made: {fault(cause)}"
        raise SettingsError(msg) from None
    if say("invalid response|received response"):
        pages = [getattr(one, "doc", "") for one in causes if is_a(one, "JSONDecodeError")]
        if pages := pages + _RECEIVED.findall(words):
            return no_json(call, pages[0])
        told = words.removeprefix("error - ").partition(", Received response")[0]
        told = "no choices in it" if "Traceback" in told else server_words(told, call)
        return BadReply(
            f"litellm cannot read what {call.host} sent instead of an answer from {call.model!r} "
            f"({told}): check base_url {call.base_url!r}, ask again, or name a fallback model"
        )
    if say("surrogates not allowed"):
        return unsendable(words)
    if say("repeating the same chunk"):
        return BadReply(
            f"litellm stopped the answer of {call.model!r} from {call.host}, which kept repeating "
            "itself: ask again, or name a fallback model"
        )
    return None
