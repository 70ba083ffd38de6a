"""Text -> the part of it that its author says: without quotations, code, lists and tables.

What is left out is blanked and never cut out, so that a place in the result is a place in
the text.
"""

from __future__ import annotations

import re
from itertools import pairwise

_FENCE = re.compile(r"^[ \t>]*(```|~~~).*?(?:^[ \t>]*\1|\Z)", re.DOTALL | re.MULTILINE)
_INLINE_CODE = re.compile(r"(`+)[^`\n]+(?:\n[^`\n]+)*?\1")
_QUOTE = re.compile(
    r'"""[^"]*(?:"""|\Z)'
    r'|(?<!\w)"(?=\S)(?:[^"\n]|\n(?![ \t]*\n)){0,2000}"(?!\w)'
    r"|“(?:[^“”\n]|\n(?![ \t]*\n)){0,2000}[”“]|„(?:[^“”„\n]|\n(?![ \t]*\n)){0,2000}[“”„]"
    r"|«[^«»]{0,2000}»|»[^«»]{0,2000}«|‹[^‹›]{0,2000}›|‘(?:[^‘’\n]|’(?=\w)){0,500}’(?!\w)"
    r"|「[^」]{0,2000}」|『[^』]{0,2000}』|《[^》]{0,500}》|〈[^〉]{0,500}〉"
    r"|(?<![\w'])'(?=\S)(?:[^'\n]|'(?=\w)){0,500}'(?!\w)"
)
#: In fiction a speech of several paragraphs is opened again in each and closed once.
_OPEN_SPEECH = re.compile(r'^[ \t]*["“«„][^"”»\n]*$', re.MULTILINE)
_ITALICS = re.compile(
    r"(?<![*\w])\*(?=[^\s*])[^*\n]{1,100}\*(?![*\w])|(?<!\w)_[^_\n]{1,100}_(?!\w)"
)
_INDENTED = re.compile(r"(?:\A|(?<=\n\n))(?:(?: {4}|\t).*\n?)+")
_APART = re.compile(r"^[ \t]*(?:>|\||#|//|--|;;|[—–]\s|<!--).*$", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]*(?:[-*+•]|\(?\d{1,2}[.):]|\(?[a-z]\))[ \t]+.*$", re.MULTILINE)
_SPEAKER = re.compile(r"^[ \t]*[*_]*([A-ZÀ-Þ][\w .'’-]{0,24})[*_]*:[*_]*[ \t].*$", re.MULTILINE)
_LABELS = {"answer", "response", "note", "summary", "conclusion", "explanation", "antwort"}


def spoken(text: str) -> str:
    """The text in small letters and with plain apostrophes, as long as before."""
    seen = _small(text)
    for pattern in (_FENCE, _INDENTED, _INLINE_CODE, _QUOTE, _OPEN_SPEECH, _ITALICS, _APART):
        seen = pattern.sub(_blank, seen)
    return _without_script(text, _without_list(seen)).replace("’", "'")


def _small(text: str) -> str:
    low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return low.replace("\r", " ").translate({ord(mark): "'" for mark in "ʼ＇´"})


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _without_list(seen: str) -> str:
    """A list of two or more items is a list of things to say, not a thing said."""
    return _ITEM.sub(_blank, seen) if len(_ITEM.findall(seen)) > 1 else seen


def _without_script(text: str, seen: str) -> str:
    """The text without the lines of a play: two or more speakers, each with a colon."""
    lines = [found for found in _SPEAKER.finditer(text) if found[1].lower() not in _LABELS]
    if len({line[1] for line in lines}) < 2:
        return seen
    edges = [0, *(edge for line in lines for edge in line.span()), len(seen)]
    parts = [seen[start:end] for start, end in pairwise(edges)]
    return "".join(" " * len(part) if place % 2 else part for place, part in enumerate(parts))
