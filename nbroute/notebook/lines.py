"""A result in words: its figures, why it went there, the steps on the way."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from nbroute.classify.wording import confident
from nbroute.notebook.answer import safe_plain
from nbroute.pricing import SOURCES, call_usd, cost_of, format_usd, same_model, unknown_why
from nbroute.report.table import counted, seconds, shortened
from nbroute.types import (
    NO_ANSWER,
    Attempt,
    Cost,
    CostSource,
    Decision,
    Feedback,
    Label,
    ProviderKind,
    RouteResult,
    Rung,
    Tier,
)

if TYPE_CHECKING:
    from nbroute.router import Router

DOT = " · "
#: What is said of a simulated answer, the same whichever tier it is of.
WRITTEN = "simulated: written for a lesson, no model's words"
#: Characters that are shown of an answer that was sent back.
QUOTED = 160

#: What can be said of one answer, in the order in which it is offered, and what that means.
MEANS: dict[Feedback, str] = {
    "good": "this tier is what the prompt needs",
    "bad": "no good answer, whatever the tier",
    "too weak": "the prompt needs the next tier up",
    "overkill": "the next tier down would have done",
}
WORDS = tuple(MEANS)

_MEANING: dict[CostSource, str] = {
    "billed": "what the endpoint says that it charged",
    "list": "tokens × list price",
    "configured": "tokens × the price in your settings",
    "estimated": "an estimate: the tokens or the price are not certain",
    "equivalent": "nothing was billed; what a model of this tier would have cost",
    "unknown": "",
}


#: Said of all costs in a table, where they come from one source.
COSTS = SOURCES | {"equivalent": "what it would have cost; nothing is billed"}


@dataclass(frozen=True)
class Scale:
    """The ladder that answers are seen against: its tiers, and what the lowest one costs."""

    tiers: tuple[str, ...] = ()
    lowest: Tier | None = None
    kind: ProviderKind = "remote"

    @classmethod
    def of(cls, router: Router) -> Scale:
        """That of a router."""
        lowest = router.ladder.tiers[0]
        return cls(router.ladder.names, lowest, router.parts.kind(lowest))

    def ratio(self, result: RouteResult) -> str:
        """`3× SIMPLE`: the cost against that of the same tokens on the lowest tier."""
        lowest, cost = self.lowest, result.cost_usd
        if lowest is None or not cost or result.tier == lowest.name or result.cached:
            return ""
        least = cost_of(result.usage, lowest, lowest.model, self.kind).usd
        return f"{times(cost / least)} {lowest.name}" if least else ""


def times(ratio: Decimal) -> str:
    """`3×`, `1.4×`, `250×`."""
    return f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.1f}".removesuffix(".0") + "×"


def headline(result: RouteResult, scale: Scale | None = None) -> str:
    """`SIMPLE · openai/gpt-4o-mini · $0.000012 (list price) · 0.4 s · 21 → 9 tokens`."""
    answer = result.answer
    ratio = scale.ratio(result) if scale else ""
    parts = [answer.tier or "no tier", model_name(answer), cost_told(result), ratio]
    return DOT.join(filter(None, [*parts, took(result), tokens(answer), *marks(result)]))


def remarks(result: RouteResult) -> list[str]:
    """Why this tier, what else was tried, and what the user should know."""
    return [why_line(result), *notes(result)]


def notes(result: RouteResult) -> list[str]:
    """What else was tried, and what the user should know."""
    told = {result.answer.id, *(rung.attempt for rung in result.rungs)}
    rest = [one for one in result.attempts if one.id not in told and one.status != "unused"]
    lines = [attempt_line(one) for one in rest]
    failed = [verdict for verdict in result.verdicts if not verdict.passed]
    if failed and len(result.rungs) == 1:
        lines.append(f"note: the answer did not pass {failed[0].check}: {failed[0].reason}")
    return lines + [f"note: {notice}" for notice in result.notices]


def why_line(result: RouteResult) -> str:
    """`why SIMPLE: starts with "What is" · 93% confident`."""
    return f"{why_title(result)}: {reason(result.decision)}"


def why_title(result: RouteResult) -> str:
    """`why SIMPLE`, or `why it began on SIMPLE` where a cascade went on from there."""
    tier = result.decision.tier or result.tier
    began = "it began on " if tier != result.tier and len(result.rungs) > 1 else ""
    return f"why {began}{tier}"


def reason(decision: Decision) -> str:
    """The decision's reason, and how confident it is."""
    return DOT.join(filter(None, (decision.reason, confident(decision.confidence))))


