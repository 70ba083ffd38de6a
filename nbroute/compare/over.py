"""One template over a table: a prompt for each row, each `{{name}}` a column of that name."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from nbroute.batch.jobs import is_missing
from nbroute.errors import PromptError, SettingsError, did_you_mean
from nbroute.interpolate import interpolate, names

_EXAMPLE = 'as in over={"word": ["cat", "dog"]} for {{word}}'


@dataclass(frozen=True)
class Filled(Sequence[Any]):
    """The prompts that a template makes of a table's rows, with an error for a row that has none.

    `rows` has the columns that the template names, `index` the table's own labels, if any.
    """

    prompts: Sequence[str | PromptError]
    rows: Sequence[Mapping[str, Any]]
    index: Any = None

    def __len__(self) -> int:
        return len(self.prompts)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        return self.prompts[place]


def filled(template: Any, over: Any, space: dict[str, Any] | None = None) -> Filled:
    """The template filled for each row of `over`.

    That is a DataFrame (pandas, Polars), a named Series, dicts in a list, or lists in a dict.
    A name that is not a column is looked up in `space`, the notebook's variables. SettingsError
    for what is not a table, PromptError, with close matches, for a name that is in neither.
    """
    if not isinstance(template, str):
        raise SettingsError(
            f"with over, the prompt is one text with {{{{name}}}} in it, not {template!r:.60}"
        )
    columns, rows = _table(over)
    wanted = names(template)
    unknown = [name for name in wanted if name not in columns and name not in (space or {})]
    listed = ", ".join(columns) or "none"
    if unknown:
        hint = did_you_mean(unknown[0], columns)
        raise PromptError(f"{{{{{unknown[0]}}}}}: the table has no such column; {hint}")
    used = [name for name in wanted if name in columns]
    if not rows:
        raise SettingsError(f"over has no rows, so there is nothing to ask (its columns: {listed})")
    if not used:
        raise PromptError(
            f"the prompt has none of the table's columns in it ({listed}), so each of "
            f"{len(rows):,} rows would ask the same; write {{{{{(columns or ['name'])[0]}}}}} in it"
        )
    chosen = [{name: row.get(name) for name in used} for row in rows]
    prompts = [_prompt(template, row, space or {}) for row in chosen]
    index = getattr(over, "index", None)  # a list has a method of that name
    return Filled(prompts, chosen, None if callable(index) else index)


def _prompt(template: str, row: dict[str, Any], space: dict[str, Any]) -> str | PromptError:
    missing = [name for name, value in row.items() if is_missing(value)]
    if missing:
        return PromptError(f"{' and '.join(missing)} missing in this row")
    try:
        prompt = interpolate(template, ChainMap(row, space))
    except PromptError as error:
        return error
    return prompt if prompt.strip() else PromptError("the prompt of this row is empty")


def _table(over: Any) -> tuple[list[str], list[dict[str, Any]]]:
    """The table's columns and its rows; SettingsError if it is not a table."""
    if isinstance(over, Mapping):
        return _of_lists(over)
    if hasattr(over, "columns"):
        columns = [str(name) for name in over.columns]
        twice = next((name for name in columns if columns.count(name) > 1), None)
        if twice is not None:
            raise SettingsError(f"over has two columns called {twice!r}; rename one")
        cells = (
            over.iter_rows()
            if hasattr(over, "iter_rows")
            else over.itertuples(index=False, name=None)
        )
        return columns, [dict(zip(columns, row, strict=True)) for row in cells]
    if hasattr(over, "to_frame") and isinstance(getattr(over, "name", None), str):
        return _of_lists({over.name: list(over)})
    if isinstance(over, str | bytes) or not isinstance(over, Iterable):
        raise SettingsError(f"over is {over!r:.60}; give a DataFrame or lists by name, {_EXAMPLE}")
    rows = list(over)
    wrong = next((row for row in rows if not isinstance(row, Mapping)), None)
    if wrong is not None or any(row is None for row in rows):
        raise SettingsError(
            f"over is a {type(over).__name__} with {wrong!r:.60} in it; give each list a name, "
            f"{_EXAMPLE}"
        )
    columns = list(dict.fromkeys(str(name) for row in rows for name in row))
    return columns, [{str(name): value for name, value in row.items()} for row in rows]


def _of_lists(over: Mapping[Any, Any]) -> tuple[list[str], list[dict[str, Any]]]:
    columns = {}
    for name, values in over.items():
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise SettingsError(f"over[{name!r}] is {values!r:.60}; give a list, {_EXAMPLE}")
        columns[str(name)] = list(values)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {count:,}" for name, count in lengths.items())
        raise SettingsError(f"over's lists are not equally long: {told}")
    return list(columns), [
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ]
