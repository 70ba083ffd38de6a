"""A session at a glance: what the dashboard shows, as HTML and as a plain table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from nbroute.budgets import Limits
from nbroute.errors import RecordError
from nbroute.notebook import look
from nbroute.notebook.lines import DOT, cost_told, marks, model_name
from nbroute.notebook.session import session_line
from nbroute.notebook.tables import Said, Table
from nbroute.pricing import format_usd
from nbroute.report import Report, Saving, Spend, counted
from nbroute.report.table import seconds, shortened
from nbroute.router import scrubber_of
from nbroute.types import RouteResult

if TYPE_CHECKING:
    from nbroute.recording.scrub import Scrubber
    from nbroute.router import Router

#: Calls that are shown of those that were made.
RECENT = 6
#: Characters of a prompt that are shown, and those that are searched for keys.
_WORDS, _LOOKED_AT = 60, 2_000
_TIERS = ("tier", "answers", "cost", "half within", "95% within")
_CALLS = ("prompt", "tier", "model", "cost", "took", "time", "notes")
_EMPTY = (
    "<p>Nothing was routed yet. Run a cell that begins with <code>%%route</code>: the tiers, "
    "how long they take and the last calls will stand here.</p>"
)


class Call(NamedTuple):
    """One of the last calls; `prompt` is its first words, with no key in them."""

    prompt: str
    tier: str
    model: str
    cost: str
    took: str
    time: str
    notes: str


@dataclass(frozen=True)
class Overview:
    """What there is to show; `trouble` is why there is no report."""

    report: Report | None
    limits: Limits
    recent: tuple[Call, ...]
    trouble: str = ""

    @property
    def status(self) -> str:
        """The session in a line."""
        return self.trouble or session_line(self.report, self.limits.budget_usd)  # type: ignore[arg-type]


class Fact(NamedTuple):
    """A figure, what it is, and how far it fills its bar (None: it has none)."""

    figure: str
    about: str
    share: float | None = None


def read(router: Router) -> Overview:
    """The session as it is now; the newest of its calls first."""
    scrubber = scrubber_of(router)
    recent = router.history.results()[: -RECENT - 1 : -1]
    calls = tuple(_call(result, scrubber) for result in recent)
    try:
        return Overview(router.report(), router.limits, calls)
    except RecordError as error:
        return Overview(None, router.limits, calls, str(error))


def _call(result: RouteResult, scrubber: Scrubber) -> Call:
    answer = result.answer
    notes = [f"feature {answer.feature}"] if answer.feature else []
    notes += ["escalated"] if result.escalated else []
    return Call(
        shortened(scrubber.text(result.prompt[:_LOOKED_AT]), _WORDS),
        answer.tier or "no tier",
        model_name(answer).removesuffix(" (simulated)"),
        cost_told(result),
        seconds(result.latency_ms),
        datetime.fromtimestamp(answer.ts).astimezone().strftime("%H:%M:%S"),
        DOT.join([*notes, *marks(result)]),
    )


def spent(spend: Spend) -> list[Fact]:
    """Money really spent, money that was not billed, and calls of unknown cost, each apart."""
    facts = []
    if spend.usd or not (spend.equivalent_usd or spend.unknown_calls):
        facts.append(Fact(format_usd(spend.usd), "really spent"))
    if spend.equivalent_usd:
        facts.append(Fact(format_usd(spend.equivalent_usd), "it would have cost; nothing billed"))
    if spend.unknown_calls:
        facts.append(Fact(counted(spend.unknown_calls, "call"), "of unknown cost, in no sum"))
    return facts


def budget_left(spend: Spend, limits: Limits) -> list[Fact]:
    """What is left of the session's budget, which holds for each kind of money by itself."""
    budget = limits.budget_usd
    if budget is None:
        return [Fact("none", "%route budget 1.00 sets one")]
    kinds = [(spend.usd, "")] if spend.usd or not spend.equivalent_usd else []
    kinds += [(spend.equivalent_usd, ", in money that is not billed")] * bool(spend.equivalent_usd)
    return [_left(used, budget, kind) for used, kind in kinds]


def _left(used: Decimal, budget: Decimal, kind: str) -> Fact:
    left, share = budget - used, float(used / budget)
    told = f"{format_usd(abs(left))} {'left' if left >= 0 else 'over'}"
    return Fact(told, f"{format_usd(used)} of {format_usd(budget)} used, {share:.0%}{kind}", share)


def saved(report: Report) -> list[Fact]:
    """What routing saved, net, against the named baseline: an estimate."""
    compared, baseline = report.comparing, report.baseline
    sides = [
        (report.saving, compared.usd, ""),
        (report.equivalent_saving, compared.equivalent_usd, ", in money that was not billed"),
    ]
    told = [one for one in sides if one[0].baseline_usd or one[0].spent_usd]
    told = told or [one for one in sides if one[0].unknown_calls][:1]
    nothing = Fact("nothing yet", f"against all on {baseline}, an estimate")
    return [_saved(*one, baseline) for one in told] or [nothing]


