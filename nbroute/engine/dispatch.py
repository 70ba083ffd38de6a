"""One Step: its requests, the cache, then the tier's models until one answers.

Fallback answers an error: same tier, next model. After an error that no other model can cure
(a bad key, a bad request) only the tier's other providers are tried, if it has any. An answer
that breaks off after text was shown ends the call: half an answer is better than a model that
changes under the reader's eyes. If the endpoint itself says that it failed, the text is taken
back.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from nbroute import pricing
from nbroute.checks.confidence import RATING_INSTRUCTION
from nbroute.checks.named import asked_for
from nbroute.checks.structured import schema_instruction
from nbroute.engine.context import Call
from nbroute.engine.stream import ReplyBuilder, until
from nbroute.errors import (
    AllModelsFailed,
    ContextTooLong,
    Interrupted,
    ProviderError,
    RecordError,
    ReplayMiss,
    TimedOut,
    Unavailable,
    all_of,
)
from nbroute.types import (
    Attempt,
    Chunk,
    Embedder,
    Message,
    Notice,
    Purpose,
    Reply,
    Request,
    Sent,
    Step,
    Target,
    Text,
    Thinking,
    Tier,
)

if TYPE_CHECKING:
    import numpy as np

#: Asks for JSON in words, for endpoints that want the word in the messages, too.
JSON_INSTRUCTION = "Reply with one JSON value and nothing else: no prose, no code fence."
#: Seconds between two rows of a running attempt.
PROGRESS_EVERY = 2.0

_STOPPED = "stopped; what had arrived is kept and its cost is an estimate"


def requests_for(call: Call, step: Step, feedback: str = "") -> tuple[Request, ...]:
    """One request for each model of the step, in the order in which they are tried.

    `feedback` is what a check said about the answer of the tier below. The answer may take what
    the prompt leaves of the tier's own context; in a conversation, at most half of what the
    model reads and writes.
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
    learned = [call.parts.learned_check()] if "learned" in checks else []
    read = any(getattr(one, "reads_logprob", False) for one in (*learned, *options.checks))
    system = _paragraphs(told, form)
    asked = _paragraphs(call.prompt, feedback, RATING_INSTRUCTION if rated else "")
    if tier.context and not call.earlier:
        room = tier.context - pricing.estimate_tokens(system) - pricing.estimate_tokens(asked)
        # If none is left by our count, the endpoint may say so.
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
            logprobs="logprob" in checks or read,
            rated=rated,
            effort=options.effort or tier.effort,
        )
        for target in step.targets
    )


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(filter(None, parts))


def _history(call: Call, model: str, context: int | None, room: int | None) -> tuple[Message, ...]:
    """The last turns that fit in `room` tokens, if known; a notice says what is left out."""
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


class Answered(NamedTuple):
    """A reply and its attempt in the log."""

    reply: Reply
    attempt: Attempt


def dispatch(
    call: Call,
    step: Step,
    requests: tuple[Request, ...],
    purpose: Purpose | None = None,
    *,
    above: bool = False,
) -> Answered:
    """The first answer of the step's models; every attempt is in the call's log.

    `above` says that another tier can be asked. Raises the model's own error if only one was
    asked, AllModelsFailed if several failed, Interrupted, ReplayMiss or BudgetExceeded.
    """
    purpose = purpose or call.options.purpose
    causes: list[tuple[str, ProviderError]] = []
    missed, left = False, list(requests)
    while left:
        request = left.pop(0)
        building = ReplyBuilder(replace(request, patient=not (left or above)))
        try:
            answered = _one(call, step, building, purpose)
        except ProviderError as error:
            elsewhere = request.provider != step.tier.provider
            model = f"{request.provider}: {request.model}" if elsewhere else request.model
            causes.append((model, error))
            if not building.shown:
                _record(call, step, request, error, purpose)
            left = _others(step.tier, request, error, left)
            broke_off = isinstance(error, Unavailable | TimedOut) or call.final
            if (building.shown and broke_off) or not (left or causes[1:]):
                raise
            continue
        if answered is not None:
            return answered
        missed = True
    if missed and call.parts.replay is not None:
        raise ReplayMiss(call.parts.replay.miss(step.tier.name, requests, purpose))
    if missed:
        models = " or ".join(repr(request.model) for request in requests)
        raise ReplayMiss(
            f"nothing recorded for this prompt on {models}, and cache mode 'only' sends "
            "nothing; run it once with cache mode 'use' or 'refresh'"
        )
    msg = f"each of the {len(causes)} models of tier {step.tier.name} failed. {all_of(causes)}"
    raise AllModelsFailed(msg, tuple(causes))


