r"""A model's answer, parsed once: as HTML, Markdown and plain text that cannot run or load.

markdown-it-py reads CommonMark with tables and strikethrough, and no HTML. Its tokens are written
as HTML, and as Markdown in one plain form that JupyterLab, nbconvert and GitHub read alike. Images
are named, not loaded; links may go to http, https (`//host` too) or mailto, and any other link is
shown as text.

Formulas are left to MathJax, which JupyterLab and nbconvert run over the finished page. One with a
command that could make a link, a style or a new command is shown as its source. MathJax does not
look across the border of an element, so a dollar or a backslash in its own `<span>` does not begin
a formula.
"""

from __future__ import annotations

import html
import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from nbroute.report.table import shortened

#: Characters; a longer answer is shown as plain text, since parsing it could take seconds.
LONGEST_MARKDOWN = 300_000
#: Code in a longer answer is not coloured: Pygments takes longer than everything else. It is
#: stopped after this many seconds, as some lexers take quadratic time on text that is not code.
LONGEST_COLOURED, _MOST_SECONDS = 40_000, 0.3

_ANSI = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|[0-Z\\-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BREAK = re.compile("\r\n?|[\u2028\u2029]")

_PLAIN = (
    "white-space:pre-wrap;word-break:normal;overflow-wrap:break-word;font-family:inherit;"
    "font-size:inherit;line-height:inherit;"
    "background:transparent;color:inherit;border:0;margin:0;padding:0"
)
_SCROLLING = "overflow-x:auto;margin:0 0 8px"
_SAFE_ADDRESS = re.compile(r"(?:https?:)?//|mailto:", re.IGNORECASE)
_BARE_ADDRESS = re.compile(r"https?://[^\s<>\"'`|\\]*[^\s<>\"'`|\\.,;:!?*_~()\[\]{}]")
_LONGEST_ADDRESS = 80
_LOWEST_HEADING = 6

_LONGEST_FORMULA = 2_000
_MOST_LINES = 40
_TEX = r"(?:[^$`\\]|\\[^`(\[])+?"
_ENVIRONMENT = (
    r"(?:align(?:ed|at|edat)?|array|[bBpvV]?matrix|smallmatrix|[dr]?cases|equation|eqnarray"
    r"|gather(?:ed)?|multline|split|flalign|subarray|CD)\*?"
)
# the second dollar of two prices is followed by a digit
_FORMULA = re.compile(
    rf"""\$\$(?P<dollars>{_TEX})\$\$(?!\$)
    |(?<![$A-Za-z])\$(?![\s$])(?P<dollar>{_TEX})(?<!\s)\$(?![\d$]|(?!(?:th|st|nd|rd|s|d)\b)[A-Za-z])
    |(?P<slash>\\\\?)(?:\((?P<round>{_TEX})(?P=slash)\)|\[(?P<square>{_TEX})(?P=slash)\](?![(\[:]))
    |(?P<begin>\\begin\{{(?P<name>{_ENVIRONMENT})\}}(?:[^$`\\]++|\\(?!end\{{(?P=name)\}}))*+
    \\end\{{(?P=name)\}})""",
    re.VERBOSE,
)
_TEX_SIGN = re.compile(r"[\\^_=<>+]")
_WORDS = re.compile(r"[^\W\d_]{2,}\W? | \W?[^\W\d_]{2,}")
_AMOUNT = re.compile(r"\d[\d,.]*[kKmM]? [a-z]{2,}")
_NO_FORMULA = re.compile(r"[\w\s,.;:'-]*\Z")
_DANGEROUS = re.compile(
    r"\\(?:href|url|html|class|style|cssId|data|require|include|input|unicode|mmlToken|bbox|enclose"
    r"|texttip|mathtip|toggle|action|setOptions|csname|begingroup|long|define|provide|[dD]eclare"
    r"|(?:re)?new(?:command|environment|tagform)|(?:[egx]?def|let|futurelet|global)(?![a-zA-Z]))"
)
_READ_AS_MARKDOWN = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)|\](?=[(:])|~(?=~)")

_APART = {"$": "<span>&#36;</span>", "\\": "<span>&#92;</span>"}
#: No reference label is ever defined, so brackets alone do not make a link.
_MARKDOWN = re.compile(
    r"[`<&$\\*|~]|!(?=\[|\Z)|\](?=[(\[:]|\Z)|\[(?=[ xX]\])|(?<![^\W_])_|_(?![^\W_])|(?<!\S)#"
    r"|(?<=\w):(?=//)|(?<=\bwww)\.|@(?=[\w@])"
)
_BRACKET = re.compile(r"(?<!\\)[\[\]]")
_LINE_START = re.compile(r"^(\d{1,9}(?=[.)])|(?=[-+=>:]))", re.MULTILINE)
_WRITTEN = {sign: f"&#{ord(sign)};" for sign in "`!]:"}
_WRITTEN |= {"<": "&lt;", "&": "&amp;"} | _APART
_ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in "!$*:@[\\]_`|~\n<>&"}
#: What parsers disagree about in code that is in a line, a list or a quote.
_RISKY = re.compile(r"<[A-Za-z/!?]|!\[|\][(:]|`|~{3}|\$|\\begin|\\\\[\[(]|\|")
_CONTAINERS = ("blockquote_open", "list_item_open")
_UNCOLOURED = ("n", "p", "w")
_LANGUAGE = re.compile(r"(?!mermaid)[\w+#.-]{1,40}", re.IGNORECASE)


