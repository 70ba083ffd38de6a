"""Endpoints that speak the OpenAI chat API: OpenRouter, OpenAI, Ollama, vLLM, LM Studio, proxies.

Which parameters a model takes is learnt from the endpoint's own 400, not from a list of names.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from nbroute.errors import AuthError, BadReply, ProviderError, SettingsError
from nbroute.locks import Lock, unforked
from nbroute.providers import wire
from nbroute.providers.connection import http_client, raw_response
from nbroute.providers.keys import Key
from nbroute.providers.openai_errors import (
    DEADLINE,
    LONGEST,
    Call,
    of_sdk,
    secrets_in,
    translated,
)
from nbroute.providers.openai_replies import answer_in, model_names, pieces
from nbroute.providers.refusals import Body, Quirks, lasting
from nbroute.providers.retries import retried
from nbroute.providers.served import LISTS
from nbroute.providers.token_limits import Limits, listed_in
from nbroute.providers.usage import generation_usage
from nbroute.types import Chunk, ProviderKind, Request, Usage

_OPENAI = "api.openai.com"
#: Hosts with their own header for a key, and how an Entra token begins, which is sent as usual:
#: https://learn.microsoft.com/azure/ai-foundry/openai/reference (Authentication).
_AZURE, _TOKEN = (".azure.com", ".azure.us", ".azure.cn"), "eyJ"
#: The statuses of an endpoint without that route.
_NO_SUCH_ROUTE = (404, 405, 501)


class OpenAICompatible:
    """A provider over any base URL, through the openai SDK.

    Errors that may pass are retried (`max_retries`, Retry-After), time-outs are not. `timeout_s`
    is the longest silence, before the first byte or between two, and `deadline_s` (by default
    ten times that) the longest an answer may take. An endpoint that needs no key has neither
    `api_key` nor `api_key_env`. `token_parameter` names the token limit where neither
    `max_completion_tokens` (on api.openai.com) nor `max_tokens` (elsewhere) is right.

    A BadReply may follow the last chunk, the one with the usage: an empty answer costs money too.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str | None,
        *,
        kind: ProviderKind = "remote",
        timeout_s: float = 60.0,
        deadline_s: float | None = None,
        max_retries: int = 2,
        token_parameter: str | None = None,
        api_key_env: str | None = None,
    ) -> None:
        self.name = name
        self.kind: ProviderKind = kind
        self.base_url = base_url
        address = urlsplit(base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise SettingsError(
                f"base_url {base_url!r} of the provider {name!r} is not a web address; "
                "write it like 'https://openrouter.ai/api/v1'"
            )
        self.host = address.netloc.rpartition("@")[2]
        self.timeout_s = min(timeout_s, LONGEST)
        self.deadline_s = min(deadline_s or DEADLINE * timeout_s, LONGEST)
        self._max_retries = max_retries
        self._api_key = Key(api_key) if api_key else api_key
        self._api_key_env = api_key_env
        usual = "max_completion_tokens" if self.host == _OPENAI else "max_tokens"
        self._quirks = Quirks(token_parameter or usual, self.host)
        self._sdk: Any = None
        self._owner = 0
        self._headers: dict[str, Any] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<OpenAICompatible {self.name!r} at {self.host}>"

    def send(self, request: Request) -> Iterator[Chunk]:
        """Send, and yield the reply's pieces; see `Provider.send`."""
        with self._calling(request.model) as call:

            def post(body: Body) -> Generator[Chunk, None, None]:
                answer = yield from self._opened(call, request, "/chat/completions", body=body)
                with contextlib.closing(answer):
                    yield from pieces(wire.values(answer, call), request, call)

            def listed() -> Limits | None:
                with contextlib.suppress(Exception):  # the refusal is reported instead
                    return listed_in(self._value(call, "/models"), call.model)
                return None

            yield from self._quirks.ask(request, call, post, listed)

    def models(self) -> list[str]:
        """List the endpoint's models that chat, smallest first."""
        with self._calling("GET /models") as call:
            page, own = self._value(call, "/models"), []
            # A local server's own lists, next to OpenAI's; those that fail are left out.
            root, soon = self.base_url.rstrip("/").removesuffix("/v1"), {"timeout": 5}
            for path in LISTS if self.kind == "local" else ():
                with (
                    contextlib.suppress(ProviderError),
                    self._calling(f"GET {path}") as asked,
                    contextlib.closing(self._open(asked, f"{root}{path}", options=soon)) as answer,
                ):
                    own.append(next(wire.values(answer, asked)))
            return model_names(page, call, *own)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that answers a POST of `body` to `path` under base_url.

        The key, the retries and the time-out are those of `send`. Raises ProviderErrors.
        """
        with self._calling(str(body.get("model", f"POST {path}"))) as call:
            return answer_in(self._value(call, path, body=dict(body)), call)

    def settle(self, generation: str) -> Usage | None:
        """What the answer with that id (`Chunk.id`) cost, from OpenRouter's records.

        For a stream that ended before its usage came. None if the endpoint keeps no records, and
        until OpenRouter has the entry, some seconds after the answer. The tokens are the model's
        own. Source: https://openrouter.ai/docs/api-reference/get-a-generation
        """
        with self._calling(f"generation {generation}") as call:
            try:
                options = {"params": {"id": generation}}
                return generation_usage(self._value(call, "/generation", options=options))
            except BadReply:
                return None
            except Exception as error:
                if getattr(error, "status_code", None) in _NO_SUCH_ROUTE:
                    return None
                raise

    def secrets(self) -> list[str]:
        """Its key, and the user and the password in its address."""
        return secrets_in(self.base_url, self._api_key)

    def close(self) -> None:
        """Close the connections; a later `send` opens new ones."""
        with self._lock:
            sdk, self._sdk = self._sdk, None
        if sdk is not None and self._owner == os.getpid():
            sdk.close()

    @contextlib.contextmanager
    def _calling(self, model: str) -> Iterator[Call]:
        """A call whose key is checked and in which the SDK's errors are translated."""
        call = Call(
            self.host, self.base_url, model, self.timeout_s, self._api_key, self._api_key_env
        )
        call.deadline_s = self.deadline_s
        with translated(call):
            # The key is in no variable here: debuggers show the variables of a failed call.
            keyless = self._api_key is None and self._api_key_env is None
            if not (self._api_key or keyless):
                raise AuthError(
                    f"the provider {self.name!r} has no key: set {call.key_place}, then "
                    "`%route use PROFILE`"
                )
            if not all("!" <= character <= "~" for character in self._api_key or ""):
                raise AuthError(
                    f"the key of the provider {self.name!r} has a space, a line break or a "
                    f"character outside ASCII in it and cannot be sent: set {call.key_place} again"
                )
            yield call

    def _value(self, call: Call, path: str, **options: Any) -> Any:
        """The one JSON value of the answer."""
        waiting = self._opened(call, None, path, **options)
        while True:
            try:
                next(waiting)
            except StopIteration as end:
                with contextlib.closing(end.value) as answer:
                    return next(wire.values(answer, call))

    def _opened(
        self, call: Call, request: Request | None, path: str, **options: Any
    ) -> Generator[Chunk, None, Any]:
        """What `_open` returns, with retries."""
        return retried(
            lambda: self._open(call, path, **options),
            request,
            self._max_retries,
            lambda error: None if lasting(error) else of_sdk(error, call),
        )

    def _open(self, call: Call, path: str, **options: Any) -> Any:
        """An answer with only its headers read; a `body` is posted."""
        client = self._client()
        wire.reading.call = call
        ask = client.post if "body" in options else client.get
        options["options"] = {**options.get("options", {}), "headers": self._headers}
        # `chat.completions.create` walks over 40 parameters and makes a typed copy of the answer,
        # a fifth of a call's time; and only a raw answer can be limited in size.
        try:
            answer = ask(path, cast_to=raw_response(), stream=True, **options)
        except Exception as error:
            response: Any = getattr(error, "response", None)
            if response is not None:  # the SDK keeps only what is under "error"
                error.__dict__["body"] = wire.said(response.content)
            raise
        call.answering, call.headers = True, answer.headers
        return answer

    def _client(self) -> Any:
        with self._lock, unforked:
            # A forked process shares its parent's connections and must not use them.
            if self._sdk is not None and self._owner == os.getpid():
                return self._sdk
            import openai

            address = urlsplit(self.base_url)
            plain = address._replace(query="", fragment="").geturl()
            query = dict(parse_qsl(address.query))
            timeout = openai.Timeout(self.timeout_s, connect=min(self.timeout_s, 10))
            connections = http_client(plain, timeout)  # before the key is in a variable
            key = self._api_key or "none"
            azure = (address.hostname or "").endswith(_AZURE) or "api-version" in query
            if azure and not key.startswith(_TOKEN):
                self._headers = {"api-key": key, "Authorization": openai.Omit()}
            sdk = openai.OpenAI(
                api_key=key,
                base_url=plain,
                timeout=timeout,
                max_retries=0,  # see `_opened`
                http_client=connections,
                default_query=query,
            )
            if self.host != _OPENAI:
                # The SDK takes them from the environment for any host.
                sdk.organization = sdk.project = None
                sdk._custom_headers = {}  # noqa: SLF001 - OPENAI_CUSTOM_HEADERS is in it
            # The first headers take a lock of Python's `platform`, which a fork does not renew.
            _ = sdk.default_headers
            self._sdk, self._owner = sdk, os.getpid()
            return self._sdk
