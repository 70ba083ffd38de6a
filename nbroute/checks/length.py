"""Reply -> Verdict: whether the answer is too short for its prompt.

Under 20 characters is the second article's rule, under 50 from the lowest tier for a prompt of
over 30 words the third's. Both send "Paris" back; so here a short answer passes where a short
one was asked for.
"""

from __future__ import annotations

import re

from nbroute.checks.text import Situation, spoken
from nbroute.types import Check, Reply, Verdict

SHORTEST = 20
#: On the lowest tier, for a prompt of more than `LONG_PROMPT` words.
SHORTEST_TO_LONG = 50
LONG_PROMPT = 30

_WIDE = re.compile(r"[぀-ヿ㐀-鿿가-힯]")
_AUXILIARY = (
    r"(?:is|are|was|were|does|do|did|has|have|had|can|could|should|would|will|may|must|isn't"
    r"|aren't|doesn't|don't|didn't)(?! (?:you|we|i)\b)"
)
_SHORT_FORMS = {
    "one word": (
        r"\b(?:one|a single|single|1|two|three|2|3)[- ]words?\b|\bin a word\b|mit einem wort"
        r"|ein(?:em)? einzige[snm]* wort|en un (?:seul )?mot|un seul mot|en una (?:sola "
        r")?palabra|una sola palabra|in una (?:sola )?parola|em uma (?:única )?palavra|in "
        r"(?:één|een) woord|一个词|一個詞|一言で|一語で|एक शब्द"
    ),
    "yes or no": (
        r"\b(?:yes|true|right|correct) ?(?:or|/|and) ?(?:no|false|wrong|incorrect)\b|\by/n\b|ja "
        r"oder nein|oui ou non|sí o no|sì o no|sim ou não|ja of nee|是或否|是还是否|是不是"
        r"|はいかいいえ|はい・いいえ|हाँ या नहीं|हां या नहीं"
        r"|richtig oder falsch|vrai ou faux|verdadero o falso|vero o falso|waar of onwaar|对还是错"
    ),
    "a number": (
        r"\b(?:how (?:many|much|old|far|tall|long|deep|high|big|heavy|fast|often)|what(?:'s| "
        r"is) \d|what (?:number|percentage|percent|year|date|day|time|age|size)|in (?:what"
        r"|which) year|(?:a|one|single|just the|only the|final) (?:number|integer|figure"
        r"|percentage)|calculate|compute|evaluate|solve|round|convert|count|sum of)\b|\d "
        r"?[-+*/×÷^=] ?\d|wie viele?\b|combien|cuánt[oa]s?\b|quant[ieoa]s?\b|hoeveel"
        r"|多少|几[个岁年]|いくつ|何[人年個歳]|कितन"
    ),
    "one label": (
        r"\b(?:classify|categori[sz]e|label|tag)\b|\bsentiment\b|\b(?:one|a single|only the"
        r"|just the|the) (?:label|category|class|tag|letter|name|word|code|title|id|date|result"
        r"|answer|option)\b(?= ?(?:only|\.|,|!|$|of|from|and nothing))|\b(?:answer|reply"
        r"|respond|return|output|give|print)(?: me)?(?: \w+)? (?:only|just|with (?:just|only|a "
        r"single|one|the letter|the name|ok))\b|\bnothing (?:else|more)\b|\bno (?:explanation"
        r"|other text)\b|klassifiziere|nur (?:mit|die|das)"
        r"|只(?:回答|输出|返回)|だけ(?:で|を)?(?:答|回答)|briefly as possible"
    ),
    "a choice": (
        r"\b(?:which (?:one|of)|choose (?:one|from|between)|pick (?:one|from|a)|select (?:one"
        r"|from|the)|multiple[- ]choice|options?:|choices?:)\b"
        r"|^[ \t]*\(?[a-d1-4][).:]\s+\S[^\n]*\n\s{0,8}\(?[b-e2-5][).:]|\b\w+, (?:\w+, )*or "
        r"\w+\s*[?.]?\s*\Z|下列|以下(?:哪|のうち)"
    ),
    "a fact": (
        r"\b(?:who|when|where|whose|whom)(?:'s|\b)(?! (?:should|would|could|can|do) (?:i|we"
        r"|you))[^.\n]*\?|\bwhat(?:'s| is| was| are) the (?:\w+ )?(?:capital|name|currency"
        r"|population|symbol|formula|plural|opposite|past tense|antonym|synonym|colou?r|date"
        r"|author|language|title|boiling point|melting point|height|area|length|speed|answer"
        r"|result|value|word|abbreviation|acronym|code|largest|smallest|longest|highest|tallest"
        r"|first|last|square root|atomic number)\b|\bwh(?:at|ich) (?:country|city|colou?r"
        r"|planet|language|element|animal|river|continent|letter|word|company|month|gas|metal"
        r"|organ|team|king|queen|president|state|sport)\b|\bname (?:the|a|one|an)\b|hauptstadt"
        r"|capitale?\b|首都|首府|राजधानी|谁|誰|哪一?[年个国]|wer (?:ist|war|hat)"
        r"|qui (?:est|était|a)\b|quién|\bchi (?:è|ha)\b|quem|\bwie (?:is|was|heeft)\b|कौन"
    ),
    "yes or no, as a question": rf"(?:^|[.!:])[ \t]{{0,8}}{_AUXILIARY} [^.\n?]+\?",
    "a word to translate or correct": (
        r"\b(?:translate|spell|how do (?:you|i) say|correct|capitali[sz]e|uppercase|lowercase"
        r"|reverse|übersetze?|tradui\w+|traduc\w+|vertaal)\b(?=.{0,80}\Z)|翻译(?=.{0,20}\Z)"
        r"|翻譯(?=.{0,20}\Z)"
    ),
    "an echo": (
        r"\b(?:say|repeat|echo)\b.{0,60}\Z|\A\W*(?:hi|hello|hey|thanks|thank you|ok|okay|ping"
        r"|test)\b.{0,20}\Z"
    ),
}  # fmt: skip
_SHORT = {name: re.compile(p, re.MULTILINE | re.DOTALL) for name, p in _SHORT_FORMS.items()}


def long_enough(situation: Situation) -> Check:
    """A check that fails an answer too short for its prompt, and always an empty one.

    A Chinese, Japanese or Korean character counts as three. Where the prompt asks for a short
    answer, JSON or a schema the length does not matter.
    """
    least = _least(situation)
    asked = _asked_for(situation)

    def long_enough(reply: Reply) -> Verdict:
        length = _length(reply.text)
        if not length:
            return Verdict(False, "length", "the answer is empty")
        if length >= least:
            return Verdict(True, "length")
        reason = f"{length} characters, where the prompt asks for {asked}"
        if asked:
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
    for kind, pattern in _SHORT.items():
        found = pattern.search(said)
        if found:
            return f"{kind} ({' '.join(prompt[slice(*found.span())].split())!r:.60})"
    return None


def _asked_for(situation: Situation) -> str | None:
    if situation.options.schema is not None:
        return "the schema"
    return "JSON" if situation.options.json else asks_short(situation.prompt)


def _least(situation: Situation) -> int:
    words = len(situation.prompt.split()) + len(_WIDE.findall(situation.prompt)) // 2
    return SHORTEST_TO_LONG if situation.lowest and words > LONG_PROMPT else SHORTEST


def _length(text: str) -> int:
    return len(text.strip()) + 2 * len(_WIDE.findall(text))
