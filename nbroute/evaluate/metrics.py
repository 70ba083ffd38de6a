"""The figures by which routers are compared, as pure functions.

A router gives each prompt a score: how much it wants the strong model. The share x of the
prompts with the highest scores goes to the strong model, y(x) is the mean result, and
PGR(x) = (y(x) - weak mean) / (strong mean - weak mean), the part of the gap recovered.
After "RouteLLM: Learning to Route LLMs with Preference Data", arXiv 2406.18665, section 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Metric = Callable[[Any, Any, Any], float]


def apgr(scores: ArrayLike, weak: ArrayLike, strong: ArrayLike) -> float:
    """The area under PGR for x from 0 to 1; 0.5 is what chance gives.

    Prompts with the same score count in expectation over their order. Raises ValueError where
    the strong model is no better on the whole, for there is no gap to recover.
    """
    share, recovered = _curve(scores, weak, strong)
    middles = (recovered[1:] + recovered[:-1]) / 2
    return float((middles * (share[1:] - share[:-1])).sum())


def cpt(scores: ArrayLike, weak: ArrayLike, strong: ArrayLike, recover: float) -> float:
    """The least share of strong calls that recovers the part `recover` (0 to 1) of the gap.

    Raises ValueError as `apgr` does.
    """
    share, recovered = _curve(scores, weak, strong)
    place = int((recovered >= recover).argmax())
    if place == 0:
        return 0.0
    before, after = recovered[place - 1], recovered[place]
    part = (recover - before) / (after - before)
    return float(share[place - 1] + part * (share[place] - share[place - 1]))


def bootstrap(
    metric: Metric,
    scores: ArrayLike,
    weak: ArrayLike,
    strong: ArrayLike,
    *,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile interval of a metric over resampled prompts.

    A sample in which the strong model is no better has no value and is left out.
    """
    import numpy as np

    columns = [np.asarray(column, dtype=float) for column in (scores, weak, strong)]
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(samples):
        drawn = generator.integers(0, len(columns[0]), len(columns[0]))
        sample = [column[drawn] for column in columns]
        if sample[2].sum() > sample[1].sum():
            values.append(metric(*sample))
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def tier_shares(tiers: Iterable[str]) -> dict[str, float]:
    """The part of the decisions that each tier got, the largest first; empty for none."""
    counts = Counter(tiers)
    return {tier: count / counts.total() for tier, count in counts.most_common()}


def accuracy_by(
    groups: Iterable[Hashable], expected: Iterable[str], actual: Iterable[str]
) -> dict[Hashable, tuple[int, int]]:
    """Group -> how many decisions were right, and of how many."""
    right: Counter[Hashable] = Counter()
    total: Counter[Hashable] = Counter()
    for group, wanted, got in zip(groups, expected, actual, strict=True):
        total[group] += 1
        right[group] += wanted == got
    return {group: (right[group], count) for group, count in total.items()}


def _curve(
    scores: ArrayLike, weak: ArrayLike, strong: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The points (x, PGR) after each group of equal scores; between them it is a line."""
    import numpy as np

    gains = np.asarray(strong, dtype=float) - np.asarray(weak, dtype=float)
    if gains.sum() <= 0:
        raise ValueError("the strong model is no better than the weak one: there is no gap.")
    _, group = np.unique(-np.asarray(scores, dtype=float), return_inverse=True)
    sizes = np.bincount(group)
    gained = np.bincount(group, weights=gains)
    share = np.concatenate([[0.0], np.cumsum(sizes) / len(gains)])
    return share, np.concatenate([[0.0], np.cumsum(gained) / gains.sum()])
