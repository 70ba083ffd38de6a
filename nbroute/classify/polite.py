"""Greetings, thanks and padding: where a sentence begins once they are skipped."""

from __future__ import annotations

import re


def skip_politeness(text: str, span: tuple[int, int]) -> int:
    """Where the sentence begins once greetings, thanks and padding are skipped."""
    start, end = span
    match = _POLITE.match(text, start, end)
    head = match.end() if match else start
    if text.find("if you", head, end) >= 0 and (hope := _IF_YOU.match(text, head, end)):
        more = _POLITE.match(text, hope.end(), end)
        return more.end() if more else hope.end()
    return head


_IF_YOU = re.compile(
    r"(?:i|we|it|that|would|you)\b[^.?!\n]{0,80}?\bif you (?:could|would|can|might)\b"
)
#: A clause that only leads up to the matter ends with a comma; each is bounded.
_POLITE = re.compile(
    r"""(?>(?:[^\w\u0900-\u097f]+
    |(?:i\ hope|hope|i\ trust|if\ (?:it|you|i)|when\ you|sorry|apologies|i'?\ ?a?m\ (?:so\ )?sorry
       |good\ (?:morning|day|evening|afternoon)|hello|hi|hey|dear|hola|bonjour|hallo|guten\ \w+
       |espero|j'espère|ich\ hoffe|disculpe|perdone?|entschuldig\w+|verzeih\w+|excuse|excusez
       |désolée?|s'il|at\ your|in\ one|in\ two|in\ \w+\ sentences?|using|based
       |given|with|नमस्ते)(?![\w\u0900-\u097f])[^,.!?\n]{0,80},
    |(?:please|plz|pls|kindly|bitte|por\ favor|s'il\ (?:vous|te)\ pla[iî]t|so|now|then|also|and|but
       |ok|okay|well|just|first|next|finally|quick\ one|hi\ there|कृपया|请问|请|麻烦)\b
    |请问|请|麻烦你?|帮我
    |(?:can|could|would|will|might)\ (?:you|u|we)\b
      (?:\ (?:be\ (?:so\ kind\ (?:as\ )?to|able\ to)|mind|like\ to))?
    |(?:possibly|maybe|perhaps|please|be\ so\ kind\ as\ to|(?!multiply|supply|family)\w{4,12}ly)\b
    |i(?:\ would|'d)(?:\ be\ \w+\ \w+\ if\ you\ could|\ (?:really\ )?(?:love|like)\ (?:you\ )?to
       (?:\ know)?|\ like\ you\ to|\ be\ grateful)
    |i\ have\ a\ (?:\w+\ )?question\b[^:.\n]{0,60}
    |i\ (?:want|need)(?:\ you)?\ to(?:\ know)?
    |i\ (?:was|am)\ (?:just\ )?wondering(?:\ (?:if|whether))?
    |(?:help|tell|let|helping|telling|letting)\ (?:me|us)\b(?:\ know)?(?:\ to)?
    |do\ you\ know|if\ you\ could
    |your\ task\ is\ to|you\ are\ (?:asked|tasked|expected)\ (?:to|with)|try\ to
    |(?:might|may|could|can)\ i\ (?:trouble|ask|bother)\ you\b(?:\ (?:for|to))?
    |would\ it\ be\ (?:at\ all\ )?(?:possible|ok|okay|alright)\b(?:,[^,.\n]{0,40},)?
      (?:\ (?:for\ you\ )?to)?
    |(?:könn(?:t|te|t?est|ten?)|kannst|würde(?:n|st)?|wär(?:en|e|st)|dürfte)
       \ (?:du|sie|ihr|ich|es|mir)\b
       (?:\ (?:mir|uns|jemand|vielleicht|eventuell|bitte|möglich|so\ (?:freundlich|nett|lieb|gut)))*
    |(?:sería\ (?:usted\ |tan\ ){0,2}(?:amable|posible)(?:\ de)?
       |(?:me\ )?pod(?:ría|rías|éis|rían|emos)
       (?:\ usted)?|puede[sn]?(?=\ (?:me|usted|ayudar\w*|decir\w*|explicar\w*|escribir\w*)\b)
       |quisiera(?:\ que)?|me\ gustaría(?:\ que)?|le\ agradecería(?:\ que)?)\b
    |(?:est\ ce\ que\ )?(?:(?:pouvez|pourriez|peux|pourrais)\ (?:vous|tu)
       |(?:vous|tu)\ (?:pouvez|pourriez|peux|pourrais))\b
    |auriez\ vous\ [^,.?!\n]{0,30}\bde\b|serait\ il\ possible\ de|j'aimerais(?:\ que)?
    |decirme|indicarme|me\ dire|m'indiquer|m'|de\ (?=me\b|m'|decir|escrib|bien)
    |क्या\ (?:आप|तुम)\b(?:\ (?:कृपया|मुझे|मेरे\ लिए))*
    |您好|你好|打扰了?|(?:能否|可否|可以|能不能)?(?:麻烦|劳驾)(?:您|你)?(?:了)?|(?:请问)?您?(?:方便|可以|能)帮我
    |(?:sag|sagen\ sie)\ mir|dime|dis\ moi|me\b
    |(?:thank|sorry|apologies|i'?\ ?a?m\ (?:so\ |very\ )?sorry|many\ thanks
       |kind\ regards|best\ (?:wishes|regards)|no\ rush|much\ appreciated|merci|danke|gracias
       |i'd\ (?:really\ )?appreciate|with\ gratitude|cheers|i\ hope|hope|dankeschön
       |thanks|vielen\ dank|muchas\ gracias|disculp[ea]|entschuldig|verzeih|excusez|désolée?
       |谢谢|感谢|非常感谢|万分感谢)(?![^.!?\n]{0,90}\bif\ you\ c)[^\n]{0,120}
    ))+""",
    re.VERBOSE,
)
