"""Answers that would do harm if they were shown as they are, and what a card makes of them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<style>body{display:none}</style>",
    "<!-- x --><?php x ?><![CDATA[x]]><!DOCTYPE x>",
    "<object data=x><embed src=x><form action=x><input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "text <b onclick=alert(1)>b</b> text",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<scr\0ipt>alert(1)</scr\x1b[0mipt>",
    "<\x1b[31mscript>alert(1)</script>",
    "\\<img src=x onerror=alert(1)>",
    "\\\\<img src=x onerror=alert(1)>",
    "<div>\n\n<script>alert(1)</script>\n\n</div>",
    "- a\n\n  <img src=x onerror=alert(1)>",
    "> <img src=x onerror=alert(1)>",
    "|a|\n|-|\n|<img src=x onerror=alert(1)>|",
    "# <img src=x onerror=alert(1)>",
    "`<img src=x onerror=alert(1)>",
    "`` ` <img src=x onerror=alert(1)> `",
    "a ` b\n\n` <img src=x onerror=alert(1)> ` c",
    "\\`<img src=x onerror=alert(1)>`",
    "|`a|\n|-|\n|b`<img src=x onerror=alert(1)>`|",
    "```html\n<script>alert(1)</script>",
    "```a`b\n<img src=x onerror=alert(1)>\n```",
    "~~~\n```\n~~~\n<img src=x onerror=alert(1)>\n```\n",
    "````\n```\n<script>alert(1)</script>\n```\n````",
    "- ```\n<img src=x onerror=alert(1)>\n```",
    "> ```\n<img src=x onerror=alert(1)>\n```",
    "1. ```\n   <script>alert(1)</script>\n ```\n\n<script>alert(2)</script>",
    "a\n    <img src=x onerror=alert(1)>",
    "- a\n\n      <img src=x onerror=alert(1)>\n\n    <img src=x onerror=alert(1)>",
    '```"><img src=x onerror=alert(1)>\nx\n```',
    "```mermaid\n<img src=x onerror=alert(1)>\n```",
    "- ```mermaid\n  graph TD; A@{ img: 'https://evil.example/x.png' }\n  ```",
    "\\begin{a}\n\n```\n\\end{a}\n<script>alert(1)</script>\n```",
    "$$\n\n```\n$$\n<script>alert(1)</script>\n```",
    "$\\\\[$\n\n```\n\\\\]\n<script>alert(1)</script>\n```",
    "\\(x\\)\\(y\\)\n\n```\n$$\n<script>alert(1)</script>\n```",
    "$a<script>alert(1)</script>$",
    "$$<img src=x onerror=alert(1)>$$",
    "\\[<img src=x onerror=alert(1)>\\]",
    "\\begin{a}<img src=x onerror=alert(1)>\\end{a}",
    "$\\href{javascript:alert(1)}{x}$",
    "![x](https://evil.example/x.png)",
    "![x][r]\n\n[r]: https://evil.example/x.png",
    "![r][]\n\n[r]: https://evil.example/x.png",
    "![r]\n\n[r]: https://evil.example/x.png",
    "[![x](https://evil.example/x.png)](https://a.example)",
    "!![x](https://evil.example/x.png)",
    "\\![x](https://evil.example/x.png)",
    "![a [b [c]]](https://evil.example/x.png)",
    "![a\n\nb](https://evil.example/x.png)",
    "!<https://a.example>(https://evil.example/x.png)",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x]( javascript:alert(1))",
    "[x](\njavascript:alert(1))",
    "> [x](\n> javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](java\nscript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](&#106;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](javascript\\:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](file:///etc/passwd)",
    "[x\\](javascript:alert(1))",
    "[`x`](javascript:alert(1))",
    "[$x$](javascript:alert(1))",
    "[x]\n\n[x]: javascript:alert(1)",
    "[x]\n\n[x]:\njavascript:alert(1)",
    "> [x]\n>\n> [x]:\n> javascript:alert(1)",
    "[x]\n\n[x]: <javascript:alert(1)> 'title'",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    '[x](https://a.example "\\" onmouseover=alert(1) \\"")',
    '[x](https://a.example"onmouseover=alert(1))',
    '<https://a.example/"onmouseover=alert(1)>',
    "term\n: <img src=x onerror=alert(1)>",
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
    "```html\n<script src=x>alert(1)</script><!-- x -->\n```",
    '```"onclick=alert(1)\n<script>alert(1)</script>\n```',
    'https://a.example/"onmouseover=alert(1) https://a.example/<script>',
    "[https://a.example](https://b.example)[![a](https://evil.example)](https://c.example)",
]

NAMES = ["<b>x</b>", "a|b", "two\nlines", "🙂 שלום", "\u202eevil", "$x$"]

FORBIDDEN = (
    r"\\(href|url|html|class|style|cssId|data|require|include|unicode|bbox|[egx]?def\b|let\b|newc)"
)
TAGS = set(
    re.findall(
        r"\w+",
        "a blockquote br code div em hr li mark ol p pre s span strong"
        " table tbody td th thead tr ul",
    )
)
ATTRIBUTES = {"aria-level", "class", "href", "rel", "role", "start", "style", "tabindex", "title"}
VOID = {"br", "hr"}


class Rendered(HTMLParser):
    """What a browser would make of a card: tags, text, formulas; an error for a tag left open."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.addresses, self.styles = set(), set(), [], set()
        self.open, self.shown, self.maths, self.formulas = [], [], [], []
        self.feed(source)
        self.close()
        assert [] == self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value for name, value in attrs if name == "href"]
        self.styles |= {value for name, value in attrs if name == "style"}
        self.maths.append("")
        if tag not in VOID:
            self.open.append("formula" if ("class", "nbr-formula") in attrs else tag)

    def handle_endtag(self, tag):
        self.maths.append("")
        if tag not in VOID:
            assert tag == self.open.pop().replace("formula", "span")

    def handle_data(self, data):
        self.shown.append(data)
        if "formula" in self.open:
            self.formulas.append(data)
        elif not {"pre", "code"} & set(self.open):
            self.maths[-1:] = [(self.maths or [""])[-1] + data]

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def text(self):
        return " ".join("".join(self.shown).split())


def page(source):
    """The page, looked at: allowed tags, attributes, styles and addresses, and no formula."""
    made = Rendered(source)
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
