"""Training a classifier on labels, and whether it is worth switching on.

Needs the extra `learn` (scikit-learn). If the labels are tiers, classifiers are compared by the
share of prompts that get the right one. If they are the scores of two models, routers are compared
by how much of the models' gap they recover. A router gives each prompt a score: how much it needs
the strong model. The share x of the prompts with the highest scores goes to the strong model, y(x)
is the mean result, and PGR(x) = (y(x) - weak mean) / (strong mean - weak mean), as in "RouteLLM:
Learning to Route LLMs with Preference Data", arXiv 2406.18665, section 2. The measures, the blocks
and the penalty were chosen on RouteLLM's MMLU and GSM8K outcomes, so figures on those two files
flatter a little.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nbroute.classify.learned import (
    LearnedClassifier,
    LearnedTiers,
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
from nbroute.evaluate import adapting
from nbroute.evaluate.training_data import NOT_ALL, Labelled, need, read_labels, read_share
from nbroute.report.table import text_table
from nbroute.types import Classifier, Embedder, Ladder

#: The ridge penalty; each block of a prompt's columns has a length of about 1.
PENALTY = 20.0
#: A term counts if it is in at least so many prompts, up to so many terms.
LEAST, MOST = 3, 10_000
FOLDS = 5
#: Bootstrap samples behind an interval of the table.
SAMPLES = 300


def apgr(scores: ArrayLike, weak: ArrayLike, strong: ArrayLike) -> float:
    """The area under PGR for x from 0 to 1; chance gives 0.5.

    Prompts with the same score count in expectation over their order. Raises ValueError if the
    strong model is no better overall, as there is then no gap to recover.
    """
    return area(*gap_recovered(scores, weak, strong))


def area(share: NDArray[Any], recovered: NDArray[Any]) -> float:
    """The area under the points (x, PGR)."""
    middles = (recovered[1:] + recovered[:-1]) / 2
    return float((middles * (share[1:] - share[:-1])).sum())


def least_share(share: NDArray[Any], recovered: NDArray[Any], part: float) -> float:
    """The least x at which the points (x, PGR) reach that part, or NaN: CPT(50%) for 0.5."""
    reached = recovered >= part - 1e-9  # a sum of floats may end just below 1
    place = int(reached.argmax())
    if not reached[place]:
        return math.nan
    if place == 0:
        return 0.0
    before, after = recovered[place - 1], recovered[place]
    along = (part - before) / (after - before)
    return float(share[place - 1] + along * (share[place] - share[place - 1]))


def gap_recovered(
    scores: ArrayLike, weak: ArrayLike, strong: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The points (x, PGR) after each group of equal scores, with lines between them.

    Raises ValueError as `apgr` does.
    """
    gains = np.asarray(strong, dtype=float) - np.asarray(weak, dtype=float)
    if gains.sum() <= 0:
        raise ValueError("the strong model is no better than the weak one: there is no gap.")
    _, group = np.unique(-np.asarray(scores, dtype=float), return_inverse=True)
    sizes = np.bincount(group)
    gained = np.bincount(group, weights=gains)
    share = np.concatenate([[0.0], np.cumsum(sizes) / len(gains)])
    return share, np.concatenate([[0.0], np.cumsum(gained) / gains.sum()])


def bootstrap(
    metric: Callable[[Any, Any, Any], Any],
    scores: ArrayLike,
    weak: ArrayLike,
    strong: ArrayLike,
    *,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> tuple[Any, Any]:
    """The percentile interval of a metric over resampled prompts; of several figures, two lists.

    `groups` are numbers from 0; prompts of one group are drawn together. A sample in which the
    strong model is no better has no value and is left out.
    """
    columns = [np.asarray(column, dtype=float) for column in (scores, weak, strong)]
    rows, values = np.arange(len(columns[0])), []
    together = rows if groups is None else np.asarray(groups)
    for times in resamples(together, samples, seed):
        drawn = np.repeat(rows, times)
        sample = [column[drawn] for column in columns]
        if sample[2].sum() > sample[1].sum():
            values.append(metric(*sample))
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail], axis=0).tolist()
    return low, high


def with_ends(value: float, drawn: NDArray[Any]) -> tuple[float, float, float]:
    """A figure and the ends of its 95% interval, from those samples that are not NaN."""
    low, high = np.nanquantile(drawn, [0.025, 0.975]).tolist()
    return float(value), low, high


def resamples(groups: NDArray[Any], samples: int, seed: int) -> Iterator[NDArray[Any]]:
    """How often each prompt is in each bootstrap sample: as often as its group is drawn."""
    count, generator = int(groups.max()) + 1, np.random.default_rng(seed)
    for _ in range(samples):
        drawn = generator.integers(0, count, count)
        yield np.bincount(drawn, minlength=count)[groups]


@dataclass(frozen=True, eq=False)
class Scored:
    """What a router says about each prompt: its scores, and the places of the tiers it picks."""

    scores: np.ndarray
    levels: np.ndarray


