"""What an engine is given once, and the context of one call."""

from __future__ import annotations

import copy
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbroute.budgets import Guard, Limits
from nbroute.checks.structured import Schema
from nbroute.classify.registry import Choice
from nbroute.engine.attempts import AttemptLog
from nbroute.engine.conversations import Turn
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
    Replay,
    Request,
    RouteResult,
    Sent,
    Text,
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

    `classifier_for` makes the classifier that is named; with no `Resources` it is one that
    sends nothing. `recorder` is what keeps the answers at the moment; with a `replay` the
    cache alone answers, in the recorded time, whatever a call's cache mode is.
    """

    ladder: Ladder
    providers: Mapping[str, Provider]
    cache: Cache
    request_key: Callable[[Request], str]
    classifier_for: Callable[[Spec | None, Resources | None], Classifier]
    classifier_tier: Tier
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
    timer: Callable[[], float]
    new_id: Callable[[], str]
    hash_text: Callable[[str], str]

    def kind(self, tier: Tier) -> ProviderKind:
        """Whether calls of that tier's provider are billed, and whether its words are real."""
        return self.providers[tier.provider].kind


class Call:
    """The context of one call: what was asked, of which parts, and the log of its attempts.

    `earlier` are the turns of the conversation before this one, `parent` is the result that
    is escalated; `cancel`, once set, stops the call from another thread.
    """

    def __init__(
        self,
        prompt: str,
        options: Options,
        parts: Parts,
        *,
        limits: Limits,
        observe: Observer | None = None,
        cancel: threading.Event | None = None,
        parent: RouteResult | None = None,
        earlier: tuple[Turn, ...] = (),
        schema: Schema | None = None,
    ) -> None:
        self.prompt = prompt
        self.options = options
        self.parts = parts
        self.parent = parent
        self.earlier = earlier
        self.schema = schema
        self.cancel = cancel
        self.cache_mode: CacheMode = options.cache or parts.cache_mode
        self.cheaper = limits.on_limit == "cheaper"
        self.notices: list[str] = []
        template = Attempt(
            id="",
            ts=parts.clock(),
            session=parts.session,
            result=parts.new_id(),
            tier="",
            provider="",
            provider_kind="remote",
            model="",
            parent=parent.id if parent else None,
            feature=options.feature,
            msg_hash=parts.hash_text(prompt),
            strategy=options.strategy,
            thread=options.thread,
            comparison=options.comparison,
            escalated=self._goes_up(),
            prompt=prompt,
        )
        self.log = AttemptLog(
            template,
            ledger=parts.ledger,
            clock=parts.clock,
            new_id=parts.new_id,
            observe=self.tell,
            guard=Guard(limits, options.max_cost, over_budget=options.over_budget),
        )
        self._observe = observe
        self.shows = True
        self._thread = threading.get_ident()
        self._later: deque[Event] = deque()

    def tell(self, event: Event) -> None:
        """Pass the event on, on the call's own thread; what other threads tell waits until then.

        An observer that breaks is logged and breaks nothing; a notice is told once.
        """
        if not self.shows and isinstance(event, Text | Sent):
            return
        self._later.append(event)
        if threading.get_ident() == self._thread:
            self.flush()

    def flush(self) -> None:
        """Pass on what was told meanwhile."""
        while self._later:
            event = self._later.popleft()
            if isinstance(event, Notice):
                if event.text in self.notices:
                    continue
                self.notices.append(event.text)
            try:
                if self._observe is not None:
                    self._observe(event)
            except Exception:  # noqa: BLE001 - observers look on, they do not steer
                _log.exception("an observer failed on %s", type(event).__name__)

    def in_parallel(self, cancel: threading.Event) -> Call:
        """The same call in a second thread: it can be stopped, and its text is not shown."""
        other = copy.copy(self)
        other.cancel, other.shows = cancel, False
        return other

    def result(
        self, decision: Decision, plan: Plan, chosen: str = "", data: Any = None
    ) -> RouteResult:
        """What came of it; with no attempt `chosen`, the last answer that has any text."""
        attempts = tuple(self.log.attempts)
        texts = [
            attempt.text
            for attempt in attempts
            if attempt.text and attempt.purpose == "answer" and chosen in ("", attempt.id)
        ]
        return RouteResult(
            id=self.log.template.result,
            prompt=self.prompt,
            text=texts[-1] if texts else "",
            decision=decision,
            plan=plan,
            options=self.options,
            attempts=attempts,
            rungs=tuple(self.log.rungs),
            chosen=chosen,
            data=data,
            parent=self.parent,
            notices=tuple(self.notices),
        )

    def _goes_up(self) -> bool:
        """Whether the tier asked for is above the one whose answer is escalated."""
        names, parent, tier = self.parts.ladder.names, self.parent, self.options.tier
        if parent is None or tier is None or parent.tier not in names:
            return False
        asked = next(name for name in names if name.casefold() == tier.casefold())
        return names.index(asked) > names.index(parent.tier)
