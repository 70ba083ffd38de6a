"""Names on a `%%route` line -> the notebook's functions, schemas and assertions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbroute.checks import NAMES as CHECKS
from nbroute.checks import own
from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.errors import SettingsError, did_you_mean
from nbroute.sandbox import TestsCheck, assertions_of
from nbroute.types import Check

Space = Mapping[str, Any]

_SHELLS = ("In", "Out", "exit", "get_ipython", "open", "quit")


def answering(space: Space, wanted: Any) -> dict[str, Any]:
    """The options of every answer as `Router.route` takes them."""
    return {
        "classifier": classifier(space, wanted.classifier),
        "system": wanted.system,
        "max_tokens": wanted.max_tokens,
        "temperature": wanted.temperature,
        "max_cost": wanted.max_cost,
        "over_budget": wanted.over_budget,
        "json": wanted.json,
        "schema": schema(space, wanted.schema),
        "checks": checks(space, wanted.check),
        "feature": wanted.feature,
        "cache": "off" if wanted.no_cache else wanted.cache,
    }


def classifier(space: Space, name: str | None) -> Any:
    """The name of a built-in classifier as it is, else the notebook's function or object."""
    if name is None or name in CLASSIFIERS:
        return name
    if hasattr(space.get(name), "classify"):
        return space[name]
    return _function(space, name, "classifier", CLASSIFIERS)


def schema(space: Space, name: str | None) -> Any:
    """The notebook's schema of that name; None for none."""
    if name is None:
        return None
    if name not in space:
        kinds = [known for known, value in space.items() if _may_be_schema(known, value)]
        raise _undefined(name, kinds)
    return space[name]


def _may_be_schema(name: str, value: Any) -> bool:
    return _is_users(name) and isinstance(value, type | dict)


def _is_users(name: str) -> bool:
    """Whether the user made it, as far as a name tells: not what IPython puts there."""
    return not name.startswith("_") and name not in _SHELLS


def checks(space: Space, asked: Sequence[str]) -> tuple[str | Check, ...]:
    """The checks that the names stand for; `tests=NAME` runs code against assertions."""
    return tuple(_check(space, name) for name in asked)


def _check(space: Space, name: str) -> str | Check:
    kind, _, value = name.partition("=")
    if kind == "tests":
        return TestsCheck(assertions_of(_defined(space, value), value), value)
    if callable(space.get(name)):
        return own(space[name], name)
    if kind.removeprefix("no-") in CHECKS or name != kind:
        return name  # a wrong name or value is told where checks are read
    return own(_function(space, name, "check", CHECKS), name)


def _defined(space: Space, name: str) -> Any:
    if name not in space:
        raise _undefined(name, [one for one in space if _is_users(one)])
    return space[name]


def _undefined(name: str, known: Sequence[str]) -> SettingsError:
    hint = did_you_mean(name, known) if known else "define it in a cell above"
    return SettingsError(f"{name!r:.80} is not defined in this notebook: {hint}")


def _function(space: Space, name: str, kind: str, built_in: Sequence[str]) -> Any:
    found = space.get(name)
    if not callable(found):
        functions = [one for one in space if callable(space[one]) and _is_users(one)]
        what = "is not a function" if name in space else "is not defined"
        hint = did_you_mean(name, [*built_in, *functions])
        raise SettingsError(f"unknown {kind}: {name!r:.80} {what} in this notebook: {hint}")
    return found
