"""The labelled prompts and answers in `tests/data`."""

from __future__ import annotations

import json
from pathlib import Path

DATA = Path(__file__).parent / "data"


def rows(name):
    """The rows of that JSONL file."""
    lines = (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
