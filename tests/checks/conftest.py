from __future__ import annotations

import pytest

from nbroute.checks import judge, wanted
from nbroute.types import Options, Reply, Usage


@pytest.fixture
def reply():
    """Makes a whole answer."""

    def make(text="A complete answer to the question.", **more):
        fields = {"finish_reason": "stop", "latency_ms": 100.0, "ttft_ms": None} | more
        return Reply(text, "m", Usage(1, 1), **fields)

    return make


@pytest.fixture
def failing(reply):
    """Makes the verdict that sends an answer back; None where it passes."""

    def make(text, prompt="", checks=(), *, lowest=False, **more):
        options = Options(strategy="cascade", checks=checks)
        verdicts = judge(reply(text, **more), wanted(options, prompt=prompt, lowest=lowest))
        return next((verdict for verdict in verdicts if not verdict.passed), None)

    return make
