"""A session at a glance: what the dashboard shows, as facts in words and as plain tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from nbroute.budgets import Limits
from nbroute.errors import RecordError
from nbroute.notebook.lines import DOT, cost_told, marks, model_name, tokens
from nbroute.notebook.session import session_line
from nbroute.notebook.tables import Said, Table
from nbroute.pricing import format_usd
from nbroute.report import Report, Saving, Spend, counted
from nbroute.report.table import seconds
from nbroute.types import RouteResult

if TYPE_CHECKING:
    from nbroute.router import Router

#: Calls that are shown of those that were made.
RECENT = 6


@dataclass(frozen=True)
class Overview:
    """What there is to show; `trouble` is why there is no report."""

    report: Report | None
    limits: Limits
    recent: tuple[RouteResult, ...]
    trouble: str = ""


class Fact(NamedTuple):
    """A figure, what it is, and how far it fills its bar (None: it has none)."""

    figure: str
    about: str
    share: float | None = None


class TierFacts(NamedTuple):
    """A tier's share of the answers, what it cost, and how long half and 95% of them took."""

    name: str
    answers: str
    share: float
    spend: str
    p50: str
    p95: str


def look(router: Router) -> Overview:
    """The session as it is now; the newest of its calls first."""
    recent = router.history.results()[: -RECENT - 1 : -1]
    try:
        return Overview(router.report(), router.limits, recent)
    except RecordError as error:
        return Overview(None, router.limits, recent, str(error))


def status(seen: Overview) -> str:
    """The session in a line."""
    if seen.report is None:
        return seen.trouble
    return session_line(seen.report, seen.limits.budget_usd)


def spent(spend: Spend) -> list[Fact]:
    """Money really spent, money that was not billed, and calls of unknown cost, each apart."""
    facts = []
    if spend.usd or not (spend.equivalent_usd or spend.unknown_calls):
        facts.append(Fact(format_usd(spend.usd), "really spent"))
    if spend.equivalent_usd:
        facts.append(Fact(format_usd(spend.equivalent_usd), "equivalent: nothing billed"))
    if spend.unknown_calls:
        facts.append(Fact(counted(spend.unknown_calls, "call"), "of unknown cost, in no sum"))
    return facts


def budget_left(spend: Spend, limits: Limits) -> list[Fact]:
    """What is left of the session's budget, which holds for each kind of money by itself."""
    budget = limits.budget_usd
    if budget is None:
        return [Fact("no budget", "%route budget 1.00 sets one")]
    kinds = [(spend.usd, "")] if spend.usd or not spend.equivalent_usd else []
    kinds += [(spend.equivalent_usd, " (equivalent)")] if spend.equivalent_usd else []
    return [_left(used, budget, kind) for used, kind in kinds]


def _left(used: Decimal, budget: Decimal, kind: str) -> Fact:
    share = float(used / budget)
    left = budget - used
    told = f"{format_usd(left)} left" if left >= 0 else f"{format_usd(-left)} over"
    return Fact(told, f"{format_usd(used)}{kind} of {format_usd(budget)} used, {share:.0%}", share)


def saved(report: Report) -> list[Fact]:
    """What routing saved, net, against the named baseline: an estimate."""
    compared = report.comparing
    sides = [
        (report.saving, _compared(compared.usd)),
        (
            report.equivalent_saving,
            f", in money that was not billed{_compared(compared.equivalent_usd)}",
        ),
    ]
    told = [(one, kind) for one, kind in sides if one.baseline_usd or one.spent_usd]
    if not told:
        told = [one for one in sides if one[0].unknown_calls][:1]
    return [_saved(one, report.baseline, kind) for one, kind in told] or [
        Fact("nothing yet", f"against all on {report.baseline}, net, an estimate")
    ]


def _compared(usd: Decimal) -> str:
    return f"; comparing took {format_usd(usd)} of it" if usd else ""


def _saved(saving: Saving, baseline: str, kind: str) -> Fact:
    against = f"than all on {baseline}: an estimate, net of classifying and of failed calls{kind}"
    if saving.baseline_usd is None:
        return Fact("unknown", f"as {baseline} has no price to compare with{kind}")
    if saving.usd is None:
        told = counted(saving.unknown_calls, "call")
        return Fact("unknown", f"against all on {baseline}: {told} of unknown cost{kind}")
    return Fact(saving.told, against)


def answers(report: Report) -> Fact:
    """How many answers stand, and the calls that they took."""
    parts = [counted(report.calls, "call")]
    parts.append(f"{report.cache_hits:,} from the cache")
    failures = {"error": "failed", "rejected": "rejected", "interrupted": "interrupted"}
    parts += [
        f"{report.statuses[s]:,} {word}" for s, word in failures.items() if report.statuses.get(s)
    ]
    return Fact(counted(sum(report.answered.values()), "answer"), DOT.join(parts))


def escalation(report: Report) -> Fact:
    """How much of what the lowest tier answers goes on to a higher one, in the articles' words."""
    lowest = report.tiers[0] if report.tiers else "the lowest tier"
    if report.escalation_rate is None:
        return Fact("none yet", f"as {lowest} has answered nothing")
    about = f"of what {lowest} answers escalates: {report.escalation_verdict}"
    return Fact(f"{report.escalation_rate:.0%}", about)


def tier_mix(report: Report) -> list[TierFacts]:
    """A line a tier, cheapest first."""
    return [_tier(report, name, spend) for name, spend in report.by_tier.items()]


def _tier(report: Report, name: str, spend: Spend) -> TierFacts:
    share, number = report.tier_share.get(name, 0.0), report.answered.get(name, 0)
    latency = report.latency.get(name)
    times = [seconds(latency.p50_ms), seconds(latency.p95_ms)] if latency else ["–", "–"]
    return TierFacts(name or "(none)", f"{share:.0%} ({number:,})", share, spend.told, *times)


def calls(results: tuple[RouteResult, ...]) -> list[list[str]]:
    """The last results, newest first: when, tier, model, cost, time, tokens, and what to know."""
    return [_call(result) for result in results]


def _call(result: RouteResult) -> list[str]:
    answer = result.answer
    notes = [f"feature {answer.feature}"] if answer.feature else []
    notes += ["escalated"] if result.escalated else []
    return [
        datetime.fromtimestamp(answer.ts).astimezone().strftime("%H:%M:%S"),
        answer.tier or "no tier",
        model_name(answer),
        cost_told(result),
        seconds(result.latency_ms),
        tokens(answer),
        DOT.join([*notes, *marks(result)]),
    ]


#: The names of what `calls` gives.
CALL_HEAD = ("time", "tier", "model", "cost", "took", "tokens", "notes")


def snapshot(seen: Overview) -> Table | Said:
    """The session as a plain table, where nothing can be redrawn."""
    report = seen.report
    if report is None:
        return Said(f"session: {seen.trouble}")
    rows = [[one.name, one.answers, one.spend, one.p50, one.p95] for one in tier_mix(report)]
    return Table(
        ["tier", "answers", "spend", "latency p50", "latency p95"],
        rows,
        above=[status(seen)],
        below=list(_below(seen, report)),
    )


def _below(seen: Overview, report: Report) -> Iterator[str]:
    yield f"answers: {', '.join(answers(report)[:2])}"
    for fact in budget_left(report.spend, seen.limits):
        yield f"budget: {', '.join(fact[:2])}"
    for fact in saved(report):
        yield f"saved: {fact.figure} {fact.about}"
    yield f"escalation: {' '.join(escalation(report)[:2])}"
    for cells in calls(seen.recent):
        yield f"call: {DOT.join(cell for cell in cells if cell)}"
