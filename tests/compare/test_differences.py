"""The words of an answer that the others do not have."""

from __future__ import annotations

from nbroute.compare.differences import difference, each_against_others


def test_each_text_is_marked_where_no_other_has_the_words(router, server):
    server.answer(
        "Rome is the capital.", small="Paris is the capital.", medium="Paris is the big capital."
    )

    comparison = router.compare("What is the capital of France?")

    low, mid, top = comparison.differences
    assert [("Paris is the capital.", False)] == list(low)
    assert ["big"] == [piece.text for piece in mid if piece.only_here]
    assert ["Rome"] == [piece.text for piece in top if piece.only_here]
    pair = comparison.difference("LOW", "TOP")
    assert [("Paris", True), (" is the capital.", False)] == list(pair)
    assert ((("alone", False),),) == each_against_others(["alone"])


def test_words_are_marked_that_the_reference_has_not():
    for text, reference, only_here in (
        ("one two three", "one 2 three", ["two"]),
        ("Das ist 3 gut.", "Das ist 4 gut!", ["3", "."]),
        ("法国的首都是巴黎。", "法国的首都是罗马。", ["巴黎"]),
    ):
        pieces = difference(text, reference)
        assert text == "".join(piece.text for piece in pieces)
        assert only_here == [piece.text for piece in pieces if piece.only_here]


def test_long_texts_are_compared_by_their_sentences():
    sentences = [f"Here the number {n} is given, and this is all." for n in range(4_000)]
    changed = ["A new start.", *sentences[1:2_000], "Here is more.", *sentences[2_001:], "An end."]

    pieces = difference(" ".join(changed), " ".join(sentences))

    marked = [one.text.strip() for one in pieces if one.only_here]
    assert ["A new start.", "Here is more.", "An end."] == marked
    alike = difference("x\n" * 100_000 + "end", "begin\n" + "x\n" * 90_000)
    assert 200_003 == sum(len(piece.text) for piece in alike)
