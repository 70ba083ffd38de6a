"""The learned classifier's figures: python tests/benchmarks/learned.py

Trains on the benchmark files in NBROUTE_DATA (default ../shared/data) and scores the prompts
held back: MMLU by whole subjects, under three partitions into folds, GSM8K with near-duplicates
kept together, and each benchmark by a classifier trained on the other.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pandas as pd
from routellm import load

from nbroute.classify.ngrams import NgramClassifier
from nbroute.errors import SettingsError
from nbroute.evaluate.training import Fitted, apgr, bootstrap, fit
from nbroute.types import Ladder, Tier

HERE = Path(__file__).parent
BANDS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
LADDER = Ladder("four", tuple(Tier(name, "none", name, 1) for name in BANDS), "MEDIUM")
SEEDS = {"mmlu": (0, 1, 2), "gsm8k": (0, 1, 2)}
BOOTSTRAPS = 300


def own_domain(name: str, frame: pd.DataFrame) -> Fitted:
    """Cross-validated: the first partition in full, of the others only the learned line."""
    grouped = frame if len(set(frame["group"])) > 1 else frame.drop(columns="group")
    first = None
    for seed in SEEDS[name]:
        start = time.perf_counter()
        present = NgramClassifier() if first is None else None
        fitted = fit(grouped, LADDER, present=present, seed=seed)
        taken = time.perf_counter() - start
        if first is None:
            print(f"{name}, trained in {taken:.0f} s: {fitted!r}")
            first = fitted
        else:
            line = fitted.figures[0]
            low, high = line.interval
            print(f"  folds of seed {seed}: {line.value:.3f} [{low:.3f}, {high:.3f}]")
    return first


def other_domain(fitted: Fitted, name: str, frame: pd.DataFrame) -> None:
    """Trained on one benchmark, scored on another."""
    weak, strong = frame["weak"].to_numpy(), frame["strong"].to_numpy()
    routers: dict[str, Any] = {
        "learned": [fitted.classifier.score(prompt) for prompt in frame["prompt"]],
        "words": [len(prompt.split()) for prompt in frame["prompt"]],
    }
    for router, scores in routers.items():
        low, high = bootstrap(apgr, scores, weak, strong, samples=BOOTSTRAPS)
        print(f"  on {name}, {router}: {apgr(scores, weak, strong):.3f} [{low:.3f}, {high:.3f}]")


def speed(fitted: Fitted, frame: pd.DataFrame) -> None:
    """The mean time of a decision over some hundred real prompts."""
    prompts = frame["prompt"].tolist()[:300]
    start = time.perf_counter()
    for prompt in prompts:
        fitted.classifier.classify(prompt, LADDER)
    taken = (time.perf_counter() - start) / len(prompts)
    print(f"  a decision: {taken * 1e3:.2f} ms")


if __name__ == "__main__":
    folder = os.environ.get("NBROUTE_DATA", str(HERE.parents[2] / "shared" / "data"))
    try:
        frames = {name: pd.DataFrame(load(name, folder)) for name in (*SEEDS, "mt_bench")}
    except SettingsError as error:
        raise SystemExit(f"nothing measured: {error}") from None
    for trained in SEEDS:
        best = own_domain(trained, frames[trained])
        speed(best, frames[trained])
        print(f"trained on all of {trained}:")
        for other, rows in frames.items():
            if other != trained:
                other_domain(best, other, rows)
