"""What an endpoint answers, as Chunks: nothing in it is trusted to be there or of its type."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from nbroute.errors import BadReply, Unavailable
from nbroute.pricing import read_usd
from nbroute.providers.openai_errors import Call, error_inside, is_html, no_json
from nbroute.types import Chunk, Request, Usage

#: No call has as many tokens or costs as many dollars; SQLite holds it exactly.
_MOST = 10**9


def model_names(page: Any, call: Call) -> list[str]:
    """Read the names in an answer to GET /models."""
    data = field(page, "data")
    if not isinstance(data, list):
        raise no_json(call, page if isinstance(page, str) else "")
    return [name for model in data if (name := _text(field(model, "id")))]


def answer_in(answer: Any, call: Call) -> Any:
    """The answer itself, where it is neither a page nor an error."""
    if isinstance(answer, str):
        raise no_json(call, answer)
    if error := field(answer, "error"):
        raise error_inside(error, call)
    return answer


def streamed(stream: Any, request: Request, call: Call) -> Iterator[Chunk]:
    """Yield a stream's text as it comes and the rest at its end.

    An endpoint that does not stream, though asked to, is read as a whole.
    """
    kind = stream.response.headers.get("content-type", "")
    if "html" not in kind and "json" not in kind:
        yield from pieces(stream, request, call)
        return
    text = stream.response.read().decode(errors="replace")
    if is_html(text):
        raise no_json(call, text)
    yield from whole(json.loads(text), request, call)


def pieces(events: Iterable[Any], request: Request, call: Call) -> Iterator[Chunk]:
    """Yield the events of a stream, the answer's id as soon as it is known: it may break off."""
    ending, any_choice, any_text = Chunk(), False, False
    for event in events:
        choice = _first_choice(event)
        any_choice = any_choice or choice is not None
        before, ending = ending, _ending(event, choice, ending)
        text, logprobs = _content(field(choice, "delta")), _logprobs(choice)
        if text or logprobs or ending.id != before.id:
            any_text = any_text or bool(text.strip())
            yield Chunk(text, logprobs=logprobs, id=ending.id)
    yield ending
    if any_choice and ending.finish_reason is None:
        raise Unavailable(
            f"the answer of {call.model!r} from {call.host} broke off half-way: ask again"
        )
    if not any_text:
        raise _empty(any_choice, ending.finish_reason, request, call)


def whole(answer: Any, request: Request, call: Call) -> Iterator[Chunk]:
    """Yield an answer that came in one piece."""
    choice = _first_choice(answer_in(answer, call))
    text, ending = _content(field(choice, "message")), _ending(answer, choice, Chunk())
    if choice is not None:
        yield replace(ending, text=text, logprobs=_logprobs(choice))
    if not text.strip():
        raise _empty(choice is not None, ending.finish_reason, request, call)


def _empty(any_choice: bool, finish_reason: str | None, request: Request, call: Call) -> BadReply:
    if not any_choice:
        return BadReply(
            f"{call.host} answered without an answer of {call.model!r} (no choices in it): "
            "ask again, or name a fallback model"
        )
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


def _ending(event: Any, choice: Any, before: Chunk) -> Chunk:
    """Gather what is known so far for the last chunk; the newest word counts."""
    return Chunk(
        usage=usage_in(event) or before.usage,
        finish_reason=_text(field(choice, "finish_reason")) or before.finish_reason,
        model=_text(field(event, "model")) or before.model,
        id=_text(field(event, "id")) or before.id,
    )


def _first_choice(event: Any) -> Any:
    choices = field(event, "choices")
    return choices[0] if isinstance(choices, list) and choices else None


def _content(message: Any) -> str:
    """Take the text of a message or a delta; a refusal's text where it has none of its own."""
    content = field(message, "content")
    if isinstance(content, list):
        return "".join(_text(field(part, "text")) or "" for part in content)
    return _text(content) or _text(field(message, "refusal")) or ""


def _logprobs(choice: Any) -> tuple[float, ...]:
    """Read the tokens' log-probabilities; one that is not a number leaves all of them out."""
    tokens = field(field(choice, "logprobs"), "content")
    values = [field(token, "logprob") for token in tokens] if isinstance(tokens, list) else []
    numbers = all(type(v) in (int, float) and -_MOST < v < _MOST for v in values)
    return tuple(min(float(v), 0.0) for v in values) if numbers else ()


def usage_in(event: Any) -> Usage | None:
    """Read the usage of an answer or of an event of a stream; None where there is none."""
    usage = field(event, "usage")
    asked, answered = (_count(field(usage, f"{of}_tokens")) for of in ("prompt", "completion"))
    if asked is None or answered is None:
        return None
    cached = _count(field(field(usage, "prompt_tokens_details"), "cached_tokens")) or 0
    upstream = field(field(usage, "cost_details"), "upstream_inference_cost")
    return Usage(asked, answered, min(cached, asked), _billed(usage, "cost", upstream))


def generation_usage(answer: Any) -> Usage | None:
    """Read an answer to GET /generation; None where it names no cost.

    The model's own counts go before OpenRouter's, which are by one tokenizer for all models.
    """
    data = field(answer, "data")
    billed = _billed(data, "total_cost", field(data, "upstream_inference_cost"))
    if billed is None:
        return None

    def count(name: str) -> int | None:
        native = _count(field(data, f"native_{name}"))
        return _count(field(data, name)) if native is None else native

    asked, answered = count("tokens_prompt"), count("tokens_completion")
    cached = _count(field(data, "native_tokens_cached")) or 0
    known = asked is not None and answered is not None
    return Usage(asked or 0, answered or 0, min(cached, asked or 0), billed, estimated=not known)


def _billed(bill: Any, name: str, upstream: Any) -> Decimal | None:
    """Read what was charged; with a key of one's own at the vendor, the vendor charges, too."""
    amount = _money(field(bill, name))
    own_key = field(bill, "is_byok") is True
    return amount if amount is None or not own_key else amount + (_money(upstream) or 0)


def _count(value: Any) -> int | None:
    """Read a number of tokens; what is not one is counted by us instead."""
    return value if type(value) is int and 0 <= value < _MOST else None


def _money(value: Any) -> Decimal | None:
    """Read an amount as it was written; None for anything that is not an amount."""
    amount = read_usd(value)
    return amount if amount is not None and amount < _MOST else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def field(value: Any, name: str) -> Any:
    """A field of plain JSON; None where there is none."""
    return value.get(name) if isinstance(value, Mapping) else None
