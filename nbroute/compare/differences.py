"""What one text says and another does not, word by word."""

from __future__ import annotations

import difflib
import functools
import re
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import NamedTuple

#: Letters of scripts without spaces stand alone; other letters make words, signs stand alone.
_ALONE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_ALONE}]|(?:(?![{_ALONE}])\w)+|[^\w\s]")
_SENTENCE = re.compile(r"\S(?:[^\n.!?。！？]*[^\s.!?。！？])?[.!?。！？]*")
#: Equal pairs of tokens that `difflib` may get: its time depends on them, not on the words.
_MOST_PAIRS = 500_000
_SAME = 1


class Piece(NamedTuple):
    """A part of a text; in order, the parts are the whole text."""

    text: str
    only_here: bool


def difference(text: str, reference: str) -> tuple[Piece, ...]:
    """The text in pieces: those that the reference has, too, in that order, and the others.

    Words are compared, or sentences if the texts are too long for that. If too many of those
    are alike, everything between the common beginning and end counts as different.
    """
    return _pieces(text, _shared(text, reference))


def each_against_others(texts: Sequence[str]) -> tuple[tuple[Piece, ...], ...]:
    """Each text in pieces: `only_here` is what no other text has; empty texts do not count."""
    found = []
    for place, text in enumerate(texts):
        others = list(filter(None, [*texts[:place], *texts[place + 1 :]]))
        marks = bytes(len(text)) if others else bytes([_SAME]) * len(text)
        for other in others:
            marks = bytes(map(max, marks, _shared(text, other)))
        found.append(_pieces(text, marks))
    return tuple(found)


def _share_apart(pieces: Sequence[Piece]) -> float:
    """How much of the text is only here, 0 to 1, by its characters."""
    lengths = [(len("".join(piece.text.split())), piece.only_here) for piece in pieces]
    whole = sum(length for length, _ in lengths)
    return sum(length for length, only in lengths if only) / whole if whole else 0.0


class Apart(NamedTuple):
    """Where a text says what no other does, as stretches (start, end), and how much that is."""

    stretches: tuple[tuple[int, int], ...]
    share: float


def each_apart(texts: Sequence[str]) -> list[Apart]:
    """For each text, what none of the others says."""
    found = []
    for pieces in each_against_others(texts):
        ends = list(accumulate(len(piece.text) for piece in pieces))
        stretches = (
            (end - len(piece.text), end)
            for piece, end in zip(pieces, ends, strict=True)
            if piece.only_here and piece.text.strip()
        )
        found.append(Apart(tuple(stretches), _share_apart(pieces)))
    return found


def words_of(text: str) -> list[str]:
    """The text's words, in order, without its signs."""
    return [word for word in _WORD.findall(text) if word[0].isalnum()]


@functools.lru_cache(maxsize=32)
def _shared(text: str, reference: str) -> bytes:
    """One byte for each character of the text: 1 where the reference has the word, too."""
    for token in (_WORD, _SENTENCE):
        here, there = list(token.finditer(text)), token.findall(reference)
        alike = _alike([one.group() for one in here], there)
        if alike is not None:
            break
    marks = bytearray([_SAME]) * len(text)
    for first, last in alike or [(0, len(here))]:
        if last > first:
            start, end = here[first].start(), here[last - 1].end()
            marks[start:end] = bytes(end - start)
    return bytes(marks)


def _alike(here: Sequence[str], there: Sequence[str]) -> list[tuple[int, int]] | None:
    """Runs of `here` that are not in `there`; None if finding them would take too long."""
    head = _common(here, there)
    tail = _common(here[head:][::-1], there[head:][::-1])
    ours, theirs = here[head : len(here) - tail], there[head : len(there) - tail]
    counts = Counter(theirs)
    if sum(counts[token] for token in ours) > _MOST_PAIRS:
        return None
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    runs, at = [], 0
    for block in matcher.get_matching_blocks():
        runs.append((at + head, block.a + head))
        at = block.a + block.size
    return runs


def _common(here: Sequence[str], there: Sequence[str]) -> int:
    """How many tokens at the beginning are the same."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(here, there, strict=False))
    return sum(1 for _ in alike)


def _pieces(text: str, marks: bytes) -> tuple[Piece, ...]:
    runs = re.finditer(b"\x00+|\x01+", marks)
    return tuple(Piece(text[run.start() : run.end()], run.group()[0] != _SAME) for run in runs)
