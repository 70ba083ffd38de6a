"""Reply -> Verdict: whether an answer will do, or the next tier should be asked."""

from __future__ import annotations

from nbroute.checks.named import (
    NAMES,
    best,
    judge,
    needs_logprobs,
    needs_rating,
    own,
    parse_check,
    wanted,
)
from nbroute.checks.text import parse_json

__all__ = [
    "NAMES",
    "best",
    "judge",
    "needs_logprobs",
    "needs_rating",
    "own",
    "parse_check",
    "parse_json",
    "wanted",
]
