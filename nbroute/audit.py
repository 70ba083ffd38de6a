"""What saved notebooks say they spent: the records in their outputs' metadata, with no kernel.

A notebook holds what its outputs show: a cell that was run again or cleared keeps no trace of
the call before. The ledger has every call; the audit has what a file can prove. Anybody can
write a notebook, so every field is checked.
"""

from __future__ import annotations

import glob
import json
import os
import re
import reprlib
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args, get_type_hints

import msgspec

from nbroute.errors import SettingsError, did_you_mean
from nbroute.report import Spend
from nbroute.report.metadata import SCHEMA
from nbroute.types import CostSource, Purpose, Status

if TYPE_CHECKING:
    import pandas as pd

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
Row = dict[str, Any]


class Place(NamedTuple):
    """A cell of a notebook: its number from 1, of all cells, and `[n]`, its execution count."""

    notebook: str
    cell: int
    execution: int | None

    def __str__(self) -> str:
        count = "" if self.execution is None else f" [{self.execution}]"
        return f"{self.notebook}, cell {self.cell}{count}"


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """An attempt of a recorded answer; `result` is the answer's id.

    `cost_usd` is None where it is not known. With `cost_source` "equivalent" nothing was billed.
    """

    place: Place
    result: str
    ts: float
    tier: str
    model: str
    purpose: Purpose
    status: Status
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    cost_source: CostSource
    cached: bool

    @property
    def row(self) -> Row:
        """As one flat row."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        usd = None if self.cost_usd is None else float(self.cost_usd)
        return self.place._asdict() | fields | {"cost_usd": usd}


_FIELDS = tuple(name for name in RecordedAttempt.__dataclass_fields__ if name != "place")


class Skipped(NamedTuple):
    """A record that was not counted, and why."""

    place: Place
    why: str

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


class Line(NamedTuple):
    """What one tier, model, notebook or cell cost; `tokens` are (input, output)."""

    key: Row
    spend: Spend
    tokens: tuple[int, int]

    @classmethod
    def of(cls, key: Row, attempts: Iterable[RecordedAttempt]) -> Line:
        """The attempts together; what came out of a cache cost nothing."""
        spend, tokens = Spend(), (0, 0)
        by_source: dict[str, list[RecordedAttempt]] = {}
        for one in attempts:
            by_source.setdefault(one.cost_source, []).append(one)
            tokens = (tokens[0] + one.input_tokens, tokens[1] + one.output_tokens)
        for source, those in by_source.items():
            sent = [one.cost_usd for one in those if not one.cached]
            known = [usd for usd in sent if usd is not None]
            total, cached = float(sum(known, Decimal(0))), len(those) - len(sent)
            spend += Spend.of_source(source, total, len(those), cached, len(sent) - len(known))
        return cls(key, spend, tokens)

    @property
    def row(self) -> Row:
        """As one flat row; the two amounts are never to be added."""
        spend = self.spend
        return self.key | {
            "calls": spend.calls,
            "cached_calls": spend.cached_calls,
            "input_tokens": self.tokens[0],
            "output_tokens": self.tokens[1],
            "usd": float(spend.usd),
            "equivalent_usd": float(spend.equivalent_usd),
            "unknown_calls": spend.unknown_calls,
        }


_KEYS: Mapping[str, Callable[[RecordedAttempt], Row]] = {
    "tier": lambda one: {"tier": one.tier},
    "model": lambda one: {"model": one.model},
    "notebook": lambda one: {"notebook": one.place.notebook},
    "cell": lambda one: one.place._asdict(),
}


@dataclass(frozen=True, slots=True)
class Audit:
    """What saved notebooks say they spent.

    `notebooks` are the files that were read, `calls` all recorded attempts. `repeated` has the
    places that show an answer again that was counted elsewhere; `skipped` the records that
    cannot be true, `unread` the files that are not notebooks.
    """

    notebooks: tuple[str, ...]
    calls: tuple[RecordedAttempt, ...]
    repeated: tuple[tuple[str, Place], ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def spend(self) -> Spend:
        """All calls together: real money, what was not billed, and what is not known."""
        return self.total.spend

    @property
    def total(self) -> Line:
        """All calls together, with their tokens."""
        return Line.of({}, self.calls)

    @property
    def answers(self) -> int:
        """How many answers the calls belong to."""
        return len({call.result for call in self.calls})

    def by(self, group: str) -> tuple[Line, ...]:
        """The totals by `tier`, `model`, `notebook` or `cell`.

        Tiers and models come most expensive first, notebooks and cells as they were read.
        """
        if group not in _KEYS:
            raise SettingsError(f"there is no {group!r} to total by; {did_you_mean(group, _KEYS)}")
        grouped: dict[Hashable, list[RecordedAttempt]] = {}
        for call in self.calls:
            grouped.setdefault(tuple(_KEYS[group](call).values()), []).append(call)
        lines = [Line.of(_KEYS[group](calls[0]), calls) for calls in grouped.values()]
        if group in ("tier", "model"):
            lines.sort(key=lambda x: (-x.spend.usd, -x.spend.equivalent_usd, -x.spend.calls))
        return tuple(lines)

    def frame(self, by: str | None = None) -> pd.DataFrame:
        """One row for each call; with `by`, for each tier, model, notebook or cell."""
        import pandas as pd

        return pd.DataFrame(self.rows(by), columns=self.columns(by))

    def rows(self, by: str | None = None) -> list[Row]:
        """The rows of `frame`, without pandas."""
        return [one.row for one in (self.calls if by is None else self.by(by))]

    def columns(self, by: str | None = None) -> list[str]:
        """The columns of `frame`, also where there is no row."""
        if by is None:
            return [*Place._fields, *_FIELDS]
        return [*(Place._fields if by == "cell" else (by,)), *Line.of({}, ()).row]


def audit(paths: Paths = ".") -> Audit:
    """What the notebooks say they spent: files, folders (walked) or patterns like `*.ipynb`.

    An answer that several cells or notebooks show is counted once, where it is read first.
    What cannot be read raises nothing: it is in `unread` and `skipped`.
    """
    read: list[str] = []
    calls: list[RecordedAttempt] = []
    homes: dict[str, Place] = {}
    repeated: dict[tuple[str, Place], None] = {}
    skipped: list[Skipped] = []
    unread: list[str] = []
    named = [paths] if isinstance(paths, str | os.PathLike) else paths
    for path in _notebooks(named, unread.append):
        try:
            outputs = _outputs(path)
        except SettingsError as error:
            unread.append(str(error))
            continue
        read.append(str(path))
        for place, said in outputs:
            for record in _records(said):
                if isinstance(record, str):
                    skipped.append(Skipped(place, record))
                elif record.id not in homes:
                    homes[record.id] = place
                    calls += [one.at(place, record) for one in record.attempts]
                elif homes[record.id] != place:
                    repeated[record.id, place] = None
    return Audit(tuple(read), tuple(calls), tuple(repeated), tuple(skipped), tuple(unread))


def _notebooks(
    paths: Iterable[str | os.PathLike[str]], refuse: Callable[[str], None]
) -> Iterator[Path]:
    """The notebooks that are meant, each file once; `refuse` is told of what is not there."""
    seen: set[str] = set()
    for path in map(Path, paths):
        found: Iterable[Path] = [path]
        if os.path.isdir(path):  # noqa: PTH112 - raises nothing
            found = _within(path, refuse)
        elif not os.path.lexists(path) and set("*?[") & set(str(path)):
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - also absolute ones
            found = [
                one
                for match in map(Path, matches)
                for one in (_within(match, refuse) if match.is_dir() else [match])
            ]
            if not matches:
                refuse(f"no file matches {str(path)!r}")
        for one in found:
            real = str(one) if "\0" in str(one) else os.path.realpath(one)
            if real not in seen:
                seen.add(real)
                yield one


def _within(folder: Path, refuse: Callable[[str], None]) -> Iterator[Path]:
    """Walks without the hidden folders, and without following links to folders."""

    def refused(error: OSError) -> None:
        refuse(f"cannot read the folder {str(error.filename)!r}: {error.strerror}")

    for root, folders, names in os.walk(folder, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if name.endswith(".ipynb"))


def _outputs(path: Path) -> list[tuple[Place, Any]]:
    """What each output says under the key "nbroute", unchecked.

    Without nbformat, which validates slowly. SettingsError where the file is not a notebook.
    """
    notebook = _parsed(path)
    holders = [notebook, *_listed(notebook, "worksheets")]  # format 3 has its cells in these
    if not any(isinstance(_get(one, "cells"), list) for one in holders):
        raise SettingsError(f"{str(path)!r} is not a notebook: it is JSON with no list of cells")
    found = []
    cells = [cell for holder in holders for cell in _listed(holder, "cells")]
    for number, cell in enumerate(cells, start=1):
        count = _get(cell, "execution_count", _get(cell, "prompt_number"))
        execution = count if isinstance(count, int) and not isinstance(count, bool) else None
        for output in _listed(cell, "outputs"):
            metadata = _get(output, "metadata")
            if isinstance(metadata, Mapping) and "nbroute" in metadata:
                found.append((Place(str(path), number, execution), metadata["nbroute"]))
    return found


def _get(value: Any, key: str, default: Any = None) -> Any:
    return value.get(key, default) if isinstance(value, Mapping) else default


def _listed(value: Any, key: str) -> list[Any]:
    found = _get(value, key)
    return found if isinstance(found, list) else []


def _parsed(path: Path) -> Any:
    try:
        if path.exists() and not path.is_file():
            raise SettingsError(f"{str(path)!r} is not a file")
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or error
        raise SettingsError(f"cannot read the notebook {str(path)!r}: {why}") from None
    try:
        # Integers of thousands of digits may stand in somebody's output; Python refuses them.
        return json.loads(content, parse_int=lambda n: int(n) if len(n) < 300 else float(n))
    except UnicodeDecodeError:
        why = "it is not text"
    except json.JSONDecodeError as error:
        why = f"not JSON ({error.msg}, line {error.lineno})"
    except RecursionError:
        why = "nested too deeply"
    why = why if content.strip() else "the file is empty"
    raise SettingsError(f"{str(path)!r} is not a notebook: {why}")


# Far above any real call, and far below what breaks a sum.
_Usd = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=253_402_300_800)]  # until the year 10000
_Name = Annotated[str, msgspec.Meta(max_length=200)]
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class _Attempt(msgspec.Struct):
    tier: _Name
    model: _Name
    purpose: Purpose
    status: Status
    input_tokens: _Tokens
    output_tokens: _Tokens
    cost_usd: _Usd | None
    cost_source: CostSource
    cached: bool

    def __post_init__(self) -> None:
        if self.cost_source == "unknown" and self.cost_usd:
            raise ValueError(f"'cost_usd' is {self.cost_usd}, and its source is 'unknown'")

    def at(self, place: Place, record: _Record) -> RecordedAttempt:
        """With its cost as a Decimal, and where it was found."""
        fields = msgspec.structs.asdict(self)
        usd = None if self.cost_usd is None else Decimal(repr(self.cost_usd))
        return RecordedAttempt(place, record.id, record.ts, **fields | {"cost_usd": usd})


class _Record(msgspec.Struct):
    id: _Id
    ts: _Seconds
    attempts: Annotated[list[_Attempt], msgspec.Meta(min_length=1)]


class _Others(msgspec.Struct):
    """What hangs on a record: the answers that it escalates, or those that were compared."""

    earlier: list[Any] = []
    compared: list[Any] | None = None


def _records(said: Any) -> list[_Record | str]:
    """Every record in it, oldest first; for one that cannot be true, why."""
    found: list[_Record | str] = []
    waiting = deque([said])
    while waiting:
        one = waiting.popleft()
        schema = _get(one, "schema")
        if not isinstance(one, Mapping):
            found.append(f"it is a {type(one).__name__}, not a record of nbroute")
        elif schema != SCHEMA or isinstance(schema, bool):
            found.append(f"its schema is {_short(schema)}; this nbroute reads {SCHEMA}")
        else:
            try:
                others = msgspec.convert(one, _Others)
                waiting += [*others.earlier, *reversed(others.compared or [])]
                if others.compared is None:
                    found.append(msgspec.convert(one, _Record))
            except msgspec.ValidationError as error:
                found.append(_fault(str(error), one))
    return found[::-1]


def _fault(error: str, record: Mapping[str, Any]) -> str:
    """Msgspec's words with the value in them, and with all that would be allowed."""
    said, _, path = error.partition(" - at `$.")
    path = path.rstrip("`")
    if missing := re.search("missing required field `(.*)`", said):
        return f"'{path}{'.' if path else ''}{missing[1]}' is missing"
    value: Any = record
    for key, index in re.findall(r"(\w+)|\[(\d+)\]", path):
        value = value[int(index)] if index else value[key]
    name = path.rpartition(".")[2]
    if said.startswith("Invalid enum"):
        allowed = ", ".join(sorted(get_args(get_type_hints(_Attempt)[name])))
        return f"{name!r} is {_short(value)}, not one of {allowed}"
    if not said.startswith("Expected"):
        return said
    is_long = isinstance(value, str) and len(value) > 100
    shown = f"has {len(value):,} characters" if is_long else f"is {_short(value)}"
    return f"{name!r} {shown}: e{said[1:].replace('`', '')}"


def _short(value: Any) -> str:
    """The value in at most about 40 characters."""
    return reprlib.repr(value)[:60]
