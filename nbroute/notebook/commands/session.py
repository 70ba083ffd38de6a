"""What the session did and cost, and what it would have cost otherwise."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError, did_you_mean
from nbroute.interpolate import looked
from nbroute.notebook import exporting, names, options, tables
from nbroute.notebook.answer import safe_plain
from nbroute.notebook.commands.base import command
from nbroute.notebook.lines import COSTS, session_text
from nbroute.notebook.report_view import Gallery
from nbroute.pricing import SOURCES, column_usd
from nbroute.report.charts import telling
from nbroute.report.table import seconds, shortened, without_nothing
from nbroute.report.text import money

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

#: How many calls the log shows.
_LOGGED = 100
#: What a call that is not an answer was for.
_ASIDE = {
    "classify": "asked for the tier",
    "embed": "vectors",
    "audit": "asked for an audit",
    "judge": "judged an audit",
}
_ASKED = ("threshold", "classifier", "ladder", "cache")
_FLAGS = dict.fromkeys(("on", "yes", "true", "use", "1"), True)
_FLAGS |= dict.fromkeys(("off", "no", "false", "0"), False)


@command("[tier|model|day|feature|session] [all]", "model", "router.spend('model')")
def spend(desk: Desk, rest: str) -> tables.Table:
    """What this session spent (all: every session)."""
    words = rest.split()
    everything = "all" in words
    by = next((word for word in words if word != "all"), "tier")
    groups = desk.router.spend(by, everything=everything)
    order = [*desk.router.ladder.names] if by == "tier" else []
    names = sorted(groups, key=lambda name: order.index(name) if name in order else len(order))
    named = [(str(name or "(none)"), groups[name]) for name in names]
    named.append(("together", desk.router.spend(everything=everything)))
    rows = [
        [name, f"{s.calls:,}", f"{s.cached_calls:,}", *amounts]
        for (name, s), amounts in zip(named, money([s for _, s in named]), strict=True)
    ]
    kinds = ("spent", "would have cost")
    head = ["day (UTC)" if by == "day" else by, "calls", "cached", *kinds]
    shown = without_nothing(without_nothing([head, *rows], *kinds), "calls", "cached")
    return tables.Table(shown[0], shown[1:], below=[session_text(desk.router)])


@command(python="router.ledger.frame()")
def log(desk: Desk, _rest: str) -> tables.Table:
    """Every call of this session, newest last."""
    rows = desk.router.ledger.rows(session=desk.router.session)
    whole = "every call with every column: router.ledger.frame() (router = %route router)"
    if not rows:
        return tables.Table([], [], above=["no calls yet in this session", whole])
    last = rows[-_LOGGED:]
    times = [datetime.fromtimestamp(row["ts"], UTC).astimezone() for row in last]
    form = "%H:%M:%S" if len({time.date() for time in times}) == 1 else "%d %b %H:%M"
    sources = {row["cost_source"] for row in last if row["cost_usd"]}
    amounts = column_usd(row["cost_usd"] for row in last)
    shown = [
        [
            f"{time:{form}}",
            row["tier"],
            shortened(row["model"].rpartition("/")[2], 26),
            usd,
            seconds(row["latency_ms"]),
            row["status"],
            shortened(", ".join(_log_notes(row, sources)), 60),
        ]
        for time, row, usd in zip(times, last, amounts, strict=True)
    ]
    head = [f"time ({times[-1]:%Z})", "tier", "model", "cost", "took", "status", "note"]
    left_out = [f"the last {_LOGGED} of {len(rows):,} calls"] if len(rows) > _LOGGED else []
    costs = [f"costs: {COSTS[one]}" for one in sources if len(sources) == 1]
    return tables.Table(head, shown, above=left_out, below=[*costs, whole])


def _log_notes(row: Mapping[str, Any], sources: Collection[str]) -> Iterator[str]:
    """What is special about a call, with its error last."""
    if row.get("purpose", "answer") != "answer":
        yield _ASIDE.get(row["purpose"], "")
    if row.get("cached"):
        yield "replayed" if row["latency_ms"] else "cached"
    if row.get("escalated"):
        yield "escalated"
    if row.get("comparison"):
        yield "compared"
    if row["cost_usd"] and len(sources) > 1:
        yield SOURCES[row["cost_source"]]
    if row.get("error"):
        yield str(row["error"])


@command("[text] [all]", "all", "router.report(everything=True)")
def report(desk: Desk, rest: str) -> Any:
    """What this session did, cost and saved, with charts."""
    made = desk.router.report(everything="all" in rest.split())
    return tables.Told(safe_plain(repr(made))) if "text" in rest.split() else made


@command("[NAME...]", "spend", "router.report().charts()")
def charts(desk: Desk, rest: str) -> Any:
    """The report's charts, or those you name."""
    made = desk.router.report()
    words = options.words(rest)
    figures = [made.chart(name) for name in words] if words else telling(made)
    if not figures:
        return tables.Told(repr(made))
    return Gallery(figures, live=desk.is_live, asked=f"%route {' '.join(['charts', *words])}")


