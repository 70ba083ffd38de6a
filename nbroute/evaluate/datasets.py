"""Benchmark files: prompts with what a weak and a strong model made of them.

The files are not part of nbroute. They come from the RouteLLM repository (lm-sys/RouteLLM,
Apache-2.0), paper arXiv 2406.18665.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import TypedDict

from nbroute.errors import SettingsError, did_you_mean

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
