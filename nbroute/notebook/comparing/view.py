"""What is shown of a comparison: a pane a contender, in words; pure."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nbroute.compare import Column, Comparison, Contender
from nbroute.compare.comparison import VOTE
from nbroute.compare.differences import each_against_others
from nbroute.errors import named
from nbroute.notebook.lines import DOT, cost_told, marks, model_name, reason, remarks, tokens
from nbroute.report.table import seconds
from nbroute.types import Decision, RouteResult


@dataclass(frozen=True)
class State:
    """How a comparison is shown: the order of its columns, and what was done to it since."""

    order: tuple[int, ...]
    blind: bool = False
    revealed: bool = False
    marked: bool = False
    voted: str = ""

    @property
    def hidden(self) -> bool:
        """Whether tiers, models, costs and times are still kept from sight."""
        return self.blind and not self.revealed

    def column(self, letter: str) -> int | None:
        """The place of the column that is called so; None where there is none."""
        letters = [letter_of(place) for place in range(len(self.order))]
        asked = letter.strip().upper()
        return self.order[letters.index(asked)] if self.blind and asked in letters else None


@dataclass(frozen=True)
class Pane:
    """One contender in words; `pieces` of the answer where those that stand out are marked.

    `figures` are in the order of `FIGURES`; there are none while the tier is hidden.
    """

    title: str
    name: str = ""
    model: str = ""
    picked: bool = False
    note: str = ""
    figures: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    text: str = ""
    error: str = ""
    doing: str = ""
    pieces: Sequence[tuple[str, bool]] = ()


@dataclass(frozen=True)
class View:
    """Lines above, panes, lines below; `streaming` while answers are still on their way."""

    panes: tuple[Pane, ...]
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    streaming: bool = False


FIGURES = ("tokens", "cost", "latency", "first token")
HEAD = ("contender", "model", "routing", *FIGURES)


def view_of(comparison: Comparison, state: State) -> View:
    """The finished comparison, as the state has it shown."""
    panes = []
    for place, index in enumerate(state.order):
        pane = _pane(comparison.columns[index], letter_of(place) if state.blind else "")
        panes.append(_covered(pane, letter_of(place), comparison) if state.hidden else pane)
    if state.marked:
        panes = _marked(panes)
    above = () if state.hidden else (routed(comparison.decision),)
    return View(tuple(panes), (*above, *_told(state)), tuple(_missing(comparison)))


def letter_of(place: int) -> str:
    """A to Z, then A1 to Z1 and so on."""
    lap, rest = divmod(place, len(string.ascii_uppercase))
    return f"{string.ascii_uppercase[rest]}{lap or ''}"


def title_of(contender: Contender, model: str = "", letter: str = "") -> str:
    """`SIMPLE · openai/gpt-4o-mini`, after the letter that it was judged by."""
    title = f"{contender.tier}{DOT}{model or contender.model}"
    return f"{letter}: {title}" if letter else title


def routed(decision: Decision) -> str:
    """Where routing would have sent the prompt, and why."""
    if not decision.tier:
        return f"routing's pick is {decision.reason}"
    return f"routing would ask {decision.tier}: {reason(decision)}"


def _told(state: State) -> list[str]:
    if state.hidden:
        count = len(state.order)
        return [
            f"blind: {count} answers in an order by chance",
            "tiers, models, costs and times are hidden until you vote, as with %route vote A",
        ]
    lines = ["marked: words that only one answer has"] if state.marked else []
    return [*lines, f"your vote: {state.voted} is the {VOTE}"] if state.voted else lines


def _missing(comparison: Comparison) -> list[str]:
    failed = sum(column.error is not None for column in comparison.columns)
    return [f"{failed} of {len(comparison.columns)} did not answer"] if failed else []


def _pane(column: Column, letter: str) -> Pane:
    result, who = column.result, column.contender
    model = model_name(result.answer) if result else who.model
    return Pane(
        title_of(who, model, letter),
        name=f"{letter}: {who.name}" if letter else who.name,
        model=model,
        picked=column.picked,
        note=column.note,
        figures=figures_of(result) if result else (),
        remarks=_remarks(column),
        text=column.text,
        error=named(column.error) if column.error else "",
    )


def _remarks(column: Column) -> tuple[str, ...]:
    """How it ended, and what else was tried; with an error, that says how it ended."""
    if column.result is None:
        return ()
    ended = () if column.error else marks(column.result)
    return (*ended, *remarks(column.result)[1:])


def _marked(panes: Sequence[Pane]) -> list[Pane]:
    """The panes with those words of each that no other has."""
    marked = each_against_others([pane.text for pane in panes])
    return [replace(pane, pieces=pieces) for pane, pieces in zip(panes, marked, strict=True)]


def figures_of(result: RouteResult) -> tuple[str, ...]:
    """Tokens, cost with its source, latency and time to first token, in words."""
    first = "" if result.ttft_ms is None else seconds(result.ttft_ms)
    return (tokens(result.answer), cost_told(result), seconds(result.latency_ms), first)


def _covered(pane: Pane, letter: str, comparison: Comparison) -> Pane:
    """The pane with nothing of ours that tells which tier it is, nor a model's name in its text.

    An error's words would tell it, too.
    """
    failed = "no answer; why is told after the vote" if pane.error and not pane.text else ""
    return Pane(letter, text=_nameless(pane.text, comparison), error=failed)


def _nameless(text: str, comparison: Comparison) -> str:
    models = {name for one in comparison.columns for name in (one.contender.model, one.model)}
    names = sorted((re.escape(name) for name in models if name), key=len, reverse=True)
    return re.sub("|".join(names), "[model hidden]", text, flags=re.IGNORECASE) if names else text
