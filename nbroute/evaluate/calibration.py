"""The cheapest threshold that keeps the loss of quality under a limit, with a stated confidence.

Learn then Test (Angelopoulos et al. 2021, arXiv 2110.01052) by mapie, from the extra `learn`:
thresholds are tested from the safe end until one fails (`control_fwer` with a fixed sequence, which
needs no correction). A loss is 0 or 1, so a threshold's p-value is the exact binomial tail; mapie's
own sometimes rounds to one loss too many, and its `BinaryClassificationController` holds rows x
thresholds in memory. A step towards the safe end never adds a loss, so thresholds may be taken from
the scores at hand (Bates et al. 2021, "Distribution-Free, Risk-Controlling Prediction Sets", arXiv
2101.02703).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nbroute.engine.engine import Engine
from nbroute.errors import SettingsError, did_you_mean
from nbroute.evaluate.calibration_data import KINDS, Cases, of_answers, of_prompts
from nbroute.evaluate.training_data import NOT_ALL, need, read_seed, read_share
from nbroute.report.charts import COLOURS
from nbroute.report.drawing import Mark, Panel, in_usd
from nbroute.report.figure import Figure
from nbroute.report.metrics import rounded_up, wilson
from nbroute.report.table import counted
from nbroute.report.text import Block, plain

#: How many random halves it is tried on.
SPLITS = 200


class Step(NamedTuple):
    """A threshold: its loss and the bound on it, what it does and costs, and whether it holds."""

    threshold: float
    risk: float
    bound: float
    moved: float
    usd: float
    saved: float
    holds: bool


class Held(NamedTuple):
    """Random halves of `size` rows: how often a promise was made, and broken on the other half."""

    size: int
    made: int
    broken: int


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """The cheapest threshold that keeps the loss at `loss` or less with that confidence.

    Printed, it is the tables of its figures. `held` is how the promise did on random halves.
    """

    of: str
    loss: float
    confidence: float
    labels: int
    chosen: Step
    steps: tuple[Step, ...]
    held: Held
    cases: Cases
    most_usd: float = math.nan

    @property
    def threshold(self) -> float:
        """The number for nbroute.toml, or for `--check`."""
        return self.chosen.threshold

    @property
    def risk(self) -> float:
        """The share of losses in the data at that threshold."""
        return self.chosen.risk

    @property
    def bound(self) -> float:
        """The most that the share of losses can be, at that confidence."""
        return self.chosen.bound

    @property
    def at_random(self) -> float:
        """The share of losses if as many of those that can be moved were drawn at random."""
        none, every = self.steps[-1], self.steps[0]
        part = (self.chosen.moved - none.moved) / ((every.moved - none.moved) or 1.0)
        return none.risk + (every.risk - none.risk) * part

    @property
    def setting(self) -> str:
        """The lines for nbroute.toml; for a check, how to name it."""
        number = f"{self.threshold:g}"
        if self.of != "classifier":
            return (
                f"# in a cell: %%route -S cascade --check {self.of}={number}\n"
                f'# in Python: router.route(prompt, strategy="cascade", '
                f'checks=["{self.of}={number}"])'
            )
        if self.threshold == self.cases.present:
            return "# nothing to write: this is what is in force now"
        return f"# nbroute.toml\n[nbroute]\nstep_up_below = {number}"

    def frame(self) -> pd.DataFrame:
        """A row for each threshold, the safest first; only those that hold may be chosen.

        `risk` is the share of losses in the data and `bound` its bound, `moved` the share that the
        threshold acts on, `usd` the cost and `saved` the saving as a share of the highest cost.
        """
        return pd.DataFrame(self.steps, columns=Step._fields)

    def chart(self) -> Figure:
        """How often it was right against how confident it was, in tenths, with 95% intervals."""
        known = ~np.isnan(self.cases.said)
        said, right = self.cases.said[known], self.cases.right[known]
        tenths, marks = np.minimum((said * 10 + 1e-9).astype(int), 9), []
        for at in np.unique(tenths).tolist():
            here = tenths == at
            count, hits, mean = int(here.sum()), int(right[here].sum()), float(said[here].mean())
            share, (low, high) = hits / count, wilson(hits / count, count)
            interval = f"{low:.0%} to {high:.0%}"
            row = {"says": f"{mean:.0%}", "right": hits, "of": count, "share": share}
            told = f"says {mean:.0%}, right {share:.0%} ({interval}) of {count:,}"
            row |= {"interval": interval}
            heights = (share, low, high)
            name = f"{10 * at} to {10 * at + 10}%"
            marks.append(Mark(name, mean, told, row, COLOURS[0], "", False, *heights))
        lead = f"says {said.mean():.0%} on average, right in {right.mean():.0%} of {len(said):,}"
        ends = {mark.name: mark.told for mark in marks}
        axis = "confidence; on the line, it is right as often as it says"
        diagonal = [(at / 40, at / 40) for at in range(41)]
        panel = Panel(axis, marks, ends, "share", "points", curve=diagonal)
        what = "classifier" if self.of == "classifier" else f"check {self.of}"
        return Figure("reliability", f"Reliability of the {what}", lead, [panel])

    def blocks(self) -> Iterator[Block]:
        """What it says in parts: a line of text, or a table with its heading."""
        limit, sure, cases = percent(self.loss), percent(self.confidence), self.cases
        written = "step_up_below = " if self.of == "classifier" else f"{self.of}="
        nothing = "" if self.chosen.moved else f" ({cases.kind.ends[0]})"
        yield (
            f"{written}{self.threshold:g}{nothing} keeps the loss at {limit} or less "
            f"({sure} confidence, {counted(self.labels, cases.noun)})"
        )
        yield f"a loss is {cases.loss}"
        yield ""
        yield self._settings()
        yield ""
        yield from self._splits(limit)
        yield ""
        yield from cases.notes
        yield (
            "The promise is for prompts like these and the same models, taken together and not one "
            "by one."
        )

    def _settings(self) -> list[tuple[str, ...]]:
        cases, (none, every) = self.cases, self.cases.kind.ends
        priced = cases.usd is not None
        most = f"at most ({percent(self.confidence)})"
        rows = [("", "threshold", cases.kind.done, "loss", most, *(("cost", "saved") * priced))]
        least = self.steps[-1].moved  # below the cheapest setting there may be some all the same
        lines = {
            "at the least" if least else none: self.steps[-1],
            "calibrated": self.chosen,
            every: self.steps[0],
        }
        for name, one in lines.items():
            shares = (percent(share) for share in (one.moved, one.risk, one.bound))
            known = math.isfinite(one.usd)
            cost = (in_usd(one.usd), percent(one.saved)) if known else ("unknown", "")
            rows.append((name, f"{one.threshold:g}", *shares, *(cost * priced)))
        if self.chosen.moved > least:
            moved, random = percent(self.chosen.moved), percent(self.at_random)
            rows.insert(3, ("as many at random", "", moved, random, "", *(("", "") * priced)))
        if cases.most and math.isfinite(self.most_usd):
            rows.append((cases.most, "", "", "", "", in_usd(self.most_usd), "0%"))
        return rows

    def _splits(self, limit: str) -> Iterator[Block]:
        held, half = self.held, counted(self.held.size, self.cases.noun)
        if not held.made:
            yield (
                "Whether it holds on data held back cannot be tried: half of the data, "
                f"{half}, is too little to promise it."
            )
            return
        yield f"{SPLITS} random halves of {half}: calibrated on one, measured on the other"
        counts = {
            "nothing could be promised": SPLITS - held.made,
            f"promised, and {limit} or less lost on the other": held.made - held.broken,
            "promised, and more lost on the other": held.broken,
        }
        lines = [(name, f"{count}", percent(count / SPLITS)) for name, count in counts.items()]
        yield [("", "halves", "share"), *lines]
        yield (
            f"In the long run at most {percent(1 - self.confidence)} may end in the last row. Here "
            "it can be more, as a half is small and has the losses that the other lacks. As the "
            f"halves overlap, these are not {SPLITS} independent trials."
        )

    def __repr__(self) -> str:
        """The tables as plain text, 80 columns wide."""
        return "\n".join([plain([*self.blocks(), "", "to keep it:"]), self.setting])


def percent(share: float) -> str:
    """`2%`, `2.5%`, `0.05%`, `67.4%`."""
    return f"{100 * share:.2g}%" if abs(share) < 0.1 else f"{round(100 * share, 1):g}%"


def calibrate(
    engine: Engine, source: Any, *, loss: float, confidence: float, of: str, seed: int
) -> Calibration:
    """See `Router.calibrate`."""
    loss = read_share("loss", loss, most=NOT_ALL, like=0.02)
    confidence = read_share("confidence", confidence, most=NOT_ALL, like=0.9)
    if of not in tuple(KINDS):
        raise SettingsError(f"of is {of!r:.40}: {did_you_mean(str(of), KINDS)}")
    seed = read_seed(seed)
    need("mapie.risk_control", "calibrating")
    prompts = of == "classifier"
    cases = of_prompts(engine, source, seed) if prompts else of_answers(engine, source, of, seed)
    grid, places = _grid(cases)
    cells = np.bincount(4 * places + 2 * cases.left + cases.done, minlength=4 * len(grid) + 4)
    cells = cells.reshape(-1, 2, 2)
    count, losses = len(places), _losses(cells)
    held = _holding(losses[None], count, loss, confidence)[0]
    if not held:
        raise SettingsError(_refusal(cases, int(losses[0]), loss, confidence))
    known = np.unique(cases.scores[~np.isnan(cases.scores)])
    if held < len(grid) and len(known) == 1:
        one = f"every {cases.noun} has the {'confidence' if prompts else of} {known[0]:g}"
        raise SettingsError(f"{one}, so a threshold would move all or none.")
    usd, most = _costs(cases, places, len(grid))
    moved = 1 - np.cumsum(np.bincount(places, minlength=len(grid) + 1))[:-1] / count
    shares = (losses / count, _bound(losses, count, confidence), moved)
    columns = (grid, *shares, usd, 1 - usd / most, np.arange(len(grid)) < held)
    steps = tuple(Step(*row) for row in zip(*(one.tolist() for one in columns), strict=True))
    halves = _halves(cells, loss, confidence, seed)
    return Calibration(of, loss, confidence, count, steps[held - 1], steps, halves, cases, most)


def _holding(losses: np.ndarray, count: int, loss: float, confidence: float) -> list[int]:
    """How many settings hold, counted from the safe end, for each row of losses among `count`."""
    from mapie.risk_control import control_fwer
    from scipy.stats import binom

    rows = binom.cdf(losses, count, loss)
    return [len(control_fwer(row, 1 - confidence, "fixed_sequence")) for row in rows]


def _bound(losses: Any, count: int, confidence: float) -> Any:
    """The largest loss at which so few are still seen with a chance above 1 - `confidence`.

    Clopper and Pearson 1934, "The use of confidence or fiducial limits", one-sided.
    """
    from scipy.stats import beta

    return np.where(losses < count, beta.ppf(confidence, losses + 1, count - losses), 1.0)


def _halves(cells: np.ndarray, loss: float, confidence: float, seed: int) -> Held:
    """Calibrate on random halves, by cells, as nothing else in a row makes a difference."""
    first, count = int(cells.sum()) // 2, int(cells.sum())
    draw = np.random.default_rng(seed).multivariate_hypergeometric(cells.ravel(), first, SPLITS)
    halves = draw.reshape(SPLITS, *cells.shape)
    held = _holding(_losses(halves), first, loss, confidence)
    others = zip(held, _losses(cells - halves), strict=True)
    shown = np.array([lost[place - 1] / (count - first) for place, lost in others if place])
    return Held(first, len(shown), int((shown > loss).sum()))


def _grid(cases: Cases) -> tuple[np.ndarray, np.ndarray]:
    """The settings from safe to cheap, a hundredth of the rows apart, and how many act on each."""
    ends = sorted((cases.kind.safe, cases.kind.cheap))
    known = cases.scores[~np.isnan(cases.scores)]
    inner = np.round(np.quantile(known, np.linspace(0, 1, 101)), 3)
    inner = inner[(inner > ends[0]) & (inner < ends[1])]
    if not inner.size:  # every score is rounded to an end
        inner = np.array([sum(ends) / 2])
    rising = np.unique(np.concatenate([ends, inner]))
    places = np.searchsorted(rising, cases.scores, side="right")
    if cases.kind.safe >= cases.kind.cheap:
        return rising[::-1], len(rising) - places
    return rising, places


def _losses(cells: np.ndarray) -> np.ndarray:
    """How many are lost at each setting: ... x places x left x done -> ... x settings.

    A setting acts on the rows with a higher place than its own.
    """
    left, done = cells[..., 1, :].sum(-1), cells[..., :, 1].sum(-1)
    return np.asarray(left.cumsum(-1) + done.sum(-1)[..., None] - done.cumsum(-1))[..., :-1]


def _costs(cases: Cases, places: np.ndarray, settings: int) -> tuple[np.ndarray, float]:
    """US dollars at each setting, and at most, for the rows with known costs; NaN if none has."""
    nothing = np.full(settings, math.nan), math.nan
    if cases.usd is None:
        return nothing
    known = np.isfinite(cases.usd).all(axis=1)
    if not cases.usd[known, 2].sum():
        return nothing
    sums = [np.bincount(places[known], one, settings + 1) for one in cases.usd[known].T]
    left, done, most = (np.cumsum(one) for one in sums)
    return (left + done[-1] - done)[:-1], float(most[-1])


def _refusal(cases: Cases, losses: int, loss: float, confidence: float) -> str:
    """Why nothing can be promised, how many labels that would take, and what can be promised."""
    from scipy.stats import binom

    count = len(cases.scores)
    alike = f" ({count:,}, as near-duplicates count once; a column `group` says what is alike)"
    few = f"{counted(cases.given, cases.noun)}{alike if count < cases.given else ''}"
    few += f" {'is' if cases.given == 1 else 'are'} too few"
    limit = f"a loss of at most {percent(loss)} with {percent(confidence)} confidence"
    can = math.ceil(1000 * float(_bound(losses, count, confidence))) / 1000
    these = f"; these can promise {percent(can)} (loss={can:g})" if can < 1 else ""
    least = math.ceil(math.log(1 - confidence) / math.log(1 - loss) - 1e-9)
    safest = f"even at the threshold {cases.kind.safe:g} ({cases.kind.ends[1]})"
    seen = f"{safest} {losses:,} of {count:,} are lost ({percent(losses / count)})"
    if not losses:
        return f"{few} for {limit}: with no loss seen it would need {least:,}{these}."
    if losses / count >= loss:
        return f"no threshold keeps {limit} on these: {seen}{these}."
    sizes = np.unique(np.geomspace(count, 1e8, 4_000).astype(int))
    enough = binom.cdf(np.ceil(losses / count * sizes), sizes, loss) <= 1 - confidence
    needed = rounded_up(int(sizes[enough.argmax()]))
    told = f"about {needed:,} if that share stays" if enough.any() else "more than anybody has"
    return f"{few} for {limit}: {seen}; it would need {told}{these}."
