"""What an engine is given once, and the context of one call."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbroute.budgets import Guard, Limits
from nbroute.checks.learned import LearnedCheck
from nbroute.checks.structured import Schema
from nbroute.classify.registry import Choice
from nbroute.engine.attempts import AttemptLog, hash_text, new_id
from nbroute.types import (
    Attempt,
    Cache,
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
    Provider,
    ProviderKind,
    Recorder,
    Repeats,
    Replay,
    Request,
    RouteResult,
    Sent,
    Text,
    Thinking,
    Tier,
)

if TYPE_CHECKING:
    import numpy as np

_log = logging.getLogger("nbroute")

EmbedTexts = Callable[[Sequence[str]], "tuple[np.ndarray, tuple[Attempt, ...]]"]
Spec = str | Classifier | Callable[[str], Choice]


@dataclass(frozen=True)
class Resources:
    """What a classifier may use besides the prompt: a model to ask, an embedder."""

    ask: Callable[[Request], Attempt]
    embed: EmbedTexts


@dataclass(frozen=True)
class Parts:
    """What an engine is given once: its ladder, what it talks to, and the defaults of options.

    `classifier_for` makes the named classifier; without `Resources`, one that sends nothing.
    `learned_check` is the check that was fitted; SettingsError if there is none. `recorder` is
    what records answers at the moment; with a `replay` only the cache answers, in the recorded
    time, whatever a call's cache mode.
    """

    ladder: Ladder
    providers: Mapping[str, Provider]
    cache: Cache
    request_key: Callable[[Request], str]
    classifier_for: Callable[[Spec | None, Resources | None], Classifier]
    classifier_tier: Tier
    learned_check: Callable[[], LearnedCheck]
    embedder: Callable[[], Embedder]
    ledger: Ledger
    recorder: Callable[[], Recorder | None]
    replay: Replay | None
    limits: Limits
    cache_mode: CacheMode
    agreement: float
    check_timeout_s: float
    baseline: str
    session: str
    clock: Callable[[], float]

    def kind(self, tier: Tier) -> ProviderKind:
        """Whether calls of that tier's provider are billed, and whether its words are real."""
        return self.providers[tier.provider].kind


@dataclass(eq=False)
class Call:
    """The context of one call: what was asked, of which parts, and the log of its attempts.

    `earlier` are the turns of the conversation before this one, `parent` is the result that
    is escalated; `cancel`, once set, stops the call from another thread. A call that does not
    `shows` keeps its text to itself, and a `final` one cannot take back what it has shown.
    """

    prompt: str
    options: Options
    parts: Parts
    limits: Limits
    observe: Observer | None = None
    cancel: threading.Event | None = None
    parent: RouteResult | None = None
    earlier: tuple[RouteResult, ...] = ()
    schema: Schema | None = None
    shows: bool = True
    final: bool = False
    notices: list[str] = field(default_factory=list)
    repeats: Repeats | None = None
    _thread: int = field(default_factory=threading.get_ident)
    _later: deque[Event] = field(default_factory=deque)

    def __post_init__(self) -> None:
        options, parts, limits = self.options, self.parts, self.limits
        self.cache_mode: CacheMode = options.cache or parts.cache_mode
        # An audit or a judge asks the tier that it names, or none.
        self.cheaper = limits.on_limit == "cheaper" and options.purpose == "answer"
        template = Attempt(
            id="",
            ts=parts.clock(),
            session=parts.session,
            result=new_id(),
            tier="",
            provider="",
            provider_kind="remote",
            model="",
            parent=self.parent.id if self.parent else None,
            feature=options.feature,
            msg_hash=hash_text(self.prompt),
            strategy=options.strategy,
            thread=options.thread,
            comparison=options.comparison,
            prompt=self.prompt,
        )
        guard = Guard(limits, options.max_cost, over_budget=options.over_budget)
        self.log = AttemptLog(template, parts.ledger, parts.clock, self.tell, guard)

    def tell(self, event: Event) -> None:
        """Pass the event on, on the call's own thread; events of other threads wait for it.

        An observer that fails is logged and breaks nothing; a notice is passed on once.
        """
        if not self.shows and isinstance(event, Text | Thinking | Sent):
            return
        self._later.append(event)
        if threading.get_ident() == self._thread:
            self.flush()

    def flush(self) -> None:
        """Pass on the events that are waiting."""
        while self._later:
            event = self._later.popleft()
            if isinstance(event, Notice) and not event.waits:
                if event.text in self.notices:
                    continue
                self.notices.append(event.text)
            try:
                if self.observe is not None:
                    self.observe(event)
            except Exception:  # noqa: BLE001 - observers watch, they do not steer
                _log.exception("an observer failed on %s", type(event).__name__)

    def result(
        self, decision: Decision, plan: Plan, chosen: str = "", data: Any = None
    ) -> RouteResult:
        """The result; with no attempt `chosen`, its text is that of the last answer with any."""
        attempts = tuple(self.log.attempts.values())
        answers = [one for one in attempts if one.text and one.answers]
        texts = [one.text for one in answers if chosen in ("", one.id)]
        return RouteResult(
            id=self.log.template.result,
            prompt=self.prompt,
            text=(texts and texts[-1]) or "",
            decision=decision,
            plan=plan,
            options=self.options,
            attempts=attempts,
            rungs=tuple(self.log.rungs),
            chosen=chosen,
            data=data,
            parent=self.parent,
            notices=tuple(self.notices),
            repeats=self.repeats,
        )