def check_together(call: Call, steps: Iterable[Step]) -> None:
    """Raise BudgetExceeded if `max_cost` does not cover all the steps, before any is sent."""
    if call.log.guard.max_cost is None or call.parts.replay is not None:
        return
    planned = []
    for step in steps:
        request = requests_for(call, step)[0]
        if _recall(call, call.parts.request_key(request)) is None:
            tier = step.tier.on(request.provider, request.model)
            kind = call.parts.providers[request.provider].kind
            planned.append(call.log.planned(request, tier, kind))
    for attempt in reversed(planned):  # the last one's refusal names those before it, too
        others = [one for one in planned if one is not attempt]
        call.log.guard.check(attempt, [*call.log.attempts.values(), *others])


def _others(
    tier: Tier, failed: Request, error: ProviderError, left: list[Request]
) -> list[Request]:
    """The other models that may do what this one could not."""
    if isinstance(error, ContextTooLong):
        read = reads(tier, failed)
        return [other for other in left if may_read_more(tier, other, read)]
    if error.try_next:
        return left
    return [other for other in left if other.provider != failed.provider]


def reads(tier: Tier, at: Target | Request) -> int | None:
    """How many tokens that model of the tier reads and writes in one call; None if unknown."""
    if (at.provider, at.model) == (tier.provider, tier.model):
        return tier.context or pricing.context_of(tier)
    other = replace(tier, provider=at.provider, model=at.model, reference=None)
    return pricing.context_of(other)


def may_read_more(tier: Tier, at: Target | Request, than: int | None) -> bool:
    """Whether that model of the tier reads more tokens, as far as that is known."""
    known = reads(tier, at)
    return known is None or than is None or known > than


def embed(call: Call, texts: Sequence[str]) -> tuple[np.ndarray, tuple[Attempt, ...]]:
    """The texts' vectors; if an endpoint made them, what they cost is in the log."""
    embedder = call.parts.embedder()
    missing = embedder.missing(texts)
    if not missing:
        return embedder.embed(texts).vectors, ()
    if call.cache_mode == "only":
        raise ReplayMiss(
            f"{len(missing)} texts have no vectors of {embedder.model!r} yet, and cache mode "
            "'only' sends nothing; run it once with cache mode 'use' or 'refresh'"
        )
    request, tier = embedding(embedder, call.parts.classifier_tier, missing)
    attempt = call.log.open(request, tier, embedder.kind, "embed")
    reply = Reply("", embedder.model, attempt.usage, None, 0.0, None)
    try:
        made = embedder.embed(texts)
    except BaseException as error:
        paid = getattr(error, "usage", None) or attempt.usage
        call.log.fail(attempt, replace(reply, usage=paid), tier, error)
        raise
    reply = replace(reply, usage=made.usage or attempt.usage, latency_ms=made.latency_ms)
    return made.vectors, (call.log.close(attempt, reply, tier),)


def embedding(embedder: Embedder, at: Tier, texts: Sequence[str]) -> tuple[Request, Tier]:
    """The request for the texts' vectors, and the tier under which it is recorded."""
    provider, model = embedder.provider, embedder.model
    tier = replace(at, provider=provider, model=model, price=None, reference=None)
    messages = tuple(Message("user", text) for text in texts)
    return Request(provider, model, messages, max_tokens=0), tier


