"""An endpoint's answers as Chunks; any field may be missing or of the wrong type."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from nbroute.decoding import packaged
from nbroute.errors import BadReply, ProviderError, Unavailable
from nbroute.providers.openai_errors import Call, Final, error_inside, no_json, told_in
from nbroute.providers.served import chat_models
from nbroute.providers.usage import MOST, Tally, field
from nbroute.providers.wire import DONE
from nbroute.types import Chunk, Request


def model_names(page: Any, call: Call, *more: Any) -> list[str]:
    """The models that chat in an answer to GET /models, smallest first; see `chat_models`."""
    data = field(page, "data")
    if data is None and field(page, "object") == "list":
        data = []  # Ollama's answer if it has no models
    if not isinstance(answer_in(page, call), Mapping) or not isinstance(data, list):
        raise no_json(call, "")
    return chat_models(page, *more)


def answer_in(answer: Any, call: Call) -> Any:
    """The answer itself, unless it is text or an error."""
    if isinstance(answer, str):
        raise no_json(call, answer)
    if (error := told_in(answer)) and not field(answer, "data"):
        raise error_inside(error, call)
    return answer


def pieces(events: Iterable[Any], request: Request, call: Call) -> Iterator[Chunk]:
    """Yield the pieces as the events come, and the rest at the end.

    The answer's id is passed on at once, as a stream may break off. A message that comes whole is
    one piece with everything in it.
    """
    answer = _Answer(call)
    try:
        for event in events:
            piece = answer.add(event)
            if piece is not None:
                yield piece
            if answer.error:
                break
    except (Exception, Final) as error:
        # After the last piece, only the usage could have followed.
        if isinstance(error, ProviderError) or answer.ending.finish_reason is None:
            raise
    if answer.ending != answer.told:
        yield answer.ending
    if failure := answer.failure(request):
        raise failure


class _Answer:
    """What is known so far; `told` is what the last whole piece passed on."""

    def __init__(self, call: Call) -> None:
        self.ending = Chunk()
        self.told: Chunk | None = None
        self._call, self._tally = call, Tally(f"{call.host} {call.model}", call.headers)
        self._any_choice = self._any_text = self._whole = False
        self.error: Any = None
        self._stray: Any = None
        # Why it ended, in the words of the endpoint and of the vendor behind it.
        self._words: dict[str, None] = {}

    def add(self, event: Any) -> Chunk | None:
        """Take the event in; return what can be passed on. ProviderError if it is an error."""
        choices = field(event, "choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if choice is not None:  # we asked for one
            choice = next((one for one in choices if field(one, "index") == 0), choice)
        # At its top, or at its choice: https://openrouter.ai/docs/api/reference/errors-and-debugging
        self.error = field(event, "error") or field(choice, "error")
        if event == DONE:
            self._whole = self._whole or self.ending.usage is not None
            return None
        if choice is None and told_in(event):
            self._stray = event
        reasons = (field(choice, name) for name in ("finish_reason", "native_finish_reason"))
        self._words |= dict.fromkeys(filter(None, map(_text, reasons)))
        self._tally.add(event)
        before = self.ending
        self.ending = Chunk(
            usage=self._tally.usage,
            finish_reason=_finish_reason(choice) or before.finish_reason,
            model=_name(field(event, "model")) or before.model,
            id=_name(field(event, "id")) or before.id,
        )
        self._any_choice = self._any_choice or choice is not None
        said, base = field(choice, "delta"), Chunk(id=self.ending.id)
        whole = not (self._any_text or _content(said)) and field(choice, "message")
        if isinstance(whole, Mapping):
            said, base = whole, self.ending
            self._whole, self.told = True, base
        text, reasoning, logprobs = _content(said), _reasoning(said), _logprobs(choice)
        self._any_text = self._any_text or bool((text + reasoning).strip())
        if not (text or reasoning or logprobs or base is self.told or base.id != before.id):
            return None
        return replace(base, text=text, reasoning=reasoning, logprobs=logprobs)

    def failure(self, request: Request) -> ProviderError | None:
        """Why this is not an answer, once nothing more comes."""
        call, ending, words = self._call, self.ending, " ".join(self._words)
        if self.error:
            return error_inside(self.error, call)
        if ending.finish_reason == "error":
            return BadReply(
                f"{call.host} says that {call.model!r} failed half-way (finish_reason "
                f"{words!r:.80}): ask again, or name a fallback model"
            )
        whole = self._whole or ending.finish_reason is not None
        if self._stray and not (self._any_choice and whole):
            return error_inside(self._stray, call)
        if not self._any_choice:
            return BadReply(
                f"{call.host} sent no answer from {call.model!r} (no choices in its reply): "
                "ask again, or name a fallback model"
            )
        if not whole:
            return Unavailable(
                f"the answer of {call.model!r} from {call.host} broke off half-way: ask again"
            )
        return None if self._any_text else _empty(ending.finish_reason, words, request, call)


def _empty(finish_reason: str | None, words: str, request: Request, call: Call) -> BadReply:
    if finish_reason == "length":
        return BadReply(
            f"{call.model!r} used up its budget of {request.max_tokens} tokens before any text, "
            "perhaps by reasoning: raise max_tokens, or lower the tier's effort if it has one"
        )
    if finish_reason == "content_filter":
        return BadReply(f"the content filter of {call.host} withheld the answer: rephrase")
    return BadReply(
        f"empty answer from {call.model!r} (finish_reason {words or None!r:.80}): "
        "ask again, or name a fallback model"
    )


_DATA = packaged("nbroute.providers", "replies.toml")
_FINISHED: dict[str, str] = {
    word: ours for ours, words in _DATA["finish_reasons"].items() for word in words
}


def _finish_reason(choice: Any) -> str | None:
    """Why it ended: stop, length, content_filter, error, or what the endpoint calls it.

    Gemini's has more than one word: `content_filter: RECITATION`, `FinishReason.MAX_TOKENS`.
    """
    told = _text(field(choice, "finish_reason"))
    for word in reversed(re.split(r"[:.]\s*", told or "")):
        if ours := _FINISHED.get(word.strip().lower().replace("-", "_")):
            return ours
    return told


def _content(message: Any) -> str:
    """Take the text of a message or a delta; a refusal's text where it has none of its own."""
    content = field(message, "content")
    if isinstance(content, list):
        return "".join(_said(field(part, "text")) for part in content)
    return _said(content) or _said(field(message, "refusal"))


