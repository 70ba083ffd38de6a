"""Word vectors of this machine."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nbroute.embedders import wordllama
from nbroute.embedders.wordllama import WordLlamaEmbedder, available
from nbroute.errors import SettingsError

needs_wordllama = pytest.mark.skipif(not available(), reason="wordllama is not installed")


@needs_wordllama
def test_word_vectors_know_which_texts_are_alike_and_bill_nothing():
    embedder = WordLlamaEmbedder()
    embedded = embedder.embed(["a cat on the sofa", "the kitten sat on a couch", "tax return 2023"])

    unit = embedded.vectors / np.linalg.norm(embedded.vectors, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.2
    assert ((3, 256), None, "local") == (embedded.vectors.shape, embedded.usage, embedder.kind)
    alone = embedder.embed(["tax return 2023"]).vectors[0]
    assert alone.tolist() == embedded.vectors[2].tolist()
    assert np.isfinite(embedder.embed(["", "\ud800", "数学", "word " * 20_000]).vectors).all()


@pytest.mark.parametrize("damaged", [False, pytest.param(True, marks=needs_wordllama)])
def test_missing_or_damaged_vectors_are_an_error_with_the_command(monkeypatch, tmp_path, damaged):
    package = tmp_path / "wordllama"
    for name in (wordllama._TOKENIZER, wordllama._WEIGHTS) if damaged else ():
        (package / name).parent.mkdir(parents=True)
        (package / name).write_bytes(b"\x00damaged")
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wordllama", raising=False)

    assert damaged == wordllama.available()
    cure = "--force-reinstall" if damaged else r"'nbroute\[embeddings\]'"
    with pytest.raises(SettingsError, match=f"pip install {cure}"):
        WordLlamaEmbedder().embed(["a"])
