"""The signals of a decision, marked in its prompt and in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from nbroute.notebook import look
from nbroute.report.table import ends, shortened
from nbroute.types import Signal

#: How many stretches are shown; a user's own classifier may give any number of signals.
MOST = 40
#: In a prompt of more characters, only the ends of a stretch without signals are shown.
LONG = 3_000
_ENDS = 300
HEAD = ("mark", "signal", "text", "where", "points to")
#: It may scroll, so it can be reached by keyboard.
_FRAME = '<div class="nbr-text" tabindex="0" role="group" aria-label="the prompt, signals marked">'


class Stretch(NamedTuple):
    """What the signals say about one stretch of a prompt.

    `number` is that of its mark, 0 for the whole prompt; `pull` is above 0 if it points to a more
    expensive tier.
    """

    number: int
    start: int
    end: int
    text: str
    name: str
    points_to: str
    pull: float


def stretches(prompt: str, signals: Sequence[Signal]) -> list[Stretch]:
    """Those with a place in the text, in order and numbered, and then the others."""
    found = dict[tuple[int, int, str], list[Signal]]()
    for one in signals:
        start, end = one.start, one.end
        placed = start is not None and end is not None and 0 <= start < end <= len(prompt)
        key = (start, end, "") if placed else (0, 0, one.text)
        found.setdefault(key, []).append(one)  # type: ignore[arg-type]
    ordered = sorted(found.items(), key=lambda item: (item[0][1] == 0, *item[0][:2]))
    return [
        Stretch(
            number if end else 0,
            *(start, end, same[0].text),
            ", ".join(one.name.replace("_", " ") for one in same),
            *_points_to(same),
        )
        for number, ((start, end, _), same) in enumerate(ordered, 1)
    ]


def _points_to(signals: Sequence[Signal]) -> tuple[str, float]:
    """Which way they pull together, in words and as a number."""
    pull = sum(one.weight for one in signals)
    side = "more expensive" if pull > 0 else "cheaper"
    return f"a {side} tier ({pull:+.2g})" if pull else "neither side", pull


def signal_rows(prompt: str, signals: Sequence[Signal]) -> list[list[str]]:
    """The signals in words, a row for each stretch, under `HEAD`."""
    found = stretches(prompt, signals)
    rows = [
        [
            str(one.number or "–"),
            one.name,
            shortened(one.text, 80),
            f"{one.start:,} to {one.end:,}" if one.number else "whole prompt",
            one.points_to,
        ]
        for one in found[:MOST]
    ]
    return rows + [["", f"and {len(found) - MOST:,} more", "", "", ""]] * (len(found) > MOST)


def marked(prompt: str, signals: Sequence[Signal]) -> str:
    """The prompt as HTML, with a `<mark>` on each stretch that has signals.

    Where stretches overlap, what they share is one mark. A stretch's number is at its end.
    """
    inside = [one for one in stretches(prompt, signals)[:MOST] if one.number]
    edges = sorted({0, len(prompt), *(e for one in inside for e in (one.start, one.end))})
    pieces = []
    for start, end in pairwise(edges):
        here = [one for one in inside if one.start <= start and end <= one.end]
        piece = prompt[start:end]
        shown = look.text(ends(piece, _ENDS, _ENDS) if len(prompt) > LONG else piece)
        if here:
            pull = sum(one.pull for one in here)
            side = "raises" if pull > 0 else "cheaper" if pull < 0 else "neither"
            said = "; ".join(f"{one.number} {one.name}: {one.points_to}" for one in here)
            ending = " ".join(str(one.number) for one in here if one.end == end)
            number = f"<sup>{ending}</sup>" if ending else ""
            title = look.attribute(said)
            shown = f'<mark class="nbr-{side}" title="{title}">{shown}{number}</mark>'
        pieces.append(shown)
    return f"{_FRAME}{''.join(pieces)}</div>"
