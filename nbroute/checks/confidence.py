"""The model's own word on how sure it is: how it is asked for, and how it is taken out again.

The first article asks the cheap model to "also rate your confidence 1-10" and keeps an answer
that rates itself 8 or more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from nbroute.types import Check, Reply, Verdict

#: After the first article. A letter stands for the number, as a figure would be copied.
RATING_INSTRUCTION = (
    "Also rate your confidence that the answer is right, from 1 to 10, "
    "on a last line of its own: Confidence: N"
)
#: No rating is longer than this, with the reason that some models add in brackets.
_LONGEST = 240
_LEADS = (
    "confidence", "my confidence", "overall confidence", "self-rated confidence",
    "self-rating", "i'd rate my confidence", "i would rate my confidence", "i rate my confidence",
    "i'd rate my answer", "i would rate my answer", "konfidenz", "zuversicht", "sicherheit",
    "meine sicherheit", "vertrauen", "confiance", "ma confiance", "niveau de confiance",
    "confianza", "mi confianza", "nivel de confianza", "fiducia", "livello di fiducia",
    "livello di confidenza", "confiança", "nível de confiança", "minha confiança", "vertrouwen",
    "zekerheid", "mijn zekerheid", "置信度", "信心", "我的信心", "自信度", "確信度", "信頼度",
    "आत्मविश्वास", "विश्वास",
)  # fmt: skip
_WORDS = (
    "level", "score", "rating", "rate", "is", "as", "at", "of", "in", "on", "a", "an", "the",
    "this", "that", "my", "answer", "response", "about", "around", "be", "from", "scale",
    "out", "to", "would", "i", "right", "correct", "being", "ist", "von", "bis", "auf", "einer",
    "skala", "est", "de", "une", "échelle", "es", "en", "sur", "una", "escala", "è", "su", "scala",
    "é", "em", "uma", "van", "op", "een", "schaal", "程度", "水平", "为", "為", "は", "स्तर",
)  # fmt: skip
_FIGURES: dict[str, int] = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7,
    "八": 8, "九": 9, "十": 10,
}  # fmt: skip


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_RANGE = r"(?:1|one)\s*(?:-|–|—|to|bis|à|al?|tot|～|~|到|至|से)\s*(?:10|ten)(?!\d)"
_GAP = rf"(?:[\s*_:=()（）\[\]：~≈]|{_RANGE}|(?<![a-z])(?:{_any(_WORDS)})(?![a-z]))*"
_MARKUP = r"[ \t*_#>(\[-]*"
_RATING = re.compile(
    rf"{_MARKUP}(?:{_any(_LEADS)})(?![a-z]){_GAP}"
    rf"(?P<figure>\d+(?:[.,]\d+)?|{_any(_FIGURES)})(?!\w*[a-z0-9]|\s*[-–]\s*\d)"
    r"(?:\s*(?P<percent>[%％])|\s*(?:/|／|out of|of|von|sur|de|su|van)\s*(?P<top>\d+)(?!\w))?"
    r"[\s.*_)\]!。．！分点）]*(?:(?:\(|（|\s[-–—]\s|[,;:—])[^\n]*)?"
)
_SENTENCE_END = r"""[.!?。！？]["'”’)*_\]」』]*"""
_WIDE_END = r"[。！？][」』”]*"
_BEGINNING = re.compile(rf"(?:^[ \t]*|{_SENTENCE_END}[ \t]+|{_WIDE_END})(?=\S)", re.MULTILINE)
_ENDED = re.compile(rf"(?P<wide>{_WIDE_END})\Z|{_SENTENCE_END}\Z")
_TOKEN = re.compile(r"[a-zà-ÿ]+|\d+|\S")
_BETWEEN = {
    *_WORDS,
    *_FIGURES,
    "bis",
    "à",
    "al",
    "tot",
    "到",
    "至",
    "से",
    "von",
    "van",
    "su",
    "分",
    "点",
}
_POINTS = {
    *"!。．！*_:=()（）[]：~≈～-–—/／.,%％",
    *(c for word in _BETWEEN for c in word if c > "ÿ"),
}


def take_rating(text: str) -> tuple[str, float | None]:
    """The answer without the rating at its end, and the rating from 1 to 10.

    The rating is None where there is none, or one that is not from 1 to 10 (which is taken
    out all the same). "4/5" counts as 8 and "90%" as 9.
    """
    body = text.rstrip()
    for begin in _BEGINNING.finditer(body, body.rfind("\n") + 1):
        found = _rated(body[begin.end() :])
        if found:
            return text[: begin.end()].rstrip(), _figure(found)
    return text, None


class RatingFilter:
    """Takes the rating out of an answer that comes in pieces.

    What it lets through and what `end` gives are together what `take_rating` makes of the
    whole. It holds back white space and what may yet turn out to be the rating, no more.
    """

    def __init__(self) -> None:
        self._before = ""
        self._held = ""

    def feed(self, piece: str) -> str:
        """The text that can be shown by now."""
        self._held += piece
        if not self._held or self._held.isspace():
            return ""
        place = self._safe()
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

    def _safe(self) -> int:
        """How much of what is held cannot be part of a rating at the end."""
        seen = self._before + self._held
        begins = (begin.end() for begin in _BEGINNING.finditer(seen))
        place = next((place for place in begins if _may_be_rating(seen[place:])), len(seen))
        return max(len(seen[:place].rstrip()) - len(self._before), 0)


def _rated(line: str) -> re.Match[str] | None:
    line = line.rstrip()
    return _RATING.fullmatch(_fold(line)) if len(line) <= _LONGEST else None


def _fold(text: str) -> str:
    small = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return small.replace("’", "'")


def _figure(found: re.Match[str]) -> float | None:
    said = found["figure"]
    value = float(_FIGURES[said] if said in _FIGURES else said.replace(",", "."))
    top = 100.0 if found["percent"] else float(found["top"] or 10)
    rating = value * 10 / top if top else 0.0
    return rating if 1 <= rating <= 10 else None


def _may_be_rating(text: str) -> bool:
    """Whether the text, with more to come, may be a rating and nothing else."""
    line, ended, after = text.partition("\n")
    if ended:
        return not after.strip() and _rated(line) is not None
    said = re.sub(rf"^{_MARKUP}", "", _fold(line))
    if len(line.rstrip()) > _LONGEST:
        return False
    if _rated(line) or any(lead.startswith(said) for lead in _LEADS):
        return True
    return any(_on_the_way(said[len(lead) :]) for lead in _LEADS if said.startswith(lead))


def _on_the_way(rest: str) -> bool:
    """Whether what comes after "Confidence" can still lead to a figure."""
    *whole, last = _TOKEN.findall(rest) or [""]
    growing = last.isdigit() or any(word.startswith(last) for word in (*_BETWEEN, *_POINTS))
    return growing and all(
        token in _BETWEEN or token in _POINTS or token.isdigit() for token in whole
    )


#: The first article's threshold, of 1 to 10.
RATING = 8.0
#: Of 0 to 1. With SmolLM2 (135M) and 50 questions of fact, 26 answered rightly, the measure told
#: right from wrong with an AUC of .74; the 11 answers at .8 or more were all right, and of the 24
#: at .7 or more 15. Models differ: measure yours.
PROBABILITY = 0.8


def rated(least: float = RATING) -> Check:
    """A check that fails an answer whose model rates it lower, or does not rate it."""

    def rated(reply: Reply) -> Verdict:
        if reply.rating is None:
            return Verdict(False, "rating", "no rating in the answer")
        reason = f"rates itself {reply.rating:g} of 10, wanted {least:g}"
        passed = reply.rating >= least
        return Verdict(passed, "rating", "" if passed else reason, score=reply.rating)

    return rated


def likely(least: float = PROBABILITY) -> Check:
    """A check that fails an answer whose tokens were less probable to the model that wrote it.

    Measured is the geometric mean of the tokens' probabilities, exp(mean log-probability).
    Where the endpoint gives none the answer passes, and the verdict says so.
    """

    def likely(reply: Reply) -> Verdict:
        if reply.logprob is None or math.isnan(reply.logprob):
            return Verdict(True, "logprob", "the endpoint gives no log-probabilities")
        probability = math.exp(min(reply.logprob, 0.0))
        passed = probability >= least
        reason = f"its tokens had a mean probability of {probability:.2f}, wanted {least:g}"
        return Verdict(passed, "logprob", "" if passed else reason, score=probability)

    return likely
