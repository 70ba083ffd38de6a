"""A reply as its pieces come in, from the wire to a whole."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Generator, Iterator

from nbroute.checks.confidence import RatingFilter
from nbroute.errors import SettingsError
from nbroute.types import Chunk, Done, Event, Reply, Request, RouteResult, Text, Usage


class Arrival:
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
        """What may be shown so far."""
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


def until(cancel: threading.Event | None, chunks: Iterator[Chunk]) -> Generator[Chunk, None, None]:
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


Inbox = queue.SimpleQueue[Event | BaseException]


class TextStream:
    """The pieces of an answer; `result` is the `RouteResult` once it has ended.

    Leaving the loop early stops the call, and so does `close()`.
    """

    def __init__(self, route: Callable[..., RouteResult]) -> None:
        self.result: RouteResult | None = None
        self._route = route
        self._cancel = threading.Event()
        self._started = False

    def __iter__(self) -> Iterator[str]:
        if self._started:
            raise SettingsError("a stream is read once; its text is in .result.text")
        self._started = True
        inbox: Inbox = queue.SimpleQueue()
        threading.Thread(target=self._work, args=(inbox,), daemon=True).start()
        try:
            yield from self._pieces(inbox)
        finally:
            self._cancel.set()

    def close(self) -> None:
        """Stop the call; what had arrived is in the ledger."""
        self._cancel.set()

    def _work(self, inbox: Inbox) -> None:
        try:
            self._route(observe=inbox.put, cancel=self._cancel)
        except BaseException as error:  # noqa: BLE001 - raised again in the reader's thread
            inbox.put(error)

    def _pieces(self, inbox: Inbox) -> Iterator[str]:
        while True:
            event = inbox.get()
            if isinstance(event, BaseException):
                self.result = getattr(event, "result", None)
                raise event
            if isinstance(event, Text):
                yield event.text
            if isinstance(event, Done):
                self.result = event.result
                return
