"""Which tier: what was forced, or what the classifier says of the prompt and the turns before."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nbroute import pricing
from nbroute.budgets import Guard, checked_prompt, with_budget
from nbroute.checks import wanted
from nbroute.checks.structured import read_schema
from nbroute.classify.registry import forced
from nbroute.classify.turns import classify_turn
from nbroute.engine.attempts import Journal, Settled, journaled, settle
from nbroute.engine.context import Parts, Senses, Spec, Trip
from nbroute.engine.conversations import History, Threads
from nbroute.engine.dispatch import Call
from nbroute.engine.plan import check_options, find_tier, make_plan, read_options
from nbroute.engine.requests import data_of, estimate, first_request, price_of_tokens, tell_move
from nbroute.engine.strategies import Means, Run
from nbroute.engine.stream import TextStream
from nbroute.errors import (
    BudgetExceeded,
    Interrupted,
    NbrouteError,
    ReplayMiss,
    SettingsError,
    did_you_mean,
)
from nbroute.report import Report, summarise
from nbroute.types import (
    Attempt,
    Classified,
    Decision,
    Done,
    Event,
    Explanation,
    Ladder,
    Ledger,
    Notice,
    Observer,
    Options,
    Request,
    RouteResult,
    Step,
    Target,
    Tier,
)

if TYPE_CHECKING:
    import numpy as np


def senses_of(parts: Parts, call: Call) -> Senses:
    """What a classifier may use, with the call's journal behind it."""

    def ask(request: Request) -> Attempt:
        step = Step(parts.classifier_tier, (Target(request.provider, request.model),))
        return parts.dispatcher.run(step, (request,), call, purpose="classify").attempt

    return Senses(ask, lambda texts: embed(parts, texts, call))


def embed(parts: Parts, texts: Sequence[str], call: Call) -> tuple[np.ndarray, tuple[Attempt, ...]]:
    """The texts' vectors; where an endpoint made them, what that cost is in the journal."""
    embedder = parts.embedder()
    missing = embedder.missing(texts)
    if not missing:
        return embedder.embed(texts).vectors, ()
    if call.mode == "only":
        raise ReplayMiss(
            f"{len(missing)} texts have no vectors of {embedder.model!r} yet, and cache mode "
            "'only' sends nothing; run it once with cache mode 'use' or 'refresh'"
        )
    tier = replace(
        parts.classifier_tier, provider=embedder.provider, model=embedder.model, price=None
    )
    with journaled(call.journal, embedder, tier, missing) as keep:
        made = embedder.embed(texts)
        return made.vectors, (keep(made),)


def _begun(options: Options, ladder: Ladder) -> Decision:
    """Where the strategy's tiers are named there is nothing to classify."""
    named = [find_tier(ladder, name) for name in (options.tiers or (options.start or "",))]
    lowest = min(named, key=lambda tier: ladder.index(tier.name)).name
    told = f"a cascade from {lowest}"
    if options.tiers:
        kind = "a cascade of" if options.strategy == "cascade" else "both"
        told = f"{kind} {' and '.join(tier.name for tier in named)}"
    return Decision(lowest, "forced", f"forced: you asked for {told}")


def decided(trip: Trip, parts: Parts, senses: Senses | None, *, cheaper: bool = False) -> Decision:
    """The trip's decision; with no `senses` nothing is sent.

    With `cheaper` the rules decide where the budget has no room for asking.
    """
    options = trip.options
    if options.tier:
        return forced(options.tier, parts.ladder)
    if options.start or options.tiers:
        return _begun(options, parts.ladder)
    classifier = parts.classifier_for(trip.options.classifier, senses)
    try:
        return classify_turn(classifier, trip.prompt, trip.earlier, parts.ladder)
    except BudgetExceeded as error:
        if not cheaper:
            raise
        trip.tell(Notice(f"classified by the rules: {str(error).partition(';')[0]}"))
        rules = parts.classifier_for("rules", None)
        return classify_turn(rules, trip.prompt, trip.earlier, parts.ladder)


