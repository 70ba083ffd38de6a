"""A comparison as text, Markdown and HTML; pure.

The HTML is complete with no kernel and with every style stripped. With a kernel, each column also
has a button.
"""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from typing import Any

from nbroute.compare.comparison import Comparison
from nbroute.notebook import look
from nbroute.notebook.answer import (
    answer_html,
    escape_markdown,
    plain_html,
    safe_markdown,
    safe_plain,
    visible_text,
)
from nbroute.notebook.comparing.view import Pane, View, routed, too_different
from nbroute.notebook.lines import DOT
from nbroute.notebook.render import NO_ANSWER
from nbroute.notebook.tables import Table
from nbroute.report import record
from nbroute.report.metadata import SCHEMA

_HEADING_LEVEL = 3
_SPACE = '<span class="nbr-space"></span>'
GOOD = "good enough"
_MEANS = "the cheapest answer that you would accept; kept with the prompt"


def bundle(view: View, comparison: Comparison) -> tuple[dict[str, str], dict[str, Any]]:
    """The view as a display bundle, and its metadata with the structured records.

    Partial answers have records too, as they were paid for.
    """
    results = (column.result for column in comparison.columns)
    told = [record(result) for result in results if result is not None and result.attempts]
    data = {"text/plain": plain(view), "text/markdown": markdown(view), "text/html": page(view)}
    details = {"schema": SCHEMA, "comparison": comparison.id, "compared": told}
    return data, {"nbroute": details}


def page(view: View) -> str:
    """The comparison for `text/html`."""
    return look.page(inside(view))


def inside(view: View, *, live: bool = False, at: str = "", twin: str = "") -> str:
    """The comparison's HTML; `live` with its buttons, whose `data-at` begins with `at`.

    `twin` is the id of the output that shows the same: what is typeset there is copied.
    """
    source = view.source
    lines = [f'<p class="nbr-quiet">{look.text(line)}</p>' for line in view.above]
    if view.decision is not None:
        tier, rest = routed(view.decision)
        would = f"Routing would pick <b>{look.text(tier)}</b>" if tier else ""
        badge = look.badge(source.source, title=source.meaning) if source else ""
        told = f'<span class="nbr-quiet">{would}{look.text(rest)}</span> '
        lines.insert(0, f"<p>{look.SEPARATOR.join(filter(None, (told, badge)))}</p>")
    panes = [_pane_html(pane, view, live=live, at=at, twin=twin) for pane in view.panes]
    below = "".join(f"<p>{look.text(line)}</p>" for line in view.below)
    table = _table(view).html() if view.table else ""
    return f"{''.join(lines)}{_beside(panes)}{below}{table}"


def _beside(panes: Sequence[str]) -> str:
    """As many in a row as there is room for; four are never three and one."""
    if len(panes) != 4:
        kind = "nbr-columns nbr-thirds" if len(panes) in (5, 6) else "nbr-columns"
        return f'<div class="{kind}">{"".join(panes)}</div>' if panes else ""
    pairs = (panes[0] + panes[1], panes[2] + panes[3])
    halves = "".join(f'<div class="nbr-columns">{pair}</div>' for pair in pairs)
    return f'<div class="nbr-columns nbr-pairs">{halves}</div>'


def _pane_html(pane: Pane, view: View, *, live: bool, at: str, twin: str) -> str:
    price, model = pane.price, look.attribute(pane.name)
    letter = f"{pane.says}: " if pane.title.startswith(f"{pane.says}: ") else ""
    short = look.text(letter + _short(pane))
    cost = price.amount if price and pane.answered else ""
    head = look.head(
        [
            look.pill(pane.tier or pane.title, view.tiers),
            f'{_SPACE}<b class="nbr-cost">{look.text(cost)}</b>' if cost else "",
            f'<span class="nbr-who" title="{model}">{short}</span>' if pane.name else "",
        ]
    )
    tint, says = look.tinted(pane.tier, view.tiers), look.attribute(pane.says)
    top = f"{tint};border-top:4px solid {tint.partition(':')[2]}"
    share = pane.rank.share
    bar = f'<div class="nbr-scale">{look.bar(share, tint)}</div>' if share else ""
    error = f'<p class="nbr-note"><b>no answer</b>: {look.text(pane.error)}</p>'
    quiet = [*pane.remarks, too_different(pane), pane.doing]
    notes = "".join(f'<p class="nbr-note nbr-quiet">{look.text(one)}</p>' for one in quiet if one)
    name = look.attribute(f"answer of {pane.title}")
    place = f"#{twin} [data-pane={json.dumps(safe_plain(pane.says))}] .nbr-answer"
    same = f' data-twin="{look.attribute(place)}"' if twin else ""
    body = f'<div class="nbr-body nbr-answer" tabindex="0"{same}>{_body(pane)}</div>'
    return (
        f'<section class="nbr-pane" style="{top}" data-pane="{says}" aria-label="{name}">'
        f"{head}{bar}{error if pane.error else ''}{body}{notes}"
        f"{_foot(pane, live=live, at=at, own=not view.source)}</section>"
    )


