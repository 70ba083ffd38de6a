"""Prompt and answer -> how likely the answer is to be bad, according to the user's labels.

Logistic regression on the words of the prompt, the words of the answer (the hashing trick:
Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning") and a few measures of
both. `nbroute.evaluate.check_training` fits it, and says whether it is worth switching on.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from zlib import crc32

from nbroute.checks.form import not_refused, not_unsure
from nbroute.checks.values import final_value
from nbroute.types import Reply, Usage, Verdict

if TYPE_CHECKING:
    import numpy as np

#: Places that words are hashed to; those of the answer come after those of the prompt.
PLACES = 1_024
#: The characters at each end of a text in which words and marks are looked for.
ENDS = 1_200
#: What the columns before the words measure.
MEASURES = (
    *("length", "prompt's length", "value", "value's length", "repeats", "ends"),
    *("digits", "words of the prompt", "new words", "unsure", "refused", "probability"),
)
#: A measure counts as at most this many standard deviations from the mean.
_FURTHEST = 3.0

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W\d_{_CJK}]+|\d+|[^\w\s]")
_ENDED = re.compile(r"[.!?)\]}`$*\"'”’。！？」]\s*\Z|\A\W*\w{1,20}\W*\Z")


def ends_of(text: str) -> str:
    """The text, or what is at both ends of a long one."""
    return text if len(text) <= 2 * ENDS else f"{text[:ENDS]} {text[-ENDS:]}"


def words(text: str) -> np.ndarray:
    """The weight of its words and signs in each of PLACES, together of length 1."""
    import numpy as np

    found = Counter(
        crc32(word.encode("utf-8", "surrogatepass")) % PLACES
        for word in _WORD.findall(ends_of(text).lower())
    )
    row = np.zeros(PLACES)
    row[[*found]] = 1 + np.log([*found.values()])
    weights: np.ndarray = row / (np.sqrt(row @ row) or 1.0)
    return weights


def measured(prompt: str, answer: str, logprob: float | None = None) -> list[float]:
    """One value for each of MEASURES, NaN where it is not known.

    Lengths are logarithms, so that a linear model sees their ratios.
    """
    seen, value = ends_of(answer), final_value(answer)
    asked, said = (set(_WORD.findall(ends_of(text).lower())) for text in (prompt, answer))
    spoken = seen.split()
    runs = list(zip(spoken, spoken[1:], spoken[2:], spoken[3:], strict=False))
    reply = Reply(seen, "", Usage(), None, 0.0, None)
    return [
        math.log1p(len(answer)),
        math.log1p(len(prompt)),
        value is not None,
        math.log1p(len(value or "")),
        1 - len(set(runs)) / max(len(runs), 1),
        _ENDED.search(answer[-ENDS:]) is not None,
        sum(map(str.isdigit, seen)) / max(len(seen), 1),
        len(asked & said) / max(len(asked), 1),
        len(said - asked) / max(len(said), 1),
        not not_unsure(reply, ends_of(prompt)).passed,
        not not_refused(reply, ends_of(prompt)).passed,
        math.exp(min(logprob, 0.0)) if logprob is not None else math.nan,
    ]


def columns(
    prompts: Sequence[str],
    answers: Sequence[str],
    measures: np.ndarray,
    centre: np.ndarray,
    spread: np.ndarray,
) -> np.ndarray:
    """A row per answer: its `measured` in standard deviations, then the words of both texts.

    What is not known counts as the mean.
    """
    import numpy as np

    moved = np.clip((measures - centre) / spread, -_FURTHEST, _FURTHEST) / len(MEASURES) ** 0.5
    moved[np.isnan(moved)] = 0.0
    both = [[words(text) for text in texts] for texts in (prompts, answers)]
    return np.hstack([moved, *both])


@dataclass(frozen=True, eq=False)
class LearnedCheck:
    """A check fitted on labels: fails an answer that is too likely to be bad.

    `centre` and `spread` are those of the measures; `weights` (measures, words of the prompt,
    words of the answer) and `bias` make the calibrated log-odds of a bad answer. `threshold` is
    the chance from which the answer fails, `labels` the number of rows it learnt from, and `bad`
    what they call an answer that is not good.
    """

    centre: np.ndarray = field(repr=False)
    spread: np.ndarray = field(repr=False)
    weights: np.ndarray = field(repr=False)
    bias: float
    threshold: float
    labels: int
    bad: Literal["wrong", "the worse of two"] = "wrong"
    prompt: str = field(default="", repr=False)

    @property
    def __name__(self) -> str:
        """What the verdict and the card call it."""
        return "learned"

    @property
    def reads_logprob(self) -> bool:
        """Whether it learnt from log-probabilities, so that answers should come with them."""
        return bool(self.weights[MEASURES.index("probability")])

    def chance(self, prompt: str, answer: str, logprob: float | None = None) -> float:
        """How likely (0 to 1) the answer is to be bad; `logprob` is as in `Reply`."""
        import numpy as np

        measures = np.array([measured(prompt, answer, logprob)], dtype=float)
        row = columns([prompt], [answer], measures, self.centre, self.spread)[0]
        odds = self.bias + float(row @ self.weights)
        return 1 / (1 + math.exp(-max(min(odds, 60.0), -60.0)))

    def __call__(self, reply: Reply) -> Verdict:
        """Its verdict on the answer to `prompt`."""
        chance = self.chance(self.prompt, reply.text, reply.logprob)
        told = f"{min(chance, 0.99):.0%} likely to be {self.bad}, by your {self.labels:,} labels"
        return Verdict(chance < self.threshold, "learned", told, score=1 - chance)
