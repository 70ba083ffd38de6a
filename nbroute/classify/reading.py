"""Instruction -> what it asks for and what about: the cues of `lexicon`, at their places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from nbroute.classify.asking import Span, opening
from nbroute.classify.instruction import Instruction
from nbroute.classify.lexicon import (
    CHINESE,
    CHINESE_KINDS,
    CUES,
    HAN,
    STEMS,
    WHOLE,
    WORD,
    Cue,
    corrected,
)
from nbroute.classify.words import TASKS

#: Slips of the keyboard are looked for in prompts of no more words than this.
MENDABLE = 45


#: What `WORD` leaves out of plain text; splitting is the faster way to the same words.
_BLANKS = {code: " " for code in range(128) if not WORD.match(chr(code))}


class Found(NamedTuple):
    """A cue at its place in the instruction's text."""

    kind: str
    start: int
    end: int


def read(asked: Instruction) -> tuple[list[Found], list[Found]]:
    """The tasks and the topics of the instruction, in order."""
    tasks: list[Found] = []
    topics: list[Found] = []
    found = _cues(asked)
    for span in asked.spans:
        within = [cue for cue in found if span[0] <= cue.start < span[1]]
        for_span, about = _sentence(asked, span, within)
        tasks += for_span
        topics += about
        if _introduces(asked.text, span, for_span):
            break
    return tasks, topics


def _introduces(text: str, span: Span, tasks: list[Found]) -> bool:
    """Whether what follows is only what the task is to be done to: "Shorten this: ..."."""
    return bool(tasks) and tasks[0].kind in _HANDLING and text[: span[1]].rstrip().endswith(":")


def _sentence(
    asked: Instruction, span: Span, found: list[Found]
) -> tuple[list[Found], list[Found]]:
    """The tasks and the topics of one sentence.

    A word that is only mentioned is no topic, and in "who wrote ..." nothing is to be written.
    """
    tasks = _questions(asked, span) + [f for f in found if f.kind in TASKS]
    tasks.sort(key=_start)
    lexical = next((task for task in tasks if task.kind == "lexical"), None)
    if lexical and tasks[0].kind in _MASKING:
        return [lexical], []
    if tasks and tasks[0].kind == "lookup":
        tasks = [t for t in tasks if t is tasks[0] or _leads(_before(asked.text, t.start))]
    return tasks, [f for f in found if f.kind not in TASKS]


def _start(found: Found) -> int:
    return found.start


def _questions(asked: Instruction, span: Span) -> list[Found]:
    heads = (head for head in asked.heads if span[0] <= head < span[1])
    openings = (opening(asked.text, head, span[1]) for head in heads)
    return [Found(*found) for found in openings if found]


def _cues(asked: Instruction) -> list[Found]:
    asking = " ".join([asked.text[start:end] for start, end in asked.spans])
    plain = asking.isascii()
    words = set(asking.translate(_BLANKS).split() if plain else WORD.findall(asking))
    hits = [(word, CUES[word]) for word in CUES.keys() & words]
    hits += [(word, STEMS[word[:4]]) for word in words if word[:4] in STEMS and word not in WHOLE]
    if asked.words <= MENDABLE:
        hits += _mended(words)
    found: list[Found] = []
    for word, cues in hits:
        _place(asked, word, cues, found)
    if not plain and HAN.search(asking):
        hanzi = CHINESE.finditer(asked.text)
        chinese = [Found(kind, *m.span()) for m in hanzi for kind in CHINESE_KINDS[m[0]]]
        found += _asked_about(asked.text, chinese)
    return sorted(found, key=_start)


def _asked_about(text: str, found: list[Found]) -> Iterable[Found]:
    """Without the tasks that only say who or what a Chinese question is about ("who ...ed")."""
    asks = [cue.start for cue in found if cue.kind in _ASKED_LAST]
    for cue in found:
        after = next((start for start in asks if start > cue.start), 0)
        about = text[cue.end : after]
        if cue.kind not in TASKS or "的" not in about or "，" in about:
            yield cue


def _mended(words: set[str]) -> Iterable[tuple[str, tuple[Cue, ...]]]:
    for word in words:
        if len(word) > 4 and word not in CUES and (meant := corrected(word)):
            cues = (cue for cue in CUES[meant] if cue.phrase == meant)
            yield word, tuple(replace(cue, phrase=word) for cue in cues)


def _place(asked: Instruction, word: str, cues: tuple[Cue, ...], found: list[Found]) -> None:
    """Add what the word stands for at each of its places; the longest phrase wins."""
    text = asked.text
    at = text.find(word)
    while at >= 0:
        longest = 0
        for cue in cues:
            start = at - cue.lead
            if len(cue.phrase) < longest or not text.startswith(cue.phrase, start):
                continue
            if _fits(asked, start, cue):
                longest = len(cue.phrase)
                found.append(Found(cue.kind, start, start + longest))
        at = text.find(word, at + (longest or len(word)))


def _fits(asked: Instruction, start: int, cue: Cue) -> bool:
    text = asked.text
    end = start + len(cue.phrase)
    if start < 0:
        return False
    if start and text[start - 1] != " " and WORD.match(text, start - 1):
        return False
    if text[end : end + 1] == "." and WORD.match(text, end + 1):  # the name of a file
        return False
    if not cue.open_end and text[end : end + 1] != " " and WORD.match(text, end):
        return False
    return not cue.leading or start in asked.heads or _leads(_before(text, start))


def _before(text: str, start: int) -> str:
    return text[max(start - 24, 0) : start]


def _leads(before: str) -> bool:
    """Whether an instruction can begin after these words, an adverb left out."""
    rest, _, last = before.rstrip().rpartition(" ")
    if last.endswith("ly"):
        rest, _, last = rest.rstrip().rpartition(" ")
    return not last or last in _LEADS or last.endswith(_ENDS)


_ENDS = (",", ":", ";", "(", ".", "!", "?", "，", "、", "；", "并", "请", "再", "怎么", "如何")
_LEADS = frozenset(
    {"and", "or", "then", "please", "you", "also", "to", "me", "just", "let's", "who", "that"}
    | {"finally", "but", "now", "bitte", "must", "should", "i'd", "we"}
)

#: What is asked to be spelt, translated or looked up is mentioned, not used.
_MASKING = {"lexical", "lookup", "yes_no", "what_is", "what", "how", "trivial", "write", "suggest"}
_ASKED_LAST = {"lookup", "lexical"}
_HANDLING = {"lexical", "trivial", "translate", "transform"}
