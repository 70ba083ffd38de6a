"""The ladder of an answer: each tier that was asked, what was said of it, what it cost."""

from __future__ import annotations

from nbroute.notebook.wording import DOT, seconds
from nbroute.pricing import describe
from nbroute.types import Attempt, Cost, RouteResult, Rung


def has_ladder(result: RouteResult) -> bool:
    """Whether there is more to say than the one answer: it was checked, or others were asked."""
    return len(result.rungs) > 1 or any(rung.verdicts for rung in result.rungs) or _beside(result)


def ladder_title(result: RouteResult) -> str:
    """`ladder: SIMPLE rejected, MEDIUM passed`."""
    told = [f"{rung.tier} {_ended(rung)}" for rung in result.rungs]
    told += [f"{one.tier} not needed" for one in result.attempts if one.status == "unused"]
    return f"{'both tiers' if result.plan.strategy == 'parallel' else 'ladder'}: {', '.join(told)}"


def ladder_lines(result: RouteResult) -> list[str]:
    """A line a rung, in the order in which they were asked, and the tiers that were not."""
    attempts = {attempt.id: attempt for attempt in result.attempts}
    lines = [_line(rung, attempts[rung.attempt], result) for rung in result.rungs]
    lines += [_unused(one) for one in result.attempts if one.status == "unused"]
    asked = {attempt.tier for attempt in result.attempts if attempt.purpose == "answer"}
    rest = [step.tier.name for step in result.plan.steps if step.tier.name not in asked]
    return lines + ([f"not asked: {', '.join(rest)}"] if rest else [])


def _beside(result: RouteResult) -> bool:
    return any(attempt.status == "unused" for attempt in result.attempts)


def _ended(rung: Rung) -> str:
    return f"rejected by {rung.failed.check}" if rung.failed else "passed"


def _line(rung: Rung, attempt: Attempt, result: RouteResult) -> str:
    mark = ["the answer"] if attempt.id == result.answer.id else []
    return DOT.join([attempt.tier, attempt.model, _verdict(rung), *_figures(attempt), *mark])


def _verdict(rung: Rung) -> str:
    if rung.failed:
        return f"rejected by {rung.failed.check}: {rung.failed.reason}"
    passed = [f"{v.check} ({v.reason})" if v.reason else v.check for v in rung.verdicts]
    return f"passed {', '.join(passed)}" if passed else "taken unchecked"


def _unused(attempt: Attempt) -> str:
    return DOT.join(
        [attempt.tier, attempt.model, f"not needed: {attempt.error}", *_figures(attempt)]
    )


def _figures(attempt: Attempt) -> list[str]:
    cost = (
        "$0 (cached)" if attempt.cached else describe(Cost(attempt.cost_usd, attempt.cost_source))
    )
    told = [cost, seconds(attempt.latency_ms)]
    if attempt.rating is not None:
        told.append(f"rated itself {attempt.rating:g} of 10")
    return told
