"""The report, its charts, and the widgets that show a session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError, did_you_mean
from nbroute.interpolate import interpolate
from nbroute.notebook import exporting, options, overview, playing, tables
from nbroute.notebook.answer import safe_plain
from nbroute.notebook.charts import Gallery
from nbroute.notebook.commands.base import Command

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk


def report(desk: Desk, rest: str) -> Any:
    """What the session did; `text` leaves the charts out, `all` takes every session."""
    words = options.words(rest)
    for word in words:
        if word not in ("text", "all"):
            hint = did_you_mean(word, ("text", "all"))
            raise SettingsError(f"`%route report` does not know {word!r}: {hint}")
    made = desk.router.report(everything="all" in words)
    return tables.Told(safe_plain(repr(made))) if "text" in words else made


def charts(desk: Desk, rest: str) -> Any:
    """The session's charts, each a picture; below them a button that makes them live."""
    made = desk.router.report()
    words = options.words(rest)
    figures = [made.chart(name) for name in words] if words else list(made.charts().values())
    if not made.calls and not words:
        return tables.Told(repr(made))
    return Gallery(figures, live=desk.is_live, asked=f"`%route {' '.join(['charts', *words])}`")


def export(desk: Desk, rest: str) -> tables.Said:
    """The session as one HTML page."""
    words = options.words(rest)
    files = [word for word in words if word != "--force"]
    if len(files) != 1 or files[0].startswith("-"):
        raise SettingsError("`%route export` takes one file, such as `%route export session.html`")
    path = exporting.export(desk.router, files[0], force="--force" in words)
    return tables.Said(f"nbroute: the session is in {str(path)!r} ({_size(path)})")


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1000:,.0f} kB, opens with no network"


def dashboard(desk: Desk, _rest: str) -> Any:
    """The session, live; one widget, shown wherever it is asked for. Else once, in words."""
    if not desk.is_live:
        return overview.snapshot(overview.look(desk.router))
    from nbroute.notebook.dashboard import Dashboard

    for widget in desk.followers:
        if isinstance(widget, Dashboard) and not widget.closed:
            widget.refresh(desk.router)
            return widget
    desk.followers.append(Dashboard(desk.router))
    return desk.followers[-1]


def playground(desk: Desk, rest: str) -> Any:
    """A prompt explained as it is typed; else once, in words."""
    text = interpolate(rest, desk.shell.user_ns)
    if not desk.is_live:
        return playing.printed(desk.router, text)
    from nbroute.notebook.playground import Playground

    made = Playground(desk.router, text, sent=desk.sent)
    desk.followers.append(made)
    return made


COMMANDS = {
    "report": Command(
        report, "what this session (all: every one) did, cost and saved", "[text] [all]"
    ),
    "charts": Command(charts, "the charts of the report, or those named", "[NAME...]"),
    "export": Command(
        export, "the session as one page that opens with no network", "FILE.html [--force]"
    ),
    "dashboard": Command(dashboard, "the session, live: spend, tiers, latency, savings"),
    "playground": Command(
        playground, "a prompt explained as you type, nothing sent; then send it", "[TEXT]"
    ),
}
