"""A comparison as text, Markdown and HTML: a table first, then every answer; pure.

The HTML has inline styles only and is complete with no kernel: columns beside one another
where there is room, below one another where there is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbroute.compare.comparison import Comparison
from nbroute.notebook.answer import (
    answer_html,
    escape_markdown,
    marked_html,
    plain_html,
    safe_html,
    safe_markdown,
    safe_plain,
)
from nbroute.notebook.comparing.view import FIGURES, HEAD, Pane, View
from nbroute.notebook.lines import DOT
from nbroute.notebook.tables import Table
from nbroute.report import record
from nbroute.report.metadata import SCHEMA

_NO_ANSWER = "(no answer)"
_HEADING_LEVEL = 3

_TEXT = "color:var(--jp-ui-font-color1, inherit)"
#: Twice, since JupyterLab takes a variable out of a notebook that it does not trust.
_COLOUR = "border-color:var(--jp-border-color1, #999)"
_GRID = (
    "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,{least}),1fr));"
    "gap:0.75rem;align-items:start;margin:{margin}"
)
_LEAST, _LEAST_PAIR = "18rem", "36.75rem"
_PANE = f"border:1px solid #999;{_COLOUR};border-radius:4px;padding:0.5rem 0.75rem;min-width:0"
_HEADING = "font-size:1em;font-weight:bold;margin:0 0 0.25rem 0;overflow-wrap:break-word"
_SMALL = "margin:0;font-size:0.9em;line-height:1.45;overflow-wrap:break-word"
_ANSWER = (
    f"border-top:1px solid #999;{_COLOUR};margin-top:0.5rem;padding-top:0.5rem;"
    "overflow-wrap:break-word;overflow-x:auto"
)
_WIDE = "overflow-x:auto;max-width:100%"
_TABLE = "border-collapse:collapse;margin:0;text-align:left;font-size:0.9em"
_CELL = "text-align:left;vertical-align:top;padding:0.2rem 0.75rem 0.2rem 0;white-space:normal"


def bundle(view: View, comparison: Comparison | None = None) -> tuple[dict[str, str], Any]:
    """The view as a display bundle and its metadata, where the structured records lie."""
    data = {"text/plain": plain(view), "text/markdown": markdown(view), "text/html": page(view)}
    return data, {} if comparison is None else {"nbroute": details(comparison)}


def details(comparison: Comparison) -> dict[str, Any]:
    """The records of all answers, also of those that broke off: what was paid for is in them."""
    results = (column.result for column in comparison.columns)
    told = [record(result) for result in results if result is not None and result.attempts]
    return {"schema": SCHEMA, "comparison": comparison.id, "compared": told}


def table(view: View) -> Table | None:
    """One row a contender; None while there is nothing to tell of them."""
    rows = [_cells(pane) for pane in view.panes if pane.name]
    return Table(HEAD, rows) if rows else None


def _cells(pane: Pane) -> tuple[str, ...]:
    figures = pane.figures
    if pane.error and not pane.text:
        figures = (pane.error.partition(":")[0], *figures[1:2], "", "")
    row = (pane.name, pane.model, "picks this" if pane.picked else "", *figures)
    return (*row, *("",) * (len(HEAD) - len(row)))


def plain(view: View) -> str:
    """The comparison for `text/plain`: complete in a terminal and with no kernel."""
    found = table(view)
    blocks = ["\n".join(view.above), repr(found) if found else ""]
    blocks += [pane_plain(pane) for pane in view.panes]
    return safe_plain("\n\n".join(block for block in [*blocks, *view.below] if block))


def pane_plain(pane: Pane) -> str:
    """One answer under its heading."""
    lines = [f"--- {pane.title} ---", pane.note, *pane.remarks]
    body = pane.text or pane.doing or ("" if pane.error else _NO_ANSWER)
    only = _only(pane)
    return "\n".join(line for line in [*lines, pane.error, body, only] if line)


def markdown(view: View) -> str:
    """The comparison for `text/markdown`; the models' words are made safe, ours are escaped."""
    found = table(view)
    blocks = ["  \n".join(map(escape_markdown, view.above))]
    blocks += [found._repr_markdown_()] if found else []
    blocks += [_pane_markdown(pane) for pane in view.panes]
    blocks += map(escape_markdown, view.below)
    return "\n\n".join(block for block in blocks if block)


