"""The text of one Markdown block, scanned once from left to right, made safe to display.

A token that could do harm is written another way, whatever a parser would make of it: an
escape before it does not count, because parsers disagree on what is escaped.
"""

from __future__ import annotations

import bisect
import re

_COMMANDS = "href|url|require|includegraphics|cssId|class|style|html[a-zA-Z]+|data"
_TOKEN = re.compile(
    rf"""(?P<ticks>`+)
    |(?P<environment>\\begin\{{[A-Za-z]+\*?\}})
    |(?P<maths>\\{{1,2}}[(\[])
    |(?P<command>\\(?:begin|{_COMMANDS})\b)
    |(?P<escape>\\[!$<`\]\\])
    |(?P<dollars>\$+)
    |(?P<image>!+\[)
    |(?P<target>\][(:])
    |(?P<address>https?://[^\s()<>`\[\]\\!|]*)
    |(?P<autolink><(?:https?://[^\s<>`"'\\\[\]()|]*|[\w.+-]+@[\w.-]+)>)
    |(?P<tag><(?=[A-Za-z/!?]))
    |(?P<tildes>~{{3,}})""",
    re.VERBOSE,
)
_SAFE_SCHEME = r"(?!https?://|mailto:)"
_BAD_TARGET = re.compile(
    rf"\](?:\([\s>]*+<?+{_SAFE_SCHEME}[\w+.\-\s]*+/?+[:&\\]"
    rf"|:[\s>]*+<?+{_SAFE_SCHEME}[\w+.\-]*+/?+[:&\\])",
    re.IGNORECASE,
)
_GOOD_TARGET = re.compile(r"\]([(:]\s*)(?:<([^<>\n`\\!|\[\]]*)>|([^\s()<>`\[\]\\!|]*))")
_RISKY = re.compile(r"<[A-Za-z/!?]|!\[|`{3}|~{3}|\$\$|\\begin\b|\\\\[\[\](]")
_LONG_TARGET = re.compile(r"([\w:;,.+/=%&#-]{60})[\w:;,.+/=%&#-]+")

_ALT = r"!\[(?P<alt>(?>(?:[^\[\]\\]|\\.|\[[^\[\]]*\])*))\]"
_IMAGE = re.compile(_ALT + r"(?P<end>\(|\[[^\[\]]+\]|(?:\[\])?)", re.DOTALL)
_BADGE = re.compile(_ALT + r"""\([^()\s]*+(?:\s+"[^"\n]*")?\)(?=\])""", re.DOTALL)

_FORMULAS = {
    "$": re.compile(r"\$((?>(?:[^$`\\]|\\[^`])+))\$(?![\d$]|(?!(?:th|st|nd|rd|s|d)\b)[A-Za-z])"),
    "$$": re.compile(r"\$\$((?>(?:[^$`\\]|\\[^`]|\$(?!\$))+))\$\$(?!\$)"),
    r"\(": re.compile(r"\\\(((?>(?:[^\\`$]|\\(?![()])[^`$])+))\\\)"),
    r"\[": re.compile(r"\\\[((?>(?:[^\\`$]|\\(?![\[\]])[^`$])+))\\\](?![(\[:])"),
    r"\\(": re.compile(r"\\\\\(((?>(?:(?!\\\\[()])[^`$])+))\\\\\)"),
    r"\\[": re.compile(r"\\\\\[((?>(?:(?!\\\\[\[\]])[^`$])+))\\\\\](?![(\[:])"),
}
_PROSE = re.compile(
    r"[^\\^_=]*[^\W\d_]{2,},? +[^\W\d_]{2,}[^\\^_=]*\Z"
    r"|\d[\d,.]*[kKmM]? +[a-z]{2,}"
    r"|\s+[a-z]{2,}\s+\Z"
)
_NO_FORMULA = re.compile(r"[\w\s,.;:'-]*\Z")
_HTML_OR_LINK = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)|\](?=[(:])|~(?=~)|\\\Z")
_BEGIN = re.compile(r"\\begin(?:\{([A-Za-z]+\*?)\})?")
_COMMAND = re.compile(rf"\\({_COMMANDS})\b")

_ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in "!$*:@[\\]_`|~\n"}
_ENTITIES |= {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}
#: MathJax does not look for the end of a formula across an element's border.
DOLLAR = "<span>&#36;</span>"
BACKSLASH = "<span>&#92;</span>"
_LONGEST_TICKS = 2


