"""The session in a line: spend, budget, calls, and what routing saved."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from nbroute.errors import RecordError
from nbroute.notebook.lines import DOT
from nbroute.pricing import format_usd, price_of
from nbroute.report import Meter, Report, Saving, Spend, counted

if TYPE_CHECKING:
    from nbroute.router import Router


def session_text(router: Router, *, saving: bool = True) -> str:
    """The session's line, or why there is none: a ledger that cannot be read."""
    try:
        return _session(router, _meter(router), saving=saving)
    except RecordError as error:
        return f"session: {error}"


def session_line(report: Report | Meter, budget_usd: Decimal | None, *, saving: bool = True) -> str:
    """`session $0.0013 of $1.00 · 6 calls · 1 cached · $0.0210 less than all on FRONTIER ...`."""
    spend = report.spend
    parts = [f"session {_spent(spend, budget_usd)}", counted(spend.calls, "call")]
    if spend.cached_calls:
        parts.append(f"{spend.cached_calls} cached")
    if spend.unknown_calls:
        parts.append(f"{spend.unknown_calls} of unknown cost")
    compared = report.comparing
    if saving and (spend.usd or not spend.equivalent_usd):
        how = _how("estimate, net", compared.usd)
        parts.append(_saved(report.saving, report.baseline, how))
    elif saving:
        how = _how("estimate, net, nothing billed", compared.equivalent_usd)
        parts.append(_saved(report.equivalent_saving, report.baseline, how))
    return DOT.join(part for part in parts if part)


def _meter(router: Router) -> Report | Meter:
    """What the session's line tells, from the sums that the ledger keeps, where it has such."""
    ask = getattr(router.ledger, "meter", None)
    found = ask(session=router.session) if ask else None
    if found is None:
        return router.report()
    tiers = router.spend("tier")
    order = sorted(tiers, key=[*router.ladder.names, *sorted(tiers)].index)
    by_tier = {name: tiers[name] for name in order}
    tier = router.ladder.find(router.parts.baseline)
    price = price_of(tier, tier.model, router.parts.kind(tier))
    comparing, finals = found
    return Meter.of(by_tier, comparing, finals, tier.name, price)


def _session(router: Router, report: Report | Meter, *, saving: bool = True) -> str:
    """The session's line, and the file that answers or is written; replaying saves nothing."""
    replaying, recorder = router.replaying, router.recorder
    parts = [f"replaying {replaying.path.name}"] if replaying is not None else []
    parts += [f"recording to {recorder.path.name}"] if recorder is not None else []
    saving = saving and replaying is None
    return DOT.join([session_line(report, router.limits.budget_usd, saving=saving), *parts])


def _spent(spend: Spend, budget_usd: Decimal | None) -> str:
    """Money really spent, and what was not billed named apart."""
    limit = f" of ${budget_usd}" if budget_usd is not None else ""
    free = format_usd(spend.equivalent_usd)
    if not spend.usd and spend.equivalent_usd:
        return f"would have cost {free}{limit}"
    also = f" and {free} not billed" if spend.equivalent_usd else ""
    return f"{format_usd(spend.usd)}{limit}{also}"


def _how(kind: str, compared: Decimal) -> str:
    """What a saving is, and what comparing took of it: nobody compares to save."""
    return f"{kind}; comparing took {format_usd(compared)} of it" if compared else kind


def _saved(saving: Saving, baseline: str, how: str) -> str:
    if saving.baseline_usd is None or (saving.usd is None and not saving.unknown_calls):
        return ""
    if saving.usd is None:
        return f"saving against all on {baseline} unknown: a price is not known"
    return f"{saving.told} than all on {baseline} ({how})"
