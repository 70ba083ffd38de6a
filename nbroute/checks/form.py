"""Reply -> Verdict: whether it is whole, JSON, in time, long enough, and no refusal or doubt.

The second article rejects answers under 20 characters, the third those under 50 from the lowest
tier to a prompt of over 30 words. Both reject "Paris", so here a short answer passes where a
short one was asked for.

For refusal and doubt the second article looks for six phrases anywhere. Here a phrase counts where
the answer says it of itself: in the first person, at the head of a clause, and neither quoted nor
reported nor in code. The phrases, in `languages/`, were tuned on the answers marked `tuned` in
`tests/data/answers_ok.jsonl` and `answers_unsure.jsonl`; those marked `held` were written, by the
same author, each time the phrases had been frozen. At first sight 53 of the 64 unsure ones were
found (recall .83) and 6 of the 75 good ones were mistaken for unsure (precision .90). The misses
were fixed afterwards; on other people's answers expect as much, or less.
"""

from __future__ import annotations

import re
from functools import cache

from nbroute.checks.text import held, listed, parse_json, patterns, spoken
from nbroute.types import Options, Reply, Verdict

SHORTEST = 20
#: On the lowest tier, for a prompt of more than `LONG_PROMPT` words.
SHORTEST_TO_LONG = 50
LONG_PROMPT = 30

_WIDE = re.compile(r"[぀-ヿ㐀-鿿가-힯]")
#: The options of a question, which `spoken` leaves out like any list.
_OPTIONS = re.compile(r"^[ \t]*\(?A[).:][ \t]+\S[^\n]*\n\s*\(?B[).:][ \t]", re.MULTILINE)
#: The kinds of short answer, in the order in which they are looked for.
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

    A Chinese, Japanese or Korean character counts as three. The length does not matter where
    the prompt asks for a short answer, JSON or a schema.
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
    return "a choice (A, B, ...)" if _OPTIONS.search(prompt) else None


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


# Refusal and doubt

_SENTENCE_END = re.compile(r"[.!?।。！？\n]")


@cache
def _phrases(key: str) -> tuple[re.Pattern[str], ...]:
    """The phrases of refusal or doubt where a clause begins, one pattern a language."""
    lead_in, clause = "|".join(listed("lead_in")), "|".join(listed("clause"))
    head = (
        rf"(?:(?:^|[.!?\n])[\s*_]{{0,8}}(?:{lead_in}) [^.,;:!?\n]{{0,50}}?\s"
        r"|^|[.!?…;:,(—–।，。！？；：、\n]"
        rf"|(?<!\w)(?:{clause})(?=[\s*_,]|我|这|這))[\s*_]{{0,8}}"
    )
    return tuple(re.compile(f"{head}(?P<phrase>{phrases})") for phrases in patterns(key))


@cache
def _around() -> dict[str, re.Pattern[str]]:
    """What shows, around a phrase or in the prompt, who says it: see `english.toml`."""
    keys = ("that", "admitted", "reported", "own_word", "sorry", "voice_verbs", "voice_texts")
    words = {key: f"(?:{'|'.join(listed(key))})" for key in keys}
    that = rf"{words['that']}[\s*_]*\Z"
    mentioned = "|".join(patterns("mentioned", after=r"(?!\w)"))
    a_text = rf"\b{words['voice_verbs']}\b[^.?!\n]{{0,60}}?\b{words['voice_texts']}\b"
    sought = {
        "that": rf"(?<!\w){that}",
        "admitted": rf"(?<!\w){words['admitted']}[\s*_]+{that}",
        "reported": rf"(?<!\w){words['reported']}(?:\s+\w+){{0,3}}\s*[,:：，]?[\s*_]*\Z",
        "own_word": rf"\b{words['own_word']}\b",
        "mentioned": rf"[\s*_]*(?:=|→|->|{mentioned})",
        "opening": rf"[\s*_]*{words['sorry']}?[^.!?\n]{{0,24}}[.!,]?(?: but| and)?[\s*_]*\Z",
        "task": "|".join(patterns("task", before=r"\b")),
        "other_voice": "|".join([*patterns("other_voice", r"\b", r"\b"), a_text]),
    }
    return {key: re.compile(pattern) for key, pattern in sought.items()}


def not_refused(reply: Reply, prompt: str) -> Verdict:
    """Fails an answer that refuses, or that the endpoint's filter has stopped."""
    if reply.finish_reason == "content_filter":
        return Verdict(False, "refusal", "stopped by the endpoint's content filter")
    return _verdict("refusal", reply.text, prompt)


def not_unsure(reply: Reply, prompt: str) -> Verdict:
    """Fails an answer that says it does not know or is not sure.

    Where the prompt asks for words in another voice (a story, a letter, a translation), it counts
    only where the answer begins with it and mentions the task; so it does in `not_refused`.
    """
    return _verdict("unsure", reply.text, prompt)


def _verdict(check: str, text: str, prompt: str) -> Verdict:
    """Fails where the model says one of the phrases in its own voice."""
    said = spoken(text)
    opening = _around()["other_voice"].search(spoken(prompt)) is not None
    places = (
        found.span("phrase")
        for pattern in _phrases(check)
        for found in pattern.finditer(said)
        if _meant(said, *found.span("phrase"), opening)
    )
    place = min(places, default=None)
    if place is None:
        return Verdict(True, check)
    return Verdict(False, check, f"says {text[slice(*place)]!r:.80} at character {place[0]}")


def _meant(said: str, start: int, end: int, opening: bool) -> bool:
    """Whether the phrase is what the answer itself says about its task."""
    around = _around()
    before = said[max(start - 80, 0) : start]
    if around["that"].search(before) and not around["admitted"].search(before):
        return False
    led_up = _SENTENCE_END.split(before)[-1]
    if around["reported"].search(led_up) and not around["own_word"].search(led_up):
        return False
    if around["mentioned"].match(said, end):
        return False
    if not opening:
        return True
    sentence = _SENTENCE_END.split(said[start : end + 80])[0]
    return bool(around["opening"].match(said, 0, start) and around["task"].search(sentence))
