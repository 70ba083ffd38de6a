"""One prompt on its way through the stages, and what becomes of it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from nbroute.journal import Journal
from nbroute.structured import Schema
from nbroute.threads import Turn
from nbroute.types import (
    Decision,
    Event,
    Notice,
    Observer,
    Options,
    Plan,
    RouteResult,
    Rung,
)

_log = logging.getLogger("nbroute")


@dataclass
class Trip:
    """One prompt on its way; what becomes of it is filled in as it is known.

    `earlier` are the turns of the conversation before this one, `chosen` the id of the attempt
    whose text is the answer, `data` the answer parsed.
    """

    prompt: str
    options: Options
    observe: Observer
    cancel: threading.Event | None = None
    parent: RouteResult | None = None
    decision: Decision | None = None
    earlier: tuple[Turn, ...] = ()
    schema: Schema | None = None
    plan: Plan = field(default_factory=lambda: Plan("", ()))
    rungs: list[Rung] = field(default_factory=list)
    chosen: str = ""
    data: Any = None
    notices: list[str] = field(default_factory=list)
    _thread: int = field(default_factory=threading.get_ident)
    _later: deque[Event] = field(default_factory=deque)

    def tell(self, event: Event) -> None:
        """Pass the event on, on the trip's own thread; what others tell waits until then."""
        if threading.get_ident() != self._thread:
            self._later.append(event)
            return
        self.flush()
        self._pass_on(event)

    def flush(self) -> None:
        """Pass on what other threads have told meanwhile."""
        while self._later:
            self._pass_on(self._later.popleft())

    def _pass_on(self, event: Event) -> None:
        """An observer that breaks is logged and breaks nothing; a notice is told once."""
        if isinstance(event, Notice):
            if event.text in self.notices:
                return
            self.notices.append(event.text)
        try:
            self.observe(event)
        except Exception:  # noqa: BLE001 - observers look on, they do not steer
            _log.exception("an observer failed on %s", type(event).__name__)

    def result(self, journal: Journal) -> RouteResult:
        """What came of it so far."""
        attempts = tuple(journal.attempts)
        answers = [attempt for attempt in attempts if attempt.purpose == "answer"]
        if self.chosen:
            answers = [attempt for attempt in answers if attempt.id == self.chosen]
        return RouteResult(
            id=journal.template.result,
            prompt=self.prompt,
            text=next((a.text for a in reversed(answers) if a.text), ""),
            decision=self.decision or Decision("", "", "not classified"),
            plan=self.plan,
            options=self.options,
            attempts=attempts,
            rungs=tuple(self.rungs),
            chosen=self.chosen,
            data=self.data,
            parent=self.parent,
            notices=tuple(self.notices),
        )
