"""What is kept of texts: their vectors, and what the user taught."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from rungs import FOUR, ladder

from nbroute.classify.examples import Example
from nbroute.embedders.kept import RememberedEmbedder, TaughtExamples
from nbroute.errors import PromptError, RateLimited, RecordError, SettingsError
from nbroute.types import Embedded, Usage


class Counting:
    """An embedder that gives [length, 1, 0, ...] and says what it was asked for."""

    kind, provider, model = "remote", "p", "m"

    def __init__(self, name="p:m", width=4, fail_at=None):
        self.name, self.width, self.fail_at, self.asked = name, width, fail_at, []

    def embed(self, texts):
        if len(self.asked) == self.fail_at:
            raise RateLimited("enough")
        self.asked.append(list(texts))
        rows = np.zeros((len(texts), self.width), dtype=np.float32)
        rows[:, 0] = [len(text) for text in texts]
        rows[:, 1] = 1
        return Embedded(rows, Usage(len(texts)), 2.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "vectors.sqlite"


def test_each_text_is_embedded_once_also_by_the_next_kernel_and_what_is_missing_can_be_asked(path):
    first, second = Counting(), Counting()
    assert ["a"] == RememberedEmbedder(first, path).missing(["a"])
    one = RememberedEmbedder(first, path).embed(["a", "bb", "a"])
    later = RememberedEmbedder(second, path)
    missing = later.missing(["ccc", "a", "d", "ccc"])
    two, again = later.embed(["bb", "ccc", "a"]), later.embed(["a"])

    assert ([["a", "bb"]], [["ccc"]]) == (first.asked, second.asked)
    assert ([1, 2, 1], [2, 3, 1]) == (one.vectors[:, 0].tolist(), two.vectors[:, 0].tolist())
    assert (Usage(2), Usage(1)) == (one.usage, two.usage)
    assert ["ccc", "d"] == missing
    assert (None, [1]) == (again.usage, again.vectors[:, 0].tolist())


def test_another_embedder_or_dimension_than_yesterday_is_noticed_and_all_is_embedded_anew(path):
    notices, today, other = [], Counting(width=8), Counting("p:other", width=6)
    RememberedEmbedder(Counting(), path).embed(["a", "bb"])
    assert (1, 6) == RememberedEmbedder(other, path).embed(["a"]).vectors.shape
    embedded = RememberedEmbedder(today, path, announce=notices.append).embed(["a", "new", "bb"])

    assert [1, 3, 2] == embedded.vectors[:, 0].tolist()
    assert [["new"], ["a", "bb"]] == today.asked
    assert "p:m gives vectors of 8 dimensions and gave 4 before" in notices[0]


def test_what_was_paid_for_is_kept_when_a_later_request_fails(path):
    many = [f"text {number}" for number in range(2_500)]
    with pytest.raises(RateLimited):
        RememberedEmbedder(Counting(fail_at=1), path).embed(many)
    assert 2_500 - 256 == len(RememberedEmbedder(Counting(), path).missing(many))
    RememberedEmbedder(Counting(), path).embed(many)
    assert [] == RememberedEmbedder(Counting(), path).missing(many)


def test_the_texts_themselves_are_not_in_the_file(path):
    texts = ["a very private sentence", "a very private sentence ", "\ud800"]
    with contextlib.closing(RememberedEmbedder(Counting(), path)) as embedder:
        assert [23, 24, 1] == embedder.embed(texts).vectors[:, 0].tolist()
    assert b"private" not in path.read_bytes()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.write_bytes(b"this is no database" * 100), "cannot read the kept"),
        (lambda path: path.parent.rmdir() or path.parent.touch(), ""),
    ],
)
def test_a_file_that_cannot_be_used_is_noted_once_and_all_goes_on(path, spoil, told):
    path.parent.mkdir()
    spoil(path)
    notices = []
    embedder = RememberedEmbedder(Counting(), path, announce=notices.append)
    rows = [embedder.embed([text]).vectors[0].tolist() for text in ("a", "bb")]

    assert [[1, 1, 0, 0], [2, 1, 0, 0]] == rows
    assert 1 == len(notices)
    assert told in notices[0]


def test_what_is_taught_is_there_in_the_next_session(path):
    assert () == TaughtExamples(path).examples(FOUR)
    TaughtExamples(path).teach(" sort my mail\n", "medium", FOUR)

    assert (Example("sort my mail", "MEDIUM"),) == TaughtExamples(path).examples(FOUR)
    with pytest.raises(SettingsError, match="unknown tier 'SIMPEL' on ladder 'test'"):
        TaughtExamples(path).teach("a", "SIMPEL", FOUR)
    with pytest.raises(PromptError, match="no prompt to teach"):
        TaughtExamples(path).teach("  ", "SIMPLE", FOUR)
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(RecordError, match="the taught example"):
        TaughtExamples(path).teach("a", "SIMPLE", FOUR)


def test_the_later_word_on_a_prompt_wins_among_those_for_this_ladder(path):
    taught, two = TaughtExamples(path), ladder("LOW", "HIGH")
    for prompt, tier in (("a", "SIMPLE"), ("b", "SIMPLE"), (" a ", "COMPLEX")):
        taught.teach(prompt, tier, FOUR)
    taught.teach("b", "HIGH", two)

    assert (Example("b", "SIMPLE"), Example("a", "COMPLEX")) == taught.examples(FOUR)
    assert Example("b", "HIGH") in taught.examples(two)
    taught.teach("Sort\n my mail", "SIMPLE", FOUR)
    assert Example("a", "COMPLEX") == taught.forget(" a ")
    assert Example("Sort\n my mail", "SIMPLE") == TaughtExamples(path).forget("Sort my mail")
    assert (Example("b", "SIMPLE"),) == taught.examples(FOUR)
