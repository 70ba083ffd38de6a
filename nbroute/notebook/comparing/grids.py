"""A grid of prompts and contenders as a table: its first answers, then what each contender cost."""

from __future__ import annotations

from nbroute.compare import Comparison, Grid
from nbroute.compare.grid import ended
from nbroute.notebook.comparing.view import figures_of
from nbroute.notebook.tables import Table
from nbroute.report import counted
from nbroute.report.table import shortened

HEAD = ("prompt", "contender", "routing", "answer", "tokens", "cost")
_PROMPTS = 3
_SHOWN = 60


def grid_table(grid: Grid) -> Table:
    """The answers to the first prompts, and the totals of all."""
    rows = [row for one in grid[:_PROMPTS] for row in _rows(one)]
    left = len(grid) - _PROMPTS
    more = [f"and {counted(left, 'prompt')} more: grid.frame() has all"] if left > 0 else []
    stopped = [f"stopped: {grid.stopped}"] if grid.stopped else []
    return Table(
        HEAD,
        rows,
        above=[f"{counted(len(grid), 'prompt')} x {counted(len(grid.contenders), 'contender')}"],
        below=[*more, *_totals(grid), *stopped],
    )


def _rows(one: Comparison) -> list[tuple[str, ...]]:
    return [
        (
            shortened(one.prompt, _SHOWN),
            column.contender.name,
            "picks this" if column.picked else "",
            shortened(column.text or str(column.error or "(no answer)"), _SHOWN),
            *(figures_of(column.result)[:2] if column.result else ("", "")),
        )
        for column in one.columns
    ]


def _totals(grid: Grid) -> list[str]:
    lines = [f"{name}: {ended(batch)}; {batch.cost}" for name, batch in grid.batches.items()]
    return [*lines, f"together: {grid.cost}"]
