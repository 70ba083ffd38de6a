"""Which models of a local server answer which tiers."""

from __future__ import annotations

from pathlib import Path

import pytest
from cells import run

from nbroute import Router
from nbroute.errors import SettingsError
from nbroute.providers.served import chat_models

SETTINGS = '[nbroute]\nprofile = "ollama"\n[providers.ollama]\nbase_url = "{url}/"\n'


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


NO_CHAT = [
    *("nomic-embed-text", "bge-m3", "e5-mistral-7b", "all-minilm:22m", "Qwen3-Reranker-8B"),
    *("whisper-large-v3", "outetts-1b", "llama-guard3:8b", "flux.1", "jinaai/jina-clip-v2"),
]
#: What else says that a model does not chat, or not here; and what is no name.
SAID = [
    *({"type": "embeddings"}, {"arch": "nomic-bert"}, {"architecture": "bert"}, {"id": " "}),
    *({"details": {"family": "bert"}}, {"remote_host": "https://ollama.com:443"}, {"id": None}),
    *({"remote_model": "kimi-k2"}, {"id": "m\x1b["}),
    {"capabilities": ["embedding", "embeddings", "rerank", "image", "audio"]},
]


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        *(([{"id": name}], []) for name in NO_CHAT),
        *(([{"id": "v"} | row], []) for row in SAID),
        # What is no list of models, and what says nothing against one.
        ([{"id": 7, "details": "x", "meta": [], "capabilities": [], "type": "llm"}], ["7"]),
        ([1, {"id": "m", "capabilities": ["embedding", "completion"]}, None], ["m"]),
        # Units and experts, as the server counts them or in a name; the largest number counts.
        (
            [
                *({"id": "kimi-1t"}, {"id": "x:60b"}, {"id": "x:8x7b"}, {"id": "50b"}),
                *({"id": "E4B-it"}, {"id": "S-0.5M-135M"}, {"id": "q-30b-a3b"}, {"id": "40 B"}),
                {"id": "a-70b", "meta": {"n_params": 10**9}},
                {"id": "n-2b", "meta": {"n_params": 0}, "details": {"parameter_size": "x"}},
                {"id": "r", "root": "Qwen-72B"},
                {"id": "n-3b", "name": "n-1b", "details": {"parameter_size": "5.1B"}},
            ],
            [
                *("S-0.5M-135M", "a-70b", "n-2b", "E4B-it", "n-3b", "q-30b-a3b", "40 B", "50b"),
                *("x:8x7b", "x:60b", "r", "kimi-1t"),
            ],
        ),
        # Numbers that are not a size.
        (
            [{"id": one} for one in ("q2.5-14B-1M", "l-3.1-8b-4bit", "v1.2b-9b", "phi-2b-128k")],
            ["phi-2b-128k", "l-3.1-8b-4bit", "v1.2b-9b", "q2.5-14B-1M"],
        ),
        # One of unknown size goes in the middle, and all of them stay as they are.
        ([{"id": one} for one in ("9b", "x", "1b", "5b", "6b")], ["1b", "5b", "x", "6b", "9b"]),
        ([{"id": "second"}, {"id": "first"}], ["second", "first"]),
    ],
)
def test_models_that_chat_are_listed_smallest_first(rows, names):
    assert names == chat_models({"data": rows})


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
