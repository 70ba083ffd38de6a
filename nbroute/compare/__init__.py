"""Answers beside one another: one prompt on several tiers or models, or many prompts.

- `columns`      who is compared, and what each answered
- `differences`  what one text says and another does not
- `tables`       the columns as a table
- `ballot`       votes, kept as labels
- `comparison`   one prompt's columns
- `contenders`   words -> who is asked
- `picks`        what routing says of the prompt, and so of each
- `race`         all at the same time
- `asking`       one prompt on several contenders
- `cells`        a row of a batch as a column
- `grid`         many prompts' columns
- `passes`       all prompts asked in one way, and the file that the rows go into
- `sweep`        many prompts on several contenders
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nbroute.compare.asking import compare_prompt
from nbroute.compare.comparison import Column, Comparison, Contender
from nbroute.compare.grid import Grid
from nbroute.compare.sweep import compare_prompts
from nbroute.engine.engine import Engine
from nbroute.errors import SettingsError

__all__ = [
    "Column",
    "Comparison",
    "Contender",
    "Grid",
    "compare",
    "compare_prompt",
    "compare_prompts",
]


def compare(
    router: Engine,
    prompts: str | Iterable[str],
    tiers: Sequence[str] | None = None,
    **options: Any,
) -> Comparison | Grid:
    """`compare_prompt` for a text, `compare_prompts` for anything else."""
    if isinstance(prompts, str):
        _refuse(options, ("to", "resume", "fresh", "picks", "progress"), "many prompts", "a list")
        return compare_prompt(router, prompts, tiers, **options)
    _refuse(options, ("observe",), "one prompt", "a text")
    return compare_prompts(router, prompts, tiers, **options)


def _refuse(options: Mapping[str, Any], names: Iterable[str], what: str, cure: str) -> None:
    for name in names:
        if name in options:
            raise SettingsError(f"{name} is for {what}; leave it out, or give {cure}")
