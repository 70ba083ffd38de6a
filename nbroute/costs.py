"""What saved notebooks say they spent: the records in their outputs' metadata, with no kernel.

A cell that was run again or cleared has no trace of its earlier calls. The ledger has every
call; this is what a file alone can show. Anybody can write a notebook, so every field is checked.
"""

from __future__ import annotations

import glob
import os
import reprlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, field

from nbroute.decoding import decode, parse
from nbroute.errors import SettingsError, did_you_mean
from nbroute.report import Spend
from nbroute.report.metadata import SCHEMA
from nbroute.storage import content
from nbroute.types import CostSource, Purpose, Status

if TYPE_CHECKING:
    import pandas as pd

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
Row = dict[str, Any]


class Place(NamedTuple):
    """A cell of a notebook: its number among all cells, from 1, and `[n]`, its execution count."""

    notebook: str
    cell: int
    execution: int | None

    def __str__(self) -> str:
        count = "" if self.execution is None else f" [{self.execution}]"
        return f"{self.notebook}, cell {self.cell}{count}"


# Far above any real call, and far below what would break a sum.
_Usd = Annotated[float, Meta(ge=0, le=1e6)]
_Tokens = Annotated[int, Meta(ge=0, le=10**12)]
_Name = Annotated[str, Meta(max_length=200)]


class RecordedAttempt(msgspec.Struct, frozen=True):
    """An attempt of a recorded answer; `result` is the answer's id.

    `usd` is None if the cost is unknown. With `cost_source` "equivalent" nothing was billed.
    """

    place: Place
    result: str
    ts: float
    tier: _Name
    model: _Name
    purpose: Purpose
    status: Status
    input_tokens: _Tokens
    output_tokens: _Tokens
    usd: _Usd | None = field(name="cost_usd")
    cost_source: CostSource
    cached: bool

    def __post_init__(self) -> None:
        f"{self.result}{self.tier}{self.model}".encode()  # half a character cannot be shown
        if self.cost_source == "unknown" and self.usd:
            raise ValueError(f"cost_usd is {self.usd}, and its source is 'unknown'")

    @property
    def cost_usd(self) -> Decimal | None:
        """What it cost."""
        return None if self.usd is None else Decimal(repr(self.usd))

    @property
    def spend(self) -> Spend:
        """The cost by its source; from a cache it is nothing."""
        usd = 0 if self.cached else self.usd
        return Spend.of_source(self.cost_source, usd or 0, 1, self.cached, usd is None)

    @property
    def row(self) -> Row:
        """As one flat row."""
        fields: Row = msgspec.to_builtins(self)
        del fields["place"]
        return self.place._asdict() | fields


_FIELDS = RecordedAttempt.__struct_encode_fields__[1:]


class Skipped(NamedTuple):
    """A record that was not counted, and why."""

    place: Place
    why: str

    def __str__(self) -> str:
        return f"{self.place}: a record is not counted: {self.why}"


class Line(NamedTuple):
    """What one tier, model, notebook or cell cost; `tokens` are (input, output)."""

    key: Row
    spend: Spend
    tokens: tuple[int, int]

    @classmethod
    def of(cls, key: Row, attempts: Sequence[RecordedAttempt]) -> Line:
        """The attempts together."""
        spend = sum((one.spend for one in attempts), Spend())
        given = sum(one.input_tokens for one in attempts)
        return cls(key, spend, (given, sum(one.output_tokens for one in attempts)))

    @property
    def row(self) -> Row:
        """As one flat row; never add the two amounts."""
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


#: The groups to total by, and the columns that identify each.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "tier": ("tier",),
    "model": ("model",),
    "notebook": ("notebook",),
    "cell": Place._fields,
}


