"""What `%route` and `--dry-run` say: tables and lists, plain and Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nbroute.evaluate.whatif_text import EMPTY, HEAD, cells
from nbroute.notebook import look
from nbroute.notebook.answer import escape_markdown, safe_plain
from nbroute.notebook.lines import DOT, attempt_line, headline, notes, reason, step_lines
from nbroute.notebook.session import session_text
from nbroute.pricing import SOURCES, describe, format_usd, price_of
from nbroute.report.table import seconds, shortened, text_table, without_nothing
from nbroute.types import Cost, Decision, Explanation, Price, RouteResult, Signal

if TYPE_CHECKING:
    from nbroute.evaluate.whatif import WhatIf
    from nbroute.router import Router


#: The calls that the log shows.
_LOGGED = 100


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
        """The table with its columns aligned."""
        rows = ([" ".join(safe_plain(cell).split()) for cell in row] for row in self.rows)
        lines = text_table([self.head, *rows]) if self.rows else []
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


def spend_table(router: Router, words: Sequence[str]) -> Table:
    """The session's spend by tier, or by what the words say; `all` takes every session."""
    everything = "all" in words
    by = next((word for word in words if word != "all"), "tier")
    groups = router.spend(by, everything=everything)
    order = [*router.ladder.names] if by == "tier" else []
    names = sorted(groups, key=lambda name: order.index(name) if name in order else len(order))
    named = [(str(name or "(none)"), groups[name]) for name in names]
    named.append(("together", router.spend(everything=everything)))
    rows = [
        [
            name,
            str(found.calls),
            str(found.cached_calls),
            format_usd(found.usd),
            format_usd(found.equivalent_usd),
            str(found.unknown_calls),
        ]
        for name, found in named
    ]
    money = ("spent", "would have cost")
    head = ["day (UTC)" if by == "day" else by, "calls", "cached", *money, "price unknown"]
    shown = without_nothing([head, *rows], *money)
    shown = without_nothing(shown, "calls", "cached", "price unknown")
    return Table(shown[0], shown[1:], below=[session_text(router)])


def log_table(router: Router) -> Table:
    """The session's calls, those in the last line the newest; narrow enough for a terminal."""
    rows = router.ledger.rows(session=router.session)
    whole = "the whole frame, every column: router.ledger.frame() (router = %route router)"
    if not rows:
        return Table([], [], above=["no calls yet in this session", whole])
    times = [datetime.fromtimestamp(row["ts"], UTC).astimezone() for row in rows]
    form = "%H:%M:%S" if len({time.date() for time in times}) == 1 else "%d %b %H:%M"
    sources = {row["cost_source"] for row in rows if row["cost_usd"]}
    shown = [
        [
            f"{time:{form}}",
            row["tier"],
            shortened(row["model"], 26),
            format_usd(row["cost_usd"]),
            seconds(row["latency_ms"]),
            row["status"],
            shortened(", ".join(_log_notes(row, sources)), 60),
        ]
        for time, row in list(zip(times, rows, strict=True))[-_LOGGED:]
    ]
    head = [f"time ({times[-1]:%Z})", "tier", "model", "cost", "took", "status", "note"]
    left_out = [f"the last {_LOGGED} of {len(rows):,} calls"] if len(rows) > _LOGGED else []
    costs = [f"costs: {SOURCES[one]}" for one in sources if len(sources) == 1]
    return Table(head, shown, above=left_out, below=[*costs, whole])


def _log_notes(row: Mapping[str, Any], sources: Collection[str]) -> Iterator[str]:
    """What is special about a call, the words of its error last."""
    if row.get("purpose", "answer") != "answer":
        yield {"classify": "asked for the tier", "embed": "vectors"}.get(row["purpose"], "")
    if row.get("cached"):
        yield "replayed" if row["latency_ms"] else "cached"
    if row.get("escalated"):
        yield "escalated"
    if row.get("comparison"):
        yield "compared"
    if row["cost_usd"] and len(sources) > 1:
        yield SOURCES[row["cost_source"]]
    if row.get("error"):
        yield str(row["error"])


