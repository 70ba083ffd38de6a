"""Which models of a local server answer which tiers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cells import run

from nbroute import Router
from nbroute.errors import SettingsError
from nbroute.providers.served import chat_models

SETTINGS = '[nbroute]\nprofile = "ollama"\n[providers.ollama]\nbase_url = "{url}/"\n'

DATA = json.loads((Path(__file__).parents[1] / "data/replies.json").read_text("utf-8"))["served"]


@pytest.fixture
def serve(server, tmp_path):
    """Makes a router over a server with those models and, by path, those lists of its own."""

    def serve_models(*models, **lists):
        server.models = models or None
        server.lists = {f"/api/{path}": page for path, page in lists.items()}
        (tmp_path / "my.toml").write_text(SETTINGS.format(url=server.url))
        router = Router(tmp_path / "my.toml")
        router.close()
        return router

    return serve_models


def models_of(router):
    return [tier.model for tier in router.ladder.tiers]


def test_the_servers_own_lists_decide_where_there_are_any(serve):
    rows = [{"key": "big", "params_string": "70B"}, {"key": "tiny", "params_string": "1B"}]
    for lists in ({"tags": {"models": rows}}, {"v1/models": {"models": rows}}):
        assert ["tiny", "tiny", "big", "big"] == models_of(serve("big", "tiny", **lists))
    old = [{"id": "vectors", "type": "embeddings"}, {"id": "m", "type": "llm"}]
    router = serve("vectors", "m", tags="<html>", **{"v0/models": {"data": old}})

    assert ["m"] * 4 == models_of(router)
    assert "m, the only model there, answers every tier" in router.settings.origin
    for served in ([], ["nomic-embed-text"]):
        with pytest.raises(SettingsError, match="'ollama' has no model that chats"):
            serve(*served)


@pytest.mark.parametrize("row", DATA)
def test_models_that_chat_are_listed_smallest_first(row):
    assert row["chat"] == chat_models({"data": row["models"]})


def test_what_other_lists_say_of_a_model_goes_before_its_name():
    """As in https://docs.ollama.com/api/tags and https://lmstudio.ai/docs/developer/rest."""
    ollama = [
        {"name": "x:8b", "details": {"family": "llama", "parameter_size": "134.52M"}},
        {"model": "y:1b", "details": {"family": "llama", "parameter_size": "70.6B"}},
        {"name": "cloud:480b", "remote_host": "https://ollama.com:443"},
    ]
    studio = [{"key": "z:1b", "params_string": "32B"}, {"key": "w", "type": "embedding"}]
    listed = {"data": [{"id": one} for one in ("y:1b", "m:4b", "cloud:480b", "w", "z:1b", "x:8b")]}
    lists = {"models": ollama}, {"data": [1], "models": studio}, "<html>", {"models": None}, None

    assert ["x:8b", "m:4b", "z:1b", "y:1b"] == chat_models(listed, *lists)
    assert ["y:1b", "z:1b", "m:4b", "w", "x:8b", "cloud:480b"] == chat_models(listed)


def test_a_notebook_says_which_model_answers_which_tier(shell, server, monkeypatch):
    monkeypatch.setenv("NBROUTE_PROFILE", "ollama")
    Path("nbroute.toml").write_text(SETTINGS.format(url=server.url))
    server.models = ("m:8b", "m:1b")
    run(shell, "%unload_ext nbroute\n%load_ext nbroute")
    first, _ = run(shell, "%%route -t SIMPLE\nhello")
    second, _ = run(shell, "%%route -t SIMPLE\nhello again")

    said = "nbroute: m:1b answers SIMPLE and MEDIUM; m:8b answers COMPLEX and FRONTIER"
    assert (said in first, said in second) == (True, False)
