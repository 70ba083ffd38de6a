"""Reply -> Verdict: whether an answer will do, or the next tier should be asked."""

from __future__ import annotations

from nbroute.checks.confidence import RATING_INSTRUCTION, RatingFilter, likely, rated, take_rating
from nbroute.checks.doubt import not_refused, not_unsure
from nbroute.checks.form import (
    asks_short,
    at_least,
    in_time,
    long_enough,
    not_truncated,
    valid_json,
)
from nbroute.checks.named import (
    DEFAULTS,
    NAMES,
    Asked,
    Own,
    best,
    is_built_in,
    judge,
    needs_logprobs,
    needs_rating,
    own,
    parse_check,
    wanted,
)
from nbroute.checks.text import Situation, parse_json, without_fence

__all__ = [
    "DEFAULTS",
    "NAMES",
    "RATING_INSTRUCTION",
    "Asked",
    "Own",
    "RatingFilter",
    "Situation",
    "asks_short",
    "at_least",
    "best",
    "in_time",
    "is_built_in",
    "judge",
    "likely",
    "long_enough",
    "needs_logprobs",
    "needs_rating",
    "not_refused",
    "not_truncated",
    "not_unsure",
    "own",
    "parse_check",
    "parse_json",
    "rated",
    "take_rating",
    "valid_json",
    "wanted",
    "without_fence",
]
