"""The SDK's HTTP client, kept to its deadline and its host, with its errors in plain words.

SDK 2.x is built on httpx and 3.x on httpx2; what we use is the same in both.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nbroute.errors import SettingsError, Unavailable
from nbroute.providers import wire
from nbroute.providers.keys import stays_here
from nbroute.providers.openai_errors import Call, Final, is_a, no_connection, timed_out

_MOST_REDIRECTS = 5
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
#: The exceptions of a proxy that does not answer or refuses.
_UNREACHED = ("ConnectError", "ConnectTimeout", "ProxyError")


def http_client(base_url: str, timeout: Any) -> Any:
    """The client for the SDK; SettingsError if a proxy or certificate variable is wrong."""
    import openai

    class Client(openai.DefaultHttpxClient):
        def send(self, request: Any, **options: Any) -> Any:
            call: Call = wire.reading.call
            call.due = time.monotonic() + call.deadline_s
            for _ in range(_MOST_REDIRECTS):
                pool = _pool(self._transport_for_url(request.url))
                with _in_words(call, getattr(pool, "_proxy_url", None)):
                    response = super().send(request, **options)
                if not response.has_redirect_location:
                    return response if response.is_success else _short(response, call)
                response.close()
                url = _followed(request.url, response.headers["location"], call)
                headers = [(k, v) for k, v in request.headers.items() if k != "host"]
                request = self.build_request(
                    request.method,
                    url,
                    headers=headers,
                    content=request.content,
                    extensions=request.extensions,
                )
            raise Final(
                Unavailable(
                    f"{call.host} redirected the call {_MOST_REDIRECTS} times, and no answer of "
                    f"{call.model!r} came: check base_url, which is {call.base_url!r}"
                )
            )

    host = urlsplit(base_url).hostname or ""
    # A proxy cannot reach a server on this machine.
    trust_env = not stays_here(base_url)
    options = {"base_url": base_url, "timeout": timeout, "trust_env": trust_env}
    try:
        if not trust_env and _set(*_CERTIFICATES):
            # Without TLS, a wrong file does not matter.
            with contextlib.suppress(*() if base_url.startswith("https:") else (OSError,)):
                options["verify"] = ssl.create_default_context(
                    cafile=os.environ.get("SSL_CERT_FILE"), capath=os.environ.get("SSL_CERT_DIR")
                )
        client = Client(
            **options, follow_redirects=False, headers={"Accept-Encoding": wire.ACCEPTED}
        )
    except Exception as error:  # noqa: BLE001 - what a wrong variable raises is of any class
        raise SettingsError(f"no connection to {host} can be made: {fault(error)}") from None
    # So that a wait ends at the deadline and not at the next byte. Neither httpx 0.28 nor httpx2
    # 2.16 can limit a whole answer, or pass a backend on to httpcore's pool, which takes one.
    for transport in (client._transport, *filter(None, client._mounts.values())):  # noqa: SLF001
        pool = _pool(transport)
        pool._network_backend = _Timed(pool._network_backend)  # noqa: SLF001
    return client


def _pool(transport: Any) -> Any:
    return transport._pool  # noqa: SLF001 - httpx has no other way to the connections


def raw_response() -> Any:
    """The class that makes the SDK return an answer without reading it."""
    import openai

    library = openai.DefaultHttpxClient.__base__.__module__.partition(".")[0]
    return sys.modules[library].Response


class _Timed:
    """A connection, or its maker, in which no wait outlasts the thread's current call."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def connect_tcp(self, *args: Any, timeout: float | None = None, **options: Any) -> _Timed:
        return _Timed(self._inner.connect_tcp(*args, timeout=_left(timeout), **options))

    def start_tls(self, *args: Any, timeout: float | None = None, **options: Any) -> _Timed:
        return _Timed(self._inner.start_tls(*args, timeout=_left(timeout), **options))

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))


def _left(timeout: float | None) -> float:
    call: Call = wire.reading.call
    left = call.due - time.monotonic()
    if left <= 0:
        raise Final(timed_out(call))
    return left if timeout is None else min(left, timeout)


@contextlib.contextmanager
def _in_words(call: Call, proxy: Any) -> Iterator[None]:
    """Make an error final if asking again would not help."""
    try:
        yield
    except Exception as error:
        if proxy is not None and is_a(error, *_UNREACHED):
            place = proxy.host.decode() + (f":{proxy.port}" if proxy.port else "")
            name = next((one for one in _set(*_PROXIES) if place in os.environ[one]), "the system")
            words = f"through the proxy {place} that {name} names: {error}"
            raise Final(no_connection(words, call)) from error
        if is_a(error, "TimeoutException"):
            raise Final(timed_out(call)) from error
        raise


def _set(*names: str) -> list[str]:
    """The variables that are set, in upper or lower case."""
    return [one for name in names for one in (name.lower(), name) if os.environ.get(one)]


def fault(error: BaseException | None) -> str:
    """Which variable is wrong, and why; user names and passwords in it are not shown."""
    for name in _set(*_PROXIES):
        value = os.environ[name]
        shown = value.rpartition("@")[2].partition("?")[0]
        if isinstance(error, ImportError) and value.lower().startswith("socks"):
            return (
                f"{name} names a SOCKS proxy ({shown!r:.80}), which needs a package that is "
                f"not installed: {sys.executable} -m pip install socksio"
            )
        if not _is_proxy(value):
            return (
                f"{name} is not the address of a proxy ({shown!r:.80}): write it like "
                "'http://host:8080', or unset it"
            )
    for name in _set(*_CERTIFICATES):
        place = Path(os.environ[name])
        if isinstance(error, OSError):
            lacks = "contains no certificates" if place.exists() else "does not exist"
            return f"{name} names {str(place)!r}, which {lacks}: correct it, or unset it"
    return f"{type(error).__name__} while proxies and certificates were set up: check NO_PROXY"


def _is_proxy(value: str) -> bool:
    with contextlib.suppress(ValueError):
        address = urlsplit(value if "://" in value else f"http://{value}")
        known = address.scheme in ("http", "https", "socks5", "socks5h")
        return known and bool(address.hostname) and address.port != 0
    return False


def _followed(asked: Any, location: str, call: Call) -> Any:
    """Where a redirect leads, if that is the same server, or the same host by https."""
    where = "something that is not an address"
    with contextlib.suppress(Exception):  # httpx's InvalidURL has no base of its own
        url = asked.join(location)
        same = (url.scheme, url.port) == (asked.scheme, asked.port)
        if url.host == asked.host and (same or url.scheme == "https"):
            return url
        where = f"{url.scheme}://{url.netloc.decode()}"
    raise Final(
        Unavailable(
            f"{call.host} sends calls on to {where}; nothing was sent there. If that is where "
            f"{call.model!r} is, write it into base_url, which is {call.base_url!r}"
        )
    )


def _short(response: Any, call: Call) -> Any:
    """The same answer, unpacked, with only as much of its body as an error needs."""
    with contextlib.closing(response):
        body = wire.words(response, call)
    packing = ("content-encoding", "content-length", "content-type", "transfer-encoding")
    headers = [(name, value) for name, value in response.headers.items() if name not in packing]
    return type(response)(
        response.status_code, headers=headers, content=body, request=response.request
    )
