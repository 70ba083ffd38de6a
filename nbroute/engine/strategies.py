"""Plan -> answer: which tiers are asked, and whose answer is used.

Escalation answers a verdict, or a tier that could not answer: the next tier is asked.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from nbroute.checks import agree, best, final_value, judge, wanted
from nbroute.checks.structured import schema_check
from nbroute.checks.values import Agreement
from nbroute.engine.context import Call
from nbroute.engine.dispatch import (
    Answered,
    check_together,
    dispatch,
    embed,
    may_read_more,
    reads,
    requests_for,
)
from nbroute.errors import (
    AllModelsFailed,
    BudgetExceeded,
    ContextTooLong,
    Interrupted,
    NbrouteError,
    ProviderError,
    ReplayMiss,
    SettingsError,
    all_of,
    named,
)
from nbroute.locks import thread_for
from nbroute.report.table import shortened
from nbroute.types import (
    NO_ANSWER,
    UNCOMPARED,
    Attempt,
    Check,
    Escalated,
    Notice,
    Plan,
    Repeats,
    Reply,
    Rung,
    Sent,
    Step,
    Text,
    Verdict,
)

if TYPE_CHECKING:
    import numpy as np


#: The check that two answers fail if they differ.
AGREEMENT = "agreement"
#: Characters of a value that a verdict shows.
SAID = 40


def climb(call: Call, plan: Plan) -> str:
    """Tier after tier until an answer passes its checks; if none does, the best is used.

    The id of the attempt whose text is the answer.
    """
    feedback, answers, failures = "", list[Rung](), list[tuple[str, ProviderError]]()
    left = list(plan.steps)
    while left:
        step = left.pop(0)
        try:
            answered = _ask_or_cheaper(call, step, feedback, above=bool(left))
        except BudgetExceeded as error:
            if not (call.cheaper and answers):
                raise
            call.tell(Notice(f"{step.tier.name} could not be asked: {error}"))
            continue
        except ProviderError as error:
            failures.append((step.tier.name, error))
            if answers:
                doing = "could not answer" if error.try_next else "could not be asked"
                call.tell(Notice(f"{step.tier.name} {doing}: {error}"))
            elif left:
                left = _above(step, error, left)
            _tell_no_answer(call, error, left)
            continue
        rung = call.log.judged(answered.attempt, _judge(call, step, answered))
        if rung.failed is None or len(plan.steps) == 1:
            return rung.attempt
        answers.append(rung)
        feedback = rung.failed.feedback
        _tell_escalated(call, call.log.reject(rung.attempt, rung.failed), rung.failed, left)
    if not answers:
        causes = tuple(cause for tier, error in failures for cause in _causes(tier, error))
        several = AllModelsFailed(f"no tier could answer. {all_of(causes)}", causes)
        raise several if failures[1:] else failures[0][1]
    chosen = answers[best([rung.verdicts for rung in answers])]
    call.log.mark(chosen.attempt, status="ok")
    if len(answers) > 1:
        what = f"none of {len(answers)} answers passed its checks; the best is {chosen.tier}'s"
        call.tell(Notice(what))
    return chosen.attempt


def _above(step: Step, error: ProviderError, left: list[Step]) -> list[Step]:
    """The steps that may answer what this one could not."""
    causes = [cause for _, cause in _causes("", error)]
    if all(isinstance(cause, ContextTooLong) for cause in causes):
        known = [count for target in step.targets if (count := reads(step.tier, target))]
        read = max(known, default=None)
        return [one for one in left if any(may_read_more(one.tier, at, read) for at in one.targets)]
    if error.try_next:
        return left
    refused = {target.provider for target in step.targets}
    return [one for one in left if {target.provider for target in one.targets} - refused]


def _causes(tier: str, error: ProviderError) -> list[tuple[str, ProviderError]]:
    """What each model of the tier failed with."""
    if isinstance(error, AllModelsFailed):
        return [(f"{tier}: {model}", cause) for model, cause in error.causes]
    return [(tier, error)]


def _tell_no_answer(call: Call, error: ProviderError, left: list[Step]) -> None:
    """Note that a tier could not answer, as a step of the cascade."""
    asked = [one for one in call.log.attempts.values() if one.answers]
    if asked and call.options.strategy == "cascade":
        verdict = Verdict(False, NO_ANSWER, named(_causes("", error)[-1][1]))
        call.log.judged(asked[-1], (verdict,))
        _tell_escalated(call, asked[-1], verdict, left)


def _tell_escalated(call: Call, rejected: Attempt, verdict: Verdict, left: list[Step]) -> None:
    for above in left[:1]:
        call.log.share(escalated=True)
        call.tell(Escalated(rejected, verdict, above.tier.name))


def _ask(call: Call, step: Step, feedback: str = "", *, above: bool = False) -> Answered:
    return dispatch(call, step, requests_for(call, step, feedback), above=above)


def _ask_or_cheaper(call: Call, step: Step, feedback: str = "", *, above: bool = False) -> Answered:
    """The step's answer; if the budget refuses the first step, that of a tier below.

    It is the most expensive one that the budget has room for; an escalation never comes down
    to the tier that it escalates.
    """
    try:
        return _ask(call, step, feedback, above=above)
    except BudgetExceeded as error:
        if not call.cheaper or call.log.rungs:
            raise
        refused = error
    ladder, parent, floor = call.parts.ladder, call.parent, 0
    if parent is not None and parent.tier in ladder.names:
        floor = ladder.index(parent.tier) + 1
    for tier in reversed(ladder.tiers[floor : ladder.index(step.tier.name)]):
        with contextlib.suppress(BudgetExceeded):
            answered = _ask(call, Step(tier, tier.targets))
            what = f"over the budget, so {tier.name} was asked instead of {step.tier.name}"
            call.tell(Notice(f"{what}: {str(refused).partition(';')[0]}"))
            return answered
    raise refused


def _judge(call: Call, step: Step, answered: Answered) -> tuple[Verdict, ...]:
    """The verdicts of the checks that were asked for; those of a user's own have a time limit."""
    checks = wanted(
        call.options,
        prompt=call.prompt,
        lowest=step.tier.name == call.parts.ladder.tiers[0].name,
        structured=schema_check(call.schema) if call.schema else None,
        learned=call.parts.learned_check,
    )
    limit, theirs = call.parts.check_timeout_s, set(map(id, call.options.checks))
    limited: list[Check] = []
    for check in checks:
        written = getattr(check, "own", False) or id(check) in theirs
        # A check that runs code in a process has a limit already.
        may_not_end = written and not getattr(check, "runs_code", False)
        limited.append(within(check, limit) if may_not_end else check)
    return judge(answered.reply, tuple(limited))


