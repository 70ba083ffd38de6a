"""Reply -> Verdict: whether the answer refuses, or says that it is not sure.

The second article looks for six phrases anywhere in the text. Here a phrase counts where the
answer says it of itself: in the first person, at the head of a clause, and neither quoted nor
reported nor in code. The phrases were set on the answers marked `tuned` in
`tests/data/answers_ok.jsonl` and `answers_unsure.jsonl`; those marked `held` were written, by
the same hand, each time the phrases had been frozen. At first sight 53 of the 64 unsure ones
were found (recall .83) and 6 of the 75 good ones were taken for unsure (precision .90). What
was missed was mended afterwards; expect as much of a stranger's answers, or less.
"""

from __future__ import annotations

import re
from functools import cache

from nbroute.checks import asian, english, european
from nbroute.checks.text import Situation, spoken
from nbroute.types import Check, Reply, Verdict

#: One tuple of patterns a language.
Phrases = tuple[tuple[str, ...], ...]
_LANGUAGES = (english, european, asian)
_REFUSAL: Phrases = tuple(some for one in _LANGUAGES for some in one.REFUSAL.values())
_UNSURE: Phrases = tuple(some for one in _LANGUAGES for some in one.UNSURE.values())
_HEAD = (
    r"(?:(?:^|[.!?\n])[\s*_]{0,8}(?:without|from|with|given|based on|as of|at the moment|at this "
    r"time|right now|currently) [^.,;:!?\n]{0,50}?\s|^|[.!?…;:,(—–।，。！？；：、\n]"
    r"|(?<!\w)(?:but|and|so|yet|though|although|however|because|since|as|sorry|afraid|that|unfortunately"
    r"|regrettably|sadly|admit|regret|confess|honestly|aber|und|da|weil|denn|leider|mais|car"
    r"|que|pero|porque|lamento|ma|perché|che|mas|pois|maar|want|dat|helaas|malheureusement"
    r"|désolée?|lamentablemente|desafortunadamente|lo siento|purtroppo|mi dispiace|infelizmente"
    r"|lamentavelmente|desculpe|sinto muito|恐怕|但是?|因为|因為|所以|抱歉|लेकिन|परंतु|क्योंकि"
    r"|कि)(?=[\s*_,]|我|这|這))[\s*_]{0,8}"
)
_THAT = re.compile(r"(?<!\w)(?:that|que|che|dat|कि)[\s*_]*\Z")
_ADMITTED = re.compile(
    r"(?<!\w)(?:afraid|admit|regret|confess|sorry|say|inform you|tell you|temo|lamento|crains"
    r"|regrette|admito|खेद है|क्षमा करें)[\s*_]+(?:that|que|che|dat|कि)[\s*_]*\Z"
)
_REPORTED = re.compile(
    r"(?<!\w)(?:sa(?:y|ys|id|ying|ng)|asks?|asked|repl(?:y|ies|ied)|answer(?:s|ed)|writes?"
    r"|wrote|thinks?|thought|admit(?:s|ted)?|states?|stated|claims?|claimed|cried|cries|tells"
    r"|told|confess(?:es|ed)|reads|prints|shouts?|muttered|whispered|titled?|called|named"
    r"|lyrics|chorus|means|translation|translates|phrase|phrases|example|instance|such as|like"
    r"|sagt|sagte|dit|dijo|dice|disse|zei|english|german|french|spanish|italian|portuguese"
    r"|dutch|japanese|chinese|hindi|auf deutsch|en français|en inglés|说|說|表示|回答说"
    r"|道)(?:\s+\w+){0,3}\s*[,:：，]?[\s*_]*\Z"
)
_OWN_WORD = re.compile(
    r"\bi(?:'m| am|'d|'ll)? (?:must|have to|can only|should|need to|regret to|sorry to|afraid "
    r"to|would say|would have to|hate to|say|think)\b"
)
_MENTIONED = re.compile(
    r"[\s*_]*(?:=|→|->|(?:means?|is|was|were|translates?|bedeutet|heißt|signifie|veut dire"
    r"|significa|betekent)(?!\w)|的意思|という|です|と言)"
)
_OPENING = re.compile(
    r"[\s*_]*(?:(?:i(?:'m| am) )?(?:so |very |really |truly )?(?:sorry|afraid)|apologies|i "
    r"apologi[sz]e|unfortunately|regrettably|thank you|es tut mir leid|tut mir leid|leider"
    r"|désolée?|je suis désolée?|lo siento|mi dispiace|desculpe|sinto muito|het spijt me"
    r"|很?抱歉|对不起|申し訳|क्षमा करें)?[^.!?\n]{0,24}[.!,]?(?: but| and)?[\s*_]*\Z"
)
_TASK = re.compile(
    r"\b(?:translat|writ|rewrit|rephras|paraphras|creat|generat|produc|provid|fulfil|compl[iy]"
    r"|assist|request|content|text|audio|story|discuss|support|help (?:you )?with (?:this|that)"
    r"|do that|schreib|übersetz|erstell|anfrage|écri|tradu|demande|escrib|solicitud|scriv"
    r"|richiesta|escrev|pedido|schrijf|schrijven|vertal|verzoek)|写|寫|翻译|翻譯|请求|提供|帮|書|訳|お(?:答え"
    r"|手伝い)|लिख|अनुवाद|मदद"
)
_OTHER_VOICE = re.compile(
    r"\b(?:translat(?:e|ion)|rewrite|rephrase|paraphrase|proofread|role-?play|pretend|imagine "
    r"you|act as|first[- ]person|ich-form|what would .{1,40} (?:say|answer|reply)|example "
    r"sentence|sentence (?:with|using)|in a sentence|(?:correct|fix|check|improve) (?:the |this "
    r"|my )?(?:grammar|sentence|spelling|text|wording)|make (?:this|it|my|the "
    r"following)\b.{0,40}(?:polite|formal|friendlier|shorter|casual|professional)|(?:complete"
    r"|finish|fill in|continue) (?:the|this|my) (?:sentence|line|quote|lyrics|blank|story|text)"
    r"|(?:reply|respond) to (?:this|the|my) (?:e?-?mail|message|customer|letter|comment|review"
    r"|complaint)|(?:write|compose|draft)\b(?![^.?!\n]{0,40}\b(?:code|function|program|script"
    r"|query|class|regex|tests?|sql|method|algorithm|command|macro|formula|proof|malware"
    r"|exploit)\b)|in the (?:voice|style|words) of|lyrics|transcribe|from the (?:perspective"
    r"|point of view) of|how (?:do|would|can|does) (?:you|i|we|one) say|ways? (?:to|of) say\w*"
    r"|what does .{1,60} mean|übersetz\w*|wie sagt man|tradui\w+|tradu[czs]\w+|traduci|vertaal"
    r"|comment dit-on|cómo se dice|come si dice|como se diz)\b|翻译|翻譯|訳|अनुवाद|\b(?:tell|make up"
    r"|create|continue|finish|sing|invent|need|want|give me|schreib\w*|verfasse|erzähl\w*"
    r"|écri\w+|rédige\w*|raconte\w*|escrib\w+|cuent\w+|escrev\w+|cont[ea]|scriv\w+|racconta\w*"
    r"|schrijf|vertel)\b[^.?!\n]{0,60}?\b(?:stor(?:y|ies)|poems?|haiku|limerick|letter"
    r"|e-?mails?|message|speech|dialogue|conversation|monologue|scene|song|verse|diary|journal"
    r"|tweet|post|caption|toast|joke|novel|chapter|script|cover letter|reply|apology|sentences?"
    r"|paragraph from|gedicht\w*|geschichte|brief|nachricht|dialog|histoire|poème|lettre"
    r"|courriel|dialogue|cuento|historia|poema|carta|correo|diálogo|história|racconto|poesia"
    r"|lettera|storia|dialogo|verhaal|gedicht|bericht)\b|(?:写|寫).{0,12}(?:诗|故事|信|邮件|詩|小说|对话)"
    r"|(?:物語|詩|手紙|小説).{0,6}書|(?:कहानी|कविता|पत्र|संवाद).{0,8}लिख"
)


