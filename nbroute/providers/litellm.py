"""LiteLLM as a library: the endpoints that do not speak the OpenAI chat API.

A LiteLLM proxy needs none of this: it is an OpenAI-compatible endpoint.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from nbroute.errors import SettingsError
from nbroute.providers.litellm_errors import known_errors, may_pass, retry_after
from nbroute.providers.openai_errors import Call, secrets_in, translated
from nbroute.providers.openai_replies import pieces, usage_in, whole
from nbroute.providers.openai_requests import Manners, parameters_of
from nbroute.types import Chunk, ProviderKind, Request

#: While it is imported, litellm fetches a price list from the network and sets the environment
#: from a file `.env`, unless its environment says otherwise.
_WHILE_IMPORTED = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}

#: The waits of the openai SDK, in seconds.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0

_importing = threading.Lock()


class LiteLLM:
    """A provider over `litellm.completion`; a model's name is litellm's (`openai/gpt-4o-mini`).

    Without `api_key`, litellm takes the vendor's own variable from the environment. Retries
    and time-outs are as in `OpenAICompatible`. What litellm thinks a call cost is not used, and
    where it counts a stream's tokens itself, `Usage.estimated` is set.

    `send` raises SettingsError where litellm is not installed.
    """

    def __init__(
        self,
        name: str = "litellm",
        *,
        timeout_s: float = 60.0,
        api_key: str | None = None,
        api_base: str | None = None,
        max_retries: int = 2,
        api_key_env: str | None = None,
        kind: ProviderKind = "remote",
    ) -> None:
        self.name = name
        self.kind: ProviderKind = kind
        self.base_url = api_base or ""
        self.timeout_s = timeout_s
        self._api_key = api_key
        self._api_key_env = api_key_env
        self._max_retries = max_retries
        self._manners = Manners()

    def __repr__(self) -> str:
        """Show the name and the address, no key."""
        return f"<LiteLLM {self.name!r} at {self._host}>"

    def send(self, request: Request) -> Iterator[Chunk]:
        """Send, and yield the reply's pieces; see `Provider.send`."""
        litellm = _litellm()
        call = Call(
            self._host,
            self.base_url or "litellm's own",
            request.model,
            self.timeout_s,
            self._api_key,
            self._api_key_env,
        )
        with translated(call), known_errors(call):
            answer = self._create(litellm, request)
            if not request.stream:
                yield from map(_counted, whole(answer, request, call))
                return
            call.answering = True
            with contextlib.closing(_Stream(answer)) as stream:
                yield from map(stream.counted, pieces(stream, request, call))

    def secrets(self) -> list[str]:
        """Its key, and the user and the password in its address."""
        return secrets_in(self.base_url, self._api_key)

    def close(self) -> None:
        """Do nothing: the connections are litellm's own."""

    @property
    def _host(self) -> str:
        return urlsplit(self.base_url).netloc.rpartition("@")[2] or "litellm"

    def _create(self, litellm: Any, request: Request) -> Any:
        return self._manners.ask(
            request,
            lambda quirks: parameters_of(request, quirks, "max_tokens"),
            lambda parameters: self._completion(litellm, parameters),
        )

    def _completion(self, litellm: Any, parameters: dict[str, Any]) -> Any:
        """Call; again after errors that may pass, a time-out not being one.

        Of litellm's own retries, some vendors' are none and others ask a silent endpoint again.
        """
        count = 0
        while True:
            try:
                return litellm.completion(
                    **parameters,
                    api_key=self._api_key,
                    api_base=self.base_url or None,
                    timeout=self.timeout_s,
                    max_retries=0,
                    drop_params=True,
                )
            except Exception as error:
                if count == self._max_retries or not may_pass(error):
                    raise
                time.sleep(retry_after(error) or _wait(count))
                count += 1


class _Stream:
    """A stream of litellm's, with what litellm made up taken out."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The events as plain JSON; a stream that just ends has no finish_reason."""
        for event in self._answer:
            plain = event.model_dump()
            if not self._finished:
                for choice in plain.get("choices") or []:
                    choice["finish_reason"] = None
            yield plain

    def counted(self, chunk: Chunk) -> Chunk:
        """The chunk, its usage marked as estimated where no event brought it."""
        if chunk.usage is None:
            return chunk
        told = [usage for event in self._events if (usage := usage_in(event))]
        billed = next((one.billed_usd for one in told if one.billed_usd is not None), None)
        usage = replace(chunk.usage, billed_usd=billed, estimated=not told)
        return replace(chunk, usage=usage)

    def close(self) -> None:
        """Close the connection, which litellm keeps open."""
        close = getattr(getattr(self._answer, "completion_stream", None), "close", None)
        if callable(close):
            close()

    @property
    def _finished(self) -> bool:
        names = ("received_finish_reason", "intermittent_finish_reason")
        return any(getattr(self._answer, name, "as it says") for name in names)

    @property
    def _events(self) -> list[Any]:
        return list(getattr(self._answer, "chunks", ()))


def _counted(chunk: Chunk) -> Chunk:
    """The chunk without the zeros that stand for a usage that did not arrive."""
    usage = chunk.usage
    return chunk if usage and usage.input_tokens else replace(chunk, usage=None)


def _litellm() -> Any:
    """The package, imported without a network and told to be quiet."""
    with _importing:
        fresh = "litellm" not in sys.modules
        try:
            with _environment(_WHILE_IMPORTED if fresh else {}):
                import litellm
        except ImportError as error:
            raise SettingsError(
                f"LiteLLM is not installed ({error}): pip install 'nbroute[litellm]'"
            ) from None
        litellm.suppress_debug_info = True
        # litellm looks at every attribute of a stream's empty events.
        warnings.filterwarnings("ignore", r"Accessing the 'model_\w+' attr", module="litellm")
        if fresh:
            litellm.telemetry = False
            litellm.disable_streaming_logging = True
            logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
        return litellm


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables that are not set, and take them back."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _wait(count: int) -> float:
    longest = min(_FIRST_WAIT * 2.0**count, _LONGEST_WAIT)
    return longest * random.uniform(0.75, 1)  # noqa: S311 - it keeps threads apart, no secret
