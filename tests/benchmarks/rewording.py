"""How often a small change of wording changes the tier: python tests/benchmarks/rewording.py

On the 240 prompts of tests/data/blind_prompts.jsonl, whose author had not seen a training prompt.
Prints the table of `docs/classifiers.md`.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from nbroute.evaluate.rewording import flips_of
from nbroute.report.metrics import wilson
from nbroute.router import Router

FILE = Path(__file__).parent.parent / "data" / "blind_prompts.jsonl"


def main() -> None:
    """Print a row for each change and a column for each classifier."""
    prompts = [json.loads(line)["prompt"] for line in FILE.read_text("utf-8").splitlines()]
    found = {}
    for name in ("ngrams", "embedding", "embedding:centroid", "rules:four-tier"):
        with closing(Router(profile="simulated", classifier=name)) as router:
            found[name] = flips_of(prompts, router.parts.classifier_for(None, None), router.ladder)
    rows = [["change", *found]]
    for change in next(iter(found.values())).tried:
        rows.append([change])
        for one in found.values():
            tried, share = one.tried[change], one.by_change()[change]
            low, high = wilson(share, tried)
            rows[-1].append(f"{share:.1%} [{100 * low:.1f}, {100 * high:.1f}] of {tried}")
    rows.append(["all"])
    for one in found.values():
        low, high = one.interval
        rows[-1].append(f"{one.share:.1%} [{100 * low:.1f}, {100 * high:.1f}]")
    head, *lines = (f"| {' | '.join(row)} |" for row in rows)
    print(head, "|---" * len(rows[0]) + "|", *lines, sep="\n")


if __name__ == "__main__":
    main()
