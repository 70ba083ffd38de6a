"""Decision + ladder + options -> Plan: the steps that a strategy will take."""

from __future__ import annotations

import math
from typing import Any, get_args

from nbroute.errors import SettingsError, did_you_mean
from nbroute.pricing import read_usd
from nbroute.types import CacheMode, Decision, Ladder, Options, Plan, Step, Target, Tier

STRATEGIES = ("direct", "cascade", "parallel")
CACHE_MODES: tuple[str, ...] = get_args(CacheMode)


#: The options whose values can be of a wrong kind: the types that fit, and what they take.
_TAKES: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(
        ("tier", "start", "model", "system", "feature", "thread", "comparison"), ((str,), "text")
    ),
    "max_tokens": ((int,), "a whole number from 1 up"),
    "temperature": ((int, float), "a number"),
    "agreement": ((int, float), "a similarity from 0 to 1"),
    "checks": ((list, tuple), "a list of functions and names of checks"),
    "tiers": ((list, tuple), "a list of tiers' names"),
}


def read_options(options: dict[str, Any]) -> Options:
    """The caller's keywords as Options; SettingsError for a wrong name or kind of value."""
    read = dict(options)
    for name, value in options.items():
        if name not in Options.__dataclass_fields__:
            hint = did_you_mean(name, Options.__dataclass_fields__)
            raise SettingsError(f"unknown option {name!r}: {hint}")
        kinds, wanted = _TAKES.get(name, ((), ""))
        if (
            kinds
            and value is not None
            and (isinstance(value, bool) or not isinstance(value, kinds))
        ):
            raise SettingsError(f"{name} is {value!r}; it takes {wanted}")
        if name in ("checks", "tiers"):
            read[name] = tuple(value or ())
            for one in read[name]:
                if not (isinstance(one, str) or (name == "checks" and callable(one))):
                    raise SettingsError(f"{name} has {one!r:.80} in it; it takes {wanted}")
        if name == "max_cost" and value is not None:
            read[name] = read_usd(value)
            if read[name] is None:
                takes = "US dollars from 0 up, such as 0.05"
                raise SettingsError(f"max_cost is {value!r}; it takes {takes}")
    return Options(**read)


def find_tier(ladder: Ladder, name: str) -> Tier:
    """The tier of that name, in any case; SettingsError with the close matches otherwise."""
    for tier in ladder.tiers:
        if tier.name.casefold() == name.casefold():
            return tier
    msg = f"unknown tier {name!r:.80} on ladder {ladder.name!r}: {did_you_mean(name, ladder.names)}"
    raise SettingsError(msg)


def check_options(options: Options, ladder: Ladder) -> None:
    """Refuse what can be refused before anything is sent or paid for."""
    _check_one_of("strategy", options.strategy, STRATEGIES)
    if options.cache is not None:
        _check_one_of("cache mode", options.cache, CACHE_MODES)
    _check_tiers(options, ladder)
    if options.max_tokens is not None and options.max_tokens < 1:
        msg = f"max_tokens is {options.max_tokens!r}; it takes {_TAKES['max_tokens'][1]}"
        raise SettingsError(msg)
    if options.agreement is not None and not 0 <= options.agreement <= 1:
        msg = f"agreement is {options.agreement!r}; it takes {_TAKES['agreement'][1]}"
        raise SettingsError(msg)
    if options.temperature is not None and not math.isfinite(options.temperature):
        msg = f"temperature is {options.temperature!r}; it takes {_TAKES['temperature'][1]}"
        raise SettingsError(msg)
    if options.thread is not None and not options.thread.strip():
        raise SettingsError(f"thread is {options.thread!r}; it takes a name such as 'trip'")


def _check_one_of(what: str, name: str, allowed: tuple[str, ...]) -> None:
    if name not in allowed:
        raise SettingsError(f"unknown {what} {name!r:.80}: {did_you_mean(name, allowed)}")


def _check_tiers(options: Options, ladder: Ladder) -> None:
    direct, named = options.strategy == "direct", options.tiers
    if options.start is not None and (options.tier or direct):
        msg = f"start = {options.start!r} is for a cascade with no tier forced; use tier instead"
        raise SettingsError(msg)
    if named and options.start is not None:
        raise SettingsError(
            f"start = {options.start!r} and tiers = {named!r} exclude each other: a cascade of "
            "named tiers begins at the lowest of them"
        )
    if named and (options.tier or direct):
        msg = f"tiers = {named!r} are for a cascade or parallel with no tier forced; use tier"
        raise SettingsError(msg)
    for name in (options.tier, options.start, *named):
        if name is not None:
            find_tier(ladder, name)
    found = {find_tier(ladder, name).name for name in named}
    if len(found) < len(named):
        raise SettingsError(f"tiers = {named!r} names a tier twice; name each once")
    if options.strategy == "parallel":
        _check_pair(options, ladder)


def _check_pair(options: Options, ladder: Ladder) -> None:
    """Refuse a parallel that has not two different models to ask."""
    if options.model is not None:
        msg = f"model = {options.model!r:.80} would be asked twice in parallel; leave it out"
        raise SettingsError(msg)
    if len(ladder.tiers) < 2:
        raise SettingsError(f"ladder {ladder.name!r} has one tier; parallel takes two")
    if options.tiers and len(options.tiers) != 2:
        pair = ladder.names[:2]
        raise SettingsError(f"tiers = {options.tiers!r}; parallel takes two, such as {pair}")


def make_plan(
    decision: Decision, ladder: Ladder, options: Options, agreement: float = 0.92
) -> Plan:
    """The tiers that will be asked.

    `direct`: the decided tier alone. `cascade`: from `start` (else that tier) to the top, or
    the `tiers` named. `parallel`: two `tiers`, else the decided one and the next one up (at
    the top, the one below). `agreement` is the default of the option.
    """
    tiers = tuple(_step(tier, options) for tier in _tiers(decision, ladder, options))
    if options.strategy != "parallel":
        return Plan(options.strategy, tiers)
    wanted = agreement if options.agreement is None else options.agreement
    return Plan(options.strategy, tiers, wanted)


def _tiers(decision: Decision, ladder: Ladder, options: Options) -> tuple[Tier, ...]:
    if options.tiers:
        named = {find_tier(ladder, name).name for name in options.tiers}
        return tuple(tier for tier in ladder.tiers if tier.name in named)
    start = find_tier(ladder, options.start or decision.tier)
    place = ladder.index(start.name)
    if options.strategy == "cascade":
        return ladder.tiers[place:]
    if options.strategy == "parallel":
        place = min(place, len(ladder.tiers) - 2)
        return ladder.tiers[place : place + 2]
    return (start,)


def _step(tier: Tier, options: Options) -> Step:
    if options.model:
        known = (one for one in tier.targets if one.model == options.model)
        return Step(tier, (next(known, Target(tier.provider, options.model)),))
    return Step(tier, tier.targets)
