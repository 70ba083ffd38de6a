"""The session dashboard: a widget that is redrawn while prompts are routed."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets as widgets

from nbroute.notebook import overview
from nbroute.notebook.overview import Fact, Overview, TierFacts
from nbroute.notebook.paced import Following, Paced
from nbroute.notebook.panels import STYLE, bar, heard, table, text, tile
from nbroute.notebook.screens import is_live
from nbroute.report import Report
from nbroute.router import Router

_REDRAWN_EVERY_S = 0.35
_SAID_EVERY_S = 5.0


class Dashboard(widgets.VBox):
    """Spend, budget, tier mix, latency, savings and the last calls, live; reads, sends nothing.

    It is redrawn about three times a second while there is something new, from any thread;
    with a long session less often. `close` ends that. Where nothing can be redrawn it shows
    itself once, in words; `%route dashboard` does the same. No prompt is in it.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._lock = threading.Lock()
        self._body = widgets.HTML()
        self._heard = widgets.HTML()
        super().__init__([widgets.HTML(STYLE), self._heard, self._body])
        self._redraw = Paced(self.redraw, _REDRAWN_EVERY_S)
        self._say = Paced(self._tell, _SAID_EVERY_S)
        self._closed = False
        self._following = Following(router, self._changed)
        self.redraw()

    def redraw(self) -> None:
        """Read the ledger again and show what it says."""
        with self._lock:
            self._seen = overview.look(self._router)
            self._body.value = body(self._seen)

    def refresh(self, router: Router) -> None:
        """Read again, and show that router's session from here on."""
        if self._closed:
            return
        self._router = router
        self._following.follow(router)
        self._changed()

    def announced(self, _words: str) -> bool:
        """What a provider does is told elsewhere."""
        return False

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Watch no more, and go out of sight."""
        if not self._closed:  # a widget that is collected is closed again
            self._closed = True
            self._following.close()
            self._redraw.close()
            self._say.close()
        super().close()

    def _changed(self) -> None:
        self._redraw.ask()
        self._say.ask()

    def _tell(self) -> None:
        self._heard.value = heard(overview.status(self._seen))

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import display

        if not is_live(get_ipython(), static=self._router.settings.static):
            display(overview.snapshot(overview.look(self._router)))
            return
        data: Any = self._repr_mimebundle_()
        # a reader of the saved notebook that has no widgets shows the words
        data["text/plain"] = repr(overview.snapshot(self._seen))
        display(data, raw=True)

    def __repr__(self) -> str:
        """Short: a widget's own repr would write out its whole state."""
        return "<nbroute session dashboard; %route dashboard shows it>"


def body(seen: Overview) -> str:
    """The dashboard as HTML."""
    report = seen.report
    if report is None:
        inside = f"<p><strong>The session cannot be shown.</strong></p><p>{text(seen.trouble)}</p>"
    elif not report.calls:
        inside = _tiles(seen, report) + _EMPTY
    else:
        inside = _tiles(seen, report) + _tiers(overview.tier_mix(report)) + _calls(seen)
    return f'<div class="nbr" role="region" aria-label="session dashboard">{inside}</div>'


_EMPTY = (
    "<p>Nothing was routed yet. Run a cell that begins with <code>%%route</code>: the tiers, "
    "their latency and the last calls will stand here.</p>"
)


def _tiles(seen: Overview, report: Report) -> str:
    return "".join(
        [
            '<div class="nbr-tiles">',
            _tile("Spent", overview.spent(report.spend)),
            _tile("Budget of the session", overview.budget_left(report.spend, seen.limits)),
            _tile("Saved", overview.saved(report)),
            _tile("Answers", [overview.answers(report)]),
            _tile("Escalation", [overview.escalation(report)]),
            "</div>",
        ]
    )


def _tile(title: str, facts: list[Fact]) -> str:
    first, *rest = facts
    below = [_bar(first), text(first.about)]
    for fact in rest:
        below += [f'<span class="nbr-big">{text(fact.figure)}</span>', _bar(fact), text(fact.about)]
    return tile(title, first.figure, *below)


def _bar(fact: Fact) -> str:
    return "" if fact.share is None else bar(fact.share)


def _tiers(tiers: list[TierFacts]) -> str:
    rows = [
        [text(one.name), f"{text(one.answers)}{bar(one.share)}", *map(text, one[3:])]
        for one in tiers
    ]
    head = ["tier", "share of the answers", "spend", "latency p50", "latency p95"]
    return table("Tiers", head, rows, numbers=head[3:])


def _calls(seen: Overview) -> str:
    if not seen.recent:
        return "<p>The calls so far were made by another kernel.</p>"
    rows = [[text(cell) for cell in cells] for cells in overview.calls(seen.recent)]
    return table("Last calls", overview.CALL_HEAD, rows, numbers=("took",), wide=("tokens",))
