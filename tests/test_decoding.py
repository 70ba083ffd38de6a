"""JSON and characters as they come over a wire, before anybody knows what they are about."""

from __future__ import annotations

import pytest

from nbroute.decoding import Halves, distinct, modules_of, parse


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


def test_a_file_in_a_folder_of_additions_that_lacks_a_name_is_named(tmp_path, monkeypatch):
    folder = tmp_path / "additions"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "words.py").write_text("TAKES = 'a number'", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    assert ["words"] == list(modules_of("additions", "TAKES"))
    with pytest.raises(RuntimeError, match=r"words\.py has no fits and no check"):
        modules_of("additions", "TAKES", "fits", "check")
    with pytest.raises(RuntimeError, match="two things are called 'words'"):
        distinct("length", "words", "words")
