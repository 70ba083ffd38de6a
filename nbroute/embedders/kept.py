"""What is kept of texts in SQLite files next to the ledger: their vectors, and what was taught."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbroute.classify.examples import Example, tier_of
from nbroute.embedders import content_key, sendable, summed, telling
from nbroute.errors import BadReply, PromptError, RecordError, SettingsError, did_you_mean
from nbroute.locks import Lock
from nbroute.report.table import one_line
from nbroute.storage.database import Migration, SqliteFile
from nbroute.types import Embedded, Embedder, Ladder, ProviderKind

if TYPE_CHECKING:
    import numpy as np


#: The setting that says where the files are: next to the ledger.
_SETTING = "ledger in nbroute.toml"


def m001_vectors(connection: sqlite3.Connection) -> None:
    """Vectors as float32 by the SHA-256 of their text; an embedder has one width."""
    connection.execute("CREATE TABLE embedders (name TEXT PRIMARY KEY, dimensions INTEGER)")
    connection.execute(
        "CREATE TABLE vectors (id INTEGER PRIMARY KEY, embedder TEXT NOT NULL, "
        "text BLOB NOT NULL, vector BLOB NOT NULL, UNIQUE (embedder, text))"
    )


def m002_taught(connection: sqlite3.Connection) -> None:
    """Everything the user taught about a prompt, oldest first; a row without a tier forgets it."""
    connection.execute(
        "CREATE TABLE taught (id INTEGER PRIMARY KEY, ts REAL NOT NULL, prompt TEXT NOT NULL, "
        "tier TEXT, ladder TEXT NOT NULL)"
    )


MIGRATIONS: list[Migration] = [m001_vectors, m002_taught]

#: Texts per request: the vectors of earlier requests are kept if a later one fails.
CHUNK = 256
#: About 120 MB at 1,536 dimensions.
ENTRIES = 20_000


class RememberedEmbedder:
    """Sends no text to its embedder twice, for all threads and processes that share the file.

    Vectors are kept by the embedder's name. If that name returns another dimension than before,
    its old vectors are forgotten, the texts are embedded again and `announce` says so; BadReply
    if it changes within a call. A file that cannot be used is announced once, and everything
    works without it. Beyond `entries` vectors the oldest are deleted. `embedded` gets the texts
    of each call and their vectors.
    """

    def __init__(
        self,
        embedder: Embedder,
        path: Path | None,
        *,
        announce: Callable[[str], None] | None = None,
        entries: int = ENTRIES,
        embedded: Callable[[Sequence[str], np.ndarray], None] | None = None,
    ) -> None:
        self.name = embedder.name
        self.kind: ProviderKind = embedder.kind
        self.provider = embedder.provider
        self.model = embedder.model
        self._embedder = embedder
        self._announce = announce or (lambda _: None)
        self._file = SqliteFile(path, MIGRATIONS, setting=_SETTING)
        self._entries = entries
        self._embedded = embedded or (lambda _texts, _vectors: None)
        self._lock = Lock()
        self._warned = False

    def missing(self, texts: Sequence[str]) -> list[str]:
        """The texts that would have to be sent, each once."""
        known = self._kept(texts)
        return [text for text in dict.fromkeys(texts) if text not in known]

    def embed(self, texts: Sequence[str]) -> Embedded:
        """One vector per text; the usage is that of the texts sent, None if none was."""
        import numpy as np

        known = self._kept(texts)
        sent: list[Embedded] = []
        while missing := [text for text in dict.fromkeys(texts) if text not in known][:CHUNK]:
            with telling(lambda: summed(one.usage for one in sent)):
                fresh = self._embedder.embed(missing)
            sent.append(fresh)
            if known and len(next(iter(known.values()))) != fresh.vectors.shape[1]:
                widths = list(dict.fromkeys(one.vectors.shape[1] for one in sent))
                if len(widths) > 1:
                    raise BadReply(
                        f"{self.name} gave vectors of {widths[0]} dimensions and then of "
                        f"{widths[1]}: check that its endpoint serves one model, or name "
                        "another in `embedder`"
                    )
                known = {}
            known |= dict(zip(missing, fresh.vectors, strict=True))
            self._keep(missing, fresh.vectors)
        rows = [known[text] for text in texts]
        vectors = np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)
        self._embedded(texts, vectors)
        return Embedded(
            vectors, summed(one.usage for one in sent), sum(one.latency_ms for one in sent)
        )

    def close(self) -> None:
        """Close the file; a later use opens it again."""
        self._file.close()

    def _kept(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """The vectors that are kept, all of one dimension."""
        if not self._file.exists:
            return {}
        import numpy as np

        keys = {content_key(text): text for text in texts}
        found: dict[str, np.ndarray] = {}
        try:
            with self._file.connection("cannot read the kept vectors") as connection:
                size = 4 * (self._dimensions(connection) or 0)
                for start in range(0, len(keys), CHUNK):
                    part = list(keys)[start : start + CHUNK]
                    query = _KEPT.format(", ".join("?" * len(part)))
                    for key, blob in connection.execute(query, (self.name, *part)):
                        whole = isinstance(blob, bytes) and 0 < len(blob) == size
                        vector = np.frombuffer(blob if whole else b"", dtype="<f4")
                        if not (whole and np.isfinite(vector).all()):
                            raise sqlite3.DatabaseError("a kept vector is damaged")
                        found[keys[key]] = vector
        except RecordError as error:
            self._warn(error)
            return {}
        return found

    def _keep(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        width = vectors.shape[1]
        blobs = [vector.astype("<f4").tobytes() for vector in vectors]
        rows = [(self.name, content_key(text), b) for text, b in zip(texts, blobs, strict=True)]
        try:
            with self._file.connection("cannot keep vectors in") as connection:
                connection.execute("BEGIN IMMEDIATE")
                before = self._dimensions(connection)
                if before not in (None, width):
                    connection.execute("DELETE FROM vectors WHERE embedder = ?", (self.name,))
                connection.execute(_INTO_EMBEDDERS, (self.name, width))
                connection.executemany(_INTO_VECTORS, rows)
                connection.execute(_PRUNE, (self._entries,))
                connection.execute("COMMIT")
        except RecordError as error:
            self._warn(error)
            return
        if before not in (None, width):
            self._announce(
                f"{self.name} gives vectors of {width} dimensions and gave {before} before: "
                "its kept vectors are forgotten, and texts are embedded again as needed."
            )

    def _dimensions(self, connection: sqlite3.Connection) -> int | None:
        query = "SELECT dimensions FROM embedders WHERE name = ?"
        row = connection.execute(query, (self.name,)).fetchone()
        return row[0] if row else None

    def _warn(self, error: RecordError) -> None:
        with self._lock:
            first, self._warned = not self._warned, True
        if first:
            self._announce(f"{error} Vectors are not kept until then.")


_KEPT = "SELECT text, vector FROM vectors WHERE embedder = ? AND text IN ({})"
_INTO_EMBEDDERS = "INSERT OR REPLACE INTO embedders VALUES (?, ?)"
_INTO_VECTORS = "INSERT OR REPLACE INTO vectors (embedder, text, vector) VALUES (?, ?, ?)"
_PRUNE = "DELETE FROM vectors WHERE id <= (SELECT max(id) FROM vectors) - ?"


class TaughtExamples:
    """An append-only file of taught prompts; in memory if `path` is None.

    Space around a prompt does not matter. Thread-safe, and several processes may share the file.
    Methods raise RecordError if it cannot be used.
    """

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.time) -> None:
        self._file = SqliteFile(path, MIGRATIONS, setting=_SETTING)
        self._clock = clock

    def teach(self, prompt: str, tier: str, ladder: Ladder) -> Example:
        """Record that the tier (in any case) should answer prompts like this one.

        PromptError for an empty prompt, SettingsError for a tier that the ladder does not have.
        """
        if not isinstance(prompt, str) or not prompt.strip():
            raise PromptError("there is no prompt to teach: give its text.")
        example = Example(sendable(prompt.strip()), ladder.find(str(tier)).name)
        self._keep(example.prompt, example.tier, ladder.name)
        return example

    def forget(self, prompt: str) -> Example:
        """Record that the prompt is no example any more, on any ladder; the one that it was.

        A line end counts as a space. SettingsError, with what is near, for one never taught.
        """
        known = {one_line(one.prompt): one for one in self.examples()}
        found = known.get(one_line(sendable(prompt)))
        if found is None:
            raise SettingsError(f"{prompt.strip()!r:.80} was never taught{_near(prompt, [*known])}")
        self._keep(found.prompt, None, "")
        return found

    def _keep(self, prompt: str, tier: str | None, ladder: str) -> None:
        row = (self._clock(), prompt, tier, ladder)
        with self._file.connection("cannot keep the taught example in") as connection:
            connection.execute(
                "INSERT INTO taught (ts, prompt, tier, ladder) VALUES (?, ?, ?, ?)", row
            )

    def examples(self, ladder: Ladder | None = None) -> tuple[Example, ...]:
        """The latest tier taught for each prompt, newest last; only those that fit the ladder."""
        words: dict[str, Example] = {}
        query = "SELECT prompt, tier FROM taught ORDER BY id"
        for prompt, tier in self._file.fetch(query, lead="cannot read the taught examples"):
            if tier is None:
                words.pop(prompt, None)
            elif ladder is None or tier_of(tier, ladder) is not None:
                words.pop(prompt, None)
                words[prompt] = Example(prompt, tier)
        return tuple(words.values())

    def close(self) -> None:
        """Close the file; a later use opens it again."""
        self._file.close()


def _near(prompt: str, known: list[str]) -> str:
    """The taught prompts that have the text within them or resemble it, else the newest."""
    if not known:
        return "; nothing has been taught"
    within = [f"{one!r:.200}" for one in known if one_line(prompt).lower() in one.lower()]
    if within:
        return f": did you mean {' or '.join(within[-3:])}?"
    hint = did_you_mean(one_line(prompt), known)
    newest = f"; the last one taught is {known[-1]!r:.200}"
    return f": {hint}" if hint.startswith("did you mean") else newest
