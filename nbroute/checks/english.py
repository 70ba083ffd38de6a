"""What models say in English when they refuse or do not know: the article's list, and more.

Each pattern is of the first person and of this very answer, and stands at the head of a
clause (`doubt` sees to that). They are matched against small letters.
"""

from __future__ import annotations

_REALLY = (
    r"(?:(?:really|honestly|actually|simply|just|quite|truly|still|also|currently|personally"
    r"|sadly|unfortunately|entirely|completely|totally|absolutely|100%|fully|very|so|too"
    r"|directly|ethically|legally|in good conscience) )*"
)
_NOT = rf"i(?:'m| am) {_REALLY}not {_REALLY}"
_CANNOT = rf"i {_REALLY}(?:cannot|can't|can not)(?! but)\b {_REALLY}"
_WILL_NOT = (
    rf"i {_REALLY}(?:could not|couldn't|won't|will not|wouldn't be able to|won't be able to) "
    rf"{_REALLY}"
)
_IDIOM = (
    r"(?!wait|help but\b|help \w+ing\b|imagine|stand\b|stress|overstate|emphasi[sz]e"
    r"|overemphasi|agree|disagree|see (?:why|how|what|any|a|much|the (?:point|harm|appeal))\b"
    r"|think (?:why|how|of (?:a|any|anything))\b|believe|deny|complain|blame|thank|resist|get "
    r"enough|go wrong|say (?:no|enough|i|that i)\b|attend|fault|tell you how (?:much|often|glad"
    r"|happy|sorry|important)|speak for|afford|live|argue|take credit|(?:[\w'-]+ "
    r"){1,8}(?:highly |strongly )?enough\b)"
)
_SERVE = (
    r"(?:help(?! but\b| \w+ing\b)|assist|provide|answer|give|share|generate|create|write"
    r"|fulfill?|comply|complete|do (?:that|this|it|so)\b|discuss|engage|offer|support|produce"
    r"|access|browse|view|open|read (?:the|your|this)|search|look (?:up|at)|verify|confirm "
    r"(?!my)|predict|determine|tell (?:you(?! how (?:much|often|glad|happy|sorry|important))"
    r"|whether|if|which|what|who|from)|respond|process|continue (?:with|this)|participate"
    r"|promote|translate|identify|diagnose|reveal|disclose|fulfil|accommodate|proceed|perform"
    r"|execute|draw|display|comment|take (?:sides|a stance|a position)|speculate|draft"
    r"|calculate|compute|solve|check|retrieve|connect to|see (?:the|your|any|images?|attach)"
    r"|hear|recommend (?:any|a|an|specific|that|this|using)|advise|facilitate|encourage|make "
    r"(?:a|any|that|this|predictions?|medical|legal|recommend)|find (?:any|the|enough|reliable"
    r"|an?)\b|say (?:for (?:sure|certain)|with|which|what|who|whether|if|anything)|be (?:sure"
    r"|certain|confident)|guarantee|recall|remember (?:the|exactly|who|what)|speak (?:to|about"
    r"|on)|meet|satisfy|respond|reproduce|quote|remotely|order|book|send|call|locate|evaluate"
    r"|assess|judge|pinpoint|name (?:the|a|any)|explain|think of|be (?:able|providing|helping"
    r"|writing|answering|of (?:any )?help))"
)
_THING = r"(?:information|context|details?|data|knowledge|evidence|detail|background|expertise)"

