"""Whether a calibrated threshold keeps its promise: python tests/benchmarks/calibration.py

On RouteLLM's outcomes in NBROUTE_DATA (default ../shared/data). A prompt needs the strong model
where that model's score is higher. The learned classifier is fitted on half of the data (MMLU: half
of the subjects) and calibrated on labels drawn from the other half; the loss is measured on the
rest of it. For MMLU this is also done with labels of other subjects than those measured: there the
rows are not exchangeable, and nothing is promised.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from routellm import load

from nbroute.classify.ngrams import NgramClassifier
from nbroute.classify.registry import stepped
from nbroute.errors import SettingsError
from nbroute.evaluate.training import fit
from nbroute.evaluate.training_data import near_duplicates
from nbroute.report.metrics import wilson
from nbroute.router import Router
from nbroute.types import Classifier, Decision, Ladder, Price, Tier

HERE = Path(__file__).parent
#: List prices of the two models when they were compared, US dollars per million tokens.
PRICES = {"WEAK": ("0.24", "0.24"), "STRONG": ("10", "30")}
LADDER = Ladder(
    "two",
    tuple(
        Tier(name, "simulated", name, 1, price=Price(*map(Decimal, usd), "configured"))
        for name, usd in PRICES.items()
    ),
    "WEAK",
)
RUNS = 100
LABELS = (300, 1_000, 3_000)
LIMITS = (0.05, 0.1)


class Remembered:
    """A classifier that is asked once for each prompt."""

    def __init__(self, classifier: Classifier) -> None:
        self.name = classifier.name
        self._asked = cache(lambda prompt: classifier.classify(prompt, LADDER))

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        return self._asked(prompt)


def loss(frame: pd.DataFrame, classifier: Remembered, threshold: float) -> float:
    """The share of prompts that stay on WEAK and need STRONG."""
    made = [classifier.classify(prompt, LADDER) for prompt in frame["prompt"]]
    tiers = [stepped(one.tier, one.confidence, threshold, LADDER) for one in made]
    return float(((np.array(tiers) == "WEAK") & (frame["tier"] == "STRONG")).mean())


def by_rows(
    frame: pd.DataFrame, count: int, draw: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels, and the rest."""
    mixed = frame.iloc[draw.permutation(len(frame))]
    return mixed.iloc[:count], mixed.iloc[count:]


def by_subjects(
    frame: pd.DataFrame, count: int, draw: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels of half of the subjects, and all of the others."""
    subjects = draw.permutation(frame["subject"].unique())
    known = frame["subject"].isin(subjects[: len(subjects) // 2])
    return by_rows(frame[known], count, draw)[0], frame[~known]


def runs(name: str, frame: pd.DataFrame, classifier: Remembered) -> Iterator[str]:
    """A line for each way of holding back, number of labels and limit."""
    router = router_of(classifier)
    ways = {"rows": by_rows, "subjects": by_subjects} if name == "mmlu" else {"rows": by_rows}
    for way, split in ways.items():
        for count in LABELS:
            if count > len(frame) // 2:
                continue
            for limit in LIMITS:
                draw, found = np.random.default_rng(0), []
                for _ in range(RUNS):
                    labels, rest = split(frame, count, draw)
                    try:
                        made = router.calibrate(labels, loss=limit)
                    except SettingsError:
                        continue
                    held = loss(rest, classifier, made.threshold)
                    found.append((held, made.chosen.saved, made.chosen.moved))
                what = f"{name} {classifier.name}, {way}, {count} labels"
                yield told(what, limit, found, at_random(frame, classifier))
    router.close()


def router_of(classifier: Remembered) -> Router:
    """A router that goes by the classifier, on the two models."""
    return Router(profile="simulated", ladder=LADDER, classifier=classifier, ledger=":memory:")


def saved_without(frame: pd.DataFrame, classifier: Remembered) -> float:
    """What is saved with no threshold, compared with all on STRONG."""
    router = router_of(classifier)
    try:
        return router.calibrate(frame, loss=0.5).steps[-1].saved
    finally:
        router.close()


def at_random(frame: pd.DataFrame, classifier: Remembered) -> Callable[[float], float]:
    """The share of prompts that move up -> the loss if they were drawn at random."""
    most = np.mean([classifier.classify(one, LADDER).tier == "WEAK" for one in frame["prompt"]])
    start = loss(frame, classifier, 0)
    return lambda moved: start * (1 - moved / most)


def told(
    what: str, limit: float, found: list[tuple[float, ...]], chance: Callable[[float], float]
) -> str:
    """The outcome of the runs, in one line."""
    line = f"{what}, at most {limit:.0%}: promised {len(found)} of {RUNS}"
    if not found:
        return line
    held, saved, moved = np.array(found).T
    broken = int((held > limit).sum())
    low, high = wilson(broken / RUNS, RUNS)
    return (
        f"{line}, broken {broken} [{low:.0%}, {high:.0%}]; loss {held.mean():.1%} "
        f"({held.min():.1%} to {held.max():.1%}), moved up {moved.mean():.0%} "
        f"(at random: loss {chance(moved.mean()):.1%}), "
        f"saved {saved.mean():.0%}"
    )


if __name__ == "__main__":
    folder = os.environ.get("NBROUTE_DATA", str(HERE.parents[2] / "shared" / "data"))
    for name in ("mmlu", "gsm8k"):
        try:
            frame = pd.DataFrame(load(name, folder)).rename(columns={"group": "subject"})
        except SettingsError as error:
            raise SystemExit(f"nothing measured: {error}") from None
        frame["group"] = near_duplicates(frame["prompt"].tolist())
        frame["tier"] = np.where(frame["strong"] > frame["weak"], "STRONG", "WEAK")
        frame = frame.drop_duplicates("group")
        key = "subject" if name == "mmlu" else "group"
        halves = np.random.default_rng(1).permutation(frame[key].unique())
        seen = frame[key].isin(halves[: len(halves) // 2])
        fitted = fit(frame.loc[seen, ["prompt", "weak", "strong"]], LADDER)
        other = frame[~seen]
        needs = (other["tier"] == "STRONG").mean()
        print(f"{name}: {len(other):,} prompts, of which {needs:.1%} need the strong model")
        for classifier in (fitted.classifier, NgramClassifier()):
            asked = Remembered(classifier)
            made = [asked.classify(prompt, LADDER) for prompt in other["prompt"]]
            sure = pd.Series([one.confidence for one in made if one.tier == "WEAK"])
            lost, saved = loss(other, asked, 0), saved_without(other, asked)
            print(
                f"  {classifier.name}: with no threshold {lost:.1%} lost, {saved:.0%} saved; of "
                f"those on WEAK {(sure == sure.mode()[0]).mean():.0%} have one confidence"
            )
            for line in runs(name, other, asked):
                print(f"  {line}", flush=True)