def safe_plain(text: str) -> str:
    """The text for a terminal: no escape sequences, no control characters but tab and newline.

    Any other control character becomes U+FFFD. Characters that override the writing direction are
    removed, so that the text is shown in its logical order; those that only join (emoji) or hint
    (U+200E, U+200F) stay.
    """
    text = _ANSI.sub("", _BREAK.sub("\n", text))
    return _CONTROL.sub("\ufffd", _BIDI.sub("", text))


def escape_markdown(text: str) -> str:
    """The text as one line of Markdown that shows exactly that: a model's name, a prompt."""
    return _line_starts(_markdown(" ".join(safe_plain(text).split())))


def plain_html(text: str) -> str:
    """The answer's source, with its line breaks: cheap enough to redraw while it streams."""
    return f'<pre style="{_PLAIN}">{html.escape(safe_plain(text))}</pre>'


def words_html(words: object) -> str:
    """The words as HTML that shows exactly that; a dollar in them does not begin a formula."""
    escaped = html.escape(safe_plain(str(words)))
    return escaped.replace("\\", _APART["\\"]).replace("$", _APART["$"])


def answer_html(text: str, *, below: int = 2, marks: Iterable[tuple[int, int]] = ()) -> str:
    """The answer, complete or partial, as HTML; a very long or deeply nested one as plain text.

    `below` is added to the level of each heading, up to 6. `marks` are stretches (start, end) of
    `visible_text(text)`, in order.
    """
    parsed = _parsed(text)
    if parsed is None:
        return plain_html(text)
    tokens, _ = parsed
    until = time.thread_time() + _MOST_SECONDS if len(text) <= LONGEST_COLOURED else 0
    env = {"below": below, "marks": list(marks), "until": until}
    return str(_PARSER.renderer.render(tokens, _PARSER.options, env))


def visible_text(text: str) -> str:
    """The words of the rendered answer, one line for each block, without Markdown's signs."""
    parsed = _parsed(text)
    return safe_plain(text) if parsed is None else parsed[1]


def safe_markdown(text: str, *, below: int = 2) -> str:
    """The answer, complete or partial, as Markdown that is safe to display."""
    parsed = _parsed(text)
    tokens, shown = parsed or ([], safe_plain(text))
    # longer than any run of backticks in the answer's code
    fence = "`" + max(re.findall("`{3,}", shown), key=len, default="``")
    return _blocks(SyntaxTreeNode(tokens), fence, below) if parsed else _fenced(shown, "", fence)


@lru_cache(maxsize=4)
def _parsed(text: str) -> tuple[list[Any], str] | None:
    """The tokens and the text that they show; None if it has to be shown as plain text.

    It is then too long, or nested so deeply that the parser drops what is inside.
    """
    text = safe_plain(text)
    if len(text) > LONGEST_MARKDOWN:
        return None
    env: dict[str, str] = {}
    tokens = _PARSER.parse(text, env)
    deepest = _PARSER.options["maxNesting"] - 1
    if any(token.type in _CONTAINERS and token.level >= deepest for token in tokens):
        return None
    return tokens, env["shown"]


def _formula_in_line(state: Any, silent: bool) -> bool:
    at = state.pos
    if state.src[at] not in "$\\":
        return False
    found = _FORMULA.match(state.src, at, min(state.posMax, at + _LONGEST_FORMULA))
    if not found or not _put_formula(state, found, "code_inline", silent=silent):
        return False
    state.pos = found.end()
    return True


