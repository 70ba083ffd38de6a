"""Which models of a local server answer which tiers."""

from __future__ import annotations

from pathlib import Path

import pytest
from cells import run

from nbroute import Router
from nbroute.errors import SettingsError

SETTINGS = '[nbroute]\nprofile = "ollama"\n[providers.ollama]\nbase_url = "{url}"\n'


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


def test_ollamas_sizes_families_and_what_runs_elsewhere_decide(serve):
    def ollama(name, size, family="llama", **more):
        """As in https://docs.ollama.com/api/tags."""
        details = {"format": "gguf", "family": family, "parameter_size": size}
        return {"name": name, "model": name, "size": 1, "details": details, **more}

    tags = [
        ollama("nomic-embed-text:latest", "137M", "nomic-bert"),
        ollama("big:latest", "70.6B"),
        ollama("vectors:latest", "7.6B", "qwen3", capabilities=["embedding"]),
        ollama("tiny:latest", "134.52M", capabilities=["completion", "tools"]),
        ollama("cloud:latest", "480B", remote_host="https://ollama.com:443"),
        ollama("mid:latest", "8.0B"),
        ollama("experts:latest", "8x7B"),
    ]
    router = serve(*(one["name"] for one in tags), tags={"models": tags})

    chosen = ["tiny:latest", "mid:latest", "experts:latest", "big:latest"]
    assert chosen == models_of(router)
    assert "tiny:latest answers SIMPLE; mid:latest answers MEDIUM" in router.settings.origin


def test_lm_studios_types_decide(serve):
    """As in https://lmstudio.ai/docs/developer/rest, of both versions."""
    names = ("mystery", "eyes-7b", "q-vectors-8b")
    kinds = zip(names, ("llm", "vlm", "embedding"), ("32B", "7B", None), strict=True)
    rows = [{"key": name, "type": kind, "params_string": size} for name, kind, size in kinds]
    old = [{"id": row["key"], "type": row["type"], "arch": "x"} for row in rows]

    told = serve(*names, **{"v1/models": {"models": rows}})
    assert ["eyes-7b", "eyes-7b", "mystery", "mystery"] == models_of(told)
    told = serve(*names, **{"v0/models": {"data": old}})  # a size is not known
    assert ["mystery", "mystery", "eyes-7b", "eyes-7b"] == models_of(told)


NO_CHAT = [
    *("nomic-embed-text", "bge-m3", "e5-mistral-7b", "all-minilm:22m", "Qwen3-Reranker-8B"),
    *("whisper-large-v3", "outetts-1b", "llama-guard3:8b", "flux.1", "jinaai/jina-clip-v2"),
]


@pytest.mark.parametrize(
    ("served", "chosen"),
    [
        (["m:32b", "m:1b", "m:0.5b", "m:8b"], ["m:0.5b", "m:1b", "m:8b", "m:32b"]),
        # units and experts, and numbers that are not a size
        (["x:8x7b", "kimi-1t", "E4B-it", "S-135M"], ["S-135M", "E4B-it", "x:8x7b", "kimi-1t"]),
        (
            ["q2.5-14B-1M", "q3-30b-a3b", "l-3.1-8b-4bit", "phi-2b-128k"],
            ["phi-2b-128k", "l-3.1-8b-4bit", "q2.5-14B-1M", "q3-30b-a3b"],
        ),
        ([*NO_CHAT, "hf/b-3b", "hf/a-1b"], ["hf/a-1b", "hf/a-1b", "hf/b-3b", "hf/b-3b"]),
        (["second", "first"], ["second", "second", "first", "first"]),
        (["only"], ["only"] * 4),
        # what the server knows it as
        ([{"id": "b", "root": "Qwen-72B"}, {"id": "a", "meta": {"n_params": 10**9}}], [*"aabb"]),
        # what is not a model
        ([{"id": None}, {"id": 7, "details": "x"}, {"meta": []}, " ", "m\x1b[", "m"], [*"77mm"]),
    ],
)
def test_larger_models_answer_higher_tiers_and_only_those_that_chat(serve, served, chosen):
    router = serve(*served)
    assert chosen == models_of(router)
    lone = "only, the only model there, answers every tier" in router.settings.origin
    assert lone == (["only"] == served)


def test_a_list_of_another_form_is_passed_over_and_nothing_that_chats_is_said(serve):
    for page in ("<html>", [], {"models": [1, None]}, None):
        assert ["m:1b", "m:1b", "m:8b", "m:8b"] == models_of(serve("m:8b", "m:1b", tags=page))
    for served in ([], ["nomic-embed-text"]):
        with pytest.raises(SettingsError, match="'ollama' has no model that chats"):
            serve(*served)


def test_a_notebook_says_which_model_answers_which_tier(shell, server, monkeypatch):
    monkeypatch.setenv("NBROUTE_PROFILE", "ollama")
    Path("nbroute.toml").write_text(SETTINGS.format(url=server.url))
    server.models = ("m:8b", "m:1b")
    run(shell, "%unload_ext nbroute\n%load_ext nbroute")
    first, _ = run(shell, "%%route -t SIMPLE\nhello")
    second, _ = run(shell, "%%route -t SIMPLE\nhello again")

    said = "nbroute: m:1b answers SIMPLE and MEDIUM; m:8b answers COMPLEX and FRONTIER"
    assert (said in first, said in second) == (True, False)
