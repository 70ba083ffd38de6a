"""The learned check's figures: python tests/benchmarks/learned_check.py

Fitted on the answers of one model to the prompts of one set, and measured on other prompts of
the set, then on the other sets. The answers are those that `checks.py` reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from checks import HERE, Answer, answers

from nbroute.evaluate.check_training import FittedCheck, Line, compared, fit_check
from nbroute.evaluate.training_data import near_duplicates
from nbroute.report.table import text_table

#: As many labels as a person may have.
FEW = 240
#: Set, cheap model, and the model that is asked where the check fails.
CASCADES = (
    ("mmlu-pro", "Meta-Llama-3_1-8B-Instruct", "gemini-1.5-pro-002"),
    ("mmlu-pro", "gemini-1.5-flash-002", "gemini-1.5-pro-002"),
    ("crux", "Meta-Llama-3.1-8B-Instruct", "claude-3-5-sonnet-20240620"),
    ("crux", "claude-3-haiku-20240307", "claude-3-5-sonnet-20240620"),
    ("math-l5", "Meta-Llama-3.1-8B-Instruct", "gpt-4o-2024-05-13"),
    ("math-l5", "claude-3-haiku-20240307", "gpt-4o-2024-05-13"),
)


def frame(found: Sequence[Answer]) -> pd.DataFrame:
    """What `fit_check` takes."""
    return pd.DataFrame(found)[["prompt", "text", "good"]]


def parts(every: Sequence[Answer], *names: str) -> dict[str, list[Answer]]:
    """The answers that are alike in those fields."""
    found: dict[str, list[Answer]] = {}
    for one in every:
        found.setdefault(", ".join(str(getattr(one, name)) for name in names), []).append(one)
    return found


def told(line: Line) -> str:
    """An area with its interval."""
    return "{:.3f} [{:.3f}, {:.3f}]".format(*line.auc)


def row(name: str, fitted: FittedCheck) -> tuple[str, ...]:
    """The areas of the check, the prompt alone and the length, and what it would do."""
    own, prompt, length, _ = fitted.lines
    ahead = min((line.ahead for line in (prompt, length)), key=lambda one: one[1])
    half = next(one for one in fitted.catches if one.threshold == fitted.check.threshold)
    switched = "on" if fitted.better else "refused"
    least = "{:+.3f} [{:+.3f}, {:+.3f}]".format(*ahead)
    does = f"fails {half.fires:.0%}, {half.right:.0%} of them wrong"
    return name, told(own), told(prompt), told(length), least, switched, does


def within(every: Sequence[Answer]) -> Iterator[tuple[str, ...]]:
    """Cross-validated by prompt, for each model of each set; then on a few of its labels."""
    draw = np.random.default_rng(0)
    yield (
        "",
        "the check",
        "the prompt alone",
        "length",
        "least ahead by",
        "switched",
        "to catch half",
    )
    for name, found in parts(every, "set", "model").items():
        wrong = np.mean([not one.good for one in found])
        yield row(f"{name} ({wrong:.0%} wrong)", fit_check(frame(found)))
        few = [found[place] for place in draw.choice(len(found), FEW, replace=False)]
        yield row(f"  {FEW} of its labels", fit_check(frame(few)))
    for name, found in parts(every, "set").items():
        yield row(f"{name}, all models mixed", fit_check(frame(found)))


def across(every: Sequence[Answer]) -> Iterator[tuple[str, ...]]:
    """Fitted on all of one set, and measured on all of another."""
    sets = parts(every, "set")
    yield ("fitted on", *(f"on {name}" for name in sets))
    for name, found in sets.items():
        check = fit_check(frame(found)).check
        areas = {
            other: area(those, [check.chance(one.prompt, one.text) for one in those])
            for other, those in sets.items()
            if other != name
        }
        yield (name, *(areas.get(other, "(itself)") for other in sets))
    lengths = (area(those, [len(one.text) for one in those]) for those in sets.values())
    yield ("the answer's length alone", *lengths)


def area(found: Sequence[Answer], scores: Sequence[float]) -> str:
    """How well the scores single out the wrong answers."""
    bad = np.array([not one.good for one in found], dtype=float)
    groups = near_duplicates([one.prompt for one in found])
    return told(compared({"": np.array(scores, dtype=float)}, bad, groups)[0])


def cascade(every: Sequence[Answer]) -> Iterator[tuple[str, ...]]:
    """What a cascade with the check, fitted on one half of the prompts, does on the other half.

    Labelled bad is a wrong answer, or only one that the stronger model gets right. Recovered is
    the part of the gap between the two; asking at random recovers the share that is sent on.
    """
    yield "cheap model, then", "bad is", "sent on", "recovered", "above random [95% interval]"
    found = parts(every, "set", "model")
    for name, cheap, strong in CASCADES:
        above = {one.prompt: one.good for one in found[f"{name}, {strong}"]}
        below = found[f"{name}, {cheap}"]
        gains = np.array([above[one.prompt] - one.good for one in below], dtype=float)
        for bad, good in (("wrong", [one.good for one in below]), ("beaten", gains <= 0)):
            sent = sent_on(frame(below).assign(good=good))
            cells = (f"{sent.mean():.0%}", f"{(gains * sent).sum() / gains.sum():.0%}")
            yield f"{name}: {cheap}, {strong}", bad, *cells, above_random(gains, sent)


def sent_on(labelled: pd.DataFrame) -> np.ndarray:
    """Which of the answers a check sends on that was fitted on the other half of the prompts."""
    side = near_duplicates(labelled["prompt"].tolist()) % 2
    sent = np.zeros(len(labelled))
    for half in (0, 1):
        check = fit_check(labelled[side != half]).check
        for place in np.flatnonzero(side == half):
            row = labelled.iloc[place]
            sent[place] = check.chance(row["prompt"], row["text"]) >= check.threshold
    return sent


def above_random(gains: np.ndarray, sent: np.ndarray) -> str:
    """How much more of the gap is recovered than the share that is sent on."""
    draw = np.random.default_rng(0).integers(0, len(gains), (1000, len(gains)))

    def more(rows: np.ndarray | slice) -> float:
        return float((gains * sent)[rows].sum() / gains[rows].sum() - sent[rows].mean())

    kept = [rows for rows in draw if gains[rows].sum() > 0]
    low, high = np.quantile([more(rows) for rows in kept], [0.025, 0.975])
    return f"{more(slice(None)):+.2f} [{low:+.2f}, {high:+.2f}]"


if __name__ == "__main__":
    given = answers(os.environ.get("NBROUTE_DATA", str(HERE.parents[2] / "shared" / "data")))
    for table in (cascade, across, within):
        print("\n".join(text_table([*table(given)])), flush=True)
