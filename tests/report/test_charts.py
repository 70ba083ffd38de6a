"""Charts of a report: what they show, that they are drawn offline, and how they are displayed."""

from __future__ import annotations

import json
import re
import sys
import textwrap
import xml.etree.ElementTree as ET

import pytest
from cells import error_of, run
from markup import Rendered
from reports import DAY, NOON, busy, label, labelled, report, row

from nbroute.errors import SettingsError
from nbroute.report import bars
from nbroute.report.charts import CHARTS, telling
from nbroute.report.colours import tier_colour
from nbroute.report.metrics import votes_of

pytest.importorskip("altair")

NO_CALLS = "no calls recorded yet"
UNKNOWN = {"cost_usd": None, "cost_source": "unknown"}


def texts(svg):
    """All that can be read in the picture."""
    root = ET.fromstring(svg)  # noqa: S314 - our own picture
    return [t.text for t in root.iter("{http://www.w3.org/2000/svg}text") if t.text]


@pytest.mark.parametrize("name", CHARTS)
def test_each_chart_is_drawn_offline_told_in_words_and_can_be_explored(name):
    figure, empty = labelled().chart(name), report().chart(name)
    svg, spec = figure.svg(), figure.chart.to_dict()

    assert figure.title in texts(svg)
    assert len(figure.png()) > 10_000
    assert "altair-viz" not in svg
    assert len(figure.rows) == len(figure.frame())
    assert figure.title == repr(figure).split("\n")[0]
    assert '"tooltip"' in json.dumps(spec)
    assert [] != [one["name"] for one in spec["params"] if "select" in one]
    assert NO_CALLS in texts(empty.svg())
    assert ([], True) == (empty.rows, NO_CALLS in repr(empty))


TOLD = """\
Cost by feature: $0.089 spent; would have cost $0.0012; 1 call of unknown cost. search: $0.036
spent, 13 calls; (none): $0.028 spent, 15 calls; bot: $0.025 spent, 14 calls; local: would have cost
$0.0012, 4 calls; search: 1 call of unknown cost.
Cost by tier: $0 spent. SIMPLE: $0 spent, 1 call.
Answers by tier: SIMPLE answers 63%; over 50% is usual for support and Q&A. SIMPLE: 63% (29);
MEDIUM: 20% (9); FRONTIER: 17% (8).
Escalation rate: 3%: 1 of the 29 that SIMPLE answered went on to a more expensive tier; good, under
10%. SIMPLE: 3%.
Latency by tier: half of a tier's calls end within the solid part of its bar, 19 of 20 within all of
it. SIMPLE: half of the calls within 1.50 s; SIMPLE: 19 of 20 calls within 1.50 s.
Latency by tier: no call of a model recorded yet.
Calls per day (UTC): 1 of 3 calls from the cache (33%). 2026-11-21: 1 sent to a model; 2026-11-21: 1
from the cache; 2026-11-22: 1 sent to a model.
Saving against all on FRONTIER (estimate): $0.16 less than all on FRONTIER. answering, rejected
answers too: $0.01 spent; classifying: $0.03 spent; all on FRONTIER: $0.20 (estimate).
Saving against all on FRONTIER (estimate): unknown, 1 call of unknown cost. answering, rejected
answers too: $0.01 spent; all on FRONTIER: $0.40 (estimate).
Saving against all on FRONTIER (estimate): unknown, FRONTIER has no known price. answering, rejected
answers too: $0.01 spent.
Good enough, by your labels, against cost: where a tier is good enough, those above it count too;
lines are 95% intervals. SIMPLE: 5 of 14 (16% to 61%), a call: $0.00011 spent; MEDIUM: 8 of 10 (49%
to 94%), a call: $0.0012 spent; FRONTIER: 15 of 15 (80% to 100%), a call: $0.011 spent.
Good enough, by your labels, against cost: nothing labelled yet."""


def test_what_each_chart_shows_is_told_in_words():
    cached = row("r2", cached=True, cost_usd=0.0)
    figures = [
        busy().chart("cost_by_feature"),
        report(cached).chart("cost_by_tier"),
        busy().chart("tiers"),
        busy().chart("escalation"),
        report(row(latency_ms=1500.0), cached).chart("latency"),
        report(cached).chart("latency"),
        report(row(), cached, row("r3", ts=NOON + DAY)).chart("cache"),
        report(row(), row(purpose="classify", cost_usd=0.03)).chart("savings"),
        report(row("r1"), row("r2", **UNKNOWN)).chart("savings"),
        report(row(), price=None).chart("savings"),
        labelled().chart("quality"),
        busy().chart("quality"),
    ]

    assert TOLD == "\n".join(textwrap.fill(figure.alt, 100) for figure in figures)


def test_three_kinds_of_money_have_three_axes_and_an_unknown_cost_is_not_nothing():
    axes = {"US dollars spent", "US dollars that it would have cost (nothing was billed)"}
    axes |= {"calls whose cost is unknown"}
    assert axes <= set(texts(busy().chart("cost_by_feature").svg()))

    unknown = report(row(**UNKNOWN)).chart("cost_by_tier")
    assert [("cost unknown", None, 1)] == [(r["money"], r["usd"], r["calls"]) for r in unknown.rows]
    assert "US dollars spent" not in texts(unknown.svg())
    assert "$0" not in "".join(texts(unknown.svg()))


