from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from nbroute.notebook.markdown_blocks import blocks
from nbroute.notebook.untrusted import escape_markdown, safe_markdown, safe_plain

COMMONMARK = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
RENDERERS = {"nbconvert": markdown2html_mistune, "CommonMark": COMMONMARK.render}
HARMLESS = re.compile(
    "a|blockquote|br|code|d[dlt]|del|div|em|h[1-6r]|li|ol|p|pre|s|span|strong|table|t(body|head)|t[dhr]|ul"
)


class Page(HTMLParser):
    """What a browser would make of it: the harm in it, the text that shows, the code."""

    def __init__(self, source):
        super().__init__()
        self.harm, self.shown, self.codes, self.depth = [], [], [], 0
        self.feed(source)
        self.close()

    @property
    def text(self):
        return " ".join("".join(self.shown).split())

    def handle_starttag(self, tag, attrs):
        checkbox = tag == "input" and dict(attrs).get("type") == "checkbox"
        if not HARMLESS.fullmatch(tag) and not checkbox:
            self.harm.append(tag)
        self.harm += [f"{tag} {name}" for name, _ in attrs if name.startswith(("on", "src"))]
        self.harm += [value for name, value in attrs if name == "href" and _is_harmful(value)]
        if tag in ("code", "pre"):
            self.codes += [""] if not self.depth else []
            self.depth += 1

    def handle_endtag(self, tag):
        self.depth -= tag in ("code", "pre")

    def handle_data(self, data):
        self.shown.append(data)
        if self.depth:
            self.codes[-1] += data

    def handle_comment(self, data):
        self.harm.append(f"comment {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def _is_harmful(address):
    address = re.sub(r"[\x00-\x20]", "", html.unescape(address or "")).lower()
    scheme = re.match(r"([a-z][a-z0-9+.-]*):", address)
    return bool(scheme) and scheme[1] not in ("http", "https", "mailto")


def pages(text):
    made_safe = safe_markdown(text)
    return {name: Page(render(made_safe)) for name, render in RENDERERS.items()}


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
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("around", ["{}", "before {} after", "- {}\n- b", "```py\nx\n```\n{}\n"])
def test_no_attack_survives_any_renderer(attack, around):
    found = pages(around.replace("{}", attack))
    assert {"nbconvert": [], "CommonMark": []} == {name: p.harm for name, p in found.items()}


def test_the_checks_of_this_file_do_see_harm():
    source = "<script>x</script><p onclick=x><a href='java&#10;script:x'>x</a><!-- x -->"
    assert 4 == len(Page(source).harm)


MARKUP = r"""<script> <img§src=x§onerror=alert(1)> </b> <!-- --> <?x ?> <![CDATA[ ]]> <svg/onload=a>
![a](http://x/y) ![ [a](javascript:x) [a] (javascript:x) :§javascript:x ]( ) ]: [ ] ! ` `` ```
~~~ ```` ```html ```mermaid $ $$ \ \( \) \[ \] \\[ \\] \\( \begin{a} \end{a} ¶ ¶ ¶ ¶¶
§ §§§ §§§§ → >§ -§ 1.§ #§ | |-|-| ¶|-|-|¶ a b§c --- === &lt; &colon; java&#115;cript: https://x.y/
<https://x.y> <a@b.c> " ' javascript: < \< \! \` \$ ** _ ~~ é 🙂 ![a][x] ![x] [![ ¶```¶ ¶~~~¶
[x]:§<javascript:x>¶ <pre> <code> </code> </pre> @@0@@ \href{javascript:x}{y}"""
PIECES = MARKUP.split()
PIECES = [p.replace("§", " ").replace("¶", "\n").replace("→", "\t") for p in PIECES]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_no_mixture_of_markup_becomes_html(text):
    for page in pages(text).values():
        assert [] == page.harm


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_any_text_at_all_is_shown_without_harm_or_control_characters(text):
    for page in pages(text).values():
        assert [] == page.harm
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", safe_markdown(text))


def test_a_notebook_exported_to_html_holds_no_element_of_the_answer():
    outputs = [
        nbformat.v4.new_output("display_data", data={"text/markdown": safe_markdown(attack)})
        for attack in ATTACKS
    ]
    cell = nbformat.v4.new_code_cell("1", execution_count=1, outputs=outputs)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    body, _ = HTMLExporter().from_notebook_node(notebook)
    shown = body[body.index('data-mime-type="text/markdown"') :]
    assert "image not loaded" in shown
    assert [] == Page(shown).harm


@pytest.mark.parametrize("length", range(0, 120, 3))
def test_a_stream_is_safe_wherever_it_is_cut(length):
    text = (
        "1. `<b>`\n   ```html\n   <script>\n   ```\n\n![x](http://e/x.png) $a<b$ [x](javascript:y)"
    )
    for page in pages(text[:length]).values():
        assert [] == page.harm


def test_an_unclosed_fence_is_closed():
    assert "```py\nprint(1)\n```" == safe_markdown("```py\nprint(1)")


CODE = [
    ("`List<String>` and `a < b`", ["List<String>", "a < b"]),
    ("```c\n#include <stdio.h>\nint x[1] = {0};\n```", ["#include <stdio.h>\nint x[1] = {0};\n"]),
    ("```html\n<div>&amp;</div>\n```", ["<div>&amp;</div>\n"]),
    ("~~~\n```\n<b>\n```\n~~~", ["```\n<b>\n```\n"]),
    ("````md\n```html\n<b>\n```\n````", ["```html\n<b>\n```\n"]),
    ("```sh\necho $HOME $PATH *x* _y_ ![a](b)\n```", ["echo $HOME $PATH *x* _y_ ![a](b)\n"]),
    ("text\n```js\nif (a<b) {}\n```\ntext", ["if (a<b) {}\n"]),
    ("1. a\n   ```html\n   <p>\n     $x *y*\n   ```\n2. b", ["<p>\n  $x *y*\n"]),
    ("- a\n  - b\n    ```py\n    x: list[int] = []\n    ```", ["x: list[int] = []\n"]),
    ("> ```html\n> <p>\n>\n> <b>\n> ```", ["<p>\n\n<b>\n"]),
    ("a\n\n    <b>\n\n    <i>\n\nc", ["<b>\n\n<i>\n"]),
    ("- a\n\n      <b>", ["<b>\n"]),
    ("|a|\n|-|\n|`x<y>\\|z`|", ["x<y>|z"]),
    ("`` `<b>` `` and ```x```", ["`<b>`", "x"]),
    ("`a\n<b>`", ["a <b>"]),
    ("`![a](b)` `[a](javascript:b)` `\\(` `$$`", ["![a](b)", "[a](javascript:b)", "\\(", "$$"]),
    ("`$HOME` and `$PATH`", ["$HOME", "$PATH"]),
    ("```makefile\nall:\n\techo <x>\n```", ["all:\n\techo <x>\n"]),
    ("```\n<mermaid>\n```\n```mermaid\ngraph TD\n```", ["<mermaid>\n", "graph TD\n"]),
]


@pytest.mark.parametrize(("text", "codes"), CODE)
@pytest.mark.parametrize("renderer", RENDERERS)
def test_code_shows_as_it_was_written(renderer, text, codes):
    shown = pages(text)[renderer].codes
    assert [code.rstrip("\n") for code in codes] == [code.rstrip("\n") for code in shown]


UNCHANGED = [
    "# Title\n\nSome *emphasis* and **bold**, a [link](https://a.example/x?a=1&b=2 'title').",
    "- a\n- b\n  1. c\n\n     d\n- [x] done",
    "|a|b|\n|:-|-:|\n|1|`x`|",
    "> quoted\n> text\n\n---\n\nSetext\n======",
    "```python\nfor x in a[1:]:\n    print(x)\n```",
    "1. Run\n   ```python\n   for x in a[1:]:\n       d[k](x)\n   ```\n2. Then",
    "[ref], [mail](mailto:a@b.example), [part](#part), [file](a/b.md)\n\n[ref]: https://a.example",
    "AT&T &amp; 1 < 2 > 0, a <- b, x[1]: y, f(x) -> y, wow!",
    "$x^2$ and $$\\frac{a}{b}$$ and $n$th, 其中$x$是",
    "$$\nx = \\begin{cases} 1 & a > b \\\\ 0 & c \\end{cases}\n$$",
    "\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}",
    "\\*not emphasis\\* \\# \\_ \\[note\\] \\\\",
    "مرحبا بالعالم \u200fשלום 👩\u200d👩\u200d👧 नमस्ते é",
]


@pytest.mark.parametrize("text", UNCHANGED)
def test_a_harmless_answer_is_left_as_it_is(text):
    assert text == safe_markdown(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Use <b> or </b> & more", "Use <b> or </b> & more"),
        ("![A cat](https://x.example/c.png)", "image not loaded: A cat"),
        ("![](https://x.example/c.png)", "image not loaded"),
        ("[![CI](https://x.example/c.svg)](https://x.example)", "image not loaded: CI"),
        ("![logo]\n\n[logo]: https://x.example/c.png", "image not loaded: logo"),
        ("Great![1] vec![a]", "Great![1] vec![a]"),
        ("[click](javascript:alert)", "[click](javascript:alert)"),
        ("see <https://x.example/a_b_c>!", "see https://x.example/a_b_c!"),
        ("- `<a>`\n- text ` tick\n- `<b>`", "<a> text ` tick <b>"),
    ],
)
@pytest.mark.parametrize("renderer", RENDERERS)
def test_what_is_made_safe_still_reads_well(renderer, text, shown):
    assert shown == pages(text)[renderer].text


