"""Labelled examples as the classifier: the prompt goes where prompts like it belong.

It compares the part of a prompt that asks. With the shipped examples and wordllama, nearest
neighbours were right for 50% of 1,500 prompts of `tests/data`, and nearest centroids for 46%
(each within 3 points either way); chance is 25%. Other numbers of neighbours, from 9 to 100,
make no significant difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nbroute.classify.examples import (
    Embed,
    Example,
    ExampleVectors,
    Filled,
    compared_text,
    tier_of,
    unit_vectors,
)
from nbroute.classify.wording import listed
from nbroute.errors import ProviderError, SettingsError, named
from nbroute.types import Attempt, Decision, Ladder, Signal

if TYPE_CHECKING:
    import numpy as np

Method = Literal["neighbours", "centroid"]
NEIGHBOURS = 15
#: How far from chance to 1 the share of hits is at no margin, and how much a margin of 1 adds:
#: measured on 1,500 prompts of `tests/data` on four tiers, mostly within 6 points.
_AT_NONE, _AT_ONE = 0.13, 0.8


@dataclass(frozen=True, slots=True)
class _Scored:
    """How similar the prompt is to each tier (shares of 1), and the examples, nearest first."""

    shares: np.ndarray
    nearest: tuple[tuple[Example, int, float], ...]


@dataclass(eq=False)
class EmbeddingClassifier:
    """Compares the prompt with labelled examples by the cosine of their vectors.

    "neighbours": the 15 nearest examples vote, each with e to the power of its similarity
    over the spread (standard deviation) of all similarities, so that embedders with narrow
    and wide cosines vote alike. "centroid" is the second article's: the tier whose mean
    vector is nearest. The confidence grows with the margin between the two best tiers, as the
    share of hits was measured to. A prompt that is itself an example has its tier, and nothing
    is embedded.

    Where `embed` raises for a bad key or a refused request, so does this; other ProviderErrors
    mean the ladder's default tier. The four labels of the shipped examples fit any ladder; other
    labels count where the ladder has that tier. SettingsError where no example does.
    """

    embed: Embed
    examples: ExampleVectors
    method: Method = "neighbours"

    def __post_init__(self) -> None:
        self.name = "embedding" if self.method == "neighbours" else f"embedding:{self.method}"

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The tier of the most similar prompts."""
        known = self.examples.known(prompt)
        tier = tier_of(known.tier, ladder) if known else None
        if tier is not None:
            reason = f"it is itself an example of {tier}"
            return Decision(tier, self.name, reason, 1.0)
        try:
            return self._compared(compared_text(prompt), ladder)
        except ProviderError as error:
            if not error.try_next:
                raise
            why = f"it could not be compared with the examples ({named(error)})"
            return self._default(ladder, why, getattr(error, "attempts", ()))

    def _compared(self, text: str, ladder: Ladder) -> Decision:
        vectors, attempts = unit_vectors(self.embed, [text])
        if not vectors.any():
            return self._default(ladder, "there is nothing in it to compare", attempts)
        filled, more = self.examples.filled(self.embed, vectors.shape[1])
        attempts += more
        places = _places(filled.examples, ladder)
        scored = self._scored(filled, vectors[0], places, len(ladder.tiers))
        top = max(len(ladder.tiers) - 1, 1)
        signals = []
        for example, place, likeness in scored.nearest:
            weight = round(likeness * (2 * place / top - 1), 3)
            name = f"example of {ladder.names[place]}"
            signals.append(Signal(name, _short(example.prompt), weight=weight))
        tier = ladder.names[int(scored.shares.argmax())]
        present = sorted(float(share) for share in scored.shares if share >= 0)
        confidence = 1.0
        if len(present) > 1:
            chance = 1 / len(present)
            margin = float(present[-1] - present[-2])
            confidence = round(chance + (1 - chance) * (_AT_NONE + _AT_ONE * margin), 2)
        told = listed(
            [
                f'"{_short(example.prompt)}" ({ladder.names[place]})'
                for example, place, _ in scored.nearest[:2]
            ]
        )
        bare = [n for n, share in zip(ladder.names, scored.shares, strict=True) if share < 0]
        without = f"; there is no example of {' or '.join(bare)}" if bare else ""
        reason = f"most like {told}{without}"
        return Decision(tier, self.name, reason, confidence, tuple(signals), attempts)

    def _scored(self, filled: Filled, vector: np.ndarray, places: list[int], tiers: int) -> _Scored:
        import numpy as np

        usable = np.array([index for index, place in enumerate(places) if place >= 0])
        at = np.array(places)[usable]
        likeness = (filled.vectors @ vector)[usable]
        spread = max(float(likeness.std()), 1e-6)
        order = np.argsort(-likeness, kind="stable")
        nearest = tuple(
            (filled.examples[usable[i]], int(at[i]), float(likeness[i])) for i in order[:5]
        )
        if self.method == "centroid":
            scores = np.full(tiers, -np.inf)
            for place in np.unique(at):
                mean = filled.vectors[usable][at == place].mean(axis=0)
                scores[place] = mean @ vector / (float(np.linalg.norm(mean)) or 1.0)
            scores /= spread
            powers = np.exp(scores - scores.max())
            shares = np.where(np.isfinite(scores), powers / powers.sum(), -np.inf)
            return _Scored(shares, nearest)
        voting = order[:NEIGHBOURS]
        votes = np.bincount(at[voting], np.exp((likeness[voting] - likeness.max()) / spread), tiers)
        # A tier without an example could not have been chosen: it does not count in the margin.
        present = np.bincount(at, minlength=tiers) > 0
        return _Scored(np.where(present, votes / votes.sum(), -np.inf), nearest)

    def _default(self, ladder: Ladder, why: str, attempts: tuple[Attempt, ...]) -> Decision:
        reason = f"{why}, so the default {ladder.default}"
        return Decision(ladder.default, self.name, reason, attempts=attempts, defaulted=True)


def _places(examples: tuple[Example, ...], ladder: Ladder) -> list[int]:
    """The place of each example's tier in the ladder; -1 where it has none."""
    tiers = {label: tier_of(label, ladder) for label in {one.tier for one in examples}}
    places = {label: -1 if tier is None else ladder.index(tier) for label, tier in tiers.items()}
    if max(places.values()) < 0:
        raise SettingsError(
            f"none of the {len(examples)} examples is for a tier of ladder {ladder.name!r}, which "
            f"has {', '.join(ladder.names)}: theirs are {', '.join(sorted(places))}."
        )
    return [places[one.tier] for one in examples]


def _short(prompt: str) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
