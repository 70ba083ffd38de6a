"""Reply -> Verdict: whether an answer will do, or the next tier should be asked."""

from __future__ import annotations

from nbroute.checks.named import NAMES, best, judge, own, wanted
from nbroute.checks.text import parse_json
from nbroute.checks.values import agree, final_value

__all__ = ["NAMES", "agree", "best", "final_value", "judge", "own", "parse_json", "wanted"]
