"""The confidence that the model states, how it is removed from the answer, and the measured one.

The first article asks the cheap model to "also rate your confidence 1-10" and keeps an answer
that rates itself 8 or more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from nbroute.checks.text import held, languages, listed, small
from nbroute.types import Reply, Verdict

#: After the first article. A letter stands for the number: models would copy a figure.
RATING_INSTRUCTION = (
    "Also rate your confidence that the answer is right, from 1 to 10, "
    "on a last line of its own: Confidence: N"
)
#: The first article's threshold, of 1 to 10.
RATING = 8.0
#: From 0 to 1. With SmolLM2 (135M) and 50 questions of fact, of which it got 26 right, the measure
#: told right from wrong with an AUC of .74; all 11 answers at .8 or more were right, and 15 of the
#: 24 at .7 or more. Models differ: measure yours.
PROBABILITY = 0.8

#: No rating is longer than this, with the reason that some models add in brackets.
_LONGEST = 240
_MARKUP = r"[ \t*_#>(\[-]*"
_SENTENCE_END = r"""[.!?。！？]["'”’)*_\]」』]*"""
_WIDE_END = r"[。！？][」』”]*"
_BEGINNING = re.compile(rf"(?:^[ \t]*|{_SENTENCE_END}[ \t]+|{_WIDE_END})(?=\S)", re.MULTILINE)
_ENDED = re.compile(rf"(?P<wide>{_WIDE_END})\Z|{_SENTENCE_END}\Z")
_TOKEN = re.compile(r"[a-zà-ÿ]+|\d+|\S")
_POINTS = set("!。．！*_:=()（）[]：~≈～-–—/／.,%％分点")


def rated(reply: Reply, least: float) -> Verdict:
    """Fails an answer that its model rates lower, or does not rate."""
    if reply.rating is None:
        return Verdict(False, "rating", "no rating in the answer")
    reason = f"rates itself {reply.rating:g} of 10, wanted {least:g}"
    return held(reply.rating >= least, "rating", reason, reply.rating)


def likely(reply: Reply, least: float) -> Verdict:
    """Fails an answer whose tokens were less probable to the model that wrote it.

    The measure is the geometric mean of the tokens' probabilities, exp(mean log-probability).
    Where the endpoint gives none, the answer passes, and the verdict says so.
    """
    if reply.logprob is None or math.isnan(reply.logprob):
        return Verdict(True, "logprob", "the endpoint gives no log-probabilities")
    probability = math.exp(min(reply.logprob, 0.0))
    reason = f"its tokens had a mean probability of {probability:.2f}, wanted {least:g}"
    return held(probability >= least, "logprob", reason, probability)


def take_rating(text: str) -> tuple[str, float | None]:
    """The answer without the rating at its end, and the rating from 1 to 10.

    The rating is None where there is none, and where it is not from 1 to 10 (it is still
    removed then). "4/5" counts as 8 and "90%" as 9.
    """
    body = text.rstrip()
    for begin in _BEGINNING.finditer(body, body.rfind("\n") + 1):
        found = _rated(body[begin.end() :])
        if found:
            said = found["figure"]
            value = float(_wording().figures.get(said) or said.replace(",", "."))
            top = 100.0 if found["percent"] else float(found["top"] or 10)
            rating = value * 10 / top if top else 0.0
            return text[: begin.end()].rstrip(), rating if 1 <= rating <= 10 else None
    return text, None


class RatingFilter:
    """Removes the rating from an answer that comes in pieces.

    What it lets through and what `end` gives are together what `take_rating` makes of the
    whole. It holds back only white space and what may turn out to be the rating.
    """

    def __init__(self) -> None:
        self._before = ""
        self._held = ""

    def feed(self, piece: str) -> str:
        """The text that can be shown now."""
        self._held += piece
        seen = self._before + self._held
        begins = (begin.end() for begin in _BEGINNING.finditer(seen))
        held = next((place for place in begins if _may_be_rating(seen[place:])), len(seen))
        place = max(len(seen[:held].rstrip()) - len(self._before), 0)
        shown, self._held = self._held[:place], self._held[place:]
        if shown:
            ended = _ENDED.search(self._before + shown)
            self._before = "x" if not ended else "。" if ended["wide"] else "."
        return shown

    def end(self) -> tuple[str, float | None]:
        """The rest of the text, and the rating."""
        rest, rating = take_rating(self._before + self._held)
        self._held = ""
        return rest[len(self._before) :], rating


@dataclass(frozen=True, slots=True)
class _Wording:
    """How ratings are worded, in all languages; `between` may come before the figure's end."""

    leads: tuple[str, ...]
    figures: dict[str, int]
    between: frozenset[str]
    pattern: re.Pattern[str]


@cache
def _wording() -> _Wording:
    leads, words = listed("rating", "leads"), listed("rating", "words")
    to, out_of = listed("rating", "to"), listed("rating", "out_of")
    figures = {
        word: value
        for language in languages()
        for word, value in language.get("rating", {}).get("figures", {}).items()
    }
    one_to_ten = rf"(?:1|one)\s*(?:[-–—～~]|{_any(to)})\s*(?:10|ten)(?!\d)"
    gap = rf"(?:[\s*_:=()（）\[\]：~≈]|{one_to_ten}|(?<![a-z])(?:{_any(words)})(?![a-z]))*"
    pattern = re.compile(
        rf"{_MARKUP}(?:{_any(leads)})(?![a-z]){gap}"
        rf"(?P<figure>\d+(?:[.,]\d+)?|{_any(figures)})(?!\w*[a-z0-9]|\s*[-–]\s*\d)"
        rf"(?:\s*(?P<percent>[%％])|\s*(?:/|／|{_any(out_of)})\s*(?P<top>\d+)(?!\w))?"
        r"[\s.*_)\]!。．！分点）]*(?:(?:\(|（|\s[-–—]\s|[,;:—])[^\n]*)?"
    )
    between = {*words, *figures, *to, *" ".join(out_of).split()}
    signs = {char for word in between for char in word if char > "ÿ"}
    return _Wording(tuple(leads), figures, frozenset(between | signs | _POINTS), pattern)


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _rated(line: str) -> re.Match[str] | None:
    line = line.rstrip()
    return _wording().pattern.fullmatch(_fold(line)) if len(line) <= _LONGEST else None


def _fold(text: str) -> str:
    return small(text).replace("’", "'")


def _may_be_rating(text: str) -> bool:
    """Whether the text, with more to come, may be a rating and nothing else."""
    line, ended, after = text.partition("\n")
    if ended:
        return not after.strip() and _rated(line) is not None
    if len(line.rstrip()) > _LONGEST:
        return False
    said, known = re.sub(rf"^{_MARKUP}", "", _fold(line)), _wording()
    if _rated(line) or any(lead.startswith(said) for lead in known.leads):
        return True
    for rest in (said[len(lead) :] for lead in known.leads if said.startswith(lead)):
        # What comes after "Confidence" can still lead to a figure.
        *whole, last = _TOKEN.findall(rest) or [""]
        growing = last.isdigit() or any(word.startswith(last) for word in known.between)
        if growing and all(token in known.between or token.isdigit() for token in whole):
            return True
    return False
