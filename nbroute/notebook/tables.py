"""What `%route` and `--dry-run` say: tables and lists, plain and Markdown."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nbroute.budgets import clean
from nbroute.evaluate import whatif_text
from nbroute.notebook import look, marked
from nbroute.notebook.answer import escape_markdown, safe_plain
from nbroute.notebook.lines import COSTS, DOT, attempt_line, headline, notes, reason, step_lines
from nbroute.pricing import column_usd, describe, format_usd, unknown_why
from nbroute.report.table import ends, text_table, with_effort
from nbroute.types import Cost, Decision, Explanation, RouteResult

if TYPE_CHECKING:
    from nbroute.evaluate.whatif import WhatIf
    from nbroute.router import Router


@dataclass(frozen=True)
class Told:
    """Text that is shown as it is."""

    text: str

    def __repr__(self) -> str:
        """The text."""
        return self.text


class Said(Told):
    """Sentences, a line each; a notebook wraps them between words."""

    def _repr_markdown_(self) -> str:
        return "  \n".join(escape_markdown(line) for line in self.text.split("\n"))


@dataclass(frozen=True)
class Table:
    """Lines above, a table, lines below, settings to copy; all plain text, escaped in Markdown."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    above: Sequence[str] = ()
    below: Sequence[str] = ()
    code: str = ""

    def __repr__(self) -> str:
        """The table with its columns aligned, no wider than the terminal."""
        rows = ([" ".join(safe_plain(cell).split()) for cell in row] for row in self.rows)
        wide = shutil.get_terminal_size().columns
        lines = text_table([self.head, *rows], most=wide) if self.rows else []
        below = [*self.below, *self.code.splitlines()]
        return "\n".join([*map(safe_plain, self.above), *lines, *map(safe_plain, below)])

    def html(self) -> str:
        """The same as HTML, for a widget."""
        above, below = (
            "".join(f"<p>{look.text(line)}</p>" for line in lines)
            for lines in (self.above, self.below)
        )
        rows = [list(map(look.text, row)) for row in self.rows]
        return f"{above}{look.table('details', self.head, rows) if rows else ''}{below}"

    def _repr_markdown_(self) -> str:
        rows = [list(map(escape_markdown, row)) for row in (self.head, *self.rows)]
        grid = [f"| {' | '.join(row)} |" for row in (rows[0], ["---"] * len(self.head), *rows[1:])]
        above = [escape_markdown(line) for line in self.above]
        below = [escape_markdown(line) for line in self.below]
        code = [f"```toml\n{self.code}\n```"] if self.code else []
        return "\n\n".join([*above, *(["\n".join(grid)] if self.rows else []), *below, *code])


def decision(made: Decision, prompt: str) -> Table:
    """A decision and the signals behind it."""
    rows = [row[1:] for row in marked.signal_rows(clean(prompt)[0], made.signals)]
    below = [f"prompt: {prompt[:200]}", *map(attempt_line, made.attempts)]
    return Table(marked.HEAD[1:], rows, above=[f"{made.tier}{DOT}{reason(made)}"], below=below)


def explanation(result: RouteResult) -> Table:
    """Why a result is what it is: the signals, then each call and what it cost."""
    steps = list[str]()
    for one in reversed(result.chain):
        steps += [*notes(one), *step_lines(one), f"answer: {headline(one)}"]
    first = result.chain[-1]
    table = decision(first.decision, first.prompt)
    begun = "" if first.tier == first.decision.tier else "started with "
    return replace(table, above=[f"{begun}{table.above[0]}"], below=steps)


def what_if(found: WhatIf) -> Table:
    """The what-if as a table, and below it the settings to keep it."""
    if not found.strategies:
        return Table(whatif_text.HEAD, (), above=[whatif_text.EMPTY, *found.notes])
    rows, setting = whatif_text.table(found.strategies), found.setting
    below = ["", *found.notes, "", whatif_text.KEEP]
    return Table(whatif_text.HEAD, rows, above=[found.headline], below=below, code=setting)


