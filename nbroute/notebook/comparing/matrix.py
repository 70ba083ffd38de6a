"""A grid as a table under a cell: prompts x contenders, to look through, vote on and export."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbroute.batch import Row
from nbroute.compare import Comparison, Contender, Grid
from nbroute.compare.matrix import (
    FILTERS,
    SORTS,
    Line,
    Total,
    cheapest_passing,
    chosen,
    lines_of,
    totals_of,
)
from nbroute.notebook import look
from nbroute.notebook.answer import answer_html
from nbroute.notebook.comparing import columns
from nbroute.notebook.comparing.shown import Bundle, Output
from nbroute.notebook.comparing.view import State, view_of
from nbroute.notebook.lines import DOT, times
from nbroute.notebook.session import spent
from nbroute.notebook.tables import Table
from nbroute.pricing import format_usd
from nbroute.report import Spend, counted
from nbroute.report.table import shortened

#: Rows of a page, and of what is saved.
PAGE = 20
#: More lines than this are compared with one another only where that is asked for.
_COUNTED = 1_000
_SHOWN, _LONGEST_PROMPT = 120, 200
_TERMINAL = 78


class Matrix:
    """One grid, drawn on its output; what is chosen, opened and voted on is its state."""

    def __init__(self, grid: Grid, output: Output) -> None:
        self.grid, self.output = grid, output
        self._lock = threading.RLock()
        self._filter, self._sort, self._page = FILTERS[0], SORTS[0], 0
        self._open: set[int] = set()
        self.lines = lines_of(grid)
        self._chosen = self.lines

    def show(self) -> None:
        """Show it, or what it has become."""
        self.output.show(self._bundle())

    def act(self, do: str, at: str, value: str) -> str:
        """Answer a click; what to say of it."""
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
                return self._vote(at)
            elif do == "export":
                return f"written to {self.export(f'matrix.{at}')}"
            return ""

    def vote(self, place: int, name: str) -> str:
        """Keep that this answer is good enough, or take it back; what to say of it."""
        comparison, back = self.grid[place], self.lines[place].voted == name
        comparison.take_back() if back else comparison.vote(name)
        voted = "" if back else comparison.column(name).contender.name
        self.lines[place] = replace(self.lines[place], voted=voted)
        self._chosen = chosen(self.lines, self._filter, self._sort)
        self.show()
        return f"prompt {place + 1}: {f'{voted} is {columns.GOOD}' if voted else 'taken back'}"

    def _vote(self, at: str) -> str:
        place, _, name = at.partition(" ")
        return self.vote(int(place), name)

    def export(self, path: str | Path) -> Path:
        """Write all of it as CSV or JSON lines; the path."""
        return self.grid.export(path)

    def inside(self) -> tuple[str, str]:
        """The page of it that is looked at, with its buttons; nothing is below."""
        with self._lock:
            last = max((len(self._chosen) - 1) // PAGE, 0)
            self._page = min(max(self._page, 0), last)
            first = self._page * PAGE
            shown = self._chosen[first : first + PAGE]
            rows = "".join(self._row(line, live=True) for line in shown)
            return f"{self._head()}{self._controls(first, len(shown))}{self._table(rows)}", ""

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

    def _head(self) -> str:
        return "".join(f"<p>{look.text(line)}</p>" for line in self._told())

    def _told(self) -> list[str]:
        """What it is, what is wrong with it, and which contender is the cheapest that passes."""
        grid = self.grid
        size = counted(len(grid), "prompt"), counted(len(grid.contenders), "column")
        failed = sum(line.failed for line in self.lines)
        parts = [" × ".join(size), spent(grid.cost), counted(grid.cost.calls, "call")]
        parts += [f"{counted(failed, 'row')} failed"] if failed else []
        lines = [DOT.join(parts)]
        passing = cheapest_passing(totals_of(grid, self.lines)) if grid.checked else None
        if passing:
            lines.append(f"{passing.name} is the cheapest that passes every check")
        return lines + ([f"stopped: {grid.stopped}"] if grid.stopped else [])

    def _table(self, rows: str) -> str:
        totals = totals_of(self.grid, self.lines)
        least = min((_usd(one) for one in totals if _usd(one)), default=0)
        most = max(map(_usd, totals), default=0)
        heads = "".join(
            self._column(one, total, least, most)
            for one, total in zip(self.grid.contenders, totals, strict=True)
        )
        label, width = f"{len(self.grid)} prompts and their answers", 10 * len(totals) + 10
        return (
            f'<div class="nbr-scroll" tabindex="0" role="region" aria-label="{label}">'
            f'<table class="nbr-rows nbr-matrix" style="min-width:{width}rem"><thead><tr>'
            f'<th scope="col">prompt</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        )

    def _column(self, who: Contender, total: Total, least: Any, most: Any) -> str:
        """The heading of a column, with its summary."""
        usd, tiers = _usd(total), self.grid.router.ladder.names
        ratio = [times(usd / least)] if least and usd > least else []
        lines = [DOT.join([_amount(total.spend), *ratio])]
        lines += [f"passes {total.passed}"] if self.grid.checked else []
        lines += [f"{columns.GOOD} in {total.votes}"] if total.votes.of else []
        lines += [f"{total.failed:,} failed"] if total.failed else []
        name = "" if who.name == who.tier else f" {look.text(who.name.removeprefix(who.tier))}"
        told = "".join(f'<div class="nbr-quiet">{look.text(line)}</div>' for line in lines)
        bar = look.bar(float(usd / most)) if most else ""
        return (
            f'<th scope="col" style="{look.tinted(who.tier, tiers)}" title="'
            f'{look.attribute(who.system or who.model)}">{look.pill(who.tier, tiers)}{name}'
            f"{bar}{told}</th>"
        )

    def _row(self, line: Line, *, live: bool) -> str:
        cells = "".join(self._cell(line, place, live=live) for place in range(len(line.cells)))
        opened = ""
        if live and line.place in self._open:
            width = len(line.cells) + 1
            opened = f'<tr><td colspan="{width}">{self._opened(line)}</td></tr>'
        pick = look.quiet(f"routing: {line.picked}") if line.picked else ""
        prompt = self._prompt(line, live=live)
        return f'<tr><th scope="row">{prompt}<br>{pick}</th>{cells}</tr>{opened}'

    def _prompt(self, line: Line, *, live: bool) -> str:
        number, label = f"{line.place + 1}. ", _label(line)
        if live:
            is_open = line.place in self._open
            title = "close this row" if is_open else "open this row: the whole answers"
            words = f"{'▾' if is_open else '▸'} {number}{label}"
            return look.button(words, "open", str(line.place), title=title, kind="nbr-plain")
        if label == line.prompt:
            return look.text(number + label)
        return look.folded(look.text(number + label), f"<p>{look.text(line.prompt)}</p>")

    def _opened(self, line: Line) -> str:
        """The row as a comparison, under its prompt."""
        compared = self.grid[line.place]
        asked = f'<p class="nbr-asked">{look.text(shortened(line.prompt, 4_000))}</p>'
        return asked + columns.inside(
            view_of(compared, _state(compared, line)), live=True, at=f"{line.place} "
        )

    def _cell(self, line: Line, place: int, *, live: bool) -> str:
        row, who, why = line.cells[place], self.grid.contenders[place], line.why[place]
        first = f"<b>{look.text(shortened(why, _SHOWN))}</b>" if why else ""
        text = row.text if row else ""
        begun = look.text(shortened(text, _SHOWN))
        if text and not live and len(text) > _SHOWN:
            begun = look.folded(begun, answer_html(text, below=4))
        facts = [] if row is None or not _said(row) else [_said(row)]
        if self.grid.checked and row and row.error is None:
            facts.append("pass" if row.passed else "fail")
        voted = line.voted == who.name
        button = ""
        if live and row and row.error is None:
            label = f"{columns.GOOD}: {who.name} for prompt {line.place + 1}"
            at = f"{line.place} {who.name}"
            button = look.button("✓", "vote", at, title=label, pressed=voted)
        elif voted:
            button = f"<b>✓ {columns.GOOD}</b>"
        told = f'<div class="nbr-facts">{look.quiet(DOT.join(facts))} {button}</div>'
        tint = look.tinted(who.tier, self.grid.router.ladder.names)
        return f'<td style="{tint}">{first}{begun}{told}</td>'

    def _bundle(self) -> Bundle:
        """The first rows whole, and how to see the rest; the table needs no kernel."""
        rows = "".join(self._row(line, live=False) for line in self.lines[:PAGE])
        below = "".join(f"<p>{look.text(line)}</p>" for line in self._more())
        html = look.page(f"{self._head()}{self._table(rows)}{below}")
        width = max((_TERMINAL - 24) // max(len(self.grid.contenders), 1) - 2, 8)
        data = {"text/plain": repr(self._plain(20, width)), "text/html": html}
        data["text/markdown"] = self._plain(120, 120)._repr_markdown_()
        return data, {}

    def _more(self) -> list[str]:
        left = len(self.lines) - PAGE
        if left <= 0:
            return []
        return [f"and {counted(left, 'more row')}: grid.frame() has all, as has a grid shown again"]

    def _plain(self, prompt: int, width: int) -> Table:
        """The first rows as a table of words, no wider than a terminal is."""
        names = [one.name for one in self.grid.contenders]
        rows = [
            (f"{line.place + 1}. {shortened(_label(line), prompt)}", *self._words(line, width))
            for line in self.lines[:PAGE]
        ]
        return Table(
            ("prompt", *(shortened(name, width) for name in names)),
            rows,
            above=self._told(),
            below=[*self._summary(), *self._more()],
        )

    def _words(self, line: Line, width: int) -> list[str]:
        found = []
        for who, row, why in zip(self.grid.contenders, line.cells, line.why, strict=True):
            mark = "✓ " if line.voted == who.name else "✗ " if why else ""
            text = row.text if row and row.error is None else why
            found.append(shortened(f"{mark}{text}", width))
        return found

    def _summary(self) -> list[str]:
        lines = []
        for one in totals_of(self.grid, self.lines):
            told = [_amount(one.spend)]
            told += [f"passes {one.passed}"] if self.grid.checked else []
            told += [f"{columns.GOOD} in {one.votes}"] if one.votes.of else []
            told += [f"{one.failed:,} failed"] if one.failed else []
            lines.append(f"{one.name}: {DOT.join(told)}")
        return lines


def progress_page(done: int, total: int, cost: Spend, elapsed_s: float) -> str:
    """How far it is, what it has cost, and how long it may yet take."""
    left = elapsed_s / done * (total - done) if done else 0.0
    about = f"about {left:,.0f} s left" if elapsed_s > 2 and left >= 1 else ""
    told = (f"{done:,} of {counted(total, 'call')}", f"{spent(cost)} so far", about)
    return look.page(
        f'<div class="nbr-row">{look.bar(done / total if total else 0.0)}'
        f"{look.text(DOT.join(filter(None, told)))}</div>"
    )


def _label(line: Line) -> str:
    """What tells the prompt from the others: what its template was filled with, else itself."""
    if line.error:
        return line.error
    values = line.values
    if len(values) == 1:
        return shortened(str(*values.values()), _LONGEST_PROMPT)
    told = DOT.join(f"{name}: {shortened(str(v), 80)}" for name, v in values.items())
    return told or shortened(line.prompt, _LONGEST_PROMPT)


def _said(row: Row) -> str:
    return "cached" if row.cached else format_usd(row.cost_usd)


def _amount(spend: Spend) -> str:
    """The money; what kind it is where both are in it, as the line above says it of all."""
    both = spend.usd and spend.equivalent_usd
    known = spent(spend) if both else format_usd(spend.usd + spend.equivalent_usd)
    return f"{known}, {spend.unknown_calls} of unknown cost" if spend.unknown_calls else known


def _usd(total: Total) -> Any:
    return total.spend.usd + total.spend.equivalent_usd


def _state(compared: Comparison, line: Line) -> State:
    return State(tuple(range(len(compared.columns))), voted=line.voted)
