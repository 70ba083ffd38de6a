"""Decision + ladder + options -> Plan: the steps that a strategy will take."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import Decision, Ladder, Options, Plan, Step, Tier

STRATEGIES = ("direct", "cascade")
CACHE_MODES = ("use", "off", "refresh", "only")


#: The options whose values can be of a wrong kind, and what they take.
_KINDS: dict[str, tuple[type, ...]] = {
    "tier": (str,),
    "start": (str,),
    "model": (str,),
    "system": (str,),
    "feature": (str,),
    "max_tokens": (int,),
    "temperature": (int, float),
    "checks": (list, tuple),
}
_WANTED = {
    **dict.fromkeys(("tier", "start", "model", "system", "feature"), "text"),
    "max_tokens": "a whole number from 1 up",
    "temperature": "a number",
    "checks": "a list of functions",
}


def read_options(options: dict[str, Any]) -> Options:
    """The caller's keywords as Options; SettingsError for a wrong name or kind of value."""
    known = Options.__dataclass_fields__
    for name, value in options.items():
        if name not in known:
            msg = f"unknown option {name!r}: {did_you_mean(name, known)}"
            raise SettingsError(msg)
        kinds = _KINDS.get(name)
        if kinds and value is not None and (not isinstance(value, kinds) or value is True):
            msg = f"{name} is {value!r}; it takes {_WANTED[name]}"
            raise SettingsError(msg)
    if options.get("max_cost") is not None:
        options = {**options, "max_cost": _dollars(options["max_cost"])}
    return Options(**{**options, "checks": tuple(options.get("checks") or ())})


def _dollars(amount: Any) -> Decimal:
    try:
        dollars = Decimal(str(amount).removeprefix("$"))
    except ArithmeticError:
        dollars = Decimal("nan")
    if not dollars.is_finite() or dollars < 0:
        msg = f"max_cost is {amount!r}; it takes US dollars from 0 up, such as 0.05"
        raise SettingsError(msg)
    return dollars


def find_tier(ladder: Ladder, name: str) -> Tier:
    """The tier of that name, in any case; SettingsError with the close matches otherwise."""
    for tier in ladder.tiers:
        if tier.name.casefold() == name.casefold():
            return tier
    msg = f"unknown tier {name!r:.80} on ladder {ladder.name!r}: {did_you_mean(name, ladder.names)}"
    raise SettingsError(msg)


def check_options(options: Options, ladder: Ladder) -> None:
    """Refuse what can be refused before anything is sent or paid for."""
    if options.strategy not in STRATEGIES:
        hint = did_you_mean(options.strategy, STRATEGIES)
        msg = f"unknown strategy {options.strategy!r:.80}: {hint}"
        raise SettingsError(msg)
    if options.start is not None and (options.tier or options.strategy == "direct"):
        msg = f"start = {options.start!r} is for a cascade with no tier forced; use tier instead"
        raise SettingsError(msg)
    for name in (options.tier, options.start):
        if name is not None:
            find_tier(ladder, name)
    if options.cache is not None and options.cache not in CACHE_MODES:
        hint = did_you_mean(options.cache, CACHE_MODES)
        msg = f"unknown cache mode {options.cache!r}: {hint}"
        raise SettingsError(msg)
    if options.max_tokens is not None and options.max_tokens < 1:
        msg = f"max_tokens is {options.max_tokens!r}; it takes a whole number from 1 up"
        raise SettingsError(msg)


def make_plan(decision: Decision, ladder: Ladder, options: Options) -> Plan:
    """`direct`: the decided tier alone. `cascade`: from `start` (else that tier) to the top."""
    start = find_tier(ladder, options.start or decision.tier)
    tiers: tuple[Tier, ...] = (start,)
    if options.strategy == "cascade":
        tiers = ladder.tiers[ladder.index(start.name) :]
    return Plan(
        strategy=options.strategy,
        steps=tuple(_step(tier, options) for tier in tiers),
    )


def _step(tier: Tier, options: Options) -> Step:
    return Step(tier, (options.model,) if options.model else tier.models)