@command()
def dashboard(desk: Desk, _rest: str) -> Any:
    """Spend, tiers, latency and savings, live."""
    from nbroute.notebook.dashboard import Dashboard, snapshot

    if not desk.is_live:
        return snapshot(desk.router)
    for widget in desk.followers:
        if isinstance(widget, Dashboard) and not widget.closed:
            widget.refresh(desk.router)
            return widget
    return desk.follow(Dashboard(desk.router))


@command("FILE.html [--force]", "session.html")
def export(desk: Desk, rest: str) -> str:
    """Write the session as one page that opens with no network."""
    words = options.words(rest)
    files = [word for word in words if word != "--force"]
    if len(files) != 1 or files[0].startswith("-"):
        raise SettingsError("`%route export` takes one file, such as `%route export session.html`")
    path = exporting.export(desk.router, files[0], force="--force" in words)
    size = f"{path.stat().st_size / 1000:,.0f} kB"
    return f"the session is in {str(path)!r} ({size}, opens with no network)"


@command("[USD|off]", "0.50", "router.set_budget(0.50)")
def budget(desk: Desk, rest: str) -> tables.Said:
    """Show this session's budget, or set another."""
    if rest:
        desk.router.set_budget(None if rest.lower() in ("off", "none") else rest)
        desk.refresh()
    limits, line = desk.router.limits, session_text(desk.router)
    kinds = {"this session": limits.budget_usd, "a day (UTC)": limits.budget_usd_per_day}
    told = [f"${usd:f} {kind}" for kind, usd in kinds.items() if usd]
    features = limits.budget_usd_per_feature
    if isinstance(features, Mapping):
        told += [f"${usd:f} for {name}" for name, usd in features.items()]
    elif features:
        told.append(f"${features:f} for each feature")
    if not told:
        return tables.Said(f"budget: none; %route budget 1.00 sets one.\n{line}")
    then = "a cheaper tier is asked" if limits.on_limit == "cheaper" else "a call is refused"
    return tables.Said(f"budget: {'; '.join(told)}. Over it, {then}.\n{line}")


@command(python="router.settle()")
def settle(desk: Desk, _rest: str) -> str:
    """Ask endpoints that keep a bill what their answers cost."""
    settled = desk.router.settle()
    desk.refresh()
    return settled.told


@command(
    "[threshold=0.6] [classifier=NAME] [ladder=NAME] [cache=on|off]",
    "threshold=0.6",
    "router.what_if(threshold=0.6)",
)
def whatif(desk: Desk, rest: str) -> Any:
    """This session under other settings: costs and tiers; nothing is sent."""
    asked = dict[str, Any]()
    for word in options.words(rest):
        name, _, value = word.partition("=")
        if name not in _ASKED:
            hint = did_you_mean(name, _ASKED)
            raise SettingsError(f"`%route whatif` takes no {name!r:.80}: {hint}")
        if not value:
            raise SettingsError(f"`%route whatif {name}` has no value; write {name}=... with one")
        if name in asked:
            raise SettingsError(f"`%route whatif` has {name} twice; give it once")
        asked[name] = _read(desk.shell.user_ns, name, value)
    if asked or not desk.is_live:
        return tables.what_if(desk.router.what_if(**asked))
    from nbroute.notebook.whatif import WhatIfPanel

    return desk.follow(WhatIfPanel(desk.router, desk.apply))


def _read(space: Mapping[str, Any], name: str, value: str) -> Any:
    if name == "classifier":
        return names.classifier(space, value)
    if name == "ladder" and looked(lambda: hasattr(space.get(value), "tiers"), False):
        return space[value]
    if name == "cache" and value.lower() not in _FLAGS:
        msg = f"cache={value!r:.80} is neither on nor off; write cache=on or cache=off"
        raise SettingsError(msg)
    return _FLAGS[value.lower()] if name == "cache" else value
