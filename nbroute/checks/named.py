"""Checks by name ("length=20", "no-unsure"), the user's own, and what they say together."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any, ClassVar

from nbroute.additions import can_take, demanded, distinct, modules_of
from nbroute.checks.confidence import PROBABILITY, RATING, likely, rated
from nbroute.checks.form import (
    at_least,
    long_enough,
    not_refused,
    not_truncated,
    not_unsure,
    valid_json,
)
from nbroute.checks.learned import LearnedCheck
from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import Check, Options, Reply, Verdict

#: What a number is, in words, and whether it will do.
Number = tuple[str, Callable[[float], bool]]


def _number(more: ModuleType) -> Number | None:
    """The number that the check in that file takes, if any; SettingsError if it is no check."""
    yes_or_no = can_take(getattr(more, "check", None), "reply")
    numbered = can_take(getattr(more, "check", None), "reply", 1.0) and not yes_or_no
    if not numbered and not {"TAKES", "fits"} & vars(more).keys():
        cure = "write check(reply), which returns whether the answer will do"
        demanded(more, "check", lambda _: yes_or_no, cure)
        return None
    words = "say in it, in words, what number it takes, or write check(reply), which takes none"
    takes = demanded(more, "TAKES", lambda value: isinstance(value, str), words)
    cure = "write fits(value), which returns whether a number will do"
    fits = demanded(more, "fits", lambda value: can_take(value, 1.0), cure)
    cure = "write check(reply, value), as it has TAKES, or leave TAKES and fits out"
    demanded(more, "check", lambda value: can_take(value, "reply", 1.0), cure)
    return takes, fits


_FOUND = modules_of("nbroute.checks.more")
_MORE = {name.replace("_", "-"): more for name, more in _FOUND.items()}
_NUMBERS = {name: _number(more) for name, more in _MORE.items()}
#: The built-in checks in the order in which they are made.
NAMES = distinct(
    "truncation",
    "json",
    "length",
    "refusal",
    "unsure",
    *_MORE,
    "rating",
    "logprob",
    "learned",
    added=_MORE.items(),
)
#: The checks that a cascade makes by default.
DEFAULTS = ("truncation", "length", "refusal", "unsure")

#: The checks that take a value.
_VALUES: Mapping[str, Number] = {
    "length": (
        "a number of characters, 0 for no such check",
        lambda value: value >= 0 and value.is_integer(),
    ),
    "rating": ("a rating from 1 to 10", lambda value: 1 <= value <= 10),
    "logprob": ("a probability, more than 0 and at most 1", lambda value: 0 < value <= 1),
    "learned": ("a chance from 0 to 1", lambda value: 0 <= value <= 1),
    **{name: number for name, number in _NUMBERS.items() if number},
}
#: A reason is one line of a card.
_REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """A built-in check by its name: with a value, with its default, or switched off."""

    name: str
    value: float | None = None
    off: bool = False


def parse_check(text: str) -> Asked:
    """The built-in check that "length=20", "refusal" or "no-unsure" asks for.

    SettingsError for an unknown name, and for a value that is missing, wrong or not allowed.
    """
    said, equals, value = (part.strip() for part in text.partition("="))
    said = said.lower().replace("_", "-")
    name, off = said.removeprefix("no-"), said.startswith("no-")
    if name not in NAMES:
        raise SettingsError(f"unknown check {text!r:.80}: {did_you_mean(name, NAMES)}")
    if not equals:
        if _NUMBERS.get(name) and not off:
            raise SettingsError(f"the check {name!r} needs a value: {_VALUES[name][0]}.")
        return Asked(name, off=off)
    if off:
        raise SettingsError(f"{text!r:.80} takes no value: write 'no-{name}'.")
    if name not in _VALUES:
        raise SettingsError(f"the check {name!r} takes no value: {text!r:.80}.")
    unit, fits = _VALUES[name]
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not fits(number):
        raise SettingsError(f"bad value in {text!r:.80}: {name} takes {unit}.")
    return Asked(name, number, off=name == "length" and number == 0)


def wanted(
    options: Options,
    *,
    prompt: str = "",
    lowest: bool = False,
    structured: Check | None = None,
    learned: Callable[[], LearnedCheck] | None = None,
) -> tuple[Check, ...]:
    """The checks that the options ask for, in the order in which they are made.

    `lowest` says that the lowest tier answers; `structured` is the schema's check, which replaces
    the one for JSON; `learned` gives the fitted check where it is asked for.
    SettingsError for a name that is not built in, and where nothing was fitted.
    """
    asked = asked_for(options)
    if structured is not None:
        asked["json"] = Asked("json")
    values = {name: one.value for name, one in asked.items()}
    length = values.get("length")
    built_in: dict[str, Check] = {
        "truncation": not_truncated,
        "json": structured or valid_json,
        "length": partial(long_enough, prompt=prompt, lowest=lowest, options=options)
        if length is None
        else partial(at_least, characters=length),
        "refusal": partial(not_refused, prompt=prompt),
        "unsure": partial(not_unsure, prompt=prompt),
        **{name: _added(name, values.get(name)) for name in _MORE},
        "rating": partial(rated, least=values.get("rating") or RATING),
        "logprob": partial(likely, least=values.get("logprob") or PROBABILITY),
    }
    if "learned" in asked:
        if learned is None:
            raise SettingsError("no check has been fitted: router.fit_check(frame) fits one.")
        fitted, least = learned(), values["learned"]
        built_in["learned"] = fitted if least is None else replace(fitted, threshold=least)
    named = [built_in[name] for name in NAMES if name in asked]
    others = [check for check in options.checks if not isinstance(check, str)]
    return tuple(
        replace(one, prompt=prompt) if isinstance(one, Own | LearnedCheck) else one
        for one in (*named, *others)
    )


def _added(name: str, value: float | None) -> Check:
    """The check of a file in `more/`, under the file's name."""

    def check(reply: Reply) -> Verdict:
        verdict: Verdict = _MORE[name].check(reply, *([value] if _NUMBERS[name] else []))
        return verdict

    check.__name__ = name
    return check


