"""The report: its figures, as text and as frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbroute.errors import SettingsError, did_you_mean
from nbroute.report.frames import COLUMNS, frame_of
from nbroute.report.metrics import Metrics
from nbroute.report.text import text_of

if TYPE_CHECKING:
    import pandas as pd

    from nbroute.report.figure import Figure


@dataclass(frozen=True, slots=True, repr=False)
class Report(Metrics):
    """What a set of calls did; `print` it, or take its parts (`Metrics` says what they are)."""

    def __repr__(self) -> str:
        """The report as plain text."""
        return text_of(self)

    def frame(self, by: str = "tier") -> pd.DataFrame:
        """One row a tier: results, share, calls, spend, latency; or another of `frames()`.

        `usd` and `equivalent_usd` are US dollars as floats, NaN where nothing of the sum is
        known; the calls whose cost is in neither are `unknown_calls`. SettingsError for
        another name.
        """
        return frame_of(self, by)

    def frames(self) -> dict[str, pd.DataFrame]:
        """All frames: tier, model, feature, feature_day, day, daily (day x tier), use, status.

        Days are UTC, and each frame has its columns also where nothing was called.
        """
        return {name: frame_of(self, name) for name in COLUMNS}

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
