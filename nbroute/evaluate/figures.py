"""A trained router's figures beside those of what needs no training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbroute.evaluate.labels import Labelled
from nbroute.evaluate.metrics import apgr, bootstrap
from nbroute.types import Classifier, Ladder

if TYPE_CHECKING:
    import numpy as np

SAMPLES = 300


@dataclass(frozen=True, eq=False)
class Scored:
    """A router's scores and the levels that it chose, a prompt each; without levels, None."""

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
    """The learned classifier, random choice, prompt length, the present one and the oracle."""
    rivals = {"random": _random(labelled), "prompt length": _length(labelled)}
    if present is not None:
        rivals[f"present: {present.name}"] = _present(labelled, present, ladder)
    made = [_figure("learned", labelled, learned, None, seed)]
    made += [_figure(name, labelled, rival, learned, seed) for name, rival in rivals.items()]
    oracle = Scored(labelled.gains, labelled.levels)
    return (*made, _figure("oracle", labelled, oracle, None, seed))


def beats_all(lines: Sequence[Figure]) -> bool:
    """Whether the first line is above all that have `ahead`, beyond chance, and as often right."""
    own = lines[0].right or 0.0
    rivals = [line for line in lines if line.ahead is not None]
    return all(line.ahead[1] > 0 and own >= (line.right or 0.0) for line in rivals if line.ahead)


def table(lines: Sequence[Figure]) -> str:
    """The figures as text, and in a last line whether to switch it on."""
    by_tier = lines[0].right is not None
    title = f"{'':<24} APGR [95% interval]      learned is ahead by [80%]"
    rows = [title + ("  right tier" if by_tier else ""), *map(_row, lines)]
    legend = "APGR: how well prompts are ordered; .5 is chance, the oracle the best there could be."
    return "\n".join([*rows, legend, _verdict(lines)])


def _row(line: Figure) -> str:
    low, high = line.interval
    cells = f"{line.name:<24} {line.apgr:.3f} [{low:.3f}, {high:.3f}]"
    ahead = "" if line.ahead is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*line.ahead)
    right = "" if line.right is None else f"{line.right:.1%}"
    return f"{cells:<49} {ahead:<25}  {right}".rstrip()


def _verdict(lines: Sequence[Figure]) -> str:
    if beats_all(lines):
        return "better: it beats all of these but the oracle."
    own = lines[0].right or 0.0
    reasons = [
        f"{line.name} ({'not surely ahead' if line.ahead[1] <= 0 else 'more often the right tier'})"
        for line in lines
        if line.ahead and (line.ahead[1] <= 0 or own < (line.right or 0.0))
    ]
    return f"not better: it does not beat {', '.join(reasons)}; more labels may help."


def _figure(
    name: str, labelled: Labelled, router: Scored, learned: Scored | None, seed: int
) -> Figure:
    import numpy as np

    weak, strong = labelled.weak, labelled.strong
    scores = router.scores
    ahead = None
    if learned is not None:
        pair = np.column_stack([learned.scores, scores])
        ends = _bootstrap(_difference, pair, labelled, 0.8, seed)
        ahead = (_difference(pair, weak, strong), *ends)
    right = _right(labelled, router) if labelled.by_tier else None
    interval = _bootstrap(apgr, scores, labelled, 0.95, seed)
    return Figure(name, apgr(scores, weak, strong), interval, ahead, right)


def _bootstrap(
    metric: Callable[[Any, Any, Any], float],
    scores: Any,
    labelled: Labelled,
    level: float,
    seed: int,
) -> tuple[float, float]:
    return bootstrap(
        metric, scores, labelled.weak, labelled.strong, samples=SAMPLES, level=level, seed=seed
    )


def _difference(pair: Any, weak: Any, strong: Any) -> float:
    return apgr(pair[:, 0], weak, strong) - apgr(pair[:, 1], weak, strong)


def _right(labelled: Labelled, router: Scored) -> float:
    """The share of right tiers; a guess in the labels' shares where none were chosen."""
    import numpy as np

    if router.levels is None:
        shares = np.bincount(labelled.levels) / len(labelled.levels)
        return float((shares**2).sum())
    return float((router.levels == labelled.levels).mean())


def _random(labelled: Labelled) -> Scored:
    import numpy as np

    return Scored(np.zeros(len(labelled.prompts)))


def _length(labelled: Labelled) -> Scored:
    """The number of words, cut so that each tier gets as many prompts as have it as label."""
    import numpy as np

    words = np.array([float(len(prompt.split())) for prompt in labelled.prompts])
    shares = np.bincount(labelled.levels, minlength=len(labelled.tiers)) / len(words)
    cuts = np.quantile(words, np.minimum(np.cumsum(shares)[:-1], 1.0))
    return Scored(words, (words[:, None] >= cuts).sum(axis=1))


def _present(labelled: Labelled, present: Classifier, ladder: Ladder) -> Scored:
    """Its own scores where it has a method `score`, else the places of its tiers."""
    import numpy as np

    chosen = [present.classify(prompt, ladder).tier for prompt in labelled.prompts]
    levels = np.array([ladder.index(tier) for tier in chosen])
    score = getattr(present, "score", None)
    scores = [score(prompt) for prompt in labelled.prompts] if score else levels
    return Scored(np.asarray(scores, dtype=float), levels)
