"""How a report is displayed: its words and tables, and below them its charts."""

from __future__ import annotations

from typing import Any

from nbroute.notebook.answer import escape_markdown, safe_plain
from nbroute.notebook.charts import Gallery
from nbroute.notebook.screens import is_live
from nbroute.notebook.tables import Table
from nbroute.report import Report
from nbroute.report.charts import telling
from nbroute.report.text import Block, blocks_of


def show(report: Report, shell: Any, *, static: bool) -> None:
    """Display the report in this front end; a terminal has the words alone."""
    from IPython.display import display

    display(bundle(report), raw=True)
    figures = telling(report)
    if figures and hasattr(shell, "kernel"):
        live = is_live(shell, static=static)
        display(Gallery(figures, live=live, asked="%route report"))


def bundle(report: Report) -> dict[str, str]:
    """The words and tables, plain and as Markdown."""
    return {"text/plain": safe_plain(repr(report)), "text/markdown": markdown(report)}


def markdown(report: Report) -> str:
    """The words, a line each, and Markdown tables."""
    parts: list[str] = []
    before: Block = ()
    for block in blocks_of(report):
        if isinstance(block, str):
            line = escape_markdown(block)
            joined = isinstance(before, str) and before and block
            parts.append(f"  \n{line}" if joined else f"\n\n{line}")
        else:
            head, *rows = block
            parts.append(f"\n\n{Table(head, rows)._repr_markdown_()}")
        before = block
    return "".join(parts).strip()
