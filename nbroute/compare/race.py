"""Every contender at the same time, each on a thread of its own; all is told on the caller's."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from nbroute.compare.columns import Column, NotSent
from nbroute.compare.comparison import Comparison
from nbroute.errors import Interrupted, NbrouteError, named
from nbroute.types import Event, RouteResult

Route = Callable[..., RouteResult]
Watcher = Callable[[int, Event], object]

#: Seconds between two looks at the caller's `cancel`.
_LOOK_EVERY = 0.05
#: Seconds that stopped calls have to come to an end.
_PATIENCE_S = 2.0

_log = logging.getLogger("nbroute")


class Race:
    """One comparison on its way; `columns` fill as the answers end."""

    def __init__(
        self, route: Route, comparison: Comparison, options: Mapping[str, Any], watch: Watcher
    ) -> None:
        self._route = route
        self._comparison = comparison
        self._options = options
        self._watch = watch
        self._columns = list(comparison.columns)
        self._waiting = deque(range(len(self._columns)))
        self._ended: set[int] = set()
        self._stop = threading.Event()
        self._inbox: SimpleQueue[tuple[int, Event | None]] = SimpleQueue()

    def carry_out(self, workers: int, cancel: threading.Event | None) -> Comparison:
        """Ask all, `workers` at once. Interrupted, whose `result` is the comparison so far."""
        try:
            for number in range(min(workers, len(self._columns))):
                name = f"nbroute-compare-{number + 1}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
            self._listen(cancel)
        except KeyboardInterrupt:
            self._wind_up()
            came = sum(column.error is None for column in self._columns)
            error = Interrupted(f"stopped; {came} of {len(self._columns)} answers are there")
            error.result = self._so_far()
            raise error from None
        return self._so_far()

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                place = self._waiting.popleft()
            except IndexError:
                return
            # Kept here and not by the listener, which Ctrl-C may hit at any moment.
            self._columns[place] = self._asked(place)
            self._ended.add(place)
            self._inbox.put((place, None))

    def _asked(self, place: int) -> Column:
        column = self._columns[place]
        tell = partial(self._tell, place)
        who = column.contender.options
        try:
            result = self._route(
                self._comparison.prompt, observe=tell, cancel=self._stop, **who, **self._options
            )
        except NbrouteError as error:
            return replace(column, result=error.result, error=error)
        except BaseException as error:  # noqa: BLE001 - a column, and not the end of the others
            wrapped = NbrouteError(named(error))
            wrapped.__cause__ = error
            return replace(column, error=wrapped)
        return replace(column, result=result)

    def _tell(self, place: int, event: Event) -> None:
        self._inbox.put((place, event))

    def _listen(self, cancel: threading.Event | None) -> None:
        left = set(range(len(self._columns)))
        while left:
            if cancel is not None and cancel.is_set():
                raise KeyboardInterrupt
            with suppress(Empty):
                place, event = self._inbox.get(timeout=_LOOK_EVERY)
                if event is None:
                    left.discard(place)
                else:
                    watched(self._watch, place, event)

    def _wind_up(self) -> None:
        """Stop what runs, wait a little for it, and say of the rest that it was stopped."""
        self._stop.set()
        never = set(_emptied(self._waiting))
        out = set(range(len(self._columns))) - never
        ends = time.monotonic() + _PATIENCE_S
        with suppress(KeyboardInterrupt):
            while out - self._ended and time.monotonic() < ends:
                time.sleep(_LOOK_EVERY)
        told = "stopped; what it cost is in the ledger"
        for place in never | (out - self._ended):
            error = NotSent("stopped before it was sent") if place in never else Interrupted(told)
            self._columns[place] = replace(self._columns[place], error=error)

    def _so_far(self) -> Comparison:
        return replace(self._comparison, columns=tuple(self._columns))


def _emptied(waiting: deque[int]) -> Iterator[int]:
    with suppress(IndexError):
        while True:
            yield waiting.popleft()


def watched(watch: Callable[..., object], *told: object) -> None:
    """Call who watches; one that breaks is logged and breaks nothing."""
    try:
        watch(*told)
    except Exception:  # noqa: BLE001 - who watches does not steer
        _log.exception("an observer of a comparison failed")
