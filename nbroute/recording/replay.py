"""A recording that answers in the models' place, and the words where it cannot."""

from __future__ import annotations

import base64
import difflib
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nbroute.errors import RecordError, ReplayMiss
from nbroute.recording.documents import (
    Entry,
    Header,
    Lines,
    RecordedRequest,
    RecordedText,
    VectorEntry,
    documents,
    like,
    read_entry,
    read_header,
    read_text,
)
from nbroute.recording.scrub import Scrubber
from nbroute.storage.cache import request_key
from nbroute.types import Chunk, Embedded, ProviderKind, Reply, Request

if TYPE_CHECKING:
    import numpy as np

#: Characters of a prompt that a miss shows, and that prompts are compared by.
_SHOWN, _COMPARED = 60, 300
_ALIKE = 0.6
#: Prompts that are compared letter by letter, which takes time: those with most words in common.
_CANDIDATES = 100
_FIELDS = ("model", "max_tokens", "temperature", "provider", "json", "logprobs", "rated")


class Recording:
    """A file's answers by their requests; a `Cache` that never learns and sends nothing.

    Where the same request stands in it twice the last one counts. Keys are taken out of
    requests as they were when it was written. `load` raises RecordError for a file that is
    missing, broken, of another schema or not ours.
    """

    def __init__(self, path: Path, header: Header, scrubber: Scrubber) -> None:
        self.path = path
        self.header = header
        self._scrubbers = (Scrubber(), scrubber)
        self._answers: dict[str, Entry] = {}
        self._vectors: dict[str, VectorEntry] = {}

    @classmethod
    def load(cls, path: str | Path, scrubber: Scrubber | None = None) -> Self:
        """The recording of that file."""
        named = Path(path).expanduser()
        header, found = _opened(named)
        recording = cls(named, header, scrubber or Scrubber())
        for entry in found:
            if isinstance(entry, VectorEntry):
                recording._vectors[entry.key] = entry
            else:
                recording._answers[entry.key] = entry
        return recording

    def __len__(self) -> int:
        return len(self._answers)

    def __repr__(self) -> str:
        """The file, and how much it holds."""
        return f"<Recording {str(self.path)!r}: {len(self)} answers>"

    @property
    def told(self) -> str:
        """What each card says of its answer."""
        return f"replayed from {self.path.name}: nothing was sent; times are as recorded"

    def key(self, request: Request) -> str:
        """The request's key; a key that is known on this machine alone may stand in its text."""
        shapes, known = self._scrubbers
        plain = request_key(shapes.request(request))
        return plain if plain in self._answers else request_key(known.request(request))

    def get(self, key: str) -> Reply | None:
        """The recorded reply, None where there is none; raises a recorded ProviderError."""
        found = self._answers.get(key)
        if found is None:
            return None
        if found.error is not None:
            raise found.error.error
        reply = like(found.reply, Reply)
        # A millisecond at least: an answer that took no time is one out of the cache.
        return replace(reply, text=str(reply.text), latency_ms=max(1.0, reply.latency_ms))

    def put(self, key: str, reply: Reply) -> None:
        """Do nothing."""

    def vector(self, provider: str, model: str, text: str) -> str | None:
        """The text's packed vector; None where it was not recorded."""
        for scrubber in self._scrubbers:
            asked = RecordedText(provider, model, Lines(scrubber.text(text)))
            if asked.key in self._vectors:
                return self._vectors[asked.key].vector
        return None

    def miss(self, tier: str, requests: Sequence[Request], purpose: str) -> str:
        """What was asked for and is not there, what is near it, and how to record it."""
        asked = [RecordedRequest.of(self._scrubbers[1].request(one)) for one in requests]
        known = [one for one in self._answers.values() if one.purpose == purpose]
        differences = [
            (one.tier != tier, len(differing), place, differing)
            for place, one in enumerate(known)
            for request in asked
            if one.request.prompt == request.prompt
            and (differing := _differences(tier, request, one))
        ]
        if differences:
            near = f"recorded for it {', '.join(min(differences)[-1])}"
        else:
            near = _closest(asked[0].prompt, {one.request.prompt: one for one in known})
        models = " or ".join(repr(request.model) for request in requests)
        what = "classifying" if purpose == "classify" else "the prompt"
        prompt = _shortened(requests[0].messages[-1].content)
        return (
            f"{self.path.name} has no answer of {tier} ({models}) to {what} {prompt!r}; {near}. "
            f"Nothing was sent. {self.cure}"
        )

    @property
    def cure(self) -> str:
        """How to record what is missing."""
        return (
            f"To record it, say `%route record {self.path.name}` where the model can be asked "
            "(with a key and no replay), and run the cell"
        )


