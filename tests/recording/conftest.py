from __future__ import annotations

import json

import pytest


@pytest.fixture
def talk(tmp_path):
    """Where the recording is."""
    return tmp_path / "talk.rec"


@pytest.fixture
def opened(opened):
    """Makes routers, simulated unless settings, a provider or a replay are named."""

    def make(settings=None, **options):
        named = settings or {"replay", "provider"} & set(options)
        return opened(settings, **({} if named else {"profile": "simulated"}) | options)

    return make


@pytest.fixture
def recorded(opened, talk):
    """A simulated router that records."""
    router = opened()
    router.record(talk)
    return router


@pytest.fixture
def documents(talk):
    """The JSON documents of the recording, as they are now."""
    return lambda: [json.loads(part) for part in talk.read_text("utf-8").split("\n\n")]
