"""A session as one HTML page: no script, nothing loaded, readable for as long as HTML is."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template

from nbroute.errors import SettingsError
from nbroute.report import Report, bars
from nbroute.report.charts import telling
from nbroute.report.figure import grid
from nbroute.report.text import blocks_of

#: By this an export knows its own files, so that it may write over them.
MARK = '<meta name="generator" content="nbroute export">'
SUFFIXES = (".html", ".htm")
#: Characters; what is longer is folded.
LONG_PROMPT = 2_000
EARLIER = ("when", "what for", "tier", "model", "status", "cost", "time")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt and its answers, each a card: safe HTML that goes into the page as it is.

    An answer that was escalated is in the card of the one that escalates it.
    """

    prompt: str = field(repr=False)
    cards: tuple[str, ...]
    compared: bool = False


def write_page(path: str | Path, page: str, *, force: bool = False) -> Path:
    """Write the page, whole or not at all; over an export, and with `force` over another file.

    SettingsError for a name that does not end in .html, and where it cannot be written.
    """
    target = Path(path).expanduser()
    if target.suffix.lower() not in SUFFIXES:
        raise SettingsError(
            f"an export is an HTML page, and {target.name!r} does not end in .html: "
            f"say {target.stem + '.html'!r}"
        )
    if not target.parent.is_dir():
        raise SettingsError(f"there is no folder {str(target.parent)!r}; make it first")
    if target.is_dir():
        raise SettingsError(f"{str(target)!r} is a folder; name a file in it")
    if target.exists() and not force and not _is_export(target):
        raise SettingsError(
            f"{str(target)!r} is there already and is not an export of nbroute; "
            "another name, or `--force` (in Python: force=True) to write over it"
        )
    part = target.with_name(f".nbroute-{secrets.token_hex(8)}.html")
    try:
        part.write_bytes(page.encode("utf-8", "replace"))
        part.replace(target)
    except OSError as error:
        raise SettingsError(f"cannot write {str(target)!r}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return target


def _is_export(target: Path) -> bool:
    try:
        with target.open("rb") as file:
            return MARK.encode() in file.read(1_000)
    except OSError:
        return False


def page_of(
    *,
    facts: Mapping[str, str],
    notes: Sequence[str],
    report: Report,
    exchanges: Sequence[Exchange],
    earlier: Sequence[Sequence[str]],
    style: str,
) -> str:
    """The whole page; all is plain text but the cards, and the facts stand in its head.

    `style` is the cards' stylesheet. `earlier` are calls that the ledger has and this process no
    longer remembers, as rows of `EARLIER`.
    """
    head = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    shown = [_exchange(place, one) for place, one in enumerate(exchanges, start=1)]
    sections = {
        "Report": _report(report),
        "Charts": _charts(report),
        "Prompts and answers": "\n".join(shown) or "<p>No answer is kept in this process.</p>",
    }
    if earlier:
        why = "<p>Calls that the ledger has; their prompts and answers are not kept.</p>"
        sections["Earlier calls of this session"] = why + _table([EARLIER, *earlier])
    said = [f'<p class="note">{escape(note)}</p>\n' for note in notes]
    parts = [
        f"<section>\n<h2>{title}</h2>\n{body}\n</section>\n"
        for title, body in sections.items()
        if body
    ]
    frame = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    return frame.substitute(mark=MARK, style=style, facts=head, body="".join(said + parts))


def _report(report: Report) -> str:
    parts = []
    for block in blocks_of(report):
        if not isinstance(block, str):
            parts.append(_table(block))
        elif block:
            indented = ' class="part"' if block.startswith(" ") else ""
            parts.append(f"<p{indented}>{escape(block)}</p>")
    return "\n".join(parts)


def _charts(report: Report) -> str:
    """Each chart with its figures, folded."""
    drawn = []
    for figure in telling(report):
        title = f"{escape(figure.title)}: the figures"
        drawn.append(bars.page([figure]) + _folded(_table(grid(figure.rows)), title))
    return f'<div class="charts"><div>{"</div><div>".join(drawn)}</div></div>' if drawn else ""


def _exchange(place: int, exchange: Exchange) -> str:
    kind = " (compared)" if exchange.compared else ""
    prompt = f'<pre class="prompt" dir="auto">{escape(exchange.prompt)}</pre>'
    if len(exchange.prompt) > LONG_PROMPT:
        prompt = _folded(prompt, f"the prompt, {len(exchange.prompt):,} characters")
    head = f'<h3 id="prompt-{place}">Prompt {place}{kind}</h3>'
    cards = f'<div class="columns">{"".join(exchange.cards)}</div>'
    return f"<article>\n{head}\n{prompt}\n{cards}\n</article>"


def _folded(body: str, summary: str) -> str:
    return f"<details><summary>{summary}</summary>{body}</details>"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *lines = rows
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in lines
    )
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="table"><table><thead>'
        f"<tr>{names}</tr></thead><tbody>\n{body}</tbody></table></div>"
    )