def test_tiers_stand_in_the_order_of_the_ladder_each_in_its_colour():
    figure = busy().chart("tiers")
    shown = texts(figure.svg())

    order = ["SIMPLE", "MEDIUM", "FRONTIER"]
    assert order == [r["tier"] for r in figure.rows] == sorted(order, key=shown.index)
    for tier in order:
        assert tier_colour(tier, busy().tiers) in figure.svg()
        assert tier_colour(tier, busy().tiers) in figure._repr_html_()
    # an escalation rate is a sentence and not a bar
    assert "table" not in Rendered(busy().chart("escalation")._repr_html_()).tags


def test_of_many_features_the_most_expensive_are_shown():
    rows = [row(f"r{n}", feature=f"feature {n}", cost_usd=0.01 * (n + 1)) for n in range(100)]
    figure = report(*rows).chart("cost_by_feature")
    assert ["feature 99", "feature 98"] == [r["feature"] for r in figure.rows[:2]]
    assert "85 others" == figure.rows[-1]["feature"]
    assert sum(r["usd"] for r in figure.rows) == pytest.approx(50.5)


def test_names_with_markup_are_shown_as_they_are():
    name = "<script>alert('&\"x')</script>"
    rows = row(feature=name, model=name), row("r2", feature="日本語 🚀")
    figure = report(*rows).chart("cost_by_feature")

    ET.fromstring(figure.svg())  # noqa: S314 - our own picture
    assert "<script" not in figure.svg(card=False)
    assert "script" not in Rendered(figure._repr_html_()).tags
    assert name in Rendered(figure._repr_html_()).text


def test_a_picture_has_words_and_a_page_tables_with_bars_as_long_as_their_amounts():
    svg, page = busy().chart("tiers").svg(), Rendered(bars.page(telling(labelled())))

    assert "<title>MEDIUM: " in svg
    assert 'role="img" aria-label="Answers by tier' in svg
    assert {"table", "caption", "th", "figure"} <= page.tags
    assert set() == page.tags & {"style", "script", "img", "svg", "a"}
    figure = report(row("a", cost_usd=1.0), row("b", tier="MEDIUM", cost_usd=0.25))
    shown = figure.chart("cost_by_tier")._repr_html_()
    assert ["100.0", "25.0"] == re.findall(r"width:([\d.]+)%;background", shown)
    shown = re.sub('title="[^"]*"', "", shown)
    assert shown.count("<span>$</span>") == shown.count("$") >= 2  # two prices are not a formula


def test_a_chart_is_saved_by_its_suffix_and_loads_nothing_and_another_is_refused(tmp_path):
    figure = busy().chart("tiers")
    begins = {".svg": b"<svg ", ".png": b"\x89PNG", ".html": b"<!DOCTYPE html>", ".json": b"{"}
    for suffix, begin in begins.items():
        page = figure.save(tmp_path / f"tiers{suffix}").read_bytes()
        assert page.strip().startswith(begin)
        assert b"<script src=" not in page

    with pytest.raises(SettingsError, match=r"cannot be saved as 'tiers\.gif'"):
        figure.save("tiers.gif")
    with pytest.raises(SettingsError, match=r"'latncy' is not a chart: did you mean 'latency'\?"):
        report().chart("latncy")


def test_without_a_library_the_rest_works_and_the_error_says_the_cure(monkeypatch):
    figure = busy().chart("tiers")
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(SettingsError, match=r"needs altair.*: pip install 'nbroute\[charts\]'"):
        _ = figure.chart
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(SettingsError, match=r"needs vl_convert.*: pip install 'nbroute\[charts\]'"):
        figure.svg()

    assert "Answers by tier" in figure._repr_html_()


def test_only_charts_that_tell_something_are_shown():
    assert [] == telling(report())
    assert ["savings"] == [one.name for one in telling(report(row()))]  # no chart of one bar
    assert "quality" in [one.name for one in telling(labelled())]


def test_a_word_taken_back_and_a_prompt_judged_again_count_once():
    again = [label("one", "too weak", "MEDIUM"), label("one", "good", "SIMPLE")]
    gone = [label("two", "good", "SIMPLE"), label("two", "taken back", "SIMPLE")]
    bad = [label("three", "bad", None), label("four", "good", "ELSEWHERE")]

    votes = votes_of([*again, *gone, *bad], ("SIMPLE", "MEDIUM"))

    assert {"SIMPLE": (1, 2), "MEDIUM": (1, 1)} == votes


def test_charts_are_shown_by_name_in_a_terminal(shell):
    assert NO_CALLS in run(shell, "%route charts")[0]

    run(shell, "%%route -q\nhello")

    shown, _ = run(shell, "%route charts tiers latency")
    assert shown.index("Answers by tier") < shown.index("Latency by tier")
    assert "did you mean 'tiers'?" in error_of(shell, "%route charts tier")
