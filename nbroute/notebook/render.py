"""A card as HTML, Markdown and plain text: pure functions from results to strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nbroute.classify.wording import confident
from nbroute.notebook import look
from nbroute.notebook.answer import (
    answer_html,
    escape_markdown,
    plain_html,
    safe_markdown,
    safe_plain,
)
from nbroute.notebook.lines import (
    DOT,
    WRITTEN,
    Scale,
    beside,
    headline,
    marks,
    model_name,
    notes,
    price,
    reason,
    remarks,
    result_price,
    step_lines,
    steps,
    steps_title,
    tokens,
    took,
    why_title,
)
from nbroute.pricing import call_usd, estimate_tokens
from nbroute.report import counted, record
from nbroute.report.table import seconds
from nbroute.types import Cost, Decision, RouteResult, equivalent_cost, total_cost

NO_ANSWER = "(no answer)"


@dataclass(frozen=True)
class Running:
    """An answer on its way; `doing` is what else it waits for, such as a model's loading.

    `cost` is what it comes to so far, an estimate.
    """

    tier: str = ""
    model: str = ""
    text: str = ""
    decision: Decision | None = None
    doing: str = ""
    elapsed_s: float = 0.0
    tokens: int = 0
    cost: Cost | None = None

    @property
    def facts(self) -> list[str]:
        """What it does, for how long, how far it is and what that costs."""
        doing = self.doing or ("answering ..." if self.text else "waiting for the first token ...")
        if not self.tier:
            doing = self.doing or "classifying ..."
        about = f"about {counted(self.tokens, 'token')}" if self.tokens else ""
        cost = f"~{call_usd(self.cost.usd)}" if self.cost and self.cost.usd else ""
        elapsed = seconds(1000 * self.elapsed_s) if self.elapsed_s >= 1 else ""
        return [fact for fact in (doing, elapsed, about, cost) if fact]


@dataclass(frozen=True)
class View:
    """All that a card shows: results with the newest first, what is on its way, what failed.

    `number` is the one by which commands reach the card, `version` how often its cell has been
    answered; 0 where it has none. `asked` is the prompt, where no cell above the card has it.
    """

    results: tuple[RouteResult, ...] = ()
    running: Running | None = None
    error: str = ""
    session: str = ""
    notices: tuple[str, ...] = field(default=())
    number: int = 0
    version: int = 0
    scale: Scale = field(default_factory=Scale)
    asked: str = ""


def bundle(view: View) -> tuple[dict[str, str], dict[str, Any]]:
    """The card as a display bundle and its metadata, where the structured record lies."""
    data = {"text/plain": plain(view), "text/html": page(view)}
    if view.running is None:
        data["text/markdown"] = markdown(view)
    if not view.results:
        return data, {}
    newest, *earlier = view.results
    told = record(newest)
    if earlier:
        told["earlier"] = [record(result) for result in earlier]
    return data, {"nbroute": told}


def page(view: View) -> str:
    """The card for `text/html`: no script, complete with no kernel."""
    tiers = view.scale.tiers
    asked = f'<p class="nbr-note nbr-asked">{look.text(view.asked)}</p>'
    blocks = [asked] if view.asked else []
    blocks += [_running(view.running, tiers)] if view.running else []
    lines = [*view.notices, *_together(view.results)]
    inside = (_note(line) for line in lines)
    error = f'<p class="nbr-note"><strong>{look.text(view.error)}</strong></p>'
    blocks += [error] if view.error else []
    for place, result in enumerate(view.results):
        if place or view.running:
            summary = f"before: {look.text(headline(result, view.scale))}"
            blocks.append(look.folded(summary, _answer(result, tiers)))
        else:
            blocks += [_head(result, view), _answer(result, tiers)]
    tier = view.running.tier if view.running else view.results[0].tier if view.results else ""
    session = f'<p class="nbr-row">{look.quiet(view.session)}</p>' if view.session else ""
    return look.page(card(tier, tiers, *blocks, *inside), session)


def card(tier: str, tiers: tuple[str, ...], *blocks: str) -> str:
    """A frame in the tier's colour; styles that must survive without a stylesheet are its own."""
    tint = look.tinted(tier, tiers)
    style = f"{tint};border-left:4px solid {tint.partition(':')[2]}"
    return f'<div class="nbr-card" style="{style}">{"".join(blocks)}</div>'


def _head(result: RouteResult, view: View) -> str:
    cost = result_price(result)
    step = "+" if result.parent and cost.amount.startswith("$") else ""
    simulated = result.answer.provider_kind == "simulated"
    model = result.model if simulated else model_name(result.answer)
    badges = [
        look.badge(cost.source, title=cost.meaning),
        look.badge("simulated", title=WRITTEN) if simulated else "",
        look.badge("cached") if "cached" in marks(result) else "",
    ]
    return look.head(
        [
            look.pill(result.tier, view.scale.tiers),
            f'<span class="nbr-model">{look.text(model)}</span>',
            '<span class="nbr-space"></span>',
            f'<b class="nbr-cost">{look.text(step + cost.amount)}</b>',
            look.quiet(view.scale.ratio(result)),
            look.quiet(beside(result)),
            *badges,
            look.quiet(took(result)),
            look.quiet(tokens(result.answer)),
            look.badge(f"v{view.version}" if view.version > 1 else ""),
            look.badge(
                f"#{view.number}" if view.number else "",
                title="%route why, label and escalate take this number",
            ),
        ]
    )


def _answer(result: RouteResult, tiers: Sequence[str]) -> str:
    body = answer_html(result.text) if result.text.strip() else f"<p>{NO_ANSWER}</p>"
    ended = "".join(
        f'<p class="nbr-note"><strong>{look.text(mark)}</strong></p>'
        for mark in marks(result)
        if mark != "cached"
    )
    rest = "".join(map(_note, notes(result)))
    shown = f'{_thoughts(result)}<div class="nbr-body" dir="auto">{body}</div>{ended}{rest}'
    return f"{shown}{_why(result)}{_steps(result, tiers)}"


