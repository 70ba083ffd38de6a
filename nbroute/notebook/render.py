"""A card as HTML, Markdown and plain text: pure functions from results to strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nbroute.classify.wording import confident
from nbroute.notebook import lines, look
from nbroute.notebook.answer import (
    answer_html,
    escape_markdown,
    plain_html,
    safe_markdown,
    safe_plain,
)
from nbroute.notebook.lines import DOT, Scale
from nbroute.pricing import call_usd, estimate_tokens
from nbroute.report import counted, record
from nbroute.report.table import seconds
from nbroute.types import WRITTEN, Cost, Decision, RouteResult, equivalent_cost, total_cost

NO_ANSWER = "(no answer)"


@dataclass(frozen=True)
class Running:
    """An answer on its way; `doing` is what it is waiting for, such as a model that is loading.

    `asked` is the model with its effort, `cost` an estimate of the cost so far.
    """

    tier: str = ""
    model: str = ""
    asked: str = ""
    text: str = ""
    decision: Decision | None = None
    doing: str = ""
    elapsed_s: float = 0.0
    tokens: int = 0
    cost: Cost | None = None

    @property
    def facts(self) -> list[str]:
        """What it is doing, for how long, how far it has got and what that costs."""
        doing = self.doing or ("answering ..." if self.text else "waiting for the first token ...")
        if not self.tier:
            doing = self.doing or "classifying ..."
        about = f"about {counted(self.tokens, 'token')}" if self.tokens else ""
        cost = f"~{call_usd(self.cost.usd)}" if self.cost and self.cost.usd else ""
        elapsed = seconds(1000 * self.elapsed_s) if self.elapsed_s >= 1 else ""
        return [fact for fact in (doing, elapsed, about, cost) if fact]


@dataclass(frozen=True)
class View:
    """Everything that a card shows: results, newest first, what is on its way, what failed.

    Commands use `number` to refer to the card; `version` is how often its cell has been answered;
    both are 0 for none. `asked` is the prompt, if no cell above the card has it.
    """

    results: tuple[RouteResult, ...] = ()
    running: Running | None = None
    error: str = ""
    session: str = ""
    notices: tuple[str, ...] = ()
    number: int = 0
    version: int = 0
    scale: Scale = field(default_factory=Scale)
    asked: str = ""
    #: Whether the cost is an exact amount, as it is shown next to others.
    exact: bool = False


def bundle(view: View) -> tuple[dict[str, str], dict[str, Any]]:
    """The card as a display bundle, and its metadata with the structured record."""
    data = {"text/plain": written(view), "text/html": page(view)}
    if view.running is None:
        data["text/markdown"] = written(view, marked=True)
    if not view.results:
        return data, {}
    newest, *earlier = view.results
    told = record(newest)
    if earlier:
        told["earlier"] = [record(result) for result in earlier]
    return data, {"nbroute": told}


def page(view: View) -> str:
    """The card for `text/html`: no script, complete with no kernel."""
    tiers, tier, running = view.scale.tiers, "", view.running
    asked = f'<p class="nbr-note nbr-asked">{look.text(view.asked)}</p>'
    blocks = [asked] if view.asked else []
    if running:
        tier = running.tier
        model = f'<span class="nbr-model">{look.text(running.asked)}</span>'
        facts = (look.quiet(fact) for fact in running.facts)
        begun = [look.pill(tier, tiers) if tier else "", model if running.model else ""]
        body = f'<div class="nbr-body" dir="auto">{plain_html(running.text)}</div>'
        blocks += [look.head([*begun, _facts(facts)]), body if running.text else ""]
    blocks += [_note(view.error, strong=True)] if view.error else []
    for place, result in enumerate(view.results):
        if place or running:
            summary = f"before: {look.text(lines.headline(result, view.scale))}"
            blocks.append(look.folded(summary, _answer(result, tiers)))
        else:
            tier = result.tier
            blocks += [_head(result, view), _answer(result, tiers)]
    blocks += map(_note, [*view.notices, *_together(view.results)])
    session = f'<p class="nbr-row">{look.quiet(view.session)}</p>' if view.session else ""
    return look.page(card(tier, tiers, *blocks), session)


def card(tier: str, tiers: tuple[str, ...], *blocks: str) -> str:
    """A frame in the tier's colour; it has the styles that must survive without a stylesheet."""
    tint = look.tinted(tier, tiers)
    style = f"{tint};border-left:4px solid {tint.partition(':')[2]}"
    return f'<div class="nbr-card" style="{style}">{"".join(blocks)}</div>'


def _head(result: RouteResult, view: View) -> str:
    cost = lines.exact_price(result) if view.exact else lines.result_price(result)
    step = "+" if result.parent and cost.amount.startswith("$") else ""
    simulated = result.answer.provider_kind == "simulated"
    model = result.model if simulated else lines.model_name(result.answer)
    facts = _facts(
        [
            f'<b class="nbr-cost">{look.text(step + cost.amount)}</b>',
            look.quiet(view.scale.ratio(result)),
            look.quiet(lines.beside(result)),
            look.badge(cost.source, title=cost.meaning),
            look.badge("simulated", title=WRITTEN) if simulated else "",
            look.badge("cached") if "cached" in lines.marks(result) else "",
            look.quiet(lines.took(result)),
            look.quiet(lines.tokens(result.answer), title=lines.thinking(result.answer)),
            look.badge(f"v{view.version}" if view.version > 1 else ""),
            look.badge(
                f"#{view.number}" if view.number else "",
                title="%route why, label and escalate take this number",
            ),
        ]
    )
    name = f'<span class="nbr-model">{look.text(model)}</span>'
    return look.head([look.pill(result.tier, view.scale.tiers), name, facts])


