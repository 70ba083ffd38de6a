"""Names on a `%%route` line -> the notebook's functions, schemas and assertions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbroute.checks import NAMES as CHECKS
from nbroute.checks import own
from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.errors import SettingsError, did_you_mean
from nbroute.report.table import shortened
from nbroute.sandbox import TestsCheck, assertions_of
from nbroute.types import Check

if TYPE_CHECKING:
    from nbroute.router import Router

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


def systems(router: Router, wanted: Any) -> dict[str, str] | None:
    """The system prompts that are compared, by name; None where there is one at most.

    That one is left in `wanted.system`, as its text.
    """
    words = [
        word.strip()
        for text in wanted.system or ()
        for word in (text.split(",") if text.startswith("@") else [text])
    ]
    found = {
        word if word.startswith("@") else f"{place}: {shortened(word, 40)}": system(router, word)
        for place, word in enumerate(words, 1)
    }
    wanted.system = next(iter(found.values())) if len(found) == 1 else None
    return found if len(found) > 1 else None


def system(router: Router, word: str) -> str:
    """A system prompt: the text itself, or that of `@NAME` in the settings."""
    if not word.startswith("@"):
        return word
    known = getattr(router.settings, "prompts", {})
    if word[1:] not in known:
        hint = did_you_mean(word, [f"@{name}" for name in known]) if known else "there is none yet"
        raise SettingsError(
            f"no prompt is called {word!r:.60} in [prompts] of nbroute.toml: {hint}"
        )
    return str(known[word[1:]])


def table(space: Space, asked: str) -> Any:
    """The table that `--over` names: a variable that is one, or lists of those names."""
    names = [name.strip() for name in asked.split(",")]
    values = [_defined(space, name) for name in names]
    value = values[0]
    rows = isinstance(value, list | tuple) and value and all(isinstance(v, Mapping) for v in value)
    if len(names) == 1 and (rows or isinstance(value, Mapping) or hasattr(value, "columns")):
        return value
    return dict(zip(names, values, strict=True))


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
