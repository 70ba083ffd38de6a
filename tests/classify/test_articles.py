"""The rules of three articles, quirks included."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rungs import FOUR, THREE, TWO, ladder

from nbroute.classify.articles import ARTICLES, FourTierRules, ThreeTierRules, TwoTierRules

TWO_RULES, THREE_RULES, FOUR_RULES = TwoTierRules(), ThreeTierRules(), FourTierRules()
TRICKY = "İSTANBUL is what is İ; \ud800 \x00 \u202e ```def  list</request>"

#: By 200 characters, code and long context.
FIRST = {
    "What is the capital of France?": "cheap",
    "please debug this error in my class": "cheap",
    "def f(): pass": "expensive",
    "why is my function slow": "expensive",
    "DEF F(): PASS": "cheap",
    "x" * 199: "cheap",
    "x" * 200: "cheap",
    "They classify " + "x" * 200: "expensive",
    "🐣" * 99 + " ERROR": "expensive",
    "word " * 1700 + "\n\nIs that so?": "expensive",
    "word " * 1700 + "\r\n \r\nIs that so?": "expensive",
    "word " * 1700 + "Is that so?": "cheap",
    "": "cheap",
}
#: By phrases and by 15 and 200 words.
SECOND = {
    "What is the capital of France?": "SIMPLE",
    "What's the capital of France?": "MEDIUM",
    "what is " + "so " * 12: "SIMPLE",
    "what is " + "so " * 13: "MEDIUM",
    "word " * 200: "MEDIUM",
    "word " * 201: "COMPLEX",
    "what is " + "word " * 200: "COMPLEX",
    "what is research?": "FRONTIER",
    "what is a researcher?": "SIMPLE",
    "compare all " + "word " * 300: "FRONTIER",
    "Explain IN depth": "FRONTIER",
    "redefine this": "MEDIUM",
    "what  is two spaces": "MEDIUM",
    "": "MEDIUM",
}
#: By substrings and by 500 words.
THIRD = {
    "Convert this list to JSON: name=Alice, age=30, role=dev": "fast",
    "Architect a microservices migration plan for our Django monolith": "power",
    "Convert the architecture diagram": "power",
    "Give me some information on this country": "fast",
    "Why?": "mid",
    "word " * 101: "mid",
    "word " * 500: "mid",
    "word " * 501: "power",
    "what is " + "word " * 600: "fast",
    "": "mid",
}
CASES = [(TWO_RULES, TWO, *case) for case in FIRST.items()]
CASES += [(FOUR_RULES, FOUR, *case) for case in SECOND.items()]
CASES += [(THREE_RULES, THREE, *case) for case in THIRD.items()]


@pytest.mark.parametrize(("rules", "where", "prompt", "tier"), CASES)
def test_an_articles_rules_decide_as_the_article_has_it(rules, where, prompt, tier):
    assert tier == rules.classify(prompt, where).tier


@pytest.mark.parametrize(
    ("rules", "prompt", "where", "tier"),
    [
        (FOUR_RULES, "what is rain?", TWO, "cheap"),
        (FOUR_RULES, "rain", TWO, "cheap"),
        (FOUR_RULES, "word " * 201, TWO, "expensive"),
        (FOUR_RULES, "research rain", TWO, "expensive"),
        (FOUR_RULES, "rain", THREE, "mid"),
        (FOUR_RULES, "word " * 201, THREE, "mid"),
        (FOUR_RULES, "word " * 201, ladder("SIMPLE", "COMPLEX", "HUGE"), "COMPLEX"),
        (THREE_RULES, "rain", TWO, "cheap"),
        (THREE_RULES, "rain", FOUR, "MEDIUM"),
        (THREE_RULES, "architect rain", FOUR, "FRONTIER"),
        (TWO_RULES, "def rain", FOUR, "FRONTIER"),
        (TWO_RULES, "def rain", ladder("only"), "only"),
    ],
)
def test_another_ladder_gets_the_tier_of_that_name_or_else_of_that_height(
    rules, prompt, where, tier
):
    assert tier == rules.classify(prompt, where).tier


@pytest.mark.parametrize(
    ("rules", "where", "prompt", "reason"),
    [
        (FOUR_RULES, FOUR, "So, What is the capital?", 'contains "What is", 5 words'),
        (FOUR_RULES, FOUR, "what is " + "so " * 20, 'starts with "what is", 22 words'),
        (
            FOUR_RULES,
            THREE,
            "research rain",
            'starts with "research"; FRONTIER is power on this ladder',
        ),
        (
            THREE_RULES,
            THREE,
            "list and count the formats",
            'starts with "list", contains "formats" and "count"',
        ),
        (TWO_RULES, TWO, "", "no characters, no code"),
        (FOUR_RULES, FOUR, "rain", "one word"),
    ],
)
def test_the_reason_quotes_whole_words_and_tells_the_length(rules, where, prompt, reason):
    assert reason == rules.classify(prompt, where).reason


@pytest.mark.parametrize(
    ("prompt", "confidence"),
    [("what is rain?", 0.9), ("research rain", 0.9), ("word " * 201, 0.7), ("rain", 0.5)],
)
def test_the_second_articles_extremes_are_the_sure_ones(prompt, confidence):
    assert confidence == FOUR_RULES.classify(prompt, FOUR).confidence


@pytest.mark.parametrize("name", ARTICLES)
@given(
    pieces=st.lists(
        st.text() | st.sampled_from(["what is", "İ", "LIST", "research", "def ", "\n\n", "error"])
    ),
    tiers=st.integers(1, 6),
)
@example(pieces=[TRICKY, "error " * 50], tiers=4)
@example(pieces=["İİİ what is it?"], tiers=4)
def test_any_text_is_classified_and_every_offset_points_at_its_text(name, pieces, tiers):
    prompt = "".join(pieces)
    where = ladder(*(f"tier {number}" for number in range(tiers)))

    decision = ARTICLES[name].classify(prompt, where)

    assert (name, True) == (decision.classifier, decision.tier in where.names)
    assert 0 < decision.confidence <= 1
    assert decision.signals
    assert len(decision.reason.splitlines()) == 1
    for signal in decision.signals:
        if signal.start is not None:
            assert signal.text == prompt[signal.start : signal.end] != ""
