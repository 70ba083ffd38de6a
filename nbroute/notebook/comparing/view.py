"""What is shown of a comparison: a pane for each contender, in words; pure."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nbroute.classify.wording import confident
from nbroute.compare import Column, Comparison, Contender
from nbroute.compare.differences import each_apart
from nbroute.compare.ranking import Rank, rank
from nbroute.errors import named
from nbroute.notebook import render
from nbroute.notebook.answer import visible_text
from nbroute.notebook.card import after
from nbroute.notebook.lines import (
    DOT,
    Price,
    exact_price,
    marks,
    model_name,
    notes,
    repeated,
    times,
    took,
)
from nbroute.pricing import places_of
from nbroute.report.table import with_effort
from nbroute.types import WRITTEN, Decision, Done, Event, RouteResult

#: If more of an answer than this differs, nothing is marked: nearly all of it would be.
_APART = 0.6
_HIDDEN_ERROR = "no answer; the reason is shown after the vote"


@dataclass(frozen=True)
class State:
    """How a comparison is shown: the order of its columns, and what was done since."""

    order: tuple[int, ...] = ()
    blind: bool = False
    revealed: bool = False
    marked: bool = False
    voted: str = ""
    table: bool = False

    @property
    def hidden(self) -> bool:
        """Whether tiers, models, costs and times are still hidden."""
        return self.blind and not self.revealed

    def column(self, letter: str) -> int | None:
        """The place of the column with that letter; None if there is none."""
        letters = [letter_of(place) for place in range(len(self.order))]
        asked = letter.strip().upper()
        return self.order[letters.index(asked)] if self.blind and asked in letters else None


@dataclass(frozen=True)
class Pane:
    """One contender in words.

    `says` is what a vote for it says, `marks` are the stretches of its `visible_text` that no other
    answer has, and `apart` is their share of it. A pane whose contender is hidden has no tier, no
    price and no facts.
    """

    says: str
    title: str
    tier: str = ""
    name: str = ""
    price: Price | None = None
    #: Ratio, time and tokens.
    facts: tuple[str, str, str] = ("", "", "")
    rank: Rank = field(default_factory=Rank)
    remarks: tuple[str, ...] = ()
    text: str = ""
    error: str = ""
    doing: str = ""
    marks: tuple[tuple[int, int], ...] = ()
    apart: float = 0.0
    answered: bool = False
    voted: bool = False

    @property
    def best(self) -> str:
        """`cheapest, fastest`, or whichever it is."""
        facts = {"cheapest": self.rank.cheapest, "fastest": self.rank.fastest}
        return ", ".join(word for word, is_so in facts.items() if is_so)


@dataclass(frozen=True)
class View:
    """The panes and the lines above and below; `decision` is what routing says, if it is shown.

    `tiers` are the ladder's, for colours.
    """

    panes: tuple[Pane, ...] = ()
    tiers: tuple[str, ...] = ()
    decision: Decision | None = None
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    table: bool = False

    @property
    def source(self) -> Price | None:
        """Where all the costs come from, if they share a source."""
        prices = [pane.price for pane in self.panes if pane.price and pane.price.source]
        same = len({one.source for one in prices}) == 1
        return prices[0] if same else None


def view_of(comparison: Comparison, state: State) -> View:
    """The finished comparison, shown as the state says."""
    ranks, panes = rank(comparison.columns), []
    places = places_of(one.result.cost_usd for one in comparison.columns if one.result)
    for place, index in enumerate(state.order):
        letter = letter_of(place) if state.blind else ""
        pane = _pane(comparison.columns[index], letter, state, ranks[index], places)
        panes.append(_covered(pane, comparison) if state.hidden else pane)
    if state.marked:
        panes = _marked(panes)
    highlighted = ""
    if any(pane.marks for pane in panes):
        highlighted = "highlighted: what no other answer says"
    elif any(pane.apart for pane in panes):
        highlighted = f"nothing is highlighted: over {_APART:.0%} of it is in no other answer"
    elif state.marked:
        highlighted = "no differences: every word is in another answer, too"
    return View(
        tuple(panes),
        comparison.router.ladder.names if comparison.router else (),
        None if state.hidden else comparison.decision,
        tuple(filter(None, (highlighted, *_told(state)))),
        _below(comparison),
        state.table,
    )


def letter_of(place: int) -> str:
    """A to Z, then A1 to Z1 and so on."""
    lap, rest = divmod(place, len(string.ascii_uppercase))
    return f"{string.ascii_uppercase[rest]}{lap or ''}"


def routed(decision: Decision) -> tuple[str, str]:
    """`MEDIUM`, and `(79% confident): starts with "Explain"`; if it is not known, why."""
    if not decision.tier:
        return "", f"Where routing would send this is {decision.reason}"
    sure = confident(decision.confidence)
    return decision.tier, f"{f' ({sure})' if sure else ''}: {decision.reason}"


def _below(comparison: Comparison) -> tuple[str, ...]:
    failed = sum(column.error is not None for column in comparison.columns)
    lines = (f"{failed} of {len(comparison.columns)} did not answer",) if failed else ()
    answers = [column.result.answer for column in comparison.columns if column.result]
    simulated = any(answer.provider_kind == "simulated" for answer in answers)
    return (*lines, WRITTEN) if simulated else lines


def _told(state: State) -> tuple[str, ...]:
    if state.hidden:
        told = "tiers, models, costs and times are hidden until you vote, as with %route vote A"
        return (f"blind: {len(state.order)} answers in random order; {told}",)
    return (f"your vote: {state.voted} is good enough",) if state.voted else ()


def _pane(column: Column, letter: str, state: State, rank: Rank, places: int) -> Pane:
    result, who = column.result, column.contender
    model = model_name(result.answer) if result else with_effort(who.model, who.effort)
    pane = titled(who, model, letter)
    if result is not None:
        ended = () if column.error else marks(result)
        remarks = tuple(filter(None, (repeated(result), *ended, *notes(result))))
        pane = measured(replace(pane, remarks=remarks, rank=rank), result, places)
    return replace(
        pane,
        text=column.text,
        error=named(column.error) if column.error else "",
        answered=result is not None and column.error is None,
        voted=bool(state.voted) and who.name == state.voted,
    )


def titled(who: Contender, model: str, letter: str = "") -> Pane:
    """The contender's empty pane; its name is the model's, or the system prompt's."""
    label = who.name.removeprefix(f"{who.tier} ") if who.system is not None else ""
    title = DOT.join(filter(None, (who.tier, model, label)))
    title = f"{letter}: {title}" if letter else title
    return Pane(letter or who.name, title, who.tier, label or model)


