"""Trains the default classifier's weights: `python tools/train_ngrams.py`.

It reads the labelled prompts in `tests/data/*.jsonl` (the blind set is never read) and the shipped
examples, prints what five folds say, and writes `nbroute/classify/data/ngrams.npz` with the weights
and `ngrams_rows.npz` with what the folds said of each row, by the prompt's hash. With `--files`
it also says how each author's file fares that was left out whole. It needs nbroute[learn]; on the
versions that it prints the files come out the same byte for byte.
"""

from __future__ import annotations

import io
import itertools
import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, diags
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from nbroute.classify import ngrams
from nbroute.classify.examples import LABELS, shipped
from nbroute.compare.matrix import share
from nbroute.evaluate.training_data import near_duplicates

ROOT = Path(__file__).resolve().parent.parent
LABELLED = ROOT / "tests" / "data"
#: Kept for measuring; see tests/benchmarks/classifier.py.
BLIND = "blind_prompts.jsonl"
WEIGHTS = ROOT / "nbroute" / "classify" / "data"
#: How little the weights are held back (the inverse of the ridge penalty).
LOOSENESS = 20.0
FOLDS = 5


class Row(NamedTuple):
    """A labelled prompt; `file` says whose hand it is from."""

    prompt: str
    tier: str
    file: str
    category: str
    lang: str


