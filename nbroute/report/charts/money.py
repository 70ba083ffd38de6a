"""Costs: what was spent, what was not billed and what is not known, each in a panel of its own.

The panels have axes of their own, so that amounts of two kinds are neither added nor compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nbroute.report.charts.style import (
    BAR,
    MOST_DAYS,
    WIDTH,
    coloured,
    day_width,
    days_axis,
    dollars,
    fading,
    heights_axis,
    marks,
    names_axis,
    nothing,
    picking,
    titled,
    whole,
)
from nbroute.report.figure import Figure, Row, altair, in_usd
from nbroute.report.spend import Spend
from nbroute.report.table import counted

if TYPE_CHECKING:
    from nbroute.report.metrics import Metrics

SPENT = "spent"
EQUIVALENT = "equivalent, nothing billed"
UNKNOWN = "cost unknown"
AXES = {
    SPENT: "US dollars spent",
    EQUIVALENT: "US dollars, equivalent (nothing billed)",
    UNKNOWN: "calls of unknown cost",
}
#: How a kind of money is drawn, beside the words: full, light with an edge, an edge of dashes.
LOOKS: dict[str, dict[str, Any]] = {
    SPENT: {},
    EQUIVALENT: {"fillOpacity": 0.5, "stroke": BAR},
    UNKNOWN: {"fill": "#7F7F7F", "fillOpacity": 0.3, "stroke": "#7F7F7F", "strokeDash": [3, 2]},
}
MOST_NAMES = 15
MOST_FEATURES = 6


def cost_by_feature(report: Metrics) -> Figure:
    """What each feature cost; the dearest first."""
    groups = {feature or "(none)": spend for feature, spend in report.by_feature.items()}
    return _by_name("cost_by_feature", "Cost by feature", "feature", shortened(groups, MOST_NAMES))


def cost_by_tier(report: Metrics) -> Figure:
    """What each tier cost, up the ladder."""
    groups = {tier or "(none)": spend for tier, spend in report.by_tier.items() if spend.calls}
    return _by_name("cost_by_tier", "Cost by tier", "tier", groups)


def cost_by_day(report: Metrics) -> Figure:
    """What each feature cost each day (UTC); the last 31 days."""
    name, title = "cost_by_day", "Cost per feature per day (UTC)"
    if not report.calls:
        return nothing(name, title)
    rows = _day_rows(report)
    days = sorted({row["day"] for row in rows})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lead = f"{span}: {_summed(rows)}"
    return Figure(name, title, f"{title}. {lead}.", rows, lambda: _day_chart(rows, title, lead))


def money_rows(groups: Mapping[str, Spend], field: str) -> list[Row]:
    """A row for each kind of money that a group has; of a cost that is not known, no amount."""
    return [row for name, spend in groups.items() for row in _kinds(spend, {field: name})]


def shortened(groups: Mapping[str, Spend], most: int) -> dict[str, Spend]:
    """The dearest groups, and the others as one."""
    ordered = sorted(groups, key=lambda name: _size(groups[name]), reverse=True)
    kept = {name: groups[name] for name in ordered[:most]}
    rest = ordered[most:]
    if rest:
        kept[f"{len(rest)} others"] = sum((groups[name] for name in rest), Spend())
    return kept


def _size(spend: Spend) -> tuple[Decimal, Decimal, int]:
    return spend.usd, spend.equivalent_usd, spend.calls


def _kinds(spend: Spend, row: Row) -> list[Row]:
    known = spend.calls - spend.unknown_calls
    amounts = [(SPENT, spend.usd), (EQUIVALENT, spend.equivalent_usd)]
    found: list[tuple[str, float | None, int]] = [
        (kind, float(usd), known) for kind, usd in amounts if usd
    ]
    if spend.unknown_calls:
        found.append((UNKNOWN, None, spend.unknown_calls))
    found = found or [(SPENT, 0.0, known)]
    return [{**row, "money": kind, "usd": usd, "calls": calls} for kind, usd, calls in found]


def _by_name(name: str, title: str, field: str, groups: Mapping[str, Spend]) -> Figure:
    if not any(spend.calls for spend in groups.values()):
        return nothing(name, title)
    rows = money_rows(groups, field)
    each = "; ".join(_told(row, field) for row in rows)
    lead = _summed(rows)
    return Figure(
        name,
        title,
        f"{title}, together {lead}. {each}.",
        rows,
        lambda: _name_chart(rows, field, name, title, lead),
    )


def _told(row: Row, field: str) -> str:
    if row["usd"] is None:
        return f"{row[field]}: {counted(row['calls'], 'call')} of unknown cost"
    return f"{row[field]}: {in_usd(row['usd'])} {row['money']}, {counted(row['calls'], 'call')}"


def _summed(rows: Sequence[Row]) -> str:
    """Each kind of money in a sum of its own."""
    told = []
    for kind in kinds_in(rows):
        of_kind = [row for row in rows if row["money"] == kind]
        if kind == UNKNOWN:
            calls = sum(row["calls"] for row in of_kind)
            told.append(f"{counted(calls, 'call')} of unknown cost")
        else:
            told.append(f"{in_usd(sum(row['usd'] for row in of_kind))} {kind}")
    return "; ".join(told)


def kinds_in(rows: Sequence[Row]) -> list[str]:
    """The kinds of money that there are, in the order of `AXES`."""
    return [kind for kind in AXES if any(row["money"] == kind for row in rows)]


def panels(parts: Sequence[Any]) -> Any:
    """Charts below one another, with axes of their own and one legend."""
    return altair().vconcat(*parts, spacing=14)


def _name_chart(rows: Sequence[Row], field: str, name: str, title: str, lead: str) -> Any:
    drawn = [
        _name_panel(rows, field, kind, picking(f"{name}_{place}", field))
        for place, kind in enumerate(kinds_in(rows))
    ]
    return titled(panels(drawn), title, lead)


def _name_panel(rows: Sequence[Row], field: str, kind: str, pick: Any) -> Any:
    alt = altair()
    drawn = [_drawn(row, field) for row in rows if row["money"] == kind]
    names = list(dict.fromkeys(row[field] for row in drawn))
    base = marks(drawn).encode(
        y=names_axis(field, names),
        x=_amounts_axis(drawn, kind),
        opacity=fading(pick),
        tooltip=[f"{field}:N", "money:N", alt.Tooltip("shown:N", title="cost"), "calls:Q"],
        description="told:N",
    )
    bars = base.mark_bar(height=14, cursor="pointer", **{"fill": BAR, **LOOKS[kind]})
    labels = base.mark_text(align="left", dx=5).encode(text="shown:N")
    return alt.layer(bars.add_params(pick), labels).properties(width=WIDTH, height=alt.Step(22))


def _drawn(row: Row, field: str) -> Row:
    """The row, the length of its bar, and its figures in words."""
    unknown = row["usd"] is None
    shown = counted(row["calls"], "call") if unknown else in_usd(row["usd"])
    size = row["calls"] if unknown else row["usd"]
    return {**row, "size": size, "shown": shown, "told": _told(row, field)}


def _amounts_axis(drawn: Sequence[Row], kind: str) -> Any:
    alt = altair()
    sizes = [row["size"] for row in drawn]
    axis = alt.Axis(title=AXES[kind], **_ticks(sizes, kind))
    return alt.X("size:Q", axis=axis, scale=alt.Scale(domain=[0, (max(sizes) or 1) * 1.16]))


def _ticks(sizes: Sequence[float], kind: str) -> dict[str, Any]:
    if kind == UNKNOWN:
        return whole(int(max(sizes)))
    return {"format": dollars(sizes), "tickCount": 4}


def _day_rows(report: Metrics) -> list[Row]:
    days = sorted({day for _, day in report.by_feature_day})[-MOST_DAYS:]
    kept = list(shortened(report.by_feature, MOST_FEATURES))
    others = kept[-1] if len(report.by_feature) > MOST_FEATURES else ""
    groups: dict[tuple[str, str], Spend] = {}
    for (feature, day), spend in report.by_feature_day.items():
        if day in days:
            key = (day, (feature or "(none)") if feature in kept else others)
            groups[key] = groups.get(key, Spend()) + spend
    return [
        row
        for (day, feature), spend in sorted(groups.items())
        for row in _kinds(spend, {"day": day, "feature": feature})
    ]


def _day_chart(rows: Sequence[Row], title: str, lead: str) -> Any:
    pick = picking("cost_by_day_pick", "feature", legend=True)
    features = list(dict.fromkeys(row["feature"] for row in rows))
    first, *others = [_day_panel(rows, features, kind, pick) for kind in kinds_in(rows)]
    return titled(panels([first.add_params(pick), *others]), title, lead)


def _day_panel(rows: Sequence[Row], features: Sequence[str], kind: str, pick: Any) -> Any:
    alt = altair()
    drawn = [_drawn(row, "feature") for row in rows if row["money"] == kind]
    for row in drawn:
        row["told"] = f"{row['day']}, {row['told']}"
    days = list(dict.fromkeys(row["day"] for row in rows))
    base = marks(drawn).encode(
        x=days_axis(days),
        y=heights_axis("size", AXES[kind], **_ticks([row["size"] for row in drawn], kind)),
        color=coloured("feature", features),
        order=alt.Order("feature:N"),
        tooltip=["day:O", "feature:N", "money:N", alt.Tooltip("shown:N", title="cost"), "calls:Q"],
        description="told:N",
    )
    look = {key: value for key, value in LOOKS[kind].items() if key not in ("fill", "stroke")}
    bars = base.mark_bar(size=day_width(days), **look)
    return bars.transform_filter(pick).properties(width=WIDTH, height=110)
