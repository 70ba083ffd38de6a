"""The words of `words`, indexed for a look-up by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from nbroute.classify import words
from nbroute.classify.words import TASKS, TOPICS

#: With Devanagari's vowel signs, which are no `\w`, and without Chinese and Japanese.
WORD = re.compile(r"[0-9A-Za-z_\u00c0-\u02ff\u0370-\u0963\u0966-\u1fff]+")


#: Chinese and Japanese characters.
HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Cue:
    """A word or phrase and what it speaks for.

    `leading`: only where an instruction can begin. `open_end`: any ending will do. `lead`:
    where in the phrase the word stands that it is found by, its longest.
    """

    phrase: str
    kind: str
    leading: bool
    open_end: bool
    lead: int = 0


def _entries() -> Iterator[Cue]:
    for leading, groups in (
        (True, words.IMPERATIVES),
        (False, words.ANYWHERE),
        (False, TOPICS),
    ):
        for kind, listed in groups.items():
            for word in listed.split():
                plain = word.replace("_", " ").rstrip("*")
                lead = plain.index(max(WORD.findall(plain), key=len))
                yield Cue(plain, kind, leading, word.endswith("*"), lead)


def _opened() -> dict[str, tuple[Cue, ...]]:
    """First word -> openings, the longest first."""
    index: dict[str, list[Cue]] = {}
    for kind, listed in words.OPENINGS.items():
        for phrase in _phrases(listed):
            index.setdefault(WORD.findall(phrase)[0], []).append(Cue(phrase, kind, True, False))
    return {key: tuple(sorted(cues, key=lambda c: -len(c.phrase))) for key, cues in index.items()}


def _phrases(listed: str) -> list[str]:
    return [word.replace("_", " ") for word in listed.split()]


def _indexed(stems: bool) -> dict[str, tuple[Cue, ...]]:
    """Longest word, or the first four letters of a stem -> cues, the longest first."""
    index: dict[str, list[Cue]] = {}
    for cue in _entries():
        if stems == (cue.open_end and " " not in cue.phrase):
            key = cue.phrase[:4] if stems else max(WORD.findall(cue.phrase), key=len)
            index.setdefault(key, []).append(cue)
    return {key: tuple(sorted(cues, key=lambda c: -len(c.phrase))) for key, cues in index.items()}


OPENINGS = _opened()
CUES = _indexed(stems=False)
STEMS = _indexed(stems=True)
#: What is a cue by itself; only other words are tried as stems.
WHOLE = frozenset(cue.phrase for cues in CUES.values() for cue in cues if " " not in cue.phrase)
#: The words that name a task all by themselves, and the stems by their first four letters.
_TASK_WORDS = frozenset(
    cue.phrase for cues in CUES.values() for cue in cues if cue.kind in TASKS and cue.lead == 0
)
_TASK_STEMS = {
    key: tuple(cue.phrase for cue in cues if cue.kind in TASKS) for key, cues in STEMS.items()
}
CHINESE_KINDS: dict[str, tuple[str, ...]] = {}
for _kind, _listed in words.CHINESE_WORDS.items():
    for _word in _listed.split():
        CHINESE_KINDS[_word] = (*CHINESE_KINDS.get(_word, ()), _kind)
#: A designer, an analyst and a researcher are no tasks: their words go on after the verb's.
CHINESE = re.compile(
    f"(?:{'|'.join(sorted(CHINESE_KINDS, key=len, reverse=True))})(?![师员者官局院]|家(?!庭))"
)


_TASK_PHRASES: dict[str, tuple[str, ...]] = {}
for _cue in (cue for cues in CUES.values() for cue in cues if cue.kind in TASKS):
    _first = WORD.findall(_cue.phrase)[0]
    if _first != _cue.phrase:
        _TASK_PHRASES[_first] = (*_TASK_PHRASES.get(_first, ()), _cue.phrase)


def names_task(word: str) -> bool:
    """Whether the word alone can be an instruction ("summarise", "erklären")."""
    return word in _TASK_WORDS or word.startswith(_TASK_STEMS.get(word[:4], ()))


@cache
def _mendable() -> dict[str, str]:
    """Each word worth mending, and each with one letter left out -> the word."""
    known = [
        word
        for word, cues in CUES.items()
        if len(word) > _SAFE
        and word.isascii()
        and any(cue.phrase == word and cue.kind in _MENDED for cue in cues)
    ]
    shorter = {w[:i] + w[i + 1 :]: w for w in known for i in range(1, len(w))}
    return shorter | {word: word for word in known}


def corrected(word: str) -> str | None:
    """The known word that is one slip away (a letter more, less, wrong or swapped), if any.

    Five-letter verbs are too near to other words: of them only swapped letters count.
    """
    if len(word) == _SAFE:
        return next((verb for verb in _SHORT if _swapped(word, verb)), None)
    if len(word) < _SAFE or not word.isascii():
        return None
    table = _mendable()
    tries = (word[:i] + word[i + 1 :] for i in range(1, len(word) - 1))
    found = next((table[tried] for tried in (word, *tries) if tried in table), None)
    return found if found and found[0] == word[0] and found + "s" != word else None


_SAFE = 5
_MENDED = {*TASKS, "code_thing", "long_text", "plan_thing", "system", "scale"}
_SHORT = ("write", "prove", "solve", "build", "draft", "essay")


def _swapped(word: str, verb: str) -> bool:
    return word[0] == verb[0] and word != verb and sorted(word) == sorted(verb)


def begins_task(text: str, start: int, word: str) -> bool:
    """Whether the text from `start`, where `word` stands, begins with an instruction."""
    return names_task(word) or text.startswith(_TASK_PHRASES.get(word, ()), start)
