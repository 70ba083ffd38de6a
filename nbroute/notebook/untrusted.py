r"""A model's answer made safe to show: Markdown for a notebook, plain text for a terminal.

The Markdown renderers that will read it (marked in JupyterLab, mistune in nbconvert, GitHub's)
disagree at the edges, so nothing here depends on how one of them parses. Outside code, no `<`
that could start a tag, no `![` and no link to anything but http, https, mailto or a relative
address is left as it stands. Dangerous code is written so that it cannot be read as anything
else: a fence at the margin, or `<code>` and `<pre>` that hold entities only.

Dollars: JupyterLab and nbconvert hand everything between two dollars to MathJax, and MathJax
looks again at the finished page, where a backslash before the dollar is gone. So a dollar that
is no maths stands in a `<span>`, which MathJax does not look across; alone in its block a
backslash will do. It is maths if no space follows the first dollar or precedes the second, no
digit or word follows the second (`$n$th` is maths), and what is between does not read as prose.
`\(...\)` and `\[...\]`, which Jupyter does not know, become dollars.

Made safe twice is as safe, but not always the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbroute.notebook.markdown_blocks import Block, blocks
from nbroute.notebook.markdown_inline import (
    BACKSLASH,
    DOLLAR,
    entities,
    is_risky,
    normal,
    safe_inline,
)

_ANSI = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|[0-Z\\-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BREAK = re.compile("\r\n?|[\u2028\u2029]")

_LABEL = re.compile(r"^[ >]*\[([^\[\]\n]+)\]:", re.MULTILINE)
_OPENED = re.compile(r"(\$\$|\\\[)[ \t]*\Z")
_SPLIT = re.compile(r"(?<!\\)\|")
_MARK = re.compile("[`~]")
_LONGEST_DISPLAY = 20

_ESCAPES = {ord(sign): f"\\{sign}" for sign in "`*_[]#|~@"}
_ESCAPES |= {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}
_ESCAPES |= {ord("$"): DOLLAR, ord("\\"): BACKSLASH}
_BARE_LINK = re.compile(r"(?<=\w):(?=//)|(?<=www)\.", re.IGNORECASE)
_BLOCK_START = re.compile(r"(\d*)([-+=.)])")


def safe_plain(text: str) -> str:
    """The text for a terminal: no escape sequences, no control characters but tab and newline.

    What remains of a control character is U+FFFD. Characters that override the direction of
    writing are taken out, so that all is shown in its logical order; those that only join
    (emoji) or hint (U+200E, U+200F) stay.
    """
    text = _ANSI.sub("", _BREAK.sub("\n", text))
    return _CONTROL.sub("\ufffd", _BIDI.sub("", text))


def escape_markdown(text: str) -> str:
    """The text as one line of Markdown that shows just that: a model's name, a prompt."""
    line = " ".join(safe_plain(text).split()).translate(_ESCAPES)
    line = _BARE_LINK.sub(r"\\\g<0>", line)
    start = _BLOCK_START.match(line)
    return f"{start[1]}\\{line[start.start(2) :]}" if start else line


def safe_markdown(text: str) -> str:
    """A model's answer, whole or as far as it came, as Markdown that is safe to display."""
    text = safe_plain(text)
    labels = frozenset(normal(label) for label in _LABEL.findall(text))
    parts = list(_with_whole_displays(blocks(text)))
    ticks = _fence_length(parts)
    lines: list[str] = []
    for part in parts:
        if part.kind == "fence" and not part.nested:
            _apart(lines, _fenced(part, ticks))
        elif lines and lines[-1].startswith("```") and part.kind != "blank":
            _apart(lines, _block(part, ticks, labels))
        else:
            lines.append(_block(part, ticks, labels))
    return "\n".join(lines)


def _apart(lines: list[str], block: str) -> None:
    if lines and lines[-1].strip():
        lines.append("")
    lines.append(block)


def _fence_length(parts: list[Block]) -> int:
    """One length for all fences, longer than any run of backticks in the code."""
    code = "\n".join(line for part in parts for line in part.code)
    return max([2, *(len(run) for run in re.findall("`{3,}", code))]) + 1


def _with_whole_displays(parts: list[Block]) -> Iterator[Block]:
    """Join what a formula on lines of its own covers: a line `- x` in it begins no list."""
    place = 0
    while place < len(parts):
        end = _display_end(parts, place)
        lines = [line for part in parts[place:end] for line in part.lines]
        yield Block("text", lines) if end > place + 1 else parts[place]
        place = end


def _display_end(parts: list[Block], place: int) -> int:
    first = parts[place]
    opened = _OPENED.search(first.lines[-1]) if first.kind == "text" else None
    if opened and _is_open("\n".join(first.lines), opened[1]):
        closer = "$$" if opened[1] == "$$" else r"\]"
        for end in range(place + 1, min(place + _LONGEST_DISPLAY, len(parts))):
            if parts[end].kind != "text":
                break
            if any(closer in line for line in parts[end].lines):
                return end + 1
    return place + 1


def _is_open(text: str, opener: str) -> bool:
    if opener == "$$":
        return text.count("$$") % 2 == 1
    return text.rfind(opener) > text.rfind(r"\]")


def _block(part: Block, ticks: int, labels: frozenset[str]) -> str:
    if part.kind == "row":
        return "|".join(
            safe_inline(cell, labels, cell=True) for cell in _SPLIT.split(part.lines[0])
        )
    if part.kind in ("text", "blank"):
        return safe_inline("\n".join(part.lines), labels)
    code = "\n".join(part.code)
    if not (is_risky(code) or "$" in code) and (part.closed or part.kind == "indented"):
        return _in_place(part, ticks)
    return _preformatted(part, code) if part.nested else f"\n{_fenced(part, ticks)}\n"


def _fenced(part: Block, ticks: int) -> str:
    """The code at the margin; a first line with a word on it can never end another fence."""
    fence = "`" * ticks
    language = _language(part.info) or ("text" if is_risky("\n".join(part.code)) else "")
    return "\n".join([fence + language, *part.code, fence])


def _language(info: str) -> str:
    """The first word; a diagram is shown as its source, since it would load images and links."""
    found = re.match(r"[\w+#.-]{1,40}", info)
    word = found[0] if found else ""
    return "text" if word.lower().startswith("mermaid") else word


def _in_place(part: Block, ticks: int) -> str:
    if part.kind == "indented":
        return "\n".join(part.lines)
    first, *rest, last = part.lines
    start, end = (line[: _mark(line)] for line in (first, last))
    fence = "`" * ticks
    return "\n".join([f"{start}{fence}{_language(part.info)}", *rest, f"{end}{fence}"])


def _mark(line: str) -> int:
    found = _MARK.search(line)
    return found.start() if found else len(line)


def _preformatted(part: Block, code: str) -> str:
    """One line of HTML, so that the list or the quote that holds it goes on."""
    prefix = part.prefix[:-4] if part.kind == "indented" else part.prefix
    return f"{prefix}<pre><code>{entities(code)}&#10;</code></pre>"
