"""What a chart shows, before it is drawn: panels of bars or of points, and their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from nbroute.pricing import format_usd

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """A bar, a part of one, or a point: `told` says it in words, `row` is its line of the table.

    `part` is its name in the legend. A point is `up` at a share, between `low` and `high`.
    """

    name: str
    size: float
    told: str
    row: Row
    colour: str
    part: str = ""
    faint: bool = False
    up: float = 0.0
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class Panel:
    """Marks along one axis; `ends` are the names in their order, with the words at their ends.

    Points stand between the two shares of `span`; `curve` are other ones, along and up, that a
    line goes through.
    """

    axis: str
    marks: Sequence[Mark]
    ends: dict[str, str]
    unit: Literal["usd", "calls", "share", "seconds"] = "usd"
    kind: Literal["bars", "points"] = "bars"
    span: tuple[float, float] = (0.0, 1.0)
    curve: Sequence[tuple[float, float]] = ()

    def height(self, share: float) -> float:
        """How far up the share is, 0 to 1."""
        low, high = self.span
        return (share - low) / (high - low)

    @property
    def parts(self) -> dict[str, Mark]:
        """The legend: each name that a part has, and a mark that looks like it."""
        return {mark.part: mark for mark in self.marks if mark.part}

    @property
    def coloured(self) -> bool:
        """Whether each part has one colour, wherever it is."""
        return bool(self.parts) and all(m.colour == self.parts[m.part].colour for m in self.marks)

    @property
    def named(self) -> list[Mark]:
        """The points whose names have room, the last first; tooltips and the table name all."""
        found: list[Mark] = []
        for mark in reversed(self.marks):
            ahead = (one for one in self.marks if one.size - mark.size > 0.02 * self.longest)
            if not any(self._close(mark, one) for one in [*ahead, *found]):
                found.append(mark)
        return found

    def _close(self, one: Mark, other: Mark) -> bool:
        beside = abs(one.size - other.size) < 0.2 * self.longest
        return beside and abs(self.height(one.up) - self.height(other.up)) < 0.1

    def length(self, name: str) -> float:
        """What the parts of one bar come to."""
        return sum(mark.size for mark in self.marks if mark.name == name)

    @property
    def longest(self) -> float:
        """What the whole width stands for."""
        return 1.0 if self.unit == "share" else max(map(self.length, self.ends)) or 1.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Drawing:
    """The panels of one chart; `lead` says what they come to."""

    name: str
    title: str
    lead: str
    panels: Sequence[Panel] = ()

    def __post_init__(self) -> None:
        """Leave out panels with nothing on them."""
        object.__setattr__(self, "panels", [panel for panel in self.panels if panel.marks])

    @property
    def rows(self) -> list[Row]:
        """The figures that it draws, a mark a row."""
        return [mark.row for panel in self.panels for mark in panel.marks]

    @property
    def alt(self) -> str:
        """What there is to see, in words."""
        told = "; ".join(mark.told for panel in self.panels for mark in panel.marks)
        return ". ".join(filter(None, [f"{self.title}: {self.lead}", told])) + "."

    @property
    def compares(self) -> bool:
        """Whether there are two bars to compare; one is a sentence, not a chart."""
        return any(sum(panel.length(name) > 0 for name in panel.ends) > 1 for panel in self.panels)


def in_usd(amount: float) -> str:
    """The amount in words; below a picodollar a sum of floats is only rounding error."""
    return format_usd(Decimal(repr(round(amount, 12))))


def in_words(column: str, value: Any) -> str:
    """What a table shows of a column."""
    if value is None:
        return "unknown"
    match column:
        case "usd":
            return in_usd(value)
        case "share" | "rate":
            return f"{value:.0%}"
        case "seconds":
            return f"{value:.2f} s"
    return f"{value:,}" if isinstance(value, int) else str(value)
