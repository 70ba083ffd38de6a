"""What `hybrid` asks and keeps at each threshold: python tests/benchmarks/hybrid.py

The shipped classifier's out-of-fold predictions on its own training prompts: each by the weights
of the folds that had not seen it. Prints the table of `docs/classifiers.md`.
"""

from __future__ import annotations

import json
from pathlib import Path

from classifier import told

from nbroute.classify.examples import LABELS
from nbroute.classify.ngrams import held_out
from nbroute.compare.matrix import share

DATA = Path(__file__).parent.parent / "data"


def rows() -> list[tuple[float, bool]]:
    """The confidence of each held-out prediction, and whether it is right."""
    lines = [line for file in sorted(DATA.glob("*.jsonl")) for line in file.open(encoding="utf-8")]
    known = {row["prompt"]: row["tier"] for row in map(json.loads, lines) if "tier" in row}
    found = []
    for tier, chances in zip(known.values(), held_out(list(known)), strict=True):
        if chances is not None and tier in LABELS:
            picked = max(range(len(LABELS)), key=chances.__getitem__)
            found.append((chances[picked] / sum(chances), LABELS[picked] == tier))
    return found


def right(hits: list[bool]) -> str:
    """`81.2% [79.5, 82.8] of 2,000`."""
    return told(share(sum(hits), len(hits)))


if __name__ == "__main__":
    found = rows()
    print("| threshold | asked | right of the kept | ngrams right of the asked |")
    print("|---|---|---|---|")
    for threshold in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9):
        kept = [hit for sure, hit in found if sure >= threshold]
        asked = [hit for sure, hit in found if sure < threshold]
        print(
            f"| {threshold:.2f} | {len(asked) / len(found):.0%} | {right(kept)} | {right(asked)} |"
        )
    print(f"of {len(found)} prompts; all together {right([hit for _, hit in found])}")
