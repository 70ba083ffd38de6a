"""A request and its answer, or a text and its vector, as a document of the recording."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbroute import errors
from nbroute.errors import ProviderError, RecordError
from nbroute.recording.documents import MOST, Document, joined, lines
from nbroute.storage.cache import request_key
from nbroute.types import Message, Reply, Request, Usage

if TYPE_CHECKING:
    import numpy as np

Role = Literal["system", "user", "assistant"]

#: Fields of a request that are left out where they are as usual.
_FLAGS = ("json", "logprobs", "rated")
_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}


@dataclass(frozen=True)
class Entry:
    """A request with its reply or the error in its place; the tier is for the reader's eye."""

    purpose: str
    tier: str
    request: Request
    reply: Reply | None = None
    error: ProviderError | None = None

    @property
    def key(self) -> str:
        """Told by all that shapes the answer, and by no address."""
        return request_key(self.request)

    @property
    def words(self) -> str:
        """Told by what the answer says; how long it took is no change worth a diff."""
        reply, error = self.reply, self.error
        if reply is None:
            return f"error {_digest([type(error).__name__, str(error)])}"
        return _digest([reply.text, reply.model, reply.finish_reason, reply.rating])

    def fields(self) -> dict[str, Any]:
        """The entry's document."""
        answer = {"reply": _reply_fields(self.reply)} if self.reply else {}
        if self.error is not None:
            answer = {"error": _error_fields(self.error)}
        asked = _request_fields(self.request)
        return {"purpose": self.purpose, "tier": self.tier, "request": asked, **answer}


@dataclass(frozen=True)
class VectorEntry:
    """A text and the vector (float32, base64) that an embeddings endpoint made of it."""

    provider: str
    model: str
    text: str
    vector: str

    @property
    def key(self) -> str:
        """Told by the text, and by what embeds it."""
        return vector_key(self.provider, self.model, self.text)

    @property
    def words(self) -> str:
        """The number of dimensions: the same text never comes out quite the same again."""
        return str(len(self.vector))

    def fields(self) -> dict[str, Any]:
        """The entry's document."""
        asked = {"provider": self.provider, "model": self.model, "text": lines(self.text)}
        return {"purpose": "embed", "request": asked, "vector": self.vector}


def vector_key(provider: str, model: str, text: str) -> str:
    """The key of a text's vector."""
    return _digest(["embed", provider, model, text])


def read_entry(document: Document, path: Path) -> Entry | VectorEntry:
    """The entry; RecordError that names the file, the line and the field that is damaged."""
    try:
        return _entry(document.fields)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise RecordError(
            f"{path}, line {document.line}: the entry that begins here is damaged ({what}); "
            "correct or delete it, or record that cell again"
        ) from None


