"""An audit: a sample of answers, each judged against the next tier's answer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal, get_args

from nbroute.batch.rows import Row
from nbroute.batch.run import Bar, Progress
from nbroute.batch.store import Batch, Store
from nbroute.engine.engine import Engine
from nbroute.errors import (
    BudgetExceeded,
    Interrupted,
    NbrouteError,
    ProviderError,
    SettingsError,
    did_you_mean,
)
from nbroute.evaluate.audited import Audit, Direction, Judged
from nbroute.evaluate.judging import (
    Judge,
    Pair,
    Ruling,
    judge_options,
    judge_pairs,
    kin,
    worst_cost,
)
from nbroute.evaluate.purse import NOTHING, Asking, Purse, Worst, worst_cost_of
from nbroute.evaluate.sampling import (
    Population,
    Subject,
    of_frame,
    of_session,
    worth,
)
from nbroute.evaluate.training_data import near_duplicates, read_seed, read_share
from nbroute.evaluate.whatif_text import as_float
from nbroute.report import Spend
from nbroute.report.table import counted, with_effort
from nbroute.types import Usage

Way = Literal["up", "down", "both"]
#: The most prompts that are audited without a bound on their cost, and with one: all of them are
#: looked at before the first is sent.
MOST_UNBOUNDED, _MOST = 2_000, 50_000
#: The fewest prompts for which the same model is asked twice, if the sample has as many.
_FEWEST_AGAIN = 5
#: How many calls are priced before anything is sent; the rest are taken to cost the same.
_LOOKED_AT = 100
#: Prompts that are asked and then judged together: few if a budget may run out midway, else as
#: many as are asked at once or a fifth of the sample, so that Ctrl-C leaves some judged.
_BOUNDED, _AT_ONCE, _PARTS = 8, 16, 5
#: How the error of a call that was never made, or was stopped, begins.
_NOT_COME_TO = ("BudgetExceeded", "Interrupted", "not sent")


@dataclass(frozen=True)
class Ask:
    """A prompt for one tier; those with the same prompt and `shape` are asked once."""

    prompt: str
    shape: str
    options: Mapping[str, Any] = field(compare=False, repr=False)


def ask_of(one: Subject, tier: str, **more: str) -> Ask:
    """The subject's prompt for that tier, with the options of its own request."""
    options = {**one.options, "tier": tier, "purpose": "audit", **more}
    return Ask(one.prompt, repr(sorted(options.items())), options)


@dataclass(frozen=True, eq=False)
class Beside:
    """Two answers to judge, from two tiers or twice from one; None for one that we have already."""

    subject: Subject
    direction: Direction
    cheaper: Ask | None
    expensive: Ask | None
    tiers: tuple[str, str]

    @property
    def asks(self) -> list[Ask]:
        """The prompts to send for it."""
        return [one for one in (self.cheaper, self.expensive) if one]

    def pair(self, answers: Mapping[Ask, Row]) -> Pair:
        """The two answers so far."""

        def text(ask: Ask | None) -> str | None:
            row = answers.get(ask) if ask else None
            found = row.text if row and not row.error else None
            return found if ask else self.subject.text

        return Pair(self.subject.prompt, text(self.cheaper), text(self.expensive), *self.tiers)


