"""The rules of three published articles, kept as they are for comparison and for teaching.

Their quirks are kept too: they match substrings ("error" in "terror", "count" in "country",
"format" in "information"), know only English, and mistake length for difficulty. On the
benchmarks that come with RouteLLM they route about as well as tossing a coin.

The confidences are priors, not measurements: 0.9 where the second article calls its own
patterns "high-confidence", 0.7 where a substring or a length decided, 0.5 where nothing
matched and the article's default was taken.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from nbroute.classify.wording import counted, found_in
from nbroute.types import Classifier, Decision, Ladder, Signal

PATTERN, LOOSE, NOTHING = 0.9, 0.7, 0.5

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


#: The article's tier, how sure it is, why, and the signals for it.
_Finding = tuple[str, float, str, tuple[Signal, ...]]


@dataclass(frozen=True, slots=True)
class _Phrases:
    """Phrases that speak for one tier; `weight` is positive for a more expensive one."""

    name: str
    weight: float
    patterns: tuple[re.Pattern[str], ...]

    def find(self, prompt: str, text: str) -> tuple[Signal, ...]:
        """The first place of each phrase; `text` is the prompt or its lower-case version."""
        signals = []
        for pattern in self.patterns:
            match = pattern.search(text)
            if match:
                start = _origin(prompt, text, match.start())
                end = _origin(prompt, text, match.end() - 1) + 1
                signals.append(Signal(self.name, prompt[start:end], start, end, self.weight))
        return tuple(signals)


def _substrings(name: str, weight: float, *phrases: str) -> _Phrases:
    return _Phrases(name, weight, tuple(re.compile(re.escape(p)) for p in phrases))


def _words(name: str, weight: float, *phrases: str) -> _Phrases:
    # The literal comes first so that `re` can jump to it; `\b` first is 15 times as slow.
    literals = [re.escape(phrase) for phrase in phrases]
    return _Phrases(name, weight, tuple(re.compile(rf"{p}\b(?<=\b{p})") for p in literals))


def _origin(prompt: str, lowered: str, place: int) -> int:
    """The place in the prompt of a place in its lower-case version, which "İ" makes longer."""
    if len(prompt) == len(lowered):
        return place
    return bisect_right(list(accumulate(len(char.lower()) for char in prompt[: place + 1])), place)


def _size(number: int, noun: str, weight: float) -> Signal:
    return Signal(f"{noun}s", counted(number, noun), weight=weight)


class _ArticleRules(ABC):
    name: str
    tiers: tuple[str, ...]

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The article's tier, or the one at the same relative height here, the cheaper of two."""
        tier, confidence, why, signals = self._judge(prompt)
        if tier not in ladder.names:
            height = self.tiers.index(tier) * (len(ladder.tiers) - 1) / (len(self.tiers) - 1)
            here = ladder.names[math.ceil(height - 0.5)]
            tier, why = here, f"{why}; {tier} is {here} on this ladder"
        return Decision(tier, self.name, why, confidence, signals)

    @abstractmethod
    def _judge(self, prompt: str) -> _Finding: ...


class TwoTierRules(_ArticleRules):
    """Cheap or expensive, by 200 characters, marks of code and seven words.

    The article's function takes a query and a separate context. Here the whole prompt is the
    query, and what comes before its last paragraph is the context as well, so that the rule on
    long context can apply. As in the article, a short prompt with the word "debug" is still
    cheap. Lengths are in UTF-16 units, as in its TypeScript: an emoji counts as two.
    """

    name = "rules:two-tier"
    tiers = ("cheap", "expensive")
    short, long_context = 200, 8000
    marks = _substrings("code mark", 1.0, "```", "def ", "function ")
    keywords = _substrings(
        "code keyword",
        1.0,
        *("debug", "refactor", "implement", "algorithm", "function", "class", "error"),
    )

    def _judge(self, prompt: str) -> _Finding:
        length = _utf16_units(prompt)
        marks = self.marks.find(prompt, prompt)
        if length < self.short and not marks:
            size = _size(length, "character", -1.0)
            return "cheap", LOOSE, f"{size.text}, no code", (size,)
        code = marks + self.keywords.find(prompt, prompt.lower())
        if code:
            return "expensive", LOOSE, found_in(prompt, code), code
        breaks = [match.start() for match in _BLANK_LINE.finditer(prompt.rstrip())]
        context = _utf16_units(prompt[: breaks[-1]] if breaks else "")
        if context > self.long_context:
            size = _size(context, "context character", 1.0)
            return "expensive", LOOSE, size.text, (size,)
        size = _size(length, "character", 0.0)
        return "cheap", NOTHING, f"{size.text}, no code", (size,)


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class FourTierRules(_ArticleRules):
    """SIMPLE to FRONTIER, by two sets of phrases and by 15 and 200 words; else MEDIUM.

    Phrases match as whole words. FRONTIER is looked for first.
    """

    name = "rules:four-tier"
    tiers = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
    few, many = 15, 200
    simple = _words(
        "simple phrase",
        -1.0,
        *("what is", "what are", "who is", "when did", "yes or no", "true or false"),
        *("define", "meaning of", "how do you spell"),
    )
    frontier = _words(
        "frontier phrase",
        1.0,
        *("research", "synthesise", "autonomous", "multi-step", "write a comprehensive"),
        *("analyze the entire", "compare all", "explain in depth"),
    )

    def _judge(self, prompt: str) -> _Finding:
        lowered = prompt.lower()
        frontier = self.frontier.find(prompt, lowered)
        if frontier:
            return "FRONTIER", PATTERN, found_in(prompt, frontier), frontier
        words, simple = len(prompt.split()), self.simple.find(prompt, lowered)
        size = _size(words, "word", 1.0 if words > self.many else -1.0 if words < self.few else 0.0)
        if words > self.many:
            return "COMPLEX", LOOSE, size.text, (size,)
        said = f"{found_in(prompt, simple)}, {size.text}" if simple else size.text
        if simple and words < self.few:
            return "SIMPLE", PATTERN, said, (*simple, size)
        return "MEDIUM", NOTHING, said, (*simple, size)


class ThreeTierRules(_ArticleRules):
    """Power, fast or mid, by two lists of substrings and by 500 words; else mid.

    The power list is looked for first. The article also has a step at 100 words, with mid on
    both sides of it, so it is left out here.
    """

    name = "rules:three-tier"
    tiers = ("fast", "mid", "power")
    many = 500
    power = _substrings(
        "power signal",
        1.0,
        *("architect", "refactor entire", "security audit", "design system"),
        *("optimize algorithm", "review this codebase", "migration plan"),
    )
    fast = _substrings(
        "fast signal",
        -1.0,
        *("format", "convert", "rename", "simple", "list", "count"),
        *("translate this", "fix typo", "add comment", "what is"),
    )

    def _judge(self, prompt: str) -> _Finding:
        lowered = prompt.lower()
        for tier, phrases in (("power", self.power), ("fast", self.fast)):
            signals = phrases.find(prompt, lowered)
            if signals:
                return tier, LOOSE, found_in(prompt, signals), signals
        words = len(prompt.split())
        if words > self.many:
            size = _size(words, "word", 1.0)
            return "power", LOOSE, size.text, (size,)
        size = _size(words, "word", 0.0)
        return "mid", NOTHING, size.text, (size,)


ARTICLES: dict[str, Classifier] = {
    rules.name: rules for rules in (TwoTierRules(), ThreeTierRules(), FourTierRules())
}
