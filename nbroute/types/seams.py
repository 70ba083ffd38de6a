"""The Protocols: what the engine sees of classifiers, providers, checks and records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol

from nbroute.errors import ProviderError
from nbroute.types.calls import Attempt, Chunk, Reply, Request, Verdict
from nbroute.types.labels import Label
from nbroute.types.ladder import Ladder
from nbroute.types.money import ProviderKind, Usage

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Cap:
    """A budget of so many US dollars: for a session's id, a day (UTC) or a feature's name."""

    usd: Decimal
    scope: Literal["session", "day", "feature"]
    key: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The budget that a call does not fit in any more, and what is left of it."""

    cap: Cap
    left_usd: Decimal


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors, one row a text (n x d, float32), and what the endpoint counted and charged."""

    vectors: np.ndarray
    usage: Usage | None = None
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Signal:
    """Something in the prompt that spoke for a decision.

    `start` and `end` are character offsets in the prompt, None for a property of the whole
    prompt (its length, say). A positive `weight` speaks for a dearer tier.
    """

    name: str
    text: str
    start: int | None = None
    end: int | None = None
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """Which tier, who says so, why and how sure (0 to 1; None where it cannot tell).

    `attempts` are the calls that deciding cost. `defaulted` means that the classifier gave
    no usable answer and the ladder's default tier was taken.
    """

    tier: str
    classifier: str
    reason: str
    confidence: float | None = None
    signals: tuple[Signal, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    defaulted: bool = False


class Provider(Protocol):
    """An endpoint. `kind` says whether money changes hands and whether its words are real.

    One that is at an address has it as `base_url`, and maybe its `host`: answers of another
    address are not taken from the cache, and in a recording its name stands in their place.
    """

    name: str
    kind: ProviderKind

    def send(self, request: Request) -> Iterator[Chunk]:
        """Send, and yield the reply's pieces as they come (one piece where not streaming).

        Raises ProviderError only; closing the iterator closes the connection.
        """

    def secrets(self) -> Sequence[str]:
        """What must never be written down: its keys, the user and the password in its address."""

    def close(self) -> None:
        """Give back what it holds; a second call does nothing."""


class Classifier(Protocol):
    """Prompt -> Decision. `name` is what the ledger and the card call it."""

    name: str

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The tier that should answer; raises nothing that the prompt's content can cause."""


class Check(Protocol):
    """Reply -> Verdict; anything callable will do."""

    def __call__(self, reply: Reply) -> Verdict:
        """Whether the reply will do, and if not, why."""


class Embedder(Protocol):
    """Texts -> vectors. `name` tells its vectors from those of others, `kind` as a provider's."""

    name: str
    kind: ProviderKind
    provider: str
    model: str

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts, once each, that would be sent to an endpoint."""

    def embed(self, texts: Sequence[str]) -> Embedded:
        """One vector a text; raises ProviderError, or SettingsError where it cannot be used."""


class Cache(Protocol):
    """Request key -> Reply."""

    def get(self, key: str) -> Reply | None:
        """The stored reply; None where there is none."""

    def put(self, key: str, reply: Reply) -> None:
        """Keep the reply under that key."""


class Ledger(Protocol):
    """The append-only record: the last row of an attempt's id counts."""

    def append(self, attempt: Attempt) -> None:
        """Write a row at once; RecordError where it cannot be written."""

    def reserve(self, attempt: Attempt, caps: Sequence[Cap]) -> Refusal | None:
        """Append the running attempt if its `reserved_usd` fits in every cap; else say which not.

        One step, that two threads or two processes on one ledger cannot both pass.
        """

    def rows(self, *, session: str | None = None) -> list[Mapping[str, Any]]:
        """One mapping an attempt, oldest first, with the fields of `Attempt`."""

    def frame(self, *, session: str | None = None) -> pd.DataFrame:
        """The same as a table, with `ts` also as UTC `time` and money as floats."""

    def report_rows(self, *, session: str | None = None) -> list[Any]:
        """The same as light tuples, for `nbroute.report.summarise`."""

    def spend(self, by: Any = None, *, session: str | None = None) -> Any:
        """The `Spend` of all, or a dict of them by tier, model, day, feature or session."""

    def version(self) -> object:
        """Another value as soon as anybody has written; None where that cannot be told."""

    def label(self, label: Label) -> None:
        """Keep a person's word on an answer; RecordError where it cannot be written."""

    def labels(self, *, session: str | None = None) -> list[Label]:
        """All that was said of answers, oldest first."""

    def close(self) -> None:
        """Close the file; a second call does nothing."""


class Recorder(Protocol):
    """Keeps answers and failures in a file."""

    def keep(
        self, request: Request, outcome: Reply | ProviderError, *, tier: str, purpose: str
    ) -> None:
        """Keep a whole answer, or that a model failed; RecordError where it cannot be written."""


class Replay(Protocol):
    """What a recorded file says besides its answers."""

    @property
    def told(self) -> str:
        """What a result says of where it comes from."""

    def miss(self, tier: str, requests: Sequence[Request], purpose: str) -> str:
        """That none of the requests is recorded, what is near, and the cure."""
