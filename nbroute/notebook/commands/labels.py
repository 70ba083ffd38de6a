"""What people say of answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nbroute.engine.feedback import (
    FEEDBACK,
    PickedAgainstNeeded,
    picked_against_needed,
    read_feedback,
    spelt,
)
from nbroute.errors import SettingsError
from nbroute.evaluate.training_data import FEWEST
from nbroute.notebook import options, tables
from nbroute.notebook.commands.base import Command
from nbroute.notebook.lines import WORDS, kept
from nbroute.report import counted
from nbroute.types import Feedback

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

_USAGE = f"`%route label` takes {', '.join(WORDS[:-1])} or {WORDS[-1]}, and maybe the tier needed"


def label(desk: Desk, rest: str) -> tables.Said:
    """Keep a word on the last answer, and maybe the tier that the prompt needs."""
    word, needed = _read(options.words(rest))
    return tables.Said(f"nbroute: {kept(desk.router.label(desk.newest, word, needed))}")


def _read(words: Sequence[str]) -> tuple[Feedback, str | None]:
    """The word, of one word or several, and the tier behind it."""
    if not words:
        raise SettingsError(_USAGE)
    *most, last = words
    if spelt(" ".join(most)) in FEEDBACK:
        return read_feedback(" ".join(most)), last
    return read_feedback(" ".join(words)), None


def labels(desk: Desk, rest: str) -> tables.Table:
    """How often routing picked what was needed."""
    if rest not in ("", "all"):
        raise SettingsError(f"`%route labels` takes nothing or `all`, not {rest!r:.80}")
    found = picked_against_needed(desk.router, everything=rest == "all")
    tiers = found.tiers
    if not (found.named or found.unnamed or found.elsewhere):
        return tables.Table([], [], above=_none_yet(rest))
    shown = [tier for tier in tiers if any(found.counts.get((tier, to)) for to in tiers)]
    rows = [[tier, *(str(found.counts.get((tier, to), 0)) for to in tiers)] for tier in shown]
    head = ["picked", *(f"needed {tier}" for tier in tiers)]
    return tables.Table(head, rows, below=_meaning(found, rest))


def _none_yet(rest: str) -> list[str]:
    where = "in the ledger" if rest else "in this session"
    told = (
        f"no labels yet {where}: say what you think of an answer with a click under its card, or "
        f"after a routed cell with `%route label WORD`, which is {', '.join(WORDS[:-1])} or "
        f"{WORDS[-1]}"
    )
    return [told] if rest else [told, "`%route labels all` shows those of every session"]


def _meaning(found: PickedAgainstNeeded, rest: str) -> list[str]:
    lines = []
    if found.named:
        lines.append(
            f"of {counted(found.named, 'label')}, {found.right} picked what was needed, "
            f"{found.too_expensive} too expensive, {found.too_weak} too weak"
        )
    if found.unnamed:
        lines.append(f"left out: {counted(found.unnamed, 'label')} of bad, which names no tier")
    if found.elsewhere:
        lines.append(f"left out: {counted(found.elsewhere, 'label')} with tiers of another ladder")
    return [*lines, _use(found, rest)]


def _use(found: PickedAgainstNeeded, rest: str) -> str:
    """What the labels are good for, and what they lack for it."""
    call = f"`router.fit(router.labels({'everything=True' if rest else ''}))`"
    wanting = [tier for tier in found.tiers if not found.needing(tier)]
    missing = [f"{FEWEST - found.named} more labels"] if found.named < FEWEST else []
    missing += [f"one or more for {', '.join(wanting)}"] if wanting else []
    lacking = f"; it takes {' and '.join(missing)}" if missing else ""
    return f"{call} learns a classifier from them (`router = %route router`){lacking}"


COMMANDS = {
    "label": Command(label, "keep your word on the last answer", f"{'|'.join(WORDS)} [TIER]"),
    "labels": Command(labels, "the tiers picked against those needed, by your labels", "[all]"),
}
