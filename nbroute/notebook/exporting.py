"""A router's session -> the page that `%route export` writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from nbroute.engine.feedback import labels_of
from nbroute.export import page_of, write_page
from nbroute.notebook import look, render
from nbroute.notebook.answer import safe_plain
from nbroute.notebook.lines import DOT, Scale, headline
from nbroute.notebook.render import View
from nbroute.pricing import describe
from nbroute.recording.scrub import Scrubber
from nbroute.report import Report, bars
from nbroute.report.charts import telling
from nbroute.report.figure import grid
from nbroute.report.table import seconds
from nbroute.report.text import blocks_of
from nbroute.router import Router, scrubber_of
from nbroute.types import Cost, RouteResult

#: How many calls are listed whose answers this process does not have.
MOST_CALLS = 500
#: Characters; anything longer is folded.
LONG_PROMPT, LONG_ANSWER = 2_000, 8_000
_EARLIER = ("when", "what for", "tier", "model", "status", "cost", "time")
_SIMULATED = "Answers marked “simulated” were written for lessons; no model was asked."


def export(router: Router, path: str | Path, *, force: bool = False) -> Path:
    """Write the router's session as one HTML page that opens with no network; returns its path.

    An earlier export is overwritten; any other file only with `force`. SettingsError for a name
    that does not end in .html, and if it cannot be written.
    """
    return write_page(path, page(router), force=force)


def page(router: Router) -> str:
    """The page, without any key that nbroute knows, or anything that looks like one."""
    scrubber, budget = scrubber_of(router), router.limits.budget_usd
    results, report = router.history.results(), router.report()
    kinds = {attempt.provider_kind for result in results for attempt in result.attempts}
    facts = {
        "exported": f"{_when(router.parts.clock())} UTC",
        "session": router.session,
        "profile": router.settings.profile,
        "ladder": f"{router.ladder.name}: {', '.join(router.ladder.names)}",
        "baseline": f"all on {report.baseline} (savings are estimates against it)",
        "budget": "none" if budget is None else f"${budget:f}",
    }
    shown: Report = _clean(report, scrubber)
    charts = "".join(_charts(shown))
    sections = {
        "Report": "".join(_report(shown)),
        "Charts": f'<div class="charts">{charts}</div>' if charts else "",
        "Prompts and answers": "".join(_exchanges(router, results, scrubber))
        or "<p>No answer is kept in this process.</p>",
        "Earlier calls of this session": _calls(router, results),
    }
    body = f'<p class="note">{_SIMULATED}</p>\n' * ("simulated" in kinds)
    for title, inside in sections.items():
        body += f"<section>\n<h2>{title}</h2>\n{inside}\n</section>\n" * bool(inside)
    return scrubber.text(page_of(facts, body, look.CSS))


def _report(report: Report) -> Iterator[str]:
    for block in blocks_of(report):
        if not isinstance(block, str):
            yield _table(block)
        elif block:
            indented = ' class="part"' if block.startswith(" ") else ""
            yield f"<p{indented}>{escape(block)}</p>\n"


def _charts(report: Report) -> Iterator[str]:
    """Each chart with its figures, folded."""
    for figure in telling(report):
        rows = look.page(
            look.folded(f"{look.text(figure.title)}: the figures", _table(grid(figure.rows)))
        )
        yield f"<div>{bars.page([figure])}{rows}</div>"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *lines = rows
    return look.page(look.table("table", head, [list(map(look.text, line)) for line in lines]))


def _when(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")


def _exchanges(router: Router, results: Sequence[RouteResult], scrubber: Scrubber) -> Iterator[str]:
    """Each prompt with its answers, those of a comparison or of a chain of escalations together."""
    labels = defaultdict(list)
    for label in labels_of(router):
        needed = f" (needed {label.needed})" if label.needed else ""
        labels[label.result].append(f"{label.feedback}{needed}")
    groups: dict[tuple[bool, str, str], list[RouteResult]] = defaultdict(list)
    for result in results:
        comparison = result.options.comparison  # one for all prompts of a grid
        groups[bool(comparison), comparison or result.chain[-1].id, result.prompt].append(result)
    scale = Scale.of(router)
    for place, ((compared, _, _), found) in enumerate(groups.items(), 1):
        clean = [_clean(one, scrubber) for one in found]
        parts = [[one] for one in clean] if compared else [clean[::-1]]
        prompt = safe_plain(clean[0].prompt)
        shown = f'<pre class="prompt" dir="auto">{escape(prompt)}</pre>'
        if len(prompt) > LONG_PROMPT:
            shown = look.folded(f"the prompt, {len(prompt):,} characters", shown)
        cards = ""
        for part in parts:
            said = tuple(
                f"label{f' on {one.tier}' if len(part) > 1 else ''}: {word}"
                for one in part
                for word in labels.get(one.id, ())
            )
            card = render.page(View(tuple(part), notices=said, scale=scale, exact=compared))
            size = sum(len(one.text) for one in part)
            if size >= LONG_ANSWER:
                told = f"{headline(part[0], scale)}{DOT}the answer, {size:,} characters"
                card = look.folded(look.text(told), card)
            cards += card
        yield (
            f'<article>\n<h3 id="prompt-{place}">Prompt {place}{" (compared)" * compared}</h3>\n'
            f'{shown}\n<div class="columns">{cards}</div>\n</article>\n'
        )


def _clean(value: Any, scrubber: Scrubber) -> Any:
    """The same without keys in its texts; HTML, which may cut a key in pieces, comes later."""
    if isinstance(value, str):
        return scrubber.text(value)
    if type(value) is tuple:
        return tuple(_clean(one, scrubber) for one in value)
    if type(value) is dict:
        found: dict[Any, Any] = {}
        for key, one in value.items():
            name, clean = _clean(key, scrubber), _clean(one, scrubber)
            found[name] = found[name] + clean if name in found else clean
        return found
    if not is_dataclass(value) or isinstance(value, type):
        return value
    found = {one.name: _clean(getattr(value, one.name), scrubber) for one in fields(value)}
    return replace(value, **found)


def _calls(router: Router, results: Sequence[RouteResult]) -> str:
    """The session's last calls that are in the ledger but not among the results."""
    known = {result.id for result in results}
    rows = [row for row in router.ledger.rows(session=router.session) if row["result"] not in known]
    if not rows:
        return ""
    lines = [_EARLIER]
    for row in rows[-MOST_CALLS:]:
        cost = describe(Cost(row["cost_usd"], row["cost_source"]))
        simulated = " (simulated)" if row["provider_kind"] == "simulated" else ""
        lines.append(
            (
                *(_when(row["ts"]), row["purpose"], row["tier"] or "(none)"),
                *(safe_plain(f"{row['model']}{simulated}"), row["status"]),
                *("$0 (cached)" if row["cached"] else cost, seconds(row["latency_ms"])),
            )
        )
    why = "<p>Calls in the ledger; their prompts and answers were not kept.</p>"
    return why + _table(lines)