def _body(pane: Pane) -> str:
    if pane.doing:
        return plain_html(pane.text) if pane.text else ""
    if pane.text.strip():
        return answer_html(pane.text, below=_HEADING_LEVEL, marks=pane.marks)
    return "" if pane.error else f"<p>{NO_ANSWER}</p>"


def _foot(pane: Pane, *, live: bool, at: str, own: bool) -> str:
    """The best, the figures and the vote; the cost's source if this pane has its `own`."""
    price = pane.price
    facts = [price.amount] if price and not pane.answered else filter(None, pane.facts)
    pieces = [
        f'<b class="nbr-best">{look.text(pane.best)}</b>' if pane.best else "",
        look.quiet(DOT.join(facts)),
        look.badge(price.source, title=price.meaning) if price and own else "",
    ]
    if live and pane.answered:
        words = f"✓ {GOOD}" if pane.voted else GOOD
        said = f"{at}{pane.says}"
        pieces.append(look.button(words, "vote", said, title=_MEANS, pressed=pane.voted))
    elif pane.voted:
        pieces.append(f"{_SPACE}<b>✓ {GOOD}</b>")
    return f'<p class="nbr-head nbr-foot">{look.SEPARATOR.join(filter(None, pieces))}</p>'


def _table(view: View) -> Table:
    """The figures side by side, for those who ask for them."""
    rows = [
        (pane.says, _short(pane), pane.price.amount if pane.price else "", *pane.facts, pane.best)
        for pane in view.panes
    ]
    return Table(("answer", "model", "cost", "ratio", "time", "tokens", ""), rows)


def _short(pane: Pane) -> str:
    """The model without its maker's name."""
    return pane.name.rpartition("/")[2].removesuffix(" (simulated)")


def plain(view: View) -> str:
    """The comparison for `text/plain`: complete in a terminal and with no kernel."""
    blocks = ["\n".join(_above(view)), *map(pane_plain, view.panes), *view.below]
    blocks += [repr(_table(view))] if view.table else []
    return safe_plain("\n\n".join(block for block in blocks if block))


def rest_plain(view: View, printed: Container[str]) -> str:
    """What is left to print after answers that were printed as they came: figures to compare."""
    rest = [pane_plain(pane) for pane in view.panes if pane.says not in printed]
    return safe_plain("\n\n".join([*rest, *_above(view), repr(_table(view)), *view.below]))


def _above(view: View) -> list[str]:
    tier, rest = routed(view.decision) if view.decision else ("", "")
    return [*([f"Routing would pick {tier}{rest}" if tier else rest] if rest else []), *view.above]


def pane_plain(pane: Pane) -> str:
    """One answer under its heading and its figures."""
    seen = visible_text(pane.text) if pane.marks else ""
    only = [" ".join(seen[start:end].split()) for start, end in pane.marks]
    lines = [f"--- {pane.title} ---", _figures(pane), *pane.remarks, too_different(pane)]
    lines += [pane.error, pane.text or pane.doing or ("" if pane.error else NO_ANSWER)]
    lines += [f"[only here: {' | '.join(only)}]"] if only else []
    return "\n".join(line for line in lines if line)


def _figures(pane: Pane) -> str:
    said = [f"✓ {GOOD}"] if pane.voted else []
    cost = str(pane.price) if pane.price else ""
    return DOT.join(filter(None, (cost, *pane.facts, pane.best, *said)))


def markdown(view: View) -> str:
    """The comparison for `text/markdown`; the models' words are made safe, ours are escaped."""
    blocks = ["  \n".join(map(escape_markdown, _above(view)))]
    blocks += map(_pane_markdown, view.panes)
    blocks += map(escape_markdown, view.below)
    blocks += [_table(view)._repr_markdown_()] if view.table else []
    return "\n\n".join(block for block in blocks if block)


def _pane_markdown(pane: Pane) -> str:
    told = [_figures(pane), *pane.remarks, too_different(pane)]
    lines = [f"**{escape_markdown(pane.title)}**", *map(escape_markdown, filter(None, told))]
    lines += [f"**{escape_markdown(pane.error)}**"] if pane.error else []
    body = safe_markdown(pane.text) or ("" if pane.error else f"*{NO_ANSWER}*")
    return "  \n".join(lines) + f"\n\n{body or escape_markdown(pane.doing)}"
