"""A card as text: pure functions from results to strings, plain and Markdown."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nbroute.errors import RecordError
from nbroute.notebook.answer import DOLLAR, escape_markdown, safe_markdown, safe_plain
from nbroute.notebook.lines import headline, ladder_plain, reason, remarks
from nbroute.notebook.rungs import has_ladder, ladder_lines, ladder_title
from nbroute.notebook.wording import DOT
from nbroute.pricing import describe, estimate_tokens, format_usd, price_of
from nbroute.report import Meter, Report, Saving, Spend, counted, record
from nbroute.types import (
    Attempt,
    Decision,
    RouteResult,
    equivalent_cost,
    total_cost,
)

if TYPE_CHECKING:
    from nbroute.router import Router


@dataclass(frozen=True)
class Running:
    """An answer on its way; `doing` is what else it waits for, such as a model's loading."""

    tier: str = ""
    model: str = ""
    text: str = ""
    decision: Decision | None = None
    doing: str = ""


@dataclass(frozen=True)
class View:
    """All that a card shows: results with the newest first, what is on its way, what failed."""

    results: tuple[RouteResult, ...] = ()
    running: Running | None = None
    error: str = ""
    session: str = ""
    notices: tuple[str, ...] = field(default=())


def plain(view: View) -> str:
    """The card for `text/plain`: complete in a terminal and with no kernel."""
    blocks = [_running_plain(view.running)] if view.running else []
    if view.error:
        blocks.append(view.error)
    for place, result in enumerate(view.results):
        if place:
            blocks.append(f"--- before that: {headline(result)} ---")
        else:
            blocks.append("\n".join(_told(result)))
        blocks.append(safe_plain(result.text) or "(no answer)")
        blocks.append(ladder_plain(result))
    blocks.extend(_footers(view))
    return safe_plain("\n\n".join(block for block in blocks if block))


def figures(view: View) -> str:
    """What a terminal prints below an answer that streamed: everything but the answer."""
    lines = [view.error] if view.error else []
    if view.results:
        newest = view.results[0]
        lines += [*_told(newest), ladder_plain(newest)]
    return safe_plain("\n".join(line for line in [*lines, *_footers(view)] if line))


def markdown(view: View) -> str:
    """The card for `text/markdown`; the model's words are made safe, ours are escaped."""
    blocks = [_running_markdown(view.running)] if view.running else []
    if view.error:
        blocks.append(f"**{escape_markdown(view.error)}**")
    for place, result in enumerate(view.results):
        blocks.append(
            _answer_markdown(result) if not place and not view.running else _folded(result)
        )
    blocks.extend(escape_markdown(line) for line in _footers(view))
    return "\n\n".join(block for block in blocks if block)


def bundle(view: View) -> tuple[dict[str, str], dict[str, Any]]:
    """The card as a display bundle and its metadata, where the structured record lies."""
    data = {"text/plain": plain(view), "text/markdown": markdown(view)}
    if not view.results:
        return data, {}
    newest, *earlier = view.results
    told = record(newest)
    if earlier:
        told["earlier"] = [record(result) for result in earlier]
    return data, {"nbroute": told}


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


def meter_lines(router: Router) -> list[str]:
    """The session meter: the line of the session, and the spend by tier."""
    try:
        report = _meter(router)
    except RecordError as error:
        return [str(error)]
    tiers = [_tier_spent(t, spend) for t, spend in report.by_tier.items() if spend.calls]
    by_tier = DOT.join(tiers) or "nothing yet"
    now = _session(router, report)
    return [f"now: {now}", f"by tier: {by_tier}"]


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


def _tier_spent(tier: str, spend: Spend) -> str:
    return f"{tier} {spend.told} ({counted(spend.calls, 'call')})"


