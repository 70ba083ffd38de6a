"""Decision + ladder + options -> Plan: the steps that a strategy will take."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, get_args

from nbroute.errors import SettingsError, did_you_mean
from nbroute.pricing import read_usd
from nbroute.types import (
    EFFORTS,
    Asking,
    CacheMode,
    Decision,
    Ladder,
    Options,
    Plan,
    Step,
    Target,
    Tier,
)

STRATEGIES = ("direct", "cascade", "parallel", "consensus")
#: Two ways to tell whether two answers agree: by what they end in, or by their vectors alone.
AGREE_BY = ("value", "cosine")
CACHE_MODES: tuple[str, ...] = get_args(CacheMode)
#: The most times that one tier may be asked the same.
MOST_REPEATS = 20


#: Options whose values can be wrong: the types that they take, and the same in words.
_TAKES: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(("tier", "start", "model", "system", "feature", "comparison"), (str, "text")),
    "thread": (str, "a name such as 'trip'"),
    "max_tokens": (int, "a whole number from 1 up"),
    "max_cost": (object, "US dollars from 0 up, such as 0.05"),
    "temperature": ((int, float), "a number"),
    "agreement": ((int, float), "a similarity from 0 to 1"),
    "repeat": (int, f"a whole number from 2 to {MOST_REPEATS}"),
    "checks": ((list, tuple), "a list of functions and names of checks"),
    "tiers": ((list, tuple), "a list of tiers' names"),
}
#: Which values of those types are valid.
_FITS: dict[str, Callable[[Any], object]] = {
    "thread": str.strip,
    "max_tokens": lambda number: number >= 1,
    "max_cost": lambda usd: read_usd(usd) is not None,
    "temperature": lambda number: abs(number) <= sys.float_info.max,
    "agreement": lambda share: 0 <= share <= 1,
    "repeat": lambda times: 2 <= times <= MOST_REPEATS,
    "checks": lambda checks: all(isinstance(one, str) or callable(one) for one in checks),
    "tiers": lambda tiers: all(isinstance(one, str) for one in tiers),
}
#: Options that are one of several words: what they are called, and the words.
_ONE_OF: dict[str, tuple[str, tuple[str, ...]]] = {
    "strategy": ("strategy", STRATEGIES),
    "cache": ("cache mode", CACHE_MODES),
    "by": ("way to compare two answers", AGREE_BY),
    "effort": ("effort", EFFORTS),
    "purpose": ("purpose", get_args(Asking)),
}


def read_options(options: dict[str, Any]) -> Options:
    """The caller's keywords as Options; SettingsError for a wrong name or value."""
    read = dict(options)
    for name, value in options.items():
        if name not in Options.__dataclass_fields__:
            hint = did_you_mean(name, Options.__dataclass_fields__)
            raise SettingsError(f"unknown option {name!r}: {hint}")
        if name in _TAKES and value is not None:
            kinds, words = _TAKES[name]
            right = isinstance(value, kinds) and not isinstance(value, bool)
            if not right or not _FITS.get(name, lambda _: True)(value):
                raise SettingsError(f"{name} is {value!r:.80}; it takes {words}")
        if name in _ONE_OF:
            kind, allowed = _ONE_OF[name]
            if value not in (*allowed, Options.__dataclass_fields__[name].default):
                hint = did_you_mean(value, allowed)
                raise SettingsError(f"unknown {kind} {value!r:.80}: {hint}")
        if name in ("checks", "tiers"):
            read[name] = tuple(value or ())
        if name == "max_cost":
            read[name] = read_usd(value)
    return Options(**read)


def check_options(options: Options, ladder: Ladder) -> None:
    """Refuse options that do not go together, before anything is sent or paid for."""
    if options.repeat and options.strategy != "direct":
        raise SettingsError(
            f"repeat = {options.repeat} asks one tier several times and strategy = "
            f"{options.strategy!r} asks several tiers; give one of the two"
        )
    if options.repeat and options.cache in ("use", "only"):
        raise SettingsError(
            f"repeat = {options.repeat} asks each time afresh; leave out cache = {options.cache!r}"
        )
    start, named, strategy = options.start, options.tiers, options.strategy
    takes, count = {"parallel": (2, "two"), "consensus": (3, "three")}.get(strategy, (0, ""))
    for name in (options.tier, start):
        if name is not None:
            ladder.find(name)
    if not (start or named or takes):
        return
    found = {ladder.find(name).name for name in named}
    one_tier = options.tier or options.strategy == "direct"
    several = takes and options.model is not None
    forced = strategy == "consensus" and (options.tier or start)
    refusals = {
        f"start = {start!r} is for a cascade with no tier forced; use tier": start and one_tier,
        f"start = {start!r} and tiers = {named!r} exclude each other: a cascade of "
        "named tiers begins at the lowest of them": start and named,
        f"{forced!r} is one tier and consensus takes three; name them in tiers": forced,
        f"tiers = {named!r} are for a cascade, parallel or consensus; for one, use tier": (
            named and one_tier
        ),
        f"tiers = {named!r} names a tier twice; name each once": len(found) < len(named),
        f"model = {options.model!r:.80} would answer for every tier of {strategy}; leave it out": (
            several
        ),
        f"ladder {ladder.name!r} has {len(ladder.tiers)} tiers, {strategy} takes {count}": (
            len(ladder.tiers) < takes
        ),
        f"tiers = {named!r}; {strategy} takes {count}, such as {ladder.names[:takes]}": (
            takes and len(named) not in (0, takes)
        ),
    }
    for message, wrong in refusals.items():
        if wrong:
            raise SettingsError(message)


def first_named(options: Options, ladder: Ladder) -> Decision:
    """The decision where the strategy's tiers are named: there is nothing to classify."""
    if options.strategy == "consensus":
        first, second, third = (tier.name for tier in _of_consensus(options, ladder))
        told = f"you asked for a consensus of {first} and {second}, with {third} behind them"
        return Decision(first, "forced", told)
    named = [ladder.find(name) for name in (options.tiers or (options.start or "",))]
    lowest = min(named, key=lambda tier: ladder.index(tier.name)).name
    told = f"a cascade from {lowest}"
    if options.tiers:
        kind = "a cascade of" if options.strategy == "cascade" else "both"
        told = f"{kind} {' and '.join(tier.name for tier in named)}"
    return Decision(lowest, "forced", f"you asked for {told}")


def _of_consensus(options: Options, ladder: Ladder) -> list[Tier]:
    """The three tiers that are named, cheapest first, else the lowest two and the top."""
    if not options.tiers:
        return [*ladder.tiers[:2], ladder.tiers[-1]]
    return sorted(map(ladder.find, options.tiers), key=lambda tier: ladder.index(tier.name))


def make_plan(decision: Decision, ladder: Ladder, options: Options, agreement: float) -> Plan:
    """The tiers that will be asked.

    `direct`: the decided tier alone. `cascade`: from `start` (else that tier) to the top, or
    the `tiers` named. `parallel`: two `tiers`, else the decided one and the next one up (at
    the top, the one below). `consensus`: three `tiers`, else the lowest two and the top, which
    is asked only where the others differ. `agreement` is the default of the option.
    """
    strategy = options.strategy
    if strategy == "consensus":
        tiers = _of_consensus(options, ladder)
    elif options.tiers:
        names = {ladder.find(name).name for name in options.tiers}
        tiers = [tier for tier in ladder.tiers if tier.name in names]
    else:
        start = ladder.find(options.start or decision.tier)
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
    compared = agreement if strategy in ("parallel", "consensus") else None
    return Plan(strategy, tuple(steps), compared, options.repeat or 1)