def entities(code: str) -> str:
    """The code with every character that HTML, Markdown or MathJax reads as an entity."""
    return code.translate(_ENTITIES)


def normal(label: str) -> str:
    """The label of a reference as CommonMark compares it."""
    return " ".join(label.split()).casefold()


def is_risky(code: str) -> bool:
    """Whether the code would do harm, or break what follows, if it were read as text."""
    return bool(_RISKY.search(code) or _BAD_TARGET.search(code))


def safe_inline(text: str, labels: frozenset[str], *, cell: bool = False) -> str:
    r"""The block's text, made safe; `labels` are the references that the document defines.

    In a table's `cell` a code span, too, has its bars escaped (`\|`).
    """
    return _Scan(text, labels, cell).safe() if _TOKEN.search(text) else text


class _Scan:
    """The handler of each token puts what is to be shown and returns where to go on."""

    def __init__(self, text: str, labels: frozenset[str], cell: bool) -> None:
        self.text = text
        self.labels = labels
        self.cell = cell
        self.out: list[str] = []
        self.dollars: list[int] = []
        self.formulas = 0
        self.runs: dict[int, list[int]] = {}
        self.unclosed: set[str] = set()

    def safe(self) -> str:
        place = 0
        while found := _TOKEN.search(self.text, place):
            self.out.append(self.text[place : found.start()])
            place = _HANDLERS[found.lastgroup or ""](self, found)
        self.out.append(self.text[place:])
        alone = len(self.dollars) == 1 and not self.formulas
        for dollar in self.dollars:
            self.out[dollar] = r"\$" if alone else DOLLAR
        return "".join(self.out)

    def _put(self, text: str, end: int) -> int:
        self.out.append(text)
        return end

    def _dollar(self, end: int) -> int:
        self.dollars.append(len(self.out))
        return self._put("", end)

    def _ticks(self, found: re.Match[str]) -> int:
        start, width = found.end(), len(found[0])
        end = self._closing(width, start)
        if end is None:
            return self._put("&#96;" * width, start)
        code = self.text[start:end]
        shown = code.replace("\\|", "|") if self.cell else code
        split = "\n" in code and "$" in code
        if width > _LONGEST_TICKS or split or is_risky(code):
            return self._put(f"<code>{entities(_unwrapped(shown))}</code>", end + width)
        return self._put(self.text[found.start() : end + width], end + width)

    def _closing(self, width: int, start: int) -> int | None:
        if not self.runs:
            for run in re.finditer("`+", self.text):
                self.runs.setdefault(len(run[0]), []).append(run.start())
        starts = self.runs.get(width, [])
        place = bisect.bisect_left(starts, start)
        return starts[place] if place < len(starts) else None

    def _environment(self, found: re.Match[str]) -> int:
        closer = found[0].replace("begin", "end", 1)
        end = -1 if closer in self.unclosed else self.text.find(closer, found.end())
        body = self.text[found.end() : end]
        if end < 0 or "`" in body:
            self.unclosed.add(closer)
            return self._command(found)
        return self._formula(found[0], body, closer, end + len(closer))

    def _maths(self, found: re.Match[str]) -> int:
        mark = found[0]
        inline = mark[-1] == "("
        whole = _FORMULAS[mark].match(self.text, found.start())
        if whole and whole[1].strip() and (inline or not _NO_FORMULA.match(whole[1])):
            dollars, body = ("$", whole[1].strip()) if inline else ("$$", whole[1])
            return self._formula(dollars, body, dollars, whole.end())
        return self._put(mark if mark[1] != "\\" else f"{BACKSLASH}{mark[-1]}", found.end())

    def _dollars(self, found: re.Match[str]) -> int:
        mark = found[0]
        pattern = _FORMULAS.get(mark)
        whole = pattern.match(self.text, found.start()) if pattern else None
        if whole and _is_formula(whole[1], tight=mark == "$"):
            return self._formula(mark, whole[1], mark, whole.end())
        for _ in mark:
            self._dollar(found.end())
        return found.end()

    def _formula(self, opener: str, body: str, closer: str, end: int) -> int:
        """Put it apart from a dollar or a backslash before it, which would change its meaning."""
        self.formulas += 1
        before = next((put[-1] for put in reversed(self.out) if put), "")
        apart = " " if before in ("$", "\\") else ""
        body = _safe_formula(body)
        if opener == "$":  # nbconvert takes `\\[` in it for the start of a longer formula
            body = body.replace(r"\\[", r"\\ [")
        return self._put(f"{apart}{opener}{body}{closer}", end)

    def _command(self, found: re.Match[str]) -> int:
        return self._put(BACKSLASH + found[0][1:], found.end())

    def _escape(self, found: re.Match[str]) -> int:
        sign, after = found[0][1], self.text[found.end() : found.end() + 1]
        if sign == "$":
            return self._dollar(found.end())
        if sign == "\\":
            return self._put(BACKSLASH if after in ("$", "(", "[") else found[0], found.end())
        if sign == "]" and after not in ("(", ":"):
            return self._put(found[0], found.end())
        return self._put(entities(sign), found.end())

    def _image(self, found: re.Match[str]) -> int:
        start = found.end() - 2
        self.out.append("&#33;" * (start - found.start()))
        badge = _BADGE.match(self.text, start) if self.text[start - 1 : start] == "[" else None
        if badge:
            return self._put(f"image not loaded: {entities(badge['alt'])}", badge.end())
        image = _IMAGE.match(self.text, start)
        if image and image["end"] not in ("", "[]"):
            colon = ": " if image["alt"] else ""
            return self._put(f"[image not loaded{colon}", found.end())
        if image and normal(image["alt"]) in self.labels:
            alt = image["alt"].replace("!", "&#33;")
            return self._put(f"[image not loaded: {entities(alt)}][{alt}]", image.end())
        return self._put("!&#91;", found.end())

    def _target(self, found: re.Match[str]) -> int:
        if _BAD_TARGET.match(self.text, found.start()):
            self.out.append(f"]&#{ord(found[0][1])};")
            long = _LONG_TARGET.match(self.text, found.end())
            return self._put(f"{entities(long[1])}…", long.end()) if long else found.end()
        good = _GOOD_TARGET.match(self.text, found.start())
        if not good:
            return self._put(found[0], found.end())
        address = good[3] if good[2] is None else re.sub(r"[\s()]", _percent, good[2])
        address = f"https:{address}" if address.startswith("//") else address
        return self._put(f"]{good[1]}{address.replace('$', '%24')}", good.end())

    def _address(self, found: re.Match[str]) -> int:
        return self._put(found[0].replace("$", "%24"), found.end())

    def _autolink(self, found: re.Match[str]) -> int:
        if self.text[found.start() - 1 : found.start()] == "!":
            return self._tag(found)
        inner = found[0][1:-1]
        address = inner if "://" in inner else f"mailto:{inner}"
        label = re.sub(r"[*_~$&:!]", _entity, inner)
        return self._put(f"[{label}]({address.replace('$', '%24')})", found.end())

    def _tag(self, found: re.Match[str]) -> int:
        return self._put("&lt;", found.start() + 1)

    def _tildes(self, found: re.Match[str]) -> int:
        return self._put("&#126;" * len(found[0]), found.end())


_HANDLERS = {name: getattr(_Scan, f"_{name}") for name in _TOKEN.groupindex}


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"


def _percent(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _unwrapped(code: str) -> str:
    """What a code span shows: line ends are spaces, one space on either side is left out."""
    code = re.sub(r"\n[ \t>]*", " ", code)
    return code[1:-1] if code.strip() and code[0] == code[-1] == " " else code


def _is_formula(body: str, *, tight: bool) -> bool:
    loose = body[0].isspace() or body[-1].isspace()
    return bool(body.strip()) and not (tight and loose) and not _PROSE.match(body)


def _safe_formula(body: str) -> str:
    """The body with a space, which TeX does not see, where HTML or a link could begin."""
    body = _COMMAND.sub(r"\\mathtt{\1}", _HTML_OR_LINK.sub(r"\g<0> ", body))
    last = {found[0]: found.start() for found in re.finditer(r"\\end\{[A-Za-z]+\*?\}", body)}

    def closed(found: re.Match[str]) -> str:
        if last.get(rf"\end{{{found[1]}}}", -1) > found.start():
            return found[0]
        return rf"\mathtt{{begin}}{found[0][6:]}"

    return _BEGIN.sub(closed, body)
