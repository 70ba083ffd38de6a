"""Prompt -> the part of it that asks: without what is quoted, pasted or merely polite.

Everything that is no instruction is blanked, never cut out, so that a place in the text is
a place in the prompt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nbroute.classify.lexicon import CHINESE, CUES, STEMS, TASKS, WORD

#: Of a longer prompt the head and the tail are read, this many characters of each.
REACH = 3000
#: A prompt of no more words than this has no pasted part worth looking for.
SHORT = 45
#: A story that leads up to its question is no longer than this, in words.
STORY = 160
#: And leads up to it with at least this many.
LEAD_UP = 7

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Instruction:
    """What is asked, as spans of `text`: the prompt in lower case, with the rest blanked.

    `heads` are the places where an instruction or a question can begin. `cut` characters are
    missing after `REACH`. `story` says that the sentences before the question belong to it.
    """

    text: str
    spans: tuple[Span, ...]
    heads: tuple[int, ...]
    words: int
    asked: int
    cut: int = 0
    pasted: bool = False
    story: bool = False
    code: bool = False
    quoted: bool = False

    def offset(self, place: int) -> int:
        """The place in the prompt of a place in `text`."""
        return place if place < REACH or not self.cut else place + self.cut


def instruction(prompt: str) -> Instruction:
    """Find what the prompt asks for."""
    cut = max(len(prompt) - 2 * REACH, 0)
    seen = prompt if not cut else prompt[:REACH] + prompt[-REACH:]
    low = _lower(seen)
    text, code, quoted = _blanked(low)
    sentences = [m.span() for m in _SENTENCE.finditer(text)]
    polite = [(_head(text, span), span) for span in sentences]
    counted = [
        (head, span, count_words(text[head : span[1]]))
        for head, span in polite
        if head < span[1]
    ]
    words = sum(count for _, _, count in counted)
    kept = counted if words <= SHORT else _asking(text, counted, words)
    asked = sum(count for _, _, count in kept)
    story = _is_story(text, counted, words)
    return Instruction(
        text=text,
        spans=tuple((head, span[1]) for head, span, _ in kept),
        heads=tuple(place for head, span, _ in kept for place in _clauses(text, head, span[1])),
        words=words,
        asked=asked,
        cut=cut,
        pasted=(cut > 0 or words - asked > SHORT) and not story,
        story=story,
        code=code,
        quoted=quoted,
    )


def count_words(text: str) -> int:
    """Words; Chinese, which has no spaces, counts two characters as one."""
    if text.isascii():
        return len(text.split())
    chinese = len(_HAN.findall(text))
    return len(WORD.findall(text)) + (chinese + 1) // 2


def _lower(text: str) -> str:
    low = text.lower()
    if len(low) != len(text):  # a few capitals (U+0130) have a longer small form
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return low.replace("’", "'")


def _blanked(low: str) -> tuple[str, bool, bool]:
    """The text without code, tables and quotations, and whether there was code or a quotation."""
    text = low
    if "```" in text:
        text = _FENCE.sub(_spaces, text)
    if "\n" in text:
        text = _DATA_LINE.sub(_spaces, text)
    code = text != low and ("```" in low or _CODE.search(low) is not None)
    unquoted = _QUOTE.sub(_spaces, text) if _QUOTE_MARK.search(text) else text
    if not WORD.search(unquoted):
        return low.replace("-", " "), code, False
    return unquoted.replace("-", " "), code, unquoted != text


def _spaces(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _head(text: str, span: Span) -> int:
    """Where the sentence begins once greetings, thanks and padding are skipped."""
    match = _POLITE.match(text, *span)
    return match.end() if match else span[0]


def _clauses(text: str, head: int, end: int) -> list[int]:
    return [head, *(m.end() for m in _CLAUSE.finditer(text, head, end))]


Counted = tuple[int, Span, int]


def _asking(text: str, sentences: list[Counted], words: int) -> list[Counted]:
    """The sentences that ask; in a long prompt only those near its head or its tail."""
    edge = len(sentences) if words <= STORY else 4
    near = sentences if len(sentences) <= 2 * edge else sentences[:edge] + sentences[-edge:]
    asking = [sentence for sentence in near if _asks(text, sentence[0], sentence[1][1])]
    pasted = _pasted_blocks(text, sentences)
    outside = [s for s in asking if not any(start <= s[0] < end for start, end in pasted)]
    return outside or asking or near[:2] + near[2:][-2:]


def _pasted_blocks(text: str, sentences: list[Counted]) -> list[Span]:
    """The long paragraphs that do not begin with a question or an order."""
    blocks = []
    start = 0
    for gap in (*_BLANK_LINE.finditer(text), None):
        end = gap.start() if gap else len(text)
        inside = [s for s in sentences if start <= s[0] < end]
        if sum(s[2] for s in inside) > SHORT and not _begins_asking(text, inside[0]):
            blocks.append((start, end))
        start = end
    return blocks


def _begins_asking(text: str, sentence: Counted) -> bool:
    head, (_, end), _ = sentence
    return bool(QUESTION.match(text, head, end)) or _orders(WORD.findall(text[head:end])[:1], True)


def _asks(text: str, head: int, end: int) -> bool:
    if QUESTION.match(text, head, end) or text[head:end].rstrip().endswith(("?", "？")):
        return True
    words = WORD.findall(text[head:end])[:60]
    if _orders(words[:1], leading=True) or _orders(words[:2] + words[-3:], leading=False):
        return True
    return bool(_HAN.search(text, head, end) and CHINESE.search(text, head, end))


def _orders(words: list[str], leading: bool) -> bool:
    cues = (cue for word in words for cue in (*CUES.get(word, ()), *STEMS.get(word[:4], ())))
    return any(cue.kind in TASKS and (leading or not cue.leading) for cue in cues)


def _is_story(text: str, sentences: list[Counted], words: int) -> bool:
    """Whether the last sentence is a question about the ones before it in its paragraph."""
    if not sentences or not SHORT // 4 < words <= STORY:
        return False
    head, (_, end), _ = sentences[-1]
    asks = text[head:end].rstrip().endswith(("?", "？")) or QUESTION.match(text, head, end)
    asks = asks or text.startswith(("find ", "determine ", "calculate ", "compute "), head)
    start = text.rfind("\n", 0, head) + 1
    before = sum(count for place, _, count in sentences[:-1] if place >= start)
    led_up = [place - head for place in _clauses(text, head, end)]
    return bool(asks) and (before >= LEAD_UP or led_up[-1] >= 6 * LEAD_UP)


_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_SENTENCE = re.compile(r"(?:[^.!?:;\n。？！；：।]|\.(?=\w))+[.!?:;。？！；：।]*")
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_DATA_LINE = re.compile(
    r"^[ \t]*(?:\|[^\n]*|(?:[^,\s]+,){2,}[^,\n]*|\[?\d{4}-\d\d-\d\d[ t]\d\d:[^\n]*"
    r"|(?:def|class|import|return|from|for|if|while|const|let|var|public|private|#include)\b"
    r"[^\n]*[:;{)]|[^\n]*[;{}]|</?\w+[^\n]*>)[ \t]*$",
    re.MULTILINE,
)
_CODE = re.compile(r"[;{}()\[\]=]\s*$", re.MULTILINE)
_QUOTE_MARK = re.compile("[\"'`“”„«‘「『《]")
_QUOTE = re.compile(
    r'"""[^"]*(?:"""|\Z)|"[^"\n]{1,300}"|“[^”“]{1,300}[”“]|„[^“”]{1,300}[“”]|«[^»]{1,300}»'
    r"|‘[^’\n]{1,200}’|「[^」]{1,200}」|『[^』]{1,200}』|《[^》]{1,200}》|`[^`\n]{1,200}`"
    r"|(?<!\w)'[^'\n]{1,200}'(?!\w)"
)
_CLAUSE = re.compile(
    r",[\s¿]+(?=(?:how|what|why|who|wie|was|warum|cómo|qué|cuánt\w+|por qué|comment|combien)\b)"
)

