"""Which models answer: the ladder, its prices, profiles, keys and the settings file."""

from __future__ import annotations

import getpass
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from nbroute import pricing
from nbroute.errors import SettingsError, did_you_mean
from nbroute.ladders import SIMULATED_PRICES
from nbroute.notebook import options, tables
from nbroute.notebook.commands.base import CANNOT_TYPE, command
from nbroute.notebook.lines import DOT
from nbroute.report.table import with_effort
from nbroute.settings import trust as trusted
from nbroute.settings import writing
from nbroute.settings.model import ENVIRONMENT
from nbroute.settings.profiles import BUILT_IN
from nbroute.types import EFFORTS, Effort, Price, Tier, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbroute.notebook.desk import Desk
    from nbroute.router import Router

#: The call by which tiers are compared.
_TYPICAL = Usage(500, 300)
_OLD_DAYS = 90


@command("[TIER=MODEL ...|TIER:high ...|reset]", "SIMPLE=openai/gpt-4.1-nano", "router.ladder")
def tiers(desk: Desk, rest: str) -> tables.Table:
    """Show the ladder, or change its models and efforts for this session."""
    if not rest:
        return _ladder(desk.router)
    before = desk.router
    if rest == "reset":
        desk.climb(None)
        return _ladder(desk.router, ["the models of your settings are back"])
    changed: dict[str, Tier] = {}
    for word in options.words(rest):
        asked, _, model = word.partition("=")
        tier, _, effort = (part.strip() for part in asked.partition(":"))
        if not (model.strip() or effort):
            raise SettingsError(
                f"`%route tiers` cannot read {word!r:.80}; write TIER=MODEL, such as "
                f"{before.ladder.names[0]}=openai/gpt-4.1-nano, TIER:high, or reset"
            )
        step = before.ladder.find(tier)
        if step.name in changed:
            raise SettingsError(f"`%route tiers` has {step.name} twice; give it once")
        step = _with_model(before, step, model.strip()) if model.strip() else step
        changed[step.name] = _with_effort(step, effort) if effort else step
    steps = tuple(changed.get(tier.name, tier) for tier in before.ladder.tiers)
    desk.climb(replace(before.ladder, tiers=steps))
    told = [_told(before, desk.router, name) for name in changed]
    return _ladder(desk.router, told)


def _with_model(router: Router, tier: Tier, model: str) -> Tier:
    """The tier with that model alone: `PROVIDER:MODEL`, or one at the tier's own provider."""
    provider, colon, name = model.partition(":")
    if not colon or provider not in router.parts.providers:
        provider, name = tier.provider, model
    if not name:
        raise SettingsError(f"{model!r:.80} does not name a model; write {provider}:MODEL")
    if (provider, name) == (tier.provider, tier.model):
        return tier
    price = SIMULATED_PRICES.get(name)
    fresh = replace(tier, fallbacks=(), context=None, effort=None)
    return replace(fresh, provider=provider, model=name, price=price)


def _with_effort(tier: Tier, effort: str) -> Tier:
    """The tier with that effort; "none" leaves it to the model."""
    words: dict[str, Effort | None] = {**{one: one for one in EFFORTS}, "none": None}
    if effort.casefold() not in words:
        hint = did_you_mean(effort, words)
        raise SettingsError(f"`%route tiers` cannot give {tier.name} the effort {effort!r}: {hint}")
    return replace(tier, effort=words[effort.casefold()])


def _told(before: Router, after: Router, name: str) -> str:
    """What the tier's new model costs, and what the old one did."""
    tier = after.ladder[name]
    told = f"{name} now uses {with_effort(tier.model, tier.effort)}"
    if tier.model == before.ladder[name].model:
        return told
    if after.parts.kind(tier) == "simulated" and tier.model not in SIMULATED_PRICES:
        hint = did_you_mean(tier.model, SIMULATED_PRICES)
        return (
            f"{told}: careful, there is no such simulated model, so a prompt for {name} fails: "
            f"{hint} `%route tiers reset` returns to the models of your settings"
        )
    if not (new := _costs(after, name)):
        return (
            f"{told}: careful, its price is not known, so its cost is not counted and a budget "
            "refuses it; you can set a tier's price in nbroute.toml (%route init)"
        )
    was = [f" (was {words})" for words in _costs(before, name)] or ["", ""]
    call = f"a call of {_TYPICAL.input_tokens} tokens in and {_TYPICAL.output_tokens} out"
    return f"{told}: {new[0]} per million tokens{was[0]}; {call} costs {new[1]}{was[1]}"


def _costs(router: Router, name: str) -> list[str]:
    """`$0.15 in, $0.60 out`, and what a typical call costs; empty if the price is not known."""
    tier = router.ladder[name]
    kind = router.parts.kind(tier)
    price = pricing.price_of(tier, tier.model, kind)
    call = pricing.cost_of(_TYPICAL, tier, tier.model, kind).usd
    return [_rates(price), pricing.format_usd(call)] if price else []


def _ladder(router: Router, told: Sequence[str] = ()) -> tables.Table:
    """The ladder, cheapest tier first, with `told` above it."""
    rows, below = [], []
    several = len({target.provider for tier in router.ladder.tiers for target in tier.targets}) > 1
    for tier in router.ladder.tiers:
        price = pricing.price_of(tier, tier.model, router.parts.kind(tier))
        first, *rest = (
            f"{one.provider}: {one.model}" if several else one.model for one in tier.targets
        )
        model = with_effort(first, tier.effort)
        rows.append([tier.name, model, _rates(price), str(tier.max_tokens)])
        if rest:
            others = [one.removeprefix(f"{tier.provider}: ") for one in rest]
            below.append(f"{tier.name} falls back to {', then '.join(others)}")
        if tier.system:
            below.append(f"{tier.name}'s system prompt: {tier.system}")
    head = ["tier", "model", "per million tokens", "token budget"]
    above = [*told, f"ladder {router.ladder.name}{DOT}{router.settings.origin}"]
    return tables.Table(head, rows, above=above, below=below)


