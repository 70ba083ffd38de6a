"""The bodies that the loopback server sends."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def encoded(body: Any) -> tuple[bytes, str]:
    if isinstance(body, bytes):
        return body, "application/json"
    if isinstance(body, str):
        return body.encode(), "text/html" if body.startswith("<") else "text/plain"
    return json.dumps(body).encode(), "application/json"


def completion(reply: Any, sent: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.text}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    choice |= _logprobs(_pieces(reply), reply, sent)
    whole = _envelope("chat.completion", reply, sent) | {"choices": [choice]}
    return whole | {"usage": usage} if (usage := _usage(reply, sent)) else whole


def events(reply: Any, sent: Any) -> Iterator[Any]:
    envelope = _envelope("chat.completion.chunk", reply, sent)
    pieces = _pieces(reply)
    rated = _logprobs(pieces, reply, sent).get("logprobs", {}).get("content", [])
    for place, piece in enumerate(pieces):
        known = {"logprobs": {"content": [rated[place]]}} if rated else {}
        yield envelope | {"choices": [_delta({"content": piece}, None) | known]}
    if reply.finish_reason:
        yield envelope | {"choices": [_delta({}, reply.finish_reason)]}
    asked = (sent.get("stream_options") or {}).get("include_usage")
    if (asked or reply.cost is not None) and (usage := _usage(reply, sent)):
        yield envelope | {"choices": [], "usage": usage}
    if reply.done:
        yield "[DONE]"


def _delta(delta: Mapping[str, str], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _envelope(kind: str, reply: Any, sent: Any) -> dict[str, Any]:
    model = reply.model or sent["model"]
    named = {} if reply.id is None else {"id": reply.id}
    return named | {"object": kind, "created": 0, "model": model}


def _pieces(reply: Any) -> Sequence[str]:
    return re.findall(r"\S+\s*|\s+", reply.text) if reply.chunks is None else reply.chunks


def _logprobs(pieces: Sequence[str], reply: Any, sent: Any) -> dict[str, Any]:
    values = [-0.1] * len(pieces) if reply.logprobs is None else reply.logprobs
    if not sent.get("logprobs") or not values:
        return {}
    told = zip(pieces, values, strict=True)
    return {"logprobs": {"content": [{"token": t, "logprob": v} for t, v in told]}}


def _usage(reply: Any, sent: Any) -> dict[str, Any] | None:
    if reply.usage is None:
        return None
    counted = _counted(reply, sent) if reply.usage == "count" else dict(reply.usage)
    return counted if reply.cost is None else counted | {"cost": reply.cost}


def _counted(reply: Any, sent: Any) -> dict[str, int]:
    asked = sum(len(message["content"].split()) for message in sent["messages"])
    answered = len(reply.text.split())
    total = asked + answered
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": total}


def refusal(sent: Any, refused: Sequence[str]) -> str:
    """The words that refuse the first refused thing in the request; empty where there is none."""
    kind = (sent.get("response_format") or {}).get("type")
    for name in refused:
        if name == kind:
            return (
                f"Invalid parameter: 'response_format' of type '{name}' is not supported with "
                "this model."
            )
        if name in sent:
            return f"Unsupported parameter: '{name}' is not supported with this model."
    return ""


def example(sent: Any) -> str:
    """The plain answer: JSON with the schema asked for, an object in JSON mode, else "ok"."""
    asked = sent.get("response_format") or {}
    if asked.get("type") == "json_schema":
        return json.dumps(_instance(asked["json_schema"]["schema"]))
    return '{"answer": "ok"}' if asked.get("type") == "json_object" else "ok"


def _instance(schema: Any) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: _instance(inner) for name, inner in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [_instance(schema.get("items", {}))] * schema.get("minItems", 1)
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(
        schema.get("type"), "ok"
    )


def embeddings(sent: Any, dimension: int) -> dict[str, Any]:
    """The answer to POST /embeddings: each text's words counted by their hash, of length 1."""
    texts = [sent["input"]] if isinstance(sent["input"], str) else sent["input"]
    size = sent.get("dimensions") or dimension
    vectors = [_vector(text, size) for text in texts]
    rows = [
        {"object": "embedding", "index": place, "embedding": v} for place, v in enumerate(vectors)
    ]
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": sent["model"], "usage": usage}


def _vector(text: str, size: int) -> list[float]:
    counts = [0.0] * size
    for word in text.lower().split() or [""]:
        counts[zlib.crc32(word.encode()) % size] += 1.0
    length = math.sqrt(sum(count * count for count in counts))
    return [count / length for count in counts]
