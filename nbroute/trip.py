"""One prompt on its way through the stages, and what becomes of it."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from nbroute.journal import Journal
from nbroute.types import (
    Decision,
    Event,
    Notice,
    Observer,
    Options,
    Plan,
    RouteResult,
    Verdict,
)

_log = logging.getLogger("nbroute")


@dataclass
class Trip:
    """One prompt on its way; what becomes of it is filled in as it is known."""

    prompt: str
    options: Options
    observe: Observer
    cancel: threading.Event | None = None
    parent: RouteResult | None = None
    decision: Decision | None = None
    plan: Plan = field(default_factory=lambda: Plan("", ()))
    verdicts: tuple[Verdict, ...] = ()
    notices: list[str] = field(default_factory=list)

    def tell(self, event: Event) -> None:
        """Pass the event on; an observer that breaks is logged and breaks nothing."""
        if isinstance(event, Notice):
            self.notices.append(event.text)
        try:
            self.observe(event)
        except Exception:  # noqa: BLE001 - observers look on, they do not steer
            _log.exception("an observer failed on %s", type(event).__name__)

    def result(self, journal: Journal) -> RouteResult:
        """What came of it so far."""
        attempts = tuple(journal.attempts)
        answers = [attempt for attempt in attempts if attempt.purpose == "answer"]
        return RouteResult(
            id=journal.template.result,
            prompt=self.prompt,
            text=next((a.text for a in reversed(answers) if a.text), ""),
            decision=self.decision or Decision("", "", "not classified"),
            plan=self.plan,
            options=self.options,
            attempts=attempts,
            verdicts=self.verdicts,
            parent=self.parent,
            notices=tuple(self.notices),
        )