_DOING = {"classify": "classified with", "embed": "embedded with"}


def attempt_line(attempt: Attempt) -> str:
    """One call that is not the answer: what it was for, how it ended, what it cost."""
    doing = _DOING.get(attempt.purpose, "tried")
    ended = "" if attempt.status == "ok" else f": {attempt.error or attempt.status}"
    return f"{doing} {attempt.model} ({attempt.tier}){ended}{DOT}{cost_of_call(attempt)}"


def model_name(attempt: Attempt) -> str:
    """The model, whether it is simulated, and which one answered where that is another."""
    if attempt.provider_kind == "simulated":
        return f"{attempt.model} (simulated)"
    by = attempt.answered_by
    other = by and not same_model(attempt.model, by)
    return f"{attempt.model} (answered by {by:.80})" if other else attempt.model


class Price(NamedTuple):
    """A cost in words: the amount, where it comes from, and what that means."""

    amount: str
    source: str = ""
    meaning: str = ""

    def __str__(self) -> str:
        """`$0.00043 (list price)`."""
        return f"{self.amount} ({self.source})" if self.source else self.amount


def price(cost: Cost) -> Price:
    """A cost in words."""
    if cost.usd is None:
        return Price("unknown", unknown_why(cost), "in no sum")
    return Price(call_usd(cost.usd), SOURCES[cost.source], _MEANING[cost.source])


def result_price(result: RouteResult) -> Price:
    """What a result cost; of an answer that came out of the cache, that it did."""
    if result.cached and result.cost_usd == 0:
        return _free(result.answer)
    if result.answer.status == "error" and not result.answer.text and result.cost_usd == 0:
        return Price("nothing charged")
    told = price(result.cost)
    unknown = dict.fromkeys(one.model for one in result.attempts if one.cost_usd is None)
    if unknown and result.answer.cost_usd is not None:
        return Price("unknown", f"what {' and '.join(unknown)} cost is not known", "in no sum")
    return told


def cost_told(result: RouteResult) -> str:
    """`$0.00043 (list price)`, of an escalation `+$0.0021 (list price) for this step`."""
    told = result_price(result)
    return f"+{told} for this step" if result.parent and told.amount[0] == "$" else str(told)


def exact_price(result: RouteResult) -> Price:
    """The price with the amount of one call, so that all that stand side by side have one unit."""
    told, usd = result_price(result), result.cost_usd
    return told._replace(amount=format_usd(usd)) if told.amount == call_usd(usd) else told


def _free(attempt: Attempt) -> Price:
    return Price("$0", "replayed" if replayed(attempt) else "cached", "not sent")


def cost_of_call(attempt: Attempt) -> str:
    """What one call cost and where that is from."""
    if attempt.cached:
        return str(_free(attempt))
    if attempt.cost_usd == 0 and attempt.status == "error":
        return "nothing charged"
    return str(price(Cost(attempt.cost_usd, attempt.cost_source)))


def beside(result: RouteResult) -> str:
    """`$0.0004 of it for 2 other answers`; empty where the one answer cost it all."""
    other = [one for one in result.attempts if one.id != result.answer.id and one.cost_usd]
    if not other:
        return ""
    cost = sum((one.cost_usd or Decimal(0) for one in other), Decimal(0))
    asked = sum(one.purpose == "answer" for one in other)
    what = (
        counted(asked, "other answer") if asked == len(other) else counted(len(other), "other call")
    )
    return f"{format_usd(cost)} of it for {what}"


def replayed(attempt: Attempt) -> bool:
    """Whether the answer is a recording's: it has a time, and one out of the cache has none."""
    return attempt.cached and attempt.latency_ms > 0


