"""The charts of a report, each a `Figure`; altair is loaded when one is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError, did_you_mean
from nbroute.report.charts.money import cost_by_day, cost_by_feature, cost_by_tier
from nbroute.report.charts.routing import cache, escalation, latency, tiers
from nbroute.report.charts.savings import savings
from nbroute.report.figure import Figure, altair

if TYPE_CHECKING:
    from nbroute.report.metrics import Metrics

CHARTS: dict[str, Callable[[Metrics], Figure]] = {
    "savings": savings,
    "tiers": tiers,
    "escalation": escalation,
    "latency": latency,
    "cost_by_tier": cost_by_tier,
    "cost_by_feature": cost_by_feature,
    "cost_by_day": cost_by_day,
    "cache": cache,
}


def charts_of(report: Metrics) -> dict[str, Figure]:
    """Every chart, by name."""
    return {name: make(report) for name, make in CHARTS.items()}


def chart_of(report: Metrics, name: str) -> Figure:
    """The chart of that name; SettingsError with the close matches for another."""
    if name not in CHARTS:
        raise SettingsError(f"{name!r:.80} is no chart: {did_you_mean(name, CHARTS)}")
    return CHARTS[name](report)


def telling(report: Metrics) -> list[Figure]:
    """The charts that this report has something to show in; none of an empty one."""
    wanted = {
        "savings": True,
        "tiers": True,
        "escalation": report.escalation_rate is not None,
        "latency": bool(report.latency),
        "cost_by_tier": True,
        "cost_by_feature": set(report.by_feature) != {""},
        "cost_by_day": len(report.by_day) > 1,
        "cache": report.cache_hits > 0,
    }
    return [CHARTS[name](report) for name in CHARTS if report.calls and wanted[name]]


def together(figures: Iterable[Figure]) -> Figure:
    """Several charts as one picture, below one another."""
    parts = list(figures)
    told = " ".join(figure.alt for figure in parts)
    rows = [{"chart": figure.title, "to be seen": figure.alt} for figure in parts]

    def draw() -> Any:
        column = altair().vconcat(*[figure.draw() for figure in parts], spacing=26)
        return column.resolve_scale(color="independent")

    return Figure("together", "Charts", told, rows, draw)


__all__ = ["CHARTS", "Figure", "chart_of", "charts_of", "telling", "together"]
