"""The report as DataFrames.

Money is in US dollars, as floats: `usd` was billed, `equivalent_usd` was not. What is not known
at all is NaN, and `unknown_calls` counts the calls whose cost is in neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError, did_you_mean
from nbroute.report.metrics import Spend

if TYPE_CHECKING:
    import pandas as pd

    from nbroute.report.metrics import Latency, Metrics

    Rows = list[dict[str, Any]]

_AMOUNTS = ("calls", "cached_calls", "usd", "equivalent_usd", "unknown_calls")
_TIMES = ("timed_calls", "p50_ms", "p95_ms")
#: The columns of each frame; all but those in `_KINDS` are text.
COLUMNS: dict[str, tuple[str, ...]] = {
    "tier": ("tier", "results", "share", *_AMOUNTS, *_TIMES),
    "model": ("model", *_AMOUNTS),
    "feature": ("feature", *_AMOUNTS),
    "feature_day": ("feature", "day", *_AMOUNTS),
    "day": ("day", *_AMOUNTS),
    "daily": ("day", "tier", *_AMOUNTS),
    "use": ("use", *_AMOUNTS),
    "status": ("status", "calls"),
}
_COUNTS = ("results", "calls", "cached_calls", "unknown_calls", "timed_calls")
_KINDS = dict.fromkeys(_COUNTS, "int64") | dict.fromkeys(
    ("share", "usd", "equivalent_usd", "p50_ms", "p95_ms"), "float64"
)


def frame_of(report: Metrics, by: str) -> pd.DataFrame:
    """That frame; SettingsError for a name that there is not."""
    import pandas as pd

    if by not in COLUMNS:
        raise SettingsError(f"a report has no frame by {by!r:.80}; {did_you_mean(by, COLUMNS)}")
    columns = list(COLUMNS[by])
    frame = pd.DataFrame(_ROWS[by](report), columns=columns)
    return frame.astype({name: _KINDS.get(name, "object") for name in columns})


def _tiers(report: Metrics) -> Rows:
    share = report.tier_share
    return [
        {"tier": tier, "results": report.answered.get(tier, 0), "share": share.get(tier, math.nan)}
        | _amounts(spend)
        | _times(report.latency.get(tier))
        for tier, spend in report.by_tier.items()
    ]


def _groups(name: str, groups: Mapping[str, Spend]) -> Rows:
    return [{name: key} | _amounts(spend) for key, spend in groups.items()]


def _pairs(first: str, second: str, groups: Mapping[tuple[str, str], Spend]) -> Rows:
    return [{first: one, second: two} | _amounts(s) for (one, two), s in groups.items()]


_ROWS: dict[str, Callable[[Metrics], Rows]] = {
    "tier": _tiers,
    "model": lambda report: _groups("model", report.by_model),
    "feature": lambda report: _groups("feature", report.by_feature),
    "feature_day": lambda report: _pairs("feature", "day", report.by_feature_day),
    "day": lambda report: _groups("day", report.by_day),
    "daily": lambda report: _pairs("day", "tier", report.by_day_tier),
    "use": lambda report: _groups("use", report.by_use),
    "status": lambda report: [{"status": s, "calls": n} for s, n in report.statuses.items()],
}


def _amounts(spend: Spend) -> dict[str, Any]:
    unbilled = spend.unknown_unbilled
    return {
        "calls": spend.calls,
        "cached_calls": spend.cached_calls,
        "usd": _known(float(spend.usd), spend.unknown_calls - unbilled),
        "equivalent_usd": _known(float(spend.equivalent_usd), unbilled),
        "unknown_calls": spend.unknown_calls,
    }


def _known(usd: float, unknown: int) -> float:
    """The known part of a sum; with no such part, nothing is known."""
    return usd if usd or not unknown else math.nan


def _times(latency: Latency | None) -> dict[str, Any]:
    if latency is None:
        return {"timed_calls": 0, "p50_ms": math.nan, "p95_ms": math.nan}
    return dict(zip(_TIMES, latency, strict=True))
