"""A call in a second thread, beside the one in this."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbroute.checks import best, judge, wanted
from nbroute.checks.structured import schema_check
from nbroute.engine.context import Trip
from nbroute.engine.dispatch import Answered, Call, Dispatcher
from nbroute.engine.requests import adapt, wanted_of
from nbroute.errors import BudgetExceeded, Interrupted, NbrouteError, ProviderError
from nbroute.types import (
    Check,
    Escalated,
    Ladder,
    Notice,
    Reply,
    Rung,
    Sent,
    Step,
    Text,
    Verdict,
)

if TYPE_CHECKING:
    import numpy as np


class Beside:
    """A call in a second thread, whose text is not shown as it comes."""

    def __init__(self, ask: Callable[[Call], Answered], call: Call) -> None:
        self._cancel = _Linked(call.cancel)
        self._ended = threading.Event()
        self._answers: list[Answered] = []
        self._errors: list[BaseException] = []
        self._call = call.beside(self._cancel)
        threading.Thread(target=self._work, args=(ask,), daemon=True).start()

    def answer(self) -> Answered:
        """The answer, when it is there; raises what the call raised."""
        try:
            self._ended.wait()  # not `join`: see deadline.py
        except BaseException:
            self.stop()
            raise
        if self._errors:
            raise self._errors[0]
        return self._answers[0]

    def stop(self) -> None:
        """Stop it and wait until it has written down what it cost."""
        self._cancel.set()
        self._ended.wait()

    def _work(self, ask: Callable[[Call], Answered]) -> None:
        try:
            self._answers.append(ask(self._call))
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            self._errors.append(error)
        finally:
            self._ended.set()


class _Linked(threading.Event):
    """An event that is set too where the caller's is; to set it leaves that one alone."""

    def __init__(self, other: threading.Event | None) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        return super().is_set() or (self._other is not None and self._other.is_set())


def within(check: Check, seconds: float) -> Check:
    """The check with a time limit; one that does not end in time fails the answer.

    It runs in a thread of its own. What is left of it after the limit is stopped at its next
    line of Python; a call into C that never returns (a `time.sleep`) stays until it ends.
    """
    label: str = getattr(check, "__name__", type(check).__name__)

    def timed(reply: Reply) -> Verdict:
        outcome: list[Verdict | BaseException] = []
        # Not `join`: a Ctrl-C in it makes Python 3.11 take the thread for ended.
        ended = threading.Event()
        thread = threading.Thread(target=_keep, args=(check, reply, outcome, ended), daemon=True)
        try:
            thread.start()
            ended.wait(seconds)
        finally:
            if not ended.is_set():
                _stop(thread)
        if not outcome:
            return Verdict(False, label, f"the check did not end within {seconds:g} s")
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    timed.__name__ = label
    return timed


def _keep(
    check: Check, reply: Reply, outcome: list[Verdict | BaseException], ended: threading.Event
) -> None:
    try:
        outcome.append(check(reply))
    except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
        outcome.append(error)
    finally:
        ended.set()


