"""Names on a `%%route` line -> the notebook's functions, schemas and assertions."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from nbroute.checks import NAMES as CHECKS
from nbroute.checks import own
from nbroute.checks.structured import Schema, read_schema
from nbroute.classify.registry import FORMER
from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.errors import NbrouteError, SettingsError, did_you_mean
from nbroute.interpolate import interpolate, looked, raised, users
from nbroute.report.table import shortened
from nbroute.sandbox import TestsCheck, assertions_of
from nbroute.settings import load
from nbroute.types import Check

Space = Mapping[str, Any]


@contextmanager
def used(name: str, kind: str) -> Iterator[None]:
    """Say in one line which of the user's objects cannot even be looked at, and for what."""
    try:
        yield
    except NbrouteError:
        raise
    except Exception as error:  # noqa: BLE001 - proxies and lazy objects may raise anything
        raise SettingsError(f"{name!r:.80} cannot be used as {kind} ({raised(error)})") from None


def answering(space: Space, wanted: Any) -> dict[str, Any]:
    """The options that any answer can have, as `Router.route` takes them."""
    alike = "system max_tokens temperature effort repeat max_cost over_budget json feature"
    return {
        **{name: getattr(wanted, name) for name in alike.split()},
        "classifier": classifier(space, wanted.classifier),
        "schema": schema(space, wanted.schema),
        "checks": tuple(_check(space, name) for name in wanted.check),
        "cache": "off" if wanted.no_cache else wanted.cache,
    }


def systems(space: Space, wanted: Any) -> dict[str, str] | None:
    """The system prompts to compare, by name; None if there is at most one.

    That one's text is left in `wanted.system`.
    """
    words = [
        word.strip()
        for text in wanted.system or ()
        for word in (text.split(",") if text.startswith("@") else [text])
    ]
    found = {
        word if word.startswith("@") else f"{place}: {shortened(word, 40)}": system(space, word)
        for place, word in enumerate(words, 1)
    }
    wanted.system = next(iter(found.values())) if len(found) == 1 else None
    return found if len(found) > 1 else None


def system(space: Space, word: str) -> str:
    """A system prompt: the text with its placeholders filled, or that of `@NAME` in the settings.

    The settings are read each time, as these prompts change most often.
    """
    if not re.fullmatch(r"@\S*", word):
        return interpolate(word, space)
    settings = load(replay=False)
    if word[1:] not in settings.prompts:
        known = [f"@{name}" for name in settings.prompts]
        hint = f"{did_you_mean(word, known)} Or " if known else ""
        file = settings.source_file or "nbroute.toml"
        key = word[1:61] if re.fullmatch(r"[A-Za-z\d_-]+", word[1:]) else f'"{word[1:61]}"'
        raise SettingsError(
            f"no system prompt is called {word!r:.60}: {hint}"
            f'define it under [prompts] in {file}: {key} = "You are ..."'
        )
    return settings.prompts[word[1:]]


def prompts() -> tuple[str, ...]:
    """What `@NAME` can be; none if the settings cannot be read."""
    return looked(lambda: tuple(f"@{name}" for name in load(replay=False).prompts), ())


def table(space: Space, asked: str) -> Any:
    """The table that `--over` names: a variable that is one, or lists of those names."""
    names = [name.strip() for name in asked.split(",")]
    fit = [one for one in users(space) if looked(partial(_is_table, space[one]), otherwise=False)]
    values = [_defined(space, name, fit) for name in names]
    value = values[0]
    rows = isinstance(value, list | tuple) and value and all(isinstance(v, Mapping) for v in value)
    if len(names) == 1 and (rows or isinstance(value, Mapping) or hasattr(value, "columns")):
        return value
    return dict(zip(names, values, strict=True))


def _is_table(value: Any) -> bool:
    return isinstance(value, list | tuple | Mapping) or hasattr(value, "columns")


def source(space: Space, name: str) -> Any:
    """What to measure on: a CSV file, or the notebook's table, grid or audit of that name."""
    if name.endswith(".csv"):
        return name
    found = _defined(space, name, users(space))
    return found if looked(lambda: callable(found.frame), otherwise=False) else table(space, name)


def classifier(space: Space, name: str | None) -> Any:
    """The name of a built-in classifier unchanged, or the notebook's function or object."""
    if name is None or name in (*CLASSIFIERS, FORMER):
        return name
    if looked(lambda: hasattr(space.get(name), "classify"), otherwise=False):
        return space[name]
    return _function(space, name, "classifier", CLASSIFIERS)


def schema(space: Space, name: str | None) -> Schema | None:
    """The notebook's schema of that name; None for none."""
    if name is None:
        return None
    fit = [one for one in users(space) if issubclass(type(space[one]), type | dict)]
    with used(name, "a schema"):
        return read_schema(_defined(space, name, fit))


def functions(space: Space) -> list[str]:
    """The user's own functions and callable objects, not those of a library."""
    return [name for name in users(space) if looked(partial(_is_function, space[name]), False)]


def _is_function(value: Any) -> bool:
    if not callable(value) or issubclass(type(value), type):
        return False
    home = str(value.__module__).partition(".")[0]
    file = str(getattr(sys.modules.get(home), "__file__", ""))
    return home not in sys.stdlib_module_names and "site-packages" not in file


def _check(space: Space, name: str) -> str | Check:
    """A check's name, or the function of that name; `tests=NAME` runs code against assertions."""
    kind, _, value = name.partition("=")
    if kind == "tests":
        with used(value, "tests"):
            return TestsCheck(assertions_of(_defined(space, value, users(space)), value), value)
    if not callable(space.get(name)) and (kind.removeprefix("no-") in CHECKS or name != kind):
        return name  # a wrong name or value is an error where checks are read
    with used(name, "a check"):
        return own(_function(space, name, "check", CHECKS), name)


def _defined(space: Space, name: str, known: Sequence[str]) -> Any:
    if name not in space:
        hint = did_you_mean(name, known) if known else "define it in a cell above"
        raise SettingsError(f"{name!r:.80} is not defined in this notebook: {hint}")
    return space[name]


def _function(space: Space, name: str, kind: str, built_in: Sequence[str]) -> Any:
    found = space.get(name)
    if not callable(found):
        what = "is not a function" if name in space else "is not defined"
        hint = did_you_mean(name, [*built_in, *functions(space)])
        raise SettingsError(f"unknown {kind}: {name!r:.80} {what} in this notebook: {hint}")
    return found
