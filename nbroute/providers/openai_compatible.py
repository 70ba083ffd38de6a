"""Endpoints that speak the OpenAI chat API: OpenRouter, OpenAI, Ollama, vLLM, LM Studio, proxies.

Which parameters a model takes is learnt from the endpoint's own 400, not from a list of names.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from nbroute.errors import AuthError, SettingsError
from nbroute.providers.openai_errors import Call, Overdue, is_a, secrets_in, translated
from nbroute.providers.openai_replies import (
    answer_in,
    model_names,
    streamed,
    whole,
)
from nbroute.providers.openai_requests import Quirks
from nbroute.providers.usage import generation_usage
from nbroute.types import Chunk, ProviderKind, Request, Usage

#: What an endpoint without that route answers.
_NO_SUCH_ROUTE = (404, 405, 501)


class OpenAICompatible:
    """A provider over any base URL, through the openai SDK.

    The SDK retries what may pass (`max_retries`, Retry-After), but not a time-out: `timeout_s`
    is the longest silence, before the first byte or between two. `api_key` and `api_key_env`
    both None is an endpoint that wants no key. `token_parameter` names the token limit where
    neither `max_completion_tokens` (on api.openai.com) nor `max_tokens` (elsewhere) is right.

    A last chunk with the usage may be followed by a BadReply: an empty answer costs, too.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str | None,
        *,
        kind: ProviderKind = "remote",
        timeout_s: float = 60.0,
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
        self.timeout_s = timeout_s
        self._max_retries = max_retries
        self._api_key = api_key
        self._api_key_env = api_key_env
        usual = "max_completion_tokens" if self.host == "api.openai.com" else "max_tokens"
        self._quirks = Quirks(token_parameter or usual)
        self._sdk: Any = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Show the name and the host, no key."""
        return f"<OpenAICompatible {self.name!r} at {self.host}>"

    def send(self, request: Request) -> Iterator[Chunk]:
        """Send, and yield the reply's pieces; see `Provider.send`."""
        with self._calling(request.model) as call:
            import openai

            client = self._client()
            # The SDK's way for plain JSON: what `chat.completions.create` adds, a walk over 40
            # parameters and a typed copy of the answer, takes a fifth of a call's time.
            answer = self._quirks.ask(
                request,
                lambda parameters: client.post(
                    "/chat/completions",
                    body=parameters,
                    cast_to=object,
                    stream=request.stream,
                    stream_cls=openai.Stream[object],
                ),
            )
            if not request.stream:
                yield from whole(answer, request, call)
                return
            call.answering = True
            with contextlib.closing(answer):
                yield from streamed(answer, request, call)

    def models(self) -> list[str]:
        """List the models that the endpoint says it has."""
        with self._calling("GET /models") as call:
            return model_names(self._client().get("/models", cast_to=object), call)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The plain JSON that the endpoint answers to a POST of `body` at `path` below base_url.

        With the same key, retries and time-out as `send`. Raises ProviderErrors.
        """
        with self._calling(str(body.get("model", f"POST {path}"))) as call:
            return answer_in(self._client().post(path, body=dict(body), cast_to=object), call)

    def settle(self, generation: str) -> Usage | None:
        """What the answer of that id (`Chunk.id`) cost, as OpenRouter keeps it in its books.

        For a stream that ended before its usage came. None where the endpoint keeps no books
        and also until OpenRouter has the entry, some seconds after the answer. The tokens are
        the model's own. Source: https://openrouter.ai/docs/api-reference/get-a-generation
        """
        with self._calling(f"generation {generation}"):
            try:
                found = self._client().get(
                    "/generation", cast_to=object, options={"params": {"id": generation}}
                )
            except Exception as error:
                if getattr(error, "status_code", None) in _NO_SUCH_ROUTE:
                    return None
                raise
        return generation_usage(found)

    def secrets(self) -> list[str]:
        """Its key, and the user and the password in its address."""
        return secrets_in(self.base_url, self._api_key)

    def close(self) -> None:
        """Close the connections; a later `send` opens new ones."""
        with self._lock:
            sdk, self._sdk = self._sdk, None
        if sdk is not None:
            sdk.close()

    @contextlib.contextmanager
    def _calling(self, model: str) -> Iterator[Call]:
        """A call with the key checked, in which the SDK's errors are translated."""
        key, key_env = self._api_key, self._api_key_env
        call = Call(self.host, self.base_url, model, self.timeout_s, key, key_env)
        with translated(call):
            if not key and (key is not None or key_env is not None):
                raise AuthError(
                    f"the provider {self.name!r} has no key: set {call.key_place}, then "
                    "`%route use PROFILE`"
                )
            if not all("!" <= character <= "~" for character in key or ""):
                raise AuthError(
                    f"the key of the provider {self.name!r} has a space, a line break or a "
                    f"character outside ASCII in it and cannot be sent: set {call.key_place} again"
                )
            yield call

    def _client(self) -> Any:
        with self._lock:
            if self._sdk is not None:
                return self._sdk
            import openai

            class Punctual(openai.DefaultHttpxClient):
                def send(self, *args: Any, **options: Any) -> Any:
                    try:
                        return super().send(*args, **options)
                    except Exception as error:
                        if is_a(error, "TimeoutException"):
                            raise Overdue from error
                        raise

            base_url = self.base_url
            timeout = openai.Timeout(self.timeout_s, connect=min(self.timeout_s, 10))
            host = urlsplit(base_url).hostname or ""
            # A proxy of the environment cannot reach a server on this machine.
            trust_env = host not in ("localhost", "::1") and not host.startswith("127.")
            self._sdk = openai.OpenAI(
                api_key=self._api_key or "none",
                base_url=base_url,
                timeout=timeout,
                max_retries=self._max_retries,
                http_client=Punctual(base_url=base_url, timeout=timeout, trust_env=trust_env),
            )
            return self._sdk