def _formula_of_lines(state: Any, start: int, stop: int, silent: bool) -> bool:
    """A formula on lines of its own, where a line `- x` does not begin a list."""
    at = state.bMarks[start] + state.tShift[start]
    found = _FORMULA.match(state.src, at, at + _LONGEST_FORMULA)
    if not found or state.is_code_block(start):
        return False
    last = bisect_left(state.eMarks, found.end(), start, min(stop - 1, start + _MOST_LINES))
    lines = state.getLines(start, last + 1, state.blkIndent, False).lstrip()
    found = _FORMULA.match(lines)
    inside = all(state.isEmpty(i) or state.sCount[i] >= state.blkIndent for i in range(start, last))
    if not inside or not found or found.lastgroup in ("dollar", "round"):
        return False
    after = lines[found.end() :].strip(" \t\n.,;")
    if after or not _put_formula(state, found, "code_block", silent=silent):
        return False
    state.line = start if silent else last + 1
    return True


def _put_formula(state: Any, found: re.Match[str], code: str, *, silent: bool) -> bool:
    """Add the formula, its TeX on one line; False if it reads as prose or is not closed.

    A formula that could do harm is added as `code`.
    """
    kind = found.lastgroup or ""
    # `%` begins a comment in TeX, but a model that writes `100%` does not mean one
    tex = re.sub(r"(?<=\d)%", r"\%", found[kind].replace("&amp;", "&"))
    body = " ".join(re.sub(r"(?<!\\)%[^\n]*", "", tex).split())
    prose = not _TEX_SIGN.search(body) and _WORDS.search(body)
    bracketed = kind == "square" and _NO_FORMULA.match(body)
    bare = re.sub(r"\\\\|\\[{}]", "", body)
    depths = [0, *accumulate((sign == "{") - (sign == "}") for sign in bare)]
    parts = re.findall(r"\\(begin|end)(?![a-zA-Z]) *(\{[^{}]*\}|)", bare)
    begun, ended = (sorted(name for word, name in parts if word == w) for w in ("begin", "end"))
    nested = body.count(r"\begin") != body.count(r"\end{") or begun != ended or "" in begun
    whole = min(depths) == depths[-1] == 0 and not nested and not bare.endswith("\\")
    if not body or prose or bracketed or _AMOUNT.match(body) or not whole:
        return False
    if silent:
        return True
    body = _READ_AS_MARKDOWN.sub(r"\g<0> ", re.sub(r" *\\label *\{[^{}]*\}", "", body))
    if _DANGEROUS.search(body):
        state.push(code, "", 0).content = " ".join(found[0].split())
    else:
        token = state.push("formula", "", 0)
        token.content = body + "{}" if body.endswith(("\\", "$")) else body
        token.markup = "$" if kind in ("dollar", "round") else "$$"
    return True


def _in_words(state: Any) -> None:
    """Put what would load or mislead into words, and note where each text begins."""
    shown, at = [], 0
    for token in state.tokens:
        if token.type == "inline":
            token.children = list(_spoken(state, token.children))
        for leaf in token.children or [token]:
            leaf.meta["at"] = at
            if leaf.type == "link_open":
                address = str(leaf.attrGet("href")).replace("$", "%24")
                leaf.attrs["href"] = f"https:{address}" if address.startswith("//") else address
            shown.append("\n" if leaf.type in ("softbreak", "hardbreak") else leaf.content)
            at += len(shown[-1])
        if token.content:
            shown.append("\n")
            at += 1
    state.env["shown"] = "".join(shown)


def _spoken(state: Any, tokens: Iterable[Any]) -> Iterator[Any]:
    """The tokens with images and links to other schemes as text, and bare addresses as links."""
    inside, refused = False, ""
    for token in tokens:
        address = str(token.attrGet("src") or token.attrGet("href") or "")
        short = f"({shortened(address, _LONGEST_ADDRESS)})"
        if token.type == "image":
            alt = token.content and f": {token.content}"
            yield _text(f"[image not loaded{alt} {short}]")
        elif token.type == "link_open" and not _SAFE_ADDRESS.match(address):
            refused = f" {short}"
        elif token.type == "link_close" and refused:
            yield _text(refused)
            refused = ""
        elif token.type == "text":
            if "&" in state.src:  # an entity can stand for a line break or a control character
                token.content = safe_plain(token.content).replace("\n", " ")
            bare = "://" in token.content and not inside and not refused
            yield from _linked(state, token.content) if bare else [token]
        else:
            inside = token.type == "link_open" or (inside and token.type != "link_close")
            yield token


