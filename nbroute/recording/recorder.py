"""The recorder: each answer goes into a text file as it is given."""

from __future__ import annotations

import atexit
import base64
import contextlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from nbroute.errors import AuthError, ProviderError, RecordError
from nbroute.recording import documents
from nbroute.recording.documents import (
    Entry,
    Header,
    Lines,
    RecordedError,
    RecordedReply,
    RecordedRequest,
    RecordedText,
    VectorEntry,
    like,
)
from nbroute.recording.scrub import Scrubber
from nbroute.types import Embedded, Embedder, Provider, ProviderKind, Reply, Request

if TYPE_CHECKING:
    import numpy as np

_ADDRESS = re.compile(r"https?://[^\s'\"]+|\b(?:127\.0\.0\.1|localhost):\d+")
#: Entries in a file for each one that may stand there twice before it is written anew.
_SHARE = 64


class Recorder:
    """Keeps requests and their answers in the file at `path`, each as soon as it is known.

    A recording that is there already is continued; a request that is answered otherwise than
    before replaces its entry in place, and one that is answered alike leaves the file as it is.
    An error is kept where there is no answer. Threads may share it. Recorders of several
    processes on one file take in each other's entries (on Windows, where a folder cannot be
    locked, only as long as none of them replaces one). In error messages the `providers`'
    names stand in place of their addresses.

    Its methods raise RecordError where the file is not a recording or cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        header: Header,
        scrubber: Scrubber,
        providers: Mapping[str, Provider],
    ) -> None:
        self.path = Path(path)
        self.added = 0
        self.note = ""
        self._file = self.path.expanduser().absolute().resolve()
        self._scrub = scrubber
        self._names = {
            address: name
            for name, provider in providers.items()
            for address in (getattr(provider, "base_url", None), getattr(provider, "host", None))
            if address
        }
        self._header = scrubber.deep(header.fields())
        self._known: dict[str, str] = {}
        self._twice = 0
        self._seen: tuple[int, int, int] | None = None
        self._lock = threading.Lock()
        with self._writing():
            self._open()
        atexit.register(self.close)

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        """The file, and how much it holds."""
        return f"<Recorder {str(self.path)!r}: {len(self)} recorded>"

    def keep(self, request: Request, reply: Reply, *, tier: str, purpose: str) -> None:
        """Keep a whole answer."""
        self._scrub.look_again()
        with self._writing():
            whole = replace(
                reply,
                text=self._scrub.text(reply.text),
                latency_ms=round(reply.latency_ms),
                ttft_ms=None if reply.ttft_ms is None else round(reply.ttft_ms),
            )
            asked = RecordedRequest.of(self._scrub.request(request))
            self._keep(Entry(purpose, tier, asked, reply=like(whole, RecordedReply)))

    def keep_error(
        self, request: Request, error: ProviderError, *, tier: str, purpose: str
    ) -> None:
        """Keep that the model failed; a refused key is this machine's matter and is not kept."""
        if isinstance(error, AuthError):
            return
        self._scrub.look_again()
        told = str(error)
        for address in sorted(self._names, key=len, reverse=True):
            told = told.replace(address, self._names[address])
        told = self._scrub.text(_ADDRESS.sub("[address]", told))
        with self._writing():
            asked = RecordedRequest.of(self._scrub.request(request))
            self._keep(Entry(purpose, tier, asked, error=RecordedError.of(error, told)))

    def keep_vectors(
        self, provider: str, model: str, texts: Sequence[str], vectors: np.ndarray
    ) -> None:
        """Keep the vectors of texts that an endpoint embedded."""
        self._scrub.look_again()
        for text, vector in zip(texts, vectors, strict=True):
            asked = RecordedText(provider, model, Lines(self._scrub.text(text)))
            if asked.key not in self._known:
                packed = base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
                with self._writing():
                    self._keep(VectorEntry(asked, packed))

    def close(self) -> None:
        """Put replaced entries in their places; a second call does nothing."""
        atexit.unregister(self.close)
        with contextlib.suppress(RecordError), self._writing():
            if self._twice:
                self._catch_up()
                self._write_anew()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One thread and, where the folder can be locked, one process at a time."""
        with self._lock, contextlib.ExitStack() as held:
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

    def _open(self) -> None:
        if not self._file.parent.is_dir():
            raise RecordError(
                f"there is no folder {str(self.path.parent)!r} for the recording; make it first"
            )
        if not self._file.exists() or not documents.read_text(self._file, self.path).strip():
            self._begin()
            return
        found = self._read()
        if {**found, "written_by": ""} != {**self._header, "written_by": ""}:
            self.note = (
                f"{self.path} was recorded with another ladder or classifier; a replay follows the "
                "present one from here on, and may not ask for what was recorded before"
            )
            self._write_anew(self._header)
        elif self._twice:
            self._write_anew()

    def _keep(self, entry: Entry | VectorEntry) -> None:
        key, words = entry.key, entry.words
        self._catch_up()
        known = self._known.get(key)
        if known == words or (known and words.startswith("error") > known.startswith("error")):
            return
        fields = self._scrub.deep(entry.fields())
        if isinstance(entry, VectorEntry):
            fields["vector"] = entry.vector
        self._append(documents.dump(fields))
        self._known[key] = words
        self._twice += known is not None
        self.added += 1
        if self._twice * _SHARE >= len(self._known):
            self._write_anew()

    def _catch_up(self) -> None:
        """Take in what another process, or an editor, has done to the file."""
        now = self._stat()
        if now is None:
            self._begin()
        elif now != self._seen:
            self._read()

    def _begin(self) -> None:
        self._known, self._twice = {}, 0
        self._replace(documents.dump(self._header))

    def _read(self) -> dict[str, Any]:
        """Take in what the file holds; its header."""
        header, *rest = documents.documents(documents.read_text(self._file, self.path), self.path)
        documents.read_header(header, self.path)
        entries = [documents.read_entry(one, self.path) for one in rest]
        self._known = {entry.key: entry.words for entry in entries}
        self._twice = len(entries) - len(self._known)
        self._seen = self._stat()
        return header.fields

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _append(self, text: str) -> None:
        """One write, so that a killed process leaves whole entries; a part of one is taken back."""
        data = f"\n{text}".encode()
        with self._file.open("ab", buffering=0) as file:
            before = file.tell()
            if file.write(data) < len(data):
                file.truncate(before)
                raise OSError("the disk is full")
        self._seen = self._stat()

    def _write_anew(self, header: Mapping[str, Any] | None = None) -> None:
        """Each entry once, the last in the place of the first."""
        first, *rest = documents.documents(documents.read_text(self._file, self.path), self.path)
        latest = {documents.read_entry(one, self.path).key: one.text for one in rest}
        begin = documents.dump(header) if header else first.text
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


class RecordingEmbedder:
    """Another embedder, whose vectors go into the recording that is `recorder()`, if any is.

    `announce` is told once where the file cannot be written; the vectors are there all the same.
    """

    def __init__(
        self,
        embedder: Embedder,
        recorder: Callable[[], Recorder | None],
        announce: Callable[[str], None] | None,
    ) -> None:
        self.name = embedder.name
        self.kind: ProviderKind = embedder.kind
        self.provider = embedder.provider
        self.model = embedder.model
        self.missing = embedder.missing
        self._embedder = embedder
        self._recorder = recorder
        self._announce = announce
        self._announced = ""

    def embed(self, texts: Sequence[str]) -> Embedded:
        """As the other one does."""
        made = self._embedder.embed(texts)
        recorder = self._recorder()
        try:
            if recorder is not None:
                recorder.keep_vectors(self.provider, self.model, texts, made.vectors)
        except RecordError as error:
            told = f"nbroute: {error}"
            if self._announce is not None and told != self._announced:
                self._announce(told)
            self._announced = told
        return made
