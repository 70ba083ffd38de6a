"""A real LiteLLM proxy between the provider and a loopback server."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from nbroute.errors import AuthError, UnknownModel
from nbroute.types import Ladder, Tier

PROXY = Path(__file__).parents[2] / ".venv-litellm" / "bin" / "litellm"
KEY = "sk-proxy-0123456789"
CONFIG = """
model_list:
  - model_name: cheap
    litellm_params: {{ model: openai/gpt-4o-mini, api_base: "{url}", api_key: sk-upstream-012345 }}
general_settings: {{ master_key: {key} }}
"""
pytestmark = pytest.mark.skipif(
    not PROXY.exists(), reason="no .venv-litellm here; `make test-proxy` makes it and runs this"
)


@pytest.fixture
def proxy(server, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG.format(url=server.url, key=KEY))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [PROXY, "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)],
            cwd=tmp_path,
            env=kept | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"},
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(240):
            assert process.poll() is None, (tmp_path / "log").read_text()[-2_000:]
            try:
                urlopen(f"{url}/health/liveliness", timeout=5).close()  # noqa: S310 - it is http
                break
            except OSError:
                time.sleep(0.5)
        yield f"{url}/v1"
    finally:
        process.terminate()
        process.wait(30)


def test_what_the_proxy_charges_is_the_cost_and_its_errors_are_told_apart(
    server, proxy, make_router
):
    ladder = Ladder("test", (Tier("LOW", "loop", "cheap", 64),), "LOW")
    router = make_router(url=proxy, api_key=KEY, ladder=ladder, timeout_s=30)
    for stream in (True, False):
        server.reply(text="Paris.", usage={"prompt_tokens": 20, "completion_tokens": 2})
        result = router.route("What is the capital of France?", cache="off", stream=stream)
        assert ("Paris.", "billed") == (result.text, result.cost_source)
        assert (20, 2) == (result.usage.input_tokens, result.usage.output_tokens)
        assert pytest.approx(0.0000042) == float(result.cost_usd)

    with pytest.raises(AuthError, match="No connected db"):
        make_router(url=proxy, api_key="sk-wrong-0123456789").route("hello", tier="MID")
    with pytest.raises(UnknownModel, match="Invalid model name"):
        router.route("hello", model="expensive")
