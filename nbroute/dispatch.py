"""One Step: the cache, then the tier's models until one answers.

Fallback answers an error: same tier, next model. An error that no other model can cure (a
bad key, a bad request) leaves the other providers of the tier, if it has any, and one after
text was shown stops at once: a model is never switched under the reader's eyes.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import NamedTuple

from nbroute.checks.rating import RatingFilter
from nbroute.errors import (
    AllModelsFailed,
    Interrupted,
    ProviderError,
    RecordError,
    ReplayMiss,
)
from nbroute.journal import Journal
from nbroute.types import (
    Attempt,
    Cache,
    CacheMode,
    Chunk,
    Notice,
    Observer,
    Provider,
    Purpose,
    Reply,
    Request,
    Sent,
    Step,
    Text,
    Tier,
    Usage,
)

#: Seconds between two rows of a running attempt.
PROGRESS_EVERY = 2.0


class Call:
    """What one routed call brings to each dispatch: where to write, whom to tell, when to stop."""

    def __init__(
        self,
        journal: Journal,
        observe: Observer,
        *,
        mode: CacheMode,
        cancel: threading.Event | None = None,
    ) -> None:
        self.journal = journal
        self.observe = observe
        self.mode = mode
        self.cancel = cancel

    def beside(self, cancel: threading.Event) -> Call:
        """The same call in a second thread: it can be stopped, and its text is not shown."""
        quiet = _without_text(self.observe)
        return Call(self.journal, quiet, mode=self.mode, cancel=cancel)


class Answered(NamedTuple):
    """A reply and the attempt that it is in the journal."""

    reply: Reply
    attempt: Attempt


class Dispatcher:
    """Sends requests to providers; safe to share between threads."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        cache: Cache,
        request_key: Callable[[Request], str],
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.providers = providers
        self._cache = cache
        self._key = request_key
        self._timer = timer

    def run(
        self, step: Step, requests: tuple[Request, ...], call: Call, purpose: Purpose = "answer"
    ) -> Answered:
        """The first answer of the step's models; every attempt is in the call's journal.

        Raises the model's own error where the step has one model, AllModelsFailed where all
        of several failed, Interrupted, ReplayMiss or BudgetExceeded.
        """
        if call.mode == "only":
            return self._replay(step, requests, call, purpose)
        causes: list[tuple[str, ProviderError]] = []
        left = list(requests)
        while left:
            request = left.pop(0)
            shown = _Shown(call.observe if purpose == "answer" else _nobody)
            try:
                return self._answer(step, request, call, shown, purpose)
            except ProviderError as error:
                causes.append((_named(request, step), error))
                if not error.try_next:
                    left = [other for other in left if other.provider != request.provider]
                if shown.any or len(requests) == 1 or not (left or error.try_next):
                    raise
        raise AllModelsFailed(_all_failed(step, causes), tuple(causes))

    def _answer(
        self, step: Step, request: Request, call: Call, shown: _Shown, purpose: Purpose
    ) -> Answered:
        cached = self._recall(request, call)
        if cached is not None:
            return self._reuse(step, request, cached, call, purpose)
        if call.cancel is not None and call.cancel.is_set():
            raise _stopped()
        answered = self._send(_on(step, request), request, call, shown, purpose)
        self._remember(request, answered.reply, call)
        return answered

    def _replay(
        self, step: Step, requests: tuple[Request, ...], call: Call, purpose: Purpose
    ) -> Answered:
        """The recorded answer of the first of the step's models that has one."""
        for request in requests:
            cached = self._recall(request, call)
            if cached is not None:
                return self._reuse(step, request, cached, call, purpose)
        models = " or ".join(repr(request.model) for request in requests)
        msg = (
            f"nothing recorded for this prompt on {models}, and cache mode 'only' sends "
            "nothing; run it once with cache mode 'use' or 'refresh'"
        )
        raise ReplayMiss(msg)

    def _reuse(
        self, step: Step, request: Request, reply: Reply, call: Call, purpose: Purpose
    ) -> Answered:
        provider = self.providers[request.provider]
        attempt = call.journal.answer_from_cache(
            request, _on(step, request), provider, reply, purpose
        )
        if purpose == "answer":
            call.observe(Text(reply.text))
        return Answered(reply, attempt)

    def _send(
        self, tier: Tier, request: Request, call: Call, shown: _Shown, purpose: Purpose
    ) -> Answered:
        provider = self.providers[request.provider]
        attempt = call.journal.open(request, tier, provider, purpose)
        arrival = _Arrival(request, self._timer)
        noted = arrival.began
        try:
            shown.observe(Sent(tier.name, request.model))
            # Closed here and not by the collector: a traceback would keep the connection open.
            with contextlib.closing(_until(call.cancel, provider.send(request))) as chunks:
                for chunk in chunks:
                    text = arrival.add(chunk)
                    if text and request.stream:
                        shown.text(text)
                    if arrival.now() - noted > PROGRESS_EVERY:
                        noted = arrival.now()
                        call.journal.progress(attempt, request, tier, arrival.text)
        except BaseException as error:
            arrival.end()
            usage = arrival.usage or call.journal.estimate(request, arrival.text)
            call.journal.fail(attempt, arrival.reply(usage), tier, error)
            if isinstance(error, KeyboardInterrupt):
                raise _stopped() from None
            raise
        rest = arrival.end()
        reply = arrival.reply(arrival.usage or call.journal.estimate(request, arrival.text))
        closed = call.journal.close(attempt, reply, tier)
        if not request.stream:
            shown.text(reply.text)
        elif rest:
            shown.text(rest)
        return Answered(reply, closed)

    def _recall(self, request: Request, call: Call) -> Reply | None:
        if call.mode in ("off", "refresh"):
            return None
        try:
            return self._cache.get(self._key(request))
        except RecordError as error:
            if call.mode == "only":
                raise
            call.observe(Notice(str(error)))
            return None

    def _remember(self, request: Request, reply: Reply, call: Call) -> None:
        if call.mode not in ("use", "refresh"):
            return
        try:
            self._cache.put(self._key(request), reply)
        except RecordError as error:
            call.observe(Notice(str(error)))


