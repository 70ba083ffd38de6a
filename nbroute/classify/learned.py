"""The classifiers that `router.fit` makes; `nbroute.evaluate.model_file` saves them.

From tiers as labels it makes a `LearnedTiers`: the shipped classifier with other weights. From
the scores of two models it makes a `LearnedClassifier`, after the first article: a ridge
regression on words, pairs of words, the prompt's shape and, if wanted, static vectors. Trees
stacked on top gained nothing on unseen subjects (RouteLLM's MMLU outcomes), and a sum can be
explained in a reason.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from nbroute.classify.examples import unit_vectors
from nbroute.classify.ngrams import NgramClassifier, Weights
from nbroute.classify.wording import counted
from nbroute.errors import SettingsError
from nbroute.types import Decision, Embedder, Ladder, Signal

if TYPE_CHECKING:
    import numpy as np


_CJK = r"\u3040-\u30ff\u3400-\u9fff"
#: The characters at each end of a prompt in which words are looked for.
ENDS = 20_000
#: At least two letters, or one sign of a script without spaces.
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]{{2,}}")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SENTENCE_END = re.compile(r"[.!?。？！](?=\s|$)|[。？！]")
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
    """One or two neighbouring words in lower case, and where they are in the prompt."""

    text: str
    start: int
    end: int


def grams(prompt: str) -> Iterator[Gram]:
    """Every word, each followed by the pair that it ends; only head and tail of a huge prompt."""
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


class Shape:
    """The measures of a prompt that name none of its words."""

    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        #: What is between white space, in lower case.
        self.words = prompt.lower().split()
        self.counted = Counter(self.words)
        #: The length of each line.
        self.lines = [len(line) for line in prompt.split("\n")]
        self.numbers: list[str] = _NUMBER.findall(prompt)
        self.sentences = max(len(_SENTENCE_END.findall(prompt)), 1)
        self.characters = Counter(prompt)
        #: Which of the words that shape a question occur.
        self.asking = [word for word in _ASKING if word in self.counted]
        #: Letters per word.
        self.mean_word = sum(map(len, self.words)) / max(len(self.words), 1)

    def marks(self, wanted: str) -> int:
        """How often any of those characters occurs."""
        return sum(self.characters[mark] for mark in wanted)

    def share(self, kind: Callable[[str], bool]) -> float:
        """The share of the characters that are of that kind."""
        of_kind = sum(count for mark, count in self.characters.items() if kind(mark))
        return of_kind / max(len(self.prompt), 1)

    def among(self, wanted: tuple[str, ...]) -> int:
        """How many of the words are in that list."""
        return sum(self.counted[word] for word in wanted)

    def largest(self) -> float:
        """The largest number, without those of more than 12 characters."""
        return max((float(number) for number in self.numbers if len(number) <= 12), default=0.0)


#: The measures: the family that a reason names, and how each is taken.
MEASURES: tuple[tuple[str, Callable[[Shape], float]], ...] = (
    ("length", lambda s: len(s.words)),
    ("length", lambda s: len(s.lines)),
    ("length", lambda s: s.lines[0]),
    ("length", lambda s: s.sentences),
    ("length", lambda s: len(s.words) / s.sentences),
    ("numbers", lambda s: len(s.numbers)),
    ("numbers", lambda s: s.share(str.isdigit)),
    ("numbers", lambda s: s.largest()),
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
#: How a reason describes a family.
TOLD: Mapping[str, Callable[[Shape], str]] = {
    "length": lambda s: counted(len(s.words), "word"),
    "numbers": lambda s: counted(len(s.numbers), "number"),
    "marks": lambda s: counted(s.marks(_MARKS), "punctuation mark"),
    "wording": lambda s: f"{s.mean_word:.1f} letters per word",
    "question": lambda s: f"asks with {', '.join(map(repr, s.asking)) or 'no usual word'}",
    "conditions": lambda s: counted(s.among(_NEGATIONS + _CONDITIONS), "condition"),
}


def measure(shape: Shape) -> np.ndarray:
    """One row: logarithms of counts, since the tenth word says more than the hundredth."""
    import numpy as np

    asked = [word in shape.counted for word in _ASKING]
    counts = [*(take(shape) for _, take in MEASURES), *asked]
    row: np.ndarray = np.log1p(np.array(counts, dtype=float))
    return row


#: How much the terms of a prompt count together, and its vector, besides its shape.
TERMS_PART, VECTOR_PART = 0.7, 0.7
#: A measure counts as at most this many standard deviations from the mean.
FURTHEST = 3.0


@dataclass(frozen=True, eq=False)
class Reading:
    """What is learnt from the training prompts before looking at any label.

    `centre` and `spread` are those of the measures, `middle` is the mean of the unit vectors
    (None without an embedder).
    """

    vocabulary: Vocabulary
    centre: np.ndarray
    spread: np.ndarray
    middle: np.ndarray | None = None

    def scaled(self, measures: np.ndarray) -> np.ndarray:
        """The measures in standard deviations from the training prompts' mean."""
        import numpy as np

        moved = (measures - self.centre) / self.spread
        row: np.ndarray = np.clip(moved, -FURTHEST, FURTHEST) / len(FAMILIES) ** 0.5
        return row

    def terms(self, counts: Mapping[str, int]) -> dict[int, float]:
        """Place in the vocabulary -> weight."""
        return {place: TERMS_PART * w for place, w in self.vocabulary.weigh(counts).items()}

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """Rows of length 1, relative to the training prompts' mean."""
        moved: np.ndarray = VECTOR_PART * (rows - self.middle)
        return moved


