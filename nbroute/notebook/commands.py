"""The words after `%route`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from nbroute.errors import SettingsError, did_you_mean
from nbroute.notebook import options, tables

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


class Command(NamedTuple):
    """A word after `%route`: what may follow it, what it is for, what it does."""

    run: Callable[[Any, str], Any]
    about: str
    follows: str = ""


def run(desk: Any, line: str) -> Any:
    """Do what the line says; SettingsError with the close matches for an unknown word."""
    name, _, rest = line.strip().partition(" ")
    if name and name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        msg = f"unknown command '%route {name}': {hint} (a prompt goes below `%%route`)"
        raise SettingsError(msg)
    return COMMANDS[name or "help"].run(desk, rest.strip())


def spend(desk: Any, rest: str) -> tables.Table:
    """Spend of the session by tier, or by what is named."""
    return tables.spend_table(desk.router, options.words(rest))


def log(desk: Any, _rest: str) -> Any:
    """The session's attempts as a DataFrame."""
    return desk.router.ledger.frame(session=desk.router.session)[LOG_COLUMNS]


def why(desk: Any, _rest: str) -> tables.Table:
    """The last result explained."""
    if desk.last is None:
        raise SettingsError("nothing was routed yet; run a %%route cell first")
    return tables.explanation(desk.last)


def classify(desk: Any, rest: str) -> tables.Table:
    """Which tier a text would go to."""
    if not rest:
        raise SettingsError("`%route classify` takes a text, such as `%route classify Hello`")
    return tables.decision(desk.router.classify(rest), rest)


def use(desk: Any, rest: str) -> tables.Told:
    """Another profile from here on."""
    if not rest:
        raise SettingsError("`%route use` takes the name of a profile, such as `simulated`")
    return tables.Told(f"nbroute: {desk.use(rest)}")


def help_text(_desk: Any, _rest: str) -> tables.Told:
    """All commands and options."""
    lines = [
        f"%route {f'{name} {command.follows}':<45} {command.about}"
        for name, command in COMMANDS.items()
    ]
    return tables.Told("\n".join([*lines, "", options.make_parser().format_help()]))


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
    "escalate": Command(
        lambda desk, rest: desk.escalate(rest or None),
        "the last prompt again, on the next tier or on that one",
        "[TIER]",
    ),
    "classify": Command(
        classify,
        "which tier a text would go to, and why",
        "TEXT",
    ),
    "report": Command(
        lambda desk, _: desk.router.report(), "what this session did, cost and saved"
    ),
    "use": Command(use, "go on with another profile: openrouter, local, ollama ...", "PROFILE"),
    "help": Command(help_text, "this list"),
}