REFUSAL = {
    "English": (
        rf"{_CANNOT}{_IDIOM}\w+|{_WILL_NOT}{_SERVE}",
        (
            rf"(?:i(?:'m| am) {_REALLY}(?:unable|not able|not allowed|not permitted|not in a "
            rf"position|not comfortable|not equipped|not programmed|not designed|not qualified"
            rf"|not authorized|not authorised|not willing|not capable) )(?:to|of|with|doing"
            rf"|helping|providing|writing|discussing)\b"
        ),
        r"i(?:'m| am) unable\b",
        rf"{_NOT}going to {_SERVE}",
        (
            rf"i(?: {_REALLY}|'m |'ll | am )(?:must |have to |need to |will have to |will "
            rf"|going to have to |have decided to )?(?:respectfully |politely )?(?:decline"
            rf"|refuse)\b"
        ),
        (
            rf"i {_REALLY}(?:don't|do not) {_REALLY}(?:have (?:any |direct |real-time |live "
            rf"|internet )*(?:access|the ability|the capability|the means|permission|browsing)"
            rf"|feel comfortable|have (?:a |the )?(?:real-time|up-to-date|live))\b"
        ),
        rf"i (?:{_REALLY})lack (?:the ability|access|the capability)\b",
        (
            r"as an? (?:ai|a\.i\.|artificial intelligence|(?:large )?language "
            r"model)(?:[- ](?:powered|based))?(?: (?:language )?(?:model|assistant|chatbot"
            r"|system|program))?(?: (?:developed|trained|created|made|built|designed) "
            r"[^,.;\n]{1,40})?,? (?:i|my)\b"
        ),
        (
            r"i(?:'m| am) (?:just|only|merely) an? (?:ai|language model|computer program"
            r"|chatbot|text-based)\b"
        ),
        (
            r"i(?:'m| am) an ai[^.\n]{0,40}(?:and|so) (?:i )?(?:can't|cannot|don't|do not|am "
            r"unable|am not able)\b"
        ),
        r"(?:that|this|it)(?:'s| is) (?:beyond|outside) (?:of )?(?:my|the scope of my) \w+",
        (
            r"(?:that|this|it)(?:'s| is) (?:not (?:something|a thing) (?:that )?i can|something "
            r"(?:that )?i (?:can't|cannot|won't|am not able to|am unable to))\b"
        ),
        (
            r"i(?:'m| am|'ve been| have been) (?:trained|instructed|programmed|designed|told) "
            r"(?:not|never) to\b"
        ),
        r"i(?:'d| would) (?:rather|prefer) not\b",
        (
            r"(?:it is|it's|it would be) (?:not possible|impossible|not appropriate"
            r"|inappropriate|unethical|not ethical|not safe|irresponsible) for me to\b"
        ),
        (
            rf"i (?:don't|do not) (?:think|believe) (?:that )?i (?:can|could|should|am able to"
            rf"|'m able to) {_SERVE}"
        ),
        rf"sorry,? (?:but )?(?:can't|cannot|not able to|unable to) {_SERVE}",
        rf"i (?:may|might) not be able to {_SERVE}",
        r"it (?:would be|is) (?:against|a violation of) my \w+",
        (
            r"my (?:guidelines|programming|policies|training) (?:do not|don't|does not|doesn't"
            r"|prevents?|prohibits?|forbids?)\b"
        ),
    ),
}
UNSURE = {
    "English": (
        (
            rf"{_NOT}(?:sure|certain|confident|positive)\b(?! (?:i (?:agree|would|'d|like|share"
            rf"|want)|you(?:'d|'ll| would| will)|(?:that's|that is|it's|it is|this is) (?:a |an "
            rf"|the )?(?:good|great|right|wise|true|fair|worth|best)))"
        ),
        (
            rf"i(?:'m| am) {_REALLY}(?:unsure|uncertain|not familiar|unfamiliar|unaware of"
            rf"|clueless|at a loss|confused|only guessing|just guessing|guessing)\b"
        ),
        (
            rf"i {_REALLY}(?:don't|do not|didn't) {_REALLY}know\b(?! (?:about you|of (?:a|any) "
            rf"(?:better|more|simpler|faster|other)|anyone|anybody|if you(?:'ve| have)|how (?:i"
            rf"|we|he|she|they|long|else)|why (?:i|we|he|she|they)|what (?:i'd|i would|we'd"
            rf"|came|to feel)|whether to))"
        ),
        (
            rf"i {_REALLY}(?:don't|do not) {_REALLY}(?:have (?:enough|sufficient|adequate|any"
            rf"|much|specific|detailed|reliable|complete|more|the)? ?(?:\w+ ){{0,2}}{_THING}"
            rf"|have (?:a|the|an) (?:\w+ )?(?:answer|clue|idea)|remember|recall|understand "
            rf"(?:the|your|what|this)|recognize|recognise|quite understand)\b"
        ),
        (
            rf"i {_REALLY}have (?:absolutely |really )?no (?:idea|clue|{_THING}|record|way "
            rf"(?:of|to) (?:know|tell|verif))"
        ),
        r"i(?:'ve| have) never (?:heard of|come across)\b",
        (
            r"i (?:haven't|have not) (?:got )?(?:a clue|the (?:faintest|foggiest|slightest)"
            r"|(?:ever )?heard of|come across|any idea)\b"
        ),
        (
            rf"i {_REALLY}(?:lack|am missing|'m missing) (?:the |enough |sufficient |some "
            rf")?(?:\w+ )?{_THING}\b"
        ),
        (
            r"i (?:might|may|could) (?:well |very well |easily |be completely )?be (?:wrong"
            r"|mistaken|misremembering|incorrect|confusing)\b"
        ),
        r"(?:this|that|it)(?:'s| is) (?:just|only|purely) (?:a|my) (?:best )?guess\b",
        (
            r"(?:no idea|dunno|beats me|don't know|not sure|no clue)\b(?= ?[.,!;—–-]|\s*$| "
            r"(?:what|how|if|about|which|who|sorry))"
        ),
        (
            r"(?:that|it|this)(?:'s| is) (?:hard|difficult|impossible) for me to (?:say|tell"
            r"|know|determine|judge)\b"
        ),
        r"(?:don't|do not) quote me\b",
        r"i(?:'d| would) (?:have to|be) guess(?:ing)?\b",
        (
            r"i (?:would |will |'ll |'d )?need (?:some |a bit |a little )?more (?:information"
            r"|context|details?)\b"
        ),
        (
            r"i wish i knew\b|i(?:'m| am) drawing a blank\b|i can only (?:guess|speculate)\b|if "
            r"i had to guess\b"
        ),
        (
            r"my (?:best |educated |only )?guess (?:is|would be)\b|(?:it|that|this)(?:'s| is) "
            r"(?:not (?:entirely |quite )?clear|unclear) to me\b"
        ),
        (
            r"there(?:'s| is) no way for me to\b|i (?:only )?have (?:only |very )?limited "
            r"(?:information|knowledge|data|context|details)\b"
        ),
        r"i (?:may|might) not (?:have|know)\b",
    ),
}
