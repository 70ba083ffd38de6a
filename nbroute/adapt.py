"""Prompt + Step -> Request: the tier's system prompt, its token budget, one request a model."""

from __future__ import annotations

import re

from nbroute.types import Message, Options, Request, Step

#: Ours: what asks for JSON in words, for endpoints that want the word in the messages too.
JSON_INSTRUCTION = "Reply with one JSON value and nothing else: no prose, no code fence."

_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def clean(prompt: str) -> tuple[str, int]:
    """The prompt without control characters and half surrogate pairs, and how many went.

    Endpoints refuse them or store them wrongly; tabs and line ends stay.
    """
    return _UNSENDABLE.subn("", prompt)


def adapt(prompt: str, step: Step, options: Options) -> tuple[Request, ...]:
    """One request for each model of the step, in the order in which they are tried."""
    tier = step.tier
    system = tier.system if options.system is None else options.system
    if options.json:
        system = f"{system}\n\n{JSON_INSTRUCTION}".strip()
    asked = Message("user", prompt)
    messages = (Message("system", system), asked) if system else (asked,)
    return tuple(
        Request(
            provider=tier.provider,
            model=model,
            messages=messages,
            max_tokens=options.max_tokens or tier.max_tokens,
            temperature=options.temperature,
            json=options.json,
            stream=options.stream,
        )
        for model in step.models
    )
