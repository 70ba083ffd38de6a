"""Checks of one's own, and what the checks say together."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from nbroute.errors import SettingsError
from nbroute.types import Check, Reply, Verdict

#: A reason is one line of a card.
_REASON_CHARACTERS = 500


@dataclass(frozen=True)
class Own:
    """A check out of a function of the answer's text, or of the text and the prompt."""

    own: ClassVar[bool] = True
    function: Callable[..., Any]
    label: str
    takes_prompt: bool = False
    prompt: str = ""

    @property
    def __name__(self) -> str:
        """What the verdict and the card call it."""
        return self.label

    @property
    def runs_code(self) -> bool:
        """Whether the function says of itself that it runs the code in the answer."""
        return bool(getattr(self.function, "runs_code", False))

    def asked(self, prompt: str) -> Own:
        """The check for that prompt."""
        return replace(self, prompt=prompt)

    def __call__(self, reply: Reply) -> Verdict:
        """The function's word on the answer; an error is one too."""
        extra = (self.prompt,) if self.takes_prompt else ()
        return _outcome(self.label, self.function, reply.text, *extra)


def own(function: Callable[..., Any], name: str | None = None) -> Own:
    """A check out of the user's function of the answer's text, or of the text and the prompt.

    It may return a bool, a `Verdict`, a string that says what is wrong (empty: nothing), or
    None where it has only asserted. SettingsError where it cannot be called so.
    """
    label: str = name or getattr(function, "__name__", None) or type(function).__name__
    if not callable(function):
        raise SettingsError(f"the check {label!r} is no function: give one of the answer's text.")
    if _is_async(function):
        msg = f"the check {label!r} is a coroutine function, which a check cannot be: drop async."
        raise SettingsError(msg)
    return Own(function, label, _takes_prompt(function, label))


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

    One that passed everything comes furthest of all; among equals the check that failed them
    says which is better, if it measures, and else the higher tier's is. ValueError where
    there are none.
    """
    return max(
        range(len(candidates)),
        key=lambda place: (*_distance(candidates[place]), _score(candidates[place]), place),
    )


def _score(verdicts: Sequence[Verdict]) -> float:
    last = verdicts[-1].score if verdicts else None
    return -math.inf if last is None else last


def _distance(verdicts: Sequence[Verdict]) -> tuple[bool, int]:
    passed = [verdict.passed for verdict in verdicts]
    return all(passed), (*passed, False).index(False)


def _outcome(label: str, function: Callable[..., Any], *values: Any) -> Verdict:
    try:
        return _as_verdict(function(*values), label)
    except AssertionError as error:
        return Verdict(False, label, _line(_said(error)) or f"an assertion of {label} failed")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a broken check is a verdict, sys.exit() too
        return Verdict(
            False, label, _line(f"the check raised {type(error).__name__}: {_said(error)}")
        )


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error that cannot be shown is still one
        return "its message cannot be shown"


def _line(text: str) -> str:
    return " ".join(text.split())[:_REASON_CHARACTERS]


def _as_verdict(outcome: object, label: str) -> Verdict:
    if isinstance(outcome, Verdict):
        return replace(outcome, reason=_line(outcome.reason))
    if isinstance(outcome, str):
        return Verdict(not outcome, label, _line(outcome))
    if inspect.iscoroutine(outcome):
        outcome.close()
        return Verdict(False, label, "the check returned a coroutine, not an answer")
    passed = outcome is None or bool(outcome)
    return Verdict(passed, label, "" if passed else f"{label} said no")


def _is_async(function: Callable[..., Any]) -> bool:
    made_of = (function, type(function).__call__, getattr(function, "func", None))
    return any(
        inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one) for one in made_of
    )


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
