"""Reply -> Verdict: whether an answer will do, or the next tier should be asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from nbroute.types import Check, Options, Reply, Verdict


def not_truncated(reply: Reply) -> Verdict:
    """Fails an answer that ended because the token budget was used up."""
    cut = reply.finish_reason == "length"
    return Verdict(not cut, "not_truncated", "cut off by the token budget" if cut else "")


def valid_json(reply: Reply) -> Verdict:
    """Fails an answer that is not one JSON value (a code fence around it is forgiven)."""
    try:
        json.loads(without_fence(reply.text))
    except ValueError as error:
        return Verdict(False, "valid_json", f"not JSON: {error}")
    return Verdict(True, "valid_json")


def without_fence(text: str) -> str:
    """The text without the Markdown code fence that models like to put around JSON."""
    lines = text.strip().split("\n")
    fenced = len(lines) > 1 and lines[0].startswith("```") and lines[-1].strip() == "```"
    return "\n".join(lines[1:-1]) if fenced else text.strip()


def own(function: Callable[[str], Any], name: str | None = None) -> Check:
    """A check out of the user's function of the answer's text.

    It may return a bool, a `Verdict`, or a string that says what is wrong (empty: nothing).
    """
    label: str = name or getattr(function, "__name__", None) or "check"

    def check(reply: Reply) -> Verdict:
        return _as_verdict(function(reply.text), label)

    check.__name__ = label
    return check


def _as_verdict(outcome: object, label: str) -> Verdict:
    if isinstance(outcome, Verdict):
        return outcome
    if isinstance(outcome, str):
        return Verdict(not outcome, label, outcome)
    return Verdict(bool(outcome), label, "" if outcome else f"{label} said no")


def wanted(options: Options) -> tuple[Check, ...]:
    """The checks that the options ask for, in the order in which they are made."""
    found = [not_truncated] if options.strategy == "cascade" else []
    if options.json:
        found.append(valid_json)
    return (*found, *options.checks)


def judge(reply: Reply, checks: tuple[Check, ...]) -> tuple[Verdict, ...]:
    """The checks' verdicts in order, up to the first that fails.

    A check that raises fails the answer, and its verdict says with what.
    """
    verdicts: list[Verdict] = []
    for check in checks:
        verdicts.append(_verdict_of(check, reply))
        if not verdicts[-1].passed:
            break
    return tuple(verdicts)


def _verdict_of(check: Check, reply: Reply) -> Verdict:
    label: str = getattr(check, "__name__", type(check).__name__)
    try:
        return _as_verdict(check(reply), label)
    except Exception as error:  # noqa: BLE001 - a broken check is a verdict, not a crash
        return Verdict(False, label, f"the check raised {type(error).__name__}: {error}")