def _saved(saving: Saving, compared: Decimal, kind: str, baseline: str) -> Fact:
    if saving.baseline_usd is None:
        return Fact("unknown", f"{baseline} has no price to compare with{kind}")
    if saving.usd is None:
        told = counted(saving.unknown_calls, "call")
        return Fact("unknown", f"against all on {baseline}: {told} of unknown cost{kind}")
    took = f"; comparing took {format_usd(compared)} of it" if compared else ""
    everything = "an estimate, all calls counted"
    return Fact(saving.told, f"than all on {baseline}: {everything}{kind}{took}")


def answers(report: Report) -> Fact:
    """How many answers there are, and the calls that they took."""
    failures = {"error": "failed", "rejected": "rejected", "interrupted": "interrupted"}
    parts = [counted(report.calls, "call"), f"{report.cache_hits:,} from the cache"]
    parts += [
        f"{report.statuses[one]:,} {word}"
        for one, word in failures.items()
        if report.statuses.get(one)
    ]
    return Fact(counted(sum(report.answered.values()), "answer"), DOT.join(parts))


def escalation(report: Report) -> Fact:
    """How much of what the lowest tier answers goes on to a higher one, in the articles' words."""
    lowest = report.tiers[0] if report.tiers else "the lowest tier"
    if report.escalation_rate is None:
        return Fact("none yet", f"{lowest} has answered nothing")
    about = f"of what {lowest} answers escalates: {report.escalation_verdict}"
    return Fact(f"{report.escalation_rate:.0%}", about)


def tier_mix(report: Report) -> list[list[str]]:
    """A row a tier, cheapest first: its answers, what it cost, and how long it takes."""
    return [
        [name or "(none)", _answered(report, name), spend.told, *_times(report, name)]
        for name, spend in report.by_tier.items()
    ]


def _answered(report: Report, name: str) -> str:
    return f"{report.tier_share.get(name, 0.0):.0%} ({report.answered.get(name, 0):,})"


def _times(report: Report, name: str) -> list[str]:
    took = report.latency.get(name)
    return [seconds(took.p50_ms), seconds(took.p95_ms)] if took else ["–", "–"]


def page(seen: Overview, tiers: tuple[str, ...], said: str = "") -> str:
    """The dashboard as HTML; `said` is what a screen reader says when it changes."""
    report = seen.report
    if report is None:
        told = f"<p><b>The session cannot be shown.</b></p><p>{look.text(seen.trouble)}</p>"
    else:
        told = f'<div class="nbr-tiles">{"".join(_tiles(seen, report))}</div>'
        told += _tables(seen, report, tiers) if report.calls else _EMPTY
    return look.room("session dashboard", look.heard(said, seen=False), told)


def _tiles(seen: Overview, report: Report) -> Iterator[str]:
    facts = {
        "Spent": spent(report.spend),
        "Budget of the session": budget_left(report.spend, seen.limits),
        "Saved": saved(report),
        "Answers": [answers(report)],
        "Escalation": [escalation(report)],
    }
    for title, told in facts.items():
        inside = "".join(
            f'<b class="nbr-big">{look.text(fact.figure)}</b>'
            f"{'' if fact.share is None else look.bar(fact.share)}<p>{look.text(fact.about)}</p>"
            for fact in told
        )
        yield f'<div class="nbr-tile"><p>{look.text(title)}</p>{inside}</div>'


def _tables(seen: Overview, report: Report, tiers: tuple[str, ...]) -> str:
    rows = [
        [
            look.pill(name, tiers),
            f"{look.text(answered)}{look.bar(share, look.tinted(name, tiers))}",
            *map(look.text, rest),
        ]
        for name, answered, *rest in tier_mix(report)
        for share in [report.tier_share.get(name, 0.0)]
    ]
    shown = look.table("tiers", _TIERS, rows, numbers=_TIERS[3:])
    if not seen.recent:
        return f"{shown}<p>The calls so far were made by another kernel.</p>"
    columns = _CALLS if any(one.notes for one in seen.recent) else _CALLS[:-1]
    calls = [
        [look.text(one.prompt), look.pill(one.tier, tiers), *map(look.text, one[2 : len(columns)])]
        for one in seen.recent
    ]
    return shown + look.table("last calls", columns, calls, numbers=("took",))


def snapshot(seen: Overview) -> Table | Said:
    """The session as a plain table, where nothing can be redrawn."""
    report = seen.report
    if report is None:
        return Said(f"session: {seen.trouble}")
    below = [f"answers: {', '.join(answers(report)[:2])}"]
    below.append(f"escalation: {' '.join(escalation(report)[:2])}")
    below += [f"call: {DOT.join(filter(None, one))}" for one in seen.recent]
    return Table(_TIERS, tier_mix(report), above=[seen.status], below=below)
