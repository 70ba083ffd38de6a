"""What the session did, cost, and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError
from nbroute.interpolate import interpolate
from nbroute.notebook import names, options, tables
from nbroute.notebook.commands.base import Command

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

_CLASSIFIER = re.compile(r"(?:-c|--classifier)[\s=]+(\S+)(?:\s+|$)")

LOG_COLUMNS = [
    "time",
    "purpose",
    "tier",
    "model",
    "status",
    "error",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "cost_source",
    "latency_ms",
    "cached",
    "escalated",
    "feature",
    "reason",
]


def spend(desk: Desk, rest: str) -> tables.Table:
    """Spend of the session by tier, or by what is named."""
    return tables.spend_table(desk.router, options.words(rest))


def log(desk: Desk, _rest: str) -> Any:
    """The session's attempts as a DataFrame."""
    ledger, session = desk.router.ledger, desk.router.session
    if hasattr(ledger, "frame"):
        return ledger.frame(session=session)[LOG_COLUMNS]
    import pandas as pd  # a ledger of a user's own may have no `frame`

    frame = pd.DataFrame(ledger.rows(session=session))
    if "ts" in frame:
        frame["time"] = pd.to_datetime(frame["ts"], unit="s", utc=True)
    return frame.reindex(columns=LOG_COLUMNS)


def why(desk: Desk, _rest: str) -> tables.Table:
    """The last result explained."""
    return tables.explanation(desk.newest)


def classify(desk: Desk, rest: str) -> tables.Table:
    """Which tier a text would go to."""
    named = _CLASSIFIER.match(rest)
    text = interpolate(rest[named.end() :].strip() if named else rest, desk.shell.user_ns)
    if not text:
        raise SettingsError("`%route classify` takes a text, such as `%route classify Hello`")
    asked = names.classifier(desk.shell.user_ns, named[1]) if named else None
    return tables.decision(desk.router.classify(text, asked), text)


def threads(desk: Desk, rest: str) -> Any:
    """The conversations of this session, or one of them forgotten."""
    word, _, name = rest.partition(" ")
    if word and (word != "forget" or not name.strip()):
        raise SettingsError("`%route threads` lists them; `%route threads forget NAME` drops one")
    if word:
        desk.router.threads.forget(name.strip())
        return tables.Said(f"nbroute: thread {name.strip()!r} is forgotten")
    return tables.threads_table(desk.router)


COMMANDS = {
    "spend": Command(
        spend, "what this session (all: every one) spent", "[tier|model|day|feature|session] [all]"
    ),
    "tiers": Command(
        lambda desk, _: tables.tiers_table(desk.router),
        "the ladder: models, prices, token budgets, system prompts",
    ),
    "log": Command(log, "every attempt of this session, as a DataFrame"),
    "why": Command(why, "why the last prompt went where it went, step by step"),
    "classify": Command(
        classify,
        "which tier a text would go to, and why",
        "[-c CLASSIFIER] TEXT",
    ),
    "threads": Command(threads, "the conversations of `--thread`", "[forget NAME]"),
}
