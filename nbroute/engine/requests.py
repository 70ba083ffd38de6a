"""Prompt + Step -> Request: the tier's system prompt, its token budget, one request a model."""

from __future__ import annotations

from nbroute import pricing
from nbroute.checks.confidence import RATING_INSTRUCTION
from nbroute.checks.named import asked_for
from nbroute.checks.structured import schema_instruction
from nbroute.engine.context import Call
from nbroute.types import Message, Notice, Request, Step

#: Ours: what asks for JSON in words, for endpoints that want the word in the messages too.
JSON_INSTRUCTION = "Reply with one JSON value and nothing else: no prose, no code fence."


def requests_for(call: Call, step: Step, feedback: str = "") -> tuple[Request, ...]:
    """One request for each model of the step, in the order in which they are tried.

    `feedback` is what a check said of the answer of the tier below. The answer has what the
    prompt leaves of the tier's own context; in a conversation, at most half of what the model
    reads and writes.
    """
    options, tier, schema = call.options, step.tier, call.schema
    told = tier.system if options.system is None else options.system
    max_tokens = options.max_tokens or tier.max_tokens
    history: tuple[Message, ...] = ()
    if call.earlier:
        context = tier.context or pricing.context_of(tier)
        room = None
        if context:
            max_tokens = min(max_tokens, context // 2)
            room = context - max_tokens
            room -= pricing.estimate_tokens(call.prompt) + pricing.estimate_tokens(told)
        history = _history(call, tier.model, context, room)
    form = JSON_INSTRUCTION if options.json else ""
    if schema:
        form = schema_instruction(schema)
    checks = asked_for(options)
    rated = "rating" in checks
    system = _paragraphs(told, form)
    asked = _paragraphs(call.prompt, feedback, RATING_INSTRUCTION if rated else "")
    if tier.context and not call.earlier:
        room = tier.context - pricing.estimate_tokens(system) - pricing.estimate_tokens(asked)
        # With none by our count, the endpoint is left to say so.
        max_tokens = min(max_tokens, room) if room > 0 else max_tokens
    return tuple(
        Request(
            provider=target.provider,
            model=target.model,
            messages=(
                *([Message("system", system)] if system else []),
                *history,
                Message("user", asked),
            ),
            max_tokens=max_tokens,
            temperature=options.temperature,
            json=options.json or schema is not None,
            stream=options.stream,
            schema=schema.json_schema if schema else None,
            logprobs="logprob" in checks,
            rated=rated,
        )
        for target in step.targets
    )


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(filter(None, parts))


def _history(call: Call, model: str, context: int | None, room: int | None) -> tuple[Message, ...]:
    """The last turns that fit in `room` tokens, if it is known; a notice says what is left out."""
    turns = [
        (Message("user", turn.prompt), Message("assistant", turn.text)) for turn in call.earlier
    ]
    left_out = 0
    if room is not None:
        sizes = [sum(pricing.estimate_tokens(one.content) for one in turn) for turn in turns]
        over = sum(sizes) - room
        while over > 0 and left_out < len(turns):
            over -= sizes[left_out]
            left_out += 1
    if left_out:
        call.tell(
            Notice(
                f"thread {call.options.thread!r}: the first {left_out} of {len(turns)} "
                f"turns were left out, as {model} reads {context:,} tokens"
            )
        )
    return tuple(message for turn in turns[left_out:] for message in turn)
