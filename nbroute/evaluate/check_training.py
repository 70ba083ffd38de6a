"""Fitting a check on your own labels of answers, and whether it is worth switching on.

Needs the extra `learn` (scikit-learn).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from nbroute.checks.learned import MEASURES, PLACES, LearnedCheck, columns, measured
from nbroute.engine.engine import Engine
from nbroute.engine.feedback import labels_of
from nbroute.errors import SettingsError
from nbroute.evaluate.training import with_ends
from nbroute.evaluate.training_data import (
    ANSWER_FORMS,
    FEWEST,
    NOT_ALL,
    check_columns,
    frame_of,
    near_duplicates,
    need,
    numbers_in,
    read_share,
    texts_in,
)
from nbroute.report.table import text_table

_GOOD = frozenset(("good", "better", "1", "1.0", "true", "overkill", "cheapest acceptable"))
_BAD = frozenset(("bad", "worse", "0", "0.0", "false", "too weak"))
#: Fewer good or bad answers than this say nothing about what sets them apart.
_FEWEST_EACH = 10
#: The inverse of the ridge penalty; the measures and the words of a text have a length of about 1.
_C = 1.0
FOLDS = 5
#: Bootstrap samples behind an interval.
SAMPLES = 1_000
#: The quantiles of the bad answers' chances for which the table shows what a threshold costs.
_OTHERS = (0.75, 0.5, 0.25, 0.1)
#: What the check has to beat, with the columns that each uses.
_RIVALS: Mapping[str, Any] = {
    "the prompt alone": [1, *range(len(MEASURES), len(MEASURES) + PLACES)],
    "the answer's length": [0],
    "chance": [],
}


@dataclass(frozen=True, eq=False)
class Judged:
    """Answers that somebody judged: `bad` is 1 for one that is not good, else 0.

    `groups` are numbers, the same for prompts that cross-validation keeps together; with `pairs`,
    each answer was judged against another. A logprob that is not known is NaN.
    """

    prompts: list[str]
    texts: list[str]
    logprobs: np.ndarray
    bad: np.ndarray
    groups: np.ndarray
    pairs: bool = False


def read_judged(source: Any) -> Judged:
    """The answers in a DataFrame or a CSV file; SettingsError says what cannot be used."""
    frame, pairs = judged_rows(source)
    said = frame["bad"].tolist()
    groups, count = near_duplicates(frame["prompt"].tolist()), len(said)
    if count < FEWEST or min(sum(said), count - sum(said)) < _FEWEST_EACH:
        raise SettingsError(
            f"{count - sum(said)} good and {sum(said)} bad answers are too few; give {FEWEST} or "
            f"more, {_FEWEST_EACH} of each kind at least, and preferably hundreds."
        )
    if len(np.unique(groups)) < FOLDS:
        raise SettingsError(
            f"all answers are to {len(np.unique(groups))} prompts, so that none can be held back "
            f"to measure on; label answers to {FOLDS} or more."
        )
    known = numbers_in(frame, "logprob")
    bad = np.array(said, dtype=float)
    return Judged(frame["prompt"].tolist(), frame["text"].tolist(), known, bad, groups, pairs)


def judged_rows(source: Any) -> tuple[pd.DataFrame, bool]:
    """A row for each answer: prompt, text, bad (True or False) and other columns; if it was pairs.

    SettingsError names the row that cannot be used.
    """
    frame = frame_of(source, ANSWER_FORMS)
    pairs = {"better", "worse"} <= set(frame.columns)
    other = {"answer": "text", "good": "label"}
    frame = frame.rename(columns={a: b for a, b in other.items() if b not in frame.columns})
    check_columns(frame, ("prompt",) if pairs else ("prompt", "text", "label"), ANSWER_FORMS)
    if pairs:
        sides = ("better", "worse")
        frame = pd.concat([frame.assign(text=frame[one], label=one) for one in sides])

    for name in ("prompt", "text"):
        texts_in(frame, name)
    bad: list[bool] = []
    for row, label in zip(frame.index, frame["label"], strict=True):
        word = str(label).strip().casefold()
        if word not in _GOOD | _BAD:
            cure = "write good or bad, True or False"
            raise SettingsError(f"row {row + 1} has the label {label!r:.40}; {cure}.")
        bad.append(word in _BAD)
    return frame.assign(bad=bad), pairs


def votes(engine: Engine) -> tuple[pd.DataFrame, int]:
    """The answers in the ledger that somebody judged, and how many more have no text there.

    SettingsError if there is none with a text.
    """
    said = {one.result: one for one in labels_of(engine, everything=True)}
    kept: dict[str, tuple[Any, Any]] = {}
    for row in engine.ledger.rows():
        name = row["result"]
        usable = name in said and row["purpose"] == "answer" and row["text"]
        if usable and (row["status"] == "ok" or name not in kept):
            kept[name] = (row["text"], row["logprob"])
    for result in engine.history.results():
        if result.text:
            kept[result.id] = (result.text, result.answer.logprob)
    rows = [(one.prompt, *kept[name], one.feedback) for name, one in said.items() if name in kept]
    if not rows:
        raise SettingsError(
            f"the texts of {len(said)} labelled answers were not kept; store_text = true in "
            "nbroute.toml keeps them, or give a frame."
            if said
            else "no answer has been labelled yet: use the thumbs under a card, `%route label`, "
            f"or give a frame with {ANSWER_FORMS}."
        )
    return pd.DataFrame(rows, columns=["prompt", "text", "logprob", "label"]), len(said) - len(rows)


class Line(NamedTuple):
    """How well something tells bad answers from good ones, on prompts held back.

    `auc` is the chance that a bad answer ranks above a good one, `ahead` by how much the learned
    check's is higher (None for its own line), both with a 95% interval.
    """

    name: str
    auc: tuple[float, float, float]
    ahead: tuple[float, float, float] | None = None


class Catch(NamedTuple):
    """What a threshold does: the share of answers that fails, of those bad, of the bad caught."""

    threshold: float
    fires: float
    right: float
    caught: float


@dataclass(frozen=True, eq=False, repr=False)
class FittedCheck:
    """A fitted check with its figures, measured on prompts held back; printed, it is their table.

    `check` can be given to `checks=[...]` whether or not it was switched on.
    """

    check: LearnedCheck
    lines: tuple[Line, ...]
    catches: tuple[Catch, ...]
    note: str = ""

    @property
    def better(self) -> bool:
        """Whether it is clearly ahead of the prompt alone, the answer's length and chance."""
        return not self._unbeaten

    @property
    def _unbeaten(self) -> list[str]:
        return [line.name for line in self.lines if line.ahead and line.ahead[1] <= 0]

    def __repr__(self) -> str:
        title = f"{self.check.labels} labels, {FOLDS} folds of prompts that are not alike"
        rows = [("", "AUC [95% interval]", "the check is ahead by")]
        for line in self.lines:
            told = ["{:+.3f} [{:+.3f}, {:+.3f}]".format(*one) for one in line[1:] if one]
            rows.append((line.name, told[0].replace("+", ""), "".join(told[1:])))
        costs = [("fails from", "fails", "of those bad", "of the bad caught")]
        for catch in self.catches:
            mark = " (chosen)" if catch.threshold == self.check.threshold else ""
            threshold, fires, right, caught = (f"{part:.0%}" for part in catch)
            costs.append((threshold + mark, fires, right, caught))
        left = " and ".join(self._unbeaten)
        verdict = "better: it is surely ahead of all of these."
        if left:
            verdict = f"not better, so not switched on: it is not surely ahead of {left}."
        return "\n".join(
            [title, *text_table(rows), *text_table(costs), verdict, self.note]
        ).rstrip()


