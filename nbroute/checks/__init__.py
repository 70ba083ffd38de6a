"""Reply -> Verdict: whether an answer will do, or the next tier should be asked."""

from __future__ import annotations

from nbroute.checks.named import NAMES, best, judge, own, wanted
from nbroute.checks.text import parse_json

__all__ = ["NAMES", "best", "judge", "own", "parse_json", "wanted"]