@dataclass(frozen=True, eq=False)
class Plan:
    """What an audit will ask; for the subjects with an index in `twice`, the same model twice."""

    engine: Engine
    subjects: Sequence[Subject]
    whole: Population
    direction: Way = "up"
    judge: Judge | None = None
    twice: frozenset[int] = frozenset()

    def besides(self, places: slice = slice(None)) -> list[Beside]:
        """The pairs of those subjects; none for a subject at the end of the ladder."""
        ladder, found = self.engine.ladder, list[Beside]()
        for place in range(len(self.subjects))[places]:
            one, pairs = self.subjects[place], list[Beside]()
            own = None if one.text else ask_of(one, one.tier)
            above, at = ladder.above(one.tier), ladder.index(one.tier)
            if self.direction != "down" and above:
                tiers = (one.tier, above.name)
                pairs.append(Beside(one, "up", own, ask_of(one, above.name), tiers))
            if self.direction != "up" and at:
                tiers = (ladder.names[at - 1], one.tier)
                pairs.append(Beside(one, "down", ask_of(one, tiers[0]), own, tiers))
            if pairs and place in self.twice:
                first, tier = pairs[0].expensive, pairs[0].tiers[1]
                again = ask_of(one, tier, cache="off")
                pairs.append(Beside(one, "again", first, again, (tier, tier)))
            found += pairs
        return found

    def worst(self) -> dict[tuple[str, str], Worst]:
        """How many calls there will be and what they cost at most, by (tier, purpose)."""
        every, found = self.besides(), dict[tuple[str, str], Worst]()
        asks = dict.fromkeys(ask for one in every for ask in one.asks)
        for tier in self.engine.ladder.names:
            mine = [ask for ask in asks if ask.options["tier"] == tier]
            looked = _some(mine)
            each = (worst_cost_of(self.engine, [one.prompt], one.options) for one in looked)
            found[tier, "asking"] = _scaled(sum(each, NOTHING), len(mine), len(looked))
        pairs = [*dict.fromkeys(one.pair({}) for one in every)]
        each_judged = worst_cost(self.engine, _some(pairs), self.judge)
        found[self.judged_by[0], "judging"] = _scaled(each_judged, len(pairs), len(_some(pairs)))
        return {key: one for key, one in found.items() if one.calls}

    @property
    def judged_by(self) -> tuple[str, str]:
        """The name of the tier or function that judges, and the same with its model."""
        if callable(self.judge):
            name = str(getattr(self.judge, "__name__", type(self.judge).__name__))
            return name, f"the function {name}"
        options = judge_options(self.engine, self.judge)
        tier = self.engine.ladder[options["tier"]]
        model = with_effort(options.get("model") or tier.model, options.get("effort"))
        return tier.name, f"{tier.name} ({model})"


