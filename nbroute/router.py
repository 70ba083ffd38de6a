"""The sentence: classify, plan, adapt, dispatch, check, escalate, record.

Escalation answers a verdict (the next tier is asked); what answers an error (the next model
of the same tier) is fallback, in `dispatch.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from nbroute import pricing
from nbroute.adapt import adapt
from nbroute.checks import judge, wanted
from nbroute.classify.simple import Choice, forced
from nbroute.dispatch import Call, Dispatcher
from nbroute.errors import Interrupted, NbrouteError, SettingsError, did_you_mean
from nbroute.journal import Journal
from nbroute.limits import Limits, checked_prompt, cost_guard
from nbroute.plan import check_options, find_tier, make_plan, read_options
from nbroute.report import Report, summarise
from nbroute.stream import TextStream
from nbroute.trip import Trip
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
    Observer,
    Options,
    ProviderKind,
    Request,
    RouteResult,
    Step,
    Tier,
    TierEstimate,
)

Ask = Callable[[Request], Attempt]
Spec = str | Classifier | Callable[[str], Choice]
ClassifierFor = Callable[[Spec | None, Ask | None], Classifier]


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
        return self._run(Trip(prompt, read_options(options), observe or _quiet, cancel))

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
        chosen = find_tier(self.ladder, tier) if tier else self._above(result.tier)
        options = replace(
            result.options, tier=chosen.name, model=None, strategy="direct", start=None
        )
        reason = f"asked for after {result.tier}'s answer"
        if self._is_above(chosen.name, result):
            reason = f"escalated from {result.tier} by hand"
        decision = Decision(chosen.name, "forced", reason)
        trip = Trip(result.prompt, options, observe or _quiet, cancel, result, decision)
        return self._run(trip)

    def stream(self, prompt: str, **options: Any) -> TextStream:
        """The answer piece by piece; `.result` is there at the end. Takes what `route` takes.

        SettingsError for a cascade, whose rejected answers would run into the next one.
        """
        if options.get("strategy", "direct") != "direct":
            raise SettingsError("a cascade cannot be streamed; use route(observe=...)")
        return TextStream(lambda **hooks: self.route(prompt, **hooks, **options))

    def classify(self, prompt: str, classifier: Spec | None = None) -> Decision:
        """Which tier and why; nothing is sent but what the classifier itself may ask a model."""
        trip = Trip(prompt, Options(classifier=classifier), _quiet)
        trip.prompt = self._checked(trip)
        return self._decide(trip, self._call(trip))

    def explain(self, prompt: str, **options: Any) -> Explanation:
        """A dry run: the messages, the tier and why, and the cost range on every tier.

        Sends nothing: where a model would be asked for the tier, our rules' word is taken.
        """
        asked = read_options(options)
        prompt = self._checked(Trip(prompt, asked, _quiet))
        check_options(asked, self.ladder)
        decision = self._decided(prompt, asked, None)
        plan = make_plan(decision, self.ladder, asked)
        requests = tuple(adapt(prompt, step, asked)[0] for step in plan.steps)
        estimates = tuple(self._estimate(tier, prompt, asked) for tier in self.ladder.tiers)
        return Explanation(decision, requests, estimates)

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

    def _run(self, trip: Trip) -> RouteResult:
        trip.prompt = self._checked(trip)
        check_options(trip.options, self.ladder)
        call = self._call(trip)
        try:
            trip.decision = self._decide(trip, call)
            trip.plan = make_plan(trip.decision, self.ladder, trip.options)
            trip.tell(Classified(trip.decision, trip.plan))
            self._climb(trip, call)
        except (NbrouteError, KeyboardInterrupt) as raised:
            error = raised if isinstance(raised, NbrouteError) else Interrupted("stopped")
            if call.journal.attempts:
                error.result = trip.result(call.journal)
            raise error from raised.__cause__
        result = trip.result(call.journal)
        trip.tell(Done(result))
        return result

    def _climb(self, trip: Trip, call: Call) -> None:
        """Tier after tier until an answer passes the checks; the top one's counts anyway."""
        steps = trip.plan.steps
        for step, above in zip(steps, (*steps[1:], None), strict=True):
            requests = adapt(trip.prompt, step, trip.options)
            reply = self.parts.dispatcher.run(step, requests, call)
            trip.verdicts = judge(reply, wanted(trip.options))
            failed = [verdict for verdict in trip.verdicts if not verdict.passed]
            if not failed or above is None:
                return
            rejected = call.journal.reject(failed[0])
            call.journal.climb()
            trip.tell(Escalated(rejected, failed[0], above.tier.name))

    def _decide(self, trip: Trip, call: Call) -> Decision:
        def ask(request: Request) -> Attempt:
            step = Step(self.parts.classifier_tier, (request.model,))
            self.parts.dispatcher.run(step, (request,), call, purpose="classify")
            return call.journal.attempts[-1]

        decision = trip.decision or self._decided(trip.prompt, trip.options, ask)
        call.journal.decided(decision)
        return decision

    def _decided(self, prompt: str, options: Options, ask: Ask | None) -> Decision:
        if options.tier or options.start:
            return forced(options.tier or options.start or "", self.ladder)
        return self.parts.classifier_for(options.classifier, ask).classify(prompt, self.ladder)

    def _call(self, trip: Trip) -> Call:
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
            allow=cost_guard(
                self.parts.limits,
                trip.options.max_cost,
                in_call=journal.spent,
                in_session=self._spent,
            ),
        )

    def _template(self, trip: Trip) -> Attempt:
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

    def _above(self, name: str) -> Tier:
        if name not in self.ladder.names:
            hint = did_you_mean(name, self.ladder.names)
            msg = f"{name!r} is no tier of ladder {self.ladder.name!r}, so name the next: {hint}"
            raise SettingsError(msg)
        above = self.ladder.above(name)
        if above is None:
            msg = f"{name} is the top tier of ladder {self.ladder.name!r}; name a tier"
            raise SettingsError(msg)
        return above

    def _is_above(self, tier: str | None, parent: RouteResult | None) -> bool:
        places = {name: place for place, name in enumerate(self.ladder.names)}
        if parent is None or tier is None or parent.tier not in places:
            return False
        return places[find_tier(self.ladder, tier).name] > places[parent.tier]

    def _spent(self, kind: ProviderKind) -> Decimal:
        spend = self.parts.ledger.spend(session=self.session)
        amount: Decimal = spend.usd if kind == "remote" else spend.equivalent_usd
        return amount

    def _checked(self, trip: Trip) -> str:
        return checked_prompt(trip.prompt, self.parts.limits, trip.tell, self._price_of)

    def _price_of(self, tokens: int) -> str:
        """What that many tokens cost, from the lowest tier to the highest."""
        lowest, highest = self.ladder.tiers[0], self.ladder.tiers[-1]
        low = pricing.cost_range(tokens, lowest, lowest.model, self._kind(lowest))[0]
        high = pricing.cost_range(tokens, highest, highest.model, self._kind(highest))[1]
        least = pricing.format_usd(low.usd)
        return f"{least} on {lowest.name} to {pricing.describe(high)} on {highest.name}"

    def _estimate(self, tier: Tier, prompt: str, options: Options) -> TierEstimate:
        step = Step(tier, (options.model or tier.model,))
        request = adapt(prompt, step, options)[0]
        tokens = sum(pricing.estimate_tokens(message.content) for message in request.messages)
        full = replace(tier, max_tokens=request.max_tokens)
        low, high = pricing.cost_range(tokens, full, request.model, self._kind(tier))
        return TierEstimate(tier.name, request.model, tokens, request.max_tokens, low, high)

    def _kind(self, tier: Tier) -> ProviderKind:
        return self.parts.dispatcher.providers[tier.provider].kind


def _quiet(event: Event) -> None:
    """An observer that does not look."""
