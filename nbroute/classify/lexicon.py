"""The words that the rules know (`data/words.toml`), indexed for a look-up by word."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

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


#: SIMPLE ends at 0.25, MEDIUM at 0.5, COMPLEX at 0.75.
TASKS = {
    "greeting": Task(0.03, 0.0, 0.95),
    "lexical": Task(0.07, 0.0, 0.92),
    "trivial": Task(0.12, 0.15, 0.8),
    "lookup": Task(0.12, 0.15, 0.88),
    "yes_no": Task(0.14, 1.0, 0.8),
    "what_is": Task(0.12, 0.7, 0.85),
    "what": Task(0.22, 0.9, 0.6),
    "how": Task(0.36, 0.6, 0.75),
    "why": Task(0.38, 1.0, 0.75),
    "transform": Task(0.35, 0.25, 0.85),
    "suggest": Task(0.36, 0.45, 0.75),
    "explain": Task(0.37, 0.4, 0.8),
    "write": Task(0.38, 0.5, 0.75),
    "choice": Task(0.34, 0.4, 0.5),
    "translate": Task(0.33, 0.3, 0.7),
    "unknown": Task(0.36, 0.6, 0.45),
    "small_code": Task(0.38, 0.3, 0.75),
    "show": Task(0.37, 0.4, 0.6),
    "should": Task(0.3, 0.5, 0.6),
    "identify": Task(0.4, 0.5, 0.6),
    "what_if": Task(0.56, 0.6, 0.7),
    "plan": Task(0.54, 0.5, 0.75),
    "long_form": Task(0.6, 0.5, 0.8),
    "reason": Task(0.58, 0.3, 0.85),
    "solve": Task(0.58, 0.6, 0.75),
    "analyse": Task(0.58, 0.55, 0.8),
    "design": Task(0.56, 1.0, 0.75),
    "code": Task(0.58, 0.8, 0.8),
    "research": Task(0.82, 0.4, 0.8),
    "prove": Task(0.88, 0.2, 0.9),
}

_KNOWN = tomllib.loads(
    resources.files("nbroute.classify").joinpath("data", "words.toml").read_text("utf-8")
)
#: Two of these in what leads up to a question make it a puzzle.
RELATIONS: tuple[str, ...] = tuple(_KNOWN["relations"].split())


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
        for kind, listed in _KNOWN[group].items():
            for word in listed.split():
                phrase, open_end = word.replace("_", " ").rstrip("*"), word.endswith("*")
                longest = max(WORD.findall(phrase), key=len)
                lead = phrase.index(longest)
                cue = Cue(phrase, kind, group == "imperatives", open_end, lead)
                if open_end and " " not in phrase:
                    stems.setdefault(phrase[:4], []).append(cue)
                else:
                    cues.setdefault(longest, []).append(cue)
    for kind, listed in _KNOWN["openings"].items():
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
for _kind, _listed in _KNOWN["chinese"].items():
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
