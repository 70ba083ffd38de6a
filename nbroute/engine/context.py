"""One prompt on its way through the stages, and what becomes of it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbroute.budgets import Limits
from nbroute.checks.structured import Schema
from nbroute.classify.registry import Choice
from nbroute.engine.attempts import Journal
from nbroute.engine.conversations import Turn
from nbroute.engine.dispatch import Dispatcher
from nbroute.types import (
    Attempt,
    CacheMode,
    Classifier,
    Decision,
    Embedder,
    Event,
    Ladder,
    Ledger,
    Notice,
    Observer,
    Options,
    Plan,
    ProviderKind,
    Request,
    RouteResult,
    Rung,
    Tier,
)

if TYPE_CHECKING:
    import numpy as np


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


Ask = Callable[[Request], Attempt]
EmbedTexts = Callable[[Sequence[str]], "tuple[np.ndarray, tuple[Attempt, ...]]"]
Spec = str | Classifier | Callable[[str], Choice]


@dataclass(frozen=True)
class Senses:
    """What a classifier may use beside the prompt: a model to ask, an embedder."""

    ask: Ask
    embed: EmbedTexts


ClassifierFor = Callable[[Spec | None, Senses | None], Classifier]


@dataclass(frozen=True)
class Parts:
    """An engine's ladder, what stands behind its seams, and what holds where nothing is said."""

    ladder: Ladder
    dispatcher: Dispatcher
    classifier_for: ClassifierFor
    classifier_tier: Tier
    embedder: Callable[[], Embedder]
    ledger: Ledger
    limits: Limits
    cache_mode: CacheMode
    agreement: float
    check_timeout_s: float
    baseline: str
    session: str
    clock: Callable[[], float]
    new_id: Callable[[], str]
    hash_text: Callable[[str], str]

    def kind(self, tier: Tier) -> ProviderKind:
        """Whether calls of that tier's provider are billed, and whether its words are real."""
        return self.dispatcher.providers[tier.provider].kind