def not_refused(situation: Situation) -> Check:
    """A check that fails an answer that refuses, or that the endpoint's filter has stopped."""
    other_voice = lends_its_voice(situation.prompt)

    def not_refused(reply: Reply) -> Verdict:
        if reply.finish_reason == "content_filter":
            return Verdict(False, "refusal", "stopped by the endpoint's content filter")
        return _verdict("refusal", reply.text, find(reply.text, _REFUSAL, other_voice))

    return not_refused


def not_unsure(situation: Situation) -> Check:
    """A check that fails an answer that says it does not know or is not sure.

    Where the prompt asks for words in another voice (a story, a letter, a translation), here as
    in `not_refused`, it counts only where the answer begins so and speaks of the task.
    """
    other_voice = lends_its_voice(situation.prompt)

    def not_unsure(reply: Reply) -> Verdict:
        return _verdict("unsure", reply.text, find(reply.text, _UNSURE, other_voice))

    return not_unsure


def lends_its_voice(prompt: str) -> bool:
    """Whether the prompt asks for words that are not the model's own."""
    return _OTHER_VOICE.search(spoken(prompt)) is not None


def find(text: str, phrases: Phrases, opening: bool = False) -> tuple[int, int] | None:
    """Where the first of the phrases is said; with `opening`, only where the answer opens so."""
    said = spoken(text)
    places = (
        found.span("phrase")
        for pattern in _compiled(phrases)
        for found in pattern.finditer(said)
        if _meant(said, found) and (not opening or _opens(said, *found.span("phrase")))
    )
    return min(places, default=None)


@cache
def _compiled(phrases: Phrases) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(f"{_HEAD}(?P<phrase>{'|'.join(some)})") for some in phrases)


def _meant(said: str, found: re.Match[str]) -> bool:
    """Whether the phrase is the answer's own word, and not reported or mentioned."""
    start, end = found.span("phrase")
    before = said[max(start - 80, 0) : start]
    if _THAT.search(before) and not _ADMITTED.search(before):
        return False
    sentence = re.split(r"[.!?।。！？\n]", before)[-1]
    reported = _REPORTED.search(sentence) and not _OWN_WORD.search(sentence)
    return not reported and not _MENTIONED.match(said, end)


def _opens(said: str, start: int, end: int) -> bool:
    """Whether the answer begins so, and speaks of what it was asked to do."""
    sentence = re.split(r"[.!?।。！？\n]", said[start : end + 80])[0]
    return _OPENING.match(said, 0, start) is not None and _TASK.search(sentence) is not None


def _verdict(check: str, text: str, place: tuple[int, int] | None) -> Verdict:
    if place is None:
        return Verdict(True, check)
    return Verdict(False, check, f"says {text[slice(*place)]!r:.80} at character {place[0]}")
