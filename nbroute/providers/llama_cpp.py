"""llama.cpp in this process: it serves a model file on loopback, like any other endpoint."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from nbroute.errors import ContextTooLong, SettingsError, UnknownModel, did_you_mean
from nbroute.locks import Lock
from nbroute.providers.model_files import by_name, check_model, megabytes, size_of
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.providers.refusals import no_effort
from nbroute.types import Chunk, ProviderKind, Request

Announce = Callable[[str], None]

#: How many requests a model answers at once, each with a whole context; the others wait.
SLOTS = 2

#: Temperature and top_p are those that the makers of SmolLM2 recommend. DRY penalises repeated runs
#: of over six tokens, more with each token, and starts afresh on each line.
#: https://github.com/oobabooga/text-generation-webui/pull/5677
#: Measured on the four of ten FRONTIER prompts whose answers repeated themselves without it: 75% of
#: 356 sentences were repeats, with it 1 of 111. With ten tokens, 2 of the 4 answers still did; with
#: four, none did, but the model no longer counted from 1 to 20.
SAMPLING = {
    "temp": 0.2,
    "top_p": 0.9,
    "penalty_repeat": 1.05,
    "penalty_last_n": 256,
    "dry_multiplier": 0.8,
    "dry_allowed_length": 6,
    "dry_penalty_last_n": 1024,
    "seed": 1,
}

_TOO_LONG = re.compile(r"\((\d+) tokens\) exceeds the available context size \((\d+) tokens\)")


class LlamaCpp:
    """A provider that runs model files on this machine; nothing is billed.

    A model is loaded for its first prompt, once per process for all providers, and stays until
    the last of them is closed or the process ends. Its name is its file's, shortened
    (`model_files.model_name`). `context` is in tokens, at most what the model was trained for.

    Besides ProviderErrors, `send` raises SettingsError if llama.cpp or the file is missing or
    cannot be used.
    """

    kind: ProviderKind = "local"

    def __init__(
        self,
        name: str = "local",
        *,
        files: tuple[Path, ...],
        announce: Announce | None = None,
        context: int = 8192,
        timeout_s: float = 300,
    ) -> None:
        self.name = name
        self.timeout_s = timeout_s
        self.context = context
        self._files = by_name(files)
        self._announce = announce or (lambda _: None)
        self._clients: dict[_Server, OpenAICompatible] = {}

    def __repr__(self) -> str:
        return f"<LlamaCpp {self.name!r}: {', '.join(self._files) or 'no models'}>"

    def models(self) -> list[str]:
        """The names of the models, smallest file first."""
        return list(self._files)

    def send(self, request: Request) -> Iterator[Chunk]:
        """Send, and yield the reply's pieces; see `Provider.send`.

        `clock_ms` starts once the model is loaded, so that the first answer's latency is the
        model's and not the disk's.
        """
        if not self._files:
            install = "" if find_spec("xllamacpp") else "pip install 'nbroute[local]', then "
            raise SettingsError(
                f"there is no model file: {install}get one with `nbroute pull`, or name one in "
                "NBROUTE_GGUF"
            )
        if request.model not in self._files:
            raise UnknownModel(
                f"no model file {request.model!r}: {did_you_mean(request.model, self._files)}"
            )
        file = self._files[request.model]
        server = _pool.take(request.model, file, self.context, self._announce)
        fresh = OpenAICompatible(
            self.name, server.url, server.key, timeout_s=self.timeout_s, max_retries=1
        )
        client = self._clients.setdefault(server, fresh)
        if request.effort:
            yield no_effort(request.model, "a local model does not take one")
        began = time.perf_counter()
        try:
            for chunk in client.send(replace(request, effort=None)):
                yield replace(chunk, clock_ms=(time.perf_counter() - began) * 1000)
        except ContextTooLong as error:
            # llama.cpp's own words advise options of its command line.
            found = _TOO_LONG.search(str(error))
            if not found:
                raise
            tokens, context = map(int, found.groups())
            raise ContextTooLong(
                f"the prompt is too long for {request.model!r}: {tokens:,} tokens, and its "
                f"context holds {context:,}. Shorten the prompt, or name a model with a larger "
                "context in NBROUTE_GGUF"
            ) from None

    def secrets(self) -> tuple[str, ...]:
        """None: nothing here needs a key."""
        return ()

    def close(self) -> None:
        """Stop the models that no other provider uses; a later `send` loads them again."""
        while self._clients:
            with contextlib.suppress(KeyError):
                self._clients.popitem()[1].close()


@dataclass(eq=False)
class _Server:
    """A loaded model. It lives as long as `handle`, whose destructor stops its threads."""

    handle: Any
    url: str
    key: str


class _Pool:
    """The servers of this process by model file and context, alive while somebody uses them."""

    def __init__(self) -> None:
        self._forked = False
        self._lock = Lock()
        self._servers: WeakValueDictionary[tuple[Path, int], _Server] = WeakValueDictionary()

    def take(self, model: str, file: Path, context: int, announce: Announce) -> _Server:
        """The server of that file, started if there is none."""
        key = (file.absolute(), context)
        with self._lock:
            server = self._servers.get(key)
            if server is None:
                server = self._servers[key] = _start(model, *key, announce)
                if self._forked:
                    _never_clean_up(server.handle)
            return server

    def stop(self) -> None:
        for server in list(self._servers.values()):
            server.handle = None

    def abandon(self) -> None:
        """Forget the servers after a fork; their threads stayed in the parent."""
        self._forked = "xllamacpp" in sys.modules
        if self._forked:
            _never_clean_up(*(server.handle for server in self._servers.values()))
        self._servers = WeakValueDictionary()


def _never_clean_up(*handles: Any) -> None:
    """Keep llama.cpp from cleaning up in a forked process, now and when it ends.

    It would wait for ever for threads that stayed in the parent, or abort. Only glibc can cut the
    end of a process short and keep its exit status.
    """
    for handle in handles:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))
    library = ctypes.CDLL(None)
    if hasattr(library, "on_exit"):
        library.on_exit(library._exit, None)  # noqa: SLF001 - the C function of that name


_pool = _Pool()
atexit.register(_pool.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.abandon)


def _start(model: str, file: Path, context: int, announce: Announce) -> _Server:
    """Load the model; SettingsError if that fails."""
    check_model(file)
    try:
        import xllamacpp
    except ImportError as error:
        raise SettingsError(
            f"the local model needs llama.cpp ({error}): pip install 'nbroute[local]'"
        ) from None
    key = secrets.token_urlsafe(24)
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {model}
    params.n_ctx, params.n_parallel = context * SLOTS, SLOTS
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [key]
    params.ui = params.endpoint_slots = params.endpoint_props = False
    # The default keeps up to 8 GB of old prompts in memory.
    params.cache_ram_mib = 0
    params.offline, params.verbosity = True, 0
    for option, value in SAMPLING.items():
        setattr(params.sampling, option, value)
    announce(f"loading {model} ({megabytes(size_of(file))}) ...")
    started = time.monotonic()
    try:
        handle = xllamacpp.Server(params)
    except RuntimeError:
        raise SettingsError(
            f"llama.cpp cannot load {str(file)!r}: the file is damaged or incomplete (run "
            "`nbroute pull` again), memory is short, or the model is newer than llama.cpp here "
            "(pip install -U xllamacpp)"
        ) from None
    announce(f"{model} is ready after {time.monotonic() - started:.1f} s")
    return _Server(handle, f"{handle.listening_address}/v1", key)
