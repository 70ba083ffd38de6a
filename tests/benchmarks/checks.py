"""What the default checks of a cascade catch: python tests/benchmarks/checks.py

Real answers whose correctness is known, from `agreement.jsonl.gz` in NBROUTE_DATA (default
../shared/data). They have no finish reason and are cut at 2,500 characters, so `truncation`
cannot be measured on them, and doubts admitted later are not seen.
"""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from nbroute.checks import wanted
from nbroute.checks.named import DEFAULTS
from nbroute.report.table import text_table
from nbroute.types import Options, Reply, Usage

HERE = Path(__file__).parent
FILE = "agreement.jsonl.gz"
CASCADE = Options(strategy="cascade")
#: Of the standard normal distribution, for a 95% interval.
Z = 1.96


class Answer(NamedTuple):
    """A model's answer to one prompt of a set, and whether it is right."""

    set: str
    prompt: str
    model: str
    text: str
    good: bool


def answers(folder: str | Path) -> list[Answer]:
    """Every answer in the file, in its order; SystemExit where the file is not there."""
    path = Path(folder) / FILE
    if not path.is_file():
        raise SystemExit(
            f"nothing measured: {str(path)!r} is not there; name its folder in NBROUTE_DATA."
        )
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [
            Answer(row["set"], row["prompt"], model, said["answer"], bool(said["correct"]))
            for row in map(json.loads, lines)
            for model, said in row["models"].items()
        ]


def fired(answer: Answer) -> dict[str, bool]:
    """Which of the default checks send the answer on to the next tier."""
    reply = Reply(answer.text, answer.model, Usage(0, 0), None, 0.0, None)
    checks = wanted(CASCADE, prompt=answer.prompt, lowest=True)
    found = {v.check: not v.passed for v in (check(reply) for check in checks)}
    return {**found, "any of them": any(found.values())}


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927, "Probable inference"); (0, 1) for nothing."""
    if not of:
        return 0.0, 1.0
    share = hits / of
    middle = share + Z * Z / (2 * of)
    reach = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    scale = 1 + Z * Z / of
    return max(middle - reach, 0.0) / scale, (middle + reach) / scale


def share(hits: int, of: int) -> str:
    """A share with its interval, in percent."""
    low, high = wilson(hits, of)
    return f"{hits / of:.1%} [{low:.1%}, {high:.1%}]" if of else "-"


def rows(name: str, found: Sequence[Answer]) -> Iterator[tuple[str, ...]]:
    """A line for each check: how often it fires, how often rightly, and what it catches."""
    wrong = [not answer.good for answer in found]
    verdicts = [fired(answer) for answer in found]
    told = f"{name} ({len(found):,} answers, {share(sum(wrong), len(wrong))} wrong)"
    for check in (*(one for one in DEFAULTS if one != "truncation"), "any of them"):
        fires = [verdict[check] for verdict in verdicts]
        hits = sum(a and b for a, b in zip(fires, wrong, strict=True))
        rated = partial(share, hits)
        yield told, check, share(sum(fires), len(fires)), rated(sum(fires)), rated(sum(wrong))
        told = ""


if __name__ == "__main__":
    every = answers(os.environ.get("NBROUTE_DATA", str(HERE.parents[2] / "shared" / "data")))
    table = [("95% intervals", "check", "fires on", "of those wrong", "of the wrong caught")]
    for name in dict.fromkeys(answer.set for answer in every):
        table += rows(name, [answer for answer in every if answer.set == name])
    print("\n".join(text_table([*table, *rows("all", every)])))
