"""The words that ask for a check ("length=20", "no-unsure"), and the checks they stand for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nbroute.checks.confidence import PROBABILITY, RATING, likely, rated
from nbroute.checks.doubt import not_refused, not_unsure
from nbroute.checks.form import in_time, not_truncated, valid_json
from nbroute.checks.length import at_least, long_enough
from nbroute.checks.situation import Situation
from nbroute.checks.verdicts import Own
from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import Check, Options

#: The built-in checks in the order in which they are made.
NAMES = ("truncation", "json", "length", "refusal", "unsure", "latency", "rating", "logprob")
#: Those that a cascade makes without being asked.
DEFAULTS = ("truncation", "length", "refusal", "unsure")

_UNITS = {
    "length": "a number of characters, 0 for no such check",
    "latency": "milliseconds, more than 0",
    "rating": "a rating from 1 to 10",
    "logprob": "a probability, more than 0 and at most 1",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A built-in check by its name: with a value, as it is by default, or switched off."""

    name: str
    value: float | None = None
    off: bool = False


def is_built_in(text: str) -> bool:
    """Whether the text names a built-in check, rightly or wrongly written out."""
    return _split(text)[0] in NAMES


def parse_check(text: str) -> Asked:
    """The built-in check that "length=20", "refusal" or "no-unsure" asks for.

    SettingsError for a name that is none, and for a value that is missing, wrong or too much.
    """
    name, value, off = _split(text)
    if name not in NAMES:
        raise SettingsError(f"unknown check {text!r:.80}: {did_you_mean(name, NAMES)}")
    if off:
        if value is not None:
            raise SettingsError(f"{text!r:.80} takes no value: write 'no-{name}'.")
        return Asked(name, off=True)
    if value is None:
        if name == "latency":
            raise SettingsError(
                "the check 'latency' needs a target: 'latency=2000' (milliseconds)."
            )
        return Asked(name)
    return _with_value(text, name, value)


def wanted(
    options: Options,
    *,
    prompt: str = "",
    tier: str = "",
    lowest: bool = False,
    structured: Check | None = None,
    resolve: Callable[[str], Check] | None = None,
) -> tuple[Check, ...]:
    """The checks that the options ask for, in the order in which they are made.

    `structured` is the check of the schema, made in the place of the one for JSON. `resolve`
    is given the names that are no built-in; without it they are a SettingsError.
    """
    situation = Situation(prompt, tier, lowest, options)
    asked = _asked(options)
    found = [_make(one, situation) for one in asked.values() if one.name != "json"]
    if structured is not None or "json" in asked:
        found.insert("truncation" in asked, structured or valid_json)
    return (*found, *(_own(one, prompt, resolve) for one in options.checks if _is_own(one)))


def needs_rating(options: Options) -> bool:
    """Whether the model must be asked to rate its answer."""
    return "rating" in _asked(options)


def needs_logprobs(options: Options) -> bool:
    """Whether the endpoint must be asked for the tokens' log-probabilities."""
    return "logprob" in _asked(options)


def _split(text: str) -> tuple[str, str | None, bool]:
    """The name, the value and whether it is switched off."""
    name, equals, value = text.strip().partition("=")
    name = name.strip().lower().replace("_", "-")
    off = name.startswith("no-")
    return name.removeprefix("no-"), value.strip() if equals else None, off


def _with_value(text: str, name: str, value: str) -> Asked:
    if name not in _UNITS:
        raise SettingsError(f"the check {name!r} takes no value: {text!r:.80}.")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not _fits(name, number):
        raise SettingsError(f"bad value in {text!r:.80}: {name} takes {_UNITS[name]}.")
    return Asked(name, number, off=name == "length" and number == 0)


def _fits(name: str, number: float) -> bool:
    return {
        "length": number >= 0 and number.is_integer(),
        "latency": 0 < number < math.inf,
        "rating": 1 <= number <= 10,
        "logprob": 0 < number <= 1,
    }[name]


def _asked(options: Options) -> Mapping[str, Asked]:
    """The built-in checks that are made, by name and in order; the last word on one counts."""
    found = {name: Asked(name) for name in DEFAULTS} if options.strategy == "cascade" else {}
    if options.json:
        found["json"] = Asked("json")
    for text in options.checks:
        if isinstance(text, str) and is_built_in(text):
            one = parse_check(text)
            found[one.name] = one
    return {name: found[name] for name in NAMES if name in found and not found[name].off}


def _make(asked: Asked, situation: Situation) -> Check:
    value = asked.value
    if asked.name == "length":
        return long_enough(situation) if value is None else at_least(int(value))
    made: Mapping[str, Callable[[], Check]] = {
        "truncation": lambda: not_truncated,
        "refusal": lambda: not_refused(situation),
        "unsure": lambda: not_unsure(situation),
        "latency": lambda: in_time(value or 0),
        "rating": lambda: rated(value or RATING),
        "logprob": lambda: likely(value or PROBABILITY),
    }
    return made[asked.name]()


def _is_own(check: str | Check) -> bool:
    return not isinstance(check, str) or not is_built_in(check)


def _own(check: str | Check, prompt: str, resolve: Callable[[str], Check] | None) -> Check:
    if not isinstance(check, str):
        found = check
    elif resolve is None:
        raise SettingsError(f"unknown check {check!r:.80}: {did_you_mean(_split(check)[0], NAMES)}")
    else:
        found = resolve(check)
    return found.asked(prompt) if isinstance(found, Own) else found
