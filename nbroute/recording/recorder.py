"""The recorder: each answer goes into a text file as it is given."""

from __future__ import annotations

import atexit
import base64
import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from nbroute.errors import AuthError, ProviderError, RecordError
from nbroute.locks import Lock, unforked
from nbroute.recording import documents as docs
from nbroute.recording.scrub import Scrubber
from nbroute.types import Provider, Reply, Request

if TYPE_CHECKING:
    import numpy as np

_ADDRESS = re.compile(r"https?://[^\s'\"]+|\b(?:127\.0\.0\.1|localhost):\d+")
#: The file is rewritten when one in so many entries is in it twice.
_SHARE = 64


class Recorder:
    """Keeps requests and their answers in the file at `path`, each as soon as it is known.

    An existing recording is continued. A request with a new answer replaces its entry in place;
    one with the same answer leaves the file as it is. An error is kept only if there is no
    answer. Threads may share a recorder. Recorders of several processes on one file take in each
    other's entries (on Windows, where a folder cannot be locked, only as long as none of them
    replaces one). Error messages have the `providers`' names instead of their addresses.

    Its methods raise RecordError if the file is not a recording or cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        header: docs.Header,
        scrubber: Scrubber,
        providers: Mapping[str, Provider],
    ) -> None:
        self.path = Path(path)
        self.added = 0
        self.note = ""
        self._file = Path(os.path.realpath(self.path.expanduser()))
        self._scrub = scrubber
        self._names = {
            address: name
            for name, provider in providers.items()
            for at in ("base_url", "host")
            if (address := getattr(provider, at, None)) and isinstance(address, str)
        }
        self._header = scrubber.deep(docs.plain(header))
        self._known: dict[str, str] = {}
        self._twice = 0
        self._seen: tuple[int, int, int] | None = None
        self._lock = Lock()
        with self._writing():
            if not self._file.parent.is_dir():
                folder = str(self._file.parent)
                raise RecordError(f"there is no folder {folder!r} for the recording; make it first")
            if not self._file.exists() or not docs.read_text(self._file, self.path).strip():
                self._begin()
            elif {**self._read()[0].fields, "written_by": ""} != {**self._header, "written_by": ""}:
                self.note = (
                    f"{self.path} was recorded with another ladder or classifier; a replay follows "
                    "the present one from now on, and may not ask for what was recorded before"
                )
                self._write_anew(self._header)
        atexit.register(self.close)

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        return f"<Recorder {str(self.path)!r}: {len(self)} recorded>"

    def keep(
        self, request: Request, outcome: Reply | ProviderError, *, tier: str, purpose: str
    ) -> None:
        """Keep the answer or the failure; a refused key concerns only this machine."""
        if isinstance(outcome, AuthError):
            return
        self._scrub.look_again()
        with self._writing():
            asked = docs.RecordedRequest.of(self._scrub.request(request))
            if isinstance(outcome, ProviderError):
                error = self._error(outcome)
                self._keep(docs.Entry(purpose, tier, asked, error=error))
                return
            told = replace(
                outcome,
                text=self._scrub.text(outcome.text),
                reasoning=self._scrub.text(outcome.reasoning),
                latency_ms=round(outcome.latency_ms),
                ttft_ms=None if outcome.ttft_ms is None else round(outcome.ttft_ms),
                logprob=None if outcome.logprob is None else float(outcome.logprob),
            )
            self._keep(docs.Entry(purpose, tier, asked, docs.like(told, docs.RecordedReply)))

    def keep_vectors(
        self, provider: str, model: str, texts: Sequence[str], vectors: np.ndarray
    ) -> None:
        """Keep the vectors that an endpoint made of texts."""
        self._scrub.look_again()
        for text, vector in zip(texts, vectors, strict=True):
            asked = docs.RecordedText(provider, model, docs.Lines(self._scrub.text(text)))
            if asked.key not in self._known:
                packed = base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
                with self._writing():
                    self._keep(docs.VectorEntry(asked, packed))

    def close(self) -> None:
        """Put replaced entries in their place; a second call does nothing."""
        atexit.unregister(self.close)
        with contextlib.suppress(RecordError), self._writing():
            if self._twice:
                self._write_anew()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One thread and, if the folder can be locked, one process at a time.

        No fork meanwhile: the child would share the folder's lock and keep it.
        """
        with self._lock, unforked, contextlib.ExitStack() as held:
            with contextlib.suppress(ImportError, OSError):  # Windows; a folder without locks
                import fcntl

                folder = os.open(self._file.parent, os.O_RDONLY)
                held.callback(os.close, folder)
                fcntl.flock(folder, fcntl.LOCK_EX)
            try:
                yield
            except (OSError, msgspec.ValidationError) as error:
                why = getattr(error, "strerror", None) or error
                raise RecordError(
                    f"cannot write the recording {str(self.path)!r}: {why}; this answer is not "
                    "recorded. `%route record FILE` continues in another file"
                ) from None

    def _error(self, error: ProviderError) -> docs.RecordedError:
        """The error with no address; a user's own class is recorded as the class it extends."""
        told = str(error)
        for address in sorted(self._names, key=len, reverse=True):
            told = told.replace(address, self._names[address])
        told = self._scrub.text(_ADDRESS.sub("[address]", told))
        kind = next(one.__name__ for one in type(error).__mro__ if one in docs.ERRORS.values())
        return docs.RecordedError(kind, docs.Lines(told))

    def _keep(self, entry: docs.Entry | docs.VectorEntry) -> None:
        key, words = entry.request.key, _words(entry)
        now = self._stat()
        if now is None or not now[1]:
            self._begin()
        elif now != self._seen:  # another process, or an editor, has written to it
            self._read()
        known = self._known.get(key)
        if known == words or (known and words.startswith("error") > known.startswith("error")):
            return
        fields = self._scrub.deep(docs.plain(entry))
        if isinstance(entry, docs.VectorEntry):
            fields["vector"] = entry.vector
        self._append(docs.dump(fields))
        self._known[key] = words
        self._twice += known is not None
        self.added += 1
        if self._twice * _SHARE >= len(self._known):
            self._write_anew()

    def _begin(self) -> None:
        self._known, self._twice = {}, 0
        self._replace(docs.dump(self._header))

    def _read(self) -> tuple[docs.Document, dict[str, str]]:
        """Take in the file; its header, and the latest text of each entry."""
        first, _, entries = docs.opened(self._file, self.path)
        self._known, self._twice = {}, 0
        latest: dict[str, str] = {}
        for document, entry in entries:
            key = entry.request.key
            self._twice += key in latest
            self._known[key], latest[key] = _words(entry), document.text
        self._seen = self._stat()
        return first, latest

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _append(self, text: str) -> None:
        """One write, so that a killed process leaves whole entries; a partial one is removed."""
        data = f"\n{text}".encode()
        with self._file.open("ab", buffering=0) as file:
            before = file.tell()
            if file.write(data) < len(data):
                file.truncate(before)
                raise OSError("the disk is full")
        self._seen = self._stat()

    def _write_anew(self, header: Mapping[str, Any] | None = None) -> None:
        """Each entry once, the last version in the place of the first."""
        first, latest = self._read()
        begin = docs.dump(header) if header else first.text
        self._replace("\n".join([begin, *latest.values()]))
        self._twice = 0

    def _replace(self, text: str) -> None:
        fresh = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        try:
            fresh.write_bytes(text.encode())
            if self._file.exists():
                shutil.copymode(self._file, fresh)
            fresh.replace(self._file)
        finally:
            fresh.unlink(missing_ok=True)
        self._seen = self._stat()


def _words(entry: docs.Entry | docs.VectorEntry) -> str:
    """The answer in brief: a new latency, or another vector of that length, is not worth a diff."""
    if isinstance(entry, docs.VectorEntry):
        return f"vector {len(entry.vector)}"
    if entry.error is not None:
        return f"error {entry.error.kind} {entry.error.message}"
    reply = docs.plain(entry)["reply"]
    return docs.digest([reply.get(name) for name in ("text", "model", "finish_reason", "rating")])
