"""A prompt with the signals of its decision marked, and the signals in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from nbroute.classify.lexicon import TASKS
from nbroute.notebook import look
from nbroute.report.table import shortened
from nbroute.types import Signal

#: Signals that are shown; a classifier of one's own may give any number.
MOST = 40
#: A stretch with no signal is shown whole in a prompt of so many characters, else its ends.
LONG = 3_000
_ENDS = 300
#: It may scroll, so it can be reached by keyboard.
_FRAME = '<div class="nbr-text" tabindex="0" role="group" aria-label="the prompt, signals marked">'


class Placed(NamedTuple):
    """A signal with the number that its mark bears; 0 where it speaks of the whole prompt."""

    number: int
    signal: Signal

    @property
    def start(self) -> int:
        """Where its mark begins."""
        return self.signal.start or 0

    @property
    def end(self) -> int:
        """Where its mark ends."""
        return self.signal.end or 0


def placed(prompt: str, signals: Sequence[Signal]) -> list[Placed]:
    """The signals in the order of the text, numbered, and then those with no place in it."""
    shown = signals[:MOST]
    inside = [one for one in shown if _has_place(one, prompt)]
    inside.sort(key=lambda one: (one.start, one.end))
    numbered = [Placed(number, one) for number, one in enumerate(inside, 1)]
    return [*numbered, *(Placed(0, one) for one in shown if not _has_place(one, prompt))]


def marked(prompt: str, signals: Sequence[Signal], tiers: Sequence[str]) -> str:
    """The prompt as HTML, a `<mark>` on each stretch that signals speak of.

    Where signals overlap, the stretch that they share is one mark of them all. Each signal's
    number stands where it ends. Of a long prompt, stretches with no signal show their ends.
    """
    inside = [one for one in placed(prompt, signals) if one.number]
    edges = sorted({0, len(prompt), *(e for one in inside for e in (one.start, one.end))})
    pieces = (_stretch(prompt, start, end, inside, tiers) for start, end in pairwise(edges))
    return f"{_FRAME}{''.join(pieces)}</div>"


def signal_table(prompt: str, signals: Sequence[Signal], tiers: Sequence[str]) -> str:
    """The signals as an HTML table: number, name, text, where, what it speaks for."""
    rows = [
        [look.text(one.number or "–"), *map(look.text, words)]
        for one, *words in _told(prompt, signals, tiers)
    ]
    more = f"<p>and {len(signals) - MOST} more</p>" if len(signals) > MOST else ""
    head = ["mark", "signal", "text", "where", "speaks for"]
    return look.table("signals in the text", head, rows) + more


def signal_lines(prompt: str, signals: Sequence[Signal], tiers: Sequence[str]) -> list[str]:
    """The signals in words, a line each."""
    return [
        f'signal {name}: "{quoted}", {where}, speaks for {side}'
        for _, name, quoted, where, side in _told(prompt, signals, tiers)
    ]


def speaks_for(signal: Signal, tiers: Sequence[str]) -> str:
    """Which way the signal pulls; the task that our rules found names the tier it begins at."""
    task = TASKS.get(signal.name)
    if task is not None and tiers and round(task.base, 3) == signal.weight:
        return f"{tiers[min(int(task.base * len(tiers)), len(tiers) - 1)]} (the task asked for)"
    if not signal.weight:
        return "neither side"
    return f"{'a more expensive' if signal.weight > 0 else 'a cheaper'} tier ({signal.weight:+.2g})"


def _told(
    prompt: str, signals: Sequence[Signal], tiers: Sequence[str]
) -> Iterator[tuple[Placed, str, str, str, str]]:
    for one in placed(prompt, signals):
        where = f"{one.start:,} to {one.end:,}" if one.number else "whole prompt"
        quoted = shortened(one.signal.text, 80)
        yield one, one.signal.name.replace("_", " "), quoted, where, speaks_for(one.signal, tiers)


def _has_place(signal: Signal, prompt: str) -> bool:
    start, end = signal.start, signal.end
    return start is not None and end is not None and 0 <= start < end <= len(prompt)


def _stretch(
    prompt: str, start: int, end: int, inside: Sequence[Placed], tiers: Sequence[str]
) -> str:
    here = [one for one in inside if one.start <= start and end <= one.end]
    shown = _shortened(prompt, start, end)
    if not here:
        return shown
    said = "; ".join(
        f"{one.number} {one.signal.name}: {speaks_for(one.signal, tiers)}" for one in here
    )
    ending = " ".join(str(one.number) for one in here if one.end == end)
    number = f"<sup>{ending}</sup>" if ending else ""
    return f'<mark class="{_side(here)}" title="{look.attribute(said)}">{shown}{number}</mark>'


def _side(here: Sequence[Placed]) -> str:
    """The side that weighs more; a task stands for its place from 0 to 1."""
    pull = sum(_pull(one.signal) for one in here)
    return f"nbr-{'raises' if pull > 0 else 'cheaper' if pull < 0 else 'neither'}"


def _pull(signal: Signal) -> float:
    task = TASKS.get(signal.name)
    is_task = task is not None and round(task.base, 3) == signal.weight
    return signal.weight - 0.5 if is_task else signal.weight


def _shortened(prompt: str, start: int, end: int) -> str:
    left_out = end - start - 2 * _ENDS
    if len(prompt) <= LONG or left_out < _ENDS:
        return look.text(prompt[start:end])
    gap = f"<i> [… {left_out:,} characters …] </i>"
    return look.text(prompt[start : start + _ENDS]) + gap + look.text(prompt[end - _ENDS : end])
