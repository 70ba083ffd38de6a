"""Calls -> what they cost together, by tier, model, notebook or cell."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from nbroute.audit.calls import Call, Place
from nbroute.errors import SettingsError, did_you_mean
from nbroute.report.spend import Spend

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]


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


_KEYS: Mapping[str, Callable[[Call], Row]] = {
    "tier": lambda call: {"tier": call.tier},
    "model": lambda call: {"model": call.model},
    "notebook": lambda call: {"notebook": call.place.notebook},
    "cell": lambda call: call.place._asdict(),
}
GROUPS = tuple(_KEYS)


@dataclass(frozen=True, slots=True)
class Audit:
    """What saved notebooks say they spent.

    `notebooks` are the files that were read, `calls` all recorded calls. `repeated` has the
    places where an answer stands again that was counted elsewhere; `skipped` the records that
    cannot be true, `unread` the files that are no notebooks.
    """

    notebooks: tuple[str, ...]
    calls: tuple[Call, ...]
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
        return _line({}, self.calls)

    @property
    def answers(self) -> int:
        """How many answers the calls belong to."""
        return len({call.result for call in self.calls})

    def by(self, group: str) -> tuple[Line, ...]:
        """The totals by `tier`, `model`, `notebook` or `cell`.

        Tiers and models come dearest first, notebooks and cells as they were read.
        """
        if group not in _KEYS:
            raise SettingsError(f"there is no {group!r} to total by; {did_you_mean(group, GROUPS)}")
        grouped: dict[Hashable, list[Call]] = {}
        for call in self.calls:
            grouped.setdefault(tuple(_KEYS[group](call).values()), []).append(call)
        lines = tuple(_line(_KEYS[group](calls[0]), calls) for calls in grouped.values())
        return lines if group in ("notebook", "cell") else tuple(sorted(lines, key=_dearest))

    def frame(self, by: str | None = None) -> pd.DataFrame:
        """One row for each call; with `by`, for each tier, model, notebook or cell."""
        import pandas as pd

        return pd.DataFrame(self.rows(by), columns=self.columns(by))

    def rows(self, by: str | None = None) -> list[Row]:
        """The rows of `frame`, without pandas."""
        return [_flat(call) for call in self.calls] if by is None else [x.row for x in self.by(by)]

    def columns(self, by: str | None = None) -> list[str]:
        """The columns of `frame`, also where there is no row."""
        if by is None:
            return [*Place._fields, *_FIELDS]
        return [*(Place._fields if by == "cell" else (by,)), *_line({}, ()).row]


_FIELDS = tuple(name for name in Call.__dataclass_fields__ if name != "place")


def _flat(call: Call) -> Row:
    cost = None if call.cost_usd is None else float(call.cost_usd)
    fields = {name: getattr(call, name) for name in _FIELDS}
    return call.place._asdict() | fields | {"cost_usd": cost}


def _line(key: Row, calls: Sequence[Call]) -> Line:
    by_source: dict[str, list[Call]] = {}
    for call in calls:
        by_source.setdefault(call.cost_source, []).append(call)
    spend = sum((_spend(source, those) for source, those in by_source.items()), Spend())
    given = sum(call.input_tokens for call in calls)
    return Line(key, spend, (given, sum(call.output_tokens for call in calls)))


def _spend(source: str, calls: Sequence[Call]) -> Spend:
    """What the calls cost; what came out of a cache cost nothing."""
    sent = [call.cost_usd for call in calls if not call.cached]
    known = [usd for usd in sent if usd is not None]
    total = float(sum(known, Decimal(0)))
    return Spend.of_source(
        source, total, len(calls), len(calls) - len(sent), len(sent) - len(known)
    )


def _dearest(line: Line) -> tuple[Any, ...]:
    return (-line.spend.usd, -line.spend.equivalent_usd, -line.spend.calls)
