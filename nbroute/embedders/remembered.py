"""Each text embedded once: its vector is kept in a file, by the hash of the text."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbroute.embedders.file import SETTING, open_file
from nbroute.embedders.texts import content_key, summed, telling
from nbroute.errors import BadReply, RecordError
from nbroute.storage.database import FAILURES
from nbroute.types import Embedded, Embedder, ProviderKind, Usage

if TYPE_CHECKING:
    import numpy as np

Announce = Callable[[str], None]

#: Texts sent on at once: what an earlier request brought is kept when a later one fails.
CHUNK = 256
#: About 120 MB at 1,536 dimensions.
ENTRIES = 20_000


class RememberedEmbedder:
    """Another embedder that is asked for no text twice, by any thread or process on that file.

    Vectors are kept under the embedder's name, so that another one has its own. Where the
    same name brings another dimension than before, what was kept under it is forgotten, the
    texts are embedded anew and `announce` is told; BadReply where it changes within a call.
    A file that cannot be used is announced once, and all works on without it. The oldest of
    more than `entries` vectors go. `embedded` is told the texts of each call and their vectors.
    """

    def __init__(
        self,
        embedder: Embedder,
        path: Path | None,
        *,
        announce: Announce | None = None,
        entries: int = ENTRIES,
        setting: str = SETTING,
        embedded: Callable[[Sequence[str], np.ndarray], None] | None = None,
    ) -> None:
        self.name = embedder.name
        self.kind: ProviderKind = embedder.kind
        self.provider = embedder.provider
        self.model = embedder.model
        self._embedder = embedder
        self._announce = announce or (lambda _: None)
        self._vectors = VectorFile(path, entries=entries, setting=setting)
        self._embedded = embedded or (lambda _texts, _vectors: None)
        self._lock = threading.Lock()
        self._warned = False

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts, once each, that would have to be sent."""
        known = self._kept(texts)
        return [text for text in dict.fromkeys(texts) if text not in known]

    def embed(self, texts: Sequence[str]) -> Embedded:
        """One vector a text; usage is of the texts that were sent, None where none was."""
        import numpy as np

        known = self._kept(texts)
        sent: list[Embedded] = []
        while missing := [text for text in dict.fromkeys(texts) if text not in known][:CHUNK]:
            with telling(lambda: _summed(sent)):
                fresh = self._embedder.embed(missing)
            sent.append(fresh)
            if known and len(next(iter(known.values()))) != fresh.vectors.shape[1]:
                self._check_steady(sent)
                known = {}
            known |= dict(zip(missing, fresh.vectors, strict=True))
            self._keep(missing, fresh.vectors)
        rows = [known[text] for text in texts]
        vectors = np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)
        self._embedded(texts, vectors)
        return Embedded(vectors, _summed(sent), sum(one.latency_ms for one in sent))

    def close(self) -> None:
        """Give the file back; a later use opens it again."""
        self._vectors.close()

    def _check_steady(self, sent: list[Embedded]) -> None:
        widths = list(dict.fromkeys(one.vectors.shape[1] for one in sent))
        if len(widths) > 1:
            raise BadReply(
                f"{self.name} gave vectors of {widths[0]} dimensions and then of {widths[1]}: "
                "check that its endpoint serves one model, or name another in `embedder`"
            )

    def _kept(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        try:
            found = self._vectors.get(self.name, [content_key(text) for text in texts])
        except RecordError as error:
            self._warn(error)
            return {}
        keyed = {text: found.get(content_key(text)) for text in texts}
        return {text: vector for text, vector in keyed.items() if vector is not None}

    def _keep(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        try:
            before = self._vectors.put(self.name, [content_key(text) for text in texts], vectors)
        except RecordError as error:
            self._warn(error)
            return
        if before is not None:
            self._announce(
                f"{self.name} gives vectors of {vectors.shape[1]} dimensions, and gave {before} "
                "before: its kept vectors are forgotten, and texts are embedded anew as needed."
            )

    def _warn(self, error: RecordError) -> None:
        with self._lock:
            first, self._warned = not self._warned, True
        if first:
            self._announce(f"{error} Vectors are not kept until then.")


class VectorFile:
    """Vectors in SQLite, float32, by embedder and hash of the text; `path` None is in memory.

    Its methods raise RecordError where the file cannot be used.
    """

    def __init__(
        self, path: Path | None, *, entries: int = ENTRIES, setting: str = SETTING
    ) -> None:
        self._file = open_file(path, setting)
        self._entries = entries

    def get(self, embedder: str, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """The vectors that are there, all of one dimension."""
        if not self._file.exists:
            return {}
        try:
            with self._file.connection() as connection:
                width = _dimensions(connection, embedder)
                found = [
                    row for part in _parts(keys) for row in _select(connection, embedder, part)
                ]
            return {key: _vector(blob, width) for key, blob in found}
        except (*FAILURES, ValueError, TypeError) as error:
            raise self._file.record_error("cannot read the kept vectors", error) from error

    def put(self, embedder: str, keys: Sequence[bytes], vectors: np.ndarray) -> int | None:
        """Keep them; the former dimension, where it was another and the old ones had to go."""
        blobs = [vector.astype("<f4").tobytes() for vector in vectors]
        width = vectors.shape[1]
        rows = [(embedder, key, blob) for key, blob in zip(keys, blobs, strict=True)]
        try:
            with self._file.connection() as connection:
                connection.execute("BEGIN IMMEDIATE")
                before = _dimensions(connection, embedder)
                if before not in (None, width):
                    connection.execute("DELETE FROM vectors WHERE embedder = ?", (embedder,))
                connection.execute(
                    "INSERT OR REPLACE INTO embedders VALUES (?, ?)", (embedder, width)
                )
                connection.executemany(_INSERT, rows)
                connection.execute(_PRUNE, (self._entries,))
                connection.execute("COMMIT")
        except FAILURES as error:
            raise self._file.record_error("cannot keep vectors in", error) from error
        return None if before == width else before

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


_INSERT = "INSERT OR REPLACE INTO vectors (embedder, text, vector) VALUES (?, ?, ?)"
_PRUNE = "DELETE FROM vectors WHERE id <= (SELECT max(id) FROM vectors) - ?"


def _dimensions(connection: sqlite3.Connection, embedder: str) -> int | None:
    query = "SELECT dimensions FROM embedders WHERE name = ?"
    row = connection.execute(query, (embedder,)).fetchone()
    return row[0] if row else None


def _parts(keys: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK)]


def _select(
    connection: sqlite3.Connection, embedder: str, keys: Sequence[bytes]
) -> list[tuple[bytes, bytes]]:
    marks = ", ".join("?" * len(keys))
    query = f"SELECT text, vector FROM vectors WHERE embedder = ? AND text IN ({marks})"  # noqa: S608 -- marks alone
    return connection.execute(query, (embedder, *keys)).fetchall()


def _vector(blob: bytes, width: int | None) -> np.ndarray:
    import numpy as np

    whole = isinstance(blob, bytes) and width is not None and len(blob) == 4 * width
    vector = np.frombuffer(blob if whole else b"", dtype="<f4")
    if not whole or not np.isfinite(vector).all():
        raise ValueError("a kept vector is damaged")
    return vector


def _summed(sent: list[Embedded]) -> Usage | None:
    usages = [one.usage for one in sent if one.usage is not None]
    return summed(usages) if usages else None