def fit_check(source: Any, *, catch: float = 0.5, seed: int = 0) -> FittedCheck:
    """Fit a check on judged answers, and measure it on prompts held back: see `Router.fit_check`.

    Areas under the ROC curve are compared, with intervals from 1,000 bootstrap samples of groups
    of near-duplicate prompts. Chances are calibrated on the prompts held back (Platt 1999,
    "Probabilistic outputs for support vector machines").
    """
    catch = read_share("catch", catch, most=NOT_ALL, like=0.5)
    need("sklearn", "fitting")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    judged = read_judged(source)
    bad, texts = judged.bad, (judged.prompts, judged.texts)
    rows = zip(*texts, judged.logprobs.tolist(), strict=True)
    measures = np.array([measured(*row) for row in rows], dtype=float)
    known = np.ma.masked_invalid(measures)
    centre, spread = known.mean(axis=0).filled(0.0), known.std(axis=0).filled(0.0)
    spread[spread < 1e-9] = 1.0
    table = columns(*texts, measures, centre, spread)
    maker = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    folds = [*maker.split(table, bad, judged.groups)]
    scores = {"the check": np.zeros(len(bad)), **{name: np.zeros(len(bad)) for name in _RIVALS}}
    for (name, score), (train, held) in product(scores.items(), folds):
        seen = table[:, _RIVALS.get(name, slice(None))]
        if seen.shape[1]:
            model = LogisticRegression(C=_C, max_iter=1_000).fit(seen[train], bad[train])
            score[held] = model.decision_function(seen[held])
    own = scores["the check"]
    odds = LogisticRegression(C=1e6).fit(own[:, None], bad)
    slope, shift = max(float(odds.coef_[0, 0]), 0.0), float(odds.intercept_[0])
    chances = 1 / (1 + np.exp(-(slope * own + shift)))
    cut = float(np.quantile(chances[bad == 1], 1 - catch))
    model = LogisticRegression(C=_C, max_iter=1_000).fit(table, bad)
    check = LearnedCheck(
        centre=centre,
        spread=spread,
        weights=(slope * model.coef_[0]).astype(np.float32),
        bias=slope * float(model.intercept_[0]) + shift,
        threshold=cut,
        labels=len(bad),
        bad="the worse of two" if judged.pairs else "wrong",
    )
    lines = compared(scores, bad, judged.groups, seed)
    cuts = sorted({cut, *np.quantile(chances[bad == 1], _OTHERS).tolist()}, reverse=True)
    catches = []
    for one in cuts:
        fires = chances >= one
        hits = float((fires * bad).sum())
        shares = float(fires.mean()), hits / max(fires.sum(), 1), hits / float(bad.sum())
        catches.append(Catch(one, *shares))
    return FittedCheck(check, lines, tuple(catches))