def _note(line: str) -> str:
    return f'<p class="nbr-note nbr-quiet">{look.text(line)}</p>'


def _thoughts(result: RouteResult) -> str:
    if not result.reasoning:
        return ""
    return look.folded(look.text(_thought(result)), answer_html(result.reasoning))


def _why(result: RouteResult) -> str:
    """The reason, open where the tier is not the one that the classifier names."""
    made = result.decision
    sure = confident(made.confidence)
    summary = DOT.join(filter(None, (why_title(result), sure)))
    other = made.tier not in ("", result.tier) and len(result.rungs) < 2 and not result.parent
    inside = f"<p>{look.text(made.reason)}</p>"
    return look.folded(look.text(summary), inside, opened=other)


def _steps(result: RouteResult, tiers: Sequence[str]) -> str:
    found = steps(result)
    if not found:
        return ""
    rows = []
    for step in found:
        said = DOT.join(filter(None, (step.said, step.quoted)))
        cells = (step.model, said, step.cost, step.time)
        rows.append([look.pill(step.tier, tiers), *map(look.text, cells)])
    shown = look.table("steps", ("tier", "model", "what came of it", "cost", "time"), rows)
    return look.folded(look.text(steps_title(result)), shown)


def _running(running: Running, tiers: tuple[str, ...]) -> str:
    pill = look.pill(running.tier, tiers) if running.tier else ""
    model = f'<span class="nbr-model">{look.text(running.model)}</span>' if running.model else ""
    facts = (look.quiet(fact) for fact in running.facts)
    head = look.head([pill, model, '<span class="nbr-space"></span>', *facts])
    body = (
        f'<div class="nbr-body" dir="auto">{plain_html(running.text)}</div>' if running.text else ""
    )
    return head + body


def plain(view: View) -> str:
    """The card for `text/plain`: complete in a terminal and with no kernel."""
    blocks = [f"prompt: {view.asked}"] if view.asked else []
    blocks += [_running_plain(view.running)] if view.running else []
    if view.error:
        blocks.append(view.error)
    for place, result in enumerate(view.results):
        lines = (
            [f"--- before: {headline(result, view.scale)} ---"] if place else _told(result, view)
        )
        blocks.append("\n".join(lines))
        blocks.append(safe_plain(result.text) or NO_ANSWER)
        blocks.append("\n".join(step_lines(result)))
    blocks.append("\n".join(_footers(view)))
    return safe_plain("\n\n".join(block for block in blocks if block))


def figures(view: View) -> str:
    """What a terminal prints below an answer that streamed: everything but the answer."""
    lines = [view.error] if view.error else []
    if view.results:
        newest = view.results[0]
        lines += [*_told(newest, view), *step_lines(newest)]
    return safe_plain("\n".join(line for line in [*lines, *_footers(view)] if line))


def markdown(view: View) -> str:
    """The card for `text/markdown`: what HTML folds away stands in lines."""
    blocks = [f"> {escape_markdown(view.asked)}"] if view.asked else []
    blocks += [f"**{escape_markdown(view.error)}**"] if view.error else []
    for place, result in enumerate(view.results):
        first, *rest = _told(result, view)
        head = f"**{escape_markdown(f'before: {first}' if place else first)}**"
        blocks.append("  \n".join([head, *map(escape_markdown, rest)]))
        blocks.append(safe_markdown(result.text) or f"*{NO_ANSWER}*")
        title, *found = step_lines(result) or [""]
        listed = (f"- {escape_markdown(line[2:])}" for line in found)
        blocks.append("\n".join([f"{escape_markdown(title)}\n", *listed]) if found else "")
    blocks += map(escape_markdown, _footers(view))
    return "\n\n".join(block for block in blocks if block)


def _thought(result: RouteResult) -> str:
    return f"reasoning, about {estimate_tokens(result.reasoning):,} tokens"


def _told(result: RouteResult, view: View) -> list[str]:
    """The lines above an answer that cannot fold anything away."""
    number = f"{DOT}#{view.number}" if view.number and result is view.results[0] else ""
    thought = [f"{_thought(result)}: see result.reasoning"] if result.reasoning else []
    return [headline(result, view.scale) + number, *remarks(result), *thought]


def _running_plain(running: Running) -> str:
    return "\n".join([*_running_head(running), "", safe_plain(running.text)]).strip()


def _running_head(running: Running) -> list[str]:
    lines = [DOT.join(filter(None, (running.tier, running.model, *running.facts)))]
    if made := running.decision:
        lines.append(f"why {made.tier or running.tier}: {reason(made)}")
    return lines


def _footers(view: View) -> list[str]:
    lines = [f"note: {notice}" for notice in view.notices]
    return [*lines, *_together(view.results), *([view.session] if view.session else [])]


def _together(chain: tuple[RouteResult, ...]) -> list[str]:
    """What an escalated answer and those before it cost in all."""
    attempts = tuple(attempt for result in chain for attempt in result.attempts)
    if len(chain) < 2:
        return []
    answers = sum(one.purpose == "answer" and bool(one.text) for one in attempts)
    real, equivalent = total_cost(attempts), equivalent_cost(attempts)
    costs = [real]
    if real.source != "equivalent" and any(a.cost_source == "equivalent" for a in attempts):
        costs.append(equivalent)
    told = " and ".join(str(price(one)) for one in costs)
    all_of_it = f"{counted(answers, 'answer')} together" if answers > 1 else "in all"
    return [f"{all_of_it}: {told}"]
