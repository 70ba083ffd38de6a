"""Answers that would do harm if they were shown as they are, and what a card makes of them."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<!-- x --><?php x ?><![CDATA[x]]><!DOCTYPE x>",
    "<scr\0ipt>alert(1)</scr\x1b[0mipt>",
    "\\<img src=x onerror=alert(1)>",
    "`` ` <img src=x onerror=alert(1)> `",
    "|`a|\n|-|\n|b`<img src=x onerror=alert(1)>`|",
    "```a`b\n<img src=x onerror=alert(1)>\n```",
    "````\n```\n<script>alert(1)</script>\n```\n````",
    "- a\n\n      <img src=x onerror=alert(1)>\n\n    <img src=x onerror=alert(1)>",
    '```"><img src=x onerror=alert(1)>\nx\n```',
    "- ```mermaid\n  graph TD; A@{ img: 'https://evil.example/x.png' }\n  ```",
    "\\begin{a}\n\n```\n\\end{a}\n<script>alert(1)</script>\n```",
    "$\\\\[$\n\n```\n\\\\]\n<script>alert(1)</script>\n```",
    "\\[<img src=x onerror=alert(1)>\\]",
    "\\![x](https://evil.example/x.png)",
    "![a [b [c]]](https://evil.example/x.png)",
    "!<https://a.example>(https://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](javascript\\:alert(1))",
    "[x\\](javascript:alert(1))",
    "[$x$](javascript:alert(1))",
    "<javascript:alert(1)>",
    '[x](https://a.example "\\" onmouseover=alert(1) \\"")',
    '<https://a.example/"onmouseover=alert(1)>',
    "@@0@@ $x$ <img src=x onerror=alert(1)>",
    "$a{b$ <img src=x onerror=alert(1)> $c}$",
    "$\\begin{cases}$\n\n```\n\\end{cases}\n<script>alert(1)</script>\n```",
    "$\\hr%\nef{javascript:alert(1)}{x}$",
    "$x$![a](https://evil.example/x.png)$y$",
    "`!`[a](https://a.example/x.png) ![`",
    "!&#91;a](https://evil.example/x.png) &#33;[a](https://a.example)",
    "a&#10;&#10;    <script>alert(1)</script>&#10;# b",
    "~~~~a~~~~\n\n```\n~~~~\n<script>alert(1)</script>\n```",
    "```python\n'<script>alert(1)</script>' # <!-- x -->\n```",
    'https://a.example/"onmouseover=alert(1) https://a.example/<script>',
    "[https://a.example](https://b.example)[![a](https://evil.example)](https://c.example)",
    "1. `<b>`\n   ```html\n   <script>\n   ```\n\n![x](http://e/x.png) $a<b$ [x](javascript:y)",
]

#: What a card is made of; a renderer of Markdown may write a few more.
TEXT = "a blockquote br code div em hr li mark ol p pre s span strong"
TAGS = {*re.findall(r"\w+", f"{TEXT} table tbody td th thead tr ul")}
IN_MARKDOWN = TAGS | {"dd", "dl", "dt", "del", *(f"h{level}" for level in range(1, 7))}
ATTRIBUTES = {"aria-level", "class", "href", "rel", "role", "start", "style", "tabindex", "title"}
FORBIDDEN = (
    r"\\(href|url|html|class|style|cssId|data|require|include|unicode|bbox|[egx]?def\b|let\b|newc)"
)


class Rendered(HTMLParser):
    """What a browser would make of it: the tags, the harm in them, the text, code and formulas."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.addresses, self.styles = set(), set(), [], set()
        self.open, self.harm, self.shown, self.maths = [], [], [], [""]
        self.codes, self.formulas = [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in IN_MARKDOWN and ("type", "checkbox") not in attrs:
            self.harm.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            self.addresses += [value] if name == "href" else []
            self.styles |= {value} if name == "style" else set()
            harmful = name.startswith(("on", "src")) or (name == "href" and _is_harmful(value))
            self.harm += [f"{tag} {name}={value}"] if harmful else []
        self.codes += [""] if tag in ("code", "pre") and not self._in_code else []
        self.maths.append("")
        if tag not in ("br", "hr", "input"):
            self.open.append("formula" if ("class", "nbr-formula") in attrs else tag)

    def handle_endtag(self, tag):
        self.maths.append("")
        if not self.open or tag != self.open.pop().replace("formula", "span"):
            self.open.append(f"</{tag}>")

    @property
    def _in_code(self):
        return {"code", "pre"} & set(self.open)

    def handle_data(self, data):
        self.shown.append(data)
        if self._in_code:
            self.codes[-1] += data
        elif "formula" in self.open:
            self.formulas.append(data)
        else:
            self.maths[-1] += data

    def handle_comment(self, data):
        self.harm.append(f"comment {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def text(self):
        return " ".join("".join(self.shown).split())


def _is_harmful(address):
    address = re.sub(r"[\x00-\x20]", "", html.unescape(address or "")).lower()
    scheme = re.match(r"([a-z][a-z0-9+.-]*):", address)
    return bool(scheme) and scheme[1] not in ("http", "https", "mailto")


def page(source):
    """The page, looked at: allowed tags, attributes, styles and addresses, no stray formula."""
    made = Rendered(source)
    assert ([], []) == (made.open, made.harm)
    assert set() == made.tags - TAGS
    assert set() == made.attributes - ATTRIBUTES
    assert [] == [a for a in made.addresses if not re.match("https?://|mailto:", a, re.IGNORECASE)]
    assert not re.search(r"url|expression|@|\\", " ".join(made.styles))
    for run in made.maths:
        assert not re.search(r"\$.*\$|\\[(\[a-zA-Z]", run, re.DOTALL), run
    for formula in made.formulas:
        assert not re.search(FORBIDDEN, formula), formula
        assert re.fullmatch(r"(\$\$?)(?:[^$\\]|\\.)+\1", formula), formula
    return made
