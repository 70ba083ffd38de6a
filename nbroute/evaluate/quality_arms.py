"""Ways to choose each prompt's tier, measured: quality, cost, and what an order is worth.

An arm is a way to choose: always the same tier, the router's choice, chance or prompt length with
the router's share of each tier, or hindsight. What an order of the prompts is worth (APGR, CPT) is
measured as in "RouteLLM: Learning to Route LLMs with Preference Data", arXiv 2406.18665, section 2,
with the cheapest tier that has scores as the weak model and the most expensive as the strong one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nbroute.evaluate.quality_data import Outcomes
from nbroute.evaluate.training import (
    SAMPLES,
    area,
    bootstrap,
    gap_recovered,
    least_share,
    resamples,
    with_ends,
)
from nbroute.report.metrics import wilson

#: A figure and the ends of its 95% interval.
Figured = tuple[float, float, float]
ROUTER, RANDOM, LENGTH = "router", "random", "prompt length"
BEST, ORACLE = "best single tier", "oracle"
#: The figures of an order, and what they are called.
FIGURES = {
    "apgr": "APGR",
    "cpt50": "CPT(50%)",
    "cpt80": "CPT(80%)",
    "equal_cost": "cost to match the best",
}
#: Samples behind the arms' intervals; those of the orders are as many as in training.
_DRAWN = 1_000
#: Points that the router's curve is drawn through.
_CUTS = 61


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to choose each prompt's tier.

    `quality` is the mean score, `usd` the mean cost of a prompt (NaN if not known), `shares` what
    each tier gets. `ahead` is the router's lead in quality over it, paired by prompt. If it puts
    the prompts in an order, `order` has its apgr, cpt50, cpt80 and equal_cost.
    """

    name: str
    quality: Figured
    usd: float
    shares: Mapping[str, float]
    ahead: Figured = (0.0, 0.0, 0.0)
    order: Mapping[str, Figured] | None = None


def arms_of(found: Outcomes, seed: int) -> tuple[dict[str, Arm], Figured, str]:
    """The arms by name, what the top tier adds to the lowest, and the best tier by itself.

    Intervals are percentiles over resampled prompts, the same ones for all arms.
    """
    tiers, n = found.tiers, int(found.groups.max()) + 1
    scores, once = _columns(found, found.scores), np.ones(len(found.prompts))
    samples = resamples(found.groups, _DRAWN, seed)
    drawn = np.array([_means(found, scores, times.astype(float)) for times in samples])
    usd, means = (_means(found, c, once) for c in (_columns(found, found.usd), scores))
    at, top = len(tiers), len(tiers) - 1
    names = [*(f"{tier} alone" for tier in tiers), ROUTER, RANDOM, LENGTH, ORACLE]
    columns = dict(zip(names, range(len(names)), strict=True))
    affordable = [tier for tier in range(at) if usd[tier] <= usd[at] * (1 + 1e-9)]
    if affordable:
        columns[BEST] = max(affordable, key=lambda tier: means[tier])
    if found.paired:
        at, columns = found.picks[0], dict(zip(tiers, range(2), strict=True))
    best = int(means[: top + 1].argmax())
    orders, arms = _orders(found, best, seed), {}
    for name, place in columns.items():
        quality = with_ends(means[place], drawn[:, place])
        if math.isclose(*quality[1:], abs_tol=1e-9) and not (found.defined and place >= top):
            quality = (quality[0], *wilson(quality[0], n))  # no scores spread more than 0 and 1
        ahead = with_ends(means[at] - means[place], drawn[:, at] - drawn[:, place])
        chosen = found.oracle if name == ORACLE else found.picks
        sizes = np.bincount(chosen if place > top else [place], minlength=top + 1)
        shares = dict(zip(tiers, (sizes / sizes.sum()).tolist(), strict=True))
        arms[name] = Arm(name, quality, float(usd[place]), shares, ahead, orders.get(name))
    gap = with_ends(means[top] - means[0], drawn[:, top] - drawn[:, 0])
    return arms, gap, tiers[best]


