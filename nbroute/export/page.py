"""Session -> HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import astuple

from nbroute.errors import SettingsError
from nbroute.export.session import Answer, Call, Exchange, Session
from nbroute.export.style import CSS
from nbroute.report import Report
from nbroute.report.charts import Figure, telling
from nbroute.report.figure import grid
from nbroute.report.text import blocks_of

#: By this an export knows its own files, so that it may write over them.
MARK = '<meta name="generator" content="nbroute export">'
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
#: Characters; what is longer is folded.
LONG_PROMPT, LONG_ANSWER = 2_000, 8_000
_CALL_HEAD = ("when", "what for", "tier", "model", "status", "cost", "time")


def page_of(session: Session) -> str:
    """The whole page."""
    parts = [
        "<h1>nbroute session</h1>",
        _facts(session.facts),
        *(f'<p class="note">{_text(note)}</p>' for note in session.notes),
        _section("Report", _report(session.report)),
        _section("Charts", _charts(session.report)),
        _section("Prompts and answers", _exchanges(session.exchanges)),
        _section("Earlier calls of this session", _calls(session.calls)),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{MARK}\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>nbroute session</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{body}\n</section>" if body else ""


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    pairs = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts)
    return f'<dl class="facts">{pairs}</dl>'


def _report(report: Report) -> str:
    parts = []
    for block in blocks_of(report):
        if isinstance(block, str):
            indented = ' class="part"' if block.startswith(" ") else ""
            parts.append(f"<p{indented}>{_text(block)}</p>" if block else "")
        else:
            head, *rows = block
            parts.append(_table(head, rows))
    return "\n".join(part for part in parts if part)


def _charts(report: Report) -> str:
    figures = telling(report)
    try:
        return f'<div class="charts">{"".join(map(_figure, figures))}</div>' if figures else ""
    except SettingsError as error:
        return f"<p>Not drawn: {_text(str(error))}.</p>"


def _figure(figure: Figure) -> str:
    picture = figure.svg(card=False)
    if not figure.rows:
        return f"<figure>{picture}</figure>"
    head, *rows = grid(figure.rows)
    summary = f"<summary>{_text(figure.title)}: the figures</summary>"
    return f"<figure>{picture}<details>{summary}{_table(head, rows)}</details></figure>"


def _exchanges(exchanges: Sequence[Exchange]) -> str:
    if not exchanges:
        return "<p>No answer is kept in this process.</p>"
    return "\n".join(_exchange(place, one) for place, one in enumerate(exchanges, start=1))


def _exchange(place: int, exchange: Exchange) -> str:
    kind = " (compared)" if exchange.compared else ""
    prompt = f'<pre class="prompt" dir="auto">{_text(exchange.prompt)}</pre>'
    shown = _folded(prompt, len(exchange.prompt), LONG_PROMPT, "the prompt")
    return (
        f'<article>\n<h3 id="prompt-{place}">Prompt {place}{kind}</h3>\n{shown}\n'
        f"{_columns(exchange) if exchange.compared else _chain(exchange)}\n</article>"
    )


def _columns(exchange: Exchange) -> str:
    columns = "".join(f'<div class="answer">{_answer(one)}</div>' for one in exchange.answers)
    return f'<div class="columns">{columns}</div>'


def _chain(exchange: Exchange) -> str:
    newest, *earlier = exchange.answers
    folded = "".join(
        f"<details><summary>before that: {_text(one.headline)}</summary>"
        f'<div class="answer">{_answer(one)}</div></details>'
        for one in earlier
    )
    return f'<div class="answer">{_answer(newest)}</div>{folded}'


def _answer(answer: Answer) -> str:
    tier, _, rest = answer.headline.partition(" · ")
    head = f'<p class="headline"><strong>{_text(tier)}</strong> · {_text(rest)}</p>'
    remarks = "".join(f'<p class="remark">{_text(line)}</p>' for line in answer.remarks)
    labels = "".join(f'<p class="label">label: {_text(line)}</p>' for line in answer.labels)
    text = f'<div class="text" dir="auto">{answer.html or "<p>(no answer)</p>"}</div>'
    shown = _folded(text, answer.size, LONG_ANSWER, "the answer")
    return f"{head}{remarks}{labels}{shown}{_ladder(answer)}"


def _ladder(answer: Answer) -> str:
    if not answer.ladder:
        return ""
    lines = "".join(f"<li>{_text(line)}</li>" for line in answer.ladder)
    return f"<details><summary>{_text(answer.ladder_title)}</summary><ul>{lines}</ul></details>"


def _folded(shown: str, size: int, longest: int, what: str) -> str:
    if size <= longest:
        return shown
    return f"<details><summary>{what}, {size:,} characters</summary>{shown}</details>"


def _calls(calls: Sequence[Call]) -> str:
    if not calls:
        return ""
    said = "<p>Calls that the ledger has; their prompts and answers are not kept.</p>"
    return said + _table(_CALL_HEAD, [astuple(call) for call in calls])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    names = "".join(f'<th scope="col">{_text(name)}</th>' for name in head)
    lines = "".join(
        f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>\n" for row in rows
    )
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="table"><table><thead>'
        f"<tr>{names}</tr></thead><tbody>\n{lines}</tbody></table></div>"
    )


def _text(text: str) -> str:
    return html.escape(text)
