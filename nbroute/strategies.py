"""What a plan's steps are for: asked one after the other, or two at once.

Each answer is a rung: the tier's reply and what the checks say of it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbroute.adapt import adapt
from nbroute.asking import wanted_of
from nbroute.checks import best, judge, wanted
from nbroute.deadline import within
from nbroute.dispatch import Answered, Call, Dispatcher
from nbroute.errors import BudgetExceeded, ProviderError
from nbroute.structured import schema_check
from nbroute.trip import Trip
from nbroute.types import (
    Check,
    Escalated,
    Ladder,
    Notice,
    Rung,
    Step,
    Text,
    Verdict,
)

if TYPE_CHECKING:
    import numpy as np

Embed = Callable[[Sequence[str], Call], "np.ndarray"]


@dataclass(frozen=True)
class Means:
    """What carrying a plan out takes. `cheaper` sends to a tier below what the budget refuses."""

    ladder: Ladder
    dispatcher: Dispatcher
    embed: Embed
    check_timeout_s: float = 10.0
    cheaper: bool = False


class Run:
    """One trip's plan, carried out: afterwards the trip has its rungs and its answer."""

    def __init__(self, trip: Trip, call: Call, means: Means) -> None:
        self.trip = trip
        self.call = call
        self.means = means

    def carry_out(self) -> None:
        """Take the plan's steps."""
        if self.trip.plan.strategy == "parallel":
            self._both()
        else:
            self._climb()

    def _climb(self) -> None:
        """Tier after tier until an answer passes its checks; if none does, the best counts."""
        steps, feedback = self.trip.plan.steps, ""
        for step, above in zip(steps, (*steps[1:], None), strict=True):
            answered = self._ask_or_stop(step, feedback)
            if answered is None:
                break
            rung = self._rung(step, answered)
            if rung.failed is None or (above is None and len(steps) == 1):
                self.trip.chosen = rung.attempt
                return
            rejected = self.call.journal.reject(answered.attempt, rung.failed)
            feedback = rung.failed.feedback
            if above is not None:
                self.call.journal.climb()
                self.trip.tell(Escalated(rejected, rung.failed, above.tier.name))
        self._choose_best()

    def _choose_best(self) -> None:
        rungs = self.trip.rungs
        place = best([rung.verdicts for rung in rungs])
        self.trip.chosen = rungs[place].attempt
        if len(rungs) > 1:
            what = (
                f"none of {len(rungs)} answers passed its checks; the best is {rungs[place].tier}'s"
            )
            self.trip.tell(Notice(what))

    def _ask_or_stop(self, step: Step, feedback: str) -> Answered | None:
        """The step's answer; None where there is one already and the budget ends here."""
        try:
            return self._ask(step, feedback)
        except BudgetExceeded as error:
            if not self.means.cheaper:
                raise
            if self.trip.rungs:
                self.trip.tell(Notice(f"not asked of {step.tier.name}: {error}"))
                return None
            return self._ask_cheaper(step, error)

    def _ask_cheaper(self, step: Step, refused: BudgetExceeded) -> Answered:
        """The answer of the dearest tier below that the budget still has room for."""
        tiers = self.means.ladder.tiers
        place = self.means.ladder.index(step.tier.name)
        for tier in reversed(tiers[:place]):
            with contextlib.suppress(BudgetExceeded):
                answered = self._ask(Step(tier, tier.targets), "")
                what = (
                    f"over the budget, so {tier.name} was asked and not {step.tier.name}: {refused}"
                )
                self.trip.tell(Notice(what))
                return answered
        raise refused

    def _ask(self, step: Step, feedback: str = "", call: Call | None = None) -> Answered:
        told = wanted_of(self.trip, step, feedback)
        requests = adapt(self.trip.prompt, step, self.trip.options, told)
        return self.means.dispatcher.run(step, requests, call or self.call)

    def _rung(self, step: Step, answered: Answered, *before: Verdict) -> Rung:
        verdicts = before
        if all(verdict.passed for verdict in before):
            verdicts = (*before, *judge(answered.reply, self._checks(step)))
        rung = Rung(answered.attempt.tier, answered.attempt.id, verdicts)
        self.trip.rungs.append(rung)
        return rung

    def _checks(self, step: Step) -> tuple[Check, ...]:
        trip, lowest = self.trip, self.means.ladder.tiers[0].name
        made = wanted(
            trip.options,
            prompt=trip.prompt,
            tier=step.tier.name,
            lowest=step.tier.name == lowest,
            structured=schema_check(trip.schema) if trip.schema else None,
        )
        limit = self.means.check_timeout_s
        return tuple(within(one, limit) if getattr(one, "own", False) else one for one in made)

    def _both(self) -> None:
        """Two tiers at once; the cheaper one's answer is kept where they agree."""
        lower, upper = self.trip.plan.steps
        beside = _Beside(lambda call: self._ask(upper, "", call), self.call)
        low = high = None
        failures: list[ProviderError] = []
        try:
            low = self._ask(lower)
        except ProviderError as error:
            failures.append(error)
        except BaseException:
            beside.stop()
            raise
        try:
            high = beside.answer()
        except ProviderError as error:
            failures.append(error)
        if low and high:
            self._keep_one(lower, low, upper, high)
        elif low:
            self._keep_only(lower, low, failures[0])
        elif high:
            self._keep_only(upper, high, failures[0])
            self.trip.tell(Text(high.reply.text))
        else:
            raise failures[0]

    def _keep_only(self, step: Step, answered: Answered, failure: ProviderError) -> None:
        self.trip.tell(Notice(f"only {step.tier.name} answered: {failure}"))
        self.trip.chosen = self._rung(step, answered).attempt

    def _keep_one(self, lower: Step, low: Answered, upper: Step, high: Answered) -> None:
        rung = self._rung(lower, low, self._agreed(low, high))
        if rung.failed is None:
            self.trip.chosen = rung.attempt
            reason = f"{rung.verdicts[0].reason}: {lower.tier.name}'s is kept"
            self.call.journal.unused(high.attempt, reason)
            return
        rejected = self.call.journal.reject(low.attempt, rung.failed)
        self.call.journal.escalated(high.attempt)
        self.trip.tell(Escalated(rejected, rung.failed, upper.tier.name))
        self.trip.chosen = self._rung(upper, high).attempt
        self.trip.tell(Text(high.reply.text))

    def _agreed(self, low: Answered, high: Answered) -> Verdict:
        wanted_similarity = self.trip.plan.agreement or 0.0
        try:
            found = similarity(*self.means.embed([low.reply.text, high.reply.text], self.call))
        except ProviderError as error:
            return Verdict(False, "agreement", f"the answers could not be compared: {error}")
        passed = found >= wanted_similarity
        sign = "at least" if passed else "under"
        reason = f"similarity {found:.2f}, {sign} {wanted_similarity:.2f}"
        return Verdict(passed, "agreement", reason)


class _Beside:
    """A call in a second thread, whose text is not shown as it comes."""

    def __init__(self, ask: Callable[[Call], Answered], call: Call) -> None:
        self._cancel = call.cancel or threading.Event()
        self._answers: list[Answered] = []
        self._errors: list[BaseException] = []
        self._call = call.beside(self._cancel)
        self._thread = threading.Thread(target=self._work, args=(ask,), daemon=True)
        self._thread.start()

    def answer(self) -> Answered:
        """The answer, when it is there; raises what the call raised."""
        try:
            self._thread.join()
        except BaseException:
            self.stop()
            raise
        if self._errors:
            raise self._errors[0]
        return self._answers[0]

    def stop(self) -> None:
        """Stop it and wait until it has written down what it cost."""
        self._cancel.set()
        self._thread.join()

    def _work(self, ask: Callable[[Call], Answered]) -> None:
        try:
            self._answers.append(ask(self._call))
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            self._errors.append(error)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine of the angle between two vectors; 0 where it is below, or one is nothing.

    After the second article's parallel routing.
    """
    import numpy as np

    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return max(float(np.dot(one, other)) / size, 0.0) if size else 0.0
