"""Prompt -> the part of it that asks: without what is quoted, pasted or merely polite.

Everything that is no instruction is blanked, never cut out, so that a place in the text is
a place in the prompt.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from nbroute.classify.asking import SHORT, STORY, Counted, Span, asking, opening
from nbroute.classify.lexicon import HAN, WORD
from nbroute.classify.polite import skip_politeness
from nbroute.classify.words import RELATIONS

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
    low = _lower(seen)
    text, code, quoted = _blanked(low)
    sentences = [m.span() for m in _SENTENCE.finditer(text)]
    polite = [(skip_politeness(text, span), span) for span in sentences]
    counted = [
        (head, span, count_words(text[head : span[1]])) for head, span in polite if head < span[1]
    ]
    words = sum(count for _, _, count in counted)
    story = _is_story(text, counted, words)
    kept = counted if words <= SHORT or story else asking(text, counted, words)
    asked = sum(count for _, _, count in kept)
    spans = tuple((head, span[1]) for head, span, _ in kept)
    return Instruction(
        text=_only(text, spans),
        spans=spans,
        heads=frozenset(place for span in spans for place in _clauses(text, *span)),
        words=words,
        asked=asked,
        cut=cut,
        pasted=(cut > 0 or words - asked > SHORT) and not story,
        story=story,
        code=code,
        quoted=quoted,
    )


def _only(text: str, spans: tuple[Span, ...]) -> str:
    """The text with all but the spans blanked."""
    parts = []
    done = 0
    for start, end in spans:
        parts += [" " * (start - done), text[start:end]]
        done = end
    return "".join(parts)


def count_words(text: str) -> int:
    """Words; Chinese, which has no spaces, counts two characters as one."""
    if text.isascii():
        return len(text.split())
    chinese = len(HAN.findall(text))
    return len(WORD.findall(text)) + (chinese + 1) // 2


def _lower(text: str) -> str:
    low = text.lower()
    if len(low) != len(text):  # a few capitals (U+0130) have a longer small form
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return low.replace("’", "'")


def _blanked(low: str) -> tuple[str, bool, bool]:
    """The text without code, tables and quotations, and whether there was code or a quotation."""
    text = low
    if "```" in text:
        text = _FENCE.sub(_spaces, text)
    if "\n" in text:
        text = "\n".join([_without_data(line) for line in text.split("\n")])
    code = text != low and ("```" in low or _CODE.search(low) is not None)
    unquoted = _QUOTE.sub(_spaces, text) if any(m in text for m in _QUOTE_MARKS) else text
    if not WORD.search(unquoted) and not HAN.search(unquoted):
        return low.replace("-", " "), code, False
    return unquoted.replace("-", " "), code, unquoted != text


def _without_data(line: str) -> str:
    return " " * len(line) if _DATA_LINE.match(line) else line


def _spaces(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _clauses(text: str, head: int, end: int) -> list[int]:
    return [head, *(m.end() for m in _CLAUSE.finditer(text, head, end))]


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
    return asks and _puzzling(text) and (before >= LEAD_UP or led_up[-1] >= 6 * LEAD_UP)


def _puzzling(text: str) -> bool:
    """Whether the text has figures or relations to work with."""
    return len(_FIGURE.findall(text)) > 1 or len(_RELATION.findall(text)) > 1


_FIGURE = re.compile(
    r"\d+|\b(?:two|three|four|five|six|seven|eight|nine|ten|zwei|drei|vier|fünf|sechs|deux|trois|quatre"
    r"|cinq|dos|tres|cuatro|cinco|दो|तीन|चार|पाँच)\b|[二两三四五六七八九十百千]+(?=[天日人个元岁米只本小分公]|斤)"
)
_RELATION = re.compile(rf"\b(?:{'|'.join(RELATIONS.split())})\b")
_SENTENCE = re.compile(
    r"[^.!?:;\n。？！；：।]+(?:\.(?=\w)[^.!?:;\n。？！；：।]+)*[.!?:;。？！；：।]*"
)
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_DATA_LINE = re.compile(
    r"[ \t]*(?:\||(?:[^,\s]+,){2,}[^,\n]*$|[^|\n]{1,40} \|[^|\n]|\[?\d{4}-\d\d-\d\d[ t]\d\d:"
    r"|(?:def|class|import|return|from|for|if|while|const|let|var|public|private|#include)\b"
    r"[^\n]*[:;{)][ \t]*$|[^\n]*[;{}][ \t]*$|</?\w+[^\n]*>[ \t]*$)"
)
_CODE = re.compile(r"[;{}()\[\]=][ \t]*$", re.MULTILINE)
_QUOTE_MARKS = ('"', "'", "`", "“", "„", "«", "‘", "「", "『", "《")
_QUOTE = re.compile(
    r'"""[^"]*(?:"""|\Z)|"[^"\n]{1,300}"|“[^”“]{1,300}[”“]|„[^“”]{1,300}[“”]|«[^»]{1,300}»'
    r"|‘[^’\n]{1,200}’|「[^」]{1,200}」|『[^』]{1,200}』|《[^》]{1,200}》|`[^`\n]{1,200}`"
    r"|'(?<!\w')[^'\n]{1,200}'(?!\w)"
)
_CLAUSE = re.compile(
    r",[\s¿]+(?:(?:and|or|but|und|y|et)\ )?(?=(?:how|what|why|who|which|wie|was|warum|welche\w*"
    r"|cómo|qué|cuánt\w+|por qué|comment|combien|quel\w*|pourquoi)\b)"
)
