"""Rows of the ledger -> Report, in one pass; the report as text, frames and charts.

In frames, money is in US dollars, as floats: `usd` was billed, `equivalent_usd` was not. A sum of
which nothing is known is NaN, and `unknown_calls` counts the calls whose cost is in neither.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from nbroute.errors import SettingsError, did_you_mean
from nbroute.report.metrics import (
    Latency,
    Metrics,
    ReportRow,
    Spend,
    both_savings,
    model_to_name,
    votes_of,
)
from nbroute.report.text import text_of
from nbroute.types import Attempt, Label, Price

if TYPE_CHECKING:
    import pandas as pd

    from nbroute.report.figure import Figure

_AMOUNTS = ("calls", "cached_calls", "usd", "equivalent_usd", "unknown_calls")
_TIMES = ("timed_calls", "p50_ms", "p95_ms")
#: Each frame: the field of the report that it shows, and its columns; all but `_KINDS` are text.
_FRAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "tier": ("by_tier", ("tier", "results", "share", *_AMOUNTS, *_TIMES)),
    "model": ("by_model", ("model", *_AMOUNTS)),
    "feature": ("by_feature", ("feature", *_AMOUNTS)),
    "feature_day": ("by_feature_day", ("feature", "day", *_AMOUNTS)),
    "day": ("by_day", ("day", *_AMOUNTS)),
    "daily": ("by_day_tier", ("day", "tier", *_AMOUNTS)),
    "use": ("by_use", ("use", *_AMOUNTS)),
    "status": ("statuses", ("status", "calls")),
}
_COUNTS = ("results", "calls", "cached_calls", "unknown_calls", "timed_calls")
_KINDS = dict.fromkeys(_COUNTS, "int64") | dict.fromkeys(
    ("share", "usd", "equivalent_usd", "p50_ms", "p95_ms"), "float64"
)
_DAY_S = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
#: The purpose of a call, or what became of it -> what the report calls its use.
_USES = {
    "answer": "answering",
    "classify": "classifying",
    "embed": "embedding",
    "unused": "beside",
    "compared": "comparing",
    "audit": "auditing",
    "judge": "auditing",
}


@dataclass(frozen=True, slots=True, repr=False)
class Report(Metrics):
    """What a set of calls did; `print` it, or take its parts (`Metrics` says what they are)."""

    def __repr__(self) -> str:
        """The report as plain text."""
        return text_of(self)

    def frame(self, by: str = "tier") -> pd.DataFrame:
        """One row per tier: results, share, calls, spend, latency; or another of `frames()`.

        SettingsError for another name.
        """
        import pandas as pd

        if by not in _FRAMES:
            hint = did_you_mean(by, _FRAMES)
            raise SettingsError(f"a report has no frame by {by!r:.80}; {hint}")
        part, columns = _FRAMES[by]
        rows = [_row(self, key, found, columns) for key, found in getattr(self, part).items()]
        frame = pd.DataFrame(rows, columns=list(columns))
        return frame.astype({name: _KINDS.get(name, "object") for name in columns})

    def frames(self) -> dict[str, pd.DataFrame]:
        """All frames: tier, model, feature, feature_day, day, daily (day x tier), use, status.

        Days are UTC, and a frame without rows has its columns too.
        """
        return {name: self.frame(name) for name in _FRAMES}

    def charts(self) -> dict[str, Figure]:
        """Every chart, by name."""
        from nbroute.report.charts import CHARTS

        return {name: make(self) for name, make in CHARTS.items()}

    def chart(self, name: str) -> Figure:
        """The chart of that name; SettingsError for another."""
        from nbroute.report.charts import CHARTS

        if name not in CHARTS:
            raise SettingsError(f"{name!r:.80} is not a chart: {did_you_mean(name, CHARTS)}")
        return CHARTS[name](self)


def _row(report: Metrics, key: Any, found: Spend | int, columns: Sequence[str]) -> dict[str, Any]:
    """A row of a frame."""
    row = dict(zip(columns, key if isinstance(key, tuple) else (key,), strict=False))
    if isinstance(found, int):
        return row | {"calls": found}
    if "p50_ms" in columns:
        times = report.latency.get(key, (0, math.nan, math.nan))
        row |= dict(zip(_TIMES, times, strict=True))
        row |= {"results": report.answered.get(key, 0)}
        row |= {"share": report.tier_share.get(key, math.nan)}
    usd, equivalent = (
        math.nan if not found.of(free) and found.unknown(free) else float(found.of(free))
        for free in (False, True)
    )
    amounts = (found.calls, found.cached_calls, usd, equivalent, found.unknown_calls)
    return row | dict(zip(_AMOUNTS, amounts, strict=True))


def summarise(
    rows: Iterable[ReportRow | Attempt | Mapping[str, Any]],
    *,
    tiers: Sequence[str],
    baseline: str,
    price: Price | None,
    baseline_model: str = "",
    labels: Iterable[Label] = (),
) -> Report:
    """The report of these rows, oldest first, each attempt once.

    `tiers` are the ladder's, cheapest first; `price` is that of the `baseline` tier's model,
    None where it is not known. The saving assumes that this model would have answered in as
    many tokens. `labels` are oldest first.
    """
    tally = _Tally(tiers[0] if tiers else "")
    for row in map(_light, rows):
        tally.add(row)
    groups = tally.sums
    finals = {False: (0, 0), True: (0, 0)}
    for _, _, unbilled, read, wrote in tally.last():
        given, taken = finals[unbilled]
        finals[unbilled] = given + read, taken + wrote
    stands = Counter(tier for _, tier, *_ in tally.answers.values())
    by_tier = _sum(groups, lambda key: key.tier)
    names = tuple(dict.fromkeys((*tiers, *sorted(by_tier))))
    spend = sum(by_tier.values(), Spend())
    saving, equivalent_saving = both_savings(spend, finals, price)
    times = {name: tally.latencies[name] for name in names if name in tally.latencies}
    return Report(
        tiers=tuple(tiers),
        baseline=baseline,
        results=len(tally.roots),
        spend=spend,
        by_use=_sum(groups, lambda key: _USES.get(key.use, key.use)),
        by_tier={name: by_tier.get(name, Spend()) for name in names},
        by_model=_sum(groups, lambda key: key.model),
        by_feature=_sum(groups, lambda key: key.feature),
        by_feature_day=_sum(groups, lambda key: (key.feature, _iso(key.day))),
        by_day=_sum(groups, lambda key: _iso(key.day)),
        by_day_tier=_sum(groups, lambda key: (_iso(key.day), key.tier)),
        answered={name: stands[name] for name in names},
        statuses=dict(tally.statuses),
        latency={name: _latency(own) for name, own in times.items()},
        overall_latency=_latency(chain(*times.values())) if times else None,
        lowest_answered=len(tally.low),
        lowest_escalated=len(tally.climbed),
        saving=saving,
        equivalent_saving=equivalent_saving,
        price=price,
        baseline_model=baseline_model,
        votes=votes_of(labels, tiers),
    )


class _Group(NamedTuple):
    """What rows have in common whose costs can be added up right away.

    `use` is their purpose, `unused` or `compared`.
    """

    feature: str
    day: int
    tier: str
    model: str
    use: str
    source: str


#: A result's answer, of which there may be a million: whether it is whole, its tier, whether it
#: was not billed, and the tokens that it read and wrote.
_Answer = tuple[bool, str, bool, int, int]


@dataclass(slots=True)
class _Sums:
    usd: float = 0.0
    calls: int = 0
    cached: int = 0
    unknown: int = 0


@dataclass(slots=True)
class _Tally:
    lowest: str
    sums: defaultdict[_Group, _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    statuses: Counter[str] = field(default_factory=Counter)
    latencies: defaultdict[str, array[float]] = field(
        default_factory=lambda: defaultdict(lambda: array("d"))
    )
    roots: dict[str, str] = field(default_factory=dict)
    answers: dict[str, _Answer] = field(default_factory=dict)
    #: Chains that the lowest tier answered, results that went up, and chains that went up from
    #: the lowest tier.
    low: set[str] = field(default_factory=set)
    risen: set[str] = field(default_factory=set)
    climbed: set[str] = field(default_factory=set)

    def add(self, row: ReportRow) -> None:
        compared, answer = row.comparison is not None, row.purpose == "answer"
        use = row.purpose
        if compared and answer:
            use = "compared"
        elif row.status == "unused" and not compared:
            use = "unused"
        self.statuses[row.status] += 1
        day = int(row.ts // _DAY_S)
        model = model_to_name(row.model, row.answered_by, row.effort)
        group = _Group(row.feature or "", day, row.tier, model, use, row.cost_source)
        sums = self.sums[group]
        sums.calls += 1
        if row.cached:
            sums.cached += 1
        elif row.cost_usd is None:
            sums.unknown += 1
        else:
            sums.usd += float(row.cost_usd)
        measures = row.purpose in ("audit", "judge")
        if not (compared or measures or row.result in self.roots):
            parent = row.parent
            self.roots[row.result] = self.roots.get(parent, parent) if parent else row.result
        if answer:
            self._add_answer(row, compared=compared)

    def _add_answer(self, row: ReportRow, *, compared: bool) -> None:
        """Compared answers count for the latency, but not for the results."""
        ended = row.status not in ("error", "running")
        if ended and not row.cached and row.status != "interrupted":
            self.latencies[row.tier].append(row.latency_ms)
        if compared:
            return
        root = self.roots[row.result]
        if row.escalated:
            self.risen.add(row.result)
            if root in self.low:
                self.climbed.add(root)
        if ended and row.status != "unused":
            if row.tier == self.lowest:
                self.low.add(root)
                if row.result in self.risen:  # asked in parallel, and ended later
                    self.climbed.add(root)
            given, taken = (0, 0) if row.cached else (row.input_tokens, row.output_tokens)
            whole, unbilled = row.status == "ok", row.cost_source == "equivalent"
            answer = (whole, sys.intern(row.tier), unbilled, given, taken)
            _keep_better(self.answers, row.result, answer)

    def last(self) -> Iterable[_Answer]:
        """The final answer of each chain."""
        last: dict[str, _Answer] = {}
        for result, answer in self.answers.items():
            _keep_better(last, self.roots[result], answer)
        return last.values()


_attributes = attrgetter(*ReportRow._fields)
_items = itemgetter(*ReportRow._fields)


def _light(row: ReportRow | Attempt | Mapping[str, Any]) -> ReportRow:
    if isinstance(row, ReportRow):
        return row
    if isinstance(row, Attempt):
        return ReportRow._make(_attributes(row))
    return ReportRow._make(_items(row))


def _keep_better(answers: dict[str, _Answer], key: str, answer: _Answer) -> None:
    """A later answer replaces an earlier one, unless only the earlier one is whole."""
    if answer[0] or key not in answers or not answers[key][0]:
        answers.pop(key, None)  # the answers stay in the order in which they came
        answers[key] = answer


def _sum(groups: Mapping[_Group, _Sums], pick: Callable[[_Group], Any]) -> dict[Any, Spend]:
    found: dict[Any, Spend] = {}
    for key, sums in groups.items():
        part = Spend.of_source(key.source, sums.usd, sums.calls, sums.cached, sums.unknown)
        found[pick(key)] = found.get(pick(key), Spend()) + part
    return dict(sorted(found.items()))


def _latency(times: Iterable[float]) -> Latency:
    """By nearest rank; there is at least one time."""
    ordered = sorted(times)
    p50, p95 = (ordered[math.ceil(len(ordered) * share / 100) - 1] for share in (50, 95))
    return Latency(len(ordered), p50, p95)


def _iso(day: int) -> str:
    return date.fromordinal(_EPOCH + day).isoformat()