def parallel(call: Call, plan: Plan) -> str:
    """Two tiers at once; the cheaper one's answer is used where they agree.

    The id of the attempt whose text is the answer.
    """
    lower, upper = plan.steps
    low, high, failures = _at_once(call, plan)
    if low and high:
        return _choose(call, plan, low, high)
    step, only = (lower, low) if low else (upper, high)
    if only is None:
        raise failures[0]
    call.tell(Notice(f"only {only.attempt.tier} answered: {failures[0]}"))
    call.log.judged(only.attempt, _judge(call, step, only))
    if only is high:
        _show(call, upper, high)
    return only.attempt.id


def consensus(call: Call, plan: Plan) -> str:
    """Two tiers at once; the third is asked where they differ or one of them has no answer.

    The id of the attempt whose text is the answer: the cheapest's, where two agree and it
    passes its checks.
    """
    first, second, third = plan.steps
    if first.targets[0].model == second.targets[0].model:
        same = f"{first.tier.name} and {second.tier.name} are both {first.targets[0].model}"
        call.tell(Notice(f"{same}: a model agrees with itself more often than it is right"))
    low, high, failures = _at_once(call, plan)
    came = [(step, one) for step, one in ((first, low), (second, high)) if one]
    checked = [_judge(call, step, one) for step, one in came]
    if low and high:
        agreed = _agreed(call, plan, low, high, checked)
    else:
        agreed = Verdict(False, AGREEMENT, f"only one of two answered: {failures[0]}")
    rungs = [
        call.log.judged(one.attempt, (agreed, *verdicts))
        for (_, one), verdicts in zip(came, checked, strict=True)
    ]
    passed = [rung for rung in rungs if rung.failed is None]
    if not passed:
        return _decided(call, third, rungs)
    for rung in rungs:
        if rung.failed:
            call.log.reject(rung.attempt, rung.failed)
        elif rung is not passed[0]:
            _set_aside(call, rung.attempt, agreed, passed[0].tier)
    if passed[0] is not rungs[0] and high:
        _show(call, second, high)
    return passed[0].attempt


