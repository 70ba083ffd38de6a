"""The words that the rules know (`data/words.toml`), indexed for a look-up by word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from nbroute.decoding import packaged

#: With Devanagari's vowel signs, which are not `\w`, and without Chinese and Japanese.
WORD = re.compile(r"[0-9A-Za-z_\u00c0-\u02ff\u0370-\u0963\u0966-\u1fff]+")
#: Chinese and Japanese characters.
HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


class Task(NamedTuple):
    """A family of tasks: where its plainest member lies from 0 to 1, what moves it, how surely.

    `stretch` is how much topic, rigour and requirements move it.
    """

    base: float
    stretch: float
    trust: float


KNOWN = packaged("nbroute.classify", "data", "words.toml")
TASKS = {kind: Task(*numbers) for kind, numbers in KNOWN["tasks"].items()}
PATTERNS = {name: re.compile(pattern) for name, pattern in KNOWN["patterns"].items()}


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


Index = dict[str, tuple[Cue, ...]]


def _indexed() -> tuple[Index, Index, Index]:
    """The cues by their longest word, the stems by four letters, the openings by first word."""
    cues: dict[str, list[Cue]] = {}
    stems: dict[str, list[Cue]] = {}
    openings: dict[str, list[Cue]] = {}
    for group in ("imperatives", "anywhere", "topics"):
        for kind, listed in KNOWN[group].items():
            for word in listed.split():
                phrase, open_end = word.replace("_", " ").rstrip("*"), word.endswith("*")
                longest = max(WORD.findall(phrase), key=len)
                lead = phrase.index(longest)
                cue = Cue(phrase, kind, group == "imperatives", open_end, lead)
                if open_end and " " not in phrase:
                    stems.setdefault(phrase[:4], []).append(cue)
                else:
                    cues.setdefault(longest, []).append(cue)
    for kind, listed in KNOWN["openings"].items():
        for word in listed.split():
            phrase = word.replace("_", " ")
            first = WORD.findall(phrase)[0]
            openings.setdefault(first, []).append(Cue(phrase, kind, True, False))
    return _longest_first(cues), _longest_first(stems), _longest_first(openings)


def _longest_first(index: dict[str, list[Cue]]) -> Index:
    return {key: tuple(sorted(cues, key=lambda c: -len(c.phrase))) for key, cues in index.items()}


CUES, STEMS, OPENINGS = _indexed()
#: What is a cue by itself; only other words are tried as stems.
WHOLE = frozenset(cue.phrase for cues in CUES.values() for cue in cues if " " not in cue.phrase)
_TASK_CUES = [cue for cues in CUES.values() for cue in cues if cue.kind in TASKS]
#: The words that name a task all by themselves, and the stems by their first four letters.
_TASK_WORDS = frozenset(cue.phrase for cue in _TASK_CUES if cue.lead == 0)
_TASK_STEMS = {
    key: tuple(cue.phrase for cue in cues if cue.kind in TASKS) for key, cues in STEMS.items()
}
_TASK_PHRASES: dict[str, tuple[str, ...]] = {}
for _cue in _TASK_CUES:
    _first = WORD.findall(_cue.phrase)[0]
    if _first != _cue.phrase:
        _TASK_PHRASES[_first] = (*_TASK_PHRASES.get(_first, ()), _cue.phrase)
#: Chinese word -> what it speaks for.
CHINESE_KINDS: dict[str, tuple[str, ...]] = {}
for _kind, _listed in KNOWN["chinese"].items():
    for _word in _listed.split():
        CHINESE_KINDS[_word] = (*CHINESE_KINDS.get(_word, ()), _kind)
#: A designer, an analyst and a researcher are not tasks: their words go on after the verb's.
CHINESE = re.compile(
    f"(?:{'|'.join(sorted(CHINESE_KINDS, key=len, reverse=True))})(?![师员者官局院]|家(?!庭))"
)
#: Slips are looked for in longer words than this: shorter ones are too near to each other.
_SAFE = 5
_MENDED = {*TASKS, "code_thing", "long_text", "plan_thing", "system", "scale"}
_SHORT = ("write", "prove", "solve", "build", "draft", "essay")


def names_task(word: str) -> bool:
    """Whether the word alone can be an instruction ("summarise", "erklären")."""
    return word in _TASK_WORDS or word.startswith(_TASK_STEMS.get(word[:4], ()))


def begins_task(text: str, start: int, word: str) -> bool:
    """Whether the text from `start`, where `word` stands, begins with an instruction."""
    return names_task(word) or text.startswith(_TASK_PHRASES.get(word, ()), start)


def corrected(word: str) -> str | None:
    """The known word that is one slip away (a letter more, less, wrong or swapped), if any.

    Of five-letter verbs only swapped letters count.
    """
    if len(word) == _SAFE:
        for verb in _SHORT:
            if word[0] == verb[0] and word != verb and sorted(word) == sorted(verb):
                return verb
        return None
    if len(word) < _SAFE or not word.isascii():
        return None
    known = _mendable()
    found = known.get(word)
    for place in range(1, len(word) - 1):
        if found:
            break
        found = known.get(word[:place] + word[place + 1 :])
    return found if found and found[0] == word[0] and found + "s" != word else None


@cache
def _mendable() -> dict[str, str]:
    """Each word worth mending, and each with one letter left out -> the word."""
    whole: dict[str, str] = {}
    shorter: dict[str, str] = {}
    for word, cues in CUES.items():
        if len(word) <= _SAFE or not word.isascii():
            continue
        for cue in cues:
            if cue.phrase == word and cue.kind in _MENDED:
                whole[word] = word
                shorter |= {word[:i] + word[i + 1 :]: word for i in range(1, len(word))}
                break
    return shorter | whole
