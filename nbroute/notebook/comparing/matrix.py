"""A grid as a table under a cell: prompts x contenders, to browse, vote on and export."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal

from nbroute.compare import Contender, Grid
from nbroute.compare.matrix import (
    FILTERS,
    ROWS,
    SORTS,
    Line,
    Total,
    answered,
    chosen,
    headlines,
    lines_of,
    overview,
    totals_of,
)
from nbroute.notebook import look
from nbroute.notebook.answer import answer_html, visible_text
from nbroute.notebook.comparing import columns
from nbroute.notebook.comparing.shown import Output
from nbroute.notebook.comparing.view import State, view_of
from nbroute.notebook.lines import DOT, times
from nbroute.notebook.screens import Bundle
from nbroute.notebook.tables import Table
from nbroute.pricing import format_usd, places_of
from nbroute.report import Spend, counted
from nbroute.report.table import shortened

#: With more lines than this, the filters do not say how many lines each would show.
_COUNTED = 1_000
_LIGHT = 'class="nbr-cell nbr-light"'
#: Characters of an answer in its cell.
_SHOWN = 120
#: Characters that are parsed for those.
_PARSED = 600


class Matrix:
    """One grid, drawn on its output; its state is what was chosen, opened and voted on."""

    def __init__(self, grid: Grid, output: Output) -> None:
        self.grid, self.output = grid, output
        self._lock = threading.RLock()
        self._filter, self._sort, self._page = FILTERS[0], SORTS[0], 0
        self._open: set[int] = set()
        self.lines = lines_of(grid)
        self._chosen = self.lines
        costs = (row.cost_usd for line in self.lines for row in line.cells if row)
        self._places = places_of(costs)

    def show(self) -> None:
        """Show it as it is now."""
        self.output.show(self._bundle())

    def act(self, do: str, at: str, value: str) -> str:
        """Answer a click; returns what to say about it."""
        with self._lock:
            if do in ("filter", "sort"):
                options = FILTERS if do == "filter" else SORTS
                setattr(self, f"_{do}", value if value in options else options[0])
                self._page, self._chosen = 0, chosen(self.lines, self._filter, self._sort)
            elif do == "page":
                self._page += 1 if at == "next" else -1
            elif do == "open":
                self._open ^= {int(at)}
            elif do == "vote":
                place, _, name = at.partition(" ")
                return self._vote(int(place), name)
            elif do == "export":
                return f"written to {self.grid.export(f'matrix.{at}')}"
            return ""

    def _vote(self, place: int, name: str) -> str:
        """Record that this answer is good enough, or take it back; returns what to say."""
        comparison, back = self.grid[place], self.lines[place].voted == name
        comparison.take_back() if back else comparison.vote(name)
        voted = "" if back else comparison.column(name).contender.name
        self.lines[place] = replace(self.lines[place], voted=voted)
        self._chosen = chosen(self.lines, self._filter, self._sort)
        self.show()
        return f"prompt {place + 1}: {f'{voted} is {columns.GOOD}' if voted else 'vote removed'}"

    def inside(self) -> tuple[str, str]:
        """The current page with its buttons, and nothing below."""
        with self._lock:
            last = max((len(self._chosen) - 1) // ROWS, 0)
            self._page = min(max(self._page, 0), last)
            first = self._page * ROWS
            shown = self._chosen[first : first + ROWS]
            rows = "".join(self._row(line, live=True) for line in shown)
            return self._table(rows, self._controls(first, len(shown))), ""

    def _controls(self, first: int, count: int) -> str:
        found = {name: name for name in FILTERS}
        if len(self.lines) <= _COUNTED:
            found = {name: f"{name} ({len(chosen(self.lines, name)):,})" for name in FILTERS}
        total = len(self._chosen)
        where = f"{first + 1:,} to {first + count:,} of {total:,}" if count else "none"
        end = first + count >= total
        pieces = [
            look.choice("Show", "filter", found, self._filter),
            look.choice("Order", "sort", {name: name for name in SORTS}, self._sort),
            look.button("‹", "page", "back", title="the rows before", disabled=not first),
            f'<span class="nbr-quiet">{where}</span>',
            look.button("›", "page", "next", title="the next rows", disabled=end),
            '<span class="nbr-space"></span>',
            look.button("CSV", "export", "csv", title="write all of it to matrix.csv"),
            look.button("JSONL", "export", "jsonl", title="write all of it to matrix.jsonl"),
        ]
        return f'<div class="nbr-row nbr-wide">{"".join(pieces)}</div>'

    @property
    def _totals(self) -> list[Total]:
        return totals_of(self.grid, self.lines)

    def _table(self, rows: str, controls: str = "") -> str:
        """The lines above, the controls, and the table with each column's summary in its head."""
        totals = self._totals
        least = min((one.usd for one in totals if one.usd), default=Decimal(1))
        most = max((one.usd for one in totals), default=Decimal(0)) or Decimal(1)
        heads, tiers = [], self.grid.router.ladder.names
        for who, total in zip(self.grid.contenders, totals, strict=True):
            ratio = [times(total.usd / least)] if total.usd > least else []
            lines = [DOT.join([total.cost, *ratio]), *total.told]
            told = "".join(f'<div class="nbr-quiet">{look.text(line)}</div>' for line in lines)
            name = "" if who.name == who.tier else look.text(who.name.removeprefix(who.tier))
            tint = look.tinted(who.tier, tiers)
            heads.append(
                f'<th scope="col" {_LIGHT} style="{tint}" title="'
                f'{look.attribute(who.system or who.model)}">{look.pill(who.tier, tiers)} {name}'
                f"{look.bar(float(total.usd / most), tint)}{told}</th>"
            )
        above = "".join(
            f"<p>{look.text(line)}</p>" for line in headlines(self.grid, self.lines, totals)
        )
        label, width = f"{len(self.grid)} prompts and their answers", 10 * len(totals) + 10
        return (
            f'{above}{controls}<div class="nbr-scroll" tabindex="0" role="region" '
            f'aria-label="{label}"><table class="nbr-rows nbr-matrix" style="min-width:{width}rem">'
            f'<thead><tr><th scope="col" {_LIGHT}>prompt</th>{"".join(heads)}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )

    def _row(self, line: Line, *, live: bool) -> str:
        cells = "".join(self._cell(line, place, live=live) for place in range(len(line.cells)))
        is_open, label, opened = line.place in self._open, f"{line.place + 1}. {line.label}", ""
        if live:
            title = "close this row" if is_open else "open this row: the whole answers"
            words = f"{'▾' if is_open else '▸'} {label}"
            prompt = look.button(words, "open", str(line.place), title=title, kind="nbr-plain")
            opened = self._opened(line) if is_open else ""
        elif line.label == line.prompt:
            prompt = look.text(label)
        else:
            whole = f"<p>{look.text(line.prompt)}</p>"
            prompt = f"<details><summary>{look.text(label)}</summary>{whole}</details>"
        pick = f'<div class="nbr-quiet">routing: {look.text(line.picked)}</div>'
        prompt += pick if line.picked else ""
        return f'<tr><th scope="row" {_LIGHT}>{prompt}</th>{cells}</tr>{opened}'

    def _opened(self, line: Line) -> str:
        """The row as a comparison, under its prompt."""
        compared = self.grid[line.place]
        state = State(tuple(range(len(compared.columns))), voted=line.voted)
        page = columns.inside(view_of(compared, state), live=True, at=f"{line.place} ")
        asked = f'<p class="nbr-asked">{look.text(shortened(line.prompt, 4_000))}</p>'
        return f'<tr><td colspan="{len(line.cells) + 1}">{asked}{page}</td></tr>'

    def _cell(self, line: Line, place: int, *, live: bool) -> str:
        row, who, why = line.cells[place], self.grid.contenders[place], line.why[place]
        first = f"<b>{look.text(shortened(why, _SHOWN))}</b> " if why else ""
        text, facts, button = row.text if row else "", [], ""
        begun = look.text(shortened(visible_text(text[:_PARSED]), _SHOWN))
        if len(text) > _SHOWN and not live:
            begun = f"<details><summary>{begun}</summary>{answer_html(text, below=4)}</details>"
        if row and row.error is None:
            facts = ["cached" if row.cached else format_usd(row.cost_usd, self._places)]
            facts += ["fail" if why else "pass"] if self.grid.checked and answered(row) else []
        voted = line.voted == who.name
        if live and facts:
            said = f"{columns.GOOD}: {who.name} for prompt {line.place + 1}"
            at = f"{line.place} {who.name}"
            button = look.button("✓", "vote", at, title=said, pressed=voted)
        elif voted:
            button = f"<b>✓ {columns.GOOD}</b>"
        tint = look.tinted(who.tier, self.grid.router.ladder.names)
        told = f"<div>{look.quiet(DOT.join(facts))}{self._verdict(line, who)} {button}</div>"
        return f'<td class="nbr-cell" style="{tint}">{first}{begun}{told}</td>'

    def _verdict(self, line: Line, who: Contender) -> str:
        """What the judge said about the answer; its reasons are the tooltip."""
        found = self.grid.judged.get(who.name, {}).get(line.place)
        if not found or not found.told or found.against == who.name:
            return ""
        title = look.attribute(shortened(found.why, _PARSED))
        return f'<span class="nbr-quiet" title="{title}">{DOT}{look.text(found.told)}</span>'

    def _bundle(self) -> Bundle:
        """The first rows in full, and how to see the rest; it needs no kernel."""
        rows = "".join(self._row(line, live=False) for line in self.lines[:ROWS])
        short = overview(self.grid, self.lines)
        wide = overview(self.grid, self.lines, prompt=_SHOWN, cell=_SHOWN)
        more = "".join(f"<p>{look.text(line)}</p>" for line in short.below[len(self._totals) :])
        data = {
            "text/plain": repr(Table(short.head, short.rows, short.above, short.below)),
            "text/markdown": Table(wide.head, wide.rows, wide.above, wide.below)._repr_markdown_(),
            "text/html": look.page(self._table(rows) + more),
        }
        return data, {}


def progress_page(done: int, total: int, cost: Spend, elapsed_s: float) -> str:
    """How far it has got, what it has cost, and how much longer it may take."""
    left = elapsed_s / done * (total - done) if done else 0.0
    about = f"about {left:,.0f} s left" if elapsed_s > 2 and left >= 1 else ""
    told = (f"{done:,} of {counted(total, 'step')}", f"{cost.told} so far", about)
    return look.page(
        f'<div class="nbr-row">{look.bar(done / total if total else 0.0)}'
        f"<span>{look.text(DOT.join(filter(None, told)))}</span></div>"
    )
