"""What was spent, by use, beside what the same answers would have cost on the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbroute.report.charts.money import EQUIVALENT, SPENT, panels
from nbroute.report.charts.style import (
    COLOURS,
    GREY,
    WIDTH,
    coloured,
    dollars,
    fading,
    marks,
    names_axis,
    nothing,
    picking,
    titled,
)
from nbroute.report.figure import Figure, Row, altair, in_usd
from nbroute.report.table import counted

if TYPE_CHECKING:
    from nbroute.report.metrics import Metrics, Saving

#: What the report calls a use -> what the chart does; in the order of the bar's parts.
_USES = {
    "answering": "answering, rejected too",
    "classifying": "classifying",
    "embedding": "embedding",
    "beside": "answers not kept",
    "comparing": "comparing",
}
_SESSION = "as routed"
_BASELINE = "baseline (estimate)"
_AXES = {
    SPENT: "US dollars (baseline: estimate)",
    EQUIVALENT: "US dollars, equivalent, nothing billed (baseline: estimate)",
}


def savings(report: Metrics) -> Figure:
    """The net saving: everything that was spent, against all on the baseline tier."""
    name, title = "savings", f"Saving against all on {report.baseline} (estimate)"
    sides = {kind: saving for kind, saving in _sides(report).items() if _has_any(saving)}
    if not sides:
        return nothing(name, title, report.calls and "nothing spent and nothing saved yet")
    rows = [row for kind, saving in sides.items() for row in _rows(report, kind, saving)]
    lead = "; ".join(told_saving(report, kind, saving) for kind, saving in sides.items())
    used = [f"{row['use']} {in_usd(row['usd'])} ({row['money']})" for row in rows]
    alt = f"{title}. Net: {lead}. {'; '.join(used)}."
    return Figure(name, title, alt, rows, lambda: _chart(rows, title, f"net: {lead}"))


def told_saving(report: Metrics, kind: str, saving: Saving) -> str:
    """`$0.021 less than all on FRONTIER`, or why that is not known."""
    billed = "" if kind == SPENT else " (nothing billed)"
    if saving.baseline_usd is None:
        return f"unknown, {report.baseline} has no known price{billed}"
    if saving.usd is None:
        return f"unknown, {counted(saving.unknown_calls, 'call')} of unknown cost{billed}"
    return f"{saving.told} than all on {report.baseline}{billed}"


def _sides(report: Metrics) -> dict[str, Saving]:
    return {SPENT: report.saving, EQUIVALENT: report.equivalent_saving}


def _has_any(saving: Saving) -> bool:
    return bool(saving.baseline_usd or saving.spent_usd or saving.unknown_calls)


def _rows(report: Metrics, kind: str, saving: Saving) -> list[Row]:
    """A row a use, and one for the baseline; of a side with unknown costs, what is known."""
    amounts = {
        _USES.get(use, use): spend.usd if kind == SPENT else spend.equivalent_usd
        for use, spend in report.by_use.items()
    }
    rows = [
        {"money": kind, "bar": _SESSION, "use": use, "usd": float(usd)}
        for use, usd in sorted(amounts.items(), key=lambda item: _place(item[0]))
        if usd
    ]
    if saving.baseline_usd is not None:
        use = f"all on {report.baseline}"
        rows.append(
            {"money": kind, "bar": _BASELINE, "use": use, "usd": float(saving.baseline_usd)}
        )
    return rows


def _chart(rows: Sequence[Row], title: str, lead: str) -> Any:
    if not rows:
        return nothing("", title, lead).draw()
    pick = picking("savings_pick", "use", legend=True)
    kinds = list(dict.fromkeys(row["money"] for row in rows))
    first, *others = [_panel(rows, kind, pick) for kind in kinds]
    return titled(panels([first.add_params(pick), *others]), title, lead)


def _panel(rows: Sequence[Row], kind: str, pick: Any) -> Any:
    alt = altair()
    names = sorted({row["use"] for row in rows}, key=_place)
    drawn = [_drawn(row, names) for row in rows if row["money"] == kind]
    bars = list(dict.fromkeys(row["bar"] for row in drawn))
    totals = {bar: sum(row["usd"] for row in drawn if row["bar"] == bar) for bar in bars}
    form = dollars(list(totals.values()))
    axis = alt.Axis(title=_AXES[kind], format=form, tickCount=4)
    domain = alt.Scale(domain=[0, (max(totals.values()) or 1) * 1.16], nice=False)
    base = marks(drawn).encode(
        y=names_axis("bar", bars),
        x=alt.X("usd:Q", axis=axis, stack="zero", scale=domain),
        color=coloured("use", names, _colours(names)),
        order=alt.Order("place:Q"),
        opacity=fading(pick),
        tooltip=["use:N", "money:N", alt.Tooltip("shown:N", title="US dollars")],
        description="told:N",
    )
    ends = [{"bar": bar, "usd": usd, "shown": in_usd(usd)} for bar, usd in totals.items()]
    labels = marks(ends).mark_text(align="left", dx=5)
    labels = labels.encode(y=names_axis("bar", bars), x="usd:Q", text="shown:N")
    layers = alt.layer(base.mark_bar(height=16, cursor="pointer"), labels)
    return layers.properties(width=WIDTH, height=alt.Step(24))


def _drawn(row: Row, names: Sequence[str]) -> Row:
    shown = in_usd(row["usd"])
    told = f"{row['use']}: {shown} ({row['money']})"
    return {**row, "shown": shown, "told": told, "place": names.index(row["use"])}


def _place(use: str) -> int:
    """Where a use stands in the bar and in the legend; the baseline last."""
    known = list(_USES.values())
    return known.index(use) if use in known else len(known)


def _colours(names: Sequence[str]) -> list[str]:
    """The baseline is grey: it is an estimate, and nothing that was spent."""
    known = list(_USES.values())
    return [COLOURS[known.index(name)] if name in known else GREY for name in names]
