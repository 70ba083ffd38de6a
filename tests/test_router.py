"""What `nbroute.Router` puts together."""

from __future__ import annotations

from nbroute.providers.openai_compatible import OpenAICompatible


def test_a_provider_of_ones_own_classifies_too_whatever_the_environment(
    monkeypatch, server, opened
):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-elsewhere")
    mine = OpenAICompatible("mine", server.url, "sk-mine")

    assert "ok" == opened(provider=mine, classifier="model").route("hello").text
    assert 2 == len(server.requests)
