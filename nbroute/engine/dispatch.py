"""One Step: the cache, then the tier's models until one answers.

Fallback answers an error: same tier, next model. An error that no other model can cure (a
bad key, a bad request) leaves the other providers of the tier, if it has any, and one after
text was shown stops at once: a model is never switched under the reader's eyes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from nbroute.engine.attempts import Journal
from nbroute.engine.stream import Arrival, until
from nbroute.errors import (
    AllModelsFailed,
    Interrupted,
    ProviderError,
    RecordError,
    ReplayMiss,
)
from nbroute.types import (
    Attempt,
    Cache,
    CacheMode,
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


class Recorder(Protocol):
    """Keeps answers and failures in a file; both raise RecordError where it cannot be written."""

    def keep(self, request: Request, reply: Reply, *, tier: str, purpose: str) -> None:
        """Keep a whole answer."""

    def keep_error(
        self, request: Request, error: ProviderError, *, tier: str, purpose: str
    ) -> None:
        """Keep that a model failed before it said anything."""


class Replay(Protocol):
    """What a recorded file says beside its answers."""

    @property
    def told(self) -> str:
        """What a result says of where it comes from."""

    def miss(self, tier: str, requests: Sequence[Request], purpose: str) -> str:
        """That none of the requests is recorded, what is near, and the cure."""


class Dispatcher:
    """Sends requests to providers; safe to share between threads.

    With a `replay` the cache alone answers, in the recorded time, whatever a call's cache mode
    is. What a `recorder` cannot write is told, and the answer is given all the same.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        cache: Cache,
        request_key: Callable[[Request], str],
        timer: Callable[[], float] = time.perf_counter,
        *,
        replay: Replay | None = None,
    ) -> None:
        self.providers = providers
        self.replay = replay
        self.recorder: Recorder | None = None
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
        if call.mode == "only" or self.replay is not None:
            return self._answer_from_file(step, requests, call, purpose)
        causes: list[tuple[str, ProviderError]] = []
        left = list(requests)
        while left:
            request = left.pop(0)
            shown = _Shown(call.observe if purpose == "answer" else _nobody)
            try:
                return self._answer(step, request, call, shown, purpose)
            except ProviderError as error:
                causes.append((_named(request, step), error))
                if not shown.any:
                    self._record(step, request, error, call, purpose)
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
        self._record(step, request, answered.reply, call, purpose)
        return answered

    def _answer_from_file(
        self, step: Step, requests: tuple[Request, ...], call: Call, purpose: Purpose
    ) -> Answered:
        """The recorded answer of the first of the step's models that has one."""
        causes: list[tuple[str, ProviderError]] = []
        for request in requests:
            try:
                cached = self._recall(request, call)
            except ProviderError as error:
                provider, tier = self.providers[request.provider], _on(step, request)
                call.journal.fail_from_file(request, tier, provider, error, purpose)
                causes.append((_named(request, step), error))
                continue
            if cached is not None:
                return self._reuse(step, request, cached, call, purpose)
        if causes and (len(requests) == 1 or not causes[-1][1].try_next):
            raise causes[-1][1]
        if causes and len(causes) == len(requests):
            raise AllModelsFailed(_all_failed(step, causes), tuple(causes))
        raise ReplayMiss(self._missing(step, requests, purpose))

    def _missing(self, step: Step, requests: tuple[Request, ...], purpose: Purpose) -> str:
        if self.replay is not None:
            return self.replay.miss(step.tier.name, requests, purpose)
        models = " or ".join(repr(request.model) for request in requests)
        return (
            f"nothing recorded for this prompt on {models}, and cache mode 'only' sends "
            "nothing; run it once with cache mode 'use' or 'refresh'"
        )

    def _reuse(
        self, step: Step, request: Request, reply: Reply, call: Call, purpose: Purpose
    ) -> Answered:
        provider = self.providers[request.provider]
        attempt = call.journal.answer_from_cache(
            request, _on(step, request), provider, reply, purpose, timed=self.replay is not None
        )
        if self.replay is not None:
            call.observe(Notice(self.replay.told))
        self._record(step, request, reply, call, purpose)
        if purpose == "answer":
            call.observe(Text(reply.text))
        return Answered(reply, attempt)

    def _send(
        self, tier: Tier, request: Request, call: Call, shown: _Shown, purpose: Purpose
    ) -> Answered:
        provider = self.providers[request.provider]
        attempt = call.journal.open(request, tier, provider, purpose)
        arrival = Arrival(request, self._timer)
        noted = arrival.began
        try:
            shown.observe(Sent(tier.name, request.model))
            # Closed here and not by the collector: a traceback would keep the connection open.
            with contextlib.closing(until(call.cancel, provider.send(request))) as chunks:
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
        if call.mode in ("off", "refresh") and self.replay is None:
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

    def _record(
        self, step: Step, request: Request, outcome: Reply | ProviderError, call: Call, use: Purpose
    ) -> None:
        if self.recorder is None:
            return
        try:
            if isinstance(outcome, Reply):
                self.recorder.keep(request, outcome, tier=step.tier.name, purpose=use)
            else:
                self.recorder.keep_error(request, outcome, tier=step.tier.name, purpose=use)
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
    return lambda event: None if isinstance(event, Text | Sent) else observe(event)


def _nobody(event: object) -> None:
    """An observer that does not look."""
