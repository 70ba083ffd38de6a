"""A router that a worker in another process can make again: all of it is in its settings."""

from __future__ import annotations

import pytest

from nbroute.router import Router

TOML = """
[nbroute]
classifier = "ngrams"
budget_usd = {budget}
[providers.loop]
base_url = "{url}"
api_key_env = "LOOP_API_KEY"
timeout_s = 30
[tiers.LOW]
provider = "loop"
model = "small"
max_tokens = 100
price = {{ input = 0.0, output = 10.0 }}
[tiers.TOP]
provider = "loop"
model = "large"
max_tokens = 100
price = {{ input = 0.0, output = 10.0 }}
"""


@pytest.fixture
def file_router(server, tmp_path, monkeypatch):
    monkeypatch.setenv("LOOP_API_KEY", "sk-test-0123456789")
    made = []

    def make(budget="100.0"):
        file = tmp_path / "nbroute.toml"
        file.write_text(TOML.format(url=server.url, budget=budget))
        made.append(Router(file))
        return made[-1]

    yield make
    for router in made:
        router.close()