def test_an_image_becomes_a_link_that_a_person_may_follow():
    expected = "[image not loaded: a](https://x.example/c.png)"
    assert expected == safe_markdown("![a](https://x.example/c.png)")


def test_the_data_of_an_image_is_not_spilled_over_the_page():
    shown = pages(f"![chart](data:image/png;base64,{'iVBOR' * 4000})")["nbconvert"].text
    assert shown.startswith("[image not loaded: chart](data:image/png;base64,iVBOR")
    assert len(shown) < 120


@pytest.mark.parametrize(
    "text",
    [
        "costs $5 and $10",
        "from $5-$10, $1,000/month or $2k",
        "$100 per user and 20 for US$",
        "set $HOME/bin:$PATH",
        "$AAPL and $TSLA rose",
        "it is $5. Then $x$ is maths",
        "- $5\n- $6",
        "a $ b $ c",
        "$$ and $$$",
        "\\$5 and \\$6",
    ],
)
def test_dollars_that_are_no_maths_are_kept_apart_from_each_other(text):
    """MathJax pairs the dollars that stand in one run of text, whatever Markdown made of them."""
    source = COMMONMARK.render(safe_markdown(text))
    runs = re.split(r"<[^>]+>", re.sub(r"\$x\$", "", source))
    assert all(run.count("$") < 2 for run in runs)
    assert text.replace("\\", "").replace("- ", "").split() == Page(source).text.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\(x^2\)", "$x^2$"),
        (r"so \( a \) is", "so $a$ is"),
        (r"\[ a = b \]", "$$ a = b $$"),
        ("\\[\n- a\n+ b\n= c\n\\]", "$$\n- a\n+ b\n= c\n$$"),
        (r"\\(x\\) and \\[y = 1\\]", "$x$ and $$y = 1$$"),
        (r"\[a \\[2pt] = b\]", "$$a \\\\[2pt] = b$$"),
        ("`\\(x\\)`", "`\\(x\\)`"),
        ("```\n\\[x=1\\]\n```", "```\n\\[x=1\\]\n```"),
        ("\\[1\\]", "\\[1\\]"),
        ("a \\( b", "a \\( b"),
    ],
)
def test_maths_in_latex_delimiters_gets_the_dollars_that_jupyter_knows(text, expected):
    assert expected == safe_markdown(text)