def _one(call: Call, step: Step, building: ReplyBuilder, purpose: Purpose) -> Answered | None:
    """One model's answer, from the cache or sent for; None where nothing may be sent."""
    request, replay = building.request, call.parts.replay
    tier = step.tier.on(request.provider, request.model)
    kind = call.parts.providers[request.provider].kind
    key = call.parts.request_key(request)
    try:
        cached = _recall(call, key)
    except ProviderError as error:
        call.log.reuse(request, tier, kind, error, purpose)
        raise
    if cached is not None:
        timed = replay is not None
        attempt = call.log.reuse(request, tier, kind, cached, purpose, timed=timed)
        answered = Answered(cached, attempt)
        if replay is not None:
            call.tell(Notice(replay.told))
        if attempt.answers:
            call.tell(Text(cached.text))
    elif call.cache_mode == "only" or replay is not None:
        return None
    else:
        answered = _send(call, tier, building, purpose)
        if building.doubt:
            call.tell(Notice(building.doubt))
        if call.cache_mode != "off":
            _try_to(call, call.parts.cache.put, key, answered.reply)
    _record(call, step, request, answered.reply, purpose)
    return answered


def _send(call: Call, tier: Tier, building: ReplyBuilder, purpose: Purpose) -> Answered:
    if call.cancel is not None and call.cancel.is_set():
        raise Interrupted(_STOPPED)
    request, log = building.request, call.log
    provider = call.parts.providers[request.provider]
    attempt = log.open(request, tier, provider.kind, purpose)
    answers = attempt.answers
    reserved = log.guard.max_cost is not None or bool(log.guard.caps(attempt))
    noted = building.began = time.perf_counter()
    try:
        if answers:
            call.tell(Sent(tier.name, request.model, request.effort))
        # Closed here, not by the garbage collector: a traceback would keep the connection open.
        with contextlib.closing(until(call.cancel, provider.send(request))) as chunks:
            for chunk in chunks:
                _take_in(call, building, chunk, shows=answers)
                if not chunk.finish_reason and (told := building.overrun(reserved=reserved)):
                    call.tell(Notice(told))
                    break
                if time.perf_counter() - noted > PROGRESS_EVERY:
                    noted = time.perf_counter()
                    log.progress(attempt, request, tier, building.reasoning + building.text)
        rest = building.whole()
    except BaseException as error:
        building.end()
        log.fail(attempt, building.reply(), tier, error)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(_STOPPED) from None
        raise
    reply = building.reply()
    closed = log.close(attempt, reply, tier)
    if answers and rest:
        call.tell(Text(rest))
    return Answered(reply, closed)


def _take_in(call: Call, building: ReplyBuilder, chunk: Chunk, *, shows: bool) -> None:
    if chunk.notice:
        call.tell(Notice(chunk.notice, chunk.waits))
    text = building.add(chunk)
    if shows and (text or building.thinks):
        call.tell(Text(text) if text else Thinking())


def _recall(call: Call, key: str) -> Reply | None:
    if call.cache_mode in ("off", "refresh") and call.parts.replay is None:
        return None
    try:
        return call.parts.cache.get(key)
    except RecordError as error:
        if call.cache_mode == "only":
            raise
        call.tell(Notice(str(error)))
        return None


def _record(
    call: Call, step: Step, request: Request, outcome: Reply | ProviderError, purpose: Purpose
) -> None:
    recorder = call.parts.recorder()
    if recorder is not None:
        _try_to(call, recorder.keep, request, outcome, tier=step.tier.name, purpose=purpose)


def _try_to(call: Call, keep: Callable[..., None], *what: Any, **how: Any) -> None:
    """Write it; if the file cannot be written, a notice says so and the answer still comes."""
    try:
        keep(*what, **how)
    except RecordError as error:
        call.tell(Notice(str(error)))