class ReplayProvider:
    """A provider of that recorded name and kind; asked to send, it refuses."""

    def __init__(self, name: str, kind: ProviderKind, recording: Recording) -> None:
        self.name = name
        self.kind: ProviderKind = kind
        self._recording = recording

    def __repr__(self) -> str:
        """The name, and the file that answers."""
        return f"<ReplayProvider {self.name!r} from {self._recording.path.name}>"

    def send(self, request: Request) -> Iterator[Chunk]:
        """Raise ReplayMiss; nothing is ever sent."""
        raise ReplayMiss(self._recording.miss("this tier", [request], "answer"))

    def embedder(self, model: str) -> ReplayEmbedder:
        """The vectors that this provider's model gave."""
        return ReplayEmbedder(self.name, self.kind, model, self._recording)

    def secrets(self) -> tuple[str, ...]:
        """None: it has no key."""
        return ()

    def close(self) -> None:
        """Do nothing: it holds nothing."""


class ReplayEmbedder:
    """The vectors of a recording; ReplayMiss for a text that has none."""

    def __init__(self, provider: str, kind: ProviderKind, model: str, recording: Recording) -> None:
        self.name = f"{provider}:{model}"
        self.kind: ProviderKind = kind
        self.provider = provider
        self.model = model
        self._recording = recording

    def missing(self, texts: Sequence[str]) -> list[str]:
        """None; ReplayMiss where a text was not recorded."""
        self._packed(texts)
        return []

    def embed(self, texts: Sequence[str]) -> Embedded:
        """The recorded vectors."""
        import numpy as np

        packed = self._packed(texts)
        try:
            rows = [_unpacked(one) for one in packed]
            vectors = np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)
        except ValueError as error:
            raise RecordError(
                f"{self._recording.path} has a damaged vector of {self.model!r} ({error}); delete "
                "its entry, and record it again"
            ) from None
        return Embedded(vectors)

    def _packed(self, texts: Sequence[str]) -> list[str]:
        found = []
        for text in texts:
            vector = self._recording.vector(self.provider, self.model, text)
            if vector is None:
                raise ReplayMiss(
                    f"{self._recording.path.name} has no vector of {self.model!r} for the text "
                    f"{' '.join(text.split())[:60]!r}. Nothing was sent. {self._recording.cure}"
                )
            found.append(vector)
        return found


def _unpacked(vector: str) -> np.ndarray:
    import numpy as np

    found = np.frombuffer(base64.b64decode(vector, validate=True), dtype="<f4")
    if not found.size or not np.isfinite(found).all():
        raise ValueError("not all of it is finite numbers")
    return found


def read_headline(path: Path) -> Header:
    """The header of a recording, without its answers; RecordError as `Recording.load`."""
    return _opened(path)[0]


def _opened(path: Path) -> tuple[Header, Iterator[Entry | VectorEntry]]:
    """The header, and the entries that follow it."""
    found = documents(read_text(path, path), path)
    first = next(found, None)
    if first is None:
        raise RecordError(f"{path} is empty; make a recording with `%route record {path.name}`")
    return read_header(first, path), (read_entry(one, path) for one in found)


def _shortened(prompt: str) -> str:
    text = " ".join(prompt.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _differences(tier: str, asked: RecordedRequest, known: Entry) -> list[str]:
    """In words, what the recorded request of the same prompt has otherwise."""
    was = known.request
    if known.tier != tier:
        return [f"on {known.tier} ({was.model}), not on {tier}"]
    pairs = [(name, getattr(was, name), getattr(asked, name)) for name in _FIELDS]
    told = [f"with {name} {one!r}, asked with {now!r}" for name, one, now in pairs if one != now]
    if was.schema != asked.schema:
        told.append("with another schema")
    systems = [[turn for turn in one.messages if "system" in turn] for one in (was, asked)]
    if systems[0] != systems[1]:
        told.append("with another system prompt")
    turns = [[turn for turn in one.messages[:-1] if "system" not in turn] for one in (was, asked)]
    if turns[0] != turns[1]:
        told.append("after other turns of the conversation")
    return told


def _closest(prompt: str, known: dict[str, Entry]) -> str:
    heads = {text[:_COMPARED]: one for text, one in known.items()}
    words = set(prompt[:_COMPARED].split())
    likely = heapq.nlargest(_CANDIDATES, heads, key=lambda text: len(words & set(text.split())))
    found = difflib.get_close_matches(prompt[:_COMPARED], likely, n=1, cutoff=_ALIKE)
    if found:
        near = heads[found[0]]
        return (
            f"the closest recorded prompt, on {near.tier}, is {_shortened(near.request.prompt)!r}"
        )
    if len(known) == 1:
        return "one other prompt is recorded"
    return f"{len(known)} other prompts are recorded" if known else "it is empty"
