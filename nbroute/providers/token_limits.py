"""How many tokens a model reads and writes, from its endpoint's refusals or its list of models.

The words (`refusals.toml`) are those of OpenAI, Azure, Anthropic, Gemini, Groq, Mistral, DeepSeek,
Qwen, Moonshot, OpenRouter, Ollama, vLLM, SGLang, TGI and llama.cpp as their users report them; the
tests name where.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbroute.decoding import packaged
from nbroute.providers.served import entries

_WORDS = packaged("nbroute.providers", "refusals.toml")["limits"]
_ABOUT_SIZE, _OF_BUDGET, _MOST, _BELOW, _OTHER_NUMBERS = (
    re.compile("".join(_WORDS[name]), re.IGNORECASE)
    for name in ("about_size", "of_budget", "most", "below", "other_numbers")
)


@dataclass(frozen=True)
class Limits:
    """What we know of a model: its longest answer, and its window for prompt and answer.

    `beyond` is how many more tokens than we did the endpoint counted in a prompt.
    """

    most: int | None = None
    window: int | None = None
    beyond: int = 0

    def budget(self, asked: int, given: int) -> int:
        """How many of the `asked` tokens fit after a prompt of `given` tokens."""
        budget = min(asked, self.most or asked)
        room = self.window - given - self.beyond if self.window else budget
        # Where we see no room, the endpoint may still see some.
        return min(budget, room) if room > 0 else budget


def learnt_from(words: str, limits: Limits, budget: int, given: int) -> Limits | None:
    """The limits, updated from a refusal; None where no smaller budget would help.

    `budget` is what was asked for, `given` our count of the prompt's tokens.
    """
    words = re.sub(r"(?<=\d)[,_](?=\d{3}\b)", "", _OTHER_NUMBERS.sub("", words))
    if not (_ABOUT_SIZE.search(words) and _OF_BUDGET.search(words)):
        return None
    window = _first(_WORDS["windows"], words)
    if window is not None:
        prompt = _prompt_in(words, window, budget, given)
        beyond = given // 8 + 16 if prompt is None else prompt - given
        if prompt is not None and "at least" in words:  # vLLM stops counting once it is too much
            beyond = max(beyond, given // 8 + 16)
        found = replace(limits, window=window, beyond=beyond)
    else:
        most = _MOST.search(re.sub(rf"\b(?:0|1|{budget})\b", "", words))
        if most is None:
            return None
        below = _BELOW.search(most[0][: -len(most[1])])
        exclusive = most.string[most.end() :].startswith(" (exclusive)")
        found = replace(limits, most=int(most[1]) - bool(below or exclusive))
    return found if found.budget(budget, given) < budget else None


def lacks_numbers(words: str) -> bool:
    """Whether a refusal says that prompt and budget are too long together, but not the limit."""
    about = re.search(r"(?:messages|prompt|input)\b.{0,20}\bor\b.{0,20}completion", words)
    return bool(about) and _first(_WORDS["windows"], words) is None


def listed_in(page: Any, model: str) -> Limits | None:
    """The model's limits in a list of models; None if there are none."""
    for row in entries(page):
        if row.get("id") == model:
            inner = [row, row.get("meta"), row.get("top_provider")]
            parts = [one for one in inner if isinstance(one, Mapping)]
            counts = [
                [part[name] for name in names for part in parts if type(part.get(name)) is int]
                for names in (_WORDS["most_fields"], _WORDS["window_fields"])
            ]
            most, window = (next(filter(lambda n: n > 0, found), None) for found in counts)
            return Limits(most, window) if window or most else None
    return None


def _prompt_in(words: str, window: int, budget: int, given: int) -> int | None:
    """The endpoint's count of the prompt."""
    told = _first(_WORDS["prompts"], words)
    if told is not None:
        return told
    numbers = {int(n) for n in re.findall(r"(?<![\w.-])\d{1,8}(?![\w-])", words)}
    numbers -= {0, 1, budget, window}
    both = [total - budget for total in numbers if total - budget in numbers]
    if both or not numbers:
        return both[0] if both else None
    most = max(numbers)
    # It may be the prompt alone or with the budget.
    return min(most, most - budget, key=lambda n: abs(n - given)) if most > window else most


def _first(patterns: list[str], words: str) -> int | None:
    found = (re.search(pattern, words, re.IGNORECASE | re.DOTALL) for pattern in patterns)
    return next((int(one[1]) for one in found if one), None)
