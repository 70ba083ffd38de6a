"""Where prompts went: tiers, escalation, latency, and what the cache answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbroute.report.charts.style import (
    BAR,
    COLOURS,
    GREEN,
    MOST_DAYS,
    WIDTH,
    coloured,
    day_width,
    days_axis,
    fading,
    heights_axis,
    listed,
    marks,
    names_axis,
    nothing,
    picking,
    titled,
    whole,
)
from nbroute.report.figure import Figure, Row, altair
from nbroute.report.table import counted
from nbroute.report.thresholds import ESCALATION_GOOD as GOOD
from nbroute.report.thresholds import ESCALATION_PROBLEM as PROBLEM
from nbroute.report.thresholds import LOWEST_SHARE as USUAL

if TYPE_CHECKING:
    from nbroute.report.metrics import Metrics

_BANDS = (GREEN, "#B8860B", COLOURS[1])
_DASHED = "(the dashed line) is usual for support and Q&A"
_SENT, _CACHED = "sent to a model", "from the cache"


def tiers(report: Metrics) -> Figure:
    """The share of the results that each tier answered, and the article's line at one half."""
    name, title = "tiers", "Tier distribution"
    shares = report.tier_share
    if not shares:
        return nothing(name, title, report.calls and "no answer recorded yet")
    rows = [
        {"tier": tier or "(none)", "results": report.answered[tier], "share": share}
        for tier, share in shares.items()
    ]
    lowest = report.tiers[0] if report.tiers else ""
    each = listed([f"{row['tier']} {row['share']:.0%}" for row in rows])
    lead = f"{lowest} answers {shares.get(lowest, 0):.0%}; over {USUAL:.0%} {_DASHED}"
    alt = f"{title}, by the share of {counted(report.results, 'result')}: {each}. {lead}."
    return Figure(name, title, alt, rows, lambda: _tiers_chart(rows, lowest, title, lead))


def _tiers_chart(rows: Sequence[Row], lowest: str, title: str, lead: str) -> Any:
    alt = altair()
    pick = picking("tiers_pick", "tier")
    drawn = [{**row, "shown": _share(row), "told": f"{row['tier']}: {_share(row)}"} for row in rows]
    axis = alt.Axis(title="share of the results", format="%", values=[0, 0.25, 0.5, 0.75, 1])
    base = marks(drawn).encode(
        y=names_axis("tier", [row["tier"] for row in rows]),
        x=alt.X("share:Q", axis=axis, scale=alt.Scale(domain=[0, 1.2])),
        opacity=fading(pick),
        tooltip=["tier:N", alt.Tooltip("share:Q", format=".0%"), "results:Q"],
        description="told:N",
    )
    bars = base.mark_bar(height=14, cursor="pointer", fill=BAR).add_params(pick)
    labels = base.mark_text(align="left", dx=5).encode(text="shown:N")
    line = _line(USUAL, f"usual for {lowest}: over {USUAL:.0%}")
    return titled(
        alt.layer(line, bars, labels).properties(width=WIDTH, height=alt.Step(22)), title, lead
    )


def _share(row: Row) -> str:
    return f"{row['share']:.0%} ({row['results']:,})"


def _line(place: float, told: str) -> Any:
    rule = marks([{"place": place, "told": told}]).mark_rule(strokeDash=[4, 3], strokeWidth=1.5)
    return rule.encode(x="place:Q", tooltip=["told:N"], description="told:N")


def escalation(report: Metrics) -> Figure:
    """The lowest tier's escalation rate against the articles' thresholds."""
    name, title = "escalation", "Escalation rate"
    rate = report.escalation_rate
    lowest = report.tiers[0] if report.tiers else "the lowest tier"
    if rate is None:
        return nothing(name, title, report.calls and f"no answer of {lowest} recorded yet")
    row = {
        "tier": lowest,
        "answered": report.lowest_answered,
        "escalated": report.lowest_escalated,
        "rate": rate,
        "verdict": report.escalation_verdict,
    }
    went = f"{row['escalated']:,} of the {row['answered']:,} that {lowest} answered went on"
    lead = f"{rate:.0%}: {went} to a dearer tier; {row['verdict']}"
    alt = f"{title}, {lead}. Under {GOOD:.0%} is good, over {PROBLEM:.0%} a classifier problem."
    return Figure(name, title, alt, [row], lambda: _escalation_chart(row, title, lead))


