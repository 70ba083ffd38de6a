"""The session dashboard: a widget that is redrawn while prompts are routed."""

from __future__ import annotations

from datetime import datetime

from nbroute.errors import RecordError
from nbroute.notebook import look
from nbroute.notebook.lines import (
    COSTS,
    DOT,
    estimate,
    marks,
    model_name,
    result_price,
    session_text,
)
from nbroute.notebook.live import Room
from nbroute.notebook.look import Fact
from nbroute.notebook.paced import Following, Paced
from nbroute.notebook.tables import Said, Table
from nbroute.pricing import SOURCES, call_usd, column_usd, format_usd
from nbroute.report import Report, counted
from nbroute.report.table import seconds, shortened
from nbroute.report.text import tier_table
from nbroute.router import Router, scrubber_of

_REDRAWN_EVERY_S = 0.35
_SAID_EVERY_S = 5.0
#: How many of the last calls are shown.
_RECENT = 6
#: How many characters of a prompt are shown, and how many are searched for keys.
_WORDS, _LOOKED_AT = 60, 2_000
_EMPTY = (
    "<p>Nothing has been routed yet. Run a cell that begins with <code>%%route</code>: the tiers, "
    "how long they take and the last calls will appear here.</p>"
)
_FAILURES = {"error": "failed", "rejected": "rejected", "interrupted": "interrupted"}


class Dashboard(Room):
    """Spend, budget, tiers, times, savings and the last calls, live; nothing is sent.

    It is redrawn about three times a second while there is something new, from any thread, and
    less often in a long session, until `close`. It shows the first words of each prompt, without
    any key in them. `%route dashboard` does the same.
    """

    def __init__(self, router: Router) -> None:
        instead = "session dashboard; %route dashboard shows it"
        super().__init__(router, instead, lambda: snapshot(self.router))
        self._said = ""
        self._redraw = Paced(self.redraw, _REDRAWN_EVERY_S)
        self._say = Paced(self._tell, _SAID_EVERY_S)
        self._following = Following(router, self._changed)
        self.redraw()

    def redraw(self) -> None:
        """Read the ledger again and show what it says."""
        with self.lock:
            self.html = _page(self.router, self._said)

    def refresh(self, router: Router) -> None:
        """Read again, and show that router's session from now on."""
        if not self.closed:
            self.router = router
            self._following.follow(router)
            self._changed()

    def close(self) -> None:
        """Stop watching, and disappear."""
        if not self.closed:  # a widget that is collected is closed again
            self._following.close()
            self._redraw.close()
            self._say.close()
        super().close()

    def _changed(self) -> None:
        self._redraw.ask()
        self._say.ask()

    def _tell(self) -> None:
        self._said = session_text(self.router)
        self.redraw()


def snapshot(router: Router) -> Table | Said:
    """The session as a plain table, for where nothing can be redrawn."""
    try:
        report = router.report()
    except RecordError as error:
        return Said(f"session: {error}")
    facts = _facts(router, report)
    below = [
        f"{name.lower()}: {DOT.join(fact[:2])}"
        for name in ("Answers", "Escalation")
        for fact in facts[name]
    ]
    columns, calls = _last_calls(router)
    below += [f"call: {DOT.join(filter(None, call))}" for call in calls]
    told = {SOURCES[source]: words for source, words in COSTS.items()}
    below += [f"costs: {told[columns[2]]}"] if columns[2] in told else []
    head, *rows = tier_table(report)
    return Table(head, rows, above=[session_text(router)], below=below)


def _page(router: Router, said: str) -> str:
    """The dashboard as HTML; a screen reader says `said` whenever it changes."""
    heard, tiers = look.heard(said, seen=False), router.ladder.names
    try:
        report = router.report()
    except RecordError as error:
        why = f"<p><b>The session cannot be shown.</b></p><p>{look.text(error)}</p>"
        return look.room("session dashboard", heard, why)
    parts = [look.tiles(_facts(router, report))]
    if not report.calls:
        return look.room("session dashboard", heard, *parts, _EMPTY)
    head, *rows = tier_table(report)
    shown = [
        [
            look.pill(name, tiers) if name in report.by_tier else look.text(name),
            look.text(results),
            look.share(share, report.tier_share.get(name, 0.0), name, tiers) if share else "",
            *map(look.text, rest),
        ]
        for name, results, share, *rest in rows
    ]
    less = dict.fromkeys(("results", "calls", "95% within"), "less")
    parts.append(look.table("tiers", head, shown, numbers=head[3:], hidden=less))
    columns, calls = _last_calls(router)
    shown = [
        [look.text(call[0]), look.pill(call[1], tiers), *map(look.text, call[2:])] for call in calls
    ]
    least = {"model": "least", "took": "less", "time": "less"}
    last = look.table("last calls", columns, shown, numbers=columns[2:5], hidden=least)
    parts.append(last if calls else "<p>The calls so far were made by another kernel.</p>")
    return look.room("session dashboard", heard, *parts)


