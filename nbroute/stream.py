"""An answer as an iterator of its pieces."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from nbroute.errors import SettingsError
from nbroute.types import Done, Event, RouteResult, Text

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
