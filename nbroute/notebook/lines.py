"""In words: a result, its figures, why it went there, the steps on the way, and the session."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from nbroute.classify.wording import confident
from nbroute.errors import RecordError
from nbroute.notebook.answer import safe_plain
from nbroute.pricing import (
    SOURCES,
    call_usd,
    cost_of,
    format_usd,
    price_of,
    same_model,
    unknown_why,
)
from nbroute.report import Meter, Report, Spend
from nbroute.report.metrics import both_savings
from nbroute.report.table import counted, seconds, shortened, with_effort
from nbroute.types import (
    NO_ANSWER,
    UNCOMPARED,
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
#: How many characters of a rejected answer are shown.
QUOTED = 160

#: The labels for an answer, in the order in which they are offered, and what each means.
MEANS: dict[Feedback, str] = {
    "good": "this tier is what the prompt needs",
    "bad": "the answer is bad, whatever the tier",
    "too weak": "the prompt needs the next tier up",
    "overkill": "the next tier down would have done",
}

_MEANING: dict[CostSource, str] = {
    "billed": "what the endpoint says it charged",
    "list": "tokens × list price",
    "configured": "tokens × the price in your settings",
    "estimated": "an estimate: the tokens or the price are not certain",
    "equivalent": "nothing was billed; what a model of this tier would have cost",
    "unknown": "",
}
_UNCOUNTED = "not included in any total"

#: What is said about all costs in a table if they come from one source.
COSTS = SOURCES | {"equivalent": "what it would have cost; nothing is billed"}


@dataclass(frozen=True)
class Scale:
    """The ladder that answers are compared with: its tiers, and the cost of the lowest one."""

    tiers: tuple[str, ...] = ()
    lowest: Tier | None = None
    kind: ProviderKind = "remote"

    @classmethod
    def of(cls, router: Router) -> Scale:
        """A router's own."""
        lowest = router.ladder.tiers[0]
        return cls(router.ladder.names, lowest, router.parts.kind(lowest))

    def ratio(self, result: RouteResult) -> str:
        """`3× SIMPLE`: the cost relative to the same tokens on the lowest tier."""
        lowest, cost = self.lowest, result.cost_usd
        if lowest is None or not cost or result.tier == lowest.name or result.cached:
            return ""
        least = cost_of(result.usage, lowest, lowest.model, self.kind).usd
        return f"{times(cost / least)} {lowest.name}" if least else ""


def times(ratio: Decimal) -> str:
    """`3×`, `1.4×`, `250×`."""
    return f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.1f}".removesuffix(".0") + "×"


def headline(result: RouteResult, scale: Scale | None = None) -> str:
    """`SIMPLE · openai/gpt-4o-mini · $0.000012 (list price) · 0.4 s · 21 → 9 tokens`.

    The cost of an escalation is `+$0.0021 (list price) for this step`.
    """
    answer, cost = result.answer, str(result_price(result))
    cost = f"+{cost} for this step" if result.parent and cost[0] == "$" else cost
    ratio = scale.ratio(result) if scale else ""
    parts = [answer.tier or "no tier", model_name(answer), cost, ratio]
    return DOT.join(filter(None, [*parts, took(result), tokens(answer), *marks(result)]))


def remarks(result: RouteResult) -> list[str]:
    """Why this tier, what else was tried, and what the user should know."""
    return [f"{why_title(result)}: {reason(result.decision)}", *notes(result)]


def notes(result: RouteResult) -> list[str]:
    """What else was tried, and what the user should know."""
    told = {result.answer.id, *(rung.attempt for rung in result.rungs)}
    rest = [one for one in result.attempts if one.id not in told and one.status != "unused"]
    lines = [attempt_line(one) for one in rest]
    failed = [verdict for verdict in result.verdicts if not verdict.passed]
    if failed and len(result.rungs) == 1:
        lines.append(f"note: the answer did not pass {failed[0].check}: {failed[0].reason}")
    return lines + [f"note: {notice}" for notice in result.notices]


