"""A card as text: pure functions from results to strings, plain and Markdown."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from nbroute.errors import RecordError
from nbroute.notebook.markdown_inline import DOLLAR
from nbroute.notebook.rungs import has_ladder, ladder_lines, ladder_title
from nbroute.notebook.untrusted import escape_markdown, safe_markdown, safe_plain
from nbroute.notebook.wording import DOT, seconds
from nbroute.pricing import describe, format_usd
from nbroute.report import Report, Saving, Spend, counted, record
from nbroute.types import (
    Attempt,
    Cost,
    Decision,
    RouteResult,
    equivalent_cost,
    total_cost,
)


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
            blocks.append("\n".join([headline(result), *remarks(result)]))
        blocks.append(safe_plain(result.text) or "(no answer)")
        blocks.append(ladder_plain(result))
    blocks.extend(_footers(view))
    return safe_plain("\n\n".join(block for block in blocks if block))


def figures(view: View) -> str:
    """What a terminal prints below an answer that streamed: everything but the answer."""
    lines = [view.error] if view.error else []
    if view.results:
        newest = view.results[0]
        lines += [headline(newest), *remarks(newest), ladder_plain(newest)]
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


def headline(result: RouteResult) -> str:
    """`SIMPLE · openai/gpt-4o-mini · $0.000012 (list price) · 0.4 s · 21 in, 9 out`."""
    answer = result.answer
    parts = [
        answer.tier or "no tier",
        _model(answer),
        _cost(result),
        seconds(result.latency_ms),
        f"{_about(answer)}{answer.input_tokens} in, {answer.output_tokens} out",
    ]
    return DOT.join([*parts, *_marks(result)])


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
    cost = describe(Cost(attempt.cost_usd, attempt.cost_source))
    if attempt.cost_usd == 0:
        cost = "$0 (cached)" if attempt.cached else "nothing charged"
    return f"{doing} {attempt.model} ({attempt.tier}){ended} · {cost}"


def reason(decision: Decision) -> str:
    """The decision's reason, and how sure it is."""
    sure = "" if decision.confidence is None else f"{DOT}sure {decision.confidence:.2f}"
    return f"{decision.reason}{sure}"


def _model(attempt: Attempt) -> str:
    return f"{attempt.model} (simulated)" if attempt.provider_kind == "simulated" else attempt.model


def session_text(router: Any, *, saving: bool = True) -> str:
    """The session's line, or why there is none: a ledger that cannot be read."""
    try:
        return session_line(router.report(), router.limits.budget_usd, saving=saving)
    except RecordError as error:
        return f"session: {error}"


def session_line(report: Report, budget_usd: Decimal | None, *, saving: bool = True) -> str:
    """`session $0.0013 of $1.00 · 6 calls · 1 cached · $0.0210 less than all on FRONTIER ...`."""
    spend = report.spend
    parts = [f"session {_spent(spend, budget_usd)}", counted(spend.calls, "call")]
    if spend.cached_calls:
        parts.append(f"{spend.cached_calls} cached")
    if spend.unknown_calls:
        parts.append(f"{spend.unknown_calls} of unknown cost")
    if saving and (spend.usd or not spend.equivalent_usd):
        parts.append(_saved(report.saving, report.baseline, "estimate, net"))
    elif saving:
        parts.append(
            _saved(report.equivalent_saving, report.baseline, "estimate, net, nothing billed")
        )
    return DOT.join(part for part in parts if part)


def meter_lines(router: Any) -> list[str]:
    """The session meter: the line of the session, and the spend by tier."""
    try:
        report = router.report()
    except RecordError as error:
        return [str(error)]
    tiers = [_tier_spent(t, spend) for t, spend in report.by_tier.items() if spend.calls]
    by_tier = DOT.join(tiers) or "nothing yet"
    now = session_line(report, router.limits.budget_usd)
    return [f"now: {now}", f"by tier: {by_tier}"]


def _tier_spent(tier: str, spend: Spend) -> str:
    amounts = [format_usd(spend.usd)] if spend.usd or not spend.equivalent_usd else []
    if spend.equivalent_usd:
        amounts.append(f"{format_usd(spend.equivalent_usd)} equivalent")
    if spend.unknown_calls:
        amounts.append(f"{spend.unknown_calls} of unknown cost")
    return f"{tier} {' + '.join(amounts)} ({counted(spend.calls, 'call')})"


def _spent(spend: Spend, budget_usd: Decimal | None) -> str:
    """Money really spent, and what was not billed named apart."""
    limit = f" of ${budget_usd}" if budget_usd is not None else ""
    free = f"{format_usd(spend.equivalent_usd)} equivalent (nothing billed)"
    if not spend.usd and spend.equivalent_usd:
        return f"{free}{limit}"
    also = f" and {free}" if spend.equivalent_usd else ""
    return f"{format_usd(spend.usd)}{limit}{also}"


def _saved(saving: Saving, baseline: str, how: str) -> str:
    if saving.baseline_usd is None or (saving.usd is None and not saving.unknown_calls):
        return ""
    if saving.usd is None:
        return f"saving against all on {baseline} unknown: a price is not known"
    word = "less" if saving.usd >= 0 else "more"
    return f"{format_usd(abs(saving.usd))} {word} than all on {baseline} ({how})"


def _cost(result: RouteResult) -> str:
    if result.cached and result.cost_usd == 0:
        return "$0 (cached)"
    if result.answer.status == "error" and not result.answer.text and result.cost_usd == 0:
        return "nothing charged"
    told = describe(result.cost)
    return f"+{told} for this step" if result.parent else told


def _about(attempt: Attempt) -> str:
    return "about " if attempt.tokens_estimated else ""


def _marks(result: RouteResult) -> list[str]:
    answer = result.answer
    marks = ["cached"] if answer.cached and result.cost_usd else []
    if len(result.rungs) > 1 and not result.passed:
        marks.append(f"the best of {len(result.rungs)} answers, none of which passed its checks")
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


def _answer_markdown(result: RouteResult) -> str:
    head, _, rest = headline(result).partition(DOT)
    lines = [f"**{escape_markdown(head)}**{DOT}{escape_markdown(rest)}"]
    lines += [escape_markdown(line) for line in remarks(result)]
    answer = safe_markdown(result.text) or "*(no answer)*"
    return "  \n".join(lines) + f"\n\n{answer}" + _ladder_markdown(result)


def _ladder_markdown(result: RouteResult) -> str:
    if not has_ladder(result):
        return ""
    lines = "\n".join(f"- {escape_markdown(line)}" for line in ladder_lines(result))
    summary = _in_html(ladder_title(result))
    return f"\n\n<details>\n<summary>{summary}</summary>\n\n{lines}\n\n</details>"


def _folded(result: RouteResult) -> str:
    summary = _in_html(f"before that: {headline(result)}")
    lines = "  \n".join(escape_markdown(line) for line in remarks(result))
    answer = safe_markdown(result.text) or "*(no answer)*"
    return f"<details>\n<summary>{summary}</summary>\n\n{lines}\n\n{answer}\n\n</details>"


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
        lines.append(f"all {len(chain)} answers together: {_together(chain)}")
    return [*lines, *([view.session] if view.session else [])]


def _together(chain: tuple[RouteResult, ...]) -> str:
    attempts = tuple(attempt for result in chain for attempt in result.attempts)
    real, equivalent = total_cost(attempts), equivalent_cost(attempts)
    if real.source == "equivalent" or not any(a.cost_source == "equivalent" for a in attempts):
        return describe(real)
    return f"{describe(real)} and {describe(equivalent)}"
