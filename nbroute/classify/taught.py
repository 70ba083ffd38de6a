"""The default classifier plus what it was taught: single prompts, each with the tier it is for.

A kernel machine on top of the shipped weights: each taught prompt pulls the log-odds of a prompt
by the square of their cosine, so that what hardly resembles it stays as it was. The pulls come
from a few steps up the gradient of the taught prompts' likelihood (kernel logistic regression
by stochastic gradient descent: Kivinen et al. 2004, "Online Learning with Kernels").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nbroute.classify.examples import LABELS, Example, tier_of
from nbroute.classify.ngrams import (
    PLACES,
    Features,
    NgramClassifier,
    Weights,
    features,
    shipped,
)
from nbroute.types import Decision, Ladder

if TYPE_CHECKING:
    import numpy as np

#: Passes over the taught prompts, and the size of a step. Ten prompts of one kind move an
#: eleventh, and under 2% of 240 others change their tier.
PASSES, STEP = 10, 4.0


class TaughtClassifier:
    """ngrams plus taught prompts; thread-safe.

    A taught prompt gets its tier, very similar ones lean that way, and others stay as they
    were. The same prompts, taught in the same order, always make the same classifier. Prompts
    whose tier is not on the ladder count for nothing.
    """

    name = NgramClassifier.name

    def __init__(self, examples: Iterable[Example] = ()) -> None:
        self._examples = {one.prompt.strip(): one for one in examples}
        self._lessons: dict[tuple[str, ...], Lessons] = {}

    def taught(self, example: Example) -> TaughtClassifier:
        """A classifier that was taught that example, too."""
        others = self._examples.keys() - {example.prompt.strip()}
        kept = (one for prompt, one in self._examples.items() if prompt in others)
        return TaughtClassifier([*kept, example])

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The tier that was taught, else the likeliest one, as in `NgramClassifier`."""
        if not self._examples:
            return NgramClassifier().classify(prompt, ladder)
        known = self._examples.get(prompt.strip())
        if known and (tier := tier_of(known.tier, ladder)):
            return Decision(tier, self.name, f"you taught that this is for {tier}", 1.0)
        return self._leaning(prompt, ladder).classify(prompt, ladder)

    def score(self, prompt: str, ladder: Ladder | None = None) -> float:
        """How far up the ladder the prompt belongs, from 0 to 1; only the order means anything.

        Without a ladder, what was taught counts for nothing.
        """
        if not self._examples or ladder is None:
            return NgramClassifier().score(prompt)
        return self._leaning(prompt, ladder).score(prompt)

    def _leaning(self, prompt: str, ladder: Ladder) -> NgramClassifier:
        """The shipped classifier, moved by the lessons, for that prompt."""
        if ladder.names not in self._lessons:
            self._lessons[ladder.names] = _lessons(self._examples.values(), ladder)
        return NgramClassifier(self._lessons[ladder.names].weights_for(prompt))


def _lessons(examples: Iterable[Example], ladder: Ladder) -> Lessons:
    """Each example with the labels that stand for its tier, or else with the nearest ones."""
    import numpy as np

    places = np.array([ladder.index(tier_of(label, ladder) or "") for label in LABELS])
    rows = []
    for one in examples:
        if tier := tier_of(one.tier, ladder):
            far = np.abs(places - ladder.index(tier))
            rows.append((one.prompt, far == far.min()))
    return Lessons(shipped(), rows)


class Lessons:
    """Prompts, each with the labels that may be right for it, and how they pull others."""

    def __init__(self, weights: Weights, rows: Sequence[tuple[str, np.ndarray]]) -> None:
        import numpy as np

        read = [(features(prompt, weights.rarities), labels) for prompt, labels in rows]
        self._weights = weights
        self._owners = np.repeat(np.arange(len(read)), [len(found.places) for found, _ in read])
        self._places = np.concatenate([np.zeros(0, int), *(found.places for found, _ in read)])
        self._strengths = np.concatenate([np.zeros(0), *(found.weights for found, _ in read)])
        self._pulls = np.zeros((len(read), len(LABELS)))
        self._learn(read)

    def _learn(self, read: Sequence[tuple[Features, np.ndarray]]) -> None:
        import numpy as np

        alike = [self._likeness(self._shared(found)) ** 2 for found, _ in read]
        odds = [np.log(self._weights.chances(found)) for found, _ in read]
        for _ in range(PASSES):
            for row, (_, labels) in enumerate(read):
                pulled = odds[row] + alike[row] @ self._pulls * self._weights.sharpness
                chances = np.exp(pulled - pulled.max())
                chances /= chances.sum()
                wanted = chances * labels
                self._pulls[row] += STEP * (wanted / wanted.sum() - chances)

    def _shared(self, asked: Features) -> np.ndarray:
        """The prompt's weight in each place of the taught prompts."""
        import numpy as np

        row = np.zeros(PLACES)
        row[asked.places] = asked.weights
        found: np.ndarray = row[self._places]
        return found

    def _likeness(self, shared: np.ndarray) -> np.ndarray:
        """The cosine of each taught prompt with that one."""
        import numpy as np

        return np.bincount(self._owners, self._strengths * shared, len(self._pulls))

    def weights_for(self, prompt: str) -> Weights:
        """The weights for that prompt: its log-odds follow from them as usual."""
        import numpy as np

        shared = self._shared(features(prompt, self._weights.rarities))
        pulls = self._likeness(shared)[:, None] * self._pulls
        moved, here = self._weights.weights.copy(), np.flatnonzero(shared)
        pulled = pulls[self._owners[here]] * self._strengths[here][:, None]
        np.add.at(moved, self._places[here], pulled)
        return replace(self._weights, weights=moved)
