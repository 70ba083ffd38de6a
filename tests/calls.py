"""What the tests of providers ask, and how they read what comes of it."""

from __future__ import annotations

import json

import pytest

from nbroute.errors import ProviderError
from nbroute.types import Message, Request

KEY = "sk-test-0123456789abcdef"
#: A settings file with two models at one endpoint, whose `url` is to be filled in.
SETTINGS = """
[nbroute]
profile = "mine"
[providers.mine]
base_url = "{url}"
api_key_env = "MINE_API_KEY"
timeout_s = 5
[tiers.LOW]
provider = "mine"
model = "small"
max_tokens = 900
[tiers.TOP]
provider = "mine"
model = "large"
max_tokens = 900
"""
STREAMING = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


def asking(
    prompt="What is the capital of France?", *, model="some/model", system="Be brief.", **parts
):
    """A request with a system prompt and a budget of 64 tokens."""
    messages = (Message("system", system), Message("user", prompt))
    return Request("test", model, messages, **{"max_tokens": 64} | parts)


def text_of(chunks):
    return "".join(chunk.text for chunk in chunks)


def failure(provider, kind=ProviderError, request=None, **parts):
    """The error that the call ends in, as text that begins with its class."""
    with pytest.raises(kind) as caught:
        list(provider.send(request or asking(**parts)))
    assert kind in (ProviderError, type(caught.value))
    return f"{type(caught.value).__name__}: {caught.value}"


def events(*values):
    """The reply of a stream in which these come, as JSON unless they are text."""
    lines = (one if isinstance(one, str) else json.dumps(one) for one in values)
    body = "".join(f"data: {line}\n\n" for line in lines)
    return {"body": body.encode(), "content_type": "text/event-stream"}


def said(text=None, finish_reason=None, **more):
    """An event with a piece of the answer."""
    delta = {} if text is None else {"content": text}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]} | more


def whole(content, finish_reason="stop", **message):
    """The reply of an answer in one piece."""
    message = {"role": "assistant", "content": content} | message
    return {"body": {"choices": [{"message": message, "finish_reason": finish_reason}]}}
