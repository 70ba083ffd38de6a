"""Tiers as labels: the shipped weights, moved as far as the labels say.

The maximum a posteriori estimate of multinomial logistic regression under a Gaussian prior around
given weights: Chelba and Acero 2004, "Adaptation of Maximum Entropy Capitalizer: Little Data Can
Help a Lot". It minimises the labels' surprise plus `PENALTY` / 2 times the squared distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from nbroute.classify import ngrams
from nbroute.classify.examples import LABELS, tier_of
from nbroute.classify.ngrams import Weights
from nbroute.evaluate.training_data import Labelled
from nbroute.types import Ladder

#: As for the shipped weights. From 0.02 to 0.1 the figures are the same.
PENALTY = 0.05
#: A tier's bias counts this much, all words together 1: ten labels then say little about how
#: frequent a tier is. Chosen on shipped prompts by other authors.
BIAS = 0.3
#: The standard deviation of the logarithm of the sharpness before a label is seen.
UNSURE = 0.25
#: Up to this many prompts, their inner products are held in memory: 32 MB.
DENSE = 2_000
#: With fewer prompts there are ten folds, else five.
FEW = 100


@dataclass(frozen=True, eq=False)
class Rows:
    """Labelled prompts as numbers.

    `columns` (prompts x PLACES + 1, sparse) are features and bias, `start` (prompts x tiers) are
    the log-odds that the prior gives, and `levels` the right tiers' places.
    """

    columns: Any
    start: np.ndarray
    levels: np.ndarray

    def moved(self, rows: np.ndarray) -> np.ndarray:
        """What these rows add to the prior's weights: (PLACES + 1) x tiers."""
        from scipy.optimize import minimize
        from threadpoolctl import threadpool_limits

        columns, start = self.columns[rows], self.start[rows]
        right = np.eye(start.shape[1])[self.levels[rows]]
        if len(rows) > DENSE:
            short = columns[:, np.unique(columns.indices)]
        else:  # as many columns as rows, with the same inner products
            products = (columns @ columns.T).toarray()
            short = np.linalg.cholesky(products + 1e-6 * np.eye(len(rows)))
        turned = short.T.copy()

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            added = flat.reshape(-1, right.shape[1])
            logs = log_chances(start + short @ added)
            slope = turned @ (np.exp(logs) - right) + PENALTY * added
            return PENALTY / 2 * flat @ flat - (logs * right).sum(), slope.ravel()

        first = np.zeros(short.shape[1] * right.shape[1])
        limits = {"ftol": 1e-10, "gtol": 1e-5}
        # BLAS threads that wait for each other take ten times as long
        with threadpool_limits(1):
            best = minimize(loss, first, jac=True, method="L-BFGS-B", options=limits)
        logs = log_chances(start + short @ best.x.reshape(-1, right.shape[1]))
        return np.asarray(columns.T @ (right - np.exp(logs)) / PENALTY)

    def held_out(self, folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Each row's log-odds by weights that its own fold has not moved."""
        odds: np.ndarray = self.start.copy()
        for kept, held in folds:
            odds[held] += self.columns[held] @ self.moved(kept)
        return odds


def log_chances(odds: np.ndarray) -> np.ndarray:
    """The logarithm of the softmax, row by row."""
    from_best = odds - odds.max(axis=1, keepdims=True)
    return np.asarray(from_best - np.log(np.exp(from_best).sum(axis=1, keepdims=True)))


def prepared(labelled: Labelled, ladder: Ladder) -> Rows:
    """The rows with the shipped weights as their prior, held out as in `_shipped_odds`."""
    from scipy import sparse

    prompts, rarities = labelled.prompts, ngrams.shipped().rarities
    found = [ngrams.features(prompt, rarities) for prompt in prompts]
    ends = list(accumulate((len(one.places) for one in found), initial=0))
    data = np.concatenate([one.weights for one in found])
    at = np.concatenate([one.places for one in found]).astype(int)
    words = sparse.csr_matrix((data, at, ends), shape=(len(prompts), ngrams.PLACES))
    columns = sparse.hstack([words, np.full((len(prompts), 1), BIAS)]).tocsr()
    return Rows(columns, _shipped_odds(prompts) @ places(ladder), labelled.levels)


def shipped_levels(prompts: Sequence[str], ladder: Ladder) -> tuple[np.ndarray, np.ndarray]:
    """How high the shipped classifier puts each prompt, and the place of the tier it picks."""
    logs = log_chances(_shipped_odds(prompts))
    tiers = [ladder.index(tier_of(label, ladder) or ladder.default) for label in LABELS]
    return np.exp(logs) @ np.arange(len(LABELS)), np.array(tiers)[logs.argmax(axis=1)]


def adapted(rows: Rows, ladder: Ladder, held_out: np.ndarray) -> Weights:
    """The shipped weights moved by all rows, as sharp as the rows' held-out odds should be."""
    known, added, to = ngrams.shipped(), rows.moved(np.arange(len(rows.levels))), places(ladder)
    weights = known.sharpness * known.weights @ to + added[:-1]
    return replace(
        known,
        weights=weights.astype(np.float16).astype(np.float32),  # as they are in a file
        bias=known.sharpness * known.bias @ to + BIAS * added[-1],
        sharpness=_sharpness(held_out, rows.levels),
    )


def places(ladder: Ladder) -> np.ndarray:
    """The share of each shipped label in each tier: labels x tiers, where each tier sums to 1.

    A tier is the mean of the labels that stand for it, or of the two on either side.
    """
    tiers = len(ladder.tiers)
    to = np.zeros((len(LABELS), tiers))
    for place, label in enumerate(LABELS):
        to[place, ladder.index(tier_of(label, ladder) or ladder.default)] = 1
    heights = (np.arange(len(LABELS)) + 0.5) / len(LABELS)
    for tier in np.flatnonzero(to.sum(axis=0) == 0):
        at = np.eye(len(LABELS))
        to[:, tier] = [np.interp((tier + 0.5) / tiers, heights, one) for one in at]
    return np.asarray(to / to.sum(axis=0))


def _shipped_odds(prompts: Sequence[str]) -> np.ndarray:
    """The shipped classifier's log-odds, held out if it was trained on the prompt."""
    known = ngrams.shipped()
    chances = np.array(
        [
            known.chances(ngrams.features(prompt, known.rarities)) if out is None else out
            for prompt, out in zip(prompts, ngrams.held_out(prompts), strict=True)
        ]
    )
    # Held-out chances are rounded to 1/255: none counts as less likely than half of that.
    return np.asarray(np.log(np.maximum(chances, 0.5 / 255)))


def _sharpness(odds: np.ndarray, levels: np.ndarray) -> float:
    """The factor on log-odds that makes the levels most likely, near 1 if there are few.

    Temperature scaling: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    from scipy.optimize import minimize_scalar

    def surprise(log: float) -> float:
        right = log_chances(odds * np.exp(log))[np.arange(len(levels)), levels]
        return float((log / UNSURE) ** 2 / 2 - right.sum())

    return float(np.exp(minimize_scalar(surprise, bounds=(-2, 2), method="bounded").x))
