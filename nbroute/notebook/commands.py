"""The words after `%route`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from nbroute.errors import SettingsError, did_you_mean
from nbroute.notebook import names, options, tables

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
    named = _CLASSIFIER.match(rest)
    text = rest[named.end() :].strip() if named else rest
    if not text:
        raise SettingsError("`%route classify` takes a text, such as `%route classify Hello`")
    asked = names.classifier(desk.shell.user_ns, named[1]) if named else None
    return tables.decision(desk.router.classify(text, asked), text)


def use(desk: Any, rest: str) -> tables.Said:
    """Another profile from here on."""
    if not rest:
        raise SettingsError("`%route use` takes the name of a profile, such as `simulated`")
    return tables.Said(f"nbroute: {desk.use(rest)}")


def budget(desk: Any, rest: str) -> tables.Said:
    """The session's budget, or another one from here on."""
    if rest:
        desk.router.set_budget(None if rest.lower() in ("off", "none") else rest)
        desk.refresh()
    return tables.budgets(desk.router)


def teach(desk: Any, rest: str) -> tables.Said:
    """Keep a prompt as an example of a tier, for the classifiers that learn from examples."""
    tier, _, text = rest.partition(" ")
    if not tier:
        raise SettingsError("`%route teach` takes a tier, and a text or the last prompt")
    if not text.strip() and desk.last is None:
        raise SettingsError("nothing was routed yet; give a text: `%route teach TIER TEXT`")
    prompt = text.strip() or desk.last.prompt
    known = desk.router.teach(prompt, tier)
    return tables.Said(f"nbroute: kept as an example of {known}: {_short(prompt)}")


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def threads(desk: Any, rest: str) -> Any:
    """The conversations of this session, or one of them forgotten."""
    word, _, name = rest.partition(" ")
    if word and (word != "forget" or not name.strip()):
        raise SettingsError("`%route threads` lists them; `%route threads forget NAME` drops one")
    if word:
        desk.router.threads.forget(name.strip())
        return tables.Said(f"nbroute: thread {name.strip()!r} is forgotten")
    return tables.threads_table(desk.router)


def allow(desk: Any, rest: str) -> tables.Said:
    """The user's word that checks may run code that a model wrote."""
    if rest != "code":
        raise SettingsError("`%route allow` takes one word, `code`: to run code in answers")
    desk.router.allow_code()
    return tables.Said(
        "nbroute: for this session, `--check tests=NAME` runs code that a model wrote: in a "
        "process of its own with limits on time, memory and files and without your keys. That "
        "holds accidents back, not an attacker."
    )


def settle(desk: Any, _rest: str) -> tables.Said:
    """Ask the endpoint what it charged where its answers did not say."""
    settled = desk.router.settle()
    desk.refresh()
    return tables.Said(f"nbroute: {settled.told}")


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
        "[-c CLASSIFIER] TEXT",
    ),
    "report": Command(
        lambda desk, _: desk.router.report(), "what this session did, cost and saved"
    ),
    "budget": Command(budget, "the session's budget; another one from here on", "[USD|off]"),
    "teach": Command(teach, "keep a text (or the last prompt) as an example", "TIER [TEXT]"),
    "threads": Command(threads, "the conversations of `--thread`", "[forget NAME]"),
    "allow": Command(allow, "let --check tests=NAME run code in answers", "code"),
    "settle": Command(settle, "ask endpoints that keep a bill what their answers cost"),
    "router": Command(
        lambda desk, _: desk.router, "the Router behind these cells: `router = %route router`"
    ),
    "use": Command(use, "go on with another profile: openrouter, local, ollama ...", "PROFILE"),
    "help": Command(help_text, "this list"),
}
