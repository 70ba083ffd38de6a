"""What stands in the place of endpoints: a provider and an embedder that send nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from nbroute.errors import RecordError, ReplayMiss
from nbroute.recording.entries import unpacked
from nbroute.recording.reading import Recording, cure
from nbroute.recording.writing import Recorder
from nbroute.types import Chunk, Embedded, Embedder, ProviderKind, Request


class Replayed:
    """A provider of that recorded name and kind; asked to send, it refuses."""

    def __init__(self, name: str, kind: ProviderKind, recording: Recording) -> None:
        self.name = name
        self.kind: ProviderKind = kind
        self._recording = recording

    def __repr__(self) -> str:
        """The name, and the file that answers."""
        return f"<Replayed {self.name!r} from {self._recording.path.name}>"

    def send(self, request: Request) -> Iterator[Chunk]:
        """Raise ReplayMiss; nothing is ever sent."""
        raise ReplayMiss(self._recording.miss("this tier", [request], "answer"))

    def embedder(self, model: str) -> ReplayedEmbedder:
        """The vectors that this provider's model gave."""
        return ReplayedEmbedder(self.name, self.kind, model, self._recording)

    def secrets(self) -> tuple[str, ...]:
        """None: it has no key."""
        return ()

    def close(self) -> None:
        """Do nothing: it holds nothing."""


class ReplayedEmbedder:
    """The vectors of a recording; ReplayMiss for a text that has none."""

    def __init__(self, provider: str, kind: ProviderKind, model: str, recording: Recording) -> None:
        self.name = f"{provider}:{model}"
        self.kind: ProviderKind = kind
        self.provider = provider
        self.model = model
        self._recording = recording

    def missing(self, texts: Sequence[str]) -> list[str]:
        """None; ReplayMiss where a text was not recorded."""
        for text in texts:
            self._vector(text)
        return []

    def embed(self, texts: Sequence[str]) -> Embedded:
        """The recorded vectors."""
        import numpy as np

        try:
            rows = [unpacked(self._vector(text)) for text in texts]
            vectors = np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)
        except ValueError as error:
            raise RecordError(
                f"{self._recording.path} has a damaged vector of {self.model!r} ({error}); delete "
                f"its entry, and record it again"
            ) from None
        return Embedded(vectors)

    def _vector(self, text: str) -> str:
        found = self._recording.vector(self.provider, self.model, text)
        if found is None:
            path = self._recording.path
            raise ReplayMiss(
                f"{path.name} has no vector of {self.model!r} for the text "
                f"{' '.join(text.split())[:60]!r}. Nothing was sent. {cure(path)}"
            )
        return found


class RecordedEmbedder:
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
        self._told = ""

    def embed(self, texts: Sequence[str]) -> Embedded:
        """As the other one does."""
        made = self._embedder.embed(texts)
        recorder = self._recorder()
        if recorder is not None:
            try:
                recorder.keep_vectors(self.provider, self.model, texts, made.vectors)
            except RecordError as error:
                self._tell(str(error))
        return made

    def _tell(self, text: str) -> None:
        if self._announce is not None and text != self._told:
            self._announce(f"nbroute: {text}")
        self._told = text