#: A clause that only leads up to the matter ends with a comma; each is bounded.
_POLITE = re.compile(
    r"""(?>(?:[^\w\u0900-\u097f]+
    |(?:i\ hope|hope|i\ trust|if\ (?:it|you|i)|when\ you|sorry|apologies|i'?\ ?a?m\ (?:so\ )?sorry
       |good\ (?:morning|day|evening|afternoon)|hello|hi|hey|dear|hola|bonjour|hallo|guten\ \w+
       |espero|j'espère|ich\ hoffe|s'il|at\ your|in\ one|in\ two|in\ \w+\ sentences?|using|based
       |given|with|नमस्ते)(?![\w\u0900-\u097f])[^,.!?\n]{0,80},
    |(?:please|plz|pls|kindly|bitte|por\ favor|s'il\ (?:vous|te)\ pla[iî]t|so|now|then|also|and|but
       |ok|okay|well|just|first|next|finally|quick\ one|hi\ there|कृपया|请问|请|麻烦)\b
    |请问|请|麻烦你?|帮我
    |(?:can|could|would|will|might)\ (?:you|u|we)\b
      (?:\ (?:be\ (?:so\ kind\ (?:as\ )?to|able\ to)|mind|like\ to))?
    |(?:possibly|maybe|perhaps|please|be\ so\ kind\ as\ to|\w{3,12}ly)\b
    |i(?:\ would|'d)(?:\ be\ \w+\ \w+\ if\ you\ could|\ (?:really\ )?(?:love|like)\ (?:you\ )?to
       (?:\ know)?|\ like\ you\ to|\ be\ grateful)
    |i\ have\ a\ (?:\w+\ )?question\b[^:.\n]{0,60}|i\ (?:want|need)(?:\ you)?\ to(?:\ know)?|i\ (?:was|am)\ (?:just\ )?wondering(?:\ (?:if|whether))?
    |(?:help|tell|let)\ (?:me|us)\b(?:\ know)?(?:\ to)?|do\ you\ know|if\ you\ could
    |your\ task\ is\ to|you\ are\ (?:asked|tasked|expected)\ (?:to|with)|try\ to
    |(?:könn(?:t|t?est|ten?)|kannst|würde(?:n|st))\ (?:du|sie|ihr)(?:\ (?:mir|uns))?(?:\ bitte)?
    |(?:puedes|podrías|podría\ usted|podrías?)\b|(?:pouvez|pourriez|peux|pourrais)\ (?:vous|tu)\b
    |(?:sag|sagen\ sie)\ mir|dime|dis\ moi|me\b
    |(?:thank|sorry|apologies|i'?\ ?a?m\ (?:so\ |very\ )?sorry|many\ thanks|kind\ regards|best\ (?:wishes|regards)|no\ rush|much\ appreciated
       |i'd\ (?:really\ )?appreciate|with\ gratitude|cheers|i\ hope|hope|merci|danke|gracias|dankeschön
       |thanks|vielen\ dank|muchas\ gracias|धन्यवाद|谢谢)[^\n]{0,120}
    ))+""",
    re.VERBOSE,
)