def _decided(call: Call, third: Step, rungs: list[Rung]) -> str:
    """The third tier's answer; if it will not do, the cheapest of the other two."""
    for rung in rungs:
        if rung.failed:
            call.log.reject(rung.attempt, rung.failed)
    if rungs and rungs[0].failed:
        call.log.share(escalated=True)
        rejected = call.log.attempts[rungs[0].attempt]
        call.tell(Escalated(rejected, rungs[0].failed, third.tier.name))
    spare = [rung for rung in rungs if all(verdict.passed for verdict in rung.verdicts[1:])]
    try:
        top = _ask(call, third)
    except (ProviderError, BudgetExceeded) as error:
        if not spare or (isinstance(error, BudgetExceeded) and not call.cheaper):
            raise
        call.tell(Notice(f"{third.tier.name} could not be asked: {error}"))
    else:
        above = call.log.judged(top.attempt, _judge(call, third, top))
        if above.failed is None or not spare:
            return above.attempt
        call.log.reject(above.attempt, above.failed)
        call.tell(Notice(f"only {spare[0].tier}'s answer passed its checks"))
    call.log.mark(spare[0].attempt, status="ok")
    return spare[0].attempt


def _at_once(call: Call, plan: Plan) -> tuple[Answered | None, Answered | None, list[NbrouteError]]:
    """The answers of the plan's first two tiers, and the errors of those that failed."""
    lower, upper = plan.at_once
    if not call.cheaper:
        check_together(call, plan.steps)
    cancel = _LinkedEvent(call.cancel)
    second = copy.copy(call)
    second.cancel, second.shows = cancel, False
    asking, thread = thread_for(lambda: _ask(second, upper))
    low = high = None
    failures: list[NbrouteError] = []
    fails = (ProviderError, BudgetExceeded) if call.cheaper else ProviderError
    try:
        thread.start()
        try:
            low = _ask_or_cheaper(call, lower)
        except fails as error:
            failures.append(error)
        try:
            high = asking.result()
        except fails as error:
            failures.append(error)
    except BaseException:
        cancel.set()
        if not asking.cancel():  # it has begun: wait until its cost is written down
            asking.exception()
        raise
    return low, high, failures


def _agreed(
    call: Call,
    plan: Plan,
    low: Answered,
    high: Answered,
    checked: Sequence[Sequence[Verdict]],
) -> Verdict:
    """Whether two answers agree, and how that is known.

    If their code was run, `checked` (the verdicts on both) decides. Vectors are made only if
    one of the answers has no value, or the cosine alone was asked for.
    """
    texts, least = (low.reply.text, high.reply.text), plan.agreement or 0.0
    if any(getattr(check, "runs_code", False) for check in call.options.checks):
        passed = all(verdict.passed for verdicts in checked for verdict in verdicts)
        told = "both pass the tests" if passed else "the tests do not pass for both"
        return Verdict(passed, AGREEMENT, told)
    found = agree(*texts)
    one, other = (shortened(value or "", SAID) for value in found.values)
    if call.options.by != "cosine":
        if found.by == "value" and found.agrees:
            return Verdict(True, AGREEMENT, f"both say {one}")
        if found.by == "value":
            said = f"{low.attempt.tier} says {one}, {high.attempt.tier} {other}"
            return Verdict(False, AGREEMENT, said)
        if found.agrees:
            return Verdict(True, AGREEMENT, "in the same words")
    try:
        cosine = similarity(*embed(call, texts)[0])
    except Interrupted:
        raise
    except NbrouteError as error:
        call.tell(Notice(f"{UNCOMPARED}, so they count as different: {error}"))
        return Verdict(False, AGREEMENT, UNCOMPARED)
    sign = "at least" if cosine >= least else "under"
    return Verdict(cosine >= least, AGREEMENT, f"similarity {cosine:.3f}, {sign} {least:g}")


