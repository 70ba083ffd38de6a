"""Vectors from an endpoint with the OpenAI embeddings API."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from calls import KEY

from nbroute.embedders.endpoint import OpenAIEmbedder
from nbroute.errors import AuthError, BadReply
from nbroute.types import Usage


@pytest.fixture
def embedder(connect):
    return OpenAIEmbedder(connect())


def asked(server):
    return [seen.json["input"] for seen in server.requests]


def test_an_endpoint_gives_one_vector_a_text_and_counts_the_tokens(server, embedder):
    embedded = embedder.embed(["red apple", "blue sky above", "red apple"])

    assert (3, 16) == embedded.vectors.shape
    assert np.float32 == embedded.vectors.dtype
    assert embedded.vectors[0].tolist() == embedded.vectors[2].tolist()
    assert Usage(7) == embedded.usage
    assert "text-embedding-3-small" == server.requests[0].json["model"] == embedder.model


@pytest.mark.parametrize(
    ("texts", "sizes"), [(["a text"] * 300, [256, 44]), (["word " * 6000] * 40, [33, 7])]
)
def test_no_request_is_too_large_and_usage_is_summed(server, embedder, texts, sizes):
    embedded = embedder.embed(texts)
    assert sizes == [len(texts) for texts in asked(server)]
    assert len(texts) == len(embedded.vectors)
    assert sum(len(text.split()) for text in texts) == embedded.usage.input_tokens


def test_a_text_that_is_too_long_is_sent_by_head_and_tail(server, embedder, monkeypatch):
    monkeypatch.setattr("nbroute.embedders.endpoint.TEXT_TOKENS", 100)
    embedder.embed(["first " + "x" * 5000 + " last"])

    (sent,) = asked(server)[0]
    assert sent.startswith("first x")
    assert sent.endswith("x last")
    assert 400 <= len(sent) <= 402


def test_texts_that_no_endpoint_takes_are_made_sendable_and_no_text_is_not_sent(server, embedder):
    embedder.embed(["", "half \ud83d of a pair"])
    nothing = embedder.embed([])
    assert [[" ", "half ? of a pair"]] == asked(server)
    assert (0, None) == (len(nothing.vectors), nothing.usage)


def test_vectors_are_put_in_the_order_of_their_index_and_what_is_charged_is_kept(server, embedder):
    rows = [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}]
    usage = {"total_tokens": 4, "cost": 0.0003}
    server.embedding_reply(body={"data": rows, "usage": usage})
    embedded = embedder.embed(["a", "b"])
    assert [[1, 0], [0, 1]] == embedded.vectors.tolist()
    assert Usage(4, billed_usd=Decimal("0.0003")) == embedded.usage


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": -3}])
def test_usage_that_does_not_arrive_is_estimated(server, embedder, usage):
    server.embedding_reply(body={"data": [{"index": 0, "embedding": [1.0]}], "usage": usage})
    assert Usage(3, estimated=True) == embedder.embed(["twelve chars"]).usage


def test_an_answer_without_vectors_is_a_bad_reply_that_says_so(server, embedder):
    row = {"index": 0, "embedding": [1.0, 2.0]}
    for body, told in (
        ("<html>", "HTML"),
        ({"data": None}, "with none for 2 texts"),
        ({"data": [row, 7]}, "something else instead"),
        ({"data": [row, {"index": 1, "embedding": [1.0]}]}, "rows of different lengths"),
        ({"data": [row, {"index": 1, "embedding": [1.0, 1e300]}]}, "finite"),
        ({"error": {"message": "overloaded"}}, "overloaded"),
    ):
        server.embedding_reply(body=body)
        with pytest.raises(BadReply, match=told):
            embedder.embed(["a", "b"])


def test_what_the_endpoint_refuses_is_the_error_of_any_other_call(server, embedder):
    server.embedding_reply(status=401, error=f"no, and your key is {KEY}")
    with pytest.raises(AuthError, match=r"your key is \[key\]"):
        embedder.embed(["a"])