class _Shown:
    """Passes text on and knows whether any was."""

    def __init__(self, observe: Observer) -> None:
        self.observe = observe
        self.any = False

    def text(self, text: str) -> None:
        self.any = True
        self.observe(Text(text))


class _Arrival:
    """A reply as its pieces come in; a rating that was asked for is taken out of its text."""

    def __init__(self, request: Request, timer: Callable[[], float]) -> None:
        self.now = timer
        self.began = timer()
        self.model = request.model
        self.usage: Usage | None = None
        self._filter = RatingFilter() if request.rated else None
        self._rating: float | None = None
        self._parts: list[str] = []
        self._logprobs: list[float] = []
        self._finish: str | None = None
        self._id: str | None = None
        self._ttft_ms: float | None = None
        self._clock_ms: float | None = None

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def add(self, chunk: Chunk) -> str:
        """Take the piece in; the text that may be shown now."""
        self._clock_ms = chunk.clock_ms if chunk.clock_ms is not None else self._clock_ms
        if chunk.text and self._ttft_ms is None:
            self._ttft_ms = self._elapsed_ms()
        self.usage = chunk.usage or self.usage
        self._finish = chunk.finish_reason or self._finish
        self.model = chunk.model or self.model
        self._id = chunk.id or self._id
        self._logprobs.extend(chunk.logprobs)
        text = self._filter.feed(chunk.text) if self._filter and chunk.text else chunk.text
        if text:
            self._parts.append(text)
        return text

    def end(self) -> str:
        """The rest of the text, once it is known to be no rating."""
        rest = ""
        if self._filter is not None:
            rest, self._rating = self._filter.end()
            self._parts.append(rest)
        return rest

    def reply(self, usage: Usage) -> Reply:
        """What has arrived."""
        known = [one for one in self._logprobs if math.isfinite(one)]
        return Reply(
            self.text,
            self.model,
            usage,
            self._finish,
            self._elapsed_ms(),
            self._ttft_ms,
            rating=self._rating,
            logprob=sum(known) / len(known) if known else None,
            id=self._id,
        )

    def _elapsed_ms(self) -> float:
        if self._clock_ms is not None:
            return self._clock_ms
        return (self.now() - self.began) * 1000


def _until(cancel: threading.Event | None, chunks: Iterator[Chunk]) -> Generator[Chunk, None, None]:
    """The chunks until `cancel` is set, also while none arrives.

    Only a cancellable call pays for the second thread: in the main thread Ctrl-C interrupts
    the wait by itself.
    """
    if cancel is not None:
        yield from _pumped(cancel, chunks)
        return
    try:
        yield from chunks
    finally:
        _close(chunks)


def _close(chunks: Iterator[Chunk]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()


def _pumped(cancel: threading.Event, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    inbox: queue.SimpleQueue[Chunk | BaseException | None] = queue.SimpleQueue()
    left = threading.Event()
    threading.Thread(target=_pump, args=(chunks, inbox, left), daemon=True).start()
    try:
        while not cancel.is_set():
            try:
                item = inbox.get(timeout=0.05)
            except queue.Empty:
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
        raise KeyboardInterrupt
    finally:
        left.set()


def _pump(
    chunks: Iterator[Chunk],
    inbox: queue.SimpleQueue[Chunk | BaseException | None],
    left: threading.Event,
) -> None:
    try:
        for chunk in chunks:
            inbox.put(chunk)
            if left.is_set():
                break
        inbox.put(None)
    except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
        inbox.put(error)
    finally:
        _close(chunks)


def _on(step: Step, request: Request) -> Tier:
    return step.tier.on(request.provider, request.model)


def _named(request: Request, step: Step) -> str:
    """The model, with its provider where that is not the tier's."""
    elsewhere = request.provider != step.tier.provider
    return f"{request.provider}: {request.model}" if elsewhere else request.model


def _stopped() -> Interrupted:
    return Interrupted("stopped; what had arrived is kept and its cost is an estimate")


def _all_failed(step: Step, causes: list[tuple[str, ProviderError]]) -> str:
    told = "; ".join(f"{model}: {type(error).__name__}: {error!s:.200}" for model, error in causes)
    return f"all {len(causes)} models of tier {step.tier.name} failed. {told}"


def _without_text(observe: Observer) -> Observer:
    return lambda event: None if isinstance(event, Text) else observe(event)


def _nobody(event: object) -> None:
    """An observer that does not look."""
