"""Commands about answers: why, escalate, label, compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbroute.engine.feedback import (
    WORDS,
    PickedAgainstNeeded,
    picked_against_needed,
    read_feedback,
    spelt,
)
from nbroute.errors import SettingsError
from nbroute.evaluate.training_data import FEWEST_TIERS
from nbroute.notebook import options, tables
from nbroute.notebook.commands.base import command
from nbroute.notebook.lines import MEANS, labelled
from nbroute.report.table import counted, shortened

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk
    from nbroute.types import RouteResult

_QUOTES = "\"'"
_SAYS = f"{', '.join(list(MEANS)[:-1])} or {list(MEANS)[-1]}"


@command("[NUMBER]", "1", "result.decision")
def why(desk: Desk, _rest: str, number: int | None) -> tables.Table:
    """Why a prompt went where it went, step by step."""
    return tables.explanation(desk.answer(number))


@command("[NUMBER] [TIER]", "FRONTIER", "router.escalate(result, 'FRONTIER')")
def escalate(desk: Desk, tier: str, number: int | None) -> RouteResult | None:
    """Ask again, on the next tier or on the one you name."""
    return desk.escalate(tier or None, number)


@command("[NUMBER] good|bad|too weak|overkill|off [TIER]", "1 good", "router.label(result, 'good')")
def label(desk: Desk, rest: str, number: int | None) -> str:
    """Say how good an answer is; off takes it back."""
    words = options.words(rest)
    if not words:
        raise SettingsError(f"`%route label` takes {_SAYS}, and optionally the tier needed")
    tier = words.pop() if spelt(" ".join(words[:-1])) in WORDS else None
    if words == ["off"]:
        desk.router.take_back(desk.answer(number))
        told = "label removed"
    else:
        word = read_feedback(" ".join(words))
        told = labelled(desk.router.label(desk.answer(number), word, tier))
    desk.refresh()
    return told


@command("[all]", "all", "router.labels(everything=True)")
def labels(desk: Desk, rest: str) -> tables.Table:
    """How the tiers picked compare with those needed, by your labels."""
    everything = bool(rest)
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
    """What the table says, and what the labels can be used for or still lack."""
    lines = []
    if found.named:
        lines.append(
            f"of {counted(found.named, 'label')}, {found.right} picked what was needed, "
            f"{found.too_expensive} too expensive, {found.too_weak} too weak"
        )
    others = {"no tier named": found.unnamed, "tiers of another ladder": found.elsewhere}
    lines += [f"left out: {counted(n, 'label')} with {what}" for what, n in others.items() if n]
    lacks = FEWEST_TIERS - found.named
    missing = [counted(lacks, "more label")] if lacks > 0 else []
    missing += (
        ["labels for two tiers"] if sum(map(bool, map(found.needing, found.tiers))) < 2 else []
    )
    lacking = f"; it takes {' and '.join(missing)}" if missing else ""
    call = f"router.fit(router.labels({'everything=True' if everything else ''}))"
    return [*lines, f"{call} learns a classifier from them (router = %route router){lacking}"]


@command("[NUMBER]", "1")
def controls(desk: Desk, _rest: str, number: int | None) -> None:
    """Show an earlier answer's buttons again."""
    if number is None:
        raise SettingsError("`%route controls` takes the number of an answer, such as 1")
    desk.show_controls(desk.card(number))


@command("[NUMBER]", "1")
def versions(desk: Desk, _rest: str, number: int | None) -> tables.Table:
    """The answers of one cell, run by run."""
    return desk.versions_table(number)


@command("NAME", "SIMPLE", "comparison.vote('SIMPLE')")
def vote(desk: Desk, rest: str) -> str:
    """Vote for the cheapest compared answer that will do."""
    card = desk.comparing.last
    if not rest:
        names = ", ".join(card.choices)
        raise SettingsError(f"`%route vote` takes one of the answers compared: {names}")
    return card.vote(rest.strip(_QUOTES))


@command("[on|off]", "off", "comparison.differences()")
def differences(desk: Desk, rest: str) -> str:
    """Highlight what no other answer says."""
    desk.comparing.last.mark(rest != "off")
    marked = "no longer highlighted" if rest == "off" else "highlighted"
    return f"what no other answer says is {marked}"


@command("[FILE.csv|.jsonl]", "answers.csv", "grid.export('answers.csv')")
def matrix(desk: Desk, rest: str) -> str | None:
    """Show the compared prompts again, or write them to a file."""
    found = desk.comparing.matrix
    if rest:
        return f"written to {found.grid.export(rest.strip(_QUOTES))}"
    desk.comparing.display(found.grid)
    return None


@command("[forget NAME]", "forget trip", "router.threads.names()")
def threads(desk: Desk, rest: str) -> Any:
    """The conversations started with --thread."""
    word, _, name = rest.partition(" ")
    if word and (word != "forget" or not name.strip()):
        raise SettingsError("`%route threads` lists them; `%route threads forget NAME` drops one")
    if word:
        desk.router.threads.forget(name.strip())
        return f"thread {name.strip()!r} is forgotten"
    rows = []
    for name in desk.router.threads.names():
        turns = desk.router.threads.turns(name)
        tiers = " > ".join(turn.tier for turn in turns)
        rows.append([name, str(len(turns)), tiers, shortened(turns[-1].prompt, 60)])
    below = [] if rows else ["no threads yet: %%route --thread NAME starts one"]
    return tables.Table(["thread", "turns", "tiers", "last prompt"], rows, below=below)