def _stop(thread: threading.Thread) -> None:
    ident = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(SystemExit))


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
        for place, step in enumerate(steps):
            answered = self._ask_or_go_on(step, feedback)
            if answered is None:
                continue
            rung = self._rung(step, answered)
            if rung.failed is None or len(steps) == 1:
                self.trip.chosen = rung.attempt
                return
            feedback = rung.failed.feedback
            self._reject(answered, rung.failed, steps[place + 1 : place + 2])
        self._choose_best()

    def _reject(self, answered: Answered, verdict: Verdict, then: tuple[Step, ...]) -> None:
        rejected = self.call.journal.reject(answered.attempt, verdict)
        for above in then:
            self.call.journal.climb()
            self.trip.tell(Escalated(rejected, verdict, above.tier.name))

    def _choose_best(self) -> None:
        rungs = self.trip.rungs
        chosen = rungs[best([rung.verdicts for rung in rungs])]
        self.trip.chosen = chosen.attempt
        self.call.journal.kept(chosen.attempt)
        if len(rungs) > 1:
            what = f"none of {len(rungs)} answers passed its checks; the best is {chosen.tier}'s"
            self.trip.tell(Notice(what))

    def _ask_or_go_on(self, step: Step, feedback: str) -> Answered | None:
        """The step's answer; None, with a notice, where it fails and there is one already."""
        try:
            return self._ask_or_cheaper(step, feedback)
        except (ProviderError, BudgetExceeded) as error:
            refused = isinstance(error, BudgetExceeded) and not self.means.cheaper
            if refused or not self.trip.rungs:
                raise
            self.trip.tell(Notice(f"{step.tier.name} could not be asked: {error}"))
            return None

    def _ask_or_cheaper(self, step: Step, feedback: str) -> Answered:
        """The step's answer, or where the budget refuses the first, one of a tier below."""
        try:
            return self._ask(step, feedback)
        except BudgetExceeded as error:
            if not self.means.cheaper or self.trip.rungs:
                raise
            return self._ask_cheaper(step, error)

    def _ask_cheaper(self, step: Step, refused: BudgetExceeded) -> Answered:
        """The answer of the dearest tier below that the budget still has room for.

        An escalation never comes down to the tier that it escalates.
        """
        ladder, parent = self.means.ladder, self.trip.parent
        known = parent is not None and parent.tier in ladder.names
        floor = ladder.index(parent.tier) + 1 if parent is not None and known else 0
        for tier in reversed(ladder.tiers[floor : ladder.index(step.tier.name)]):
            with contextlib.suppress(BudgetExceeded):
                answered = self._ask(Step(tier, tier.targets), "")
                what = f"over the budget, so {tier.name} was asked and not {step.tier.name}"
                self.trip.tell(Notice(f"{what}: {str(refused).partition(';')[0]}"))
                return answered
        raise refused

    def _ask(self, step: Step, feedback: str = "", call: Call | None = None) -> Answered:
        told = wanted_of(self.trip, step, feedback)
        requests = adapt(self.trip.prompt, step, self.trip.options, told)
        return self.means.dispatcher.run(step, requests, call or self.call)

    def _judged(self, step: Step, answered: Answered) -> tuple[Verdict, ...]:
        return judge(answered.reply, self._checks(step))

    def _rung(self, step: Step, answered: Answered, *verdicts: Verdict) -> Rung:
        """Note the answer with its verdicts; those that its checks give where there are none."""
        told = verdicts or self._judged(step, answered)
        rung = Rung(answered.attempt.tier, answered.attempt.id, told)
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
        limit, theirs = self.means.check_timeout_s, {id(one) for one in trip.options.checks}
        return tuple(within(one, limit) if _may_not_end(one, theirs) else one for one in made)

    def _both(self) -> None:
        """Two tiers at once; the cheaper one's answer is kept where they agree."""
        lower, upper = self.trip.plan.steps
        beside = Beside(lambda call: self._ask(upper, "", call), self.call)
        low = high = None
        failures: list[NbrouteError] = []
        fails = (ProviderError, BudgetExceeded) if self.means.cheaper else ProviderError
        try:
            low = self._ask_or_cheaper(lower, "")
        except fails as error:
            failures.append(error)
        except BaseException:
            beside.stop()
            raise
        try:
            high = beside.answer()
        except fails as error:
            failures.append(error)
        if low and high:
            self._keep_one(lower, low, upper, high)
        elif low:
            self._keep_only(lower, low, failures[0])
        elif high:
            self._keep_only(upper, high, failures[0])
            self._show(upper, high)
        else:
            raise failures[0]

    def _keep_only(self, step: Step, answered: Answered, failure: NbrouteError) -> None:
        self.trip.tell(Notice(f"only {answered.attempt.tier} answered: {failure}"))
        self.trip.chosen = self._rung(step, answered).attempt

    def _keep_one(self, lower: Step, low: Answered, upper: Step, high: Answered) -> None:
        """The lower tier's answer where both agree and it passes its checks, else the better's.

        Where they differ and only the lower one's passes its own checks, that one is kept.
        """
        agreed = self._agreed(low, high)
        below = self._rung(lower, low, agreed, *self._judged(lower, low))
        if below.failed is None:
            self.trip.chosen = below.attempt
            self.call.journal.unused(high.attempt, f"{agreed.reason}: {lower.tier.name}'s is kept")
            return
        above = self._rung(upper, high, *self._judged(upper, high))
        if above.failed is not None and below.failed is agreed:
            self.call.journal.reject(high.attempt, above.failed)
            self.trip.chosen = below.attempt
            self.trip.tell(Notice(f"they differ, and only {lower.tier.name}'s passed its checks"))
            return
        rejected = self.call.journal.reject(low.attempt, below.failed)
        self.call.journal.escalated(high.attempt)
        self.trip.tell(Escalated(rejected, below.failed, upper.tier.name))
        self.trip.chosen = above.attempt
        self._show(upper, high)

    def _show(self, step: Step, answered: Answered) -> None:
        """Tell an answer that came in beside another one."""
        self.trip.tell(Sent(step.tier.name, answered.attempt.model))
        self.trip.tell(Text(answered.reply.text))

    def _agreed(self, low: Answered, high: Answered) -> Verdict:
        wanted_similarity = self.trip.plan.agreement or 0.0
        try:
            found = similarity(*self.means.embed([low.reply.text, high.reply.text], self.call))
        except Interrupted:
            raise
        except NbrouteError as error:
            return Verdict(False, "agreement", f"the answers could not be compared: {error}")
        passed = found >= wanted_similarity
        sign = "at least" if passed else "under"
        reason = f"similarity {found:.3f}, {sign} {wanted_similarity:g}"
        return Verdict(passed, "agreement", reason)


def _may_not_end(check: Check, theirs: set[int]) -> bool:
    """Whether a user wrote it; what runs code in a process has a limit of its own."""
    written = getattr(check, "own", False) or id(check) in theirs
    return written and not getattr(check, "runs_code", False)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine of the angle between two vectors; 0 where it is below, or one is nothing.

    After the second article's parallel routing.
    """
    import numpy as np

    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return max(float(np.dot(one, other)) / size, 0.0) if size else 0.0