def _pane_markdown(pane: Pane) -> str:
    told = [line for line in (pane.note, *pane.remarks) if line]
    lines = [f"**{escape_markdown(pane.title)}**", *map(escape_markdown, told)]
    lines += [f"**{escape_markdown(pane.error)}**"] if pane.error else []
    body = safe_markdown(pane.text) or ("" if pane.error else f"*{_NO_ANSWER}*")
    return "  \n".join(lines) + f"\n\n{body or escape_markdown(pane.doing)}"


def _only(pane: Pane) -> str:
    """What plain text says where HTML underlines."""
    words = [" ".join(text.split()) for text, marked in pane.pieces if marked and text.strip()]
    return f"[only here: {' | '.join(words)}]" if words else ""


def page(view: View) -> str:
    """The comparison for `text/html`."""
    above = "".join(_paragraph(line) for line in view.above)
    below = "".join(_paragraph(line) for line in view.below)
    columns = _beside([_pane_html(pane, streaming=view.streaming) for pane in view.panes])
    return f'<div style="{_TEXT}">{above}{_table_html(table(view))}{columns}{below}</div>'


def _beside(panes: Sequence[str]) -> str:
    """As many as there is room for; four are never three and one."""
    least, margin = _LEAST, "0.75rem 0"
    if len(panes) == 4:
        half = _GRID.format(least=_LEAST, margin="0")
        pairs = (panes[0] + panes[1], panes[2] + panes[3])
        panes = [f'<div style="{half}">{pair}</div>' for pair in pairs]
        least = _LEAST_PAIR
    return f'<div style="{_GRID.format(least=least, margin=margin)}">{"".join(panes)}</div>'


def _paragraph(line: str) -> str:
    return f'<p style="margin:0 0 0.4rem 0">{safe_html(line)}</p>'


def _table_html(found: Table | None) -> str:
    if found is None:
        return ""
    head = _row("th", found.head, scope=' scope="col"')
    rows = "".join(_row("td", row) for row in found.rows)
    return (
        f'<div style="{_WIDE}" role="region" aria-label="compared" tabindex="0">'
        f'<table style="{_TABLE}"><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
    )


def _row(tag: str, cells: Sequence[str], scope: str = "") -> str:
    inside = "".join(f'<{tag}{scope} style="{_CELL}">{safe_html(cell)}</{tag}>' for cell in cells)
    return f"<tr>{inside}</tr>"


def _pane_html(pane: Pane, *, streaming: bool) -> str:
    title = safe_html(pane.title)
    told = zip(FIGURES, () if pane.error and not pane.text else pane.figures, strict=False)
    facts = DOT.join(f"{name} {said}" for name, said in told if said)
    lines = [line for line in (pane.note, facts, *pane.remarks) if line]
    small = "".join(f'<p style="{_SMALL}">{safe_html(line)}</p>' for line in lines)
    failed = f'<p style="{_SMALL}"><strong>{safe_html(pane.error)}</strong></p>'
    return (
        f'<section style="{_PANE}"><p role="heading" aria-level="{_HEADING_LEVEL}" '
        f'style="{_HEADING}">{title}</p>{small}'
        f'<div style="{_ANSWER}">{failed if pane.error else ""}'
        f"{_body(pane, streaming=streaming)}</div></section>"
    )


def _body(pane: Pane, *, streaming: bool) -> str:
    if pane.pieces:
        return marked_html(pane.pieces)
    if streaming:
        return plain_html(pane.text or pane.doing)
    if pane.text.strip():
        return answer_html(pane.text, below=_HEADING_LEVEL)
    return "" if pane.error else f'<p style="{_SMALL}">{_NO_ANSWER}</p>'
