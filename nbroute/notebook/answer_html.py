r"""A model's answer as HTML that nothing in can run or load.

The Markdown is CommonMark with tables and strikethrough; HTML in it is shown as its source.
What comes out has no tags but those of text, lists and tables. An image is named and not
loaded; a link goes to http, https (which `//host` means, too) or mailto, any other is shown
in words; a formula is shown as its source.

JupyterLab and nbconvert hand a finished page to MathJax. It does not look across the border of
an element nor into `<pre>` and `<code>`, so that a dollar or a backslash in a `<span>` of its
own begins no formula.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from nbroute.notebook.markdown_inline import BACKSLASH, DOLLAR
from nbroute.notebook.untrusted import safe_plain

#: Characters; a longer answer is shown as plain text, since parsing it could take a second.
LONGEST_MARKDOWN = 50_000

_PLAIN = (
    "white-space:pre-wrap;word-break:normal;overflow-wrap:break-word;font-family:inherit;"
    "font-size:inherit;line-height:inherit;"
    "background:transparent;color:inherit;border:0;margin:0;padding:0"
)
_CODE = "white-space:pre-wrap;word-break:normal;overflow-wrap:break-word"
_SAFE_ADDRESS = re.compile(r"(?:https?:)?//|mailto:", re.IGNORECASE)
_FORMULA = re.compile(
    r"\\\(.{1,500}?\\\)|\\\[.{1,1000}?\\\]|\$\$[^$]{1,1000}\$\$"
    r"|\$(?=\S)(?=[^$\n]*(?:\\[a-zA-Z]|[\^_={]))(?:[^$\n`\\]|\\[^$\n`]){1,300}(?<=\S)\$(?![\w$])",
    re.DOTALL,
)
_LOWEST_HEADING = 6
_FORMULA_SIGN = re.compile(r"[$\\]")
_SPANS = {"$": DOLLAR, "\\": BACKSLASH}


def answer_html(text: str, *, below: int = 2) -> str:
    """The answer, whole or as far as it came, rendered; a very long one as plain text.

    Its headings are below the level of the heading above it: `<h3>` is its first.
    """
    text = safe_plain(text)
    if len(text) > LONGEST_MARKDOWN:
        return plain_html(text)
    try:
        return str(_parser().render(text, {"below": below}))
    except RecursionError:  # no nesting is known that gets there
        return plain_html(text)


def plain_html(text: str) -> str:
    """The answer's source, with its line breaks: cheap enough for one that still streams."""
    return f'<pre style="{_PLAIN}">{_escaped(safe_plain(text))}</pre>'


def marked_html(pieces: Iterable[tuple[str, bool]]) -> str:
    """The answer's source from pieces (text, whether it stands out), those underlined and bold.

    No `<mark>`: in a dark theme its black letters stay where the notebook is not trusted.
    """
    shown = ((_escaped(safe_plain(text)), marked) for text, marked in pieces)
    inside = (_underlined(text) if marked else text for text, marked in shown)
    return f'<pre style="{_PLAIN}">{"".join(inside)}</pre>'


def safe_html(text: str) -> str:
    """The text as one line of HTML that shows just that: a model's name, a reason."""
    return _unformulaic(_escaped(" ".join(safe_plain(text).split())))


def _underlined(text: str) -> str:
    """The text without the space around it."""
    words = text.strip()
    if not words:
        return text
    before, _, after = text.partition(words)
    return f"{before}<strong><u>{words}</u></strong>{after}"


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)


def _unformulaic(escaped: str) -> str:
    return _FORMULA_SIGN.sub(lambda sign: _SPANS[sign[0]], escaped)


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False})
    parser.enable(["table", "strikethrough"])
    parser.core.ruler.push("in_words", _in_words)
    parser.inline.ruler.before("escape", "formula", _formula)
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser


def _formula(state: Any, silent: bool) -> bool:
    found = _FORMULA.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.push("code_inline", "code", 0).content = " ".join(found[0].split())
    state.pos = found.end()
    return True


def _in_words(state: Any) -> None:
    """Have what would load or lead astray said in words; headings start below the page's."""
    for token in state.tokens:
        if token.type == "inline":
            token.children = _spoken(token.children or [])
        elif token.type in ("heading_open", "heading_close"):
            level = min(int(token.tag[1:]) + state.env["below"], _LOWEST_HEADING)
            token.tag = f"h{level}"


def _spoken(tokens: Sequence[Any]) -> list[Any]:
    """The tokens with images and links to other schemes as text; links do not nest."""
    told: list[Any] = []
    refused = ""
    for token in tokens:
        if token.type == "image":
            alt, address = token.content, token.attrGet("src")
            told.append(_text(token, f"[image not loaded: {alt} ({address})]"))
        elif token.type == "link_open" and not _SAFE_ADDRESS.match(token.attrGet("href") or ""):
            refused = f" ({token.attrGet('href')})"
        elif token.type == "link_close" and refused:
            told.append(_text(token, refused))
            refused = ""
        else:
            told.append(token)
    return told


def _text(like: Any, content: str) -> Any:
    return like.copy(type="text", tag="", attrs={}, content=content, children=None, nesting=0)


def _render_text(_: Any, tokens: Sequence[Any], at: int, *__: Any) -> str:
    return _unformulaic(_escaped(tokens[at].content))


def _render_link(_: Any, tokens: Sequence[Any], at: int, *__: Any) -> str:
    address = tokens[at].attrGet("href").replace("$", "%24")
    address = _escaped(f"https:{address}" if address.startswith("//") else address)
    title = tokens[at].attrGet("title")
    named = f' title="{_escaped(title)}"' if title else ""
    return f'<a href="{address}"{named} rel="noopener noreferrer">'


def _render_code(_: Any, tokens: Sequence[Any], at: int, *__: Any) -> str:
    return f"<code>{_escaped(tokens[at].content)}</code>"


def _render_block(_: Any, tokens: Sequence[Any], at: int, *__: Any) -> str:
    return f'<pre style="{_CODE}"><code>{_escaped(tokens[at].content)}</code></pre>\n'


_RULES = {
    "text": _render_text,
    "text_special": _render_text,
    "link_open": _render_link,
    "code_inline": _render_code,
    "fence": _render_block,
    "code_block": _render_block,
}