def _escalation_chart(row: Row, title: str, lead: str) -> Any:
    alt = altair()
    top = min(1.0, max(0.4, row["rate"] * 1.2))
    bands = [
        {"begin": 0, "end": GOOD, "word": "good"},
        {"begin": GOOD, "end": PROBLEM, "word": "fair"},
        {"begin": PROBLEM, "end": top, "word": "look at the classifier"},
    ]
    axis = alt.Axis(
        title="share that went on to a dearer tier",
        format="%",
        values=[0, GOOD, PROBLEM, 0.5, 1],
        grid=True,
    )
    across = alt.X("begin:Q", axis=axis, scale=alt.Scale(domain=[0, top], nice=False))
    colour = coloured("word", [band["word"] for band in bands], _BANDS).legend(None)
    under = marks(bands).mark_rect(opacity=0.18).encode(x=across, x2="end:Q", color=colour)
    words = (
        marks(bands)
        .mark_text(align="left", dx=4, dy=-19, baseline="top")
        .encode(x=across, text="word:N")
    )
    told = {**row, "told": f"{row['tier']}: {row['rate']:.0%}, {row['verdict']}"}
    pick = picking("escalation_pick", "tier")
    bar = marks([told]).mark_bar(height=12, fill=BAR, yOffset=8, stroke=BAR, strokeWidth=2)
    bar = bar.encode(
        x=alt.X("rate:Q"),
        y=names_axis("tier", [row["tier"]]),
        opacity=fading(pick),
        tooltip=["tier:N", alt.Tooltip("rate:Q", format=".1%"), "escalated:Q", "answered:Q"],
        description="told:N",
    )
    layers = alt.layer(under, words, bar.add_params(pick))
    return titled(layers.properties(width=WIDTH, height=44), title, lead)


def latency(report: Metrics) -> Figure:
    """How long each tier takes: half of the calls (p50), and all but one in twenty (p95)."""
    name, title = "latency", "Latency by tier"
    if not report.latency:
        return nothing(name, title, report.calls and "no call of a model recorded yet")
    rows = [
        {"tier": tier, "percentile": name, "seconds": ms / 1000, "calls": figures.calls}
        for tier, figures in report.latency.items()
        for name, ms in (("p50", figures.p50_ms), ("p95", figures.p95_ms))
    ]
    each = [
        f"{tier} {one.p50_ms / 1000:.2f} s and {one.p95_ms / 1000:.2f} s"
        for tier, one in report.latency.items()
    ]
    lead = "half of a tier's calls are faster than p50, 19 of 20 faster than p95"
    alt = f"{title}, p50 and p95: {listed(each)}."
    return Figure(name, title, alt, rows, lambda: _latency_chart(rows, title, lead))


def _latency_chart(rows: Sequence[Row], title: str, lead: str) -> Any:
    alt = altair()
    drawn = [{**row, "shown": f"{row['seconds']:.2f} s"} for row in rows]
    for row in drawn:
        row["told"] = f"{row['tier']}, {row['percentile']}: {row['shown']}"
    names = list(dict.fromkeys(row["tier"] for row in rows))
    percentiles = ["p50", "p95"]
    pick = picking("latency_pick", "percentile", legend=True)
    axis = alt.Axis(title="seconds", tickCount=5)
    largest = max(row["seconds"] for row in rows)
    base = marks(drawn).encode(
        y=names_axis("tier", names),
        yOffset=alt.YOffset("percentile:N", sort=percentiles),
        x=alt.X("seconds:Q", axis=axis, scale=alt.Scale(domain=[0, (largest or 1) * 1.16])),
        opacity=fading(pick),
        tooltip=["tier:N", "percentile:N", alt.Tooltip("shown:N", title="latency"), "calls:Q"],
        description="told:N",
    )
    bars = base.mark_bar().encode(color=coloured("percentile", percentiles))
    labels = base.mark_text(align="left", dx=5, fontSize=11).encode(text="shown:N")
    layers = alt.layer(bars.add_params(pick), labels)
    return titled(layers.properties(width=WIDTH, height=36 * len(names)), title, lead)


def cache(report: Metrics) -> Figure:
    """Calls a day, those that a model answered and those that the cache did."""
    name, title = "cache", "Calls per day (UTC)"
    if not report.calls:
        return nothing(name, title)
    hits = report.cache_hits / report.calls
    lead = f"{report.cache_hits:,} of {counted(report.calls, 'call')} from the cache ({hits:.0%})"
    rows = _day_rows(report)
    each = "; ".join(f"{row['day']} {row['calls']:,} {row['answered']}" for row in rows)
    alt = f"{title}, {lead}: {each}."
    return Figure(name, title, alt, rows, lambda: _cache_chart(rows, title, lead))


def _day_rows(report: Metrics) -> list[Row]:
    return [
        {"day": day, "answered": how, "calls": calls}
        for day, spend in sorted(report.by_day.items())[-MOST_DAYS:]
        for how, calls in ((_SENT, spend.calls - spend.cached_calls), (_CACHED, spend.cached_calls))
        if calls
    ]


def _cache_chart(rows: Sequence[Row], title: str, lead: str) -> Any:
    alt = altair()
    pick = picking("cache_pick", "answered", legend=True)
    days = list(dict.fromkeys(row["day"] for row in rows))
    drawn = [{**row, "told": f"{row['day']}: {row['calls']:,} {row['answered']}"} for row in rows]
    calls = max(sum(row["calls"] for row in rows if row["day"] == day) for day in days)
    base = marks(drawn).encode(
        x=days_axis(days),
        y=heights_axis("calls", "calls", **whole(calls)),
        color=coloured("answered", [_SENT, _CACHED]),
        order=alt.Order("answered:N", sort="descending"),
        opacity=fading(pick),
        tooltip=["day:N", "answered:N", "calls:Q"],
        description="told:N",
    )
    bars = base.mark_bar(size=day_width(days), cursor="pointer").add_params(pick)
    return titled(bars.properties(width=WIDTH, height=100), title, lead)
