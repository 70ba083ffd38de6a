"""The figures by which routers are compared, and those of a trained one next to its rivals'.

A router gives each prompt a score: how much it wants the strong model. The share x of the
prompts with the highest scores goes to the strong model, y(x) is the mean result, and
PGR(x) = (y(x) - weak mean) / (strong mean - weak mean), the part of the gap recovered.
After "RouteLLM: Learning to Route LLMs with Preference Data", arXiv 2406.18665, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from nbroute.evaluate.training_data import Labelled
from nbroute.report.table import text_table
from nbroute.types import Classifier, Ladder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

#: Bootstrap samples behind an interval of the table.
SAMPLES = 300


def apgr(scores: ArrayLike, weak: ArrayLike, strong: ArrayLike) -> float:
    """The area under PGR for x from 0 to 1; 0.5 is what chance gives.

    Prompts with the same score count in expectation over their order. Raises ValueError where
    the strong model is no better on the whole, for there is no gap to recover.
    """
    share, recovered = gap_recovered(scores, weak, strong)
    middles = (recovered[1:] + recovered[:-1]) / 2
    return float((middles * (share[1:] - share[:-1])).sum())


def gap_recovered(
    scores: ArrayLike, weak: ArrayLike, strong: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The points (x, PGR) after each group of equal scores; between them it is a line.

    Raises ValueError as `apgr` does.
    """
    import numpy as np

    gains = np.asarray(strong, dtype=float) - np.asarray(weak, dtype=float)
    if gains.sum() <= 0:
        raise ValueError("the strong model is no better than the weak one: there is no gap.")
    _, group = np.unique(-np.asarray(scores, dtype=float), return_inverse=True)
    sizes = np.bincount(group)
    gained = np.bincount(group, weights=gains)
    share = np.concatenate([[0.0], np.cumsum(sizes) / len(gains)])
    return share, np.concatenate([[0.0], np.cumsum(gained) / gains.sum()])


def bootstrap(
    metric: Callable[[Any, Any, Any], float],
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


@dataclass(frozen=True, eq=False)
class Scored:
    """A router's scores and the levels that it chose, one per prompt; without levels, None."""

    scores: np.ndarray
    levels: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One router's line: its APGR with a 95% interval, and the share of right tiers.

    `ahead` is how far the learned classifier's APGR is above this one's, with an interval of
    which each end is passed by one bootstrap sample in ten; None for its own line and the
    oracle's. `right` is None where the labels are scores.
    """

    name: str
    apgr: float
    interval: tuple[float, float]
    ahead: tuple[float, float, float] | None = None
    right: float | None = None


def figures(
    labelled: Labelled, learned: Scored, ladder: Ladder, present: Classifier | None, seed: int
) -> tuple[Figure, ...]:
    """The learned classifier, random choice, prompt length, the present one and the oracle.

    Prompt length counts words, cut so that each tier gets as many prompts as have it as label.
    The present one is judged by its own scores where it has a method `score`, else by its tiers.
    """
    import numpy as np

    prompts = labelled.prompts
    words = np.array([float(len(prompt.split())) for prompt in prompts])
    shares = np.bincount(labelled.levels, minlength=len(labelled.tiers)) / len(words)
    cuts = np.quantile(words, np.minimum(np.cumsum(shares)[:-1], 1.0))
    rivals = {
        "random": Scored(np.zeros(len(words))),
        "prompt length": Scored(words, (words[:, None] >= cuts).sum(axis=1)),
    }
    if present is not None:
        levels = np.array([ladder.index(present.classify(one, ladder).tier) for one in prompts])
        score = getattr(present, "score", None)
        scores = [score(prompt) for prompt in prompts] if score else levels
        rivals[f"present: {present.name}"] = Scored(np.asarray(scores, dtype=float), levels)
    made = partial(_figure, labelled, seed)
    return (
        made("learned", learned, None),
        *(made(name, rival, learned) for name, rival in rivals.items()),
        made("oracle", Scored(labelled.gains, labelled.levels), None),
    )


def _figure(
    labelled: Labelled, seed: int, name: str, router: Scored, learned: Scored | None
) -> Figure:
    import numpy as np

    weak, strong = labelled.weak, labelled.strong
    drawn = partial(bootstrap, weak=weak, strong=strong, samples=SAMPLES, seed=seed)

    def difference(pair: Any, weak: Any, strong: Any) -> float:
        return apgr(pair[:, 0], weak, strong) - apgr(pair[:, 1], weak, strong)

    ahead, right = None, None
    if learned is not None:
        pair = np.column_stack([learned.scores, router.scores])
        ahead = (difference(pair, weak, strong), *drawn(difference, pair, level=0.8))
    if labelled.by_tier:
        shares = np.bincount(labelled.levels) / len(labelled.levels)
        guessed, levels = (shares**2).sum(), router.levels
        right = float(guessed if levels is None else np.mean(levels == labelled.levels))
    interval = drawn(apgr, router.scores, level=0.95)
    return Figure(name, apgr(router.scores, weak, strong), interval, ahead, right)


def unbeaten(lines: Sequence[Figure]) -> list[str]:
    """The rivals that the first line is not surely above, or that are more often right; and why."""
    own = lines[0].right or 0.0
    return [
        f"{line.name} ({'not surely ahead' if line.ahead[1] <= 0 else 'more often the right tier'})"
        for line in lines
        if line.ahead and (line.ahead[1] <= 0 or own < (line.right or 0.0))
    ]


def table(lines: Sequence[Figure]) -> str:
    """The figures as text, and in a last line whether to switch it on."""
    told = "" if lines[0].right is None else "right tier"
    rows = [("", "APGR [95% interval]", "learned is ahead by [80%]", told)]
    for line in lines:
        own = "{:.3f} [{:.3f}, {:.3f}]".format(line.apgr, *line.interval)
        ahead = "" if line.ahead is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*line.ahead)
        rows.append((line.name, own, ahead, "" if line.right is None else f"{line.right:.1%}"))
    left = unbeaten(lines)
    verdict = "better: it beats all of these but the oracle."
    if left:
        verdict = f"not better: it does not beat {', '.join(left)}; more labels may help."
    means = "APGR: how well prompts are ordered; .5 is chance, the oracle the best there could be."
    return "\n".join([*text_table(rows), means, verdict])