def labelled() -> list[Row]:
    """Every prompt that may be trained on, one of each."""
    found: dict[str, Row] = {}
    for path in sorted(LABELLED.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if path.name != BLIND and "prompt" in row and "tier" in row:
                of = (row["prompt"], row["tier"], path.stem, row["category"], row["lang"])
                found.setdefault(row["prompt"].strip(), Row(*of))
    for one in shipped():
        found.setdefault(
            one.prompt.strip(), Row(one.prompt, one.tier, "examples", "examples", "mixed")
        )
    return list(found.values())


def counted(prompts: Iterable[str]) -> csr_matrix:
    """One row a prompt: in each place how often its features are there."""
    ends, places, counts = [0], [], []
    for prompt in prompts:
        found, times = np.unique(ngrams.read(prompt).places, return_counts=True)
        places.append(found)
        counts.append(times)
        ends.append(ends[-1] + len(found))
    parts = (np.concatenate(counts).astype(float), np.concatenate(places), ends)
    return csr_matrix(parts, shape=(len(ends) - 1, ngrams.PLACES))


class Trained(NamedTuple):
    """A model with the document frequencies that its features are weighed with."""

    documents: np.ndarray
    prompts: int
    model: Any

    def odds(self, counts: csr_matrix) -> np.ndarray:
        """Log-odds, prompts x labels."""
        found: np.ndarray = self.model.decision_function(
            weighed(counts, self.documents, self.prompts)
        )
        return found


def weighed(counts: csr_matrix, documents: np.ndarray, prompts: int) -> csr_matrix:
    """The features as `ngrams.weighed` has them."""
    rows = counts.copy()
    rows.data = 1 + np.log(rows.data)
    rows = rows @ diags(ngrams.rarity(documents, prompts).astype(float))
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return (diags(1 / np.maximum(lengths, 1e-9)) @ rows).tocsr()


def train(counts: csr_matrix, labels: np.ndarray) -> Trained:
    """Fit the weights to those rows."""
    documents = np.bincount(counts.indices, minlength=ngrams.PLACES)
    model = LogisticRegression(C=LOOSENESS, class_weight="balanced", max_iter=1000, tol=1e-3)
    model.fit(weighed(counts, documents, counts.shape[0]), labels)
    return Trained(documents, counts.shape[0], model)


def left_out(
    counts: csr_matrix, labels: np.ndarray, parts: Iterable[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Each row's log-odds by a model that was trained without its part."""
    odds = np.zeros((len(labels), len(LABELS)))
    for kept, held in parts:
        odds[held] = train(counts[kept], labels[kept]).odds(counts[held])
    return odds


def chances(odds: np.ndarray, sharpness: float) -> np.ndarray:
    """Softmax of the log-odds, after temperature scaling (Guo et al. 2017, "On Calibration")."""
    scaled = odds * sharpness
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    found: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return found


def sharpness_of(odds: np.ndarray, labels: np.ndarray) -> float:
    """The factor under which held-out labels are the likeliest."""

    def surprise(sharpness: float) -> float:
        right = chances(odds, sharpness)[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    return round(float(minimize_scalar(surprise, bounds=(0.2, 5.0), method="bounded").x), 3)


def told(right: Sequence[bool] | np.ndarray) -> str:
    """`71.2% [68.9, 73.4] of 1,563`, with Wilson's 95% interval."""
    found = share(int(np.sum(right)), len(right))
    part = 100 * found.hits / found.of
    return f"{part:5.1f}% [{100 * found.low:.1f}, {100 * found.high:.1f}] of {found.of:,}"


def tell(title: str, rows: Sequence[Row], odds: np.ndarray, labels: np.ndarray) -> None:
    """Exact, at most one tier off, and exact by tier, language, category and file."""
    picked = odds.argmax(axis=1)
    print(f"\n{title}\n  exact {told(picked == labels)}")
    print(f"  at most one tier off {told(abs(picked - labels) <= 1)}")
    for field in ("tier", "lang", "category", "file"):
        groups = defaultdict(list)
        for row, right in zip(rows, picked == labels, strict=True):
            groups[getattr(row, field)].append(right)
        for name, right in sorted(groups.items()):
            print(f"    {field:>8} {name:<16} {told(right)}")


def tell_reliability(found: np.ndarray, labels: np.ndarray) -> None:
    """Of the decisions that say so much, so many are right."""
    sure, right = found.max(axis=1), found.argmax(axis=1) == labels
    print("\nconfidence (mean): right")
    edges = np.array([0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0001])
    for low, high in itertools.pairwise(edges):
        inside = (sure >= low) & (sure < high)
        if inside.any():
            print(f"  {low:.2f} to {high:.2f} ({sure[inside].mean():.1%}): {told(right[inside])}")


def write(name: str, arrays: dict[str, np.ndarray]) -> None:
    """An .npz that holds no time, so that the same arrays make the same bytes."""
    with zipfile.ZipFile(WEIGHTS / name, "w") as file:
        for key, array in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0))
            file.writestr(entry, part.getvalue(), zipfile.ZIP_DEFLATED, 9)
    print(f"{name}: {(WEIGHTS / name).stat().st_size:,} bytes")


def main() -> None:
    """Measure, train on everything and write."""
    rows = labelled()
    labels = np.array([LABELS.index(row.tier) for row in rows])
    counts = counted(row.prompt for row in rows)
    print(f"{len(rows):,} prompts; numpy {np.__version__}, scipy {scipy.__version__}, ", end="")
    print(f"scikit-learn {sklearn.__version__}")
    groups = near_duplicates([row.prompt for row in rows])
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    odds = left_out(counts, labels, folds.split(counts, labels, groups))
    sharpness = sharpness_of(odds, labels)
    tell("Five folds, near-duplicates together", rows, odds, labels)
    tell_reliability(chances(odds, sharpness), labels)
    trained = train(counts, labels)
    weights = trained.model.coef_.T - trained.model.coef_.T.mean(axis=1, keepdims=True)
    write(
        "ngrams.npz",
        {
            "version": np.array(ngrams.VERSION),
            "prompts": np.array(trained.prompts),
            "documents": trained.documents.astype(np.uint16),
            "weights": weights[:, :-1].astype(np.float16),
            "bias": trained.model.intercept_.astype(np.float32),
            "sharpness": np.array(sharpness),
        },
    )
    write(
        "ngrams_rows.npz",
        {
            "version": np.array(ngrams.VERSION),
            "keys": np.array([ngrams.key(row.prompt) for row in rows], dtype=np.uint64),
            "chances": np.round(chances(odds, sharpness) * 255).astype(np.uint8),
        },
    )
    if "--files" in sys.argv:
        files = np.array([row.file for row in rows])
        parts = [(np.flatnonzero(files != f), np.flatnonzero(files == f)) for f in np.unique(files)]
        alone = left_out(counts, labels, parts)
        tell("Each file by a model that was trained on the others", rows, alone, labels)


if __name__ == "__main__":
    main()