def why_title(result: RouteResult) -> str:
    """`why SIMPLE`, or `why it started with SIMPLE` if a cascade went on from there."""
    tier = result.decision.tier or result.tier
    started = "it started with " if tier != result.tier and len(result.rungs) > 1 else ""
    return f"why {started}{tier}"


def reason(decision: Decision) -> str:
    """The decision's reason, and how confident it is."""
    return DOT.join(filter(None, (decision.reason, confident(decision.confidence))))


def attempt_line(attempt: Attempt) -> str:
    """One call that is not the answer: what it was for, how it ended, what it cost."""
    doing = {"classify": "classified with", "embed": "embedded with"}.get(attempt.purpose, "tried")
    ended = "" if attempt.status == "ok" else f": {attempt.error or attempt.status}"
    model = with_effort(attempt.model, attempt.effort)
    return f"{doing} {model} ({attempt.tier}){ended}{DOT}{attempt_price(attempt)}"


def model_name(attempt: Attempt) -> str:
    """The model and its effort, whether it is simulated, and which one answered for it."""
    if attempt.provider_kind == "simulated":
        return attempt.model if "simulated" in attempt.model else f"{attempt.model} (simulated)"
    by = attempt.answered_by
    other = by and not same_model(attempt.model, by)
    asked = with_effort(attempt.model, attempt.effort)
    return f"{asked} (answered by {by:.80})" if other else asked


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
        return Price("unknown", unknown_why(cost), _UNCOUNTED)
    return Price(call_usd(cost.usd), SOURCES[cost.source], _MEANING[cost.source])


def attempt_price(attempt: Attempt) -> Price:
    """What one call cost, or that it was not sent, or failed at no charge."""
    if attempt.cached:
        return Price("$0", "replayed" if replayed(attempt) else "cached", "not sent")
    if attempt.cost_usd == 0 and attempt.status == "error":
        return Price("no charge")
    told = price(Cost(attempt.cost_usd, attempt.cost_source))
    return told._replace(amount=format_usd(attempt.cost_usd))  # one unit in a list of calls


def result_price(result: RouteResult) -> Price:
    """What a result cost, all its calls together."""
    answer = result.answer
    failed = answer.status == "error" and not answer.text
    if result.cost_usd == 0 and (result.cached or failed):
        return attempt_price(answer)
    unknown = dict.fromkeys(one.model for one in result.attempts if one.cost_usd is None)
    if unknown and answer.cost_usd is not None:
        return Price("unknown", f"what {' and '.join(unknown)} cost is not known", _UNCOUNTED)
    return price(result.cost)


def exact_price(result: RouteResult, places: int = 2) -> Price:
    """The price with its amount in US dollars at any size, for costs that are shown side by side.

    It has at least so many decimal places.
    """
    told, usd = result_price(result), result.cost_usd
    exact = told._replace(amount=format_usd(usd, places))
    return exact if usd and told.amount == call_usd(usd) else told


def beside(result: RouteResult) -> str:
    """`$0.0004 of it for 2 other answers`; empty if there was only one answer to pay for."""
    other = [one for one in result.attempts if one.id != result.answer.id and one.cost_usd]
    if not other:
        return ""
    cost = sum((one.cost_usd or Decimal(0) for one in other), Decimal(0))
    what = "answer" if all(one.purpose == "answer" for one in other) else "call"
    return f"{format_usd(cost)} of it for {counted(len(other), f'other {what}')}"


def replayed(attempt: Attempt) -> bool:
    """Whether the answer is from a recording: it has a time, and one from the cache has none."""
    return attempt.cached and attempt.latency_ms > 0


def took(result: RouteResult) -> str:
    """`1.2 s`; nothing for an answer from the cache."""
    if result.cached and not result.latency_ms:
        return ""
    return f"{seconds(result.latency_ms)}{' as recorded' if replayed(result.answer) else ''}"


