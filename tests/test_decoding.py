"""JSON and characters as they come over a wire, before anybody knows what they are about."""

from __future__ import annotations

import pytest

from nbroute.decoding import Halves, parse


def test_what_cannot_be_read_is_a_value_error_in_words():
    for text in (b"\xff", "[" * 101 + "]" * 101, "{", '"'):
        with pytest.raises(ValueError, match=r"^it is "):
            parse(text)
    assert [1, {"a": "\ud83d"}] == parse(b'\xef\xbb\xbf[1, {"a": "\\ud83d"}]')


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["\ud83d", "\ude00!"], "😀!"),
        (["a\ud83d", "", "\ude00\ud83d", "\ude00"], "a😀😀"),
        (["\ud83d", "b"], "\ufffdb"),
        (["\ude00", "c"], "\ufffdc"),
        (["\udcf0\udc9f", "\udc98\udc80."], "😀."),
        (["\udcf0", "\udc9f", "\udc98", "\udc80"], "😀"),
        (["\udce2\udc98", "x", "\udcff"], "\ufffdx\ufffd"),
    ],
)
def test_the_halves_of_a_character_are_joined(pieces, text):
    halves = Halves()

    assert text == "".join(map(halves.feed, pieces)) + halves.end()