#: How a question begins; the name of the group is the kind.
QUESTION = re.compile(
    r"""(?:[^\w\u0900-\u097f]*)(?:
    (?P<greeting>(?:hi|hello|hey|hola|bonjour|hallo|salut|good\ (?:morning|day|evening|night)
        |how\ are\ (?:you|things)|how's\ it\ going|wie\ geht|guten\ (?:morgen|tag|abend)|thanks?
        |comment\ (?:ça\ va|allez)|cómo\ est[áa]s|qué\ tal|नमस्ते|आप\ कैसे|धन्यवाद|gracias|merci)(?![\w\u0900-\u097f]))
    |(?P<what_if>(?:what\ (?:would|will|could|might)\ happen|what\ if|suppose|imagine\ that
        |was\ (?:würde|wäre|passiert)|qué\ pasaría|que\ se\ passerait)\b)
    |(?P<explain>what\ (?:are|were)\ (?:the\ |some\ )?(?:[\w-]+\ ){0,3}?(?:benefits|advantages|causes
        |disadvantages|effects|consequences|reasons|symptoms|steps|stages|implications|differences
        |features|principles|drawbacks|uses|limitations|methods|norms|processes)\b)
    |(?P<plan>how\ (?:would|should|could|might)\ (?:you|we|i|one)\b)
    |(?P<should>should\b)
    |(?P<suggest>what\ (?:should|could|can)\ (?:i|we|one)\b|what\ are\ some\b)
    |(?P<why>(?:why|warum|wieso|weshalb|por\ qué|pourquoi|how\ come)\b)
    |(?P<reason>(?:what(?:'s|\ is|\ are)\ the\ (?:probability|expected|chances|odds|total\ \w+\ of))\b)
    |(?P<lookup>(?:who(?:'s|s|se|m)?|when|where|which|how\ (?:many|much|mny|old|tall|far|long|often
        |big|high|fast|deep|heavy)|what\ (?:year|time|day|date|colou?r|language|country|city|number
        |percentage|kind|sort|type)|(?:in|on|at|from|to)\ (?:which|what)|wer|wen|wem|wann|wo|woher|the\ \w+(?:\ \w+)?\ of
        |welche[rsnm]?|wie\ (?:viele?|alt|hoch|weit|lange|oft|gro(?:ß|ss)|heißt)|in\ welche\w*
        |quiéne?s?|cuándo|dónde|en\ qué|cuánt[oa]s?|qui|quand|où|combien|dans\ quel\w*|en\ quelle)\b)
    |(?P<how>(?:how|hwo|wie|cómo|comment|what\ (?:causes?|caused|happens|makes|made))\b)
    |(?P<what_is>(?:what(?:'s|\ is|\ are|\ was|\ were|s)|wats?|was\ (?:ist|sind|war|heißt)|qué|cuál(?:es)?
        |quel(?:le)?s?|qu'est)\b)
    |(?P<what>(?:what|waht|whta|wht|was|que)\b)
    |(?P<yes_no>(?:is|are|was|were|am|do|does|did|can|could|will|would|has|have|had|must|may
        |might|isn't|aren't|doesn't|don't|can't|ist|sind|waren?|hat|haben|kann|können|gibt|darf|gilt
        |es|son|está|hay|puede|pueden|tiene|existe|est|y\ a|peut|une?\ \w+\ peut|whether|ob|क्या)(?![\w\u0900-\u097f])))""",
    re.VERBOSE,
)
