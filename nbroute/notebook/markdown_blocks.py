"""The lines of a Markdown text, parted into code, table rows, blank lines and the rest.

The block structure of CommonMark 0.31 (fences, indented code, quotes, lists), without the
inline half, in one pass over the lines: a full parser took over a second for a long list.
Where it and another parser disagree only the look is at stake: `untrusted` writes what could
be dangerous in a form that all of them read alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "row", "blank", "fence", "indented"]

_QUOTE = re.compile(r" {0,3}> ?")
_ITEM = re.compile(r"( {0,3}(?:[-+*]|(\d{1,9})[.)]))( +|$)")
_RULE = re.compile(r" {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$")
_FENCE = re.compile(r"( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_DELIMITER = re.compile(r"\|?(?: *:?-+:? *\|)+(?: *:?-+:?)?$")
_LEAD = re.compile(r"[ \t>*+\-\d.)]*")
_INDENT = re.compile(r" *")
_QUOTED = 0
_DEEPEST = 20
_CODE_INDENT = 4


@dataclass(slots=True)
class Block:
    """A run of source lines; `code` is what a code block holds, without its containers.

    `prefix` is what stands before a code block on its first line: quote marks, list markers,
    indentation. `nested` is whether a quote or a list holds it, `closed` whether a fence has
    its end.
    """

    kind: Kind
    lines: list[str]
    code: list[str] = field(default_factory=list)
    prefix: str = ""
    info: str = ""
    nested: bool = False
    closed: bool = False


def blocks(text: str) -> list[Block]:
    """The blocks of the text, in order; their lines joined give the text again."""
    scanner = _Scanner()
    for line in text.split("\n"):
        scanner.feed(line)
    return scanner.blocks


class _Scanner:
    """`containers` holds the open quotes (0) and list items (the width of their indent)."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.containers: list[int] = []
        self.paragraph = False
        self.table = False
        self.fence: re.Match[str] | None = None

    def feed(self, raw: str) -> None:
        """Take the next line."""
        line = _untabbed(raw)
        place, matched = self._match(line)
        if self.fence:
            if matched == len(self.containers):
                self._in_fence(self.fence, raw, line[place:] if self.containers else raw)
                return
            self.fence = None
        if matched < len(self.containers):
            if self.paragraph and _continues(line, place):
                self.blocks[-1].lines.append(raw)
                return
            self._leave(matched)
        place = self._enter(line, place)
        if line[place:].strip():
            self._content(raw, line, place)
        else:
            self._blank(raw)

    def _match(self, line: str) -> tuple[int, int]:
        place = 0
        for number, width in enumerate(self.containers):
            if width == _QUOTED:
                mark = _QUOTE.match(line, place)
                if not mark:
                    return place, number
                place = mark.end()
            elif line.startswith(" " * width, place):
                place += width
            elif line[place:].strip():
                return place, number
        return place, len(self.containers)

    def _leave(self, matched: int) -> None:
        del self.containers[matched:]
        self.paragraph = self.table = False

    def _enter(self, line: str, place: int) -> int:
        while len(self.containers) < _DEEPEST:
            quote = _QUOTE.match(line, place)
            if quote:
                width, place = _QUOTED, quote.end()
            else:
                item = None if _RULE.match(line, place) else _ITEM.match(line, place)
                running = self.paragraph and not self.table
                if not item or (running and not _interrupts(item, line)):
                    break
                wide = len(item[3]) if 0 < len(item[3]) <= _CODE_INDENT else 1
                width, place = len(item[1]) + wide, min(item.end(1) + wide, len(line))
            self.containers.append(width)
            self.paragraph = self.table = False
        return place

    def _blank(self, raw: str) -> None:
        self.paragraph = self.table = False
        if self.blocks and self.blocks[-1].kind == "blank":
            self.blocks[-1].lines.append(raw)
        else:
            self._add("blank", raw)

    def _content(self, raw: str, line: str, place: int) -> None:
        rest = line[place:]
        fence = _FENCE.match(rest)
        if fence:
            self.fence = fence
            self.paragraph = self.table = False
            prefix = line[:place] + fence[1]
            self._add("fence", raw, prefix=prefix, info=fence[3].strip())
        elif rest.startswith(" " * _CODE_INDENT) and (self.table or not self.paragraph):
            self.paragraph = self.table = False
            self._indented(raw, line[: place + _CODE_INDENT], rest[_CODE_INDENT:])
        elif _HEADING.match(rest):
            self.paragraph = False
            self._add("text", raw)
        else:
            self._text(raw, rest)

    def _text(self, raw: str, rest: str) -> None:
        if not self.paragraph:
            self._add("text", raw)
            self.paragraph = True
        elif self.table or (_DELIMITER.match(rest.strip()) and "|" in self.blocks[-1].lines[-1]):
            self._row(raw)
        else:
            self.blocks[-1].lines.append(raw)

    def _row(self, raw: str) -> None:
        last = self.blocks[-1]
        if not self.table:
            head = last.lines.pop()
            if not last.lines:
                self.blocks.pop()
            self._add("row", head)
        self.table = True
        self._add("row", raw)

    def _indented(self, raw: str, prefix: str, code: str) -> None:
        gap = self.blocks.pop() if self.blocks and self.blocks[-1].kind == "blank" else None
        last = self.blocks[-1] if self.blocks else None
        if last and last.kind == "indented" and last.prefix == prefix:
            blank = gap.lines if gap else []
            last.lines += [*blank, raw]
            last.code += [*("" for _ in blank), code]
            return
        if gap:
            self.blocks.append(gap)
        self._add("indented", raw, prefix=prefix)
        self.blocks[-1].code.append(code)

    def _in_fence(self, fence: re.Match[str], raw: str, rest: str) -> None:
        block, (indent, mark) = self.blocks[-1], fence.group(1, 2)
        block.lines.append(raw)
        end = rest.strip(" \t")
        if end and not end.strip(mark[0]) and len(end) >= len(mark) and _shallow(rest):
            block.closed = True
            self.fence = None
        else:
            spaces = min(len(indent), _width(rest))
            block.code.append(rest[spaces:])

    def _add(self, kind: Kind, raw: str, *, prefix: str = "", info: str = "") -> None:
        nested = bool(self.containers)
        self.blocks.append(Block(kind, [raw], prefix=prefix, info=info, nested=nested))


def _untabbed(line: str) -> str:
    if "\t" not in line:
        return line
    lead = _LEAD.match(line)
    end = lead.end() if lead else 0
    return line[:end].expandtabs(_CODE_INDENT) + line[end:]


def _continues(line: str, place: int) -> bool:
    """Whether the line goes on with a paragraph whose containers it does not repeat."""
    starts = (_QUOTE, _ITEM, _RULE, _FENCE, _HEADING)
    return bool(line[place:].strip()) and not any(s.match(line, place) for s in starts)


def _interrupts(item: re.Match[str], line: str) -> bool:
    """Whether a list may begin in the middle of a paragraph: not empty, and numbered from 1."""
    return item.end() < len(line) and item[2] in (None, "1")


def _width(line: str) -> int:
    found = _INDENT.match(line)
    return found.end() if found else 0


def _shallow(line: str) -> bool:
    return _width(line) < _CODE_INDENT and not line.startswith("\t")
