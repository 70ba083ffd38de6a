"""The session in a line: spend, budget, calls, and what routing saved."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from nbroute.errors import RecordError
from nbroute.notebook.lines import DOT
from nbroute.pricing import format_usd, price_of
from nbroute.report import Meter, Report, Spend, counted
from nbroute.report.metrics import both_savings

if TYPE_CHECKING:
    from nbroute.router import Router


def session_text(router: Router) -> str:
    """The session's line and the file that answers or is written, or why there is none."""
    try:
        found = _meter(router)
    except RecordError as error:
        return f"session: {error}"
    replaying, recorder = router.replaying, router.recorder
    parts = [session_line(found, router.limits.budget_usd, saving=replaying is None)]
    parts += [f"replaying {replaying.path.name}"] if replaying is not None else []
    parts += [f"recording to {recorder.path.name}"] if recorder is not None else []
    return DOT.join(parts)


def session_line(report: Report | Meter, budget_usd: Decimal | None, *, saving: bool = True) -> str:
    """`session $0.0013 of $1.00 · 6 calls · 1 cached · $0.0210 less than all on FRONTIER ...`."""
    spend = report.spend
    parts = [f"session {_spent(spend, budget_usd)}", counted(spend.calls, "call")]
    if spend.cached_calls:
        parts.append(f"{spend.cached_calls} cached")
    if spend.unknown_calls:
        parts.append(f"{spend.unknown_calls} of unknown cost")
    if saving:
        parts.append(_saved(report))
    return DOT.join(part for part in parts if part)


def _meter(router: Router) -> Report | Meter:
    """What the session's line tells, from the sums that the ledger keeps, where it has such."""
    ask = getattr(router.ledger, "meter", None)
    found = ask(session=router.session) if ask else None
    if found is None:
        return router.report()
    spend = sum(router.spend("tier").values(), Spend())
    tier = router.ladder.find(router.parts.baseline)
    price = price_of(tier, tier.model, router.parts.kind(tier))
    comparing, finals = found
    return Meter(tier.name, spend, comparing, *both_savings(spend, finals, price))


def _spent(spend: Spend, budget_usd: Decimal | None) -> str:
    """Money really spent, and what was not billed named apart."""
    limit = f" of ${budget_usd:f}" if budget_usd is not None else ""
    free = format_usd(spend.equivalent_usd)
    if not spend.usd and spend.equivalent_usd:
        return f"would have cost {free}{limit}"
    also = f" and {free} not billed" if spend.equivalent_usd else ""
    return f"{format_usd(spend.usd)}{limit}{also}"


def _saved(report: Report | Meter) -> str:
    """What was saved, and what comparing took of it: nobody compares to save."""
    saving, compared, how = report.saving, report.comparing.usd, "estimate, net"
    if report.spend.equivalent_usd and not report.spend.usd:
        saving, compared = report.equivalent_saving, report.comparing.equivalent_usd
        how = "estimate, net, nothing billed"
    if saving.baseline_usd is None or (saving.usd is None and not saving.unknown_calls):
        return ""
    if saving.usd is None:
        return f"saving against all on {report.baseline} unknown: a price is not known"
    how += f"; comparing took {format_usd(compared)} of it" if compared else ""
    return f"{saving.told} than all on {report.baseline} ({how})"
