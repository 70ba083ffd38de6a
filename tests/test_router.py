"""What `nbroute.Router` puts together: providers, classifiers, what is taught and learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from conftest import LADDER

from nbroute.errors import NbrouteError
from nbroute.providers.openai_compatible import OpenAICompatible


def test_a_provider_of_ones_own_classifies_too_whatever_the_environment(
    monkeypatch, server, opened
):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-elsewhere")
    mine = OpenAICompatible("mine", server.url, "sk-mine")

    assert "ok" == opened(provider=mine, classifier="model").route("hello").text
    assert 2 == len(server.requests)


def test_what_was_taught_decides_and_is_left_out_on_a_ladder_without_its_tier(make_router):
    embedding = {"classifier": "embedding"}
    for prompt, tier in ((" \n", "LOW"), ("x", "NOPE"), (None, "LOW"), ("x", None)):
        with pytest.raises(NbrouteError):
            make_router().teach(prompt, tier)
    assert not Path("examples.sqlite3").exists()
    make_router(**embedding).teach("What is the capital of Peru?", "TOP")
    whole = make_router(**embedding)
    less = make_router(**embedding, ladder=replace(LADDER, tiers=LADDER.tiers[:2]))

    assert "TOP" == whole.classify("What is the capital of Peru?").tier
    assert less.classify("What is the capital of Peru?").tier in ("LOW", "MID")


def test_labels_of_a_file_make_a_classifier_that_decides_and_that_must_be_kept(make_router, server):
    asked = {"LOW": "name a town with {}", "MID": "sum up notes on {}", "TOP": "prove that {}"}
    things = [f"{a}a{b}a{a} {a}e{b}e{a}" for a in "bcdfghjklmnp" for b in "bcdf"]
    made = [(text.format(thing), tier) for thing in things for tier, text in asked.items()]
    Path("file").write_text("")
    frame = pd.DataFrame(made, columns=["prompt", "tier"])
    frame.to_csv("labels.csv", index=False, encoding="utf-8-sig")
    router = make_router(classifier=lambda _: "TOP")

    with pytest.raises(NbrouteError, match=r"learned\.npz") as caught:
        router.fit("labels.csv", to="file/learned.npz")
    assert "\n" not in str(caught.value)
    fitted = router.fit("labels.csv", to="mine.npz")
    assert "saved as mine.npz" in fitted.note
    assert "learned" == router.classify("prove that bacab holds").classifier
    assert [] == server.requests


def test_an_endpoint_that_embeds_in_another_dimension_than_yesterday_is_asked_anew(
    server, file_router
):
    told = []
    router = file_router('embedder = "loop"', classifier="embedding", announce=told.append)
    router.route("hello you", cache="off")
    before = len(server.requests)
    server.dimension = 24
    result = router.route("another prompt altogether", cache="off")

    embedded = [row for row in router.ledger.rows() if row["purpose"] == "embed"]
    assert "ok" == result.text
    assert any("of 24 dimensions and gave 16 before" in one for one in told)
    assert before < len(server.requests)
    asked = [seen for seen in server.requests if seen.path.endswith("/embeddings")]
    words = sum(len(text.split()) for seen in asked for text in seen.json["input"])
    assert words == sum(row["input_tokens"] for row in embedded)