def measured(pane: Pane, result: RouteResult, places: int = 2) -> Pane:
    """The pane with what the answer cost and took."""
    tokens = f"{result.usage.output_tokens:,} tokens"
    ratio = times(pane.rank.ratio) if pane.rank.ratio > 1 else ""
    return replace(pane, price=exact_price(result, places), facts=(ratio, took(result), tokens))


def _marked(panes: Sequence[Pane]) -> list[Pane]:
    """The panes, with the words that no other has marked, unless they are most of it."""
    apart = each_apart([visible_text(pane.text) for pane in panes])
    return [
        replace(pane, apart=one.share, marks=one.stretches if one.share <= _APART else ())
        for pane, one in zip(panes, apart, strict=True)
    ]


def too_different(pane: Pane) -> str:
    """What is said if most of an answer differs; empty otherwise."""
    told = f"{pane.apart:.0%} of this is in no other answer: too much to highlight"
    return told if pane.apart > _APART else ""


def _covered(pane: Pane, comparison: Comparison) -> Pane:
    """The pane without anything that would reveal its tier: figures, an error, a model's name."""
    models = {name for one in comparison.columns for name in (one.contender.model, one.model)}
    known = sorted((re.escape(name) for name in models if name), key=len, reverse=True)
    hide = re.compile("|".join(known) or r"(?!)", re.IGNORECASE)
    failed = _HIDDEN_ERROR if pane.error and not pane.text else ""
    text = hide.sub("[model hidden]", pane.text)
    return Pane(pane.says, pane.says, text=text, error=failed, answered=pane.answered)


class Running:
    """The answers of a comparison while they are on their way."""

    def __init__(self, contenders: Sequence[Contender], decision: Decision) -> None:
        self._who, self._decision = contenders, decision
        self._cards = [render.View(running=render.Running(one.tier)) for one in contenders]
        self._results: dict[int, RouteResult] = {}

    def take(self, place: int, event: Event) -> None:
        """Take an event of one of the calls."""
        self._cards[place] = after(self._cards[place], event)
        if isinstance(event, Done):
            self._results[place] = event.result

    def pane(self, place: int) -> Pane:
        """One of them as it is now."""
        who, card, result = self._who[place], self._cards[place], self._results.get(place)
        if result is not None:
            remarks = tuple(filter(None, (repeated(result), *marks(result))))
            pane = replace(titled(who, model_name(result.answer)), remarks=remarks)
            return measured(replace(pane, text=result.text), result)
        running = card.running or render.Running()
        pane = replace(titled(who, running.asked or who.model), remarks=card.notices)
        return replace(pane, text=running.text, doing=running.facts[0])

    def view(self, tiers: tuple[str, ...], *, blind: bool) -> View:
        """All of it as it is shown now; for a blind one, how many have ended."""
        if blind:
            count = f"{len(self._results)} of {len(self._who)}"
            return View(above=(f"blind: {count} answers have arrived; all are shown at the end",))
        panes = tuple(self.pane(place) for place in range(len(self._who)))
        return View(panes, tiers, self._decision)
