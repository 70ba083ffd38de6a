"""A classifier trained on labelled prompts, after the first article's.

It is a ridge regression on words in ones and twos, on the prompt's shape and, if wanted, on
static vectors; `nbroute.evaluate.training` fits it and
`nbroute.evaluate.model_file` keeps it. Trees, stacked on top, gained nothing on
whole subjects unseen (RouteLLM's MMLU outcomes), and a sum can be told in a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbroute.classify.features import FAMILIES, TOLD, Gram, Shape, grams, measure
from nbroute.classify.linear import Model
from nbroute.classify.vectors import unit_vectors
from nbroute.errors import SettingsError
from nbroute.types import Decision, Embedder, Ladder, Signal

if TYPE_CHECKING:
    import numpy as np

_SIGNALS, _TOLD = 8, 3


@dataclass(frozen=True)
class _Said:
    """The parts of one prompt's score."""

    shape: Shape
    grams: list[Gram]
    measures: np.ndarray
    terms: dict[int, float]
    vector: float

    @property
    def total(self) -> float:
        return float(self.measures.sum()) + sum(self.terms.values()) + self.vector


class LearnedClassifier:
    """The trained classifier: numpy alone, no call, the same prompt always the same tier.

    `embedder` must be the one that it was trained with, else there is a SettingsError; where
    it was trained without, none is used. The confidence is the chance, as cross-validated in
    training, that the tier is the right one. Trained on the scores of a weak and a strong
    model, that is how likely the strong one does better (for the top tier), or does not.
    """

    name = "learned"

    def __init__(self, model: Model, embedder: Embedder | None = None) -> None:
        given = None if embedder is None else embedder.name
        if model.embedder is not None and given != model.embedder:
            raise SettingsError(
                f"the learned classifier was trained with the embedder {model.embedder!r} and is "
                f"given {given!r}; give it the same, or fit it again."
            )
        self.model = model
        self._embedder = embedder

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The tier at the prompt's score; SettingsError on a ladder with other tiers."""
        if ladder.names != self.model.tiers:
            raise SettingsError(
                f"the learned classifier was trained for the tiers {_listed(self.model.tiers)}, "
                f"and ladder {ladder.name!r} has {_listed(ladder.names)}; fit it again."
            )
        said = self._read(prompt, self._vectors([prompt]))
        score = self.model.bias + said.total
        level = self.model.scale.level(score)
        confidence = round(float(self.model.scale.chances(score)[level]), 3)
        signals = tuple(self._signals(said))
        tier = self.model.levels[level]
        return Decision(tier, self.name, _reason(signals), confidence, signals)

    def score(self, prompt: str) -> float:
        """How dear a tier the prompt wants; only the order of two scores means anything."""
        return self.model.bias + self._read(prompt, self._vectors([prompt])).total

    def _vectors(self, prompts: Sequence[str]) -> np.ndarray | None:
        if self._embedder is None or self.model.reading.middle is None:
            return None
        vectors = embedded(self._embedder, prompts)
        expected = len(self.model.reading.middle)
        if vectors.shape[1] != expected:
            raise SettingsError(
                f"the embedder {self._embedder.name!r} gives vectors of {vectors.shape[1]} "
                f"numbers, and the learned classifier was trained with {expected}; fit it again."
            )
        return self.model.reading.vectors(vectors)

    def _read(self, prompt: str, vectors: np.ndarray | None) -> _Said:
        weights, reading = self.model.weights, self.model.reading
        shape, found, first = Shape(prompt), list(grams(prompt)), len(FAMILIES)
        counts = Counter(gram.text for gram in found)
        terms = {p: float(weights[first + p]) * w for p, w in reading.terms(counts).items()}
        rest = weights[first + len(reading.vocabulary.places) :]
        vector = 0.0 if vectors is None else float(vectors[0] @ rest)
        return _Said(shape, found, reading.scaled(measure(shape)) * weights[:first], terms, vector)

    def _signals(self, said: _Said) -> Iterator[Signal]:
        """The strongest first."""
        spoken = [*_families(said), *_terms(said, self.model.reading.vocabulary.places)]
        if said.vector:
            spoken.append(Signal("meaning", "its meaning", weight=round(said.vector, 4)))
        yield from sorted(spoken, key=lambda signal: -abs(signal.weight))[:_SIGNALS]


def embedded(embedder: Embedder, prompts: Sequence[str]) -> np.ndarray:
    """The prompts' vectors, of length 1; SettingsError where they are none."""
    return unit_vectors(lambda texts: (embedder.embed(texts).vectors, ()), prompts)[0]


def _families(said: _Said) -> Iterator[Signal]:
    for family, tell in TOLD.items():
        weight = sum(w for name, w in zip(FAMILIES, said.measures, strict=True) if name == family)
        yield Signal(family, tell(said.shape), weight=round(float(weight), 4))


def _terms(said: _Said, places: Mapping[str, int]) -> Iterator[Signal]:
    first = {gram.text: gram for gram in reversed(said.grams)}
    for text, gram in first.items():
        weight = said.terms.get(places.get(text, -1), 0.0)
        if weight:
            quoted = said.shape.prompt[gram.start : gram.end]
            yield Signal("words", quoted, gram.start, gram.end, round(weight, 4))


def _reason(signals: Sequence[Signal]) -> str:
    sides = (
        ("for a dearer tier", [_told(s) for s in signals if s.weight > 0]),
        ("for a cheaper one", [_told(s) for s in signals if s.weight < 0]),
    )
    spoken = [f"{side}: {', '.join(told[:_TOLD])}" for side, told in sides if told]
    return f"learned: {'; '.join(spoken) or 'nothing speaks for any tier'}"


def _told(signal: Signal) -> str:
    told = " ".join(signal.text.split())
    return told if signal.start is None else f'"{told}" at {signal.start}'


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
