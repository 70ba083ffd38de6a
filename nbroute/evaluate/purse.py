"""Many calls that measure the router: in groups, paid from one purse, with one progress bar."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from nbroute.batch.jobs import Job, described, expected
from nbroute.batch.run import Bar, run
from nbroute.batch.store import Batch, Store
from nbroute.batch.workers import ThreadWorkers, checked_workers
from nbroute.budgets import held
from nbroute.engine.engine import Engine
from nbroute.engine.plan import read_options
from nbroute.errors import BudgetExceeded, PromptError, ReplayMiss
from nbroute.pricing import format_usd
from nbroute.types import Attempt, Cost, CostSource, Decision, RouteResult

#: Calls at once to a model on this machine: it answers one at a time, and more would time out
#: while they wait for their turn.
_LOCAL = 2


class Purse:
    """What calls may cost in all, in US dollars; None is no bound. Threads may share it.

    Unbilled calls count with what they would have cost, as in the budgets. SettingsError for
    anything but an amount from 0 up.
    """

    def __init__(self, max_cost: object = None) -> None:
        self.limit = read_options({"max_cost": max_cost}).max_cost
        self.spent = Decimal(0)
        self._held = Decimal(0)
        self._changed = threading.Condition()

    def hold(self, worst: Decimal) -> None:
        """Set the worst case of a call aside; wait for running calls if it may fit after them.

        BudgetExceeded if it does not fit.
        """
        with self._changed:
            while self.limit is not None and self.spent + self._held + worst > self.limit:
                if not self._held:
                    raise BudgetExceeded(
                        f"a call could cost up to {format_usd(worst)} and "
                        f"{format_usd(max(self.limit - self.spent, Decimal(0)))} is left of "
                        f"max_cost {format_usd(self.limit)}; it was not sent: raise max_cost"
                    )
                self._changed.wait()
            self._held += worst

    def settle(self, worst: Decimal, spent: Decimal) -> None:
        """Replace what was set aside for the call with what it cost."""
        with self._changed:
            self._held -= worst
            self.spent += spent
            self._changed.notify_all()


@dataclass(frozen=True)
class _Bought(Job):
    """A job that pays from a purse; answers from the cache are free, however little is left."""

    purse: Purse = field(default_factory=Purse)

    def __call__(
        self, router: Engine, prompt: str, stop: threading.Event
    ) -> RouteResult | Decision:
        """The answer, as `Job`; BudgetExceeded if the purse does not cover it."""
        limit, options, worst = self.purse.limit, dict(self.options), Decimal(0)
        if limit is not None and router.parts.replay is None:
            # Without a price the call itself is refused, unless it is not billed.
            known = expected(router, prompt, options, sure=True).reserved_usd
            worst = known or worst
            options["max_cost"] = limit if known is None else worst
        try:
            self.purse.hold(worst)
        except BudgetExceeded:
            if (options.get("cache") or router.parts.cache_mode) == "use":
                with suppress(ReplayMiss):
                    return Job({**self.options, "cache": "only"})(router, prompt, stop)
            raise
        attempts: Sequence[Attempt] = ()
        try:
            result = Job(options)(router, prompt, stop)
            attempts = result.attempts
        except BaseException as error:
            attempts = getattr(getattr(error, "result", None), "attempts", ())
            raise
        finally:
            self.purse.settle(worst, sum(map(held, attempts), Decimal(0)))
        return result


@dataclass
class Asking:
    """Asks groups of prompts, one after the other, each with its options and its own store.

    Each group is a batch, in which a failure is a row, and so is what the purse does not cover; a
    store that is handed in again keeps its answers. The groups share the `purse`, the `bar` (a step
    for each prompt) and `cancel`.
    """

    router: Engine
    bar: Bar
    purse: Purse = field(default_factory=Purse)
    workers: int | None = None
    cancel: threading.Event | None = None

    def ask(self, prompts: Sequence[Any], options: Mapping[str, Any], store: Store) -> Batch:
        """The answers, in order; the options name the `tier`. A PromptError is a row, not sent.

        Raises SettingsError if the store's rows were made with other options, and Interrupted,
        whose `result` is the batch so far.
        """
        # The tier is named, so that no classifier is asked.
        store.begin({**described(self.router, options), "classifier": "not asked"})
        local = self.router.parts.kind(self.router.ladder.find(options["tier"])) == "local"
        count = checked_workers(self.workers, _LOCAL if local else 16)
        job = _Bought(options, purse=self.purse)
        threads = ThreadWorkers(self.router, job, count)
        return run(prompts, threads, store, self.bar, self.cancel)


class Worst(NamedTuple):
    """How many calls, and what they cost in all at most; unknown if one has no price."""

    calls: int
    cost: Cost

    def __add__(self, other: object) -> Worst:
        """Both together; if either is billed, the sum counts as billed."""
        if not isinstance(other, Worst):
            return NotImplemented
        if not (self.calls and other.calls):
            return self if self.calls else other
        known = [one.cost.usd for one in (self, other) if one.cost.usd is not None]
        usd = sum(known, Decimal(0)) if len(known) == 2 else None
        unbilled = self.cost.source == other.cost.source == "equivalent"
        source: CostSource = "equivalent" if unbilled else "unknown" if usd is None else "estimated"
        return Worst(self.calls + other.calls, Cost(usd, source))


NOTHING = Worst(0, Cost(Decimal(0), "list"))


def worst_cost_of(router: Engine, prompts: Iterable[str], options: Mapping[str, Any]) -> Worst:
    """What the prompts cost at most with those options; nothing is sent.

    A prompt that is too long to be sent costs nothing.
    """
    total = NOTHING
    for prompt in prompts:
        try:
            row = expected(router, prompt, options, sure=True)
        except PromptError:
            continue
        billed, usd = row.provider_kind == "remote", row.reserved_usd
        usd = Decimal(0) if usd is None and not billed else usd
        source: CostSource = "unknown" if usd is None else "estimated"
        total += Worst(1, Cost(usd, source if billed else "equivalent"))
    return total