def _reasoning(message: Any) -> str:
    """Take what the model thought, wherever the endpoint puts it.

    `reasoning_content`: https://api-docs.deepseek.com/guides/reasoning_model (also vLLM, SGLang,
    llama.cpp, xAI, Moonshot); `reasoning`: https://openrouter.ai/docs/use-cases/reasoning-tokens
    (also Groq, Ollama); a part of the content: https://docs.mistral.ai/capabilities/reasoning,
    its `summary`: https://docs.databricks.com/machine-learning/model-serving/query-reason-models
    """
    told = _said(field(message, "reasoning_content")) or _said(field(message, "reasoning"))
    content = field(message, "content")
    if told or not isinstance(content, list):
        return told
    parts = (field(part, "thinking") or field(part, "summary") for part in content)
    return "".join(_said(part) or _content({"content": part}) for part in parts)


def _said(value: Any) -> str:
    """A text; one of digits may come as a number (https://github.com/cloudflare/ai/issues/651)."""
    return json.dumps(value) if type(value) in (int, float) else _text(value) or ""


def _logprobs(choice: Any) -> tuple[float, ...]:
    """Read the tokens' log-probabilities; one that is not a number leaves all of them out."""
    tokens = field(field(choice, "logprobs"), "content")
    values = [field(token, "logprob") for token in tokens] if isinstance(tokens, list) else []
    numbers = all(type(v) in (int, float) and -MOST < v < MOST for v in values)
    return tuple(min(float(v), 0.0) for v in values) if numbers else ()


def _name(value: Any) -> str | None:
    """A text that can be sent back, and stored."""
    return (_text(value) or "").encode(errors="replace").decode() or None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
