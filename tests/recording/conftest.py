from __future__ import annotations

import json

import pytest

import nbroute


@pytest.fixture
def talk(tmp_path):
    """Where the recording is."""
    return tmp_path / "talk.rec"


@pytest.fixture
def opened():
    """Makes routers, simulated unless another profile or a replay is named, and closes them."""
    made = []

    def make(settings=None, **options):
        usual = (
            {} if settings or {"replay", "provider"} & set(options) else {"profile": "simulated"}
        )
        made.append(nbroute.Router(settings, **usual | options))
        return made[-1]

    yield make
    for router in made:
        router.close()


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
