"""What the session did and cost, and what it would have cost otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError, did_you_mean
from nbroute.notebook import exporting, names, options, overview, tables
from nbroute.notebook.answer import safe_plain
from nbroute.notebook.charts import Gallery
from nbroute.notebook.commands.base import only
from nbroute.report.charts import telling

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

_ASKED = ("threshold", "classifier", "ladder", "cache")
_FLAGS = dict.fromkeys(("on", "yes", "true", "use", "1"), True)
_FLAGS |= dict.fromkeys(("off", "no", "false", "0"), False)


def spend(desk: Desk, rest: str) -> tables.Table:
    """Spend by tier, or by what is named."""
    return tables.spend_table(desk.router, options.words(rest))


def log(desk: Desk, rest: str) -> tables.Table:
    """The session's calls."""
    only("log", rest)
    return tables.log_table(desk.router)


def report(desk: Desk, rest: str) -> Any:
    """What the session did; `text` leaves the charts out, `all` takes every session."""
    words = only("report", rest, "text", "all")
    made = desk.router.report(everything="all" in words)
    return tables.Told(safe_plain(repr(made))) if "text" in words else made


def charts(desk: Desk, rest: str) -> Any:
    """The session's charts, or those named; below them a button that makes them live."""
    made = desk.router.report()
    words = options.words(rest)
    figures = [made.chart(name) for name in words] if words else telling(made)
    if not figures:
        return tables.Told(repr(made))
    return Gallery(figures, live=desk.is_live, asked=f"%route {' '.join(['charts', *words])}")


def dashboard(desk: Desk, rest: str) -> Any:
    """One widget, shown wherever it is asked for; where nothing is live, once in words."""
    only("dashboard", rest)
    if not desk.is_live:
        return overview.snapshot(overview.read(desk.router))
    from nbroute.notebook.dashboard import Dashboard

    for widget in desk.followers:
        if isinstance(widget, Dashboard) and not widget.closed:
            widget.refresh(desk.router)
            return widget
    desk.followers.append(Dashboard(desk.router))
    return desk.followers[-1]


def export(desk: Desk, rest: str) -> tables.Said:
    """Write the page."""
    words = options.words(rest)
    files = [word for word in words if word != "--force"]
    if len(files) != 1 or files[0].startswith("-"):
        raise SettingsError("`%route export` takes one file, such as `%route export session.html`")
    path = exporting.export(desk.router, files[0], force="--force" in words)
    size = f"{path.stat().st_size / 1000:,.0f} kB, opens with no network"
    return tables.Said(f"nbroute: the session is in {str(path)!r} ({size})")


def budget(desk: Desk, rest: str) -> tables.Said:
    """The session's budget, or another one from here on."""
    if rest:
        desk.router.set_budget(None if rest.lower() in ("off", "none") else rest)
        desk.refresh()
    return tables.budgets(desk.router)


def settle(desk: Desk, rest: str) -> tables.Said:
    """Ask the endpoint what it charged where its answers did not say."""
    only("settle", rest)
    settled = desk.router.settle()
    desk.refresh()
    return tables.Said(f"nbroute: {settled.told}")


def what_if(desk: Desk, rest: str) -> Any:
    """With settings the answer, in a table; with none a panel to try them in, where it is live."""
    asked = _asked(desk, rest)
    if asked or not desk.is_live:
        return tables.what_if(desk.router.what_if(**asked))
    from nbroute.notebook.whatif import WhatIfPanel

    desk.followers.append(WhatIfPanel(desk.router, desk.apply))
    return desk.followers[-1]


def _asked(desk: Desk, rest: str) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    for word in options.words(rest):
        name, _, value = word.partition("=")
        if name not in _ASKED:
            hint = did_you_mean(name, _ASKED)
            raise SettingsError(f"`%route whatif` takes no {name!r:.80}: {hint}")
        if not value:
            raise SettingsError(f"`%route whatif {name}` has no value; write {name}=... with one")
        if name in asked:
            raise SettingsError(f"`%route whatif` has {name} twice; give it once")
        asked[name] = _read(desk, name, value)
    return asked


def _read(desk: Desk, name: str, value: str) -> Any:
    space = desk.shell.user_ns
    if name == "classifier":
        return names.classifier(space, value)
    if name == "ladder" and hasattr(space.get(value), "tiers"):
        return space[value]
    if name == "cache" and value.lower() not in _FLAGS:
        msg = f"cache={value!r:.80} is neither on nor off; write cache=on or cache=off"
        raise SettingsError(msg)
    return _FLAGS[value.lower()] if name == "cache" else value


COMMANDS = {
    "spend": spend,
    "log": log,
    "report": report,
    "charts": charts,
    "dashboard": dashboard,
    "export": export,
    "budget": budget,
    "settle": settle,
    "whatif": what_if,
}
