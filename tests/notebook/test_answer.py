"""A model's answer made safe: as Markdown for every renderer, as HTML and as plain text."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markup import ATTACKS, Rendered, page
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from nbroute.notebook import look
from nbroute.notebook.answer import (
    LONGEST_MARKDOWN,
    answer_html,
    escape_markdown,
    plain_html,
    safe_markdown,
    safe_plain,
    visible_text,
)

COMMONMARK = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
RENDERERS = {"nbconvert": markdown2html_mistune, "CommonMark": COMMONMARK.render}
CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"


def rendered(text):
    """The answer as each renderer of Markdown shows it."""
    made_safe = safe_markdown(text)
    return [Rendered(render(made_safe)) for render in RENDERERS.values()]


def harmless(text):
    """The answer as a card shows it, once it is known that no form of it does harm."""
    assert [[], []] == [made.harm for made in rendered(text)], text
    for made in (plain_html(text), f"<p>{look.text(text)}</p>"):
        page(made)
    return page(answer_html(text))


MARKUP = r"""<script> <img§src=x§onerror=alert(1)> </b> <!-- --> <?x ?> <![CDATA[ ]]> <svg/onload=a>
![a](http://x/y) ![ [a](javascript:x) [a] (javascript:x) :§javascript:x ]( ) ]: [ ] ! ` `` ```
~~~ ```` ```html ```mermaid $ $$ \ \( \) \[ \] \\[ \\] \\( \begin{a} \end{a} ¶ ¶ ¶ ¶¶
§ §§§ §§§§ → >§ -§ 1.§ #§ | |-|-| ¶|-|-|¶ a b§c --- === &lt; &colon; java&#115;cript: https://x.y/
<https://x.y> <a@b.c> " ' javascript: < \< \! \` \$ ** _ ~~ é 🙂 ![a][x] ![x] [![ ¶```¶ ¶~~~¶
[x]:§<javascript:x>¶ <pre> <code> </code> </pre> @@0@@ \href{javascript:x}{y} $x^2$ \[x=1\]
\(a{ }\) \begin{cases} \end{cases} $$a=b$$ ```python¶ &#10; &#x202e; &#33; https://x.y/a_b"""
PIECES = [piece.translate(str.maketrans("§¶→", " \n\t")) for piece in MARKUP.split()]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_does_harm_wherever_it_is_put_or_cut(attack):
    for around in ("{}", "before {} after", "- {}\n- b", "```py\nx\n```\n{}\n"):
        harmless(around.replace("{}", attack))
    for length in range(1, len(attack)):
        page(answer_html(attack[:length]))
        assert [] == rendered(attack[:length])[0].harm


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.data())
def test_no_mixture_of_markup_does_harm_and_any_stretches_of_it_can_be_marked(text, data):
    shown = harmless(text).text
    cuts = sorted(data.draw(st.sets(st.integers(0, len(visible_text(text))), max_size=8)))
    marks = list(zip(cuts[::2], cuts[1::2], strict=False))

    assert shown == page(answer_html(text, marks=marks)).text


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=100))
def test_any_text_at_all_is_shown_without_harm_or_control_characters(text):
    assert not re.search(CONTROL, harmless(text).text + safe_markdown(text))


def test_the_checks_of_this_file_see_harm():
    link = "<a href='java&#10;script:x'>a</a>"
    for harm in (link, "<img src=x>", "<p onclick=x>a</p>", "<p>$a$</p>", "<!-- x -->"):
        with pytest.raises(AssertionError):
            page(harm)


CODE = [
    ("`List<String>` and `a < b`", ["List<String>", "a < b"]),
    ("```c\n#include <stdio.h>\nint x[1] = {0};\n```", ["#include <stdio.h>\nint x[1] = {0};\n"]),
    ("```sh\necho $HOME $PATH *x* _y_ ![a](b)\n```", ["echo $HOME $PATH *x* _y_ ![a](b)\n"]),
    ("1. a\n   ```html\n   <p>\n     $x *y*\n   ```\n2. b", ["<p>\n  $x *y*\n"]),
    ("a\n\n    <b>\n\n    <i>\n\nc", ["<b>\n\n<i>\n"]),
    ("|a|\n|-|\n|`x<y>\\|z`|", ["x<y>|z"]),
    ("`![a](b)` `[a](javascript:b)` `\\(` `$$`", ["![a](b)", "[a](javascript:b)", "\\(", "$$"]),
]


@pytest.mark.parametrize(("text", "codes"), CODE)
def test_code_shows_as_it_was_written(text, codes):
    for made in rendered(text):
        assert [code.rstrip("\n") for code in codes] == [code.rstrip("\n") for code in made.codes]


HARMLESS_ANSWERS = [
    "# Title\n\nSome *emphasis* and **bold**, a [link](https://a.example/x?a=1&b=2 'title').",
    "- a\n- b\n  1. c\n\n     d\n- [x] done",
    "|a|b|\n|:-|-:|\n|1|`x`|",
    "> quoted\n> text\n\n---\n\nSetext\n======\n\n3. third",
    "1. Run\n   ```python\n   for x in a[1:]:\n       d[k](x)\n   ```\n2. Then",
    "\\*not emphasis\\* \\# \\_ \\[note\\] snake_case \\_\\_init\\_\\_ 2\\*3 C# #1 1\\. x\\\\\n- y",
    "مرحبا بالعالم \u200fשלום 👩\u200d👩\u200d👧 नमस्ते é",
]


@pytest.mark.parametrize("text", HARMLESS_ANSWERS)
def test_a_harmless_answer_reads_the_same_everywhere_and_keeps_its_structure(text):
    plain = "".join(Rendered(COMMONMARK.render(text)).text.split())
    for made in (page(answer_html(text)), *rendered(text)):
        assert plain == "".join(made.text.replace("¶", "").split())

    ours = {"h1": "h3", "span": "", "p": ""}
    first, second = (
        [ours.get(tag, tag) for tag in re.findall(r"</?(\w+)", COMMONMARK.render(source))]
        for source in (text, safe_markdown(text))
    )
    assert [tag for tag in first if tag] == [tag for tag in second if tag]


PRICES = [
    *("costs $5 and $10", "from $5-$10, $1,000/month or $2k", "set $HOME/bin:$PATH"),
    *("it is $5. Then $x$ is maths", "- $5\n- $6", "|a|b|\n|-|-|\n|$5|$6|", "$$ and $$$"),
    *("\\$5 and \\$6", "R$5,00 e R$6,00 (R$)", "see \\[1\\] and \\(the docs\\)"),
]


@pytest.mark.parametrize("text", PRICES)
def test_dollars_that_are_not_maths_are_kept_apart_from_each_other(text):
    """MathJax pairs the dollars in one run of text, whatever Markdown made of them."""
    for source in (COMMONMARK.render(safe_markdown(text)), answer_html(text)):
        runs = re.split(r"<[^>]+>", re.sub(r"\$x\$", "", source))
        assert all(run.count("$") < 2 for run in runs)
        assert Rendered(COMMONMARK.render(text)).text.split() == Rendered(source).text.split()


FORMULAS = [
    (r"so \(x^2\) is", "$x^2$"),
    (r"so $x_1 + \frac{a}{b}_{2}$ is", r"$x_1 + \frac{a}{b}_{2}$"),
    ("$$a = b$$ holds", "$$a = b$$"),
    ("|a|\n|-|\n|$n$|", "$n$"),
    (r"\(a *b* c\) d", "$a *b* c$"),
    ("\\[\n- a\n+ b\n= c\n\\]", "$$- a + b = c$$"),
    ("- a\n  \\[\n  x = 1\n  \\]\n- b", "$$x = 1$$"),
    (r"\\(x\\) and", "$x$"),
    (r"\(x = 3\$\)", r"$x = 3\${}$"),
    ("$a<b$ and", "$a< b$"),
    (r"\[a \\[2pt] = b\]", r"$$a \\[2pt] = b$$"),
    ("\\begin{align*}\na &= b\n\\end{align*}", r"$$\begin{align*} a &= b \end{align*}$$"),
    (r"\(9 \times 100% = 9\)", r"$9 \times 100\% = 9$"),
]


@pytest.mark.parametrize(("text", "formula"), FORMULAS)
def test_a_formula_is_left_to_mathjax(text, formula):
    assert [formula] == page(answer_html(text)).formulas
    assert formula in rendered(text)[0].text


DANGEROUS = r"""\href{javascript:alert(1)}{x} \url{x} \require{html} \class{a}{x} \style{x}{y}
\cssId{a}{x} \data{a=b}{x} \htmlData{a=b}{x} \includegraphics{x} \unicode{x41} \def\a{x}
\gdef\a{x} \let\a=\b \newcommand{\a}{x} \renewcommand\a{x} \newenvironment{a}{x}{y}
\bbox[background:url(x)]{y} \mmlToken{mi}[href=x]{y} \csname§href\endcsname{x}{y} \texttip{x}{y}
\DeclareMathOperator{\a}{x}"""


@pytest.mark.parametrize("command", DANGEROUS.split())
def test_a_formula_that_could_do_harm_is_shown_as_its_source(command):
    for around in ("$?$", "$$?$$", r"\(?\)", "\\[\n?\n\\]", r"\begin{matrix}?\end{matrix}"):
        text = around.replace("?", command.replace("§", " ") + " + 1")
        made, bare = page(answer_html(text)), "".join(text.split())
        assert ([], bare) == (made.formulas, "".join(made.text.split()))
        assert bare in "".join(rendered(text)[0].codes).replace(" ", "")


def test_what_has_not_ended_yet_or_is_code_is_not_a_formula():
    for text in ("$$\nx = 1\n", "\\[ x", "\\begin{align} a", "`\\(x\\)`", "`$x$` and `$y$`"):
        assert [] == page(answer_html(text)).formulas, text


def test_control_characters_are_gone_and_scripts_are_intact():
    for text, expected in (
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c", "abc"),
        ("a\0b\x08c\x7f\x85", "a\ufffdb\ufffdc\ufffd\ufffd"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a\ud800b", "a\ufffdb"),
        ("user\u202e \u2066// admin\u2066", "user // admin"),
        ("عربي \u200f👩\u200d🚀", "عربي \u200f👩\u200d🚀"),
    ):
        assert [expected] * 2 == [safe_plain(text), safe_markdown(text)]


LINES = [
    *("openai/gpt-4o-mini", "meta-llama/llama-3:free", "http://x.y www.x.y a@b.c <https://x.y>"),
    *("1. not a list", "- not a list", "# not a heading", "> not a quote", "=== ---"),
    *("*a* _b_ ~~c~~ `d` $e$ $f$ $$g$$", "<b>&lt;</b> [a](http://x) ![b](c) | d |"),
    *("back\\slash \\(x\\) \\[y\\] \\\\", "[x]: javascript:y", "```py", "    indented"),
]


@pytest.mark.parametrize("line", LINES)
def test_an_escaped_line_shows_as_it_is_and_nothing_else(line):
    for render in RENDERERS.values():
        source = render(escape_markdown(line))
        assert " ".join(safe_plain(line).split()) == Rendered(source).text
        assert set() == set(re.findall(r"<(\w+)", source)) - {"p", "span"}


def test_headings_are_below_that_of_the_card_and_in_no_table_of_contents():
    source = answer_html("# a\n## b\n### c", below=4)

    assert {"p", "strong"} == page(source).tags
    assert ["5", "6", "6"] == re.findall(r'role="heading" aria-level="(\d)"', source)


WEB = "http://a/b_c?d=1&e=2"


def test_what_is_made_safe_reads_well_and_links_to_nothing_but_the_web():
    for text, shown, addresses in (
        ("Use <b onclick=x>b</b> & <!-- x -->", "Use <b onclick=x>b</b> & <!-- x -->", []),
        ("a ![a *cat*](http://e/x) b", "a [image not loaded: a *cat* (http://e/x)] b", []),
        ("[![a](http://e/x)](http://b)", "[image not loaded: a (http://e/x)]", ["http://b"]),
        (f"see {WEB}. (http://x.y)", f"see {WEB}. (http://x.y)", [WEB, "http://x.y"]),
        ("[click](javascript:alert)", "[click](javascript:alert)", []),
        ("[here](vscode:x) [b](/a.b)", "here (vscode:x) b (/a.b)", []),
    ):
        made = page(answer_html(text))

        assert (shown, addresses) == (made.text, made.addresses)
        assert [shown, shown] == [one.text for one in rendered(text)]


def test_a_link_to_another_host_says_which_protocol_and_not_where_from():
    # In a page that was opened from a file, `//host` would be a file of that host.
    for address in ("//evil.example", "/\\evil.example", "/&#47;evil.example"):
        text = f"[here]({address})\n\n[a]: {address}"
        found = [*harmless(text).addresses, *(a for made in rendered(text) for a in made.addresses)]
        assert {"https://evil.example"} >= set(found)
    assert "[here](https://evil.example/a)" in safe_markdown("[here](//evil.example/a)")
    made = answer_html("[a](https://a.example) <me@a.example>")
    assert 2 == made.count('rel="noopener noreferrer"')
    assert ["https://a.example", "mailto:me@a.example"] == page(made).addresses


@pytest.mark.parametrize("bomb", [">", "- ", "![", "**a", "`a``b```", "$a_", "|", "[a]("])
def test_what_is_nested_deep_is_shown_and_does_no_harm(bomb):
    for depth in (9, 21, 3_000):
        text = f"{bomb * depth} inside\n\nafter"

        assert page(answer_html(text)).text.endswith("inside after"), depth
        assert [] == Rendered(COMMONMARK.render(safe_markdown(text))).harm


def test_a_very_long_answer_is_shown_whole_as_plain_text():
    text = "**word** $5 <b> " * (LONGEST_MARKDOWN // 15)
    made = page(answer_html(text))

    assert (" ".join(text.split()), {"pre"}) == (made.text, made.tags)
    assert [] == Rendered(COMMONMARK.render(safe_markdown(text))).harm


def test_what_is_marked_is_marked_in_the_rendered_answer():
    text = "Some **bold words** and `code` $x^2$\n\n```py\nprint('x')\n```"
    words = [found.span() for found in re.finditer(r"words and|x|print\('x", visible_text(text))]

    made = answer_html(text, marks=words)

    assert page(answer_html(text)).text == page(made).text
    marked = re.findall(r'<mark class="nbr-diff">(.*?)</mark>', made)
    assert "".join(marked).count("print") == 1
    assert ["words", " and"] == marked[:2]


def test_code_of_a_known_language_has_colours_and_any_is_shown_as_it_is():
    for language, kinds in {"python": "k nf mi", "PY": "k nf mi", "nonsense": "", "": ""}.items():
        made = answer_html(f"```{language}\ndef f():\n    return 1\n```")
        assert set(kinds.split()) <= set(re.findall(r'<span class="(\w+)">', made))
        assert bool(kinds) == ("<span" in made)
    code = "x = '<b>' # $y$\n\t\n\n  {% if a %} ''' \"\"\" /* \\ \n"
    for language in ("python", "html+jinja", "console", "md", "js", "tex"):
        made = answer_html(f"```{language}\n{code}```")
        assert code == html.unescape(re.sub(r"<[^>]+>", "", made))[:-1]


def test_long_code_is_shown_without_colours_and_scrolls_as_wide_tables_do():
    made = answer_html(f"```java\n{'a ' * 15_000}\n```\n\n|a|\n|-|\n|b|")  # minutes for Pygments
    assert "<span" not in made
    assert 15_000 == made.count("a ")
    assert 2 == made.count('tabindex="0"')  # reached by keyboard
