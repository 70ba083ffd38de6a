"""How hard a prompt is to the simulated models, and how sure they are of their answers.

Inventions for lessons: they measure nothing. A model whose `skill` is below the prompt's
difficulty is unsure, rates itself below 8 and gives its tokens lower probabilities.
"""

from __future__ import annotations

import math
import re

from nbroute.providers.simulated_words import draw, last
from nbroute.types import Request

_EASY = re.compile(
    r"(?:who|when|where|which|how (?:many|much|old|far|tall|long|big)|translate|spell|convert|"
    r"name the|what(?:'s| is| are| was| were| does| year| day| colou?r)|"
    r"(?:is|are|was|were|does|do|did|can|has|have))\b",
    re.IGNORECASE,
)
_EASY_WORDS = 14
_HARD = re.compile(
    r"\b(?:prov(?:e|ing)|proof|deriv(?:e|ation)|design|architect(?:ure)?|compar(?:e|ison)|"
    r"analy[sz](?:e|is)|evaluate|justify|trade-?offs?|research|plan|optimi[sz]e|strategy|"
    r"refactor|migrat(?:e|ion)|critically|synthesi[sz]e|audit|argue|implications?|rigorous(?:ly)?|"
    r"step by step|assumptions?|distributed|consensus|theorem|algorithm)\b",
    re.IGNORECASE,
)
_ASKS_FOR_RATING = re.compile(r"\brate\b|\bconfiden|\bhow sure\b", re.IGNORECASE)
_LONG_WORDS = 200
_LOOKED_AT_CHARS = 4000
_UNSURE_FROM = 0.15
_UNSURE_SHARE = 0.75


def prompt_of(request: Request) -> str:
    """Find the prompt: the last user message, less a closing paragraph that asks for a rating."""
    prompt = last(request, "user")
    if request.rated:
        head, _, closing = prompt.rpartition("\n\n")
        prompt = head if head and _ASKS_FOR_RATING.search(closing) else prompt
    return prompt.strip()


def is_easy(prompt: str) -> bool:
    """Say whether it is a short question for one fact."""
    return (
        len(prompt.split()) <= _EASY_WORDS
        and _EASY.match(prompt) is not None
        and not _HARD.search(prompt)
    )


def difficulty(prompt: str) -> float:
    """Grade the prompt from 0 to 1, by its words, its length and a little by its hash."""
    if is_easy(prompt):
        return 0.1 + 0.1 * draw("difficulty", prompt)
    length = 0.3 * math.sqrt(min(len(prompt.split()), _LONG_WORDS) / _LONG_WORDS)
    words = {match.lower() for match in _HARD.findall(prompt[:_LOOKED_AT_CHARS])}
    hard = 0.2 + 0.07 * min(len(words) - 1, 3) if words else 0
    return min(0.25 + length + hard + 0.1 * draw("difficulty", prompt), 0.95)


def rating(prompt: str, skill: float) -> int:
    """Rate from 1 to 10: 8 or more exactly where the skill is up to the prompt."""
    return min(max(8 + math.floor(8 * (skill - difficulty(prompt))), 1), 10)


def is_unsure(request: Request, skill: float) -> bool:
    """Say whether the model says that it does not know: most do on what is far above them."""
    prompt = prompt_of(request)
    gap = difficulty(prompt) - skill
    return gap > _UNSURE_FROM and draw("unsure", request.model, prompt) < _UNSURE_SHARE


def logprobs(request: Request, skill: float, tokens: list[str]) -> tuple[float, ...]:
    """Draw the tokens' log-probabilities; their mean falls as the prompt outgrows the skill."""
    prompt = prompt_of(request)
    sure = min(max(0.82 + 0.9 * (skill - difficulty(prompt)), 0.1), 0.99)
    seed = draw("logprobs", request.model, prompt)
    return tuple(2 * math.log(sure) * draw(seed, place) for place in range(len(tokens)))
