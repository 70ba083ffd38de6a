"""The ladder of an answer: each tier that was asked, what was said of it, what it cost."""

from __future__ import annotations

from nbroute.notebook.wording import DOT, free
from nbroute.pricing import describe
from nbroute.report.table import seconds
from nbroute.types import NO_ANSWER, Attempt, Cost, RouteResult, Rung

#: Characters that are shown of an answer that was sent back.
QUOTED = 160


def has_ladder(result: RouteResult) -> bool:
    """Whether there is more to say than the one answer: it was checked, or others were asked."""
    return len(result.rungs) > 1 or any(rung.verdicts for rung in result.rungs) or _beside(result)


def ladder_title(result: RouteResult) -> str:
    """`ladder: SIMPLE rejected by unsure, MEDIUM passed`, or whether two in parallel agree."""
    told = ", ".join(f"{rung.tier} {_ended(rung)}" for rung in result.rungs)
    if result.plan.strategy == "parallel":
        return f"both tiers: {_agreement(result) or told}"
    return f"{'checks' if result.plan.strategy == 'direct' else 'ladder'}: {told}"


def _agreement(result: RouteResult) -> str:
    """Empty where only one of the two answered."""
    verdict = next((v for r in result.rungs for v in r.verdicts if v.check == "agreement"), None)
    if verdict is None:
        return ""
    agree = "they agree" if verdict.passed else "they differ"
    return f"{agree} ({verdict.reason}), {result.tier}'s answer is kept"


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
    if rung.failed and rung.failed.check == NO_ANSWER:
        return "could not answer"
    return f"rejected by {rung.failed.check}" if rung.failed else "passed"


def _line(rung: Rung, attempt: Attempt, result: RouteResult) -> str:
    kept = attempt.id == result.answer.id and attempt.text
    mark = ["the answer"] if kept else _quoted(rung, attempt)
    return DOT.join([attempt.tier, attempt.model, *_verdict(rung), *_figures(attempt), *mark])


def _verdict(rung: Rung) -> list[str]:
    failed = rung.failed
    if failed and failed.check == "agreement":
        return [f"differs: {failed.reason}"]
    if failed:
        return [f"{_ended(rung)}: {failed.reason}"]
    passed = [f"{v.check} ({v.reason})" if v.reason else v.check for v in rung.verdicts]
    return [f"passed {', '.join(passed)}"] if passed else []


def _quoted(rung: Rung, attempt: Attempt) -> list[str]:
    """The beginning of an answer that was sent back."""
    if rung.failed is None or not attempt.text:
        return []
    text = " ".join(attempt.text.split())
    return [f"it said: {text[:QUOTED]}{' ...' if len(text) > QUOTED else ''}"]


def _unused(attempt: Attempt) -> str:
    return DOT.join([attempt.tier, attempt.model, f"not kept: {attempt.error}", *_figures(attempt)])


def cost_of(attempt: Attempt) -> str:
    """What one call cost and where that is from, as on the card."""
    if attempt.cached:
        return free(attempt)
    if attempt.cost_usd == 0 and attempt.status == "error":
        return "nothing charged"
    return describe(Cost(attempt.cost_usd, attempt.cost_source))


def _figures(attempt: Attempt) -> list[str]:
    told = [cost_of(attempt), seconds(attempt.latency_ms)]
    if attempt.rating is not None:
        told.append(f"rated itself {attempt.rating:g} of 10")
    return told