def _linked(state: Any, text: str) -> Iterator[Token]:
    place = 0
    for found in _BARE_ADDRESS.finditer(text):
        yield _text(text[place : found.start()])
        yield Token("link_open", "a", 1, attrs={"href": state.md.normalizeLink(found[0])})
        yield _text(found[0])
        yield Token("link_close", "a", -1)
        place = found.end()
    yield _text(text[place:])


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _words(
    text: str, at: int, marks: Sequence[tuple[int, int]], write: Callable[[str], str] = html.escape
) -> str:
    """The text, which begins at `at` in the visible text, as HTML with its marks."""
    written, place = "", 0
    for start, end in marks and marks[bisect_right(marks, at, key=lambda mark: mark[1]) :]:
        if start - at >= len(text):
            break
        first, last = max(start - at, place), min(end - at, len(text))
        written += write(text[place:first]) + _mark(write(text[first:last]))
        place = last
    return written + write(text[place:])


def _mark(shown: str) -> str:
    return f'<mark class="nbr-diff">{shown}</mark>' if shown.strip() else shown


def _level(heading: Any, below: int) -> int:
    return min(int(heading.tag[1:]) + below, _LOWEST_HEADING)


def _language(info: str) -> str:
    """The first word; a diagram has none and is shown as its source, as it would load images."""
    found = _LANGUAGE.match(info)
    return found[0] if found else ""


class _Renderer(RendererHTML):
    """The tokens as HTML, each by the method of its type; parts that scroll can take the focus."""

    def text(self, tokens: Any, idx: int, _: Any, env: Any) -> str:
        return _words(tokens[idx].content, tokens[idx].meta["at"], env["marks"], words_html)

    def code_inline(self, tokens: Any, idx: int, _: Any, env: Any) -> str:
        token = tokens[idx]
        return f"<code>{_words(token.content, token.meta['at'], env['marks'])}</code>"

    def formula(self, tokens: Any, idx: int, _: Any, env: Any) -> str:
        token, at = tokens[idx], tokens[idx].meta["at"]
        tex = f"{token.markup}{html.escape(token.content)}{token.markup}"
        shown = f'<span class="nbr-formula">{tex}</span>'
        if any(start < at + len(token.content) and at < end for start, end in env["marks"]):
            shown = _mark(shown)
        return f"<p>{shown}</p>\n" if token.block else shown

    def fence(self, tokens: Any, idx: int, _: Any, env: Any) -> str:
        token, inside = tokens[idx], ""
        for place, kind, code in _coloured(token.content, _language(token.info), env["until"]):
            words = _words(code, token.meta["at"] + place, env["marks"])
            inside += f'<span class="{kind}">{words}</span>' if kind else words
        style = f"white-space:pre;{_SCROLLING}"
        code = f'<code style="white-space:pre">{inside}</code>'
        return f'<div class="highlight"><pre tabindex="0" style="{style}">{code}</pre></div>\n'

    code_block = fence  # type: ignore[assignment]  # the base class names its arguments

    def heading_open(self, tokens: Any, idx: int, _: Any, env: Any) -> str:
        """A heading to a screen reader, but not to the notebook's table of contents."""
        return f'<p role="heading" aria-level="{_level(tokens[idx], env["below"])}"><strong>'

    def heading_close(self, *_: Any) -> str:
        return "</strong></p>\n"

    def link_open(self, tokens: Any, idx: int, *_: Any) -> str:
        address, title = (tokens[idx].attrGet(name) for name in ("href", "title"))
        named = f' title="{html.escape(safe_plain(title))}"' if title else ""
        return f'<a href="{html.escape(address)}"{named} rel="noopener noreferrer">'

    def table_open(self, *_: Any) -> str:
        return f'<div tabindex="0" style="{_SCROLLING}"><table>\n'

    def table_close(self, *_: Any) -> str:
        return "</table></div>\n"


_PARSER = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False}, renderer_cls=_Renderer)
_PARSER.enable(["table", "strikethrough"])
_PARSER.core.ruler.push("in_words", _in_words)
_PARSER.inline.ruler.before("escape", "formula", _formula_in_line)
_PARSER.block.ruler.before(
    "code", "formula", _formula_of_lines, {"alt": ["paragraph", "reference", "blockquote", "list"]}
)