def took(result: RouteResult) -> str:
    """`1.2 s`; nothing for what came out of the cache."""
    if result.cached and not result.latency_ms:
        return ""
    return f"{seconds(result.latency_ms)}{' as recorded' if replayed(result.answer) else ''}"


def tokens(attempt: Attempt) -> str:
    """`21 → 9 tokens`."""
    about = "about " if attempt.tokens_estimated else ""
    return f"{about}{attempt.input_tokens:,} → {attempt.output_tokens:,} tokens"


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


class Step(NamedTuple):
    """A tier that was asked on the way: what was said of its answer, its cost and time."""

    tier: str
    model: str
    said: str
    cost: str = ""
    time: str = ""
    quoted: str = ""

    def __str__(self) -> str:
        """The step in a line."""
        return safe_plain(DOT.join(filter(None, self)))


def steps(result: RouteResult) -> list[Step]:
    """The tiers that were asked, in order, and those that were not; empty for a plain answer."""
    unused = [one for one in result.attempts if one.status == "unused"]
    if len(result.rungs) < 2 and not unused and not any(r.verdicts for r in result.rungs):
        return []
    attempts = {attempt.id: attempt for attempt in result.attempts}
    found = [_step(rung, attempts[rung.attempt], result) for rung in result.rungs]
    found += [_figures(one, f"not used: {one.error}") for one in unused]
    asked = {attempt.tier for attempt in result.attempts if attempt.purpose == "answer"}
    rest = [step.tier for step in result.plan.steps if step.tier.name not in asked]
    return found + [Step(tier.name, tier.model, "not asked") for tier in rest]


def steps_title(result: RouteResult) -> str:
    """`2 steps: SIMPLE rejected by unsure, MEDIUM used`, or whether two in parallel agree."""
    if result.plan.strategy == "parallel":
        verdicts = (v for rung in result.rungs for v in rung.verdicts if v.check == "agreement")
        verdict = next(verdicts, None)
        if verdict is not None:
            agree = "they agree" if verdict.passed else "they differ"
            return f"both tiers: {agree} ({verdict.reason}), {result.tier}'s answer is used"
    told = ", ".join(f"{rung.tier} {_ended(rung, result)}" for rung in result.rungs)
    if result.plan.strategy == "direct":
        return f"checks: {told}"
    return f"{counted(len(result.rungs), 'step')}: {told}"


def step_lines(result: RouteResult) -> list[str]:
    """The steps for a reader of plain text, the title first."""
    found = steps(result)
    return [safe_plain(steps_title(result)), *(f"- {one}" for one in found)] if found else []


def _ended(rung: Rung, result: RouteResult) -> str:
    if rung.failed and rung.failed.check == NO_ANSWER:
        return "could not answer"
    if rung.failed:
        return f"rejected by {rung.failed.check}"
    return "passed" if result.plan.strategy == "direct" else "used"


def _step(rung: Rung, attempt: Attempt, result: RouteResult) -> Step:
    failed, used = rung.failed, attempt.id == result.answer.id and attempt.text
    if failed and failed.check == "agreement":
        said = f"differs: {failed.reason}"
    elif failed:
        said = f"{_ended(rung, result)}: {failed.reason}"
    else:
        passed = [f"{v.check} ({v.reason})" if v.reason else v.check for v in rung.verdicts]
        said = f"passed {', '.join(passed)}" if passed else ""
    said = DOT.join(filter(None, ("used" if used else "", said)))
    quoted = shortened(attempt.text, QUOTED) if failed and attempt.text and not used else ""
    return _figures(attempt, said, f"it said: {quoted}" if quoted else "")


def _figures(attempt: Attempt, said: str, quoted: str = "") -> Step:
    told = attempt.rating is None or "rates itself" in said
    rated = "" if told else f"rated itself {attempt.rating:g} of 10"
    said = DOT.join(filter(None, (said, rated)))
    cost, time = cost_of_call(attempt), seconds(attempt.latency_ms)
    return Step(attempt.tier, attempt.model, said, cost, time, quoted)


def kept(label: Label) -> str:
    """`kept: too weak (the prompt needs MEDIUM)`."""
    needs = f" (the prompt needs {label.needed})" if label.needed else ""
    return f"kept: {label.feedback}{needs}"
