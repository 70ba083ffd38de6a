"""A result in lines: its figures, why it went there, what else was tried."""

from __future__ import annotations

from nbroute.notebook.answer import safe_plain
from nbroute.notebook.rungs import cost_of, has_ladder, ladder_lines, ladder_title
from nbroute.notebook.wording import DOT, free, replayed
from nbroute.pricing import describe, same_model
from nbroute.report.table import seconds
from nbroute.types import Attempt, Decision, RouteResult


def headline(result: RouteResult) -> str:
    """`SIMPLE · openai/gpt-4o-mini · $0.000012 (list price) · 0.4 s · 21 in, 9 out`."""
    answer = result.answer
    parts = [
        answer.tier or "no tier",
        model_name(answer),
        f"{_several(result)}{cost_told(result)}",
        f"{seconds(result.latency_ms)}{' as recorded' if replayed(answer) else ''}",
        f"{_kept(result)}{tokens(answer)}",
    ]
    return DOT.join([*parts, *marks(result)])


def remarks(result: RouteResult) -> list[str]:
    """Why this tier, what else was tried, and what the user should know."""
    lines = [why_line(result)]
    told = {result.answer.id, *(rung.attempt for rung in result.rungs)}
    rest = [one for one in result.attempts if one.id not in told and one.status != "unused"]
    lines += [attempt_line(one) for one in rest]
    failed = [verdict for verdict in result.verdicts if not verdict.passed]
    if failed and len(result.rungs) == 1:
        lines.append(f"note: the answer did not pass {failed[0].check}: {failed[0].reason}")
    return lines + [f"note: {notice}" for notice in result.notices]


def ladder_plain(result: RouteResult) -> str:
    """The tiers that were asked, below the answer; empty where there is nothing to tell."""
    if not has_ladder(result):
        return ""
    lines = [ladder_title(result), *(f"- {line}" for line in ladder_lines(result))]
    return safe_plain("\n".join(lines))


def why_line(result: RouteResult) -> str:
    """`why: rules: "What is" at 0, 7 words · sure 0.93`."""
    return f"why: {reason(result.decision)}"


_DOING = {"classify": "classified with", "embed": "embedded with"}


def attempt_line(attempt: Attempt) -> str:
    """One call that is not the answer: what it was for, how it ended, what it cost."""
    doing = _DOING.get(attempt.purpose, "tried")
    ended = "" if attempt.status == "ok" else f": {attempt.error or attempt.status}"
    return f"{doing} {attempt.model} ({attempt.tier}){ended} · {cost_of(attempt)}"


def reason(decision: Decision) -> str:
    """The decision's reason, and how sure it is."""
    sure = "" if decision.confidence is None else f"{DOT}sure {decision.confidence:.2f}"
    return f"{decision.reason}{sure}"


def model_name(attempt: Attempt) -> str:
    """The model, whether it is simulated, and which one answered where that is another."""
    if attempt.provider_kind == "simulated":
        return f"{attempt.model} (simulated)"
    by = attempt.answered_by
    other = by and not same_model(attempt.model, by)
    return f"{attempt.model} (answered by {by:.80})" if other else attempt.model


def cost_told(result: RouteResult) -> str:
    """The cost and where it comes from; of an answer that came out of the cache, that it did."""
    if result.cached and result.cost_usd == 0:
        return free(result.answer)
    if result.answer.status == "error" and not result.answer.text and result.cost_usd == 0:
        return "nothing charged"
    told = describe(result.cost)
    unknown = dict.fromkeys(one.model for one in result.attempts if one.cost_usd is None)
    if unknown and result.answer.cost_usd is not None:
        told = f"unknown (what {' and '.join(unknown)} cost is not known)"
    return f"+{told} for this step" if result.parent else told


def _several(result: RouteResult) -> str:
    """`2 answers: ` where the cost is that of more than the one that is kept."""
    paid = [one for one in result.attempts if one.purpose == "answer" and one.text]
    return f"{len(paid)} answers: " if len(paid) > 1 else ""


def _kept(result: RouteResult) -> str:
    return "used: " if _several(result) else ""


def tokens(attempt: Attempt) -> str:
    """`21 in, 9 out`."""
    about = "about " if attempt.tokens_estimated else ""
    return f"{about}{attempt.input_tokens} in, {attempt.output_tokens} out"


def marks(result: RouteResult) -> list[str]:
    """How the answer ended where that was not well, and whether part of it is cached."""
    answer = result.answer
    marks = ["cached"] if answer.cached and result.cost_usd else []
    ended = answer.status in ("ok", "rejected")
    if ended and len(result.rungs) > 1 and not result.passed:
        marks.append("checks not passed")
    elif answer.status == "rejected":
        marks.append(f"rejected: {answer.error}")
    elif answer.status == "interrupted":
        marks.append("interrupted" + (": a partial answer" if answer.text else " before any text"))
    elif answer.status == "error":
        marks.append("broke off: a partial answer" if (answer.text or "").strip() else "failed")
    elif answer.finish_reason == "length":
        marks.append("cut off by the token budget")
    elif answer.finish_reason == "content_filter":
        marks.append("cut off by the endpoint's filter")
    return marks