def rates(price: Price) -> str:
    """`$0.15 in, $0.60 out, $0.075 cached`, each per million tokens, and exactly."""
    kinds = {"in": price.input, "out": price.output, "cached": price.cached_input}
    told = ((kind, f"{usd:f}", f"{usd:.2f}") for kind, usd in kinds.items() if usd is not None)
    return ", ".join(f"${max(exact, cents, key=len)} {kind}" for kind, exact, cents in told)


def tiers_table(router: Router, told: Sequence[str] = ()) -> Table:
    """The ladder, cheapest tier first; above it what is told of it."""
    rows, below = [], []
    for tier in router.ladder.tiers:
        price = price_of(tier, tier.model, router.parts.kind(tier))
        first, *rest = (f"{target.provider}: {target.model}" for target in tier.targets)
        cost = rates(price) if price else "unknown"
        rows.append([tier.name, first, cost, str(tier.max_tokens)])
        if rest:
            others = [one.removeprefix(f"{tier.provider}: ") for one in rest]
            below.append(f"{tier.name} falls back to {', then '.join(others)}")
        if tier.system:
            below.append(f"{tier.name} is told: {tier.system}")
    head = ["tier", "model", "per million tokens", "token budget"]
    above = [*told, f"ladder {router.ladder.name}{DOT}{router.settings.origin}"]
    return Table(head, rows, above=above, below=below)


def budgets(router: Router) -> Said:
    """Each budget that is in force, and the session's spend."""
    limits = router.limits
    features = limits.budget_usd_per_feature
    each = features and f"${features} each"
    if isinstance(features, Mapping):
        each = ", ".join(f"{name} ${usd}" for name, usd in features.items())
    session, day = limits.budget_usd, limits.budget_usd_per_day
    kinds = {
        "session": session and f"${session}",
        "a day (UTC)": day and f"${day}",
        "a feature": each,
    }
    told = "; ".join(f"{kind}: {said}" for kind, said in kinds.items() if said)
    if not told:
        return Said(f"budget: none; %route budget 1.00 sets one.\n{session_text(router)}")
    then = "a cheaper tier is asked" if limits.on_limit == "cheaper" else "a call is refused"
    return Said(f"budget: {told}. Over it, {then}.\n{session_text(router)}")


def threads_table(router: Router) -> Table:
    """The session's conversations: their turns, the tiers that answered, the last prompt."""
    rows = []
    for name in router.threads.names():
        turns = router.threads.turns(name)
        tiers = " > ".join(turn.tier for turn in turns)
        rows.append([name, str(len(turns)), tiers, shortened(turns[-1].prompt, 60)])
    below = [] if rows else ["no thread yet: %%route --thread NAME begins one"]
    return Table(["thread", "turns", "tiers", "last prompt"], rows, below=below)


def decision(made: Decision, prompt: str) -> Table:
    """A decision and the signals behind it."""
    return Table(
        ["signal", "text", "where", "weight"],
        _signal_rows(made.signals),
        above=[f"{made.tier}{DOT}{reason(made)}"],
        below=[
            *([f"prompt: {prompt[:200]}"] if prompt else []),
            *(attempt_line(attempt) for attempt in made.attempts),
        ],
    )


def explanation(result: RouteResult) -> Table:
    """Why a result is what it is: the signals, then each call and what it cost."""
    steps = list[str]()
    for one in reversed(result.chain):
        steps += [*notes(one), *step_lines(one), f"answer: {headline(one)}"]
    first = result.chain[-1]
    table = decision(first.decision, "")
    begun = "" if first.tier == first.decision.tier else "began on "
    above = [f"{begun}{line}" for line in table.above]
    return Table(table.head, table.rows, above=above, below=steps)