def tokens(attempt: Attempt) -> str:
    """`21 → 9 tokens`."""
    about = "about " if attempt.tokens_estimated else ""
    return f"{about}{attempt.input_tokens:,} → {attempt.output_tokens:,} tokens"


def thinking(attempt: Attempt) -> str:
    """`1,024 of 1,100 tokens were reasoning`; empty if the endpoint counted none."""
    thought, taken = attempt.reasoning_tokens, attempt.output_tokens
    return f"{thought:,} of {taken:,} tokens were reasoning" if thought else ""


def marks(result: RouteResult) -> list[str]:
    """How the answer ended, if not normally, and whether it came from the cache."""
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
        thought = f": {thinking(answer)}" if answer.reasoning_tokens else ""
        marks.append(f"cut off by the token budget{thought}")
    elif answer.finish_reason == "content_filter":
        marks.append("cut off by the endpoint's filter")
    return marks


def steps(result: RouteResult) -> list[tuple[str, ...]]:
    """The tiers that were asked, in order, and those that were not; empty for a plain answer.

    Each has its model, what came of it, its cost and time.
    """
    rungs = {rung.attempt: rung for rung in result.rungs}
    unused = {one.id: one for one in result.attempts if one.status == "unused"}
    if len(rungs) < 2 and not unused and not any(rung.verdicts for rung in result.rungs):
        return []
    attempts, rows = {one.id: one for one in result.attempts}, list[tuple[str, ...]]()
    for one in (attempts[name] for name in dict.fromkeys([*rungs, *unused])):
        rung, used = rungs.get(one.id), one.id == result.answer.id and bool(one.text)
        said = [f"not used: {one.error}"] if one.id in unused else ["used"] if used else []
        quoted = ""
        if rung and rung.failed:
            differs = rung.failed.check == "agreement"
            why = f"{'differs' if differs else _ended(rung, result)}: {rung.failed.reason}"
            said.append("not compared" if rung.failed.reason == UNCOMPARED else why)
            quoted = shortened(one.text, QUOTED) if one.text and not used else ""
        elif rung and rung.verdicts and one.id not in unused:
            passed = [f"{v.check} ({v.reason})" if v.reason else v.check for v in rung.verdicts]
            said.append(f"passed {', '.join(passed)}")
        if one.rating is not None and not any("rates itself" in words for words in said):
            said.append(f"rated itself {one.rating:g} of 10")
        said += [f"it said: {quoted}"] if quoted else []
        figures = str(attempt_price(one)), seconds(one.latency_ms)
        rows.append((one.tier, with_effort(one.model, one.effort), DOT.join(said), *figures))
    asked = {attempt.tier for attempt in result.attempts if attempt.purpose == "answer"}
    rest = [step.tier for step in result.plan.steps if step.tier.name not in asked]
    return rows + [
        (tier.name, with_effort(tier.model, tier.effort), "not asked", "", "") for tier in rest
    ]


def steps_title(result: RouteResult) -> str:
    """`2 steps: SIMPLE rejected by unsure, MEDIUM used`, or whether two asked at once agree."""
    if result.repeats:
        return repeated(result)
    if len(result.plan.at_once) > 1:
        verdicts = (v for rung in result.rungs for v in rung.verdicts if v.check == "agreement")
        verdict = next(verdicts, None)
        if verdict is not None:
            agree = f"they {'agree' if verdict.passed else 'differ'} ({verdict.reason})"
            agree = UNCOMPARED if verdict.reason == UNCOMPARED else agree
            both = " and ".join(step.tier.name for step in result.plan.at_once)
            who = "both tiers" if result.plan.strategy == "parallel" else both
            return f"{who}: {agree}, {result.tier}'s answer is used"
    told = ", ".join(f"{rung.tier} {_ended(rung, result)}" for rung in result.rungs)
    if result.plan.strategy == "direct":
        return f"checks: {told}"
    return f"{counted(len(result.rungs), 'step')}: {told}"


