"""Rows of the ledger -> Report, in one pass."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from nbroute.report.metrics import Latency, ReportRow, Saving, Spend
from nbroute.report.summary import Report
from nbroute.types import Attempt, Price

_MILLION = 1_000_000
_DAY_S = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
#: The purpose of a call, or what became of it -> what the report calls its use.
_USES = {
    "answer": "answering",
    "classify": "classifying",
    "embed": "embedding",
    "unused": "beside",
    "compared": "comparing",
}


def summarise(
    rows: Iterable[ReportRow | Attempt | Mapping[str, Any]],
    *,
    tiers: Sequence[str],
    baseline: str,
    price: Price | None,
    baseline_model: str = "",
) -> Report:
    """The report of these rows, oldest first, each attempt once.

    `tiers` are the ladder's, cheapest first; `price` is that of the `baseline` tier's model,
    None where it is not known. The saving assumes that it would have answered in as many
    tokens.
    """
    tally = _Tally(tiers[0] if tiers else "")
    tally.add(rows)
    groups, chains = tally.groups(), tally.chains()
    stands = Counter(answer.tier for answer in tally.answers.values())
    spend = _sum(groups, lambda _: "").get("", Spend())
    by_tier = _sum(groups, lambda key: key.tier)
    names = tuple(dict.fromkeys((*tiers, *sorted(by_tier))))
    latency = {n: sorted(tally.latencies[n]) for n in names if n in tally.latencies}
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
        latency={name: _latency(times) for name, times in latency.items()},
        overall_latency=_latency(sorted(chain(*latency.values()))) if latency else None,
        lowest_answered=len(tally.low),
        lowest_escalated=len(tally.low & tally.climbed),
        saving=_saving(groups, chains, price, equivalent=False),
        equivalent_saving=_saving(groups, chains, price, equivalent=True),
        price=price,
        baseline_model=baseline_model,
    )


#: A `_Group` as a plain tuple, which is several times faster to make.
_Key = tuple[str, int, str, str, str, str]


class _Group(NamedTuple):
    """What rows share whose costs can be added before anything is known of the report.

    `use` is their purpose, `unused` or `compared`.
    """

    feature: str
    day: int
    tier: str
    model: str
    use: str
    source: str


@dataclass(slots=True)
class _Sums:
    usd: float = 0.0
    calls: int = 0
    cached: int = 0
    unknown: int = 0


@dataclass(slots=True)
class _Tally:
    lowest: str
    sums: defaultdict[_Key, _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    statuses: Counter[str] = field(default_factory=Counter)
    latencies: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    roots: dict[str, str] = field(default_factory=dict)
    answers: dict[str, ReportRow] = field(default_factory=dict)
    low: set[str] = field(default_factory=set)
    climbed: set[str] = field(default_factory=set)

    def add(self, rows: Iterable[ReportRow | Attempt | Mapping[str, Any]]) -> None:
        for row in map(_light, rows):
            self.statuses[row.status] += 1
            if row.comparison is not None:
                self._add_compared(row)
                continue
            self._add_cost(row, "unused" if row.status == "unused" else row.purpose)
            self._add_root(row)
            if row.purpose == "answer":
                self._add_answer(row)

    def groups(self) -> dict[_Group, _Sums]:
        return {_Group(*key): sums for key, sums in self.sums.items()}

    def chains(self) -> dict[str, ReportRow]:
        """The answer that stands at the end of each chain, by the chain's first result."""
        last: dict[str, ReportRow] = {}
        for result, answer in self.answers.items():
            _keep_better(last, self.roots[result], answer)
        return last

    def _add_compared(self, row: ReportRow) -> None:
        """A call that cost money and took its time, and belongs to no result that was routed."""
        answer = row.purpose == "answer"
        self._add_cost(row, "compared" if answer else row.purpose)
        if answer and row.status not in ("error", "running"):
            self._add_latency(row)

    def _add_cost(self, row: ReportRow, use: str) -> None:
        day = int(row.ts // _DAY_S)
        key = (row.feature or "", day, row.tier, row.model, use, row.cost_source)
        sums = self.sums[key]
        sums.calls += 1
        if row.cached:
            sums.cached += 1
        elif row.cost_usd is None:
            sums.unknown += 1
        else:
            sums.usd += float(row.cost_usd)

    def _add_root(self, row: ReportRow) -> None:
        if row.result not in self.roots:
            parent = row.parent
            self.roots[row.result] = self.roots.get(parent, parent) if parent else row.result

    def _add_answer(self, row: ReportRow) -> None:
        root = self.roots[row.result]
        if row.escalated:
            self.climbed.add(root)
        if row.status in ("error", "running"):
            return
        self._add_latency(row)
        if row.status == "unused":
            return
        if row.tier == self.lowest:
            self.low.add(root)
        _keep_better(self.answers, row.result, row)

    def _add_latency(self, row: ReportRow) -> None:
        if not row.cached and row.status != "interrupted":
            self.latencies[row.tier].append(row.latency_ms)


_attributes = attrgetter(*ReportRow._fields)
_items = itemgetter(*ReportRow._fields)


def _light(row: ReportRow | Attempt | Mapping[str, Any]) -> ReportRow:
    if isinstance(row, ReportRow):
        return row
    if isinstance(row, Attempt):
        return ReportRow._make(_attributes(row))
    return ReportRow._make(_items(row))


def _keep_better(answers: dict[str, ReportRow], key: str, answer: ReportRow) -> None:
    """A later answer stands in place of an earlier one, unless only the earlier one is whole."""
    known = answers.get(key)
    if known is None or answer.status == "ok" or known.status != "ok":
        answers[key] = answer


def _sum(groups: Mapping[_Group, _Sums], pick: Callable[[_Group], Any]) -> dict[Any, Spend]:
    found: dict[Any, Spend] = {}
    for key, sums in groups.items():
        part = Spend.of_source(key.source, sums.usd, sums.calls, sums.cached, sums.unknown)
        found[pick(key)] = found.get(pick(key), Spend()) + part
    return dict(sorted(found.items()))


def _saving(
    groups: Mapping[_Group, _Sums],
    chains: Mapping[str, ReportRow],
    price: Price | None,
    *,
    equivalent: bool,
) -> Saving:
    paid = [answer for answer in chains.values() if not answer.cached]
    final = [answer for answer in paid if (answer.cost_source == "equivalent") == equivalent]
    sides = _sum(groups, lambda key: key.source == "equivalent")
    spend = sides.get(equivalent, Spend())
    spent = spend.equivalent_usd if equivalent else spend.usd
    return Saving(_baseline(final, price), spent, spend.unknown_calls)


def _baseline(answers: Sequence[ReportRow], price: Price | None) -> Decimal | None:
    if price is None:
        return None
    given = sum(answer.input_tokens for answer in answers)
    taken = sum(answer.output_tokens for answer in answers)
    return (given * price.input + taken * price.output) / _MILLION


def _latency(ordered: list[float]) -> Latency:
    return Latency(len(ordered), _percentile(ordered, 50), _percentile(ordered, 95))


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """By nearest rank, `ordered` being ascending and not empty."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def _iso(day: int) -> str:
    return date.fromordinal(_EPOCH + day).isoformat()
