"""Files that somebody put into a `more/` folder, or why one of them cannot be used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from inspect import signature
from pkgutil import iter_modules
from traceback import extract_tb
from types import ModuleType
from typing import Any

from nbroute.errors import SettingsError, named


def modules_of(package: str) -> dict[str, ModuleType]:
    """The modules in a package's folder by name, imported: to put a file there is to add it.

    SettingsError for a file that cannot be imported.
    """
    folder = import_module(package).__path__
    return {one.name: _imported(package, one.name, folder[0]) for one in iter_modules(folder)}


def _imported(package: str, name: str, folder: str) -> ModuleType:
    try:
        return import_module(f"{package}.{name}")
    except SettingsError:
        raise
    except Exception as error:
        file = f"{folder}/{name}.py"
        lines = [one.lineno for one in extract_tb(error.__traceback__) if one.filename == file]
        where = f" at line {lines[-1]}" if lines else ""
        raise SettingsError(f"{file} cannot be imported: {named(error)}{where}") from error


def demanded(module: ModuleType, name: str, usable: Callable[[Any], bool], cure: str) -> Any:
    """What the file of the module calls that; SettingsError with the cure if it cannot be used."""
    value = getattr(module, name, None)
    if not usable(value):
        lacks = "its {} cannot be used" if hasattr(module, name) else "it has no {}"
        raise refused(module, f"{lacks.format(name)}; {cure}")
    return value


def refused(module: ModuleType, problem: str) -> SettingsError:
    """The error for a file that somebody added; corrected, the file is imported anew."""
    sys.modules.pop(module.__name__, None)
    file = getattr(module, "__file__", module.__name__)
    return SettingsError(f"{file}: {problem}. CONTRIBUTING.md has an example.")


def can_take(function: Any, *values: object, **named_values: object) -> bool:
    """Whether it can be called with those."""
    try:
        signature(function).bind(*values, **named_values)
    except (TypeError, ValueError):
        return False
    return True


def distinct(*names: str, added: Iterable[tuple[str, ModuleType]]) -> tuple[str, ...]:
    """The names; SettingsError for a file that was added under the name of another."""
    for name, module in added:
        if names.count(name) > 1:
            raise refused(module, f"the name {name!r} is taken; give this one another")
    return names