def _facts(router: Router, report: Report) -> dict[str, list[Fact]]:
    """What the tiles say; billed and unbilled money are never added together."""
    spend, limits, baseline = report.spend, router.limits, report.baseline
    free = ", in money that was not billed"
    kinds = {"really spent": spend.usd, "it would have cost; nothing billed": spend.equivalent_usd}
    spent = [Fact(format_usd(usd), about) for about, usd in kinds.items() if usd]
    if spend.unknown_calls:
        spent.append(Fact(counted(spend.unknown_calls, "call"), "of unknown cost, not counted"))
    budget = [Fact("none", "%route budget 1.00 sets one")]
    if limit := limits.budget_usd:
        budget = []
        for usd, kind in ((spend.usd, ""), (spend.equivalent_usd, free)):
            if usd or (not kind and not spend.equivalent_usd):
                left, share = limit - usd, float(usd / limit)
                figure = f"{format_usd(abs(left))} {'left' if left >= 0 else 'over'}"
                used = f"{format_usd(usd)} of {format_usd(limit)} used, {share:,.0%}{kind}"
                budget.append(Fact(figure, used, share))
    saved = []
    for unbilled, saving in report.savings.items():
        compared, kind = report.comparing.of(unbilled), free * unbilled
        net = "" if saving.usd is None else f" ({estimate(compared)})"
        about = saving.against(baseline).removeprefix(saving.told).lstrip(", ")
        saved.append(Fact(saving.told, f"{about}{net}{kind}"))
    parts = [counted(report.calls, "call"), f"{report.cache_hits:,} from the cache"]
    parts += [f"{report.statuses[k]:,} {v}" for k, v in _FAILURES.items() if k in report.statuses]
    answers = counted(sum(report.answered.values()), "answer")
    lowest, rate = next(iter(report.tiers), "the lowest tier"), report.escalation_rate
    escalation = Fact("none yet", f"{lowest} has not answered anything")
    if rate is not None:
        about = f"of what {lowest} answers escalates: {report.escalation_verdict}"
        escalation = Fact(f"{rate:.0%}", about)
    return {
        "Spent": spent or [Fact("$0", "really spent")],
        "Budget of the session": budget,
        "Saved": saved or [Fact("nothing yet", f"against all on {baseline}, an estimate")],
        "Answers": [Fact(answers, DOT.join(parts))],
        "Escalation": [escalation],
    }


def _last_calls(router: Router) -> tuple[list[str], list[list[str]]]:
    """The columns, and the last calls, newest first; the prompts have no keys in them."""
    results = router.history.results()[: -_RECENT - 1 : -1]
    scrubber, prices = scrubber_of(router), [result_price(one) for one in results]
    sources = {price.source for price in prices if price.amount[0] == "$"} - {"cached", "replayed"}
    head = ["prompt", "tier", *sources] if len(sources) == 1 else ["prompt", "tier", "cost"]
    calls = []
    for result, price, usd in zip(
        results, prices, column_usd(one.cost_usd for one in results), strict=True
    ):
        answer = result.answer
        notes = [f"feature {answer.feature}"] if answer.feature else []
        notes += ["escalated"] if result.escalated else []
        notes += [price.source] if price.source not in ("", *head) else []
        calls.append(
            [
                shortened(scrubber.text(result.prompt[:_LOOKED_AT]), _WORDS),
                answer.tier or "no tier",
                usd if price.amount == call_usd(result.cost_usd) else price.amount,
                seconds(result.latency_ms),
                datetime.fromtimestamp(answer.ts).astimezone().strftime("%H:%M:%S"),
                model_name(answer).removesuffix(" (simulated)"),
                DOT.join([*notes, *marks(result)]),
            ]
        )
    head += ["took", "time", "model", "notes"]
    empty = not any(call[-1] for call in calls)
    return head[:-1] if empty else head, [call[:-1] if empty else call for call in calls]