class Session:
    """The ladder, the ledger and the limits that all calls of one id share."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.threads = Threads()
        self.history = History()
        self.limits = parts.limits
        self.code_allowed = False

    @property
    def ladder(self) -> Ladder:
        """The tiers, cheapest first."""
        return self.parts.ladder

    @property
    def session(self) -> str:
        """The id that this router's calls have in the ledger."""
        return self.parts.session

    def spend(self, by: str | None = None, *, everything: bool = False) -> Any:
        """This session's `Spend`, or a dict of them `by` tier, model, day, feature, session.

        `everything` takes all sessions in the ledger.
        """
        return self.parts.ledger.spend(by, session=None if everything else self.session)

    def report(self, *, everything: bool = False, baseline: str | None = None) -> Report:
        """What the session did and what it saved, net, against all on the `baseline` tier."""
        tier = find_tier(self.ladder, baseline or self.parts.baseline)
        rows = self.parts.ledger.report_rows(session=None if everything else self.session)
        price = pricing.price_of(tier, tier.model, self.parts.kind(tier))
        return summarise(
            rows,
            tiers=self.ladder.names,
            baseline=tier.name,
            price=price,
            baseline_model=tier.model,
        )

    def set_budget(self, usd: Decimal | float | str | None) -> None:
        """Hold the session to that many US dollars from here on; None lifts the budget."""
        self.limits = with_budget(self.limits, usd)

    def go_on(self, other: Session) -> None:
        """Take over what the other was told in this session: budget, conversations, permission."""
        if other.limits.budget_usd != other.parts.limits.budget_usd:
            self.limits = replace(self.limits, budget_usd=other.limits.budget_usd)
        self.threads, self.history = other.threads, other.history
        self.code_allowed = other.code_allowed

    def allow_code(self) -> None:
        """Let checks run code that a model wrote, in a process of its own, for this session."""
        self.code_allowed = True

    def settle(self) -> Settled:
        """Ask endpoints that keep a bill what this session's calls cost, where not yet known."""
        return settle(self.parts.ledger, self.session, self.parts.dispatcher.providers)

    def close(self) -> None:
        """Shut providers and ledger down; a second call does nothing."""
        for provider in self.parts.dispatcher.providers.values():
            provider.close()
        self.parts.ledger.close()

    @property
    def ledger(self) -> Ledger:
        """The record of every attempt."""
        return self.parts.ledger


