"""What is asked and said of answers that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbroute.classify.wording import listed
from nbroute.engine.feedback import (
    WORDS,
    PickedAgainstNeeded,
    picked_against_needed,
    read_feedback,
    spelt,
)
from nbroute.errors import SettingsError
from nbroute.evaluate.training_data import FEWEST
from nbroute.notebook import options, tables
from nbroute.notebook.commands.base import number_of, numbered, only
from nbroute.notebook.lines import MEANS, kept
from nbroute.report import counted

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk
    from nbroute.types import RouteResult

_QUOTES = "\"'"
_SAYS = f"{', '.join(list(MEANS)[:-1])} or {list(MEANS)[-1]}"


def why(desk: Desk, rest: str) -> tables.Table:
    """A result explained."""
    result, left = numbered(desk, rest)
    only("why", left)
    return tables.explanation(result)


def escalate(desk: Desk, rest: str) -> RouteResult | None:
    """A prompt again, in a card of its own."""
    number, tier = number_of(rest)
    return desk.escalate(tier or None, number)


def label(desk: Desk, rest: str) -> tables.Said:
    """Keep a word on an answer, and maybe the tier that the prompt needs."""
    number, left = number_of(rest)
    words = options.words(left)
    if not words:
        raise SettingsError(f"`%route label` takes {_SAYS}, and maybe the tier needed")
    takes_back, tier = words == ["off"], None
    if spelt(" ".join(words[:-1])) in WORDS:
        *words, tier = words
    word = "" if takes_back else read_feedback(" ".join(words))
    result = desk.newest if number is None else desk.card(number).result
    if takes_back:
        desk.router.take_back(result)
    told = "taken back" if takes_back else kept(desk.router.label(result, word, tier))
    desk.refresh()
    return tables.Said(f"nbroute: {told}")


def labels(desk: Desk, rest: str) -> tables.Table:
    """How often routing picked what was needed."""
    everything = bool(only("labels", rest, "all"))
    found = picked_against_needed(desk.router, everything=everything)
    tiers = found.tiers
    if not (found.named or found.unnamed or found.elsewhere):
        where = "in the ledger" if everything else "in this session"
        told = (
            f"no labels yet {where}: say what you think of an answer with a click under its card, "
            f"or with %route label WORD, which is {_SAYS}"
        )
        more = [] if everything else ["%route labels all shows those of every session"]
        return tables.Table([], [], above=[told, *more])
    shown = [tier for tier in tiers if any(found.counts.get((tier, to)) for to in tiers)]
    rows = [[tier, *(str(found.counts.get((tier, to), 0)) for to in tiers)] for tier in shown]
    head = ["picked", *(f"needed {tier}" for tier in tiers)]
    return tables.Table(head, rows, below=_meaning(found, everything=everything))


def _meaning(found: PickedAgainstNeeded, *, everything: bool) -> list[str]:
    """What the table says, and what the labels are good for or lack for it."""
    lines = []
    if found.named:
        lines.append(
            f"of {counted(found.named, 'label')}, {found.right} picked what was needed, "
            f"{found.too_expensive} too expensive, {found.too_weak} too weak"
        )
    if found.unnamed:
        lines.append(f"left out: {counted(found.unnamed, 'label')} with no tier named")
    if found.elsewhere:
        lines.append(f"left out: {counted(found.elsewhere, 'label')} with tiers of another ladder")
    wanting = [tier for tier in found.tiers if not found.needing(tier)]
    missing = [f"{FEWEST - found.named} more labels"] if found.named < FEWEST else []
    missing += [f"one or more for {listed(wanting)}"] if wanting else []
    lacking = f"; it takes {' and '.join(missing)}" if missing else ""
    call = f"router.fit(router.labels({'everything=True' if everything else ''}))"
    return [*lines, f"{call} learns a classifier from them (router = %route router){lacking}"]


def controls(desk: Desk, rest: str) -> None:
    """Show a card's controls here."""
    number, left = number_of(rest)
    only("controls", left)
    if number is None:
        raise SettingsError("`%route controls` takes the number of an answer, such as 1")
    desk.show_controls(number)


def versions(desk: Desk, rest: str) -> tables.Table:
    """The versions of a cell."""
    number, left = number_of(rest)
    only("versions", left)
    return desk.versions_table(number)


def vote(desk: Desk, rest: str) -> tables.Said:
    """Keep which answer is good enough; a blind comparison is revealed."""
    card = desk.comparing.last
    if not rest:
        names = ", ".join(card.choices)
        raise SettingsError(f"`%route vote` takes one of the answers compared: {names}")
    return tables.Said(f"nbroute: {card.vote(rest.strip(_QUOTES))}")


def differences(desk: Desk, rest: str) -> tables.Said:
    """Highlight what no other answer says, or no longer."""
    off = "off" in only("differences", rest, "on", "off")
    desk.comparing.last.mark(not off)
    marked = "no longer highlighted" if off else "highlighted"
    return tables.Said(f"nbroute: what no other answer says is {marked}")


def matrix(desk: Desk, rest: str) -> tables.Said | None:
    """Show the last comparison of many prompts again, or write it into a file."""
    found = desk.comparing.matrix
    if rest:
        return tables.Said(f"nbroute: written to {found.grid.export(rest.strip(_QUOTES))}")
    desk.comparing.display(found.grid)
    return None


def threads(desk: Desk, rest: str) -> Any:
    """The conversations of this session, or one of them forgotten."""
    word, _, name = rest.partition(" ")
    if word and (word != "forget" or not name.strip()):
        raise SettingsError("`%route threads` lists them; `%route threads forget NAME` drops one")
    if word:
        desk.router.threads.forget(name.strip())
        return tables.Said(f"nbroute: thread {name.strip()!r} is forgotten")
    return tables.threads_table(desk.router)


COMMANDS = {
    "why": why,
    "escalate": escalate,
    "label": label,
    "labels": labels,
    "controls": controls,
    "versions": versions,
    "vote": vote,
    "differences": differences,
    "matrix": matrix,
    "threads": threads,
}
