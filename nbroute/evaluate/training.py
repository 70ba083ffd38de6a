"""Training the learned classifier, and whether it is worth switching on.

Needs the extra `learn` (scikit-learn). The measures, the parts of the blocks and the penalty
were chosen by looking at RouteLLM's MMLU and GSM8K outcomes under several partitions into
folds, so the figures on those two files flatter a little.

Routers are compared by what they recover of the gap between two models. A router gives each prompt
a score: how much it wants the strong model. The share x of the prompts with the highest scores goes
to the strong model, y(x) is the mean result, and PGR(x) = (y(x) - weak mean) / (strong mean - weak
mean). After "RouteLLM: Learning to Route LLMs with Preference Data", arXiv 2406.18665, section 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbroute.classify.learned import (
    LearnedClassifier,
    Model,
    Reading,
    Scale,
    Shape,
    Vocabulary,
    embedded,
    grams,
    measure,
)
from nbroute.errors import SettingsError
from nbroute.evaluate.training_data import Labelled, read_labels
from nbroute.report.table import text_table
from nbroute.types import Classifier, Embedder, Ladder

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

#: The ridge penalty, where each block of a prompt's columns has a length of about 1.
PENALTY = 20.0
#: A term counts if it is in so many prompts, up to so many terms.
LEAST, MOST = 3, 10_000
FOLDS = 5
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


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """A trained classifier with its figures; printed, it is the table of them.

    `better` says whether the classifier should be switched on: its figure, and for tier
    labels its share of right tiers too, is above that of random choice, of prompt length and
    of the present classifier, and so in nine of ten bootstrap samples at least.
    """

    classifier: LearnedClassifier
    figures: tuple[Figure, ...]
    rows: int
    folds: int
    grouped_by: str
    note: str = ""

    @property
    def better(self) -> bool:
        """Whether it beats everything that it is compared with, the oracle apart."""
        return not unbeaten(self.figures)

    def __repr__(self) -> str:
        title = f"{self.rows} prompts, {self.folds} folds, {self.grouped_by}"
        return "\n".join(filter(None, [title, table(self.figures), self.note]))


def fit(
    frame: pd.DataFrame | str | Path,
    ladder: Ladder,
    *,
    embedder: Embedder | None = None,
    present: Classifier | None = None,
    share: float = 0.5,
    seed: int = 0,
) -> Fitted:
    """Train on labelled prompts and measure on prompts held back, whole groups at a time.

    `frame` (or a CSV file) has the columns prompt and tier, or prompt, weak and strong: the
    scores of a weak and a strong model. A column group keeps rows together in one fold, and
    without it near-duplicates are. Scores train for two tiers, the ladder's bottom and top,
    of which the top gets the part `share` of prompts like these.

    The figure is the APGR (`apgr`), because it judges the order and is .5 for chance
    whatever the labels' shares. For tier labels a strong call is taken to gain the label's
    place in the ladder, from 0 to 1; the share of right tiers stands next to it, because that
    is what a user sees. `present` is asked for every prompt: with a model, that costs calls. It
    must not have seen the rows: a learned one is left out, which the table says.

    Raises SettingsError for a frame that cannot be used, without scikit-learn, and for an
    embedder that costs money a prompt.
    """
    import numpy as np

    if embedder is not None and embedder.kind == "remote":
        raise SettingsError(
            f"the embedder {embedder.name!r} costs money for every prompt; the learned classifier "
            "takes static vectors: give an offline embedder or none."
        )
    if not 0 < share < 1:
        raise SettingsError(f"share is {share!r}; give the part of strong calls, between 0 and 1.")
    try:
        import sklearn  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise SettingsError(
            "training needs scikit-learn, which is not installed: pip install 'nbroute[learn]'"
        ) from error
    labelled = read_labels(frame, ladder)
    columns = _Columns.of(labelled.prompts, embedder)
    seen = isinstance(present, LearnedClassifier)
    scored, folds = _cross_validate(labelled, columns, share, seed)
    rows = np.arange(len(labelled.prompts))
    reading = columns.read(rows)
    ridge = _ridge(columns, reading, rows, labelled.gains)
    model = Model(
        ladder.names,
        labelled.tiers,
        reading,
        np.asarray(ridge.coef_, dtype=float),
        float(ridge.intercept_),
        _scale(scored.scores, labelled, share),
        None if embedder is None else embedder.name,
    )
    return Fitted(
        LearnedClassifier(model, embedder),
        figures(labelled, scored, ladder, None if seen else present, seed),
        len(labelled.prompts),
        folds,
        labelled.grouped_by,
        "the present learned classifier may have seen these rows: left out." if seen else "",
    )


@dataclass(frozen=True, eq=False)
class _Columns:
    """Each prompt's terms, measures and vector, taken once for all folds.

    Terms too rare among all prompts, and so in any fold, are left out.
    """

    terms: list[Counter[str]]
    measures: np.ndarray
    vectors: np.ndarray | None

    @classmethod
    def of(cls, prompts: list[str], embedder: Embedder | None) -> _Columns:
        """The prompts' own. Read twice, so that the many rare terms are never all in memory."""
        import numpy as np

        seen: Counter[str] = Counter()
        for prompt in prompts:
            seen.update({gram.text for gram in grams(prompt)})
        common = {term: term for term, count in seen.items() if count >= LEAST}
        terms = [
            Counter(common[gram.text] for gram in grams(prompt) if gram.text in common)
            for prompt in prompts
        ]
        measures = np.array([measure(Shape(prompt)) for prompt in prompts])
        return cls(terms, measures, None if embedder is None else embedded(embedder, prompts))

    def read(self, rows: np.ndarray) -> Reading:
        """What is taken from these rows alone."""
        spread = self.measures[rows].std(axis=0)
        spread[spread < 1e-9] = 1.0
        return Reading(
            Vocabulary.of([self.terms[row] for row in rows], least=LEAST, most=MOST),
            self.measures[rows].mean(axis=0),
            spread,
            None if self.vectors is None else self.vectors[rows].mean(axis=0),
        )

    def matrix(self, reading: Reading, rows: np.ndarray) -> Any:
        """The rows' columns as a sparse matrix: measures, terms, vector."""
        from scipy import sparse

        terms = [reading.terms(self.terms[row]) for row in rows]
        bounds = list(accumulate(map(len, terms), initial=0))
        values = [weight for found in terms for weight in found.values()]
        places = [place for found in terms for place in found]
        size = (len(rows), len(reading.vocabulary.places))
        blocks = [
            sparse.csr_matrix(reading.scaled(self.measures[rows])),
            sparse.csr_matrix((values, places, bounds), shape=size, dtype=float),
        ]
        if self.vectors is not None:
            blocks.append(sparse.csr_matrix(reading.vectors(self.vectors[rows])))
        return sparse.hstack(blocks).tocsr()