@dataclass(frozen=True, eq=False)
class Scale:
    """What a score means: a level for each interval between `cuts`, and how likely it is.

    The chance of a level above the k-th is the logistic of `slope` times the score plus
    `intercepts[k]` (proportional odds: McCullagh 1980, "Regression models for ordinal data").
    """

    cuts: np.ndarray
    slope: float
    intercepts: np.ndarray

    def level(self, score: float) -> int:
        """The place of the level, 0 for the cheapest."""
        return int((self.cuts <= score).sum())

    def chances(self, score: float) -> np.ndarray:
        """The chance of each level."""
        import numpy as np

        logits = np.clip(self.slope * score + self.intercepts, -60, 60)
        above = 1 / (1 + np.exp(-logits))
        return -np.diff(above, prepend=1.0, append=0.0)


@dataclass(frozen=True, eq=False)
class Model:
    """All that fitting found. `tiers` are the ladder's, `levels` those that can be chosen."""

    tiers: tuple[str, ...]
    levels: tuple[str, ...]
    reading: Reading
    weights: np.ndarray
    bias: float
    scale: Scale
    embedder: str | None = None


@dataclass(frozen=True)
class _Said:
    """The parts of one prompt's score."""

    shape: Shape
    grams: list[Gram]
    measures: np.ndarray
    terms: dict[int, float]
    vector: float

    @property
    def total(self) -> float:
        return float(self.measures.sum()) + sum(self.terms.values()) + self.vector


