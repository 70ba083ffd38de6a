"""Prompt + Step -> Request: the tier's system prompt, its token budget, one request a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbroute.types import Message, Options, Request, Step

#: Ours: what asks for JSON in words, for endpoints that want the word in the messages too.
JSON_INSTRUCTION = "Reply with one JSON value and nothing else: no prose, no code fence."

_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Wanted:
    """What is asked of the answer beside the prompt, in words and in parameters.

    `system` is added to the tier's system prompt, `closing` to the prompt; `feedback` is what
    a check said of the answer of the tier below, `history` the turns before this one.
    """

    system: str = ""
    closing: str = ""
    feedback: str = ""
    history: tuple[Message, ...] = ()
    schema: Mapping[str, Any] | None = None
    rated: bool = False
    logprobs: bool = False
    max_tokens: int | None = None


def clean(prompt: str) -> tuple[str, int]:
    """The prompt without control characters and half surrogate pairs, and how many went.

    Endpoints refuse them or store them wrongly; tabs and line ends stay.
    """
    return _UNSENDABLE.subn("", prompt)


def adapt(
    prompt: str, step: Step, options: Options, wanted: Wanted | None = None
) -> tuple[Request, ...]:
    """One request for each model of the step, in the order in which they are tried."""
    wanted = wanted or Wanted(system=JSON_INSTRUCTION if options.json else "")
    messages = _messages(
        prompt, step.tier.system if options.system is None else options.system, wanted
    )
    return tuple(
        Request(
            provider=target.provider,
            model=target.model,
            messages=messages,
            max_tokens=wanted.max_tokens or options.max_tokens or step.tier.max_tokens,
            temperature=options.temperature,
            json=options.json or wanted.schema is not None,
            stream=options.stream,
            schema=wanted.schema,
            logprobs=wanted.logprobs,
            rated=wanted.rated,
        )
        for target in step.targets
    )


def _messages(prompt: str, system: str, wanted: Wanted) -> tuple[Message, ...]:
    told = _joined(system, wanted.system)
    asked = Message("user", _joined(prompt, wanted.feedback, wanted.closing))
    return (*((Message("system", told),) if told else ()), *wanted.history, asked)


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
