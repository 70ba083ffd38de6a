"""Answers side by side: one prompt on several tiers or models, or many prompts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nbroute.compare.comparison import Column, Comparison
from nbroute.compare.contenders import Contender
from nbroute.compare.grid import Grid, compare_prompts
from nbroute.compare.one_prompt import compare_prompt
from nbroute.compare.over import Filled, filled
from nbroute.engine.engine import Engine
from nbroute.errors import SettingsError

__all__ = ["Column", "Comparison", "Contender", "Filled", "Grid", "compare", "filled"]


def compare(
    router: Engine,
    prompts: str | Iterable[str],
    tiers: Sequence[str] | None = None,
    **options: Any,
) -> Comparison | Grid:
    """`compare_prompt` for a text, `compare_prompts` for anything else.

    With `over`, a table, the text is a template that is filled for each of its rows.
    """
    if "over" in options:
        prompts = filled(prompts, options.pop("over"))
    one = isinstance(prompts, str)
    what, cure = ("many prompts", "a list") if one else ("one prompt", "a text")
    for name in ("to", "resume", "fresh", "picks", "progress") if one else ("observe",):
        if name in options:
            raise SettingsError(f"{name} is for {what}; leave it out, or give {cure}")
    if isinstance(prompts, str):
        return compare_prompt(router, prompts, tiers, **options)
    return compare_prompts(router, prompts, tiers, **options)