@dataclass(frozen=True, slots=True)
class Figure:
    """One classifier's line: its figure, with a 95% interval.

    The figure is the share of right tiers, or the APGR if the labels are scores. `ahead` is the
    learned classifier's lead with an 80% interval, None for its own line and the oracle's. `near`
    is the share of prompts that are at most one tier off, None if the labels are scores.
    """

    name: str
    value: float
    interval: tuple[float, float]
    ahead: tuple[float, float, float] | None = None
    near: float | None = None


def figures(
    labelled: Labelled, learned: Scored, ladder: Ladder, present: Classifier | None, seed: int
) -> tuple[Figure, ...]:
    """The learned classifier, and what it has to beat; with scores as labels, the oracle, too.

    Prompt length counts words, cut so that each tier gets as many prompts as are labelled with it.
    The shipped classifier is held out from the prompts that it was trained on. The present one
    is judged by its own scores if it has a method `score`, else by its tiers.
    """
    prompts, count = labelled.prompts, len(labelled.prompts)
    words = np.array([float(len(prompt.split())) for prompt in prompts])
    sizes = np.bincount(labelled.levels, minlength=len(labelled.tiers))
    cuts = np.quantile(words, np.minimum(np.cumsum(sizes / count)[:-1], 1.0))
    most = int(sizes.argmax())
    always = f"always {labelled.tiers[most]}" if labelled.by_tier else "random"
    rivals = {
        always: Scored(np.zeros(count), np.full(count, most)),
        "prompt length": Scored(words, (words[:, None] >= cuts).sum(axis=1)),
        "as shipped": Scored(*adapting.shipped_levels(prompts, ladder)),
    }
    if present is not None:
        levels = np.array([ladder.index(present.classify(one, ladder).tier) for one in prompts])
        score = getattr(present, "score", None)
        scores = [score(prompt) for prompt in prompts] if score else levels
        rivals[f"present: {present.name}"] = Scored(np.asarray(scores, dtype=float), levels)
    made = partial(_figure, labelled, seed)
    oracle = Scored(labelled.gains, labelled.levels)
    return (
        made("learned", learned, None),
        *(made(name, rival, learned) for name, rival in rivals.items()),
        *([] if labelled.by_tier else [made("oracle", oracle, None)]),
    )


def _figure(
    labelled: Labelled, seed: int, name: str, router: Scored, learned: Scored | None
) -> Figure:
    weak, strong, right = labelled.weak, labelled.strong, labelled.levels
    drawn = partial(bootstrap, weak=weak, strong=strong, samples=SAMPLES, seed=seed)

    def measure(values: Any, weak: Any, strong: Any) -> float:
        return float(values.mean()) if labelled.by_tier else apgr(values, weak, strong)

    def difference(pair: Any, weak: Any, strong: Any) -> float:
        return measure(pair[:, 0], weak, strong) - measure(pair[:, 1], weak, strong)

    def values_of(one: Scored) -> np.ndarray:
        return 1.0 * (one.levels == right) if labelled.by_tier else one.scores

    ahead = None
    if learned is not None:
        pair = np.column_stack([values_of(learned), values_of(router)])
        ahead = (difference(pair, weak, strong), *drawn(difference, pair, level=0.8))
    values = values_of(router)
    near = float((abs(router.levels - right) <= 1).mean()) if labelled.by_tier else None
    interval = drawn(measure, values, level=0.95)
    return Figure(name, measure(values, weak, strong), interval, ahead, near)


def unbeaten(lines: Sequence[Figure]) -> list[str]:
    """The rivals that the first line is not clearly above."""
    return [line.name for line in lines if line.ahead and line.ahead[1] <= 0]


