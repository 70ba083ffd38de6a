"""What routing did and what it cost: rows of the ledger -> spend, shares, latency, saving.

The metrics are those of the articles that nbroute grew from: cost by tier, by feature and
by feature and day, the share of each tier, the lowest tier's escalation rate, latency p50
and p95. Percentiles use the nearest rank, so each is a latency that was measured.
"""

from __future__ import annotations

from nbroute.report.metadata import record
from nbroute.report.metrics import Meter, ReportRow, Saving, Spend, model_to_name
from nbroute.report.summary import Report, summarise
from nbroute.report.table import counted

__all__ = [
    "Meter",
    "Report",
    "ReportRow",
    "Saving",
    "Spend",
    "counted",
    "model_to_name",
    "record",
    "summarise",
]
