"""Which of a prompt's sentences ask, and which belong to a text that was pasted in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbroute.classify.lexicon import CHINESE, HAN, OPENINGS, WORD, begins_task, names_task

#: A prompt of no more words than this has no pasted part worth looking for.
SHORT = 45
#: What is asked about a pasted text takes no more words than this.
ASKING = 70
#: A story that leads up to its question is no longer than this, in words.
STORY = 160

Span = tuple[int, int]
#: Where a sentence asks from, the whole of it, and its words.
Counted = tuple[int, Span, int]


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
    for gap in (_BLANK_LINE, _LINE_END):
        blocks = [_inside(sentences, *span) for span in _edges(text, gap)]
        fit = [block for block in blocks if _may_ask(text, block, words)]
        if fit:
            return max(fit, key=lambda block: _plainness(text, block))
    return []


def _edges(text: str, gap: re.Pattern[str]) -> Iterator[Span]:
    """Before the first gap and after the last: where a paste leaves room to ask."""
    body = len(text.rstrip())
    gaps = [m.span() for m in gap.finditer(text, len(text) - len(text.lstrip()), body)]
    if gaps:
        yield 0, gaps[0][0]
        yield gaps[-1][1], body


def _plainness(text: str, block: list[Counted]) -> float:
    """The share of the sentences that ask beyond doubt."""
    return sum(_plainly(text, head, end) for head, (_, end), _ in block) / len(block)


def _plainly(text: str, head: int, end: int) -> bool:
    asks = _begins_asking(text, head, end) or text[head:end].rstrip().endswith(("?", "？"))
    return asks or _CHINESE_ORDER.match(text, head, end) is not None


def _inside(sentences: list[Counted], start: int, end: int) -> list[Counted]:
    return [sentence for sentence in sentences if start <= sentence[0] < end]


def _may_ask(text: str, block: list[Counted], words: int) -> bool:
    count = sum(sentence[2] for sentence in block)
    short = count <= ASKING and words - count > SHORT
    return short and any(_asks(text, sentence[0], sentence[1][1]) for sentence in block)


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
    if first[0] in {"what", "the"} and (match := _LISTED.match(text, start, end)):
        return "explain" if match[1] else "lookup", start, match.end()
    for cue in OPENINGS.get(first[0], ()):
        stop = start + len(cue.phrase)
        if text.startswith(cue.phrase, start) and not WORD.match(text, stop):
            return cue.kind, start, stop
    if first[0] in _BY and (match := _WHICH.match(text, first.end(), end)):
        return "lookup", start, match.end()
    return None


#: "Until what time", "bis wann", "desde qué": what is asked for comes after a preposition.
_BEFORE = """by until till since from to at on in for with under bis seit ab um mit von zu aus für
    an auf à de depuis jusqu'à avec pour dans par sur desde hasta con para a en"""
_BY = frozenset(_BEFORE.split())
_WHICH = re.compile(
    r"\ (?:what|which|whom|when|how (?:many|much)|wann|wie viele?n?|wem|wen|welche\w*|quel\w*|qui"
    r"|quand|combien|qué|cuál\w*|cuánt\w*|quién\w*|cuándo|dónde)\b(?! extent| way| mesure| medida)"
)
_LISTED = re.compile(
    r"""what\ (?:are|were|is)\ (?:the\ |some\ )?(?:\w+\ ){0,3}?(benefits|advantages
    |disadvantages|causes|effects|consequences|reasons|symptoms|steps|stages|implications|differences|features|principles
    |drawbacks|uses|limitations|methods|norms|processes)\b|the\ \w+(?:\ \w+)?\ of\b""",
    re.VERBOSE,
)
