"""Whether two models agree, and what a third then gains: python tests/benchmarks/agreement.py

Real answers whose correctness is known, from `agreement.jsonl.gz` in NBROUTE_DATA (default
../shared/data). Recovered is (accuracy of the strategy - of the cheap model) / (of the
expensive model - of the cheap model); asking at random recovers the share that is asked.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from checks import FILE, HERE, share

from nbroute.checks import agree, final_value
from nbroute.embedders.wordllama import WordLlamaEmbedder
from nbroute.report.table import text_table

LEAST = 0.92
DRAWS = 4_000
#: The cheap model whose answer is kept, its partner, and the one that both go up to.
MINI, HAIKU = "gpt-4o-mini-2024-07-18", "claude-3-haiku-20240307"
SONNET, GPT4O = "claude-3-5-sonnet-20240620", "gpt-4o-2024-05-13"
LLAMA, GEMMA = "Meta-Llama-3.1-8B-Instruct", "gemma-2-9b-it"
LLAMA_PRO, MIXTRAL = "Meta-Llama-3_1-8B-Instruct", "Mixtral-8x7B-Instruct-v0.1"
FLASH, PRO = "gemini-1.5-flash-002", "gemini-1.5-pro-002"
TRIOS = [
    ("crux", MINI, HAIKU, SONNET),
    ("crux", HAIKU, MINI, SONNET),
    ("crux", HAIKU, GEMMA, SONNET),
    ("crux", MINI, LLAMA, SONNET),
    ("mmlu-pro", LLAMA_PRO, MIXTRAL, PRO),
    ("mmlu-pro", LLAMA_PRO, FLASH, PRO),
    ("mmlu-pro", MIXTRAL, FLASH, PRO),
    ("math-l5", LLAMA, HAIKU, GPT4O),
    ("math-l5", HAIKU, MINI, GPT4O),
]
Row = dict[str, Any]


def of(rows: Sequence[Row], name: str) -> np.ndarray:
    """A 1 for each prompt where that model is right, else a 0."""
    return np.array([row["models"][name]["correct"] for row in rows])


def texts(row: Row, one: str, other: str) -> tuple[str, str]:
    """The two models' answers to one prompt."""
    return row["models"][one]["answer"], row["models"][other]["answer"]


def interval(size: int, measure: Callable[[np.ndarray], float]) -> str:
    """The measure on all the rows, and the 95% interval of a bootstrap over them."""
    rng = np.random.default_rng(0)
    drawn = [measure(rng.integers(0, size, size)) for _ in range(DRAWS)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return f"{measure(np.arange(size)):.2f} [{low:.2f}, {high:.2f}]"


def recovered(cheap: np.ndarray, top: np.ndarray, asked: np.ndarray) -> Callable[..., float]:
    """The share of the gap that asking there recovers, on the rows drawn."""

    def measure(at: np.ndarray) -> float:
        gap = float(top[at].mean() - cheap[at].mean())
        gained = float((asked[at] * (top[at] - cheap[at])).mean())
        return gained / gap if gap > 0 else float("nan")

    return measure


def auc(flags: np.ndarray, wrong: np.ndarray) -> float:
    """The chance that a wrong answer is flagged higher than a right one; ties count half."""
    high, low = flags[wrong == 1][:, None], flags[wrong == 0][None]
    return float(((high > low) + 0.5 * (high == low)).mean()) if high.size and low.size else 0.5


def consensus(every: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """A line for each three models: what goes up, what that recovers, and how much beats chance."""
    yield "set", "kept, partner, above", "accuracy", "goes up", "recovered", "above random"
    for name, one, other, third in TRIOS:
        rows = [row for row in every if row["set"] == name]
        cheap, top = of(rows, one), of(rows, third)
        up = np.array([not agree(*texts(row, one, other)).agrees for row in rows])
        gain = recovered(cheap, top, up)
        figures = f"{cheap.mean():.1%} to {np.where(up, top, cheap).mean():.1%} ({top.mean():.1%})"
        yield (
            name,
            f"{one}, {other}, {third}",
            figures,
            share(int(up.sum()), len(rows)),
            interval(len(rows), gain),
            interval(len(rows), lambda at, gain=gain, up=up: gain(at) - float(up[at].mean())),
        )


def parallel(every: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """A line for each pair: how often they agree, and what differing says about the cheap one."""
    embedder = WordLlamaEmbedder()
    yield "set", "pair", "agree by value", "AUC, value", "agree by cosine", "AUC, cosine"
    for name, one, other in dict.fromkeys(trio[:3] for trio in TRIOS):
        rows = [row for row in every if row["set"] == name]
        pairs = [texts(row, one, other) for row in rows]
        wrong = 1 - of(rows, one)
        made = [embedder.embed([text for pair in pairs for text in pair]).vectors]
        vectors = made[0].reshape(len(rows), 2, -1)
        scale = np.linalg.norm(vectors, axis=2).prod(axis=1)
        cosine = (vectors[:, 0] * vectors[:, 1]).sum(axis=1) / np.where(scale > 0, scale, 1)
        pieces = zip(pairs, cosine, strict=True)
        same = np.array([agree(*pair, float(near), least=LEAST).agrees for pair, near in pieces])
        yield (
            name,
            f"{one}, {other}",
            share(int(same.sum()), len(rows)),
            interval(len(rows), lambda at, s=same, w=wrong: auc(1.0 - s[at], w[at])),
            share(int((cosine >= LEAST).sum()), len(rows)),
            interval(len(rows), lambda at, c=cosine, w=wrong: auc(-c[at], w[at])),
        )


def readers(every: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """A line for each set: how well the values match the set's own verdicts."""
    yield "set", "answers with a value", "two right ones agree", "a right and a wrong one agree"
    for name in dict.fromkeys(row["set"] for row in every):
        rows = [row["models"] for row in every if row["set"] == name]
        said = [one["answer"] for models in rows for one in models.values()]
        both, mixed = [], []
        for models in rows:
            for one, other in combinations(models.values(), 2):
                right = one["correct"] + other["correct"]
                if right:
                    agrees = agree(one["answer"], other["answer"]).agrees
                    (both if right == 2 else mixed).append(agrees)
        valued = sum(final_value(text) is not None for text in said)
        yield (
            name,
            share(valued, len(said)),
            share(sum(both), len(both)),
            share(sum(mixed), len(mixed)),
        )


if __name__ == "__main__":
    path = Path(os.environ.get("NBROUTE_DATA", str(HERE.parents[2] / "shared" / "data"))) / FILE
    if not path.is_file():
        raise SystemExit(f"nothing measured: {str(path)!r} is not there; see NBROUTE_DATA.")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    for table in (consensus, parallel, readers):
        print("\n".join([*text_table([*table(found)]), ""]))
