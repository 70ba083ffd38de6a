"""A recording that answers in a model's place, and the words where it cannot."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from nbroute.errors import RecordError
from nbroute.recording.documents import documents, read_text
from nbroute.recording.entries import Entry, VectorEntry, read_entry, vector_key
from nbroute.recording.header import Header, read_header
from nbroute.recording.scrub import Scrubber
from nbroute.types import Reply, Request

#: Characters of a prompt that a miss shows, and that prompts are compared by.
_SHOWN, _COMPARED = 60, 300
_ALIKE = 0.6
#: Prompts that are compared letter by letter, which takes time: those with most words in common.
_CANDIDATES = 100


class _Asked(NamedTuple):
    tier: str
    request: Request


class Recording:
    """A file's answers by their requests; a `Cache` that never learns and sends nothing.

    Where the same request stands in it twice the last one counts. Keys are taken out of
    requests as they were when it was written. `load` raises RecordError for a file that is
    missing, broken, of another schema or not ours.
    """

    def __init__(self, path: Path, header: Header, scrubber: Scrubber) -> None:
        self.path = path
        self.header = header
        self._scrub, self._shapes = scrubber, Scrubber()
        self._answers: dict[str, Entry] = {}
        self._vectors: dict[str, str] = {}

    @classmethod
    def load(cls, path: str | Path, scrubber: Scrubber | None = None) -> Self:
        """The recording of that file."""
        named = Path(path).expanduser()
        text = read_text(named, named)
        if not text.strip():
            raise _empty(named)
        first, *rest = documents(text, named)
        recording = cls(named, read_header(first, named), scrubber or Scrubber())
        for document in rest:
            recording.add(read_entry(document, named))
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

    def add(self, entry: Entry | VectorEntry) -> None:
        """Answer from that entry, too."""
        if isinstance(entry, VectorEntry):
            self._vectors[entry.key] = entry.vector
        else:
            self._answers[entry.key] = entry

    def key(self, request: Request) -> str:
        """The request's key; a key that is known on this machine alone may stand in its text."""
        plain = Entry("", "", self._shapes.request(request)).key
        if plain in self._answers:
            return plain
        return Entry("", "", self._scrub.request(request)).key

    def get(self, key: str) -> Reply | None:
        """The recorded reply, None where there is none; raises a recorded ProviderError."""
        found = self._answers.get(key)
        if found is not None and found.error is not None:
            raise found.error
        return found.reply if found else None

    def put(self, key: str, reply: Reply) -> None:
        """Do nothing."""

    def vector(self, provider: str, model: str, text: str) -> str | None:
        """The text's packed vector; None where it was not recorded."""
        for scrubber in (self._shapes, self._scrub):
            found = self._vectors.get(vector_key(provider, model, scrubber.text(text)))
            if found is not None:
                return found
        return None

    def miss(self, tier: str, requests: Sequence[Request], purpose: str) -> str:
        """What was asked for and is not there, what is near it, and how to record it."""
        models = " or ".join(repr(request.model) for request in requests)
        asked = f"the prompt {_short(requests[0])!r}"
        if purpose == "classify":
            asked = f"classifying {_short(requests[0])!r}"
        near = self._near(tier, requests, purpose)
        return (
            f"{self.path.name} has no answer of {tier} ({models}) to {asked}"
            f"{f'; {near}' if near else ''}. Nothing was sent. {cure(self.path)}"
        )

    def _near(self, tier: str, requests: Sequence[Request], purpose: str) -> str:
        """What differs from the request that is most like one of these."""
        requests = [self._scrub.request(request) for request in requests]
        known = (one for one in self._answers.values() if one.purpose == purpose)
        asked = [_Asked(one.tier, one.request) for one in known]
        alike = [
            (known.tier != tier, len(differing), place, differing)
            for place, known in enumerate(asked)
            for request in requests
            if _prompt(known.request) == _prompt(request)
            and (differing := _differences(tier, request, known))
        ]
        if alike:
            return f"recorded for it {', '.join(min(alike)[-1])}"
        return _closest(_prompt(requests[0]), {_prompt(one.request): one for one in asked})


def read_headline(path: Path) -> Header:
    """The header of a recording, without its answers; RecordError as `Recording.load`."""
    text = read_text(path, path)
    first = next(documents(text, path), None)
    if first is None:
        raise _empty(path)
    return read_header(first, path)


def cure(path: Path) -> str:
    """How to record what is missing."""
    return (
        f"To record it, say `%route record {path.name}` where the model can be asked (with a key "
        "and no replay), and run the cell"
    )


def _empty(path: Path) -> RecordError:
    return RecordError(f"{path} is empty; make a recording with `%route record {path.name}`")


def _prompt(request: Request) -> str:
    return request.messages[-1].content


def _short(request: Request) -> str:
    text = " ".join(_prompt(request).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _differences(tier: str, asked: Request, known: _Asked) -> list[str]:
    """In words, what the recorded request of the same prompt has otherwise."""
    was = known.request
    if known.tier != tier:
        return [f"on {known.tier} ({was.model}), not on {tier}"]
    pairs = [
        ("model", was.model, asked.model),
        ("max_tokens", was.max_tokens, asked.max_tokens),
        ("temperature", was.temperature, asked.temperature),
        ("provider", was.provider, asked.provider),
        ("JSON", was.json, asked.json),
        ("logprobs", was.logprobs, asked.logprobs),
        ("rated", was.rated, asked.rated),
    ]
    told = [f"with {name} {one!r}, asked with {now!r}" for name, one, now in pairs if one != now]
    if (was.schema or None) != (asked.schema or None):
        told.append("with another schema")
    return told + _other_messages(asked, was)


def _other_messages(asked: Request, was: Request) -> list[str]:
    told = []
    if _of_role(asked, "system") != _of_role(was, "system"):
        told.append("with another system prompt")
    if _turns(asked) != _turns(was):
        told.append("after other turns of the conversation")
    return told


def _of_role(request: Request, role: str) -> list[str]:
    return [one.content for one in request.messages if one.role == role]


def _turns(request: Request) -> list[str]:
    return [one.content for one in request.messages[:-1] if one.role != "system"]


def _closest(prompt: str, known: dict[str, _Asked]) -> str:
    heads = {text[:_COMPARED]: one for text, one in known.items()}
    words = set(prompt[:_COMPARED].split())
    likely = heapq.nlargest(_CANDIDATES, heads, key=lambda text: len(words & set(text.split())))
    found = difflib.get_close_matches(prompt[:_COMPARED], likely, n=1, cutoff=_ALIKE)
    if not found:
        if len(known) == 1:
            return "one other prompt is recorded"
        return f"{len(known)} other prompts are recorded" if known else "it is empty"
    near = heads[found[0]]
    return f"the closest recorded prompt, on {near.tier}, is {_short(near.request)!r}"
