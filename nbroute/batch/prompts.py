"""What can be mapped: any iterable of prompts, read one by one and never all at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from typing import Any

from nbroute.errors import PromptError, SettingsError


@dataclass(frozen=True, slots=True)
class Job:
    """A prompt and its place, from 0."""

    place: int
    prompt: str


def read_prompts(prompts: Any, call: str = "router.map") -> Iterable[Any]:
    """The prompts as they came; SettingsError where they are no iterable of them.

    `call` is what they were given to.
    """
    columns = getattr(prompts, "columns", None)
    if columns is not None:
        names = [str(name) for name in columns]
        asked = "prompt" if "prompt" in names else (names or ["prompt"])[0]
        raise SettingsError(
            f"prompts is a {type(prompts).__name__}; give one of its columns, as in "
            f"{call}(frame[{asked!r}]): there is {', '.join(map(repr, names)) or 'none'}."
        )
    if isinstance(prompts, str | bytes):
        raise SettingsError(
            f"prompts is one text, {prompts!r:.60}; give a list of them, or use router.route"
        )
    if isinstance(prompts, Mapping):
        raise SettingsError("prompts is a dict; give its texts in order, as in list(d.values())")
    if not isinstance(prompts, Iterable):
        raise SettingsError(
            f"prompts is {prompts!r:.60}; give a list, a generator or a column of texts"
        )
    return prompts


def count_of(prompts: Iterable[Any]) -> int | None:
    """How many there are; None where only the end will tell."""
    return len(prompts) if isinstance(prompts, Sized) else None


def text_of(item: Any) -> str:
    """The prompt as a row shows it; an item that is none by a short form of it."""
    if isinstance(item, str):
        return item
    return "" if _is_missing(item) else f"{item!r:.200}"


def unfit(item: Any) -> PromptError | None:
    """What is wrong with an item that is no text; None where it is one."""
    if isinstance(item, str):
        return None
    shown = text_of(item)
    if not shown:
        return PromptError("there is no prompt here (a missing value)")
    return PromptError(f"a prompt is text, not {type(item).__name__}: {shown:.60}")


def _is_missing(item: Any) -> bool:
    """Whether it is None, NaN or one of pandas' own words for nothing."""
    nan = isinstance(item, float) and math.isnan(item)
    return item is None or nan or type(item).__name__ in ("NAType", "NaTType")