def test_less_than_in_maths_stays_maths():
    assert "$a< b$ and $1<2$" == safe_markdown("$a<b$ and $1<2$")


@pytest.mark.parametrize("text", [text for text, _ in CODE] + UNCHANGED + ATTACKS)
def test_the_blocks_of_a_text_hold_all_its_lines(text):
    found = [line for block in blocks(text) for line in block.lines]
    assert text.split("\n") == found


@pytest.mark.parametrize("make_safe", [safe_plain, safe_markdown])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c", "abc"),
        ("a\x9b31mb", "ab"),
        ("a\x1b]never ended", "anever ended"),
        ("a\0b\x08c\x7f\x85", "a\ufffdb\ufffdc\ufffd\ufffd"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a\tb", "a\tb"),
        ("\ud800", "\ufffd"),
        ("user\u202e \u2066// admin\u2069 \u2066", "user // admin "),
        ("عربي \u200f👩\u200d🚀", "عربي \u200f👩\u200d🚀"),
    ],
)
def test_control_characters_and_overrides_are_gone_and_scripts_are_intact(
    make_safe, text, expected
):
    assert expected == make_safe(text)


def test_plain_text_keeps_its_markup():
    assert "<b> $5 `x` ![a](b)" == safe_plain("<b> $5 `x` ![a](b)")


LINES = [
    "openai/gpt-4o-mini",
    "1. not a list",
    "- not a list",
    "# not a heading",
    "> not a quote",
    "=== ---",
    "+ a",
    "*a* _b_ ~~c~~ `d` $e$ $f$ $$g$$",
    "<b>&lt;</b> [a](http://x) ![b](c) | d |",
    "back\\slash \\(x\\) \\[y\\] \\\\",
    "http://x.y www.x.y a@b.c <https://x.y>",
    "meta-llama/llama-3:free",
    "[x]: javascript:y",
    "```py",
    "    indented",
]


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("line", LINES)
def test_an_escaped_line_shows_as_it_is_and_nothing_else(renderer, line):
    source = RENDERERS[renderer](escape_markdown(line))
    assert " ".join(line.split()) == Page(source).text
    assert set() == set(re.findall(r"<(\w+)", source)) - {"p", "span"}


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab1 \\`*_{}[]<>()#+-.!|~$&:/@=\n\x1b\0", max_size=30))
def test_any_line_is_escaped_to_plain_words(line):
    source = COMMONMARK.render(escape_markdown(line))
    assert " ".join(safe_plain(line).split()) == Page(source).text
    assert set() == set(re.findall(r"<(\w+)", source)) - {"p", "span"}