def table(lines: Sequence[Figure]) -> str:
    """The figures as text, with a last line on whether to switch it on."""
    by_tier = lines[0].near is not None
    form, difference = ("{:.1%}", "{:+.1%}") if by_tier else ("{:.3f}", "{:+.3f}")
    said, off = ("right tier", "at most one off") if by_tier else ("APGR", "")
    rows = [("", f"{said} [95% interval]", "learned is ahead by [80%]", off)]
    for line in lines:
        own = f"{form} [{form}, {form}]".format(line.value, *line.interval)
        ahead = f"{difference} [{difference}, {difference}]".format(*line.ahead or (0, 0, 0))
        near = "" if line.near is None else f"{line.near:.1%}"
        rows.append((line.name, own, ahead if line.ahead else "", near))
    means = "Measured on prompts held back."
    if not by_tier:
        means = "APGR: how well prompts are ordered; .5 is chance, the oracle is the best possible."
    left = unbeaten(lines)
    verdict = f"better: it beats all of these{'' if by_tier else ' but the oracle'}."
    if left:
        verdict = f"not better: it is not surely ahead of {', '.join(left)}; more labels may help."
    return "\n".join([*text_table(rows), means, verdict])


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """A trained classifier with its figures; printed, it is the table of them.

    `classifier` can be used whether or not it was switched on:
    `router.route(prompt, classifier=fitted.classifier)`.
    """

    classifier: LearnedClassifier | LearnedTiers
    figures: tuple[Figure, ...]
    rows: int
    folds: int
    grouped_by: str
    note: str = ""

    @property
    def better(self) -> bool:
        """Whether it beats all rivals but the oracle, in at least nine of ten bootstrap samples."""
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

    `frame` is as in `Router.fit`. Tiers move the shipped classifier as far as the labels say (see
    `adapting`): ten move it a little, some hundreds decide. Scores train for the ladder's bottom
    and top, and the top gets the `share` of prompts like these; only they use `embedder`.

    `present` is asked about every prompt: with a model, that costs calls. It must not have seen the
    rows: a learned one is left out, which the table says, and so is one based on the shipped
    classifier, which always has a line.

    Raises SettingsError for a frame that cannot be used, without scikit-learn, and for an
    embedder that costs money for each prompt.
    """
    if embedder is not None and embedder.kind == "remote":
        raise SettingsError(
            f"the embedder {embedder.name!r} costs money for every prompt; the learned classifier "
            "takes static vectors: give an offline embedder or none."
        )
    share = read_share("share", share, most=NOT_ALL, like=0.5)
    need("sklearn", "training")
    labelled = read_labels(frame, ladder)
    notes = []
    if isinstance(present, LearnedClassifier | LearnedTiers):
        notes.append("the present learned classifier may have seen these rows: left out.")
        present = None
    elif present is not None and present.name.startswith(("ngrams", "hybrid")):
        present = None
    classifier: LearnedClassifier | LearnedTiers
    if labelled.by_tier:
        scored, classifier, folds = _fit_tiers(labelled, ladder, seed)
        bare = [tier for place, tier in enumerate(labelled.tiers) if place not in labelled.levels]
        if bare:
            notes.append(f"no label says {' or '.join(bare)}, so it will seldom be chosen.")
    else:
        scored, classifier, folds = _fit_scores(labelled, ladder, embedder, share, seed)
    told = figures(labelled, scored, ladder, present, seed)
    note = "\n".join(notes)
    return Fitted(classifier, told, len(labelled.prompts), folds, labelled.grouped_by, note)


def _fit_tiers(labelled: Labelled, ladder: Ladder, seed: int) -> tuple[Scored, LearnedTiers, int]:
    rows = adapting.prepared(labelled, ladder)
    folds = _folds(labelled, 2 * FOLDS if len(labelled.prompts) < adapting.FEW else FOLDS, seed)
    odds = rows.held_out(folds)
    levels = odds.argmax(axis=1)
    learned = LearnedTiers(adapting.adapted(rows, ladder, odds), ladder.names)
    return Scored(levels.astype(float), levels), learned, len(folds)


def _fit_scores(
    labelled: Labelled, ladder: Ladder, embedder: Embedder | None, share: float, seed: int
) -> tuple[Scored, LearnedClassifier, int]:
    columns = _Columns.of(labelled.prompts, embedder)
    folds = _folds(labelled, FOLDS, seed)
    scored = _cross_validate(labelled, columns, folds, share)
    rows = np.arange(len(labelled.prompts))
    reading = columns.read(rows)
    ridge = _ridge(columns, reading, rows, labelled.gains)
    model = Model(
        ladder.names,
        labelled.tiers,
        reading,
        np.asarray(ridge.coef_, dtype=float),
        float(ridge.intercept_),
        _scale(scored.scores, labelled.levels, share),
        None if embedder is None else embedder.name,
    )
    return scored, LearnedClassifier(model, embedder), len(folds)


Folds = list[tuple["np.ndarray", "np.ndarray"]]


def _folds(labelled: Labelled, most: int, seed: int) -> Folds:
    """The rows kept and held back in each fold; groups are held back as a whole."""
    from sklearn.model_selection import GroupKFold

    count = min(most, len(np.unique(labelled.groups)))
    maker = GroupKFold(count, shuffle=True, random_state=seed)
    return list(maker.split(labelled.prompts, groups=labelled.groups))


@dataclass(frozen=True, eq=False)
class _Columns:
    """Each prompt's terms, measures and vector, computed once for all folds.

    Terms that are too rare among all prompts, and so in any fold, are left out.
    """

    terms: list[Counter[str]]
    measures: np.ndarray
    vectors: np.ndarray | None

    @classmethod
    def of(cls, prompts: list[str], embedder: Embedder | None) -> _Columns:
        """Those of the prompts, which are read twice so as not to keep the many rare terms."""
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
        """What is learnt from these rows alone."""
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


def _cross_validate(labelled: Labelled, columns: _Columns, folds: Folds, share: float) -> Scored:
    """Scores and levels of each prompt, by models that have not seen its group."""
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
        scale = _scale(scores[train], labelled.levels[train], share)
        levels[held] = [scale.level(score) for score in scores[held]]
    return Scored(scores, levels)


def _scale(scores: np.ndarray, levels: np.ndarray, share: float) -> Scale:
    """What scores mean, from those of prompts held back: the highest `share` goes to the top."""
    from sklearn.linear_model import LogisticRegression

    spread = float(scores.std()) or 1.0
    odds = LogisticRegression(C=100.0, max_iter=1000).fit(scores[:, None] / spread, levels)
    slope = max(float(odds.coef_[0, 0]), 0.0) / spread
    return Scale(np.quantile(scores, [1 - share]), slope, odds.intercept_)