def dry_run(explained: Explanation) -> Table:
    """The messages, the tier and why, and the cost range on every tier; nothing was sent."""
    request, asking = explained.requests[0], explained.asking
    steps = [step.tier.name for step in explained.plan.steps]
    asked = steps[: len(explained.plan.at_once)]
    times = explained.plan.times
    often = f" {times} times" if times > 1 else ""
    goes = f"would go to {' and '.join(asked)}{often}"
    if asking is not None:  # a model, for the tier
        least = f"{format_usd(asking.low.usd)} to " if asking.low.usd is not None else ""
        cost = f"{least}{describe(asking.high)}"
        guess = f"{' and '.join(asked)} is a guess"
        goes = f"first {asking.model} is asked for the tier, for {cost}; {guess}"
    model = with_effort(request.model, request.effort)
    above = [f"dry run, nothing was sent{DOT}{goes}{DOT}{model}"]
    above.append(f"why: {reason(explained.decision)}")
    above += [f"{one.role}: {ends(one.content, 1_900, 100)}" for one in request.messages]
    table = estimates({f"{'> ' * (e.tier in asked)}{e.tier}": e for e in explained.estimates})
    below = [*table.below, *_climb(explained), *filter(None, [explained.refusal])]
    return replace(table, above=above, below=below)


def tried(router: Router, prompt: str, **options: Any) -> Table | Said:
    """What the playground says about a prompt, once and in words."""
    if not prompt.strip():
        return Said("playground: give a text, such as %route playground What is a monad?")
    explained = router.explain(prompt, **options)
    signals = marked.signal_rows(clean(prompt)[0], explained.decision.signals)
    told = [
        f'signal {name}: "{text}", {where}, points to {side}'
        for _, name, text, where, side in signals
    ]
    shown = dry_run(explained)
    return replace(shown, below=[*(told or ["no signal in the text"]), *shown.below])


def estimates(found: Mapping[str, Any], of: str = "tier") -> Table:
    """What each may cost, by name: from an answer of one token to one of the whole token budget."""
    low, high = ([getattr(e, end) for e in found.values()] for end in ("low", "high"))
    amounts = [column_usd(cost.usd for cost in costs) for costs in (low, high)]
    rows = [
        [name, with_effort(e.model, e.effort), f"{e.input_tokens:,}", f"{e.max_tokens:,}", *both]
        for (name, e), *both in zip(found.items(), *amounts, strict=True)
    ]
    sources: dict[str, list[str]] = {}
    for name, cost in zip(found, high, strict=True):
        told = COSTS[cost.source] if cost.usd is not None else f"unknown: {unknown_why(cost)}"
        sources.setdefault(told, []).append(name.removeprefix("> "))
    plain = sum(not told.startswith("unknown") for told in sources) < 2
    named = (told if plain else f"{told} ({', '.join(names)})" for told, names in sources.items())
    below = [
        "from an answer of one token to one that uses the whole token budget",
        f"costs: {'; '.join(named)}",
    ]
    return Table([of, "model", "tokens in", "most out", "cost from", "to"], rows, below=below)


def _climb(explained: Explanation) -> list[str]:
    """What else may be asked, and what all of it could cost at most."""
    plan, names = explained.plan, [step.tier.name for step in explained.plan.steps]
    steps = explained.steps
    if len(steps) < 2 and plan.times == 1:
        return []
    most = f"together at most {together(list(steps.values()))}"
    if len(names) < 2:
        return [f"{' and '.join(steps)}: {most}"]
    if plan.agreement is not None:
        alike = f"if they agree, {names[0]}'s answer is used"
        differ = f"; if not, {names[2]} is asked, too" if names[2:] else ""
        return [f"both are asked at once and paid for; {alike}{differ}; {most}"]
    return [f"while a check fails, the next one is asked too: {', '.join(names[1:])}; {most}"]


def together(costs: Sequence[Cost]) -> str:
    """The total; billed and unbilled money are never added together."""
    told = []
    for unbilled in dict.fromkeys(cost.source == "equivalent" for cost in costs):
        group = [one for one in costs if (one.source == "equivalent") is unbilled]
        known = [one.usd for one in group if one.usd is not None]
        usd = sum(known, Decimal(0)) if len(known) == len(group) else None
        told.append(describe(Cost(usd, group[0].source)))
    return " and ".join(told)
