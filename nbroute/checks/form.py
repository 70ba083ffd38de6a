"""Reply -> Verdict: whether it is whole, is JSON, came in time and is long enough for its prompt.

Under 20 characters is the second article's rule, under 50 from the lowest tier for a prompt of
over 30 words the third's. Both send "Paris" back; so here a short answer passes where a short
one was asked for.
"""

from __future__ import annotations

import re
from functools import cache

from nbroute.checks.text import held, listed, parse_json, spoken
from nbroute.types import Options, Reply, Verdict

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


def long_enough(reply: Reply, *, prompt: str, lowest: bool, options: Options) -> Verdict:
    """Fails an answer too short for its prompt, and always an empty one.

    A Chinese, Japanese or Korean character counts as three. Where the prompt asks for a short
    answer, JSON or a schema the length does not matter.
    """
    length = len(reply.text.strip()) + 2 * len(_WIDE.findall(reply.text))
    if not length:
        return Verdict(False, "length", "the answer is empty")
    words = len(prompt.split()) + len(_WIDE.findall(prompt)) // 2
    least = SHORTEST_TO_LONG if lowest and words > LONG_PROMPT else SHORTEST
    if length >= least:
        return Verdict(True, "length")
    form = "the schema" if options.schema is not None else "JSON" if options.json else None
    asked = form or asks_short(prompt)
    if asked:
        return Verdict(True, "length", f"{length} characters, where the prompt asks for {asked}")
    return Verdict(False, "length", f"{length} characters, wanted {least}")


def at_least(reply: Reply, characters: float) -> Verdict:
    """Fails an answer of fewer characters, whatever was asked for."""
    length = len(reply.text.strip())
    return held(length >= characters, "length", f"{length} characters, wanted {characters:.0f}")


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
    return held(reply.finish_reason != "length", "truncation", "cut off by the token budget")


def valid_json(reply: Reply) -> Verdict:
    """Fails an answer that `parse_json` cannot read."""
    try:
        parse_json(reply.text)
    except ValueError as error:
        feedback = f"The answer before could not be read as JSON: {error}."
        return Verdict(False, "json", str(error), feedback)
    return Verdict(True, "json")


def in_time(reply: Reply, target_ms: float) -> Verdict:
    """Fails an answer that took longer than the target, in milliseconds."""
    reason = f"took {reply.latency_ms:.0f} ms, the target is {target_ms:g} ms"
    return held(reply.latency_ms <= target_ms, "latency", reason)