class Engine(Session):
    """Routes prompts over a ladder; safe to share between threads."""

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
        ("direct", "cascade" or "parallel"), `start`, `tiers`, `agreement` (0 to 1),
        `classifier`, `system`, `max_tokens`, `max_cost` (US dollars), `over_budget`,
        `temperature`, `json`, `schema`, `checks` (functions and names such as "rating=8"),
        `feature`, `thread`, `cache` ("use", "off", "refresh", "only") and `stream`. `observe`
        is told each `Event` as it happens, on this thread; `cancel`, once set, stops the call
        from another.

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
        chosen = find_tier(self.ladder, tier) if tier else self._next(result)
        options = replace(
            result.options,
            tier=chosen.name,
            model=None,
            strategy="direct",
            start=None,
            tiers=(),
            agreement=None,
            comparison=None,
        )
        reason = f"asked for after {result.tier}'s answer"
        if self._is_above(chosen.name, result):
            reason = f"escalated from {result.tier} by hand"
        decision = Decision(chosen.name, "forced", reason)
        trip = Trip(result.prompt, options, observe or _quiet, cancel, result, decision)
        return self._run(trip)

    def stream(self, prompt: str, **options: Any) -> TextStream:
        """The answer piece by piece; `.result` is there at the end. Takes what `route` takes.

        SettingsError for other strategies, whose rejected answers would run into the next one.
        """
        strategy = options.get("strategy", "direct")
        if strategy != "direct":
            raise SettingsError(f"{strategy!r:.80} cannot be streamed; use route(observe=...)")
        return TextStream(lambda **hooks: self.route(prompt, **hooks, **options))

    def classify(
        self,
        prompt: str,
        classifier: Spec | None = None,
        *,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> Decision:
        """Which tier and why; nothing is sent but what the classifier itself may ask a model.

        Of route's options, those on how it is asked hold: `cache`, `feature`, `max_cost`.
        """
        asked = read_options({**options, "classifier": classifier})
        trip = Trip(prompt, asked, _quiet, cancel)
        trip.prompt = self._checked(trip)
        return decided(trip, self.parts, senses_of(self.parts, self._call(trip)))

    def explain(self, prompt: str, **options: Any) -> Explanation:
        """A dry run: the messages, the tier and why, and the cost range on every tier.

        Sends nothing: where a model would be asked for the tier, our rules' word is taken.
        """
        trip = Trip(prompt, read_options(options), _quiet)
        self._prepare(trip)
        decision = decided(trip, self.parts, None)
        plan = make_plan(decision, self.ladder, trip.options, self.parts.agreement)
        requests = tuple(first_request(trip, step) for step in plan.steps)
        estimates = tuple(estimate(tier, trip, self.parts) for tier in self.ladder.tiers)
        return Explanation(decision, requests, estimates, plan)

    def above(self, result: RouteResult) -> Tier | None:
        """The tier that an escalation asks: the next of the result's plan, else of the ladder."""
        names = [step.tier.name for step in result.plan.steps]
        later = names[names.index(result.tier) + 1 :] if result.tier in names else []
        known = [name for name in later if name in self.ladder.names]
        return self.ladder[known[0]] if known else self._ladder_above(result.tier)

    def _run(self, trip: Trip) -> RouteResult:
        self._prepare(trip)
        call = self._call(trip)
        try:
            trip.decision = trip.decision or self._decided(trip, call)
            call.journal.decided(trip.decision)
            trip.plan = make_plan(trip.decision, self.ladder, trip.options, self.parts.agreement)
            trip.tell(Classified(trip.decision, trip.plan))
            Run(trip, call, self._means()).carry_out()
            tell_move(trip, call.journal, self.ladder)
            trip.data = data_of(trip, call.journal)
        except (NbrouteError, KeyboardInterrupt) as raised:
            error = raised if isinstance(raised, NbrouteError) else Interrupted("stopped")
            trip.flush()
            if call.journal.attempts:
                error.result = trip.result(call.journal)
                self._remember(error.result)
            raise error from raised.__cause__
        result = trip.result(call.journal)
        self._remember(result)
        if trip.options.thread and result.text:
            self.threads.keep(trip.options.thread, result)
        trip.tell(Done(result))
        return result

    def _remember(self, result: RouteResult) -> None:
        self.history.add(result)
        self.history.changed()

    def _prepare(self, trip: Trip) -> None:
        """Refuse what can be refused before anything is sent, and look up what was named."""
        options = trip.options
        trip.prompt = self._checked(trip)
        check_options(options, self.ladder)
        for check in wanted(options, prompt=trip.prompt):
            if getattr(check, "runs_code", False) and not self.code_allowed:
                label = getattr(check, "__name__", "a check")
                raise SettingsError(
                    f"{label} would run code that a model writes; to allow it for this "
                    "session say `%route allow code` (in Python: router.allow_code())"
                )
        if options.schema is not None:
            trip.schema = read_schema(options.schema)
        if options.strategy == "parallel":
            self.parts.embedder()
        trip.earlier = self.threads.turns(options.thread, trip.parent)

    def _decided(self, trip: Trip, call: Call) -> Decision:
        senses, cheaper = senses_of(self.parts, call), self.limits.on_limit == "cheaper"
        return decided(trip, self.parts, senses, cheaper=cheaper)

    def _means(self) -> Means:
        return Means(
            self.ladder,
            self.parts.dispatcher,
            lambda texts, call: embed(self.parts, texts, call)[0],
            self.parts.check_timeout_s,
            cheaper=self.limits.on_limit == "cheaper",
        )

    def _call(self, trip: Trip) -> Call:
        journal = Journal(
            self._template(trip),
            ledger=self.parts.ledger,
            price=pricing.cost_of,
            count_tokens=pricing.estimate_tokens,
            clock=self.parts.clock,
            new_id=self.parts.new_id,
            observe=trip.tell,
            guard=Guard(self.limits, trip.options.max_cost, over_budget=trip.options.over_budget),
        )
        mode = trip.options.cache or self.parts.cache_mode
        return Call(journal, trip.tell, mode=mode, cancel=trip.cancel)

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
            thread=trip.options.thread,
            comparison=trip.options.comparison,
            escalated=self._is_above(trip.options.tier, trip.parent),
            prompt=trip.prompt,
        )

    def _ladder_above(self, name: str) -> Tier | None:
        return self.ladder.above(name) if name in self.ladder.names else None

    def _next(self, result: RouteResult) -> Tier:
        above = self.above(result)
        if above is not None:
            return above
        if result.tier in self.ladder.names:
            msg = f"{result.tier} is the top tier of ladder {self.ladder.name!r}; name a tier"
            raise SettingsError(msg)
        hint = did_you_mean(result.tier, self.ladder.names)
        msg = f"{result.tier!r} is no tier of ladder {self.ladder.name!r}, so name the next: {hint}"
        raise SettingsError(msg)

    def _is_above(self, tier: str | None, parent: RouteResult | None) -> bool:
        places = {name: place for place, name in enumerate(self.ladder.names)}
        if parent is None or tier is None or parent.tier not in places:
            return False
        return places[find_tier(self.ladder, tier).name] > places[parent.tier]

    def _checked(self, trip: Trip) -> str:
        return checked_prompt(
            trip.prompt,
            self.parts.limits,
            trip.tell,
            lambda tokens: price_of_tokens(tokens, self.parts),
        )


def _quiet(event: Event) -> None:
    """An observer that does not look."""
