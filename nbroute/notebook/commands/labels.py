"""What people say of answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbroute.errors import SettingsError
from nbroute.evaluate.labels import FEWEST
from nbroute.labelling import (
    FEEDBACK,
    PickedAgainstNeeded,
    picked_against_needed,
    read_feedback,
    spelt,
)
from nbroute.notebook import options, tables
from nbroute.notebook.commands.base import Command
from nbroute.notebook.feedback import WORDS, kept
from nbroute.types import Feedback

_USAGE = f"`%route label` takes {', '.join(WORDS[:-1])} or {WORDS[-1]}, and maybe the tier needed"


def label(desk: Any, rest: str) -> tables.Said:
    """Keep a word on the last answer, and maybe the tier that the prompt needs."""
    word, needed = _read(options.words(rest))
    if desk.last is None:
        raise SettingsError("nothing was routed yet; run a %%route cell first")
    return tables.Said(f"nbroute: {kept(desk.router.label(desk.last, word, needed))}")


def _read(words: Sequence[str]) -> tuple[Feedback, str | None]:
    """The word, of one word or several, and the tier behind it."""
    if not words:
        raise SettingsError(_USAGE)
    *most, last = words
    if spelt(" ".join(most)) in FEEDBACK:
        return read_feedback(" ".join(most)), last
    return read_feedback(" ".join(words)), None


def labels(desk: Any, rest: str) -> tables.Table:
    """How often routing picked what was needed."""
    if rest not in ("", "all"):
        raise SettingsError(f"`%route labels` takes nothing or `all`, not {rest!r:.80}")
    counted = picked_against_needed(desk.router, everything=rest == "all")
    tiers = counted.tiers
    if not (counted.named or counted.unnamed or counted.elsewhere):
        return tables.Table([], [], above=_none_yet(rest))
    shown = [tier for tier in tiers if any(counted.counts.get((tier, to)) for to in tiers)]
    rows = [[tier, *(str(counted.counts.get((tier, to), 0)) for to in tiers)] for tier in shown]
    head = ["picked", *(f"needed {tier}" for tier in tiers)]
    return tables.Table(head, rows, below=_meaning(counted, rest))


def _none_yet(rest: str) -> list[str]:
    where = "in the ledger" if rest else "in this session"
    told = (
        f"no labels yet {where}: say what you think of an answer with a click under its card, or "
        f"after a routed cell with `%route label WORD`, which is {', '.join(WORDS[:-1])} or "
        f"{WORDS[-1]}"
    )
    return [told] if rest else [told, "`%route labels all` shows those of every session"]


def _meaning(counted: PickedAgainstNeeded, rest: str) -> list[str]:
    lines = []
    if counted.named:
        lines.append(
            f"of {_labels(counted.named)}, {counted.right} picked what was needed, "
            f"{counted.too_dear} too dear, {counted.too_weak} too weak"
        )
    if counted.unnamed:
        lines.append(f"left out: {_labels(counted.unnamed)} of bad, which names no tier")
    if counted.elsewhere:
        lines.append(f"left out: {_labels(counted.elsewhere)} with tiers of another ladder")
    return [*lines, _use(counted, rest)]


def _use(counted: PickedAgainstNeeded, rest: str) -> str:
    """What the labels are good for, and what they lack for it."""
    call = f"`router.fit(router.labels({'everything=True' if rest else ''}))`"
    wanting = [tier for tier in counted.tiers if not counted.needing(tier)]
    missing = [f"{FEWEST - counted.named} more labels"] if counted.named < FEWEST else []
    missing += [f"one or more for {', '.join(wanting)}"] if wanting else []
    lacking = f"; it takes {' and '.join(missing)}" if missing else ""
    return f"{call} learns a classifier from them (`router = %route router`){lacking}"


def _labels(count: int) -> str:
    return f"{count:,} label{'' if count == 1 else 's'}"


COMMANDS = {
    "label": Command(label, "keep your word on the last answer", f"{'|'.join(WORDS)} [TIER]"),
    "labels": Command(labels, "the tiers picked against those needed, by your labels", "[all]"),
}
