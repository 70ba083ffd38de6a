"""What an endpoint answers, as Chunks: nothing in it is trusted to be there or of its type."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from nbroute.errors import BadReply, Unavailable
from nbroute.providers.openai_errors import Call, error_inside, is_html, no_json
from nbroute.providers.usage import MOST, Tally, field
from nbroute.types import Chunk, Request


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
    tally = _tally(call)
    for event in events:
        choice = _first_choice(event)
        any_choice = any_choice or choice is not None
        before, ending = ending, _ending(event, choice, ending, tally)
        delta, logprobs = field(choice, "delta"), _logprobs(choice)
        text, reasoning = _content(delta), _reasoning(delta)
        if text or reasoning or logprobs or ending.id != before.id:
            any_text = any_text or bool((text + reasoning).strip())
            yield Chunk(text, logprobs=logprobs, id=ending.id, reasoning=reasoning)
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
    message = field(choice, "message")
    ending = _ending(answer, choice, Chunk(), _tally(call))
    text, reasoning = _content(message), _reasoning(message)
    if choice is not None:
        yield replace(ending, text=text, reasoning=reasoning, logprobs=_logprobs(choice))
    if not (text + reasoning).strip():
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


def _tally(call: Call) -> Tally:
    return Tally(f"{call.host} {call.model}")


def _ending(event: Any, choice: Any, before: Chunk, tally: Tally) -> Chunk:
    """Gather what is known so far for the last chunk; the newest word counts."""
    tally.add(event)
    return Chunk(
        usage=tally.usage,
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


def _reasoning(message: Any) -> str:
    """Take what the model thought, wherever the endpoint tells it.

    `reasoning_content`: https://api-docs.deepseek.com/guides/reasoning_model (also vLLM, SGLang,
    llama.cpp, xAI, Moonshot); `reasoning`: https://openrouter.ai/docs/use-cases/reasoning-tokens
    (also Groq, Ollama); a part of the content: https://docs.mistral.ai/capabilities/reasoning
    """
    told = field(message, "reasoning_content") or field(message, "reasoning")
    content = field(message, "content")
    if told or not isinstance(content, list):
        return _text(told) or ""
    parts = (field(part, "thinking") for part in content)
    return "".join(_text(part) or _content({"content": part}) for part in parts)


def _logprobs(choice: Any) -> tuple[float, ...]:
    """Read the tokens' log-probabilities; one that is not a number leaves all of them out."""
    tokens = field(field(choice, "logprobs"), "content")
    values = [field(token, "logprob") for token in tokens] if isinstance(tokens, list) else []
    numbers = all(type(v) in (int, float) and -MOST < v < MOST for v in values)
    return tuple(min(float(v), 0.0) for v in values) if numbers else ()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
