"""The linear model of the learned classifier: what it reads, its weights, what a score means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbroute.classify.features import FAMILIES, Vocabulary

if TYPE_CHECKING:
    import numpy as np

#: How much the terms of a prompt count together, and its vector, beside its shape.
TERMS_PART, VECTOR_PART = 0.7, 0.7
#: A measure further from the mean than so many standard deviations counts as that.
FURTHEST = 3.0


@dataclass(frozen=True, eq=False)
class Reading:
    """What is taken from the training prompts before any label is looked at.

    `centre` and `spread` are of the measures, `middle` is the mean of the unit vectors (None
    without an embedder).
    """

    vocabulary: Vocabulary
    centre: np.ndarray
    spread: np.ndarray
    middle: np.ndarray | None = None

    def scaled(self, measures: np.ndarray) -> np.ndarray:
        """The measures in standard deviations from the training prompts' mean."""
        import numpy as np

        moved = (measures - self.centre) / self.spread
        row: np.ndarray = np.clip(moved, -FURTHEST, FURTHEST) / len(FAMILIES) ** 0.5
        return row

    def terms(self, counts: Mapping[str, int]) -> dict[int, float]:
        """Place in the vocabulary -> weight."""
        return {place: TERMS_PART * w for place, w in self.vocabulary.weigh(counts).items()}

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """Rows of length 1, as seen from the training prompts' mean."""
        moved: np.ndarray = VECTOR_PART * (rows - self.middle)
        return moved


@dataclass(frozen=True, eq=False)
class Scale:
    """What a score means: a level for each stretch between `cuts`, and how likely it is.

    The chance of a level above the k-th is the logistic of `slope` times the score plus
    `intercepts[k]` (proportional odds: McCullagh 1980, "Regression models for ordinal data").
    """

    cuts: np.ndarray
    slope: float
    intercepts: np.ndarray

    def level(self, score: float) -> int:
        """The place of the level, 0 for the cheapest."""
        return int((self.cuts <= score).sum())

    def chances(self, score: float) -> np.ndarray:
        """The chance of each level."""
        import numpy as np

        logits = np.clip(self.slope * score + self.intercepts, -60, 60)
        above = 1 / (1 + np.exp(-logits))
        return -np.diff(above, prepend=1.0, append=0.0)


@dataclass(frozen=True, eq=False)
class Model:
    """All that fitting found. `tiers` are the ladder's, `levels` those that can be chosen."""

    tiers: tuple[str, ...]
    levels: tuple[str, ...]
    reading: Reading
    weights: np.ndarray
    bias: float
    scale: Scale
    embedder: str | None = None