class LearnedTiers(NgramClassifier):
    """The shipped classifier, moved by labelled prompts; only for a ladder of those `tiers`."""

    name = "learned"

    def __init__(self, weights: Weights, tiers: tuple[str, ...]) -> None:
        super().__init__(weights, tiers)
        self.weights, self.tiers = weights, tiers

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The likeliest tier; SettingsError on a ladder with other tiers."""
        _same_tiers(self.tiers, ladder)
        return super().classify(prompt, ladder)


@dataclass(eq=False)
class LearnedClassifier:
    """Picks one of two models by their scores: with numpy alone, no call, always the same tier.

    `embedder` must be the one that it was trained with, else it raises SettingsError; where it
    was trained without one, none is used. The confidence is the chance, cross-validated in
    training, that the tier is right. Trained on the scores of a weak and a strong model, that
    is how likely the strong one is to do better (for the top tier) or not to.
    """

    model: Model
    embedder: Embedder | None = None
    name = "learned"

    def __post_init__(self) -> None:
        trained = self.model.embedder
        given = None if self.embedder is None else self.embedder.name
        if trained is not None and given != trained:
            raise SettingsError(
                f"the learned classifier was trained with the embedder {trained!r} and is "
                f"given {given!r}; give it the same, or fit it again."
            )

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The tier at the prompt's score; SettingsError on a ladder with other tiers."""
        _same_tiers(self.model.tiers, ladder)
        said = self._read(prompt)
        score = self.model.bias + said.total
        level = self.model.scale.level(score)
        confidence = round(float(self.model.scale.chances(score)[level]), 3)
        signals = self._signals(said)
        tier = self.model.levels[level]
        sides = (
            ("towards a more expensive tier", [_told(s) for s in signals if s.weight > 0]),
            ("towards a cheaper one", [_told(s) for s in signals if s.weight < 0]),
        )
        why = [
            f"{side}: {', '.join(list(dict.fromkeys(told))[:3])}" for side, told in sides if told
        ]
        reason = "; ".join(why) or "nothing in it points to any tier"
        return Decision(tier, self.name, reason, confidence, signals)

    def score(self, prompt: str) -> float:
        """How expensive a tier the prompt needs; only the order of two scores means anything."""
        return self.model.bias + self._read(prompt).total

    def _read(self, prompt: str) -> _Said:
        weights, reading = self.model.weights, self.model.reading
        shape, found, first = Shape(prompt), list(grams(prompt)), len(FAMILIES)
        counts = Counter(gram.text for gram in found)
        terms = {p: float(weights[first + p]) * w for p, w in reading.terms(counts).items()}
        vector = 0.0
        if self.embedder is not None and reading.middle is not None:
            vectors, expected = embedded(self.embedder, [prompt]), len(reading.middle)
            if vectors.shape[1] != expected:
                raise SettingsError(
                    f"the embedder {self.embedder.name!r} gives vectors of {vectors.shape[1]} "
                    f"numbers, and the learned classifier was trained with {expected}; fit it "
                    "again."
                )
            rest = weights[first + len(reading.vocabulary.places) :]
            vector = float(reading.vectors(vectors)[0] @ rest)
        return _Said(shape, found, reading.scaled(measure(shape)) * weights[:first], terms, vector)

    def _signals(self, said: _Said) -> tuple[Signal, ...]:
        """The strongest first."""
        found = []
        for family, tell in TOLD.items():
            of_family = zip(FAMILIES, said.measures, strict=True)
            weight = sum(w for name, w in of_family if name == family)
            found.append(Signal(family, tell(said.shape), weight=round(float(weight), 4)))
        first = {gram.text: gram for gram in reversed(said.grams)}
        for text, gram in first.items():
            weight = said.terms.get(self.model.reading.vocabulary.places.get(text, -1), 0.0)
            if weight:
                quoted = said.shape.prompt[gram.start : gram.end]
                found.append(Signal("words", quoted, gram.start, gram.end, round(weight, 4)))
        if said.vector:
            found.append(Signal("meaning", "its meaning", weight=round(said.vector, 4)))
        return tuple(sorted(found, key=lambda signal: -abs(signal.weight))[:8])


def embedded(embedder: Embedder, prompts: Sequence[str]) -> np.ndarray:
    """The prompts' vectors, of length 1; SettingsError where they are not vectors."""
    return unit_vectors(lambda texts: (embedder.embed(texts).vectors, ()), prompts)[0]


def _same_tiers(tiers: tuple[str, ...], ladder: Ladder) -> None:
    if ladder.names != tiers:
        raise SettingsError(
            f"the learned classifier was trained for the tiers {_listed(tiers)}, "
            f"and ladder {ladder.name!r} has {_listed(ladder.names)}; fit it again."
        )


def _told(signal: Signal) -> str:
    told = " ".join(signal.text.split())
    return told if signal.start is None else f'"{told}"'


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