@dataclass(frozen=True, slots=True)
class Costs:
    """What saved notebooks say they spent.

    `notebooks` are the files that were read, `calls` all recorded attempts. `repeated` has the
    places that show an answer already counted elsewhere, `skipped` the records that cannot be
    true, `unread` the files that could not be read.
    """

    notebooks: tuple[str, ...]
    calls: tuple[RecordedAttempt, ...]
    repeated: tuple[tuple[str, Place], ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def spend(self) -> Spend:
        """All calls together: real money, what was not billed, and what is unknown."""
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
        if group not in GROUPS:
            raise SettingsError(f"there is no {group!r} to total by; {did_you_mean(group, GROUPS)}")
        grouped: dict[tuple[Any, ...], list[RecordedAttempt]] = {}
        for call in self.calls:
            row = call.row
            grouped.setdefault(tuple(row[name] for name in GROUPS[group]), []).append(call)
        lines = [
            Line.of(dict(zip(GROUPS[group], key, strict=True)), calls)
            for key, calls in grouped.items()
        ]
        if group in ("tier", "model"):
            lines.sort(key=lambda x: (-x.spend.usd, -x.spend.equivalent_usd, -x.spend.calls))
        return tuple(lines)

    def frame(self, by: str | None = None) -> pd.DataFrame:
        """One row for each call or, with `by`, for each tier, model, notebook or cell."""
        import pandas as pd

        return pd.DataFrame(self.rows(by), columns=self.columns(by))

    def rows(self, by: str | None = None) -> list[Row]:
        """The rows of `frame`, without pandas."""
        return [one.row for one in (self.calls if by is None else self.by(by))]

    def columns(self, by: str | None = None) -> list[str]:
        """The columns of `frame`, even if there are no rows."""
        if by is None:
            return [*Place._fields, *_FIELDS]
        return [*GROUPS[by], *Line.of({}, ()).row]


def costs(paths: Paths = ".") -> Costs:
    """What the notebooks say they spent: files, folders (walked) or patterns like `*.ipynb`.

    An answer in several cells or notebooks is counted once, where it is read first. What cannot
    be read or used raises nothing: it is in `unread` or `skipped`.
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
            for found in _records(place, said):
                if isinstance(found, Skipped):
                    skipped.append(found)
                elif (result := found[0].result) not in homes:
                    homes[result] = place
                    calls += found
                elif homes[result] != place:
                    repeated[result, place] = None
    return Costs(tuple(read), tuple(calls), tuple(repeated), tuple(skipped), tuple(unread))


def _notebooks(
    paths: Iterable[str | os.PathLike[str]], refuse: Callable[[str], None]
) -> Iterator[Path]:
    """The named notebooks, each file once; `refuse` gets a line about what does not exist."""
    seen: set[str] = set()
    for path in map(Path, paths):
        named = [path]
        if not os.path.lexists(path) and set("*?[") & set(str(path)):
            named = [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - absolute ones, too
            if not named:
                refuse(f"no file matches {str(path)!r}")
        for one in named:
            for file in _within(one, refuse) if os.path.isdir(one) else [one]:  # noqa: PTH112 - raises nothing
                real = str(file) if "\0" in str(file) else os.path.realpath(file)
                if real not in seen:
                    seen.add(real)
                    yield file


def _within(folder: Path, refuse: Callable[[str], None]) -> Iterator[Path]:
    """The notebooks in it, but not in hidden folders or behind links to folders."""

    def refused(error: OSError) -> None:
        refuse(f"cannot read the folder {str(error.filename)!r}: {error.strerror}")

    for root, folders, names in os.walk(folder, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if name.endswith(".ipynb"))


def _outputs(path: Path) -> list[tuple[Place, Any]]:
    """What each output has under the key "nbroute", unchecked.

    nbformat is not used, as it validates slowly. SettingsError if the file is not a notebook.
    """
    try:
        raw = content(path)
        notebook = parse(raw, bounded=False)  # an output may contain anything
    except OSError as error:
        why = error.strerror or str(error)
        raise SettingsError(f"cannot read the notebook {str(path)!r}: {why}") from None
    except ValueError as error:
        why = str(error) if raw.strip() else "the file is empty"
        raise SettingsError(f"{str(path)!r} is not a notebook: {why}") from None
    holders = [notebook, *_listed(notebook, "worksheets")]  # format 3 has its cells in these
    if not any(isinstance(_get(one, "cells"), list) for one in holders):
        raise SettingsError(f"{str(path)!r} is not a notebook: it is JSON with no list of cells")
    found = []
    cells = [cell for holder in holders for cell in _listed(holder, "cells")]
    for number, cell in enumerate(cells, start=1):
        count = _get(cell, "execution_count", _get(cell, "prompt_number"))
        execution = count if type(count) is int and abs(count) < 10**9 else None
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


class _Record(msgspec.Struct):
    id: Annotated[str, Meta(min_length=1, max_length=200)]
    ts: Annotated[float, Meta(ge=0, le=253_402_300_800)]  # the year 10000
    attempts: Annotated[list[dict[str, Any]], Meta(min_length=1)]


class _Others(msgspec.Struct):
    """What a record contains: the answers that it escalates, or those that were compared."""

    schema: Any = None
    earlier: list[Any] = []
    compared: list[Any] | None = None

    def __post_init__(self) -> None:
        if self.schema != SCHEMA or isinstance(self.schema, bool):
            shown = reprlib.repr(self.schema)
            raise ValueError(f"its schema is {shown}; this nbroute reads {SCHEMA}")


def _records(place: Place, said: Any) -> list[list[RecordedAttempt] | Skipped]:
    """The attempts of every record in it, oldest first, or why a record cannot be true."""
    found: list[list[RecordedAttempt] | Skipped] = []
    waiting = deque([said])
    while waiting:
        one = waiting.popleft()
        try:
            others = decode(one, _Others)
            waiting += [*others.earlier, *reversed(others.compared or [])]
            if others.compared is None:
                record = decode(one, _Record)
                about = {"place": place, "result": record.id, "ts": record.ts}
                found.append([decode(each | about, RecordedAttempt) for each in record.attempts])
        except ValueError as error:
            found.append(Skipped(place, str(error)))
    return found[::-1]
