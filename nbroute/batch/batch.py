"""The rows of a batch as a sequence, read from its file as they are asked for."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from nbroute.batch.rows import FIELDS, KINDS, Row, as_row
from nbroute.batch.spool import ALL, Spool
from nbroute.report import Spend

if TYPE_CHECKING:
    import pandas as pd

_FRAME_KINDS = {"float": "float64", "Decimal": "float64", "int": "int64", "bool": "bool"}


class Batch(Sequence[Row]):
    """What became of many prompts, a `Row` each, in the order of the prompts.

    The rows stay in a file and are read when they are looked at. `stopped` says why prompts
    were left out (the budget, a refused key, Ctrl-C), and is empty otherwise.
    """

    def __init__(
        self, spool: Spool, count: int = ALL, *, stopped: str = "", to: Path | None
    ) -> None:
        self.stopped = stopped
        self.to = to
        self.spool = spool
        self._below = count
        self._count = spool.count(count)
        self._gapless = spool.last(count) + 1 == self._count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step < 0:
                return list(self)[place]
            return list(itertools.islice(self._from(start), 0, max(stop - start, 0), step))
        number = place + len(self) if place < 0 else place
        inside = 0 <= number < len(self)
        row = self.spool.row(number, gapless=self._gapless) if inside else None
        if row is None:
            raise IndexError(f"row {place} of a batch of {len(self):,}")
        return row

    def __iter__(self) -> Iterator[Row]:
        return self._from(0)

    def __repr__(self) -> str:
        """How it went, in a line: no prompts, no answers."""
        count, failed = len(self), self.spool.count(self._below, failed=True)
        outcome = f"{count:,} rows: {count - failed:,} answered, {failed:,} failed; {self.cost}"
        place = f"; in {str(self.to)!r}" if self.to else ""
        stopped = f"; {self.stopped}" if self.stopped else ""
        return f"<Batch of {outcome}{place}{stopped}>"

    @property
    def cost(self) -> Spend:
        """What the rows cost together; what an earlier try of a row cost is in the ledger alone."""
        return self.spool.spend(self._below)

    def failed(self) -> list[Row]:
        """The rows that have no answer: errors, interrupted ones, those that were not sent."""
        return [
            as_row(values) for page in self.spool.pages(self._below, failed=True) for values in page
        ]

    def frame(self) -> pd.DataFrame:
        """One line a row; money as floats (NaN where it is not known)."""
        import pandas as pd

        values = [values for page in self.spool.pages(self._below) for values in page]
        frame = pd.DataFrame(values, columns=list(FIELDS))
        frame = frame.astype(
            {name: _FRAME_KINDS.get(kind, "object") for name, kind in KINDS.items()}
        )
        frame["data"] = [json.loads(one) if isinstance(one, str) else None for one in frame["data"]]
        return frame

    def _from(self, number: int) -> Iterator[Row]:
        rows = (as_row(values) for page in self.spool.pages(self._below) for values in page)
        return itertools.islice(rows, number, None)