def _facts(pieces: Iterable[str]) -> str:
    """The right end of a head; the first stays in the first line even if not all fit."""
    return f'<span class="nbr-facts">{look.SEPARATOR.join(filter(None, pieces))}</span>'


def _answer(result: RouteResult, tiers: Sequence[str]) -> str:
    """The answer, how it ended, and what folds away: reasoning, why this tier, the steps.

    "Why" is open if the tier is not the one that the classifier names.
    """
    thought = look.folded(look.text(_thought(result)), answer_html(result.reasoning))
    body = answer_html(result.text) if result.text.strip() else f"<p>{NO_ANSWER}</p>"
    made = result.decision
    why = DOT.join(filter(None, (lines.why_title(result), confident(made.confidence))))
    other = made.tier not in ("", result.tier) and len(result.rungs) < 2 and not result.parent
    rows = [
        [look.pill(tier, tiers), *map(look.text, (model, said, cost, time))]
        for tier, model, said, cost, time in lines.steps(result)
    ]
    names = ("tier", "model", "what came of it", "cost", "time")
    table = look.folded(look.text(lines.steps_title(result)), look.table("steps", names, rows))
    return "".join(
        [
            thought if result.reasoning else "",
            f'<div class="nbr-body" dir="auto">{body}</div>',
            *(_note(mark, strong=True) for mark in lines.marks(result) if mark != "cached"),
            *map(_note, lines.notes(result)),
            look.folded(look.text(why), f"<p>{look.text(made.reason)}</p>", opened=other),
            table if rows else "",
        ]
    )


def _note(line: str, *, strong: bool = False) -> str:
    if strong:
        return f'<p class="nbr-note"><strong>{look.text(line)}</strong></p>'
    return f'<p class="nbr-note nbr-quiet">{look.text(line)}</p>'


def written(view: View, *, marked: bool = False, printed: bool = False) -> str:
    """The card as plain text, or `marked` as Markdown; what HTML folds away is in lines.

    If the answer has been `printed` already, it is left out.
    """
    say = escape_markdown if marked else safe_plain
    bold, line_end = ("**", "  \n") if marked else ("", "\n")
    blocks = [say(f"prompt: {view.asked}")] if view.asked else []
    if running := view.running:
        heads = [DOT.join(filter(None, (running.tier, running.asked, *running.facts)))]
        if made := running.decision:
            heads.append(f"why {made.tier or running.tier}: {lines.reason(made)}")
        blocks += [line_end.join(map(say, heads)), safe_plain(running.text)]
    blocks += [f"{bold}{say(view.error)}{bold}"] if view.error else []
    for place, result in enumerate(view.results[: 1 if printed else None]):
        number = f"{DOT}#{view.number}" if view.number and not place else ""
        first = f"{'before: ' if place else ''}{lines.headline(result, view.scale)}{number}"
        thought = [f"{_thought(result)}: see result.reasoning"] if result.reasoning else []
        rest = map(say, [*lines.remarks(result), *thought])
        blocks.append(line_end.join([f"{bold}{say(first)}{bold}", *rest]))
        answer = safe_markdown(result.text) if marked else safe_plain(result.text)
        blocks += [] if printed else [answer or NO_ANSWER]
        title, *found = lines.step_lines(result) or [""]
        listed = [f"- {say(line[2:])}" for line in found]
        blocks.append("\n".join([say(title), *([""] if marked and found else []), *listed]))
    footers = [*(f"note: {notice}" for notice in view.notices), *_together(view.results)]
    footers += [view.session] if view.session else []
    blocks.append(line_end.join(map(say, footers)))
    return ("\n" if printed else "\n\n").join(filter(None, blocks))


def _thought(result: RouteResult) -> str:
    counted = result.answer.reasoning_tokens
    about = f"{counted:,}" if counted else f"about {estimate_tokens(result.reasoning):,}"
    return f"reasoning, {about} tokens"


def _together(chain: tuple[RouteResult, ...]) -> list[str]:
    """What an escalated answer and the ones before it cost in all."""
    attempts = tuple(attempt for result in chain for attempt in result.attempts)
    if len(chain) < 2:
        return []
    answers = sum(one.purpose == "answer" and bool(one.text) for one in attempts)
    real, equivalent = total_cost(attempts), equivalent_cost(attempts)
    costs = [real]
    if real.source != "equivalent" and any(a.cost_source == "equivalent" for a in attempts):
        costs.append(equivalent)
    told = " and ".join(str(lines.price(one)) for one in costs)
    all_of_it = f"{counted(answers, 'answer')} together" if answers > 1 else "in all"
    return [f"{all_of_it}: {told}"]