def _ridge(columns: _Columns, reading: Reading, rows: np.ndarray, gains: np.ndarray) -> Any:
    from sklearn.linear_model import Ridge

    ridge = Ridge(alpha=PENALTY, solver="lsqr", tol=1e-6)
    return ridge.fit(columns.matrix(reading, rows), gains[rows])


def _cross_validate(
    labelled: Labelled, columns: _Columns, share: float, seed: int
) -> tuple[Scored, int]:
    """Scores and levels of each prompt by models that have seen nothing of its group; the folds."""
    import numpy as np
    from sklearn.model_selection import GroupKFold

    count = min(FOLDS, len(np.unique(labelled.groups)))
    maker = GroupKFold(count, shuffle=True, random_state=seed)
    folds = list(maker.split(labelled.prompts, groups=labelled.groups))
    if any(len(np.unique(labelled.levels[train])) < 2 for train, _ in folds):
        raise SettingsError(
            "with some groups held back all other rows have the same label; make more groups, "
            "each with several labels, or leave the column group out."
        )
    scores = np.zeros(len(labelled.prompts))
    for train, held in folds:
        reading = columns.read(train)
        ridge = _ridge(columns, reading, train, labelled.gains)
        scores[held] = ridge.predict(columns.matrix(reading, held))
    levels = np.zeros(len(scores), dtype=int)
    for train, held in folds:
        scale = _scale(scores, labelled, share, train)
        levels[held] = [scale.level(score) for score in scores[held]]
    return Scored(scores, levels), count


def _scale(
    scores: np.ndarray, labelled: Labelled, share: float, rows: np.ndarray | slice = slice(None)
) -> Scale:
    """What scores mean, from those of prompts held back; all cuts share one slope."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    scores, levels, cuts = scores[rows], labelled.levels[rows], len(labelled.tiers) - 1
    spread = float(scores.std()) or 1.0
    above = [levels > cut for cut in range(cuts)]
    repeated = np.tile(scores / spread, cuts)
    stacked = np.column_stack([repeated, np.repeat(np.eye(cuts), len(scores), 0)])
    odds = LogisticRegression(C=100.0, fit_intercept=False, max_iter=1000)
    slope, *intercepts = odds.fit(stacked, np.concatenate(above)).coef_[0]
    slope = max(float(slope), 0.0) / spread
    scale = Scale(np.zeros(cuts), slope, np.minimum.accumulate(intercepts))
    if not labelled.by_tier:
        return replace(scale, cuts=np.quantile(scores, [1 - share]))
    # The cuts are between the scores at which one level and the next are the likeliest.
    reach = 3 * float(np.ptp(scores)) + 1e-9
    grid = np.linspace(scores.min() - reach, scores.max() + reach, 4001)
    likeliest = np.array([scale.chances(score).argmax() for score in grid])
    above = [likeliest > cut for cut in range(cuts)]
    ends = [grid[over.argmax()] if over.any() else np.inf for over in above]
    return replace(scale, cuts=np.array(ends))
