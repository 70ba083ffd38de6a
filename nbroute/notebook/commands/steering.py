"""What changes how prompts are routed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbroute.errors import SettingsError
from nbroute.interpolate import interpolate
from nbroute.notebook import tables
from nbroute.notebook.commands.base import Command
from nbroute.report.table import shortened
from nbroute.settings import trust

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk


def use(desk: Desk, rest: str) -> tables.Said:
    """Another profile from here on."""
    if not rest:
        raise SettingsError("`%route use` takes the name of a profile, such as `simulated`")
    return tables.Said(f"nbroute: {desk.use(rest)}")


def trusted(desk: Desk, rest: str) -> tables.Said:
    """Trust the settings file of this folder, or stop trusting it; the settings are read again."""
    if rest == "list":
        return tables.Said(trust.listed())
    if rest == "revoke":
        told = trust.revoke()
    elif rest:
        raise SettingsError("`%route trust` takes nothing, `list` or `revoke`")
    else:
        document = trust.review()
        told = trust.described(document)
        if not trust.asks(document):
            return tables.Said(told)
        told += f"\n{trust.trust(document)}"
    return tables.Said(f"{told}\nnbroute: {desk.read_again()}")


def budget(desk: Desk, rest: str) -> tables.Said:
    """The session's budget, or another one from here on."""
    if rest:
        desk.router.set_budget(None if rest.lower() in ("off", "none") else rest)
        desk.refresh()
    return tables.budgets(desk.router)


def teach(desk: Desk, rest: str) -> tables.Said:
    """Keep a prompt as an example of a tier, for the classifiers that learn from examples."""
    tier, _, text = rest.partition(" ")
    prompt = interpolate(text.strip(), desk.shell.user_ns)
    if not tier:
        raise SettingsError("`%route teach` takes a tier, and a text or the last prompt")
    if not prompt:
        if desk.last is None:
            raise SettingsError("nothing was routed yet; give a text: `%route teach TIER TEXT`")
        prompt = desk.last.prompt
    known = desk.router.teach(prompt, tier)
    return tables.Said(f"nbroute: kept as an example of {known}: {shortened(prompt, 60)}")


def allow(desk: Desk, rest: str) -> tables.Said:
    """The user's word that checks may run code that a model wrote."""
    word, _, option = rest.partition(" ")
    if word != "code" or option.strip() not in {"", "--unconfined"}:
        raise SettingsError(
            "`%route allow` takes one word, `code`, to run code in answers, and `--unconfined` "
            "after it where there is no box for that code"
        )
    box = desk.router.allow_code(unconfined=bool(option))
    where = f"in a box that the kernel makes ({box}): without your files, keys and network"
    if not box:
        where = "with no box around it: it can read and change your files, and with them your keys"
    return tables.Said(
        f"nbroute: for this session, `--check tests=NAME` runs code that a model wrote, {where}; "
        "its time and memory are limited."
    )


def settle(desk: Desk, _rest: str) -> tables.Said:
    """Ask the endpoint what it charged where its answers did not say."""
    settled = desk.router.settle()
    desk.refresh()
    return tables.Said(f"nbroute: {settled.told}")


COMMANDS = {
    "escalate": Command(
        lambda desk, rest: desk.escalate(rest or None),
        "the last prompt again, on the next tier or on that one",
        "[TIER]",
    ),
    "budget": Command(budget, "the session's budget; another one from here on", "[USD|off]"),
    "teach": Command(teach, "keep a text (or the last prompt) as an example", "TIER [TEXT]"),
    "allow": Command(allow, "let --check tests=NAME run code in answers", "code [--unconfined]"),
    "settle": Command(settle, "ask endpoints that keep a bill what their answers cost"),
    "router": Command(
        lambda desk, _: desk.router, "the Router behind these cells: `router = %route router`"
    ),
    "trust": Command(trusted, "use the settings file that came with this folder", "[list|revoke]"),
    "use": Command(use, "go on with another profile: openrouter, local, ollama ...", "PROFILE"),
}