def repeated(result: RouteResult) -> str:
    """`5 answers: 4 agree on 42, $0.0021 in all`; empty if it was asked once."""
    found = result.repeats
    if found is None:
        return ""
    count, agreeing = len(found.answered), len(found.agreeing)
    came = counted(count, "answer") + (f" of {found.asked}" if count < found.asked else "")
    told = "no two agree" if agreeing == 1 else f"{agreeing} agree"
    told = "all agree" if agreeing == count > 1 else told
    on = f" on {shortened(found.value, 60)}" if found.value and agreeing > 1 else ""
    return f"{came}: {told}{on}, {exact_price(result).amount} in all"


def step_lines(result: RouteResult) -> list[str]:
    """The steps as plain text, the title first."""
    found = [f"- {DOT.join(filter(None, step))}" for step in steps(result)]
    return [safe_plain(line) for line in ([steps_title(result), *found] if found else [])]


def _ended(rung: Rung, result: RouteResult) -> str:
    if rung.failed and rung.failed.check == NO_ANSWER:
        return "could not answer"
    if rung.failed:
        return f"rejected by {rung.failed.check}"
    return "passed" if result.plan.strategy == "direct" else "used"


def labelled(label: Label) -> str:
    """`labelled too weak (the prompt needs MEDIUM)`."""
    needs = f" (the prompt needs {label.needed})" if label.needed else ""
    return f"labelled {label.feedback}{needs}"


def session_text(router: Router) -> str:
    """`session $0.0013 of $1.00 · 6 calls · 1 cached · $0.0210 less than all on FRONTIER ...`.

    It also names a file that is replayed or recorded to, and says if the ledger cannot be read.
    """
    try:
        found = _meter(router)
    except RecordError as error:
        return f"session: {error}"
    spend, budget = found.spend, router.limits.budget_usd
    free, of = format_usd(spend.equivalent_usd), f" of ${budget:f}" if budget is not None else ""
    spent = f"{format_usd(spend.usd)}{of}"
    if spend.equivalent_usd:  # what was not billed is shown separately
        spent = f"{spent} and {free} not billed" if spend.usd else f"would have cost {free}{of}"
    replaying, recorder = router.replaying, router.recorder
    parts = [
        f"session {spent}",
        counted(spend.calls, "call"),
        f"{spend.cached_calls} cached" if spend.cached_calls else "",
        f"{spend.unknown_calls} of unknown cost" if spend.unknown_calls else "",
        f"replaying {replaying.path.name}" if replaying is not None else _saved(found),
        f"recording to {recorder.path.name}" if recorder is not None else "",
    ]
    return DOT.join(filter(None, parts))


def _meter(router: Router) -> Report | Meter:
    """What the session's line says, from the ledger's own sums if it keeps any."""
    ask = getattr(router.ledger, "meter", None)
    found = ask(session=router.session) if ask else None
    if found is None:
        return router.report()
    spend = sum(router.spend("tier").values(), Spend())
    tier = router.ladder.find(router.parts.baseline)
    price = price_of(tier, tier.model, router.parts.kind(tier))
    comparing, finals = found
    return Meter(tier.name, spend, comparing, *both_savings(spend, finals, price))


def _saved(report: Report | Meter) -> str:
    """What was saved, net of comparing; nothing if only comparing was paid for."""
    saving, compared, how = report.saving, report.comparing.usd, ""
    if report.spend.equivalent_usd and not report.spend.usd:
        saving, compared = report.equivalent_saving, report.comparing.equivalent_usd
        how = ", nothing billed"
    if saving.baseline_usd is None or (saving.usd is None and not saving.unknown_calls):
        return ""
    if compared and compared == saving.spent_usd:
        return ""
    if saving.usd is None:
        return f"saving against all on {report.baseline} unknown: a price is not known"
    return f"{saving.told} than all on {report.baseline} ({estimate(compared)}{how})"


def estimate(compared: Decimal) -> str:
    """What kind of figure a saving is: `estimate, net of $0.0021 for comparing`."""
    return "estimate, net" + (f" of {format_usd(compared)} for comparing" if compared else "")
