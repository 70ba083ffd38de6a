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
    if options.strategy not in STRATEGIES:
        hint = did_you_mean(options.strategy, STRATEGIES)
        raise SettingsError(f"unknown strategy {options.strategy!r:.80}: {hint}")
    if options.cache is not None and options.cache not in CACHE_MODES:
        hint = did_you_mean(options.cache, CACHE_MODES)
        raise SettingsError(f"unknown cache mode {options.cache!r:.80}: {hint}")
    _check_tiers(options, ladder)
    fits = {
        "max_tokens": options.max_tokens is None or options.max_tokens >= 1,
        "agreement": options.agreement is None or 0 <= options.agreement <= 1,
        "temperature": options.temperature is None or math.isfinite(options.temperature),
    }
    for name, fit in fits.items():
        if not fit:
            raise SettingsError(f"{name} is {getattr(options, name)!r}; it takes {_TAKES[name][1]}")
    if options.thread is not None and not options.thread.strip():
        raise SettingsError(f"thread is {options.thread!r}; it takes a name such as 'trip'")


def _check_tiers(options: Options, ladder: Ladder) -> None:
    start, named, direct = options.start, options.tiers, options.strategy == "direct"
    found = {find_tier(ladder, name).name for name in named}
    for name in (options.tier, start):
        if name is not None:
            find_tier(ladder, name)
    msg = ""
    if start is not None and (options.tier or direct):
        msg = f"start = {start!r} is for a cascade with no tier forced; use tier instead"
    elif named and start is not None:
        msg = (
            f"start = {start!r} and tiers = {named!r} exclude each other: a cascade of "
            "named tiers begins at the lowest of them"
        )
    elif named and (options.tier or direct):
        msg = f"tiers = {named!r} are for a cascade or parallel with no tier forced; use tier"
    elif len(found) < len(named):
        msg = f"tiers = {named!r} names a tier twice; name each once"
    if msg:
        raise SettingsError(msg)
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


def first_named(options: Options, ladder: Ladder) -> Decision:
    """Where the strategy's tiers are named there is nothing to classify."""
    named = [find_tier(ladder, name) for name in (options.tiers or (options.start or "",))]
    lowest = min(named, key=lambda tier: ladder.index(tier.name)).name
    told = f"a cascade from {lowest}"
    if options.tiers:
        kind = "a cascade of" if options.strategy == "cascade" else "both"
        told = f"{kind} {' and '.join(tier.name for tier in named)}"
    return Decision(lowest, "forced", f"forced: you asked for {told}")


def make_plan(
    decision: Decision, ladder: Ladder, options: Options, agreement: float = 0.92
) -> Plan:
    """The tiers that will be asked.

    `direct`: the decided tier alone. `cascade`: from `start` (else that tier) to the top, or
    the `tiers` named. `parallel`: two `tiers`, else the decided one and the next one up (at
    the top, the one below). `agreement` is the default of the option.
    """
    strategy, place = options.strategy, 0
    if options.tiers:
        names = {find_tier(ladder, name).name for name in options.tiers}
        tiers = [tier for tier in ladder.tiers if tier.name in names]
    else:
        start = find_tier(ladder, options.start or decision.tier)
        place = ladder.index(start.name)
        if strategy == "parallel":
            place = min(place, len(ladder.tiers) - 2)
        counts = {"direct": 1, "parallel": 2}
        tiers = list(ladder.tiers[place:][: counts.get(strategy)])
    steps = []
    for tier in tiers:
        targets = tier.targets
        if options.model:
            known = [target for target in targets if target.model == options.model]
            targets = tuple(known[:1]) or (Target(tier.provider, options.model),)
        steps.append(Step(tier, targets))
    if options.agreement is not None:
        agreement = options.agreement
    return Plan(strategy, tuple(steps), agreement if strategy == "parallel" else None)