def _columns(found: Outcomes, values: np.ndarray) -> np.ndarray:
    """The values (prompts x tiers), then the router's and the oracle's."""
    rows = np.arange(len(values))
    return np.column_stack([values, values[rows, found.picks], values[rows, found.oracle]])


def _means(found: Outcomes, columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The means of the tiers, the router, chance, length and the oracle, by weighted prompts."""
    total, tiers = weights.sum(), len(found.tiers)
    *of_tier, router, oracle = weights @ columns / total
    shares = np.bincount(found.picks, weights, tiers) / total
    sizes = np.bincount(found.lengths, weights) / total
    ends, cuts = sizes.cumsum()[:, None], np.concatenate([[0], shares.cumsum()])
    # Prompts of one length on both sides of a cut count as expected over all their orders.
    got = np.minimum(ends, cuts[1:]) - np.maximum(ends - sizes[:, None], cuts[:-1])
    sums = [np.bincount(found.lengths, weights * column) for column in columns.T[:tiers]]
    by_length = np.column_stack(sums) / total / np.maximum(sizes, 1e-300)[:, None] * got.clip(0)
    return np.array([*of_tier, router, shares @ of_tier, by_length.sum(), oracle])


def _orders(found: Outcomes, best: int, seed: int) -> dict[str, dict[str, Figured]]:
    """The figures of each order of the prompts; none if the top tier adds nothing."""
    weak, strong = found.scores[:, 0], found.scores[:, -1]
    if found.paired or strong.sum() <= weak.sum():
        return {}
    orders = {ROUTER: found.wants, RANDOM: 0 * weak, LENGTH: found.lengths, ORACLE: strong - weak}
    told, drawn = {}, partial(bootstrap, samples=SAMPLES, seed=seed, groups=found.groups)
    for name, order in orders.items():
        costs = found.usd[:, [0, -1, best]]
        columns = np.column_stack([order, costs, found.scores[:, best]])
        ends = drawn(_of_order, columns, weak, strong)
        figures = zip(_of_order(columns, weak, strong), *ends, strict=True)
        told[name] = dict(zip(FIGURES, figures, strict=True))
    return told


def _of_order(columns: Any, weak: Any, strong: Any) -> list[float]:
    """APGR, CPT(50%), CPT(80%), and the cost at the best tier's quality as a share of its cost.

    The columns: the order, the cost of weak, strong and best, and best's score.
    """
    order, cheap, high, usd, best = columns.T
    share, recovered = gap_recovered(order, weak, strong)
    wanted = (best.mean() - weak.mean()) / (strong.mean() - weak.mean())
    at, costs = least_share(share, recovered, wanted), math.nan
    if high.sum() > cheap.sum() and usd.sum() > 0:
        spent = np.interp(at, *gap_recovered(order, cheap, high))
        costs = (cheap.mean() + spent * (high.mean() - cheap.mean())) / usd.mean()
    parts = (least_share(share, recovered, part) for part in (0.5, 0.8))
    return [area(share, recovered), *parts, float(costs)]


def curve_of(found: Outcomes) -> list[tuple[float, float]]:
    """US dollars per prompt and quality with the router's order cut elsewhere; maybe none."""
    weak, strong = found.scores[:, 0], found.scores[:, -1]
    usd = found.usd[:, 0], found.usd[:, -1]
    if found.paired or not (usd[1].sum() > usd[0].sum() and strong.sum() > weak.sum()):
        return []
    cuts, points = np.linspace(0, 1, _CUTS), []
    for low, high in (usd, (weak, strong)):
        part = np.interp(cuts, *gap_recovered(found.wants, low, high))
        points.append((low.mean() + part * (high.mean() - low.mean())).tolist())
    return list(zip(*points, strict=True))
