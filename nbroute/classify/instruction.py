"""Prompt -> the part of it that asks: without what is quoted, pasted or merely polite.

Everything that is not an instruction is blanked, never cut out, so that a place in the text is
a place in the prompt.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from nbroute.classify.lexicon import (
    CHINESE,
    HAN,
    KNOWN,
    OPENINGS,
    PATTERNS,
    WORD,
    begins_task,
    names_task,
)

#: A prompt of no more words than this has no pasted part worth looking for.
SHORT = 45
#: What is asked about a pasted text takes no more words than this.
ASKING = 70
#: A story that leads up to its question is no longer than this, in words.
STORY = 160

Span = tuple[int, int]
#: Where a sentence asks from, the whole of it, and its words.
Counted = tuple[int, Span, int]
#: Of a longer prompt the head and the tail are read, this many characters of each.
REACH = 3000
#: A story leads up to its question with at least this many words.
LEAD_UP = 7


class Instruction(NamedTuple):
    """What is asked, as spans of `text`: the prompt in lower case, with the rest blanked.

    `heads` are the places where an instruction or a question can begin. `cut` characters are
    missing after `REACH`. `story` says that the sentences before the question belong to it.
    """

    text: str
    spans: tuple[Span, ...]
    heads: frozenset[int]
    words: int
    asked: int
    cut: int = 0
    pasted: bool = False
    story: bool = False
    code: bool = False
    quoted: bool = False

    def offset(self, place: int) -> int:
        """The place in the prompt of a place in `text`."""
        return place if place < REACH or not self.cut else place + self.cut


def instruction(prompt: str) -> Instruction:
    """Find what the prompt asks for."""
    cut = max(len(prompt) - 2 * REACH, 0)
    seen = prompt if not cut else prompt[:REACH] + prompt[-REACH:]
    low = seen.lower()
    if len(low) != len(seen):  # a few capitals (U+0130) have a longer small form
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in seen)
    text, code, quoted = _blanked(low.replace("’", "'"))
    counted: list[Counted] = []
    words = asked = done = 0
    for match in _SENTENCE.finditer(text):
        span = match.span()
        head = skip_politeness(text, span)
        if head < span[1]:
            count = count_words(text[head : span[1]])
            counted.append((head, span, count))
            words += count
    story = _is_story(text, counted, words)
    spans: list[Span] = []
    heads: list[int] = []
    only = ""
    for head, (_, end), count in (
        counted if words <= SHORT or story else asking(text, counted, words)
    ):
        spans.append((head, end))
        heads += _clauses(text, head, end)
        only += " " * (head - done) + text[head:end]
        asked += count
        done = end
    return Instruction(
        text=only,
        spans=tuple(spans),
        heads=frozenset(heads),
        words=words,
        asked=asked,
        cut=cut,
        pasted=(cut > 0 or words - asked > SHORT) and not story,
        story=story,
        code=code,
        quoted=quoted,
    )


def count_words(text: str) -> int:
    """Words; Chinese, which has no spaces, counts two characters as one."""
    if text.isascii():
        return len(text.split())
    chinese = len(HAN.findall(text))
    return len(WORD.findall(text)) + (chinese + 1) // 2


def _blanked(low: str) -> tuple[str, bool, bool]:
    """The text without code, tables and quotations, and whether there was code or a quotation."""
    text = low
    if "```" in text:
        text = _FENCE.sub(_spaces, text)
    if "\n" in text:
        is_data = PATTERNS["data_line"].match
        text = "\n".join([" " * len(one) if is_data(one) else one for one in text.split("\n")])
    code = text != low and ("```" in low or _CODE.search(low) is not None)
    marked = any(mark in text for mark in _QUOTE_MARKS)
    unquoted = PATTERNS["quote"].sub(_spaces, text) if marked else text
    if not WORD.search(unquoted) and not HAN.search(unquoted):
        return low.replace("-", " "), code, False
    return unquoted.replace("-", " "), code, unquoted != text


def _spaces(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _clauses(text: str, head: int, end: int) -> list[int]:
    return [head, *(m.end() for m in PATTERNS["clause"].finditer(text, head, end))]


def _is_story(text: str, sentences: list[Counted], words: int) -> bool:
    """Whether the last sentence is a question about the ones before it in its paragraph."""
    if not sentences or not SHORT // 4 < words <= STORY:
        return False
    head, (_, end), _ = sentences[-1]
    asks = (
        text[head:end].rstrip().endswith(("?", "？"))
        or opening(text, head, end) is not None
        or text.startswith(("find ", "determine ", "calculate ", "compute "), head)
    )
    start = 0 if words <= STORY // 2 else text.rfind("\n", 0, head) + 1
    start = max(start, text.rfind("\n\n", 0, head) + 1)
    before = sum(count for place, _, count in sentences[:-1] if place >= start)
    led_up = [place - head for place in _clauses(text, head, end)]
    if not asks or (before < LEAD_UP and led_up[-1] < 6 * LEAD_UP):
        return False
    # There are figures or relations to work with.
    return len(PATTERNS["figure"].findall(text)) > 1 or len(_RELATION.findall(text)) > 1


_RELATION = re.compile(rf"\b(?:{'|'.join(KNOWN['relations'].split())})\b")
_SENTENCE = re.compile(
    r"[^.!?:;\n。？！；：।]+(?:\.(?=\w)[^.!?:;\n。？！；：।]+)*[.!?:;。？！；：।]*"
)
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CODE = re.compile(r"[;{}()\[\]=][ \t]*$", re.MULTILINE)
_QUOTE_MARKS = ('"', "'", "`", "“", "„", "«", "‘", "「", "『", "《")


def skip_politeness(text: str, span: tuple[int, int]) -> int:
    """Where the sentence begins once greetings, thanks and padding are skipped."""
    start, end = span
    match = PATTERNS["polite"].match(text, start, end)
    head = match.end() if match else start
    if text.find("if you", head, end) >= 0 and (hope := PATTERNS["if_you"].match(text, head, end)):
        more = PATTERNS["polite"].match(text, hope.end(), end)
        return more.end() if more else hope.end()
    return head


def asking(text: str, sentences: list[Counted], words: int) -> list[Counted]:
    """The sentences that ask; in a long prompt only those near its head or its tail."""
    if "\n" in text and (block := _asking_block(text, sentences, words)):
        return block
    edge = len(sentences) if words <= STORY else 4
    near = sentences if len(sentences) <= 2 * edge else sentences[:edge] + sentences[-edge:]
    found = [sentence for sentence in near if _asks(text, sentence[0], sentence[1][1])]
    pasted = _pasted_blocks(text, sentences) if "\n" in text else []
    outside = [s for s in found if not any(start <= s[0] < end for start, end in pasted)]
    return outside or found or near[:2] + near[2:][-2:]


def _asking_block(text: str, sentences: list[Counted], words: int) -> list[Counted]:
    """The first or last paragraph or line, whole, where it is short, asks and stands by a paste."""
    body = len(text.rstrip())
    for gap in (_BLANK_LINE, _LINE_END):
        gaps = [m.span() for m in gap.finditer(text, len(text) - len(text.lstrip()), body)]
        edges = [(0, gaps[0][0]), (gaps[-1][1], body)] if gaps else []
        fit = []
        for start, end in edges:
            block = _inside(sentences, start, end)
            count = sum([sentence[2] for sentence in block])
            short = count <= ASKING and words - count > SHORT
            if short and any(_asks(text, head, stop) for head, (_, stop), _ in block):
                fit.append(block)
        if fit:
            return max(fit, key=lambda block: _plainness(text, block))
    return []


def _plainness(text: str, block: list[Counted]) -> float:
    """The share of the sentences that ask beyond doubt."""
    plain = 0
    for head, (_, end), _ in block:
        asks = _begins_asking(text, head, end) or text[head:end].rstrip().endswith(("?", "？"))
        plain += asks or _CHINESE_ORDER.match(text, head, end) is not None
    return plain / len(block)


def _inside(sentences: list[Counted], start: int, end: int) -> list[Counted]:
    return [sentence for sentence in sentences if start <= sentence[0] < end]


def _pasted_blocks(text: str, sentences: list[Counted]) -> list[Span]:
    """The long paragraphs that do not begin with a question or an order."""
    blocks = []
    start = 0
    for gap in (*_BLANK_LINE.finditer(text), None):
        end = gap.start() if gap else len(text)
        inside = _inside(sentences, start, end)
        long = sum(s[2] for s in inside) > SHORT
        if long and not _begins_asking(text, inside[0][0], inside[0][1][1]):
            blocks.append((start, end))
        start = end
    return blocks


def _asks(text: str, head: int, end: int) -> bool:
    if _begins_asking(text, head, end):
        return True
    part = text[head:end].rstrip()
    if part.endswith(("?", "？")):
        return True
    if part.isascii():
        return False
    if HAN.search(part):
        return CHINESE.search(part) is not None
    return names_task(part.rpartition(" ")[2].rstrip(_PUNCTUATION))


def _begins_asking(text: str, head: int, end: int) -> bool:
    first = WORD.search(text, head, end)
    if not first:
        return False
    return begins_task(text, first.start(), first[0]) or (
        first[0] in OPENINGS and opening(text, first.start(), end) is not None
    )


_PUNCTUATION = ".,:;!?()।"
_CHINESE_ORDER = re.compile(rf"(?:[把将给用按据对从][^，。]{{0,20}})??(?:{CHINESE.pattern})")
_BLANK_LINE = re.compile(r"\n[ \t]*\n|\n[-=*_]{3,}\n")
_LINE_END = re.compile(r"\n")


def opening(text: str, head: int, end: int) -> tuple[str, int, int] | None:
    """The kind of question that begins at `head`, and where its opening words are."""
    first = WORD.search(text, head, end)
    if not first:
        return None
    start = first.start()
    if first[0] in {"what", "the"} and (match := PATTERNS["listed"].match(text, start, end)):
        return "explain" if match[1] else "lookup", start, match.end()
    for cue in OPENINGS.get(first[0], ()):
        stop = start + len(cue.phrase)
        if text.startswith(cue.phrase, start) and not WORD.match(text, stop):
            return cue.kind, start, stop
    if first[0] in _BEFORE and (match := PATTERNS["which"].match(text, first.end(), end)):
        return "lookup", start, match.end()
    return None


_BEFORE = frozenset(KNOWN["before"].split())