def _set_aside(call: Call, attempt: str, agreed: Verdict, kept: str) -> None:
    call.log.mark(attempt, status="unused", error=f"{agreed.reason}: {kept}'s is used")


def _choose(call: Call, plan: Plan, low: Answered, high: Answered) -> str:
    """The lower tier's answer if both agree and it passes its checks, else the upper tier's.

    If they differ and only the lower tier's passes its own checks, that one is used.
    """
    lower, upper = plan.steps
    checked = [_judge(call, lower, low), _judge(call, upper, high)]
    agreed = _agreed(call, plan, low, high, checked)
    below = call.log.judged(low.attempt, (agreed, *checked[0]))
    if below.failed is None:
        _set_aside(call, high.attempt.id, agreed, lower.tier.name)
        return below.attempt
    above = call.log.judged(high.attempt, checked[1])
    if above.failed is not None and below.failed is agreed:
        call.log.reject(above.attempt, above.failed)
        call.tell(Notice(f"only {lower.tier.name}'s answer passed its checks"))
        return below.attempt
    rejected = call.log.reject(below.attempt, below.failed)
    call.log.mark(above.attempt, escalated=True)
    call.tell(Escalated(rejected, below.failed, upper.tier.name))
    _show(call, upper, high)
    return above.attempt


def _show(call: Call, step: Step, answered: Answered) -> None:
    """Show an answer that came in unseen while another one was shown."""
    call.tell(Sent(step.tier.name, answered.attempt.model, answered.reply.effort))
    call.tell(Text(answered.reply.text))


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine of the angle between two vectors; 0 if it is negative, or one vector is zero.

    After the second article's parallel routing.
    """
    import numpy as np

    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return max(float(np.dot(one, other)) / size, 0.0) if size else 0.0


def repeat(call: Call, plan: Plan) -> str:
    """Ask the plan's one step `times` times, and use the answer that most of them agree with.

    The id of the attempt whose text is the answer: the first of these.
    """
    if call.cache_mode == "only":
        raise SettingsError("repeat asks each time afresh, and cache mode 'only' sends nothing")
    call.cache_mode = "off"
    step = _affordable(call, plan.steps[0], plan.times)
    if call.parts.kind(step.tier) == "simulated":
        call.tell(Notice("a simulated model gives the same answer each time"))
    answers, failures = _asked_often(call, step, plan.times)
    if not answers:
        raise failures[0]
    if failures:
        told = f"{len(failures)} of {plan.times} answers did not come"
        call.tell(Notice(f"{told}: {failures[0]}"))
    pairs = _pairs(call, [one.reply.text for one in answers])
    counts = [sum(pair.agrees for pair in row) for row in pairs]
    place = counts.index(max(counts))
    chosen, row = answers[place], pairs[place]
    for one, pair in zip(answers, row, strict=True):
        if one is not chosen:
            value = pair.values[1]
            differs = f"says {value:.80}" if pair.by == "value" and value else "differs"
            told = "agrees" if pair.agrees else differs
            call.log.mark(one.attempt.id, status="unused", error=told)
    agreeing = [one.attempt.id for one, pair in zip(answers, row, strict=True) if pair.agrees]
    ids = tuple(one.attempt.id for one in answers)
    call.repeats = Repeats(plan.times, ids, tuple(agreeing), row[place].by, row[place].values[0])
    call.log.judged(chosen.attempt, _judge(call, step, chosen))
    _show(call, step, chosen)
    return chosen.attempt.id


def _affordable(call: Call, step: Step, times: int) -> Step:
    """The step, or a cheaper one if the budget has no room for that many and allows it.

    BudgetExceeded before anything is sent.
    """
    if call.parts.replay is not None:
        return step
    ladder, refusals = call.parts.ladder, list[BudgetExceeded]()
    lower = ladder.tiers[: ladder.index(step.tier.name)] if call.cheaper else ()
    for one in (step, *(Step(tier, tier.targets) for tier in reversed(lower))):
        request = requests_for(call, one)[0]
        tier = one.tier.on(request.provider, request.model)
        kind = call.parts.providers[request.provider].kind
        try:
            call.log.afford(call.log.planned(request, tier, kind), times)
        except BudgetExceeded as error:
            refusals.append(error)
            continue
        if refusals:
            what = f"over the budget, so {tier.name} is asked instead of {step.tier.name}"
            call.tell(Notice(f"{what}: {str(refusals[0]).partition(';')[0]}"))
        return one
    raise refusals[0]


def _asked_often(call: Call, step: Step, times: int) -> tuple[list[Answered], list[NbrouteError]]:
    """The answers that came, in the order in which they were asked for, and the errors."""
    cancel, unseen = _LinkedEvent(call.cancel), copy.copy(call)
    unseen.cancel, unseen.shows = cancel, False
    requests = requests_for(call, step)

    def ask(sample: int) -> Answered:
        return dispatch(unseen, step, tuple(replace(one, sample=sample) for one in requests))

    asked = [thread_for(partial(ask, sample)) for sample in range(times)]
    answers, failures = list[Answered](), list[NbrouteError]()
    try:
        for _, thread in asked:
            thread.start()
        for outcome, _ in asked:
            try:
                answers.append(outcome.result())
            except (ProviderError, BudgetExceeded, ReplayMiss) as error:
                failures.append(error)
    except BaseException:
        cancel.set()
        for outcome, _ in asked:
            if not outcome.cancel():  # it has begun: wait until its cost is written down
                outcome.exception()
        raise
    return answers, failures


def _pairs(call: Call, texts: Sequence[str]) -> list[list[Agreement]]:
    """Whether each two of the texts agree: a square of them."""
    least = call.options.agreement
    least = call.parts.agreement if least is None else least
    cosines = _cosines(call, texts)
    return [
        [
            agree(one, other, cosines[row][column] if cosines else None, least=least)
            for column, other in enumerate(texts)
        ]
        for row, one in enumerate(texts)
    ]


def _cosines(call: Call, texts: Sequence[str]) -> list[list[float]] | None:
    """The cosine of each two; None if their values decide, or they cannot be embedded."""
    if len({*texts}) == 1 or all(final_value(text) is not None for text in texts):
        return None
    try:
        vectors = embed(call, texts)[0]
    except Interrupted:
        raise
    except NbrouteError as error:
        call.tell(Notice(f"only answers that are alike word for word count as agreeing: {error}"))
        return None
    return [[similarity(one, other) for other in vectors] for one in vectors]


class _LinkedEvent(threading.Event):
    """An event that is set once the caller's is, too; setting it leaves that one alone."""

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
        outcome, thread = thread_for(lambda: check(reply))
        try:
            thread.start()
            outcome.exception(seconds)
        except TimeoutError:
            return Verdict(False, label, f"the check did not end within {seconds:g} s")
        finally:
            if not (outcome.cancel() or outcome.done()):
                ident = ctypes.c_ulong(thread.ident or 0)
                stop = ctypes.py_object(SystemExit)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, stop)
        return outcome.result()

    timed.__name__ = label
    return timed


#: The strategies by name; each returns the id of the attempt whose text is the answer.
STRATEGIES: Mapping[str, Callable[[Call, Plan], str]] = {
    "direct": climb,
    "cascade": climb,
    "parallel": parallel,
    "consensus": consensus,
}