def _spent(spend: Spend, budget_usd: Decimal | None) -> str:
    """Money really spent, and what was not billed named apart."""
    limit = f" of ${budget_usd}" if budget_usd is not None else ""
    free = f"{format_usd(spend.equivalent_usd)} equivalent (nothing billed)"
    if not spend.usd and spend.equivalent_usd:
        return f"{free}{limit}"
    also = f" and {free}" if spend.equivalent_usd else ""
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


def _answer_markdown(result: RouteResult) -> str:
    head, _, rest = headline(result).partition(DOT)
    lines = [f"**{escape_markdown(head)}**{DOT}{escape_markdown(rest)}"]
    lines += [escape_markdown(line) for line in remarks(result)]
    return "  \n".join(lines) + f"\n\n{_inside(result)}"


def _inside(result: RouteResult) -> str:
    answer = safe_markdown(result.text) or "*(no answer)*"
    return f"{_reasoning_markdown(result)}{answer}{_ladder_markdown(result)}"


def _reasoning_markdown(result: RouteResult) -> str:
    if not result.reasoning:
        return ""
    summary = _thought(result)
    thought = safe_markdown(result.reasoning)
    return f"<details>\n<summary>{summary}</summary>\n\n{thought}\n\n</details>\n\n"


def _ladder_markdown(result: RouteResult) -> str:
    if not has_ladder(result):
        return ""
    lines = "\n".join(f"- {escape_markdown(line)}" for line in ladder_lines(result))
    summary = _in_html(ladder_title(result))
    return f"\n\n<details>\n<summary>{summary}</summary>\n\n{lines}\n\n</details>"


def _folded(result: RouteResult) -> str:
    summary = _in_html(f"before that: {headline(result)}")
    lines = "  \n".join(escape_markdown(line) for line in remarks(result))
    return f"<details>\n<summary>{summary}</summary>\n\n{lines}\n\n{_inside(result)}\n\n</details>"


def _thought(result: RouteResult) -> str:
    return f"reasoning, about {estimate_tokens(result.reasoning):,} tokens"


def _told(result: RouteResult) -> list[str]:
    """The lines above an answer that cannot fold anything away."""
    thought = [f"{_thought(result)}: see result.reasoning"] if result.reasoning else []
    return [headline(result), *remarks(result), *thought]


def _in_html(text: str) -> str:
    """For an HTML element inside Markdown, where `$` must not start a formula."""
    return html.escape(" ".join(safe_plain(text).split())).replace("$", DOLLAR)


def _running_markdown(running: Running) -> str:
    head = "  \n".join(escape_markdown(line) for line in _running_head(running))
    return f"{head}\n\n{safe_markdown(running.text)}".strip()


def _running_plain(running: Running) -> str:
    return "\n".join([*_running_head(running), "", safe_plain(running.text)]).strip()


def _running_head(running: Running) -> list[str]:
    doing = "answering ..." if running.text else running.doing or "waiting for the first token ..."
    if not running.tier:
        return [running.doing or "classifying ..."]
    lines = [DOT.join([running.tier, running.model, doing] if running.model else [running.tier])]
    return [*lines, f"why: {reason(running.decision)}"] if running.decision else lines


def _footers(view: View) -> list[str]:
    chain = view.results
    lines = [f"note: {notice}" for notice in view.notices]
    if len(chain) > 1:
        answers = sum(_is_answer(attempt) for result in chain for attempt in result.attempts)
        lines.append(f"all {answers} answers together: {_together(chain)}")
    return [*lines, *([view.session] if view.session else [])]


def _is_answer(attempt: Attempt) -> bool:
    return attempt.purpose == "answer" and bool(attempt.text)


def _together(chain: tuple[RouteResult, ...]) -> str:
    attempts = tuple(attempt for result in chain for attempt in result.attempts)
    real, equivalent = total_cost(attempts), equivalent_cost(attempts)
    if real.source == "equivalent" or not any(a.cost_source == "equivalent" for a in attempts):
        return describe(real)
    return f"{describe(real)} and {describe(equivalent)}"
