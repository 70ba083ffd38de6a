"""The engine: one call from end to end, and the session that its calls share."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from nbroute import pricing
from nbroute.budgets import checked_prompt, too_little, unpriced, with_budget
from nbroute.checks import parse_json, wanted
from nbroute.checks.structured import read_schema
from nbroute.classify.registry import DEFAULT, forced
from nbroute.engine.attempts import Settled, settle
from nbroute.engine.context import Call, Parts, Resources, Spec
from nbroute.engine.conversations import History, Threads, classify_turn
from nbroute.engine.dispatch import dispatch, embed, embedding, requests_for
from nbroute.engine.plan import check_options, first_named, make_plan, read_options
from nbroute.engine.strategies import STRATEGIES, repeat
from nbroute.engine.stream import TextStream
from nbroute.errors import BudgetExceeded, Interrupted, NbrouteError, SettingsError, did_you_mean
from nbroute.locks import Lock
from nbroute.report import Report, summarise
from nbroute.sandbox import require_box
from nbroute.types import (
    Attempt,
    Classified,
    Decision,
    Done,
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
    Target,
    Tier,
    TierEstimate,
)

if TYPE_CHECKING:
    import numpy as np


class Engine:
    """Routes prompts over a ladder; thread-safe.

    Its calls share a ladder, a ledger, the limits, the conversations and the results so far.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.threads = Threads()
        self.history = History()
        self.limits = parts.limits
        self.code_allowed = ""  # or boxed, or unconfined
        self._reporting = Lock()
        self._reported: tuple[Any, Report | None] = (None, None)

    @property
    def ladder(self) -> Ladder:
        """The tiers, cheapest first."""
        return self.parts.ladder

    @property
    def ledger(self) -> Ledger:
        """The record of every attempt."""
        return self.parts.ledger

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
        notices: Iterable[str] = (),
        **options: Any,
    ) -> RouteResult:
        """Send the prompt to the tier that its classification names, and record all of it.

        The options are the fields of `nbroute.types.Options`: `tier`, `model`, `strategy`
        ("direct", "cascade", "parallel" or "consensus"), `start`, `tiers`, `agreement` (0 to 1),
        `by` ("value" or "cosine"), `classifier`, `system`, `max_tokens`, `max_cost` (US dollars),
        `over_budget`, `temperature`, `effort` ("low", "medium", "high"), `json`, `schema`,
        `checks` (functions and names such as "rating=8"), `feature`, `thread`, `repeat`
        (2 to 20), `cache` ("use", "off", "refresh", "only"), `stream` and `purpose` ("audit" and
        "judge" measure the router: the session's results are without them, and its spend tells
        them apart). `observe` gets each `Event` as it happens, on this thread; `cancel`, once
        set, stops the call from another. `notices` come first, and are kept in the result.

        Raises PromptError, SettingsError, BudgetExceeded, ReplayMiss, ProviderError or
        Interrupted; if anything was paid for, the error's `result` has it.
        """
        call = self._call(prompt, read_options(options), observe, cancel)
        for text in notices:
            call.tell(Notice(text))
        return self._route(call)

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
        ladder = self.ladder
        chosen = ladder.find(tier) if tier else self.above(result)
        known = result.tier in ladder.names
        if chosen is None and known:
            msg = f"{result.tier} is the top tier of ladder {ladder.name!r}; name a tier"
            raise SettingsError(msg)
        if chosen is None:
            hint = did_you_mean(result.tier, ladder.names)
            raise SettingsError(
                f"{result.tier!r} is not a tier of ladder {ladder.name!r}, so name the next: {hint}"
            )
        options = replace(
            result.options,
            tier=chosen.name,
            model=None,
            strategy="direct",
            start=None,
            tiers=(),
            agreement=None,
            by=None,
            comparison=None,
            effort=None,
            repeat=None,
        )
        call = self._call(result.prompt, options, observe, cancel, result)
        reason = f"you asked again after {result.tier}'s answer"
        if known and ladder.index(chosen.name) > ladder.index(result.tier):
            call.log.share(escalated=True)
            reason = f"you escalated from {result.tier}"
        return self._route(call, Decision(chosen.name, "forced", reason))

    def above(self, result: RouteResult) -> Tier | None:
        """The tier that an escalation asks: the next of the result's plan, else of the ladder."""
        names = [step.tier.name for step in result.plan.steps]
        later = names[names.index(result.tier) + 1 :] if result.tier in names else []
        if result.plan.strategy == "consensus":  # the other one's answer is known
            later = [name for name in later if name == names[-1]]
        for name in later:
            if name in self.ladder.names:
                return self.ladder[name]
        return self.ladder.above(result.tier) if result.tier in self.ladder.names else None

    def stream(self, prompt: str, **options: Any) -> TextStream:
        """The answer piece by piece; `.result` is there at the end. Takes what `route` takes.

        SettingsError for other strategies, whose rejected answers would run into the next one.
        """
        strategy = options.get("strategy", "direct")
        if strategy != "direct":
            raise SettingsError(f"{strategy!r:.80} cannot be streamed; use route(observe=...)")
        if options.get("repeat"):
            raise SettingsError("repeat gives one of several answers; use route, not stream")

        def route(**hooks: Any) -> RouteResult:
            return self._route(self._call(prompt, read_options(options), **hooks, final=True))

        return TextStream(route)

    def classify(
        self,
        prompt: str,
        classifier: Spec | None = None,
        *,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> Decision:
        """Which tier and why; nothing is sent except what the classifier itself asks a model.

        Of route's options it takes `cache`, `feature` and `max_cost`.
        """
        asked = read_options({**options, "classifier": classifier})
        call = self._call(prompt, asked, None, cancel, answers=False)
        return self._decide(call, self._resources(call))

    def explain(self, prompt: str, **options: Any) -> Explanation:
        """A dry run: the messages, the tier and why, and the cost range on every tier.

        Sends nothing: if choosing the tier would take a model or an endpoint, it says what that
        would cost, and guesses the tier from the words alone.
        """
        return self._explain(self._call(prompt, read_options(options)))

    def _explain(self, call: Call) -> Explanation:
        asking = None
        try:
            decision = self._decide(call, would_ask(self.parts))
        except WouldAsk as asked:
            asking, decision = asked.estimate, self._decide(call, None)
        plan = make_plan(decision, self.ladder, call.options, self.parts.agreement)
        requests = tuple(requests_for(call, step)[0] for step in plan.steps)
        estimates = []
        for tier in self.ladder.tiers:
            model = call.options.model
            targets = (Target(tier.provider, model),) if model else tier.targets
            request = requests_for(call, Step(tier, targets))[0]
            estimates.append(_estimate(request, tier, self.parts.kind(tier)))
        found = Explanation(decision, requests, tuple(estimates), plan, asking)
        if call.options.max_cost is None:
            return found
        unknown = {one.tier for one in estimates if one.high.usd is None}
        for step, request in zip(plan.steps, requests, strict=True):
            if step.tier.name in unknown and self.parts.kind(step.tier) == "remote":
                return replace(found, refusal=unpriced(request.model))
        steps = [(name, cost.usd) for name, cost in found.steps.items()]
        return replace(found, refusal=too_little(call.options.max_cost, steps))

    def spend(self, by: str | None = None, *, everything: bool = False) -> Any:
        """This session's `Spend`, or a dict of them `by` tier, model, day, feature, session.

        `everything` takes all sessions in the ledger.
        """
        return self.ledger.spend(by, session=None if everything else self.session)

    def report(self, *, everything: bool = False, baseline: str | None = None) -> Report:
        """What the session did, and what it saved, net, against asking the `baseline` tier alone.

        It is computed once for each state of the ledger, however many cards show it.
        """
        tier = self.ladder.find(baseline or self.parts.baseline)
        version = getattr(self.ledger, "version", None)  # a ledger of a user's own may have none
        with self._reporting:
            asked = (version and version(), everything, tier)
            known, report = self._reported
            if report is None or asked[0] is None or asked != known:
                session = None if everything else self.session
                rows = self.ledger.report_rows(session=session)
                price = pricing.price_of(tier, tier.model, self.parts.kind(tier))
                try:
                    report = summarise(
                        rows,
                        tiers=self.ladder.names,
                        baseline=tier.name,
                        price=price,
                        baseline_model=tier.model,
                        labels=self.ledger.labels(session=session),
                    )
                finally:
                    if isinstance(rows, Generator):
                        rows.close()  # until then it holds the file
                self._reported = asked, report
            return report

    def set_budget(self, usd: Decimal | float | str | None) -> None:
        """Limit the session to that many US dollars; None lifts the budget."""
        self.limits = with_budget(self.limits, usd)

    def allow_code(self, *, unconfined: bool = False) -> str:
        """Let checks run code that a model wrote, for this session; the name of the sandbox.

        SettingsError if the kernel offers none, unless `unconfined` lets the code run without,
        with your rights (the name is then empty).
        """
        box = require_box(unconfined=unconfined)
        self.code_allowed = "unconfined" if unconfined else "boxed"
        return box.name if box else ""

    def go_on(self, other: Engine) -> None:
        """Take over the other's session: its budget, conversations, results and permission."""
        if other.limits.budget_usd != other.parts.limits.budget_usd:
            self.limits = replace(self.limits, budget_usd=other.limits.budget_usd)
        self.threads, self.history = other.threads, other.history
        self.code_allowed = other.code_allowed

    def settle(self) -> Settled:
        """Ask endpoints that keep bills what this session's calls cost, where that is not known."""
        return settle(self.ledger, self.session, self.parts.providers)

    def __reduce__(self) -> Any:
        """What takes the router's place in a comparison that is pickled or copied."""
        kinds = {name: provider.kind for name, provider in self.parts.providers.items()}
        return Detached, (self.ladder, self.session, kinds)

    def close(self) -> None:
        """Shut providers and ledger down; a second call does nothing."""
        for provider in self.parts.providers.values():
            provider.close()
        self.ledger.close()

    def _call(
        self,
        prompt: str,
        options: Options,
        observe: Observer | None = None,
        cancel: threading.Event | None = None,
        parent: RouteResult | None = None,
        *,
        answers: bool = True,
        final: bool = False,
    ) -> Call:
        """The call's context; what cannot be done is refused before anything is sent."""
        prompt, told = checked_prompt(prompt, self.limits, self._price_of_tokens)
        if answers:
            check_options(options, self.ladder)
            for check in wanted(options, prompt=prompt, learned=self.parts.learned_check):
                if not getattr(check, "runs_code", False):
                    continue
                if not self.code_allowed:
                    label = getattr(check, "__name__", "a check")
                    raise SettingsError(
                        f"{label} would run code that a model writes; to allow it for this "
                        "session, run `%route allow code` (in Python: router.allow_code())"
                    )
                require_box(unconfined=self.code_allowed == "unconfined")
            if options.by == "cosine" and options.strategy in ("parallel", "consensus"):
                self.parts.embedder()
        in_thread = answers and options.thread
        call = Call(
            prompt,
            options,
            self.parts,
            self.limits,
            observe,
            cancel,
            parent,
            earlier=self.threads.turns(in_thread, parent) if in_thread else (),
            schema=read_schema(options.schema) if answers and options.schema is not None else None,
            final=final,
        )
        if told:
            call.tell(Notice(told))
        return call

    def _route(self, call: Call, decision: Decision | None = None) -> RouteResult:
        """Decide, plan, ask and check; an error has what was answered and paid for before it."""
        made, plan, chosen, data = decision, Plan("", ()), "", None
        try:
            made = decision or self._decide(call, self._resources(call), cheaper=call.cheaper)
            call.log.share(classifier=made.classifier, reason=made.reason)
            plan = make_plan(made, self.ladder, call.options, self.parts.agreement)
            call.tell(Classified(made, plan))
            ask = repeat if plan.times > 1 else STRATEGIES[plan.strategy]
            chosen = ask(call, plan)
            answer = call.log.attempts[chosen]
            before = call.earlier[-1].tier if call.earlier else answer.tier
            if before != answer.tier and before in self.ladder.names:
                higher = self.ladder.index(answer.tier) > self.ladder.index(before)
                told = f"thread {call.options.thread!r} {'moved up' if higher else 'came down'}"
                call.tell(Notice(f"{told} from {before} to {answer.tier}: {made.reason}"))
            if call.schema or call.options.json:
                parse = call.schema.parse if call.schema else parse_json
                with contextlib.suppress(ValueError):
                    data = parse(answer.text or "")
        except (NbrouteError, KeyboardInterrupt) as raised:
            error = raised if isinstance(raised, NbrouteError) else Interrupted("stopped")
            call.flush()
            if call.log.attempts:
                unknown = Decision("", "", "not classified")
                error.result = call.result(made or unknown, plan, chosen)
                if call.options.purpose == "answer":
                    self.history.add(error.result)
            # A library's exception has the key in its request and its frames.
            error.__context__ = None
            if error is not raised:
                raised.__traceback__ = None
            raise error from raised.__cause__
        result = call.result(made, plan, chosen, data)
        if call.options.purpose == "answer":
            self.history.add(result)
        if call.options.thread and result.text:
            self.threads.keep(call.options.thread, result)
        call.tell(Done(result))
        return result

    def _resources(self, call: Call) -> Resources:
        """What a classifier may send, as attempts of the call."""

        def ask(request: Request) -> Attempt:
            target = Target(request.provider, request.model)
            step = Step(self.parts.classifier_tier, (target,))
            return dispatch(call, step, (request,), "classify").attempt

        return Resources(ask, partial(embed, call))

    def _decide(
        self, call: Call, resources: Resources | None, *, cheaper: bool = False
    ) -> Decision:
        """The forced tier, or the classifier's; without `resources` no model is asked.

        With `cheaper`, the words alone decide if the budget has no room for asking one.
        """
        options, ladder = call.options, self.ladder
        if options.tier:
            return forced(options.tier, ladder)
        if options.start or options.tiers or options.strategy == "consensus":
            return first_named(options, ladder)
        classifier = self.parts.classifier_for(options.classifier, resources)
        try:
            return classify_turn(classifier, call.prompt, call.earlier, ladder)
        except BudgetExceeded as error:
            if not cheaper:
                refusal = error.refusal is None and self._explain(call).refusal
                raise BudgetExceeded(refusal) if refusal else error from None
            call.tell(Notice(f"classified without asking a model: {str(error).partition(';')[0]}"))
            alone = self.parts.classifier_for(DEFAULT, None)
            return classify_turn(alone, call.prompt, call.earlier, ladder)

    def _price_of_tokens(self, tokens: int) -> str:
        """What that many tokens cost, from the lowest tier to the highest."""
        lowest, highest = self.ladder.tiers[0], self.ladder.tiers[-1]
        kind = self.parts.kind
        low = pricing.cost_range(tokens, lowest, lowest.model, kind(lowest))[0]
        high = pricing.cost_range(tokens, highest, highest.model, kind(highest))[1]
        least = pricing.format_usd(low.usd)
        return f"{least} on {lowest.name} to {pricing.describe(high)} on {highest.name}"


class WouldAsk(NbrouteError):
    """The classifier cannot decide without sending something; `estimate` is what that costs."""

    def __init__(self, estimate: TierEstimate) -> None:
        super().__init__(f"{estimate.model} would be asked")
        self.estimate = estimate


def would_ask(parts: Parts) -> Resources:
    """Resources that send nothing: a classifier that needs them raises WouldAsk."""
    texts: list[str] = []
    at = parts.classifier_tier

    def ask(request: Request) -> Attempt:
        kind = parts.providers[request.provider].kind
        raise WouldAsk(_estimate(request, replace(at, model=request.model), kind))

    def embed(wanted: Sequence[str]) -> tuple[np.ndarray, tuple[Attempt, ...]]:
        import numpy as np

        embedder = parts.embedder()
        first, missing = not texts, embedder.missing(wanted)
        texts.extend(missing)
        if missing and first:  # its examples are next, and may have no vectors either
            return np.ones((len(wanted), 1)), ()
        if not texts:
            return embedder.embed(wanted).vectors, ()
        request, tier = embedding(embedder, at, texts)
        raise WouldAsk(_estimate(request, tier, embedder.kind))

    return Resources(ask, embed)


def _estimate(request: Request, tier: Tier, kind: ProviderKind) -> TierEstimate:
    """What the request costs on that tier, from an answer of one token to the longest."""
    tokens, most = pricing.prompt_tokens(request.messages), request.max_tokens
    full = replace(tier, max_tokens=most)
    low, high = pricing.cost_range(tokens, full, request.model, kind)
    return TierEstimate(tier.name, request.model, tokens, most, low, high, request.effort)


@dataclass(frozen=True)
class Detached:
    """What is left of a router in a pickle or a copy.

    All else needs its keys, files and connections, and is a SettingsError.
    """

    ladder: Ladder
    session: str
    kinds: Mapping[str, ProviderKind]

    @property
    def parts(self) -> Detached:
        """Stands for the router's parts, of which it has `kind`."""
        return self

    def kind(self, tier: Tier) -> ProviderKind:
        """Whether calls of that tier's provider are billed, and whether its words are real."""
        return self.kinds[tier.provider]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise SettingsError(
            f"this was pickled or copied and has no router to ask for its {name}: make a Router, "
            "or go back to the original"
        )
