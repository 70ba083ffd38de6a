"""What the learned classifier reads in a prompt: its words, in ones and twos, and its shape."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

_CJK = r"\u3040-\u30ff\u3400-\u9fff"
#: The characters at each end of a prompt in which words are looked for.
ENDS = 20_000
#: Two letters at least, or one sign of a script that puts no spaces.
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]{{2,}}")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SENTENCE_END = re.compile(r"[.!?。？！](?=\s|$)|[。？！]")
_LONGEST_NUMBER = 12
_MARKS = ",;，；?？()\"'`"


def _words(listed: str) -> tuple[str, ...]:
    return tuple(listed.split())


_NEGATIONS = _words("not no never except false incorrect least without cannot neither")
_ASKING = _words("what which how why who when where is following true each would should")
_CONDITIONS = _words(
    """if each every all than more less fewer times half twice total left after before percent
    following would should must unless until between"""
)


class Gram(NamedTuple):
    """One or two neighbouring words in lower case, and where they stand in the prompt."""

    text: str
    start: int
    end: int


def grams(prompt: str) -> Iterator[Gram]:
    """Every word, each followed by the pair that it ends; of a huge prompt, head and tail."""
    for start, end in ((0, ENDS), (max(ENDS, len(prompt) - ENDS), len(prompt))):
        last = None
        for found in _WORD.finditer(prompt, start, end):
            word = Gram(found[0].lower(), found.start(), found.end())
            yield word
            if last is not None:
                yield Gram(f"{last.text} {word.text}", last.start, word.end)
            last = word


@dataclass(frozen=True)
class Vocabulary:
    """The terms that count, each with its place and its inverse document frequency."""

    places: Mapping[str, int]
    rarities: Sequence[float]

    @classmethod
    def of(cls, counted: Sequence[Mapping[str, int]], *, least: int, most: int) -> Vocabulary:
        """The `most` frequent among the terms found in `least` prompts or more."""
        seen = Counter(term for terms in counted for term in terms)
        frequent = sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:most]
        kept = [(term, count) for term, count in frequent if count >= least]
        rarities = [math.log((1 + len(counted)) / (1 + count)) + 1 for _, count in kept]
        return cls({term: place for place, (term, _) in enumerate(kept)}, rarities)

    def weigh(self, counts: Mapping[str, int]) -> dict[int, float]:
        """Place -> weight (TF-IDF, term frequency in logarithm, of length 1 altogether)."""
        raw = {
            self.places[term]: (1 + math.log(count)) * self.rarities[self.places[term]]
            for term, count in counts.items()
            if term in self.places
        }
        length = math.sqrt(sum(value * value for value in raw.values()))
        return {place: value / length for place, value in raw.items()}


@dataclass(frozen=True)
class Shape:
    """The measures of a prompt that do not name a word of it."""

    prompt: str

    @cached_property
    def words(self) -> list[str]:
        """What stands between white space, in lower case."""
        return self.prompt.lower().split()

    @cached_property
    def counted(self) -> Counter[str]:
        """How often each of the words occurs."""
        return Counter(self.words)

    @cached_property
    def lines(self) -> list[int]:
        """The length of each line."""
        return [len(line) for line in self.prompt.split("\n")]

    @cached_property
    def numbers(self) -> list[str]:
        """The numbers written in digits."""
        return _NUMBER.findall(self.prompt)

    @cached_property
    def sentences(self) -> int:
        """How often a sentence ends, at least once."""
        return max(len(_SENTENCE_END.findall(self.prompt)), 1)

    @cached_property
    def characters(self) -> Counter[str]:
        """How often each character occurs."""
        return Counter(self.prompt)

    def marks(self, wanted: str) -> int:
        """How often any of those characters occurs."""
        return sum(self.characters[mark] for mark in wanted)

    def share(self, kind: Callable[[str], bool]) -> float:
        """The part of the characters of that kind."""
        of_kind = sum(count for mark, count in self.characters.items() if kind(mark))
        return of_kind / max(len(self.prompt), 1)

    @property
    def asking(self) -> list[str]:
        """Which of the words that shape a question occur."""
        return [word for word in _ASKING if word in self.counted]

    def among(self, wanted: tuple[str, ...]) -> int:
        """How many of the words are in that list."""
        return sum(self.counted[word] for word in wanted)

    @property
    def mean_word(self) -> float:
        """Letters a word."""
        return sum(map(len, self.words)) / max(len(self.words), 1)

    @property
    def largest(self) -> float:
        """The largest number, those of more than 12 characters left out."""
        sane = (float(number) for number in self.numbers if len(number) <= _LONGEST_NUMBER)
        return max(sane, default=0.0)


#: The measures: the family that a reason speaks of, and how each is taken.
MEASURES: tuple[tuple[str, Callable[[Shape], float]], ...] = (
    ("length", lambda s: len(s.words)),
    ("length", lambda s: len(s.lines)),
    ("length", lambda s: s.lines[0]),
    ("length", lambda s: s.sentences),
    ("length", lambda s: len(s.words) / s.sentences),
    ("numbers", lambda s: len(s.numbers)),
    ("numbers", lambda s: s.share(str.isdigit)),
    ("numbers", lambda s: s.largest),
    ("numbers", lambda s: sum("." in number for number in s.numbers)),
    ("numbers", lambda s: s.marks("%")),
    ("marks", lambda s: s.marks(",;，；")),
    ("marks", lambda s: s.marks("?？")),
    ("marks", lambda s: s.marks("()")),
    ("marks", lambda s: s.marks("\"'`")),
    ("wording", lambda s: s.mean_word),
    ("wording", lambda s: max(map(len, s.words), default=0)),
    ("wording", lambda s: len(s.counted) / max(len(s.words), 1)),
    ("wording", lambda s: s.share(str.isupper)),
    ("wording", lambda s: s.share(lambda mark: not mark.isascii())),
    ("conditions", lambda s: s.among(_NEGATIONS)),
    ("conditions", lambda s: s.among(_CONDITIONS)),
)
#: The family of each column that `measure` makes.
FAMILIES = (*(family for family, _ in MEASURES), *("question" for _ in _ASKING))
#: How a reason tells a family.
TOLD: Mapping[str, Callable[[Shape], str]] = {
    "length": lambda s: _count(len(s.words), "word"),
    "numbers": lambda s: _count(len(s.numbers), "number"),
    "marks": lambda s: _count(s.marks(_MARKS), "punctuation mark"),
    "wording": lambda s: f"{s.mean_word:.1f} letters a word",
    "question": lambda s: f"asks with {', '.join(map(repr, s.asking)) or 'no usual word'}",
    "conditions": lambda s: _count(s.among(_NEGATIONS + _CONDITIONS), "condition"),
}


def measure(shape: Shape) -> np.ndarray:
    """One row: counts in logarithm, for the tenth word says more than the hundredth."""
    import numpy as np

    asked = shape.asking
    counts = [*(take(shape) for _, take in MEASURES), *(word in asked for word in _ASKING)]
    row: np.ndarray = np.log1p(np.array(counts, dtype=float))
    return row


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
