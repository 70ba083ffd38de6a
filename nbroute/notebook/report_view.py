"""How a report is displayed: its words and tables, with its charts below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nbroute.evaluate.audited import Audit, Direction
from nbroute.evaluate.judging import Word
from nbroute.notebook import look
from nbroute.notebook.answer import escape_markdown, safe_plain
from nbroute.notebook.screens import is_live
from nbroute.notebook.tables import Table
from nbroute.report import bars
from nbroute.report.figure import Figure
from nbroute.report.text import Block


class Gallery:
    """Charts at the end of a cell: static HTML, and below it a button that makes them live.

    `print` shows tables. `asked` is the magic that shows the same.
    """

    def __init__(self, figures: Sequence[Figure], *, live: bool, asked: str) -> None:
        self.figures = tuple(figures)
        self._live, self._asked = live, asked

    def __repr__(self) -> str:
        """Every chart as a table."""
        return safe_plain("\n\n".join(map(repr, self.figures)))

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import display

        if not hasattr(get_ipython(), "kernel"):
            print(self)  # noqa: T201 - a terminal shows no pictures
            return
        explorer = None
        if self._live and any(figure.compares for figure in self.figures):
            from nbroute.notebook.explorer import Explorer

            explorer = Explorer(self.figures, self._asked)
        shown = bars.page(self.figures, place=explorer.place if explorer else "")
        display({"text/html": safe_plain(shown), "text/plain": repr(self)}, raw=True)
        if explorer:
            display(explorer)


def show(
    found: object,
    blocks: Iterable[Block],
    figures: Sequence[Figure],
    shell: Any,
    *,
    static: bool,
    asked: str,
    code: str = "",
    html: str = "",
) -> None:
    """Display what was found; a terminal shows only the words.

    `blocks` are the words, `code` settings to copy below them, `html` all of it as a page;
    `asked` is as in `Gallery`.
    """
    from IPython.display import display

    blocks = list(blocks)
    told = markdown(blocks) + (f"\n\n```toml\n{code}\n```" if code else "")
    shown = {"text/plain": safe_plain(repr(found)), "text/markdown": told}
    if html:
        shown["text/html"] = html
    display(shown, raw=True)
    if figures and hasattr(shell, "kernel"):
        display(Gallery(figures, live=is_live(shell, static=static), asked=asked))


def _html(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{look.text(block)}</p>" if block else ""
    head, *rows = block
    return look.table("details", head, [list(map(look.text, row)) for row in rows])


def audit_page(audit: Audit) -> str:
    """An audit's verdict, its shares at a glance with their intervals, and the rest in words."""
    titles: dict[Direction, tuple[str, Sequence[Word]]] = {
        "up": ("One tier up was preferred", ["expensive"]),
        "down": ("One tier down would have done", ["cheaper", "tie"]),
        "again": ("Noise: the same model, asked twice", ["cheaper", "expensive"]),
    }
    facts = {}
    for way, (title, words) in titles.items():
        if (tally := audit.tally(way)).n:
            share = tally.share(*words)
            facts[title] = [look.Fact(f"{share:.0%}", tally.told(*words), share)]
    verdict = f"<p><b>{look.text(audit.verdict)}</b></p>{look.tiles(facts) if facts else ''}"
    return look.page(verdict, *map(_html, audit.blocks(brief=True)))


def markdown(blocks: Iterable[Block]) -> str:
    """The words as lines, and the tables, in Markdown."""
    told, before = "", ""
    for block in blocks:
        if isinstance(block, str):
            joined = "  \n" if before and block else "\n\n"
            told, before = f"{told}{joined}{escape_markdown(block)}", block
        else:
            head, *rows = block
            told, before = f"{told}\n\n{Table(head, rows)._repr_markdown_()}", ""
    return told.strip()
