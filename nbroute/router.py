"""The sentence: classify, plan, adapt, dispatch, check, escalate, record.

Escalation answers a verdict (the next tier is asked); what answers an error (the next model
of the same tier) is fallback, in `dispatch.py`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from nbroute import pricing
from nbroute.adapt import adapt
from nbroute.checks import judge, wanted
from nbroute.classify.simple import Choice, forced
from nbroute.dispatch import Call, Dispatcher
from nbroute.errors import NbrouteError, ProviderError, SettingsError, did_you_mean
from nbroute.journal import Journal
from nbroute.limits import Limits, checked_prompt, cost_guard
from nbroute.plan import check_options, find_tier, make_plan
from nbroute.report import Report, summarise
from nbroute.stream import TextStream
from nbroute.types import (
    Attempt,
    CacheMode,
    Classified,
    Classifier,
    Decision,
    Done,
    Escalated,
    Event,
    Explanation,
    Ladder,
    Ledger,
    Notice,
    Observer,
    Options,
    Plan,
    ProviderKind,
    Request,
    RouteResult,
    Step,
    Tier,
    TierEstimate,
    Verdict,
)

Ask = Callable[[Request], Attempt]
Spec = str | Classifier | Callable[[str], Choice]
ClassifierFor = Callable[[Spec | None, Ask], Classifier]

_log = logging.getLogger("nbroute")


@dataclass(frozen=True)
class Parts:
    """What an Engine is made of; `build.py` chooses them."""

    ladder: Ladder
    dispatcher: Dispatcher
    classifier_for: ClassifierFor
    classifier_tier: Tier
    ledger: Ledger
    limits: Limits
    cache_mode: CacheMode
    baseline: str
    session: str
    clock: Callable[[], float]
    new_id: Callable[[], str]
    hash_text: Callable[[str], str]


@dataclass
class _Trip:
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
        return RouteResult(
            id=journal.template.result,
            prompt=self.prompt,
            text=attempts[-1].text or "",
            decision=self.decision or Decision("", "", "not classified"),
            plan=self.plan,
            options=self.options,
            attempts=attempts,
            verdicts=self.verdicts,
            parent=self.parent,
            notices=tuple(self.notices),
        )


class Engine:
    """Routes prompts over a ladder; safe to share between threads."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @property
    def ladder(self) -> Ladder:
        """The tiers, cheapest first."""
        return self.parts.ladder

    @property
    def session(self) -> str:
        """The id that this router's calls have in the ledger."""
        return self.parts.session

    def route(
        self,
        prompt: str,
        *,
        observe: Observer | None = None,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> RouteResult:
        """Send the prompt to the tier that its classification names, and record all of it.

        The options are the fields of `nbroute.types.Options`: `tier`, `model`, `strategy`
        ("direct" or "cascade"), `start`, `classifier`, `system`, `max_tokens`, `max_cost`
        (US dollars), `temperature`, `json`, `checks`, `feature`, `cache` ("use", "off",
        "refresh", "only") and `stream`. `observe` is told each `Event` as it happens, on
        this thread; `cancel`, once set, stops the call from another.

        Raises PromptError, SettingsError, BudgetExceeded, ReplayMiss, ProviderError or
        Interrupted; where something was paid for, the error's `result` holds it.
        """
        return self._run(_Trip(prompt, _options(options), observe or _quiet, cancel))

    def escalate(
        self,
        result: RouteResult,
        tier: str | None = None,
        *,
        observe: Observer | None = None,
        cancel: threading.Event | None = None,
    ) -> RouteResult:
        """Answer the same prompt on the next tier, or on the one named; `result` is its parent.

        Raises SettingsError at the top of the ladder.
        """
        above = self.ladder.above(result.tier)
        if tier is None and above is None:
            msg = f"{result.tier} is the top tier of ladder {self.ladder.name!r}; name a tier"
            raise SettingsError(msg)
        chosen = find_tier(self.ladder, tier or (above.name if above else ""))
        options = replace(
            result.options, tier=chosen.name, model=None, strategy="direct", start=None
        )
        reason = f"asked for after {result.tier}'s answer"
        if self.ladder.index(chosen.name) > self.ladder.index(result.tier):
            reason = f"escalated from {result.tier} by hand"
        decision = Decision(chosen.name, "forced", reason)
        trip = _Trip(result.prompt, options, observe or _quiet, cancel, result, decision)
        return self._run(trip)

    def stream(self, prompt: str, **options: Any) -> TextStream:
        """The answer piece by piece; `.result` is there at the end. Takes what `route` takes."""
        return TextStream(lambda **hooks: self.route(prompt, **hooks, **options))

    def classify(self, prompt: str, classifier: Spec | None = None) -> Decision:
        """Which tier and why; nothing is sent but what the classifier itself may ask a model."""
        trip = _Trip(prompt, Options(classifier=classifier), _quiet)
        trip.prompt = self._checked(trip)
        return self._decide(trip, self._call(trip))

    def explain(self, prompt: str, **options: Any) -> Explanation:
        """A dry run: the messages, the tier and why, and the cost range on every tier.

        Sends nothing: where a model would be asked for the tier, the rules' word is taken.
        """
        asked = _options(options)
        prompt = self._checked(_Trip(prompt, asked, _quiet))
        check_options(asked, self.ladder)
        decision = self._decided(prompt, asked, _not_asked)
        plan = make_plan(decision, self.ladder, asked)
        requests = tuple(adapt(prompt, step, asked)[0] for step in plan.steps)
        tokens = sum(pricing.estimate_tokens(m.content) for m in requests[0].messages)
        estimates = tuple(self._estimate(tier, tokens, asked) for tier in self.ladder.tiers)
        return Explanation(decision, requests, estimates, tokens)

    def spend(self, by: str | None = None, *, everything: bool = False) -> Any:
        """This session's `Spend`, or a dict of them `by` tier, model, day, feature, session.

        `everything` takes all sessions in the ledger.
        """
        return self.parts.ledger.spend(by, session=None if everything else self.session)

    def report(self, *, everything: bool = False, baseline: str | None = None) -> Report:
        """What the session did and what it saved, net, against all on the `baseline` tier."""
        tier = find_tier(self.ladder, baseline or self.parts.baseline)
        rows = self.parts.ledger.report_rows(session=None if everything else self.session)
        price = pricing.price_of(tier, tier.model, self._kind(tier))
        return summarise(rows, tiers=self.ladder.names, baseline=tier.name, price=price)

    def close(self) -> None:
        """Shut providers and ledger down; a second call does nothing."""
        for provider in self.parts.dispatcher.providers.values():
            provider.close()
        self.parts.ledger.close()

    @property
    def ledger(self) -> Ledger:
        """The record of every attempt."""
        return self.parts.ledger

    def _run(self, trip: _Trip) -> RouteResult:
        trip.prompt = self._checked(trip)
        check_options(trip.options, self.ladder)
        call = self._call(trip)
        try:
            trip.decision = self._decide(trip, call)
            trip.plan = make_plan(trip.decision, self.ladder, trip.options)
            trip.tell(Classified(trip.decision, trip.plan))
            trip.verdicts = self._climb(trip, call)
        except NbrouteError as error:
            if call.journal.attempts:
                error.result = trip.result(call.journal)
            raise
        result = trip.result(call.journal)
        trip.tell(Done(result))
        return result

    def _climb(self, trip: _Trip, call: Call) -> tuple[Verdict, ...]:
        """Tier after tier until an answer passes the checks; the top one's counts anyway."""
        steps = trip.plan.steps
        for step, above in zip(steps, (*steps[1:], None), strict=True):
            requests = adapt(trip.prompt, step, trip.options)
            reply = self.parts.dispatcher.run(step, requests, call)
            verdicts = judge(reply, wanted(trip.options))
            failed = [verdict for verdict in verdicts if not verdict.passed]
            if not failed or above is None:
                break
            rejected = call.journal.reject(failed[0])
            call.journal.climb()
            trip.tell(Escalated(rejected, failed[0], above.tier.name))
        return verdicts

    def _decide(self, trip: _Trip, call: Call) -> Decision:
        def ask(request: Request) -> Attempt:
            step = Step(self.parts.classifier_tier, (request.model,))
            self.parts.dispatcher.run(step, (request,), call, purpose="classify")
            return call.journal.attempts[-1]

        decision = trip.decision or self._decided(trip.prompt, trip.options, ask)
        call.journal.decided(decision)
        return decision

    def _decided(self, prompt: str, options: Options, ask: Ask) -> Decision:
        if options.tier is not None:
            return forced(options.tier, self.ladder)
        return self.parts.classifier_for(options.classifier, ask).classify(prompt, self.ladder)

    def _call(self, trip: _Trip) -> Call:
        journal = Journal(
            self._template(trip),
            ledger=self.parts.ledger,
            price=pricing.cost_of,
            count_tokens=pricing.estimate_tokens,
            clock=self.parts.clock,
            new_id=self.parts.new_id,
            observe=trip.tell,
        )
        return Call(
            journal,
            trip.tell,
            mode=trip.options.cache or self.parts.cache_mode,
            cancel=trip.cancel,
            allow=cost_guard(self.parts.limits, trip.options.max_cost, self._spent),
        )

    def _template(self, trip: _Trip) -> Attempt:
        return Attempt(
            id="",
            ts=self.parts.clock(),
            session=self.session,
            result=self.parts.new_id(),
            tier="",
            provider="",
            provider_kind="remote",
            model="",
            parent=trip.parent.id if trip.parent else None,
            feature=trip.options.feature,
            msg_hash=self.parts.hash_text(trip.prompt),
            strategy=trip.options.strategy,
            escalated=self._is_above(trip.options.tier, trip.parent),
            prompt=trip.prompt,
        )

    def _is_above(self, tier: str | None, parent: RouteResult | None) -> bool:
        if parent is None or tier is None:
            return False
        return self.ladder.index(tier) > self.ladder.index(parent.tier)

    def _spent(self, kind: ProviderKind) -> Decimal:
        spend = self.parts.ledger.spend(session=self.session)
        amount: Decimal = spend.usd if kind == "remote" else spend.equivalent_usd
        return amount

    def _checked(self, trip: _Trip) -> str:
        return checked_prompt(trip.prompt, self.parts.limits, self.ladder, trip.tell)

    def _estimate(self, tier: Tier, tokens: int, options: Options) -> TierEstimate:
        tier = replace(tier, max_tokens=options.max_tokens or tier.max_tokens)
        model = options.model or tier.model
        low, high = pricing.cost_range(tokens, tier, model, self._kind(tier))
        return TierEstimate(tier.name, model, tier.max_tokens, low, high)

    def _kind(self, tier: Tier) -> ProviderKind:
        return self.parts.dispatcher.providers[tier.provider].kind


def _options(options: dict[str, Any]) -> Options:
    known = Options.__dataclass_fields__
    for name in options:
        if name not in known:
            msg = f"unknown option {name!r}: {did_you_mean(name, known)}"
            raise SettingsError(msg)
    if options.get("max_cost") is not None:
        options = {**options, "max_cost": Decimal(str(options["max_cost"]))}
    return Options(**{**options, "checks": tuple(options.get("checks", ()))})


def _quiet(event: Event) -> None:
    """An observer that does not look."""


def _not_asked(request: Request) -> Attempt:
    msg = f"a dry run asks no model ({request.model} would be asked)"
    raise ProviderError(msg)
