"""RouteLLM's benchmark files, and figures that only the benchmarks print.

The files are not part of nbroute. They come from the RouteLLM repository (lm-sys/RouteLLM,
Apache-2.0), paper arXiv 2406.18665.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import TypedDict

from numpy.typing import ArrayLike

from nbroute.errors import SettingsError, did_you_mean
from nbroute.evaluate.training import gap_recovered, least_share

#: Name -> file.
FILES = {
    "mmlu": "routellm_mmlu.csv.gz",
    "gsm8k": "routellm_gsm8k.csv.gz",
    "mt_bench": "routellm_mt_bench.csv.gz",
}


class Outcome(TypedDict):
    """One prompt; `weak` and `strong` are scores on the benchmark's own scale."""

    prompt: str
    group: str
    weak: float
    strong: float


def load(name: str, folder: str | Path) -> list[Outcome]:
    """The prompts of one benchmark, in the file's order.

    Raises SettingsError where the name, the folder, the file or a row of it is not as expected.
    """
    if name not in FILES:
        raise SettingsError(f"there is no benchmark {name!r}; {did_you_mean(name, FILES)}")
    path = Path(folder) / FILES[name]
    if not path.is_file():
        raise SettingsError(
            f"the benchmark file {str(path)!r} is not there; "
            "name the folder that has it in NBROUTE_DATA."
        )
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            return [_outcome(row) for row in csv.DictReader(file)]
    except (OSError, EOFError, UnicodeDecodeError, KeyError, ValueError, csv.Error) as error:
        raise SettingsError(
            f"the benchmark file {str(path)!r} cannot be read ({error}); "
            "it needs the columns prompt, group, weak and strong."
        ) from error


def _outcome(row: dict[str, str]) -> Outcome:
    return {
        "prompt": row["prompt"],
        "group": row["group"],
        "weak": float(row["weak"]),
        "strong": float(row["strong"]),
    }


def cpt(scores: ArrayLike, weak: ArrayLike, strong: ArrayLike, recover: float) -> float:
    """The least share of strong calls that recovers the part `recover` (0 to 1) of the gap.

    Raises ValueError as `apgr` does.
    """
    return least_share(*gap_recovered(scores, weak, strong), recover)


def tier_shares(tiers: Iterable[str]) -> dict[str, float]:
    """The part of the decisions that each tier got, the largest first; empty for none."""
    counts = Counter(tiers)
    return {tier: count / counts.total() for tier, count in counts.most_common()}


def accuracy_by(
    groups: Iterable[Hashable], expected: Iterable[str], actual: Iterable[str]
) -> dict[Hashable, tuple[int, int]]:
    """Group -> how many decisions were right, and of how many."""
    right: Counter[Hashable] = Counter()
    total: Counter[Hashable] = Counter()
    for group, wanted, got in zip(groups, expected, actual, strict=True):
        total[group] += 1
        right[group] += wanted == got
    return {group: (right[group], count) for group, count in total.items()}
