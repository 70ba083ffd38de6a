"""What `nbroute.Router` puts together: a provider, and a classifier that is learned."""

from __future__ import annotations

import pandas as pd

from nbroute.providers.openai_compatible import OpenAICompatible


def test_a_provider_of_ones_own_classifies_too_whatever_the_environment(
    monkeypatch, server, opened
):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-elsewhere")
    mine = OpenAICompatible("mine", server.url, "sk-mine")

    assert "ok" == opened(provider=mine, classifier="model").route("hello").text
    assert 2 == len(server.requests)


def test_labels_of_a_file_make_a_classifier_that_decides_and_is_saved(make_router, server):
    asked = {"LOW": "name a town with {}", "MID": "sum up notes on {}", "TOP": "prove that {}"}
    things = [f"{a}a{b}a{a} {a}e{b}e{a}" for a in "bcdfghjklmnp" for b in "bcdf"]
    made = [(text.format(thing), tier) for thing in things for tier, text in asked.items()]
    frame = pd.DataFrame(made, columns=["prompt", "tier"])
    frame.to_csv("labels.csv", index=False, encoding="utf-8-sig")
    router = make_router(classifier=lambda _: "TOP")

    fitted = router.fit("labels.csv", to="mine.npz")
    assert "saved as mine.npz" in fitted.note
    assert "learned" == router.classify("prove that bacab holds").classifier
    assert [] == server.requests
