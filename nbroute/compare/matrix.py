"""A grid as one looks at it: a line for each prompt, filters, and how each column did."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from nbroute.batch import Row
from nbroute.batch.jobs import text_of, unfit
from nbroute.compare.differences import words_of
from nbroute.pricing import format_usd, places_of
from nbroute.providers.simulated import unanswered
from nbroute.providers.simulated_answers import find
from nbroute.report import Spend, counted
from nbroute.report.metrics import wilson
from nbroute.report.table import shortened
from nbroute.types import WRITTEN, RouteResult

if TYPE_CHECKING:
    from nbroute.compare.grid import Grid

#: Answers that share less than this of the shorter one's words disagree.
_ALIKE = 0.5
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")
#: Characters of an answer that are compared.
_COMPARED = 4_000
#: The share of the prompts that count as the most expensive.
_EXPENSIVE = 0.1
#: Characters of a prompt that tell it from others; rows shown if all are too many.
_LABEL, ROWS = 200, 20
#: The status of a cell that was never asked, or stopped on its way.
_UNASKED = ("not sent", "interrupted")


@dataclass(frozen=True)
class Line:
    """One prompt and its cells: a `Row` for each contender, None if it was never asked.

    `values` are what a template was filled with, `error` says what is wrong with the prompt,
    `why` says why each cell has no answer or did not pass, as far as this kernel knows, `picked`
    is the tier that routing picks and `voted` the contender with the prompt's vote.
    """

    place: int
    prompt: str
    cells: tuple[Row | None, ...]
    values: dict[str, object] = field(default_factory=dict)
    error: str = ""
    why: tuple[str, ...] = ()
    picked: str = ""
    voted: str = ""

    @property
    def cost(self) -> float:
        """US dollars of all its cells, billed or not; unknown ones are left out."""
        return math.fsum(float(one.cost_usd or 0) for one in self.cells if one)

    @property
    def label(self) -> str:
        """What tells it from the others: what its template was filled with, else the prompt."""
        if self.error:
            return self.error
        values = [shortened(str(value), _LABEL) for value in self.values.values()]
        if len(values) > 1:
            pairs = zip(self.values, values, strict=True)
            return " · ".join(f"{name}: {value}" for name, value in pairs)
        return values[0] if values else shortened(self.prompt, _LABEL)

    @property
    def failed(self) -> bool:
        """Whether a cell has no answer, or one that did not pass its check."""
        return any(self.why)

    @property
    def disagree(self) -> bool:
        """Whether the answers differ in what they say, as far as words show."""
        return self.alike < _ALIKE

    @cached_property
    def alike(self) -> float:
        """How alike its two most different answers are, 0 to 1; below 0 if only some pass.

        Answers that end in different numbers are not alike at all; others are to the extent that
        the shorter one's words are in the longer one.
        """
        answers = [one for one in self.cells if one and answered(one)]
        if len({one.passed for one in answers}) > 1:
            return -1.0
        texts = [one.text[-_COMPARED:] for one in answers]
        shared = (_shared(*pair) for pair in combinations(map(_Said.of, texts), 2))
        return min(shared, default=1.0)


class _Said(NamedTuple):
    words: frozenset[str]
    number: str

    @classmethod
    def of(cls, text: str) -> _Said:
        last = text.strip().rpartition("\n")[2]
        numbers = _NUMBER.findall(last)
        return cls(frozenset(words_of(text.casefold())), numbers[-1] if numbers else "")


def _shared(one: _Said, other: _Said) -> float:
    if one.number and other.number and one.number != other.number:
        return 0.0
    shorter = min(len(one.words), len(other.words))
    return len(one.words & other.words) / shorter if shorter else float(one.words == other.words)


def lines_of(grid: Grid) -> list[Line]:
    """A line for each prompt, in their order."""
    cells = [{row.place: row for row in grid.batches[one.name]} for one in grid.contenders]
    voted, picks, found = grid.voted(), grid.picks(), []
    checked = {one.id: one for one in grid.router.history.results()} if grid.checked else {}
    for place, item in enumerate(grid.prompts):
        wrong = unfit(item)
        values = dict(grid.rows[place]) if grid.rows else {}
        row = tuple(column.get(place) for column in cells)
        error = str(wrong) if wrong else ""
        why = tuple(_why(one, checked) for one in row)
        said = (picks.get(place, ""), voted.get(place, ""))
        found.append(Line(place, text_of(item), row, values, error, why, *said))
    return found


def answered(row: Row | None) -> bool:
    """Whether there is an answer; a simulated model that says it has none gave none."""
    return row is not None and row.error is None and not unanswered(row.model, row.text)


def _why(row: Row | None, checked: Mapping[str, RouteResult]) -> str:
    if row is None:
        return "not sent"
    if row.error is not None:
        return row.error
    if not answered(row):
        return "not answered"
    if row.passed:
        return ""
    verdicts = checked[row.result].verdicts if row.result in checked else ()
    failed = next((one for one in verdicts if not one.passed), None)
    return f"{failed.check}: {failed.reason}" if failed else "did not pass its check"


#: Which lines may be shown, and in which order.
FILTERS = ("all", "failed", "disagree", "most expensive")
SORTS = ("as given", "most expensive first", "most different first")


def chosen(lines: Sequence[Line], filtered: str = "all", sorted_by: str = "as given") -> list[Line]:
    """Those lines that the filter keeps, in that order."""
    kept: dict[str, Callable[[], Sequence[Line]]] = {
        "failed": lambda: [one for one in lines if one.failed],
        "disagree": lambda: [one for one in lines if one.disagree],
        "most expensive": lambda: _by_cost(lines)[: math.ceil(len(lines) * _EXPENSIVE)],
    }
    found = kept.get(filtered, lambda: lines)()
    if sorted_by == "most expensive first":
        return _by_cost(found)
    if sorted_by == "most different first":
        return sorted(found, key=lambda one: one.alike)
    return sorted(found, key=lambda one: one.place)


def _by_cost(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda one: -one.cost)


class Share(NamedTuple):
    """A count out of a total, and the 95% interval of the share (Wilson's)."""

    hits: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        """`7 of 10 (40% to 89%)`."""
        between = f" ({self.low:.0%} to {self.high:.0%})" if self.of else ""
        return f"{self.hits:,} of {self.of:,}{between}"


def share(hits: int, of: int) -> Share:
    """The share with its interval, which is 0 to 1 for a total of 0."""
    return Share(hits, of, *wilson(hits / of if of else 0.0, of))


class Total(NamedTuple):
    """A column's summary: what was answered, cost, passed its checks and was voted for.

    `passed` counts prompts that were asked: one that was never sent, or stopped on its way,
    says nothing about the contender.
    """

    name: str
    answered: int
    failed: int
    unasked: int
    spend: Spend
    passed: Share | None
    votes: Share
    #: Of the judged answers, those that are as good as `against`'s, or better.
    judged: Share
    against: str
    #: Decimal places of its cost and its neighbours', so that they compare well.
    places: int

    @property
    def usd(self) -> Decimal:
        """What it cost, billed or not."""
        return _all_usd(self.spend)

    @property
    def cost(self) -> str:
        """The money in words; if there are two kinds, each is named."""
        if (self.spend.usd and self.spend.equivalent_usd) or self.spend.unknown_calls:
            return self.spend.told
        return format_usd(self.usd, self.places)

    @property
    def told(self) -> list[str]:
        """All but the cost, in words."""
        parts = [f"passes {self.passed}"] if self.passed else []
        parts += [f"cheapest good enough in {self.votes}"] if self.votes.of else []
        parts += [f"as good as {self.against} in {self.judged}"] if self.judged.of else []
        parts += [f"{self.failed:,} not answered"] if self.failed else []
        return parts + ([f"{self.unasked:,} not asked"] if self.unasked else [])


def _all_usd(spend: Spend) -> Decimal:
    return spend.usd + spend.equivalent_usd


def totals_of(grid: Grid, lines: Sequence[Line]) -> list[Total]:
    """A summary for each contender; votes count the prompts that were voted on."""
    voted = [one.voted for one in lines if one.voted]
    spends = [grid.batches[one.name].cost for one in grid.contenders]
    places = places_of(map(_all_usd, spends))
    found = []
    for place, one in enumerate(grid.contenders):
        rows = [line.cells[place] for line in lines]
        asked = [row for row in rows if row and row.status not in _UNASKED]
        there = [row for row in asked if answered(row)]
        passed = share(sum(row.passed for row in there), len(asked)) if grid.checked else None
        votes = share(voted.count(one.name), len(voted))
        said = [it for it in grid.judged.get(one.name, {}).values() if it.share is not None]
        said = [it for it in said if it.against != one.name]
        judged = share(sum(bool(it.share) for it in said), len(said))
        against = said[0].against if said else ""
        counts = len(there), len(asked) - len(there), len(rows) - len(asked)
        shares = passed, votes, judged
        found.append(Total(one.name, *counts, spends[place], *shares, against, places))
    return found


def cheapest_passing(totals: Sequence[Total]) -> Total | None:
    """The cheapest contender that passes every check, if there is one.

    A contender with calls of unknown cost cannot be called cheap.
    """
    whole = [
        one
        for one in totals
        if one.passed
        and 0 < one.passed.of == one.passed.hits
        and not (one.unasked or one.spend.unknown_calls)
    ]
    return min(whole, key=lambda one: one.usd, default=None)


def closest_passing(totals: Sequence[Total]) -> Total | None:
    """If none passes every check, the contender that passes most; of two, the cheaper one."""
    hits = [(one.passed.hits, -one.usd, one) for one in totals if one.passed and one.passed.hits]
    *_, best = max(hits, key=lambda found: found[:2], default=(None,))
    return best if best and best.passed and best.passed.hits < best.passed.of else None


class Overview(NamedTuple):
    """A grid in words: lines above, a table of its first rows, lines below."""

    above: list[str]
    head: list[str]
    rows: list[list[str]]
    below: list[str]


def overview(
    grid: Grid, lines: Sequence[Line], *, prompt: int = 20, cell: int | None = None
) -> Overview:
    """The grid, with each prompt and answer cut to a width; by default it fits 80 columns."""
    width = cell or max(54 // max(len(grid.contenders), 1) - 2, 8)
    totals = totals_of(grid, lines)
    rows = []
    for line in lines[:ROWS]:
        found = [f"{line.place + 1}. {shortened(line.label, prompt)}"]
        for who, row, why in zip(grid.contenders, line.cells, line.why, strict=True):
            mark = "✓ " if line.voted == who.name else "✗ " if why else ""
            text = row.text if row and answered(row) else why
            found.append(shortened(f"{mark}{text}", width))
        rows.append(found)
    below = [f"{one.name}: {' · '.join([one.cost, *one.told])}" for one in totals]
    left = len(lines) - ROWS
    more = [f"and {counted(left, 'more row')}: grid.frame() has all"] if left > 0 else []
    head = ["prompt", *(shortened(one.name, width) for one in grid.contenders)]
    return Overview(headlines(grid, lines, totals), head, rows, below + more)


def headlines(grid: Grid, lines: Sequence[Line], totals: Sequence[Total]) -> list[str]:
    """What it is, what is wrong with it, and the cheapest contender that passes."""
    size = f"{counted(len(grid), 'prompt')} × {counted(len(grid.contenders), 'column')}"
    parts = [size, grid.cost.told, counted(grid.cost.calls, "call")]
    without = sum(not all(map(answered, line.cells)) for line in lines)
    rejected = sum(
        any(one and answered(one) and not one.passed for one in line.cells) for line in lines
    )
    wrong = [f"a check failed for {counted(rejected, 'prompt')}"] if rejected else []
    wrong += [f"an answer is missing for {counted(without, 'prompt')}"] if without else []
    told = [" · ".join(some) for some in (parts, wrong) if some]
    strangers, router = 0, grid.router
    if "simulated" in {router.parts.kind(router.ladder[one.tier]) for one in grid.contenders}:
        told.append(WRITTEN)
        strangers = sum(find(line.prompt) is None for line in lines)
    if strangers and grid.options.get("schema"):  # what is made up for a schema fits it
        told.append(f"no lesson answers {counted(strangers, 'prompt')}: a pass there means nothing")
    elif passing := cheapest_passing(totals):
        told.append(f"{passing.name} is the cheapest that passes every check")
    elif closest := closest_passing(totals):
        told.append(f"none passes every check; {closest.name} comes closest: {closest.passed}")
    told += grid.notes
    return told + ([f"stopped: {grid.stopped}"] if grid.stopped else [])