def _rates(price: Price | None) -> str:
    """`$0.15 in, $0.60 out, $0.075 cached`, each per million tokens, and exactly."""
    if price is None:
        return "unknown"
    kinds = {"in": price.input, "out": price.output, "cached": price.cached_input}
    told = ((kind, f"{usd:f}", f"{usd:.2f}") for kind, usd in kinds.items() if usd is not None)
    return ", ".join(f"${max(exact, cents, key=len)} {kind}" for kind, exact, cents in told)


@command()
def prices(desk: Desk, _rest: str) -> tables.Table:
    """What the ladder's models cost, and how old the prices are."""
    router, rows = desk.router, []
    for tier in router.ladder.tiers:
        for one in tier.targets:
            at = tier.on(one.provider, one.model)
            kind = router.parts.kind(at)
            price = pricing.price_of(at, one.model, kind)
            source = {"simulated": "invented", "local": f"as {at.reference}"}.get(kind, "list")
            if price and price.source == "configured" and kind != "simulated":
                source = "your settings"
            rows.append([tier.name, one.model, _rates(price), source if price else ""])
    today = datetime.now(UTC).date()
    newest = pricing.newest_price(today)
    known = f"genai-prices {version('genai-prices')}"
    if newest:
        days = (today - newest).days
        old = "; they may be out of date" if days > _OLD_DAYS else ""
        known += f", the newest from {newest.day} {newest:%B %Y} ({days} days ago){old}"
    renew = "to update them: pip install -U genai-prices, then restart the kernel"
    head = ["tier", "model", "per million tokens", "price from"]
    return tables.Table(head, rows, below=[f"list prices: {known}", renew])


@command("PROFILE", "simulated", "nbroute.Router(profile='simulated')")
def use(desk: Desk, rest: str) -> str:
    """Switch to another profile (openrouter, local ...)."""
    if not rest:
        raise SettingsError("`%route use` takes the name of a profile, such as `simulated`")
    return desk.go_on(profile=rest)


@command("[PROVIDER|off]", "openrouter")
def key(desk: Desk, rest: str) -> str:
    """Ask for a key without showing it; only this kernel keeps it."""
    if rest == "off":
        ENVIRONMENT.forget()
        return f"keys are forgotten; {desk.with_keys(None)}"
    known = {one.name: one for one in (*BUILT_IN.values(), *desk.router.settings.providers)}
    wanting = {name: one.api_key_env for name, one in known.items() if one.api_key_env}
    mine = [tier.provider for tier in desk.router.ladder.tiers if tier.provider in wanting]
    name = rest.strip("\"'").lower() or next(iter([*mine, *wanting]))
    if name not in wanting:  # what was typed may be a key, so it is not repeated
        raise SettingsError(
            f"`%route key` takes one of {', '.join(wanting)}, and asks for the key itself. If you "
            "typed a key there, delete it from the cell and create a new one: it is in the "
            "history of this notebook"
        )
    typed = _asked(f"key for {name} (not shown): ", str(wanting[name]))
    if not typed:
        return "no key was given; nothing has changed"
    ENVIRONMENT.keep(str(wanting[name]), typed)
    return (
        "this kernel keeps the key until it ends, or until %route key off; the key is not stored. "
        f"{desk.with_keys(name)}"
    )


def _asked(prompt: str, variable: str) -> str:
    """What is typed; SettingsError if this front end cannot ask without showing it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            typed = getpass.getpass(prompt).strip()
    except (getpass.GetPassWarning, *CANNOT_TYPE):
        raise SettingsError(
            "this front end cannot ask for a key without showing it; set the environment variable "
            f"{variable} before you start Jupyter"
        ) from None
    except KeyboardInterrupt:
        return ""
    if not (typed.isascii() and typed.isprintable()) or set(typed) & set(" \"'"):
        raise SettingsError(
            "a key has no spaces, quotes, accents or control characters in it; copy it again"
        )
    return typed


@command("[--force]")
def init(desk: Desk, rest: str) -> str:
    """Write a commented nbroute.toml here, with the ladder in use."""
    path, router = Path(trusted.FILE_NAME).absolute(), desk.router
    writing.write(path, writing.text_of(router.settings, router.ladder), force=bool(rest))
    document = trusted.review(path)
    told = f" {trusted.trust(document)}." if trusted.asks(document) else ""
    return (
        f"wrote {path}: profile {router.settings.profile}, the tiers "
        f"{', '.join(router.ladder.names)} with their models, and what else can be set, as "
        f"comments.{told} It is read at the next start, or by %route trust now."
    )


@command("[list|revoke]", "list")
def trust(desk: Desk, rest: str) -> tables.Said:
    """Use the settings file that came with this folder."""
    if rest == "list":
        return tables.Said(trusted.listed())
    if rest:
        told = trusted.revoke()
    else:
        document = trusted.review()
        told = trusted.described(document)
        told += f"\n{trusted.trust(document)}" if trusted.asks(document) else ""
    return tables.Said(f"{told}\nnbroute: {desk.read_again()}")