def _coloured(code: str, language: str, until: float) -> list[tuple[int, str, str]]:
    """The code in pieces: where it begins, Pygments' short class, the text."""
    whole = [(0, "", code)]
    if not until or language.lower() not in _languages():
        return whole
    from pygments.lexers import get_lexer_by_name
    from pygments.token import STANDARD_TYPES

    found = []
    for place, kind, text in get_lexer_by_name(language).get_tokens_unprocessed(code):
        short = next(STANDARD_TYPES[k] for k in reversed(kind.split()) if k in STANDARD_TYPES)
        if time.thread_time() > until:
            return whole
        found.append((place, "" if short in _UNCOLOURED else short, text))
    return found if code == "".join(text for *_, text in found) else whole


@cache
def _languages() -> frozenset[str]:
    """The names of Pygments' own lexers, so that no plugin is looked for."""
    from pygments.lexers import get_all_lexers

    return frozenset(name for lexer in get_all_lexers(plugins=False) for name in lexer[1])


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(lambda sign: _WRITTEN.get(sign[0], f"\\{sign[0]}"), text)


def _line_starts(text: str) -> str:
    return _LINE_START.sub(r"\1\\", re.sub(r"(?m)^[ \t]+", "", text))


def _fenced(code: str, language: str, fence: str) -> str:
    """The code in a fence; as its first line has a word on it, it can never end another fence."""
    return f"{fence}{language or 'text'}\n{code.removesuffix(chr(10))}\n{fence}"


def _blocks(node: Any, fence: str, below: int) -> str:
    """The blocks in a node of markdown-it's tree as Markdown, each in one plain form."""
    written, before = "", None
    tight = any(block.hidden for item in node.children for block in item.children)
    for block in node.children:
        content = block.content
        match block.type:
            case "paragraph":
                text = _line_starts(_line(block.children[0]))
            case "heading":
                line = _line_starts(_line(block.children[0]))
                text = f"{'#' * _level(block, below)} {' '.join(line.split())}"
            case "bullet_list" | "ordered_list":
                text = _blocks(block, fence, below)
            case "list_item" | "blockquote":
                first = f"{block.info}{block.markup} "
                rest = first if block.type == "blockquote" else " " * len(first)
                text = first + _blocks(block, fence, below).replace("\n", f"\n{rest}")
            case "table":
                rows = [row for part in block.children for row in part.children]
                cells = [
                    [_line(cell.children[0], in_table=True) for cell in row.children]
                    for row in rows
                ]
                rulers = [_RULERS.get(str(cell.attrGet("style")), "-") for cell in rows[0].children]
                lines = (f"| {' | '.join(row)} |" for row in [cells[0], rulers, *cells[1:]])
                text = "\n".join(lines)
            case "formula":
                text = f"$${content}$$"
            case "hr":
                text = "___"
            case _ if node.is_root or not _RISKY.search(content):
                text = _fenced(content, _language(block.info), fence)
            case _:  # parsers could disagree on it: one line of HTML
                text = f"<pre><code>{content.translate(_ENTITIES)}</code></pre>"
        nested = before and before.hidden and block.type.endswith("_list")
        written += text if not before else f"\n{text}" if tight or nested else f"\n\n{text}"
        before = block
    return written


_IN_LINK = {ord(sign): f"%{ord(sign):02X}" for sign in "()<>[]\\|`* \t\n"} | {ord("&"): "&amp;"}
_RULERS = {"text-align:left": ":-", "text-align:right": "-:", "text-align:center": ":-:"}


def _line(node: Any, *, in_table: bool = False, in_link: bool = False) -> str:
    """The content of a line, or of an emphasis or a link in it, as Markdown."""
    written = ""
    for part in node.children:
        inside = _line(part, in_table=in_table, in_link=in_link or part.type == "link")
        content, sign = part.content, part.markup
        match part.type:
            case "text":
                text = _markdown(content)
                written += _BRACKET.sub(r"\\\g<0>", text) if in_link else text
            case "code_inline":
                risky = _RISKY.search(content) or content.strip() != content
                entities = f"<code>{content.translate(_ENTITIES)}</code>"
                written += entities if risky else f"`{content}`"
            case "formula":
                # an environment in a line would be taken for a block of its own
                sign = "$$" if r"\begin" in content else sign
                content = content.replace(r"\\[", r"\\ [") if sign == "$" else content
                if in_table:
                    content = content.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
                written += f"{' ' * written.endswith('$')}{sign}{content}{sign}"
            case "softbreak" | "hardbreak":
                written += " " if in_table else "\n" if part.type == "softbreak" else "  \n"
            case "link":
                written += f"[{inside}]({part.attrGet('href').translate(_IN_LINK)})"
            case "s":
                written += f"<del>{inside}</del>"
            case _:
                written += f"{sign}{inside}{sign}"
    return written
