"""The learned classifier's figures: python tests/benchmarks/learned.py [tiers|outcomes]

`tiers`: how many labels it takes, with the shipped weights as a prior and without, on prompts of
hands that neither the prior nor the labels had a prompt of; how many of one's own prompts; and
how many where one's own idea of a tier is another. A prior here is trained anew, without them.

`outcomes`: trains on the benchmark files in NBROUTE_DATA (default ../shared/data) and scores the
prompts held back: MMLU by whole subjects, under three partitions into folds, GSM8K with
near-duplicates kept together, and each benchmark by a classifier trained on the other.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from routellm import load

from nbroute.classify.ngrams import Weights, rarity
from nbroute.errors import SettingsError
from nbroute.evaluate.adapting import Rows, columns
from nbroute.evaluate.training import Fitted, apgr, bootstrap, fit
from nbroute.types import Ladder, Tier

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
from train_ngrams import BLIND, Row, counted, labelled, told, train

HERE = Path(__file__).parent
BANDS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
LADDER = Ladder("four", tuple(Tier(name, "none", name, 1) for name in BANDS), "MEDIUM")
SEEDS = {"mmlu": (0, 1, 2), "gsm8k": (0, 1, 2)}
BOOTSTRAPS = 300
#: Labels learnt from.
COUNTS = (0, 10, 30, 100, 300, 1_000)
#: What of the other hands' prompts a prior is trained on where the rest are labels.
PRIOR = 2_000
CODE = re.compile(r"(?i)\b(code|python|sql|function|script|regex|bash|java\w*|api|css|html)\b|```")


def blind() -> list[Row]:
    """The prompts that are never trained on, by somebody who had seen no other."""
    file = HERE.parent / "data" / BLIND
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return [Row(o["prompt"], o["tier"], "blind", o["category"], o["lang"]) for o in lines]


class Prompts:
    """All labelled prompts: their counts, places of tiers, and whose hand they are from."""

    def __init__(self) -> None:
        self.rows = [*labelled(), *blind()]
        self.levels = np.array([BANDS.index(row.tier) for row in self.rows])
        self.hands = np.array([row.file for row in self.rows])
        self.counts = counted(row.prompt for row in self.rows)
        self.code = np.array([bool(CODE.search(row.prompt)) for row in self.rows])

    def prior(self, at: np.ndarray) -> Weights:
        """Trained on those rows alone, as the shipped weights are."""
        trained = train(self.counts[at], self.levels[at])
        weights, bias = trained.model.coef_.T, trained.model.intercept_
        return Weights(rarity(trained.documents, trained.prompts), weights, bias, 1.0)

    def begun(self, prior: Weights, levels: np.ndarray) -> Rows:
        """All rows, with that prior's log-odds."""
        found = columns([row.prompt for row in self.rows], prior)
        return Rows(found, found[:, :-1] @ prior.weights + prior.bias, levels)


def curve(rows: Rows, pool: np.ndarray, test: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """For each count of labels out of the pool: the log-odds of the test rows."""
    for count in COUNTS:
        if count <= len(pool):
            added = rows.moved(pool[:count]) if count else None
            more = 0.0 if added is None else rows.columns[test] @ added
            yield count, rows.start[test] + more


def learning_curves() -> None:
    """Each hand's prompts by what was trained on the others', all hands together."""
    prompts, found = Prompts(), {}
    for hand in np.unique(prompts.hands):
        shuffled = np.random.default_rng(0).permutation(len(prompts.rows))
        own = shuffled[prompts.hands[shuffled] == hand]
        others = shuffled[(prompts.hands[shuffled] != hand) & (prompts.hands[shuffled] != "blind")]
        own_half, rest = own[: len(own) // 2], own[len(own) // 2 :]
        pool, levels = others[PRIOR:], prompts.levels
        code = prompts.code[pool]
        place = np.where(code, code.cumsum(), (~code).cumsum())
        mixed = pool[np.argsort(place, kind="stable")]  # about code in turns, while they last
        half = prompts.begun(prompts.prior(others[:PRIOR]), levels)
        bare = Rows(half.columns, 0 * half.start, levels)
        idea = Rows(half.columns, half.start, np.where(prompts.code, 2, levels))
        whole = prompts.begun(prompts.prior(others), levels)
        for name, rows, labels, test in (
            ("others' labels, with a prior", half, pool, own),
            ("others' labels, no prior", bare, pool, own),
            ("the writer's own labels", whole, own_half, rest),
            ("code is COMPLEX: prompts about code", idea, mixed, own[prompts.code[own]]),
            ("code is COMPLEX: other prompts", idea, mixed, own[~prompts.code[own]]),
        ):
            for count, odds in curve(rows, labels, test):
                entry = found.setdefault((name, count), [])
                entry.append((hand, odds, rows.levels[test]))
    tell_curves(found)


def tell_curves(found: dict[tuple[str, int], list[tuple[str, np.ndarray, np.ndarray]]]) -> None:
    """Right tiers by the count of labels, over the hands that have so many labels."""
    most = {n: max(len(v) for (m, _), v in found.items() if m == n) for n, _ in found}
    for (name, count), parts in found.items():
        right = np.concatenate([odds.argmax(axis=1) == levels for _, odds, levels in parts])
        print(f"{name:<36} {count:>5} labels, {len(parts)} of {most[name]} hands: {told(right)}")
        if count == COUNTS[-1]:
            for hand, odds, levels in parts:
                if hand == "blind":
                    print(f"    of them the blind set: {told(odds.argmax(axis=1) == levels)}")


def own_domain(name: str, frame: pd.DataFrame) -> Fitted:
    """Cross-validated: the first partition in full, the others by the learned line alone."""
    grouped = frame if len(set(frame["group"])) > 1 else frame.drop(columns="group")
    first = None
    for seed in SEEDS[name]:
        start = time.perf_counter()
        fitted = fit(grouped, LADDER, seed=seed)
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


def outcomes() -> None:
    """Both benchmarks, and each by what was trained on the other."""
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


if __name__ == "__main__":
    parts = {"tiers": learning_curves, "outcomes": outcomes}
    for part in sys.argv[1:] or parts:
        parts[part]()
