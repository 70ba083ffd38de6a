"""A recording that answers instead of the models, and what is said when it cannot."""

from __future__ import annotations

import base64
import contextlib
import difflib
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nbroute.errors import RecordError, ReplayMiss
from nbroute.recording import documents as docs
from nbroute.recording.documents import Entry, RecordedRequest, VectorEntry
from nbroute.recording.scrub import Scrubber
from nbroute.report.table import counted, shortened
from nbroute.types import Chunk, Embedded, ProviderKind, Reply, Request

if TYPE_CHECKING:
    import numpy as np

#: Characters of a prompt that a miss shows, and by which prompts are compared.
_SHOWN, _COMPARED = 60, 300
_ALIKE = 0.6
#: Prompts compared letter by letter, which takes time: those with the most words in common.
_CANDIDATES = 100
_FIELDS = (
    "model",
    "max_tokens",
    "temperature",
    "provider",
    "json",
    "logprobs",
    "rated",
    "effort",
    "sample",
)


class Recording:
    """A file's answers by their requests: a read-only `Cache`; nothing is sent.

    If the same request is in it twice, the last one counts. Keys are removed from requests as
    they were when it was written. RecordError for a file that is missing, broken, of another
    schema or not ours.
    """

    def __init__(self, path: str | Path, scrubber: Scrubber | None = None) -> None:
        self.path = Path(path).expanduser()
        _, self.header, entries = docs.opened(self.path, self.path)
        self._scrubbers = (Scrubber(), scrubber or Scrubber())
        self._answers: dict[str, Entry] = {}
        self._vectors: dict[str, VectorEntry] = {}
        for _, entry in entries:
            if isinstance(entry, VectorEntry):
                self._vectors[entry.request.key] = entry
            else:
                self._answers[entry.request.key] = entry

    def __len__(self) -> int:
        return len(self._answers)

    def __repr__(self) -> str:
        return f"<Recording {str(self.path)!r}: {len(self)} answers>"

    @property
    def told(self) -> str:
        """What each card says about its answer."""
        return f"replayed from {self.path.name}: nothing was sent; times are as recorded"

    def key(self, request: Request) -> str:
        """The request's key; its text may contain a secret that only this machine knows."""
        shapes, known = (RecordedRequest.of(one.request(request)).key for one in self._scrubbers)
        return shapes if shapes in self._answers else known

    def get(self, key: str) -> Reply | None:
        """The recorded reply, or None; raises a recorded ProviderError."""
        found = self._answers.get(key)
        if found is None:
            return None
        if found.error is not None:
            raise docs.ERRORS[found.error.kind](str(found.error.message))
        reply = docs.like(found.reply, Reply)
        # At least a millisecond: an answer that took no time is one from the cache.
        text, reasoning = str(reply.text), str(reply.reasoning)
        waited = max(1.0, reply.latency_ms)
        return replace(reply, text=text, reasoning=reasoning, latency_ms=waited)

    def put(self, key: str, reply: Reply) -> None:
        """Do nothing."""

    def vectors(self, provider: str, model: str, texts: Sequence[str]) -> np.ndarray:
        """A row per text; ReplayMiss if one was not recorded, RecordError if it is damaged."""
        import numpy as np

        packed, whole = [], False
        for text in texts:
            asked = (
                docs.RecordedText(provider, model, docs.Lines(one.text(text))).key
                for one in self._scrubbers
            )
            found = next(filter(None, map(self._vectors.get, asked)), None)
            if found is None:
                raise ReplayMiss(
                    f"{self.path.name} has no vector of {model!r} for the text "
                    f"{shortened(text, _SHOWN)!r}. {self._cure}"
                )
            packed.append(found.vector)
        with contextlib.suppress(ValueError):
            rows = [np.frombuffer(base64.b64decode(one, validate=True), "<f4") for one in packed]
            vectors = np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)
            whole = vectors.size >= len(rows) and bool(np.isfinite(vectors).all())
        if not whole:
            raise RecordError(
                f"{self.path} has a damaged vector of {model!r}; delete its entry, and record it "
                "again"
            )
        return vectors

    def miss(self, tier: str, requests: Sequence[Request], purpose: str) -> str:
        """What was asked for and is missing, what comes closest, and how to record it."""
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
            prompts = {one.request.prompt for one in known}
            near = f"it has {counted(len(prompts), 'other prompt')}"
            heads = {one.request.prompt[:_COMPARED]: one for one in known}
            head = asked[0].prompt[:_COMPARED]
            words = set(head.split())
            common = {one: len(words & set(one.split())) for one in heads}
            likely = heapq.nlargest(_CANDIDATES, heads, key=common.__getitem__)
            if found := difflib.get_close_matches(head, likely, n=1, cutoff=_ALIKE):
                one = heads[found[0]]
                shown = shortened(one.request.prompt, _SHOWN)
                near = f"the closest recorded prompt, on {one.tier}, is {shown!r}"
        models = " or ".join(repr(request.model) for request in requests)
        what = {"classify": "classifying", "judge": "judging"}.get(purpose, "the prompt")
        prompt = shortened(requests[0].messages[-1].content, _SHOWN)
        return (
            f"{self.path.name} has no answer of {tier} ({models}) to {what} {prompt!r}; {near}. "
            f"{self._cure}"
        )

    @property
    def _cure(self) -> str:
        return (
            f"Nothing was sent. To record it, run `%route record {self.path.name}` where the model "
            "can be asked (with a key and no replay), then the cell"
        )


class ReplayProvider:
    """A provider with the recorded name and kind; it refuses to send."""

    def __init__(self, name: str, kind: ProviderKind, recording: Recording) -> None:
        self.name = name
        self.kind: ProviderKind = kind
        self._recording = recording

    def __repr__(self) -> str:
        return f"<ReplayProvider {self.name!r} from {self._recording.path.name}>"

    def send(self, request: Request) -> Iterator[Chunk]:
        """Raise ReplayMiss; nothing is ever sent."""
        raise ReplayMiss(self._recording.miss("this tier", [request], "answer"))

    def embedder(self, model: str) -> ReplayEmbedder:
        """The vectors that this provider's model made."""
        return ReplayEmbedder(self.name, self.kind, model, self._recording)

    def secrets(self) -> tuple[str, ...]:
        """None: it has no key."""
        return ()

    def close(self) -> None:
        """Do nothing."""


class ReplayEmbedder:
    """The vectors of a recording; ReplayMiss for a text without one."""

    def __init__(self, provider: str, kind: ProviderKind, model: str, recording: Recording) -> None:
        self.name = f"{provider}:{model}"
        self.kind: ProviderKind = kind
        self.provider = provider
        self.model = model
        self._recording = recording

    def missing(self, texts: Sequence[str]) -> list[str]:
        """None; ReplayMiss if a text was not recorded."""
        self.embed(texts)
        return []

    def embed(self, texts: Sequence[str]) -> Embedded:
        """The recorded vectors."""
        return Embedded(self._recording.vectors(self.provider, self.model, texts))


def _differences(tier: str, asked: RecordedRequest, known: Entry) -> list[str]:
    """In words, how the recorded request of the same prompt differs."""
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
