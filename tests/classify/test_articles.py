"""The rules of three articles, quirks included."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rungs import FOUR, THREE, TWO, ladder

from nbroute.classify.articles import ARTICLES, FourTierRules, ThreeTierRules, TwoTierRules

TWO_RULES, THREE_RULES, FOUR_RULES = TwoTierRules(), ThreeTierRules(), FourTierRules()

CASES = [
    # by 200 characters, code and long context
    (TWO_RULES, TWO, "What is the capital of France?", "cheap"),
    (TWO_RULES, TWO, "def f(): pass", "expensive"),
    (TWO_RULES, TWO, "x" * 200, "cheap"),
    (TWO_RULES, TWO, "They classify " + "x" * 200, "expensive"),
    (TWO_RULES, TWO, "word " * 1700 + "\r\n \r\nIs that so?", "expensive"),
    # by phrases and by 15 and 200 words
    (FOUR_RULES, FOUR, "What's the capital of France?", "MEDIUM"),
    (FOUR_RULES, FOUR, "what is " + "so " * 12, "SIMPLE"),
    (FOUR_RULES, FOUR, "what is " + "so " * 13, "MEDIUM"),
    (FOUR_RULES, FOUR, "compare all " + "word " * 300, "FRONTIER"),
    (FOUR_RULES, FOUR, "Explain IN depth", "FRONTIER"),
    # by substrings and by 500 words
    (THREE_RULES, THREE, "Architect a microservices migration plan for a monolith", "power"),
    (THREE_RULES, THREE, "word " * 500, "mid"),
    (THREE_RULES, THREE, "word " * 501, "power"),
    (THREE_RULES, THREE, "what is " + "word " * 600, "fast"),
    # elsewhere the tier of that name, or else of that height
    (FOUR_RULES, THREE, "rain", "mid"),
    (FOUR_RULES, ladder("SIMPLE", "COMPLEX", "HUGE"), "word " * 201, "COMPLEX"),
    (TWO_RULES, FOUR, "def rain", "FRONTIER"),
]


@pytest.mark.parametrize(("rules", "where", "prompt", "tier"), CASES)
def test_an_articles_rules_decide_as_the_article_has_it_on_any_ladder(rules, where, prompt, tier):
    assert tier == rules.classify(prompt, where).tier


def test_the_reason_quotes_whole_words_and_says_the_length():
    for rules, where, prompt, sure, reason in (
        (FOUR_RULES, FOUR, "So, What is the capital?", 0.9, 'contains "What is", 5 words'),
        (FOUR_RULES, THREE, "research rain", 0.9, 'starts with "research"; FRONTIER is power on'),
        (THREE_RULES, THREE, "list the formats", 0.7, 'starts with "list", contains "formats"'),
    ):
        decision = rules.classify(prompt, where)
        assert (sure, reason) == (decision.confidence, decision.reason[: len(reason)])


@pytest.mark.parametrize("name", ARTICLES)
@given(
    pieces=st.lists(
        st.text() | st.sampled_from(["what is", "İ", "LIST", "research", "def ", "\n\n", "error"])
    ),
    tiers=st.integers(1, 6),
)
@example(pieces=["İSTANBUL is what is İ; \ud800 \x00 \u202e", "error " * 50], tiers=4)
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
