"""How strong tiers are, from judged pairs of their answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nbroute.compare import Grid
from nbroute.errors import SettingsError
from nbroute.evaluate.judged_grid import most_expensive
from nbroute.evaluate.judging import WORTH
from nbroute.evaluate.training import resamples
from nbroute.evaluate.training_data import check_columns, frame_of, need

if TYPE_CHECKING:
    from nbroute.evaluate.audited import Audit

_COLUMNS = ("prompt", "cheaper", "expensive", "verdict")
_FORMS = f"the columns {', '.join(_COLUMNS)}; or give an audit, or a grid that was judged"
_SAMPLES = 1_000


def strengths(judged: Audit | Grid | pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """How often each tier would be preferred to an average one, the strongest first.

    `judged` is an audit, its frame, or one with `prompt`, `cheaper`, `expensive` and `verdict`
    ("cheaper", "expensive" or "tie"), or a grid that was judged. The columns are `tier`,
    `strength` (0 to 1; 0.5 is the average) and the 95% interval `low` to `high`, by 1,000 samples
    of the prompts. The odds that one tier beats another are the ratio of their odds.

    The model is Bradley and Terry's (1952), fitted by evalica; a tie is half a win for each. Any
    two tiers that met get one more tie, so that a tier that always wins is not infinitely strong.
    SettingsError for fewer than three tiers, for tiers that no verdict connects, and if evalica is
    missing.
    """
    frame = frame_of(_of_grid(judged) if isinstance(judged, Grid) else judged, _FORMS)
    check_columns(frame, _COLUMNS, _FORMS)
    frame = frame[frame["verdict"].isin(WORTH) & (frame["cheaper"] != frame["expensive"])]
    _check(set(zip(frame["cheaper"], frame["expensive"], strict=True)))
    point, samples = _fitted(frame, seed)
    low, high = samples.quantile(0.025), samples.quantile(0.975)
    found = pd.DataFrame({"strength": point, "low": low, "high": high})
    found = found.sort_values("strength", ascending=False)
    return found.rename_axis("tier").reset_index()


def _of_grid(grid: Grid) -> pd.DataFrame:
    """A row for each answer that was judged."""
    top = most_expensive(grid).name
    verdicts = {share: word for word, share in WORTH.items()}
    rows = [
        (place, name, top, verdicts[one.share])
        for name, found in grid.judged.items()
        for place, one in found.items()
        if one.share is not None
    ]
    return pd.DataFrame(rows, columns=[*_COLUMNS])


def _check(met: Iterable[tuple[str, str]]) -> None:
    """SettingsError for too few tiers, and for those that nothing connects."""
    groups: list[set[str]] = []
    for pair in met:
        joined = {*pair}.union(*(one for one in groups if one & {*pair}))
        groups = [one for one in groups if not one & joined] + [joined]
    tiers = sorted(set().union(*groups))
    if len(tiers) < 3:
        raise SettingsError(
            f"strengths take three tiers or more that were judged; here there is "
            f"{' and '.join(tiers) or 'none'}"
        )
    if len(groups) > 1:
        parts = sorted(" and ".join(sorted(one)) for one in groups)
        raise SettingsError(
            f"{'; '.join(parts)}: no tier of one was judged against one of another, so their "
            "strengths cannot be compared"
        )


def _fitted(frame: pd.DataFrame, seed: int) -> tuple[Any, pd.DataFrame]:
    """The strengths, and those in each sample of the prompts, with a column for each tier."""
    need("evalica", "comparing strengths")
    from evalica import Winner, bradley_terry

    winners = {"cheaper": Winner.X, "expensive": Winner.Y, "tie": Winner.Draw}
    # How often each outcome occurred, prompt by prompt: there are few outcomes, and many prompts.
    counts = pd.crosstab(frame["prompt"], [frame[side] for side in _COLUMNS[1:]])
    met = frame[["cheaper", "expensive"]].drop_duplicates().to_numpy().tolist()
    outcomes = [*counts.columns, *((*pair, "tie") for pair in met)]
    xs, ys, said = zip(*outcomes, strict=True)
    table, words = counts.to_numpy(dtype=float), [winners[one] for one in said]

    def fit(weights: Any) -> Any:
        weights = [*weights, *[1.0] * len(met)]
        found = bradley_terry(xs, ys, words, weights=weights, limit=10_000, tolerance=1e-9)
        odds = np.log(found.scores)
        return 1 / (1 + np.exp(odds.mean() - odds))

    drawn = resamples(np.arange(len(table)), _SAMPLES, seed)
    samples = [fit(times @ table) for times in drawn]
    return fit(table.sum(axis=0)), pd.DataFrame(samples)
