"""What an endpoint answers, as Chunks: nothing in it is trusted to be there or of its type."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from nbroute.errors import BadReply, Unavailable
from nbroute.providers.openai_errors import Call, error_inside, is_html, no_json
from nbroute.types import Chunk, Request, Usage

#: No call has as many tokens or costs as many dollars; SQLite holds it exactly.
_MOST = 10**9


def model_names(page: Any, call: Call) -> list[str]:
    """Read the names in an answer to GET /models."""
    data = _get(page, "data")
    if not isinstance(data, list):
        raise no_json(call, page if isinstance(page, str) else "")
    return [name for model in data if (name := _text(_get(model, "id")))]


def streamed(stream: Any, request: Request, call: Call) -> Iterator[Chunk]:
    """Yield a stream's text as it comes and the rest at its end.

    An endpoint that does not stream, though asked to, is read as a whole.
    """
    kind = stream.response.headers.get("content-type", "")
    if "html" in kind or "json" in kind:
        yield from whole(_decoded(stream.response.read(), call), request, call)
        return
    ending, any_choice, any_text = Chunk(), False, False
    for event in stream:
        choice = _first_choice(event)
        any_choice = any_choice or choice is not None
        ending = _ending(event, choice, ending)
        text = _content(_get(choice, "delta"))
        if text:
            any_text = any_text or not text.isspace()
            yield Chunk(text)
    yield ending
    if not any_choice:
        raise _no_choices(call)
    if ending.finish_reason is None:
        raise Unavailable(
            f"the answer of {call.model!r} from {call.host} broke off half-way: ask again"
        )
    if not any_text:
        raise _empty(ending.finish_reason, request, call)


def _decoded(body: bytes, call: Call) -> Any:
    text = body.decode(errors="replace")
    if is_html(text):
        raise no_json(call, text)
    return json.loads(text)


def whole(answer: Any, request: Request, call: Call) -> Iterator[Chunk]:
    """Yield an answer that came in one piece."""
    if isinstance(answer, str):
        raise no_json(call, answer)
    if error := _get(answer, "error"):
        raise error_inside(error, call)
    choice = _first_choice(answer)
    if choice is None:
        raise _no_choices(call)
    text = _content(_get(choice, "message"))
    ending = _ending(answer, choice, Chunk())
    yield Chunk(text, ending.usage, ending.finish_reason, ending.model)
    if not text.strip():
        raise _empty(ending.finish_reason, request, call)


def _ending(event: Any, choice: Any, before: Chunk) -> Chunk:
    """Gather what is known so far for the last chunk; the newest word counts."""
    return Chunk(
        usage=_usage(_get(event, "usage")) or before.usage,
        finish_reason=_text(_get(choice, "finish_reason")) or before.finish_reason,
        model=_text(_get(event, "model")) or before.model,
    )


def _no_choices(call: Call) -> BadReply:
    return BadReply(
        f"{call.host} answered without an answer of {call.model!r} (no choices in it): "
        "ask again, or name a fallback model"
    )


def _empty(finish_reason: str | None, request: Request, call: Call) -> BadReply:
    if finish_reason == "length":
        return BadReply(
            f"{call.model!r} used up its budget of {request.max_tokens} tokens before any text, "
            "by reasoning perhaps: raise max_tokens"
        )
    if finish_reason == "content_filter":
        return BadReply(f"the content filter of {call.host} withheld the answer: rephrase")
    return BadReply(
        f"empty answer from {call.model!r} (finish_reason {finish_reason!r}): "
        "ask again, or name a fallback model"
    )


def _first_choice(event: Any) -> Any:
    choices = _get(event, "choices")
    return choices[0] if isinstance(choices, list) and choices else None


def _content(message: Any) -> str:
    """Take the text of a message or a delta; a refusal's text where it has none of its own."""
    content = _get(message, "content")
    if isinstance(content, list):
        return "".join(_text(_get(part, "text")) or "" for part in content)
    return _text(content) or _text(_get(message, "refusal")) or ""


def _usage(usage: Any) -> Usage | None:
    asked, answered = _get(usage, "prompt_tokens"), _get(usage, "completion_tokens")
    if not _is_count(asked) or not _is_count(answered):
        return None
    cached = _get(_get(usage, "prompt_tokens_details"), "cached_tokens")
    cached = min(cached, asked) if _is_count(cached) else 0
    return Usage(asked, answered, cached, _money(_get(usage, "cost")))


def _is_count(value: Any) -> bool:
    """Whether it is a number of tokens; what is none is counted by us instead."""
    return type(value) is int and 0 <= value < _MOST


def _money(value: Any) -> Decimal | None:
    """Read an amount as it was written; None for anything that is no amount."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        return None
    return amount if amount.is_finite() and 0 <= amount < _MOST else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _get(value: Any, name: str) -> Any:
    """Get a field of the SDK's object or of plain JSON; None where there is none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
