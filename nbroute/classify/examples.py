"""Labelled example prompts with their vectors, and the part of a prompt that is embedded.

The shipped examples were written for nbroute, separately from the prompts it is measured on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from nbroute.classify.asking import asking
from nbroute.errors import SettingsError
from nbroute.locks import Lock
from nbroute.types import Attempt, Ladder

if TYPE_CHECKING:
    import numpy as np


#: The tiers of the shipped examples, cheapest first: those of the second article.
LABELS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the tier that should answer it."""

    prompt: str
    tier: str


@cache
def shipped() -> tuple[Example, ...]:
    """The examples that come with nbroute, over 75 for each of LABELS, in several languages."""
    text = resources.files(__package__).joinpath("data", "examples.csv").read_text("utf-8")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return tuple(Example(row["prompt"], row["tier"]) for row in rows)


def tier_of(label: str, ladder: Ladder) -> str | None:
    """The tier of that name, else the one at the height of a shipped label; None for any other.

    A label stands for a quarter of the ladder, and the middle of the quarter decides: on two
    tiers, SIMPLE and MEDIUM are the lower one.
    """
    if label in ladder.names:
        return label
    if label not in LABELS:
        return None
    return ladder.names[(2 * LABELS.index(label) + 1) * len(ladder.tiers) // (2 * len(LABELS))]


#: Texts -> one vector each (n x d), and the calls that this cost.
Embed = Callable[[Sequence[str]], tuple["np.ndarray", tuple[Attempt, ...]]]

#: How many characters of a long question are compared.
HEAD, TAIL = 700, 300


def compared_text(prompt: str) -> str:
    """The text that is embedded: the part that asks, or its head and tail where that is long."""
    text = "\n".join(prompt[start:end] for start, end in asking(prompt)).strip() or prompt
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}"


@dataclass(frozen=True, slots=True)
class Filled:
    """Examples and their vectors, each row of length 1."""

    examples: tuple[Example, ...]
    vectors: np.ndarray


class ExampleVectors:
    """Examples, each embedded once, when it is first needed; thread-safe.

    It outlives the classifiers that share it. A later example for the same prompt replaces
    the earlier one. Do not mix the vectors of two embedders: use one of these for each.
    """

    def __init__(self, examples: Iterable[Example] = ()) -> None:
        self._examples = {one.prompt.strip(): one for one in examples}
        self._vectors: dict[str, np.ndarray] = {}
        self._filled: Filled | None = None
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._examples)

    def add(self, example: Example) -> None:
        """Teach one more; only it is embedded, when it is needed."""
        with self._lock:
            self._examples[example.prompt.strip()] = example
            self._filled = None

    def known(self, prompt: str) -> Example | None:
        """The example with exactly that prompt."""
        return self._examples.get(prompt.strip())

    def filled(self, embed: Embed, width: int) -> tuple[Filled, tuple[Attempt, ...]]:
        """All examples with vectors of that width, and what embedding the missing ones cost.

        Vectors of another width come from an earlier embedder: they are embedded again.
        """
        import numpy as np

        with self._lock:
            if self._filled is not None and self._filled.vectors.shape[1] == width:
                return self._filled, ()
            if not self._examples:
                raise SettingsError(
                    "the embedding classifier has no examples: keep the shipped ones, or give "
                    "your own with a prompt for each tier."
                )
            kept = {text: vector for text, vector in self._vectors.items() if len(vector) == width}
            missing = [prompt for prompt in self._examples if prompt not in kept]
            attempts: tuple[Attempt, ...] = ()
            if missing:
                vectors, attempts = unit_vectors(embed, list(map(compared_text, missing)))
                if vectors.shape[1] != width:
                    raise SettingsError(
                        f"the embedder gives vectors of {width} dimensions for the prompt and of "
                        f"{vectors.shape[1]} for the examples: check that its endpoint serves one "
                        "model."
                    )
                kept |= dict(zip(missing, vectors, strict=True))
            self._vectors = kept
            rows = np.stack([kept[prompt] for prompt in self._examples])
            self._filled = Filled(tuple(self._examples.values()), rows)
            return self._filled, attempts


def unit_vectors(embed: Embed, texts: Sequence[str]) -> tuple[np.ndarray, tuple[Attempt, ...]]:
    """The texts' vectors, each of length 1 (or 0 where there is nothing in the text)."""
    import numpy as np

    vectors, attempts = embed(texts)
    found = np.asarray(vectors, dtype=np.float32)
    if found.ndim != 2 or len(found) != len(texts) or not np.isfinite(found).all():
        raise SettingsError(
            f"the embedder gave an array of shape {found.shape} for {len(texts)} texts, or one "
            "with values that are not numbers: it should give one vector of numbers per text."
        )
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(lengths > 0, lengths, 1), attempts