def _some(items: Sequence[Any]) -> Sequence[Any]:
    return items[:: len(items) // _LOOKED_AT + 1]


def _scaled(found: Worst, whole: int, looked: int) -> Worst:
    """The worst case of all calls, extrapolated from those that were looked at."""
    factor = Decimal(whole) / max(looked, 1)
    usd = found.cost.usd and found.cost.usd * factor
    return Worst(round(found.calls * factor), replace(found.cost, usd=usd))


def make_plan(  # noqa: PLR0917 - as Router.audit
    engine: Engine,
    sample: float = 0.05,
    direction: str = "up",
    judge: Judge | None = None,
    seed: int = 0,
    frame: Any = None,
    max_cost: Any = None,
    *,
    everything: bool = False,
    again: float = 0.2,
) -> Plan:
    """What an audit would ask; nothing is sent. See `Router.audit`."""
    share, repeated = read_share("sample", sample), read_share("again", again, least=0)
    seed = read_seed(seed)
    way = next((one for one in get_args(Way) if one == direction), None)
    if way is None:
        hint = did_you_mean(str(direction), get_args(Way))
        raise SettingsError(f"direction={direction!r:.40} is not a direction: {hint}")
    if not callable(judge):
        judge_options(engine, judge)
    Purse(max_cost)
    session = frame is None
    whole = of_session(engine, everything=everything) if session else of_frame(engine, frame)
    count = max(1, round(share * whole.size))
    if count > (MOST_UNBOUNDED if max_cost is None else _MOST):
        bound = "give max_cost (--max-cost) to bound what they cost together, or "
        raise SettingsError(
            f"sample={sample!r:.20} of {whole.size:,} prompts is {count:,}, each for several "
            f"calls: {bound if count <= _MOST else 'give '}a smaller sample, such as "
            f"{MOST_UNBOUNDED / whole.size / 2:.1g}"
        )
    plan = Plan(engine, whole.drawn(count, seed), whole, way, judge)
    beside = [at for at in range(count) if plan.besides(slice(at, at + 1))]
    if not beside:
        raise SettingsError(_at_the_end(plan))
    often = min(len(beside), max(_FEWEST_AGAIN, round(repeated * len(beside))))
    often = often if repeated and engine.parts.replay is None else 0  # it has each answer once
    return replace(plan, twice=frozenset(beside[n * len(beside) // often] for n in range(often)))


def _at_the_end(plan: Plan) -> str:
    """The error if no tier is above (or below) those that answered, with the other direction."""
    names, up = plan.engine.ladder.names, plan.direction == "up"
    if len(names) == 1:
        return f"the ladder has one tier, {names[0]}, so there is none to compare it with"
    end, side, other = (names[-1], "above", "down") if up else (names[0], "below", "up")
    told = f"{end} answered all of the sample ({counted(len(plan.subjects), 'prompt')})"
    return (
        f"{told}, and no tier is {side} it; direction={other!r} (--direction {other}) looks there"
    )


class Kept(dict[tuple[Any, ...], Store]):
    """The answers of a stopped audit, by what was asked; not pickled."""

    def __missing__(self, asked: tuple[Any, ...]) -> Store:
        return self.setdefault(asked, Store())

    def __reduce__(self) -> Any:
        return Kept, ()


def run_audit(
    plan: Plan,
    *,
    max_cost: Any = None,
    progress: bool | Progress | None = None,
    cancel: threading.Event | None = None,
    workers: int | None = None,
    before: Audit | None = None,
) -> Audit:
    """Ask and judge what is planned and not yet done in `before`. See `Router.audit`."""
    purse, every = Purse(max_cost), plan.besides()
    steps = len({ask for one in every for ask in one.asks}) + 2 * len({o.pair({}) for o in every})
    kept = Kept() if before is None or not before.stopped else before.kept
    with Bar(plan.engine, steps, shown=progress, unit="call") as bar:
        one = _Run(plan, Asking(plan.engine, bar, purse, workers, cancel), kept)
        try:
            one.work()
        except KeyboardInterrupt:
            audit = one.audit("interrupted")
            wanted = sum(beside.direction != "again" for beside in every)
            told = f"{len(audit.judged):,} of {counted(wanted, 'pair')} are judged"
            error = Interrupted(f"stopped; {told}; the same call continues where it stopped")
            error.result = audit
            raise error from None
    audit = one.audit(one.stopped)
    if audit.judged:
        return audit
    nothing = BudgetExceeded if one.stopped.startswith(_NOT_COME_TO) else ProviderError
    why = one.stopped.removeprefix(f"{_NOT_COME_TO[0]}: ")
    empty: NbrouteError = nothing(f"nothing was judged: {why}")
    empty.result = audit
    raise empty


@dataclass
class _Run:
    """One pass over a plan; each pair becomes a row as soon as it is judged."""

    plan: Plan
    asking: Asking
    kept: Kept
    stopped: str = ""
    answers: dict[Ask, Row] = field(default_factory=dict)
    rulings: dict[Pair, Ruling] = field(default_factory=dict)
    rows: list[Judged] = field(default_factory=list)
    spends: dict[tuple[str, str], Spend] = field(default_factory=dict)
    _paid_for: set[Pair] = field(default_factory=set)

    def work(self) -> None:
        """Ask and judge a few prompts at a time, until all are done or it has to stop."""
        count, limits = len(self.plan.subjects), self.plan.engine.limits
        budgets = (self.asking.purse.limit, limits.budget_usd, limits.budget_usd_per_day)
        bounded = any(one is not None for one in budgets)
        step = _BOUNDED if bounded else max(_AT_ONCE, count // _PARTS)
        for first in range(0, count, step):
            besides = self.plan.besides(slice(first, first + step))
            try:
                self._ask(dict.fromkeys(ask for one in besides for ask in one.asks))
                self._judge(dict.fromkeys(one.pair(self.answers) for one in besides))
            finally:
                self._write_down(besides)
            tried = [row for row in self.rows if row.direction != "again"]
            if tried and not any(row.verdict for row in tried):
                self.stopped = self.stopped or tried[0].error
            if self.stopped:
                return

    def _ask(self, asks: Iterable[Ask]) -> None:
        """Ask what has not been asked yet, prompts with the same options together."""
        groups: dict[str, list[Ask]] = {}
        for ask in asks:
            if ask not in self.answers:
                groups.setdefault(ask.shape, []).append(ask)
        for shape, group in groups.items():
            prompts = tuple(one.prompt for one in group)
            store = self.kept[shape, prompts]
            try:
                batch = self.asking.ask(prompts, group[0].options, store)
                self.stopped = self.stopped or batch.stopped
            finally:
                self.answers |= {group[row.place]: row for row in Batch(store)}
                self._heed(store, group[0].options["tier"], "asking")

    def _judge(self, pairs: Iterable[Pair]) -> None:
        """Judge the pairs that have both answers and no ruling yet."""
        whole = [one for one in pairs if None not in (one.cheaper, one.expensive)]
        new = tuple(one for one in whole if one not in self.rulings)
        if not new:
            return
        store, found = self.kept[repr(self.plan.judge), new], list[Ruling]()
        try:
            found = judge_pairs(self.asking, new, self.plan.judge, store)
        except Interrupted as error:
            found = error.result
            raise
        finally:
            self.rulings |= dict(zip(new, found, strict=False))
            self._heed(store, self.plan.judged_by[0], "judging")

    def _heed(self, store: Store, tier: str, what: str) -> None:
        """Add up what the calls cost, and note why some were not sent."""
        batch = Batch(store)
        spend = self.spends.get((tier, what), Spend()) + batch.cost
        if spend.calls:
            self.spends[tier, what] = spend
        not_sent = (row.error for row in batch.failed() if row.status == "not sent")
        self.stopped = self.stopped or next(filter(None, not_sent), "").removeprefix("not sent: ")

    def _write_down(self, besides: Sequence[Beside]) -> None:
        """Add a row for each pair that was judged or failed, but not for those never reached."""
        for one in besides:
            pair, subject = one.pair(self.answers), one.subject
            ruling = self.rulings.get(pair, Ruling(None, None, error=_NOT_COME_TO[0]))
            asked = (self.answers.get(ask) for ask in one.asks)
            failed = [answer.error for answer in asked if answer and answer.error]
            error = next(iter(failed), ruling.error)
            if error.startswith(_NOT_COME_TO):
                continue
            judging = Decimal(0) if pair in self._paid_for else ruling.usd
            self._paid_for.add(pair)
            costs = [self._usd(ask, subject) for ask in (one.cheaper, one.expensive)]
            found = (one.direction, subject.tier, pair, ruling, subject.confidence)
            paid = (costs[0], costs[1], as_float(judging))
            self.rows.append(Judged(*found, *paid, error, subject.result))

    def _usd(self, ask: Ask | None, subject: Subject) -> float:
        """What the answer cost, or would have cost if it came from the cache."""
        if ask is None:
            return subject.usd
        row, engine = self.answers.get(ask), self.plan.engine
        if row is None or not row.cached:
            return as_float(row.cost_usd if row else None)
        usage = Usage(row.input_tokens, row.output_tokens)
        return as_float(worth(engine, engine.ladder[row.tier], row.model, usage))

    def audit(self, stopped: str) -> Audit:
        """The audit so far."""
        plan, engine = self.plan, self.plan.engine
        prompts = [one.prompt for one in plan.subjects]
        low, top = engine.ladder.names[0], engine.ladder.names[-1]
        up, down = plan.direction != "down", plan.direction != "up"
        topmost = tuple(one.prompt for one in plan.subjects if up and one.tier == top)
        lowest = [one for one in plan.subjects if down and one.tier == low]
        answers = (*plan.subjects, *self.answers.values())
        cached = [one for one in answers if getattr(one, "cached", False)]
        notes = {
            f"with {top}'s answer: no tier is above it": len(topmost),
            f"with {low}'s answer: no tier is below it": len(lowest),
        }
        told = [f"{counted(n, 'prompt')} {what}" for what, n in notes.items() if n]
        if cached:
            what = "came out of the cache: judged like any other, at the price of asking"
            told.append(f"{counted(len(cached), 'answer')} {what}")
        tiers = [t for row in self.rows for t in (row.pair.cheaper_tier, row.pair.expensive_tier)]
        told += filter(None, [kin(engine, plan.judge, tiers)])
        told += [f"left out: {counted(n, 'prompt')} {w}" for w, n in plan.whole.left_out.items()]
        if alike := len(prompts) - len(set(near_duplicates(prompts).tolist())):
            told.append(
                f"near-duplicates: {counted(alike, 'prompt')}; each counts here, but calibrate "
                "counts them once"
            )
        told += filter(None, [plan.whole.note])
        drawn = (plan.whole.source, plan.whole.size, len(plan.subjects), topmost, tuple(told))
        found = (engine, tuple(self.rows), plan.judged_by[1], *drawn, dict(self.spends))
        return Audit(*found, stopped, self.kept if stopped else None)
