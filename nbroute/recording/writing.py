"""The recorder: each answer goes into a text file as it is given."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbroute.errors import AuthError, ProviderError, RecordError
from nbroute.recording.documents import documents, dump, read_text
from nbroute.recording.entries import Entry, VectorEntry, packed, read_entry, vector_key
from nbroute.recording.header import Header, read_header, same
from nbroute.recording.scrub import Scrubber
from nbroute.types import Reply, Request

if TYPE_CHECKING:
    import numpy as np

_ADDRESS = re.compile(r"https?://[^\s'\"]+|\b(?:127\.0\.0\.1|localhost):\d+")
#: Entries in a file for each one that may stand there twice before it is written anew.
_SHARE = 64


class Recorder:
    """Keeps requests and their answers in the file at `path`, each as soon as it is known.

    What is recorded already is gone on with; a request that is answered otherwise than before
    replaces its entry in place, and one that is answered alike leaves the file as it is. An
    error is kept where there is no answer. Threads may share it. Recorders of several
    processes on one file take in each other's entries (on Windows, where a folder cannot be
    locked, only as long as none of them replaces one). `places` maps addresses, which error
    messages may quote, to their providers' names.

    Its methods raise RecordError where the file is no recording or cannot be written.
    """

    def __init__(
        self, path: str | Path, header: Header, scrubber: Scrubber, places: Mapping[str, str]
    ) -> None:
        self.path = Path(path)
        self.added = 0
        self.note = ""
        self._file = self.path.expanduser().absolute().resolve()
        self._scrub = scrubber
        self._places = sorted(places.items(), key=lambda one: len(one[0]), reverse=True)
        self._header = scrubber.deep(header.fields())
        self._known: dict[str, str] = {}
        self._twice = 0
        self._seen: tuple[int, int, int] | None = None
        self._lock = threading.Lock()
        with self._lock, self._writing():
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
        self._keep(Entry(purpose, tier, self._scrub.request(request), self._clean(reply)))

    def keep_error(
        self, request: Request, error: ProviderError, *, tier: str, purpose: str
    ) -> None:
        """Keep that the model failed; a refused key is this machine's matter and is not kept."""
        if isinstance(error, AuthError):
            return
        self._scrub.look_again()
        told = type(error)(self._scrub.text(self._placeless(str(error))))
        self._keep(Entry(purpose, tier, self._scrub.request(request), error=told))

    def keep_vectors(
        self, provider: str, model: str, texts: Sequence[str], vectors: np.ndarray
    ) -> None:
        """Keep the vectors of texts that an endpoint embedded."""
        self._scrub.look_again()
        for text, vector in zip(texts, vectors, strict=True):
            clean = self._scrub.text(text)
            if vector_key(provider, model, clean) not in self._known:
                self._keep(VectorEntry(provider, model, clean, packed(vector)))

    def close(self) -> None:
        """Put replaced entries in their places; a second call does nothing."""
        atexit.unregister(self.close)
        with self._lock, contextlib.suppress(RecordError):
            if self._twice:
                with self._writing():
                    self._catch_up()
                    self._write_anew()

    def _keep(self, entry: Entry | VectorEntry) -> None:
        key, words = entry.key, entry.words
        if self._is_kept(key, words):
            return
        text = dump(self._clean_fields(entry))
        with self._lock, self._writing():
            self._catch_up()
            if self._is_kept(key, words):
                return
            self._append(text)
            self._twice += key in self._known
            self.added += 1
            self._known[key] = words
            if self._twice * _SHARE >= len(self._known):
                self._write_anew()

    def _is_kept(self, key: str, words: str) -> bool:
        known = self._known.get(key)
        if known is None or self._stat() != self._seen:
            return False
        return known == words or (words.startswith("error") and not known.startswith("error"))

    def _clean_fields(self, entry: Entry | VectorEntry) -> dict[str, Any]:
        fields = entry.fields()
        vector = {"vector": fields.pop("vector")} if "vector" in fields else {}
        return {**self._scrub.deep(fields), **vector}

    def _clean(self, reply: Reply) -> Reply:
        return replace(reply, text=self._scrub.text(reply.text), id=None)

    def _placeless(self, message: str) -> str:
        for place, name in self._places:
            message = message.replace(place, name)
        return _ADDRESS.sub("[address]", message)

    def _open(self) -> None:
        if not self._file.parent.is_dir():
            raise RecordError(
                f"there is no folder {str(self.path.parent)!r} for the recording; make it first"
            )
        if not self._file.exists() or not read_text(self._file, self.path).strip():
            self._begin()
            return
        found = self._read()
        if not same(found, self._header):
            self.note = (
                f"{self.path} was recorded with another ladder or classifier; a replay follows the "
                "present one from here on, and may not ask for what was recorded before"
            )
            self._write_anew(self._header)
        elif self._twice:
            self._write_anew()

    def _begin(self) -> None:
        self._known, self._twice = {}, 0
        self._replace(dump(self._header))

    def _read(self) -> dict[str, Any]:
        """Take in what the file holds; its header."""
        first, *rest = documents(read_text(self._file, self.path), self.path)
        read_header(first, self.path)
        entries = [read_entry(one, self.path) for one in rest]
        self._known = {entry.key: entry.words for entry in entries}
        self._twice = len(entries) - len(self._known)
        self._seen = self._stat()
        return first.fields

    def _catch_up(self) -> None:
        """Take in what another process, or an editor, has done to the file."""
        now = self._stat()
        if now is None:
            self._begin()
        elif now != self._seen:
            self._read()

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
        first, *rest = documents(read_text(self._file, self.path), self.path)
        latest = {read_entry(one, self.path).key: one.text for one in rest}
        self._replace("\n".join([dump(header) if header else first.text, *latest.values()]))
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

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with _alone_in(self._file.parent):
                yield
        except OSError as error:
            raise RecordError(
                f"cannot write the recording {str(self.path)!r}: {error.strerror or error}; this "
                "answer is not recorded. `%route record FILE` goes on in another file"
            ) from None


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process at a time, where the system and the file system can lock a folder."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            held.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