def asked_for(options: Options) -> dict[str, Asked]:
    """The built-in checks that are made, by name; the last mention of a check counts."""
    found = {name: Asked(name) for name in DEFAULTS} if options.strategy == "cascade" else {}
    if options.json:
        found["json"] = Asked("json")
    for check in options.checks:
        if isinstance(check, str):
            one = parse_check(check)
            found[one.name] = one
    return {name: one for name, one in found.items() if not one.off}


@dataclass(frozen=True)
class Own:
    """A check made from a function of the answer's text, or of the text and the prompt."""

    own: ClassVar[bool] = True
    function: Callable[..., Any]
    label: str
    takes_prompt: bool
    prompt: str = ""

    @property
    def __name__(self) -> str:
        """What the verdict and the card call it."""
        return self.label

    @property
    def runs_code(self) -> bool:
        """Whether the function says of itself that it runs the code in the answer."""
        return bool(getattr(self.function, "runs_code", False))

    def __call__(self, reply: Reply) -> Verdict:
        """The function's verdict on the answer; an error is one too."""
        extra = (self.prompt,) if self.takes_prompt else ()
        return _outcome(self.label, self.function, reply.text, *extra)


def own(function: Callable[..., Any], name: str | None = None) -> Own:
    """A check made from the user's function of the answer's text, or of the text and the prompt.

    It may return a bool, a `Verdict`, a string that says what is wrong (empty: nothing), or
    None where it only asserts. SettingsError where it cannot be called like that.
    """
    label: str = name or getattr(function, "__name__", None) or type(function).__name__
    if not callable(function):
        raise SettingsError(
            f"the check {label!r} is not a function: give one of the answer's text."
        )
    made_of = (function, type(function).__call__, getattr(function, "func", None))
    if any(inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f) for f in made_of):
        raise SettingsError(
            f"the check {label!r} is a coroutine function, which a check cannot be: drop async."
        )
    return Own(function, label, _takes_prompt(function, label))


def _takes_prompt(function: Callable[..., Any], label: str) -> bool:
    """Whether a second value is wanted: one without a default, or one called `prompt`."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    placed = [one for one in parameters if one.kind in kinds]
    wanted = sum(one.default is one.empty for one in placed)
    takes_any = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    demanded = any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters)
    if wanted > 2 or demanded or not (placed or takes_any):
        msg = f"the check {label!r} must be a function of the answer's text, or of text and prompt."
        raise SettingsError(msg)
    return len(placed) > 1 and (wanted == 2 or placed[1].name == "prompt")


def judge(reply: Reply, checks: tuple[Check, ...]) -> tuple[Verdict, ...]:
    """The checks' verdicts in order, up to the first that fails.

    A check that raises fails the answer, and its verdict says with what.
    """
    verdicts: list[Verdict] = []
    for check in checks:
        label: str = getattr(check, "__name__", type(check).__name__)
        verdicts.append(_outcome(label, check, reply))
        if not verdicts[-1].passed:
            break
    return tuple(verdicts)


def best(candidates: Sequence[Sequence[Verdict]]) -> int:
    """Which of the attempts, in ladder order, came furthest.

    One that passed everything comes first. Among equals, the better score from the check that
    failed them decides, if it measures; else the higher tier. ValueError where there are none.
    """

    def distance(place: int) -> tuple[bool, int, float, int]:
        passed = [verdict.passed for verdict in candidates[place]]
        score = candidates[place][-1].score if candidates[place] else None
        first_failed = [*passed, False].index(False)
        return all(passed), first_failed, -math.inf if score is None else score, place

    return max(range(len(candidates)), key=distance)


def _outcome(label: str, function: Callable[..., Any], *values: Any) -> Verdict:
    try:
        outcome = function(*values)
        if isinstance(outcome, Verdict):
            return replace(outcome, reason=_line(outcome.reason))
        if isinstance(outcome, str):
            return Verdict(not outcome, label, _line(outcome))
        if inspect.iscoroutine(outcome):
            outcome.close()
            return Verdict(False, label, "the check returned a coroutine, not an answer")
        passed = outcome is None or bool(outcome)
        return Verdict(passed, label, "" if passed else f"{label} said no")
    except AssertionError as error:
        return Verdict(False, label, _line(_said(error)) or f"an assertion of {label} failed")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a broken check is a verdict, sys.exit() too
        msg = f"the check raised {type(error).__name__}: {_said(error)}"
        if isinstance(error, TypeError | AttributeError) and isinstance(values[0], Reply):
            msg += "; it is given a Reply: nbroute.checks.own(f) makes a check of a text function"
        return Verdict(False, label, _line(msg))


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error that cannot be shown is still one
        return "its message cannot be shown"


def _line(text: str) -> str:
    return " ".join(text.split())[:_REASON_CHARACTERS]