def what_if(found: WhatIf) -> Table:
    """The what-if as a table, and below it what to write to have it."""
    if not found.strategies:
        return Table(HEAD, (), above=[EMPTY, *found.notes])
    rows = [cells(one) for one in found.strategies]
    setting = found.setting
    below = ["", *found.notes, *(["", "to have it:"] if setting else [])]
    return Table(HEAD, rows, above=[found.headline], below=below, code=setting)


def dry_run(explained: Explanation) -> Table:
    """The messages, the tier and why, and the cost range on every tier; nothing was sent."""
    request, made = explained.requests[0], explained.decision
    texts = ((message.role, message.content) for message in request.messages)
    steps = [step.tier.name for step in explained.plan.steps]
    asked = steps if explained.plan.strategy == "parallel" else steps[:1]
    rows = []
    for e in explained.estimates:
        name = f"> {e.tier}" if e.tier in asked else e.tier
        tokens = str(e.input_tokens), str(e.max_tokens)
        rows.append([name, e.model, *tokens, cost_range(e.low, e.high)])
    return Table(
        ["tier", "model", "tokens in (about)", "token budget", "cost"],
        rows,
        above=[
            f"dry run, nothing was sent{DOT}{_goes_to(explained, asked)}{DOT}{request.model}",
            f"why: {reason(made)}",
            *(
                f"{role}: {text if len(text) <= 2_000 else f'{text[:1_900]} ... {text[-80:]}'}"
                for role, text in texts
            ),
        ],
        below=[
            "the range: an answer of one token, to one that uses the whole token budget",
            *_climb(explained),
            *([explained.refusal] if explained.refusal else []),
        ],
    )


def _goes_to(explained: Explanation, tiers: Sequence[str]) -> str:
    """The tier, or that a model is asked for it first, what that costs, and which is likely."""
    names, asking = " and ".join(tiers), explained.asking
    if asking is None:
        return f"would go to {names}"
    cost = cost_range(asking.low, asking.high)
    return f"first {asking.model} is asked for the tier, for {cost}; {names} is a guess"


def _climb(explained: Explanation) -> list[str]:
    """What else may be asked, and the most that all of it could cost."""
    plan, names = explained.plan, [step.tier.name for step in explained.plan.steps]
    steps = explained.steps
    if len(steps) < 2:
        return []
    most = f"together at most {together(list(steps.values()))}"
    if len(names) < 2:
        return [f"{' and '.join(steps)}: {most}"]
    if plan.strategy == "parallel":
        alike = f"from a similarity of {plan.agreement} on {names[0]}'s answer is kept"
        return [f"both are asked at once and paid for; {alike}; {most}"]
    return [f"while a check fails, the next one is asked too: {', '.join(names[1:])}; {most}"]


def _signal_rows(signals: Sequence[Signal]) -> list[list[str]]:
    """What counted, each stretch of the prompt once, with all that it stands for."""
    found = dict[tuple[str, int | None, int | None], list[Signal]]()
    for one in signals:
        found.setdefault((one.text, one.start, one.end), []).append(one)
    rows = []
    for (text, start, end), same in found.items():
        weight = sum(one.weight for one in same)
        where = "" if start is None else f"{start} to {end}"
        names = ", ".join(one.name for one in same)
        rows.append([names, text, where, f"{weight:+.2f}" if weight else ""])
    return rows


def cost_range(low: Cost, high: Cost) -> str:
    """`$0.000012 to $0.0005 (list price)`."""
    if low.usd is None:
        return describe(low)
    return f"{format_usd(low.usd)} to {describe(high)}"


def together(costs: Sequence[Cost]) -> str:
    """What they come to; money that is billed and money that is not are never added."""
    told = []
    for unbilled in dict.fromkeys(cost.source == "equivalent" for cost in costs):
        group = [one for one in costs if (one.source == "equivalent") is unbilled]
        known = [one.usd for one in group if one.usd is not None]
        usd = sum(known, Decimal(0)) if len(known) == len(group) else None
        told.append(describe(Cost(usd, group[0].source)))
    return " and ".join(told)
