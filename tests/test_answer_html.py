"""A model's answer as HTML: nothing in it may run or load, whatever it holds."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_untrusted import ATTACKS, PIECES

from nbroute.notebook.answer_html import (
    LONGEST_MARKDOWN,
    answer_html,
    marked_html,
    plain_html,
    safe_html,
)
from nbroute.notebook.untrusted import safe_markdown

TAGS = set(
    re.findall(
        r"\w+",
        "a blockquote br code em h3 h4 h5 h6 hr li ol p pre s span strong"
        " table tbody td th thead tr u ul",
    )
)
ATTRIBUTES = {"href", "rel", "start", "style", "title"}
VOID = {"br", "hr"}
#: What an escape sequence begins with could swallow the next piece.
WHOLE = st.characters(exclude_characters="\x1b\x9b", exclude_categories=["Cs"])


class Page(HTMLParser):
    """What a browser would make of it: tags, attributes, the text; an error for a tag left open."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.addresses, self.styles = set(), set(), [], set()
        self.open, self.shown, self.maths = [], [], []
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
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.maths.append("")
        if tag not in VOID:
            assert tag == self.open.pop()

    def handle_data(self, data):
        self.shown.append(data)
        if not {"pre", "code"} & set(self.open):
            self.maths[-1:] = [(self.maths or [""])[-1] + data]

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def text(self):
        return " ".join("".join(self.shown).split())


def page(source):
    """The page, looked at: allowed tags, attributes, styles and addresses, and no formula."""
    made = Page(source)
    assert set() == made.tags - TAGS
    assert set() == made.attributes - ATTRIBUTES
    assert [] == [a for a in made.addresses if not re.match("https?://|mailto:", a, re.IGNORECASE)]
    assert not re.search(r"url|expression|@|\\", " ".join(made.styles))
    for run in made.maths:
        assert not re.search(r"\$.*\$|\\[(\[a-zA-Z]", run, re.DOTALL), run
    return made


@pytest.mark.parametrize("around", ["{}", "before {} after", "- {}\n- b", "```py\nx\n```\n{}\n"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_becomes_a_tag_or_an_address(attack, around):
    source = around.replace("{}", attack)

    for made in (answer_html(source), plain_html(source), marked_html([(source, True)])):
        page(made)
    page(f"<p>{safe_html(source)}</p>")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_no_mixture_of_markup_becomes_harm(text):
    page(answer_html(text))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=100))
def test_any_text_at_all_is_shown_without_control_characters(text):
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", page(answer_html(text)).text)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(WHOLE, max_size=20), st.booleans()), max_size=8))
def test_marked_pieces_show_all_their_text(pieces):
    shown = page(marked_html(pieces)).text
    plain = page(plain_html("".join(text for text, _ in pieces))).text
    assert re.sub(r"[\s�]", "", plain) == re.sub(r"[\s�]", "", shown)


def test_markdown_is_rendered():
    made = page(
        answer_html(
            "# Title\n\n**bold** `code` ~~old~~\n\n3. third\n\n|a|\n|-|\n|1|\n\n> said\n\n---"
        )
    )
    assert {"h3", "strong", "code", "s", "ol", "table", "blockquote", "hr"} <= made.tags
    assert "Title bold code old third a 1 said" == made.text


def test_headings_are_below_the_one_that_they_stand_under():
    assert {"h5", "h6"} == page(answer_html("# a\n## b\n### c", below=4)).tags


def test_html_in_an_answer_is_shown_as_its_source():
    assert (
        "<b onclick=x>hi</b> <!-- x -->" == page(answer_html("<b onclick=x>hi</b> <!-- x -->")).text
    )


def test_an_image_is_named_and_not_loaded():
    made = page(answer_html("see ![a *cat*](https://evil.example/x.png) here"))
    assert "see [image not loaded: a *cat* (https://evil.example/x.png)] here" == made.text


def test_an_image_in_a_link_is_named_too():
    made = page(answer_html("[![badge](https://evil.example/x.png)](https://a.example)"))
    assert "[image not loaded: badge (https://evil.example/x.png)]" == made.text
    assert ["https://a.example"] == made.addresses


@pytest.mark.parametrize("link", ["(//evil.example/a)", "(<//evil.example/a>)", "[1]"])
def test_a_link_to_another_host_says_which_protocol(link):
    # In a page that was opened from a file, `//host` would be a file of that host.
    text = f"[here]{link}\n\n[1]: //evil.example/a"
    assert ["https://evil.example/a"] == page(answer_html(text)).addresses
    assert "https://evil.example/a" in safe_markdown(text)


@pytest.mark.parametrize("address", ["/\\evil.example", "/&#47;evil.example", "/&sol;evil.example"])
def test_a_disguised_link_to_another_host_is_no_link(address):
    assert not re.search(r"\][(:]", safe_markdown(f"[here]({address})\n\n[a]: {address}"))


def test_links_open_without_telling_where_from():
    made = answer_html("[a](https://a.example) <me@a.example>")
    assert 2 == made.count('rel="noopener noreferrer"')
    assert ["https://a.example", "mailto:me@a.example"] == page(made).addresses


@pytest.mark.parametrize("address", ["ftp://a.example/x", "tel:112", "notes.ipynb", "#top", "/a.b"])
def test_a_link_to_anything_else_is_said_in_words(address):
    made = page(answer_html(f"[here]({address}) there"))
    assert [] == made.addresses
    assert f"here ({address}) there" == made.text


@pytest.mark.parametrize(
    "formula", ["$x_1 + \\frac{a}{b}_{2}$", "\\(a *b* c\\)", "\\[ x < y \\]", "$$a = b$$"]
)
def test_a_formula_is_shown_as_its_source(formula):
    assert f"so {formula} holds" == page(answer_html(f"so {formula} holds")).text


def test_dollars_begin_no_formula_and_are_shown():
    assert "from $5 to $7, not $" == page(answer_html("from $5 to $7, not \\$")).text


def test_the_text_of_any_script_is_kept():
    text = "Ünïcode 🙂👩‍👩‍👧 שלום مرحبا 漢字"
    assert text == page(answer_html(text)).text


def test_what_overrides_the_direction_of_writing_is_taken_out():
    assert "abcdef" == page(answer_html("abc\u202edef\u2066")).text


@pytest.mark.parametrize(
    "bomb",
    [">", "- ", "[", "![", "**a", "*a_b", "`a``b```", "((", "\\(", "$a_", "|", "1. ", "[a]("],
)
def test_deep_nesting_does_no_harm(bomb):
    page(answer_html(bomb * 3_000))


def test_a_very_long_answer_is_shown_whole_as_plain_text():
    text = "**word** $5 <b> " * 12_500
    made = answer_html(text)

    assert LONGEST_MARKDOWN < len(text)
    assert " ".join(text.split()) == page(made).text
    assert {"pre"} == page(made).tags


def test_what_stands_out_is_underlined_and_bold_not_coloured():
    made = marked_html([("the same ", False), (" <other>\n", True)])
    assert "the same  <strong><u>&lt;other&gt;</u></strong>\n</pre>" in made


def test_a_name_stays_on_one_line_and_is_escaped():
    assert "a&lt;b&gt; <span>&#36;</span>x <span>&#92;</span>(y" == safe_html("a<b>\n$x \\(y")


def test_the_checks_of_this_file_see_harm():
    for harm in ("<img src=x>", "<p onclick=x>a</p>", "<a href='javascript:x'>a</a>", "<p>$a$</p>"):
        with pytest.raises(AssertionError):
            page(harm)
