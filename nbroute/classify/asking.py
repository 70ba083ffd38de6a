"""Prompt -> the parts of it that ask, by structure; the only words it knows are courtesies."""

from __future__ import annotations

import re

Span = tuple[int, int]
#: A prompt of at most this many characters, without what it shows, asks from end to end.
LONG = 200
#: The paragraph that says what to do with a pasted text has at most this many characters.
ASKS = 300

#: Fences, and quotations of over 25 characters. No opening mark may occur within its own
#: quotation, which keeps the search linear on any text.
_QUOTED = re.compile(
    r"""```.*?(?:```|\Z)|`[^`\n]{26,}`
    |"[^"]{26,}"|“[^“”]{26,}”|„[^„“”]{26,}[“”]|«[^«»]{26,}»|「[^「」]{26,}」|『[^『』]{26,}』
    |‘[^‘’\n]{26,}’|'(?<!\w')[^'\n]{26,}'(?!\w)|<\w{1,20}>[^<>]{26,}</\w{1,20}>""",
    re.VERBOSE | re.DOTALL,
)
#: A line of a table, a log or a program.
_DATA = re.compile(
    r"""(?:[ ]{2,}|\t)\S
    |[ ]?(?:[|<>]|\d{4}-\d\d-\d\d[ T]\d\d:|[^|\t]{1,80}[|\t][^|\t]{0,80}[|\t]
       |(?:[^\s,;，]{0,40}[,;，]){2}|.*[;{}][ \t]*$)""",
    re.VERBOSE,
)
#: A greeting alone on the first line, or thanks alone on the last. "Hello," with text on the very
#: next line begins a letter, which may be what is shown.
_HELLO = re.compile(
    r"""\s*(?:hi|hello|hey|good[ ](?:morning|afternoon|evening)|dear|hallo|guten[ ]\w+|moin|bonjour
    |salut|hola|buen[oa]s[ ]\w+|ol[áa]|ciao|buongiorno|नमस्ते|привет|здравствуйте|你好|您好|こんにちは
    |안녕하세요)\b[^\n?.:;\d]{0,30}(?:[!.。！]+[ \t]*(?=\n)|[,，]?[ \t]*(?=\n[ \t]*\n))""",
    re.VERBOSE | re.IGNORECASE,
)
_THANKS = re.compile(
    r"""\n[ \t]*(?:(?:many|vielen|herzlichen|muchas|muito|mille|большое)[ ])?
    (?:thanks?|thx|ty|cheers|please|danke|dank|bitte
    |merci|gracias|por[ ]favor|obrigad[oa]|grazie|धन्यवाद|शुक्रिया|спасибо|谢谢|謝謝|感谢|ありがとう\w*
    |お願いします|감사합니다)\b(?![ ]to\b)
    [^\n?:;\d]{0,30}[!,.，。！]*(?:\n[^\W\d]{1,20}[.]?)?\s*\Z""",
    re.VERBOSE | re.IGNORECASE,
)
#: Thanks and a name take at most this many characters.
_SIGNED = 100
_GAP = re.compile(r"\n[ \t]*\n|\n[-=*_]{3,}\n")
_LINE_END = re.compile(r"\n")
_LETTER = re.compile(r"[^\W_]")
_PIECE = re.compile(r"[^\s\0][^\0]*")


def asking(prompt: str) -> tuple[Span, ...]:
    """Where the prompt asks, in order; nothing for white space only.

    Material to be worked on does not ask, unless there is nothing else. In a long prompt the
    first and the last paragraph ask, or else its first and last line, where they are short.
    """
    text = _without_courtesies(_QUOTED.sub(_blank, prompt))
    if "\n" in text:
        lines = text.split("\n")
        text = "\n".join(["\0" * len(line) if _DATA.match(line) else line for line in lines])
    if not _LETTER.search(text):
        text = prompt
    blocks = _blocks(text, _GAP)
    if len(text) - text.count("\0") > LONG:
        if len(blocks) < 2:
            blocks = _blocks(text, _LINE_END)
        edges = [blocks[0], blocks[-1]] if len(blocks) > 1 else []
        blocks = [edge for edge in edges if edge[1] - edge[0] <= ASKS] or blocks
    return tuple(m.span() for block in blocks for m in _PIECE.finditer(text, *block))


def _without_courtesies(text: str) -> str:
    """Without a greeting at its head and thanks at its end, unless those are what is shown."""
    if hello := _HELLO.match(text):
        text = _blank(hello) + text[hello.end() :]
    thanks = _THANKS.search(text, max(len(text.rstrip()) - _SIGNED, 0))
    if thanks and not text[: thanks.start()].rstrip().endswith((":", "：")):
        text = text[: thanks.start()] + _blank(thanks)
    return text


def _blank(found: re.Match[str]) -> str:
    return "\0" * len(found[0])


def _blocks(text: str, gap: re.Pattern[str]) -> list[Span]:
    """The stretches between the gaps that have more in them than white space and material."""
    found, start = [], 0
    for end, after in (*(m.span() for m in gap.finditer(text)), (len(text), 0)):
        if _PIECE.search(text, start, end):
            found.append((start, end))
        start = after
    return found
