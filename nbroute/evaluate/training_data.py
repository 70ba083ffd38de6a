"""Training data: a frame or a CSV file -> prompts, the tier that each needs, and groups."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbroute.classify.examples import tier_of
from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import Ladder

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Below so many rows a cross-validated figure says nothing.
FEWEST = 50
_FORMS = "columns prompt and tier, or prompt, weak and strong; group is optional"

#: Eight bands of three: seven shingles in ten shared are found 19 times in 20, three in ten 1 in 5.
_BANDS, _ROWS = 8, 3
#: Words that overlap in a shingle.
_SHINGLE = 3
_PRIME = 2**31 - 1
_WORD = re.compile(r"[^\W\d]+|\d+")


@dataclass(frozen=True, eq=False)
class Labelled:
    """What a classifier is trained on, one entry per prompt.

    A router that sends a prompt up gains `strong` - `weak`. `levels` are the places in
    `tiers` that are right. `by_tier` says that the labels are tiers: then weak is 0 and
    strong is the tier's place, from 0 at the bottom to 1 at the top.
    """

    prompts: list[str]
    weak: np.ndarray
    strong: np.ndarray
    levels: np.ndarray
    groups: np.ndarray
    tiers: tuple[str, ...]
    by_tier: bool
    grouped_by: str

    @property
    def gains(self) -> np.ndarray:
        """What the strong model adds."""
        gained: np.ndarray = self.strong - self.weak
        return gained


def read_labels(source: pd.DataFrame | str | Path, ladder: Ladder) -> Labelled:
    """The labelled prompts; SettingsError names the row or the column that cannot be used.

    Where there is a column tier, weak and strong are not looked at. Without a column group,
    prompts that are nearly the same make a group.
    """
    if len(ladder.tiers) < 2:
        raise SettingsError(f"ladder {ladder.name!r} has one tier: there is nothing to learn.")
    frame = _frame(source)
    names = [str(name) for name in frame.columns]
    by_tier = "tier" in names
    for needed in ("prompt", "tier") if by_tier else ("prompt", "weak", "strong"):
        if needed not in names:
            found = ", ".join(map(repr, names)) or "none"
            raise SettingsError(f"no column {needed!r} among {found}; it needs {_FORMS}.")
        if names.count(needed) > 1:
            raise SettingsError(f"there are several columns {needed!r}; leave one.")
    if len(frame) < FEWEST:
        raise SettingsError(
            f"{len(frame)} rows are too few to train on and to measure; give {FEWEST} or more, "
            "better some hundreds."
        )
    prompts = frame["prompt"].tolist()
    for row, prompt in enumerate(prompts, 1):
        if not isinstance(prompt, str) or not prompt.strip():
            raise SettingsError(f"row {row} has the prompt {prompt!r:.40}; give text or drop it.")
    groups, grouped_by = _groups(frame, prompts)
    weak, strong, levels, tiers = (_tiers if by_tier else _scores)(frame, ladder)
    return Labelled(prompts, weak, strong, levels, groups, tiers, by_tier, grouped_by)


def _frame(source: Any) -> pd.DataFrame:
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source
    if not isinstance(source, str | Path):
        kind = type(source).__name__
        raise SettingsError(f"{kind} is not a table; give a DataFrame or a CSV file with {_FORMS}.")
    try:
        return pd.read_csv(source, keep_default_na=False, na_values=[""])
    except (OSError, EOFError, ValueError) as error:
        raise SettingsError(
            f"{str(source)!r} cannot be read as CSV ({error}); it needs {_FORMS}."
        ) from error


def _groups(frame: pd.DataFrame, prompts: Sequence[str]) -> tuple[np.ndarray, str]:
    import numpy as np

    if "group" not in frame.columns:
        groups, grouped_by = near_duplicates(prompts), "near-duplicates kept together"
    else:
        column = frame["group"]
        if column.isna().any():
            row = int(column.isna().to_numpy().argmax()) + 1
            raise SettingsError(f"row {row} has no group; name one, or leave the column out.")
        groups = np.unique(column.astype(str), return_inverse=True)[1]
        grouped_by = "whole groups unseen"
    if len(np.unique(groups)) < 2:
        cure = "leave the column out" if "group" in frame.columns else "add other prompts"
        raise SettingsError(f"all rows are of one group, so none can be held back; {cure}.")
    return groups, grouped_by


def _tiers(frame: pd.DataFrame, ladder: Ladder) -> tuple[Any, Any, Any, tuple[str, ...]]:
    """Labels that are tiers -> weak and strong scores, levels, and the tiers of the levels."""
    import numpy as np

    found = []
    for row, label in enumerate(frame["tier"].tolist(), 1):
        tier = tier_of(label, ladder) if isinstance(label, str) else None
        if tier is None:
            cure = did_you_mean(str(label), ladder.names)
            raise SettingsError(f"row {row} has the tier {label!r:.40}: {cure}")
        found.append(tier)
    counts = Counter(found)
    for tier in ladder.names:
        if not counts[tier]:
            raise SettingsError(
                f"tier {tier!r} has no examples; label some, or fit on a ladder without it."
            )
    levels = np.array([ladder.index(tier) for tier in found])
    return np.zeros(len(levels)), levels / (len(ladder.tiers) - 1), levels, ladder.names


def _scores(frame: pd.DataFrame, ladder: Ladder) -> tuple[Any, Any, Any, tuple[str, ...]]:
    """Labels that are scores -> the same, where the levels are the bottom and the top."""
    weak, strong = _numbers(frame, "weak"), _numbers(frame, "strong")
    if strong.sum() <= weak.sum():
        raise SettingsError(
            f"the strong model's mean score ({strong.mean():.3g}) is not above the weak one's "
            f"({weak.mean():.3g}): there is nothing to gain. Are the columns swapped?"
        )
    levels = (strong > weak).astype(int)
    if levels.all():
        raise SettingsError("the strong model is better in every row: there is nothing to learn.")
    return weak, strong, levels, (ladder.names[0], ladder.names[-1])


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    import numpy as np

    values = []
    for row, value in enumerate(frame[name].tolist(), 1):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise SettingsError(f"row {row} has {name} = {value!r:.40}; give a number or drop it.")
        values.append(number)
    return np.array(values)


def near_duplicates(prompts: Sequence[str]) -> np.ndarray:
    """A number for each prompt, the same for those that are alike but for their numbers.

    MinHash with banding: Broder 1997, "On the resemblance and containment of documents", and
    Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4.
    """
    import numpy as np

    generator = np.random.default_rng(0)
    factors = generator.integers(1, _PRIME, (_BANDS * _ROWS, 1))
    offsets = generator.integers(0, _PRIME, (_BANDS * _ROWS, 1))
    parents = list(range(len(prompts)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    first: dict[tuple[int, bytes], int] = {}
    for place, prompt in enumerate(prompts):
        least = ((_shingles(prompt) * factors + offsets) % _PRIME).min(axis=1)
        for band, part in enumerate(least.reshape(_BANDS, _ROWS)):
            twin = first.setdefault((band, part.tobytes()), place)
            parents[root(place)] = root(twin)
    return np.array([root(place) for place in range(len(prompts))])


def _shingles(prompt: str) -> np.ndarray:
    """The codes of the runs of three words in the prompt, every number read as 0."""
    import numpy as np

    words = ["0" if word.isdigit() else word for word in _WORD.findall(prompt.lower())]
    ends = range(max(len(words) - _SHINGLE, 0) + 1)
    shingles = {" ".join(words[start : start + _SHINGLE]) for start in ends}
    codes = [zlib.crc32(s.encode("utf-8", "surrogatepass")) % _PRIME for s in shingles]
    return np.array(codes, dtype=np.int64)