def packed(vector: np.ndarray) -> str:
    """The vector as one line of text."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")


def unpacked(vector: str) -> np.ndarray:
    """The vector of such a line; ValueError for one that is damaged."""
    import numpy as np

    found = np.frombuffer(base64.b64decode(vector, validate=True), dtype="<f4")
    if not found.size or not np.isfinite(found).all():
        raise ValueError("vector holds no finite numbers")
    return found


def _entry(fields: Mapping[str, Any]) -> Entry | VectorEntry:
    purpose, asked = fields["purpose"], fields["request"]
    if purpose == "embed":
        text = joined(asked["text"])
        entry = VectorEntry(str(asked["provider"]), str(asked["model"]), text, fields["vector"])
        if not isinstance(entry.vector, str):
            raise ValueError("vector is no text")
        return entry
    tier = fields["tier"]
    if not isinstance(tier, str) or not isinstance(purpose, str):
        raise ValueError(f"purpose is {purpose!r:.40} and tier {tier!r:.40}, not both text")  # noqa: TRY004 - a damaged file
    if "error" in fields:
        return Entry(purpose, tier, _request(asked), error=_error(fields["error"]))
    return Entry(purpose, tier, _request(asked), reply=_reply(fields["reply"]))


def _request_fields(request: Request) -> dict[str, Any]:
    fields: dict[str, Any] = {"provider": request.provider, "model": request.model}
    if request.temperature is not None:
        fields["temperature"] = float(request.temperature)
    fields["max_tokens"] = request.max_tokens
    fields |= {name: True for name in _FLAGS if getattr(request, name)}
    if request.schema:
        fields["schema"] = dict(request.schema)
    fields["messages"] = [{one.role: lines(one.content)} for one in request.messages]
    return fields


def _request(fields: Mapping[str, Any]) -> Request:
    temperature = fields.get("temperature")
    return Request(
        provider=str(fields["provider"]),
        model=str(fields["model"]),
        messages=_messages(fields["messages"]),
        max_tokens=_count(fields, "max_tokens"),
        temperature=None if temperature is None else float(temperature),
        schema=fields.get("schema"),
        **{name: bool(fields.get(name, False)) for name in _FLAGS},
    )


def _messages(told: Any) -> tuple[Message, ...]:
    if not isinstance(told, list) or not told:
        raise ValueError("messages is no list of messages")
    return tuple(map(_message, told))


def _message(told: Mapping[str, Any]) -> Message:
    ((role, content),) = told.items()
    if role not in _ROLES:
        raise ValueError(f"a message has the role {role!r:.40}")
    return Message(_ROLES[role], joined(content))


def _reply_fields(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    tokens: dict[str, Any] = {"input": usage.input_tokens, "output": usage.output_tokens}
    tokens |= {"cached": usage.cached_tokens} if usage.cached_tokens else {}
    tokens |= {"estimated": True} if usage.estimated else {}
    tokens |= {} if usage.billed_usd is None else {"billed_usd": str(usage.billed_usd)}
    fields: dict[str, Any] = {"text": lines(reply.text), "model": reply.model}
    fields |= {"finish_reason": reply.finish_reason, "tokens": tokens}
    fields["latency_ms"] = round(reply.latency_ms)
    if reply.ttft_ms is not None:
        fields["ttft_ms"] = round(reply.ttft_ms)
    if reply.rating is not None:
        fields["rating"] = reply.rating
    if reply.logprob is not None:
        fields["logprob"] = reply.logprob
    return fields


def _reply(fields: Mapping[str, Any]) -> Reply:
    tokens = fields["tokens"]
    billed = tokens.get("billed_usd")
    finish = fields["finish_reason"]
    return Reply(
        text=joined(fields["text"]),
        model=str(fields["model"]),
        usage=Usage(
            _count(tokens, "input"),
            _count(tokens, "output"),
            _count({"cached": 0, **tokens}, "cached"),
            billed_usd=None if billed is None else Decimal(billed),
            estimated=bool(tokens.get("estimated", False)),
        ),
        finish_reason=None if finish is None else str(finish),
        # A millisecond at least: an answer that took no time is one out of the cache.
        latency_ms=max(1.0, _number(fields, "latency_ms") or 0.0),
        ttft_ms=_number(fields, "ttft_ms"),
        rating=_number(fields, "rating"),
        logprob=_number(fields, "logprob"),
    )


def _error_fields(error: ProviderError) -> dict[str, Any]:
    return {"class": type(error).__name__, "message": lines(str(error))}


def _error(fields: Mapping[str, Any]) -> ProviderError:
    kind = getattr(errors, str(fields["class"]), None)
    if not isinstance(kind, type) or not issubclass(kind, ProviderError):
        raise ValueError(f"there is no error {fields['class']!r:.40}")  # noqa: TRY004 - a damaged file
    return kind(joined(fields["message"]))


def _count(fields: Mapping[str, Any], name: str) -> int:
    count = fields[name]
    if type(count) is not int or not 0 <= count <= MOST:
        raise ValueError(f"{name} is {count!r:.40}, no count")
    return count


def _number(fields: Mapping[str, Any], name: str) -> float | None:
    number = fields.get(name)
    if number is None:
        return None
    if type(number) not in (int, float) or not math.isfinite(number):
        raise ValueError(f"{name} is {number!r:.40}, no number")
    return float(number)


def _digest(told: list[Any]) -> str:
    text = json.dumps(told, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
