"""The labelled prompts and answers in `tests/data`."""

from __future__ import annotations

import json
from pathlib import Path

DATA = Path(__file__).parent / "data"
#: What labelled prompts may be about.
THINGS = (
    *("harbour", "bakery", "violin", "glacier", "printer", "orchard", "compass", "lantern"),
    *("saddle", "turbine", "pigeon", "cathedral", "bicycle", "walnut", "submarine", "telescope"),
    *("hammock", "vineyard", "locksmith", "marathon"),
)


def rows(name):
    """The rows of that JSONL file."""
    lines = (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
