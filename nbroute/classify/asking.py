"""Prompt -> the parts of it that ask, by structure alone: no word of any language is looked up."""

from __future__ import annotations

import re

Span = tuple[int, int]
#: A prompt of no more characters than this, without what it shows, asks from end to end.
LONG = 500
#: The paragraph that says what to do with a pasted text has no more characters than this.
ASKS = 500

#: Fences, rows of tables and logs, and quotations of over 25 characters. No opening mark may
#: stand within its own quotation: that keeps the search linear on any text.
_SHOWN = re.compile(
    r"""```.*?(?:```|\Z)
    |^[ \t]*(?:[|<]|\d{4}-\d\d-\d\d[ T]\d\d:|[^\n|\t]{1,80}[|\t][^\n|\t]{0,80}[|\t]
       |(?:[^\s,;，]{0,40}[,;，]){2})[^\n]*$
    |"[^"]{26,}"|“[^“”]{26,}”|„[^„“”]{26,}[“”]|«[^«»]{26,}»|「[^「」]{26,}」|『[^『』]{26,}』""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_GAP = re.compile(r"\n[ \t]*\n|\n[-=*_]{3,}\n")
_PIECE = re.compile(r"[^\s\0][^\0]*")


def asking(prompt: str) -> tuple[Span, ...]:
    """Where the prompt asks, in order; nothing only where it is nothing but white space.

    What is shown to be worked on does not ask, unless there is nothing else. Of a long prompt
    the first and the last paragraph ask, or else its first and last line, where they are short.
    """
    text = _SHOWN.sub(lambda shown: "\0" * len(shown[0]), prompt)
    if not re.search(r"[^\W_]", text):
        text = prompt
    blocks = _blocks(text, _GAP)
    if blocks and len(text) - text.count("\0") > LONG:
        if len(blocks) < 2:
            blocks = _blocks(text, re.compile("\n"))
        edges = (blocks[0], blocks[-1])
        blocks = [edge for edge in edges if edge[1] - edge[0] <= ASKS] or blocks
    return tuple(m.span() for block in blocks for m in _PIECE.finditer(text, *block))


def _blocks(text: str, gap: re.Pattern[str]) -> list[Span]:
    """The stretches between the gaps that hold more than white space and what is shown."""
    found, start = [], 0
    for end, after in (*(m.span() for m in gap.finditer(text)), (len(text), 0)):
        if _PIECE.search(text, start, end):
            found.append((start, end))
        start = after
    return found
