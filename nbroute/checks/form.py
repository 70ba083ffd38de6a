"""Reply -> Verdict: whether it is whole, is JSON, came in time and is long enough for its prompt.

Under 20 characters is the second article's rule, under 50 from the lowest tier for a prompt of
over 30 words the third's. Both send "Paris" back; so here a short answer passes where a short
one was asked for.
"""

from __future__ import annotations

import re
from functools import cache

from nbroute.checks.text import Situation, listed, parse_json, spoken
from nbroute.types import Check, Reply, Verdict

SHORTEST = 20
#: On the lowest tier, for a prompt of more than `LONG_PROMPT` words.
SHORTEST_TO_LONG = 50
LONG_PROMPT = 30

_WIDE = re.compile(r"[぀-ヿ㐀-鿿가-힯]")
#: What short answers are asked for, in the order in which they are looked for.
_KINDS = (
    "one word",
    "yes or no",
    "a number",
    "one label",
    "a choice",
    "a fact",
    "yes or no, as a question",
    "a word to translate or correct",
    "an echo",
)


def long_enough(situation: Situation) -> Check:
    """A check that fails an answer too short for its prompt, and always an empty one.

    A Chinese, Japanese or Korean character counts as three. Where the prompt asks for a short
    answer, JSON or a schema the length does not matter.
    """
    prompt, options = situation.prompt, situation.options
    words = len(prompt.split()) + len(_WIDE.findall(prompt)) // 2
    least = SHORTEST_TO_LONG if situation.lowest and words > LONG_PROMPT else SHORTEST
    if options.schema is not None:
        asked: str | None = "the schema"
    else:
        asked = "JSON" if options.json else asks_short(prompt)

    def long_enough(reply: Reply) -> Verdict:
        length = len(reply.text.strip()) + 2 * len(_WIDE.findall(reply.text))
        if not length:
            return Verdict(False, "length", "the answer is empty")
        if length >= least:
            return Verdict(True, "length")
        if asked:
            reason = f"{length} characters, where the prompt asks for {asked}"
            return Verdict(True, "length", reason)
        return Verdict(False, "length", f"{length} characters, wanted {least}")

    return long_enough


def at_least(characters: int) -> Check:
    """A check that fails an answer of fewer characters, whatever was asked for."""

    def long_enough(reply: Reply) -> Verdict:
        length = len(reply.text.strip())
        short = length < characters
        reason = f"{length} characters, wanted {characters}" if short else ""
        return Verdict(not short, "length", reason)

    return long_enough


def asks_short(prompt: str) -> str | None:
    """What kind of short answer the prompt asks for, with the words that say so."""
    said = spoken(prompt)
    for kind, pattern in _short_answers().items():
        found = pattern.search(said)
        if found:
            return f"{kind} ({' '.join(prompt[slice(*found.span())].split())!r:.60})"
    return None


@cache
def _short_answers() -> dict[str, re.Pattern[str]]:
    return {
        kind: re.compile("|".join(listed("short_answer", kind)), re.MULTILINE | re.DOTALL)
        for kind in _KINDS
    }


def not_truncated(reply: Reply) -> Verdict:
    """Fails an answer that ended because the token budget was used up."""
    cut = reply.finish_reason == "length"
    return Verdict(not cut, "truncation", "cut off by the token budget" if cut else "")


def valid_json(reply: Reply) -> Verdict:
    """Fails an answer that `parse_json` cannot read."""
    try:
        parse_json(reply.text)
    except ValueError as error:
        feedback = f"The answer before could not be read as JSON: {error}."
        return Verdict(False, "json", str(error), feedback)
    return Verdict(True, "json")


def in_time(target_ms: float) -> Check:
    """A check that fails an answer that took longer than the target, in milliseconds."""

    def in_time(reply: Reply) -> Verdict:
        late = reply.latency_ms > target_ms
        reason = f"took {reply.latency_ms:.0f} ms, the target is {target_ms:g} ms" if late else ""
        return Verdict(not late, "latency", reason)

    return in_time