def auc(scores: ArrayLike, bad: ArrayLike, counts: ArrayLike | None = None) -> float:
    """The area under the ROC curve: how likely a bad answer has the higher score; ties are half.

    Each row counts as often as `counts` says. NaN if all rows that count are bad, or none is.
    """
    bad = np.asarray(bad, dtype=float)
    weights = np.ones(len(bad)) if counts is None else np.asarray(counts, dtype=float)
    _, place = np.unique(scores, return_inverse=True)
    ups = np.bincount(place, weights * bad)
    downs = np.bincount(place, weights * (1 - bad))
    pairs = ups.sum() * downs.sum()
    below = np.cumsum(downs) - downs / 2
    return float((ups * below).sum() / pairs) if pairs else math.nan


def compared(
    scores: Mapping[str, np.ndarray], bad: np.ndarray, groups: np.ndarray, seed: int = 0
) -> tuple[Line, ...]:
    """A line for each of the scores; the first is compared with the others."""
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), SAMPLES)
    areas = {
        name: np.array([auc(one, bad, times[group]) for times in drawn])
        for name, one in scores.items()
    }
    own = next(iter(scores))
    lines = []
    for name, one in scores.items():
        area = auc(one, bad)
        ahead = with_ends(auc(scores[own], bad) - area, areas[own] - areas[name])
        lines.append(Line(name, with_ends(area, areas[name]), None if name == own else ahead))
    return tuple(lines)
